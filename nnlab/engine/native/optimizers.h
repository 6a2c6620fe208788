// Optimizers: how one parameter moves against its gradient; formulas and sources in optimizers.py.
#pragma once

#include "simd.h"

enum Optimizer { SGD, MOMENTUM, NESTEROV, ADAGRAD, RMSPROP, ADAM, ADAMW, FTRL };

// What a step needs besides the gradient. The engine computes all of it in double and rounds once.
struct Rates {
    V rate;      // what the direction is multiplied by
    V momentum;  // momentum, nesterov
    V eps;       // adam, adamw: eps over the bias correction of the root
    V decay;     // adamw: learning rate times weight decay
    V l1, l2;    // ftrl: l1, and twice l2
};

// Move p; `first` and `second` are the optimizer's state, where it has any; `is_weight` is 1 where penalties apply.
template <Optimizer KIND> static inline V moved(V p, V g, V &first, V &second, const Rates &rates, V is_weight) {
    if constexpr (KIND == SGD) return fma(-rates.rate, g, p);
    if constexpr (KIND == MOMENTUM) {
        first = fma(rates.momentum, first, g);
        return fma(-rates.rate, first, p);
    }
    if constexpr (KIND == NESTEROV) {
        first = fma(rates.momentum, first, g);
        return fma(-rates.rate, fma(rates.momentum, first, g), p);
    }
    if constexpr (KIND == ADAGRAD) {
        first = fma(g, g, first);
        return p - rates.rate * g / square_root(first);
    }
    if constexpr (KIND == RMSPROP) {
        first = fma(all(0.9f), first, 0.1f * g * g);
        return p - rates.rate * g / (square_root(first) + 1e-7f);
    }
    if constexpr (KIND == ADAM || KIND == ADAMW) {
        if (KIND == ADAMW) p = fma(-rates.decay * is_weight, p, p);
        first = fma(all(0.9f), first, g);
        second = fma(all(0.999f), second, g * g);
        return p - rates.rate * first / (square_root(second) + rates.eps);
    }
    if constexpr (KIND == FTRL) {
        const V before = square_root(first), squares = fma(g, g, first), root = square_root(squares);
        second = second + g - g * g / (root + before) * p / rates.rate;
        first = squares;
        const V l1 = rates.l1 * is_weight, twice_l2 = rates.l2 * is_weight;
        const V cut = at_most(at_least(second, -l1), l1);
        return (cut - second) / (root / rates.rate + twice_l2);
    }
    return p;
}
