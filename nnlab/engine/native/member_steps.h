// A step of all members: losses, gradients, norms and updates, in the order of steps.h.
#pragma once

#include "member_passes.h"

// What wide_sum() does with the lanes of a vector: halves are added until one is left. Only the first `count`
// numbers are there; the others would be 0. Overwrites them.
static Wide folded(Wide *numbers, int64_t count) {
    for (int64_t width = LANES / 2; width > 0; width /= 2) {
        for (int64_t i = 0; i + width < count; ++i) numbers[i] += numbers[i + width];
        if (count > width) count = width;
    }
    return numbers[0];
}

// The losses of the batch; writes their gradients by the last pre-activations into `d`.
static void loss_and_gradient(Members &members, double *losses) {
    const Run &run = members.shared;
    const int64_t rows = run.batch, outputs = run.layer[run.layers - 1].units;
    const bool is_softmax = run.loss == SOFTMAX_CROSS_ENTROPY;
    const double size = (double)(is_softmax ? rows : rows * outputs);
    const V scale = all((float)(run.slope_factor / size));
    Wide total = {};
    for (int64_t block = 0; block < rows; block += LANES) {
        const int64_t count = rows - block < LANES ? rows - block : LANES;
        Wide values[LANES];
        for (int64_t row = block; row < block + count; ++row) {
            Wide &value = values[row - block] = {};
            if (is_softmax)
                value = widened(softmax_loss((float *)(members.z + row), (float *)(members.d + row), rows * LANES,
                                             outputs, members.targets[row], all(1.0f)));
            for (int64_t at = row; at < outputs * rows; at += rows) {
                if (is_softmax) {
                    members.d[at] *= scale;
                    continue;
                }
                const Curve found = output_loss((Loss)run.loss, (Activation)run.output, members.z[at], members.targets[at]);
                value += counted((Loss)run.loss, found.value, all(1.0f));
                members.d[at] = found.slope * scale;
            }
        }
        total += folded(values, count);
    }
    for (int lane = 0; lane < LANES; ++lane) losses[lane] = run.loss_factor * total[lane] / size;
}

// Gradients of a layer's weights from one input to UNITS units: sums over the rows of input times d, in order.
template <int UNITS> static inline void weight_gradients(V *to, const V *inputs, const V *d, int64_t rows) {
    V total[UNITS] = {};
    for (int64_t row = 0; row < rows; ++row)
        UNROLLED for (int j = 0; j < UNITS; ++j) {
            const V by_z = d[j * rows + row];
            total[j] = fma(inputs ? inputs[row] : all(1.0f), by_z, total[j]);
        }
    UNROLLED for (int j = 0; j < UNITS; ++j) to[j] = total[j];
}

static void weight_gradients(Members &members, int64_t l) {
    const Run &run = members.shared;
    const Layer &layer = run.layer[l];
    V *to = members.gradients + layer.affine;
    for (int64_t i = 0; i <= layer.inputs; ++i) {
        const V *inputs = i < layer.inputs ? members.trace[l].inputs + i * run.batch : nullptr;  // the bias's are 1
        int64_t unit = 0;
        for (; unit + 4 <= layer.units; unit += 4, to += 4)
            weight_gradients<4>(to, inputs, members.d + unit * run.batch, run.batch);
        for (; unit < layer.units; ++unit, ++to) weight_gradients<1>(to, inputs, members.d + unit * run.batch, run.batch);
    }
}

static void backward(Members &members) {
    const Run &run = members.shared;
    for (int64_t l = run.layers - 1; l >= 0; --l) {
        const Layer &layer = run.layer[l];
        weight_gradients(members, l);
        if (l == 0) return;
        const Parameters *weight = members.parameters + layer.affine;
        for (int64_t i = 0; i < layer.inputs; ++i) {
            weighted_sum(members.d_below + i * run.batch, V{}, weight + i * layer.units, 1, members.d, layer.units,
                         run.batch);
            for (int64_t at = i * run.batch; at < (i + 1) * run.batch; ++at)
                members.d_below[at] *= members.trace[l - 1].slopes[at];
        }
        V *const other = members.d;
        members.d = members.d_below;
        members.d_below = other;
    }
}

// What squares() computes of a part of the gradient; members are too small for more than one of its blocks.
static Wide squares(const Members &members, int64_t start, int64_t end) {
    const int64_t size = end - start, quads = size / (4 * LANES) * 4, used = size < LANES ? size : LANES;
    V part[4][LANES];
    for (int64_t i = 0; i < (quads ? 4 * LANES : used); ++i) part[i / LANES][i % LANES] = V{};
    for (int64_t i = 0; i < size; ++i) {
        const V g = members.gradients[start + i];
        V &total = part[i / LANES < quads ? i / LANES % 4 : 0][i % LANES];
        total = fma(g, g, total);
    }
    if (quads)
        for (int64_t i = 0; i < used; ++i) part[0][i] = (part[0][i] + part[1][i]) + (part[2][i] + part[3][i]);
    Wide wide[LANES];
    for (int64_t i = 0; i < used; ++i) wide[i] = widened(part[0][i]);
    return folded(wide, used);
}

static double norm_of(const Members &members, int lane, const double *of_layers) {
    const Run &run = *members.runs[lane];
    double total = 0.0;
    for (int64_t l = run.layers - 1; l >= 0; --l) {
        double square = of_layers[l * LANES + lane];
        if (!(square > 1e-20 && square < 1e38)) {  // take it again as squares() does
            for (int64_t i = run.layer[l].affine; i < run.layer[l].end; ++i) run.gradients[i] = members.gradients[i][lane];
            square = squares(run, run.layer[l].affine, run.layer[l].end);
        }
        total += square;
    }
    return sqrt(total);
}

static void norms(const Members &members, double *found) {
    const Run &run = members.shared;
    double of_layers[Buffers::MAX_LAYERS * LANES];
    for (int64_t l = 0; l < run.layers; ++l) {
        const Wide square = squares(members, run.layer[l].affine, run.layer[l].end);
        for (int lane = 0; lane < LANES; ++lane) of_layers[l * LANES + lane] = square[lane];
    }
    for (int lane = 0; lane < members.count; ++lane)
        if (members.is_training[lane]) found[lane] = norm_of(members, lane, of_layers);
}

static Step step_of(const Members &members, int64_t index) {
    const Corrections corrected = corrections(members.shared);
    Step found;
    for (int lane = 0; lane < LANES; ++lane) {
        const Run &run = *members.runs[lane];
        const Step own = step_of(run, run.rates ? run.rates[index] : run.learning_rate, corrected);
        found.rates.rate[lane] = own.rates.rate[0], found.rates.momentum[lane] = own.rates.momentum[0];
        found.rates.eps[lane] = own.rates.eps[0], found.rates.decay[lane] = own.rates.decay[0];
        found.rates.l1[lane] = own.rates.l1[0], found.rates.l2[lane] = own.rates.l2[0];
        found.l1[lane] = own.l1[0], found.l2[lane] = own.l2[0];
    }
    return found;
}

template <Optimizer KIND> static void update_members(Members &members, const Step &step) {
    const bool is_pinning = has_l1(members.shared);
    if (members.shared.is_weight)
        for (int64_t i = 0; i < members.size; ++i)
            move<KIND, true>(members.parameters[i], members.gradients[i], step, is_pinning);
    else
        for (int64_t i = 0; i < members.size; ++i)
            move<KIND, false>(members.parameters[i], members.gradients[i], step, is_pinning);
}

static void update(Members &members, const Step &step) {
    switch (members.shared.optimizer) {
        case MOMENTUM: return update_members<MOMENTUM>(members, step);
        case NESTEROV: return update_members<NESTEROV>(members, step);
        case ADAGRAD: return update_members<ADAGRAD>(members, step);
        case RMSPROP: return update_members<RMSPROP>(members, step);
        case ADAM: return update_members<ADAM>(members, step);
        case ADAMW: return update_members<ADAMW>(members, step);
        case FTRL: return update_members<FTRL>(members, step);
        default: return update_members<SGD>(members, step);
    }
}

// Note a member's number; take the member out where it is not finite.
static void note(Members &members, const double *numbers, double *Run::*into, Trouble trouble, int64_t index) {
    for (int lane = 0; lane < members.count; ++lane) {
        if (!members.is_training[lane]) continue;
        Run &run = *members.runs[lane];
        (run.*into)[index] = numbers[lane];
        if (isfinite(numbers[lane])) continue;
        run.trouble = trouble;
        members.leave(lane);
    }
}

static bool is_over(const Members &members) {
    for (int lane = 0; lane < members.count; ++lane)
        if (members.is_training[lane]) return false;
    return true;
}

// Take some steps with all members, which stand at the same step; none of these is read by the probes.
static void train_members(Members &members, int64_t steps) {
    members.enter();
    bool has_constant_rates = members.shared.optimizer != ADAM && members.shared.optimizer != ADAMW;
    for (int lane = 0; lane < members.count; ++lane) has_constant_rates = has_constant_rates && !members.runs[lane]->rates;
    Step step = step_of(members, 0);
    int64_t drawn = -1, index = 0;
    for (; index < steps && !is_over(members); ++index) {
        ++members.shared.step;
        const int64_t epoch = (members.shared.step - 1) / members.shared.steps_per_epoch;
        if (members.shared.is_shuffled && epoch != drawn) draw_orders(members, drawn = epoch);
        gather(members);
        forward(members);
        double numbers[LANES];
        loss_and_gradient(members, numbers);
        note(members, numbers, &Run::losses, BAD_LOSS, index);
        backward(members);
        norms(members, numbers);
        note(members, numbers, &Run::norms, BAD_GRADIENT, index);
        if (!has_constant_rates) step = step_of(members, index);
        update(members, step);
    }
    for (int lane = 0; lane < members.count; ++lane)
        if (members.is_training[lane]) members.leave(lane);
}
