/* SPDX-License-Identifier: Apache-2.0 */
/* LayerNormalization as exporters wrote it before opset 17:
 *     c = x - ReduceMean(x)
 *     y = c / Sqrt(ReduceMean(c^2) + epsilon) * scale + b
 * with both means over the last dimensions, c^2 as Pow(c, 2) or Mul(c, c), and constants scale and b; b may
 * lack. */
#include "ops/math/binary.h"
#include "ops/nn/layer_norm.h"
#include "ops/op.h"
#include "ops/reduction/reduce.h"
#include "optimize/rewrite.h"

typedef struct LayerNorm {
    Value *x, *scale, *b; /* b: NULL where there is none */
    int axis;             /* of the first dimension that is normalised */
    double epsilon;
    Node *last; /* whose output becomes the node's */
} LayerNorm;

/* The first axis of a ReduceMean over the last dimensions that keeps them as 1; -1 for any other node. */
static int first_axis(const Node *mean) {
    const int rank = mean ? mean->inputs[0]->type.shape.rank : -1;
    if (rank < 1 || !is_op(mean, OP_ReduceMean))
        return -1;
    const ReduceAttrs *attrs = mean->attrs;
    const Value *axes = mean->n_inputs > 1 ? mean->inputs[1] : NULL;
    unsigned mask;
    if (!attrs->keepdims || (axes && !axes->constant) ||
        !reduce_axes(attrs, axes ? axes->constant : NULL, rank, &mask) || !mask)
        return -1;
    int first = rank;
    while (first > 0 && (mask >> (first - 1) & 1))
        first--;
    return mask >> first << first == mask ? first : -1;
}

/* Whether `value` is c^2, read by its mean alone. */
static bool is_square(const Value *value, const Value *c) {
    const Node *node = made_by(value, OP_Pow);
    if (node) {
        const Tensor *two = node->inputs[1]->constant;
        return node->inputs[0] == c && two && tensor_elements(two) == 1 && tensor_get_f64(two, 0) == 2;
    }
    node = made_by(value, OP_Mul);
    return node && node->inputs[0] == c && node->inputs[1] == c;
}

/* The other operand of a node that reads `value` once, where it is a constant and the result has the shape of
 * x. */
static Value *constant_beside(const Node *node, const Value *value, const Shape *x) {
    Value *other = node->inputs[0] == value ? node->inputs[1] : node->inputs[0];
    const BinaryAttrs *attrs = node->attrs;
    return other != value && other->constant && !attrs->legacy_broadcast &&
                   other->type.shape.rank <= x->rank && other->type.dtype == value->type.dtype &&
                   shape_equal(&node->outputs[0]->type.shape, x)
               ? other
               : NULL;
}

/* c / Sqrt(ReduceMean(c^2) + epsilon): sets x, axis and epsilon. */
static bool match_quotient(const Node *div, LayerNorm *norm) {
    Value *c = is_op(div, OP_Div) ? div->inputs[0] : NULL;
    const Node *centre = c ? c->producer : NULL, *root = c ? made_by(div->inputs[1], OP_Sqrt) : NULL;
    const Node *sum = root ? made_by(root->inputs[0], OP_Add) : NULL;
    if (!is_op(centre, OP_Sub) || !sum)
        return false;
    const int port = scalar_constant(sum->inputs[1], &norm->epsilon) ? 0 : 1;
    const Node *variance = made_by(sum->inputs[port], OP_ReduceMean),
               *mean = made_by(centre->inputs[1], OP_ReduceMean);
    if ((port == 1 && !scalar_constant(sum->inputs[0], &norm->epsilon)) || !variance || !mean)
        return false;
    norm->x = centre->inputs[0];
    norm->axis = first_axis(variance);
    const bool by_product = is_op(variance->inputs[0]->producer, OP_Mul);
    return is_square(variance->inputs[0], c) && c->uses == (by_product ? 3 : 2) &&
           mean->inputs[0] == norm->x && norm->axis >= 0 && first_axis(mean) == norm->axis &&
           dtype_is_float(norm->x->type.dtype) && shape_equal(&c->type.shape, &norm->x->type.shape);
}

static bool match(const Node *div, LayerNorm *norm) {
    if (!match_quotient(div, norm))
        return false;
    const Shape *x = &norm->x->type.shape;
    const Value *quotient = div->outputs[0];
    norm->last = only_reader(quotient);
    norm->scale = is_op(norm->last, OP_Mul) ? constant_beside(norm->last, quotient, x) : NULL;
    if (!norm->scale)
        return false;
    const Value *scaled = norm->last->outputs[0];
    Node *add = only_reader(scaled);
    norm->b = is_op(add, OP_Add) ? constant_beside(add, scaled, x) : NULL;
    norm->last = norm->b ? add : norm->last;
    return true;
}

/* In the place of the last node, so that the order stays. */
static Status replace(Graph *graph, const LayerNorm *norm, Error *err) {
    Node *made = NULL, *last = norm->last;
    Value *y = last->outputs[0];
    const size_t place = (size_t)last->index;
    TRY(graph_add_node(graph, op_find("", "LayerNormalization", 17), last->name, norm->b ? 3 : 2, 1, &made,
                       err));
    made->opset = 17;
    made->torch_scope = last->torch_scope;
    made->source_index = last->source_index;
    *(LayerNormAttrs *)made->attrs =
        (LayerNormAttrs){.axis = norm->axis, .epsilon = (float)norm->epsilon, .stash = STRIDER_F32};
    graph_remove_node(last);
    node_set_input(made, LAYER_NORM_X, norm->x);
    node_set_input(made, LAYER_NORM_SCALE, norm->scale);
    if (norm->b)
        node_set_input(made, LAYER_NORM_B, norm->b);
    node_set_output(made, 0, y);
    graph->nodes[place] = made;
    made->index = (int)place;
    graph->nodes[graph->n_nodes - 1] = last;
    return STRIDER_OK;
}

Status pass_fuse_layer_norms(Graph *graph, Error *err) {
    const size_t n = graph->n_nodes;
    for (size_t i = 0; i < n; i++) {
        LayerNorm norm;
        if (match(graph->nodes[i], &norm))
            TRY(replace(graph, &norm, err));
    }
    graph_compact(graph);
    return pass_remove_dead(graph, err);
}
