/* SPDX-License-Identifier: Apache-2.0 */
/* What an Einsum is made of while it is lowered: tensors whose dimensions have labels. */
#ifndef OPTIMIZE_EINSUM_TERMS_H
#define OPTIMIZE_EINSUM_TERMS_H

#include <string.h>

#include "ops/math/einsum.h"
#include "optimize/rewrite.h"

/* Labels in the order of dimensions. */
typedef struct Labels {
    int n;
    uint8_t at[MAX_RANK];
} Labels;

/* A product of two terms, or one term, and the labels that its result shall have. */
typedef struct Lowering {
    Graph *graph;
    const Node *node;
    Value *values[2];
    Labels operands[2], output;
    Error *err;
} Lowering;

static inline bool has(const Labels *labels, uint8_t label) {
    return memchr(labels->at, label, (size_t)labels->n) != NULL;
}

static inline void append(Labels *labels, uint8_t label) {
    labels->at[labels->n++] = label;
}

/* Sums an operand over some of its labels. */
Status einsum_reduce(Lowering *in, int operand, const Labels *summed) MUST_CHECK;
/* Gives an operand's labels another order. */
Status einsum_transpose(Lowering *in, int operand, const Labels *order) MUST_CHECK;
/* *value becomes that of an operator with a list of integers as its second input. */
Status einsum_with_integers(Lowering *in, const char *op, const int64_t *integers, int n,
                            Value **value) MUST_CHECK;
/* Leaves of a label that an operand has twice the diagonal of its first two dimensions, which are `dim`. */
Status einsum_diagonal(Lowering *in, int operand, uint8_t label, int64_t dim) MUST_CHECK;

/* The product of both operands, summed over what the output has not; *result is NULL where no operators of
 * ONNX fit. */
Status einsum_product(Lowering *in, Value **result) MUST_CHECK;
/* The output's labels of both operands, then those of one, then of the other: as a product needs no further
 * Transpose for. */
Labels einsum_by_owner(const Lowering *in);

#endif
