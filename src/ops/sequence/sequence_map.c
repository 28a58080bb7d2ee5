/* SPDX-License-Identifier: Apache-2.0 */
/* SequenceMap: a body for each element of a sequence.  ONNX 17.  Further inputs may be sequences of the same
 * length, whose elements the body gets beside, or tensors, which it gets each time. */
#include "base/size.h"
#include "graph/evaluate.h"
#include "ops/controlflow/body.h"
#include "ops/sequence/sequence.h"

static Status infer_with(InferContext *ctx, ValueType *types) {
    const int n = own_inputs(ctx);
    for (int i = 0; i < n; i++) {
        types[i] = ctx->inputs[i];
        if (types[i].kind == VALUE_SEQUENCE)
            types[i].kind = VALUE_TENSOR;
    }
    TRY(infer_body(ctx, 0, types, n));
    TRY(infer_body_outputs(ctx, 0, ctx->n_outputs));
    for (int i = 0; i < ctx->n_outputs; i++) {
        ctx->outputs[i] = ctx->node->bodies[0]->outputs[i]->type;
        if (ctx->outputs[i].kind != VALUE_TENSOR)
            return infer_fail(ctx, STRIDER_BAD_MODEL, "output %d is made of tensors, not of sequences", i);
        ctx->outputs[i].kind = VALUE_SEQUENCE;
    }
    return STRIDER_OK;
}

static Status map_infer(InferContext *ctx) {
    const Allocator *allocator = ctx->symbols->region->allocator;
    TRY(infer_require_sequence(ctx, 0));
    ValueType *types = memory_alloc_zeroed(allocator, (size_t)own_inputs(ctx), sizeof *types);
    if (!types)
        return fail_memory(ctx->err, bytes_of(sizeof *types, own_inputs(ctx)).n, "shape inference");
    const Status status = infer_with(ctx, types);
    memory_free(allocator, types);
    return status;
}

static Status check_lengths(HostContext *ctx, const RunValue *sequence) {
    for (int i = 1; i < ctx->n_inputs; i++) {
        const RunValue *input = ctx->inputs[i];
        if (!input || input->kind == VALUE_OPTIONAL)
            return host_fail(ctx, STRIDER_BAD_MODEL, "input %d must be a sequence or a tensor", i);
        if (input->kind == VALUE_SEQUENCE && input->n_items != sequence->n_items)
            return host_fail(ctx, STRIDER_BAD_MODEL, "input %d has %zu elements, the first sequence %zu", i,
                             input->n_items, sequence->n_items);
    }
    return STRIDER_OK;
}

/* Outputs hold what they have so far, also when this fails. */
static Status map_one(HostContext *ctx, size_t at, RunValue **arguments, RunValue **results) {
    for (int i = 0; i < ctx->n_inputs; i++) {
        RunValue *input = ctx->inputs[i];
        arguments[i] = run_value_hold(input->kind == VALUE_SEQUENCE ? input->items[at] : input);
    }
    TRY(ctx->call(ctx, 0, arguments, results));
    Status status = STRIDER_OK;
    for (size_t i = 0; i < ctx->node->bodies[0]->n_outputs; i++) {
        RunValue *result = host_take(&results[i]), *sequence = NULL;
        if (i < (size_t)ctx->n_outputs)
            sequence = ctx->outputs[i];
        if (sequence && !status && result->kind != VALUE_TENSOR)
            status = host_fail(ctx, STRIDER_BAD_MODEL, "output %zu is made of tensors, not of sequences", i);
        if (sequence && !status) {
            sequence->dtype = result->tensor.type.dtype;
            status = run_value_insert(sequence, sequence->n_items, result, ctx->err);
        }
        run_value_release(result);
    }
    return status;
}

static Status map_all(HostContext *ctx, RunValue **arguments, RunValue **results) {
    RunValue *sequence;
    TRY(host_sequence(ctx, 0, &sequence));
    TRY(check_lengths(ctx, sequence));
    for (int i = 0; i < ctx->n_outputs; i++)
        if (ctx->node->outputs[i])
            TRY(run_value_new_sequence(ctx->allocator, ctx->node->bodies[0]->outputs[i]->type.dtype,
                                       &ctx->outputs[i], ctx->err));
    for (size_t i = 0; i < sequence->n_items; i++)
        TRY(map_one(ctx, i, arguments, results));
    return STRIDER_OK;
}

static Status map_host(HostContext *ctx) {
    const int n_results = (int)ctx->node->bodies[0]->n_outputs;
    RunValue **arguments = NULL, **results = NULL;
    Status status = host_values(ctx, ctx->n_inputs, &arguments);
    if (!status)
        status = host_values(ctx, n_results, &results);
    if (!status)
        status = map_all(ctx, arguments, results);
    host_release_all(ctx, results, n_results);
    memory_free(ctx->allocator, arguments); /* the body has the references */
    return status;
}

const Op op_sequence_map = {
    OP_NAMED(SequenceMap), .since = 17,
    .inputs = {1, -1},     .outputs = {1, -1},
    .infer = map_infer,    .host = map_host,
    .bodies = {"body"},    .flags = OP_ANY_KIND | OP_NO_FOLD | OP_STRINGS,
};
