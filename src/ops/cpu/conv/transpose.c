/* SPDX-License-Identifier: Apache-2.0 */
/* Transposed convolution as ordinary ones: with stride s, output element o reads through those taps k only
 * for which o + pad - k is a multiple of s.  So the outputs whose o + pad leave the same remainder, a phase,
 * are a convolution with stride 1 by every s-th tap, whose results lie s apart:
 *     y[s q + phase - pad] = sum over j of x[q - j] w[phase + s j]
 * A task is one depth of the output, one phase of its rows, a strip of their q, and a run of output blocks;
 * it copies the input rows that it needs, with zeros around, into its scratch memory.  Taps in depths outside
 * the input are left out.  Where there is only one row, its columns are cut into strips. */
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "ops/cpu/conv/query.h"
#include "ops/cpu/conv/tile.h"
#include "ops/cpu/cpu.h"
#include "ops/nn/conv.h"

enum { MIN_TASKS = 16, STRIP_BYTES = 192 * 1024, MAX_PHASES = 4096 };

/* One phase of one dimension. */
typedef struct Phase {
    int64_t first, count; /* of q */
    int64_t out;          /* the output element of the first q */
    int64_t taps;
} Phase;

typedef struct TransposeArgs {
    const ConvTiles *tiles;
    Epilogue epilogue;
    const float *weights, *bias;
    const TileBlocks *blocks; /* for each phase, n_tile_blocks of them */
    Phase *depths, *rows, *columns;
    const ConvTap *taps; /* for each phase `max_taps` of them, those of one depth together */
    int width;
    int64_t batch, in_blocks, out_blocks, out_channels, n_tile_blocks, blocks_a_task, parts;
    int64_t max_taps, strips, strip_rows;
    int64_t column_strips, strip_columns;
    int64_t reach_z, reach_y, reach_x; /* taps before q: depths, rows and columns before the strip's first */
    int64_t first_column,
        last_first; /* input column of the first strip's first tap; the largest Phase.first */
    int64_t scratch_columns, scratch_rows, scratch_plane, scratch_block; /* the last two in floats */
    WindowDim z, y, x;
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

/* A task. */
typedef struct TransposePlace {
    int64_t image, z, phase_z, phase_y, first, rows, first_column, blocks_begin, blocks_end;
    int64_t in_z;                        /* the depth that tap 0 reads */
    int64_t first_depth_tap, depth_taps; /* those that read inside the input */
} TransposePlace;

/* The rows of the strip in one plane of the input, with zeros where that has none. */
static void copy_plane(const TransposeArgs *args, const float *plane, const TransposePlace *place,
                       float *to) {
    const int64_t unit = args->width, columns = args->scratch_columns;
    const int64_t column = args->first_column + place->first_column;
    const int64_t before = i64_min(i64_max(-column, 0), columns);
    const int64_t inside = i64_max(i64_min(args->x.in - i64_max(column, 0), columns - before), 0);
    const int64_t first = args->rows[place->phase_y].first + place->first - args->reach_y;
    for (int64_t at = first; at < first + place->rows + args->reach_y; at++, to += columns * unit) {
        if (at < 0 || at >= args->y.in) {
            memset(to, 0, (size_t)(columns * unit) * sizeof *to);
            continue;
        }
        const float *source = plane + (at * args->x.in + i64_max(column, 0)) * unit;
        memset(to, 0, (size_t)(before * unit) * sizeof *to);
        if (inside)
            memcpy(to + before * unit, source, (size_t)(inside * unit) * sizeof *to);
        memset(to + (before + inside) * unit, 0, (size_t)((columns - before - inside) * unit) * sizeof *to);
    }
}

static void copy_strip(const TransposeArgs *args, const float *in, const TransposePlace *place,
                       float *scratch) {
    const TileBlocks *first = &args->blocks[place->blocks_begin],
                     *last = &args->blocks[place->blocks_end - 1];
    for (int64_t block = first->in_first; block < last->in_first + last->in_count; block++)
        for (int64_t k = 0; k < place->depth_taps; k++) {
            const int64_t z = place->in_z - place->first_depth_tap - k;
            copy_plane(args, in + (block * args->z.in + z) * args->y.in * args->x.in * args->width, place,
                       scratch + (block - first->in_first) * args->scratch_block + k * args->scratch_plane);
        }
}

static TransposePlace place_of(const TransposeArgs *args, int64_t task) {
    const int64_t part = task % args->parts, column_strip = task / args->parts % args->column_strips;
    const int64_t rest = task / (args->parts * args->column_strips), strip = rest % args->strips;
    const int64_t phase = rest / args->strips, plane = phase / args->y.stride;
    TransposePlace place = {.image = plane / args->z.out,
                            .z = plane % args->z.out,
                            .phase_y = phase % args->y.stride,
                            .first = strip * args->strip_rows,
                            .first_column = column_strip * args->strip_columns,
                            .blocks_begin = part * args->blocks_a_task};
    place.rows = i64_min(args->strip_rows, args->rows[place.phase_y].count - place.first);
    place.blocks_end = i64_min(place.blocks_begin + args->blocks_a_task, args->n_tile_blocks);
    /* Phases begin at q = Phase.first; pads may be of either sign. */
    while (args->depths[place.phase_z].count == 0 ||
           (place.z - args->depths[place.phase_z].out) % args->z.stride != 0)
        place.phase_z++;
    const Phase *depth = &args->depths[place.phase_z];
    place.in_z = depth->first + (place.z - depth->out) / args->z.stride;
    place.first_depth_tap = i64_max(place.in_z - (args->z.in - 1), 0);
    place.depth_taps = i64_max(i64_min(depth->taps, place.in_z + 1) - place.first_depth_tap, 0);
    return place;
}

/* One row of one phase by one run of blocks. */
static void run_row(const TransposeArgs *args, const TransposePlace *place, const TileBlocks *blocks,
                    const Phase *columns, ConvTile *tile, const float *in, float *out,
                    const float *residual) {
    const int64_t first = place->first_column, width = args->width;
    const int64_t count = i64_min(args->strip_columns, columns->count - first);
    const int64_t n = tile_count(args->tiles, count, blocks->count);
    for (int64_t i = 0; i < n; i++) {
        const int64_t begin = i * count / n, end = (i + 1) * count / n;
        const int64_t at = (columns->out + (first + begin) * args->x.stride) * width;
        tile->in = in + (columns->first + begin - args->first_column) * width;
        tile->out = out + at;
        tile->residual = residual ? residual + at : NULL;
        args->tiles->blocked[blocks->count][end - begin](tile);
    }
}

static void conv_transpose_run(const KernelCall *call, int64_t task) {
    const TransposeArgs *args = call->args;
    TransposePlace place = place_of(args, task);
    if (place.rows <= 0)
        return;
    const Phase *rows = &args->rows[place.phase_y];
    int64_t width = args->width, in_block = args->z.in * args->y.in * args->x.in * width,
            out_plane = args->y.out * args->x.out * width, out_block = args->z.out * out_plane;
    const int64_t out_at = place.image * args->out_blocks * out_block + place.z * out_plane;
    const float *in = (const float *)call->inputs[CONV_X] + place.image * args->in_blocks * in_block;
    float *out = (float *)call->outputs[0] + out_at;
    const float *residual = cpu_residual(call, &args->epilogue);
    const TileBlocks *first = &args->blocks[place.blocks_begin];
    int64_t row_floats = args->scratch_columns * width;
    copy_strip(args, in, &place, call->scratch);
    ConvTile tile = {.in_block_stride = args->scratch_block,
                     .lanes = (int)width,
                     .out_block_stride = out_block,
                     .out_pixel_stride = args->x.stride * width,
                     .epilogue = &args->epilogue};
    for (int64_t phase_x = 0; phase_x < args->x.stride; phase_x++) {
        const Phase *columns = &args->columns[phase_x];
        int64_t phase = (place.phase_z * args->y.stride + place.phase_y) * args->x.stride + phase_x;
        int64_t plane_taps = rows->taps * columns->taps;
        tile.taps = args->taps + phase * args->max_taps + place.first_depth_tap * plane_taps;
        tile.n_taps = place.depth_taps * plane_taps;
        tile.all_taps = args->depths[place.phase_z].taps * plane_taps;
        for (int64_t b = place.blocks_begin; b < place.blocks_end && columns->count > place.first_column;
             b++) {
            const TileBlocks *blocks = &args->blocks[phase * args->n_tile_blocks + b];
            tile_set_blocks(&tile, blocks, args->weights, args->bias, args->width, args->out_channels);
            for (int64_t r = 0; r < place.rows; r++) {
                int64_t at = blocks->first * out_block +
                             (rows->out + (place.first + r) * args->y.stride) * args->x.out * width;
                const float *from = (const float *)call->scratch + (args->reach_y + r) * row_floats -
                                    place.first_depth_tap * args->scratch_plane +
                                    (int64_t)(blocks->in_first - first->in_first) * tile.in_block_stride;
                run_row(args, &place, blocks, columns, &tile, from, out + at,
                        residual ? residual + out_at + at : NULL);
            }
        }
    }
}

/* --- preparing --- */

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
    const ConvGeometry *g;
    const TransposeArgs *args;
    const Tensor *weight, *scale;
} TransposePack;

/* The taps of one phase; weights are [C, M/group, depths, rows, columns]. */
static void pack_tile(const TransposePack *pack, int64_t phase, const TileBlocks *blocks, float *to) {
    const ConvGeometry *g = pack->g;
    const TransposeArgs *args = pack->args;
    const Phases f = phases_of(args, phase);
    const int64_t ny = f.y->taps, nx = f.x->taps;
    int64_t in_group = g->in_channels / g->group, out_group = g->out_channels / g->group;
    memset(to, 0, tile_weights(blocks, args->width, args->width, f.taps) * sizeof *to);
    for (int o = 0; o < blocks->count; o++)
        for (int lane = 0; lane < args->width; lane++) {
            int64_t m = (int64_t)(blocks->first + o) * args->width + lane;
            if (m >= g->out_channels)
                break;
            float scale = pack->scale ? (float)tensor_get_f64(pack->scale, m) : 1;
            for (int64_t c = 0; c < in_group; c++)
                for (int64_t t = 0; t < f.taps; t++) {
                    const int64_t channel = m / out_group * in_group + c,
                                  kz = f.of_z + t / (ny * nx) * args->z.stride,
                                  ky = f.of_y + t / nx % ny * args->y.stride,
                                  kx = f.of_x + t % nx * args->x.stride;
                    const int64_t filter = channel * out_group + m % out_group;
                    const int64_t from =
                        ((filter * args->z.kernel + kz) * args->y.kernel + ky) * args->x.kernel + kx;
                    size_t at = tile_weight_at(blocks, args->width, args->width, f.taps, t, channel, o);
                    to[at + (size_t)lane] = (float)tensor_get_f64(pack->weight, from) * scale;
                }
        }
}

static void fill_pack(void *context, void *memory) {
    const TransposePack *pack = context;
    const TransposeArgs *args = pack->args;
    for (int64_t phase = 0; phase < count_phases(args); phase++)
        for (int64_t b = 0; b < args->n_tile_blocks; b++) {
            const TileBlocks *blocks = &args->blocks[phase * args->n_tile_blocks + b];
            pack_tile(pack, phase, blocks, (float *)memory + blocks->weights_at);
        }
    pack_consumed(pack->weight, pack->weight->data, pack->weight->size_bytes);
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

static Status pack_weights(const KernelQuery *query, const ConvGeometry *g, TransposeArgs *args, int count,
                           PrepareContext *ctx, KernelInstance *instance) {
    const int64_t phases = count_phases(args);
    TileBlocks *blocks;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *blocks, phases, args->n_tile_blocks), &blocks));
    int64_t floats = 0;
    for (int64_t phase = 0; phase < phases; phase++)
        for (int64_t b = 0; b < args->n_tile_blocks; b++) {
            TileBlocks *at = &blocks[phase * args->n_tile_blocks + b];
            int first = (int)b * count;
            *at = tile_blocks(g, args->width, args->width, first,
                              (int)i64_min(count, args->out_blocks - first));
            at->weights_at = (size_t)floats;
            floats = i64_sum(
                floats, (int64_t)tile_weights(at, args->width, args->width, phases_of(args, phase).taps));
        }
    args->blocks = blocks;
    char key[120];
    const void *packed;
    TransposePack pack = {g, args, query->inputs[CONV_W].constant, conv_scale(query, &args->epilogue)};
    snprintf(key, sizeof key, "transpose %d %d %lld %lldx%lldx%lld %p", args->width, count,
             (long long)g->group, (long long)args->z.stride, (long long)args->y.stride,
             (long long)args->x.stride, (const void *)pack.scale);
    const Bytes size = bytes_of(sizeof(float), floats);
    instance->packed_bytes = size.n;
    TRY(pack_constant(ctx, pack.weight, key, size, fill_pack, &pack, &packed));
    args->weights = packed;
    return STRIDER_OK;
}

static int64_t max_outputs(const WindowDim *dim) {
    int64_t most = 0;
    for (int64_t f = 0; f < dim->stride; f++)
        most = i64_max(most, phase_of(dim, f).count);
    return most;
}

static int64_t reach_of(const WindowDim *dim) {
    return ceil_div(dim->kernel, dim->stride) - 1;
}

/* How far phases lie apart. */
static void set_reach(TransposeArgs *args) {
    args->reach_z = reach_of(&args->z);
    args->reach_y = reach_of(&args->y);
    args->reach_x = reach_of(&args->x);
    args->max_taps = count_of(args->reach_z + 1, args->reach_y + 1, args->reach_x + 1);
    args->first_column = INT64_MAX;
    args->last_first = INT64_MIN;
    for (int64_t f = 0; f < args->x.stride; f++) {
        const int64_t first = phase_of(&args->x, f).first;
        args->first_column = i64_min(args->first_column, first - args->reach_x);
        args->last_first = i64_max(args->last_first, first);
    }
}

/* Strips of rows, or of the columns of the only row; and how many output blocks a task takes.  `in_count`:
 * input blocks that one run of them reads. */
static void cut_work(TransposeArgs *args, int64_t in_count) {
    const int64_t rows = max_outputs(&args->y), columns = max_outputs(&args->x);
    const int64_t planes = count_of(args->batch, args->z.out, args->y.stride);
    const int64_t depths = i64_min(args->reach_z + 1, args->z.in),
                  halo = args->last_first - args->first_column;
    const int64_t column_bytes = count_of(in_count, depths, args->width, sizeof(float)),
                  min_columns = i64_sum(i64_product(4, halo), TILE_MAX_PIXELS);
    args->strip_columns = columns;
    if (rows == 1) {
        const int64_t by_memory = i64_max(STRIP_BYTES / column_bytes, min_columns),
                      balanced = i64_max(ceil_div(i64_product(columns, planes), MIN_TASKS), min_columns);
        args->strip_columns = i64_min(i64_min(by_memory, balanced), columns);
    }
    args->column_strips = ceil_div(columns, args->strip_columns);
    args->scratch_columns = i64_sum(args->strip_columns, halo);
    const int64_t row_bytes = i64_product(args->scratch_columns, column_bytes);
    args->strip_rows = i64_max(
        i64_min(STRIP_BYTES / i64_max(row_bytes, 1), ceil_div(i64_product(rows, planes), MIN_TASKS)), 1);
    args->strips = ceil_div(rows, args->strip_rows);
    const int64_t parts = i64_min(ceil_div(MIN_TASKS, count_of(args->strips, args->column_strips, planes)),
                                  args->n_tile_blocks);
    args->blocks_a_task = ceil_div(args->n_tile_blocks, parts);
    args->parts = ceil_div(args->n_tile_blocks, args->blocks_a_task);
    args->scratch_rows = i64_sum(args->strip_rows, args->reach_y);
    args->scratch_plane = count_of(args->scratch_rows, args->scratch_columns, args->width);
    args->scratch_block = i64_product(depths, args->scratch_plane);
}

/* What a query's node becomes, but for its constants and tables; output blocks of a tile through *count. */
static TransposeArgs plan_work(const KernelQuery *query, const ConvGeometry *g, int *count) {
    TransposeArgs args = {.tiles = conv_tiles(query->isa),
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
    set_reach(&args);
    cut_work(&args,
             tile_blocks(g, args.width, args.width, 0, (int)i64_min(*count, args.out_blocks)).in_count);
    return args;
}

static Bytes task_scratch(const TransposeArgs *args) {
    return bytes_of(sizeof(float), args->in_blocks, args->scratch_block);
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
    TRY(pack_weights(query, &g, args, count, ctx, instance));
    TRY(cpu_pack_bias(query, args->epilogue.bias_port, g.out_channels, query->width, ctx, &args->bias));
    TRY(make_taps(args, ctx));
    instance->scratch_bytes = task_scratch(args);
    instance->run = conv_transpose_run;
    instance->args = args;
    instance->tasks =
        count_of(g.batch, args->z.out, args->y.stride, args->strips, args->column_strips, args->parts);
    return STRIDER_OK;
}

static bool conv_transpose_accepts(KernelQuery *query) {
    if (!conv_accepts_blocked(query, query->width) || shape_elements(&query->inputs[CONV_X].type.shape) == 0)
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
    return cpu_in_proportion(query, bytes_sum(task_scratch(&args), tables_of(&args)), (Bytes){0});
}

static double conv_transpose_cost(const KernelQuery *query) {
    const Shape *w = &query->inputs[CONV_W].type.shape;
    return 2000 + (double)shape_elements(&query->inputs[CONV_X].type.shape) *
                      (double)shape_size(w, 1, w->rank) / 45.0;
}

const Kernel kernel_conv_transpose = {
    .name = "conv_transpose",
    .op = OP_ConvTranspose,
    .accepts = conv_transpose_accepts,
    .cost = conv_transpose_cost,
    .prepare = conv_transpose_prepare,
};
