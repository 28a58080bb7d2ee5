/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/conv_pack.h"

#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "ops/cpu/cpu.h"

typedef struct Packing {
    const ConvGeometry *g;
    const ConvPack *pack;
    int width, lanes;
    int64_t taps;
    const Tensor *weight, *scale; /* scale may be NULL */
} Packing;

ConvGeometry conv_query_geometry(const KernelQuery *query) {
    const ConvAttrs *attrs = query->node->attrs;
    return conv_geometry(attrs, &query->inputs[CONV_X].type.shape, &query->inputs[CONV_W].type.shape);
}

bool conv_accepts_blocked(KernelQuery *query, Layout input) {
    const Operand *x = &query->inputs[CONV_X], *w = &query->inputs[CONV_W];
    if (x->type.dtype != STRIDER_F32 || x->type.shape.rank > 4 || !w->constant ||
        !cpu_optional_constant(query, CONV_B) || !cpu_optional_constant(query, CONV_SCALE) ||
        shape_elements(&query->outputs[0].type.shape) == 0 || shape_elements(&w->type.shape) == 0)
        return false;
    query->inputs[CONV_X].layout = input;
    for (int i = CONV_W; i < query->n_inputs && i < CONV_RESIDUAL; i++)
        query->inputs[i].packed = true;
    if (query->n_inputs > CONV_RESIDUAL)
        query->inputs[CONV_RESIDUAL].layout = query->width;
    query->outputs[0].layout = query->width;
    return true;
}

/* One output block of a tile.  Sixteen channels' weights are read side by side, so that what is written lies
 * together. */
static void pack_block(const Packing *packing, const TileBlocks *blocks, int o, float *to) {
    const ConvGeometry *g = packing->g;
    const int64_t taps = packing->taps, in_group = g->in_channels / g->group,
                  out_group = g->out_channels / g->group;
    const int64_t first = (int64_t)(blocks->first + o) * packing->width;
    const int lanes = (int)i64_min(packing->width, g->out_channels - first);
    const char *source = packing->weight->data; /* at any alignment: read by memcpy */
    float scales[64];
    for (int lane = 0; lane < lanes; lane++)
        scales[lane] = packing->scale ? (float)tensor_get_f64(packing->scale, first + lane) : 1;
    for (int64_t c = 0; c < in_group; c++)
        for (int64_t t = 0; t < taps; t++) {
            int64_t channel = first / out_group * in_group + c;
            size_t at = tile_weight_at(blocks, packing->width, packing->lanes, taps, t, channel, o);
            for (int lane = 0; lane < lanes; lane++) {
                const int64_t m = first + lane;
                float value;
                memcpy(&value, source + (size_t)((m * in_group + c) * taps + t) * sizeof value, sizeof value);
                if (g->group > 1) /* lanes of one vector may belong to several groups */
                    at = tile_weight_at(blocks, packing->width, packing->lanes, taps, t,
                                        m / out_group * in_group + c, o);
                to[at + (size_t)lane] = value * scales[lane];
            }
        }
}

static void pack_tile(const Packing *packing, const TileBlocks *blocks, float *to) {
    memset(to, 0, tile_weights(blocks, packing->width, packing->lanes, packing->taps) * sizeof *to);
    for (int o = 0; o < blocks->count; o++)
        pack_block(packing, blocks, o, to);
}

static void fill_pack(void *context, void *memory) {
    const Packing *packing = context;
    const size_t channel_bytes = packing->weight->size_bytes / (size_t)packing->g->out_channels;
    for (int64_t i = 0; i < packing->pack->n_blocks; i++) {
        const TileBlocks *blocks = &packing->pack->blocks[i];
        int64_t begin = (int64_t)blocks->first * packing->width;
        int64_t end =
            i64_min((int64_t)(blocks->first + blocks->count) * packing->width, packing->g->out_channels);
        pack_tile(packing, blocks, (float *)memory + blocks->weights_at);
        pack_consumed(packing->weight, (const char *)packing->weight->data + (size_t)begin * channel_bytes,
                      (size_t)(end - begin) * channel_bytes);
    }
}

Status conv_pack_weights(const KernelQuery *query, const ConvGeometry *g, int lanes, int count,
                         PrepareContext *ctx, ConvPack *pack) {
    const int64_t out_blocks = ceil_div(g->out_channels, query->width);
    int64_t taps = 1;
    for (int i = 0; i < g->spatial; i++)
        taps *= g->dims[i].kernel;
    pack->n_blocks = ceil_div(out_blocks, count);
    pack->blocks = region_take_array(ctx->region, (size_t)pack->n_blocks, sizeof *pack->blocks);
    if (!pack->blocks)
        return fail_memory(ctx->err, (size_t)pack->n_blocks * sizeof *pack->blocks, "the plan");
    size_t floats = 0;
    for (int64_t i = 0; i < pack->n_blocks; i++) {
        int first = (int)i * count;
        pack->blocks[i] = tile_blocks(g, query->width, lanes, first, (int)i64_min(count, out_blocks - first));
        pack->blocks[i].weights_at = floats;
        floats += tile_weights(&pack->blocks[i], query->width, lanes, taps);
    }
    char key[96];
    const Tensor *scale = cpu_input_constant(query, CONV_SCALE);
    snprintf(key, sizeof key, "conv %d %d %d %lld %p", query->width, lanes, count, (long long)g->group,
             (const void *)scale);
    Packing packing = {g, pack, query->width, lanes, taps, query->inputs[CONV_W].constant, scale};
    const void *packed;
    pack->size_bytes = floats * sizeof(float);
    TRY(pack_constant(ctx, query->inputs[CONV_W].constant, key, pack->size_bytes, fill_pack, &packing,
                      &packed));
    pack->weights = packed;
    return STRIDER_OK;
}
