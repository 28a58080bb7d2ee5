/* SPDX-License-Identifier: Apache-2.0 */
/* Transposed convolution in one or two dimensions as ordinary ones: with stride s, output element o reads
 * through those taps k only for which o + pad - k is a multiple of s.  So the outputs whose o + pad leave the
 * same remainder, a phase, are a convolution with stride 1 by every s-th tap, whose results lie s apart: y[s
 * q + phase - pad] = sum over j of x[q - j] w[phase + s j] A task is one phase of the rows, a strip of its q,
 * and a run of output blocks; it copies the input rows that it needs, with zeros around, into its scratch
 * memory. */
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "ops/conv.h"
#include "ops/cpu/conv_query.h"
#include "ops/cpu/conv_tile.h"
#include "ops/cpu/cpu.h"

enum { LEAST_TASKS = 16, STRIP_BYTES = 192 * 1024 };

/* One phase of one dimension. */
typedef struct Phase {
    int64_t first, count; /* of q */
    int64_t out;          /* the output element of the first q */
    int64_t taps;
} Phase;

typedef struct TransposeArgs {
    const ConvTiles *tiles;
    const Epilogue *epilogue;
    const float *weights, *bias;
    const TileBlocks *blocks; /* for each phase, n_tile_blocks of them */
    Phase *rows, *columns;
    const ConvTap *taps; /* for each phase `most_taps` of them */
    int width;
    int64_t batch, in_blocks, out_blocks, out_channels, n_tile_blocks, blocks_a_task, parts;
    int64_t most_taps, strips, strip_rows;
    int64_t reach_y, reach_x; /* taps before q: rows and columns of the strip before the first */
    int64_t first_column, scratch_columns, scratch_rows;
    WindowDim y, x;
    bool has_residual;
} TransposeArgs;

static Phase phase_of(const WindowDim *dim, int64_t phase) {
    Phase made = {.taps = phase < dim->kernel ? ceil_div(dim->kernel - phase, dim->stride) : 0};
    /* The least q with s q + phase - pad >= 0, for pads of either sign. */
    int64_t short_by = dim->pad_begin - phase;
    made.first = short_by > 0 ? ceil_div(short_by, dim->stride) : -(-short_by / dim->stride);
    made.out = made.first * dim->stride + phase - dim->pad_begin;
    made.count = made.out < dim->out ? ceil_div(dim->out - made.out, dim->stride) : 0;
    return made;
}

/* Rows [first, first + rows) of the strip's input, with zeros where the input has none. */
static void copy_strip(const TransposeArgs *args, const float *in, int64_t first, int64_t rows,
                       const TileBlocks *from, const TileBlocks *to, float *scratch) {
    int64_t unit = args->width, columns = args->scratch_columns;
    int64_t before = i64_min(i64_max(-args->first_column, 0), columns);
    int64_t inside = i64_max(i64_min(args->x.in - i64_max(args->first_column, 0), columns - before), 0);
    for (int64_t block = from->in_first; block < to->in_first + to->in_count; block++)
        for (int64_t r = 0; r < rows; r++) {
            float *row = scratch + ((block - from->in_first) * args->scratch_rows + r) * columns * unit;
            int64_t at = first + r;
            if (at < 0 || at >= args->y.in) {
                memset(row, 0, (size_t)(columns * unit) * sizeof *row);
                continue;
            }
            const float *source =
                in + ((block * args->y.in + at) * args->x.in + i64_max(args->first_column, 0)) * unit;
            memset(row, 0, (size_t)(before * unit) * sizeof *row);
            memcpy(row + before * unit, source, (size_t)(inside * unit) * sizeof *row);
            memset(row + (before + inside) * unit, 0,
                   (size_t)((columns - before - inside) * unit) * sizeof *row);
        }
}

typedef struct TransposePlace {
    int64_t image, phase_y, first, rows, blocks_begin, blocks_end;
} TransposePlace;

static TransposePlace place_of(const TransposeArgs *args, int64_t task) {
    int64_t part = task % args->parts, strip = task / args->parts % args->strips;
    int64_t rest = task / (args->parts * args->strips);
    TransposePlace place = {.image = rest / args->y.stride,
                            .phase_y = rest % args->y.stride,
                            .first = strip * args->strip_rows,
                            .blocks_begin = part * args->blocks_a_task};
    place.rows = i64_min(args->strip_rows, args->rows[place.phase_y].count - place.first);
    place.blocks_end = i64_min(place.blocks_begin + args->blocks_a_task, args->n_tile_blocks);
    return place;
}

/* One row of one phase by one run of blocks. */
static void run_row(const TransposeArgs *args, const TileBlocks *blocks, const Phase *columns, ConvTile *tile,
                    const float *in, float *out, const float *residual) {
    int64_t n = tile_count(args->tiles, columns->count, blocks->count), width = args->width;
    for (int64_t i = 0; i < n; i++) {
        int64_t begin = i * columns->count / n, end = (i + 1) * columns->count / n;
        tile->in = in + (columns->first + begin - args->first_column) * width;
        tile->out = out + (columns->out + begin * args->x.stride) * width;
        tile->residual = residual ? residual + (columns->out + begin * args->x.stride) * width : NULL;
        args->tiles->blocked[blocks->count][end - begin](tile);
    }
}

static void conv_transpose_run(const KernelCall *call, int64_t task) {
    const TransposeArgs *args = call->args;
    TransposePlace place = place_of(args, task);
    if (place.rows <= 0)
        return;
    const Phase *rows = &args->rows[place.phase_y];
    int64_t width = args->width, in_plane = args->y.in * args->x.in * width,
            out_plane = args->y.out * args->x.out * width;
    const float *in = (const float *)call->inputs[CONV_X] + place.image * args->in_blocks * in_plane;
    float *out = (float *)call->outputs[0] + place.image * args->out_blocks * out_plane;
    const float *residual = args->has_residual ? (const float *)call->inputs[CONV_RESIDUAL] +
                                                     place.image * args->out_blocks * out_plane
                                               : NULL;
    const TileBlocks *first = &args->blocks[place.blocks_begin], *last = &args->blocks[place.blocks_end - 1];
    int64_t row_floats = args->scratch_columns * width;
    copy_strip(args, in, rows->first + place.first - args->reach_y, place.rows + args->reach_y, first, last,
               call->scratch);
    ConvTile tile = {.in_block_stride = args->scratch_rows * row_floats,
                     .lanes = (int)width,
                     .out_block_stride = out_plane,
                     .out_pixel_stride = args->x.stride * width,
                     .epilogue = args->epilogue};
    for (int64_t phase_x = 0; phase_x < args->x.stride; phase_x++) {
        const Phase *columns = &args->columns[phase_x];
        int64_t phase = place.phase_y * args->x.stride + phase_x;
        tile.taps = args->taps + phase * args->most_taps;
        tile.n_taps = tile.all_taps = rows->taps * columns->taps;
        for (int64_t b = place.blocks_begin; b < place.blocks_end && columns->count > 0; b++) {
            const TileBlocks *blocks = &args->blocks[phase * args->n_tile_blocks + b];
            tile_set_blocks(&tile, blocks, args->weights, args->bias, args->width, args->out_channels);
            for (int64_t r = 0; r < place.rows; r++) {
                int64_t at = blocks->first * out_plane +
                             (rows->out + (place.first + r) * args->y.stride) * args->x.out * width;
                const float *from = (const float *)call->scratch + (args->reach_y + r) * row_floats +
                                    (int64_t)(blocks->in_first - first->in_first) * tile.in_block_stride;
                run_row(args, blocks, columns, &tile, from, out + at, residual ? residual + at : NULL);
            }
        }
    }
}

/* --- preparing
 * ------------------------------------------------------------------------------------------------- */

static ConvGeometry query_geometry(const KernelQuery *query) {
    const ConvAttrs *attrs = query->node->attrs;
    return conv_transpose_geometry(attrs, &query->inputs[CONV_X].type.shape,
                                   &query->inputs[CONV_W].type.shape);
}

typedef struct TransposePack {
    const ConvGeometry *g;
    const TransposeArgs *args;
    const Tensor *weight, *scale;
} TransposePack;

/* The taps of one phase; weights are [C, M/group, rows, columns]. */
static void pack_tile(const TransposePack *pack, int64_t phase, const TileBlocks *blocks, float *to) {
    const ConvGeometry *g = pack->g;
    const TransposeArgs *args = pack->args;
    int64_t fy = phase / args->x.stride, fx = phase % args->x.stride, ny = args->rows[fy].taps,
            nx = args->columns[fx].taps;
    int64_t in_group = g->in_channels / g->group, out_group = g->out_channels / g->group;
    memset(to, 0, tile_weights(blocks, args->width, args->width, ny * nx) * sizeof *to);
    for (int o = 0; o < blocks->count; o++)
        for (int lane = 0; lane < args->width; lane++) {
            int64_t m = (int64_t)(blocks->first + o) * args->width + lane;
            if (m >= g->out_channels)
                break;
            float scale = pack->scale ? (float)tensor_get_f64(pack->scale, m) : 1;
            for (int64_t c = 0; c < in_group; c++)
                for (int64_t t = 0; t < ny * nx; t++) {
                    int64_t channel = m / out_group * in_group + c, ky = fy + t / nx * args->y.stride,
                            kx = fx + t % nx * args->x.stride;
                    int64_t from =
                        ((channel * out_group + m % out_group) * args->y.kernel + ky) * args->x.kernel + kx;
                    size_t at = tile_weight_at(blocks, args->width, args->width, ny * nx, t, channel, o);
                    to[at + (size_t)lane] = (float)tensor_get_f64(pack->weight, from) * scale;
                }
        }
}

static void fill_pack(void *context, void *memory) {
    const TransposePack *pack = context;
    const TransposeArgs *args = pack->args;
    for (int64_t phase = 0; phase < args->y.stride * args->x.stride; phase++)
        for (int64_t b = 0; b < args->n_tile_blocks; b++) {
            const TileBlocks *blocks = &args->blocks[phase * args->n_tile_blocks + b];
            pack_tile(pack, phase, blocks, (float *)memory + blocks->weights_at);
        }
    pack_consumed(pack->weight, pack->weight->data, pack->weight->size_bytes);
}

static Status no_memory(PrepareContext *ctx) {
    return fail(ctx->err, STRIDER_OUT_OF_MEMORY, "out of memory for the plan");
}

static Status make_phases(TransposeArgs *args, PrepareContext *ctx) {
    args->rows = region_take_array(ctx->region, (size_t)args->y.stride, sizeof(Phase));
    args->columns = region_take_array(ctx->region, (size_t)args->x.stride, sizeof(Phase));
    if (!args->rows || !args->columns)
        return no_memory(ctx);
    int64_t end = INT64_MIN;
    args->first_column = INT64_MAX;
    for (int64_t f = 0; f < args->y.stride; f++)
        args->rows[f] = phase_of(&args->y, f);
    args->reach_y = i64_max(ceil_div(args->y.kernel, args->y.stride) - 1, 0);
    args->reach_x = i64_max(ceil_div(args->x.kernel, args->x.stride) - 1, 0);
    for (int64_t f = 0; f < args->x.stride; f++) {
        args->columns[f] = phase_of(&args->x, f);
        args->first_column = i64_min(args->first_column, args->columns[f].first - args->reach_x);
        end = i64_max(end, args->columns[f].first + args->columns[f].count);
    }
    args->scratch_columns = end - args->first_column;
    args->most_taps = (args->reach_y + 1) * (args->reach_x + 1);
    int64_t phases = args->y.stride * args->x.stride;
    ConvTap *taps = region_take_array(ctx->region, (size_t)(phases * args->most_taps), sizeof *taps);
    if (!taps)
        return no_memory(ctx);
    for (int64_t phase = 0; phase < phases; phase++) {
        int64_t ny = args->rows[phase / args->x.stride].taps, nx = args->columns[phase % args->x.stride].taps;
        for (int64_t t = 0; t < ny * nx; t++)
            taps[phase * args->most_taps + t] =
                (ConvTap){-(t / nx * args->scratch_columns + t % nx) * args->width, t};
    }
    args->taps = taps;
    return STRIDER_OK;
}

static Status pack_weights(const KernelQuery *query, const ConvGeometry *g, TransposeArgs *args, int count,
                           PrepareContext *ctx, Prepared *prepared) {
    int64_t phases = args->y.stride * args->x.stride;
    args->n_tile_blocks = ceil_div(args->out_blocks, count);
    TileBlocks *blocks =
        region_take_array(ctx->region, (size_t)(phases * args->n_tile_blocks), sizeof *blocks);
    if (!blocks)
        return no_memory(ctx);
    size_t floats = 0;
    for (int64_t phase = 0; phase < phases; phase++)
        for (int64_t b = 0; b < args->n_tile_blocks; b++) {
            TileBlocks *at = &blocks[phase * args->n_tile_blocks + b];
            int first = (int)b * count;
            int64_t taps =
                args->rows[phase / args->x.stride].taps * args->columns[phase % args->x.stride].taps;
            *at = tile_blocks(g, args->width, args->width, first,
                              (int)i64_min(count, args->out_blocks - first));
            at->weights_at = floats;
            floats += tile_weights(at, args->width, args->width, taps);
        }
    args->blocks = blocks;
    char key[120];
    const void *packed;
    TransposePack pack = {g, args, query->inputs[CONV_W].constant, cpu_input_constant(query, CONV_SCALE)};
    snprintf(key, sizeof key, "transpose %d %d %lld %lldx%lld %p", args->width, count, (long long)g->group,
             (long long)args->y.stride, (long long)args->x.stride, (const void *)pack.scale);
    prepared->packed_bytes = floats * sizeof(float);
    TRY(pack_constant(ctx, pack.weight, key, prepared->packed_bytes, fill_pack, &pack, &packed));
    args->weights = packed;
    return STRIDER_OK;
}

static Status conv_transpose_prepare(const KernelQuery *query, PrepareContext *ctx, Prepared *prepared) {
    const ConvAttrs *attrs = query->node->attrs;
    ConvGeometry g = query_geometry(query);
    TransposeArgs *args = region_take(ctx->region, sizeof *args);
    if (!args)
        return no_memory(ctx);
    *args = (TransposeArgs){.tiles = conv_tiles(query->isa),
                            .epilogue = &attrs->epilogue,
                            .width = query->width,
                            .batch = g.batch,
                            .in_blocks = ceil_div(g.in_channels, query->width),
                            .out_blocks = ceil_div(g.out_channels, query->width),
                            .out_channels = g.out_channels,
                            .y = g.spatial == 2 ? g.dims[0] : (WindowDim){1, 1, 1, 1, 1, 0, 0},
                            .x = g.dims[g.spatial - 1],
                            .has_residual = attrs->epilogue.has_residual};
    TRY(make_phases(args, ctx));
    int64_t rows = 0;
    for (int64_t f = 0; f < args->y.stride; f++)
        rows = i64_max(rows, args->rows[f].count);
    int count = tile_choose_blocks(args->tiles, ceil_div(args->x.out, args->x.stride), args->out_blocks);
    TRY(pack_weights(query, &g, args, count, ctx, prepared));
    TRY(cpu_pack_bias(query, CONV_B, g.out_channels, query->width, ctx, &args->bias));
    int64_t row_bytes =
        args->blocks[0].in_count * args->scratch_columns * args->width * (int64_t)sizeof(float);
    args->strip_rows = i64_max(
        i64_min(STRIP_BYTES / i64_max(row_bytes, 1), ceil_div(rows * g.batch * args->y.stride, LEAST_TASKS)),
        1);
    args->strips = ceil_div(rows, args->strip_rows);
    int64_t parts =
        i64_min(ceil_div(LEAST_TASKS, args->strips * g.batch * args->y.stride), args->n_tile_blocks);
    args->blocks_a_task = ceil_div(args->n_tile_blocks, parts);
    args->parts = ceil_div(args->n_tile_blocks, args->blocks_a_task);
    args->scratch_rows = args->strip_rows + args->reach_y;
    prepared->scratch_bytes =
        (size_t)(args->in_blocks * args->scratch_rows * args->scratch_columns * args->width) * sizeof(float);
    prepared->run = conv_transpose_run;
    prepared->args = args;
    prepared->tasks = g.batch * args->y.stride * args->strips * args->parts;
    return STRIDER_OK;
}

static bool conv_transpose_accepts(KernelQuery *query) {
    if (!conv_accepts_blocked(query, query->width) || shape_elements(&query->inputs[CONV_X].type.shape) == 0)
        return false;
    const ConvGeometry g = query_geometry(query);
    for (int i = 0; i < g.spatial; i++)
        if (g.dims[i].dilation != 1 || g.dims[i].stride > 64)
            return false;
    return true;
}

static double conv_transpose_cost(const KernelQuery *query) {
    const Shape *w = &query->inputs[CONV_W].type.shape;
    return 2000 + (double)shape_elements(&query->inputs[CONV_X].type.shape) *
                      (double)shape_size(w, 1, w->rank) / 45.0;
}

const Kernel kernel_conv_transpose = {
    .name = "conv_transpose",
    .op = "ConvTranspose",
    .accepts = conv_transpose_accepts,
    .cost = conv_transpose_cost,
    .prepare = conv_transpose_prepare,
};
