/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/layer_norm.h"

#include <math.h>

#include "ops/cpu/epilogue_simd.h"

enum { CHUNK = 256 * VW }; /* elements that are summed in float before the sum goes on in double */

/* x - mean, the mean in two parts: all its digits count where it is much larger than the deviations. */
INLINE vf centre(vf x, const vf mean[2]) {
    return (x - mean[0]) - mean[1];
}

INLINE vf term(vf x, const vf mean[2], const int squared) {
    const vf d = centre(x, mean);
    return squared ? d * d : d;
}

/* The sum of x - mean, or of (x - mean)^2. */
INLINE double sum_of(const float *x, int64_t count, const vf mean[2], const int squared) {
    double total = 0;
    for (int64_t begin = 0; begin < count; begin += CHUNK) {
        const int64_t end = count - begin < CHUNK ? count : begin + CHUNK;
        vf sums[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
        int64_t i = begin;
        for (; i + 4 * VW <= end; i += 4 * VW)
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++)
                sums[j] += term(v_load(x + i + j * VW), mean, squared);
        for (; i + VW <= end; i += VW)
            sums[0] += term(v_load(x + i), mean, squared);
        if (i < end)
            sums[1] += v_first_lanes(term(v_load_first(x + i, end - i, 0), mean, squared), (int)(end - i));
        const vf sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
        for (int lane = 0; lane < VW; lane++)
            total += (double)sum[lane];
    }
    return total;
}

/* Whole tensors. */
typedef struct Data {
    const float *x;
    float *y;
    VectorEpilogue epilogue;
} Data;

static Data data_of(const KernelCall *call, const Epilogue *epilogue) {
    return (Data){call->inputs[0], call->outputs[0], vector_epilogue(epilogue, cpu_residual(call, epilogue))};
}

/* One group's values, or a run of them: scale and b each a vector's worth, or one for all. */
INLINE void normalise(const Data *data, int64_t at, int64_t count, const vf mean[2], vf inverse,
                      const float *scale, const float *b, const int by_element) {
    const float *x = data->x + at;
    float *y = data->y + at;
    const VectorEpilogue epilogue = data->epilogue;
    const vf all_scale = by_element ? v_zero() : v_set(*scale) * inverse,
             all_b = by_element || !b ? v_zero() : v_set(*b);
    int64_t i = 0;
    for (; i + VW <= count; i += VW) {
        const vf factor = by_element ? v_load(scale + i) * inverse : all_scale;
        const vf offset = by_element && b ? v_load(b + i) : all_b;
        const vf value = centre(v_load(x + i), mean) * factor + offset;
        v_store(y + i, epilogue_whole(&epilogue, value, at + i, VW));
    }
    if (i < count) {
        const vf factor = by_element ? v_load_first(scale + i, count - i, 0) * inverse : all_scale;
        const vf offset = by_element && b ? v_load_first(b + i, count - i, 0) : all_b;
        const vf value = centre(v_load_first(x + i, count - i, 0), mean) * factor + offset;
        v_store_first(y + i, epilogue_whole(&epilogue, value, at + i, count - i), count - i);
    }
}

static void normalise_group(const GroupArgs *args, int64_t group, const Data *data, const float *scale,
                            const float *b) {
    const int64_t at = group * args->count;
    const float *x = data->x + at;
    const double count = (double)args->count;
    vf mean[2] = {v_zero(), v_zero()};
    if (args->centred) {
        /* From the first value on: where all are much larger than their differences, sums of these are exact.
         */
        mean[0] = v_set(*x);
        const double exact = (double)*x + sum_of(x, args->count, mean, 0) / count;
        mean[0] = v_set((float)exact);
        /* An infinite mean makes all NaN, as it must, without a second part. */
        mean[1] = isfinite(exact) ? v_set((float)(exact - (double)(float)exact)) : v_zero();
    }
    const double variance = sum_of(x, args->count, mean, 1) / count;
    const vf inverse = v_set((float)(1 / sqrt(variance + args->epsilon)));
    if (args->by_element) {
        normalise(data, at, args->count, mean, inverse, scale, b, 1);
        return;
    }
    for (int64_t run = 0; run < args->runs; run++) {
        const int64_t parameter = (group * args->runs + run) / args->runs_a_parameter % args->parameters;
        normalise(data, at + run * args->run, args->run, mean, inverse, scale + parameter,
                  b ? b + parameter : NULL, 0);
    }
}

static void run(const KernelCall *call, int64_t task) {
    const GroupArgs *args = call->args;
    const int64_t begin = task * args->groups_a_task;
    const int64_t end =
        begin + args->groups_a_task < args->groups ? begin + args->groups_a_task : args->groups;
    const Data data = data_of(call, &args->epilogue);
    for (int64_t group = begin; group < end; group++)
        normalise_group(args, group, &data, call->inputs[args->scale_port],
                        args->b_port < 0 ? NULL : call->inputs[args->b_port]);
}

/* --- lanes by themselves --- */

/* Of a strip of one block: means, and sums of squared deviations from these. */
typedef struct LaneStats {
    double mean[VW], squares[VW];
} LaneStats;

enum { LANE_CHUNK = 256 }; /* as CHUNK, in pixels */

/* As sum_of(), for each lane. */
INLINE void lane_sums(const float *x, int64_t pixels, const vf mean[2], const int squared, double total[VW]) {
    for (int lane = 0; lane < VW; lane++)
        total[lane] = 0;
    for (int64_t begin = 0; begin < pixels; begin += LANE_CHUNK) {
        const int64_t end = pixels - begin < LANE_CHUNK ? pixels : begin + LANE_CHUNK;
        vf sums[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
        int64_t i = begin;
        for (; i + 4 <= end; i += 4)
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++)
                sums[j] += term(v_load(x + (i + j) * VW), mean, squared);
        for (; i < end; i++)
            sums[0] += term(v_load(x + i * VW), mean, squared);
        const vf sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
        for (int lane = 0; lane < VW; lane++)
            total[lane] += (double)sum[lane];
    }
}

/* As in normalise_group(). */
static void split_means(const double exact[VW], vf mean[2]) {
    for (int lane = 0; lane < VW; lane++) {
        const float first = (float)exact[lane];
        mean[0][lane] = first;
        mean[1][lane] = isfinite(exact[lane]) ? (float)(exact[lane] - (double)first) : 0;
    }
}

/* A task of either phase: a strip. */
typedef struct LaneStrip {
    int64_t plane, at, pixels; /* `at` in floats */
} LaneStrip;

static LaneStrip lane_strip(const LaneArgs *args, int64_t task) {
    const int64_t plane = task / args->strips, first = task % args->strips * args->strip_pixels;
    const int64_t rest = args->pixels - first;
    return (LaneStrip){plane, (plane * args->pixels + first) * VW,
                       rest < args->strip_pixels ? rest : args->strip_pixels};
}

static void lane_statistics(const KernelCall *call, int64_t task) {
    const LaneStrip strip = lane_strip(call->args, task);
    const float *x = (const float *)call->inputs[0] + strip.at;
    LaneStats *stats = (LaneStats *)call->workspace + task;
    vf mean[2] = {v_load(x), v_zero()};
    lane_sums(x, strip.pixels, mean, 0, stats->mean);
    for (int lane = 0; lane < VW; lane++)
        stats->mean[lane] = (double)x[lane] + stats->mean[lane] / (double)strip.pixels;
    split_means(stats->mean, mean);
    lane_sums(x, strip.pixels, mean, 1, stats->squares);
}

/* Of a whole plane, from its strips'. */
static LaneStats plane_stats(const LaneArgs *args, const LaneStats *strips) {
    LaneStats all = {0};
    for (int64_t i = 0; i < args->strips; i++) {
        const double pixels = (double)lane_strip(args, i).pixels;
        for (int lane = 0; lane < VW; lane++)
            all.mean[lane] += strips[i].mean[lane] * pixels;
    }
    for (int lane = 0; lane < VW; lane++)
        all.mean[lane] /= (double)args->pixels;
    for (int64_t i = 0; i < args->strips; i++) {
        const double pixels = (double)lane_strip(args, i).pixels;
        for (int lane = 0; lane < VW; lane++) {
            const double apart = strips[i].mean[lane] - all.mean[lane];
            all.squares[lane] += strips[i].squares[lane] + pixels * apart * apart;
        }
    }
    return all;
}

static void normalise_lanes(const KernelCall *call, int64_t task) {
    const LaneArgs *args = call->args;
    const LaneStrip strip = lane_strip(args, task);
    const LaneStats stats =
        plane_stats(args, (const LaneStats *)call->workspace + strip.plane * args->strips);
    const int64_t channel = strip.plane % args->blocks * VW;
    const int64_t lanes = args->channels - channel < VW ? args->channels - channel : VW;
    const vf offset = v_load_first((const float *)call->inputs[args->b_port] + channel, lanes, 0);
    const vi mask = v_lane_mask((int)lanes);
    vf factor = v_load_first((const float *)call->inputs[args->scale_port] + channel, lanes, 0), mean[2];
    for (int lane = 0; lane < VW; lane++)
        factor[lane] *= (float)(1 / sqrt(stats.squares[lane] / (double)args->pixels + args->epsilon));
    split_means(stats.mean, mean);
    const Data data = data_of(call, &args->epilogue);
    for (int64_t i = strip.at; i < strip.at + strip.pixels * VW; i += VW) {
        const vf value = centre(v_load(data.x + i), mean) * factor + offset;
        v_store(data.y + i, (vf)((vi)epilogue_whole(&data.epilogue, value, i, VW) & mask));
    }
}

const LayerNormTable TARGET(layer_norm) = {.run = run,
                                           .lane_statistics = lane_statistics,
                                           .normalise_lanes = normalise_lanes,
                                           .stats_bytes = sizeof(LaneStats)};
