/* SPDX-License-Identifier: Apache-2.0 */
/* Winograd's convolution for 3 x 3 kernels of stride 1 or 2.
 *
 * The image is divided into tiles of m x m output pixels.  Each tile's input and each filter is transformed
 * to n x n frequencies (n = m + 2 where the stride is 1); for each frequency the products over all input
 * channels are a small matrix product, done by the register tiles of direct convolution with image tiles in
 * the place of pixels; the inverse transform, the epilogue and the store follow.
 *
 * Transformed weights would be 1.8 to 7 times as large as the weights, so they are never kept: the packed 3 x
 * 3 weights are transformed in each run, by one of two algorithms.
 *  - Many tiles: the prologue transforms all weights into the step's workspace; then each task takes
 *    some tiles through all output channels, with their transformed input in its scratch memory.
 *  - Fewer tiles: the prologue transforms the whole input into the workspace; then each task takes
 *    some output channels over all tiles, and transforms their weights a row of frequencies at a time, which
 *    costs less than reading the larger transformed ones from memory would. */
#include <string.h>

#include "base/size.h"
#include "ops/cpu/conv/pack.h"
#include "ops/cpu/conv/query.h"
#include "ops/cpu/conv/tile.h"
#include "ops/cpu/conv/winograd_image.h"
#include "ops/cpu/cpu.h"
#include "ops/kernel.h"

enum {
    MANY_TILES = 8 * TILE_MAX_PIXELS,
    WEIGHTS_BYTES = 12 << 20, /* transformed weights that many tasks may read from a shared cache */
    CHUNK_BYTES = 560 * 1024, /* transformed weights of one chunk: they stay in L2 while tiles pass */
    INPUT_BYTES = 512 * 1024, /* transformed input of a task with many tiles */
    MIN_TASKS = 16,
    MIN_RUNS = 8, /* of output blocks, that are tasks enough where weights are not transformed first */
};

/* What follows from a choice of m, for the cost as for the plan. */
typedef struct WinogradBlocking {
    int count; /* output blocks of a register tile */
    bool weights_first;
    int64_t task_tiles;   /* tiles that pass the products together */
    int64_t chunk_blocks; /* input blocks whose weights are transformed together */
} WinogradBlocking;

typedef struct WinogradArgs {
    ConvPack pack;
    WinogradImage image;
    WinogradBlocking blocking;
    const ConvTiles *tiles;
    int64_t input_stride;                   /* of a frequency of transformed input */
    int64_t weights_stride, weights_floats; /* of transformed weights: of a frequency, of a run of blocks */
    int64_t sums_stride;                    /* of a frequency */
    int64_t input_floats;                   /* of a task's transformed input, before its sums */
} WinogradArgs;

/* Where packed weights of a run of output blocks have an input block. */
static int64_t weights_before(const WinogradArgs *args, const TileBlocks *blocks, int64_t block) {
    const int64_t width = args->image.width;
    return (int64_t)blocks->weights_at + block * width * 9 * blocks->count * width;
}

/* A row of frequencies of the weights of a run of output blocks, for input blocks [first, first + count),
 * one after the other. */
static void transform_weights(const WinogradArgs *args, const TileBlocks *blocks, const float *from, int row,
                              int64_t first, int64_t count, float *to) {
    const int64_t width = args->image.width, vector_row = blocks->count * width;
    for (int64_t block = first; block < first + count; block++) {
        const int64_t block_channels = winograd_block_channels(&args->image, block);
        args->image.transform->weights(from, (int)block_channels, blocks->count, row, to,
                                       args->weights_stride);
        from += block_channels * 9 * vector_row;
        to += block_channels * vector_row;
    }
}

/* Tiles pass the products in groups of about equal size, as many as a register tile holds.  All input blocks
 * of a group lie together, so that the products read their input in one go: group i of some tiles begins at
 * the place of its first tile, and block b of it lies b times its size further on. */
static int64_t count_groups(const WinogradArgs *args, int64_t tiles) {
    return tile_count(args->tiles, tiles, args->blocking.count);
}

static int64_t group_begin(int64_t i, int64_t groups, int64_t tiles) {
    return i * tiles / groups;
}

/* Tiles [first, first + count) of one input block; `to` is where these tiles' first group begins. */
static void transform_input(const WinogradArgs *args, const KernelCall *call, int64_t block, int64_t first,
                            int64_t count, float *to) {
    const WinogradImage *image = &args->image;
    const int64_t groups = count_groups(args, count);
    for (int64_t i = 0; i < groups; i++) {
        const int64_t begin = group_begin(i, groups, count), n = group_begin(i + 1, groups, count) - begin;
        winograd_transform_input(image, call->inputs[CONV_X], block, first + begin, n,
                                 to + (begin * image->in_blocks + block * n) * image->width,
                                 args->input_stride);
    }
}

static void transform_output(const WinogradArgs *args, const KernelCall *call, const TileBlocks *blocks,
                             int64_t first, int64_t count, const float *sums) {
    const float *bias = conv_packed(&args->pack, call).bias;
    for (int o = 0; o < blocks->count; o++, sums += args->blocking.task_tiles * args->image.width)
        winograd_transform_output(&args->image, call, bias, blocks->first + o, first, count, sums,
                                  args->sums_stride);
}

/* --- the products --- */

typedef struct Products {
    int row;                       /* of frequencies */
    const float *input;            /* transformed: where the first group of tiles begins, at frequency 0 */
    const float *weights;          /* transformed, of the run of blocks, the row and the first input block */
    float *sums;                   /* at frequency 0 */
    int64_t first_block, n_blocks; /* input blocks */
    int64_t n_tiles;
    bool add; /* to what earlier input blocks gave */
    /* Weights of the next run of blocks, NULL: none; for each of this run's products of an input block, so
     * many floats are asked for. */
    const float *prefetch;
    int64_t prefetch_step;
} Products;

/* Input channels that are summed by themselves.  The inverse transform multiplies the rounding of these sums,
 * so that they are shorter than those of direct convolution.  The error is smallest near the square root of
 * the channels. */
static int64_t sum_channels(const WinogradImage *image) {
    return image->in_channels > 128 ? 2 * TILE_MAX_WIDTH : TILE_MAX_WIDTH;
}

static void multiply(const WinogradArgs *args, const TileBlocks *blocks, const Products *products) {
    static const ConvTap only_tap;
    ConvTile tile = {.n_in_blocks = products->n_blocks,
                     .sum_blocks = sum_channels(&args->image) / args->image.width,
                     .block_channels = args->image.width,
                     .tail_channels = (int)winograd_block_channels(&args->image, products->first_block +
                                                                                     products->n_blocks - 1),
                     .taps = &only_tap,
                     .n_taps = 1,
                     .all_taps = 1,
                     .out_block_stride = args->blocking.task_tiles * args->image.width,
                     .out_pixel_stride = args->image.width,
                     .prefetch_step = products->prefetch_step};
    const int64_t groups = count_groups(args, products->n_tiles), width = args->image.width;
    const int n_columns = args->image.n, distinct = args->image.transform->distinct;
    for (int column = 0; column < n_columns; column++) {
        const int64_t f = products->row * n_columns + column;
        tile.weights = products->weights + i64_min(column, distinct - 1) * args->weights_stride;
        for (int64_t i = 0; i < groups; i++) {
            const int64_t begin = group_begin(i, groups, products->n_tiles),
                          n = group_begin(i + 1, groups, products->n_tiles) - begin;
            tile.in = products->input + f * args->input_stride +
                      (begin * args->image.in_blocks + products->first_block * n) * width;
            tile.in_block_stride = n * width;
            tile.out = products->sums + f * args->sums_stride + begin * width;
            tile.residual = products->add ? tile.out : NULL;
            if (products->prefetch)
                tile.prefetch =
                    products->prefetch + ((f * groups + i) * args->image.in_blocks + products->first_block) *
                                             products->prefetch_step;
            args->tiles->blocked[blocks->count][n](&tile);
        }
    }
}

/* --- many tiles --- */

static void prologue_weights(const KernelCall *call, int64_t task) {
    const WinogradArgs *args = call->args;
    const int64_t run = task / args->image.in_blocks, block = task % args->image.in_blocks;
    float *to = (float *)call->workspace + run * args->weights_floats +
                block * args->image.width * args->pack.blocks[run].count * args->image.width;
    const int distinct = args->image.transform->distinct;
    const TileBlocks *blocks = &args->pack.blocks[run];
    const float *packed = call->scratch;
    if (args->pack.weights)
        packed = args->pack.weights + weights_before(args, blocks, block);
    else
        conv_pack_part(&args->pack, call, run, block, 1, call->scratch);
    for (int row = 0; row < distinct; row++)
        transform_weights(args, blocks, packed, row, block, 1, to + row * distinct * args->weights_stride);
}

static void run_tiles(const KernelCall *call, int64_t task) {
    const WinogradArgs *args = call->args;
    const int64_t first = task * args->blocking.task_tiles,
                  count = i64_min(args->blocking.task_tiles, args->image.n_tiles - first);
    float *input = call->scratch, *sums = input + args->input_floats;
    const int distinct = args->image.transform->distinct;
    for (int64_t block = 0; block < args->image.in_blocks; block++)
        transform_input(args, call, block, first, count, input);
    for (int64_t run = 0; run < args->pack.n_blocks; run++) {
        const TileBlocks *blocks = &args->pack.blocks[run];
        const float *weights = (const float *)call->workspace + run * args->weights_floats;
        for (int row = 0; row < args->image.n; row++) {
            Products products = {.row = row,
                                 .input = input,
                                 .weights =
                                     weights + i64_min(row, distinct - 1) * distinct * args->weights_stride,
                                 .sums = sums,
                                 .n_blocks = args->image.in_blocks,
                                 .n_tiles = count};
            multiply(args, blocks, &products);
        }
        transform_output(args, call, blocks, first, count, sums);
    }
}

/* --- fewer tiles --- */

static void prologue_input(const KernelCall *call, int64_t task) {
    const WinogradArgs *args = call->args;
    transform_input(args, call, task, 0, args->image.n_tiles, call->workspace);
}

static void run_blocks(const KernelCall *call, int64_t task) {
    const WinogradArgs *args = call->args;
    const TileBlocks *blocks = &args->pack.blocks[task];
    const int distinct = args->image.transform->distinct;
    float *weights = call->scratch, *sums = weights + distinct * args->weights_stride;
    const size_t floats = tile_weights(blocks, args->image.width, args->image.width, 9);
    const float *packed = conv_packed(&args->pack, call).weights;
    const int64_t products_in_all =
        args->image.frequencies * count_groups(args, args->image.n_tiles) * args->image.in_blocks;
    for (int row = 0; row < distinct; row++)
        for (int64_t block = 0; block < args->image.in_blocks; block += args->blocking.chunk_blocks) {
            Products products = {
                .row = row,
                .input = call->workspace,
                .weights = weights,
                .sums = sums,
                .first_block = block,
                .n_blocks = i64_min(args->blocking.chunk_blocks, args->image.in_blocks - block),
                .n_tiles = args->image.n_tiles,
                .add = block > 0,
                .prefetch = packed + blocks->weights_at + floats,
                .prefetch_step = ceil_div((int64_t)floats, products_in_all * TILE_LINE) * TILE_LINE};
            transform_weights(args, blocks, packed + weights_before(args, blocks, block), row, block,
                              products.n_blocks, weights);
            const int rows_end = row == distinct - 1 ? args->image.n : row + 1;
            for (; products.row < rows_end; products.row++)
                multiply(args, blocks, &products);
        }
    transform_output(args, call, blocks, 0, args->image.n_tiles, sums);
}

/* --- preparing --- */

static WinogradBlocking split_work(const WinogradImage *image, const ConvTiles *tiles) {
    WinogradBlocking blocking = {.count = tile_choose_blocks(tiles, image->n_tiles, image->out_blocks),
                                 .task_tiles = image->n_tiles,
                                 .chunk_blocks = image->in_blocks};
    const int64_t vector = image->width * (int64_t)sizeof(float),
                  in_bytes = count_of(image->frequencies, image->in_blocks, vector);
    const int64_t distinct = image->transform->distinct;
    const int64_t weights = count_of(distinct, distinct, image->in_channels, image->out_blocks, vector);
    const bool large = weights > WEIGHTS_BYTES;
    const int64_t max_group = tiles->max_pixels[blocking.count];
    /* Few runs of output blocks are few tasks, unless these are divided by tiles. */
    const bool few_runs = image->out_blocks <= MIN_RUNS * blocking.count;
    blocking.weights_first = image->n_tiles >= (large      ? 4 * MANY_TILES
                                                : few_runs ? 2 * max_group
                                                           : MANY_TILES);
    if (blocking.weights_first) {
        /* As many tiles as stay in the cache, and more where weights come from memory; then fewer, for
         * balance. */
        const int64_t fit = i64_max(INPUT_BYTES / in_bytes, large ? 4 * max_group : max_group);
        const int64_t balanced = i64_max(image->n_tiles / MIN_TASKS, max_group);
        blocking.task_tiles = i64_min(fit, balanced);
        blocking.task_tiles = i64_max(blocking.task_tiles / max_group * max_group, max_group);
        blocking.task_tiles = ceil_div(image->n_tiles, ceil_div(image->n_tiles, blocking.task_tiles));
    } else {
        const int64_t block_bytes =
            count_of(image->transform->distinct, image->width, blocking.count, vector);
        blocking.chunk_blocks = i64_min(i64_max(CHUNK_BYTES / block_bytes, 1), image->in_blocks);
    }
    return blocking;
}

static Bytes run_bytes(const KernelQuery *query, const WinogradBlocking *blocking) {
    const ConvGeometry g = winograd_geometry(query);
    return conv_run_bytes(query, &g, query->width, blocking->count);
}

/* Nanoseconds on the machine of conv_direct's model of costs: 56 products and as much as 40 floats of
 * transforms a nanosecond; transformed weights leave the nearer caches, and so do large images. */
static double winograd_cost(const KernelQuery *query, WinogradKind kind) {
    const WinogradImage image = winograd_image(query, kind);
    const ConvTiles *tiles = conv_tiles_for(query->target);
    const WinogradBlocking blocking = split_work(&image, tiles);
    const double f = image.frequencies, d = image.transform->distinct, channels = (double)image.in_channels;
    const double tiles_all = (double)image.n_tiles, out_blocks = (double)image.out_blocks;
    const double tile_calls = blocking.weights_first
                                  ? tiles_all / (double)blocking.task_tiles *
                                        (double)tile_count(tiles, blocking.task_tiles, blocking.count)
                                  : (double)tile_count(tiles, image.n_tiles, blocking.count);
    double tile_pixels = tiles_all / tile_calls;
    const double products =
        f * out_blocks / blocking.count * tile_calls *
        (channels * tile_cycles(blocking.count, tile_pixels) + tile_call_cycles(blocking.count, tile_pixels));
    double weights = channels * out_blocks * 5.8 * d * d;
    double input = tiles_all * (double)image.in_blocks * 5 * f;
    double output = tiles_all * out_blocks * 5 * f;
    /* Narrower vectors are not bound by stores, but transformed weights pass through L2. */
    const bool narrow = image.width < 16;
    const double stride = image.transform->stride;
    const double weights_factor = narrow ? 1.2 : stride == 2 ? 2 : 1;
    const double pixels = tiles_all * image.m * image.m * image.width *
                          ((double)image.in_blocks * stride * stride + out_blocks);
    return 3000 + conv_pack_cost(run_bytes(query, &blocking)) + WINOGRAD_PIXEL_NS * pixels +
           (products + weights * weights_factor + (input + output) * (narrow ? 0.6 : 1)) * image.width / 56.0;
}

static void set_strides(WinogradArgs *args) {
    const WinogradImage *image = &args->image;
    const WinogradBlocking *blocking = &args->blocking;
    const int64_t channels = blocking->chunk_blocks < image->in_blocks ? blocking->chunk_blocks * image->width
                                                                       : image->in_channels;
    args->input_stride = winograd_stride(image, i64_product(image->in_blocks, blocking->task_tiles));
    args->weights_stride = winograd_stride(image, i64_product(channels, blocking->count));
    const int64_t distinct = image->transform->distinct;
    args->weights_floats = count_of(distinct, distinct, args->weights_stride);
    args->sums_stride = winograd_stride(image, i64_product(blocking->count, blocking->task_tiles));
    args->input_floats = i64_product(image->frequencies, args->input_stride);
}

/* What a query's node becomes, but for its constants. */
static WinogradArgs plan_work(const KernelQuery *query, WinogradKind kind) {
    WinogradArgs args = {.tiles = conv_tiles_for(query->target), .image = winograd_image(query, kind)};
    args.blocking = split_work(&args.image, args.tiles);
    set_strides(&args);
    return args;
}

static Bytes task_scratch(const WinogradArgs *args) {
    const WinogradImage *image = &args->image;
    const int64_t sums = i64_product(image->frequencies, args->sums_stride),
                  weights = i64_product(image->transform->distinct, args->weights_stride);
    return bytes_of(sizeof(float),
                    i64_sum(args->blocking.weights_first ? args->input_floats : weights, sums));
}

/* The weights of an input block and a run of output blocks, where they are packed just before they are
 * transformed. */
static Bytes block_scratch(const KernelQuery *query, const WinogradArgs *args) {
    const int64_t width = args->image.width;
    return query->inputs[CONV_W].constant || !args->blocking.weights_first
               ? (Bytes){0}
               : bytes_of(sizeof(float), 9, width, args->blocking.count, width);
}

static Bytes thread_scratch(const KernelQuery *query, const WinogradArgs *args) {
    const Bytes tasks = task_scratch(args), block = block_scratch(query, args);
    return tasks.n > block.n ? tasks : block;
}

static Bytes workspace_of(const WinogradArgs *args) {
    const int64_t runs = ceil_div(args->image.out_blocks, args->blocking.count);
    return args->blocking.weights_first ? bytes_of(sizeof(float), runs, args->weights_floats)
                                        : bytes_of(sizeof(float), args->input_floats);
}

static bool accepts(KernelQuery *query, WinogradKind kind) {
    if (!(kind == WINOGRAD_F4_STRIDE_2 ? winograd_accepts_stride_2 : winograd_accepts)(query))
        return false;
    const WinogradArgs args = plan_work(query, kind);
    const Bytes packed = args.blocking.weights_first ? (Bytes){0} : run_bytes(query, &args.blocking);
    return cpu_in_proportion(query, thread_scratch(query, &args), bytes_sum(workspace_of(&args), packed));
}

static Status prepare(const KernelQuery *query, WinogradKind kind, PrepareContext *ctx,
                      KernelInstance *instance) {
    const ConvGeometry g = winograd_geometry(query);
    WinogradArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    *args = plan_work(query, kind);
    WinogradImage *image = &args->image;
    conv_epilogue(query->node, &image->epilogue);
    TRY(conv_pack_weights(query, &g, image->width, args->blocking.count, image->transform->tap_scales, ctx,
                          &args->pack));
    args->pack.by_tasks = args->blocking.weights_first && !args->pack.weights;
    TRY(conv_pack_bias(query, image->out_channels, ctx, &args->pack));
    instance->workspace_bytes = workspace_of(args);
    instance->scratch_bytes = thread_scratch(query, args);
    if (args->blocking.weights_first) {
        instance->prologue = prologue_weights;
        instance->prologue_tasks = i64_product(args->pack.n_blocks, image->in_blocks);
        instance->run = run_tiles;
        instance->tasks = ceil_div(image->n_tiles, args->blocking.task_tiles);
    } else {
        instance->prologue = prologue_input;
        instance->prologue_tasks = image->in_blocks;
        instance->run = run_blocks;
        instance->tasks = args->pack.n_blocks;
    }
    instance->args = args;
    conv_pack_finish(&args->pack, instance);
    return STRIDER_OK;
}

/* A kernel for each kind, so that the plan compares them and reports which it took. */
#define WINOGRAD(SUFFIX, NAME, KIND, PEAK_ERROR)                                                             \
    static bool accepts_##SUFFIX(KernelQuery *query) {                                                       \
        return accepts(query, KIND);                                                                         \
    }                                                                                                        \
    static double cost_##SUFFIX(const KernelQuery *query) {                                                  \
        return winograd_cost(query, KIND);                                                                   \
    }                                                                                                        \
    static Status prepare_##SUFFIX(const KernelQuery *query, PrepareContext *ctx,                            \
                                   KernelInstance *instance) {                                               \
        return prepare(query, KIND, ctx, instance);                                                          \
    }                                                                                                        \
    const Kernel kernel_conv_winograd_##SUFFIX = {.name = "conv_winograd_" NAME,                             \
                                                  .op = OP_Conv,                                             \
                                                  .accepts = accepts_##SUFFIX,                               \
                                                  .cost = cost_##SUFFIX,                                     \
                                                  .tuning_key = conv_tuning_key,                             \
                                                  .prepare = prepare_##SUFFIX,                               \
                                                  .peak_error = PEAK_ERROR};

WINOGRAD(2, "f2", WINOGRAD_F2, 2e-6)
WINOGRAD(4, "f4", WINOGRAD_F4, WINOGRAD_4_PEAK_ERROR)
WINOGRAD(6, "f6", WINOGRAD_F6, 3e-5)
WINOGRAD(4_stride_2, "f4_stride_2", WINOGRAD_F4_STRIDE_2, 4e-6)
