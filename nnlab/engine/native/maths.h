// Elementary functions of vectors, within a few units in the last place, on the ranges that the core needs.
//
// Range reduction and coefficients of e^x, ln and tanh after S. Moshier's Cephes library, single precision.
#pragma once

#include "simd.h"

// e^x = 2^n (1 + p): the two parts of e^x for x <= 0, where p = e^r - 1 for |r| <= ln(2)/2.
struct Power {
    V scale, p;
};

static inline Power power(V x) {
    const V bounded = at_least(x, all(-87.0f));  // e^-87 is the last that a float holds in full
    const V rounder = all(12582912.0f);          // 1.5 * 2^23: adding it rounds to a whole number, in its low bits
    const V shifted = fma(bounded, all(1.44269504f), rounder);
    const V n = shifted - rounder;
    const V r = fma(n, all(2.12194440e-4f), fma(n, all(-0.693359375f), bounded));
    V q = fma(all(1.9875691500e-4f), r, all(1.3981999507e-3f));
    q = fma(q, r, all(8.3334519073e-3f));
    q = fma(q, r, all(4.1665795894e-2f));
    q = fma(q, r, all(1.6666665459e-1f));
    q = fma(q, r, all(5.0000001201e-1f));
    return {(V)(((I)shifted + 127) << 23), fma(q, r * r, r)};
}

// e^x for x <= 0.
static inline V exp_down(V x) {
    const Power found = power(x);
    return fma(found.scale, found.p, found.scale);
}

// e^x - 1 for x <= 0, without losing the digits of small x.
static inline V expm1_down(V x) {
    const Power found = power(x);
    return fma(found.scale, found.p, found.scale - 1.0f);
}

// 2 artanh(s) = ln((1 + s) / (1 - s)) for |s| <= 1/3.
static inline V twice_artanh(V s) {
    const V t = s * s;
    V q = fma(all(1.0f / 15.0f), t, all(1.0f / 13.0f));
    q = fma(q, t, all(1.0f / 11.0f));
    q = fma(q, t, all(1.0f / 9.0f));
    q = fma(q, t, all(1.0f / 7.0f));
    q = fma(q, t, all(1.0f / 5.0f));
    q = fma(q, t, all(1.0f / 3.0f));
    return 2.0f * fma(q * t, s, s);
}

// ln(1 + x) for 0 <= x <= 1.
static inline V log1p_up(V x) { return twice_artanh(x / (2.0f + x)); }

// ln(x) for x >= 1; NaN and infinity stay.
static inline V log_up(V x) {
    // x = 2^e m with m from sqrt(1/2) to sqrt(2)
    const I bits = (I)x - 0x3f3504f3, e = bits >> 23;
    const V m = (V)((bits & 0x007fffff) + 0x3f3504f3);
    const V whole = __builtin_convertvector(e, V);
    const V part = fma(whole, all(-2.12194440e-4f), twice_artanh((m - 1.0f) / (m + 1.0f)));
    return x <= 3.4028235e38f ? fma(whole, all(0.693359375f), part) : x;
}

// A quotient of two polynomials, after Eigen's, up to where tanh is 1 but for its last digits; from 9 on it is 1.
static inline V tanh_of(V x) {
    const V bounded = at_most(at_least(x, all(-7.90531110763549805f)), all(7.90531110763549805f)), t = bounded * bounded;
    V p = fma(all(-2.76076847742355e-16f), t, all(2.00018790482477e-13f));
    p = fma(p, t, all(-8.60467152213735e-11f));
    p = fma(p, t, all(5.12229709037114e-08f));
    p = fma(p, t, all(1.48572235717979e-05f));
    p = fma(p, t, all(6.37261928875436e-04f));
    p = fma(p, t, all(4.89352455891786e-03f));
    V q = fma(all(1.19825839466702e-06f), t, all(1.18534705686654e-04f));
    q = fma(q, t, all(2.26843463243900e-03f));
    q = fma(q, t, all(4.89352518554385e-03f));
    const V found = bounded * p / q;
    const V one = x < 0.0f ? all(-1.0f) : all(1.0f);
    return magnitude(x) < 4e-4f ? x : (magnitude(x) > 9.0f ? one : found);
}
