/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/layer_norm.h"

#include <math.h>

#include "ops/cpu/epilogue_simd.h"

enum { RUN = 256 * VW }; /* elements that are summed in float before the sum goes on in double */

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
    for (int64_t begin = 0; begin < count; begin += RUN) {
        const int64_t end = count - begin < RUN ? count : begin + RUN;
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

/* --- channels by themselves --- */

/* Of a chunk of one block: means, and sums of squared deviations from these. */
typedef struct ChannelStats {
    double mean[VW], squares[VW];
} ChannelStats;

enum { CHANNEL_RUN = 256 }; /* as RUN, in pixels */

/* As sum_of(), for each channel. */
INLINE void channel_sums(const float *x, int64_t pixels, const vf mean[2], const int squared,
                         double total[VW]) {
    for (int lane = 0; lane < VW; lane++)
        total[lane] = 0;
    for (int64_t begin = 0; begin < pixels; begin += CHANNEL_RUN) {
        const int64_t end = pixels - begin < CHANNEL_RUN ? pixels : begin + CHANNEL_RUN;
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

/* A task of either phase: a chunk. */
typedef struct ChannelChunk {
    int64_t plane, at, pixels; /* `at` in floats */
} ChannelChunk;

static ChannelChunk channel_chunk(const ChannelArgs *args, int64_t task) {
    const int64_t plane = task / args->chunks, first = task % args->chunks * args->chunk_pixels;
    const int64_t rest = args->pixels - first;
    return (ChannelChunk){plane, (plane * args->pixels + first) * VW,
                          rest < args->chunk_pixels ? rest : args->chunk_pixels};
}

static void channel_statistics(const KernelCall *call, int64_t task) {
    const ChannelChunk chunk = channel_chunk(call->args, task);
    const float *x = (const float *)call->inputs[0] + chunk.at;
    ChannelStats *stats = (ChannelStats *)call->workspace + task;
    vf mean[2] = {v_load(x), v_zero()};
    channel_sums(x, chunk.pixels, mean, 0, stats->mean);
    for (int lane = 0; lane < VW; lane++)
        stats->mean[lane] = (double)x[lane] + stats->mean[lane] / (double)chunk.pixels;
    split_means(stats->mean, mean);
    channel_sums(x, chunk.pixels, mean, 1, stats->squares);
}

/* Of a whole plane, from its chunks'. */
static ChannelStats plane_stats(const ChannelArgs *args, const ChannelStats *chunks) {
    ChannelStats all = {0};
    for (int64_t i = 0; i < args->chunks; i++) {
        const double pixels = (double)channel_chunk(args, i).pixels;
        for (int lane = 0; lane < VW; lane++)
            all.mean[lane] += chunks[i].mean[lane] * pixels;
    }
    for (int lane = 0; lane < VW; lane++)
        all.mean[lane] /= (double)args->pixels;
    for (int64_t i = 0; i < args->chunks; i++) {
        const double pixels = (double)channel_chunk(args, i).pixels;
        for (int lane = 0; lane < VW; lane++) {
            const double apart = chunks[i].mean[lane] - all.mean[lane];
            all.squares[lane] += chunks[i].squares[lane] + pixels * apart * apart;
        }
    }
    return all;
}

static void normalise_channels(const KernelCall *call, int64_t task) {
    const ChannelArgs *args = call->args;
    const ChannelChunk chunk = channel_chunk(args, task);
    const ChannelStats stats =
        plane_stats(args, (const ChannelStats *)call->workspace + chunk.plane * args->chunks);
    const int64_t channel = chunk.plane % args->blocks * VW;
    const int64_t lanes = args->channels - channel < VW ? args->channels - channel : VW;
    const vf offset = v_load_first((const float *)call->inputs[args->b_port] + channel, lanes, 0);
    const vi mask = v_lane_mask((int)lanes);
    vf factor = v_load_first((const float *)call->inputs[args->scale_port] + channel, lanes, 0), mean[2];
    for (int lane = 0; lane < VW; lane++)
        factor[lane] *= (float)(1 / sqrt(stats.squares[lane] / (double)args->pixels + args->epsilon));
    split_means(stats.mean, mean);
    const Data data = data_of(call, &args->epilogue);
    for (int64_t i = chunk.at; i < chunk.at + chunk.pixels * VW; i += VW) {
        const vf value = centre(v_load(data.x + i), mean) * factor + offset;
        v_store(data.y + i, (vf)((vi)epilogue_whole(&data.epilogue, value, i, VW) & mask));
    }
}

const LayerNormTable TARGET(layer_norm) = {.run = run,
                                           .channel_statistics = channel_statistics,
                                           .normalise_channels = normalise_channels,
                                           .stats_bytes = sizeof(ChannelStats)};
