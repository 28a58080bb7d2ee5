/* SPDX-License-Identifier: Apache-2.0 */
/* Optional, OptionalGetElement and OptionalHasElement.  ONNX 15; 18: the latter two take tensors and
 * sequences as well, which are there, and OptionalHasElement an input that is absent. */
#include "ops/op.h"

/* --- Optional --- */

typedef struct OptionalAttrs {
    ValueType type; /* of what is held, where nothing is */
} OptionalAttrs;

static Status optional_parse(ParseContext *ctx, void *attrs_) {
    OptionalAttrs *attrs = attrs_;
    attrs->type = value_type_unknown();
    return parse_type(ctx, "type", &attrs->type);
}

static Status optional_infer(InferContext *ctx) {
    const OptionalAttrs *attrs = infer_attrs(ctx);
    ValueType *output = &ctx->outputs[0];
    *output = infer_has_input(ctx, 0) ? ctx->inputs[0] : attrs->type;
    if (output->kind == VALUE_OPTIONAL)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "an optional cannot hold an optional");
    output->held = output->kind;
    output->kind = VALUE_OPTIONAL;
    return STRIDER_OK;
}

static Status optional_host(HostContext *ctx) {
    RunValue *held = host_input(ctx, 0);
    if (held && held->kind == VALUE_OPTIONAL)
        return host_fail(ctx, STRIDER_BAD_MODEL, "an optional cannot hold an optional");
    return run_value_new_optional(ctx->allocator, held, &ctx->outputs[0], ctx->err);
}

const Op op_optional = {
    OP_NAMED(Optional),
    .since = 15,
    .inputs = {0, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(OptionalAttrs),
    .parse = optional_parse,
    .infer = optional_infer,
    .host = optional_host,
    .flags = OP_ANY_KIND | OP_NO_FOLD | OP_STRINGS,
};

/* --- OptionalGetElement, OptionalHasElement --- */

static Status require_optional(InferContext *ctx) {
    const ValueType *type = &ctx->inputs[0];
    char text[VALUE_TYPE_TEXT];
    if (ctx->node->opset < 18 && type->dtype && type->kind != VALUE_OPTIONAL)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "input 0 is %s, must be an optional before opset 18",
                          value_type_text(type, text));
    return STRIDER_OK;
}

static Status get_infer(InferContext *ctx) {
    ctx->outputs[0] = ctx->inputs[0];
    if (ctx->inputs[0].kind == VALUE_OPTIONAL)
        ctx->outputs[0].kind = ctx->inputs[0].held;
    return require_optional(ctx);
}

static Status get_host(HostContext *ctx) {
    RunValue *value = host_input(ctx, 0);
    if (value && value->kind == VALUE_OPTIONAL)
        value = value->n_items ? value->items[0] : NULL;
    if (!value)
        return host_fail(ctx, STRIDER_BAD_MODEL, "the optional holds nothing");
    ctx->outputs[0] = run_value_hold(value);
    return STRIDER_OK;
}

const Op op_optional_get_element = {
    OP_NAMED(OptionalGetElement),
    .since = 15,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .infer = get_infer,
    .host = get_host,
    .flags = OP_ANY_KIND | OP_NO_FOLD | OP_STRINGS,
};

static Status has_infer(InferContext *ctx) {
    ctx->outputs[0] = value_type_tensor(type_of(STRIDER_BOOL, shape_scalar()));
    if (ctx->node->opset < 18 && !infer_has_input(ctx, 0))
        return infer_fail(ctx, STRIDER_BAD_MODEL, "the input is missing; it may be from opset 18 on");
    return infer_has_input(ctx, 0) ? require_optional(ctx) : STRIDER_OK;
}

static Status has_host(HostContext *ctx) {
    const RunValue *value = host_input(ctx, 0);
    const Shape scalar = shape_scalar();
    TRY(run_value_new_tensor(ctx->allocator, STRIDER_BOOL, &scalar, &ctx->outputs[0], ctx->err));
    tensor_set_i64(&ctx->outputs[0]->tensor, 0, value && (value->kind != VALUE_OPTIONAL || value->n_items));
    return STRIDER_OK;
}

const Op op_optional_has_element = {
    OP_NAMED(OptionalHasElement),
    .since = 15,
    .inputs = {0, 1},
    .outputs = {1, 1},
    .infer = has_infer,
    .host = has_host,
    .flags = OP_ANY_KIND | OP_NO_FOLD | OP_STRINGS,
};
