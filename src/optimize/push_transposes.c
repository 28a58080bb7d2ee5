/* SPDX-License-Identifier: Apache-2.0 */
/* Exports of channels-last networks put a Transpose around each Conv.  Here Transposes move after
 * elementwise nodes and Concats, as long as there are no more of them after, and two in a row become one, or
 * none where they cancel; an activation or Add that stood between two Convs then meets the first one and may
 * become its epilogue. */
#include "ops/math/binary.h"
#include "ops/op.h"
#include "ops/tensor/concat.h"
#include "ops/tensor/transpose.h"
#include "optimize/rewrite.h"

typedef struct Permutation {
    int rank, perm[MAX_RANK];
} Permutation;

static bool permutation_of(const Node *node, Permutation *permutation) {
    permutation->rank = node->inputs[0]->type.shape.rank;
    if (permutation->rank < 0)
        return false;
    transpose_perm(node->attrs, permutation->rank, permutation->perm);
    return true;
}

static bool same_permutation(const Permutation *a, const Permutation *b) {
    if (a->rank != b->rank)
        return false;
    for (int d = 0; d < a->rank; d++)
        if (a->perm[d] != b->perm[d])
            return false;
    return true;
}

static void set_permutation(Node *transpose, const Permutation *permutation) {
    TransposeAttrs *attrs = transpose->attrs;
    *attrs = (TransposeAttrs){.form = TRANSPOSE_BY_PERM, .n_perm = permutation->rank};
    for (int d = 0; d < permutation->rank; d++)
        attrs->perm[d] = permutation->perm[d];
}

/* --- two in a row --- */

static void join(Graph *graph, Node *second) {
    const Node *first = second->inputs[0]->producer;
    Permutation inner, outer, both;
    if (!is_op(first, OP_Transpose) || !permutation_of(first, &inner) || !permutation_of(second, &outer))
        return;
    bool moves = false;
    both.rank = outer.rank;
    for (int d = 0; d < both.rank; d++) {
        both.perm[d] = inner.perm[outer.perm[d]];
        moves = moves || both.perm[d] != d;
    }
    Value *x = first->inputs[0], *y = second->outputs[0];
    if (moves &&
        second->inputs[0]->uses > 1) /* the first one stays, and the second may be the smaller work */
        return;
    if (!moves && !is_graph_output(y)) {
        graph_remove_node(second);
        graph_replace_uses(graph, y, x);
        return;
    }
    set_permutation(second, &both); /* one that moves nothing takes no time */
    node_set_input(second, 0, x);
}

/* --- after other nodes --- */

/* Whether `value` is a Transpose's result that only `reader` reads; how it permutes. */
static bool is_transposed(const Value *value, const Node *reader, Permutation *permutation) {
    if (!is_op(value->producer, OP_Transpose))
        return false;
    for (const Use *use = value->first_use; use; use = use->next)
        if (use->node != reader)
            return false;
    return permutation_of(value->producer, permutation);
}

/* The shape that a constant has on the other side of a Transpose of `permutation`; false where its elements
 * would have to move, or where it makes the result larger than the transposed operands' rank. */
static bool shape_before(const Shape *constant, const Permutation *permutation, Shape *before) {
    int large = 0, pad = permutation->rank - constant->rank;
    if (pad < 0)
        return false;
    *before = (Shape){.rank = permutation->rank};
    for (int d = 0; d < permutation->rank; d++) {
        const int64_t size = d < pad ? 1 : constant->dims[d - pad];
        before->dims[permutation->perm[d]] = size;
        large += size != 1;
    }
    return large <= 1;
}

/* Whether all inputs are Transposes alike, or constants that need not move; of a Concat only the former. */
static bool can_push(const Node *node, Permutation *permutation) {
    const bool is_concat = is_op(node, OP_Concat);
    int n_transposed = 0;
    if (!(node->op->flags & OP_ELEMENTWISE) && !is_concat)
        return false;
    if (node->opset < 7 || node->n_outputs != 1 || !node->outputs[0])
        return false;
    if (is_op(node, OP_PRelu) &&
        !binary_second_broadcasts(node, &node->inputs[0]->type.shape, &node->inputs[1]->type.shape))
        return false;
    for (int port = 0; port < node->n_inputs; port++) {
        Permutation own;
        if (!node->inputs[port] || !is_transposed(node->inputs[port], node, &own))
            continue;
        if (n_transposed++ && !same_permutation(&own, permutation))
            return false;
        *permutation = own;
    }
    if (!n_transposed || node->outputs[0]->type.shape.rank != permutation->rank)
        return false;
    for (int port = 0; port < node->n_inputs; port++) {
        const Value *input = node->inputs[port];
        Permutation own;
        Shape before;
        if (input && !is_transposed(input, node, &own) &&
            (is_concat || !input->constant || !shape_before(&input->type.shape, permutation, &before)))
            return false;
    }
    return true;
}

/* A constant's elements under the shape that they have before the Transpose. */
static Status add_reshaped(Graph *graph, Value *constant, const Permutation *permutation, Value **reshaped,
                           Error *err) {
    const char *name = NULL;
    Tensor view = *constant->constant;
    *reshaped = constant;
    if (tensor_elements(&view) == 1)
        return STRIDER_OK;
    if (!shape_before(&constant->type.shape, permutation, &view.type.shape))
        return fail(err, STRIDER_INVALID_ARGUMENT, "a constant that cannot be moved past a Transpose");
    view.allocator = NULL;
    TRY(graph_unique_name(graph, constant->name, &name, err));
    TRY(graph_add_value(graph, name, reshaped, err));
    return graph_set_constant(graph, *reshaped, view, err);
}

/* `node` computes what it did before its operands were transposed, and a new Transpose makes its result of
 * that. */
static Status push(Graph *graph, Node *node, const Permutation *permutation, Error *err) {
    Value *y = node->outputs[0], *before = NULL;
    Node *transpose = NULL;
    const char *name = NULL;
    for (int port = 0; port < node->n_inputs; port++) {
        Value *input = node->inputs[port], *moved = input;
        if (!input)
            continue;
        if (is_op(input->producer, OP_Transpose))
            moved = input->producer->inputs[0];
        else
            TRY(add_reshaped(graph, input, permutation, &moved, err));
        node_set_input(node, port, moved);
    }
    if (is_op(node, OP_Concat)) {
        ConcatAttrs *attrs = node->attrs;
        attrs->axis = permutation->perm[axis_resolve(attrs->axis, permutation->rank)];
    }
    TRY(graph_unique_name(graph, y->name, &name, err));
    TRY(graph_add_value(graph, name, &before, err));
    before->type = y->type;
    for (int d = 0; d < permutation->rank; d++)
        before->type.shape.dims[permutation->perm[d]] = y->type.shape.dims[d];
    node_set_output(node, 0, before);
    TRY(graph_add_node(graph, op_find("", "Transpose", 13), node->name, 1, 1, &transpose, err));
    transpose->opset = 13;
    transpose->torch_scope = node->torch_scope;
    transpose->source_index = node->source_index;
    set_permutation(transpose, permutation);
    node_set_input(transpose, 0, before);
    node_set_output(transpose, 0, y);
    return STRIDER_OK;
}

Status pass_push_transposes(Graph *graph, Error *err) {
    const size_t n = graph->n_nodes;
    for (size_t i = 0; i < n; i++) {
        Node *node = graph->nodes[i];
        Permutation permutation = {0};
        if (is_op(node, OP_Transpose))
            join(graph, node);
        else if (can_push(node, &permutation))
            TRY(push(graph, node, &permutation, err));
    }
    graph_compact(graph);
    TRY(graph_sort(graph, err));
    return pass_remove_dead(graph, err);
}
