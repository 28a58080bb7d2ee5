/* SPDX-License-Identifier: Apache-2.0 */
/* Attention as exporters write it before opset 23:
 *     y = MatMul(Softmax(MatMul(q, transposed k) * scale + masks), v)
 * of rank 3 or more, with the scale at the product, at q and k, or at one of them.  Transposes of q, k, v and
 * y become part of the node, which then reads what lies before them and writes what comes after.  Several
 * masks, as shifted windows have, become one where they are constants.  Where Softmax of a row that sees
 * nothing is replaced by zeros, as torch's exporter does, that is what Attention gives. */
#include <stdlib.h>
#include <string.h>

#include "graph/evaluate.h"
#include "ops/broadcast.h"
#include "optimize/attention_pattern.h"
#include "optimize/parts.h"

enum { MAX_MASK_ELEMENTS = 1 << 22 };

/* --- masks --- */

static bool can_add_masks(const AttentionPattern *pattern, Shape *shape) {
    const Value *const *masks = (const Value *const *)pattern->masks;
    int64_t elements;
    *shape = (Shape){.rank = 0};
    for (int m = 0; m < pattern->n_masks; m++) {
        const Shape *own = &masks[m]->type.shape;
        Shape joined = own->rank > shape->rank ? *own : *shape;
        if (!masks[m]->constant || !shape_is_known(own))
            return false;
        for (int i = 1; i <= own->rank && i <= shape->rank; i++)
            joined.dims[joined.rank - i] = i64_max(own->dims[own->rank - i], shape->dims[shape->rank - i]);
        *shape = joined;
    }
    return shape_count(shape, 0, shape->rank, &elements) && elements <= MAX_MASK_ELEMENTS;
}

/* Their sum, where there are several. */
static Status make_mask(Graph *graph, const AttentionPattern *pattern, const Shape *shape, Value **mask,
                        Error *err) {
    const char *name = NULL;
    Tensor sum;
    *mask = pattern->n_masks ? pattern->masks[0] : NULL;
    if (pattern->n_masks < 2)
        return STRIDER_OK;
    const Tensor *a = pattern->masks[0]->constant, *b = pattern->masks[1]->constant;
    const Broadcast broadcast = broadcast_make(shape, 2, (const Shape *[]){&a->type.shape, &b->type.shape});
    int64_t counters[MAX_RANK] = {0}, offsets[BROADCAST_MAX] = {0};
    TRY(graph_unique_name(graph, pattern->masks[0]->name, &name, err));
    TRY(graph_add_value(graph, name, mask, err));
    TRY(tensor_alloc(&sum, graph->region.allocator, a->type.dtype, shape, err));
    for (int64_t i = 0; i < tensor_elements(&sum); i++) {
        tensor_set_f64(&sum, i, tensor_get_f64(a, offsets[0]) + tensor_get_f64(b, offsets[1]));
        broadcast_next(&broadcast, counters, offsets);
    }
    return graph_set_constant(graph, *mask, sum, err);
}

/* --- the node --- */

/* An operand that lacks dimensions gets them by a Reshape of its own, which is possible where they are known.
 */
static Status operand_value(Graph *graph, const AttentionOperand *operand, const Node *like, Value **value,
                            Error *err) {
    const char *name = NULL;
    const int64_t rank = operand->shape.rank;
    const Shape shape = shape_make(1, &rank);
    Value *dims;
    Tensor tensor;
    Node *reshape;
    *value = operand->value;
    if (!operand->reshaped)
        return STRIDER_OK;
    TRY(graph_unique_name(graph, operand->value->name, &name, err));
    TRY(graph_add_value(graph, name, &dims, err));
    TRY(tensor_alloc(&tensor, graph->region.allocator, STRIDER_I64, &shape, err));
    for (int i = 0; i < rank; i++)
        tensor_set_i64(&tensor, i, operand->shape.dims[i]);
    TRY(graph_set_constant(graph, dims, tensor, err));
    TRY(graph_unique_name(graph, operand->value->name, &name, err));
    TRY(graph_add_value(graph, name, value, err));
    TRY(graph_add_node(graph, op_find("", "Reshape", 13), like->name, 2, 1, &reshape, err));
    reshape->opset = 13;
    const AttrList no_attrs = {0};
    TRY(reshape->op->parse(
        &(ParseContext){.node = reshape, .attrs = &no_attrs, .region = &graph->region, .err = err},
        reshape->attrs));
    reshape->torch_scope = like->torch_scope;
    reshape->source_index = like->source_index;
    node_set_input(reshape, 0, operand->value);
    node_set_input(reshape, 1, dims);
    node_set_output(reshape, 0, *value);
    (*value)->type = operand->value->type;
    (*value)->type.shape = operand->shape;
    return STRIDER_OK;
}

static void set_attrs(AttentionAttrs *attrs, const AttentionPattern *pattern) {
    *attrs = (AttentionAttrs){.has_scale = true,
                              .scale = (float)pattern->scale,
                              .left = -1,
                              .right = -1,
                              .is_fused = true,
                              .y_order = pattern->y_order,
                              .nan_where_none = pattern->nan_where_none};
    memcpy(attrs->order, pattern->order, sizeof attrs->order);
}

/* Whether the node that is made infers the type that the last node had: heads and batches do not broadcast.
 */
static bool is_valid(const Graph *graph, const Node *node, const Value *y) {
    ValueType type;
    Error ignored;
    return !node_infer_in_graph(node, graph->symbols, &type, &ignored) && type.dtype == y->type.dtype &&
           same_shape(&type.shape, &y->type.shape);
}

/* Otherwise equal names of dimensions may stand for other sizes. */
static bool knows_shapes(const Node *node) {
    bool known = true;
    for (int i = 0; i < node->n_inputs; i++)
        known = known && shape_is_known(&node->inputs[i]->type.shape);
    return known;
}

static int by_index(const void *a, const void *b) {
    const Node *const *first = a, *const *second = b;
    return ((*first)->index > (*second)->index) - ((*first)->index < (*second)->index);
}

static bool is_reshaped(const AttentionPattern *pattern) {
    bool reshaped = false;
    for (int port = ATTENTION_Q; port <= ATTENTION_V; port++)
        reshaped = reshaped || pattern->operands[port].reshaped;
    return reshaped;
}

/* What would have to be made for shapes that are not known is not made. */
static bool can_replace(const AttentionPattern *pattern, Shape *mask) {
    for (int port = ATTENTION_Q; port <= ATTENTION_V; port++)
        if (pattern->operands[port].reshaped && !shape_is_known(&pattern->operands[port].shape))
            return false;
    return pattern->n_masks < 2 || can_add_masks(pattern, mask);
}

static Status add_attention(Graph *graph, const AttentionPattern *pattern, const Shape *mask_shape,
                            Node **made, Error *err) {
    const Node *last = pattern->last;
    Value *mask, *value;
    TRY(make_mask(graph, pattern, mask_shape, &mask, err));
    TRY(graph_add_node(graph, op_find("", "Attention", 23), last->name, mask ? 4 : 3, 1, made, err));
    Node *node = *made;
    node->opset = 23;
    node->torch_scope = last->torch_scope;
    node->source_index = last->source_index;
    set_attrs(node->attrs, pattern);
    for (int port = ATTENTION_Q; port <= ATTENTION_V; port++) {
        TRY(operand_value(graph, &pattern->operands[port], last, &value, err));
        node_set_input(node, port, value);
    }
    if (mask)
        node_set_input(node, ATTENTION_MASK, mask);
    return STRIDER_OK;
}

static Status replace(Graph *graph, AttentionPattern *pattern, Error *err) {
    Node *made;
    Shape mask_shape;
    Value *y = pattern->last->outputs[0];
    if (!can_replace(pattern, &mask_shape))
        return STRIDER_OK;
    TRY(add_attention(graph, pattern, &mask_shape, &made, err));
    const bool knows = knows_shapes(made);
    if (!is_valid(graph, made, y) || (!knows && is_reshaped(pattern))) {
        graph_remove_node(made);
        return STRIDER_OK;
    }
    qsort(pattern->parts, (size_t)pattern->n_parts, sizeof *pattern->parts, by_index);
    if (!knows)
        TRY(parts_of(graph, made, pattern->parts, pattern->n_parts, err));
    for (int i = 0; i < pattern->n_parts; i++)
        graph_remove_node(pattern->parts[i]);
    node_set_output(made, 0, y);
    return STRIDER_OK;
}

Status pass_fuse_attention(Graph *graph, Error *err) {
    const size_t n = graph->n_nodes;
    for (size_t i = 0; i < n; i++) {
        AttentionPattern pattern;
        if (attention_pattern_match(graph->nodes[i], &pattern))
            TRY(replace(graph, &pattern, err));
    }
    graph_compact(graph);
    TRY(graph_sort(graph, err));
    return pass_remove_dead(graph, err);
}
