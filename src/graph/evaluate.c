/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/evaluate.h"
#include "base/size.h"

#include <string.h>

bool node_reads(const Node *node, int port) {
    return port < 32 && node->op->reads >> port & 1;
}

bool node_is_for_host(const Node *node) {
    bool reads_tensors = node->op->reference;
    for (int i = 0; i < node->n_inputs; i++)
        reads_tensors = reads_tensors && (!node->inputs[i] || node->inputs[i]->type.kind == VALUE_TENSOR);
    return node->op->host && !reads_tensors;
}

bool node_waits_for_run(const Node *node) {
    if (node->op->flags & OP_NO_FOLD)
        return true;
    for (int i = 0; i < node->n_outputs && node->op->flags & OP_MAKES_STRINGS; i++) {
        const DType dtype = node->outputs[i] ? node->outputs[i]->type.dtype : STRIDER_BOOL;
        if (!dtype || dtype == STRIDER_STRING)
            return true;
    }
    return false;
}

/* Elements of strings are wider than all others, and no numbers: only operators that know them see them. */
static Status check_strings(const Node *node, const ValueType *types, int count, const char *what,
                            Error *err) {
    for (int i = 0; i < count; i++)
        if (types[i].dtype == STRIDER_STRING && !(node->op->flags & OP_STRINGS))
            return node_fail(node, err, STRIDER_UNSUPPORTED, "%s %d of strings is not supported", what, i);
    return STRIDER_OK;
}

static Status check_kinds(const Node *node, const ValueType *inputs, Error *err) {
    char text[VALUE_TYPE_TEXT];
    for (int i = 0; i < node->n_inputs; i++)
        if (inputs[i].kind != VALUE_TENSOR && !(node->op->flags & OP_ANY_KIND))
            return node_fail(node, err, STRIDER_BAD_MODEL, "input %d is %s, it takes tensors", i,
                             value_type_text(&inputs[i], text));
    return STRIDER_OK;
}

static Status infer_outputs(InferContext *ctx) {
    const Node *node = ctx->node;
    for (int i = 0; i < node->n_outputs; i++)
        ctx->outputs[i] = value_type_unknown();
    TRY(check_kinds(node, ctx->inputs, ctx->err));
    TRY(check_strings(node, ctx->inputs, node->n_inputs, "input", ctx->err));
    TRY(node->op->infer(ctx));
    TRY(check_strings(node, ctx->outputs, node->n_outputs, "output", ctx->err));
    TRY(node_check_post_ops(node, ctx->inputs, &ctx->outputs[0], ctx->err));
    for (int i = 0; i < node->n_outputs; i++) {
        const ValueType *output = &ctx->outputs[i];
        size_t size_bytes;
        char text[SHAPE_TEXT];
        if (value_type_is_known(output) && !type_size(&output->tensor, &size_bytes))
            return node_fail(node, ctx->err, STRIDER_LIMIT_EXCEEDED, "output %d of shape %s is too large", i,
                             shape_text(&output->shape, text));
    }
    return STRIDER_OK;
}

Status node_infer(const Node *node, const ValueType *inputs, const Tensor *const *input_values,
                  SymbolTable *symbols, ValueType *outputs, Error *err) {
    return infer_outputs(&(InferContext){.node = node,
                                         .n_inputs = node_own_inputs(node),
                                         .n_outputs = node->n_outputs,
                                         .inputs = inputs,
                                         .input_values = input_values,
                                         .outputs = outputs,
                                         .symbols = symbols,
                                         .err = err});
}

/* infer() may read contents directly, which a mapped file's alignment does not allow. */
static Status aligned_copy(const Tensor *tensor, const Allocator *allocator, Tensor *copy, Error *err) {
    TRY(tensor_alloc(copy, allocator, tensor->type.dtype, &tensor->type.shape, err));
    memcpy(copy->data, tensor->data, copy->size_bytes);
    return STRIDER_OK;
}

/* Contents that an infer() reads are shapes, axes, pads, scales: what is larger is none of them. */
enum { MAX_READ_BYTES = 64 * 1024 };

Status node_infer_in_graph(const Node *node, SymbolTable *symbols, ValueType *outputs, Error *err) {
    const Allocator *allocator = symbols->region->allocator;
    size_t n = (size_t)node->n_inputs;
    ValueType *types = memory_alloc_zeroed(allocator, n + 1, sizeof *types);
    const Tensor **values = memory_alloc_zeroed(allocator, n + 1, sizeof *values);
    Tensor *copies = memory_alloc_zeroed(allocator, n + 1, sizeof *copies);
    Status status = STRIDER_OK;
    if (!types || !values || !copies)
        status = fail_memory(err, bytes_of(sizeof *copies, n + 1).n, "shape inference");
    for (size_t i = 0; i < n && !status; i++) {
        const Value *value = node->inputs[i];
        types[i] = value ? value->type : value_type_unknown();
        if (!value || !value->constant || !node_reads(node, (int)i))
            continue;
        if (!value->constant->unaligned) {
            values[i] = value->constant;
        } else if (value->constant->size_bytes <= MAX_READ_BYTES) {
            status = aligned_copy(value->constant, allocator, &copies[i], err);
            values[i] = &copies[i];
        }
    }
    if (!status)
        status = infer_outputs(&(InferContext){.node = node,
                                               .n_inputs = node_own_inputs(node),
                                               .n_outputs = node->n_outputs,
                                               .inputs = types,
                                               .input_values = values,
                                               .outputs = outputs,
                                               .symbols = symbols,
                                               .infers_bodies = true,
                                               .err = err});
    for (size_t i = 0; copies && i < n; i++)
        tensor_free(&copies[i]);
    memory_free(allocator, copies);
    memory_free(allocator, values);
    memory_free(allocator, types);
    return status;
}

static Status allocate_outputs(const Node *node, const ValueType *output_types, Tensor *outputs,
                               Tensor **pointers, bool *allocated, const Allocator *allocator, Error *err) {
    for (int i = 0; i < node->n_outputs; i++) {
        pointers[i] = node->outputs[i] ? &outputs[i] : NULL;
        if (!pointers[i] || outputs[i].data)
            continue;
        allocated[i] = true;
        outputs[i] = (Tensor){0};
        if (shape_is_known(&output_types[i].shape))
            TRY(tensor_alloc(&outputs[i], allocator, output_types[i].dtype, &output_types[i].shape, err));
        else
            outputs[i].type = output_types[i].tensor;
    }
    return STRIDER_OK;
}

/* Nobody need be asked then, and no kernel or reference think of it. */
static bool outputs_are_empty(const Node *node, Tensor *const *outputs) {
    for (int i = 0; i < node->n_outputs; i++)
        if (outputs[i] && (!shape_is_known(&outputs[i]->type.shape) || outputs[i]->size_bytes))
            return false;
    return true;
}

static Status run_reference(const Node *node, EvalContext *ctx, const Tensor *const *inputs,
                            const ValueType *output_types, const Allocator *allocator) {
    if (!node->op->scratch)
        return node->op->reference(ctx);
    const size_t n_in = (size_t)node->n_inputs, n_out = (size_t)node->n_outputs;
    Type *types = memory_alloc_zeroed(allocator, n_in + n_out + 1, sizeof *types);
    if (!types)
        return fail_memory(ctx->err, bytes_of(sizeof *types, n_in + n_out).n, "a node");
    for (size_t i = 0; i < n_in; i++)
        if (inputs[i])
            types[i] = inputs[i]->type;
    for (size_t i = 0; i < n_out; i++)
        types[n_in + i] = output_types[i].tensor;
    ctx->scratch_bytes = node->op->scratch(node, types, types + n_in).n;
    ctx->scratch = memory_alloc(allocator, ctx->scratch_bytes);
    memory_free(allocator, types);
    if (!ctx->scratch)
        return fail_memory(ctx->err, ctx->scratch_bytes, "a node");
    Status status = node->op->reference(ctx);
    memory_free(allocator, ctx->scratch);
    return status;
}

Status node_evaluate(const Node *node, const Tensor *const *inputs, const ValueType *output_types,
                     Tensor *outputs, const Allocator *allocator, Error *err) {
    return node_evaluate_in_run(node, inputs, output_types, outputs, allocator, NULL, err);
}

Status node_evaluate_in_run(const Node *node, const Tensor *const *inputs, const ValueType *output_types,
                            Tensor *outputs, const Allocator *allocator, Region *strings, Error *err) {
    if (!node->op->reference)
        return node_fail(node, err, STRIDER_UNSUPPORTED, "the operator cannot be computed");
    size_t n = (size_t)node->n_outputs;
    Tensor **pointers = memory_alloc_zeroed(allocator, n + 1, sizeof *pointers);
    bool *allocated = memory_alloc_zeroed(allocator, n + 1, sizeof *allocated);
    Status status =
        pointers && allocated ? STRIDER_OK : fail_memory(err, bytes_of(sizeof *pointers, n).n, "a node");
    if (!status)
        status = allocate_outputs(node, output_types, outputs, pointers, allocated, allocator, err);
    if (!status && !outputs_are_empty(node, pointers)) {
        EvalContext ctx = {.node = node,
                           .n_inputs = node->n_inputs,
                           .n_outputs = node->n_outputs,
                           .inputs = inputs,
                           .outputs = pointers,
                           .allocator = allocator,
                           .strings = strings,
                           .err = err};
        status = run_reference(node, &ctx, inputs, output_types, allocator);
    }
    for (size_t i = 0; status && allocated && i < n; i++)
        if (allocated[i])
            tensor_free(&outputs[i]);
    memory_free(allocator, allocated);
    memory_free(allocator, pointers);
    return status;
}
