// The nine activations: the value f(z) and the slope f'(z) at once, so that the way back is one multiplication.
#pragma once

#include "maths.h"

enum Activation { LINEAR, SIGMOID, TANH, RELU, SOFTPLUS, LEAKY_RELU, PRELU, RELU6, ELU };

struct Curve {
    V value, slope;
};

static inline Curve sigmoid(V z) {
    const V fall = exp_down(-magnitude(z));
    const V value = (z < 0.0f ? fall : all(1.0f)) / (1.0f + fall);
    return {value, value * (1.0f - value)};
}

// `leak` is the slope of the negative side, where the activation has one.
template <Activation KIND> static inline Curve activate(V z, V leak) {
    const V zero = {}, one = all(1.0f);
    if constexpr (KIND == SIGMOID) return sigmoid(z);
    if constexpr (KIND == TANH) {
        const V value = tanh_of(z);
        return {value, 1.0f - value * value};
    }
    if constexpr (KIND == RELU) return {at_least(z, zero), z > 0.0f ? one : zero};
    if constexpr (KIND == RELU6)
        return {at_most(at_least(z, zero), all(6.0f)), (z > 0.0f) & (z < 6.0f) ? one : zero};
    if constexpr (KIND == SOFTPLUS) {
        const V fall = exp_down(-magnitude(z));
        const V slope = (z < 0.0f ? fall : one) / (1.0f + fall);
        return {at_least(z, zero) + log1p_up(fall), slope};
    }
    if constexpr (KIND == LEAKY_RELU || KIND == PRELU) return {z <= 0.0f ? leak * z : z, z <= 0.0f ? leak : one};
    if constexpr (KIND == ELU) {
        const V below = expm1_down(at_most(z, zero));
        return {z > 0.0f ? z : below, z > 0.0f ? one : below + 1.0f};
    }
    return {z, one};
}

// Where a unit is stuck: its slope is below 5 % of the largest. ReLU6 counts at its ceiling only.
template <Activation KIND> static inline I saturated(V z) {
    if constexpr (KIND == SIGMOID) return magnitude(z) > 4.36f;
    if constexpr (KIND == TANH) return magnitude(z) > 2.18f;
    if constexpr (KIND == RELU6) return z >= 6.0f;
    return I{};
}
