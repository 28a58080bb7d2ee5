/* SPDX-License-Identifier: Apache-2.0 */
/* MaxRoiPool in float32, plain: of each bin the largest of its rows, column by column, then of these. */
#include "ops/nn/max_roi_pool.h"

#include <math.h>

#include "ops/cpu/cpu.h"

enum { TASK_CHANNELS = 32 };

typedef struct MaxRoiPoolArgs {
    const Node *node;
    int64_t images, channels, height, width, rois;
    int64_t channels_a_task, channel_parts;
} MaxRoiPoolArgs;

static const float *roi_at(const KernelCall *call, int64_t roi) {
    return (const float *)call->inputs[ROI_POOL_ROIS] + roi * ROI_POOL_NUMBERS;
}

static Status check_images(const KernelCall *call, Error *err) {
    const MaxRoiPoolArgs *args = call->args;
    for (int64_t roi = 0; roi < args->rois; roi++) {
        const float image = roi_at(call, roi)[0];
        if (!(image >= 0 && (double)image < (double)args->images))
            return roi_pool_fail(args->node, err, roi, (double)image, args->images);
    }
    return STRIDER_OK;
}

/* NaN is larger than everything.  Without branches on what the image holds. */
static float largest_of(const float *plane, int64_t width, RoiPixels rows, RoiPixels columns) {
    float largest = rows.begin < rows.end && columns.begin < columns.end ? -INFINITY : 0;
    bool any_nan = false;
    for (int64_t i = rows.begin; i < rows.end; i++)
        for (int64_t j = columns.begin; j < columns.end; j++) {
            const float value = plane[i * width + j];
            largest = value > largest ? value : largest;
            any_nan |= value != value;
        }
    return any_nan ? NAN : largest;
}

/* The columns of each bin are in scratch memory. */
static void max_roi_pool_run(const KernelCall *call, int64_t task) {
    const MaxRoiPoolArgs *args = call->args;
    const MaxRoiPoolAttrs *attrs = args->node->attrs;
    const int64_t roi = task / args->channel_parts, *bins = attrs->pooled, plane = args->height * args->width;
    const int64_t begin = task % args->channel_parts * args->channels_a_task;
    const int64_t end = i64_min(begin + args->channels_a_task, args->channels);
    const float *numbers = roi_at(call, roi), *x = call->inputs[ROI_POOL_X];
    const double scale = (double)attrs->spatial_scale;
    RoiPixels *columns = call->scratch;
    for (int64_t j = 0; j < bins[1]; j++)
        columns[j] = roi_pool_pixels((double)numbers[1], (double)numbers[3], scale, bins[1], j, args->width);
    x += (int64_t)numbers[0] * args->channels * plane;
    for (int64_t i = 0; i < bins[0]; i++) {
        const RoiPixels rows =
            roi_pool_pixels((double)numbers[2], (double)numbers[4], scale, bins[0], i, args->height);
        for (int64_t c = begin; c < end; c++) {
            float *to = (float *)call->outputs[0] + ((roi * args->channels + c) * bins[0] + i) * bins[1];
            for (int64_t j = 0; j < bins[1]; j++)
                to[j] = largest_of(x + c * plane, args->width, rows, columns[j]);
        }
    }
}

static Bytes scratch_of_bins(const KernelQuery *query) {
    const MaxRoiPoolAttrs *attrs = query->node->attrs;
    return bytes_of(sizeof(RoiPixels), attrs->pooled[1]);
}

static bool max_roi_pool_accepts(KernelQuery *query) {
    return cpu_is_f32(query, ROI_POOL_X) && cpu_want_plain(query) &&
           cpu_in_proportion(query, scratch_of_bins(query), (Bytes){0});
}

static Status max_roi_pool_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const int64_t *d = query->inputs[ROI_POOL_X].type.shape.dims;
    MaxRoiPoolArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    *args = (MaxRoiPoolArgs){.node = query->node,
                             .images = d[0],
                             .channels = d[1],
                             .height = d[2],
                             .width = d[3],
                             .rois = query->inputs[ROI_POOL_ROIS].type.shape.dims[0],
                             .channels_a_task = TASK_CHANNELS,
                             .channel_parts = ceil_div(d[1], TASK_CHANNELS)};
    *instance = (KernelInstance){.check = check_images,
                                 .run = max_roi_pool_run,
                                 .args = args,
                                 .tasks = i64_product(args->rois, args->channel_parts),
                                 .scratch_bytes = scratch_of_bins(query)};
    return STRIDER_OK;
}

const Kernel kernel_max_roi_pool = {.name = "max_roi_pool",
                                    .op = OP_MaxRoiPool,
                                    .accepts = max_roi_pool_accepts,
                                    .cost = cpu_operands_cost,
                                    .prepare = max_roi_pool_prepare};
