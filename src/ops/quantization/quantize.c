/* SPDX-License-Identifier: Apache-2.0 */
/* QuantizeLinear: y = saturate(round(x / scale) + zero_point), rounded to nearest even; and DequantizeLinear:
 * y = (x - zero_point) * scale.  ONNX 10, 13 (`axis`), 19 (floats of 8 bits, `saturate`), 21 (`block_size`,
 * 16 and 4 bits, `output_dtype`), 23 (`precision`, float4; DequantizeLinear's `output_dtype`), 24, 25 (scales
 * of powers of two, 2 bits), 28 (float6).  onnxruntime's domain com.microsoft has both with the same meaning,
 * for opsets in which ONNX's had fewer types.
 *
 * The scale is one number; or one for each index along `axis`; or of the input's rank, one for each block of
 * `block_size` elements along `axis`.  The division is rounded to the scale's type (`precision`, if given)
 * before it is rounded to an integer; x and scale are rounded to that type before. */
#include "ops/quantization/quantize.h"

#include <inttypes.h>
#include <math.h>

#include "tensor/narrow.h"

enum {
    DTYPES_REAL = 1u << STRIDER_F32 | 1u << STRIDER_F16 | 1u << STRIDER_BF16,
    DTYPES_SCALE = DTYPES_REAL | 1u << STRIDER_F8E8M0,
    DTYPES_8_AND_16 = 1u << STRIDER_I8 | 1u << STRIDER_U8 | 1u << STRIDER_I16 | 1u << STRIDER_U16,
    DTYPES_QUANTIZED =
        DTYPES_8_AND_16 | DTYPES_SMALL_INTEGER | (DTYPES_NARROW_FLOAT & ~(1u << STRIDER_F8E8M0)),
};

/* --- parse() --- */

/* Some exporters write an absent type as 0. */
static Status parse_optional_dtype(ParseContext *ctx, const char *name, DType *dtype) {
    const Attr *attr = attrs_find(ctx->attrs, name);
    *dtype = STRIDER_DTYPE_NONE;
    if (attr && attr->kind == ATTR_INT && attr->i == 0)
        return STRIDER_OK;
    return parse_dtype(ctx, name, STRIDER_DTYPE_NONE, dtype);
}

static Status quantize_parse(ParseContext *ctx, void *attrs_) {
    QuantizeAttrs *attrs = attrs_;
    TRY(parse_int(ctx, "axis", 1, &attrs->axis));
    TRY(parse_int(ctx, "block_size", 0, &attrs->block_size));
    if (attrs->block_size < 0)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "block_size is %" PRId64 ", must not be negative",
                          attrs->block_size);
    TRY(parse_bool(ctx, "saturate", true, &attrs->saturate));
    TRY(parse_optional_dtype(ctx, "precision", &attrs->precision));
    if (attrs->precision && !(DTYPE_BIT(attrs->precision) & DTYPES_FLOAT))
        return parse_fail(ctx, STRIDER_BAD_MODEL, "precision is %s, must be a float",
                          dtype_name(attrs->precision));
    return parse_optional_dtype(ctx, "output_dtype", &attrs->output);
}

/* --- infer() --- */

static bool is_one_number(const Shape *scale) {
    return scale->rank == 0 || (scale->rank == 1 && scale->dims[0] == 1);
}

static bool has_blocks(const QuantizeAttrs *attrs, const Shape *x, const Shape *scale) {
    return attrs->block_size > 0 && scale->rank == x->rank;
}

/* What the scale must have where the input has `dim` elements. */
static int64_t wanted_dim(const QuantizeAttrs *attrs, bool is_axis, bool blocks, int64_t dim) {
    return is_axis && blocks && dim >= 0 ? ceil_div(dim, attrs->block_size) : dim;
}

static Status check_scale(InferContext *ctx) {
    const QuantizeAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[QUANTIZE_X].shape, *scale = &ctx->inputs[QUANTIZE_SCALE].shape;
    if (x->rank < 0 || scale->rank < 0 || is_one_number(scale) || (scale->rank == 1 && scale->dims[0] < 0))
        return STRIDER_OK;
    const bool blocks = has_blocks(attrs, x, scale);
    if (!blocks && scale->rank != 1)
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "the scale has rank %d; it must be one number, a list, or with block_size of the "
                          "input's rank",
                          scale->rank);
    int axis;
    TRY(infer_axis(ctx, attrs->axis, x->rank, &axis));
    for (int d = blocks ? 0 : axis; d < (blocks ? x->rank : axis + 1); d++) {
        const int64_t have = scale->dims[blocks ? d : 0],
                      wanted = wanted_dim(attrs, d == axis, blocks, x->dims[d]);
        if (have >= 0 && wanted >= 0 && have != wanted)
            return infer_fail(ctx, STRIDER_BAD_MODEL,
                              "the scale has %" PRId64 " elements along dimension %d, must have %" PRId64,
                              have, d, wanted);
    }
    return STRIDER_OK;
}

static Status check_zero_point(InferContext *ctx) {
    if (!infer_has_input(ctx, QUANTIZE_ZERO))
        return STRIDER_OK;
    const Shape *scale = &ctx->inputs[QUANTIZE_SCALE].shape, *zero = &ctx->inputs[QUANTIZE_ZERO].shape;
    char scale_text[SHAPE_TEXT], zero_text[SHAPE_TEXT];
    if (!shape_agrees(scale, zero) && !(is_one_number(scale) && is_one_number(zero)))
        return infer_fail(ctx, STRIDER_BAD_MODEL, "the scale has shape %s, but the zero point %s",
                          shape_text(scale, scale_text), shape_text(zero, zero_text));
    return STRIDER_OK;
}

static Status quantize_infer(InferContext *ctx) {
    const QuantizeAttrs *attrs = infer_attrs(ctx);
    TRY(infer_require_dtype(ctx, QUANTIZE_X, DTYPES_REAL | DTYPE_BIT(STRIDER_I32)));
    TRY(infer_require_dtype(ctx, QUANTIZE_SCALE, DTYPES_SCALE | DTYPE_BIT(STRIDER_I32)));
    TRY(infer_require_dtype(ctx, QUANTIZE_ZERO, DTYPES_QUANTIZED));
    TRY(check_scale(ctx));
    TRY(check_zero_point(ctx));
    const DType zero = infer_has_input(ctx, QUANTIZE_ZERO) ? ctx->inputs[QUANTIZE_ZERO].dtype : attrs->output;
    if (zero && attrs->output && zero != attrs->output)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "output_dtype is %s, but the zero point %s",
                          dtype_name(attrs->output), dtype_name(zero));
    ctx->outputs[0].shape = ctx->inputs[QUANTIZE_X].shape;
    ctx->outputs[0].dtype = attrs->output                         ? attrs->output
                            : infer_has_input(ctx, QUANTIZE_ZERO) ? zero
                                                                  : STRIDER_U8;
    if (ctx->outputs[0].dtype && !(DTYPE_BIT(ctx->outputs[0].dtype) & DTYPES_QUANTIZED))
        return infer_fail(ctx, STRIDER_UNSUPPORTED, "quantising to %s is not supported",
                          dtype_name(ctx->outputs[0].dtype));
    return STRIDER_OK;
}

static Status dequantize_infer(InferContext *ctx) {
    const QuantizeAttrs *attrs = infer_attrs(ctx);
    TRY(infer_require_dtype(ctx, QUANTIZE_X, DTYPES_QUANTIZED | DTYPE_BIT(STRIDER_I32)));
    TRY(infer_require_dtype(ctx, QUANTIZE_SCALE, DTYPES_SCALE));
    TRY(infer_require_same_dtype(ctx, QUANTIZE_X, QUANTIZE_ZERO));
    TRY(check_scale(ctx));
    TRY(check_zero_point(ctx));
    ctx->outputs[0].shape = ctx->inputs[QUANTIZE_X].shape;
    ctx->outputs[0].dtype = attrs->output ? attrs->output : ctx->inputs[QUANTIZE_SCALE].dtype;
    if (ctx->outputs[0].dtype && !(DTYPE_BIT(ctx->outputs[0].dtype) & DTYPES_REAL))
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "the output would be %s, must be float32, float16 or bfloat16",
                          dtype_name(ctx->outputs[0].dtype));
    return STRIDER_OK;
}

/* --- reference() --- */

QuantizeGeometry quantize_geometry(const QuantizeAttrs *attrs, const Shape *x, const Shape *scale) {
    if (is_one_number(scale))
        return (QuantizeGeometry){.outer = 1, .axis = 1, .inner = shape_elements(x), .block = 1};
    const int axis = (int)(attrs->axis < 0 ? attrs->axis + x->rank : attrs->axis);
    QuantizeGeometry g = {.outer = shape_size(x, 0, axis),
                          .axis = x->dims[axis],
                          .inner = shape_size(x, axis + 1, x->rank),
                          .block = 1,
                          .axis_step = 1};
    if (has_blocks(attrs, x, scale)) {
        g.block = attrs->block_size;
        g.outer_step = i64_product(scale->dims[axis], g.inner);
        g.axis_step = g.inner;
        g.inner_step = 1;
    }
    return g;
}

IntegerRange integer_range(DType dtype) {
    const size_t bits = dtype_bits(dtype);
    const int64_t half = (int64_t)1 << (bits - 1);
    return dtype_is_signed(dtype) ? (IntegerRange){-half, half - 1} : (IntegerRange){0, 2 * half - 1};
}

int64_t quantize_to_integer(double quotient, int64_t zero, IntegerRange range) {
    const double y = nearbyint(quotient) + (double)zero;
    return !(y > (double)range.low) ? range.low : y > (double)range.high ? range.high : (int64_t)y;
}

double round_to_dtype(double value, DType dtype) {
    switch (dtype) {
    case STRIDER_F32:
        return (double)(float)value;
    case STRIDER_F16:
        return (double)f16_to_f32(f64_to_f16(value));
    case STRIDER_BF16:
        return (double)bf16_to_f32(f64_to_bf16(value));
    default:
        return value;
    }
}

/* Scales of other types (powers of two, integers) say nothing of the precision. */
static DType division_dtype(const QuantizeAttrs *attrs, const Tensor *x, const Tensor *scale) {
    if (attrs->precision)
        return attrs->precision;
    return DTYPE_BIT(scale->type.dtype) & DTYPES_REAL ? scale->type.dtype
           : dtype_is_float(x->type.dtype)            ? x->type.dtype
                                                      : STRIDER_F32;
}

/* What one call of reference() works on. */
typedef struct Quantizing {
    const QuantizeAttrs *attrs;
    const Tensor *x, *scale, *zero;
    Tensor *y;
    DType precision;
} Quantizing;

static void quantize_element(const Quantizing *q, int64_t at, int64_t parameter) {
    const DType dtype = q->y->type.dtype;
    const double x = round_to_dtype(tensor_get_f64(q->x, at), q->precision),
                 scale = round_to_dtype(tensor_get_f64(q->scale, parameter), q->precision),
                 quotient = round_to_dtype(x / scale, q->precision);
    if (dtype_is_narrow_float(dtype)) {
        const double zero = q->zero ? tensor_get_f64(q->zero, parameter) : 0;
        const double y = zero != 0 ? round_to_dtype(quotient + zero, q->precision) : quotient;
        ((uint8_t *)q->y->data)[at] = narrow_from_f64(dtype, y, q->attrs->saturate);
        return;
    }
    const int64_t zero = q->zero ? tensor_get_i64(q->zero, parameter) : 0;
    tensor_set_i64(q->y, at, quantize_to_integer(quotient, zero, integer_range(dtype)));
}

/* The difference is rounded to float32 before it is multiplied, which matters for int32 alone. */
static void dequantize_element(const Quantizing *q, int64_t at, int64_t parameter) {
    const double zero = q->zero ? tensor_get_f64(q->zero, parameter) : 0;
    const double difference = (double)(float)(tensor_get_f64(q->x, at) - zero);
    tensor_set_f64(q->y, at, difference * tensor_get_f64(q->scale, parameter));
}

static Status for_each_element(EvalContext *ctx, void (*element)(const Quantizing *, int64_t, int64_t)) {
    Quantizing q = {.attrs = eval_attrs(ctx),
                    .x = ctx->inputs[QUANTIZE_X],
                    .scale = ctx->inputs[QUANTIZE_SCALE],
                    .zero = eval_input(ctx, QUANTIZE_ZERO),
                    .y = ctx->outputs[0]};
    q.precision = division_dtype(q.attrs, q.x, q.scale);
    const QuantizeGeometry g = quantize_geometry(q.attrs, &q.x->type.shape, &q.scale->type.shape);
    int64_t at = 0;
    for (int64_t o = 0; o < g.outer; o++)
        for (int64_t a = 0; a < g.axis; a++)
            for (int64_t i = 0; i < g.inner; i++, at++)
                element(&q, at, o * g.outer_step + a / g.block * g.axis_step + i * g.inner_step);
    return STRIDER_OK;
}

static Status quantize_reference(EvalContext *ctx) {
    return for_each_element(ctx, quantize_element);
}

static Status dequantize_reference(EvalContext *ctx) {
    return for_each_element(ctx, dequantize_element);
}

#define QUANTIZE_ROW(NAME, INFER, REFERENCE, DOMAIN, SINCE)                                                  \
    {                                                                                                        \
        OP_NAMED(NAME), .domain = (DOMAIN), .since = (SINCE), .inputs = {2, QUANTIZE_INPUTS},                \
                        .outputs = {1, 1}, .attrs_size = sizeof(QuantizeAttrs), .parse = quantize_parse,     \
                        .infer = (INFER), .reference = (REFERENCE)                                           \
    }

const Op op_quantize_linear = QUANTIZE_ROW(QuantizeLinear, quantize_infer, quantize_reference, "", 10);
const Op op_quantize_linear_ms =
    QUANTIZE_ROW(QuantizeLinear, quantize_infer, quantize_reference, "com.microsoft", 1);
const Op op_dequantize_linear =
    QUANTIZE_ROW(DequantizeLinear, dequantize_infer, dequantize_reference, "", 10);
const Op op_dequantize_linear_ms =
    QUANTIZE_ROW(DequantizeLinear, dequantize_infer, dequantize_reference, "com.microsoft", 1);
