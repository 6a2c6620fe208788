// One step of training: a batch, forward, the loss, backward, the update.
#pragma once

#include "network.h"

// Bring the rows of the step's batch in, turned so that a row becomes a lane.
static void gather(Run &run, Buffers &buffers) {
    const int64_t epoch = (run.step - 1) / run.steps_per_epoch;
    const int64_t first = (run.step - 1) % run.steps_per_epoch * run.batch;
    if (run.is_shuffled && epoch != run.order_epoch) {
        permutation(mixed(run.shuffle_key, epoch), run.rows, run.order, run.sorted);
        run.order_epoch = epoch;
    }
    const auto turn = [&](const float *table, int64_t columns, float *to) {
        const auto row_of = [&](int64_t row) {
            return table + (run.is_shuffled ? (int64_t)run.order[first + row] : first + row) * columns;
        };
        transpose(row_of, run.batch, columns, to, wide_rows(run));
    };
    turn(run.x, run.layer[0].inputs, buffers.trace[0].inputs);
    turn(run.targets, run.target_columns, buffers.targets);
    if (run.weight_columns) turn(run.weights, run.weight_columns, buffers.weights);
    if (!run.is_shuffled) return;
    // Rows in random order are slow to come: ask for those of the next step now.
    const int64_t next = first + run.batch, columns = run.layer[0].inputs;
    const int64_t last = next + run.batch < run.rows ? next + run.batch : run.rows;
    for (int64_t row = next; row < last; ++row) {
        const float *from = run.x + (int64_t)run.order[row] * columns;
        __builtin_prefetch(from);
        __builtin_prefetch(from + columns - 1);
        __builtin_prefetch(run.targets + (int64_t)run.order[row] * run.target_columns);
    }
}

// The mean loss of the batch; writes its gradient by the last pre-activations into `d`.
static double loss_and_gradient(const Run &run, Buffers &buffers) {
    const int64_t wide = wide_rows(run), outputs = run.layer[run.layers - 1].units;
    const bool is_softmax = run.loss == SOFTMAX_CROSS_ENTROPY;
    const float scale = (float)(run.slope_factor / (is_softmax ? run.batch : run.batch * outputs));
    double total = 0.0;
    for (int64_t row = 0; row < wide; row += LANES) {
        const I inside = lane_numbers() < (int32_t)(run.batch - row);
        Wide values = {};
        if (is_softmax) {
            const V weight = run.weight_columns ? load(buffers.weights + row) : all(1.0f);
            const V found =
                softmax_loss(buffers.z + row, buffers.d + row, wide, outputs, load(buffers.targets + row), weight);
            values = widened(inside ? found : V{});
        }
        for (int64_t o = 0; o < outputs; ++o) {
            const int64_t at = o * wide + row;
            V slope;
            if (is_softmax) {
                slope = load(buffers.d + at);
            } else {
                const Curve found = output_loss((Loss)run.loss, (Activation)run.output, load(buffers.z + at),
                                                load(buffers.targets + at));
                const V weight = run.weight_columns ? load(buffers.weights + at) : all(1.0f);
                values += counted((Loss)run.loss, inside ? found.value : V{}, weight);
                slope = found.slope * weight;
            }
            store(buffers.d + at, inside ? slope * scale : V{});
        }
        total += wide_sum(values);
    }
    return run.loss_factor * total / (is_softmax ? run.batch : run.batch * outputs);
}

// From the gradient by y of a batch-normalised layer to that by its products; fills gamma's and beta's.
static void normalise_backward(const Run &run, const Layer &layer, const Trace &t, float *d) {
    const int64_t rows = run.batch, wide = wide_rows(run);
    float *gammas = run.gradients + layer.gamma, *betas = gammas + layer.units;
    for (int64_t unit = 0; unit < layer.units; ++unit) {
        float *by_y = d + unit * wide;
        const float *seen = t.normalised + unit * wide;
        V by_beta = {}, by_gamma = {};
        for (int64_t row = 0; row < rows; row += LANES) {  // beyond the batch, d is 0
            by_beta += load(by_y + row);
            by_gamma = fma(load(by_y + row), load(seen + row), by_gamma);
        }
        betas[unit] = sum(by_beta);
        gammas[unit] = sum(by_gamma);
        const V mean = all(betas[unit] / rows), slope = all(gammas[unit] / rows);
        const V scale = all(run.parameters[layer.gamma + unit] * t.inverse[unit]);
        for (int64_t row = 0; row < rows; row += LANES) {
            const V found = (load(by_y + row) - fma(slope, load(seen + row), mean)) * scale;
            const I inside = lane_numbers() < (int32_t)(rows - row);
            store(by_y + row, inside ? found : V{});
        }
    }
}

// From the gradient by the values of a layer to that by its pre-activations.
static void activation_backward(const Run &run, const Layer &layer, const Trace &t, float *d) {
    const int64_t wide = wide_rows(run), size = layer.units * wide;
    if (layer.activation == PRELU)
        for (int64_t unit = 0; unit < layer.units; ++unit) {
            V total = {};
            for (int64_t row = 0; row < wide; row += LANES)
                total = fma(load(d + unit * wide + row), load(t.below_zero + unit * wide + row), total);
            run.gradients[layer.leaks + unit] = sum(total);
        }
    for (int64_t i = 0; i < size; i += LANES) store(d + i, load(d + i) * load(t.slopes + i));
}

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

// Fill a layer's gradients from `d`, the loss gradient by its products.
static void weight_gradient(const Run &run, const Layer &layer, const Trace &t, Buffers &buffers) {
    const int64_t wide = wide_rows(run), turned_row = padded(layer.units);
    transpose([&](int64_t unit) { return buffers.d + unit * wide; }, layer.units, run.batch, buffers.turned, turned_row);
    multiply({t.inputs, wide, 1, buffers.turned, turned_row, run.gradients + layer.affine, layer.units,
              layer.inputs + 1, run.batch, layer.units, nullptr},
             buffers.packed);
    if (layer.is_normalised)  // 0 but for rounding, of which Adam would make steps
        memset(run.gradients + layer.affine + layer.weights(), 0, sizeof(float) * layer.units);
}

// Fill all gradients; returns the sum of their squares.
static double backward(const Run &run, Buffers &buffers, bool is_probed) {
    const int64_t wide = wide_rows(run);
    double total = 0.0;
    for (int64_t l = run.layers - 1; l >= 0; --l) {
        const Layer &layer = run.layer[l];
        if (is_probed) {
            Squares deltas;
            for (int64_t i = 0; i < layer.units * wide; i += LANES) deltas.add(load(buffers.d + i));
            run.layer_sums[run.layers + l] += deltas.sum() / (double)(layer.units * run.batch);
        }
        if (layer.is_normalised) normalise_backward(run, layer, buffers.trace[l], buffers.d);
        weight_gradient(run, layer, buffers.trace[l], buffers);
        total += squares(run, layer.affine, layer.end);  // now, while they are near
        if (is_probed) run.layer_sums[l] += squares(run, layer.affine, layer.affine + layer.weights());
        if (l == 0) return total;
        multiply({run.parameters + layer.affine, layer.units, 1, buffers.d, wide, buffers.d_below, wide, layer.inputs,
                  layer.units, wide, nullptr},
                 buffers.packed);
        activation_backward(run, run.layer[l - 1], buffers.trace[l - 1], buffers.d_below);
        float *const other = buffers.d;
        buffers.d = buffers.d_below;
        buffers.d_below = other;
    }
    return total;
}

// What the probes read of the output layer's units.
static void probe_output(const Run &run, const Buffers &buffers) {
    if (run.output != SIGMOID && run.output != TANH) return;
    const int64_t wide = wide_rows(run), outputs = run.layer[run.layers - 1].units;
    int64_t units = 0;
    for (int64_t l = 0; l < run.layers; ++l) units += run.layer[l].units;
    double *const stuck = run.unit_sums + 3 * units - outputs;
    for (int64_t o = 0; o < outputs; ++o)
        for (int64_t row = 0; row < wide; row += LANES) {
            const V z = load(buffers.z + o * wide + row);
            const I found = run.output == SIGMOID ? saturated<SIGMOID>(z) : saturated<TANH>(z);
            stuck[o] += count(found & (I)(lane_numbers() < (int32_t)(run.batch - row)));
        }
}

// Take one step; false where a loss or a gradient was not finite.
static bool take_step(Run &run, Buffers &buffers, int64_t index) {
    ++run.step;
    const bool is_probed = run.step >= run.probed_from;
    const int64_t parameters = run.layer[run.layers - 1].end;
    gather(run, buffers);
    forward(run, buffers, true, is_probed);
    const double loss = run.losses[index] = loss_and_gradient(run, buffers);
    if (!isfinite(loss)) {
        run.trouble = BAD_LOSS;
        return false;
    }
    if (is_probed) probe_output(run, buffers);
    const double size = run.norms[index] = sqrt(backward(run, buffers, is_probed));
    if (!isfinite(size)) {
        run.trouble = BAD_GRADIENT;
        return false;
    }
    if (run.clip_value > 0.0 || run.clip_layer_norm > 0.0 || run.clip_norm > 0.0) clip(run, parameters);
    const Step step = step_of(run, run.rates ? run.rates[index] : run.learning_rate, corrections(run));
    update(run, step, 0, parameters, is_probed);
    bound_all_weights(run);
    if (is_probed) probe_update(run);
    return true;
}
