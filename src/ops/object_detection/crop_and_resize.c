/* SPDX-License-Identifier: Apache-2.0 */
/* CropAndResize (com.microsoft 1): regions of images, each resized to crop_size, [rois, channels, height,
 * width].  A region is [y1, x1, y2, x2] in units of the image's size less one, so that corners lie on
 * corners; sample i of n lies at y1 (H - 1) + i (y2 - y1)(H - 1) / (n - 1), or halfway where n is 1; what
 * lies outside the image is extrapolation_value. Positions are rounded to float, as onnxruntime's are: a
 * sample at the last pixel may lie just beyond it. */
#include <inttypes.h>
#include <math.h>

#include "ops/op.h"

enum { CROP_X, CROP_ROIS, CROP_BATCHES, CROP_SIZE };

typedef struct CropAttrs {
    int is_nearest;
    float extrapolation_value;
} CropAttrs;

static Status crop_parse(ParseContext *ctx, void *attrs_) {
    static const char *const modes[] = {"bilinear", "nearest", NULL};
    CropAttrs *attrs = attrs_;
    TRY(parse_enum(ctx, "mode", modes, 0, &attrs->is_nearest));
    return parse_float(ctx, "extrapolation_value", 0, &attrs->extrapolation_value);
}

static Status check_size(InferContext *ctx, int64_t size[2]) {
    int count;
    TRY(infer_ints(ctx, CROP_SIZE, size, 2, &count));
    if (count < 0) {
        size[0] = size[1] = DIM_UNKNOWN;
        return STRIDER_OK;
    }
    if (count != 2 || size[0] < 1 || size[1] < 1)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "crop_size must be two numbers of at least 1");
    return STRIDER_OK;
}

static Status crop_infer(InferContext *ctx) {
    int64_t size[2];
    TRY(infer_require_dtype(ctx, CROP_X, DTYPE_BIT(STRIDER_F32) | DTYPE_BIT(STRIDER_F16)));
    TRY(infer_require_same_dtype(ctx, CROP_X, CROP_ROIS));
    TRY(infer_require_dtype(ctx, CROP_BATCHES, DTYPE_BIT(STRIDER_I32)));
    TRY(infer_require_dtype(ctx, CROP_SIZE, DTYPE_BIT(STRIDER_I32)));
    TRY(infer_require_rank(ctx, CROP_X, 4, 4));
    TRY(infer_require_rank(ctx, CROP_ROIS, 2, 2));
    TRY(infer_require_rank(ctx, CROP_BATCHES, 1, 1));
    const int64_t numbers = infer_input_dim(ctx, CROP_ROIS, 1), rois = infer_input_dim(ctx, CROP_ROIS, 0),
                  batches = infer_input_dim(ctx, CROP_BATCHES, 0);
    if (numbers >= 0 && numbers != 4)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "rois have %" PRId64 " numbers, must have 4", numbers);
    if (rois >= 0 && batches >= 0 && rois != batches)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "there are %" PRId64 " rois, but %" PRId64 " batch indices",
                          rois, batches);
    TRY(check_size(ctx, size));
    ctx->outputs[0].tensor =
        type_of(ctx->inputs[CROP_X].dtype,
                shape_make(4, (int64_t[]){rois == DIM_UNKNOWN ? batches : rois,
                                          infer_input_dim(ctx, CROP_X, 1), size[0], size[1]}));
    return STRIDER_OK;
}

/* Where along one axis a sample lies: between two pixels, the second weighted by `fraction`. */
typedef struct Place {
    bool is_inside;
    int64_t low, high, nearest;
    float fraction;
} Place;

static Place place_of(float begin, float end, int64_t at, int64_t count, int64_t length) {
    const float last = (float)(length - 1);
    const float step = count > 1 ? (end - begin) * last / (float)(count - 1) : 0;
    const float x = count > 1 ? begin * last + (float)at * step : 0.5f * (begin + end) * last;
    if (!(x >= 0 && x <= last))
        return (Place){0};
    /* Rounded, `last` may be beyond the last pixel. */
    const int64_t low = i64_min((int64_t)x, length - 1);
    return (Place){true, low, i64_min((int64_t)ceilf(x), length - 1), i64_min((int64_t)roundf(x), length - 1),
                   x - (float)low};
}

static double sample(const Tensor *x, int64_t plane, int64_t width, const Place *v, const Place *h,
                     bool is_nearest) {
    if (is_nearest)
        return tensor_get_f64(x, plane + v->nearest * width + h->nearest);
    double rows[2];
    for (int i = 0; i < 2; i++) {
        const int64_t row = plane + (i ? v->high : v->low) * width;
        const double left = tensor_get_f64(x, row + h->low), right = tensor_get_f64(x, row + h->high);
        rows[i] = left + (right - left) * (double)h->fraction;
    }
    return rows[0] + (rows[1] - rows[0]) * (double)v->fraction;
}

static void crop(EvalContext *ctx, int64_t roi, int64_t batch) {
    const CropAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[CROP_X];
    const int64_t *in = x->type.shape.dims, *out = ctx->outputs[0]->type.shape.dims;
    float box[4];
    for (int i = 0; i < 4; i++)
        box[i] = (float)tensor_get_f64(ctx->inputs[CROP_ROIS], 4 * roi + i);
    int64_t to = roi * out[1] * out[2] * out[3];
    for (int64_t channel = 0; channel < in[1]; channel++) {
        const int64_t plane = (batch * in[1] + channel) * in[2] * in[3];
        for (int64_t row = 0; row < out[2]; row++) {
            const Place v = place_of(box[0], box[2], row, out[2], in[2]);
            for (int64_t column = 0; column < out[3]; column++) {
                const Place h = place_of(box[1], box[3], column, out[3], in[3]);
                const double value = v.is_inside && h.is_inside
                                         ? sample(x, plane, in[3], &v, &h, attrs->is_nearest)
                                         : (double)attrs->extrapolation_value;
                tensor_set_f64(ctx->outputs[0], to++, value);
            }
        }
    }
}

static Status crop_reference(EvalContext *ctx) {
    const int64_t batches = ctx->inputs[CROP_X]->type.shape.dims[0];
    for (int64_t roi = 0; roi < ctx->outputs[0]->type.shape.dims[0]; roi++) {
        const int64_t batch = tensor_get_i64(ctx->inputs[CROP_BATCHES], roi);
        if (batch < 0 || batch >= batches)
            return eval_fail(ctx, STRIDER_BAD_MODEL,
                             "batch index %" PRId64 " is outside a dimension of %" PRId64, batch, batches);
        crop(ctx, roi, batch);
    }
    return STRIDER_OK;
}

const Op op_crop_and_resize = {
    OP_NAMED(CropAndResize), .domain = "com.microsoft",   .since = 1,
    .inputs = {4, 4},        .outputs = {1, 1},           .attrs_size = sizeof(CropAttrs),
    .parse = crop_parse,     .infer = crop_infer,         .reference = crop_reference,
    .reads = 1 << CROP_SIZE, .shaped_by = 1 << CROP_SIZE,
};
