/* SPDX-License-Identifier: Apache-2.0 */
/* Resize (ONNX 10: nearest and linear, asymmetric; 11: coordinate modes, sizes, roi, cubic; 13; 18:
 * antialias, axes, keep_aspect_ratio_policy; 19: half_pixel_symmetric) and Upsample (1, 7: scales are
 * attributes; 9: an input). Each output element is a sum of input elements, the product of one dimension's
 * weights after the other's. */
#include "ops/tensor/resize.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/size.h"

/* --- attributes --- */

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
    if (ctx->node->op->kind == OP_Upsample)
        return upsample_parse(ctx, attrs);
    /* Resize-10 has one way of counting only: that of PyTorch, which wrote such files (onnxruntime rounds up
     * where the image becomes smaller). */
    bool first = ctx->node->opset < 11;
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

/* --- sizes --- */

typedef struct ResizePorts {
    int roi, scales, sizes; /* -1 where there is none */
} ResizePorts;

static ResizePorts ports_of(const Node *node) {
    if (node->op->kind == OP_Upsample || node->opset < 11)
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

static const char too_large[] = "an output dimension is too large";
static const double LARGEST_OUT = 0x1p40;

/* In float32, as ONNX's shape inference and onnxruntime count: 10 elements by 0.7, which is a little less in
 * float32, are 7.  Only numbers that float32 holds, though. */
static double scaled_size(int64_t in, double extent, double scale) {
    if (in > 1 << 24)
        return floor((double)in * extent * scale);
    return (double)floorf((float)in * (float)extent * (float)scale);
}

static const char *apply_scale(ResizeDim *dim, double scale) {
    if (!(scale > 0) || scale > 0x1p30)
        return "a scale is not a positive number of reasonable size";
    double out = scaled_size(dim->in, 1, scale);
    if (out > LARGEST_OUT)
        return too_large;
    dim->scale = scale;
    dim->out = i64_from_double(out);
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
        const double out = floor(common * (double)dim->in + 0.5); /* halves away from zero */
        if (out > LARGEST_OUT)
            return too_large;
        dim->out = i64_from_double(out);
    }
    return NULL;
}

/* An antialiasing filter is as wide as the scale is small. */
static const double min_scale = 0x1p-24;

static const char *check_filter(const ResizeAttrs *attrs, const ResizeDim *dim) {
    return attrs->antialias && attrs->mode != RESIZE_NEAREST && dim->out > 0 && dim->scale < min_scale
               ? "a scale is too small for antialiasing"
               : NULL;
}

static const char *resolve(const Node *node, const Shape *x, int n_inputs, const Tensor *const *inputs,
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
                dim->out = i64_from_double(fmin(fmax(scaled_size(dim->in, extent, scale), 0), LARGEST_OUT));
        } else {
            wrong = apply_scale(dim, scale);
        }
    }
    return wrong;
}

const char *resize_resolve(const Node *node, const Shape *x, int n_inputs, const Tensor *const *inputs,
                           ResizeDim dims[MAX_RANK], bool *known) {
    const char *wrong = resolve(node, x, n_inputs, inputs, dims, known);
    for (int i = 0; i < x->rank && *known && !wrong; i++)
        wrong = check_filter(node->attrs, &dims[i]);
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
        dims[d] = (ResizeDim){x->dims[d], y->dims[d],
                              x->dims[d] ? (double)y->dims[d] / (double)x->dims[d] : 1, 0, 1};
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

/* --- coordinates --- */

/* Of the nearest element in float32, as onnxruntime has it: exactly divided by a scale that was rounded up to
 * float32, what should meet an element falls on the one before. */
static double unscaled(const ResizeAttrs *attrs, const ResizeDim *dim, double x) {
    return attrs->mode == RESIZE_NEAREST ? (double)((float)x / (float)dim->scale) : x / dim->scale;
}

/* The coordinate in the input, in elements, that output element `at` stands for. */
static double coordinate(const ResizeAttrs *attrs, const ResizeDim *dim, int64_t at) {
    double x = (double)at, in = (double)dim->in;
    /* By a given scale the output may have a fractional length, which these modes mean; the official data
     * agree. */
    double length = dim->scale * in;
    switch (attrs->coordinates) {
    case COORDINATE_HALF_PIXEL:
        return unscaled(attrs, dim, x + 0.5) - 0.5;
    case COORDINATE_HALF_PIXEL_SYMMETRIC: {
        double adjustment = (double)dim->out / length, center = in / 2;
        return center * (1 - adjustment) + unscaled(attrs, dim, x + 0.5) - 0.5;
    }
    case COORDINATE_PYTORCH_HALF_PIXEL:
        return dim->out > 1 ? unscaled(attrs, dim, x + 0.5) - 0.5 : -0.5;
    case COORDINATE_ALIGN_CORNERS:
        return length == 1 ? 0 : x * (in - 1) / (length - 1);
    case COORDINATE_ASYMMETRIC:
        return unscaled(attrs, dim, x);
    case COORDINATE_TF_CROP_AND_RESIZE:
        if (dim->out <= 1)
            return 0.5 * (dim->roi_begin + dim->roi_end) * (in - 1);
        return dim->roi_begin * (in - 1) +
               x * (dim->roi_end - dim->roi_begin) * (in - 1) / (double)(dim->out - 1);
    case COORDINATE_TF_HALF_PIXEL_FOR_NN:
        return unscaled(attrs, dim, x + 0.5);
    }
    return x;
}

static double nearest(NearestMode mode, double x) {
    switch (mode) {
    case NEAREST_ROUND_PREFER_FLOOR:
        return ceil(x - 0.5);
    case NEAREST_ROUND_PREFER_CEIL:
        return floor(x + 0.5);
    case NEAREST_FLOOR:
        return floor(x);
    case NEAREST_CEIL:
        return ceil(x);
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

/* How much antialiasing widens a filter: when the output is smaller. */
static double widening(const ResizeAttrs *attrs, const ResizeDim *dim) {
    return attrs->antialias && dim->scale < 1 && dim->scale >= min_scale ? 1 / dim->scale : 1;
}

static double support(const ResizeAttrs *attrs, const ResizeDim *dim) {
    const double base = attrs->mode == RESIZE_CUBIC ? 2 : 1;
    return widening(attrs, dim) > 1 ? base / dim->scale : base;
}

int64_t resize_max_taps(const ResizeAttrs *attrs, const ResizeDim *dim) {
    return attrs->mode == RESIZE_NEAREST ? 1 : i64_from_double(2 * ceil(support(attrs, dim))) + 1;
}

/* Input elements [first, end), of which those outside the input stand for its ends, and where they are
 * centred.  Weights are kept as far as there is room, and computed anew beyond it. */
enum { WEIGHTS_KEPT = 16 };
typedef struct ResizeWindow {
    double x, sum; /* sum 1 where weights are not divided by it */
    int64_t first, end;
    bool inside; /* else it is extrapolation_value */
    double weights[WEIGHTS_KEPT];
} ResizeWindow;

static double tap_weight(const ResizeAttrs *attrs, const ResizeDim *dim, double x, int64_t i) {
    const double shrink = widening(attrs, dim) > 1 ? dim->scale : 1, distance = ((double)i - x) * shrink;
    if (attrs->mode == RESIZE_NEAREST)
        return 1;
    if (attrs->exclude_outside && (i < 0 || i >= dim->in))
        return 0;
    return attrs->mode == RESIZE_CUBIC ? cubic_weight((double)attrs->cubic_coeff_a, distance)
                                       : linear_weight(distance);
}

static void open_window(const ResizeAttrs *attrs, const ResizeDim *dim, int64_t at, ResizeWindow *window) {
    const double x = coordinate(attrs, dim, at), last = (double)(dim->in - 1), far = support(attrs, dim);
    *window = (ResizeWindow){.x = x, .sum = 1, .end = 1, .inside = true, .weights = {1}};
    if (attrs->coordinates == COORDINATE_TF_CROP_AND_RESIZE && !(x >= 0 && x <= last)) {
        window->inside = false;
        return;
    }
    if (attrs->mode == RESIZE_NEAREST) {
        window->first = i64_from_double(fmin(fmax(nearest(attrs->nearest, x), 0), last));
        window->end = window->first + 1;
        return;
    }
    double sum = 0;
    window->first = window->end = i64_from_double(floor(x - far)) + 1;
    for (int64_t taps_left = resize_max_taps(attrs, dim); taps_left > 0 && (double)window->end < x + far;
         taps_left--) {
        const double weight = tap_weight(attrs, dim, x, window->end);
        if (window->end - window->first < WEIGHTS_KEPT)
            window->weights[window->end - window->first] = weight;
        window->end++;
        sum += weight;
    }
    if ((attrs->antialias || attrs->exclude_outside) && sum != 0)
        window->sum = sum;
}

/* The weight and the place of one tap. */
static double window_tap(const ResizeAttrs *attrs, const ResizeDim *dim, const ResizeWindow *window,
                         int64_t i, int64_t *index) {
    *index = i64_min(i64_max(i, 0), dim->in - 1);
    return (i - window->first < WEIGHTS_KEPT ? window->weights[i - window->first]
                                             : tap_weight(attrs, dim, window->x, i)) /
           window->sum;
}

bool resize_tables_fit(const ResizeAttrs *attrs, const ResizeDim *dims, int first, int rank) {
    enum { SMALL_TABLE = 1 << 16 }; /* taps */
    int64_t taps = 0, elements = 1;
    for (int d = 0; d < rank; d++)
        elements = i64_product(elements, dims[d].out);
    for (int d = first; d < rank; d++)
        taps = i64_sum(taps, i64_product(dims[d].out, resize_max_taps(attrs, &dims[d])));
    return taps <= i64_max(i64_product(elements, 4), SMALL_TABLE);
}

bool resize_taps(const ResizeAttrs *attrs, const ResizeDim *dim, int64_t at, int64_t *indices,
                 double *weights, int64_t *count) {
    ResizeWindow window;
    open_window(attrs, dim, at, &window);
    *count = window.end - window.first;
    for (int64_t i = 0; i < *count; i++)
        weights[i] = window_tap(attrs, dim, &window, window.first + i, &indices[i]);
    return window.inside;
}

/* --- reference --- */

/* One output element: its window in each dimension. */
typedef struct ResizePoint {
    const ResizeAttrs *attrs;
    const Tensor *x;
    int rank;
    ResizeDim dims[MAX_RANK];
    ResizeWindow windows[MAX_RANK];
    int64_t strides[MAX_RANK], at[MAX_RANK];
} ResizePoint;

static double weighted_sum(const ResizePoint *point, int d, int64_t offset) {
    if (d == point->rank)
        return tensor_get_f64(point->x, offset);
    const ResizeWindow *window = &point->windows[d];
    double sum = 0;
    for (int64_t i = window->first; i < window->end; i++) {
        int64_t index;
        const double weight = window_tap(point->attrs, &point->dims[d], window, i, &index);
        if (weight != 0)
            sum += weight * weighted_sum(point, d + 1, offset + index * point->strides[d]);
    }
    return sum;
}

/* Opens the windows of dimensions from `d` on. */
static void open_windows(ResizePoint *point, int d) {
    for (; d < point->rank; d++)
        open_window(point->attrs, &point->dims[d], point->at[d], &point->windows[d]);
}

static double point_value(const ResizePoint *point) {
    for (int d = 0; d < point->rank; d++)
        if (!point->windows[d].inside)
            return (double)point->attrs->extrapolation_value;
    return weighted_sum(point, 0, 0);
}

static Status resize_reference(EvalContext *ctx) {
    const ResizeAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[0];
    const Shape *in = &x->type.shape;
    ResizePoint point = {.attrs = attrs, .x = x, .rank = in->rank};
    bool known;
    const char *wrong = resize_resolve(ctx->node, in, ctx->n_inputs, ctx->inputs, point.dims, &known);
    if (wrong)
        return eval_fail(ctx, STRIDER_BAD_MODEL, "%s", wrong);
    Shape out = *in;
    for (int d = 0; d < in->rank; d++)
        out.dims[d] = point.dims[d].out;
    TRY(eval_set_output_shape(ctx, 0, x->type.dtype, &out));
    Tensor *y = ctx->outputs[0];
    /* Integers: interpolation of them is rounded, as the official data are. */
    const bool rounds = dtype_is_integer(x->type.dtype) && attrs->mode != RESIZE_NEAREST;
    const int64_t count = tensor_elements(y);
    shape_strides(in, point.strides);
    if (count)
        open_windows(&point, 0);
    for (int64_t i = 0; i < count; i++) {
        const double value = point_value(&point);
        tensor_set_f64(y, i, rounds ? nearbyint(value) : value);
        int d = in->rank - 1;
        for (; d >= 0 && ++point.at[d] == out.dims[d]; d--)
            point.at[d] = 0;
        open_windows(&point, d < 0 ? 0 : d);
    }
    return STRIDER_OK;
}

const Op op_resize = {
    OP_NAMED(Resize),
    .since = 10,
    .inputs = {1, 4},
    .outputs = {1, 1},
    .attrs_size = sizeof(ResizeAttrs),
    .parse = resize_parse,
    .infer = resize_infer,
    .reads = 1u << 1 | 1u << 2 | 1u << 3,
    .shaped_by = 1u << 1 | 1u << 2 | 1u << 3,
    .reference = resize_reference,
};

const Op op_upsample = {
    OP_NAMED(Upsample),
    .since = 1,
    .inputs = {1, 2},
    .outputs = {1, 1},
    .attrs_size = sizeof(ResizeAttrs),
    .parse = resize_parse,
    .infer = resize_infer,
    .reads = 1u << 1,
    .shaped_by = 1u << 1,
    .reference = resize_reference,
};
