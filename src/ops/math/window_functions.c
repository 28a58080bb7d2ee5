/* SPDX-License-Identifier: Apache-2.0 */
/* HannWindow, HammingWindow, BlackmanWindow (ONNX 17): sums of cosines c0 - c1 cos(2 pi i / N) + c2 cos(4 pi
 * i / N) for i < size, where N is `size` of a periodic window (the default) and size - 1 of a symmetric one.
 */
#include <inttypes.h>
#include <math.h>

#include "base/size.h"
#include "ops/op.h"

typedef struct WindowAttrs {
    bool periodic;
    DType dtype;
} WindowAttrs;

static Status window_parse(ParseContext *ctx, void *attrs_) {
    WindowAttrs *attrs = attrs_;
    TRY(parse_bool(ctx, "periodic", true, &attrs->periodic));
    return parse_dtype(ctx, "output_datatype", STRIDER_F32, &attrs->dtype);
}

static Status window_infer(InferContext *ctx) {
    const WindowAttrs *attrs = infer_attrs(ctx);
    int64_t size;
    int count;
    TRY(infer_require_dtype(ctx, 0, DTYPES_INDEX));
    TRY(infer_require_scalar(ctx, 0));
    TRY(infer_ints(ctx, 0, &size, 1, &count));
    if (!(DTYPES_NUMERIC & DTYPE_BIT(attrs->dtype)))
        return infer_fail(ctx, STRIDER_UNSUPPORTED, "a window of type %s", dtype_name(attrs->dtype));
    if (count == 1)
        TRY(infer_check_dim(ctx, size, "size"));
    ctx->outputs[0].tensor =
        type_of(attrs->dtype, (Shape){.rank = 1, .dims = {count == 1 ? size : DIM_UNKNOWN}});
    return STRIDER_OK;
}

static double window_value(OpKind kind, double turn) {
    static const double hann[3] = {0.5, 0.5, 0}, hamming[3] = {25.0 / 46, 21.0 / 46, 0},
                        blackman[3] = {0.42, 0.5, 0.08};
    const double *c = kind == OP_HannWindow ? hann : kind == OP_HammingWindow ? hamming : blackman;
    const double angle = 6.283185307179586 * turn;
    return c[0] - c[1] * cos(angle) + c[2] * cos(2 * angle);
}

static Status window_reference(EvalContext *ctx) {
    const WindowAttrs *attrs = eval_attrs(ctx);
    const int64_t size = tensor_get_i64(ctx->inputs[0], 0);
    const Shape shape = {.rank = 1, .dims = {size}};
    if (size < 0)
        return eval_fail(ctx, STRIDER_BAD_MODEL, "size is %" PRId64 ", must not be negative", size);
    TRY(eval_set_output_shape(ctx, 0, attrs->dtype, &shape));
    const int64_t period = attrs->periodic ? size : size - 1;
    for (int64_t i = 0; i < size; i++) /* a symmetric window of one number is its middle */
        tensor_set_f64(ctx->outputs[0], i,
                       window_value(ctx->node->op->kind, period ? (double)i / (double)period : 0.5));
    return STRIDER_OK;
}

#define WINDOW(ROW, NAME)                                                                                    \
    const Op ROW = {                                                                                         \
        OP_NAMED(NAME),                                                                                      \
        .since = 17,                                                                                         \
        .inputs = {1, 1},                                                                                    \
        .outputs = {1, 1},                                                                                   \
        .attrs_size = sizeof(WindowAttrs),                                                                   \
        .parse = window_parse,                                                                               \
        .infer = window_infer,                                                                               \
        .reads = 1u << 0,                                                                                    \
        .shaped_by = 1u << 0,                                                                                \
        .reference = window_reference,                                                                       \
    };

WINDOW(op_hann_window, HannWindow)
WINDOW(op_hamming_window, HammingWindow)
WINDOW(op_blackman_window, BlackmanWindow)
