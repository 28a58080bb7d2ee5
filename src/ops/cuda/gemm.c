/* SPDX-License-Identifier: Apache-2.0 */
/* Gemm and MatMul through cuBLASLt, which stores matrices by columns: it is asked for the transpose of the
 * result, B' A' instead of A B.  A bias and a ReLU are its epilogue where it has one; a residual, other
 * activations and other biases follow in a kernel of our own. */
#include "ops/math/gemm.h"

#include "base/size.h"
#include "ops/cuda/cuda.h"
#include "ops/cuda/dnn.h"
#include "ops/cuda/kernels.h"
#include "ops/math/matmul.h"
#include "ops/post_ops.h"

/* Where the matrices of a call lie, in elements. */
typedef struct Offsets {
    int64_t a, b, y;
} Offsets;

/* Y[m, n] = alpha * A[m, k] B[k, n] for `batch` products; matrices of a batch lie these steps apart, in
 * elements.  Several calls of that where broadcasting makes other steps. */
typedef struct Products {
    int64_t m, n, k, batch;
    Offsets step;
    bool trans_a, trans_b;
    float alpha;
    int64_t n_calls;
    const Offsets *calls;
} Products;

typedef struct CudaGemm {
    CudaDevice *device;
    float alpha;
    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t left, right, result; /* B, A and Y as cuBLASLt sees them */
    cublasLtMatmulAlgo_t algorithm;
    Bytes workspace_bytes;
    int64_t n_calls;
    const Offsets *calls;
    cublasLtEpilogue_t epilogue;
    Launch finish;
    struct FinishArgs finish_args;
    bool finishes;
    int bias_port, residual_port; /* -1: none; of the epilogue or of finish */
} CudaGemm;

static bool has_bias(cublasLtEpilogue_t epilogue) {
    return epilogue == CUBLASLT_EPILOGUE_BIAS || epilogue == CUBLASLT_EPILOGUE_RELU_BIAS;
}

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

/* --- preparing --- */

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

/* Of the address of every matrix, as tensors lie at multiples of TENSOR_ALIGNMENT. */
static uint32_t alignment_of(const Products *p) {
    uint32_t alignment = TENSOR_ALIGNMENT;
    for (int64_t i = 0; i < p->n_calls; i++)
        while (bytes_of(sizeof(float), p->calls[i].a | p->calls[i].b | p->calls[i].y).n % alignment)
            alignment /= 2;
    return alignment;
}

/* Unless it is told, cuBLASLt takes all matrices to lie as memory of the driver's does. */
static cublasStatus_t set_alignments(cublasLtMatmulPreference_t preference, uint32_t alignment) {
    static const cublasLtMatmulPreferenceAttributes_t names[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
    for (int i = 0; i < 4 && !status; i++)
        status = cublasLtMatmulPreferenceSetAttribute(preference, names[i], &alignment, sizeof alignment);
    return status;
}

static cublasStatus_t choose_algorithm(const Products *products, CudaGemm *gemm) {
    const DeviceOptions *options = &gemm->device->options;
    const uint64_t workspace = gemm->device->device.max_workspace_bytes;
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
        status = set_alignments(preference, alignment_of(products));
    if (!status)
        status = cublasLtMatmulAlgoGetHeuristic(gemm->device->blas, gemm->operation, gemm->left, gemm->right,
                                                gemm->result, gemm->result, preference, 1, &found, &count);
    cublasLtMatmulPreferenceDestroy(preference);
    if (!status && (count == 0 || found.state))
        status = CUBLAS_STATUS_NOT_SUPPORTED;
    gemm->algorithm = found.algo;
    gemm->workspace_bytes = bytes_of(found.workspaceSize, 1);
    return status;
}

/* With the epilogue, or where cuBLASLt has no algorithm for that, without. */
static cublasStatus_t choose_with_epilogue(const Products *products, CudaGemm *gemm) {
    /* What the bias's address will be a multiple of: the pointer itself comes with each run. */
    const void *const bias = (const void *)(uintptr_t)TENSOR_ALIGNMENT;
    cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
    if (gemm->epilogue != CUBLASLT_EPILOGUE_DEFAULT)
        status = cublasLtMatmulDescSetAttribute(gemm->operation, CUBLASLT_MATMUL_DESC_EPILOGUE,
                                                &gemm->epilogue, sizeof gemm->epilogue);
    if (!status && has_bias(gemm->epilogue))
        status = cublasLtMatmulDescSetAttribute(gemm->operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias,
                                                sizeof bias);
    if (!status)
        status = choose_algorithm(products, gemm);
    if (status != CUBLAS_STATUS_NOT_SUPPORTED || gemm->epilogue == CUBLASLT_EPILOGUE_DEFAULT)
        return status;
    gemm->epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    status = cublasLtMatmulDescSetAttribute(gemm->operation, CUBLASLT_MATMUL_DESC_EPILOGUE, &gemm->epilogue,
                                            sizeof gemm->epilogue);
    return status ? status : choose_algorithm(products, gemm);
}

static Status make_plan(const Products *p, CudaGemm *gemm, Error *err) {
    TRY(cuda_use(gemm->device, err));
    cublasStatus_t status = make_operation(gemm->device, p, &gemm->operation);
    if (!status)
        status = make_layout(p->trans_b ? p->k : p->n, p->trans_b ? p->n : p->k, p, p->step.b, &gemm->left);
    if (!status)
        status = make_layout(p->trans_a ? p->m : p->k, p->trans_a ? p->k : p->m, p, p->step.a, &gemm->right);
    if (!status)
        status = make_layout(p->n, p->m, p, p->step.y, &gemm->result);
    if (!status)
        status = choose_with_epilogue(p, gemm);
    return status ? cublas_fail(gemm->device, status, "planning a matrix product", err) : STRIDER_OK;
}

static cublasStatus_t multiply(const CudaGemm *gemm, const KernelCall *call, const Offsets *at) {
    const float zero = 0;
    const float *a = (const float *)call->inputs[GEMM_A] + at->a,
                *b = (const float *)call->inputs[GEMM_B] + at->b;
    float *y = (float *)call->outputs[0] + at->y;
    return cublasLtMatmul(gemm->device->blas, gemm->operation, &gemm->alpha, b, gemm->left, a, gemm->right,
                          &zero, y, gemm->result, y, gemm->result, &gemm->algorithm, call->workspace,
                          gemm->workspace_bytes.n, gemm->device->stream);
}

static Status gemm_submit(const KernelCall *call, Error *err) {
    const CudaGemm *gemm = call->args;
    void *y = call->outputs[0];
    cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
    TRY(cuda_use(gemm->device, err));
    if (has_bias(gemm->epilogue))
        status = cublasLtMatmulDescSetAttribute(gemm->operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                                                &call->inputs[gemm->bias_port], sizeof(void *));
    for (int64_t i = 0; i < gemm->n_calls && !status; i++)
        status = multiply(gemm, call, &gemm->calls[i]);
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
    *gemm = (CudaGemm){.device = (CudaDevice *)ctx->device,
                       .alpha = products->alpha,
                       .n_calls = products->n_calls,
                       .calls = products->calls,
                       .epilogue = epilogue_of(products, &epilogue, bias, bias_port),
                       .finish = launch_each((const void *)k_finish, count),
                       .finish_args = *bias,
                       .bias_port = bias_port,
                       .residual_port = epilogue.residual_port};
    gemm->finish_args.count = (int)count;
    gemm->finish_args.plane = 1;
    gemm->finish_args.columns = (int)products->n;
    gemm->finish_args.activation = epilogue.activation;
    gemm->finish_args.residual_last = epilogue.residual_last;
    const Status status = make_plan(products, gemm, ctx->err);
    gemm->finishes =
        gemm->epilogue == CUBLASLT_EPILOGUE_DEFAULT &&
        (bias_port >= 0 || epilogue.residual_port >= 0 || epilogue.activation.kind != UNARY_NONE);
    if (status) {
        gemm_discard(gemm);
        return status;
    }
    *instance = (KernelInstance){.submit = gemm_submit,
                                 .tasks = 1,
                                 .args = gemm,
                                 .discard = gemm_discard,
                                 .workspace_bytes = gemm->workspace_bytes,
                                 .variant = variant_of(gemm->epilogue)};
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
