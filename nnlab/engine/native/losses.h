// Losses of the last pre-activations of some rows, a row a lane, and their slopes.
//
// Every loss is the mean over rows and outputs (softmax: over rows) of `value`; its gradient by z is `slope`
// times `scale`, which holds the mean's denominator and what belongs to the loss.
#pragma once

#include "activations.h"

enum Loss { SQUARED, ABSOLUTE, HUBER, BINARY_CROSS_ENTROPY, SOFTMAX_CROSS_ENTROPY };

// One output's loss; `output` is LINEAR, TANH or SIGMOID where errors are judged. Of a squared error the value is
// the error itself, for its square may not fit into a float: see counted().
static inline Curve output_loss(Loss loss, Activation output, V z, V target) {
    if (loss == BINARY_CROSS_ENTROPY) {
        const V fall = exp_down(-magnitude(z));
        const V value = at_least(z, V{}) - z * target + log1p_up(fall);
        return {value, (z < 0.0f ? fall : all(1.0f)) / (1.0f + fall) - target};
    }
    const Curve found = output == TANH      ? activate<TANH>(z, V{})
                        : output == SIGMOID ? activate<SIGMOID>(z, V{})
                                            : Curve{z, all(1.0f)};
    const V error = found.value - target;
    if (loss == SQUARED) return {error, error * found.slope};
    if (loss == ABSOLUTE) return {magnitude(error), sign(error) * found.slope};
    const V cut = at_most(at_least(error, all(-1.0f)), all(1.0f));
    return {cut * (error - 0.5f * cut), cut * found.slope};
}

// What the values add to the loss.
static inline Wide counted(Loss loss, V value, V weight) {
    Wide found = widened(value);
    if (loss == SQUARED) found *= Wide(found);
    return found *= widened(weight);
}

// Softmax cross-entropy of rows whose logits lie `step` apart, output by output. Writes the slopes; returns
// the values. `label` holds the numbers of the classes.
static inline V softmax_loss(const float *z, float *slopes, int64_t step, int64_t outputs, V label, V weight) {
    V largest = load(z), sums = {}, chosen = {};
    for (int64_t o = 1; o < outputs; ++o) {
        const V next = load(z + o * step);
        largest = next <= largest ? largest : next;  // NaN wins
    }
    for (int64_t o = 0; o < outputs; ++o) {
        const V shifted = load(z + o * step) - largest, power = exp_down(shifted);
        chosen = label == (float)o ? shifted : chosen;
        store(slopes + o * step, power);
        sums += power;
    }
    const V share = 1.0f / sums;
    for (int64_t o = 0; o < outputs; ++o) {
        const V slope = load(slopes + o * step) * share - (label == (float)o ? all(1.0f) : V{});
        store(slopes + o * step, slope * weight);
    }
    return (log_up(sums) - chosen) * weight;
}
