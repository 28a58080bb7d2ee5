/* SPDX-License-Identifier: Apache-2.0 */
/* Gemm and MatMul through cuBLASLt.  A bias and a ReLU are its epilogue where it has one; a residual, other
 * activations and other biases follow in a kernel of our own. */
#include "ops/math/gemm.h"

#include "base/size.h"
#include "ops/cuda/kernels.h"
#include "ops/cuda/product.h"
#include "ops/math/matmul.h"
#include "ops/post_ops.h"

typedef struct CudaGemm {
    CudaProduct product;
    Launch finish;
    struct FinishArgs finish_args;
    bool finishes;
    int bias_port, residual_port; /* -1: none; of the epilogue or of finish */
} CudaGemm;

static void gemm_discard(void *args) {
    CudaGemm *gemm = args;
    product_free(&gemm->product);
}

static Status gemm_submit(const KernelCall *call, Error *err) {
    const CudaGemm *gemm = call->args;
    void *y = call->outputs[0];
    TRY(product_submit(&gemm->product, call->inputs[GEMM_A], call->inputs[GEMM_B], y,
                       gemm->bias_port >= 0 ? call->inputs[gemm->bias_port] : NULL, call->workspace, err));
    if (!gemm->finishes)
        return STRIDER_OK;
    struct FinishArgs args = gemm->finish_args;
    args.data = (KernelData){.in = {y, gemm->bias_port >= 0 ? call->inputs[gemm->bias_port] : NULL,
                                    gemm->residual_port >= 0 ? call->inputs[gemm->residual_port] : NULL},
                             .out = y};
    return cuda_launch(gemm->product.device, &gemm->finish, &args, err);
}

/* DEFAULT where cuBLASLt has none.  Its bias has an element for each column. */
static cublasLtEpilogue_t epilogue_of(const Products *p, const Epilogue *epilogue,
                                      const struct FinishArgs *bias, int bias_port) {
    const bool is_vector =
        (p->n == 1 || bias->bias_column == 1) && (p->m == 1 || bias->bias_row == 0) && bias->bias_scale == 1;
    if (epilogue->residual_port >= 0 || (bias_port >= 0 && !is_vector))
        return CUBLASLT_EPILOGUE_DEFAULT;
    if (epilogue->activation.kind == UNARY_NONE)
        return bias_port >= 0 ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
    if (epilogue->activation.kind == UNARY_RELU)
        return bias_port >= 0 ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU;
    return CUBLASLT_EPILOGUE_DEFAULT;
}

static const char *variant_of(cublasLtEpilogue_t epilogue) {
    return epilogue == CUBLASLT_EPILOGUE_BIAS        ? "cublaslt + bias"
           : epilogue == CUBLASLT_EPILOGUE_RELU_BIAS ? "cublaslt + bias + relu"
           : epilogue == CUBLASLT_EPILOGUE_RELU      ? "cublaslt + relu"
                                                     : NULL;
}

/* `bias` says how the bias is read, if there is one. */
static Status prepare(const KernelQuery *query, const Products *products, const struct FinishArgs *bias,
                      int bias_port, PrepareContext *ctx, KernelInstance *instance) {
    Epilogue epilogue;
    node_epilogue(query->node, &epilogue);
    const int64_t count = cuda_elements(&query->outputs[0]);
    CudaGemm *gemm = NULL;
    TRY(cuda_alloc(ctx, bytes_of(sizeof *gemm, 1), &gemm));
    *gemm = (CudaGemm){.finish = launch_each((const void *)k_finish, count),
                       .finish_args = *bias,
                       .bias_port = bias_port,
                       .residual_port = epilogue.residual_port};
    gemm->finish_args.count = (int)count;
    gemm->finish_args.plane = 1;
    gemm->finish_args.columns = (int)products->n;
    gemm->finish_args.activation = epilogue.activation;
    gemm->finish_args.residual_last = epilogue.residual_last;
    TRY(product_make((CudaDevice *)ctx->device, products, epilogue_of(products, &epilogue, bias, bias_port),
                     &gemm->product, ctx->err));
    gemm->finishes =
        gemm->product.epilogue == CUBLASLT_EPILOGUE_DEFAULT &&
        (bias_port >= 0 || epilogue.residual_port >= 0 || epilogue.activation.kind != UNARY_NONE);
    *instance = (KernelInstance){.submit = gemm_submit,
                                 .tasks = 1,
                                 .args = gemm,
                                 .discard = gemm_discard,
                                 .workspace_bytes = gemm->product.workspace_bytes,
                                 .variant = variant_of(gemm->product.epilogue)};
    return STRIDER_OK;
}

/* --- Gemm --- */

static bool accepts(KernelQuery *query) {
    Epilogue epilogue;
    return cuda_all_f32(query) && node_epilogue(query->node, &epilogue) && epilogue.scale_port < 0;
}

/* A bias comes from its C. */
static bool gemm_accepts(KernelQuery *query) {
    return !node_post_op(query->node, POST_BIAS) && accepts(query);
}

static Status gemm_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const GemmAttrs *attrs = query->node->attrs;
    const bool has_c = cuda_has_input(query, GEMM_C) && attrs->beta != 0;
    const GemmGeometry g =
        gemm_geometry(attrs, &query->inputs[GEMM_A].type.shape, &query->inputs[GEMM_B].type.shape,
                      has_c ? &query->inputs[GEMM_C].type.shape : NULL);
    static const Offsets one = {0, 0, 0};
    const Products products = {.m = g.m,
                               .n = g.n,
                               .k = g.k,
                               .batch = 1,
                               .n_calls = 1,
                               .calls = &one,
                               .trans_a = attrs->trans_a,
                               .trans_b = attrs->trans_b,
                               .alpha = attrs->alpha};
    const struct FinishArgs bias = {
        .bias_row = (int)g.c_row, .bias_column = (int)g.c_column, .bias_scale = attrs->beta};
    return prepare(query, &products, &bias, has_c ? GEMM_C : -1, ctx, instance);
}

/* --- MatMul --- */

/* Dimensions of the batch, neighbours joined that lie in equal steps; steps in elements. */
typedef struct Batch {
    int rank;
    int64_t dims[MAX_RANK];
    Offsets steps[MAX_RANK];
} Batch;

static Batch batch_of(const MatMulGeometry *g) {
    Batch batch = {0};
    int64_t products = 1;
    for (int d = g->batch_rank - 1; d >= 0; d--) { /* from the innermost */
        const Offsets step = {g->a_strides[d] * g->m * g->k, g->b_strides[d] * g->k * g->n,
                              products * g->m * g->n};
        const int last = batch.rank - 1;
        products *= g->batch_dims[d];
        if (g->batch_dims[d] == 1)
            continue;
        if (last >= 0 && step.a == batch.steps[last].a * batch.dims[last] &&
            step.b == batch.steps[last].b * batch.dims[last]) {
            batch.dims[last] *= g->batch_dims[d];
            continue;
        }
        batch.dims[batch.rank] = g->batch_dims[d];
        batch.steps[batch.rank++] = step;
    }
    return batch;
}

/* The longest dimension becomes the batch of each call, the others the calls. */
static Status make_calls(const Batch *batch, PrepareContext *ctx, Products *products) {
    int longest = 0;
    Offsets *calls = NULL;
    products->batch = products->n_calls = 1;
    for (int d = 0; d < batch->rank; d++) {
        longest = batch->dims[d] > batch->dims[longest] ? d : longest;
        products->n_calls *= batch->dims[d];
    }
    if (batch->rank) {
        products->batch = batch->dims[longest];
        products->step = batch->steps[longest];
        products->n_calls /= products->batch;
    }
    TRY(cuda_alloc(ctx, bytes_of(sizeof *calls, products->n_calls), &calls));
    for (int64_t i = 0; i < products->n_calls; i++) {
        int64_t rest = i;
        for (int d = 0; d < batch->rank; d++) {
            if (d == longest)
                continue;
            const int64_t at = rest % batch->dims[d];
            rest /= batch->dims[d];
            calls[i].a += at * batch->steps[d].a;
            calls[i].b += at * batch->steps[d].b;
            calls[i].y += at * batch->steps[d].y;
        }
    }
    products->calls = calls;
    return STRIDER_OK;
}

static Status matmul_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const MatMulGeometry g =
        matmul_geometry(&query->inputs[MATMUL_A].type.shape, &query->inputs[MATMUL_B].type.shape);
    const Batch batch = batch_of(&g);
    Products products = {.m = g.m, .n = g.n, .k = g.k, .alpha = 1};
    TRY(make_calls(&batch, ctx, &products));
    /* One matrix on the right: one product of all rows. */
    if (products.step.b == 0 && products.step.a == g.m * g.k && products.step.y == g.m * g.n) {
        products.m *= products.batch;
        products.batch = 1;
    }
    const struct FinishArgs bias = {.bias_column = 1, .bias_scale = 1};
    const PostOp *added = node_post_op(query->node, POST_BIAS);
    return prepare(query, &products, &bias, added ? added->port : -1, ctx, instance);
}

CUDA_ROW(cuda_gemm, OP_Gemm, gemm_accepts, gemm_prepare)
CUDA_ROW(cuda_matmul, OP_MatMul, accepts, matmul_prepare)
