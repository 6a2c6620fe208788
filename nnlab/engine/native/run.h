// A run as the engine hands it over: numbers, and pointers to arrays that the engine owns. Mirrored in
// native/structures.py, field by field; ABI counts the changes.
#pragma once

#include "losses.h"
#include "optimizers.h"

constexpr int64_t ABI = 3;

struct Layer {
    int64_t inputs, units, activation, drops, is_normalised;
    int64_t affine, gamma, leaks, end;  // places in the flat vectors; gamma is followed by beta
    int64_t running;                    // place of the running means; the variances follow
    int64_t threshold;                  // words below it are dropped
    uint64_t dropout_key;
    double keep_scale;

    int64_t weights() const { return inputs * units; }
};

enum Trouble { NONE, BAD_LOSS, BAD_GRADIENT };

struct Run {
    int64_t layers, batch, rows, steps_per_epoch, is_shuffled;
    int64_t target_columns, weight_columns;  // of the targets, and of the class weights: 0 without
    int64_t loss, output, optimizer;
    uint64_t shuffle_key;
    double loss_factor, slope_factor;
    double learning_rate, momentum, weight_decay, l1, l2;
    double clip_value, clip_layer_norm, clip_norm, max_norm;  // 0 where there is none
    int64_t step;         // done so far
    int64_t order_epoch;  // that `order` is of, -1 for none
    int64_t probed_from;  // the first step that the probes read

    const Layer *layer;
    float *parameters, *gradients, *first, *second;  // of one layout; the last two are the optimizer's
    float *running, *pinned;
    const float *is_weight;              // 1 where penalties apply, 0 elsewhere; none without penalties
    const float *x, *targets, *weights;  // (rows, columns)
    uint32_t *order;                     // of the rows in an epoch, drawn in
    uint64_t *sorted;                    // twice `rows` numbers
    float *work;                         // nn_work_floats(run) of them
    const double *rates;                 // the learning rate of each step of the call, or none
    double *losses, *norms;              // of each step of the call
    double *layer_sums;   // (4, layers): squares of weight gradients, deltas, weights, updates
    double *hidden_sums;  // (2, layers - 1): squares of activations, how many are 0
    double *unit_sums;    // (3, units of all layers): activations, how many are above 0, how many saturated
    int64_t trouble;
};

static inline int64_t wide_rows(const Run &run) { return padded(run.batch); }
