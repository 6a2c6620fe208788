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

// Order 0 .. count-1 by their words; equal words keep their order. `scratch` holds twice `count` numbers.
//
// Two passes of a radix sort order all but a few by their highest bits; insertion puts those right.
static void permutation(uint64_t key, int64_t count, uint32_t *order, uint64_t *scratch) {
    const uint32_t high = (uint32_t)(key >> 32), low = (uint32_t)key;
    const int bits = count < 2048 ? 8 : 11, mask = (1 << bits) - 1, upper = 64 - bits, lower = upper - bits;
    uint32_t lower_counts[2048], upper_counts[2048];
    memset(lower_counts, 0, sizeof(uint32_t) << bits);
    memset(upper_counts, 0, sizeof(uint32_t) << bits);
    uint64_t *const tagged = scratch, *const passed = scratch + count;
    for (int64_t i = 0; i < count; ++i)
        tagged[i] = (uint64_t)words<uint32_t>((uint32_t)i, high, low) << 32 | (uint64_t)i;
    for (int64_t i = 0; i < count; ++i) {
        ++lower_counts[tagged[i] >> lower & mask];
        ++upper_counts[tagged[i] >> upper];
    }
    uint32_t lower_place = 0, upper_place = 0;
    for (int digit = 0; digit <= mask; ++digit) {
        const uint32_t lower_size = lower_counts[digit], upper_size = upper_counts[digit];
        lower_counts[digit] = lower_place, upper_counts[digit] = upper_place;
        lower_place += lower_size, upper_place += upper_size;
    }
    for (int64_t i = 0; i < count; ++i) passed[lower_counts[tagged[i] >> lower & mask]++] = tagged[i];
    for (int64_t i = 0; i < count; ++i) tagged[upper_counts[passed[i] >> upper]++] = passed[i];
    for (int64_t i = 1; i < count; ++i) {
        const uint64_t value = tagged[i];
        if (tagged[i - 1] < value) continue;
        int64_t place = i;
        for (; place > 0 && tagged[place - 1] > value; --place) tagged[place] = tagged[place - 1];
        tagged[place] = value;
    }
    for (int64_t i = 0; i < count; ++i) order[i] = (uint32_t)tagged[i];
}
