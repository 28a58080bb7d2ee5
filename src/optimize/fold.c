/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/size.h"
#include "graph/evaluate.h"
#include "optimize/bodies.h"
#include "optimize/rewrite.h"

/* What folding may add to the heap: small results always, larger ones where they are no larger than what they
 * are made of, such as a transposed weight. */
enum { ALWAYS_BYTES = 1 << 20 };
/* Weights that are kept as integers become as large as those of real numbers, once; else they would be in
 * each run, and kernels could not pack them before. */
enum { DEQUANTIZED_GROWTH = sizeof(float) };
/* And what it may add in all, besides as much again as the constants that were there: a chain of nodes that a
 * file has room for in kilobytes could make gigabytes.  What is not folded is computed in each run. */
enum { MAX_FOLDED_BYTES = 256 << 20 };

static bool is_known(const Node *node, int port) {
    const Value *value = node->inputs[port];
    if (!value || value->constant)
        return true;
    if (is_op(node, OP_CastLike) && port == 1) /* only its type is read */
        return value->type.dtype != STRIDER_DTYPE_NONE;
    return (node->op->flags & OP_SHAPE_ONLY) && port == 0 && value->type.dtype &&
           shape_is_known(&value->type.shape);
}

static bool is_view_of_constant(const Node *node) {
    return (node->op->flags & OP_VIEW) && node->inputs[0]->constant;
}

/* `budget_bytes`: what may be added still, which the results are taken off. */
static bool can_fold(const Node *node, size_t *budget_bytes) {
    size_t in = 0, out = 0, size_bytes;
    if (node_waits_for_run(node) || !node->op->reference)
        return false;
    for (int i = 0; i < node->n_inputs; i++) {
        if (!is_known(node, i))
            return false;
        if (node->inputs[i] && node->inputs[i]->constant &&
            !size_add(in, node->inputs[i]->constant->size_bytes, &in))
            return false;
    }
    for (int i = 0; i < node->n_outputs; i++) {
        const Value *value = node->outputs[i];
        if (!value)
            continue;
        if (!(node->op->flags & OP_DATA_DEPENDENT) &&
            (!value->type.dtype || !shape_is_known(&value->type.shape)))
            return false;
        if (shape_is_known(&value->type.shape) &&
            (!type_size(&value->type.tensor, &size_bytes) || !size_add(out, size_bytes, &out)))
            return false;
    }
    const bool is_dequantized = node->op->kind == OP_DequantizeLinear;
    if ((out > ALWAYS_BYTES && out / (is_dequantized ? DEQUANTIZED_GROWTH : 1) > in) || out > *budget_bytes)
        return false;
    if (!is_view_of_constant(node))
        *budget_bytes -= out;
    return true;
}

/* The same bytes under another shape: weights stay in the mapped file. */
static Status fold_view(Graph *graph, Node *node, Error *err) {
    Tensor view = *node->inputs[0]->constant;
    view.type = node->outputs[0]->type.tensor;
    view.allocator = NULL;
    return graph_set_constant(graph, node->outputs[0], view, err);
}

static Status aligned_inputs(const Node *node, const Allocator *allocator, const Tensor **inputs,
                             Tensor *copies, Error *err) {
    for (int i = 0; i < node->n_inputs; i++) {
        const Value *value = node->inputs[i];
        inputs[i] = value ? value->constant : NULL;
        if (value && !value->constant) {
            copies[i].type = value->type.tensor; /* nothing else of it is read */
            inputs[i] = &copies[i];
        } else if (inputs[i] && inputs[i]->unaligned) {
            TRY(tensor_alloc(&copies[i], allocator, inputs[i]->type.dtype, &inputs[i]->type.shape, err));
            if (copies[i].size_bytes)
                memcpy(copies[i].data, inputs[i]->data, copies[i].size_bytes);
            inputs[i] = &copies[i];
        }
    }
    return STRIDER_OK;
}

static Status fold_node(Graph *graph, Node *node, Error *err) {
    const Allocator *allocator = graph->region.allocator;
    size_t n_in = (size_t)node->n_inputs, n_out = (size_t)node->n_outputs;
    Region scratch;
    region_init(&scratch, allocator, 0);
    const Tensor **inputs = region_alloc_array(&scratch, n_in, sizeof *inputs);
    Tensor *copies = region_alloc_array(&scratch, n_in, sizeof *copies);
    Tensor *outputs = region_alloc_array(&scratch, n_out, sizeof *outputs);
    ValueType *types = region_alloc_array(&scratch, n_out, sizeof *types);
    Status status = inputs && copies && outputs && types
                        ? STRIDER_OK
                        : fail_memory(err, bytes_of(sizeof *copies, n_in).n, "folding");
    for (size_t i = 0; !status && i < n_out; i++)
        if (node->outputs[i])
            types[i] = node->outputs[i]->type;
    if (!status)
        status = aligned_inputs(node, allocator, inputs, copies, err);
    if (!status)
        status = node_evaluate(node, inputs, types, outputs, allocator, err);
    for (size_t i = 0; !status && i < n_out; i++)
        if (node->outputs[i])
            status = graph_set_constant(graph, node->outputs[i], outputs[i], err);
    for (size_t i = 0; copies && i < n_in; i++)
        tensor_free(&copies[i]);
    region_free(&scratch);
    return status;
}

/* Types of a node whose inputs may be better known than when they were inferred. */
static Status infer_again(Graph *graph, Node *node, Error *err) {
    enum { FEW = 32 };
    ValueType few[FEW], *types = few;
    if (node->n_outputs > FEW &&
        !(types = memory_alloc_zeroed(graph->region.allocator, (size_t)node->n_outputs, sizeof *types)))
        return fail_memory(err, bytes_of(sizeof *types, node->n_outputs).n, "folding");
    Status status = node_infer_in_graph(node, graph->symbols, types, err);
    for (int i = 0; !status && i < node->n_outputs; i++) {
        Value *value = node->outputs[i];
        if (!value)
            continue;
        for (int d = 0; types[i].shape.rank == value->type.shape.rank && d < types[i].shape.rank; d++)
            if (types[i].shape.dims[d] == DIM_UNKNOWN) /* keep the name that was adopted */
                types[i].shape.dims[d] = value->type.shape.dims[d];
        value->type = types[i];
    }
    if (types != few)
        memory_free(graph->region.allocator, types);
    return status;
}

/* A large constant for which loading has no memory is left for plans to compute. */
static bool can_wait(const Node *node) {
    bool is_large = false;
    for (int i = 0; i < node->n_outputs; i++) {
        const Value *value = node->outputs[i];
        size_t size_bytes;
        if (value && value->constant)
            return false;
        is_large = is_large || (value && shape_is_known(&value->type.shape) &&
                                type_size(&value->type.tensor, &size_bytes) && size_bytes > ALWAYS_BYTES);
    }
    return is_large;
}

typedef struct Folding {
    Graph *graph;
    size_t *budget_bytes; /* of the model's graph: bodies have none of their own */
    Node **kept;          /* the nodes that stay, in order */
    size_t n_kept, capacity;
    Error *err;
} Folding;

static Status fold_nodes(Folding *folding, Node *const *nodes, size_t count);

static Status keep(Folding *folding, Node *node) {
    if (!region_grow(&folding->graph->region, &folding->kept, folding->n_kept, &folding->capacity,
                     sizeof(Node *)))
        return fail(folding->err, STRIDER_OUT_OF_MEMORY, "out of memory for the graph");
    folding->kept[folding->n_kept++] = node;
    return STRIDER_OK;
}

/* The nodes of the body, where one runs, are folded in the place of the node that ran it, and so are bodies
 * in it: this ends with their nesting. */
static Status fold_inlined(Folding *folding, Node *node, Graph *body) {
    Node **after;
    size_t n_after;
    TRY(inline_body(folding->graph, node, body, &after, &n_after, folding->err));
    if (body)
        TRY(fold_nodes(folding, body->nodes, body->n_nodes));
    return fold_nodes(folding, after, n_after);
}

/* Whether it was folded. */
static Status try_fold(Folding *folding, Node *node, bool *folded) {
    Error why = {0};
    *folded = false;
    if (!can_fold(node, folding->budget_bytes))
        return fold_known_dims(folding->graph, node, folded, folding->err);
    const Status status = is_view_of_constant(node) ? fold_view(folding->graph, node, &why)
                                                    : fold_node(folding->graph, node, &why);
    *folded = !status;
    if (!status || (status == STRIDER_OUT_OF_MEMORY && can_wait(node)))
        return STRIDER_OK;
    if (folding->err)
        *folding->err = why;
    return status;
}

static Status fold_nodes(Folding *folding, Node *const *nodes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        Node *node = nodes[i];
        bool folded;
        node_settle_captures(node);
        TRY(infer_again(folding->graph, node, folding->err));
        TRY(try_fold(folding, node, &folded));
        Graph *body;
        if (folded)
            graph_remove_node(node);
        else if (can_inline(node, &body))
            TRY(fold_inlined(folding, node, body));
        else
            TRY(keep(folding, node));
    }
    return STRIDER_OK;
}

static size_t budget_of(const Graph *graph) {
    size_t budget_bytes = MAX_FOLDED_BYTES;
    for (size_t i = 0; i < graph->n_values; i++)
        if (graph->values[i]->constant &&
            !size_add(budget_bytes, graph->values[i]->constant->size_bytes, &budget_bytes))
            budget_bytes = SIZE_MAX;
    return budget_bytes;
}

Status pass_fold_constants(Graph *graph, Error *err) {
    Folding folding = {.graph = graph, .budget_bytes = &graph_of_model(graph)->fold_bytes, .err = err};
    if (!graph->outer)
        *folding.budget_bytes = budget_of(graph);
    TRY(fold_nodes(&folding, graph->nodes, graph->n_nodes));
    graph->nodes = folding.kept;
    graph->n_nodes = folding.n_kept;
    graph->nodes_capacity = folding.capacity;
    graph_compact(graph);
    return STRIDER_OK;
}
