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

static inline V gathered(const float *from, U places) {
#if defined(__AVX512F__)
    return (V)_mm512_i32gather_ps((__m512i)places, from, 4);
#elif defined(__AVX2__)
    return (V)_mm256_i32gather_ps(from, (__m256i)places, 4);
#else
    V found;
    for (int lane = 0; lane < LANES; ++lane) found[lane] = from[places[lane]];
    return found;
#endif
}

static void draw_orders(Members &members, int64_t epoch) {
    for (int lane = 0; lane < members.count; ++lane) {
        Run &run = *members.runs[lane];
        if (run.order_epoch != epoch) permutation(mixed(run.shuffle_key, epoch), run.rows, run.order, run.sorted);
        run.order_epoch = epoch;
    }
    for (int64_t row = 0; row < members.shared.rows; ++row) {
        U found;
        for (int lane = 0; lane < LANES; ++lane) found[lane] = members.runs[lane]->order[row];
        members.rows[row] = found;
    }
}

static void gather(Members &members) {
    const Run &run = members.shared;
    const int64_t first = (run.step - 1) % run.steps_per_epoch * run.batch, columns = run.layer[0].inputs;
    for (int64_t row = 0; row < run.batch; ++row) {
        const U place = run.is_shuffled ? members.rows[first + row] : all_words((uint32_t)(first + row));
        for (int64_t i = 0; i < columns; ++i)
            members.trace[0].inputs[i * run.batch + row] = gathered(run.x + i, place * (uint32_t)columns);
        for (int64_t i = 0; i < run.target_columns; ++i)
            members.targets[i * run.batch + row] = gathered(run.targets + i, place * (uint32_t)run.target_columns);
    }
}

// to[row] = start + sum over k of factors[k * step] * from[k][row].
static inline void weighted_sum(V *to, V start, const Parameters *factors, int64_t step, const V *from, int64_t depth,
                                int64_t rows) {
    for (int64_t row = 0; row < rows; row += SAMPLES) {
        const int64_t left = rows - row < SAMPLES ? rows - row : SAMPLES;
        if (left < SAMPLES) {
            for (int64_t j = row; j < rows; ++j) {
                V total = start;
                for (int64_t k = 0; k < depth; ++k) total = fma(factors[k * step].value, from[k * rows + j], total);
                to[j] = total;
            }
            return;
        }
        V total[SAMPLES];
        UNROLLED for (int j = 0; j < SAMPLES; ++j) total[j] = start;
        for (int64_t k = 0; k < depth; ++k) {
            const V factor = factors[k * step].value;
            UNROLLED for (int j = 0; j < SAMPLES; ++j) total[j] = fma(factor, from[k * rows + row + j], total[j]);
        }
        UNROLLED for (int j = 0; j < SAMPLES; ++j) to[row + j] = total[j];
    }
}

struct MemberDropout {
    U high, low, threshold;
    V scale;
};

static MemberDropout dropout(const Members &members, int64_t l) {
    MemberDropout found;
    for (int lane = 0; lane < LANES; ++lane) {
        const Layer &layer = members.runs[lane]->layer[l];
        const uint64_t key = mixed(layer.dropout_key, members.shared.step);
        found.high[lane] = (uint32_t)(key >> 32), found.low[lane] = (uint32_t)key;
        found.threshold[lane] = (uint32_t)layer.threshold;
        found.scale[lane] = (float)layer.keep_scale;
    }
    return found;
}

template <Activation KIND> static void activate_members(Members &members, int64_t l, V *values) {
    const Run &run = members.shared;
    const Layer &layer = run.layer[l];
    V *const slopes = members.trace[l].slopes;
    const MemberDropout drops = layer.drops ? dropout(members, l) : MemberDropout{};
    for (int64_t i = 0; i < layer.units * run.batch; ++i) {
        Curve found = activate<KIND>(slopes[i], all(0.01f));
        if (layer.drops) {
            const V kept = (I)(words(all_words((uint32_t)i), drops.high, drops.low) >= drops.threshold) ? drops.scale : V{};
            found.value *= kept;
            found.slope *= kept;
        }
        values[i] = found.value;
        slopes[i] = found.slope;
    }
}

static void activate(Members &members, int64_t l, V *values) {
    switch (members.shared.layer[l].activation) {
        case SIGMOID: return activate_members<SIGMOID>(members, l, values);
        case TANH: return activate_members<TANH>(members, l, values);
        case RELU: return activate_members<RELU>(members, l, values);
        case SOFTPLUS: return activate_members<SOFTPLUS>(members, l, values);
        case LEAKY_RELU: return activate_members<LEAKY_RELU>(members, l, values);
        case RELU6: return activate_members<RELU6>(members, l, values);
        case ELU: return activate_members<ELU>(members, l, values);
        default: return activate_members<LINEAR>(members, l, values);
    }
}

static void forward(Members &members) {
    const Run &run = members.shared;
    for (int64_t l = 0; l < run.layers; ++l) {
        const Layer &layer = run.layer[l];
        const bool is_last = l + 1 == run.layers;
        V *z = is_last ? members.z : members.trace[l].slopes;
        const Parameters *weight = members.parameters + layer.affine, *bias = weight + layer.weights();
        for (int64_t unit = 0; unit < layer.units; ++unit)
            weighted_sum(z + unit * run.batch, bias[unit].value, weight + unit, layer.units, members.trace[l].inputs,
                         layer.inputs, run.batch);
        if (!is_last) activate(members, l, members.trace[l + 1].inputs);
    }
}

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
