// One step of training: a batch, forward, the loss, backward, the update.
#pragma once

#include "updates.h"

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
