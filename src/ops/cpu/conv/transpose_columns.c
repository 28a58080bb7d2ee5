/* SPDX-License-Identifier: Apache-2.0 */
/* Transposed convolution of few output channels, which would leave most of a vector of channels empty: the
 * products of each input pixel with all taps of all output channels, as many as fill vectors, are a 1x1
 * convolution.  An output sums those that fall on it:
 *     y[m, s q + phase - pad] = sum over taps k of the phase of column[m, k][q - ...]     (transpose.c)
 * A task is some rows of the output of an image: it makes the columns of the input rows that they read in
 * scratch memory.  The output is plain, as blocks of few channels are mostly padding. */
#include "ops/cpu/conv/transpose_columns.h"

#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "ops/cpu/conv/query.h"
#include "ops/cpu/cpu.h"

enum {
    MIN_TASKS = 16,
    ROW_TILE_BYTES = 256 * 1024,
    CHUNK_PIXELS = 4 * TILE_MAX_PIXELS, /* whose columns are made together, then put in rows */
};

typedef struct ColumnsArgs {
    ConvPack pack; /* of the 1x1 convolution */
    const ConvTiles *tiles;
    const TransposeColumnsTable *table;
    Epilogue epilogue;
    PhaseDim y, x;
    int width;
    int64_t batch, in_blocks, in_channels, out_channels, taps, column_blocks;
    int64_t rows_a_tile, row_tiles;
    int64_t max_in_rows; /* that the outputs of a tile read */
} ColumnsArgs;

/* --- preparing --- */

/* The 1x1 convolution, whose output channels are the weights of an input channel in order. */
static ConvGeometry columns_geometry(const ColumnsArgs *args) {
    return (ConvGeometry){.spatial = 2,
                          .batch = args->batch,
                          .group = 1,
                          .in_channels = args->in_channels,
                          .out_channels = i64_product(args->out_channels, args->taps)};
}

static int64_t in_rows_of(const ColumnsArgs *args, int64_t rows) {
    return i64_min(i64_sum(ceil_div(rows, args->y.dim.stride) + 1, args->y.halo), args->y.dim.in);
}

/* Rows of columns that neighbours make as well are to be few. */
static void split_rows(ColumnsArgs *args) {
    const WindowDim *y = &args->y.dim;
    const int64_t row_bytes = count_of(args->x.dim.in, args->column_blocks, args->width, sizeof(float));
    const int64_t by_memory =
        i64_product(i64_max(ROW_TILE_BYTES / i64_max(row_bytes, 1) - args->y.halo, 1), y->stride);
    const int64_t balanced = ceil_div(i64_product(y->out, args->batch), MIN_TASKS),
                  min_rows = count_of(4, i64_sum(args->y.halo, 1), y->stride);
    args->rows_a_tile = i64_min(i64_max(i64_min(by_memory, balanced), min_rows), y->out);
    args->row_tiles = ceil_div(y->out, args->rows_a_tile);
    args->max_in_rows = in_rows_of(args, args->rows_a_tile);
}

static ColumnsArgs plan_work(const KernelQuery *query, const ConvGeometry *g, int *count) {
    ColumnsArgs args = {.tiles = conv_tiles_for(query->target),
                        .table = transpose_columns_for(query->target),
                        .width = query->width,
                        .batch = g->batch,
                        .in_channels = g->in_channels,
                        .in_blocks = ceil_div(g->in_channels, query->width),
                        .out_channels = g->out_channels,
                        .taps = i64_product(g->dims[1].kernel, g->dims[2].kernel),
                        .y = transpose_phase_dim(&g->dims[1]),
                        .x = transpose_phase_dim(&g->dims[2])};
    args.column_blocks = ceil_div(i64_product(args.out_channels, args.taps), query->width);
    conv_epilogue(query->node, &args.epilogue);
    split_rows(&args);
    *count = tile_choose_blocks(args.tiles, i64_product(args.max_in_rows, args.x.dim.in), args.column_blocks);
    return args;
}

/* A task's memory: columns; those of a chunk; a phase of a row; a row, of whole vectors. */
static int64_t columns_floats(const ColumnsArgs *args) {
    return count_of(args->column_blocks, args->width, args->max_in_rows, args->x.dim.in);
}

static int64_t chunk_floats(const ColumnsArgs *args) {
    return count_of(TILE_MAX_BLOCKS, CHUNK_PIXELS, args->width);
}

static Bytes task_scratch(const ColumnsArgs *args) {
    const int64_t line = i64_sum(args->x.dim.out, args->width);
    return bytes_of(sizeof(float),
                    i64_sum(i64_sum(columns_floats(args), chunk_floats(args)), i64_product(2, line)));
}

typedef struct ColumnsFill {
    int64_t in_channels, lanes, taps; /* lanes: weights of an input channel */
    const TileBlocks *blocks;
    const float *scales; /* may be NULL */
    int width;
} ColumnsFill;

/* Weights are [C, M, rows, columns]: a tile takes a run of each input channel's. */
static void fill_tile(const void *context, const void *weights, int64_t run, int64_t chunk, float *to) {
    (void)chunk;
    const ColumnsFill *fill = context;
    const TileBlocks *blocks = &fill->blocks[run];
    const int64_t first = (int64_t)blocks->first * fill->width, floats = (int64_t)blocks->count * fill->width,
                  count = i64_min(floats, fill->lanes - first);
    to += blocks->weights_at;
    for (int64_t c = 0; c < fill->in_channels; c++, to += floats) {
        memset(to, 0, (size_t)floats * sizeof *to);
        memcpy(to, (const char *)weights + (size_t)(c * fill->lanes + first) * sizeof *to,
               (size_t)count * sizeof *to);
        for (int64_t i = 0; i < count && fill->scales; i++)
            to[i] *= fill->scales[(first + i) / fill->taps];
    }
}

static Status make_blocks(ColumnsArgs *args, int count, PrepareContext *ctx) {
    const ConvGeometry g = columns_geometry(args);
    args->pack.n_blocks = ceil_div(args->column_blocks, count);
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof(TileBlocks), args->pack.n_blocks), &args->pack.blocks));
    size_t at = 0;
    for (int64_t b = 0; b < args->pack.n_blocks; b++) {
        const int first = (int)b * count;
        TileBlocks *blocks = &args->pack.blocks[b];
        *blocks = tile_blocks(&g, args->width, args->width, first,
                              (int)i64_min(count, args->column_blocks - first));
        blocks->weights_at = at;
        at += tile_weights(blocks, args->width, args->width, 1);
    }
    return STRIDER_OK;
}

static Bytes packed_size(const ColumnsArgs *args) {
    return bytes_of(sizeof(float), args->in_channels, args->column_blocks, args->width);
}

static Bytes run_bytes(const KernelQuery *query, const ColumnsArgs *args) {
    return query->inputs[CONV_W].constant ? (Bytes){0} : packed_size(args);
}

static Status pack_weights(const KernelQuery *query, ColumnsArgs *args, int count, PrepareContext *ctx) {
    TRY(make_blocks(args, count, ctx));
    ColumnsFill *context;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *context, 1), &context));
    *context = (ColumnsFill){.in_channels = args->in_channels,
                             .lanes = i64_product(args->out_channels, args->taps),
                             .taps = args->taps,
                             .blocks = args->pack.blocks,
                             .width = args->width};
    TRY(conv_scales(query, args->out_channels, ctx, &context->scales));
    char key[80];
    snprintf(key, sizeof key, "transpose columns %d %d %p", args->width, count,
             (const void *)conv_scale(query));
    const ConvFill fill = {.fill = fill_tile, .context = context, .runs = args->pack.n_blocks, .chunks = 1};
    return conv_pack(query, &fill, key, packed_size(args), ctx, &args->pack);
}

/* --- running --- */

/* Input rows [first, end) that the output rows of a task read; the rows themselves. */
typedef struct ColumnsPlace {
    int64_t image, first_out, end_out, first, end;
} ColumnsPlace;

/* The phase of an output row, its q, and the taps that it reads. */
typedef struct RowTaps {
    const Phase *phase;
    int64_t q;
    WindowTaps taps;
} RowTaps;

static RowTaps row_taps(const ColumnsArgs *args, int64_t out) {
    const int64_t at = out + args->y.dim.pad_begin, stride = args->y.dim.stride;
    const int64_t phase = (at % stride + stride) % stride; /* pads may be negative */
    RowTaps row = {.phase = &args->y.phases[phase], .q = (at - phase) / stride};
    row.taps = transpose_taps(&args->y, row.phase, row.q, row.q);
    return row;
}

static int64_t row_of_tap(const ColumnsArgs *args, const RowTaps *row, int64_t tap) {
    return row->q - row->phase->shift - tap * args->y.in_step;
}

static ColumnsPlace place_of(const ColumnsArgs *args, int64_t task) {
    const int64_t first = task % args->row_tiles * args->rows_a_tile;
    ColumnsPlace place = {.image = task / args->row_tiles,
                          .first_out = first,
                          .end_out = i64_min(first + args->rows_a_tile, args->y.dim.out),
                          .first = args->y.dim.in};
    for (int64_t out = place.first_out; out < place.end_out; out++) {
        const RowTaps row = row_taps(args, out);
        if (row.taps.first >= row.taps.end)
            continue;
        place.first = i64_min(place.first, row_of_tap(args, &row, row.taps.end - 1));
        place.end = i64_max(place.end, row_of_tap(args, &row, row.taps.first) + 1);
    }
    place.end = i64_max(place.end, place.first);
    return place;
}

/* The columns of `pixels` from `in` on by one run of blocks, at a tile's `out`. */
static void make_chunk(const ColumnsArgs *args, ConvTile *tile, int blocks, const float *in, int64_t pixels) {
    const int64_t n = tile_count(args->tiles, pixels, blocks), width = args->width;
    float *out = tile->out;
    for (int64_t i = 0; i < n; i++) {
        const int64_t begin = i * pixels / n, end = (i + 1) * pixels / n;
        tile->in = in + begin * width;
        tile->out = out + begin * width;
        args->tiles->blocked[blocks][end - begin](tile);
    }
    tile->out = out;
}

/* Some of a run of blocks, in the order in which rows read them. */
static void spread_chunk(const ColumnsArgs *args, const ConvTile *tile, const TileBlocks *blocks,
                         int64_t chunk, float *to, int64_t pixels) {
    const int64_t weights = args->out_channels * args->taps;
    for (int o = 0; o < blocks->count; o++) {
        const int64_t first = (int64_t)(blocks->first + o) * args->width;
        args->table->spread(tile->out + o * tile->out_block_stride, chunk,
                            i64_min(args->width, weights - first), to + first * pixels, pixels);
    }
}

/* The columns of a task's input rows, which are one long row of pixels. */
static void make_columns(const ColumnsArgs *args, const KernelCall *call, const ColumnsPlace *place) {
    const int64_t width = args->width, in_row = args->x.dim.in * width, plane = args->y.dim.in * in_row;
    const int64_t pixels = (place->end - place->first) * args->x.dim.in;
    const float *in =
        (const float *)call->inputs[CONV_X] + place->image * args->in_blocks * plane + place->first * in_row;
    const ConvPacked packed = conv_packed(&args->pack, call);
    const ConvTap tap = {0, 0};
    float *columns = call->scratch;
    ConvTile tile = {.in_block_stride = plane,
                     .block_channels = args->width,
                     .sum_blocks = tile_sum_blocks(width),
                     .taps = &tap,
                     .n_taps = 1,
                     .all_taps = 1,
                     .out = columns + columns_floats(args),
                     .out_block_stride = CHUNK_PIXELS * width,
                     .out_pixel_stride = width};
    for (int64_t b = 0; b < args->pack.n_blocks; b++) {
        const TileBlocks *blocks = &args->pack.blocks[b];
        const int64_t step =
            CHUNK_PIXELS / args->tiles->max_pixels[blocks->count] * args->tiles->max_pixels[blocks->count];
        tile.n_in_blocks = blocks->in_count;
        tile.tail_channels = blocks->tail_channels;
        tile.weights = packed.weights + blocks->weights_at;
        for (int64_t at = 0; at < pixels; at += step) {
            const int64_t chunk = i64_min(step, pixels - at);
            make_chunk(args, &tile, blocks->count, in + at * width, chunk);
            spread_chunk(args, &tile, blocks, chunk, columns + at, pixels);
        }
    }
}

static void run_row(const ColumnsArgs *args, const KernelCall *call, const ColumnsPlace *place, int64_t out,
                    int64_t channel) {
    const RowTaps taps = row_taps(args, out);
    const int64_t in = args->x.dim.in, pixels = (place->end - place->first) * in;
    const int64_t at =
        ((place->image * args->out_channels + channel) * args->y.dim.out + out) * args->x.dim.out;
    const float *residual = cpu_residual(call, &args->epilogue);
    float *memory = (float *)call->scratch + columns_floats(args) + chunk_floats(args);
    const ColumnsRow row = {.x = &args->x,
                            .columns = call->scratch,
                            .pixels = pixels,
                            .n_rows = taps.taps.end - taps.taps.first,
                            .first_pixel = (row_of_tap(args, &taps, taps.taps.first) - place->first) * in,
                            .pixels_step = -args->y.in_step * in,
                            .first_weight =
                                channel * args->taps +
                                (taps.phase->tap + taps.taps.first * args->y.tap_step) * args->x.dim.kernel,
                            .weights_step = args->y.tap_step * args->x.dim.kernel,
                            .bias = conv_packed(&args->pack, call).bias[channel],
                            .sums = memory,
                            .line = memory + args->x.dim.out,
                            .out = (float *)call->outputs[0] + at,
                            .residual = residual ? residual + at : NULL,
                            .epilogue = &args->epilogue};
    args->table->run(&row);
}

static void columns_run(const KernelCall *call, int64_t task) {
    const ColumnsArgs *args = call->args;
    const ColumnsPlace place = place_of(args, task);
    make_columns(args, call, &place);
    for (int64_t out = place.first_out; out < place.end_out; out++)
        for (int64_t channel = 0; channel < args->out_channels; channel++)
            run_row(args, call, &place, out, channel);
}

static Status columns_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const ConvGeometry g = transpose_geometry(query);
    ColumnsArgs *args;
    int count;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    *args = plan_work(query, &g, &count);
    TRY(transpose_make_phases(&args->y, ctx));
    TRY(transpose_make_phases(&args->x, ctx));
    TRY(pack_weights(query, args, count, ctx));
    TRY(conv_pack_bias(query, g.out_channels, ctx, &args->pack));
    *instance = (KernelInstance){.run = columns_run,
                                 .args = args,
                                 .tasks = i64_product(args->batch, args->row_tiles),
                                 .scratch_bytes = task_scratch(args)};
    conv_pack_finish(&args->pack, instance);
    return STRIDER_OK;
}

/* --- choosing --- */

/* Images of one group, as one long row is one task, and depths would make the same columns again. */
static bool columns_accepts(KernelQuery *query) {
    if (!transpose_accepts_blocked(query))
        return false;
    const ConvGeometry g = transpose_geometry(query);
    if (g.group > 1 || g.dims[0].out != 1 || g.dims[0].in != 1 || g.dims[0].kernel != 1 ||
        g.dims[0].pad_begin || g.dims[1].out == 1)
        return false;
    Epilogue epilogue;
    conv_epilogue(query->node, &epilogue);
    query->outputs[0].layout = layout_plain();
    if (epilogue.residual_port >= 0)
        query->inputs[epilogue.residual_port].layout = layout_plain();
    int count;
    const ColumnsArgs args = plan_work(query, &g, &count);
    return cpu_in_proportion(query, task_scratch(&args), run_bytes(query, &args));
}

#define ADD_NS 0.2 /* of a product that is there */

static double columns_cost(const KernelQuery *query) {
    const ConvGeometry g = transpose_geometry(query);
    int count;
    const ColumnsArgs args = plan_work(query, &g, &count);
    const double pixels = (double)args.max_in_rows * (double)args.row_tiles * (double)g.dims[2].in;
    const double lanes = (double)(args.column_blocks * args.width);
    return 2000 + conv_pack_cost(run_bytes(query, &args)) +
           (double)g.batch * pixels *
               (lanes * (double)g.in_channels / 45.0 + (double)(g.out_channels * args.taps) * ADD_NS);
}

const Kernel kernel_conv_transpose_columns = {
    .name = "conv_transpose_columns",
    .op = OP_ConvTranspose,
    .accepts = columns_accepts,
    .cost = columns_cost,
    .prepare = columns_prepare,
};
