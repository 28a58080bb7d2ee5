/* SPDX-License-Identifier: Apache-2.0 */
/* From the last product of the pattern back to q, k, v and the masks. */
#include "optimize/attention_pattern.h"

#include <math.h>
#include <string.h>

#include "ops/math/binary.h"
#include "ops/math/softmax.h"
#include "ops/tensor/transpose.h"

static bool take(AttentionPattern *pattern, Node *node) {
    if (pattern->n_parts == ATTENTION_PARTS)
        return false;
    pattern->parts[pattern->n_parts++] = node;
    return true;
}

/* Whether two dimensions are the same as far as names tell. */
static bool same_dim(int64_t a, int64_t b) {
    return a == b && a != DIM_UNKNOWN;
}

bool same_shape(const Shape *a, const Shape *b) {
    bool same = a->rank >= 0 && a->rank == b->rank;
    for (int i = 0; same && i < a->rank; i++)
        same = same_dim(a->dims[i], b->dims[i]);
    return same;
}

/* --- scales --- */

/* What a Mul or Div by one constant, of a value that it alone reads, is made of. */
static Node *scaled(const Value *value, Value **before, double *factor) {
    Node *node = value->uses == 1 ? value->producer : NULL;
    const bool divides = is_op(node, OP_Div);
    if ((!divides && !is_op(node, OP_Mul)) || ((const BinaryAttrs *)node->attrs)->legacy_broadcast)
        return NULL;
    const int port = scalar_constant(node->inputs[1], factor) ? 0 : 1;
    if (port == 1 && (divides || !scalar_constant(node->inputs[0], factor)))
        return NULL;
    *before = node->inputs[port];
    *factor = divides ? 1 / *factor : *factor;
    return same_shape(&value->type.shape, &(*before)->type.shape) ? node : NULL;
}

/* --- transposes --- */

static void permute(AttentionOperand *operand, const int by[MAX_RANK], int rank) {
    for (int i = 0; i < rank; i++)
        operand->perm[i] = by[operand->perm[i]];
}

/* Whether a Transpose of three dimensions swaps the last two. */
static bool swaps_last(const Node *transpose) {
    int perm[MAX_RANK];
    if (transpose->inputs[0]->type.shape.rank != 3)
        return false;
    transpose_perm(transpose->attrs, 3, perm);
    return perm[0] == 0 && perm[1] == 2;
}

/* Whether both shapes have the same last dimensions, `count` of them. */
static bool same_end(const Shape *a, const Shape *b, int count) {
    bool same = a->rank >= count && b->rank >= count;
    for (int i = 1; same && i <= count; i++)
        same = same_dim(a->dims[a->rank - i], b->dims[b->rank - i]);
    return same;
}

/* How torch writes a Transpose of the last two dimensions: a Reshape to three, their Transpose, and a Reshape
 * back, the first of which may be gone with another one before it. */
static bool before_reshapes(AttentionPattern *pattern, AttentionOperand *operand) {
    const Value *value = operand->value;
    Node *last = made_by(value, OP_Reshape),
         *transpose = last ? made_by(last->inputs[0], OP_Transpose) : NULL;
    if (!transpose || !swaps_last(transpose) || pattern->rank <= 3 ||
        !same_end(&transpose->outputs[0]->type.shape, &value->type.shape, 2))
        return false;
    Value *before = transpose->inputs[0];
    Node *first = made_by(before, OP_Reshape);
    Shape shape = value->type.shape;
    shape.dims[shape.rank - 1] = value->type.shape.dims[shape.rank - 2];
    shape.dims[shape.rank - 2] = value->type.shape.dims[shape.rank - 1];
    operand->reshaped = !first || !same_shape(&first->inputs[0]->type.shape, &shape);
    operand->value = operand->reshaped ? before : first->inputs[0];
    operand->shape = shape;
    return take(pattern, last) && take(pattern, transpose) && (operand->reshaped || take(pattern, first));
}

/* One step before the operand's value; false where there is none. */
static bool step_back(AttentionPattern *pattern, AttentionOperand *operand) {
    Value *before;
    double factor;
    int perm[MAX_RANK];
    if (operand->reshaped)
        return false;
    Node *node = scaled(operand->value, &before, &factor);
    if (node) {
        operand->scale *= factor;
        operand->value = before;
        return take(pattern, node);
    }
    node = made_by(operand->value, OP_Transpose);
    if (node) {
        transpose_perm(node->attrs, pattern->rank, perm);
        permute(operand, perm, pattern->rank);
        operand->value = node->inputs[0];
        return take(pattern, node);
    }
    if (!before_reshapes(pattern, operand))
        return false;
    for (int i = 0; i < pattern->rank; i++)
        perm[i] = i;
    perm[pattern->rank - 1] = pattern->rank - 2;
    perm[pattern->rank - 2] = pattern->rank - 1;
    permute(operand, perm, pattern->rank);
    return true;
}

/* Whether a permutation is that of an order, with the last two dimensions swapped of a transposed matrix. */
static bool is_order(const int *perm, int rank, AttentionOrder order, bool transposed) {
    int wanted[MAX_RANK];
    for (int i = 0; i < rank; i++)
        wanted[i] = i;
    if (order == ATTENTION_ROWS_FIRST) {
        wanted[rank - 3] = rank - 2;
        wanted[rank - 2] = rank - 3;
    }
    if (transposed) {
        const int last = wanted[rank - 1];
        wanted[rank - 1] = wanted[rank - 2];
        wanted[rank - 2] = last;
    }
    return memcmp(perm, wanted, (size_t)rank * sizeof *perm) == 0;
}

/* Goes back from an operand of a product as far as what is found lies in one of Attention's orders; of all
 * that, takes the nodes after it.  False where nothing does. */
static bool match_operand(AttentionPattern *pattern, Value *value, int port) {
    AttentionOperand operand = {.value = value, .scale = 1}, best = {.value = NULL};
    for (int i = 0; i < pattern->rank; i++)
        operand.perm[i] = i;
    do {
        for (int order = ATTENTION_HEADS_FIRST; order <= (int)ATTENTION_ROWS_FIRST; order++)
            if (is_order(operand.perm, pattern->rank, (AttentionOrder)order, port == ATTENTION_K)) {
                best = operand;
                best.n_parts = pattern->n_parts;
                pattern->order[port] = (AttentionOrder)order;
            }
    } while (step_back(pattern, &operand));
    if (!best.value)
        return false;
    pattern->n_parts = best.n_parts;
    pattern->scale *= best.scale;
    pattern->operands[port] = best;
    return true;
}

/* --- the pattern --- */

/* The product of q and k, at any scale. */
static bool match_product(AttentionPattern *pattern, Value *value) {
    Value *before;
    double factor;
    for (Node *node; (node = scaled(value, &before, &factor)); value = before) {
        pattern->scale *= factor;
        if (!take(pattern, node))
            return false;
    }
    Node *product = made_by(value, OP_MatMul);
    return product && !product->n_post_ops && product->inputs[0] != product->inputs[1] &&
           product->inputs[0]->type.shape.rank == pattern->rank &&
           product->inputs[1]->type.shape.rank == pattern->rank && take(pattern, product) &&
           match_operand(pattern, product->inputs[0], ATTENTION_Q) &&
           match_operand(pattern, product->inputs[1], ATTENTION_K);
}

/* Whether Attention takes it as a mask of these scores: it has their keys, is not larger, and its batches,
 * which are all dimensions before the last three, are the last ones of the scores' or none. */
static bool is_mask(const Value *mask, const Value *scores) {
    const Shape *shape = &mask->type.shape, *all = &scores->type.shape;
    bool repeats = false;
    if (shape->rank < 1 || shape->rank > all->rank || mask->type.dtype != scores->type.dtype)
        return false;
    for (int i = 1; i <= shape->rank; i++) {
        const int64_t size = shape->dims[shape->rank - i], of = all->dims[all->rank - i];
        if (size != 1 && (!same_dim(size, of) || (i > 3 && repeats)))
            return false;
        if (size == 1 && i == 1 && of != 1)
            return false;
        repeats = repeats || (i > 3 && size == 1);
    }
    return true;
}

static bool take_mask(AttentionPattern *pattern, Value *mask) {
    if (pattern->n_masks == ATTENTION_MASKS)
        return false;
    pattern->masks[pattern->n_masks++] = mask;
    return true;
}

/* The value of the scores' shape that an Add's operand is a Reshape of, which leaves their last three
 * dimensions; the operand itself where the sum is not reshaped either. */
static Value *before_sum(AttentionPattern *pattern, Value *operand, const Value *scores, bool is_reshaped) {
    Node *reshape = is_reshaped ? made_by(operand, OP_Reshape) : NULL;
    if (!is_reshaped)
        return same_shape(&operand->type.shape, &scores->type.shape) ? operand : NULL;
    return reshape && same_shape(&reshape->inputs[0]->type.shape, &scores->type.shape) &&
                   same_end(&operand->type.shape, &scores->type.shape, 3) && take(pattern, reshape)
               ? reshape->inputs[0]
               : NULL;
}

/* The product with masks added, each perhaps between Reshapes that take the batch apart. */
static bool match_scores(AttentionPattern *pattern, Value *scores) { // NOLINT(misc-no-recursion)
    Node *add = made_by(scores, OP_Add), *reshape = add ? NULL : made_by(scores, OP_Reshape);
    add = reshape ? made_by(reshape->inputs[0], OP_Add) : add;
    if (!add || ((const BinaryAttrs *)add->attrs)->legacy_broadcast)
        return match_product(pattern, scores);
    const AttentionPattern before = *pattern;
    for (int port = 0; port < 2; port++) {
        Value *operand = add->inputs[port], *mask = add->inputs[1 - port];
        if (is_mask(mask, operand) && take_mask(pattern, mask) && take(pattern, add) &&
            (!reshape || take(pattern, reshape))) {
            Value *next = before_sum(pattern, operand, scores, reshape != NULL);
            if (next && match_scores(pattern, next))
                return true;
        }
        *pattern = before;
    }
    return false;
}

/* Where(IsNaN(p), 0, p): p itself, without the NaN of rows that see nothing. */
static Node *match_guard(AttentionPattern *pattern, const Value *value) {
    Node *where = made_by(value, OP_Where), *is_nan = where ? made_by(where->inputs[0], OP_IsNaN) : NULL;
    double zero;
    if (!is_nan || is_nan->inputs[0] != where->inputs[2] || is_nan->inputs[0]->uses != 2 ||
        !scalar_constant(where->inputs[1], &zero) || zero != 0 || !take(pattern, where) ||
        !take(pattern, is_nan))
        return NULL;
    pattern->nan_where_none = false;
    Node *softmax = is_nan->inputs[0]->producer;
    return is_op(softmax, OP_Softmax) ? softmax : NULL;
}

static bool is_over_last(const Node *softmax, int rank) {
    const SoftmaxAttrs *attrs = softmax->attrs;
    return attrs->axis == rank - 1 || attrs->axis == -1;
}

/* A Transpose after the product that swaps heads and rows. */
static void match_result(AttentionPattern *pattern) {
    Node *next = only_reader(pattern->last->outputs[0]);
    int perm[MAX_RANK];
    if (!is_op(next, OP_Transpose))
        return;
    transpose_perm(next->attrs, pattern->rank, perm);
    if (!is_order(perm, pattern->rank, ATTENTION_ROWS_FIRST, false))
        return;
    pattern->y_order = ATTENTION_ROWS_FIRST;
    pattern->last = next;
}

bool attention_pattern_match(Node *product, AttentionPattern *pattern) {
    if (!is_op(product, OP_MatMul) || product->n_post_ops || !product->outputs[0] ||
        !dtype_is_float(product->outputs[0]->type.dtype))
        return false;
    const int rank = product->outputs[0]->type.shape.rank;
    *pattern = (AttentionPattern){.rank = rank, .scale = 1, .nan_where_none = true, .last = product};
    if (rank < 3 || product->inputs[0]->type.shape.rank != rank ||
        product->inputs[1]->type.shape.rank != rank || product->inputs[0] == product->inputs[1])
        return false;
    match_result(pattern);
    if (pattern->last != product)
        take(pattern, pattern->last);
    take(pattern, product);
    Node *softmax = made_by(product->inputs[0], OP_Softmax);
    softmax = softmax ? softmax : match_guard(pattern, product->inputs[0]);
    return softmax && is_over_last(softmax, rank) && take(pattern, softmax) &&
           match_scores(pattern, softmax->inputs[0]) &&
           match_operand(pattern, product->inputs[1], ATTENTION_V) && pattern->scale == pattern->scale;
}
