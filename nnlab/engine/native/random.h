// Random numbers as a pure function of a counter, word for word those of counter_random.py.
#pragma once

#include "simd.h"

// Fold one more part into a key (splitmix64's finalizer).
static inline uint64_t mixed(uint64_t state, uint64_t part) {
    uint64_t x = state + part * 0x9E3779B97F4A7C15u + 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

// The words of some counters: T is a vector of words, or one word.
template <class T> static inline T words(T counters, T high, T low) {
    T x = counters ^ high;
    x = ((x ^ (x >> 16)) * 0x7feb352du) ^ low;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    return x ^ (x >> 16);
}

// Order 0 .. count-1 by their words; equal words keep their order. A radix sort, a byte a pass.
// `order` and `scratch` hold `count` numbers each, in the low half, and their words in the high half.
static void permutation(uint64_t key, int64_t count, uint64_t *order, uint64_t *scratch) {
    const uint32_t high = (uint32_t)(key >> 32), low = (uint32_t)key;
    uint32_t counts[4][256] = {};
    for (int64_t i = 0; i < count; ++i) {
        const uint32_t word = words<uint32_t>((uint32_t)i, high, low);
        order[i] = (uint64_t)word << 32 | (uint64_t)i;
        for (int byte = 0; byte < 4; ++byte) ++counts[byte][word >> (8 * byte) & 255];
    }
    for (int byte = 0; byte < 4; ++byte) {
        uint32_t place = 0;
        for (auto &entry : counts[byte]) {
            const uint32_t size = entry;
            entry = place;
            place += size;
        }
        for (int64_t i = 0; i < count; ++i) scratch[counts[byte][order[i] >> (32 + 8 * byte) & 255]++] = order[i];
        uint64_t *const other = order;
        order = scratch;
        scratch = other;
    }
    for (int64_t i = 0; i < count; ++i) order[i] &= 0xffffffffu;
}
