/* SPDX-License-Identifier: Apache-2.0 */
/* cuBLASLt stores matrices by columns: it is asked for the transpose of the result, B' A' instead of A B. */
#include "ops/cuda/product.h"

#include "base/size.h"
#include "ops/cuda/dnn.h"

void product_free(CudaProduct *product) {
    if (product->operation)
        cublasLtMatmulDescDestroy(product->operation);
    if (product->left)
        cublasLtMatrixLayoutDestroy(product->left);
    if (product->right)
        cublasLtMatrixLayoutDestroy(product->right);
    if (product->result)
        cublasLtMatrixLayoutDestroy(product->result);
    *product = (CudaProduct){0};
}

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

static cublasStatus_t choose_algorithm(const Products *products, CudaProduct *product) {
    const DeviceOptions *options = &product->device->options;
    const uint64_t workspace = product->device->device.max_workspace_bytes;
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
        status = cublasLtMatmulAlgoGetHeuristic(product->device->blas, product->operation, product->left,
                                                product->right, product->result, product->result, preference,
                                                1, &found, &count);
    cublasLtMatmulPreferenceDestroy(preference);
    if (!status && (count == 0 || found.state))
        status = CUBLAS_STATUS_NOT_SUPPORTED;
    product->algorithm = found.algo;
    product->workspace_bytes = bytes_of(found.workspaceSize, 1);
    return status;
}

/* With the epilogue, or where cuBLASLt has no algorithm for that, without. */
static cublasStatus_t choose_with_epilogue(const Products *products, CudaProduct *product) {
    /* What the bias's address will be a multiple of: the pointer itself comes with each run. */
    const void *const bias = (const void *)(uintptr_t)TENSOR_ALIGNMENT;
    cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
    if (product->epilogue != CUBLASLT_EPILOGUE_DEFAULT)
        status = cublasLtMatmulDescSetAttribute(product->operation, CUBLASLT_MATMUL_DESC_EPILOGUE,
                                                &product->epilogue, sizeof product->epilogue);
    if (!status && product_has_bias(product->epilogue))
        status = cublasLtMatmulDescSetAttribute(product->operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias,
                                                sizeof bias);
    if (!status)
        status = choose_algorithm(products, product);
    if (status != CUBLAS_STATUS_NOT_SUPPORTED || product->epilogue == CUBLASLT_EPILOGUE_DEFAULT)
        return status;
    product->epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    status = cublasLtMatmulDescSetAttribute(product->operation, CUBLASLT_MATMUL_DESC_EPILOGUE,
                                            &product->epilogue, sizeof product->epilogue);
    return status ? status : choose_algorithm(products, product);
}

static cublasStatus_t plan(const Products *p, CudaProduct *product) {
    cublasStatus_t status = make_operation(product->device, p, &product->operation);
    if (!status)
        status =
            make_layout(p->trans_b ? p->k : p->n, p->trans_b ? p->n : p->k, p, p->step.b, &product->left);
    if (!status)
        status =
            make_layout(p->trans_a ? p->m : p->k, p->trans_a ? p->k : p->m, p, p->step.a, &product->right);
    if (!status)
        status = make_layout(p->n, p->m, p, p->step.y, &product->result);
    return status ? status : choose_with_epilogue(p, product);
}

Status product_make(CudaDevice *device, const Products *products, cublasLtEpilogue_t epilogue,
                    CudaProduct *product, Error *err) {
    TRY(cuda_use(device, err));
    *product = (CudaProduct){.device = device,
                             .alpha = products->alpha,
                             .n_calls = products->n_calls,
                             .calls = products->calls,
                             .epilogue = epilogue};
    const cublasStatus_t status = plan(products, product);
    if (!status)
        return STRIDER_OK;
    product_free(product);
    return cublas_fail(device, status, "planning a matrix product", err);
}

Status product_submit_one(const CudaProduct *product, int64_t call, const float *a, const float *b, float *y,
                          void *workspace, Error *err) {
    const float zero = 0;
    const Offsets *at = &product->calls[call];
    float *result = y + at->y;
    TRY(cuda_use(product->device, err));
    const cublasStatus_t status =
        cublasLtMatmul(product->device->blas, product->operation, &product->alpha, b + at->b, product->left,
                       a + at->a, product->right, &zero, result, product->result, result, product->result,
                       &product->algorithm, workspace, product->workspace_bytes.n, product->device->stream);
    return status ? cublas_fail(product->device, status, "cublasLtMatmul", err) : STRIDER_OK;
}

Status product_submit(const CudaProduct *product, const float *a, const float *b, float *y, const void *bias,
                      void *workspace, Error *err) {
    cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
    if (product_has_bias(product->epilogue))
        status = cublasLtMatmulDescSetAttribute(product->operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias,
                                                sizeof bias);
    if (status)
        return cublas_fail(product->device, status, "the bias of a matrix product", err);
    for (int64_t i = 0; i < product->n_calls; i++)
        TRY(product_submit_one(product, i, a, b, y, workspace, err));
    return STRIDER_OK;
}
