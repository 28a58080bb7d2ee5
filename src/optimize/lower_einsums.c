/* SPDX-License-Identifier: Apache-2.0 */
/* Einsum of two inputs that multiplies matrices, each pair of a batch: one letter that is summed over, one of
 * each input alone, and all others in both inputs and the output.  It becomes a MatMul, with Transposes where
 * letters stand in another order.  Dimensions must be the same in both inputs: ones of an Einsum broadcast.
 */
#include <string.h>

#include "ops/math/einsum.h"
#include "ops/math/matmul.h"
#include "ops/tensor/transpose.h"
#include "optimize/rewrite.h"

/* Dimensions of a, b and the output in the order in which MatMul has them. */
typedef struct Product {
    int rank, perm[MATMUL_INPUTS + 1][MAX_RANK];
} Product;

enum { A = MATMUL_A, B = MATMUL_B, Y, N_TERMS };

static int place_of(const uint8_t *labels, int rank, int label) {
    for (int i = 0; i < rank; i++)
        if (labels[i] == label)
            return i;
    return -1;
}

/* Labels of all terms, of which each has one once. */
static bool read_labels(const Node *node, int rank, uint8_t labels[N_TERMS][MAX_RANK]) {
    for (int term = A; term < N_TERMS; term++) {
        const Value *value = term == Y ? node->outputs[0] : node->inputs[term];
        if (value->type.shape.rank != rank || !einsum_labels(node, term, rank, labels[term]))
            return false;
        for (int i = 0; i < rank; i++)
            if (place_of(labels[term], rank, labels[term][i]) != i)
                return false;
    }
    return true;
}

/* Puts a label at a place of the product's terms, which lack it where its place there is -1. */
static void put(Product *product, const uint8_t labels[N_TERMS][MAX_RANK], int label, int in_a, int in_b,
                int in_y) {
    const int to[] = {in_a, in_b, in_y};
    for (int term = A; term < N_TERMS; term++)
        if (to[term] >= 0)
            product->perm[term][to[term]] = place_of(labels[term], product->rank, label);
}

static bool match(const Node *node, Product *product) {
    uint8_t labels[N_TERMS][MAX_RANK];
    if (!is_op(node, OP_Einsum) || node->n_inputs != 2 || !node->outputs[0] ||
        !dtype_is_float(node->outputs[0]->type.dtype))
        return false;
    const int rank = node->outputs[0]->type.shape.rank;
    *product = (Product){.rank = rank};
    if (rank < 2 || !read_labels(node, rank, labels))
        return false;
    const Shape *a = &node->inputs[A]->type.shape, *b = &node->inputs[B]->type.shape;
    int n_batch = 0, n_rows = 0, n_columns = 0, n_sums = 0;
    for (int i = 0; i < rank; i++) { /* in the output's order */
        const int label = labels[Y][i], at_a = place_of(labels[A], rank, label),
                  at_b = place_of(labels[B], rank, label);
        if (at_a >= 0 && at_b >= 0) {
            if (a->dims[at_a] != b->dims[at_b] || a->dims[at_a] == DIM_UNKNOWN || n_batch == rank - 2)
                return false;
            put(product, labels, label, n_batch, n_batch, n_batch);
            n_batch++;
        } else if (at_a >= 0) {
            put(product, labels, label, rank - 2, -1, rank - 2);
            n_rows++;
        } else {
            put(product, labels, label, -1, rank - 1, rank - 1);
            n_columns++;
        }
    }
    for (int i = 0; i < rank; i++) {
        const int label = labels[A][i], at_b = place_of(labels[B], rank, label);
        if (place_of(labels[Y], rank, label) >= 0)
            continue;
        if (at_b < 0 || a->dims[i] != b->dims[at_b] || a->dims[i] == DIM_UNKNOWN)
            return false;
        put(product, labels, label, rank - 1, rank - 2, -1);
        n_sums++;
    }
    return n_batch == rank - 2 && n_rows == 1 && n_columns == 1 && n_sums == 1;
}

static bool is_identity(const int *perm, int rank) {
    for (int i = 0; i < rank; i++)
        if (perm[i] != i)
            return false;
    return true;
}

static Status add_transpose(Graph *graph, const Node *like, Value *from, Value *to, const int *perm, int rank,
                            Error *err) {
    Node *transpose;
    TRY(graph_add_node(graph, op_find("", "Transpose", 13), like->name, 1, 1, &transpose, err));
    transpose->opset = 13;
    transpose->torch_scope = like->torch_scope;
    transpose->source_index = like->source_index;
    TransposeAttrs *attrs = transpose->attrs;
    attrs->n_perm = rank;
    for (int i = 0; i < rank; i++)
        attrs->perm[i] = perm[i];
    node_set_input(transpose, 0, from);
    node_set_output(transpose, 0, to);
    return STRIDER_OK;
}

/* A value like another one, with its dimension perm[i] as dimension i. */
static Status add_permuted(Graph *graph, const Value *like, const int *perm, int rank, Value **value,
                           Error *err) {
    const char *name = NULL;
    TRY(graph_unique_name(graph, like->name, &name, err));
    TRY(graph_add_value(graph, name, value, err));
    (*value)->type = like->type;
    for (int i = 0; i < rank; i++)
        (*value)->type.shape.dims[i] = like->type.shape.dims[perm[i]];
    return STRIDER_OK;
}

static Status replace(Graph *graph, Node *einsum, const Product *product, Error *err) {
    Node *made;
    Value *y = einsum->outputs[0], *result = y, *operands[] = {einsum->inputs[A], einsum->inputs[B]};
    const int rank = product->rank;
    int back[MAX_RANK];
    for (int term = A; term <= B; term++) {
        Value *from = operands[term];
        if (is_identity(product->perm[term], rank))
            continue;
        TRY(add_permuted(graph, from, product->perm[term], rank, &operands[term], err));
        TRY(add_transpose(graph, einsum, from, operands[term], product->perm[term], rank, err));
    }
    TRY(graph_add_node(graph, op_find("", "MatMul", 13), einsum->name, 2, 1, &made, err));
    made->opset = 13;
    made->torch_scope = einsum->torch_scope;
    made->source_index = einsum->source_index;
    graph_remove_node(einsum);
    for (int i = 0; i < rank; i++)
        back[product->perm[Y][i]] = i;
    if (!is_identity(back, rank)) {
        TRY(add_permuted(graph, y, product->perm[Y], rank, &result, err));
        TRY(add_transpose(graph, made, result, y, back, rank, err));
    }
    node_set_input(made, MATMUL_A, operands[A]);
    node_set_input(made, MATMUL_B, operands[B]);
    node_set_output(made, 0, result);
    return STRIDER_OK;
}

Status pass_lower_einsums(Graph *graph, Error *err) {
    const size_t n = graph->n_nodes;
    for (size_t i = 0; i < n; i++) {
        Product product;
        if (match(graph->nodes[i], &product))
            TRY(replace(graph, graph->nodes[i], &product, err));
    }
    graph_compact(graph);
    return graph_sort(graph, err);
}
