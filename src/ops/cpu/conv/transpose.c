/* SPDX-License-Identifier: Apache-2.0 */
/* Transposed convolution as ordinary ones: with stride s and dilation d, output element o reads through those
 * taps k only for which o + pad - d k is a multiple of s.  So the outputs whose o + pad leave the same
 * remainder, a phase, are a convolution with stride 1 by every (s / gcd(s, d))-th tap from the phase's first
 * one, whose results lie s apart; its taps lie d / gcd(s, d) apart in the input:
 *     y[s q + phase - pad] = sum over j of x[q - shift - d / gcd j] w[first + s / gcd j]
 * A task is one depth of the output, one phase of its rows, a tile of their q, and a run of output blocks;
 * it copies the input rows that it needs, with zeros before and after each, into its scratch memory.  Taps in
 * depths and rows outside the input are left out, and so are those in columns that no pixel of a tile sees.
 * Where there is only one row, its columns are divided into tiles. */
#include "ops/cpu/conv/transpose.h"
#include "base/size.h"
#include "ops/cpu/conv/grouped.h"
#include "ops/cpu/conv/query.h"
#include "ops/cpu/cpu.h"
#include "ops/nn/conv.h"

enum { MIN_TASKS = 16, ROW_TILE_BYTES = 192 * 1024, MAX_PHASES = 4096 };

static int64_t greatest_divisor(int64_t a, int64_t b) {
    while (b) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The first tap of a phase is among the first `tap_step`, or there is none. */
static void find_taps(const PhaseDim *of, int64_t phase, Phase *made) {
    const WindowDim *dim = &of->dim;
    for (int64_t k = 0; k < of->tap_step && k < dim->kernel; k++)
        if ((k * dim->dilation - phase) % dim->stride == 0) {
            made->taps = ceil_div(dim->kernel - k, of->tap_step);
            made->tap = k;
            made->shift = (k * dim->dilation - phase) / dim->stride;
            return;
        }
}

static Phase phase_of(const PhaseDim *of, int64_t phase) {
    const WindowDim *dim = &of->dim;
    Phase made = {0};
    find_taps(of, phase, &made);
    /* The least q with s q + phase - pad >= 0, for pads of either sign. */
    int64_t short_by = dim->pad_begin - phase;
    made.first = short_by > 0 ? ceil_div(short_by, dim->stride) : -(-short_by / dim->stride);
    made.out = made.first * dim->stride + phase - dim->pad_begin;
    made.count = made.out < dim->out ? ceil_div(dim->out - made.out, dim->stride) : 0;
    return made;
}

PhaseDim transpose_phase_dim(const WindowDim *dim) {
    const int64_t divisor = greatest_divisor(dim->stride, dim->dilation);
    PhaseDim made = {.dim = *dim, .tap_step = dim->stride / divisor, .in_step = dim->dilation / divisor};
    for (int64_t f = 0; f < dim->stride; f++) {
        const Phase phase = phase_of(&made, f);
        made.max_taps = i64_max(made.max_taps, phase.taps);
        made.max_count = i64_max(made.max_count, phase.count);
        if (phase.taps)
            made.halo = i64_max(made.halo, i64_sum(phase.shift, i64_product(phase.taps - 1, made.in_step)));
    }
    return made;
}

ConvGeometry transpose_geometry(const KernelQuery *query) {
    const ConvAttrs *attrs = query->node->attrs;
    ConvGeometry g =
        conv_transpose_geometry(attrs, &query->inputs[CONV_X].type.shape, &query->inputs[CONV_W].type.shape);
    for (int i = 0; i < g.spatial; i++) {
        if (g.dims[i].in == 1) /* a stride would only make phases */
            g.dims[i].stride = 1;
        if (g.dims[i].kernel == 1)
            g.dims[i].dilation = 1;
    }
    return conv_volume(&g);
}

int64_t transpose_count_phases(const TransposeArgs *args) {
    return count_of(args->z.dim.stride, args->y.dim.stride, args->x.dim.stride);
}

Phases transpose_phases(const TransposeArgs *args, int64_t phase) {
    const int64_t strides_y = args->y.dim.stride, strides_x = args->x.dim.stride;
    Phases phases = {.z = &args->z.phases[phase / (strides_y * strides_x)],
                     .y = &args->y.phases[phase / strides_x % strides_y],
                     .x = &args->x.phases[phase % strides_x]};
    phases.taps = count_of(phases.z->taps, phases.y->taps, phases.x->taps);
    return phases;
}

Status transpose_make_phases(PhaseDim *dim, PrepareContext *ctx) {
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof(Phase), dim->dim.stride), &dim->phases));
    for (int64_t f = 0; f < dim->dim.stride; f++)
        dim->phases[f] = phase_of(dim, f);
    return STRIDER_OK;
}

WindowTaps transpose_taps(const PhaseDim *dim, const Phase *phase, int64_t first, int64_t last) {
    const int64_t step = dim->in_step, begin = first - phase->shift, end = last - phase->shift;
    if (begin - (phase->taps - 1) * step >= 0 && end < dim->dim.in) /* all, as nearly everywhere */
        return (WindowTaps){0, phase->taps};
    WindowTaps taps = {begin < dim->dim.in ? 0 : (begin - dim->dim.in) / step + 1,
                       end < 0 ? 0 : i64_min(end / step + 1, phase->taps)};
    taps.end = i64_max(taps.end, taps.first);
    return taps;
}

/* How far the phases of columns lie apart. */
static void set_columns(TransposeArgs *args) {
    args->first_column = INT64_MAX;
    args->last_first = INT64_MIN;
    for (int64_t f = 0; f < args->x.dim.stride; f++) {
        const int64_t first = phase_of(&args->x, f).first;
        args->first_column = i64_min(args->first_column, first - args->x.halo);
        args->last_first = i64_max(args->last_first, first);
    }
}

/* Tiles of rows, or of the columns of the only row; and how many output blocks a task takes.  `in_count`:
 * input blocks that one run of them reads. */
static void split_work(TransposeArgs *args, int64_t in_count) {
    const int64_t rows = args->y.max_count, columns = args->x.max_count;
    const int64_t planes = count_of(args->batch, args->z.dim.out, args->y.dim.stride);
    const int64_t depths = i64_max(i64_min(args->z.max_taps, args->z.dim.in), 1),
                  halo = args->last_first - args->first_column;
    const int64_t column_bytes = count_of(in_count, depths, args->width, sizeof(float)),
                  min_columns = i64_sum(i64_product(4, halo), TILE_MAX_PIXELS);
    args->columns_a_tile = columns;
    if (rows == 1) {
        const int64_t by_memory = i64_max(ROW_TILE_BYTES / column_bytes, min_columns),
                      balanced = i64_max(ceil_div(i64_product(columns, planes), MIN_TASKS), min_columns);
        args->columns_a_tile = i64_min(i64_min(by_memory, balanced), columns);
    }
    args->column_tiles = ceil_div(columns, args->columns_a_tile);
    args->scratch_columns = i64_sum(args->columns_a_tile, halo);
    const int64_t row_bytes = i64_product(args->scratch_columns, column_bytes);
    args->rows_a_tile = i64_max(
        i64_min(ROW_TILE_BYTES / i64_max(row_bytes, 1), ceil_div(i64_product(rows, planes), MIN_TASKS)), 1);
    args->row_tiles = ceil_div(rows, args->rows_a_tile);
    const int64_t parts = i64_min(ceil_div(MIN_TASKS, count_of(args->row_tiles, args->column_tiles, planes)),
                                  args->n_tile_blocks);
    args->blocks_a_task = ceil_div(args->n_tile_blocks, parts);
    args->parts = ceil_div(args->n_tile_blocks, args->blocks_a_task);
    args->scratch_rows = i64_min(i64_sum(args->rows_a_tile, args->y.halo), args->y.dim.in);
    args->scratch_plane = count_of(args->scratch_rows, args->scratch_columns, args->width);
    args->scratch_block = i64_product(depths, args->scratch_plane);
}

/* What computes: groups within a vector have tiles of their own. */
static void choose_tiles(const KernelQuery *query, const ConvGeometry *g, TransposeArgs *args, int *count) {
    const ConvTiles *grouped =
        conv_grouped_tiles_of(query->target, g->in_channels / g->group, g->out_channels / g->group);
    args->grouped = g->group > 1 && grouped;
    args->tiles = args->grouped ? grouped : conv_tiles_for(query->target);
    *count = args->grouped ? 1 : tile_choose_group_blocks(args->tiles, args->x.max_count, g, query->width);
}

/* What a query's node becomes, but for its constants and tables; output blocks of a tile through *count. */
static TransposeArgs plan_work(const KernelQuery *query, const ConvGeometry *g, int *count) {
    TransposeArgs args = {.width = query->width,
                          .batch = g->batch,
                          .in_blocks = ceil_div(g->in_channels, query->width),
                          .out_blocks = ceil_div(g->out_channels, query->width),
                          .out_channels = g->out_channels,
                          .z = transpose_phase_dim(&g->dims[0]),
                          .y = transpose_phase_dim(&g->dims[1]),
                          .x = transpose_phase_dim(&g->dims[2])};
    conv_epilogue(query->node, &args.epilogue);
    choose_tiles(query, g, &args, count);
    args.n_tile_blocks = ceil_div(args.out_blocks, *count);
    args.max_taps = count_of(args.z.max_taps, args.y.max_taps, args.x.max_taps);
    set_columns(&args);
    split_work(&args,
               tile_blocks(g, args.width, args.width, 0, (int)i64_min(*count, args.out_blocks)).in_count);
    return args;
}

/* Copies, and a list of taps. */
static Bytes task_scratch(const TransposeArgs *args) {
    return bytes_sum(bytes_of(sizeof(float), args->in_blocks, args->scratch_block),
                     bytes_of(sizeof(ConvTap), args->max_taps));
}

/* Of all phases, most of which may have no taps. */
static Bytes tables_of(const TransposeArgs *args) {
    return bytes_of(sizeof(TileBlocks), transpose_count_phases(args), args->n_tile_blocks);
}

static Status conv_transpose_prepare(const KernelQuery *query, PrepareContext *ctx,
                                     KernelInstance *instance) {
    ConvGeometry g = transpose_geometry(query);
    TransposeArgs *args;
    int count;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    *args = plan_work(query, &g, &count);
    TRY(transpose_make_phases(&args->z, ctx));
    TRY(transpose_make_phases(&args->y, ctx));
    TRY(transpose_make_phases(&args->x, ctx));
    TRY(transpose_pack(query, &g, args, count, ctx));
    TRY(conv_pack_bias(query, g.out_channels, ctx, &args->pack));
    instance->scratch_bytes = task_scratch(args);
    instance->run = conv_transpose_run;
    instance->args = args;
    instance->tasks = count_of(g.batch, args->z.dim.out, args->y.dim.stride, args->row_tiles,
                               args->column_tiles, args->parts);
    conv_pack_finish(&args->pack, instance);
    return STRIDER_OK;
}

bool transpose_accepts_blocked(KernelQuery *query) {
    if (!conv_accepts_blocked(query, cpu_blocked(query)) ||
        shape_elements(&query->inputs[CONV_X].type.shape) == 0)
        return false;
    const ConvGeometry g = transpose_geometry(query);
    int64_t phases = 1;
    for (int i = 0; i < g.spatial && phases <= MAX_PHASES; i++)
        phases *= g.dims[i].stride;
    return phases <= MAX_PHASES;
}

static bool conv_transpose_accepts(KernelQuery *query) {
    if (!transpose_accepts_blocked(query))
        return false;
    const ConvGeometry g = transpose_geometry(query);
    int count;
    const TransposeArgs args = plan_work(query, &g, &count);
    return cpu_in_proportion(query, bytes_sum(task_scratch(&args), tables_of(&args)),
                             transpose_run_bytes(query, &g, &args, count));
}

/* Channels that an output block multiplies, for each tap. */
static int64_t products_of_block(const ConvGeometry *g, const TransposeArgs *args) {
    if (args->grouped)
        return g->in_channels / g->group;
    const TileBlocks one = tile_blocks(g, args->width, args->width, 0, 1);
    return (int64_t)(one.in_count - 1) * args->width + one.tail_channels;
}

static double conv_transpose_cost(const KernelQuery *query) {
    const Shape *x = &query->inputs[CONV_X].type.shape, *w = &query->inputs[CONV_W].type.shape;
    const ConvGeometry g = transpose_geometry(query);
    int count;
    const TransposeArgs args = plan_work(query, &g, &count);
    const int64_t tail = g.out_channels % args.width;
    const bool half = !args.grouped && args.width == TILE_MAX_WIDTH && tail && tail <= args.width / 2;
    const double pixels = (double)g.batch * (double)shape_size(x, 2, x->rank),
                 vectors = (double)args.out_blocks - (half ? 0.5 : 0);
    return 2000 + conv_pack_cost(transpose_run_bytes(query, &g, &args, count)) +
           pixels * (double)shape_size(w, 2, w->rank) * vectors * (double)products_of_block(&g, &args) *
               args.width / 45.0;
}

const Kernel kernel_conv_transpose = {
    .name = "conv_transpose",
    .op = OP_ConvTranspose,
    .accepts = conv_transpose_accepts,
    .cost = conv_transpose_cost,
    .prepare = conv_transpose_prepare,
};
