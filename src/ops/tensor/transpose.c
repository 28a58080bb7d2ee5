/* SPDX-License-Identifier: Apache-2.0 */
/* Transpose (ONNX 1, 13): output dimension i is input dimension perm[i]. */
#include "ops/tensor/transpose.h"

#include <string.h>

static Status transpose_parse(ParseContext *ctx, void *attrs_) {
    TransposeAttrs *attrs = attrs_;
    unsigned seen = 0;
    TRY(parse_ints(ctx, "perm", attrs->perm, MAX_RANK, &attrs->n_perm));
    for (int i = 0; i < attrs->n_perm; i++) {
        int64_t axis = attrs->perm[i] < 0 ? attrs->perm[i] + attrs->n_perm : attrs->perm[i];
        if (axis < 0 || axis >= attrs->n_perm || (seen >> axis & 1))
            return parse_fail(ctx, STRIDER_BAD_MODEL, "perm is not a permutation");
        attrs->perm[i] = axis;
        seen |= 1u << axis;
    }
    return STRIDER_OK;
}

void transpose_perm(const TransposeAttrs *attrs, int rank, int perm[MAX_RANK]) {
    const bool is_listed = attrs->form == TRANSPOSE_BY_PERM, is_matrix = attrs->form == TRANSPOSE_MATRIX;
    /* Dimensions before this one move up by one, and the first one comes after them. */
    const int moved = attrs->form == TRANSPOSE_BATCH ? rank - 2 : is_matrix ? 0 : rank - 1;
    for (int i = 0; i < rank; i++)
        perm[i] = is_listed                  ? attrs->n_perm < 0 ? rank - 1 - i : (int)attrs->perm[i]
                                   : i < moved ? i + 1
                  : i == moved && !is_matrix ? 0
                                             : i;
    if (is_matrix && rank >= 2) {
        perm[rank - 2] = rank - 1;
        perm[rank - 1] = rank - 2;
    }
}

static Status transpose_infer(InferContext *ctx) {
    const TransposeAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[0].shape;
    int perm[MAX_RANK];
    ctx->outputs[0].dtype = ctx->inputs[0].dtype;
    if (x->rank < 0)
        return STRIDER_OK;
    if (attrs->n_perm >= 0 && attrs->n_perm != x->rank)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "perm has %d entries, the input has rank %d", attrs->n_perm,
                          x->rank);
    transpose_perm(attrs, x->rank, perm);
    ctx->outputs[0].shape.rank = x->rank;
    for (int i = 0; i < x->rank; i++)
        ctx->outputs[0].shape.dims[i] = x->dims[perm[i]];
    return STRIDER_OK;
}

static Status transpose_reference(EvalContext *ctx) {
    const Tensor *x = ctx->inputs[0];
    const Shape *out = &ctx->outputs[0]->type.shape;
    int64_t strides[MAX_RANK], counters[MAX_RANK] = {0}, from = 0, count = tensor_elements(x);
    int perm[MAX_RANK];
    shape_strides(&x->type.shape, strides);
    transpose_perm(eval_attrs(ctx), out->rank, perm);
    DISPATCH_BY_SIZE(dtype_size(x->type.dtype), T, {
        const T *source = x->data;
        T *target = ctx->outputs[0]->data;
        for (int64_t i = 0; i < count; i++) {
            target[i] = source[from];
            for (int d = out->rank - 1; d >= 0; d--) {
                from += strides[perm[d]];
                if (++counters[d] < out->dims[d])
                    break;
                from -= strides[perm[d]] * out->dims[d];
                counters[d] = 0;
            }
        }
    })
    return STRIDER_OK;
}

const Op op_transpose = {
    OP_NAMED(Transpose),
    .since = 1,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(TransposeAttrs),
    .parse = transpose_parse,
    .infer = transpose_infer,
    .reference = transpose_reference,
    .flags = OP_STRINGS,
};
