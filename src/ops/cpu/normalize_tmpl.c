/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "ops/cpu/epilogue_simd.h"
#include "ops/cpu/normalize.h"

static int64_t end_of(int64_t task, int64_t step, int64_t count) {
    return (task + 1) * step < count ? (task + 1) * step : count;
}

/* --- softmax: e^(x - max) / sum; its logarithm: x - max - ln sum --- */

/* A NaN may be lost here, but e^(NaN - max) brings it into the sum. */
static float max_of_row(const float *x, int64_t count) {
    vf max = v_set(-INFINITY);
    int64_t i = 0;
    for (; i + VW <= count; i += VW)
        max = v_max(max, v_load(x + i));
    if (i < count)
        max = v_max(max, v_load_first(x + i, count - i, -INFINITY));
    return v_max_lanes(max);
}

static void softmax_row(const float *x, float *y, int64_t count, bool logarithm) {
    const vf max = v_set(max_of_row(x, count));
    const int64_t tail = count % VW, whole = count - tail;
    vf sums = v_zero();
    for (int64_t i = 0; i < whole; i += VW) {
        const vf e = v_exp(v_load(x + i) - max);
        sums += e;
        if (!logarithm)
            v_store(y + i, e);
    }
    vf last = v_zero();
    if (tail) {
        last = v_first_lanes(v_exp(v_load_first(x + whole, tail, 0) - max), (int)tail);
        sums += last;
    }
    const float sum = v_sum_lanes(sums);
    if (logarithm) {
        const vf offset = max + v_set(logf(sum));
        for (int64_t i = 0; i < whole; i += VW)
            v_store(y + i, v_load(x + i) - offset);
        if (tail)
            v_store_first(y + whole, v_load_first(x + whole, tail, 0) - offset, tail);
        return;
    }
    const vf factor = v_set(1 / sum);
    for (int64_t i = 0; i < whole; i += VW)
        v_store(y + i, v_load(y + i) * factor);
    if (tail)
        v_store_first(y + whole, last * factor, tail);
}

static void softmax_rows(const KernelCall *call, int64_t task) {
    const SoftmaxArgs *args = call->args;
    const int64_t count = args->geometry.count, end = end_of(task, args->rows_a_task, args->geometry.outer);
    for (int64_t row = task * args->rows_a_task; row < end; row++)
        softmax_row((const float *)call->inputs[0] + row * count, (float *)call->outputs[0] + row * count,
                    count, args->logarithm);
}

/* One vector of neighbours, each with its own group of elements `inner` apart. */
INLINE void softmax_column(const float *x, float *y, const SoftmaxGeometry *g, bool logarithm,
                           int64_t lanes) {
    vf max = v_set(-INFINITY), sum = v_zero();
    for (int64_t i = 0; i < g->count; i++)
        max = v_max(max, v_load_first(x + i * g->inner, lanes, 0));
    for (int64_t i = 0; i < g->count; i++) {
        const vf e = v_exp(v_load_first(x + i * g->inner, lanes, 0) - max);
        sum += e;
        if (!logarithm)
            v_store_first(y + i * g->inner, e, lanes);
    }
    if (logarithm) {
        vf offset = max;
        for (int lane = 0; lane < VW; lane++)
            offset[lane] += logf(sum[lane]);
        for (int64_t i = 0; i < g->count; i++)
            v_store_first(y + i * g->inner, v_load_first(x + i * g->inner, lanes, 0) - offset, lanes);
        return;
    }
    const vf factor = v_set(1.0f) / sum;
    for (int64_t i = 0; i < g->count; i++)
        v_store_first(y + i * g->inner, v_load_first(y + i * g->inner, lanes, 0) * factor, lanes);
}

static void softmax_chunks(const KernelCall *call, int64_t task) {
    const SoftmaxArgs *args = call->args;
    const SoftmaxGeometry *g = &args->geometry;
    const int64_t first = task / args->chunks * g->count * g->inner, chunk = task % args->chunks;
    const float *x = (const float *)call->inputs[0] + first;
    float *y = (float *)call->outputs[0] + first;
    const int64_t end = end_of(chunk, args->chunk_floats, g->inner);
    for (int64_t i = chunk * args->chunk_floats; i < end; i += VW) {
        if (end - i >= VW)
            softmax_column(x + i, y + i, g, args->logarithm, VW);
        else
            softmax_column(x + i, y + i, g, args->logarithm, end - i);
    }
}

/* --- a factor and a term for each channel --- */

/* What is done to a vector: its channels' factors and terms, the activation, and the lanes to keep. */
typedef struct Scale {
    vf factor, term;
    vi mask;
    VectorEpilogue epilogue;
} Scale;

static Scale scale_of(const ScaleArgs *args, vf factor, vf term, vi mask) {
    return (Scale){factor, term, mask, vector_epilogue(&args->epilogue, NULL)};
}

INLINE vf scaled(const Scale *scale, const bool is_activated, vf x) {
    const vf y = x * scale->factor + scale->term;
    const vf end =
        is_activated ? epilogue_second(&scale->epilogue, y, 0, VW) : epilogue_clamp(&scale->epilogue, y);
    return (vf)((vi)end & scale->mask);
}

INLINE void scale_run(const float *x, float *y, int64_t count, const Scale *scale, const bool is_activated) {
    int64_t i = 0;
    for (; i + VW <= count; i += VW)
        v_store(y + i, scaled(scale, is_activated, v_load(x + i)));
    if (i < count)
        v_store_first(y + i, scaled(scale, is_activated, v_load_first(x + i, count - i, 0)), count - i);
}

static void scale_floats(const float *x, float *y, int64_t count, Scale scale) {
    if (scale.epilogue.is_activated)
        scale_run(x, y, count, &scale, true);
    else
        scale_run(x, y, count, &scale, false);
}

static void scale_blocked(const KernelCall *call, int64_t task) {
    const ScaleArgs *args = call->args;
    const int64_t end = end_of(task, args->planes_a_task, args->planes);
    for (int64_t plane = task * args->planes_a_task; plane < end; plane++) {
        const int64_t block = plane % args->channels, at = plane * args->plane_floats;
        scale_floats((const float *)call->inputs[0] + at, (float *)call->outputs[0] + at, args->plane_floats,
                     scale_of(args, v_load(scale_factors(call) + block * VW),
                              v_load(scale_terms(call) + block * VW),
                              v_lane_mask(block == args->channels - 1 ? args->tail_channels : VW)));
    }
}

static void scale_plain(const KernelCall *call, int64_t task) {
    const ScaleArgs *args = call->args;
    const int64_t end = end_of(task, args->planes_a_task, args->planes);
    for (int64_t plane = task * args->planes_a_task; plane < end; plane++) {
        const int64_t channel = plane % args->channels, at = plane * args->plane_floats;
        scale_floats((const float *)call->inputs[0] + at, (float *)call->outputs[0] + at, args->plane_floats,
                     scale_of(args, v_set(scale_factors(call)[channel]), v_set(scale_terms(call)[channel]),
                              v_lane_mask(VW)));
    }
}

/* A plane is an image here, and each of its elements has a channel of its own. */
static void scale_vectors(const KernelCall *call, int64_t task) {
    const ScaleArgs *args = call->args;
    const int64_t end = end_of(task, args->planes_a_task, args->planes);
    for (int64_t plane = task * args->planes_a_task; plane < end; plane++) {
        const float *x = (const float *)call->inputs[0] + plane * args->channels;
        float *y = (float *)call->outputs[0] + plane * args->channels;
        for (int64_t c = 0; c < args->channels; c += VW) {
            const int64_t count = args->channels - c < VW ? args->channels - c : VW;
            scale_floats(x + c, y + c, count,
                         scale_of(args, v_load(scale_factors(call) + c), v_load(scale_terms(call) + c),
                                  v_lane_mask(VW)));
        }
    }
}

const NormalizeTable TARGET(normalize) = {
    .softmax_rows = softmax_rows,
    .softmax_chunks = softmax_chunks,
    .scale_blocked = scale_blocked,
    .scale_plain = scale_plain,
    .scale_vectors = scale_vectors,
};
