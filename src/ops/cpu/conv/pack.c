/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/conv/pack.h"

#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "ops/cpu/conv/query.h"
#include "ops/cpu/cpu.h"

typedef struct Packing {
    ConvGeometry g;
    const TileBlocks *blocks;
    int width, lanes;
    int64_t taps;
    const Tensor *weight, *scale; /* scale may be NULL */
    const ConvTapScales *tap_scales;
    int64_t depths,
        depth_channels; /* steps in depth that are input channels, and how many channels each is */
} Packing;

static float tap_scale(const Packing *packing, int64_t tap) {
    return packing->tap_scales ? packing->tap_scales->of[tap] : 1;
}

/* One output block of a tile, whose lanes may belong to several groups. */
static void pack_grouped_block(const Packing *packing, const TileBlocks *blocks, int o, float *to) {
    const ConvGeometry *g = &packing->g;
    const int64_t taps = packing->taps, in_group = g->in_channels / g->group,
                  out_group = g->out_channels / g->group;
    const int64_t first = (int64_t)(blocks->first + o) * packing->width;
    const char *source = packing->weight->data; /* at any alignment: read by memcpy */
    for (int64_t m = first; m < i64_min(first + packing->width, g->out_channels); m++) {
        const float scale = packing->scale ? (float)tensor_get_f64(packing->scale, m) : 1;
        for (int64_t c = 0; c < in_group; c++)
            for (int64_t t = 0; t < taps; t++) {
                float value;
                memcpy(&value, source + (size_t)((m * in_group + c) * taps + t) * sizeof value, sizeof value);
                to[tile_weight_at(blocks, packing->width, packing->lanes, taps, t,
                                  m / out_group * in_group + c, o) +
                   (size_t)(m - first)] = value * (scale * tap_scale(packing, t));
            }
    }
}

/* Where the taps of an output and an input channel lie; NULL where the weights have no such channel. */
static const char *taps_of(const Packing *packing, int64_t out_channel, int64_t channel) {
    const int64_t channels = packing->weight->type.shape.dims[1];
    const int64_t depth = channel / packing->depth_channels, of_depth = channel % packing->depth_channels;
    if (of_depth >= channels)
        return NULL;
    const int64_t at = ((out_channel * channels + of_depth) * packing->depths + depth) * packing->taps;
    return (const char *)packing->weight->data + bytes_of(sizeof(float), at).n;
}

/* The same without groups.  A vector's channels are read side by side, so that what is written lies
 * together. */
static void pack_block(const Packing *packing, const TileBlocks *blocks, int o, float *to) {
    const ConvGeometry *g = &packing->g;
    const int64_t taps = packing->taps, in_channels = g->in_channels;
    const int64_t first = (int64_t)(blocks->first + o) * packing->width;
    const int lanes = (int)i64_min(packing->width, g->out_channels - first);
    const size_t lane_bytes = packing->weight->size_bytes / (size_t)g->out_channels;
    float scales[64];
    for (int lane = 0; lane < lanes; lane++)
        scales[lane] = packing->scale ? (float)tensor_get_f64(packing->scale, first + lane) : 1;
    for (int64_t c = 0; c < in_channels; c++) {
        const int64_t of_block =
            c / packing->lanes == blocks->in_count - 1 ? blocks->last_lanes : packing->lanes;
        float *at = to + tile_weight_at(blocks, packing->width, packing->lanes, taps, 0, c, o);
        const char *source = taps_of(packing, first, c);
        for (int64_t t = 0; source && t < taps;
             t++, at += of_block * blocks->count * packing->width, source += sizeof(float)) {
            const float of_tap = tap_scale(packing, t);
            for (int lane = 0; lane < lanes; lane++) {
                float value;
                memcpy(&value, source + (size_t)lane * lane_bytes, sizeof value);
                at[lane] = value * (scales[lane] * of_tap);
            }
        }
    }
}

static void pack_tile(const Packing *packing, const TileBlocks *blocks, float *to) {
    /* What no channel fills stays zero. */
    if (packing->g.group > 1 || packing->depth_channels > packing->weight->type.shape.dims[1] ||
        (int64_t)(blocks->first + blocks->count) * packing->width > packing->g.out_channels)
        memset(to, 0, tile_weights(blocks, packing->width, packing->lanes, packing->taps) * sizeof *to);
    for (int o = 0; o < blocks->count; o++)
        (packing->g.group > 1 ? pack_grouped_block : pack_block)(packing, blocks, o, to);
}

static void fill_pack(void *context, void *memory, int64_t piece) {
    const Packing *packing = context;
    const size_t channel_bytes = packing->weight->size_bytes / (size_t)packing->g.out_channels;
    const TileBlocks *blocks = &packing->blocks[piece];
    int64_t begin = (int64_t)blocks->first * packing->width;
    int64_t end = i64_min((int64_t)(blocks->first + blocks->count) * packing->width, packing->g.out_channels);
    pack_tile(packing, blocks, (float *)memory + blocks->weights_at);
    pack_consumed(packing->weight, (const char *)packing->weight->data + (size_t)begin * channel_bytes,
                  (size_t)(end - begin) * channel_bytes);
}

static int64_t count_taps(const ConvGeometry *g) {
    int64_t taps = 1;
    for (int i = 0; i < g->spatial; i++)
        taps = i64_product(taps, g->dims[i].kernel);
    return taps;
}

static Status make_blocks(const KernelQuery *query, const ConvGeometry *g, int count, PrepareContext *ctx,
                          ConvPack *pack) {
    pack->n_blocks = ceil_div(ceil_div(g->out_channels, query->width), count);
    pack->blocks = region_alloc_array(ctx->region, (size_t)pack->n_blocks, sizeof *pack->blocks);
    return pack->blocks ? STRIDER_OK
                        : fail_memory(ctx->err, bytes_of(sizeof *pack->blocks, pack->n_blocks).n, "the plan");
}

Status conv_pack_weights(const KernelQuery *query, const ConvGeometry *g, int lanes, int count,
                         const ConvTapScales *tap_scales, PrepareContext *ctx, ConvPack *pack) {
    const int64_t out_blocks = ceil_div(g->out_channels, query->width);
    const int64_t taps = count_taps(g);
    const Tensor *weight = query->inputs[CONV_W].constant;
    const Shape *w = &weight->type.shape;
    const int64_t depths = shape_size(w, 2, w->rank) / taps;
    TRY(make_blocks(query, g, count, ctx, pack));
    int64_t floats = 0;
    for (int64_t i = 0; i < pack->n_blocks; i++) {
        int first = (int)i * count;
        pack->blocks[i] = tile_blocks(g, query->width, lanes, first, (int)i64_min(count, out_blocks - first));
        pack->blocks[i].weights_at = (size_t)floats;
        floats = i64_sum(floats, (int64_t)tile_weights(&pack->blocks[i], query->width, lanes, taps));
    }
    char key[112];
    Epilogue epilogue;
    conv_epilogue(query->node, &epilogue);
    const Tensor *scale = conv_scale(query, &epilogue);
    snprintf(key, sizeof key, "conv %d %d %d %lld %lld %p %s", query->width, lanes, count,
             (long long)g->group, (long long)depths, (const void *)scale, tap_scales ? tap_scales->name : "");
    Packing *packing;
    const void *packed;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *packing, 1), &packing));
    *packing = (Packing){*g,     pack->blocks, query->width, lanes,  taps,
                         weight, scale,        tap_scales,   depths, g->in_channels / depths};
    const Bytes size = bytes_of(sizeof(float), floats);
    pack->size_bytes = size.n;
    const PackFill fill = {fill_pack, pack->n_blocks, packing};
    TRY(pack_constant_later(ctx, packing->weight, key, size, &fill, &packed));
    pack->weights = packed;
    return STRIDER_OK;
}

/* --- groups that share a vector --- */

static void fill_grouped(void *context, void *memory, int64_t piece) {
    const Packing *packing = context;
    const ConvGeometry *g = &packing->g;
    const int64_t width = packing->width, group = g->in_channels / g->group, taps = packing->taps;
    const int64_t first = piece * width, end = i64_min(first + width, g->out_channels);
    const char *source = packing->weight->data; /* at any alignment: read by memcpy */
    float *to = (float *)memory + packing->blocks[piece].weights_at;
    memset(to, 0, (size_t)(taps * group * width) * sizeof *to);
    for (int64_t m = first; m < end; m++) {
        const float scale = packing->scale ? (float)tensor_get_f64(packing->scale, m) : 1;
        for (int64_t c = 0; c < group; c++)
            for (int64_t t = 0; t < taps; t++) {
                const int64_t rotation = (c - m % group + group) % group,
                              lane = (m - first) / group * group + c;
                float value;
                memcpy(&value, source + (size_t)((m * group + c) * taps + t) * sizeof value, sizeof value);
                to[(t * group + rotation) * width + lane] = value * scale;
            }
    }
    pack_consumed(packing->weight, source + bytes_of(sizeof(float), first, group, taps).n,
                  bytes_of(sizeof(float), end - first, group, taps).n);
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
    Epilogue epilogue;
    conv_epilogue(query->node, &epilogue);
    const Tensor *scale = conv_scale(query, &epilogue);
    snprintf(key, sizeof key, "conv grouped %d %lld %p", query->width, (long long)g->group,
             (const void *)scale);
    Packing *packing;
    const void *packed;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *packing, 1), &packing));
    *packing = (Packing){.g = *g,
                         .blocks = pack->blocks,
                         .width = query->width,
                         .taps = taps,
                         .weight = query->inputs[CONV_W].constant,
                         .scale = scale};
    const Bytes size = bytes_of(sizeof(float), pack->n_blocks, taps, group, width);
    pack->size_bytes = size.n;
    const PackFill fill = {fill_grouped, pack->n_blocks, packing};
    TRY(pack_constant_later(ctx, packing->weight, key, size, &fill, &packed));
    pack->weights = packed;
    return STRIDER_OK;
}
