/* SPDX-License-Identifier: Apache-2.0 */
/* MelWeightMatrix (ONNX 17): [dft_length / 2 + 1, num_mel_bins], whose column m is a triangle over the
 * spectrum's bins, from band edge m by its peak of 1 at edge m + 1 to edge m + 2.  Edges are equally far
 * apart on the scale 2595 log10(1 + f / 700), (upper - lower) / (num_mel_bins + 2) from lower_edge_hertz on,
 * and lie at the bins floor((dft_length + 1) f / sample_rate). */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "ops/op.h"

enum { MEL_BINS, DFT_LENGTH, SAMPLE_RATE, LOWER_EDGE, UPPER_EDGE, INPUTS };

typedef struct MelAttrs {
    DType dtype;
} MelAttrs;

static Status mel_parse(ParseContext *ctx, void *attrs_) {
    MelAttrs *attrs = attrs_;
    return parse_dtype(ctx, "output_datatype", STRIDER_F32, &attrs->dtype);
}

static Status mel_infer(InferContext *ctx) {
    const MelAttrs *attrs = infer_attrs(ctx);
    Shape y = {.rank = 2, .dims = {DIM_UNKNOWN, DIM_UNKNOWN}};
    for (int port = 0; port < INPUTS; port++) {
        TRY(infer_require_dtype(ctx, port, port < LOWER_EDGE ? DTYPES_INDEX : DTYPES_FLOAT));
        TRY(infer_require_scalar(ctx, port));
    }
    if (!(DTYPES_NUMERIC & DTYPE_BIT(attrs->dtype)))
        return infer_fail(ctx, STRIDER_UNSUPPORTED, "a matrix of type %s", dtype_name(attrs->dtype));
    const Tensor *bins = ctx->input_values[MEL_BINS], *length = ctx->input_values[DFT_LENGTH];
    if (bins) {
        y.dims[1] = tensor_get_i64(bins, 0);
        TRY(infer_check_dim(ctx, y.dims[1], "num_mel_bins"));
    }
    if (length) {
        TRY(infer_check_dim(ctx, tensor_get_i64(length, 0), "dft_length"));
        y.dims[0] = tensor_get_i64(length, 0) / 2 + 1;
    }
    ctx->outputs[0].tensor = type_of(attrs->dtype, y);
    return STRIDER_OK;
}

static double mel_of(double hertz) {
    return 2595 * log10(1 + hertz / 700);
}

static double hertz_of(double mel) {
    return 700 * (pow(10, mel / 2595) - 1);
}

/* The triangle's left side ends with its peak, its right side begins there. */
static void put_triangle(Tensor *y, int64_t column, const int64_t edges[3]) {
    const int64_t columns = y->type.shape.dims[1], left = edges[0], peak = edges[1], right = edges[2];
    for (int64_t j = left; j < peak; j++)
        tensor_set_f64(y, j * columns + column, (double)(j - left) / (double)(peak - left));
    tensor_set_f64(y, peak * columns + column, 1);
    for (int64_t j = peak + 1; j < right; j++)
        tensor_set_f64(y, j * columns + column, (double)(right - j) / (double)(right - peak));
}

static Status mel_reference(EvalContext *ctx) {
    const MelAttrs *attrs = eval_attrs(ctx);
    const int64_t bands = tensor_get_i64(ctx->inputs[MEL_BINS], 0),
                  length = tensor_get_i64(ctx->inputs[DFT_LENGTH], 0),
                  rate = tensor_get_i64(ctx->inputs[SAMPLE_RATE], 0);
    const double lower = tensor_get_f64(ctx->inputs[LOWER_EDGE], 0),
                 upper = tensor_get_f64(ctx->inputs[UPPER_EDGE], 0);
    if (bands < 0 || length < 0 || rate < 1 || !(lower >= 0) || !(upper >= lower) || !(upper <= (double)rate))
        return eval_fail(ctx, STRIDER_BAD_MODEL,
                         "%" PRId64 " bands from %g to %g Hz of a spectrum of %" PRId64 " samples at %" PRId64
                         " Hz",
                         bands, lower, upper, length, rate);
    const Shape shape = {.rank = 2, .dims = {length / 2 + 1, bands}};
    TRY(eval_set_output_shape(ctx, 0, attrs->dtype, &shape));
    Tensor *y = ctx->outputs[0];
    memset(y->data, 0, y->size_bytes);
    const double start = mel_of(lower), step = (mel_of(upper) - start) / ((double)bands + 2);
    int64_t edges[3];
    for (int64_t i = 0; i < bands + 2; i++) {
        const double bin = floor(((double)length + 1) * hertz_of(start + (double)i * step) / (double)rate);
        memmove(edges, edges + 1, 2 * sizeof *edges);
        edges[2] = i64_from_double(bin);
        if (edges[2] >= shape.dims[0] && (i < bands + 1 || edges[2] > shape.dims[0]))
            return eval_fail(ctx, STRIDER_BAD_MODEL,
                             "band edge %" PRId64 " lies beyond the spectrum of %" PRId64 " bins", i,
                             shape.dims[0]);
        if (i >= 2)
            put_triangle(y, i - 2, edges);
    }
    return STRIDER_OK;
}

const Op op_mel_weight_matrix = {
    OP_NAMED(MelWeightMatrix),
    .since = 17,
    .inputs = {INPUTS, INPUTS},
    .outputs = {1, 1},
    .attrs_size = sizeof(MelAttrs),
    .parse = mel_parse,
    .infer = mel_infer,
    .reads = 1u << MEL_BINS | 1u << DFT_LENGTH,
    .shaped_by = 1u << MEL_BINS | 1u << DFT_LENGTH,
    .reference = mel_reference,
};
