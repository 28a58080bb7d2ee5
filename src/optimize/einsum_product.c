/* SPDX-License-Identifier: Apache-2.0 */
/* The product of two terms of an Einsum: MatMul, or Mul where nothing is summed over.
 *
 * The output's labels are divided into leading ones, over which products are repeated, and trailing ones,
 * first all of one operand (rows), then all of the other (columns): then MatMul writes the output as it shall
 * lie. */
#include "base/size.h"
#include "optimize/einsum_terms.h"
#include "optimize/parts.h"

/* Ones where a leading label is missing; before the first one that is there they are understood. */
static Status insert_ones(Lowering *in, const Labels *leading, const Labels *there, Value **value) {
    int64_t axes[MAX_RANK];
    int n = 0, first = 0;
    while (first < leading->n && !has(there, leading->at[first]))
        first++;
    for (int i = first; i < leading->n; i++)
        if (!has(there, leading->at[i]))
            axes[n++] = i - first;
    return n ? einsum_with_integers(in, "Unsqueeze", axes, n, value) : STRIDER_OK;
}

/* --- what goes where --- */

typedef struct Division {
    int left; /* the operand that the rows are of */
    Labels leading, rows, columns, summed;
} Division;

/* Of a label that the operand has; DIM_UNKNOWN or a symbol where that is not known. */
static int64_t dim_of(const Lowering *in, int operand, uint8_t label) {
    const Labels *labels = &in->operands[operand];
    const uint8_t *at = memchr(labels->at, label, (size_t)labels->n);
    return at ? in->values[operand]->type.shape.dims[at - labels->at] : 1;
}

/* The one number that stands for the labels' dimensions; -1: not known. */
static int64_t merged(const Lowering *in, int operand, const Labels *labels) {
    int64_t product = 1;
    for (int i = 0; i < labels->n; i++) {
        const int64_t dim = dim_of(in, operand, labels->at[i]);
        if (dim < 0 || !i64_mul(product, dim, &product))
            return -1;
    }
    return product;
}

static int count_unknown(const Lowering *in, int operand, const Labels *labels) {
    int n = 0;
    for (int i = 0; i < labels->n; i++)
        n += dim_of(in, operand, labels->at[i]) < 0;
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

/* Whether two groups of labels need no Reshape, or one in which all is known but one number. */
static bool can_merge(const Labels *first, const Labels *second, int unknown) {
    return (first->n == 1 && second->n == 1) || unknown <= 1;
}

static bool can_multiply_matrices(const Lowering *in, const Division *d) {
    const int left = d->left, right = 1 - d->left, rows = count_unknown(in, left, &d->rows),
              columns = count_unknown(in, right, &d->columns);
    return can_merge(&d->rows, &d->columns, rows + columns) &&
           can_merge(&d->rows, &d->summed, rows + count_unknown(in, left, &d->summed)) &&
           can_merge(&d->summed, &d->columns, columns + count_unknown(in, right, &d->summed));
}

/* Whether both operands have the same number of each label that is in both, where that is known: ones are not
 * spread over summed labels, nor over those that may be merged. */
static bool dims_agree(const Lowering *in) {
    const Labels *a = &in->operands[0];
    for (int i = 0; i < a->n; i++) {
        const int64_t x = dim_of(in, 0, a->at[i]), y = dim_of(in, 1, a->at[i]);
        if (has(&in->operands[1], a->at[i]) && x > 0 && y > 0 && x != y)
            return false;
    }
    return true;
}

/* Whether a run might find 1 on one side of a summed label and another number on the other. */
typedef enum Certainty { KNOWN, SAME_NAMES, OPEN } Certainty;

static Certainty certainty_of(const Lowering *in, const Labels *summed) {
    Certainty certainty = KNOWN;
    for (int i = 0; i < summed->n; i++) {
        const int64_t x = dim_of(in, 0, summed->at[i]), y = dim_of(in, 1, summed->at[i]);
        if (x != y || x == DIM_UNKNOWN)
            return OPEN;
        if (x < 0)
            certainty = SAME_NAMES;
    }
    return certainty;
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
    TRY(einsum_transpose(in, operand, &order));
    shape[n++] = merged(in, operand, first);
    shape[n++] = merged(in, operand, second);
    if (first->n != 1 || second->n != 1)
        TRY(einsum_with_integers(in, "Reshape", shape, n, &in->values[operand]));
    return insert_ones(in, leading, &there, &in->values[operand]);
}

/* The shape of the output, as the Reshape after the product takes it. */
static int output_shape(const Lowering *in, const Division *d, int64_t shape[MAX_RANK]) {
    int n = 0;
    for (int i = 0; i < d->leading.n; i++)
        shape[n++] = 0; /* as it is */
    for (int i = 0; i < d->rows.n; i++)
        shape[n++] = i64_max(dim_of(in, d->left, d->rows.at[i]), -1);
    for (int i = 0; i < d->columns.n; i++)
        shape[n++] = i64_max(dim_of(in, 1 - d->left, d->columns.at[i]), -1);
    return n;
}

/* The same product with ones that are spread, for shapes that turn out to ask for that. */
static Status add_stand_in(Lowering *in, Node *product) {
    const Attr equation = {.name = "equation", .kind = ATTR_STRING, .s = "...ij,...jk->...ik", .count = 18};
    Value *y;
    TRY(add_stated(in->graph, in->node, "Einsum", &equation, 1, product->inputs, 2, &y, in->err));
    TRY(parts_of(in->graph, product, &y->producer, 1, in->err));
    graph_remove_node(y->producer);
    return STRIDER_OK;
}

static Status multiply_matrices(Lowering *in, const Division *d, Value **result) {
    const int left = d->left, right = 1 - d->left;
    const bool needs_stand_in = d->summed.n == 1 && certainty_of(in, &d->summed) != KNOWN;
    int64_t shape[MAX_RANK];
    const int n = output_shape(in, d, shape);
    TRY(make_matrices(in, left, &d->leading, &d->rows, &d->summed));
    TRY(make_matrices(in, right, &d->leading, &d->summed, &d->columns));
    TRY(add_stated(in->graph, in->node, "MatMul", NULL, 0, (Value *[]){in->values[left], in->values[right]},
                   2, result, in->err));
    if (needs_stand_in)
        TRY(add_stand_in(in, (*result)->producer));
    return d->rows.n == 1 && d->columns.n == 1 ? STRIDER_OK
                                               : einsum_with_integers(in, "Reshape", shape, n, result);
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
        TRY(einsum_transpose(in, k, &order));
        TRY(insert_ones(in, &all, &order, &in->values[k]));
    }
    TRY(add_stated(in->graph, in->node, "Mul", NULL, 0, in->values, 2, result, in->err));
    if (!d->summed.n)
        return STRIDER_OK;
    in->values[0] = *result;
    in->operands[0] = all;
    TRY(einsum_reduce(in, 0, &d->summed));
    *result = in->values[0];
    return STRIDER_OK;
}

/* What one operand has, and neither the other nor the output. */
static Labels alone(const Lowering *in, int operand) {
    Labels labels = {0};
    const Labels *own = &in->operands[operand];
    for (int i = 0; i < own->n; i++)
        if (!has(&in->output, own->at[i]) && !has(&in->operands[1 - operand], own->at[i]))
            append(&labels, own->at[i]);
    return labels;
}

/* The output's labels of both operands, then those of one, then of the other. */
Labels einsum_by_owner(const Lowering *in) {
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

Status einsum_product(Lowering *in, Value **result) {
    const Labels wanted = in->output;
    Division d;
    *result = NULL;
    if (!dims_agree(in))
        return STRIDER_OK;
    divide(in, &d);
    if (d.summed.n && hides_matrices(in, &d)) {
        in->output = einsum_by_owner(in);
        divide(in, &d);
    }
    const bool elements = !d.summed.n || (!d.rows.n && !d.columns.n && leads_evenly(in, &d.leading));
    if (in->output.n + d.summed.n > MAX_RANK || d.leading.n > MAX_RANK - 2 ||
        (!elements &&
         (!can_multiply_matrices(in, &d) || (d.summed.n > 1 && certainty_of(in, &d.summed) == OPEN))))
        return STRIDER_OK;
    for (int k = 0; k < 2; k++) {
        const Labels summed = alone(in, k);
        TRY(einsum_reduce(in, k, &summed));
    }
    TRY(elements ? multiply_elements(in, &d, result) : multiply_matrices(in, &d, result));
    in->values[0] = *result;
    in->operands[0] = in->output;
    TRY(einsum_transpose(in, 0, &wanted));
    *result = in->values[0];
    return STRIDER_OK;
}
