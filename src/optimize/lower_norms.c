/* SPDX-License-Identifier: Apache-2.0 */
/* MeanVarianceNormalization, LpNormalization and GlobalLpPool become what they are made of: reductions over
 * any axes, and what is done with each element. */
#include "ops/nn/instance_norm.h"
#include "ops/nn/lp_norm.h"
#include "ops/nn/pool.h"
#include "optimize/rewrite.h"

typedef struct Lowering {
    Graph *graph;
    const Node *node;
    Error *err;
} Lowering;

static Status unary(const Lowering *in, const char *op, Value *x, Value **y) {
    return add_stated(in->graph, in->node, op, NULL, 0, &x, 1, y, in->err);
}

static Status binary(const Lowering *in, const char *op, Value *a, Value *b, Value **y) {
    return add_stated(in->graph, in->node, op, NULL, 0, (Value *[]){a, b}, 2, y, in->err);
}

/* The same with one number. */
static Status with_number(const Lowering *in, const char *op, double number, Value **value) {
    Value *constant;
    TRY(add_vector(in->graph, "number", (*value)->type.dtype, &number, 1, &constant, in->err));
    return binary(in, op, *value, constant, value);
}

/* y = d / (sqrt(mean of d^2) + 1e-9), where d = x - mean of x */
static Status lower_mean_variance(const Lowering *in, Value *x, Value **y) {
    const MvnAttrs *attrs = in->node->attrs;
    Value *axes, *mean, *deviation, *spread;
    TRY(add_integers(in->graph, "axes", attrs->axes, attrs->n_axes, &axes, in->err));
    TRY(binary(in, "ReduceMean", x, axes, &mean));
    TRY(binary(in, "Sub", x, mean, &deviation));
    TRY(binary(in, "Mul", deviation, deviation, &spread));
    TRY(binary(in, "ReduceMean", spread, axes, &spread));
    TRY(unary(in, "Sqrt", spread, &spread));
    TRY(with_number(in, "Add", 1e-9, &spread));
    return binary(in, "Div", deviation, spread, y);
}

/* y = x / norm; where the norm is 0, and so x is, any other number does. */
static Status lower_lp(const Lowering *in, Value *x, Value **y) {
    const LpNormAttrs *attrs = in->node->attrs;
    Value *axes, *norm;
    TRY(add_integers(in->graph, "axes", &attrs->axis, 1, &axes, in->err));
    TRY(binary(in, attrs->p == 1 ? "ReduceL1" : "ReduceL2", x, axes, &norm));
    TRY(with_number(in, "Max", x->type.dtype == STRIDER_F32 ? 0x1p-149 : 0x1p-1074, &norm));
    return binary(in, "Div", x, norm, y);
}

/* y = (sum of |x|^p)^(1/p) over each channel's plane */
static Status lower_global_lp(const Lowering *in, Value *x, Value **y) {
    const GlobalPoolAttrs *attrs = in->node->attrs;
    int64_t planes[MAX_RANK];
    const int n = x->type.shape.rank - 2;
    Value *axes;
    for (int i = 0; i < n; i++)
        planes[i] = 2 + i;
    TRY(add_integers(in->graph, "axes", planes, n, &axes, in->err));
    return binary(in, attrs->p == 1 ? "ReduceL1" : "ReduceL2", x, axes, y);
}

static bool is_lowered(const Node *node) {
    const Value *x = node->n_inputs ? node->inputs[0] : NULL;
    if (!x || !node->outputs[0] || (x->type.dtype != STRIDER_F32 && x->type.dtype != STRIDER_F64) ||
        x->type.shape.rank < 1)
        return false;
    if (is_op(node, OP_GlobalLpPool))
        return ((const GlobalPoolAttrs *)node->attrs)->p <= 2 && x->type.shape.rank > 2;
    return is_op(node, OP_LpNormalization) ||
           (is_op(node, OP_MeanVarianceNormalization) && ((const MvnAttrs *)node->attrs)->n_axes > 0);
}

static Status lower(Graph *graph, Node *node, Error *err) {
    const Lowering in = {graph, node, err};
    Value *x = node->inputs[0], *result;
    if (is_op(node, OP_LpNormalization))
        TRY(lower_lp(&in, x, &result));
    else if (is_op(node, OP_GlobalLpPool))
        TRY(lower_global_lp(&in, x, &result));
    else
        TRY(lower_mean_variance(&in, x, &result));
    absorb(result->producer, node);
    return STRIDER_OK;
}

Status pass_lower_norms(Graph *graph, Error *err) {
    const size_t n = graph->n_nodes;
    for (size_t i = 0; i < n; i++)
        if (is_lowered(graph->nodes[i]))
            TRY(lower(graph, graph->nodes[i], err));
    graph_compact(graph);
    return graph_sort(graph, err);
}
