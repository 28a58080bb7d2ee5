/* SPDX-License-Identifier: Apache-2.0 */
/* Winograd's F(4 x 4, 3 x 3) for images of few tiles, as deep layers have them: 7 x 7 pixels are four tiles.
 *
 * There each transformed weight serves few products, and writing it to memory and reading it again would cost
 * more than these.  So weights are transformed in registers, just where they are multiplied, a row of
 * frequencies at a time (winograd_skinny_tmpl.c), and again for each group of tiles.  The prologue
 * transforms the whole input into the workspace; then each task computes some groups of tiles of one output
 * block. */
#include "ops/cpu/conv/winograd_skinny.h"
#include "base/size.h"
#include "ops/cpu/conv/pack.h"
#include "ops/cpu/conv/query.h"
#include "ops/cpu/conv/winograd_image.h"
#include "ops/cpu/cpu.h"
#include "ops/kernel.h"

enum {
    PIXELS = 4, /* m of F(m x m) */
    MIN_TASKS = 16,
};

typedef struct SkinnyArgs {
    ConvPack pack;
    WinogradImage image;
    const WinogradSkinny *skinny;
    int64_t groups, task_groups, parts; /* groups of tiles: in all, of a task; tasks of an output block */
    int64_t input_stride, sums_stride;  /* of a frequency */
} SkinnyArgs;

static void prologue_input(const KernelCall *call, int64_t task) {
    const SkinnyArgs *args = call->args;
    const WinogradImage *image = &args->image;
    winograd_transform_input(image, call->inputs[CONV_X], task, 0, image->n_tiles,
                             (float *)call->workspace + task * image->n_tiles * image->width,
                             args->input_stride);
}

/* The first tile of a group: groups are of about equal size. */
static int64_t group_begin(const SkinnyArgs *args, int64_t group) {
    return group * args->image.n_tiles / args->groups;
}

static void run_groups(const KernelCall *call, int64_t task) {
    const SkinnyArgs *args = call->args;
    const WinogradImage *image = &args->image;
    const int64_t block = task / args->parts, first = task % args->parts * args->task_groups;
    const int64_t end = i64_min(first + args->task_groups, args->groups),
                  first_tile = group_begin(args, first);
    const ConvPacked packed = conv_packed(&args->pack, call);
    const float *weights = packed.weights + args->pack.blocks[block].weights_at;
    SkinnyProducts products = {.in_frequency_stride = args->input_stride,
                               .in_block_stride = image->n_tiles * image->width,
                               .sums_frequency_stride = args->sums_stride};
    for (int64_t chunk = 0; chunk < image->in_blocks; chunk += SKINNY_CHUNK_BLOCKS) {
        products.n_in_blocks = i64_min(SKINNY_CHUNK_BLOCKS, image->in_blocks - chunk);
        products.tail_channels = (int)winograd_block_channels(image, chunk + products.n_in_blocks - 1);
        products.weights = weights + chunk * image->width * 9 * image->width;
        products.add = chunk > 0;
        const float *next = products.weights + products.n_in_blocks * image->width * 9 * image->width;
        for (int64_t row = 0; row < SKINNY_FREQUENCIES; row++)
            for (int64_t group = first; group < end; group++) {
                const int64_t tile = group_begin(args, group), tiles = group_begin(args, group + 1) - tile;
                products.in = (const float *)call->workspace + row * SKINNY_FREQUENCIES * args->input_stride +
                              (chunk * image->n_tiles + tile) * image->width;
                products.sums = (float *)call->scratch + row * SKINNY_FREQUENCIES * args->sums_stride +
                                (tile - first_tile) * image->width;
                products.prefetch = group == first ? next : products.weights;
                args->skinny->of[row][tiles](&products);
            }
    }
    winograd_transform_output(image, call, packed.bias, block, first_tile,
                              group_begin(args, end) - first_tile, call->scratch, args->sums_stride);
}

static SkinnyArgs plan_work(const KernelQuery *query) {
    SkinnyArgs args = {.image = winograd_image(query, WINOGRAD_F4),
                       .skinny = winograd_skinny_for(query->target)};
    const WinogradImage *image = &args.image;
    args.groups = ceil_div(image->n_tiles, SKINNY_MAX_TILES);
    args.parts = i64_min(ceil_div(MIN_TASKS, image->out_blocks), args.groups);
    args.task_groups = ceil_div(args.groups, args.parts);
    args.parts = ceil_div(args.groups, args.task_groups);
    args.input_stride = winograd_stride(image, i64_product(image->in_blocks, image->n_tiles));
    args.sums_stride = winograd_stride(image, i64_product(args.task_groups, SKINNY_MAX_TILES));
    return args;
}

static Bytes task_scratch(const SkinnyArgs *args) {
    return bytes_of(sizeof(float), args->image.frequencies, args->sums_stride);
}

static Bytes workspace_of(const SkinnyArgs *args) {
    return bytes_of(sizeof(float), args->image.frequencies, args->input_stride);
}

static Bytes run_bytes(const KernelQuery *query) {
    const ConvGeometry g = winograd_geometry(query);
    return conv_run_bytes(query, &g, 1, 1);
}

static bool skinny_accepts(KernelQuery *query) {
    if (!winograd_accepts(query))
        return false;
    const SkinnyArgs args = plan_work(query);
    return cpu_in_proportion(query, task_scratch(&args), bytes_sum(workspace_of(&args), run_bytes(query)));
}

static Status skinny_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const ConvGeometry g = winograd_geometry(query);
    SkinnyArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    *args = plan_work(query);
    WinogradImage *image = &args->image;
    conv_epilogue(query->node, &image->epilogue);
    /* Blocks of one channel: each channel's taps lie one after the other. */
    TRY(conv_pack_weights(query, &g, 1, 1, image->transform->tap_scales, ctx, &args->pack));
    TRY(conv_pack_bias(query, image->out_channels, ctx, &args->pack));
    instance->prologue = prologue_input;
    instance->prologue_tasks = image->in_blocks;
    instance->workspace_bytes = workspace_of(args);
    instance->scratch_bytes = task_scratch(args);
    instance->run = run_groups;
    instance->tasks = i64_product(image->out_blocks, args->parts);
    instance->args = args;
    conv_pack_finish(&args->pack, instance);
    return STRIDER_OK;
}

/* Nanoseconds on the machine of conv_direct's model of costs. */
static double skinny_cost(const KernelQuery *query) {
    const WinogradImage image = winograd_image(query, WINOGRAD_F4);
    const double groups = (double)ceil_div(image.n_tiles, SKINNY_MAX_TILES),
                 out_blocks = (double)image.out_blocks;
    const double tiles = (double)image.n_tiles / groups, f = image.frequencies;
    /* For each channel a row's transform costs as much as nine products with 32 registers; narrower vectors
     * load a value for each product, at half the pace.  Each pass loads and stores its sums. */
    const double row = image.width == 16 ? 6 * tiles + 9 : 12 * tiles + 18, pass = 12 * tiles + 15;
    const double products =
        groups * SKINNY_FREQUENCIES * out_blocks * ((double)image.in_channels * row + pass);
    const double transforms = (double)image.n_tiles * ((double)image.in_blocks + out_blocks) * 5 * f;
    const double pixels =
        (double)image.n_tiles * PIXELS * PIXELS * ((double)image.in_blocks + out_blocks) * image.width;
    return 3000 + conv_pack_cost(run_bytes(query)) + WINOGRAD_PIXEL_NS * pixels +
           (products + transforms) * image.width / 56.0;
}

const Kernel kernel_conv_winograd_skinny = {.name = "conv_winograd_f4_few",
                                            .op = OP_Conv,
                                            .accepts = skinny_accepts,
                                            .cost = skinny_cost,
                                            .tuning_key = conv_tuning_key,
                                            .prepare = skinny_prepare,
                                            .peak_error = WINOGRAD_4_PEAK_ERROR};
