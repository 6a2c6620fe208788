// Passes over many rows without dropout, and what the hidden units do in them.
#pragma once

#include "network.h"

// What is added up of each hidden unit. Shapes: (hidden units,) each, layer by layer.
struct Activity {
    double *positive, *totals, *squares;  // rows with z > 0, activations, their squares where units cannot die
};

// f(0), on whose far side the outputs of positive z lie.
static float value_at_zero(int64_t activation) {
    return activation == SIGMOID ? 0.5f : activation == SOFTPLUS ? 0.69314718f : 0.0f;
}

// Add a unit's values of one block. `below_zero` is PReLU's, whose outputs may be positive on both sides.
template <bool DIES>
static void add_unit(const float *values, const float *below_zero, float bound, int64_t rows, const Activity &sums) {
    V total = {};
    Wide wide_total = {};
    Squares squares;
    int64_t silent = 0;
    for (int64_t row = 0; row < rows; row += LANES) {
        const I inside = rows - row >= LANES ? ~I{} : (I)(lane_numbers() < (int32_t)(rows - row));
        const V seen = inside ? load(values + row) : V{};
        I is_silent = seen <= bound;
        if (below_zero) is_silent |= load(below_zero + row) < 0.0f;
        silent += count(is_silent & inside);
        if constexpr (DIES) {
            total += seen;
        } else {  // the variance of a unit that hardly varies is lost in float32
            wide_total += widened(seen);
            squares.add(seen);
        }
    }
    *sums.positive += rows - silent;
    *sums.totals += DIES ? wide_sum(widened(total)) : wide_sum(wide_total);
    *sums.squares += squares.sum();
}

// Add the values of all hidden units in one block.
static void add_block(const Run &run, const Buffers &buffers, Activity sums) {
    const int64_t wide = wide_rows(run);
    for (int64_t l = 0; l + 1 < run.layers; ++l) {
        const Layer &layer = run.layer[l];
        const bool dies = layer.activation == RELU || layer.activation == RELU6;
        const float bound = value_at_zero(layer.activation);
        for (int64_t unit = 0; unit < layer.units; ++unit) {
            const float *values = buffers.trace[l + 1].inputs + unit * wide;
            const float *below = layer.activation == PRELU ? buffers.trace[l].below_zero + unit * wide : nullptr;
            if (dies)
                add_unit<true>(values, nullptr, bound, run.batch, sums);
            else
                add_unit<false>(values, below, bound, run.batch, sums);
            ++sums.positive, ++sums.totals, ++sums.squares;
        }
    }
}

// Keep the last hidden layer's values of the first `kept` rows. Shapes: outputs (units, kept).
static void keep_outputs(const Run &run, const Buffers &buffers, int64_t first, float *outputs, int64_t kept) {
    const int64_t rows = kept - first < run.batch ? kept - first : run.batch;
    const Layer &last = run.layer[run.layers - 1];
    for (int64_t unit = 0; rows > 0 && unit < last.inputs; ++unit)
        memcpy(outputs + unit * kept + first, buffers.trace[run.layers - 1].inputs + unit * wide_rows(run),
               sizeof(float) * rows);
}
