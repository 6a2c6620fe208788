// One step of training: a batch, forward, the loss, backward, and each layer's update as soon as its gradient
// is known.
#pragma once

#include <math.h>

#include "network.h"

// Bring the rows of the step's batch in, turned so that a row becomes a lane.
static void gather(Run &run, Buffers &buffers) {
    const int64_t wide = wide_rows(run), epoch = (run.step - 1) / run.steps_per_epoch;
    const int64_t first = (run.step - 1) % run.steps_per_epoch * run.batch;
    if (run.is_shuffled && epoch != run.order_epoch) {
        permutation(mixed(run.shuffle_key, epoch), run.rows, run.order, run.order + run.rows);
        run.order_epoch = epoch;
    }
    const auto turn = [&](const float *table, int64_t columns, float *to) {
        const auto row_of = [&](int64_t row) {
            return table + (run.is_shuffled ? (int64_t)run.order[first + row] : first + row) * columns;
        };
        transpose(row_of, run.batch, columns, to, wide);
    };
    turn(run.x, run.layer[0].inputs, buffers.trace[0].inputs);
    turn(run.targets, run.target_columns, buffers.targets);
    if (run.weight_columns) turn(run.weights, run.weight_columns, buffers.weights);
}

// The mean loss of the batch; writes its gradient by the last pre-activations into `d`.
static double loss_and_gradient(const Run &run, Buffers &buffers) {
    const int64_t wide = wide_rows(run), outputs = run.layer[run.layers - 1].units;
    const bool is_softmax = run.loss == SOFTMAX_CROSS_ENTROPY;
    const float scale = (float)(run.slope_factor / (is_softmax ? run.batch : run.batch * outputs));
    double total = 0.0;
    for (int64_t row = 0; row < wide; row += LANES) {
        const I inside = lane_numbers() < (int32_t)(run.batch - row);
        V values = {};
        if (is_softmax) {
            const V weight = run.weight_columns ? load(buffers.weights + row) : all(1.0f);
            values = softmax_loss(buffers.z + row, buffers.d + row, wide, outputs, load(buffers.targets + row), weight);
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
                values = fma(found.value, weight, values);
                slope = found.slope * weight;
            }
            store(buffers.d + at, inside ? slope * scale : V{});
        }
        total += wide_sum(inside ? values : V{});
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

// From the gradient by the values of a layer to that by its pre-activations; returns the sum of its squares.
static double activation_backward(const Run &run, const Layer &layer, const Trace &t, float *d) {
    const int64_t wide = wide_rows(run);
    if (layer.activation == PRELU)
        for (int64_t unit = 0; unit < layer.units; ++unit) {
            V total = {};
            for (int64_t row = 0; row < wide; row += LANES)
                total = fma(load(d + unit * wide + row), load(t.below_zero + unit * wide + row), total);
            run.gradients[layer.leaks + unit] = sum(total);
        }
    Squares squares;
    const int64_t size = layer.units * wide;
    if (!run.is_probed) {
        for (int64_t i = 0; i < size; i += LANES) store(d + i, load(d + i) * load(t.slopes + i));
        return 0.0;
    }
    for (int64_t i = 0; i < size; i += LANES) {
        const V by_z = load(d + i) * load(t.slopes + i);
        store(d + i, by_z);
        squares.add(by_z);
    }
    return squares.sum();
}

// Numbers of one step that every layer's update shares.
struct Step {
    Rates rates;
    float l1, l2;  // learning rate times l1, and l2
    float clip;    // of the global norm
};

static Step step_of(const Run &run, double learning_rate) {
    double rate = learning_rate, eps = 0.0;
    const double steps = (double)run.step;
    if (run.optimizer == ADAM || run.optimizer == ADAMW) {
        const double second = sqrt((1.0 - 0.999) / (1.0 - pow(0.999, steps)));
        rate = learning_rate * (1.0 - 0.9) / (1.0 - pow(0.9, steps)) / second;
        eps = 1e-8 / second;
    }
    const bool is_ftrl = run.optimizer == FTRL;  // which has both penalties inside
    const Rates rates = {all((float)rate), all((float)run.momentum), all((float)eps),
                         all((float)(learning_rate * run.weight_decay)), all((float)run.l1),
                         all((float)(2.0 * run.l2))};
    return {rates, is_ftrl ? 0.0f : (float)(learning_rate * run.l1), is_ftrl ? 0.0f : (float)run.l2, 1.0f};
}

struct Sizes {
    Squares gradient, weight, update;
};

// Update `count` parameters from `start` on: clip, add l2, move, shrink by l1.
template <Optimizer KIND, bool PROBED>
static void update_as(const Run &run, const Step &step, float clip, int64_t start, int64_t count, bool is_weight,
                      Sizes &sizes) {
    const V bound = all(run.clip_value > 0.0 ? (float)run.clip_value : INFINITY), factor = all(clip);
    const bool is_clipped = run.clip_value > 0.0 || clip != 1.0f;
    const V l2 = all(is_weight ? step.l2 : 0.0f), l1 = all(is_weight ? step.l1 : 0.0f);
    constexpr bool has_first = KIND != SGD, has_second = KIND == ADAM || KIND == ADAMW || KIND == FTRL;
    for (int64_t i = 0; i < count; i += LANES) {
        const int64_t at = start + i, left = count - i;
        const bool is_whole = left >= LANES;
        const auto get = [&](const float *from) { return is_whole ? load(from + at) : load_first(from + at, left); };
        const auto put = [&](float *to, V values) {
            if (is_whole)
                store(to + at, values);
            else
                store_first(to + at, values, left);
        };
        V g = get(run.gradients);
        const V p = get(run.parameters);
        sizes.gradient.add(g);
        if (is_clipped) g = at_most(at_least(g, -bound), bound) * factor;
        if (step.l2 != 0.0f) g = fma(l2, p, g);
        V first = has_first ? get(run.first) : V{}, second = has_second ? get(run.second) : V{};
        V next = moved<KIND>(p, g, first, second, step.rates, is_weight);
        if (has_first) put(run.first, first);
        if (has_second) put(run.second, second);
        if (step.l1 != 0.0f) {
            const V pulled = next - sign(p) * l1;
            const I crosses = (next * pulled < 0.0f) | (get(run.pinned) != 0.0f);
            next = crosses ? V{} : pulled;
            put(run.pinned, crosses ? all(1.0f) : V{});
        }
        put(run.parameters, next);
        if (PROBED) {
            sizes.weight.add(p);
            sizes.update.add(next - p);
        }
    }
}

template <Optimizer KIND>
static void update_some(const Run &run, const Step &step, float clip, int64_t start, int64_t count, bool is_weight,
                        Sizes &sizes) {
    if (run.is_probed && is_weight) return update_as<KIND, true>(run, step, clip, start, count, is_weight, sizes);
    update_as<KIND, false>(run, step, clip, start, count, is_weight, sizes);
}

static void update(const Run &run, const Step &step, float clip, int64_t start, int64_t count, bool is_weight,
                   Sizes &sizes) {
    switch (run.optimizer) {
        case MOMENTUM: return update_some<MOMENTUM>(run, step, clip, start, count, is_weight, sizes);
        case NESTEROV: return update_some<NESTEROV>(run, step, clip, start, count, is_weight, sizes);
        case ADAGRAD: return update_some<ADAGRAD>(run, step, clip, start, count, is_weight, sizes);
        case RMSPROP: return update_some<RMSPROP>(run, step, clip, start, count, is_weight, sizes);
        case ADAM: return update_some<ADAM>(run, step, clip, start, count, is_weight, sizes);
        case ADAMW: return update_some<ADAMW>(run, step, clip, start, count, is_weight, sizes);
        case FTRL: return update_some<FTRL>(run, step, clip, start, count, is_weight, sizes);
        default: return update_some<SGD>(run, step, clip, start, count, is_weight, sizes);
    }
}

// Norm of a part of the gradient after clipping by value.
static double clipped_norm(const Run &run, int64_t start, int64_t end) {
    const V bound = all(run.clip_value > 0.0 ? (float)run.clip_value : INFINITY);
    Squares squares;
    for (int64_t i = start; i < end; i += LANES) {
        const V g = end - i >= LANES ? load(run.gradients + i) : load_first(run.gradients + i, end - i);
        squares.add(at_most(at_least(g, -bound), bound));
    }
    return sqrt(squares.sum());
}

static double layer_clip(const Run &run, double norm) {
    return run.clip_layer_norm > 0.0 && !(norm <= run.clip_layer_norm) ? run.clip_layer_norm / norm : 1.0;
}

static double global_clip(const Run &run) {
    double squares = 0.0;
    for (int64_t l = 0; l < run.layers; ++l) {
        const double norm = clipped_norm(run, run.layer[l].affine, run.layer[l].end);
        const double kept = norm * layer_clip(run, norm);
        squares += kept * kept;
    }
    const double norm = sqrt(squares);
    return !(norm <= run.clip_norm) ? run.clip_norm / norm : 1.0;
}

// Scale the incoming weights of each unit down to the largest norm.
static void bound_weights(const Run &run, const Layer &layer) {
    float *weight = run.parameters + layer.affine;
    for (int64_t unit = 0; unit < layer.units; ++unit) {
        double square = 0.0;
        for (int64_t i = unit; i < layer.weights(); i += layer.units) square += (double)weight[i] * weight[i];
        const double size = sqrt(square);
        if (!(size > run.max_norm)) continue;
        const float factor = (float)(run.max_norm / size);
        for (int64_t i = unit; i < layer.weights(); i += layer.units) weight[i] *= factor;
    }
}

// Update a layer; returns the sum of squares of its gradient before clipping.
static double update_layer(const Run &run, const Step &step, int64_t l) {
    const Layer &layer = run.layer[l];
    float clip = step.clip;
    if (run.clip_layer_norm > 0.0) clip *= (float)layer_clip(run, clipped_norm(run, layer.affine, layer.end));
    const int64_t biases = layer.affine + layer.weights();
    Sizes weights, others;
    update(run, step, clip, layer.affine, layer.weights(), true, weights);
    update(run, step, clip, biases, layer.end - biases, false, others);
    if (run.max_norm > 0.0) bound_weights(run, layer);
    const double square = weights.gradient.sum();
    if (run.is_probed) {
        run.layer_sums[l] += square;
        run.layer_sums[2 * run.layers + l] += weights.weight.sum();
        run.layer_sums[3 * run.layers + l] += weights.update.sum();
    }
    return square + others.gradient.sum();
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

// Fill all gradients and take the step; returns the gradient's norm before clipping.
static double backward_and_update(const Run &run, Buffers &buffers, Step step) {
    const int64_t wide = wide_rows(run);
    double squares = 0.0;
    for (int64_t l = run.layers - 1; l >= 0; --l) {
        const Layer &layer = run.layer[l];
        weight_gradient(run, layer, buffers.trace[l], buffers);
        if (l > 0) {
            const Layer &below = run.layer[l - 1];
            Trace &t = buffers.trace[l - 1];
            multiply({run.parameters + layer.affine, layer.units, 1, buffers.d, wide, buffers.d_below, wide,
                      layer.inputs, layer.units, wide, nullptr},
                     buffers.packed);
            const double size = activation_backward(run, below, t, buffers.d_below);
            if (run.is_probed) run.layer_sums[run.layers + l - 1] += size / (double)(below.units * run.batch);
            if (below.is_normalised) normalise_backward(run, below, t, buffers.d_below);
            float *const other = buffers.d;
            buffers.d = buffers.d_below;
            buffers.d_below = other;
        }
        if (run.clip_norm == 0.0) squares += update_layer(run, step, l);
    }
    if (run.clip_norm > 0.0) {
        step.clip = (float)global_clip(run);
        for (int64_t l = 0; l < run.layers; ++l) squares += update_layer(run, step, l);
    }
    return sqrt(squares);
}

// What the probes read of the output layer.
static void probe_output(const Run &run, const Buffers &buffers, bool reads_units) {
    const int64_t wide = wide_rows(run), l = run.layers - 1, outputs = run.layer[l].units;
    Squares squares;
    for (int64_t i = 0; i < outputs * wide; i += LANES) squares.add(load(buffers.d + i));
    run.layer_sums[run.layers + l] += squares.sum() / (double)(outputs * run.batch);
    if (!reads_units || (run.output != SIGMOID && run.output != TANH)) return;
    int64_t units = 0;
    for (int64_t below = 0; below < run.layers; ++below) units += run.layer[below].units;
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
    const bool reads_units = run.is_probed && run.step >= run.probed_from;
    gather(run, buffers);
    forward(run, buffers, true, reads_units);
    const double loss = run.losses[index] = loss_and_gradient(run, buffers);
    if (!isfinite(loss)) {
        run.trouble = BAD_LOSS;
        return false;
    }
    if (run.is_probed) probe_output(run, buffers, reads_units);
    const Step step = step_of(run, run.rates ? run.rates[index] : run.learning_rate);
    const double norm = run.norms[index] = backward_and_update(run, buffers, step);
    if (!isfinite(norm)) run.trouble = BAD_GRADIENT;
    return isfinite(norm);
}
