// What becomes of a gradient: its norm, clipping, penalties, the optimizer's move, bounds on the weights.
#pragma once

#include "network.h"

// Numbers that all of a step's updates share.
struct Step {
    Rates rates;
    V l1, l2;  // learning rate times l1, and l2
};

// Adam's bias corrections: of the mean, and of the root of the mean square.
struct Corrections {
    double mean, root;
};

static Corrections corrections(const Run &run) {
    const double steps = (double)run.step;
    return {(1.0 - 0.9) / (1.0 - pow(0.9, steps)), sqrt((1.0 - 0.999) / (1.0 - pow(0.999, steps)))};
}

static Step step_of(const Run &run, double learning_rate, const Corrections &corrected) {
    const bool is_adam = run.optimizer == ADAM || run.optimizer == ADAMW;
    const double rate = is_adam ? learning_rate * corrected.mean / corrected.root : learning_rate;
    const double eps = is_adam ? 1e-8 / corrected.root : 0.0;
    const Rates rates = {all((float)rate), all((float)run.momentum), all((float)eps),
                         all((float)(learning_rate * run.weight_decay)), all((float)run.l1),
                         all((float)(2.0 * run.l2))};
    const bool is_ftrl = run.optimizer == FTRL;  // which has both penalties inside
    return {rates, all(is_ftrl ? 0.0f : (float)(learning_rate * run.l1)), all(is_ftrl ? 0.0f : (float)run.l2)};
}

// One vector of parameters before and after a step, with what goes with them.
struct Parameters {
    V value, first, second, pinned, is_weight;
};

// Add l2, move, shrink by l1.
template <Optimizer KIND, bool PENALISED>
static inline void move(Parameters &p, V g, const Step &step, bool has_l1) {
    if constexpr (PENALISED) g = fma(p.is_weight * step.l2, p.value, g);
    V next = moved<KIND>(p.value, g, p.first, p.second, step.rates, p.is_weight);
    if constexpr (PENALISED)
        if (has_l1) {
            const V pulled = next - sign(p.value) * p.is_weight * step.l1;
            const I is_pinned = (next * pulled < 0.0f) | (p.pinned != 0.0f);
            next = is_pinned ? V{} : pulled;
            p.pinned = is_pinned ? all(1.0f) : V{};
        }
    p.value = next;
}

static bool has_l1(const Run &run) { return run.l1 > 0.0 && run.optimizer != FTRL; }
constexpr bool has_first(Optimizer kind) { return kind != SGD; }
constexpr bool has_second(Optimizer kind) { return kind == ADAM || kind == ADAMW || kind == FTRL; }

// Update parameters from `start` to `end`; where the probes want to see what it changed, their old values take
// the place of the gradient, which nobody needs any more.
template <Optimizer KIND, bool PENALISED>
static void update_as(const Run &run, const Step &step, int64_t start, int64_t end, bool keeps_before) {
    const bool is_pinning = has_l1(run);
    // Vectors begin where cache lines do, so the first and the last may be cut.
    for (int64_t at = start, next; at < end; at = next) {
        next = at / LANES * LANES + LANES;
        if (next > end) next = end;
        const int64_t width = next - at;
        Parameters p = {};
        p.value = load_some(run.parameters + at, width);
        if (has_first(KIND)) p.first = load_some(run.first + at, width);
        if (has_second(KIND)) p.second = load_some(run.second + at, width);
        if (PENALISED) p.is_weight = load_some(run.is_weight + at, width);
        if (PENALISED && is_pinning) p.pinned = load_some(run.pinned + at, width);
        const V before = p.value;
        move<KIND, PENALISED>(p, load_some(run.gradients + at, width), step, is_pinning);
        store_some(run.parameters + at, p.value, width);
        if (has_first(KIND)) store_some(run.first + at, p.first, width);
        if (has_second(KIND)) store_some(run.second + at, p.second, width);
        if (PENALISED && is_pinning) store_some(run.pinned + at, p.pinned, width);
        if (keeps_before) store_some(run.gradients + at, before, width);
    }
}

static void update(const Run &run, const Step &step, int64_t start, int64_t end, bool keeps_before) {
    const auto as = [&](auto plain, auto penalised) {
        (run.is_weight ? penalised : plain)(run, step, start, end, keeps_before);
    };
    switch (run.optimizer) {
        case MOMENTUM: return as(update_as<MOMENTUM, false>, update_as<MOMENTUM, true>);
        case NESTEROV: return as(update_as<NESTEROV, false>, update_as<NESTEROV, true>);
        case ADAGRAD: return as(update_as<ADAGRAD, false>, update_as<ADAGRAD, true>);
        case RMSPROP: return as(update_as<RMSPROP, false>, update_as<RMSPROP, true>);
        case ADAM: return as(update_as<ADAM, false>, update_as<ADAM, true>);
        case ADAMW: return as(update_as<ADAMW, false>, update_as<ADAMW, true>);
        case FTRL: return as(update_as<FTRL, false>, update_as<FTRL, true>);
        default: return as(update_as<SGD, false>, update_as<SGD, true>);
    }
}

// Sum of the squares of a part of the gradient.
static double squares(const Run &run, int64_t start, int64_t end) {
    // In float32 first, in sums short enough to keep their digits; squares of very small or large numbers
    // do not fit there, and are taken again in double.
    constexpr int64_t BLOCK = 1024;
    double total = 0.0;
    for (int64_t block = start; block < end; block += BLOCK) {
        const int64_t stop = block + BLOCK < end ? block + BLOCK : end;
        V part[4] = {};
        int64_t i = block;
        for (; i + 4 * LANES <= stop; i += 4 * LANES)
            UNROLLED for (int j = 0; j < 4; ++j) {
                const V g = load(run.gradients + i + j * LANES);
                part[j] = fma(g, g, part[j]);
            }
        for (; i < stop; i += LANES) {
            const V g = load_some(run.gradients + i, stop - i);
            part[0] = fma(g, g, part[0]);
        }
        double square = wide_sum(widened((part[0] + part[1]) + (part[2] + part[3])));
        if (!(square > 1e-20 && square < 1e38)) {
            Squares wide;
            for (i = block; i < stop; i += LANES) wide.add(load_some(run.gradients + i, stop - i));
            square = wide.sum();
        }
        total += square;
    }
    return total;
}

static void scale_gradient(const Run &run, int64_t start, int64_t end, double factor) {
    for (int64_t i = start; i < end; ++i) run.gradients[i] *= (float)factor;
}

// By value, then each layer's norm, then the norm of all.
static void clip(const Run &run, int64_t end) {
    const float bound = (float)run.clip_value;
    if (bound > 0.0f)
        for (int64_t i = 0; i < end; ++i) {
            float &g = run.gradients[i];
            g = g > bound ? bound : (g < -bound ? -bound : g);
        }
    const auto bound_norm = [&](int64_t from, int64_t to, double largest) {
        const double size = sqrt(squares(run, from, to));
        if (!(size <= largest)) scale_gradient(run, from, to, largest / size);
    };
    if (run.clip_layer_norm > 0.0)
        for (int64_t l = 0; l < run.layers; ++l)
            bound_norm(run.layer[l].affine, run.layer[l].end, run.clip_layer_norm);
    if (run.clip_norm > 0.0) bound_norm(0, end, run.clip_norm);
}

// Scale the incoming weights of each unit down to the largest norm, a vector of units at a time.
static void bound_weights(const Run &run, const Layer &layer) {
    for (int64_t unit = 0; unit < layer.units; unit += LANES) {
        float *const column = run.parameters + layer.affine + unit;
        const int64_t width = layer.units - unit;
        Squares sizes;
        for (int64_t i = 0; i < layer.weights(); i += layer.units) sizes.add(load_some(column + i, width));
        V factor = all(1.0f);
        bool is_bounded = false;
        for (int lane = 0; lane < LANES; ++lane) {
            const double size = sqrt(sizes.total[lane]);
            if (!(size > run.max_norm)) continue;
            factor[lane] = (float)(run.max_norm / size);
            is_bounded = true;
        }
        if (!is_bounded) continue;
        for (int64_t i = 0; i < layer.weights(); i += layer.units)
            store_some(column + i, load_some(column + i, width) * factor, width);
    }
}

static void bound_all_weights(const Run &run) {
    if (run.max_norm > 0.0)
        for (int64_t l = 0; l < run.layers; ++l) bound_weights(run, run.layer[l]);
}

// Add what the probes read of an update: squares of the weights before it, and of what it changed.
static void probe_update(const Run &run) {
    for (int64_t l = 0; l < run.layers; ++l) {
        const int64_t start = run.layer[l].affine, end = start + run.layer[l].weights();
        Squares weight, change;
        for (int64_t i = start; i < end; i += LANES) {
            const V before = load_some(run.gradients + i, end - i);
            weight.add(before);
            change.add(load_some(run.parameters + i, end - i) - before);
        }
        run.layer_sums[2 * run.layers + l] += weight.sum();
        run.layer_sums[3 * run.layers + l] += change.sum();
    }
}
