/* SPDX-License-Identifier: Apache-2.0 */
/* RoiAlign: regions of an image, each cut into bins; of a bin the mean or the maximum of samples in even
 * distances, each between four pixels.  ONNX 10 (pixels are counted from their corners), 16
 * (coordinate_transformation_mode: from their centres by default), 22 (types).
 *
 * The maximum is that of the four pixels times their weights, not of the samples, as in ONNX's data. */
#include "ops/object_detection/roi_align.h"

#include <inttypes.h>
#include <math.h>

/* Samples of a bin go as the square of it. */
enum { MAX_SAMPLING_RATIO = 128 };

static Status roi_align_parse(ParseContext *ctx, void *attrs_) {
    static const char *const modes[] = {"avg", "max", NULL};
    static const char *const coordinates[] = {"output_half_pixel", "half_pixel", NULL};
    RoiAlignAttrs *attrs = attrs_;
    int mode, coordinate;
    TRY(parse_enum(ctx, "mode", modes, 0, &mode));
    TRY(parse_enum(ctx, "coordinate_transformation_mode", coordinates, ctx->node->opset >= 16, &coordinate));
    TRY(parse_int(ctx, "output_height", 1, &attrs->height));
    TRY(parse_int(ctx, "output_width", 1, &attrs->width));
    TRY(parse_int(ctx, "sampling_ratio", 0, &attrs->sampling_ratio));
    TRY(parse_float(ctx, "spatial_scale", 1, &attrs->spatial_scale));
    attrs->is_max = mode;
    attrs->half_pixel = coordinate;
    if (attrs->height < 1 || attrs->width < 1)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "the output is %" PRId64 " x %" PRId64 " bins",
                          attrs->height, attrs->width);
    if (attrs->sampling_ratio < 0)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "sampling_ratio is %" PRId64, attrs->sampling_ratio);
    if (attrs->sampling_ratio > MAX_SAMPLING_RATIO)
        return parse_fail(ctx, STRIDER_LIMIT_EXCEEDED, "sampling_ratio is %" PRId64 ", must be at most %d",
                          attrs->sampling_ratio, MAX_SAMPLING_RATIO);
    return STRIDER_OK;
}

static int64_t dim_of(const Shape *shape, int i) {
    return shape->rank < 0 ? DIM_UNKNOWN : shape->dims[i];
}

static Status roi_align_infer(InferContext *ctx) {
    const RoiAlignAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[ROI_X].shape, *rois = &ctx->inputs[ROI_ROIS].shape;
    const Shape *batches = &ctx->inputs[ROI_BATCHES].shape;
    TRY(infer_require_dtype(ctx, ROI_X, DTYPES_FLOAT));
    TRY(infer_require_same_dtype(ctx, ROI_X, ROI_ROIS));
    TRY(infer_require_dtype(ctx, ROI_BATCHES, DTYPES_INDEX));
    TRY(infer_require_rank(ctx, ROI_X, 4, 4));
    TRY(infer_require_rank(ctx, ROI_ROIS, 2, 2));
    TRY(infer_require_rank(ctx, ROI_BATCHES, 1, 1));
    if (dim_of(rois, 1) >= 0 && dim_of(rois, 1) != 4)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "rois have %" PRId64 " numbers, must have 4",
                          rois->dims[1]);
    const int64_t count = dim_of(rois, 0), indices = dim_of(batches, 0);
    if (count >= 0 && indices >= 0 && count != indices)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "there are %" PRId64 " rois, but %" PRId64 " batch indices",
                          count, indices);
    ctx->outputs[0].tensor =
        type_of(ctx->inputs[ROI_X].dtype,
                shape_make(4, (int64_t[]){count >= 0 || indices == DIM_UNKNOWN ? count : indices,
                                          dim_of(x, 1), attrs->height, attrs->width}));
    return STRIDER_OK;
}

/* --- geometry --- */

#define DEFINE_AXIS(NAME, T, CEIL)                                                                           \
    static RoiAxis NAME(const RoiAlignAttrs *attrs, double begin, double end, int64_t count,                 \
                        int64_t length) {                                                                    \
        const T scale = (T)attrs->spatial_scale, offset = attrs->half_pixel ? (T)0.5 : 0;                    \
        const T start = (T)begin * scale - offset, stop = (T)end * scale - offset;                           \
        T size = stop - start;                                                                               \
        if (!attrs->half_pixel && size < 1)                                                                  \
            size = 1;                                                                                        \
        const T bin = size / (T)count;                                                                       \
        const int64_t samples =                                                                              \
            attrs->sampling_ratio ? attrs->sampling_ratio : i64_max(i64_from_double((double)CEIL(bin)), 0);  \
        return (RoiAxis){(double)start, (double)bin, samples, length};                                       \
    }

DEFINE_AXIS(axis_in_f32, float, ceilf)
DEFINE_AXIS(axis_in_f64, double, ceil)

RoiAxis roi_axis(const RoiAlignAttrs *attrs, double begin, double end, bool is_f64, int64_t count,
                 int64_t length) {
    return (is_f64 ? axis_in_f64 : axis_in_f32)(attrs, begin, end, count, length);
}

void roi_samples(const RoiAxis *axis, int64_t bin, int64_t *first, int64_t *end) {
    const double step = axis->bin / (double)axis->samples, start = axis->start + (double)bin * axis->bin;
    const double a = (-1 - start) / step, b = ((double)axis->length - start) / step;
    *first = 0;
    *end = axis->samples;
    if (step == 0) /* then sampling_ratio says how many there are */
        return;
    if (isnan(a) || isnan(b)) {
        *end = 0;
        return;
    }
    /* One more at each side, for rounding. */
    *first = i64_min(i64_max(i64_sum(i64_from_double(floor(fmin(a, b) - 0.5)), -1), 0), axis->samples);
    *end = i64_min(i64_max(i64_sum(i64_from_double(ceil(fmax(a, b) - 0.5)), 2), *first), axis->samples);
}

bool roi_sample(const RoiAxis *axis, int64_t bin, int64_t index, RoiSample *sample) {
    const double at =
        axis->start + (double)bin * axis->bin + ((double)index + 0.5) * axis->bin / (double)axis->samples;
    const double last = (double)(axis->length - 1);
    if (!(at >= -1 && at <= (double)axis->length) || axis->length == 0)
        return false;
    const double inside = fmin(fmax(at, 0), last), low = floor(inside);
    *sample = (RoiSample){(int64_t)low, (int64_t)fmin(low + 1, last), inside - low};
    return true;
}

double roi_count(const RoiAxis *y, const RoiAxis *x) {
    return fmax((double)y->samples * (double)x->samples, 1);
}

/* --- reference --- */

/* The four pixels of a sample times their weights. */
static void weigh(const Tensor *x, int64_t plane, int64_t width, const RoiSample *v, const RoiSample *h,
                  double parts[4]) {
    const double high_v = v->fraction, low_v = 1 - high_v, high_h = h->fraction, low_h = 1 - high_h;
    parts[0] = low_v * low_h * tensor_get_f64(x, plane + v->low * width + h->low);
    parts[1] = low_v * high_h * tensor_get_f64(x, plane + v->low * width + h->high);
    parts[2] = high_v * low_h * tensor_get_f64(x, plane + v->high * width + h->low);
    parts[3] = high_v * high_h * tensor_get_f64(x, plane + v->high * width + h->high);
}

typedef struct Bin {
    const RoiAxis *y, *x;
    int64_t row, column;
} Bin;

static double mean_of_bin(const Tensor *x, int64_t plane, const Bin *bin) {
    int64_t first[2], end[2];
    double sum = 0, parts[4];
    RoiSample v, h;
    roi_samples(bin->y, bin->row, &first[0], &end[0]);
    roi_samples(bin->x, bin->column, &first[1], &end[1]);
    for (int64_t i = first[0]; i < end[0]; i++)
        for (int64_t j = first[1]; j < end[1]; j++)
            if (roi_sample(bin->y, bin->row, i, &v) && roi_sample(bin->x, bin->column, j, &h)) {
                weigh(x, plane, bin->x->length, &v, &h, parts);
                sum += parts[0] + parts[1] + parts[2] + parts[3];
            }
    return sum / roi_count(bin->y, bin->x);
}

/* Samples that do not see X are 0 here, too. */
static double max_of_bin(const Tensor *x, int64_t plane, const Bin *bin) {
    int64_t first[2], end[2], seen = 0;
    double largest = -INFINITY, parts[4];
    RoiSample v, h;
    roi_samples(bin->y, bin->row, &first[0], &end[0]);
    roi_samples(bin->x, bin->column, &first[1], &end[1]);
    for (int64_t i = first[0]; i < end[0]; i++)
        for (int64_t j = first[1]; j < end[1]; j++)
            if (roi_sample(bin->y, bin->row, i, &v) && roi_sample(bin->x, bin->column, j, &h)) {
                weigh(x, plane, bin->x->length, &v, &h, parts);
                for (int part = 0; part < 4; part++)
                    largest = parts[part] > largest || isnan(parts[part]) ? parts[part] : largest;
                seen++;
            }
    return (double)seen < roi_count(bin->y, bin->x) && !(largest > 0) && !isnan(largest) ? 0 : largest;
}

static Status batch_of(EvalContext *ctx, int64_t roi, int64_t *batch) {
    const int64_t batches = ctx->inputs[ROI_X]->type.shape.dims[0];
    *batch = tensor_get_i64(ctx->inputs[ROI_BATCHES], roi);
    if (*batch < 0 || *batch >= batches)
        return eval_fail(ctx, STRIDER_BAD_MODEL,
                         "roi %" PRId64 " is of image %" PRId64 ", but there are %" PRId64, roi, *batch,
                         batches);
    return STRIDER_OK;
}

static Status roi_align_reference(EvalContext *ctx) {
    const RoiAlignAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[ROI_X], *rois = ctx->inputs[ROI_ROIS];
    const int64_t *d = x->type.shape.dims, n_rois = rois->type.shape.dims[0];
    const bool is_f64 = x->type.dtype == STRIDER_F64;
    for (int64_t roi = 0, at = 0; roi < n_rois; roi++) {
        double box[4];
        int64_t batch;
        TRY(batch_of(ctx, roi, &batch));
        for (int i = 0; i < 4; i++)
            box[i] = tensor_get_f64(rois, roi * 4 + i);
        const RoiAxis h = roi_axis(attrs, box[0], box[2], is_f64, attrs->width, d[3]);
        const RoiAxis v = roi_axis(attrs, box[1], box[3], is_f64, attrs->height, d[2]);
        for (int64_t c = 0; c < d[1]; c++)
            for (int64_t i = 0; i < attrs->height; i++)
                for (int64_t j = 0; j < attrs->width; j++, at++) {
                    const Bin bin = {&v, &h, i, j};
                    tensor_set_f64(ctx->outputs[0], at,
                                   (attrs->is_max ? max_of_bin
                                                  : mean_of_bin)(x, (batch * d[1] + c) * d[2] * d[3], &bin));
                }
    }
    return STRIDER_OK;
}

const Op op_roi_align = {
    OP_NAMED(RoiAlign),
    .since = 10,
    .inputs = {ROI_INPUTS, ROI_INPUTS},
    .outputs = {1, 1},
    .attrs_size = sizeof(RoiAlignAttrs),
    .parse = roi_align_parse,
    .infer = roi_align_infer,
    .reference = roi_align_reference,
};
