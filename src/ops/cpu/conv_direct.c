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
 * Dilated kernels read the input where it lies and skip the taps that fall on padding (conv_row_cut.h).
 *
 * Groups: an output block reads those input blocks that its groups' channels lie in; the weights of lanes
 * outside its groups are zero.  Small groups that share a vector have tiles of their own (conv_grouped.h). */
#include "ops/cpu/conv_direct.h"
#include "base/size.h"
#include "ops/conv.h"
#include "ops/cpu/conv_grouped.h"
#include "ops/cpu/conv_query.h"
#include "ops/cpu/cpu.h"
#include "ops/kernel.h"

enum {
    STRIP_BYTES = 192 * 1024,   /* input of a strip: leaves most of a 1 MiB L2 cache for weights */
    WEIGHTS_BYTES = 256 * 1024, /* weights of a task that stay in L2 while its pixels pass */
    LEAST_TASKS = 16,
};

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

/* Output blocks of a tile: not of several groups, whose inputs differ. */
static int choose_count(const ConvGeometry *g, const ConvTiles *tiles, int width) {
    const int64_t blocks = ceil_div(g->out_channels, width), of_group = g->out_channels / g->group / width;
    int64_t rows, pixels;
    tile_rows(g, &rows, &pixels);
    return tile_choose_blocks(tiles, pixels, g->group == 1 ? blocks : i64_max(of_group, 1));
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
    const int count = choose_count(g, tiles, width);
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

/* Input blocked or plain, and what computes: `tiles` of conv_tile.h, or `grouped` those of conv_grouped.h. */
typedef struct DirectKind {
    bool plain_input, grouped;
    const ConvTiles *tiles;
} DirectKind;

static Status prepare(const KernelQuery *query, DirectKind kind, PrepareContext *ctx, Prepared *prepared) {
    const ConvAttrs *attrs = query->node->attrs;
    ConvGeometry g = conv_query_geometry(query);
    DirectArgs *args = region_take(ctx->region, sizeof *args);
    if (!args)
        return fail_memory(ctx->err, sizeof *args, "the plan");
    *args = (DirectArgs){.tiles = kind.tiles,
                         .epilogue = &attrs->epilogue,
                         .width = query->width,
                         .unit = kind.plain_input ? 1 : query->width,
                         .lanes = kind.plain_input ? 1 : query->width,
                         .out_channels = g.out_channels,
                         .out_blocks = ceil_div(g.out_channels, query->width),
                         .batch = g.batch,
                         .y = rows_of(&g),
                         .x = g.dims[g.spatial - 1],
                         .every_other = !kind.plain_input && !kind.grouped && is_every_other(&g),
                         .has_residual = attrs->epilogue.has_residual};
    const bool skips_padding =
        !kind.plain_input && !kind.grouped && skipping_padding_pays(&g, args->tiles, query->width);
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
    const int count = kind.grouped ? 1 : choose_count(&g, args->tiles, args->width);
    if (skips_padding)
        TRY(row_cut_make(&args->y, &args->x, args->tiles, count, args->unit, ctx, &args->cut));
    TRY(kind.grouped ? conv_pack_grouped(query, &g, ctx, &args->pack)
                     : conv_pack_weights(query, &g, args->lanes, count, NULL, ctx, &args->pack));
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
    return prepare(query, (DirectKind){.tiles = conv_tiles(query->isa)}, ctx, prepared);
}

static Status first_layer_prepare(const KernelQuery *query, PrepareContext *ctx, Prepared *prepared) {
    return prepare(query, (DirectKind){.plain_input = true, .tiles = conv_tiles(query->isa)}, ctx, prepared);
}

static const ConvTiles *grouped_tiles(const KernelQuery *query, const ConvGeometry *g) {
    return conv_grouped_tiles_of(query->isa, g->in_channels / g->group, g->out_channels / g->group);
}

static Status grouped_prepare(const KernelQuery *query, PrepareContext *ctx, Prepared *prepared) {
    const ConvGeometry g = conv_query_geometry(query);
    return prepare(query, (DirectKind){.grouped = true, .tiles = grouped_tiles(query, &g)}, ctx, prepared);
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

static bool grouped_accepts(KernelQuery *query) {
    if (!conv_accepts_blocked(query, query->width))
        return false;
    const ConvGeometry g = conv_query_geometry(query);
    return grouped_tiles(query, &g) != NULL;
}

/* As direct_cost(): for each tap a group's channels are as many products. */
static double grouped_cost(const KernelQuery *query) {
    const ConvGeometry g = conv_query_geometry(query);
    const ConvTiles *tiles = grouped_tiles(query, &g);
    const int group = (int)(g.in_channels / g.group);
    int64_t rows, pixels;
    tile_rows(&g, &rows, &pixels);
    const double n = (double)tile_count(tiles, pixels, 1), tile_pixels = (double)pixels / n;
    const double taps = (double)(rows_of(&g).kernel * g.dims[g.spatial - 1].kernel);
    const double a_block =
        (double)rows * n * (taps * tile_cycles(group, tile_pixels) + tile_call_cycles(2, tile_pixels));
    return 2000 + (double)(g.batch * ceil_div(g.out_channels, query->width)) * a_block * query->width / 56.0;
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
    const int lanes = plain ? 1 : query->width, count = choose_count(&g, tiles, query->width);
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
    .tuning_key = conv_tuning_key,
    .prepare = direct_prepare,
};

const Kernel kernel_conv_first_layer = {
    .name = "conv_first_layer",
    .op = "Conv",
    .accepts = first_layer_accepts,
    .cost = direct_cost,
    .tuning_key = conv_tuning_key,
    .prepare = first_layer_prepare,
};

const Kernel kernel_conv_grouped = {
    .name = "conv_grouped",
    .op = "Conv",
    .accepts = grouped_accepts,
    .cost = grouped_cost,
    .tuning_key = conv_tuning_key,
    .prepare = grouped_prepare,
};
