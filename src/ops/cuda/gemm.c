/* SPDX-License-Identifier: Apache-2.0 */
/* Gemm and MatMul through cuBLASLt, which stores matrices by columns: it is asked for the transpose of the
 * result, B' A' instead of A B.  Bias, residual and activation follow in a kernel of our own. */
#include "ops/gemm.h"

#include "ops/cuda/cuda.h"
#include "ops/cuda/dnn.h"
#include "ops/cuda/kernels.h"
#include "ops/matmul.h"

/* Y[m, n] = alpha * A[m, k] B[k, n] for `batch` products; matrices of a batch lie `a_step` and `b_step`
 * elements apart. */
typedef struct Products {
    int64_t m, n, k, batch, a_step, b_step;
    bool trans_a, trans_b;
    float alpha;
} Products;

typedef struct CudaGemm {
    CudaDevice *device;
    float alpha;
    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t left, right, result; /* B, A and Y as cuBLASLt sees them */
    cublasLtMatmulAlgo_t algorithm;
    size_t workspace_bytes;
    Launch finish;
    struct FinishArgs finish_args;
    bool finishes;
    int bias_port, residual_port; /* -1: none */
} CudaGemm;

static void gemm_discard(void *args) {
    CudaGemm *gemm = args;
    if (gemm->operation)
        cublasLtMatmulDescDestroy(gemm->operation);
    if (gemm->left)
        cublasLtMatrixLayoutDestroy(gemm->left);
    if (gemm->right)
        cublasLtMatrixLayoutDestroy(gemm->right);
    if (gemm->result)
        cublasLtMatrixLayoutDestroy(gemm->result);
}

/* --- preparing
 * ------------------------------------------------------------------------------------------------- */

static cublasStatus_t make_layout(int64_t rows, int64_t columns, const Products *products, int64_t step,
                                  cublasLtMatrixLayout_t *layout) {
    const int32_t batch = (int32_t)products->batch;
    cublasStatus_t status =
        cublasLtMatrixLayoutCreate(layout, CUDA_R_32F, (uint64_t)rows, (uint64_t)columns, rows);
    if (!status)
        status = cublasLtMatrixLayoutSetAttribute(*layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch,
                                                  sizeof batch);
    if (!status)
        status = cublasLtMatrixLayoutSetAttribute(*layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &step,
                                                  sizeof step);
    return status;
}

static cublasStatus_t make_operation(const CudaDevice *device, const Products *products,
                                     cublasLtMatmulDesc_t *operation) {
    const cublasOperation_t left = products->trans_b ? CUBLAS_OP_T : CUBLAS_OP_N,
                            right = products->trans_a ? CUBLAS_OP_T : CUBLAS_OP_N;
    cublasStatus_t status = cublasLtMatmulDescCreate(
        operation, device->options.allow_tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F,
        CUDA_R_32F);
    if (!status)
        status = cublasLtMatmulDescSetAttribute(*operation, CUBLASLT_MATMUL_DESC_TRANSA, &left, sizeof left);
    if (!status)
        status =
            cublasLtMatmulDescSetAttribute(*operation, CUBLASLT_MATMUL_DESC_TRANSB, &right, sizeof right);
    return status;
}

/* Unless it is told, cuBLASLt takes all matrices to lie as memory of the driver's does. */
static cublasStatus_t set_alignments(cublasLtMatmulPreference_t preference) {
    static const cublasLtMatmulPreferenceAttributes_t names[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    const uint32_t alignment = TENSOR_ALIGNMENT;
    cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
    for (int i = 0; i < 4 && !status; i++)
        status = cublasLtMatmulPreferenceSetAttribute(preference, names[i], &alignment, sizeof alignment);
    return status;
}

static cublasStatus_t choose_algorithm(CudaGemm *gemm) {
    const DeviceOptions *options = &gemm->device->options;
    const uint64_t workspace = options->max_workspace_bytes;
    /* Partial sums that are added in place are added in any order. */
    const uint32_t reductions =
        options->allow_nondeterministic
            ? CUBLASLT_REDUCTION_SCHEME_MASK
            : CUBLASLT_REDUCTION_SCHEME_MASK & ~(uint32_t)CUBLASLT_REDUCTION_SCHEME_INPLACE;
    cublasLtMatmulPreference_t preference;
    cublasLtMatmulHeuristicResult_t found;
    int count = 0;
    cublasStatus_t status = cublasLtMatmulPreferenceCreate(&preference);
    if (status)
        return status;
    status = cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                  &workspace, sizeof workspace);
    if (!status)
        status = cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                                                      &reductions, sizeof reductions);
    if (!status)
        status = set_alignments(preference);
    if (!status)
        status = cublasLtMatmulAlgoGetHeuristic(gemm->device->blas, gemm->operation, gemm->left, gemm->right,
                                                gemm->result, gemm->result, preference, 1, &found, &count);
    cublasLtMatmulPreferenceDestroy(preference);
    if (!status && (count == 0 || found.state))
        status = CUBLAS_STATUS_NOT_SUPPORTED;
    gemm->algorithm = found.algo;
    gemm->workspace_bytes = found.workspaceSize;
    return status;
}

static Status make_plan(const Products *p, CudaGemm *gemm, Error *err) {
    TRY(cuda_use(gemm->device, err));
    cublasStatus_t status = make_operation(gemm->device, p, &gemm->operation);
    if (!status)
        status = make_layout(p->trans_b ? p->k : p->n, p->trans_b ? p->n : p->k, p, p->b_step, &gemm->left);
    if (!status)
        status = make_layout(p->trans_a ? p->m : p->k, p->trans_a ? p->k : p->m, p, p->a_step, &gemm->right);
    if (!status)
        status = make_layout(p->n, p->m, p, p->m * p->n, &gemm->result);
    if (!status)
        status = choose_algorithm(gemm);
    return status ? cublas_fail(gemm->device, status, "planning a matrix product", err) : STRIDER_OK;
}

static Status gemm_submit(const KernelCall *call, Error *err) {
    const CudaGemm *gemm = call->args;
    const float zero = 0;
    void *y = call->outputs[0];
    TRY(cuda_use(gemm->device, err));
    const cublasStatus_t status =
        cublasLtMatmul(gemm->device->blas, gemm->operation, &gemm->alpha, call->inputs[GEMM_B], gemm->left,
                       call->inputs[GEMM_A], gemm->right, &zero, y, gemm->result, y, gemm->result,
                       &gemm->algorithm, call->workspace, gemm->workspace_bytes, gemm->device->stream);
    if (status)
        return cublas_fail(gemm->device, status, "cublasLtMatmul", err);
    if (!gemm->finishes)
        return STRIDER_OK;
    struct FinishArgs args = gemm->finish_args;
    args.data = (KernelData){.in = {y, gemm->bias_port >= 0 ? call->inputs[gemm->bias_port] : NULL,
                                    gemm->residual_port >= 0 ? call->inputs[gemm->residual_port] : NULL},
                             .out = y};
    return cuda_launch(gemm->device, &gemm->finish, &args, err);
}

/* `bias` says how the bias is read, if there is one. */
static Status prepare(const KernelQuery *query, const Products *products, const Epilogue *epilogue,
                      const struct FinishArgs *bias, int bias_port, int residual_port, PrepareContext *ctx,
                      Prepared *prepared) {
    const int64_t count = cuda_elements(&query->outputs[0]);
    CudaGemm *gemm = NULL;
    TRY(cuda_take(ctx, sizeof *gemm, &gemm));
    *gemm = (CudaGemm){.device = (CudaDevice *)ctx->device,
                       .alpha = products->alpha,
                       .finish = launch_each((const void *)k_finish, count),
                       .finish_args = *bias,
                       .bias_port = bias_port,
                       .residual_port = epilogue->has_residual ? residual_port : -1};
    gemm->finish_args.count = (int)count;
    gemm->finish_args.plane = 1;
    gemm->finish_args.columns = (int)products->n;
    gemm->finish_args.activation = epilogue->activation;
    gemm->finish_args.residual_last = epilogue->residual_last;
    gemm->finishes = bias_port >= 0 || epilogue->has_residual || epilogue->activation.kind != ACTIVATION_NONE;
    const Status status = make_plan(products, gemm, ctx->err);
    if (status) {
        gemm_discard(gemm);
        return status;
    }
    *prepared = (Prepared){.submit = gemm_submit,
                           .tasks = 1,
                           .args = gemm,
                           .discard = gemm_discard,
                           .workspace_bytes = gemm->workspace_bytes};
    return STRIDER_OK;
}

/* --- Gemm
 * -------------------------------------------------------------------------------------------------------- */

static bool gemm_accepts(KernelQuery *query) {
    return cuda_all_f32(query);
}

static Status gemm_prepare(const KernelQuery *query, PrepareContext *ctx, Prepared *prepared) {
    const GemmAttrs *attrs = query->node->attrs;
    const bool has_c = cuda_has_input(query, GEMM_C) && attrs->beta != 0;
    const GemmGeometry g =
        gemm_geometry(attrs, &query->inputs[GEMM_A].type.shape, &query->inputs[GEMM_B].type.shape,
                      has_c ? &query->inputs[GEMM_C].type.shape : NULL);
    const Products products = {.m = g.m,
                               .n = g.n,
                               .k = g.k,
                               .batch = 1,
                               .trans_a = attrs->trans_a,
                               .trans_b = attrs->trans_b,
                               .alpha = attrs->alpha};
    const struct FinishArgs bias = {
        .bias_row = (int)g.c_row, .bias_column = (int)g.c_column, .bias_scale = attrs->beta};
    return prepare(query, &products, &attrs->epilogue, &bias, has_c ? GEMM_C : -1, GEMM_RESIDUAL, ctx,
                   prepared);
}

/* --- MatMul
 * ------------------------------------------------------------------------------------------------------ */

/* Whether the matrices of all products lie in equal steps. */
static bool is_regular(const MatMulGeometry *g, Products *products) {
    int64_t a, b, a_step = 0, b_step = 0;
    for (int64_t i = 0; i < g->batch; i++) {
        matmul_operands(g, i, &a, &b);
        if (i == 1) {
            a_step = a;
            b_step = b;
        }
        if (a != i * a_step || b != i * b_step)
            return false;
    }
    *products = (Products){.m = g->m,
                           .n = g->n,
                           .k = g->k,
                           .batch = g->batch,
                           .a_step = a_step * g->m * g->k,
                           .b_step = b_step * g->k * g->n,
                           .alpha = 1};
    return true;
}

static bool matmul_accepts(KernelQuery *query) {
    Products products;
    if (!cuda_all_f32(query))
        return false;
    const MatMulGeometry g =
        matmul_geometry(&query->inputs[MATMUL_A].type.shape, &query->inputs[MATMUL_B].type.shape);
    return is_regular(&g, &products);
}

static Status matmul_prepare(const KernelQuery *query, PrepareContext *ctx, Prepared *prepared) {
    const MatMulAttrs *attrs = query->node->attrs;
    const MatMulGeometry g =
        matmul_geometry(&query->inputs[MATMUL_A].type.shape, &query->inputs[MATMUL_B].type.shape);
    Products products;
    is_regular(&g, &products);
    /* One matrix on the right: one product of all rows. */
    if (products.b_step == 0 && products.a_step == g.m * g.k) {
        products.m *= products.batch;
        products.batch = 1;
    }
    const struct FinishArgs bias = {.bias_column = 1, .bias_scale = 1};
    return prepare(query, &products, &attrs->epilogue, &bias,
                   cuda_has_input(query, MATMUL_BIAS) ? MATMUL_BIAS : -1, MATMUL_RESIDUAL, ctx, prepared);
}

CUDA_ROW(cuda_gemm, "Gemm", gemm_accepts, gemm_prepare)
CUDA_ROW(cuda_matmul, "MatMul", matmul_accepts, matmul_prepare)
