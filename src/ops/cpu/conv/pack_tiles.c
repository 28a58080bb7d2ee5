/* SPDX-License-Identifier: Apache-2.0 */
/* Weights as register tiles read them. */
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "ops/cpu/conv/grouped.h"
#include "ops/cpu/conv/pack.h"
#include "ops/cpu/conv/query.h"
#include "ops/cpu/cpu.h"
#include "ops/cpu/transpose_4.h"

typedef struct Packing {
    ConvGeometry g;
    const TileBlocks *blocks;
    int width, block_channels;
    int64_t taps;
    int64_t channels;    /* of the weights */
    const float *scales; /* may be NULL */
    const ConvTapScales *tap_scales;
    int64_t depths,
        depth_channels; /* steps in depth that are input channels, and how many channels each is */
    int64_t chunk_blocks;
} Packing;

/* Output channels of one group that share a vector, and the group's input channels. */
typedef struct Span {
    int64_t first, in_first;
    int count;
} Span;

static Span span_at(const Packing *packing, int64_t first, int64_t end) {
    const ConvGeometry *g = &packing->g;
    const int64_t out_group = g->out_channels / g->group, group = first / out_group;
    return (Span){.first = first,
                  .in_first = group * (g->in_channels / g->group),
                  .count = (int)(i64_min((group + 1) * out_group, end) - first)};
}

/* Columns of the weights, seen as a matrix of a row for each output channel, to where the tile reads them. */
typedef struct Columns {
    const float *from; /* of the span's first row; at any alignment */
    int64_t count;
    int64_t channel, tap;           /* of the input block, and of the kernel, that the first one is */
    int64_t block_channels, floats; /* of the input block; and of a lane's row in a tile */
    float *to;                      /* where the input block begins, at the span's first lane */
} Columns;

/* Where the next column goes; sets its factor and moves on. */
static float *next_column(const Packing *packing, Columns *columns, float *factor) {
    float *to = columns->to + (columns->tap * columns->block_channels + columns->channel) * columns->floats;
    *factor = packing->tap_scales ? packing->tap_scales->of[columns->tap] : 1;
    if (++columns->tap == packing->taps) {
        columns->tap = 0;
        columns->channel++;
    }
    columns->from++;
    columns->count--;
    return to;
}

static void pack_column(const Packing *packing, const Span *span, int64_t row, Columns *columns) {
    const float *from = columns->from;
    float factor, *to = next_column(packing, columns, &factor);
    for (int i = 0; i < span->count; i++) {
        float value;
        memcpy(&value, from + i * row, sizeof value);
        to[i] = value * (packing->scales ? packing->scales[span->first + i] * factor : factor);
    }
}

static void pack_four_columns(const Packing *packing, const Span *span, int64_t row, Columns *columns) {
    const float *from = columns->from;
    float factors[4], *to[4];
    for (int k = 0; k < 4; k++)
        to[k] = next_column(packing, columns, &factors[k]);
    for (int i = 0; i < span->count; i += 4, from += 4 * row) {
        v4 values[4], scales = {1, 1, 1, 1};
        if (packing->scales)
            scales = *(const v4_anywhere *)(packing->scales + span->first + i);
        transpose_4(from, row, values);
        for (int k = 0; k < 4; k++)
            *(v4_anywhere *)(to[k] + i) = values[k] * (scales * factors[k]);
    }
}

static void pack_columns(const Packing *packing, const Span *span, Columns columns) {
    const int64_t row = count_of(packing->channels, packing->depths, packing->taps);
    while (span->count % 4 == 0 && columns.count >= 4)
        pack_four_columns(packing, span, row, &columns);
    while (columns.count > 0)
        pack_column(packing, span, row, &columns);
}

/* Of an input block, the channels that belong to the span's group: side by side in the weights, unless they
 * have steps in depth between them. */
static void pack_span(const Packing *packing, const float *weights, const TileBlocks *blocks,
                      const Span *span, int64_t block, float *to) {
    const int64_t block_channels =
        block == blocks->in_count - 1 ? blocks->tail_channels : packing->block_channels;
    const int64_t first = (blocks->in_first + block) * packing->block_channels - span->in_first;
    const int64_t depth = i64_max(first, 0) / packing->depth_channels,
                  of_depth = first - depth * packing->depth_channels;
    if (depth >= packing->depths)
        return;
    const int64_t begin = i64_max(of_depth, 0), end = i64_min(of_depth + block_channels, packing->channels);
    const int64_t together = packing->depths == 1 ? end - begin : 1;
    for (int64_t c = begin; c < end; c += together) {
        const int64_t at = ((span->first * packing->channels + c) * packing->depths + depth) * packing->taps;
        const Columns columns = {.from = weights + at,
                                 .count = together * packing->taps,
                                 .channel = c - of_depth,
                                 .block_channels = block_channels,
                                 .floats = (int64_t)blocks->count * packing->width,
                                 .to = to};
        pack_columns(packing, span, columns);
    }
}

/* Input blocks [first, end) of a tile's weights. */
static void pack_blocks(const Packing *packing, const float *weights, const TileBlocks *blocks, int64_t first,
                        int64_t end, float *to) {
    const ConvGeometry *g = &packing->g;
    const int64_t width = packing->width, vectors = blocks->count * width,
                  block_floats = packing->block_channels * packing->taps * vectors;
    int64_t begin = blocks->first * width;
    const int64_t channels_end = i64_min(begin + vectors, g->out_channels);
    const int64_t in_channels =
        (end - first) * packing->block_channels -
        (end == blocks->in_count ? packing->block_channels - blocks->tail_channels : 0);
    /* What no channel fills stays zero. */
    if (g->group > 1 || packing->depth_channels > packing->channels || channels_end - begin < vectors)
        memset(to, 0, (size_t)(in_channels * packing->taps * vectors) * sizeof *to);
    for (Span span; begin < channels_end; begin += span.count) {
        span = span_at(packing, begin, i64_min((begin / width + 1) * width, channels_end));
        float *at = to + begin - blocks->first * width;
        for (int64_t block = first; block < end; block++, at += block_floats)
            pack_span(packing, weights, blocks, &span, block, at);
    }
}

static void fill_chunk(const void *context, const void *weights, int64_t run, int64_t chunk, float *to) {
    const Packing *packing = context;
    const TileBlocks *blocks = &packing->blocks[run];
    const int64_t first = chunk * packing->chunk_blocks,
                  end = i64_min(first + packing->chunk_blocks, blocks->in_count);
    if (first < end)
        pack_blocks(packing, weights, blocks, first, end,
                    to + blocks->weights_at +
                        first * packing->block_channels * packing->taps * blocks->count * packing->width);
}

void conv_pack_part(const ConvPack *pack, const KernelCall *call, int64_t tile, int64_t first, int64_t count,
                    float *to) {
    const Packing *packing = pack->fill.context;
    pack_blocks(packing, call->inputs[CONV_W], &packing->blocks[tile], first, first + count, to);
}

static int64_t count_taps(const ConvGeometry *g) {
    int64_t taps = 1;
    for (int i = 0; i < g->spatial; i++)
        taps = i64_product(taps, g->dims[i].kernel);
    return taps;
}

static int64_t count_tiles(const KernelQuery *query, const ConvGeometry *g, int count) {
    return ceil_div(ceil_div(g->out_channels, query->width), count);
}

static Status make_blocks(const KernelQuery *query, const ConvGeometry *g, int count, PrepareContext *ctx,
                          ConvPack *pack) {
    pack->n_blocks = count_tiles(query, g, count);
    pack->blocks = region_alloc_array(ctx->region, (size_t)pack->n_blocks, sizeof *pack->blocks);
    return pack->blocks ? STRIDER_OK
                        : fail_memory(ctx->err, bytes_of(sizeof *pack->blocks, pack->n_blocks).n, "the plan");
}

/* The output blocks of a tile, which begins at `floats`; moves that on. */
static TileBlocks next_blocks(const KernelQuery *query, const ConvGeometry *g, int block_channels, int count,
                              int64_t tile, int64_t *floats) {
    const int64_t first = tile * count, out_blocks = ceil_div(g->out_channels, query->width);
    TileBlocks blocks =
        tile_blocks(g, query->width, block_channels, (int)first, (int)i64_min(count, out_blocks - first));
    blocks.weights_at = (size_t)*floats;
    *floats = i64_sum(*floats, (int64_t)tile_weights(&blocks, query->width, block_channels, count_taps(g)));
    return blocks;
}

Bytes conv_run_bytes(const KernelQuery *query, const ConvGeometry *g, int block_channels, int count) {
    int64_t floats = 0;
    if (query->inputs[CONV_W].constant)
        return (Bytes){0};
    for (int64_t i = 0; i < count_tiles(query, g, count); i++)
        next_blocks(query, g, block_channels, count, i, &floats);
    return bytes_of(sizeof(float), floats);
}

Status conv_pack_weights(const KernelQuery *query, const ConvGeometry *g, int block_channels, int count,
                         const ConvTapScales *tap_scales, PrepareContext *ctx, ConvPack *pack) {
    const int64_t taps = count_taps(g);
    const Shape *w = &query->inputs[CONV_W].type.shape;
    const int64_t depths = shape_size(w, 2, w->rank) / taps;
    TRY(make_blocks(query, g, count, ctx, pack));
    int64_t floats = 0, in_count = 1;
    for (int64_t i = 0; i < pack->n_blocks; i++) {
        pack->blocks[i] = next_blocks(query, g, block_channels, count, i, &floats);
        in_count = i64_max(in_count, pack->blocks[i].in_count);
    }
    char key[112];
    snprintf(key, sizeof key, "conv %d %d %d %lld %lld %p %s", query->width, block_channels, count,
             (long long)g->group, (long long)depths, (const void *)conv_scale(query),
             tap_scales ? tap_scales->name : "");
    Packing *packing;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *packing, 1), &packing));
    *packing = (Packing){.g = *g,
                         .blocks = pack->blocks,
                         .width = query->width,
                         .block_channels = block_channels,
                         .taps = taps,
                         .channels = w->dims[1],
                         .tap_scales = tap_scales,
                         .depths = depths,
                         .depth_channels = g->in_channels / g->group / depths};
    TRY(conv_scales(query, g->out_channels, ctx, &packing->scales));
    const int64_t block_floats = count_of(taps, block_channels, count, query->width);
    packing->chunk_blocks = i64_min(ceil_div(CONV_CHUNK_FLOATS, block_floats), in_count);
    const ConvFill fill = {.fill = fill_chunk,
                           .context = packing,
                           .runs = pack->n_blocks,
                           .chunks = ceil_div(in_count, packing->chunk_blocks),
                           .run_channels = i64_product(count, query->width)};
    return conv_pack(query, &fill, key, bytes_of(sizeof(float), floats), ctx, pack);
}

/* --- groups that share a vector --- */

static void fill_grouped(const void *context, const void *weights, int64_t run, int64_t chunk, float *to) {
    (void)chunk;
    const Packing *packing = context;
    const ConvGeometry *g = &packing->g;
    const int64_t width = packing->width, group = g->in_channels / g->group, taps = packing->taps;
    const int64_t first = run * width, end = i64_min(first + width, g->out_channels);
    const char *source = weights; /* at any alignment: read by memcpy */
    to += packing->blocks[run].weights_at;
    memset(to, 0, (size_t)(taps * group * width) * sizeof *to);
    for (int64_t m = first; m < end; m++) {
        const float scale = packing->scales ? packing->scales[m] : 1;
        for (int64_t c = 0; c < group; c++) {
            const ConvGroupedPlace place = conv_grouped_place(group, m - first, c);
            for (int64_t t = 0; t < taps; t++) {
                float value;
                memcpy(&value, source + (size_t)((m * group + c) * taps + t) * sizeof value, sizeof value);
                to[(t * group + place.rotation) * width + place.lane] = value * scale;
            }
        }
    }
}

static Bytes grouped_bytes(const KernelQuery *query, const ConvGeometry *g) {
    return bytes_of(sizeof(float), count_tiles(query, g, 1), count_taps(g), g->in_channels / g->group,
                    query->width);
}

Bytes conv_run_bytes_grouped(const KernelQuery *query, const ConvGeometry *g) {
    return query->inputs[CONV_W].constant ? (Bytes){0} : grouped_bytes(query, g);
}

Status conv_pack_grouped(const KernelQuery *query, const ConvGeometry *g, PrepareContext *ctx,
                         ConvPack *pack) {
    const int64_t group = g->in_channels / g->group, taps = count_taps(g), width = query->width;
    TRY(make_blocks(query, g, 1, ctx, pack));
    for (int64_t i = 0; i < pack->n_blocks; i++) {
        pack->blocks[i] = tile_blocks(g, query->width, query->width, (int)i, 1);
        pack->blocks[i].weights_at = (size_t)count_of(i, taps, group, width);
    }
    char key[112];
    snprintf(key, sizeof key, "conv grouped %d %lld %p", query->width, (long long)g->group,
             (const void *)conv_scale(query));
    Packing *packing;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *packing, 1), &packing));
    *packing = (Packing){.g = *g, .blocks = pack->blocks, .width = query->width, .taps = taps};
    TRY(conv_scales(query, g->out_channels, ctx, &packing->scales));
    const ConvFill fill = {
        .fill = fill_grouped, .context = packing, .runs = pack->n_blocks, .chunks = 1, .run_channels = width};
    return conv_pack(query, &fill, key, grouped_bytes(query, g), ctx, pack);
}
