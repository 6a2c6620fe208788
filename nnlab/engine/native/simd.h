// Vectors of floats: the widest the instruction set has, and the few operations on them that the core needs.
//
// Arithmetic is written with the compiler's vector types, so one source serves SSE, AVX2, AVX-512 and NEON.
// Only what these types cannot say stands here per instruction set. Nothing is contracted or reordered by the
// compiler (-ffp-contract=off): a multiplication is fused with an addition exactly where fma() says so, which is
// what makes a network trained alone and as a member of a population agree to the last bit.
#pragma once

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(__AVX512F__)
constexpr int LANES = 16, TILE_ROWS = 12;
#elif defined(__AVX2__)
constexpr int LANES = 8, TILE_ROWS = 6;
#elif defined(__aarch64__)
constexpr int LANES = 4, TILE_ROWS = 12;
#else
constexpr int LANES = 4, TILE_ROWS = 6;
#endif
constexpr int HALF_LANES = LANES == 16 ? 8 : 4;

typedef float V __attribute__((vector_size(4 * LANES)));
typedef float H __attribute__((vector_size(4 * HALF_LANES)));  // for the narrow end of a row
typedef int32_t I __attribute__((vector_size(4 * LANES)));     // also what comparisons yield: -1 or 0
typedef uint32_t U __attribute__((vector_size(4 * LANES)));

template <class T> constexpr int lanes() { return sizeof(T) / sizeof(float); }
constexpr int64_t padded(int64_t count) { return (count + LANES - 1) / LANES * LANES; }

template <class T = V> static inline T load(const float *from) {
    T found;
    memcpy(&found, from, sizeof found);
    return found;
}

template <class T> static inline void store(float *to, T values) { memcpy(to, &values, sizeof values); }

// One value in all lanes: a number minus nothing is itself, also -0, and compilers make one broadcast of it.
template <class T = V> static inline T all(float value) { return value - T{}; }
static inline U all_words(uint32_t value) { return value - U{}; }

static inline I lane_numbers() {
    I found;
    for (int lane = 0; lane < LANES; ++lane) found[lane] = lane;
    return found;
}

// The first `count` lanes, for the end of a row; other lanes are 0, and their memory is not touched.
template <class T = V> static inline T load_first(const float *from, int64_t count) {
    T found = {};
    memcpy(&found, from, count * sizeof(float));
    return found;
}

template <class T> static inline void store_first(float *to, T values, int64_t count) {
    memcpy(to, &values, count * sizeof(float));
}

#if defined(__AVX512F__)
template <> inline V load_first<V>(const float *from, int64_t count) {
    return (V)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), from);
}
template <> inline void store_first<V>(float *to, V values, int64_t count) {
    _mm512_mask_storeu_ps(to, (__mmask16)((1u << count) - 1), (__m512)values);
}
template <> inline void store_first<H>(float *to, H values, int64_t count) {
    _mm256_mask_storeu_ps(to, (__mmask8)((1u << count) - 1), (__m256)values);
}
#endif

// As many lanes as there are, at most all.
static inline V load_some(const float *from, int64_t count) {
    return count >= LANES ? load(from) : load_first(from, count);
}
static inline void store_some(float *to, V values, int64_t count) {
    if (count >= LANES)
        store(to, values);
    else
        store_first(to, values, count);
}

// a * b + c, rounded once where the machine can.
static inline V fma(V a, V b, V c) {
#if defined(__AVX512F__)
    return (V)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
    return (V)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__aarch64__)
    return (V)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    return a * b + c;
#endif
}
#if defined(__AVX512F__)
static inline H fma(H a, H b, H c) { return (H)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
#elif defined(__AVX2__)
static inline H fma(H a, H b, H c) { return (H)_mm_fmadd_ps((__m128)a, (__m128)b, (__m128)c); }
#endif

static inline V square_root(V x) {
#if defined(__AVX512F__)
    return (V)_mm512_sqrt_ps((__m512)x);
#elif defined(__AVX2__)
    return (V)_mm256_sqrt_ps((__m256)x);
#elif defined(__aarch64__)
    return (V)vsqrtq_f32((float32x4_t)x);
#else
    return (V)_mm_sqrt_ps((__m128)x);
#endif
}

// NaN in x stays NaN in all three: a comparison with it is false, and the last choice is x itself.
static inline V at_most(V x, V bound) { return x > bound ? bound : x; }
static inline V at_least(V x, V bound) { return x < bound ? bound : x; }
static inline V magnitude(V x) { return (V)((I)x & 0x7fffffff); }
static inline V sign(V x) { return x > 0.0f ? all(1.0f) : (x < 0.0f ? all(-1.0f) : x); }

// Sum of the lanes, always in the same order: halves are added until one is left.
static inline float sum(V x) {
#if defined(__AVX512F__)
    return _mm512_reduce_add_ps((__m512)x);
#else
    float part[LANES];
    store(part, x);
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int lane = 0; lane < width; ++lane) part[lane] += part[lane + width];
    return part[0];
#endif
}

// The lanes of a vector in double.
struct Wide {
    typedef double D __attribute__((vector_size(8 * HALF_LANES)));
    static constexpr int PARTS = LANES / HALF_LANES;
    D part[PARTS];

    Wide &operator+=(const Wide &other) {
        for (int i = 0; i < PARTS; ++i) part[i] += other.part[i];
        return *this;
    }
    Wide &operator*=(const Wide &other) {
        for (int i = 0; i < PARTS; ++i) part[i] *= other.part[i];
        return *this;
    }
    double operator[](int lane) const { return part[lane / HALF_LANES][lane % HALF_LANES]; }
};

static inline Wide widened(V x) {
    H half[Wide::PARTS];
    memcpy(half, &x, sizeof half);
    Wide found;
    for (int i = 0; i < Wide::PARTS; ++i) found.part[i] = __builtin_convertvector(half[i], Wide::D);
    return found;
}

// Sum of the lanes, in the order of sum().
static inline double wide_sum(const Wide &x) {
    Wide::D total = x.part[0];
    if (Wide::PARTS > 1) total += x.part[Wide::PARTS - 1];
#if defined(__AVX512F__)
    return _mm512_reduce_add_pd((__m512d)total);
#else
    double part[HALF_LANES];
    memcpy(part, &total, sizeof part);
    for (int width = HALF_LANES / 2; width > 0; width /= 2)
        for (int lane = 0; lane < width; ++lane) part[lane] += part[lane + width];
    return part[0];
#endif
}

// How many lanes of a comparison hold.
static inline int count(I mask) {
#if defined(__AVX512DQ__)
    return __builtin_popcount(_mm512_movepi32_mask((__m512i)mask));
#elif defined(__AVX2__)
    return __builtin_popcount(_mm256_movemask_ps((__m256)mask));
#elif defined(__x86_64__)
    return __builtin_popcount(_mm_movemask_ps((__m128)mask));
#else
    return -(mask[0] + mask[1] + mask[2] + mask[3]);
#endif
}
