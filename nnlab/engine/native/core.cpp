// The native tier: a chunk of training steps in one call.
//
// It reads beside the NumPy tier, file by file: simd.h says what a vector is, products.h multiplies matrices,
// maths.h, activations.h, losses.h and optimizers.h hold the formulas, random.h the random numbers, network.h the
// passes, updates.h what becomes of gradients, steps.h one step, prediction.h evaluation; members.h and the files
// named after it train many small runs at once. Everything is float32 but for sums over rows and steps, which are double.
// Memory belongs to the caller; the core allocates nothing, keeps nothing and calls nothing but libm.
#include "member_steps.h"
#include "prediction.h"

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED int64_t nn_abi() { return ABI; }

// The x86-64 level of this processor, of which the operating system must know too; 0 on others.
EXPORTED int nn_cpu_level() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const auto has_v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    const auto has_v4 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                        __builtin_cpu_supports("avx512vl");
    if (has_v3) return has_v4 ? 4 : 3;
    return __builtin_cpu_supports("sse4.2") ? 2 : 0;
#else
    return 0;
#endif
}

// How many floats of working memory a run needs.
EXPORTED int64_t nn_work_floats(const Run *run) {
    Buffers buffers;
    float *const start = nullptr;
    return buffers.lay_out(*run, start) - start;
}

// Ones meet the biases, and beyond the batch all inputs are 0: what was in working memory before must not matter.
static void prepare(const Run &run, Buffers &buffers) {
    const int64_t wide = wide_rows(run);
    for (int64_t l = 0; l < run.layers; ++l) {
        float *const ones = buffers.trace[l].inputs + run.layer[l].inputs * wide;
        for (int64_t row = 0; row < wide; ++row) ones[row] = 1.0f;
    }
    for (int64_t i = 0; i < run.layer[0].inputs; ++i)
        for (int64_t row = run.batch; row < wide; ++row) buffers.trace[0].inputs[i * wide + row] = 0.0f;
}

// Train for some steps, or up to the first loss or gradient that is not finite. Returns the steps done.
EXPORTED int64_t nn_train(Run *run, int64_t steps) {
    Buffers buffers;
    buffers.lay_out(*run, run->work);
    prepare(*run, buffers);
    for (int64_t index = 0; index < steps; ++index)
        if (!take_step(*run, buffers, index)) return index + 1;
    return steps;
}

// Whether runs like this one can be trained by nn_train_members.
EXPORTED int64_t nn_can_be_member(const Run *run) { return can_be_member(*run); }

static float *set_up(Members &members, Run *const *runs, int64_t count, float *work) {
    for (int lane = 0; lane < LANES; ++lane) members.runs[lane] = runs[lane < count ? lane : 0];
    members.shared = *runs[0];
    members.count = count;
    return members.lay_out(work);
}

// How many floats of working memory members like these need.
EXPORTED int64_t nn_members_floats(Run *const *runs) {
    Members members;
    float *const start = nullptr;
    return set_up(members, runs, 1, start) - start;
}

// Train up to nn_lanes() runs of one shape that stand at the same step for some steps, of which the probes read
// none. Each run's `step` tells how far it came, `trouble` why no further.
EXPORTED void nn_train_members(Run *const *runs, int64_t count, float *work, int64_t steps) {
    Members members;
    set_up(members, runs, count, work);
    train_members(members, steps);
}

// The last pre-activations of `run->rows` rows without dropout, in blocks of `run->batch` rows.
// Shapes: z (outputs, rows); sums (3, hidden units), to which Activity is added; outputs (units of the last hidden
// layer, kept), its values of the first rows.
EXPORTED void nn_predict(Run *run, float *z, double *sums, float *outputs, int64_t kept) {
    Buffers buffers;
    buffers.lay_out(*run, run->work);
    const int64_t block = run->batch, rows = run->rows, columns = run->layer[0].inputs;
    const int64_t answers = run->layer[run->layers - 1].units;
    int64_t hidden = 0;
    for (int64_t l = 0; l + 1 < run->layers; ++l) hidden += run->layer[l].units;
    for (int64_t first = 0; first < rows; first += block) {
        if (rows - first < block) {  // padding must not be counted
            run->batch = rows - first;
            buffers.lay_out(*run, run->work);
        }
        const int64_t wide = wide_rows(*run);
        transpose([&](int64_t row) { return run->x + (first + row) * columns; }, run->batch, columns,
                  buffers.trace[0].inputs, wide);
        forward(*run, buffers, false, false);
        for (int64_t o = 0; o < answers; ++o)
            memcpy(z + o * rows + first, buffers.z + o * wide, sizeof(float) * run->batch);
        add_block(*run, buffers, {sums, sums + hidden, sums + 2 * hidden});
        keep_outputs(*run, buffers, first, outputs, kept);
    }
    run->batch = block;
}

// Peak of fused multiply-adds, as a reference for benchmarks. Returns a number that depends on all of them.
EXPORTED double nn_peak(int64_t rounds) {
    V total[12];
    for (auto &part : total) part = all(1.0f);
    for (int64_t round = 0; round < rounds; ++round)
        UNROLLED for (int i = 0; i < 12; ++i) total[i] = fma(total[i], all(0.999999f), all(1e-6f));
    double found = 0.0;
    for (const auto &part : total) found += wide_sum(widened(part));
    return found;
}

EXPORTED int64_t nn_lanes() { return LANES; }
