// A batch of every member, and its way forward: steps.h's gather() and network.h's forward(), lane by lane.
#pragma once

#include "members.h"

static inline V gathered(const float *from, U places) {
#if defined(__AVX512F__)
    return (V)_mm512_i32gather_ps((__m512i)places, from, 4);
#elif defined(__AVX2__)
    return (V)_mm256_i32gather_ps(from, (__m256i)places, 4);
#else
    V found;
    for (int lane = 0; lane < LANES; ++lane) found[lane] = from[places[lane]];
    return found;
#endif
}

static void draw_orders(Members &members, int64_t epoch) {
    for (int lane = 0; lane < members.count; ++lane) {
        Run &run = *members.runs[lane];
        if (run.order_epoch != epoch) permutation(mixed(run.shuffle_key, epoch), run.rows, run.order, run.sorted);
        run.order_epoch = epoch;
    }
    for (int64_t row = 0; row < members.shared.rows; ++row) {
        U found;
        for (int lane = 0; lane < LANES; ++lane) found[lane] = members.runs[lane]->order[row];
        members.rows[row] = found;
    }
}

static void gather(Members &members) {
    const Run &run = members.shared;
    const int64_t first = (run.step - 1) % run.steps_per_epoch * run.batch, columns = run.layer[0].inputs;
    for (int64_t row = 0; row < run.batch; ++row) {
        const U place = run.is_shuffled ? members.rows[first + row] : all_words((uint32_t)(first + row));
        for (int64_t i = 0; i < columns; ++i)
            members.trace[0].inputs[i * run.batch + row] = gathered(run.x + i, place * (uint32_t)columns);
        for (int64_t i = 0; i < run.target_columns; ++i)
            members.targets[i * run.batch + row] = gathered(run.targets + i, place * (uint32_t)run.target_columns);
    }
}

// to[row] = start + sum over k of factors[k * step] * from[k][row].
static inline void weighted_sum(V *to, V start, const Parameters *factors, int64_t step, const V *from, int64_t depth,
                                int64_t rows) {
    for (int64_t row = 0; row < rows; row += SAMPLES) {
        const int64_t left = rows - row < SAMPLES ? rows - row : SAMPLES;
        if (left < SAMPLES) {
            for (int64_t j = row; j < rows; ++j) {
                V total = start;
                for (int64_t k = 0; k < depth; ++k) total = fma(factors[k * step].value, from[k * rows + j], total);
                to[j] = total;
            }
            return;
        }
        V total[SAMPLES];
        UNROLLED for (int j = 0; j < SAMPLES; ++j) total[j] = start;
        for (int64_t k = 0; k < depth; ++k) {
            const V factor = factors[k * step].value;
            UNROLLED for (int j = 0; j < SAMPLES; ++j) total[j] = fma(factor, from[k * rows + row + j], total[j]);
        }
        UNROLLED for (int j = 0; j < SAMPLES; ++j) to[row + j] = total[j];
    }
}

struct MemberDropout {
    U high, low, threshold;
    V scale;
};

static MemberDropout dropout(const Members &members, int64_t l) {
    MemberDropout found;
    for (int lane = 0; lane < LANES; ++lane) {
        const Layer &layer = members.runs[lane]->layer[l];
        const uint64_t key = mixed(layer.dropout_key, members.shared.step);
        found.high[lane] = (uint32_t)(key >> 32), found.low[lane] = (uint32_t)key;
        found.threshold[lane] = (uint32_t)layer.threshold;
        found.scale[lane] = (float)layer.keep_scale;
    }
    return found;
}

template <Activation KIND> static void activate_members(Members &members, int64_t l, V *values) {
    const Run &run = members.shared;
    const Layer &layer = run.layer[l];
    V *const slopes = members.trace[l].slopes;
    const MemberDropout drops = layer.drops ? dropout(members, l) : MemberDropout{};
    for (int64_t i = 0; i < layer.units * run.batch; ++i) {
        Curve found = activate<KIND>(slopes[i], all(0.01f));
        if (layer.drops) {
            const V kept = (I)(words(all_words((uint32_t)i), drops.high, drops.low) >= drops.threshold) ? drops.scale : V{};
            found.value *= kept;
            found.slope *= kept;
        }
        values[i] = found.value;
        slopes[i] = found.slope;
    }
}

static void activate(Members &members, int64_t l, V *values) {
    switch (members.shared.layer[l].activation) {
        case SIGMOID: return activate_members<SIGMOID>(members, l, values);
        case TANH: return activate_members<TANH>(members, l, values);
        case RELU: return activate_members<RELU>(members, l, values);
        case SOFTPLUS: return activate_members<SOFTPLUS>(members, l, values);
        case LEAKY_RELU: return activate_members<LEAKY_RELU>(members, l, values);
        case RELU6: return activate_members<RELU6>(members, l, values);
        case ELU: return activate_members<ELU>(members, l, values);
        default: return activate_members<LINEAR>(members, l, values);
    }
}

static void forward(Members &members) {
    const Run &run = members.shared;
    for (int64_t l = 0; l < run.layers; ++l) {
        const Layer &layer = run.layer[l];
        const bool is_last = l + 1 == run.layers;
        V *z = is_last ? members.z : members.trace[l].slopes;
        const Parameters *weight = members.parameters + layer.affine, *bias = weight + layer.weights();
        for (int64_t unit = 0; unit < layer.units; ++unit)
            weighted_sum(z + unit * run.batch, bias[unit].value, weight + unit, layer.units, members.trace[l].inputs,
                         layer.inputs, run.batch);
        if (!is_last) activate(members, l, members.trace[l + 1].inputs);
    }
}
