/* SPDX-License-Identifier: Apache-2.0 */
/* MaxRoiPool: the maximum of each bin of a region.  ONNX 1, 22 (types).  A region is rounded to whole pixels,
 * its last ones included, at least one; bin i of n begins at floor(i * size / n) and ends before
 * ceil((i + 1) * size / n).  A bin without pixels of the image is 0. */
#include "ops/nn/max_roi_pool.h"

#include <inttypes.h>
#include <math.h>

static Status max_roi_pool_parse(ParseContext *ctx, void *attrs_) {
    MaxRoiPoolAttrs *attrs = attrs_;
    int count;
    TRY(parse_require(ctx, "pooled_shape"));
    TRY(parse_ints(ctx, "pooled_shape", attrs->pooled, 2, &count));
    if (count != 2 || attrs->pooled[0] < 1 || attrs->pooled[1] < 1)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "pooled_shape must be two positive numbers");
    return parse_float(ctx, "spatial_scale", 1, &attrs->spatial_scale);
}

static Status max_roi_pool_infer(InferContext *ctx) {
    const MaxRoiPoolAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[ROI_POOL_X].shape, *rois = &ctx->inputs[ROI_POOL_ROIS].shape;
    TRY(infer_require_dtype(ctx, ROI_POOL_X, DTYPES_FLOAT));
    TRY(infer_require_same_dtype(ctx, ROI_POOL_X, ROI_POOL_ROIS));
    TRY(infer_require_rank(ctx, ROI_POOL_X, 4, 4));
    TRY(infer_require_rank(ctx, ROI_POOL_ROIS, 2, 2));
    if (rois->rank == 2 && rois->dims[1] >= 0 && rois->dims[1] != ROI_POOL_NUMBERS)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "rois have %" PRId64 " numbers, must have %d",
                          rois->dims[1], ROI_POOL_NUMBERS);
    ctx->outputs[0].tensor = type_of(ctx->inputs[ROI_POOL_X].dtype,
                                     shape_make(4, (int64_t[]){rois->rank < 0 ? DIM_UNKNOWN : rois->dims[0],
                                                               x->rank < 0 ? DIM_UNKNOWN : x->dims[1],
                                                               attrs->pooled[0], attrs->pooled[1]}));
    return STRIDER_OK;
}

RoiPixels roi_pool_pixels(double first, double last, double scale, int64_t bins, int64_t bin,
                          int64_t length) {
    const double start = round(first * scale), size = fmax(round(last * scale) - start + 1, 1);
    const double begin = start + floor((double)bin * size / (double)bins);
    const double end = start + ceil((double)(bin + 1) * size / (double)bins);
    return (RoiPixels){i64_from_double(fmin(fmax(begin, 0), (double)length)),
                       i64_from_double(fmin(fmax(end, 0), (double)length))};
}

static double maximum(const Tensor *x, int64_t plane, RoiPixels rows, RoiPixels columns) {
    double largest = rows.begin < rows.end && columns.begin < columns.end ? -INFINITY : 0;
    for (int64_t i = rows.begin; i < rows.end; i++)
        for (int64_t j = columns.begin; j < columns.end; j++) {
            const double value = tensor_get_f64(x, plane + i * x->type.shape.dims[3] + j);
            largest = value > largest || isnan(value) ? value : largest;
        }
    return largest;
}

Status roi_pool_fail(const Node *node, Error *err, int64_t roi, double image, int64_t images) {
    return node_fail(node, err, STRIDER_BAD_MODEL, "roi %" PRId64 " is of image %g, but there are %" PRId64,
                     roi, image, images);
}

static Status max_roi_pool_reference(EvalContext *ctx) {
    const MaxRoiPoolAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[ROI_POOL_X], *rois = ctx->inputs[ROI_POOL_ROIS];
    const int64_t *d = x->type.shape.dims, *bins = attrs->pooled;
    const double scale = (double)attrs->spatial_scale;
    for (int64_t roi = 0, at = 0; roi < rois->type.shape.dims[0]; roi++) {
        double numbers[ROI_POOL_NUMBERS];
        for (int i = 0; i < ROI_POOL_NUMBERS; i++)
            numbers[i] = tensor_get_f64(rois, roi * ROI_POOL_NUMBERS + i);
        if (!(numbers[0] >= 0 && numbers[0] < (double)d[0]))
            return roi_pool_fail(ctx->node, ctx->err, roi, numbers[0], d[0]);
        const int64_t image = (int64_t)numbers[0] * d[1];
        for (int64_t c = 0; c < d[1]; c++)
            for (int64_t i = 0; i < bins[0]; i++)
                for (int64_t j = 0; j < bins[1]; j++)
                    tensor_set_f64(ctx->outputs[0], at++,
                                   maximum(x, (image + c) * d[2] * d[3],
                                           roi_pool_pixels(numbers[2], numbers[4], scale, bins[0], i, d[2]),
                                           roi_pool_pixels(numbers[1], numbers[3], scale, bins[1], j, d[3])));
    }
    return STRIDER_OK;
}

const Op op_max_roi_pool = {
    OP_NAMED(MaxRoiPool),
    .since = 1,
    .inputs = {ROI_POOL_INPUTS, ROI_POOL_INPUTS},
    .outputs = {1, 1},
    .attrs_size = sizeof(MaxRoiPoolAttrs),
    .parse = max_roi_pool_parse,
    .infer = max_roi_pool_infer,
    .reference = max_roi_pool_reference,
};
