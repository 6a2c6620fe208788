// Members: as many small runs of one shape as a vector has lanes, each in a lane of its own.
//
// A run of a few units has too little to do to fill vectors with its rows. Here a vector holds one number of all
// members, and there is nothing to turn, to pad or to add across lanes. Every number is computed as in steps.h,
// in the same order, so a member's result is what it would be alone, to the last bit.
// Steps that the probes read are left to steps.h.
#pragma once

#include "steps.h"

constexpr int64_t MAX_MEMBER_UNITS = 16, MAX_MEMBER_ROWS = 32, SAMPLES = 8;

// Whether a run is small and plain enough.
static bool can_be_member(const Run &run) {
    bool is_small = run.batch <= MAX_MEMBER_ROWS && run.weight_columns == 0 && run.clip_value == 0.0 &&
                    run.clip_layer_norm == 0.0 && run.clip_norm == 0.0 && run.max_norm == 0.0;
    for (int64_t l = 0; l < run.layers; ++l) {
        const Layer &layer = run.layer[l];
        is_small = is_small && layer.units <= MAX_MEMBER_UNITS && layer.inputs <= MAX_MEMBER_UNITS &&
                   !layer.is_normalised && layer.activation != PRELU;
    }
    return is_small;
}

// All arrays hold vectors, one number of every member. Shapes: values (inputs of the layer, rows).
struct MemberTrace {
    V *inputs, *slopes;
};

struct Members {
    Run *runs[LANES];
    Run shared;           // what all have in common, and the step they stand at
    int64_t count, size;  // of members, and of the parameters of each
    Parameters *parameters;
    V *gradients;
    MemberTrace trace[Buffers::MAX_LAYERS];
    V *z, *d, *d_below, *targets;
    U *rows;           // (training rows,) the order of each member
    I is_training;     // lanes that go on

    // Lay the arrays out from `at`; returns the end.
    float *lay_out(float *at) {
        const Run &run = shared;
        const auto take = [&](int64_t vectors) {
            float *const start = at;
            at += vectors * LANES;
            return (V *)start;
        };
        size = run.layer[run.layers - 1].end;
        parameters = (Parameters *)take(size * (int64_t)(sizeof(Parameters) / sizeof(V)));
        gradients = take(size);
        for (int64_t l = 0; l < run.layers; ++l)
            trace[l] = {take(run.layer[l].inputs * run.batch), take(run.layer[l].units * run.batch)};
        const int64_t widest = MAX_MEMBER_UNITS * run.batch;
        z = take(widest), d = take(widest), d_below = take(widest), targets = take(run.target_columns * run.batch);
        rows = (U *)take(run.rows);
        return at;
    }

    // Copy what the members have learned so far in, lane by lane; lanes without a member repeat the first.
    void enter() {
        for (int lane = 0; lane < LANES; ++lane) {
            const Run &run = *runs[lane];
            for (int64_t i = 0; i < size; ++i) {
                Parameters &p = parameters[i];
                p.value[lane] = run.parameters[i];
                p.first[lane] = has_first((Optimizer)run.optimizer) ? run.first[i] : 0.0f;
                p.second[lane] = has_second((Optimizer)run.optimizer) ? run.second[i] : 0.0f;
                p.pinned[lane] = has_l1(run) ? run.pinned[i] : 0.0f;
                p.is_weight[lane] = run.is_weight ? run.is_weight[i] : 0.0f;
            }
            is_training[lane] = lane < count ? -1 : 0;
        }
    }

    // Copy one member out.
    void leave(int lane) {
        Run &run = *runs[lane];
        for (int64_t i = 0; i < size; ++i) {
            const Parameters &p = parameters[i];
            run.parameters[i] = p.value[lane];
            run.gradients[i] = gradients[i][lane];
            if (has_first((Optimizer)run.optimizer)) run.first[i] = p.first[lane];
            if (has_second((Optimizer)run.optimizer)) run.second[i] = p.second[lane];
            if (has_l1(run)) run.pinned[i] = p.pinned[lane];
        }
        run.step = shared.step;
        is_training[lane] = 0;
    }
};
