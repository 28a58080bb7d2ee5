/* SPDX-License-Identifier: Apache-2.0 */
/* The weights of transposed convolution: of each phase those of its taps, as its tiles read them. */
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "ops/cpu/conv/grouped.h"
#include "ops/cpu/conv/query.h"
#include "ops/cpu/conv/transpose.h"
#include "ops/cpu/cpu.h"

typedef struct TransposePack {
    ConvGeometry g;
    const TransposeArgs *args;
    const float *scales; /* may be NULL */
    int64_t chunk_blocks;
} TransposePack;

/* The kernel's tap that tap `t` of a phase is. */
static int64_t kernel_tap(const TransposeArgs *args, const Phases *f, int64_t t) {
    const int64_t ny = f->y->taps, nx = f->x->taps;
    const int64_t kz = f->z->tap + t / (ny * nx) * args->z.tap_step,
                  ky = f->y->tap + t / nx % ny * args->y.tap_step, kx = f->x->tap + t % nx * args->x.tap_step;
    return (kz * args->y.dim.kernel + ky) * args->x.dim.kernel + kx;
}

/* Between input channel `channel` and output channel `m` of the same group.  Weights are
 * [C, M/group, depths, rows, columns], at any alignment. */
static float weight_at(const TransposePack *pack, const char *weights, int64_t channel, int64_t m,
                       int64_t tap) {
    const TransposeArgs *args = pack->args;
    const int64_t out_group = pack->g.out_channels / pack->g.group,
                  volume = args->z.dim.kernel * args->y.dim.kernel * args->x.dim.kernel;
    float value;
    memcpy(&value, weights + (size_t)((channel * out_group + m % out_group) * volume + tap) * sizeof value,
           sizeof value);
    return pack->scales ? value * pack->scales[m] : value;
}

/* The taps of one phase for an input channel and the output channels [first, end) of its group, one after
 * the other; `step` is from one tap to the next. */
static void pack_channel(const TransposePack *pack, const char *weights, const Phases *f, int64_t channel,
                         int64_t first, int64_t end, int64_t step, float *to) {
    for (int64_t t = 0; t < f->taps; t++, to += step) {
        const int64_t tap = kernel_tap(pack->args, f, t);
        for (int64_t m = first; m < end; m++)
            to[m - first] = weight_at(pack, weights, channel, m, tap);
    }
}

/* Some input blocks of the weights of a tile, whose output channels may be of several groups. */
static void pack_tile(const TransposePack *pack, const char *weights, const Phases *f,
                      const TileBlocks *blocks, int64_t begin_block, int64_t end_block, float *to) {
    const ConvGeometry *g = &pack->g;
    const int width = pack->args->width;
    const int64_t in_group = g->in_channels / g->group, out_group = g->out_channels / g->group;
    const int64_t begin = (int64_t)blocks->first * width, vectors = (int64_t)blocks->count * width,
                  end = i64_min(begin + vectors, g->out_channels);
    for (int64_t block = begin_block; block < end_block; block++) {
        const int64_t block_channels = block == blocks->in_count - 1 ? blocks->tail_channels : width;
        memset(to, 0, (size_t)(f->taps * block_channels * vectors) * sizeof *to);
        for (int64_t c = 0; c < block_channels; c++) {
            const int64_t channel = (blocks->in_first + block) * width + c, group = channel / in_group;
            const int64_t first = i64_max(begin, group * out_group),
                          last = i64_min(end, (group + 1) * out_group);
            if (first < last)
                pack_channel(pack, weights, f, channel, first, last, block_channels * vectors,
                             to + c * vectors + first - begin);
        }
        to += f->taps * block_channels * vectors;
    }
}

/* A block's weights as grouped.h has them. */
static void pack_grouped(const TransposePack *pack, const char *weights, const Phases *f, int64_t first,
                         float *to) {
    const int width = pack->args->width;
    const int64_t group = pack->g.in_channels / pack->g.group,
                  end = i64_min(first + width, pack->g.out_channels);
    memset(to, 0, (size_t)(f->taps * group * width) * sizeof *to);
    for (int64_t t = 0; t < f->taps; t++, to += group * width) {
        const int64_t tap = kernel_tap(pack->args, f, t);
        for (int64_t m = first; m < end; m++)
            for (int64_t c = 0; c < group; c++) {
                const ConvGroupedPlace place = conv_grouped_place(group, m - first, c);
                to[place.rotation * width + place.lane] =
                    weight_at(pack, weights, m / group * group + c, m, tap);
            }
    }
}

static void fill_chunk(const void *context, const void *weights, int64_t run, int64_t chunk, float *to) {
    const TransposePack *pack = context;
    const TransposeArgs *args = pack->args;
    const Phases f = transpose_phases(args, run / args->n_tile_blocks);
    const TileBlocks *blocks = &args->pack.blocks[run];
    const int64_t first = chunk * pack->chunk_blocks,
                  end = i64_min(first + pack->chunk_blocks, blocks->in_count);
    to += blocks->weights_at;
    if (args->grouped)
        pack_grouped(pack, weights, &f, (int64_t)blocks->first * args->width, to);
    else if (first < end)
        pack_tile(pack, weights, &f, blocks, first, end,
                  to + first * f.taps * args->width * blocks->count * args->width);
}

/* Of the weights of a tile for `taps` taps. */
static int64_t tile_floats(const ConvGeometry *g, const TransposeArgs *args, const TileBlocks *blocks,
                           int64_t taps) {
    return args->grouped ? count_of(taps, g->in_channels / g->group, args->width)
                         : (int64_t)tile_weights(blocks, args->width, args->width, taps);
}

static TileBlocks blocks_at(const ConvGeometry *g, const TransposeArgs *args, int count, int64_t tile) {
    const int first = (int)tile * count;
    return tile_blocks(g, args->width, args->width, first, (int)i64_min(count, args->out_blocks - first));
}

/* The tiles of all phases; returns the floats of their weights through *floats and the most input blocks of
 * one through *in_count. */
static Status make_blocks(const ConvGeometry *g, TransposeArgs *args, int count, PrepareContext *ctx,
                          int64_t *floats, int64_t *in_count) {
    const int64_t phases = transpose_count_phases(args);
    TileBlocks *blocks;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *blocks, phases, args->n_tile_blocks), &blocks));
    *floats = 0;
    *in_count = 1;
    for (int64_t phase = 0; phase < phases; phase++)
        for (int64_t b = 0; b < args->n_tile_blocks; b++) {
            TileBlocks *at = &blocks[phase * args->n_tile_blocks + b];
            *at = blocks_at(g, args, count, b);
            at->weights_at = (size_t)*floats;
            *in_count = i64_max(*in_count, at->in_count);
            *floats = i64_sum(*floats, tile_floats(g, args, at, transpose_phases(args, phase).taps));
        }
    args->pack.blocks = blocks;
    return STRIDER_OK;
}

Status transpose_pack(const KernelQuery *query, const ConvGeometry *g, TransposeArgs *args, int count,
                      PrepareContext *ctx) {
    int64_t floats, in_count;
    TRY(make_blocks(g, args, count, ctx, &floats, &in_count));
    TransposePack *pack;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *pack, 1), &pack));
    pack->g = *g;
    pack->args = args;
    TRY(conv_scales(query, g->out_channels, ctx, &pack->scales));
    pack->chunk_blocks = i64_min(
        ceil_div(CONV_CHUNK_FLOATS, i64_max(count_of(args->max_taps, args->width, count, args->width), 1)),
        in_count);
    char key[160];
    snprintf(key, sizeof key, "transpose %d %d %d %lld %lldx%lldx%lld %lldx%lldx%lld %p", args->width, count,
             args->grouped, (long long)g->group, (long long)args->z.dim.stride, (long long)args->y.dim.stride,
             (long long)args->x.dim.stride, (long long)args->z.dim.dilation, (long long)args->y.dim.dilation,
             (long long)args->x.dim.dilation, (const void *)conv_scale(query));
    const ConvFill fill = {.fill = fill_chunk,
                           .context = pack,
                           .runs = i64_product(transpose_count_phases(args), args->n_tile_blocks),
                           .chunks = ceil_div(in_count, pack->chunk_blocks)};
    return conv_pack(query, &fill, key, bytes_of(sizeof(float), floats), ctx, &args->pack);
}

/* All phases together have each tap once. */
Bytes transpose_run_bytes(const KernelQuery *query, const ConvGeometry *g, const TransposeArgs *args,
                          int count) {
    const int64_t taps = count_of(args->z.dim.kernel, args->y.dim.kernel, args->x.dim.kernel);
    int64_t floats = 0;
    for (int64_t b = 0; b < args->n_tile_blocks && !query->inputs[CONV_W].constant; b++) {
        const TileBlocks blocks = blocks_at(g, args, count, b);
        floats = i64_sum(floats, tile_floats(g, args, &blocks, taps));
    }
    return bytes_of(sizeof(float), floats);
}
