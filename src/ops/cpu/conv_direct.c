/* SPDX-License-Identifier: Apache-2.0 */
/* Direct convolution in one or two dimensions, blocked output; input blocked, or plain where it has few
 * channels.
 *
 * The work is cut into strips of output rows times runs of output blocks; a task computes one such piece by
 * register tiles (conv_tile.h), each summing over all input channels and taps before it writes.  Where a
 * convolution is padded or has a stride, the task first copies the input rows that it needs into its scratch
 * memory, with zeros for the padding and columns sorted by their remainder modulo the stride, so that a
 * tile's pixels always lie one after the other. A 1x1 convolution without either sees its image as one long
 * row, cut into pieces; one with stride 2 reads every other pixel where it lies.
 *
 * Groups: an output block reads those input blocks that its groups' channels lie in; the weights of lanes
 * outside its groups are zero. */
#include <string.h>

#include "base/size.h"
#include "ops/conv.h"
#include "ops/cpu/conv_pack.h"
#include "ops/cpu/conv_query.h"
#include "ops/cpu/conv_row_cut.h"
#include "ops/cpu/conv_tile.h"
#include "ops/cpu/cpu.h"
#include "ops/kernel.h"

enum {
    STRIP_BYTES = 192 * 1024,   /* input of a strip: leaves most of a 1 MiB L2 cache for weights */
    WEIGHTS_BYTES = 256 * 1024, /* weights of a task that stay in L2 while its pixels pass */
    LEAST_TASKS = 16,
};

typedef struct DirectArgs {
    const ConvTiles *tiles;
    const Epilogue *epilogue;
    ConvPack pack;
    const float *bias;
    const ConvTap *taps;
    RowCut cut; /* where padding is skipped; no pieces: it is not */
    int64_t tile_blocks_a_task, oc_parts;
    int width; /* floats in an output vector */
    int unit;  /* floats in an input pixel: the width, or 1 for plain input */
    int lanes; /* of an input block: the width, or 1 */
    int64_t n_taps, out_channels, out_blocks, in_blocks, batch;
    WindowDim y, x;                        /* rows and columns */
    bool every_other;                      /* a tile's pixels lie two apart */
    bool copies;                           /* input rows go through scratch memory */
    int64_t in_height, in_width, in_plane; /* plane in floats */
    int64_t rows, row_pixels;              /* of the output as it is cut here; the last row may be shorter */
    int64_t total_pixels; /* of the output's plane, where rows are pieces of one long row; else 0 */
    int64_t strip_rows, strips;
    int64_t row_step;                 /* scratch rows from one output row's window to the next one's */
    int64_t phase_pixels, row_floats; /* of a scratch row: pixels of one remainder, and floats of all */
    int64_t scratch_rows;
    bool weights_outer; /* blocks in the outer loop, pixels in the inner one */
    bool has_residual;
} DirectArgs;

/* --- running
 * --------------------------------------------------------------------------------------------------- */

/* One input row into scratch memory: for each remainder modulo the stride, its columns in order. */
static void copy_row(const DirectArgs *args, const float *row, float *to) {
    const int64_t unit = args->unit, stride = args->x.stride, width = args->in_width;
    if (!row) {
        memset(to, 0, (size_t)args->row_floats * sizeof *to);
        return;
    }
    for (int64_t phase = 0; phase < stride; phase++, to += args->phase_pixels * unit) {
        int64_t at = phase - args->x.pad_begin,
                pixel = 0; /* the column of the input that the next pixel is */
        for (; pixel < args->phase_pixels && at < 0; pixel++, at += stride)
            memset(to + pixel * unit, 0, (size_t)unit * sizeof *to);
        if (stride == 1 && at < width) {
            int64_t run = i64_min(args->phase_pixels - pixel, width - at);
            memcpy(to + pixel * unit, row + at * unit, (size_t)(run * unit) * sizeof *to);
            pixel += run;
        } else if (unit == 1) {
            const int64_t there = at < width ? ceil_div(width - at, stride) : 0;
            const int64_t count = i64_min(args->phase_pixels - pixel, there);
            args->tiles->gather(row + at, stride, count, to + pixel);
            pixel += count;
        } else {
            for (; pixel < args->phase_pixels && at < width; pixel++, at += stride)
                memcpy(to + pixel * unit, row + at * unit, (size_t)unit * sizeof *to);
        }
        memset(to + pixel * unit, 0, (size_t)((args->phase_pixels - pixel) * unit) * sizeof *to);
    }
}

static void copy_strip(const DirectArgs *args, const float *in, int64_t first_row, int64_t rows,
                       int64_t block_begin, int64_t block_end, float *scratch) {
    int64_t needed = (rows - 1) * args->row_step + (args->y.kernel - 1) * args->y.dilation + 1;
    int64_t spacing =
        args->row_step == args->y.stride ? 1 : args->y.stride; /* input rows between scratch rows */
    for (int64_t block = block_begin; block < block_end; block++)
        for (int64_t r = 0; r < needed; r++) {
            int64_t at = first_row * args->y.stride - args->y.pad_begin + r * spacing;
            bool inside = at >= 0 && at < args->in_height;
            copy_row(args, inside ? in + block * args->in_plane + at * args->in_width * args->unit : NULL,
                     scratch + ((block - block_begin) * args->scratch_rows + r) * args->row_floats);
        }
}

/* Where a task's windows read: the strip in scratch memory, or the input itself. */
typedef struct StripInput {
    const float *base;
    int64_t block_stride, row_stride; /* in floats */
    int64_t first_block;              /* that `base` stands for */
} StripInput;

/* The pixels of one tile in a row, and its taps. */
typedef struct TilePixels {
    int64_t begin, end;
    const ConvTap *taps;
    int64_t n_taps;
} TilePixels;

static int64_t pixels_of_row(const DirectArgs *args, int64_t row) {
    return args->total_pixels ? i64_min(args->row_pixels, args->total_pixels - row * args->row_pixels)
                              : args->row_pixels;
}

static int64_t tiles_of_row(const DirectArgs *args, int count, int64_t row) {
    return args->cut.pieces ? args->cut.n_pieces : tile_count(args->tiles, pixels_of_row(args, row), count);
}

/* Of `n`: of about equal size, so that none is nearly empty, or as the row was cut. */
static TilePixels tile_of_row(const DirectArgs *args, int64_t row, int64_t i, int64_t n) {
    if (!args->cut.pieces) {
        const int64_t pixels = pixels_of_row(args, row);
        return (TilePixels){i * pixels / n, (i + 1) * pixels / n, args->taps, args->n_taps};
    }
    const RowPiece *piece = &args->cut.pieces[i];
    int64_t first, last;
    row_cut_kernel_rows(&args->y, row, &first, &last);
    return (TilePixels){piece->begin, piece->end, piece->taps + first * piece->columns,
                        (last - first) * piece->columns};
}

static void run_tile(const DirectArgs *args, const TileBlocks *blocks, const StripInput *input,
                     ConvTile *tile, const TilePixels *pixels, int64_t strip_row, float *out,
                     const float *residual) {
    const int64_t begin = pixels->begin;
    const float *in = input->base + (blocks->in_first - input->first_block) * input->block_stride +
                      strip_row * input->row_stride;
    tile->taps = pixels->taps;
    tile->n_taps = pixels->n_taps;
    tile->in = in + begin * args->unit * (args->every_other ? 2 : 1);
    tile->out = out + begin * args->width;
    tile->residual = residual ? residual + begin * args->width : NULL;
    ConvTileFunction run = (args->unit == 1     ? args->tiles->plain
                            : args->every_other ? args->tiles->every_other
                                                : args->tiles->blocked)[blocks->count][pixels->end - begin];
    run(tile);
}

static void set_blocks(const DirectArgs *args, const TileBlocks *blocks, ConvTile *tile) {
    tile_set_blocks(tile, blocks, args->pack.weights, args->bias, args->width, args->out_channels);
}

typedef struct TaskPlace {
    int64_t image, first_row, rows, first_blocks, end_blocks;
} TaskPlace;

/* All tiles of one run of blocks in one row. */
static void run_blocks_in_row(const DirectArgs *args, const TileBlocks *blocks, const StripInput *input,
                              ConvTile *tile, const TaskPlace *place, int64_t r, float *out,
                              const float *residual) {
    int64_t row = place->first_row + r;
    int64_t plane = tile->out_block_stride, at = blocks->first * plane + row * args->row_pixels * args->width;
    int64_t n = tiles_of_row(args, blocks->count, row);
    set_blocks(args, blocks, tile);
    for (int64_t i = 0; i < n; i++) {
        const TilePixels pixels = tile_of_row(args, row, i, n);
        run_tile(args, blocks, input, tile, &pixels, r, out + at, residual ? residual + at : NULL);
    }
}

/* The same with pixels outside: a group of pixels of the input stays in L1 while all blocks pass over it. */
static void run_row_by_pixels(const DirectArgs *args, const StripInput *input, ConvTile *tile,
                              const TaskPlace *place, int64_t r, float *out, const float *residual) {
    int64_t row = place->first_row + r, plane = tile->out_block_stride;
    int64_t n = tiles_of_row(args, args->pack.blocks[place->first_blocks].count, row);
    for (int64_t i = 0; i < n; i++) {
        const TilePixels pixels = tile_of_row(args, row, i, n);
        for (int64_t b = place->first_blocks; b < place->end_blocks; b++) {
            const TileBlocks *blocks = &args->pack.blocks[b];
            int64_t at = blocks->first * plane + row * args->row_pixels * args->width;
            set_blocks(args, blocks, tile);
            run_tile(args, blocks, input, tile, &pixels, r, out + at, residual ? residual + at : NULL);
        }
    }
}

static TaskPlace place_of(const DirectArgs *args, int64_t task) {
    int64_t part = task % args->oc_parts, strip = task / args->oc_parts % args->strips;
    TaskPlace place = {.image = task / (args->oc_parts * args->strips),
                       .first_row = strip * args->strip_rows,
                       .first_blocks = part * args->tile_blocks_a_task};
    place.rows = i64_min(args->strip_rows, args->rows - place.first_row);
    place.end_blocks = i64_min(place.first_blocks + args->tile_blocks_a_task, args->pack.n_blocks);
    return place;
}

static void conv_direct_run(const KernelCall *call, int64_t task) {
    const DirectArgs *args = call->args;
    TaskPlace place = place_of(args, task);
    const float *in = (const float *)call->inputs[CONV_X] + place.image * args->in_blocks * args->in_plane;
    int64_t out_plane =
        (args->total_pixels ? args->total_pixels : args->rows * args->row_pixels) * args->width;
    float *out = (float *)call->outputs[0] + place.image * args->out_blocks * out_plane;
    const float *residual = args->has_residual ? (const float *)call->inputs[CONV_RESIDUAL] +
                                                     place.image * args->out_blocks * out_plane
                                               : NULL;
    StripInput input = {.base = in + place.first_row * args->row_pixels * args->unit,
                        .block_stride = args->in_plane,
                        .row_stride = args->row_pixels * args->unit};
    if (args->copies) {
        const TileBlocks *first = &args->pack.blocks[place.first_blocks];
        const TileBlocks *last = &args->pack.blocks[place.end_blocks - 1];
        copy_strip(args, in, place.first_row, place.rows, first->in_first, last->in_first + last->in_count,
                   call->scratch);
        input = (StripInput){.base = call->scratch,
                             .block_stride = args->scratch_rows * args->row_floats,
                             .row_stride = args->row_step * args->row_floats,
                             .first_block = first->in_first};
    } else if (!args->total_pixels) {
        input.row_stride = args->y.stride * args->in_width * args->unit;
        input.base = in + place.first_row * input.row_stride;
    }
    ConvTile tile = {.in_block_stride = input.block_stride,
                     .lanes = args->lanes,
                     .all_taps = args->n_taps,
                     .out_block_stride = out_plane,
                     .out_pixel_stride = args->width,
                     .epilogue = args->epilogue};
    if (args->weights_outer) {
        for (int64_t b = place.first_blocks; b < place.end_blocks; b++)
            for (int64_t r = 0; r < place.rows; r++)
                run_blocks_in_row(args, &args->pack.blocks[b], &input, &tile, &place, r, out, residual);
    } else {
        for (int64_t r = 0; r < place.rows; r++)
            run_row_by_pixels(args, &input, &tile, &place, r, out, residual);
    }
}

/* --- preparing
 * ------------------------------------------------------------------------------------------------- */

static WindowDim rows_of(const ConvGeometry *g) {
    return g->spatial == 2 ? g->dims[0] : (WindowDim){1, 1, 1, 1, 1, 0, 0};
}

/* 1x1 without padding, at any stride. */
static bool is_unpadded_1x1(const ConvGeometry *g) {
    for (int i = 0; i < g->spatial; i++)
        if (g->dims[i].kernel != 1 || g->dims[i].pad_begin || g->dims[i].pad_end)
            return false;
    return true;
}

/* Padded or with a stride. */
static bool needs_copy(const ConvGeometry *g) {
    for (int i = 0; i < g->spatial; i++)
        if (g->dims[i].stride != 1 || g->dims[i].pad_begin || g->dims[i].pad_end)
            return true;
    return false;
}

/* Each output pixel is one input pixel's: the image may be seen as one row. */
static bool is_pointwise(const ConvGeometry *g) {
    return is_unpadded_1x1(g) && !needs_copy(g);
}

/* The rows are every other pixel of some input rows. */
static bool is_every_other(const ConvGeometry *g) {
    return is_unpadded_1x1(g) && g->dims[g->spatial - 1].stride == 2;
}

/* Of a row as tiles see it: rows, and pixels in each. */
static void tile_rows(const ConvGeometry *g, int64_t *rows, int64_t *pixels) {
    const int64_t height = rows_of(g).out, width = g->dims[g->spatial - 1].out;
    *rows = is_pointwise(g) ? 1 : height;
    *pixels = is_pointwise(g) ? height * width : width;
}

/* Cycles for a lane of input and a run of `count` output blocks, of all taps in whole rows. */
static double whole_cycles(const ConvGeometry *g, const ConvTiles *tiles, int count) {
    int64_t rows, pixels;
    tile_rows(g, &rows, &pixels);
    const double n = (double)tile_count(tiles, pixels, count);
    const double taps = (double)(rows_of(g).kernel * g->dims[g->spatial - 1].kernel);
    return (double)rows * n * taps * tile_cycles(count, (double)pixels / n);
}

/* Dilated kernels may have most of their taps on padding; and the rows that a strip needs grow with the
 * dilation, so that copying them costs as well. */
static bool skipping_padding_pays(const ConvGeometry *g, const ConvTiles *tiles, int width) {
    const WindowDim y = rows_of(g), x = g->dims[g->spatial - 1];
    const bool dilated = (y.kernel > 1 && y.dilation > 1) || (x.kernel > 1 && x.dilation > 1);
    if (!dilated || y.stride != 1 || x.stride != 1)
        return false;
    const int count = tile_choose_blocks(tiles, x.out, ceil_div(g->out_channels, width));
    return row_cut_cycles(&y, &x, tiles, count) <= 1.1 * whole_cycles(g, tiles, count);
}

static Status make_taps(DirectArgs *args, PrepareContext *ctx) {
    args->n_taps = args->y.kernel * args->x.kernel;
    ConvTap *taps = region_take_array(ctx->region, (size_t)args->n_taps, sizeof *taps);
    if (!taps)
        return fail_memory(ctx->err, (size_t)args->n_taps * sizeof *taps, "the plan");
    int64_t row = args->copies ? args->row_floats : args->in_width * args->unit;
    for (int64_t i = 0; i < args->y.kernel; i++)
        for (int64_t j = 0; j < args->x.kernel; j++) {
            int64_t column = j * args->x.dilation;
            int64_t at = args->copies ? column % args->x.stride * args->phase_pixels + column / args->x.stride
                                      : column;
            const int64_t index = i * args->x.kernel + j;
            taps[index] = (ConvTap){i * args->y.dilation * row + at * args->unit, index};
        }
    args->taps = taps;
    return STRIDER_OK;
}

/* How rows are made of the output's plane, and strips of rows; and how many output blocks a task takes. */
static void cut_work(DirectArgs *args, const ConvGeometry *g) {
    args->rows = args->y.out;
    args->row_pixels = args->x.out;
    if (is_pointwise(g)) {
        args->total_pixels = args->y.out * args->x.out;
        args->row_pixels = i64_min(args->total_pixels, 4 * TILE_MAX_PIXELS);
        args->rows = ceil_div(args->total_pixels, args->row_pixels);
    }
}

static void cut_strips(DirectArgs *args) {
    int64_t in_floats = args->pack.blocks[0].in_count * args->row_step *
                        (args->copies ? args->row_floats : args->row_pixels * args->unit);
    int64_t by_memory = i64_max(STRIP_BYTES / i64_max(in_floats * (int64_t)sizeof(float), 1), 1);
    /* Larger kernels copy rows that neighbours copy too: at least as many rows as that costs. */
    int64_t least = args->copies ? i64_min(args->y.kernel * 2 - 1, args->rows) : 1;
    args->strip_rows = i64_min(i64_max(by_memory, least), args->rows);
    int64_t for_balance = i64_max(ceil_div(args->rows * args->batch, LEAST_TASKS), least);
    args->strip_rows = i64_min(args->strip_rows, for_balance);
    args->strips = ceil_div(args->rows, args->strip_rows);
    int64_t parts = i64_min(ceil_div(LEAST_TASKS, args->strips * args->batch), args->pack.n_blocks);
    args->tile_blocks_a_task = ceil_div(args->pack.n_blocks, i64_max(parts, 1));
    args->oc_parts = ceil_div(args->pack.n_blocks, args->tile_blocks_a_task);
    int64_t weights = 0;
    for (int64_t i = 0; i < args->tile_blocks_a_task; i++)
        weights += (int64_t)tile_weights(&args->pack.blocks[i], args->width, args->lanes, args->n_taps) *
                   (int64_t)sizeof(float);
    args->weights_outer = weights > WEIGHTS_BYTES;
}

static Status prepare(const KernelQuery *query, bool plain_input, PrepareContext *ctx, Prepared *prepared) {
    const ConvAttrs *attrs = query->node->attrs;
    ConvGeometry g = conv_query_geometry(query);
    DirectArgs *args = region_take(ctx->region, sizeof *args);
    if (!args)
        return fail_memory(ctx->err, sizeof *args, "the plan");
    *args = (DirectArgs){.tiles = conv_tiles(query->isa),
                         .epilogue = &attrs->epilogue,
                         .width = query->width,
                         .unit = plain_input ? 1 : query->width,
                         .lanes = plain_input ? 1 : query->width,
                         .out_channels = g.out_channels,
                         .out_blocks = ceil_div(g.out_channels, query->width),
                         .batch = g.batch,
                         .y = rows_of(&g),
                         .x = g.dims[g.spatial - 1],
                         .every_other = !plain_input && is_every_other(&g),
                         .has_residual = attrs->epilogue.has_residual};
    const bool skips_padding = !plain_input && skipping_padding_pays(&g, args->tiles, query->width);
    args->copies = needs_copy(&g) && !args->every_other && !skips_padding;
    args->in_blocks = ceil_div(g.in_channels, args->lanes);
    args->in_height = args->y.in;
    args->in_width = args->x.in;
    args->in_plane = args->in_height * args->in_width * args->unit;
    args->phase_pixels = args->x.out + (args->x.kernel - 1) * args->x.dilation / args->x.stride;
    args->row_floats = args->x.stride * args->phase_pixels * args->unit;
    args->row_step = args->y.kernel == 1 ? 1 : args->y.stride;
    TRY(make_taps(args, ctx));
    cut_work(args, &g);
    int count = tile_choose_blocks(args->tiles, args->total_pixels ? args->total_pixels : args->row_pixels,
                                   args->out_blocks);
    if (skips_padding)
        TRY(row_cut_make(&args->y, &args->x, args->tiles, count, args->unit, ctx, &args->cut));
    TRY(conv_pack_weights(query, &g, args->lanes, count, NULL, ctx, &args->pack));
    prepared->packed_bytes = args->pack.size_bytes;
    TRY(cpu_pack_bias(query, CONV_B, g.out_channels, query->width, ctx, &args->bias));
    cut_strips(args);
    if (args->copies) {
        int64_t most_blocks = 0;
        for (int64_t i = 0; i < args->pack.n_blocks; i += args->tile_blocks_a_task) {
            const TileBlocks *first = &args->pack.blocks[i];
            const TileBlocks *last =
                &args->pack.blocks[i64_min(i + args->tile_blocks_a_task, args->pack.n_blocks) - 1];
            most_blocks = i64_max(most_blocks, last->in_first + last->in_count - first->in_first);
        }
        args->scratch_rows =
            (args->strip_rows - 1) * args->row_step + (args->y.kernel - 1) * args->y.dilation + 1;
        prepared->scratch_bytes =
            (size_t)(most_blocks * args->scratch_rows * args->row_floats) * sizeof(float);
    }
    prepared->run = conv_direct_run;
    prepared->args = args;
    prepared->tasks = g.batch * args->strips * args->oc_parts;
    return STRIDER_OK;
}

static Status direct_prepare(const KernelQuery *query, PrepareContext *ctx, Prepared *prepared) {
    return prepare(query, false, ctx, prepared);
}

static Status first_layer_prepare(const KernelQuery *query, PrepareContext *ctx, Prepared *prepared) {
    return prepare(query, true, ctx, prepared);
}

/* --- choosing
 * -------------------------------------------------------------------------------------------------- */

static bool direct_accepts(KernelQuery *query) {
    return conv_accepts_blocked(query, query->width);
}

/* Plain input is read one channel at a time, which is as good as blocks as long as there are not many. */
static bool first_layer_accepts(KernelQuery *query) {
    const ConvAttrs *attrs = query->node->attrs;
    return query->inputs[CONV_X].layout == LAYOUT_PLAIN && attrs->group == 1 &&
           query->inputs[CONV_X].type.shape.dims[1] <= query->width &&
           conv_accepts_blocked(query, LAYOUT_PLAIN);
}

/* 56 products a nanosecond at full tiles; what groups waste, and tiles that are not full, comes on top. */
static double direct_cost(const KernelQuery *query) {
    const ConvGeometry g = conv_query_geometry(query);
    const ConvTiles *tiles = conv_tiles(query->isa);
    const WindowDim y = rows_of(&g), x = g.dims[g.spatial - 1];
    const int64_t blocks = ceil_div(g.out_channels, query->width);
    int64_t rows, pixels;
    tile_rows(&g, &rows, &pixels);
    const bool plain = query->inputs[CONV_X].layout == LAYOUT_PLAIN;
    const int lanes = plain ? 1 : query->width, count = tile_choose_blocks(tiles, pixels, blocks);
    const TileBlocks one = tile_blocks(&g, query->width, lanes, 0, 1);
    const double in_lanes = (double)(one.in_count - 1) * lanes + one.last_lanes;
    const double n = (double)tile_count(tiles, pixels, count);
    const double a_lane = !plain && skipping_padding_pays(&g, tiles, query->width)
                              ? row_cut_cycles(&y, &x, tiles, count)
                              : whole_cycles(&g, tiles, count);
    const double calls = (double)rows * n * tile_call_cycles(count, (double)pixels / n);
    return 2000 +
           (double)g.batch * (double)blocks / count * (in_lanes * a_lane + calls) * query->width / 56.0;
}

const Kernel kernel_conv_direct = {
    .name = "conv_direct",
    .op = "Conv",
    .accepts = direct_accepts,
    .cost = direct_cost,
    .prepare = direct_prepare,
};

const Kernel kernel_conv_first_layer = {
    .name = "conv_first_layer",
    .op = "Conv",
    .accepts = first_layer_accepts,
    .cost = direct_cost,
    .prepare = first_layer_prepare,
};
