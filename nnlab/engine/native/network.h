// Passes over a batch. Arrays are feature-major, (units, rows), as in network.py; a row is padded to whole vectors.
#pragma once

#include <math.h>

#include "products.h"
#include "random.h"
#include "run.h"

// Sum of squares in double: those of float32 numbers never over- or underflow there.
struct Squares {
    Wide total = {};

    void add(V values) {
        const Wide wide = widened(values);
        Wide square = wide;
        total += square *= wide;
    }
    double sum() const { return wide_sum(total); }
};

// What one layer keeps of a pass. Shapes: (units, wide rows), but `inputs` (inputs + 1, wide rows).
struct Trace {
    float *inputs;      // ones in the last row, which meet the bias
    float *slopes;      // z, then f'(z) with the dropout mask
    float *normalised;  // batch norm: (z - mean) / deviation
    float *inverse;     // batch norm: (units,) 1 / deviation
    float *below_zero;  // prelu: min(z, 0) with the mask
};

struct Buffers {
    static constexpr int64_t MAX_LAYERS = 65;
    Trace trace[MAX_LAYERS];
    float *z, *targets, *weights;  // of the output layer: (outputs, wide rows)
    float *d, *d_below, *turned, *packed;

    // Lay the buffers out from `at`; returns the end. Nothing is touched, so a null start measures.
    float *lay_out(const Run &run, float *at) {
        const int64_t rows = wide_rows(run);
        int64_t widest = 0;
        const auto take = [&](int64_t floats) {
            float *const start = at;
            at += padded(floats);
            return start;
        };
        for (int64_t l = 0; l < run.layers; ++l) {
            const Layer &layer = run.layer[l];
            Trace &t = trace[l];
            t = {take((layer.inputs + 1) * rows), nullptr, nullptr, nullptr, nullptr};
            if (layer.units > widest) widest = layer.units;
            if (layer.inputs > widest) widest = layer.inputs;
            if (l + 1 == run.layers) break;
            t.slopes = take(layer.units * rows);
            if (layer.is_normalised) t.normalised = take(layer.units * rows), t.inverse = take(layer.units);
            if (layer.activation == PRELU) t.below_zero = take(layer.units * rows);
        }
        const int64_t outputs = run.layer[run.layers - 1].units;
        z = take(outputs * rows);
        targets = take(run.target_columns * rows);
        weights = take(run.weight_columns * rows);
        d = take(widest * rows);
        d_below = take(widest * rows);
        turned = take(run.batch * padded(widest));
        packed = take(PACK_FLOATS);
        return at;
    }
};

// Mean and 1 / deviation of each unit over the batch, and the running ones that follow them.
static void normalise(const Run &run, const Layer &layer, Trace &t, bool is_training) {
    const int64_t rows = run.batch, wide = wide_rows(run);
    const float *gamma = run.parameters + layer.gamma, *beta = gamma + layer.units;
    float *means = run.running + layer.running, *variances = means + layer.units;
    for (int64_t unit = 0; unit < layer.units; ++unit) {
        float *z = t.slopes + unit * wide, *out = t.normalised + unit * wide;
        float mean = means[unit], variance = variances[unit];
        if (is_training) {
            V total = {};
            int64_t row = 0;
            for (; row + LANES <= rows; row += LANES) total += load(z + row);
            if (row < rows) total += load_first(z + row, rows - row);
            mean = sum(total) / rows;
            V squares = {};
            for (row = 0; row + LANES <= rows; row += LANES) {
                const V off = load(z + row) - mean;
                squares = fma(off, off, squares);
            }
            if (row < rows) {
                const V off = lane_numbers() < (int32_t)(rows - row) ? load(z + row) - mean : V{};
                squares = fma(off, off, squares);
            }
            variance = sum(squares) / rows;
            means[unit] = 0.9f * means[unit] + 0.1f * mean;
            variances[unit] = 0.9f * variances[unit] + 0.1f * variance;
        }
        const float inverse = 1.0f / sqrtf(variance + 1e-5f);
        t.inverse[unit] = inverse;
        for (int64_t row = 0; row < wide; row += LANES) {
            const V found = (load(z + row) - mean) * inverse;
            store(out + row, found);
            store(z + row, fma(all(gamma[unit]), found, all(beta[unit])));
        }
    }
}

// Reads the activations of a unit for the probes.
struct UnitProbe {
    V total = {};
    Squares squares;
    int64_t active = 0, zeros = 0, stuck = 0;

    void read(V value, I is_stuck, int64_t rows) {
        const I inside = rows >= LANES ? ~I{} : (I)(lane_numbers() < (int32_t)rows);
        const V seen = inside ? value : V{};
        total += seen;
        squares.add(seen);
        active += count((I)(value > 0.0f) & inside);
        zeros += count((I)(value == 0.0f) & inside);
        stuck += count(is_stuck & inside);
    }
};

struct ProbeSums {
    double *totals, *active, *stuck, *squares, *zeros;  // of the layer: (units,) three times, then one number
};

// Turn z into values, the next layer's inputs, and slopes.
template <Activation KIND, bool DROPS, bool PROBED>
static void activate_layer(const Run &run, const Layer &layer, Trace &t, float *values, const ProbeSums &sums) {
    const int64_t wide = wide_rows(run);
    const uint64_t key = DROPS ? mixed(layer.dropout_key, run.step) : 0;
    const U high = all_words((uint32_t)(key >> 32)), low = all_words((uint32_t)key);
    const U threshold = all_words((uint32_t)layer.threshold);
    const V scale = all((float)layer.keep_scale);
    for (int64_t unit = 0; unit < layer.units; ++unit) {
        float *slopes = t.slopes + unit * wide;
        const V leak = all(KIND == PRELU ? run.parameters[layer.leaks + unit] : 0.01f);
        UnitProbe probe;
        for (int64_t row = 0; row < wide; row += LANES) {
            const V z = load(slopes + row);
            Curve found = activate<KIND>(z, leak);
            if constexpr (PROBED) probe.read(found.value, saturated<KIND>(z), run.batch - row);
            V below_zero = KIND == PRELU ? at_most(z, V{}) : V{};
            if constexpr (DROPS) {
                const U counters = (U)lane_numbers() + (uint32_t)(unit * run.batch + row);
                const V kept = (I)(words(counters, high, low) >= threshold) ? scale : V{};
                found.value *= kept;
                found.slope *= kept;
                below_zero *= kept;
            }
            store(values + unit * wide + row, found.value);
            store(slopes + row, found.slope);
            if constexpr (KIND == PRELU) store(t.below_zero + unit * wide + row, below_zero);
        }
        if constexpr (PROBED) {
            sums.totals[unit] += wide_sum(widened(probe.total));
            sums.active[unit] += probe.active;
            sums.stuck[unit] += probe.stuck;
            *sums.squares += probe.squares.sum();
            *sums.zeros += probe.zeros;
        }
    }
}

template <Activation KIND>
static void activate_as(const Run &run, const Layer &layer, Trace &t, float *values, const ProbeSums *sums, bool drops) {
    if (drops && sums) return activate_layer<KIND, true, true>(run, layer, t, values, *sums);
    if (drops) return activate_layer<KIND, true, false>(run, layer, t, values, {});
    if (sums) return activate_layer<KIND, false, true>(run, layer, t, values, *sums);
    activate_layer<KIND, false, false>(run, layer, t, values, {});
}

static void activate(const Run &run, const Layer &layer, Trace &t, float *values, const ProbeSums *sums, bool drops) {
    switch (layer.activation) {
        case SIGMOID: return activate_as<SIGMOID>(run, layer, t, values, sums, drops);
        case TANH: return activate_as<TANH>(run, layer, t, values, sums, drops);
        case RELU: return activate_as<RELU>(run, layer, t, values, sums, drops);
        case SOFTPLUS: return activate_as<SOFTPLUS>(run, layer, t, values, sums, drops);
        case LEAKY_RELU: return activate_as<LEAKY_RELU>(run, layer, t, values, sums, drops);
        case PRELU: return activate_as<PRELU>(run, layer, t, values, sums, drops);
        case RELU6: return activate_as<RELU6>(run, layer, t, values, sums, drops);
        case ELU: return activate_as<ELU>(run, layer, t, values, sums, drops);
        default: return activate_as<LINEAR>(run, layer, t, values, sums, drops);
    }
}

// From the inputs of the first layer to the last pre-activations.
static void forward(const Run &run, Buffers &buffers, bool is_training, bool is_probed) {
    const int64_t wide = wide_rows(run);
    int64_t all_units = 0;
    for (int64_t l = 0; l < run.layers; ++l) all_units += run.layer[l].units;
    int64_t first_unit = 0;
    for (int64_t l = 0; l < run.layers; ++l) {
        const Layer &layer = run.layer[l];
        Trace &t = buffers.trace[l];
        const bool is_last = l + 1 == run.layers;
        const float *weight = run.parameters + layer.affine;
        float *z = is_last ? buffers.z : t.slopes;
        multiply({weight, 1, layer.units, t.inputs, wide, z, wide, layer.units, layer.inputs, wide,
                  weight + layer.weights()},
                 buffers.packed);
        if (is_last) return;
        if (layer.is_normalised) normalise(run, layer, t, is_training);
        double *units = run.unit_sums + first_unit, *hidden = run.hidden_sums + l;
        const ProbeSums sums = {units, units + all_units, units + 2 * all_units, hidden, hidden + run.layers - 1};
        activate(run, layer, t, buffers.trace[l + 1].inputs, is_probed ? &sums : nullptr,
                 is_training && layer.drops);
        first_unit += layer.units;
    }
}
