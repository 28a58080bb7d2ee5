/* SPDX-License-Identifier: Apache-2.0 */
/* Resize (ONNX 10: nearest and linear, asymmetric; 11: coordinate modes, sizes, roi, cubic; 13; 18:
 * antialias, axes, keep_aspect_ratio_policy; 19: half_pixel_symmetric) and Upsample (1, 7: scales are
 * attributes; 9: an input). Each output element is a sum of input elements, the product of one dimension's
 * weights after the other's. */
#include "ops/resize.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/size.h"

/* --- attributes
 * ------------------------------------------------------------------------------------------------ */

static Status upsample_parse(ParseContext *ctx, ResizeAttrs *attrs) {
    static const char *const modes[] = {"nearest", "linear", "bilinear", NULL};
    int mode;
    TRY(parse_enum(ctx, "mode", modes, 0, &mode));
    attrs->mode = mode ? RESIZE_LINEAR : RESIZE_NEAREST;
    attrs->coordinates = COORDINATE_ASYMMETRIC;
    attrs->nearest = NEAREST_FLOOR;
    attrs->n_scales = -1;
    if (parse_has(ctx, "height_scale") || parse_has(ctx, "width_scale")) { /* Upsample-1 */
        attrs->n_scales = 4;
        attrs->scales[0] = attrs->scales[1] = 1;
        TRY(parse_float(ctx, "height_scale", 1, &attrs->scales[2]));
        return parse_float(ctx, "width_scale", 1, &attrs->scales[3]);
    }
    const Attr *scales = attrs_find(ctx->attrs, "scales");
    if (scales) {
        if (scales->kind != ATTR_FLOATS || scales->count > MAX_RANK)
            return parse_fail(ctx, STRIDER_BAD_MODEL, "scales must be a list of at most %d floats", MAX_RANK);
        attrs->n_scales = (int)scales->count;
        memcpy(attrs->scales, scales->floats, scales->count * sizeof *attrs->scales);
    } else if (ctx->node->n_inputs < 2) {
        return parse_fail(ctx, STRIDER_BAD_MODEL, "scales are missing");
    }
    return STRIDER_OK;
}

static Status resize_parse(ParseContext *ctx, void *attrs_) {
    static const char *const modes[] = {"nearest", "linear", "cubic", NULL};
    static const char *const coordinates[] = {
        "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel",   "align_corners",
        "asymmetric", "tf_crop_and_resize",   "tf_half_pixel_for_nn", NULL};
    static const char *const nearests[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil", NULL};
    static const char *const policies[] = {"stretch", "not_larger", "not_smaller", NULL};
    ResizeAttrs *attrs = attrs_;
    int mode, coordinate, nearest;
    attrs->n_axes = attrs->n_scales = -1;
    attrs->cubic_coeff_a = -0.75f;
    if (strcmp(ctx->node->op->name, "Upsample") == 0)
        return upsample_parse(ctx, attrs);
    bool first = ctx->node->opset < 11; /* Resize-10 knew one way of counting only */
    TRY(parse_enum(ctx, "mode", modes, 0, &mode));
    TRY(parse_enum(ctx, "coordinate_transformation_mode", coordinates,
                   first ? COORDINATE_ASYMMETRIC : COORDINATE_HALF_PIXEL, &coordinate));
    TRY(parse_enum(ctx, "nearest_mode", nearests, first ? NEAREST_FLOOR : NEAREST_ROUND_PREFER_FLOOR,
                   &nearest));
    TRY(parse_enum(ctx, "keep_aspect_ratio_policy", policies, 0, &attrs->keep_aspect_ratio));
    attrs->mode = (ResizeMode)mode;
    attrs->coordinates = (CoordinateMode)coordinate;
    attrs->nearest = (NearestMode)nearest;
    TRY(parse_float(ctx, "cubic_coeff_a", -0.75f, &attrs->cubic_coeff_a));
    TRY(parse_float(ctx, "extrapolation_value", 0, &attrs->extrapolation_value));
    TRY(parse_bool(ctx, "exclude_outside", false, &attrs->exclude_outside));
    TRY(parse_bool(ctx, "antialias", false, &attrs->antialias));
    return parse_ints(ctx, "axes", attrs->axes, MAX_RANK, &attrs->n_axes);
}

/* --- sizes
 * ----------------------------------------------------------------------------------------------------- */

typedef struct ResizePorts {
    int roi, scales, sizes; /* -1 where there is none */
} ResizePorts;

static ResizePorts ports_of(const Node *node) {
    if (strcmp(node->op->name, "Upsample") == 0 || node->opset < 11)
        return (ResizePorts){-1, 1, -1};
    return (ResizePorts){1, 2, 3};
}

/* An input that is absent, or empty, which means the same here. */
static const Tensor *list_at(int port, int n_inputs, const Tensor *const *inputs) {
    return port >= 0 && port < n_inputs && inputs[port] && tensor_elements(inputs[port]) ? inputs[port]
                                                                                         : NULL;
}

static bool is_unknown(const Node *node, int port, int n_inputs, const Tensor *const *inputs) {
    return port >= 0 && port < n_inputs && node->inputs[port] && !inputs[port];
}

static int axis_at(const ResizeAttrs *attrs, int rank, int i) {
    return attrs->n_axes < 0 ? i : (int)(attrs->axes[i] < 0 ? attrs->axes[i] + rank : attrs->axes[i]);
}

static const char *check_axes(const ResizeAttrs *attrs, int rank) {
    unsigned seen = 0;
    for (int i = 0; i < attrs->n_axes; i++) {
        int axis = axis_at(attrs, rank, i);
        if (axis < 0 || axis >= rank || (seen >> axis & 1))
            return "the axes are not distinct axes of the input";
        seen |= 1u << axis;
    }
    return NULL;
}

static const char *apply_scale(ResizeDim *dim, double scale) {
    if (!(scale > 0) || scale > 0x1p30)
        return "a scale is not a positive number of reasonable size";
    double out = floor((double)dim->in * scale);
    if (out > 0x1p40)
        return "an output dimension is too large";
    dim->scale = scale;
    dim->out = (int64_t)out;
    return NULL;
}

static const char *apply_sizes(const ResizeAttrs *attrs, const Tensor *sizes, int rank, int n,
                               ResizeDim dims[MAX_RANK]) {
    double common = attrs->keep_aspect_ratio == 1 ? INFINITY : 0;
    for (int i = 0; i < n; i++) {
        ResizeDim *dim = &dims[axis_at(attrs, rank, i)];
        dim->out = tensor_get_i64(sizes, i);
        if (dim->out < 0 || dim->out > (int64_t)1 << 40)
            return "an output size is out of range";
        if (dim->in == 0 && dim->out > 0)
            return "an empty dimension cannot be resized";
        dim->scale = dim->in ? (double)dim->out / (double)dim->in : 1;
        common = attrs->keep_aspect_ratio == 1 ? fmin(common, dim->scale) : fmax(common, dim->scale);
    }
    for (int i = 0; attrs->keep_aspect_ratio && i < n; i++) {
        ResizeDim *dim = &dims[axis_at(attrs, rank, i)];
        dim->scale = common;
        dim->out = (int64_t)floor(common * (double)dim->in + 0.5); /* halves away from zero */
    }
    return NULL;
}

const char *resize_resolve(const Node *node, const Shape *x, int n_inputs, const Tensor *const *inputs,
                           ResizeDim dims[MAX_RANK], bool *known) {
    const ResizeAttrs *attrs = node->attrs;
    ResizePorts ports = ports_of(node);
    int n = attrs->n_axes < 0 ? x->rank : attrs->n_axes;
    const char *wrong = check_axes(attrs, x->rank);
    if (wrong)
        return wrong;
    for (int i = 0; i < x->rank; i++)
        dims[i] = (ResizeDim){x->dims[i], x->dims[i], 1, 0, 1};
    const Tensor *roi = list_at(ports.roi, n_inputs, inputs),
                 *scales = list_at(ports.scales, n_inputs, inputs);
    const Tensor *sizes = list_at(ports.sizes, n_inputs, inputs);
    *known = !is_unknown(node, ports.sizes, n_inputs, inputs) &&
             (sizes || !is_unknown(node, ports.scales, n_inputs, inputs));
    if (attrs->coordinates == COORDINATE_TF_CROP_AND_RESIZE && is_unknown(node, ports.roi, n_inputs, inputs))
        *known = false;
    if (!*known)
        return NULL;
    if (attrs->n_scales >= 0 && attrs->n_scales != x->rank)
        return "the number of scales is not the input's rank";
    if (attrs->n_scales < 0 && !scales && !sizes)
        return "neither scales nor sizes are given";
    if ((sizes && tensor_elements(sizes) != n) || (!sizes && scales && tensor_elements(scales) != n))
        return "the number of scales or sizes is not the number of axes";
    if (roi && attrs->coordinates == COORDINATE_TF_CROP_AND_RESIZE) {
        if (tensor_elements(roi) != 2 * n)
            return "roi does not have twice as many values as axes";
        for (int i = 0; i < n; i++) {
            dims[axis_at(attrs, x->rank, i)].roi_begin = tensor_get_f64(roi, i);
            dims[axis_at(attrs, x->rank, i)].roi_end = tensor_get_f64(roi, n + i);
        }
    }
    if (sizes)
        return apply_sizes(attrs, sizes, x->rank, n, dims);
    for (int i = 0; i < n && !wrong; i++) {
        ResizeDim *dim = &dims[axis_at(attrs, x->rank, i)];
        double scale = scales ? tensor_get_f64(scales, i) : (double)attrs->scales[i];
        if (attrs->coordinates == COORDINATE_TF_CROP_AND_RESIZE) {
            double extent = dim->roi_end - dim->roi_begin;
            wrong = apply_scale(dim, scale);
            if (!wrong)
                dim->out = (int64_t)fmin(fmax(floor((double)dim->in * extent * scale), 0), 0x1p40);
        } else {
            wrong = apply_scale(dim, scale);
        }
    }
    return wrong;
}

bool resize_resolve_planned(const Node *node, const Shape *x, const Shape *y, int n_inputs,
                            const Tensor *const *inputs, ResizeDim dims[MAX_RANK]) {
    const ResizeAttrs *attrs = node->attrs;
    const int sizes = ports_of(node).sizes;
    bool known = false;
    if (resize_resolve(node, x, n_inputs, inputs, dims, &known))
        return false;
    for (int d = 0; d < x->rank && !known; d++)
        dims[d] = (ResizeDim){x->dims[d], y->dims[d], (double)y->dims[d] / (double)x->dims[d], 0, 1};
    bool by_size = sizes >= 0 && sizes < n_inputs && node->inputs[sizes];
    return known ||
           (by_size && attrs->keep_aspect_ratio == 0 && attrs->coordinates != COORDINATE_TF_CROP_AND_RESIZE);
}

static Status resize_infer(InferContext *ctx) {
    const Shape *x = &ctx->inputs[0].shape;
    Shape *y = &ctx->outputs[0].shape;
    ResizeDim dims[MAX_RANK];
    bool known = false;
    TRY(infer_require_dtype(ctx, 0, DTYPES_NUMERIC));
    ctx->outputs[0].dtype = ctx->inputs[0].dtype;
    if (x->rank < 0)
        return STRIDER_OK;
    Shape stand_in = *x; /* a size of 1 where it is not known: what is computed from it is not used */
    for (int i = 0; i < x->rank; i++)
        stand_in.dims[i] = x->dims[i] < 0 ? 1 : x->dims[i];
    const char *wrong = resize_resolve(ctx->node, &stand_in, ctx->n_inputs, ctx->input_values, dims, &known);
    if (wrong)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%s", wrong);
    const ResizeAttrs *attrs = infer_attrs(ctx);
    bool by_size = list_at(ports_of(ctx->node).sizes, ctx->n_inputs, ctx->input_values) != NULL;
    y->rank = x->rank;
    for (int i = 0; i < x->rank; i++) {
        bool fixed = by_size && !attrs->keep_aspect_ratio && attrs->n_axes < 0;
        y->dims[i] = !known                     ? DIM_UNKNOWN
                     : x->dims[i] >= 0 || fixed ? dims[i].out
                     : dims[i].scale == 1       ? x->dims[i]
                                                : DIM_UNKNOWN;
        if (x->dims[i] < 0 && known && dims[i].scale != 1 && dims[i].scale == floor(dims[i].scale) &&
            symbol_text(ctx->symbols, x->dims[i]) && !by_size)
            y->dims[i] = infer_derived_dim(ctx, x->dims[i], "%.0f*(%s)", dims[i].scale,
                                           symbol_text(ctx->symbols, x->dims[i]));
    }
    return STRIDER_OK;
}

/* --- coordinates
 * ----------------------------------------------------------------------------------------------- */

/* The coordinate in the input, in elements, that output element `at` stands for. */
static double coordinate(const ResizeAttrs *attrs, const ResizeDim *dim, int64_t at) {
    double x = (double)at, in = (double)dim->in;
    /* By a given scale the output may have a fractional length, which these modes mean; the official data
     * agree. */
    double length = dim->scale * in;
    switch (attrs->coordinates) {
    case COORDINATE_HALF_PIXEL:
        return (x + 0.5) / dim->scale - 0.5;
    case COORDINATE_HALF_PIXEL_SYMMETRIC: {
        double adjustment = (double)dim->out / length, center = in / 2;
        return center * (1 - adjustment) + (x + 0.5) / dim->scale - 0.5;
    }
    case COORDINATE_PYTORCH_HALF_PIXEL:
        return length > 1 ? (x + 0.5) / dim->scale - 0.5 : -0.5;
    case COORDINATE_ALIGN_CORNERS:
        return length == 1 ? 0 : x * (in - 1) / (length - 1);
    case COORDINATE_ASYMMETRIC:
        return x / dim->scale;
    case COORDINATE_TF_CROP_AND_RESIZE:
        if (dim->out <= 1)
            return 0.5 * (dim->roi_begin + dim->roi_end) * (in - 1);
        return dim->roi_begin * (in - 1) +
               x * (dim->roi_end - dim->roi_begin) * (in - 1) / (double)(dim->out - 1);
    case COORDINATE_TF_HALF_PIXEL_FOR_NN:
        return (x + 0.5) / dim->scale;
    }
    return x;
}

static int64_t nearest(NearestMode mode, double x) {
    switch (mode) {
    case NEAREST_ROUND_PREFER_FLOOR:
        return (int64_t)ceil(x - 0.5);
    case NEAREST_ROUND_PREFER_CEIL:
        return (int64_t)floor(x + 0.5);
    case NEAREST_FLOOR:
        return (int64_t)floor(x);
    case NEAREST_CEIL:
        return (int64_t)ceil(x);
    }
    return 0;
}

static double cubic_weight(double a, double distance) {
    double d = fabs(distance);
    if (d <= 1)
        return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

static double linear_weight(double distance) {
    return fmax(0, 1 - fabs(distance));
}

/* How far a filter reaches: antialiasing widens it when the output is smaller. */
static double reach(const ResizeAttrs *attrs, const ResizeDim *dim) {
    double base = attrs->mode == RESIZE_CUBIC ? 2 : 1;
    return attrs->antialias && dim->scale < 1 ? base / dim->scale : base;
}

int64_t resize_most_taps(const ResizeAttrs *attrs, const ResizeDim *dim) {
    return attrs->mode == RESIZE_NEAREST ? 1 : (int64_t)(2 * ceil(reach(attrs, dim))) + 1;
}

bool resize_taps(const ResizeAttrs *attrs, const ResizeDim *dim, int64_t at, int64_t *indices,
                 double *weights, int64_t *count) {
    double x = coordinate(attrs, dim, at);
    *count = 1;
    weights[0] = 1;
    if (attrs->coordinates == COORDINATE_TF_CROP_AND_RESIZE && (x < 0 || x > (double)(dim->in - 1)))
        return false;
    if (attrs->mode == RESIZE_NEAREST) {
        indices[0] = i64_min(i64_max(nearest(attrs->nearest, x), 0), dim->in - 1);
        return true;
    }
    double far = reach(attrs, dim), shrink = attrs->antialias && dim->scale < 1 ? dim->scale : 1, sum = 0;
    int64_t first = (int64_t)floor(x - far) + 1, most = resize_most_taps(attrs, dim);
    *count = 0;
    for (int64_t i = first; i < first + most && (double)i < x + far; i++) {
        double distance = ((double)i - x) * shrink;
        double weight = attrs->mode == RESIZE_CUBIC ? cubic_weight((double)attrs->cubic_coeff_a, distance)
                                                    : linear_weight(distance);
        bool outside = i < 0 || i >= dim->in;
        if (outside && attrs->exclude_outside)
            weight = 0;
        indices[*count] = i64_min(i64_max(i, 0), dim->in - 1);
        weights[(*count)++] = weight;
        sum += weight;
    }
    if (attrs->antialias || attrs->exclude_outside)
        for (int64_t i = 0; i < *count && sum != 0; i++)
            weights[i] /= sum;
    return true;
}

/* --- reference
 * ------------------------------------------------------------------------------------------------- */

/* The taps of every output element of one dimension. */
typedef struct DimTaps {
    int64_t most;
    int64_t *indices, *counts;
    double *weights;
    bool *inside;
} DimTaps;

static Status make_taps(EvalContext *ctx, Region *region, const ResizeDim *dim, DimTaps *taps) {
    const ResizeAttrs *attrs = eval_attrs(ctx);
    taps->most = resize_most_taps(attrs, dim);
    size_t out = (size_t)dim->out, all;
    if (!size_mul(out, (size_t)taps->most, &all))
        return eval_fail(ctx, STRIDER_LIMIT_EXCEEDED, "the filter is too large");
    taps->indices = region_take_array(region, all, sizeof(int64_t));
    taps->weights = region_take_array(region, all, sizeof(double));
    taps->counts = region_take_array(region, out, sizeof(int64_t));
    taps->inside = region_take_array(region, out, sizeof(bool));
    if (!taps->indices || !taps->weights || !taps->counts || !taps->inside)
        return fail_memory(ctx->err, all * sizeof(double), "a reference kernel");
    for (int64_t i = 0; i < dim->out; i++)
        taps->inside[i] = resize_taps(attrs, dim, i, taps->indices + i * taps->most,
                                      taps->weights + i * taps->most, &taps->counts[i]);
    return STRIDER_OK;
}

static double weighted_sum(const Tensor *x, const DimTaps *taps, const int64_t *at, const int64_t *strides,
                           int d, int rank, int64_t offset) {
    if (d == rank)
        return tensor_get_f64(x, offset);
    const DimTaps *t = &taps[d];
    double sum = 0;
    for (int64_t i = 0; i < t->counts[at[d]]; i++) {
        double weight = t->weights[at[d] * t->most + i];
        if (weight != 0)
            sum += weight * weighted_sum(x, taps, at, strides, d + 1, rank,
                                         offset + t->indices[at[d] * t->most + i] * strides[d]);
    }
    return sum;
}

static Status resize_reference(EvalContext *ctx) {
    const ResizeAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[0];
    const Shape *in = &x->type.shape;
    ResizeDim dims[MAX_RANK];
    DimTaps taps[MAX_RANK];
    bool known;
    const char *wrong = resize_resolve(ctx->node, in, ctx->n_inputs, ctx->inputs, dims, &known);
    if (wrong)
        return eval_fail(ctx, STRIDER_BAD_MODEL, "%s", wrong);
    Shape out = *in;
    for (int d = 0; d < in->rank; d++)
        out.dims[d] = dims[d].out;
    TRY(eval_set_output_shape(ctx, 0, x->type.dtype, &out));
    Tensor *y = ctx->outputs[0];
    Region region;
    region_init(&region, ctx->allocator, 0);
    Status status = STRIDER_OK;
    for (int d = 0; d < in->rank && !status; d++)
        status = make_taps(ctx, &region, &dims[d], &taps[d]);
    int64_t strides[MAX_RANK], at[MAX_RANK] = {0};
    shape_strides(in, strides);
    for (int64_t i = 0; !status && i < tensor_elements(y); i++) {
        bool inside = true;
        for (int d = 0; d < in->rank; d++)
            inside = inside && taps[d].inside[at[d]];
        double value =
            inside ? weighted_sum(x, taps, at, strides, 0, in->rank, 0) : (double)attrs->extrapolation_value;
        /* Integers: interpolation of them is rounded, as the official data are. */
        tensor_set_f64(y, i,
                       dtype_is_integer(x->type.dtype) && attrs->mode != RESIZE_NEAREST ? nearbyint(value)
                                                                                        : value);
        for (int d = in->rank - 1; d >= 0 && ++at[d] == out.dims[d]; d--)
            at[d] = 0;
    }
    region_free(&region);
    return status;
}

const Op op_resize = {
    .name = "Resize",
    .since = 10,
    .inputs = {1, 4},
    .outputs = {1, 1},
    .attrs_size = sizeof(ResizeAttrs),
    .parse = resize_parse,
    .infer = resize_infer,
    .reference = resize_reference,
};

const Op op_upsample = {
    .name = "Upsample",
    .since = 1,
    .inputs = {1, 2},
    .outputs = {1, 1},
    .attrs_size = sizeof(ResizeAttrs),
    .parse = resize_parse,
    .infer = resize_infer,
    .reference = resize_reference,
};
