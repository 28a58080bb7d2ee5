/* SPDX-License-Identifier: Apache-2.0 */
/* Gemm: Y = alpha A' B' + beta C, where A' is A or its transpose [M, K] and B' likewise [K, N].  ONNX Gemm-1
 * and -6 (C is broadcast where the attribute says so), -7 (C is always broadcast, as in NumPy, to [M, N]), -9
 * (integers, which wrap around unless they are scaled), -11 (C is optional), -13.  What the old attribute
 * forbids is only a C of another shape, which broadcasting computes as meant: it is not looked at.  C is not
 * looked at either where beta is 0, as in BLAS and PyTorch. */
#include "ops/math/gemm.h"

#include <inttypes.h>

#include "base/wrap.h"
#include "ops/post_ops.h"

static Status gemm_parse(ParseContext *ctx, void *attrs_) {
    GemmAttrs *attrs = attrs_;
    TRY(parse_float(ctx, "alpha", 1, &attrs->alpha));
    TRY(parse_float(ctx, "beta", 1, &attrs->beta));
    TRY(parse_bool(ctx, "transA", false, &attrs->trans_a));
    return parse_bool(ctx, "transB", false, &attrs->trans_b);
}

static Status check_c(InferContext *ctx, int port_c, const Shape *y) {
    TRY(infer_require_rank(ctx, port_c, 0, 2));
    if (!infer_has_input(ctx, port_c))
        return STRIDER_OK;
    const Shape *c = &ctx->inputs[port_c].shape;
    for (int i = 1; i <= c->rank; i++) {
        int64_t have = c->dims[c->rank - i], want = y->dims[2 - i];
        if (have >= 0 && want >= 0 && have != 1 && have != want)
            return infer_fail(ctx, STRIDER_BAD_MODEL,
                              "C has %" PRId64 " values where the product has %" PRId64, have, want);
    }
    return STRIDER_OK;
}

Status gemm_infer_shape(InferContext *ctx, int port_a, int port_b, int port_c) {
    const GemmAttrs *attrs = infer_attrs(ctx);
    TRY(infer_require_rank(ctx, port_a, 2, 2));
    TRY(infer_require_rank(ctx, port_b, 2, 2));
    const Shape *a = &ctx->inputs[port_a].shape, *b = &ctx->inputs[port_b].shape;
    Shape y = {.rank = 2, .dims = {DIM_UNKNOWN, DIM_UNKNOWN}};
    int64_t a_k = DIM_UNKNOWN, b_k = DIM_UNKNOWN;
    if (a->rank == 2) {
        y.dims[0] = a->dims[attrs->trans_a];
        a_k = a->dims[!attrs->trans_a];
    }
    if (b->rank == 2) {
        y.dims[1] = b->dims[!attrs->trans_b];
        b_k = b->dims[attrs->trans_b];
    }
    if (a_k >= 0 && b_k >= 0 && a_k != b_k)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "A has %" PRId64 " columns%s, but B has %" PRId64 " rows%s",
                          a_k, attrs->trans_a ? " (transposed)" : "", b_k,
                          attrs->trans_b ? " (transposed)" : "");
    TRY(check_c(ctx, port_c, &y));
    ctx->outputs[0].shape = y;
    return STRIDER_OK;
}

static Status gemm_infer(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, GEMM_A,
                            DTYPES_FLOAT | DTYPES_INDEX | DTYPE_BIT(STRIDER_U32) | DTYPE_BIT(STRIDER_U64)));
    for (int port = GEMM_B; port < ctx->n_inputs; port++)
        TRY(infer_require_same_dtype(ctx, GEMM_A, port));
    ctx->outputs[0].dtype = ctx->inputs[GEMM_A].dtype;
    return gemm_infer_shape(ctx, GEMM_A, GEMM_B, GEMM_C);
}

GemmGeometry gemm_geometry(const GemmAttrs *attrs, const Shape *a, const Shape *b, const Shape *c) {
    GemmGeometry g = {
        .m = a->dims[attrs->trans_a], .n = b->dims[!attrs->trans_b], .k = a->dims[!attrs->trans_a]};
    if (c && c->rank >= 1 && c->dims[c->rank - 1] != 1)
        g.c_column = 1;
    if (c && c->rank == 2 && c->dims[0] != 1)
        g.c_row = c->dims[1];
    return g;
}

GemmStrides gemm_strides(const GemmAttrs *attrs, const GemmGeometry *g) {
    return (GemmStrides){.a_row = attrs->trans_a ? 1 : g->k,
                         .a_column = attrs->trans_a ? g->m : 1,
                         .b_row = attrs->trans_b ? 1 : g->n,
                         .b_column = attrs->trans_b ? g->k : 1};
}

typedef struct GemmOperands {
    double *a, *b, *c;
} GemmOperands;

static void multiply(const EvalContext *ctx, const GemmGeometry *g, const GemmOperands *in) {
    const GemmAttrs *attrs = eval_attrs(ctx);
    const GemmStrides s = gemm_strides(attrs, g);
    double alpha = (double)attrs->alpha, beta = (double)attrs->beta;
    for (int64_t m = 0; m < g->m; m++)
        for (int64_t n = 0; n < g->n; n++) {
            double sum = 0;
            for (int64_t k = 0; k < g->k; k++)
                sum += in->a[m * s.a_row + k * s.a_column] * in->b[k * s.b_row + n * s.b_column];
            sum *= alpha;
            if (in->c)
                sum += beta * in->c[m * g->c_row + n * g->c_column];
            int64_t index = m * g->n + n;
            tensor_set_f64(ctx->outputs[0], index, eval_post_ops(ctx, index, sum));
        }
}

static void multiply_integers(const EvalContext *ctx, const GemmGeometry *g, const Tensor *c) {
    const Tensor *a = ctx->inputs[GEMM_A], *b = ctx->inputs[GEMM_B];
    const GemmStrides s = gemm_strides(eval_attrs(ctx), g);
    for (int64_t m = 0; m < g->m; m++)
        for (int64_t n = 0; n < g->n; n++) {
            uint64_t sum = c ? tensor_get_bits(c, m * g->c_row + n * g->c_column) : 0;
            for (int64_t k = 0; k < g->k; k++)
                sum = wrap_add(sum, wrap_mul(tensor_get_bits(a, m * s.a_row + k * s.a_column),
                                             tensor_get_bits(b, k * s.b_row + n * s.b_column)));
            tensor_set_bits(ctx->outputs[0], m * g->n + n, sum);
        }
}

static Status gemm_reference(EvalContext *ctx) {
    const GemmAttrs *attrs = eval_attrs(ctx);
    const Tensor *c = eval_input(ctx, GEMM_C);
    GemmGeometry geometry = gemm_geometry(attrs, &ctx->inputs[GEMM_A]->type.shape,
                                          &ctx->inputs[GEMM_B]->type.shape, c ? &c->type.shape : NULL);
    if (!dtype_is_float(ctx->outputs[0]->type.dtype) && attrs->alpha == 1 && attrs->beta == 1) {
        multiply_integers(ctx, &geometry, c);
        return STRIDER_OK;
    }
    GemmOperands operands = {0};
    TRY(eval_load_doubles(ctx, GEMM_A, &operands.a));
    TRY(eval_load_doubles(ctx, GEMM_B, &operands.b));
    if (attrs->beta != 0)
        TRY(eval_load_doubles(ctx, GEMM_C, &operands.c));
    multiply(ctx, &geometry, &operands);
    return STRIDER_OK;
}

static uint64_t gemm_macs(const Node *node, const Type *inputs, const Type *outputs) {
    const GemmAttrs *attrs = node->attrs;
    return (uint64_t)count_of(shape_elements(&outputs[0].shape), inputs[GEMM_A].shape.dims[!attrs->trans_a]);
}

const Op op_gemm = {
    OP_NAMED(Gemm),
    .since = 1,
    .inputs = {2, GEMM_INPUTS},
    .outputs = {1, 1},
    .attrs_size = sizeof(GemmAttrs),
    .parse = gemm_parse,
    .infer = gemm_infer,
    .reference = gemm_reference,
    .scratch = scratch_of_inputs,
    .macs = gemm_macs,
    .channel_axis = -1,
    .flags = OP_POST_OPS,
    .ignores = {"broadcast"},
};
