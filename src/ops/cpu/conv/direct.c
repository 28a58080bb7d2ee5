/* SPDX-License-Identifier: Apache-2.0 */
/* Direct convolution, blocked output; input blocked, or plain where it has few channels.
 *
 * The work is divided into row tiles times runs of output blocks; a task computes one such part by
 * register tiles (tile.h), each summing over all input channels and taps before it writes.  Where a
 * convolution is padded or has a stride, the input rows of a row tile are copied first, with zeros for the
 * padding and columns sorted by their remainder modulo the stride, so that a tile's pixels always lie one
 * after the other: by the task into its scratch memory, or, where several tasks share a row tile, once for
 * all of them into the step's workspace.  Of a 1x1 convolution with a stride the pixels that it sees are
 * copied, as one long row.
 *
 * In three dimensions a row tile lies in one depth of the output.  Its windows' taps in further depths are
 * more taps, a plane apart, and those that fall on padding are left out.
 *
 * One long row, which is all that one-dimensional convolutions have and what 1x1 convolutions see their image
 * as, is divided into chunks that take the place of rows.
 *
 * Dilated kernels, and others along one long row, read the input where it lies and skip the taps that fall on
 * padding (row_chunks.h).
 *
 * Groups: an output block reads those input blocks that its groups' channels lie in; the weights of lanes
 * outside its groups are zero.  Small groups that share a vector have tiles of their own (grouped.h). */
#include "ops/cpu/conv/direct.h"
#include "base/size.h"
#include "ops/cpu/conv/grouped.h"
#include "ops/cpu/conv/query.h"
#include "ops/cpu/cpu.h"
#include "ops/kernel.h"
#include "ops/nn/conv.h"

enum {
    ROW_TILE_BYTES = 192 * 1024, /* input of a row tile: leaves most of a 1 MiB L2 cache for weights */
    MIN_TASKS = 16,
    CHUNK_PIXELS = 4 * TILE_MAX_PIXELS,
    MAX_ROW_TAPS = 64, /* of a long row that is not copied: each tap makes chunks at both of its ends */
    MAX_CHUNK_TAPS = 1 << 17,                   /* of all chunks of a row: each lists its own */
    COPIED_CHUNK_PIXELS = 32 * TILE_MAX_PIXELS, /* copies what its neighbours copy too */
};

/* --- preparing --- */

enum { Z, Y, X }; /* dimensions of a volume: depth, rows and columns */

static bool is_unpadded_1(const WindowDim *dim) {
    return dim->kernel == 1 && !dim->pad_begin && !dim->pad_end;
}

/* Each output is the input at the same position. */
static bool is_pointwise(const WindowDim *dim) {
    return is_unpadded_1(dim) && dim->stride == 1;
}

/* Rows that windows see one by one are one long row, where they do so with columns; so are then depths. */
static ConvGeometry geometry_of(const KernelQuery *query) {
    ConvGeometry g = conv_query_volume(query);
    WindowDim *x = &g.dims[X];
    for (int i = Y; i >= Z && is_pointwise(x) && is_pointwise(&g.dims[i]); i--) {
        x->in = i64_product(x->in, g.dims[i].in);
        x->out = x->in;
        g.dims[i] = (WindowDim){1, 1, 1, 1, 1, 0, 0};
    }
    return g;
}

/* Padded or with a stride; in depth, neither matters. */
static bool needs_copy(const ConvGeometry *g) {
    for (int i = Y; i <= X; i++)
        if (g->dims[i].stride != 1 || g->dims[i].pad_begin || g->dims[i].pad_end)
            return true;
    return false;
}

/* Each output is one input pixel, and some pixels are no output's. */
static bool is_sampled(const ConvGeometry *g) {
    return is_unpadded_1(&g->dims[Y]) && is_unpadded_1(&g->dims[X]) && needs_copy(g);
}

/* Rows of a plane as tiles see it, and their pixels. */
static int64_t tile_rows(const ConvGeometry *g) {
    return is_sampled(g) ? 1 : g->dims[Y].out;
}

static int64_t tile_row_pixels(const ConvGeometry *g) {
    return is_sampled(g) ? g->dims[Y].out * g->dims[X].out : g->dims[X].out;
}

static bool is_one_row(const ConvGeometry *g) {
    return g->dims[Y].out == 1 && is_pointwise(&g->dims[Y]);
}

/* Taps of one depth. */
static int64_t plane_taps(const ConvGeometry *g) {
    return i64_product(g->dims[Y].kernel, g->dims[X].kernel);
}

/* Steps in depth inside the input that all windows of a row of outputs along it take. */
static double depth_taps(const ConvGeometry *g) {
    const WindowDim *z = &g->dims[Z];
    double taps = 0;
    for (int64_t i = 0; i < z->out; i++) {
        const WindowTaps seen = window_taps(z, i * z->stride - z->pad_begin, z->in);
        taps += (double)(seen.end - seen.first);
    }
    return taps;
}

static int choose_count(const ConvGeometry *g, const ConvTiles *tiles, int width) {
    return tile_choose_group_blocks(tiles, tile_row_pixels(g), g, width);
}

/* Cycles for a channel of input, a run of `count` output blocks and one depth, of all its taps in whole rows.
 */
static double whole_cycles(const ConvGeometry *g, const ConvTiles *tiles, int count) {
    const int64_t rows = tile_rows(g), pixels = tile_row_pixels(g);
    const double n = (double)tile_count(tiles, pixels, count);
    return (double)(rows * plane_taps(g)) * n * tile_cycles(count, (double)pixels / n);
}

/* Dilated kernels may have most of their taps on padding; and the rows that a row tile needs grow with the
 * dilation, so that copying them costs as well.  In one long row there is little padding to copy it for. */
static bool skipping_padding_pays(const ConvGeometry *g, const ConvTiles *tiles, int count) {
    const WindowDim *y = &g->dims[Y], *x = &g->dims[X];
    const bool dilated = (y->kernel > 1 && y->dilation > 1) || (x->kernel > 1 && x->dilation > 1);
    const int64_t chunks = i64_min(i64_product(2, x->kernel), x->out);
    if (count_of(chunks, y->kernel, x->kernel) > MAX_CHUNK_TAPS || g->dims[Z].kernel != 1 || y->stride != 1 ||
        x->stride != 1 || !(dilated || (is_one_row(g) && needs_copy(g) && x->kernel <= MAX_ROW_TAPS)))
        return false;
    return row_chunks_cycles(y, x, tiles, count) <= 1.1 * whole_cycles(g, tiles, count);
}

static Status make_taps(DirectArgs *args, PrepareContext *ctx) {
    const WindowDim *y = &args->y, *x = &args->x;
    ConvTap *taps = region_alloc_array(ctx->region, (size_t)args->n_taps, sizeof *taps);
    if (!taps)
        return fail_memory(ctx->err, bytes_of(sizeof *taps, args->n_taps).n, "the plan");
    const int64_t row = args->copies ? args->row_floats : x->in * args->pixel_floats;
    const int64_t plane = args->copies ? args->scratch_plane : args->z.dilation * args->in_plane;
    for (int64_t index = 0; index < args->n_taps; index++) {
        const int64_t k = index / args->plane_taps, i = index / x->kernel % y->kernel,
                      column = index % x->kernel * x->dilation;
        const int64_t at =
            args->copies ? column % x->stride * args->phase_pixels + column / x->stride : column;
        taps[index] = (ConvTap){k * plane + i * y->dilation * row + at * args->pixel_floats, index};
    }
    args->taps = taps;
    return STRIDER_OK;
}

/* How rows are made of a plane of the output, and of the input's rows in scratch memory.  Chunks of one row
 * are full tiles. */
static void split_rows(DirectArgs *args, bool one_row, int count) {
    const int64_t max_pixels = args->tiles->max_pixels[count], chunk = CHUNK_PIXELS / max_pixels * max_pixels;
    const WindowDim *x = &args->x;
    const int64_t halo = i64_product(x->kernel - 1, x->dilation) / x->stride;
    args->rows = args->y.out;
    args->row_pixels = x->out;
    if (args->samples) {
        args->total_pixels = args->out_plane_pixels;
        args->row_pixels = i64_min(args->total_pixels, chunk);
        args->rows = ceil_div(args->total_pixels, args->row_pixels);
    } else if (one_row && args->skips_padding) {
        args->rows_are_chunks = true;
        args->rows = args->row_chunks.n_chunks;
    } else if (one_row) {
        args->total_pixels = x->out;
        args->row_pixels =
            i64_min(x->out, args->copies ? i64_max(COPIED_CHUNK_PIXELS, i64_product(4, halo)) : chunk);
        args->rows = ceil_div(args->total_pixels, args->row_pixels);
    }
    args->phase_pixels = i64_sum(args->row_pixels, halo);
    args->row_floats = count_of(args->samples ? 1 : x->stride, args->phase_pixels, args->pixel_floats);
    args->row_step = args->y.kernel == 1 ? 1 : args->y.stride;
}

/* Depths of the input that an output's window sees. */
static int64_t max_depths(const DirectArgs *args) {
    return i64_min(args->z.kernel, ceil_div(args->z.in, args->z.dilation));
}

/* How row tiles are made of rows, and how many output blocks a task takes; a run of them, of `n_runs` in all,
 * reads `in_count` input blocks. */
static void split_row_tiles(DirectArgs *args, int64_t n_runs, int64_t in_count) {
    const int64_t pixels = args->rows_are_chunks ? TILE_MAX_PIXELS : args->row_pixels;
    const int64_t in_floats =
        count_of(in_count, args->row_step, max_depths(args),
                 args->copies ? args->row_floats : i64_product(pixels, args->pixel_floats));
    const int64_t planes = count_of(args->batch, args->z.out);
    int64_t by_memory = i64_max(ROW_TILE_BYTES / i64_max(i64_product(in_floats, sizeof(float)), 1), 1);
    /* Larger kernels copy rows that neighbours copy too: at least as many rows as that costs. */
    int64_t min_rows = args->copies ? i64_min(i64_product(args->y.kernel, 2) - 1, args->rows) : 1;
    args->rows_a_tile = i64_min(i64_max(by_memory, min_rows), args->rows);
    int64_t for_balance = i64_max(ceil_div(count_of(args->rows, planes), MIN_TASKS), min_rows);
    args->rows_a_tile = i64_min(args->rows_a_tile, for_balance);
    args->row_tiles = ceil_div(args->rows, args->rows_a_tile);
    int64_t parts = i64_min(ceil_div(MIN_TASKS, count_of(args->row_tiles, planes)), n_runs);
    args->tile_blocks_a_task = ceil_div(n_runs, i64_max(parts, 1));
    args->oc_parts = ceil_div(n_runs, args->tile_blocks_a_task);
}

/* Memory for copies: of each task, or of all. */
typedef struct CopyMemory {
    Bytes scratch, workspace;
} CopyMemory;

/* What is copied: rows of the row tile, in each depth that its windows see, of all blocks; for all tasks of a
 * row tile at once where it has several. */
static CopyMemory plan_copies(DirectArgs *args) {
    args->scratch_rows = i64_sum(count_of(args->rows_a_tile - 1, args->row_step),
                                 i64_sum(i64_product(args->y.kernel - 1, args->y.dilation), 1));
    args->scratch_plane = i64_product(args->scratch_rows, args->row_floats);
    args->scratch_block = i64_product(max_depths(args), args->scratch_plane);
    args->copies_once = args->oc_parts > 1;
    if (args->copies_once) {
        const int64_t row_tiles = count_of(args->batch, args->z.out, args->row_tiles);
        args->copy_blocks = ceil_div(args->in_blocks, ceil_div(MIN_TASKS, row_tiles));
        return (CopyMemory){.workspace =
                                bytes_of(sizeof(float), row_tiles, args->in_blocks, args->scratch_block)};
    }
    return (CopyMemory){.scratch = bytes_of(sizeof(float), args->in_blocks, args->scratch_block)};
}

/* Input blocked or plain, and what computes: `tiles` of tile.h, or `grouped` those of grouped.h. */
typedef struct DirectKind {
    bool plain_input, grouped;
    const ConvTiles *tiles;
} DirectKind;

/* Output blocks of a tile. */
static int count_of_kind(const KernelQuery *query, DirectKind kind, const ConvGeometry *g) {
    return kind.grouped ? 1 : choose_count(g, kind.tiles, query->width);
}

static DirectArgs describe(const KernelQuery *query, DirectKind kind, const ConvGeometry *g, int count) {
    DirectArgs args = {.tiles = kind.tiles,
                       .width = query->width,
                       .pixel_floats = kind.plain_input ? 1 : query->width,
                       .block_channels = kind.plain_input ? 1 : query->width,
                       .out_channels = g->out_channels,
                       .out_blocks = ceil_div(g->out_channels, query->width),
                       .batch = g->batch,
                       .plane_taps = plane_taps(g),
                       .z = g->dims[Z],
                       .y = g->dims[Y],
                       .x = g->dims[X],
                       .samples = is_sampled(g)};
    conv_epilogue(query->node, &args.epilogue);
    args.skips_padding = skipping_padding_pays(g, args.tiles, count);
    args.copies = needs_copy(g) && !args.skips_padding;
    args.n_taps = i64_product(args.z.kernel, args.plane_taps);
    args.in_blocks = ceil_div(g->in_channels, args.block_channels);
    args.in_plane = count_of(args.y.in, args.x.in, args.pixel_floats);
    args.in_block = i64_product(args.z.in, args.in_plane);
    args.out_plane_pixels = count_of(args.y.out, args.x.out);
    return args;
}

static CopyMemory split_work(DirectArgs *args, const ConvGeometry *g, int count) {
    const TileBlocks first =
        tile_blocks(g, args->width, args->block_channels, 0, (int)i64_min(count, args->out_blocks));
    split_rows(args, is_one_row(g), count);
    split_row_tiles(args, ceil_div(args->out_blocks, count), first.in_count);
    return args->copies ? plan_copies(args) : (CopyMemory){0};
}

static Bytes run_bytes(const KernelQuery *query, DirectKind kind, const ConvGeometry *g, int count) {
    return kind.grouped ? conv_run_bytes_grouped(query, g)
                        : conv_run_bytes(query, g, kind.plain_input ? 1 : query->width, count);
}

static bool memory_in_proportion(const KernelQuery *query, DirectKind kind) {
    const ConvGeometry g = geometry_of(query);
    const int count = count_of_kind(query, kind, &g);
    DirectArgs args = describe(query, kind, &g, count);
    const CopyMemory memory = args.copies ? split_work(&args, &g, count) : (CopyMemory){0};
    return cpu_in_proportion(query, memory.scratch,
                             bytes_sum(memory.workspace, run_bytes(query, kind, &g, count)));
}

static Status prepare(const KernelQuery *query, DirectKind kind, PrepareContext *ctx,
                      KernelInstance *instance) {
    const ConvGeometry g = geometry_of(query);
    const int count = count_of_kind(query, kind, &g);
    DirectArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    *args = describe(query, kind, &g, count);
    if (args->skips_padding)
        TRY(row_chunks_make(&args->y, &args->x, args->tiles, count, args->pixel_floats, ctx,
                            &args->row_chunks));
    const CopyMemory memory = split_work(args, &g, count);
    TRY(kind.grouped ? conv_pack_grouped(query, &g, ctx, &args->pack)
                     : conv_pack_weights(query, &g, args->block_channels, count, NULL, ctx, &args->pack));
    TRY(conv_pack_bias(query, g.out_channels, ctx, &args->pack));
    TRY(make_taps(args, ctx));
    if (args->copies_once) {
        instance->prologue = conv_direct_copy;
        instance->prologue_tasks =
            count_of(args->batch, args->z.out, args->row_tiles, ceil_div(args->in_blocks, args->copy_blocks));
    }
    instance->scratch_bytes = memory.scratch;
    instance->workspace_bytes = memory.workspace;
    instance->run = conv_direct_run;
    instance->args = args;
    instance->tasks = count_of(g.batch, args->z.out, args->row_tiles, args->oc_parts);
    conv_pack_finish(&args->pack, instance);
    return STRIDER_OK;
}

static DirectKind direct_kind(const KernelQuery *query) {
    return (DirectKind){.tiles = conv_tiles_for(query->target)};
}

static DirectKind first_layer_kind(const KernelQuery *query) {
    return (DirectKind){.plain_input = true, .tiles = conv_tiles_for(query->target)};
}

/* `tiles` is NULL where none fit the groups; those of one channel are conv_depthwise's. */
static DirectKind grouped_kind(const KernelQuery *query) {
    const ConvGeometry g = geometry_of(query);
    return (DirectKind){.grouped = true,
                        .tiles = g.in_channels == g.group
                                     ? NULL
                                     : conv_grouped_tiles_of(query->target, g.in_channels / g.group,
                                                             g.out_channels / g.group)};
}

static Status direct_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    return prepare(query, direct_kind(query), ctx, instance);
}

static Status first_layer_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    return prepare(query, first_layer_kind(query), ctx, instance);
}

static Status grouped_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    return prepare(query, grouped_kind(query), ctx, instance);
}

/* --- choosing --- */

static bool direct_accepts(KernelQuery *query) {
    return conv_accepts_blocked(query, cpu_blocked(query)) && memory_in_proportion(query, direct_kind(query));
}

/* Plain input is read one channel at a time, which is as good as blocks as long as there are not many. */
static bool first_layer_accepts(KernelQuery *query) {
    const ConvAttrs *attrs = query->node->attrs;
    return query->inputs[CONV_X].layout.kind == LAYOUT_PLAIN && attrs->group == 1 &&
           query->inputs[CONV_X].type.shape.dims[1] <= query->width &&
           conv_accepts_blocked(query, layout_plain()) &&
           memory_in_proportion(query, first_layer_kind(query));
}

static bool grouped_accepts(KernelQuery *query) {
    if (!conv_accepts_blocked(query, cpu_blocked(query)))
        return false;
    const DirectKind kind = grouped_kind(query);
    return kind.tiles && memory_in_proportion(query, kind);
}

/* As direct_cost(): for each tap a group's channels are as many products. */
static double grouped_cost(const KernelQuery *query) {
    const ConvGeometry g = geometry_of(query);
    const ConvTiles *tiles = grouped_kind(query).tiles;
    const int group = (int)(g.in_channels / g.group);
    const int64_t rows = tile_rows(&g), pixels = tile_row_pixels(&g);
    const double n = (double)tile_count(tiles, pixels, 1), tile_pixels = (double)pixels / n;
    const double a_block = (double)rows * n *
                           (depth_taps(&g) * (double)plane_taps(&g) * tile_cycles(group, tile_pixels) +
                            (double)g.dims[Z].out * tile_call_cycles(2, tile_pixels));
    return 2000 + conv_pack_cost(conv_run_bytes_grouped(query, &g)) +
           (double)(g.batch * ceil_div(g.out_channels, query->width)) * a_block * query->width / 56.0;
}

#define COPY_NS 0.18 /* of a float of the input, where it leaves the nearer caches */

/* 56 products a nanosecond at full tiles; what groups waste, tiles that are not full, and copies come on top.
 */
static double direct_cost(const KernelQuery *query) {
    const ConvGeometry g = geometry_of(query);
    const ConvTiles *tiles = conv_tiles_for(query->target);
    const int64_t blocks = ceil_div(g.out_channels, query->width);
    const int64_t rows = g.dims[Z].out * tile_rows(&g), pixels = tile_row_pixels(&g);
    const bool plain = query->inputs[CONV_X].layout.kind == LAYOUT_PLAIN;
    const int block_channels = plain ? 1 : query->width, count = choose_count(&g, tiles, query->width);
    const TileBlocks one = tile_blocks(&g, query->width, block_channels, 0, 1);
    const double in_channels = (double)(one.in_count - 1) * block_channels + one.tail_channels;
    const double n = (double)tile_count(tiles, pixels, count);
    const bool skips_padding = skipping_padding_pays(&g, tiles, count);
    const double a_channel =
        depth_taps(&g) * (skips_padding ? row_chunks_cycles(&g.dims[Y], &g.dims[X], tiles, count)
                                        : whole_cycles(&g, tiles, count));
    const double pixels_in = (double)(g.dims[Z].in * g.dims[Y].in * g.dims[X].in);
    const double copies =
        needs_copy(&g) && !skips_padding ? (double)(g.batch * g.in_channels) * pixels_in : 0;
    const double calls = (double)rows * n * tile_call_cycles(count, (double)pixels / n);
    return 2000 + COPY_NS * copies + conv_pack_cost(conv_run_bytes(query, &g, block_channels, count)) +
           (double)g.batch * (double)blocks / count * (in_channels * a_channel + calls) * query->width / 56.0;
}

const Kernel kernel_conv_direct = {
    .name = "conv_direct",
    .op = OP_Conv,
    .accepts = direct_accepts,
    .cost = direct_cost,
    .tuning_key = conv_tuning_key,
    .prepare = direct_prepare,
};

const Kernel kernel_conv_first_layer = {
    .name = "conv_first_layer",
    .op = OP_Conv,
    .accepts = first_layer_accepts,
    .cost = direct_cost,
    .tuning_key = conv_tuning_key,
    .prepare = first_layer_prepare,
};

const Kernel kernel_conv_grouped = {
    .name = "conv_grouped",
    .op = OP_Conv,
    .accepts = grouped_accepts,
    .cost = grouped_cost,
    .tuning_key = conv_tuning_key,
    .prepare = grouped_prepare,
};
