/* SPDX-License-Identifier: Apache-2.0 */
/* Transposed convolution as ordinary ones: with stride s, output element o reads through those taps k only
 * for which o + pad - k is a multiple of s.  So the outputs whose o + pad leave the same remainder, a phase,
 * are a convolution with stride 1 by every s-th tap, whose results lie s apart:
 *     y[s q + phase - pad] = sum over j of x[q - j] w[phase + s j]
 * A task is one depth of the output, one phase of its rows, a tile of their q, and a run of output blocks;
 * it copies the input rows that it needs, with zeros around, into its scratch memory.  Taps in depths outside
 * the input are left out.  Where there is only one row, its columns are divided into tiles. */
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "ops/cpu/conv/query.h"
#include "ops/cpu/conv/transpose.h"
#include "ops/cpu/cpu.h"
#include "ops/nn/conv.h"

enum { MIN_TASKS = 16, ROW_TILE_BYTES = 192 * 1024, MAX_PHASES = 4096 };

static Phase phase_of(const WindowDim *dim, int64_t phase) {
    Phase made = {.taps = phase < dim->kernel ? ceil_div(dim->kernel - phase, dim->stride) : 0};
    /* The least q with s q + phase - pad >= 0, for pads of either sign. */
    int64_t short_by = dim->pad_begin - phase;
    made.first = short_by > 0 ? ceil_div(short_by, dim->stride) : -(-short_by / dim->stride);
    made.out = made.first * dim->stride + phase - dim->pad_begin;
    made.count = made.out < dim->out ? ceil_div(dim->out - made.out, dim->stride) : 0;
    return made;
}

static ConvGeometry query_geometry(const KernelQuery *query) {
    const ConvAttrs *attrs = query->node->attrs;
    ConvGeometry g =
        conv_transpose_geometry(attrs, &query->inputs[CONV_X].type.shape, &query->inputs[CONV_W].type.shape);
    for (int i = 0; i < g.spatial; i++)
        if (g.dims[i].in == 1) /* a stride would only make phases */
            g.dims[i].stride = 1;
    return conv_geometry_3d(&g);
}

/* A phase of all dimensions. */
typedef struct Phases {
    const Phase *z, *y, *x;
    int64_t of_z, of_y, of_x, taps;
} Phases;

static int64_t count_phases(const TransposeArgs *args) {
    return count_of(args->z.stride, args->y.stride, args->x.stride);
}

static Phases phases_of(const TransposeArgs *args, int64_t phase) {
    Phases phases = {.of_z = phase / (args->y.stride * args->x.stride),
                     .of_y = phase / args->x.stride % args->y.stride,
                     .of_x = phase % args->x.stride};
    phases.z = &args->depths[phases.of_z];
    phases.y = &args->rows[phases.of_y];
    phases.x = &args->columns[phases.of_x];
    phases.taps = count_of(phases.z->taps, phases.y->taps, phases.x->taps);
    return phases;
}

typedef struct TransposePack {
    ConvGeometry g;
    const TransposeArgs *args;
    const float *scales; /* may be NULL */
    int64_t chunk_blocks;
} TransposePack;

/* The taps of one phase for an input channel and the output channels [first, end) of its group, one after
 * the other; `step` is from one tap to the next.  Weights are [C, M/group, depths, rows, columns]. */
static void pack_channel(const TransposePack *pack, const char *weights, const Phases *f, int64_t channel,
                         int64_t first, int64_t end, int64_t step, float *to) {
    const TransposeArgs *args = pack->args;
    const int64_t ny = f->y->taps, nx = f->x->taps, out_group = pack->g.out_channels / pack->g.group;
    const int64_t volume = args->z.kernel * args->y.kernel * args->x.kernel;
    const char *filters =
        weights +
        bytes_of(sizeof(float), i64_sum(i64_product(channel, out_group), first % out_group), volume).n;
    for (int64_t t = 0; t < f->taps; t++, to += step) {
        const int64_t kz = f->of_z + t / (ny * nx) * args->z.stride,
                      ky = f->of_y + t / nx % ny * args->y.stride, kx = f->of_x + t % nx * args->x.stride;
        const int64_t tap = (kz * args->y.kernel + ky) * args->x.kernel + kx;
        for (int64_t m = first; m < end; m++) {
            float value; /* at any alignment */
            memcpy(&value, filters + (size_t)((m - first) * volume + tap) * sizeof value, sizeof value);
            to[m - first] = pack->scales ? value * pack->scales[m] : value;
        }
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

static void fill_chunk(const void *context, const void *weights, int64_t run, int64_t chunk, float *to) {
    const TransposePack *pack = context;
    const TransposeArgs *args = pack->args;
    const Phases f = phases_of(args, run / args->n_tile_blocks);
    const TileBlocks *blocks = &args->pack.blocks[run];
    const int64_t first = chunk * pack->chunk_blocks,
                  end = i64_min(first + pack->chunk_blocks, blocks->in_count);
    if (first < end)
        pack_tile(pack, weights, &f, blocks, first, end,
                  to + blocks->weights_at + first * f.taps * args->width * blocks->count * args->width);
}

static Status make_dim(const WindowDim *dim, PrepareContext *ctx, Phase **phases) {
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof(Phase), dim->stride), phases));
    for (int64_t f = 0; f < dim->stride; f++)
        (*phases)[f] = phase_of(dim, f);
    return STRIDER_OK;
}

static Status make_phases(TransposeArgs *args, PrepareContext *ctx) {
    TRY(make_dim(&args->z, ctx, &args->depths));
    TRY(make_dim(&args->y, ctx, &args->rows));
    return make_dim(&args->x, ctx, &args->columns);
}

/* Where the taps of each phase lie in scratch memory. */
static Status make_taps(TransposeArgs *args, PrepareContext *ctx) {
    ConvTap *taps;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *taps, count_phases(args), args->max_taps), &taps));
    for (int64_t phase = 0; phase < count_phases(args); phase++) {
        const Phases f = phases_of(args, phase);
        const int64_t ny = f.y->taps, nx = f.x->taps;
        for (int64_t t = 0; t < f.taps; t++)
            taps[phase * args->max_taps + t] =
                (ConvTap){t / (ny * nx) * args->scratch_plane -
                              (t / nx % ny * args->scratch_columns + t % nx) * args->width,
                          t};
    }
    args->taps = taps;
    return STRIDER_OK;
}

/* The tiles of all phases; returns the floats of their weights through *floats and the most input blocks of
 * one through *in_count. */
static Status make_blocks(const ConvGeometry *g, TransposeArgs *args, int count, PrepareContext *ctx,
                          int64_t *floats, int64_t *in_count) {
    const int64_t phases = count_phases(args);
    TileBlocks *blocks;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *blocks, phases, args->n_tile_blocks), &blocks));
    *floats = 0;
    *in_count = 1;
    for (int64_t phase = 0; phase < phases; phase++)
        for (int64_t b = 0; b < args->n_tile_blocks; b++) {
            TileBlocks *at = &blocks[phase * args->n_tile_blocks + b];
            int first = (int)b * count;
            *at = tile_blocks(g, args->width, args->width, first,
                              (int)i64_min(count, args->out_blocks - first));
            at->weights_at = (size_t)*floats;
            *in_count = i64_max(*in_count, at->in_count);
            *floats = i64_sum(
                *floats, (int64_t)tile_weights(at, args->width, args->width, phases_of(args, phase).taps));
        }
    args->pack.blocks = blocks;
    return STRIDER_OK;
}

static Status pack_weights(const KernelQuery *query, const ConvGeometry *g, TransposeArgs *args, int count,
                           PrepareContext *ctx) {
    int64_t floats, in_count;
    TRY(make_blocks(g, args, count, ctx, &floats, &in_count));
    TransposePack *pack;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *pack, 1), &pack));
    pack->g = *g;
    pack->args = args;
    TRY(conv_scales(query, g->out_channels, ctx, &pack->scales));
    pack->chunk_blocks = i64_min(
        ceil_div(CONV_CHUNK_FLOATS, count_of(args->max_taps, args->width, count, args->width)), in_count);
    char key[120];
    snprintf(key, sizeof key, "transpose %d %d %lld %lldx%lldx%lld %p", args->width, count,
             (long long)g->group, (long long)args->z.stride, (long long)args->y.stride,
             (long long)args->x.stride, (const void *)conv_scale(query));
    const ConvFill fill = {.fill = fill_chunk,
                           .context = pack,
                           .runs = i64_product(count_phases(args), args->n_tile_blocks),
                           .chunks = ceil_div(in_count, pack->chunk_blocks)};
    return conv_pack(query, &fill, key, bytes_of(sizeof(float), floats), ctx, &args->pack);
}

static int64_t max_outputs(const WindowDim *dim) {
    int64_t max = 0;
    for (int64_t f = 0; f < dim->stride; f++)
        max = i64_max(max, phase_of(dim, f).count);
    return max;
}

static int64_t halo_of(const WindowDim *dim) {
    return ceil_div(dim->kernel, dim->stride) - 1;
}

/* How far phases lie apart. */
static void set_halo(TransposeArgs *args) {
    args->halo_z = halo_of(&args->z);
    args->halo_y = halo_of(&args->y);
    args->halo_x = halo_of(&args->x);
    args->max_taps = count_of(args->halo_z + 1, args->halo_y + 1, args->halo_x + 1);
    args->first_column = INT64_MAX;
    args->last_first = INT64_MIN;
    for (int64_t f = 0; f < args->x.stride; f++) {
        const int64_t first = phase_of(&args->x, f).first;
        args->first_column = i64_min(args->first_column, first - args->halo_x);
        args->last_first = i64_max(args->last_first, first);
    }
}

/* Tiles of rows, or of the columns of the only row; and how many output blocks a task takes.  `in_count`:
 * input blocks that one run of them reads. */
static void split_work(TransposeArgs *args, int64_t in_count) {
    const int64_t rows = max_outputs(&args->y), columns = max_outputs(&args->x);
    const int64_t planes = count_of(args->batch, args->z.out, args->y.stride);
    const int64_t depths = i64_min(args->halo_z + 1, args->z.in),
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
    args->scratch_rows = i64_sum(args->rows_a_tile, args->halo_y);
    args->scratch_plane = count_of(args->scratch_rows, args->scratch_columns, args->width);
    args->scratch_block = i64_product(depths, args->scratch_plane);
}

/* What a query's node becomes, but for its constants and tables; output blocks of a tile through *count. */
static TransposeArgs plan_work(const KernelQuery *query, const ConvGeometry *g, int *count) {
    TransposeArgs args = {.tiles = conv_tiles_for(query->target),
                          .width = query->width,
                          .batch = g->batch,
                          .in_blocks = ceil_div(g->in_channels, query->width),
                          .out_blocks = ceil_div(g->out_channels, query->width),
                          .out_channels = g->out_channels,
                          .z = g->dims[0],
                          .y = g->dims[1],
                          .x = g->dims[2]};
    conv_epilogue(query->node, &args.epilogue);
    *count = tile_choose_blocks(args.tiles, ceil_div(args.x.out, args.x.stride), args.out_blocks);
    args.n_tile_blocks = ceil_div(args.out_blocks, *count);
    set_halo(&args);
    split_work(&args,
               tile_blocks(g, args.width, args.width, 0, (int)i64_min(*count, args.out_blocks)).in_count);
    return args;
}

static Bytes task_scratch(const TransposeArgs *args) {
    return bytes_of(sizeof(float), args->in_blocks, args->scratch_block);
}

/* All phases together have each tap once. */
static Bytes run_bytes(const KernelQuery *query, const ConvGeometry *g, int count) {
    return conv_run_bytes(query, g, query->width, count);
}

/* Of all phases, most of which may have no taps. */
static Bytes tables_of(const TransposeArgs *args) {
    return bytes_sum(bytes_of(sizeof(ConvTap), count_phases(args), args->max_taps),
                     bytes_of(sizeof(TileBlocks), count_phases(args), args->n_tile_blocks));
}

static Status conv_transpose_prepare(const KernelQuery *query, PrepareContext *ctx,
                                     KernelInstance *instance) {
    ConvGeometry g = query_geometry(query);
    TransposeArgs *args;
    int count;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    *args = plan_work(query, &g, &count);
    TRY(make_phases(args, ctx));
    TRY(pack_weights(query, &g, args, count, ctx));
    TRY(conv_pack_bias(query, g.out_channels, ctx, &args->pack));
    TRY(make_taps(args, ctx));
    instance->scratch_bytes = task_scratch(args);
    instance->run = conv_transpose_run;
    instance->args = args;
    instance->tasks =
        count_of(g.batch, args->z.out, args->y.stride, args->row_tiles, args->column_tiles, args->parts);
    conv_pack_finish(&args->pack, instance);
    return STRIDER_OK;
}

static bool conv_transpose_accepts(KernelQuery *query) {
    if (!conv_accepts_blocked(query, cpu_blocked(query)) ||
        shape_elements(&query->inputs[CONV_X].type.shape) == 0)
        return false;
    const ConvGeometry g = query_geometry(query);
    int64_t phases = 1;
    for (int i = 0; i < g.spatial && phases <= MAX_PHASES; i++) {
        if (g.dims[i].dilation != 1)
            return false;
        phases *= g.dims[i].stride;
    }
    if (phases > MAX_PHASES)
        return false;
    int count;
    const TransposeArgs args = plan_work(query, &g, &count);
    return cpu_in_proportion(query, bytes_sum(task_scratch(&args), tables_of(&args)),
                             run_bytes(query, &g, count));
}

static double conv_transpose_cost(const KernelQuery *query) {
    const Shape *w = &query->inputs[CONV_W].type.shape;
    const ConvGeometry g = query_geometry(query);
    int count;
    plan_work(query, &g, &count);
    return 2000 + conv_pack_cost(run_bytes(query, &g, count)) +
           (double)shape_elements(&query->inputs[CONV_X].type.shape) * (double)shape_size(w, 1, w->rank) /
               45.0;
}

const Kernel kernel_conv_transpose = {
    .name = "conv_transpose",
    .op = OP_ConvTranspose,
    .accepts = conv_transpose_accepts,
    .cost = conv_transpose_cost,
    .prepare = conv_transpose_prepare,
};
