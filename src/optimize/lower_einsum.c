/* SPDX-License-Identifier: Apache-2.0 */
/* Einsum of floats becomes what it is made of: diagonals by Transpose, Reshape and Slice, ReduceSum of what
 * one input alone has and the output has not, Transpose, Reshape, and MatMul, or Mul where nothing is summed
 * over.  Of more than two inputs, those go first whose product is the smallest.
 *
 * What this does not fit is left to Einsum: diagonals of dimensions that are not known, sums over several
 * such dimensions, as one of them may be 1 and broadcast, shapes of more than one unknown number, and
 * products on the way that would be far larger than inputs and output. */
#include "base/size.h"
#include "optimize/einsum_terms.h"

enum {
    MAX_TERMS = 12,
    /* What a dimension that is not known counts for. */
    ASSUMED_DIM = 64,
    /* A product on the way may have so many times the elements of inputs and output, and some more. */
    MAX_GROWTH = 16,
    SMALL_PRODUCT = 4096,
};

/* Inputs, and products that have taken the place of two of them. */
typedef struct Terms {
    int n;
    Value *values[MAX_TERMS];
    Labels labels[MAX_TERMS], output;
} Terms;

/* --- diagonals --- */

/* The first label that stands several times; -1: none. */
static int repeated(const Labels *labels) {
    for (int i = 1; i < labels->n; i++)
        if (memchr(labels->at, labels->at[i], (size_t)i))
            return labels->at[i];
    return -1;
}

/* Whether all dimensions of the label are one number, as there must be for a diagonal. */
static bool has_one_dim(const Labels *labels, const Shape *shape, uint8_t label, int64_t *dim) {
    *dim = DIM_UNKNOWN;
    for (int i = 0; i < labels->n; i++) {
        if (labels->at[i] != label)
            continue;
        if (shape->dims[i] <= 0 || shape->dims[i] >= INT32_MAX ||
            (*dim != DIM_UNKNOWN && *dim != shape->dims[i]))
            return false;
        *dim = shape->dims[i];
    }
    return true;
}

static bool read_term(const Node *node, int port, Terms *terms) {
    Labels *labels = &terms->labels[port];
    const Value *value = node->inputs[port];
    if (!value || value->type.kind != VALUE_TENSOR)
        return false;
    const Shape *shape = &value->type.shape;
    if (!dtype_is_float(value->type.dtype) || shape->rank < 0 ||
        !einsum_labels(node, port, shape->rank, labels->at))
        return false;
    terms->values[port] = node->inputs[port];
    labels->n = shape->rank;
    for (int i = 0; i < labels->n; i++) {
        int64_t dim;
        if (shape->dims[i] == 0 || (memchr(labels->at, labels->at[i], (size_t)i) &&
                                    !has_one_dim(labels, shape, labels->at[i], &dim)))
            return false;
    }
    return true;
}

static Status take_diagonals(Lowering *in, Terms *terms) {
    for (int i = 0; i < terms->n; i++) {
        in->values[0] = terms->values[i];
        in->operands[0] = terms->labels[i];
        for (int label; (label = repeated(&in->operands[0])) >= 0;) {
            int64_t dim;
            if (!has_one_dim(&in->operands[0], &in->values[0]->type.shape, (uint8_t)label, &dim))
                return STRIDER_OK; /* it was asked before: not reached */
            TRY(einsum_diagonal(in, 0, (uint8_t)label, dim));
        }
        terms->values[i] = in->values[0];
        terms->labels[i] = in->operands[0];
    }
    return STRIDER_OK;
}

/* --- the order of products --- */

static bool is_needed(const Terms *terms, int first, int second, uint8_t label) {
    for (int i = 0; i < terms->n; i++)
        if (i != first && i != second && has(&terms->labels[i], label))
            return true;
    return has(&terms->output, label);
}

static int64_t assumed_dim(const Terms *terms, int term, int i) {
    const int64_t dim = terms->values[term]->type.shape.dims[i];
    return dim < 0 ? ASSUMED_DIM : dim;
}

static int64_t assumed_elements(const Terms *terms, int term) {
    int64_t count = 1;
    for (int i = 0; i < terms->labels[term].n; i++)
        count = i64_product(count, assumed_dim(terms, term, i));
    return count;
}

static int64_t assumed_output(const Terms *terms) {
    int64_t dims[EINSUM_MAX_LABELS] = {0}, count = 1;
    for (int term = 0; term < terms->n; term++)
        for (int i = 0; i < terms->labels[term].n; i++)
            dims[terms->labels[term].at[i]] = assumed_dim(terms, term, i);
    for (int i = 0; i < terms->output.n; i++)
        count = i64_product(count, dims[terms->output.at[i]]);
    return count;
}

/* What the product of two terms keeps, and how many elements it has; false where it has too many dimensions.
 */
static bool product_of(const Terms *terms, int first, int second, Labels *kept, int64_t *elements) {
    *kept = (Labels){0};
    *elements = 1;
    for (int side = 0; side < 2; side++) {
        const int term = side ? second : first;
        for (int i = 0; i < terms->labels[term].n; i++) {
            const uint8_t label = terms->labels[term].at[i];
            if (has(kept, label) || !is_needed(terms, first, second, label))
                continue;
            if (kept->n == MAX_RANK)
                return false;
            append(kept, label);
            *elements = i64_product(*elements, assumed_dim(terms, term, i));
        }
    }
    return true;
}

typedef struct Pair {
    int first, second;
    Labels kept;
    int64_t elements;
} Pair;

static bool smallest_pair(const Terms *terms, Pair *best) {
    bool found = false;
    for (int i = 0; i < terms->n; i++)
        for (int k = i + 1; k < terms->n; k++) {
            Pair pair = {.first = i, .second = k};
            if (!product_of(terms, i, k, &pair.kept, &pair.elements) ||
                (found && pair.elements >= best->elements))
                continue;
            *best = pair;
            found = true;
        }
    return found;
}

/* *done is false where the product is none of ONNX's operators. */
static Status multiply_pair(Lowering *in, Terms *terms, const Pair *pair, bool *done) {
    const bool is_last = terms->n == 2;
    Value *result;
    in->values[0] = terms->values[pair->first];
    in->values[1] = terms->values[pair->second];
    in->operands[0] = terms->labels[pair->first];
    in->operands[1] = terms->labels[pair->second];
    in->output = pair->kept;
    in->output = is_last ? terms->output : einsum_by_owner(in);
    const Labels made = in->output;
    TRY(einsum_product(in, &result));
    *done = result != NULL;
    if (!*done)
        return STRIDER_OK;
    terms->values[pair->first] = result;
    terms->labels[pair->first] = made;
    terms->n--;
    terms->values[pair->second] = terms->values[terms->n];
    terms->labels[pair->second] = terms->labels[terms->n];
    return STRIDER_OK;
}

static Status multiply_all(Lowering *in, Terms *terms, bool *done) {
    int64_t elements = assumed_output(terms);
    Pair pair;
    for (int i = 0; i < terms->n; i++)
        elements = i64_sum(elements, assumed_elements(terms, i));
    const int64_t bound = i64_sum(i64_product(elements, MAX_GROWTH), SMALL_PRODUCT);
    for (*done = true; *done && terms->n > 1;) {
        *done = smallest_pair(terms, &pair) && (terms->n == 2 || pair.elements <= bound);
        if (*done)
            TRY(multiply_pair(in, terms, &pair, done));
    }
    return STRIDER_OK;
}

/* --- one node --- */

static Status finish_one(Lowering *in, const Terms *terms, Value **result) {
    Labels summed = {0};
    in->values[0] = terms->values[0];
    in->operands[0] = terms->labels[0];
    for (int i = 0; i < terms->labels[0].n; i++)
        if (!has(&terms->output, terms->labels[0].at[i]))
            append(&summed, terms->labels[0].at[i]);
    TRY(einsum_reduce(in, 0, &summed));
    TRY(einsum_transpose(in, 0, &terms->output));
    *result = in->values[0];
    return STRIDER_OK;
}

static bool read_terms(const Node *node, Terms *terms) {
    const Value *y = node->outputs[0];
    *terms = (Terms){.n = node->n_inputs};
    if (node->n_inputs > MAX_TERMS || !y || y->type.kind != VALUE_TENSOR || y->type.shape.rank < 0 ||
        !einsum_labels(node, -1, y->type.shape.rank, terms->output.at))
        return false;
    terms->output.n = y->type.shape.rank;
    for (int i = 0; i < node->n_inputs; i++)
        if (!read_term(node, i, terms))
            return false;
    for (int i = 0; i < terms->output.n; i++) { /* an ellipsis of the output that no input has */
        bool found = false;
        for (int k = 0; k < terms->n; k++)
            found = found || has(&terms->labels[k], terms->output.at[i]);
        if (!found)
            return false;
    }
    return true;
}

static Status lower(Graph *graph, Node *node, Error *err) {
    Lowering in = {.graph = graph, .node = node, .err = err};
    Value *result = NULL;
    Terms terms;
    bool done;
    if (!read_terms(node, &terms))
        return STRIDER_OK;
    TRY(take_diagonals(&in, &terms));
    TRY(multiply_all(&in, &terms, &done));
    if (done)
        TRY(finish_one(&in, &terms, &result));
    if (!result || result == node->inputs[0])
        return STRIDER_OK;
    absorb(result->producer, node);
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
