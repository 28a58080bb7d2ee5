/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products through cuBLASLt: planned once, handed over in each run. */
#ifndef OPS_CUDA_PRODUCT_H
#define OPS_CUDA_PRODUCT_H

#include "ops/cuda/cuda.h"

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
    const Offsets *calls; /* live as long as the plan */
} Products;

typedef struct CudaProduct {
    CudaDevice *device;
    float alpha;
    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t left, right, result; /* B, A and Y as cuBLASLt sees them */
    cublasLtMatmulAlgo_t algorithm;
    Bytes workspace_bytes;
    int64_t n_calls;
    const Offsets *calls;
    cublasLtEpilogue_t epilogue;
} CudaProduct;

/* With this epilogue, or where cuBLASLt has no algorithm for that, without; product->epilogue says which.
 * After a failure there is nothing to free. */
Status product_make(CudaDevice *device, const Products *products, cublasLtEpilogue_t epilogue,
                    CudaProduct *product, Error *err) MUST_CHECK;
void product_free(CudaProduct *product);
/* Hands over call `call` of it, or all; `workspace` has product->workspace_bytes.  `bias` is of the
 * epilogue. */
Status product_submit_one(const CudaProduct *product, int64_t call, const float *a, const float *b, float *y,
                          void *workspace, Error *err) MUST_CHECK;
Status product_submit(const CudaProduct *product, const float *a, const float *b, float *y, const void *bias,
                      void *workspace, Error *err) MUST_CHECK;

static inline bool product_has_bias(cublasLtEpilogue_t epilogue) {
    return epilogue == CUBLASLT_EPILOGUE_BIAS || epilogue == CUBLASLT_EPILOGUE_RELU_BIAS;
}

#endif
