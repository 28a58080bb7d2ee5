/* SPDX-License-Identifier: Apache-2.0 */
/* MatMul, as numpy.matmul: a vector on the left is a row, on the right a column, whose dimension is dropped
 * from the result; dimensions before the last two are broadcast.  ONNX MatMul-1, -9 (integers, which wrap
 * around), -13. */
#include "ops/math/matmul.h"

#include <inttypes.h>

#include "base/wrap.h"
#include "ops/post_ops.h"

/* A shape without its last two dimensions; a vector has none. */
static Shape batch_shape(const Shape *shape) {
    return shape_make(shape->rank > 2 ? shape->rank - 2 : 0, shape->dims);
}

Status matmul_infer_shape(InferContext *ctx, int port_a, int port_b) {
    TRY(infer_require_rank(ctx, port_a, 1, -1));
    TRY(infer_require_rank(ctx, port_b, 1, -1));
    const Shape *a = &ctx->inputs[port_a].shape, *b = &ctx->inputs[port_b].shape;
    if (a->rank < 0 || b->rank < 0)
        return STRIDER_OK;
    int64_t a_k = a->dims[a->rank - 1], b_k = b->dims[b->rank > 1 ? b->rank - 2 : 0];
    if (a_k >= 0 && b_k >= 0 && a_k != b_k)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "A has %" PRId64 " columns, but B has %" PRId64 " rows",
                          a_k, b_k);
    Shape a_batch = batch_shape(a), b_batch = batch_shape(b), y;
    TRY(infer_broadcast(ctx, &a_batch, &b_batch, &y));
    if (a->rank > 1)
        y.dims[y.rank++] = a->dims[a->rank - 2];
    if (b->rank > 1)
        y.dims[y.rank++] = b->dims[b->rank - 1];
    ctx->outputs[0].shape = y;
    return STRIDER_OK;
}

static Status matmul_infer(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, MATMUL_A,
                            DTYPES_FLOAT | DTYPES_INDEX | DTYPE_BIT(STRIDER_U32) | DTYPE_BIT(STRIDER_U64)));
    for (int port = MATMUL_B; port < ctx->n_inputs; port++)
        TRY(infer_require_same_dtype(ctx, MATMUL_A, port));
    ctx->outputs[0].dtype = ctx->inputs[MATMUL_A].dtype;
    return matmul_infer_shape(ctx, MATMUL_A, MATMUL_B);
}

MatMulGeometry matmul_geometry(const Shape *a, const Shape *b) {
    MatMulGeometry g = {.batch = 1,
                        .m = a->rank > 1 ? a->dims[a->rank - 2] : 1,
                        .n = b->rank > 1 ? b->dims[b->rank - 1] : 1,
                        .k = a->dims[a->rank - 1]};
    Shape shapes[] = {batch_shape(a), batch_shape(b)};
    g.batch_rank = shapes[0].rank > shapes[1].rank ? shapes[0].rank : shapes[1].rank;
    int64_t strides[] = {1, 1};
    for (int i = g.batch_rank - 1; i >= 0; i--) {
        int64_t dims[2];
        for (int j = 0; j < 2; j++) {
            int at = i - (g.batch_rank - shapes[j].rank);
            dims[j] = at >= 0 ? shapes[j].dims[at] : 1;
        }
        g.batch_dims[i] = dims[0] == 1 ? dims[1] : dims[0];
        g.a_strides[i] = dims[0] == 1 ? 0 : strides[0];
        g.b_strides[i] = dims[1] == 1 ? 0 : strides[1];
        strides[0] *= dims[0];
        strides[1] *= dims[1];
        g.batch *= g.batch_dims[i];
    }
    return g;
}

void matmul_operands(const MatMulGeometry *g, int64_t index, int64_t *a, int64_t *b) {
    *a = *b = 0;
    for (int i = g->batch_rank - 1; i >= 0; i--) {
        int64_t at = index % g->batch_dims[i];
        index /= g->batch_dims[i];
        *a += at * g->a_strides[i];
        *b += at * g->b_strides[i];
    }
}

typedef struct MatMulOperands {
    double *a, *b;
} MatMulOperands;

static void multiply(const EvalContext *ctx, const MatMulGeometry *g, const MatMulOperands *in) {
    int64_t index = 0;
    for (int64_t i = 0; i < g->batch; i++) {
        int64_t a_at, b_at;
        matmul_operands(g, i, &a_at, &b_at);
        const double *a = in->a + a_at * g->m * g->k, *b = in->b + b_at * g->k * g->n;
        for (int64_t m = 0; m < g->m; m++)
            for (int64_t n = 0; n < g->n; n++, index++) {
                double sum = 0;
                for (int64_t k = 0; k < g->k; k++)
                    sum += a[m * g->k + k] * b[k * g->n + n];
                tensor_set_f64(ctx->outputs[0], index, eval_post_ops(ctx, index, sum));
            }
    }
}

static void multiply_integers(const MatMulGeometry *g, const Tensor *a, const Tensor *b, Tensor *y) {
    int64_t index = 0;
    for (int64_t i = 0; i < g->batch; i++) {
        int64_t a_at, b_at;
        matmul_operands(g, i, &a_at, &b_at);
        for (int64_t m = 0; m < g->m; m++)
            for (int64_t n = 0; n < g->n; n++, index++) {
                uint64_t sum = 0;
                for (int64_t k = 0; k < g->k; k++)
                    sum = wrap_add(sum, wrap_mul(tensor_get_bits(a, (a_at * g->m + m) * g->k + k),
                                                 tensor_get_bits(b, (b_at * g->k + k) * g->n + n)));
                tensor_set_bits(y, index, sum);
            }
    }
}

static Status matmul_reference(EvalContext *ctx) {
    const Tensor *a = ctx->inputs[MATMUL_A], *b = ctx->inputs[MATMUL_B];
    MatMulGeometry geometry = matmul_geometry(&a->type.shape, &b->type.shape);
    if (!dtype_is_float(a->type.dtype)) {
        multiply_integers(&geometry, a, b, ctx->outputs[0]);
        return STRIDER_OK;
    }
    MatMulOperands operands = {0};
    TRY(eval_load_doubles(ctx, MATMUL_A, &operands.a));
    TRY(eval_load_doubles(ctx, MATMUL_B, &operands.b));
    multiply(ctx, &geometry, &operands);
    return STRIDER_OK;
}

static Bytes matmul_scratch(const Node *node, const Type *inputs, const Type *outputs) {
    return dtype_is_float(inputs[MATMUL_A].dtype) ? scratch_of_inputs(node, inputs, outputs) : (Bytes){0};
}

static uint64_t matmul_macs(const Node *node, const Type *inputs, const Type *outputs) {
    (void)node;
    const Shape *a = &inputs[MATMUL_A].shape;
    return (uint64_t)count_of(shape_elements(&outputs[0].shape), a->dims[a->rank - 1]);
}

const Op op_matmul = {
    OP_NAMED(MatMul),
    .since = 1,
    .inputs = {2, MATMUL_INPUTS},
    .outputs = {1, 1},
    .infer = matmul_infer,
    .reference = matmul_reference,
    .scratch = matmul_scratch,
    .macs = matmul_macs,
    .channel_axis = -1,
    .flags = OP_POST_OPS,
};
