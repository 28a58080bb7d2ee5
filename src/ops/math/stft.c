/* SPDX-License-Identifier: Apache-2.0 */
/* STFT (ONNX 17): the transforms of frames of a signal [batch, length, 1 or 2], frame f from f frame_step on,
 * times a window: [batch, frames, bins, 2].  PyTorch's TorchScript exporter writes real signals as
 * [batch, length], which onnxruntime takes, too.  Frames are as long as the window, or `frame_length`, or the
 * signal; there are floor((length - frame_length) / frame_step) + 1 of them.  `onesided` (1 by default): the
 * first frame_length / 2 + 1 bins alone, of real signals. */
#include <inttypes.h>

#include "ops/math/fourier.h"

typedef struct StftAttrs {
    bool onesided;
} StftAttrs;

static Status stft_parse(ParseContext *ctx, void *attrs_) {
    StftAttrs *attrs = attrs_;
    return parse_bool(ctx, "onesided", true, &attrs->onesided);
}

int64_t stft_length(const Shape *signal, const Shape *window, const Tensor *stated) {
    if (stated)
        return tensor_get_i64(stated, 0);
    return window ? window->dims[0] : signal->dims[1];
}

static Status check_inputs(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, 0, DTYPES_FLOAT));
    TRY(infer_require_same_dtype(ctx, 0, STFT_WINDOW));
    TRY(infer_require_rank(ctx, 0, 2, 3));
    TRY(infer_require_rank(ctx, STFT_WINDOW, 1, 1));
    for (int port = STFT_STEP; port <= STFT_LENGTH; port += STFT_LENGTH - STFT_STEP) {
        TRY(infer_require_dtype(ctx, port, DTYPES_INDEX));
        TRY(infer_require_scalar(ctx, port));
    }
    return STRIDER_OK;
}

static int64_t components_of(const Shape *signal) {
    return signal->rank == 2 ? 1 : signal->dims[2];
}

static Status check_components(InferContext *ctx, int64_t components) {
    const StftAttrs *attrs = infer_attrs(ctx);
    if (components < 0 || components == 1 || (components == 2 && !attrs->onesided))
        return STRIDER_OK;
    return infer_fail(ctx, STRIDER_BAD_MODEL, "the signal's last dimension is %" PRId64 ", must be %s",
                      components, attrs->onesided ? "1 (real): onesided" : "1 (real) or 2 (complex)");
}

/* The length of frames; DIM_UNKNOWN where that is not known. */
static Status frame_length(InferContext *ctx, int64_t *n) {
    const bool has_window = infer_has_input(ctx, STFT_WINDOW), has_length = infer_has_input(ctx, STFT_LENGTH);
    const Shape *signal = &ctx->inputs[0].shape,
                *window = has_window ? &ctx->inputs[STFT_WINDOW].shape : NULL;
    const Tensor *stated = has_length ? ctx->input_values[STFT_LENGTH] : NULL;
    const int64_t window_length = window && window->rank == 1 ? window->dims[0] : DIM_UNKNOWN;
    *n = stated       ? tensor_get_i64(stated, 0)
         : has_window ? window_length
         : has_length ? DIM_UNKNOWN
                      : signal->dims[1];
    if (!stated && *n < 0) {
        *n = DIM_UNKNOWN;
        return STRIDER_OK;
    }
    if (*n < 1 || *n > FFT_MAX_LENGTH || (signal->dims[1] >= 0 && *n > signal->dims[1]))
        return infer_fail(ctx, STRIDER_BAD_MODEL, "frames of %" PRId64 " numbers of a signal of %" PRId64, *n,
                          signal->dims[1]);
    if (window_length >= 0 && window_length != *n)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "a window of %" PRId64 " numbers for frames of %" PRId64,
                          window_length, *n);
    return STRIDER_OK;
}

static Status stft_infer(InferContext *ctx) {
    const StftAttrs *attrs = infer_attrs(ctx);
    const Shape *signal = &ctx->inputs[0].shape;
    const Tensor *step = ctx->input_values[STFT_STEP];
    TRY(check_inputs(ctx));
    Shape y = {.rank = 4, .dims = {DIM_UNKNOWN, DIM_UNKNOWN, DIM_UNKNOWN, 2}};
    if (step && tensor_get_i64(step, 0) < 1)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "frame_step is %" PRId64 ", must be at least 1",
                          tensor_get_i64(step, 0));
    if (signal->rank >= 2) {
        int64_t n;
        TRY(check_components(ctx, components_of(signal)));
        TRY(frame_length(ctx, &n));
        y.dims[0] = signal->dims[0];
        if (n >= 0)
            y.dims[2] = fourier_bins(n, attrs->onesided);
        if (n >= 0 && step && signal->dims[1] >= 0)
            y.dims[1] = (signal->dims[1] - n) / tensor_get_i64(step, 0) + 1;
    }
    ctx->outputs[0].tensor = type_of(ctx->inputs[0].dtype, y);
    return STRIDER_OK;
}

FourierLines stft_lines(const Shape *signal, const Shape *y, int64_t step, int64_t n, bool has_window) {
    const int64_t frames = y->dims[1], bins = y->dims[2];
    return (FourierLines){.lines = signal->dims[0] * frames,
                          .n = n,
                          .in = {i64_max(frames, 1), signal->dims[1], step, 1, (int)components_of(signal)},
                          .out = {i64_max(frames, 1), frames * bins, bins, 1, 2},
                          .in_length = n,
                          .out_length = bins,
                          .window_port = has_window ? STFT_WINDOW : -1};
}

static Status stft_reference(EvalContext *ctx) {
    const StftAttrs *attrs = eval_attrs(ctx);
    const Shape *signal = &ctx->inputs[0]->type.shape, *y = &ctx->outputs[0]->type.shape;
    const Tensor *window = eval_input(ctx, STFT_WINDOW);
    const int64_t step = tensor_get_i64(ctx->inputs[STFT_STEP], 0),
                  n = stft_length(signal, window ? &window->type.shape : NULL, eval_input(ctx, STFT_LENGTH));
    if (!ctx->outputs[0]->data || step < 1 || n < 1 || n > signal->dims[1] ||
        y->dims[2] != fourier_bins(n, attrs->onesided) || y->dims[1] != (signal->dims[1] - n) / step + 1)
        return eval_fail(ctx, STRIDER_BAD_MODEL, "the output's shape does not follow from the inputs");
    const FourierLines lines = stft_lines(signal, y, step, n, window != NULL);
    return fourier_reference(ctx, &lines);
}

static Bytes stft_scratch(const Node *node, const Type *inputs, const Type *outputs) {
    (void)inputs;
    const StftAttrs *attrs = node->attrs;
    return fourier_scratch_for(outputs[0].shape.dims[2], attrs->onesided);
}

const Op op_stft = {
    OP_NAMED(STFT),
    .since = 17,
    .inputs = {2, 4},
    .outputs = {1, 1},
    .attrs_size = sizeof(StftAttrs),
    .parse = stft_parse,
    .infer = stft_infer,
    .reads = 1u << STFT_STEP | 1u << STFT_LENGTH,
    .shaped_by = 1u << STFT_STEP | 1u << STFT_LENGTH,
    .reference = stft_reference,
    .scratch = stft_scratch,
};
