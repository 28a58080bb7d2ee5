/* SPDX-License-Identifier: Apache-2.0 */
/* SequenceEmpty, SequenceConstruct, SequenceInsert, SequenceErase, SequenceAt, SequenceLength (ONNX 11).
 * Positions may count from the end.  A sequence that nobody else holds is changed where it is. */
#include "ops/sequence/sequence.h"

#include <inttypes.h>

#include "base/size.h"

Status infer_require_sequence(InferContext *ctx, int port) {
    const ValueType *type = &ctx->inputs[port];
    char text[VALUE_TYPE_TEXT];
    if (type->kind == VALUE_OPTIONAL || (type->kind == VALUE_TENSOR && type->dtype))
        return infer_fail(ctx, STRIDER_BAD_MODEL, "input %d is %s, must be a sequence", port,
                          value_type_text(type, text));
    return STRIDER_OK;
}

Shape shape_forgetting(const Shape *shape, int axis) {
    Shape result = *shape;
    result.dims[axis] = DIM_UNKNOWN;
    return result;
}

static Status require_tensor(InferContext *ctx, int port) {
    const ValueType *type = &ctx->inputs[port];
    char text[VALUE_TYPE_TEXT];
    if (type->kind != VALUE_TENSOR)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "input %d is %s, must be a tensor", port,
                          value_type_text(type, text));
    return STRIDER_OK;
}

Status infer_require_position(InferContext *ctx, int port) {
    int64_t elements;
    if (!infer_has_input(ctx, port))
        return STRIDER_OK;
    const Shape *shape = &ctx->inputs[port].shape;
    TRY(require_tensor(ctx, port));
    TRY(infer_require_dtype(ctx, port, DTYPES_INDEX));
    if (shape->rank >= 0 && shape_count(shape, 0, shape->rank, &elements) && elements != 1)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "input %d has %" PRId64 " elements, must be one position",
                          port, elements);
    return STRIDER_OK;
}

static Status require_dtype_of_items(InferContext *ctx, DType sequence, int port) {
    const DType dtype = ctx->inputs[port].dtype;
    if (sequence && dtype && sequence != dtype)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "input %d is %s, but the sequence is of %s", port,
                          dtype_name(dtype), dtype_name(sequence));
    return STRIDER_OK;
}

/* A position in [-count, count + beyond). */
static Status find_position(HostContext *ctx, int port, int64_t fallback, size_t count, int beyond,
                            size_t *at) {
    const int64_t n = (int64_t)count;
    int64_t position;
    TRY(host_int(ctx, port, fallback, &position));
    if (position < -n || position >= n + beyond)
        return host_fail(ctx, STRIDER_BAD_MODEL, "position %" PRId64 " is outside [%" PRId64 ", %" PRId64 "]",
                         position, -n, n + beyond - 1);
    *at = (size_t)(position < 0 ? position + n : position);
    return STRIDER_OK;
}

/* --- SequenceEmpty --- */

typedef struct EmptyAttrs {
    DType dtype;
} EmptyAttrs;

static Status empty_parse(ParseContext *ctx, void *attrs_) {
    EmptyAttrs *attrs = attrs_;
    return parse_dtype(ctx, "dtype", STRIDER_F32, &attrs->dtype);
}

static Status empty_infer(InferContext *ctx) {
    const EmptyAttrs *attrs = infer_attrs(ctx);
    ctx->outputs[0].kind = VALUE_SEQUENCE;
    ctx->outputs[0].dtype = attrs->dtype;
    return STRIDER_OK;
}

static Status empty_host(HostContext *ctx) {
    const EmptyAttrs *attrs = host_attrs(ctx);
    return run_value_new_sequence(ctx->allocator, attrs->dtype, &ctx->outputs[0], ctx->err);
}

const Op op_sequence_empty = {
    OP_NAMED(SequenceEmpty), .since = 11,          .outputs = {1, 1},  .attrs_size = sizeof(EmptyAttrs),
    .parse = empty_parse,    .infer = empty_infer, .host = empty_host, .flags = OP_NO_FOLD | OP_STRINGS,
};

/* --- SequenceConstruct --- */

static Status construct_infer(InferContext *ctx) {
    ValueType *sequence = &ctx->outputs[0];
    *sequence = ctx->inputs[0];
    for (int i = 0; i < ctx->n_inputs; i++) {
        TRY(require_dtype_of_items(ctx, sequence->dtype, i));
        const DType dtype = sequence->dtype ? sequence->dtype : ctx->inputs[i].dtype;
        if (!value_type_merge(sequence, &ctx->inputs[i], sequence))
            sequence->shape = shape_unknown();
        sequence->dtype = dtype;
    }
    sequence->kind = VALUE_SEQUENCE;
    return STRIDER_OK;
}

static Status append_inputs(HostContext *ctx, RunValue *sequence) {
    for (int i = 0; i < ctx->n_inputs; i++) {
        const Tensor *tensor;
        TRY(host_tensor(ctx, i, &tensor));
        if (tensor->type.dtype != sequence->dtype)
            return host_fail(ctx, STRIDER_BAD_MODEL, "input %d is %s, those before are %s", i,
                             dtype_name(tensor->type.dtype), dtype_name(sequence->dtype));
        TRY(run_value_insert(sequence, sequence->n_items, ctx->inputs[i], ctx->err));
    }
    return STRIDER_OK;
}

static Status construct_host(HostContext *ctx) {
    const Tensor *first;
    RunValue *sequence;
    TRY(host_tensor(ctx, 0, &first));
    TRY(run_value_new_sequence(ctx->allocator, first->type.dtype, &sequence, ctx->err));
    const Status status = append_inputs(ctx, sequence);
    if (status)
        run_value_release(sequence);
    else
        ctx->outputs[0] = sequence;
    return status;
}

const Op op_sequence_construct = {
    OP_NAMED(SequenceConstruct),
    .since = 11,
    .inputs = {1, -1},
    .outputs = {1, 1},
    .infer = construct_infer,
    .host = construct_host,
    .flags = OP_NO_FOLD | OP_STRINGS,
};

/* --- SequenceInsert --- */

static Status insert_infer(InferContext *ctx) {
    TRY(infer_require_sequence(ctx, 0));
    TRY(require_tensor(ctx, 1));
    TRY(require_dtype_of_items(ctx, ctx->inputs[0].dtype, 1));
    TRY(infer_require_position(ctx, 2));
    ValueType item = ctx->inputs[1];
    item.kind = VALUE_SEQUENCE;
    if (ctx->inputs[0].kind != VALUE_SEQUENCE || !value_type_merge(&ctx->inputs[0], &item, &ctx->outputs[0]))
        ctx->outputs[0] = (ValueType){.shape = shape_unknown()};
    ctx->outputs[0].kind = VALUE_SEQUENCE;
    ctx->outputs[0].dtype = ctx->inputs[0].dtype ? ctx->inputs[0].dtype : item.dtype;
    return STRIDER_OK;
}

static Status insert_host(HostContext *ctx) {
    RunValue *sequence, *own;
    const Tensor *tensor;
    size_t at = 0;
    TRY(host_sequence(ctx, 0, &sequence));
    TRY(host_tensor(ctx, 1, &tensor));
    TRY(find_position(ctx, 2, (int64_t)sequence->n_items, sequence->n_items, 1, &at));
    if (sequence->dtype && sequence->dtype != tensor->type.dtype)
        return host_fail(ctx, STRIDER_BAD_MODEL, "input 1 is %s, but the sequence is of %s",
                         dtype_name(tensor->type.dtype), dtype_name(sequence->dtype));
    TRY(run_value_own_sequence(sequence, &own, ctx->err));
    const Status status = run_value_insert(own, at, ctx->inputs[1], ctx->err);
    if (status) {
        run_value_release(own);
        return status;
    }
    own->dtype = tensor->type.dtype;
    ctx->outputs[0] = own;
    return STRIDER_OK;
}

const Op op_sequence_insert = {
    OP_NAMED(SequenceInsert),
    .since = 11,
    .inputs = {2, 3},
    .outputs = {1, 1},
    .infer = insert_infer,
    .host = insert_host,
    .flags = OP_ANY_KIND | OP_NO_FOLD | OP_STRINGS,
};

/* --- SequenceErase --- */

static Status erase_infer(InferContext *ctx) {
    TRY(infer_require_sequence(ctx, 0));
    ctx->outputs[0] = ctx->inputs[0];
    ctx->outputs[0].kind = VALUE_SEQUENCE;
    return infer_require_position(ctx, 1);
}

static Status erase_host(HostContext *ctx) {
    RunValue *sequence;
    size_t at = 0;
    TRY(host_sequence(ctx, 0, &sequence));
    TRY(find_position(ctx, 1, -1, sequence->n_items, 0, &at));
    TRY(run_value_own_sequence(sequence, &ctx->outputs[0], ctx->err));
    run_value_erase(ctx->outputs[0], at);
    return STRIDER_OK;
}

const Op op_sequence_erase = {
    OP_NAMED(SequenceErase),
    .since = 11,
    .inputs = {1, 2},
    .outputs = {1, 1},
    .infer = erase_infer,
    .host = erase_host,
    .flags = OP_ANY_KIND | OP_NO_FOLD | OP_STRINGS,
};

/* --- SequenceAt --- */

static Status at_infer(InferContext *ctx) {
    TRY(infer_require_sequence(ctx, 0));
    ctx->outputs[0] = ctx->inputs[0];
    ctx->outputs[0].kind = VALUE_TENSOR;
    return infer_require_position(ctx, 1);
}

static Status at_host(HostContext *ctx) {
    RunValue *sequence;
    size_t at = 0;
    TRY(host_sequence(ctx, 0, &sequence));
    TRY(find_position(ctx, 1, 0, sequence->n_items, 0, &at));
    ctx->outputs[0] = run_value_hold(sequence->items[at]);
    return STRIDER_OK;
}

const Op op_sequence_at = {
    OP_NAMED(SequenceAt),
    .since = 11,
    .inputs = {2, 2},
    .outputs = {1, 1},
    .infer = at_infer,
    .host = at_host,
    .flags = OP_ANY_KIND | OP_NO_FOLD | OP_STRINGS,
};

/* --- SequenceLength --- */

static Status length_infer(InferContext *ctx) {
    ctx->outputs[0] = value_type_tensor(type_of(STRIDER_I64, shape_scalar()));
    return infer_require_sequence(ctx, 0);
}

static Status length_host(HostContext *ctx) {
    const Shape scalar = shape_scalar();
    RunValue *sequence;
    TRY(host_sequence(ctx, 0, &sequence));
    TRY(run_value_new_tensor(ctx->allocator, STRIDER_I64, &scalar, &ctx->outputs[0], ctx->err));
    tensor_set_i64(&ctx->outputs[0]->tensor, 0, (int64_t)sequence->n_items);
    return STRIDER_OK;
}

const Op op_sequence_length = {
    OP_NAMED(SequenceLength),
    .since = 11,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .infer = length_infer,
    .host = length_host,
    .flags = OP_ANY_KIND | OP_NO_FOLD | OP_STRINGS,
};
