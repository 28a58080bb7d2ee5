/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/controlflow/body.h"

#include "base/size.h"
#include "graph/evaluate.h"

/* --- types --- */

bool types_join(const ValueType *a, const ValueType *b, ValueType *joined) {
    ValueType x = *a, y = *b;
    if (!x.dtype && x.kind == VALUE_TENSOR) { /* nothing is known of it, not even its kind */
        x.kind = y.kind;
        x.held = y.held;
    } else if (!y.dtype && y.kind == VALUE_TENSOR) {
        y.kind = x.kind;
        y.held = x.held;
    }
    x.dtype = x.dtype ? x.dtype : y.dtype;
    y.dtype = y.dtype ? y.dtype : x.dtype;
    return value_type_merge(&x, &y, joined);
}

Status infer_body_outputs(InferContext *ctx, int index, int count) {
    const size_t has = ctx->node->bodies[index]->n_outputs;
    if (has < (size_t)count)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%s has %zu outputs, it must have at least %d",
                          node_body_name(ctx->node, index), has, count);
    return STRIDER_OK;
}

/* An optional at first may be what it holds from then on: who reads optionals takes both. */
static bool is_unwrapped(const ValueType *input, const ValueType *output) {
    return input->kind == VALUE_OPTIONAL && output->dtype && output->kind == input->held;
}

/* What the body may get in its next run; `is_stable` becomes false where it is more than before. */
static Status join_carried(InferContext *ctx, Carried carried, int i, ValueType *input, bool *is_stable) {
    const ValueType *output = &ctx->node->bodies[0]->outputs[carried.first_output + i]->type;
    ValueType wrapped = *output;
    char before[VALUE_TYPE_TEXT], after[VALUE_TYPE_TEXT];
    ValueType joined;
    if (is_unwrapped(input, output)) {
        wrapped.kind = VALUE_OPTIONAL;
        wrapped.held = output->kind;
    }
    if (!types_join(input, &wrapped, &joined))
        return infer_fail(
            ctx, STRIDER_BAD_MODEL, "input %d of the body is %s at first, but %s after its first run",
            carried.first_input + i, value_type_text(input, before), value_type_text(output, after));
    if (joined.kind != input->kind || joined.dtype != input->dtype ||
        joined.quantization != input->quantization || !shape_equal(&joined.shape, &input->shape))
        *is_stable = false;
    *input = joined;
    return STRIDER_OK;
}

/* A loop that adds a dimension's worth in each iteration is stable in its second round; what is not after
 * these has a chain of values that hand shapes on to each other. */
enum { MAX_ROUNDS = 3 };

Status infer_carried(InferContext *ctx, Carried carried, ValueType *inputs, int n_inputs) {
    TRY(infer_body_outputs(ctx, 0, carried.first_output + carried.count));
    for (int round = 0;; round++) {
        const bool is_last = round == MAX_ROUNDS || !infer_may_repeat(ctx);
        bool is_stable = true;
        for (int i = 0; i < carried.count && is_last; i++) {
            inputs[carried.first_input + i].shape = shape_unknown();
            inputs[carried.first_input + i].quantization = NULL;
        }
        TRY(infer_body(ctx, 0, inputs, n_inputs));
        for (int i = 0; i < carried.count; i++)
            TRY(join_carried(ctx, carried, i, &inputs[carried.first_input + i], &is_stable));
        if (is_stable || is_last || !ctx->infers_bodies)
            return STRIDER_OK;
    }
}

/* --- runs --- */

Status host_condition(HostContext *ctx, const RunValue *value, const char *what, bool *condition) {
    if (value->kind != VALUE_TENSOR || value->tensor.type.dtype != STRIDER_BOOL ||
        tensor_elements(&value->tensor) != 1)
        return host_fail(ctx, STRIDER_BAD_MODEL, "%s must be one bool", what);
    *condition = *(const uint8_t *)value->tensor.data != 0;
    return STRIDER_OK;
}

Status host_values(HostContext *ctx, int count, RunValue ***values) {
    *values = memory_alloc_zeroed(ctx->allocator, (size_t)count + 1, sizeof **values);
    return *values ? STRIDER_OK
                   : fail_memory(ctx->err, bytes_of(sizeof **values, count).n, "a body's values");
}

void host_release_all(HostContext *ctx, RunValue **values, int count) {
    for (int i = 0; values && i < count; i++)
        run_value_release(values[i]);
    memory_free(ctx->allocator, values);
}

RunValue *host_take(RunValue **value) {
    RunValue *taken = *value;
    *value = NULL;
    return taken;
}
