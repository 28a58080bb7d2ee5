/* SPDX-License-Identifier: Apache-2.0 */
/* RoiAlign in float32, plain.  A sample is a product of two dimensions' weights, and so is the mean of a bin:
 * rows are summed first, then columns of the sum.  Weights are not negative, so a maximum of products is that
 * of maxima: the largest of rows first, then of columns; of a pixel the largest and the least weight count,
 * as it may be negative. */
#include "ops/cpu/roi_align.h"

#include <inttypes.h>
#include <math.h>

#include "base/size.h"

enum { TASK_CHANNELS = 32 };

static void take_sample(RoiTap *tap, bool is_max, float weight) {
    tap->weight = !is_max ? tap->weight + weight : tap->weight > weight ? tap->weight : weight;
    tap->least = tap->least < weight ? tap->least : weight;
}

int64_t roi_bin_taps(const RoiAxis *axis, int64_t bin, bool is_max, RoiTap *taps, bool *seen) {
    const double share = is_max ? 1 : 1 / (double)i64_max(axis->samples, 1);
    const bool is_reversed = axis->bin < 0;
    int64_t first, end, count = 0, n_seen = 0;
    RoiSample sample;
    roi_samples(axis, bin, &first, &end);
    /* In the order of pixels: what a sample has in common with the one before are the last two. */
    for (int64_t i = first; i < end; i++) {
        if (!roi_sample(axis, bin, is_reversed ? end - 1 - (i - first) : i, &sample))
            continue;
        const int64_t indices[] = {sample.low, sample.high};
        const double weights[] = {1 - sample.fraction, sample.fraction};
        n_seen++;
        for (int k = 0; k < 2; k++) {
            int64_t at = count;
            for (int64_t j = i64_max(count - 2, 0); j < count; j++)
                at = taps[j].index == indices[k] ? j : at;
            if (at == count)
                taps[count++] = (RoiTap){indices[k], 0, INFINITY};
            take_sample(&taps[at], is_max, (float)(weights[k] * share));
        }
    }
    *seen = n_seen > 0 && n_seen == axis->samples;
    return count;
}

/* Bins lie side by side, and each has at most two pixels more than it is long, or three where it is rounded.
 */
static int64_t most_taps(int64_t length, int64_t bins) {
    return i64_sum(length, i64_product(4, bins) + 8);
}

static void fill_args(const KernelQuery *query, RoiAlignArgs *args) {
    const RoiAlignAttrs *attrs = query->node->attrs;
    const int64_t *d = query->inputs[ROI_X].type.shape.dims;
    *args = (RoiAlignArgs){.node = query->node,
                           .batches_are_i32 = query->inputs[ROI_BATCHES].type.dtype == STRIDER_I32,
                           .images = d[0],
                           .channels = d[1],
                           .height = d[2],
                           .width = d[3],
                           .rois = query->inputs[ROI_ROIS].type.shape.dims[0],
                           .channels_a_task = i64_min(d[1], TASK_CHANNELS),
                           .max_taps = {most_taps(d[2], 1), most_taps(d[3], attrs->width)}};
    args->channel_parts = args->channels_a_task ? ceil_div(d[1], args->channels_a_task) : 0;
}

/* The taps of rows and columns, how many a bin of columns has and whether it sees all, and the sum of rows.
 */
static Bytes scratch_of_args(const KernelQuery *query, const RoiAlignArgs *args) {
    const RoiAlignAttrs *attrs = query->node->attrs;
    Bytes bytes = bytes_of(sizeof(RoiTap), i64_sum(args->max_taps[0], args->max_taps[1]));
    bytes = bytes_sum(bytes, bytes_of(sizeof(int64_t) + sizeof(bool), attrs->width));
    return bytes_sum(bytes, bytes_of(sizeof(float), args->width));
}

static bool roi_align_accepts(KernelQuery *query) {
    RoiAlignArgs args;
    if (!cpu_is_f32(query, ROI_X))
        return false;
    fill_args(query, &args);
    for (int i = 0; i < ROI_INPUTS; i++)
        query->inputs[i].layout = layout_plain();
    query->outputs[0].layout = layout_plain();
    return cpu_in_proportion(query, scratch_of_args(query, &args), (Bytes){0});
}

static double roi_align_cost(const KernelQuery *query) {
    return 1000 + 2 * (double)shape_elements(&query->outputs[0].type.shape);
}

static Status check_images(const KernelCall *call, Error *err) {
    const RoiAlignArgs *args = call->args;
    for (int64_t roi = 0; roi < args->rois; roi++) {
        const int64_t image = roi_image(args, call->inputs[ROI_BATCHES], roi);
        if (image < 0 || image >= args->images)
            return node_fail(args->node, err, STRIDER_BAD_MODEL,
                             "roi %" PRId64 " is of image %" PRId64 ", but there are %" PRId64, roi, image,
                             args->images);
    }
    return STRIDER_OK;
}

static Status roi_align_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const RoiAlignAttrs *attrs = query->node->attrs;
    const RoiAlignTable *table = roi_align_for(query->target);
    RoiAlignArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    fill_args(query, args);
    *instance = (KernelInstance){.check = check_images,
                                 .run = attrs->is_max ? table->max : table->average,
                                 .args = args,
                                 .tasks = i64_product(args->rois, args->channel_parts),
                                 .scratch_bytes = scratch_of_args(query, args)};
    return STRIDER_OK;
}

const Kernel kernel_roi_align = {
    .name = "roi_align",
    .op = OP_RoiAlign,
    .accepts = roi_align_accepts,
    .cost = roi_align_cost,
    .prepare = roi_align_prepare,
};
