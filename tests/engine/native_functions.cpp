// What the core computes inside, for tests: its elementary functions and its random numbers.
#include "nnlab/engine/native/activations.h"
#include "nnlab/engine/native/random.h"

template <class Function> static void map(Function f, const float *from, float *to, int64_t count) {
    for (int64_t i = 0; i < count; i += LANES) store_some(to + i, f(load_some(from + i, count - i)), count - i);
}

extern "C" void apply(int which, const float *x, float *y, int64_t count) {
    switch (which) {
        case 0: return map(exp_down, x, y, count);
        case 1: return map(expm1_down, x, y, count);
        case 2: return map(log1p_up, x, y, count);
        case 3: return map(log_up, x, y, count);
        case 4: return map(tanh_of, x, y, count);
        case 5: return map([](V z) { return activate<SIGMOID>(z, V{}).value; }, x, y, count);
        case 6: return map([](V z) { return activate<SOFTPLUS>(z, V{}).value; }, x, y, count);
        case 7: return map([](V z) { return activate<ELU>(z, V{}).value; }, x, y, count);
        case 8: return map([](V z) { return activate<SOFTPLUS>(z, V{}).slope; }, x, y, count);
        default: return map(square_root, x, y, count);
    }
}

extern "C" uint64_t mix(uint64_t state, uint64_t part) { return mixed(state, part); }

extern "C" void draw(uint64_t key, uint32_t *to, int64_t count) {
    const U high = all_words((uint32_t)(key >> 32)), low = all_words((uint32_t)key);
    for (int64_t i = 0; i < count; i += LANES) {
        const U found = words((U)lane_numbers() + (uint32_t)i, high, low);
        for (int64_t lane = 0; lane < LANES && i + lane < count; ++lane) to[i + lane] = found[lane];
    }
}

extern "C" void order(uint64_t key, int64_t count, uint32_t *to, uint64_t *scratch) {
    permutation(key, count, to, scratch);
}
