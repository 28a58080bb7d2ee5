/* SPDX-License-Identifier: Apache-2.0 */
#include "optimize/einsum_terms.h"

#include "base/size.h"

Status einsum_reduce(Lowering *in, int operand, const Labels *summed) {
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

Status einsum_transpose(Lowering *in, int operand, const Labels *order) {
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

Status einsum_with_integers(Lowering *in, const char *op, const int64_t *integers, int n, Value **value) {
    Value *inputs[2] = {*value};
    TRY(add_integers(in->graph, "dims", integers, n, &inputs[1], in->err));
    return add_stated(in->graph, in->node, op, NULL, 0, inputs, 2, value, in->err);
}

/* The first two dimensions of the label lie last, as one, of which every (n + 1)th element is taken. */
static Status merge_two(Lowering *in, int operand, uint8_t label, int64_t dim) {
    const Labels before = in->operands[operand];
    Labels order = {0};
    int64_t shape[MAX_RANK], perm[MAX_RANK];
    int n = 0, found = 0, places[2] = {0};
    for (int i = 0; i < before.n; i++)
        if (before.at[i] == label && found < 2) {
            places[found++] = i;
        } else {
            perm[n] = i;
            shape[n++] = 0; /* as it is */
            append(&order, before.at[i]);
        }
    perm[n] = places[0];
    perm[n + 1] = places[1];
    shape[n] = dim * dim;
    append(&order, label);
    in->operands[operand] = order;
    const Attr attr = {.name = "perm", .kind = ATTR_INTS, .ints = perm, .count = (size_t)n + 2};
    Value **value = &in->values[operand];
    TRY(add_stated(in->graph, in->node, "Transpose", &attr, 1, value, 1, value, in->err));
    return einsum_with_integers(in, "Reshape", shape, n + 1, value);
}

Status einsum_diagonal(Lowering *in, int operand, uint8_t label, int64_t dim) {
    Value **value = &in->values[operand], *inputs[5] = {NULL};
    TRY(merge_two(in, operand, label, dim));
    inputs[0] = *value;
    TRY(add_integers(in->graph, "starts", (int64_t[]){0}, 1, &inputs[1], in->err));
    TRY(add_integers(in->graph, "ends", (int64_t[]){dim * dim}, 1, &inputs[2], in->err));
    TRY(add_integers(in->graph, "axes", (int64_t[]){-1}, 1, &inputs[3], in->err));
    TRY(add_integers(in->graph, "steps", (int64_t[]){dim + 1}, 1, &inputs[4], in->err));
    return add_stated(in->graph, in->node, "Slice", NULL, 0, inputs, 5, value, in->err);
}
