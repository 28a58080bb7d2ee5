/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/nn/window.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/size.h"
#include "ops/shared_math.h"

/* Numbers beyond this are nonsense, and would make the arithmetic overflow: sums of two products must fit. */
static const int64_t largest = WINDOW_LARGEST;

static Status check_range(ParseContext *ctx, const char *name, const int64_t *values, int count,
                          int64_t min) {
    for (int i = 0; i < count; i++)
        if (values[i] < min || values[i] > largest)
            return parse_fail(ctx, STRIDER_BAD_MODEL,
                              "%s[%d] is %" PRId64 ", must be from %" PRId64 " to %" PRId64, name, i,
                              values[i], min, largest);
    return STRIDER_OK;
}

Status window_parse(ParseContext *ctx, WindowAttrs *attrs) {
    static const char *const auto_pads[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", NULL};
    int auto_pad;
    for (int i = 0; i < MAX_SPATIAL; i++)
        attrs->kernel[i] = attrs->strides[i] = attrs->dilations[i] = 1;
    TRY(parse_enum(ctx, "auto_pad", auto_pads, AUTO_PAD_NOTSET, &auto_pad));
    attrs->auto_pad = (AutoPad)auto_pad;
    TRY(parse_ints(ctx, "kernel_shape", attrs->kernel, MAX_SPATIAL, &attrs->n_kernel));
    TRY(parse_ints(ctx, "strides", attrs->strides, MAX_SPATIAL, &attrs->n_strides));
    TRY(parse_ints(ctx, "dilations", attrs->dilations, MAX_SPATIAL, &attrs->n_dilations));
    TRY(parse_ints(ctx, "pads", attrs->pads, 2 * MAX_SPATIAL, &attrs->n_pads));
    TRY(parse_bool(ctx, "ceil_mode", false, &attrs->ceil_mode));
    TRY(check_range(ctx, "kernel_shape", attrs->kernel, attrs->n_kernel, 1));
    TRY(check_range(ctx, "strides", attrs->strides, attrs->n_strides, 1));
    TRY(check_range(ctx, "dilations", attrs->dilations, attrs->n_dilations, 1));
    return check_range(ctx, "pads", attrs->pads, attrs->n_pads, -largest);
}

static Status check_count(InferContext *ctx, const char *name, int count, int wanted) {
    if (count >= 0 && count != wanted)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%s has %d values, the input's rank asks for %d", name,
                          count, wanted);
    return STRIDER_OK;
}

Status window_check(InferContext *ctx, const WindowAttrs *attrs, int spatial) {
    TRY(check_count(ctx, "kernel_shape", attrs->n_kernel, spatial));
    TRY(check_count(ctx, "strides", attrs->n_strides, spatial));
    TRY(check_count(ctx, "dilations", attrs->n_dilations, spatial));
    return check_count(ctx, "pads", attrs->n_pads, 2 * spatial);
}

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

/* As the model states it. */
static WindowDim resolve(const WindowAttrs *attrs, int spatial, int i, int64_t in, int64_t kernel) {
    WindowDim dim = {
        .in = in, .kernel = kernel, .stride = attrs->strides[i], .dilation = attrs->dilations[i]};
    int64_t extent = dim.dilation * (kernel - 1) + 1;
    if (attrs->auto_pad == AUTO_PAD_NOTSET) {
        dim.pad_begin = attrs->pads[i];
        dim.pad_end = attrs->pads[spatial + i];
    } else if (attrs->auto_pad != AUTO_PAD_VALID) {
        int64_t total = i64_max((ceil_div(in, dim.stride) - 1) * dim.stride + extent - in, 0);
        int64_t smaller = total / 2;
        dim.pad_begin = attrs->auto_pad == AUTO_PAD_SAME_UPPER ? smaller : total - smaller;
        dim.pad_end = total - dim.pad_begin;
    }
    int64_t room = in + dim.pad_begin + dim.pad_end - extent;
    dim.out = floor_div(room, dim.stride) + 1;
    if (attrs->ceil_mode && room % dim.stride && dim.out * dim.stride < in + dim.pad_begin)
        dim.out++; /* rounded up, a window that is a little larger than the padded input is one too */
    return dim;
}

WindowDim window_resolve(const WindowAttrs *attrs, int spatial, int i, int64_t in, int64_t kernel) {
    WindowDim dim = resolve(attrs, spatial, i, in, kernel);
    /* The least stride that leaves a single output alone. */
    if (dim.out == 1)
        dim.stride =
            i64_max(i64_min(dim.stride, in + dim.pad_begin + dim.pad_end - dim.dilation * (kernel - 1)), 1);
    if (kernel == 1)
        dim.dilation = 1;
    return dim;
}

static int64_t symbolic_out(InferContext *ctx, const WindowAttrs *attrs, int spatial, int i, int64_t in,
                            int64_t kernel) {
    if (attrs->auto_pad == AUTO_PAD_SAME_UPPER || attrs->auto_pad == AUTO_PAD_SAME_LOWER)
        return window_derived_dim(ctx, in, -1, attrs->strides[i], 1);
    /* Rounding up less a window that starts after the input has no short text. */
    if (kernel > largest || (attrs->ceil_mode && attrs->strides[i] > 1))
        return DIM_UNKNOWN;
    int64_t pads = attrs->auto_pad == AUTO_PAD_NOTSET ? attrs->pads[i] + attrs->pads[spatial + i] : 0;
    return window_derived_dim(ctx, in, pads - attrs->dilations[i] * (kernel - 1) - 1, attrs->strides[i], 1);
}

WindowTaps window_taps(const WindowDim *dim, int64_t begin, int64_t size) {
    return (WindowTaps){.first = window_first_tap(begin, dim->dilation),
                        .end = window_end_tap(begin, size, dim->kernel, dim->dilation)};
}

Status window_infer_dim(InferContext *ctx, const WindowAttrs *attrs, int spatial, int i, int64_t in,
                        int64_t kernel, int64_t *out) {
    if (in < 0 || kernel < 0) {
        *out = kernel < 0 ? DIM_UNKNOWN : symbolic_out(ctx, attrs, spatial, i, in, kernel);
        return STRIDER_OK;
    }
    if (in > largest || kernel > largest)
        return infer_fail(ctx, STRIDER_LIMIT_EXCEEDED,
                          "dimension %d of %" PRId64 " is too large for a window", i, in);
    WindowDim dim = resolve(attrs, spatial, i, in, kernel);
    if (dim.out < 1 && in > 0)
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "the window of %" PRId64 " (dilation %" PRId64
                          ") is larger than the padded input of %" PRId64 " in spatial dimension %d",
                          dim.kernel, dim.dilation, in + dim.pad_begin + dim.pad_end, i);
    *out = i64_max(dim.out, 0);
    return STRIDER_OK;
}

const char *window_formula(const WindowAttrs *attrs, const Shape *x, const int64_t *kernel,
                           char text[EXPLANATION_TEXT]) {
    static const char *const names[MAX_SPATIAL][MAX_SPATIAL] = {{"L"}, {"H", "W"}, {"D", "H", "W"}};
    int spatial = x->rank - 2;
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < spatial && spatial <= MAX_SPATIAL; i++) {
        if (x->dims[2 + i] < 0 || kernel[i] < 0)
            return text;
        WindowDim dim = resolve(attrs, spatial, i, x->dims[2 + i], kernel[i]);
        int length =
            snprintf(text + used, EXPLANATION_TEXT - used,
                     "%s%s: %s((%" PRId64 " + %" PRId64 " + %" PRId64 " - %" PRId64 "*(%" PRId64
                     " - 1) - 1) / %" PRId64 ") + 1 = %" PRId64,
                     i ? "; " : "", names[spatial - 1][i], attrs->ceil_mode ? "ceil" : "floor", dim.in,
                     dim.pad_begin, dim.pad_end, dim.dilation, dim.kernel, dim.stride, dim.out);
        used += length > 0 ? (size_t)length : 0;
        if (used >= EXPLANATION_TEXT)
            break;
    }
    return text;
}
