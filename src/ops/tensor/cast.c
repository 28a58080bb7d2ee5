/* SPDX-License-Identifier: Apache-2.0 */
/* Cast (ONNX 1: `to` is a string; 6: a number; 19: floats of 8 bits and `saturate`; 24: f8e8m0 and
 * `round_mode`), CastLike (15, 19, 24) and BitCast (26).  Floats become integers by cutting off the fraction;
 * what does not fit saturates and NaN becomes 0, where ONNX leaves the result open; of integers of 4 and 2
 * bits, the low bits stay, as in ONNX's reference.  Integers become narrower integers by keeping their low
 * bits.  Bool is 1 for all but 0.  How numbers become strings and back: text/number_text.h. */
#include <string.h>

#include "base/wrap.h"
#include "ops/onnx_type.h"
#include "ops/op.h"
#include "ops/tensor/cast.h"
#include "ops/text/number_text.h"

Status parse_dtype(ParseContext *ctx, const char *name, DType fallback, DType *dtype) {
    const Attr *attr = attrs_find(ctx->attrs, name);
    int64_t number;
    *dtype = fallback;
    if (!attr)
        return STRIDER_OK;
    if (attr->kind == ATTR_STRING)
        number = dtype_onnx_number(attr->s);
    else
        TRY(parse_int(ctx, name, 0, &number));
    *dtype = dtype_from_onnx(number);
    if (!*dtype)
        return parse_fail(ctx, STRIDER_UNSUPPORTED, "data type %lld (%s) is not supported", (long long)number,
                          dtype_onnx_name(number));
    return STRIDER_OK;
}

static Status parse_to(ParseContext *ctx, DType *to) {
    TRY(parse_require(ctx, "to"));
    return parse_dtype(ctx, "to", STRIDER_DTYPE_NONE, to);
}

static Status cast_like_parse(ParseContext *ctx, void *attrs_) {
    static const char *const modes[] = {
        [POWER_UP] = "up", [POWER_DOWN] = "down", [POWER_NEAREST] = "nearest", NULL};
    CastAttrs *attrs = attrs_;
    int mode;
    TRY(parse_bool(ctx, "saturate", true, &attrs->saturate));
    TRY(parse_enum(ctx, "round_mode", modes, POWER_UP, &mode));
    attrs->rounding = (PowerRounding)mode;
    return STRIDER_OK;
}

static Status cast_parse(ParseContext *ctx, void *attrs_) {
    CastAttrs *attrs = attrs_;
    TRY(parse_to(ctx, &attrs->to));
    return cast_like_parse(ctx, attrs);
}

static Status cast_infer(InferContext *ctx) {
    const CastAttrs *attrs = infer_attrs(ctx);
    ctx->outputs[0].tensor = type_of(attrs->to, ctx->inputs[0].shape);
    return STRIDER_OK;
}

static Status cast_like_infer(InferContext *ctx) {
    ctx->outputs[0].tensor = type_of(ctx->inputs[1].dtype, ctx->inputs[0].shape);
    return STRIDER_OK;
}

/* An integer as a double that rounds to a shorter float as the integer itself would: where a double lacks the
 * bits, its last one says that something is missing. */
static double integer_to_double(uint64_t bits, bool is_signed) {
    bool negative = is_signed && (int64_t)bits < 0;
    uint64_t magnitude = negative ? wrap_sub(0, bits) : bits;
    if (magnitude >> 53)
        magnitude = (magnitude & ~(uint64_t)0xfff) | (magnitude & 0xfff ? 0x1000 : 0);
    return negative ? -(double)magnitude : (double)magnitude;
}

static bool is_any_integer(DType dtype) {
    return dtype_is_integer(dtype) || dtype_is_small_integer(dtype);
}

static bool is_any_float(DType dtype) {
    return dtype_is_float(dtype) || dtype_is_narrow_float(dtype);
}

/* Element i as a double that rounds to `to` as the element itself would. */
static double element_as_double(const Tensor *x, int64_t i, DType to) {
    const DType from = x->type.dtype;
    if (to == STRIDER_F64 || is_any_float(from))
        return tensor_get_f64(x, i);
    return integer_to_double(tensor_get_bits(x, i), dtype_is_signed(from));
}

static void cast_to_narrow(const CastAttrs *attrs, const Tensor *x, Tensor *y) {
    const DType to = y->type.dtype;
    uint8_t *elements = y->data;
    for (int64_t i = 0; i < tensor_elements(x); i++) {
        const double value = element_as_double(x, i, to);
        elements[i] = to == STRIDER_F8E8M0 ? e8m0_from_f64(value, attrs->rounding, attrs->saturate)
                                           : narrow_from_f64(to, value, attrs->saturate);
    }
}

static void cast(const Tensor *x, Tensor *y) {
    int64_t count = tensor_elements(x);
    DType from = x->type.dtype, to = y->type.dtype;
    for (int64_t i = 0; i < count; i++) {
        if (!is_any_float(from) && is_any_integer(to))
            tensor_set_bits(y, i, tensor_get_bits(x, i));
        else if (!is_any_float(from) && to == STRIDER_BOOL)
            tensor_set_i64(y, i, tensor_get_bits(x, i) != 0);
        else if (dtype_is_small_integer(to))
            tensor_set_bits(y, i, (uint64_t)i64_from_double(tensor_get_f64(x, i)));
        else
            tensor_set_f64(y, i, element_as_double(x, i, to));
    }
}

static Status write_numbers(EvalContext *ctx, const Tensor *x, Tensor *y) {
    String *strings = y->data;
    for (int64_t i = 0; i < tensor_elements(x); i++) {
        char text[NUMBER_TEXT], *bytes;
        const size_t size = number_to_text(x, i, text);
        TRY(eval_alloc_string(ctx, size, &bytes));
        memcpy(bytes, text, size);
        strings[i] = (String){bytes, size};
    }
    return STRIDER_OK;
}

static Status read_numbers(EvalContext *ctx, const Tensor *x, Tensor *y) {
    const String *strings = x->data;
    for (int64_t i = 0; i < tensor_elements(x); i++)
        if (!number_from_text(strings[i], y, i))
            return eval_fail(ctx, STRIDER_BAD_MODEL, "element %lld, \"%.*s\", is no %s", (long long)i,
                             (int)i64_min((int64_t)strings[i].size, 60),
                             strings[i].data ? strings[i].data : "", dtype_name(y->type.dtype));
    return STRIDER_OK;
}

static Status cast_strings(EvalContext *ctx, const Tensor *x, Tensor *y) {
    const NumberLocale locale = number_locale_enter();
    const Status status =
        y->type.dtype == STRIDER_STRING ? write_numbers(ctx, x, y) : read_numbers(ctx, x, y);
    number_locale_leave(locale);
    return status;
}

static Status cast_reference(EvalContext *ctx) {
    const Tensor *x = ctx->inputs[0];
    Tensor *y = ctx->outputs[0];
    if (x->type.dtype == y->type.dtype)
        memcpy(y->data, x->data, x->size_bytes);
    else if (x->type.dtype == STRIDER_STRING || y->type.dtype == STRIDER_STRING)
        return cast_strings(ctx, x, y);
    else if (dtype_is_narrow_float(y->type.dtype))
        cast_to_narrow(eval_attrs(ctx), x, y);
    else
        cast(x, y);
    return STRIDER_OK;
}

const Op op_cast = {
    OP_NAMED(Cast),
    .since = 1,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(CastAttrs),
    .parse = cast_parse,
    .infer = cast_infer,
    .reference = cast_reference,
    .flags = OP_ELEMENTWISE | OP_STRINGS | OP_MAKES_STRINGS,
};

const Op op_cast_like = {
    OP_NAMED(CastLike),
    .since = 15,
    .inputs = {2, 2},
    .outputs = {1, 1},
    .attrs_size = sizeof(CastAttrs),
    .parse = cast_like_parse,
    .infer = cast_like_infer,
    .reference = cast_reference,
    .flags = OP_STRINGS | OP_MAKES_STRINGS,
};

/* --- BitCast --- */

static Status bit_cast_parse(ParseContext *ctx, void *attrs_) {
    CastAttrs *attrs = attrs_;
    return parse_to(ctx, &attrs->to);
}

static Status bit_cast_infer(InferContext *ctx) {
    const CastAttrs *attrs = infer_attrs(ctx);
    const DType from = ctx->inputs[0].dtype;
    if (from && dtype_bits(from) != dtype_bits(attrs->to))
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%s has %zu bits and %s %zu, they must have as many",
                          dtype_name(from), dtype_bits(from), dtype_name(attrs->to), dtype_bits(attrs->to));
    return cast_infer(ctx);
}

static Status bit_cast_reference(EvalContext *ctx) {
    const Tensor *x = ctx->inputs[0];
    Tensor *y = ctx->outputs[0];
    memcpy(y->data, x->data, x->size_bytes);
    uint8_t *elements = y->data;
    for (int64_t i = 0; dtype_bits(y->type.dtype) < 8 && i < tensor_elements(y); i++)
        elements[i] = narrow_element(y->type.dtype, elements[i]);
    return STRIDER_OK;
}

const Op op_bit_cast = {
    OP_NAMED(BitCast),
    .since = 26,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(CastAttrs),
    .parse = bit_cast_parse,
    .infer = bit_cast_infer,
    .reference = bit_cast_reference,
    .flags = OP_ELEMENTWISE,
};
