/* SPDX-License-Identifier: Apache-2.0 */
/* Winograd's convolution for 3 x 3 kernels of stride 1.
 *
 * The image is cut into tiles of m x m output pixels.  Each tile's input and each filter is transformed to
 * n x n = (m + 2)^2 frequencies; for each frequency the products over all input channels are a small matrix
 * product, done by the register tiles of direct convolution with image tiles in the place of pixels; the
 * inverse transform, the epilogue and the store follow.
 *
 * Transformed weights would be 1.8 to 7 times as large as the weights, so they are never kept: the packed 3 x
 * 3 weights are transformed in each run, in one of two ways.
 *  - Many tiles: the beginning phase transforms all weights into the step's workspace; then each task takes
 *    some tiles through all output channels, with their transformed input in its scratch memory.
 *  - Few tiles: the beginning phase transforms the whole input into the workspace; then each task takes some
 *    output channels over all tiles, and transforms their weights piece by piece, which costs less than
 *    reading the larger transformed ones from memory would. */
#include <string.h>

#include "base/size.h"
#include "ops/conv.h"
#include "ops/cpu/conv_pack.h"
#include "ops/cpu/conv_query.h"
#include "ops/cpu/conv_tile.h"
#include "ops/cpu/conv_winograd.h"
#include "ops/cpu/cpu.h"
#include "ops/kernel.h"

enum {
    MANY_TILES = 8 * TILE_MAX_PIXELS,
    WEIGHTS_BYTES = 12 << 20, /* transformed weights that many tasks may read from a shared cache */
    PIECE_BYTES = 320 * 1024, /* transformed weights of one piece: they stay in L2 while tiles pass */
    INPUT_BYTES = 512 * 1024, /* transformed input of a task with many tiles */
    SUMS_BYTES = 512 * 1024,  /* products of one run of output blocks, before the inverse transform */
    LEAST_TASKS = 16,
    MOST_WIDTH = 16, /* floats in the widest vector */
};

/* What follows from a choice of m, for the cost as for the plan. */
typedef struct WinogradCut {
    int m, frequencies, count;         /* count: output blocks of a register tile */
    int64_t tiles_y, tiles_x, n_tiles; /* n_tiles: of all images */
    int64_t in_blocks, out_blocks;
    bool weights_first;
    int64_t task_tiles;   /* tiles that pass the products together */
    int64_t piece_blocks; /* input blocks whose weights are transformed together */
} WinogradCut;

typedef struct WinogradArgs {
    WinogradCut cut;
    const ConvTiles *tiles;
    const WinogradTransform *transform;
    const Epilogue *epilogue;
    ConvPack pack;
    const float *bias;
    WindowDim y, x;
    int width;
    int64_t last_lanes, in_channels, out_channels;
    int64_t input_stride, input_tiles;      /* of transformed input: of a frequency, tiles in a block's row */
    int64_t weights_stride, weights_floats; /* of transformed weights: of a frequency, of a run of blocks */
    int64_t sums_stride;                    /* of a frequency */
    int64_t input_floats;                   /* of a task's transformed input, before its sums */
} WinogradArgs;

/* A frequency's stride is an odd number of vectors, so that the frequencies of one tile do not fall into the
 * same sets of the caches. */
static int64_t odd_stride(int64_t vectors, int width) {
    return (vectors | 1) * width;
}

static int64_t lanes_of(const WinogradArgs *args, int64_t in_block) {
    return in_block == args->cut.in_blocks - 1 ? args->last_lanes : args->width;
}

/* --- the three transforms
 * -------------------------------------------------------------------------------------- */

typedef struct TilePlace {
    int64_t image, y, x; /* of its first output pixel */
} TilePlace;

static TilePlace place_of(const WinogradArgs *args, int64_t tile) {
    int64_t row = tile / args->cut.tiles_x;
    return (TilePlace){row / args->cut.tiles_y, row % args->cut.tiles_y * args->cut.m,
                       tile % args->cut.tiles_x * args->cut.m};
}

/* A tile that reaches over the image's edge, with zeros there. */
static const float *copy_edge_tile(const WinogradArgs *args, const float *plane, int64_t y, int64_t x,
                                   float *copy) {
    const int n = args->cut.m + 2, width = args->width;
    memset(copy, 0, (size_t)(n * n * width) * sizeof *copy);
    const int64_t begin = i64_max(0, -x), end = i64_min(n, args->x.in - x);
    for (int64_t row = i64_max(0, -y); row < n && y + row < args->y.in && begin < end; row++)
        memcpy(copy + (row * n + begin) * width, plane + ((y + row) * args->x.in + x + begin) * width,
               (size_t)((end - begin) * width) * sizeof *copy);
    return copy;
}

/* Tiles [first, first + count) of one input block to consecutive places. */
static void transform_input(const WinogradArgs *args, const float *input, int64_t block, int64_t first,
                            int64_t count, float *to) {
    float copy[WINOGRAD_MOST_IN * WINOGRAD_MOST_IN * MOST_WIDTH];
    const int n = args->cut.m + 2, width = args->width;
    const int64_t plane_floats = args->y.in * args->x.in * width;
    for (int64_t i = 0; i < count; i++, to += width) {
        TilePlace place = place_of(args, first + i);
        const float *plane = input + (place.image * args->cut.in_blocks + block) * plane_floats;
        const int64_t y = place.y - args->y.pad_begin, x = place.x - args->x.pad_begin;
        const bool inside = y >= 0 && x >= 0 && y + n <= args->y.in && x + n <= args->x.in;
        if (inside)
            args->transform->input(plane + (y * args->x.in + x) * width, args->x.in * width, to,
                                   args->input_stride);
        else
            args->transform->input(copy_edge_tile(args, plane, y, x, copy), (int64_t)n * width, to,
                                   args->input_stride);
    }
}

/* The weights of a run of output blocks for input blocks [first, first + count), each behind the other. */
static void transform_weights(const WinogradArgs *args, const TileBlocks *blocks, int64_t first,
                              int64_t count, float *to) {
    const int64_t vector_row = (int64_t)blocks->count * args->width;
    const float *from = args->pack.weights + blocks->weights_at + first * args->width * 9 * vector_row;
    for (int64_t block = first; block < first + count; block++) {
        const int64_t lanes = lanes_of(args, block);
        args->transform->weights(from, (int)lanes, blocks->count, to, args->weights_stride);
        from += lanes * 9 * vector_row;
        to += lanes * vector_row;
    }
}

static void transform_output(const WinogradArgs *args, const KernelCall *call, const TileBlocks *blocks,
                             int64_t first, int64_t count, const float *sums) {
    const int width = args->width, m = args->cut.m;
    const int64_t plane = args->y.out * args->x.out * width;
    float *out = call->outputs[0];
    const float *residual = args->epilogue->has_residual ? call->inputs[CONV_RESIDUAL] : NULL;
    for (int o = 0; o < blocks->count; o++) {
        const int64_t block = blocks->first + o;
        WinogradStore store = {.bias = args->bias + block * width,
                               .epilogue = args->epilogue,
                               .row_stride = args->x.out * width,
                               .lanes = (int)i64_min(width, args->out_channels - block * width)};
        for (int64_t i = 0; i < count; i++) {
            TilePlace place = place_of(args, first + i);
            const int64_t at = (place.image * args->cut.out_blocks + block) * plane +
                               (place.y * args->x.out + place.x) * width;
            store.out = out + at;
            store.residual = residual ? residual + at : NULL;
            store.rows = (int)i64_min(m, args->y.out - place.y);
            store.columns = (int)i64_min(m, args->x.out - place.x);
            args->transform->output(sums + (o * args->cut.task_tiles + i) * width, args->sums_stride, &store);
        }
    }
}

/* --- the products
 * ---------------------------------------------------------------------------------------------- */

typedef struct Products {
    const float *input;   /* transformed, of the first tile and input block */
    const float *weights; /* transformed, of the run of blocks and the first input block */
    float *sums;
    int64_t first_block, n_blocks; /* input blocks */
    int64_t n_tiles;
    bool add; /* to what earlier input blocks gave */
} Products;

static void multiply(const WinogradArgs *args, const TileBlocks *blocks, const Products *products) {
    static const Epilogue none = {0};
    static const float no_bias[TILE_MAX_BLOCKS * MOST_WIDTH];
    static const int64_t no_offset[1];
    ConvTile tile = {.in_block_stride = args->input_tiles * args->width,
                     .n_in_blocks = products->n_blocks,
                     .lanes = args->width,
                     .last_lanes = (int)lanes_of(args, products->first_block + products->n_blocks - 1),
                     .taps = no_offset,
                     .n_taps = 1,
                     .bias = no_bias,
                     .out_block_stride = args->cut.task_tiles * args->width,
                     .out_pixel_stride = args->width,
                     .epilogue = &none,
                     .out_lanes = args->width};
    const int64_t n = tile_count(args->tiles, products->n_tiles, blocks->count);
    for (int64_t f = 0; f < args->cut.frequencies; f++) {
        tile.weights = products->weights + f * args->weights_stride;
        for (int64_t i = 0; i < n; i++) {
            const int64_t begin = i * products->n_tiles / n, end = (i + 1) * products->n_tiles / n;
            tile.in = products->input + f * args->input_stride + begin * args->width;
            tile.out = products->sums + f * args->sums_stride + begin * args->width;
            tile.residual = products->add ? tile.out : NULL;
            args->tiles->blocked[blocks->count][end - begin](&tile);
        }
    }
}

/* --- many tiles
 * ------------------------------------------------------------------------------------------------ */

static void begin_with_weights(const KernelCall *call, int64_t task) {
    const WinogradArgs *args = call->args;
    const int64_t run = task / args->cut.in_blocks, block = task % args->cut.in_blocks;
    const TileBlocks *blocks = &args->pack.blocks[run];
    transform_weights(args, blocks, block, 1,
                      (float *)call->workspace + run * args->weights_floats +
                          block * args->width * blocks->count * args->width);
}

static void run_tiles(const KernelCall *call, int64_t task) {
    const WinogradArgs *args = call->args;
    const int64_t first = task * args->cut.task_tiles,
                  count = i64_min(args->cut.task_tiles, args->cut.n_tiles - first);
    float *input = call->scratch, *sums = input + args->input_floats;
    for (int64_t block = 0; block < args->cut.in_blocks; block++)
        transform_input(args, call->inputs[CONV_X], block, first, count,
                        input + block * args->input_tiles * args->width);
    for (int64_t run = 0; run < args->pack.n_blocks; run++) {
        const TileBlocks *blocks = &args->pack.blocks[run];
        Products products = {.input = input,
                             .weights = (const float *)call->workspace + run * args->weights_floats,
                             .sums = sums,
                             .n_blocks = args->cut.in_blocks,
                             .n_tiles = count};
        multiply(args, blocks, &products);
        transform_output(args, call, blocks, first, count, sums);
    }
}

/* --- few tiles
 * ------------------------------------------------------------------------------------------------- */

static void begin_with_input(const KernelCall *call, int64_t task) {
    const WinogradArgs *args = call->args;
    transform_input(args, call->inputs[CONV_X], task, 0, args->cut.n_tiles,
                    (float *)call->workspace + task * args->input_tiles * args->width);
}

static void run_blocks(const KernelCall *call, int64_t task) {
    const WinogradArgs *args = call->args;
    const TileBlocks *blocks = &args->pack.blocks[task];
    float *weights = call->scratch, *sums = weights + args->weights_floats;
    for (int64_t first = 0; first < args->cut.n_tiles; first += args->cut.task_tiles) {
        const int64_t count = i64_min(args->cut.task_tiles, args->cut.n_tiles - first);
        for (int64_t block = 0; block < args->cut.in_blocks; block += args->cut.piece_blocks) {
            const int64_t n = i64_min(args->cut.piece_blocks, args->cut.in_blocks - block);
            if (first == 0 || args->cut.piece_blocks < args->cut.in_blocks)
                transform_weights(args, blocks, block, n, weights);
            Products products = {.input = (const float *)call->workspace +
                                          (block * args->input_tiles + first) * args->width,
                                 .weights = weights,
                                 .sums = sums,
                                 .first_block = block,
                                 .n_blocks = n,
                                 .n_tiles = count,
                                 .add = block > 0};
            multiply(args, blocks, &products);
        }
        transform_output(args, call, blocks, first, count, sums);
    }
}

/* --- preparing
 * ------------------------------------------------------------------------------------------------- */

static WinogradCut cut_work(const ConvGeometry *g, const ConvTiles *tiles, int width, int m) {
    WinogradCut cut = {.m = m, .frequencies = (m + 2) * (m + 2)};
    cut.tiles_y = ceil_div(g->dims[0].out, m);
    cut.tiles_x = ceil_div(g->dims[1].out, m);
    cut.n_tiles = g->batch * cut.tiles_y * cut.tiles_x;
    cut.in_blocks = ceil_div(g->in_channels, width);
    cut.out_blocks = ceil_div(g->out_channels, width);
    const int64_t vector = width * (int64_t)sizeof(float),
                  in_bytes = cut.frequencies * cut.in_blocks * vector;
    const int64_t weights = cut.frequencies * g->in_channels * cut.out_blocks * vector;
    const bool large = weights > WEIGHTS_BYTES;
    cut.weights_first = cut.n_tiles >= (large ? 4 : 1) * MANY_TILES;
    cut.count = tile_choose_blocks(tiles, cut.n_tiles, cut.out_blocks);
    const int64_t most = tiles->most_pixels[cut.count], sums = cut.frequencies * cut.count * vector;
    cut.piece_blocks = cut.in_blocks;
    if (cut.weights_first) {
        /* As many tiles as stay in the cache, and more where weights come from memory; then fewer, for
         * balance. */
        const int64_t fit = i64_max(INPUT_BYTES / in_bytes, large ? 4 * most : most);
        const int64_t balanced = i64_max(cut.n_tiles / LEAST_TASKS, most);
        cut.task_tiles = i64_min(fit, balanced);
        cut.task_tiles = i64_max(cut.task_tiles / most * most, most);
        return cut;
    }
    cut.task_tiles = cut.n_tiles;
    if (cut.n_tiles * sums <= SUMS_BYTES)
        cut.piece_blocks =
            i64_min(i64_max(PIECE_BYTES / (cut.frequencies * width * cut.count * vector), 1), cut.in_blocks);
    else
        cut.task_tiles = i64_min(ceil_div(i64_max(SUMS_BYTES / sums, most), most) * most, cut.n_tiles);
    return cut;
}

/* Nanoseconds on the machine of conv_direct's model of costs: 56 products and as much as 40 floats of
 * transforms a nanosecond. */
static double cut_cost(const WinogradCut *cut, const ConvGeometry *g, const ConvTiles *tiles, int width) {
    const double f = cut->frequencies, n = cut->m + 2, channels = (double)g->in_channels;
    const double tiles_all = (double)cut->n_tiles, out_blocks = (double)cut->out_blocks;
    const double tile_calls = cut->weights_first ? tiles_all / (double)cut->task_tiles *
                                                       (double)tile_count(tiles, cut->task_tiles, cut->count)
                                                 : (double)tile_count(tiles, cut->n_tiles, cut->count);
    double tile_pixels = tiles_all / tile_calls;
    /* As in tile_choose_blocks(): a tile with few products waits for their results. */
    double a_lane = (double)cut->count * tile_pixels;
    double cycles = (a_lane < 8 ? 8 : a_lane) + 1 + 0.5 * cut->count + 0.1 * tile_pixels;
    double products = f * channels * out_blocks / cut->count * tile_calls * (cycles + 8.0 / 16);
    double weights = channels * out_blocks * (2.2 * f + 10 * n);
    double input = tiles_all * (double)cut->in_blocks * (4.0 * f + 20);
    double output = tiles_all * out_blocks * (4.0 * f + 20);
    double wide = width == 16 ? 1 : 0.6; /* narrower vectors are not bound by stores */
    return 3000 + (products + (weights + input + output) * wide) * width / 56.0;
}

static void set_strides(WinogradArgs *args) {
    const WinogradCut *cut = &args->cut;
    const int64_t lanes =
        cut->piece_blocks < cut->in_blocks ? cut->piece_blocks * args->width : args->in_channels;
    args->input_tiles = cut->weights_first ? cut->task_tiles : cut->n_tiles;
    args->input_stride = odd_stride(cut->in_blocks * args->input_tiles, args->width);
    args->weights_stride = odd_stride(lanes * cut->count, args->width);
    args->weights_floats = cut->frequencies * args->weights_stride;
    args->sums_stride = odd_stride(cut->count * cut->task_tiles, args->width);
    args->input_floats = cut->frequencies * args->input_stride;
}

static Status prepare(const KernelQuery *query, int m, PrepareContext *ctx, Prepared *prepared) {
    const ConvAttrs *attrs = query->node->attrs;
    const ConvGeometry g = conv_query_geometry(query);
    const int width = query->width;
    const WinogradCut cut = cut_work(&g, conv_tiles(query->isa), width, m);
    WinogradArgs *args;
    TRY(cpu_take_args(ctx, sizeof *args, &args));
    *args = (WinogradArgs){.tiles = conv_tiles(query->isa),
                           .transform = &winograd_transforms_for(query->isa)->of[cut.m / 2],
                           .epilogue = &attrs->epilogue,
                           .y = g.dims[0],
                           .x = g.dims[1],
                           .width = width,
                           .cut = cut,
                           .last_lanes = g.in_channels - (cut.in_blocks - 1) * width,
                           .in_channels = g.in_channels,
                           .out_channels = g.out_channels};
    set_strides(args);
    TRY(conv_pack_weights(query, &g, width, cut.count, ctx, &args->pack));
    prepared->packed_bytes = args->pack.size_bytes;
    TRY(cpu_pack_bias(query, CONV_B, g.out_channels, width, ctx, &args->bias));
    const int64_t sums = args->cut.frequencies * args->sums_stride;
    if (cut.weights_first) {
        prepared->begin = begin_with_weights;
        prepared->begin_tasks = args->pack.n_blocks * args->cut.in_blocks;
        prepared->workspace_bytes = (size_t)(args->pack.n_blocks * args->weights_floats) * sizeof(float);
        prepared->scratch_bytes = (size_t)(args->input_floats + sums) * sizeof(float);
        prepared->run = run_tiles;
        prepared->tasks = ceil_div(args->cut.n_tiles, args->cut.task_tiles);
    } else {
        prepared->begin = begin_with_input;
        prepared->begin_tasks = args->cut.in_blocks;
        prepared->workspace_bytes = (size_t)args->input_floats * sizeof(float);
        prepared->scratch_bytes = (size_t)(args->weights_floats + sums) * sizeof(float);
        prepared->run = run_blocks;
        prepared->tasks = args->pack.n_blocks;
    }
    prepared->args = args;
    return STRIDER_OK;
}

/* --- choosing
 * -------------------------------------------------------------------------------------------------- */

static bool winograd_accepts(KernelQuery *query) {
    const ConvAttrs *attrs = query->node->attrs;
    if (query->inputs[CONV_X].type.shape.rank != 4 || attrs->group != 1)
        return false;
    if (!conv_accepts_blocked(query, query->width))
        return false;
    const ConvGeometry g = conv_query_geometry(query);
    for (int i = 0; i < 2; i++)
        if (g.dims[i].kernel != 3 || g.dims[i].stride != 1 || g.dims[i].dilation != 1)
            return false;
    return true;
}

static double winograd_cost(const KernelQuery *query, int m) {
    const ConvGeometry g = conv_query_geometry(query);
    const ConvTiles *tiles = conv_tiles(query->isa);
    const WinogradCut cut = cut_work(&g, tiles, query->width, m);
    return cut_cost(&cut, &g, tiles, query->width);
}

/* A kernel for each size, so that the plan compares them and reports which it took. */
#define WINOGRAD(M, PEAK_ERROR)                                                                              \
    static double cost_##M(const KernelQuery *query) {                                                       \
        return winograd_cost(query, M);                                                                      \
    }                                                                                                        \
    static Status prepare_##M(const KernelQuery *query, PrepareContext *ctx, Prepared *prepared) {           \
        return prepare(query, M, ctx, prepared);                                                             \
    }                                                                                                        \
    const Kernel kernel_conv_winograd_##M = {.name = "conv_winograd_f" #M,                                   \
                                             .op = "Conv",                                                   \
                                             .accepts = winograd_accepts,                                    \
                                             .cost = cost_##M,                                               \
                                             .prepare = prepare_##M,                                         \
                                             .peak_error = PEAK_ERROR};

WINOGRAD(2, 2e-6)
WINOGRAD(4, 8e-6)
WINOGRAD(6, 3e-5)
