/* SPDX-License-Identifier: Apache-2.0 */
/* Einsum of one or two inputs of floats becomes what it is made of: ReduceSum of what one input alone has
 * and the output has not, Transpose, Reshape, and MatMul, or Mul where nothing is summed over.
 *
 * The output's labels are divided into leading ones, over which products are repeated, and trailing ones,
 * first all of one input (rows), then all of the other (columns): then MatMul writes the output as it shall
 * lie. What this does not fit is left to Einsum: a label twice in one input, sums over dimensions that are
 * not known, as one of them may be 1 and broadcast, and shapes of more than one unknown number. */
#include <string.h>

#include "base/size.h"
#include "ops/math/einsum.h"
#include "optimize/rewrite.h"

enum { N_LABELS = EINSUM_MAX_LABELS };

/* Labels in the order of dimensions. */
typedef struct Labels {
    int n;
    uint8_t at[MAX_RANK];
} Labels;

typedef struct Lowering {
    Graph *graph;
    const Node *node;
    Value *values[2];
    Labels operands[2], output;
    int64_t dims[N_LABELS];
    Error *err;
} Lowering;

static bool has(const Labels *labels, uint8_t label) {
    return memchr(labels->at, label, (size_t)labels->n) != NULL;
}

static void append(Labels *labels, uint8_t label) {
    labels->at[labels->n++] = label;
}

/* --- nodes --- */

static Status reduce(Lowering *in, int operand, const Labels *summed) {
    const Labels before = in->operands[operand];
    int64_t axes[MAX_RANK];
    int n = 0;
    in->operands[operand].n = 0;
    for (int i = 0; i < before.n; i++)
        if (has(summed, before.at[i]))
            axes[n++] = i;
        else
            append(&in->operands[operand], before.at[i]);
    if (!n)
        return STRIDER_OK;
    const Attr keepdims = {.name = "keepdims", .kind = ATTR_INT, .i = 0};
    Value *inputs[2] = {in->values[operand]};
    TRY(add_integers(in->graph, "axes", axes, n, &inputs[1], in->err));
    return add_stated(in->graph, in->node, "ReduceSum", &keepdims, 1, inputs, 2, &in->values[operand],
                      in->err);
}

static Status transpose(Lowering *in, int operand, const Labels *order) {
    int64_t perm[MAX_RANK];
    bool moves = false;
    for (int i = 0; i < order->n; i++) {
        const Labels *from = &in->operands[operand];
        perm[i] = (const uint8_t *)memchr(from->at, order->at[i], (size_t)from->n) - from->at;
        moves = moves || perm[i] != i;
    }
    in->operands[operand] = *order;
    const Attr attr = {.name = "perm", .kind = ATTR_INTS, .ints = perm, .count = (size_t)order->n};
    return moves ? add_stated(in->graph, in->node, "Transpose", &attr, 1, &in->values[operand], 1,
                              &in->values[operand], in->err)
                 : STRIDER_OK;
}

static Status with_integers(Lowering *in, const char *op, const int64_t *integers, int n, Value **value) {
    Value *inputs[2] = {*value};
    TRY(add_integers(in->graph, "dims", integers, n, &inputs[1], in->err));
    return add_stated(in->graph, in->node, op, NULL, 0, inputs, 2, value, in->err);
}

/* Ones where a leading label is missing; before the first one that is there they are understood. */
static Status insert_ones(Lowering *in, const Labels *leading, const Labels *there, Value **value) {
    int64_t axes[MAX_RANK];
    int n = 0, first = 0;
    while (first < leading->n && !has(there, leading->at[first]))
        first++;
    for (int i = first; i < leading->n; i++)
        if (!has(there, leading->at[i]))
            axes[n++] = i - first;
    return n ? with_integers(in, "Unsqueeze", axes, n, value) : STRIDER_OK;
}

/* --- what goes where --- */

typedef struct Division {
    int left; /* the operand that the rows are of */
    Labels leading, rows, columns, summed;
} Division;

/* The one number that stands for the labels' dimensions; -1: not known. */
static int64_t merged(const Lowering *in, const Labels *labels) {
    int64_t product = 1;
    for (int i = 0; i < labels->n; i++) {
        const int64_t dim = in->dims[labels->at[i]];
        if (dim < 0 || !i64_mul(product, dim, &product))
            return -1;
    }
    return product;
}

static int count_unknown(const Lowering *in, const Labels *labels) {
    int n = 0;
    for (int i = 0; i < labels->n; i++)
        n += in->dims[labels->at[i]] < 0;
    return n;
}

/* The trailing labels of the output from `begin` on: all of one operand, then all of the other. */
static bool divide_from(const Lowering *in, int begin, Division *division) {
    const Labels *a = &in->operands[0], *b = &in->operands[1];
    *division = (Division){.left = begin < in->output.n && has(b, in->output.at[begin])};
    const Labels *left = &in->operands[division->left], *right = &in->operands[1 - division->left];
    for (int i = 0; i < in->output.n; i++) {
        const uint8_t label = in->output.at[i];
        if (i < begin) {
            append(&division->leading, label);
            continue;
        }
        if (has(a, label) && has(b, label))
            return false;
        if (has(left, label) && division->columns.n)
            return false;
        append(has(right, label) ? &division->columns : &division->rows, label);
    }
    for (int i = 0; i < left->n; i++)
        if (has(right, left->at[i]) && !has(&in->output, left->at[i]))
            append(&division->summed, left->at[i]);
    return true;
}

static void divide(const Lowering *in, Division *division) {
    int begin = 0;
    while (!divide_from(in, begin, division))
        begin++;
}

/* Whether a group of labels needs no Reshape, or one in which all is known but one number. */
static bool can_merge(const Lowering *in, const Labels *first, const Labels *second) {
    return (first->n == 1 && second->n == 1) || count_unknown(in, first) + count_unknown(in, second) <= 1;
}

/* Whether leading labels are in both operands, or all in one. */
static bool leads_evenly(const Lowering *in, const Labels *leading) {
    bool only[2] = {false, false};
    for (int i = 0; i < leading->n; i++)
        for (int k = 0; k < 2; k++)
            only[k] = only[k] || !has(&in->operands[1 - k], leading->at[i]);
    return !only[0] || !only[1];
}

/* --- products --- */

/* Leading labels, then what has been merged to two dimensions. */
static Status make_matrices(Lowering *in, int operand, const Labels *leading, const Labels *first,
                            const Labels *second) {
    Labels order = {0};
    int64_t shape[MAX_RANK];
    int n = 0;
    for (int i = 0; i < leading->n; i++)
        if (has(&in->operands[operand], leading->at[i])) {
            append(&order, leading->at[i]);
            shape[n++] = 0; /* as it is */
        }
    const Labels there = order;
    for (int i = 0; i < first->n; i++)
        append(&order, first->at[i]);
    for (int i = 0; i < second->n; i++)
        append(&order, second->at[i]);
    TRY(transpose(in, operand, &order));
    shape[n++] = merged(in, first);
    shape[n++] = merged(in, second);
    if (first->n != 1 || second->n != 1)
        TRY(with_integers(in, "Reshape", shape, n, &in->values[operand]));
    return insert_ones(in, leading, &there, &in->values[operand]);
}

static Status multiply_matrices(Lowering *in, const Division *d, Value **result) {
    const int left = d->left, right = 1 - d->left;
    int64_t shape[MAX_RANK];
    int n = 0;
    TRY(make_matrices(in, left, &d->leading, &d->rows, &d->summed));
    TRY(make_matrices(in, right, &d->leading, &d->summed, &d->columns));
    TRY(add_stated(in->graph, in->node, "MatMul", NULL, 0, (Value *[]){in->values[left], in->values[right]},
                   2, result, in->err));
    if (d->rows.n == 1 && d->columns.n == 1)
        return STRIDER_OK;
    for (int i = 0; i < in->output.n; i++)
        shape[n++] = i < d->leading.n ? 0 : in->dims[in->output.at[i]] < 0 ? -1 : in->dims[in->output.at[i]];
    return with_integers(in, "Reshape", shape, n, result);
}

/* All labels of the output, then those that are summed over. */
static Status multiply_elements(Lowering *in, const Division *d, Value **result) {
    Labels all = in->output;
    for (int i = 0; i < d->summed.n; i++)
        append(&all, d->summed.at[i]);
    for (int k = 0; k < 2; k++) {
        Labels order = {0};
        for (int i = 0; i < all.n; i++)
            if (has(&in->operands[k], all.at[i]))
                append(&order, all.at[i]);
        TRY(transpose(in, k, &order));
        TRY(insert_ones(in, &all, &order, &in->values[k]));
    }
    TRY(add_stated(in->graph, in->node, "Mul", NULL, 0, in->values, 2, result, in->err));
    if (!d->summed.n)
        return STRIDER_OK;
    in->values[0] = *result;
    in->operands[0] = all;
    TRY(reduce(in, 0, &d->summed));
    *result = in->values[0];
    return STRIDER_OK;
}

/* --- one node --- */

static bool read_operand(Lowering *in, int operand) {
    Labels *labels = &in->operands[operand];
    const ValueType *type = &in->values[operand]->type;
    if (type->kind != VALUE_TENSOR || !dtype_is_float(type->dtype) || type->shape.rank < 0 ||
        !einsum_labels(in->node, operand, type->shape.rank, labels->at))
        return false;
    labels->n = type->shape.rank;
    for (int i = 0; i < labels->n; i++) {
        const int64_t dim = type->shape.dims[i];
        if (dim == 0 || memchr(labels->at, labels->at[i], (size_t)i))
            return false;
        in->dims[labels->at[i]] = dim;
    }
    return true;
}

/* What one operand has, and neither the other nor the output. */
static Labels alone(const Lowering *in, int operand, int n) {
    Labels labels = {0};
    const Labels *own = &in->operands[operand];
    for (int i = 0; i < own->n; i++)
        if (!has(&in->output, own->at[i]) && (n == 1 || !has(&in->operands[1 - operand], own->at[i])))
            append(&labels, own->at[i]);
    return labels;
}

/* Whether both operands have the same number of each label that is in both. */
static bool dims_agree(const Lowering *in) {
    const Labels *a = &in->operands[0], *b = &in->operands[1];
    for (int i = 0; i < a->n; i++)
        for (int j = 0; j < b->n; j++) {
            const int64_t x = in->values[0]->type.shape.dims[i], y = in->values[1]->type.shape.dims[j];
            const bool is_summed = !has(&in->output, a->at[i]);
            if (a->at[i] == b->at[j] && (is_summed ? x != y || x == DIM_UNKNOWN : x > 0 && y > 0 && x != y))
                return false;
        }
    return true;
}

static Status lower_one(Lowering *in, Value **result) {
    const Labels summed = alone(in, 0, 1);
    TRY(reduce(in, 0, &summed));
    TRY(transpose(in, 0, &in->output));
    *result = in->values[0];
    return STRIDER_OK;
}

/* The output's labels of both operands, then those of one, then of the other. */
static Labels by_owner(const Lowering *in) {
    Labels order = {0};
    for (int owner = 0; owner < 3; owner++)
        for (int i = 0; i < in->output.n; i++) {
            const uint8_t label = in->output.at[i];
            const bool first = has(&in->operands[0], label), second = has(&in->operands[1], label);
            if ((first && second ? 0 : first ? 1 : 2) == owner)
                append(&order, label);
        }
    return order;
}

/* Whether products of vectors would be repeated over labels of one operand, which can be a matrix's. */
static bool hides_matrices(const Lowering *in, const Division *d) {
    if (d->rows.n && d->columns.n)
        return false;
    if (!d->rows.n && !d->columns.n)
        return !leads_evenly(in, &d->leading);
    for (int i = 0; i < d->leading.n; i++)
        if (has(&in->operands[1 - d->left], d->leading.at[i]) &&
            !has(&in->operands[d->left], d->leading.at[i]))
            return true;
    return false;
}

static Status lower_two(Lowering *in, Value **result) {
    const Labels wanted = in->output;
    Division d;
    divide(in, &d);
    if (d.summed.n && hides_matrices(in, &d)) {
        in->output = by_owner(in);
        divide(in, &d);
    }
    const bool elements = !d.summed.n || (!d.rows.n && !d.columns.n && leads_evenly(in, &d.leading));
    if (in->output.n + d.summed.n > MAX_RANK || d.leading.n > MAX_RANK - 2 ||
        (!elements && (!can_merge(in, &d.rows, &d.columns) || !can_merge(in, &d.rows, &d.summed) ||
                       !can_merge(in, &d.summed, &d.columns))))
        return STRIDER_OK;
    for (int k = 0; k < 2; k++) {
        const Labels summed = alone(in, k, 2);
        TRY(reduce(in, k, &summed));
    }
    TRY(elements ? multiply_elements(in, &d, result) : multiply_matrices(in, &d, result));
    in->values[0] = *result;
    in->operands[0] = in->output;
    TRY(transpose(in, 0, &wanted));
    *result = in->values[0];
    return STRIDER_OK;
}

static Status lower(Graph *graph, Node *node, Error *err) {
    Lowering in = {.graph = graph, .node = node, .err = err};
    Value *y = node->outputs[0], *result = NULL;
    for (int i = 0; i < N_LABELS; i++)
        in.dims[i] = DIM_UNKNOWN;
    if (node->n_inputs > 2 || !y || y->type.kind != VALUE_TENSOR || y->type.shape.rank < 0 ||
        !einsum_labels(node, -1, y->type.shape.rank, in.output.at))
        return STRIDER_OK;
    in.output.n = y->type.shape.rank;
    for (int i = 0; i < node->n_inputs; i++) {
        in.values[i] = node->inputs[i];
        if (!in.values[i] || !read_operand(&in, i))
            return STRIDER_OK;
    }
    for (int i = 0; i < in.output.n; i++) /* an ellipsis of the output that no input has */
        if (!has(&in.operands[0], in.output.at[i]) && !has(&in.operands[1], in.output.at[i]))
            return STRIDER_OK;
    if (node->n_inputs == 2 && !dims_agree(&in))
        return STRIDER_OK;
    TRY(node->n_inputs == 1 ? lower_one(&in, &result) : lower_two(&in, &result));
    if (!result || result == node->inputs[0])
        return STRIDER_OK;
    Node *last = result->producer;
    graph_remove_node(node);
    node_set_output(last, 0, y);
    return STRIDER_OK;
}

Status pass_lower_einsum(Graph *graph, Error *err) {
    const size_t n = graph->n_nodes;
    for (size_t i = 0; i < n; i++)
        if (is_op(graph->nodes[i], OP_Einsum))
            TRY(lower(graph, graph->nodes[i], err));
    graph_compact(graph);
    return graph_sort(graph, err);
}
