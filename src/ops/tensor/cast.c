/* SPDX-License-Identifier: Apache-2.0 */
/* Cast (ONNX 1: `to` is a string; 6: a number) and CastLike (15).  Floats become integers by cutting off the
 * fraction; what does not fit saturates and NaN becomes 0, where ONNX leaves the result open.  Integers
 * become narrower integers by keeping their low bits.  Bool is 1 for all but 0. */
#include <string.h>

#include "base/wrap.h"
#include "ops/op.h"

typedef struct CastAttrs {
    DType to; /* Cast */
} CastAttrs;

/* ONNX's names, and its numbers by position, of the types that there are. */
static const struct {
    const char *name;
    DType dtype;
} types[] = {
    {"UNDEFINED", STRIDER_DTYPE_NONE},
    {"FLOAT", STRIDER_F32},
    {"UINT8", STRIDER_U8},
    {"INT8", STRIDER_I8},
    {"UINT16", STRIDER_U16},
    {"INT16", STRIDER_I16},
    {"INT32", STRIDER_I32},
    {"INT64", STRIDER_I64},
    {"STRING", STRIDER_DTYPE_NONE},
    {"BOOL", STRIDER_BOOL},
    {"FLOAT16", STRIDER_F16},
    {"DOUBLE", STRIDER_F64},
    {"UINT32", STRIDER_U32},
    {"UINT64", STRIDER_U64},
    {"COMPLEX64", STRIDER_DTYPE_NONE},
    {"COMPLEX128", STRIDER_DTYPE_NONE},
    {"BFLOAT16", STRIDER_BF16},
};

enum { N_TYPES = sizeof types / sizeof *types };

Status parse_dtype(ParseContext *ctx, const char *name, DType fallback, DType *dtype) {
    const Attr *attr = attrs_find(ctx->attrs, name);
    int64_t number = -1;
    *dtype = fallback;
    if (!attr)
        return STRIDER_OK;
    if (attr->kind == ATTR_STRING) {
        for (int i = 0; i < N_TYPES; i++)
            if (strcmp(types[i].name, attr->s) == 0)
                number = i;
    } else {
        TRY(parse_int(ctx, name, 0, &number));
    }
    if (number <= 0 || number >= N_TYPES || !types[number].dtype)
        return parse_fail(ctx, STRIDER_UNSUPPORTED, "data type %lld (%s) is not supported", (long long)number,
                          number > 0 && number < N_TYPES ? types[number].name : "unknown");
    *dtype = types[number].dtype;
    return STRIDER_OK;
}

static Status cast_parse(ParseContext *ctx, void *attrs_) {
    CastAttrs *attrs = attrs_;
    TRY(parse_require(ctx, "to"));
    return parse_dtype(ctx, "to", STRIDER_DTYPE_NONE, &attrs->to);
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

static void cast(const Tensor *x, Tensor *y) {
    int64_t count = tensor_elements(x);
    DType from = x->type.dtype, to = y->type.dtype;
    if (from == to) {
        memcpy(y->data, x->data, x->size_bytes);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        if (dtype_is_float(from) || to == STRIDER_F64)
            tensor_set_f64(y, i, tensor_get_f64(x, i));
        else if (dtype_is_integer(to))
            tensor_set_bits(y, i, tensor_get_bits(x, i));
        else if (to == STRIDER_BOOL)
            tensor_set_i64(y, i, tensor_get_bits(x, i) != 0);
        else
            tensor_set_f64(y, i, integer_to_double(tensor_get_bits(x, i), dtype_is_signed(from)));
    }
}

static Status cast_reference(EvalContext *ctx) {
    cast(ctx->inputs[0], ctx->outputs[0]);
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
    .flags = OP_ELEMENTWISE,
};

const Op op_cast_like = {
    OP_NAMED(CastLike),          .since = 15, .inputs = {2, 2}, .outputs = {1, 1}, .infer = cast_like_infer,
    .reference = cast_reference,
};
