/* SPDX-License-Identifier: Apache-2.0 */
/* Cast (ONNX 1: `to` is a string; 6: a number) and CastLike (15).  Floats become integers by cutting off the
 * fraction; what does not fit saturates and NaN becomes 0, where ONNX leaves the result open.  Integers
 * become narrower integers by keeping their low bits.  Bool is 1 for all but 0. */
#include <string.h>

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
    ctx->outputs[0] = type_of(attrs->to, ctx->inputs[0].shape);
    return STRIDER_OK;
}

static Status cast_like_infer(InferContext *ctx) {
    ctx->outputs[0] = type_of(ctx->inputs[1].dtype, ctx->inputs[0].shape);
    return STRIDER_OK;
}

static void cast(const Tensor *x, Tensor *y) {
    int64_t count = tensor_elements(x);
    DType from = x->type.dtype, to = y->type.dtype;
    if (from == to) {
        memcpy(y->data, x->data, x->size_bytes);
        return;
    }
    bool integers = !dtype_is_float(from) && dtype_is_integer(to);
    size_t size = dtype_size(to);
    for (int64_t i = 0; i < count; i++) {
        if (!integers) {
            tensor_set_f64(y, i, tensor_get_f64(x, i));
            continue;
        }
        uint64_t bits = from == STRIDER_U64 ? ((const uint64_t *)x->data)[i] : (uint64_t)tensor_get_i64(x, i);
        memcpy((char *)y->data + (size_t)i * size, &bits,
               size); /* little-endian, as all that Strider runs on */
    }
}

static Status cast_reference(EvalContext *ctx) {
    cast(ctx->inputs[0], ctx->outputs[0]);
    return STRIDER_OK;
}

const Op op_cast = {
    .name = "Cast",
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
    .name = "CastLike",
    .since = 15,
    .inputs = {2, 2},
    .outputs = {1, 1},
    .infer = cast_like_infer,
    .reference = cast_reference,
};
