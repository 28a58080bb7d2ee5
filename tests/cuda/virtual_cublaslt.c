/* SPDX-License-Identifier: Apache-2.0 */
/* libcublasLt of the virtual device: products of float32 matrices that are stored by columns. */
#include <cublasLt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "virtual_device.h"

enum { WORKSPACE_BYTES = 1000, MAGIC = 0x17 };

/* The library's descriptors are opaque to its callers, and large enough for these. */
typedef struct Operation {
    int magic;
    cublasOperation_t transposes[2];
    bool tf32;
    cublasLtEpilogue_t epilogue; /* 0: none */
    const float *bias;
} Operation;

typedef struct Matrix {
    int magic;
    int64_t rows, columns, leading, step;
    int32_t batch;
} Matrix;

typedef struct Preference {
    int magic;
    uint64_t workspace_bytes;
    uint32_t alignments[4]; /* of A, B, C and D, in bytes */
} Preference;

#define REQUIRE(CONDITION)                                                                                   \
    if (!(CONDITION))                                                                                        \
    return CUBLAS_STATUS_INVALID_VALUE
#define FAIL_IF_ASKED(CALL)                                                                                  \
    if (virtual_must_fail(#CALL))                                                                            \
    return CUBLAS_STATUS_EXECUTION_FAILED

static void *take(size_t size) {
    virtual_object("cuBLASLt object", 1);
    int *made = calloc(1, size);
    *made = MAGIC;
    return made;
}

static cublasStatus_t give(void *object) {
    REQUIRE(object && *(int *)object == MAGIC);
    virtual_object("cuBLASLt object", -1);
    free(object);
    return CUBLAS_STATUS_SUCCESS;
}

size_t cublasLtGetVersion(void) {
    return 130000;
}

const char *cublasLtGetStatusString(cublasStatus_t status) {
    return status ? "an error of the virtual cuBLASLt" : "CUBLAS_STATUS_SUCCESS";
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle) {
    FAIL_IF_ASKED(cublasLtCreate);
    *handle = take(sizeof(int));
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
    return give(handle);
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *made, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
    FAIL_IF_ASKED(cublasLtMatmulDescCreate);
    REQUIRE((compute == CUBLAS_COMPUTE_32F || compute == CUBLAS_COMPUTE_32F_FAST_TF32) &&
            scale == CUDA_R_32F);
    Operation *operation = take(sizeof *operation);
    operation->epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    operation->tf32 = compute == CUBLAS_COMPUTE_32F_FAST_TF32;
    *made = (cublasLtMatmulDesc_t)operation;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t operation) {
    return give(operation);
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t descriptor,
                                              cublasLtMatmulDescAttributes_t name, const void *value,
                                              size_t size) {
    Operation *operation = (Operation *)descriptor;
    FAIL_IF_ASKED(cublasLtMatmulDescSetAttribute);
    REQUIRE(operation && operation->magic == MAGIC);
    if (name == CUBLASLT_MATMUL_DESC_EPILOGUE && size == sizeof operation->epilogue) {
        memcpy(&operation->epilogue, value, size);
        return CUBLAS_STATUS_SUCCESS;
    }
    if (name == CUBLASLT_MATMUL_DESC_BIAS_POINTER && size == sizeof operation->bias) {
        memcpy(&operation->bias, value, size);
        return CUBLAS_STATUS_SUCCESS;
    }
    REQUIRE(size == sizeof(cublasOperation_t));
    REQUIRE(name == CUBLASLT_MATMUL_DESC_TRANSA || name == CUBLASLT_MATMUL_DESC_TRANSB);
    operation->transposes[name == CUBLASLT_MATMUL_DESC_TRANSB] = *(const cublasOperation_t *)value;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *made, cudaDataType type, uint64_t rows,
                                          uint64_t columns, int64_t leading) {
    FAIL_IF_ASKED(cublasLtMatrixLayoutCreate);
    REQUIRE(type == CUDA_R_32F && rows && columns && leading >= (int64_t)rows);
    Matrix *matrix = take(sizeof *matrix);
    matrix->rows = (int64_t)rows;
    matrix->columns = (int64_t)columns;
    matrix->leading = leading;
    matrix->batch = 1;
    *made = (cublasLtMatrixLayout_t)matrix;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t matrix) {
    return give(matrix);
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t name, const void *value,
                                                size_t size) {
    Matrix *matrix = (Matrix *)layout;
    REQUIRE(matrix && matrix->magic == MAGIC);
    if (name == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT && size == sizeof matrix->batch)
        memcpy(&matrix->batch, value, size);
    else if (name == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET && size == sizeof matrix->step)
        memcpy(&matrix->step, value, size);
    else
        return CUBLAS_STATUS_INVALID_VALUE;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *preference) {
    Preference *made = take(sizeof *made);
    for (int i = 0; i < 4; i++)
        made->alignments[i] = 256;
    *preference = (cublasLtMatmulPreference_t)made;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
    return give(preference);
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t name,
                                                    const void *value, size_t size) {
    const int matrix = (int)name - (int)CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES;
    if (matrix >= 0 && matrix < 4 && size == sizeof(uint32_t))
        memcpy(&((Preference *)preference)->alignments[matrix], value, size);
    else if (name == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES && size == sizeof(uint64_t))
        memcpy(&((Preference *)preference)->workspace_bytes, value, size);
    else
        REQUIRE(name == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK && size == sizeof(uint32_t));
    return CUBLAS_STATUS_SUCCESS;
}

static int64_t rows_of(const Operation *o, int side, const Matrix *m) {
    return o->transposes[side] == CUBLAS_OP_T ? m->columns : m->rows;
}

static int64_t columns_of(const Operation *o, int side, const Matrix *m) {
    return o->transposes[side] == CUBLAS_OP_T ? m->rows : m->columns;
}

static bool fits(const Operation *o, const Matrix *a, const Matrix *b, const Matrix *d) {
    return o && a && b && d && o->magic == MAGIC && a->magic == MAGIC && b->magic == MAGIC &&
           d->magic == MAGIC && columns_of(o, 0, a) == rows_of(o, 1, b) && rows_of(o, 0, a) == d->rows &&
           columns_of(o, 1, b) == d->columns && a->batch == d->batch && b->batch == d->batch;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int wanted,
                                              cublasLtMatmulHeuristicResult_t found[], int *count) {
    FAIL_IF_ASKED(cublasLtMatmulAlgoGetHeuristic);
    const uint64_t limit = ((Preference *)preference)->workspace_bytes;
    REQUIRE(handle && wanted >= 1 && c);
    REQUIRE(fits((Operation *)operation, (Matrix *)a, (Matrix *)b, (Matrix *)d));
    *count = 0;
    if (((Operation *)operation)->epilogue != CUBLASLT_EPILOGUE_DEFAULT && getenv("VCUBLASLT_PLAIN"))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    memset(found, 0, sizeof *found);
    found->algo.data[0] = MAGIC;
    for (int i = 0; i < 4; i++)
        found->algo.data[1 + i] = ((Preference *)preference)->alignments[i];
    found->workspaceSize = limit < WORKSPACE_BYTES ? 0 : WORKSPACE_BYTES;
    *count = 1;
    return CUBLAS_STATUS_SUCCESS;
}

typedef struct Product {
    Operation operation;
    Matrix a, b, d;
    const float *a_data, *b_data;
    float *d_data;
    float alpha;
    void *workspace;
    size_t workspace_bytes;
} Product;

static double element(const Operation *o, int side, const Matrix *m, const float *data, int64_t row,
                      int64_t column) {
    const bool transposed = o->transposes[side] == CUBLAS_OP_T;
    return (double)data[transposed ? row * m->leading + column : column * m->leading + row];
}

static bool has_bias(const Operation *o) {
    return o->epilogue == CUBLASLT_EPILOGUE_BIAS || o->epilogue == CUBLASLT_EPILOGUE_RELU_BIAS;
}

static bool has_relu(const Operation *o) {
    return o->epilogue == CUBLASLT_EPILOGUE_RELU || o->epilogue == CUBLASLT_EPILOGUE_RELU_BIAS;
}

static void run_product(void *context) {
    const Product *p = context;
    if (p->workspace)
        memset(p->workspace, 0xff, p->workspace_bytes);
    for (int64_t i = 0; i < p->d.batch; i++)
        for (int64_t column = 0; column < p->d.columns; column++)
            for (int64_t row = 0; row < p->d.rows; row++) {
                double sum = 0;
                for (int64_t k = 0; k < columns_of(&p->operation, 0, &p->a); k++)
                    sum += element(&p->operation, 0, &p->a, p->a_data + i * p->a.step, row, k) *
                           element(&p->operation, 1, &p->b, p->b_data + i * p->b.step, k, column);
                sum *= (double)p->alpha;
                sum += has_bias(&p->operation) ? (double)p->operation.bias[row] : 0;
                p->d_data[i * p->d.step + column * p->d.leading + row] =
                    has_relu(&p->operation) && sum < 0 ? 0 : (float)sum;
            }
    virtual_spoil("cublasLtMatmul", p->d_data);
}

static size_t extent_bytes(const Matrix *m) {
    return (size_t)((m->batch - 1) * m->step + (m->columns - 1) * m->leading + m->rows) * sizeof(float);
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation, const void *alpha,
                              const void *a, cublasLtMatrixLayout_t a_layout, const void *b,
                              cublasLtMatrixLayout_t b_layout, const void *beta, const void *c,
                              cublasLtMatrixLayout_t c_layout, void *d, cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t *algorithm, void *workspace, size_t workspace_bytes,
                              cudaStream_t stream) {
    FAIL_IF_ASKED(cublasLtMatmul);
    const Matrix *as = (Matrix *)a_layout, *bs = (Matrix *)b_layout, *ds = (Matrix *)d_layout;
    REQUIRE(handle && virtual_is_stream(stream) && algorithm && algorithm->data[0] == MAGIC);
    REQUIRE(*(const float *)beta == 0 && c == d && c_layout == d_layout);
    REQUIRE(fits((Operation *)operation, as, bs, ds));
    REQUIRE(virtual_check(a, extent_bytes(as), "cublasLtMatmul") &&
            virtual_check(b, extent_bytes(bs), "cublasLtMatmul") &&
            virtual_check(d, extent_bytes(ds), "cublasLtMatmul"));
    REQUIRE((uintptr_t)a % algorithm->data[1] == 0 && (uintptr_t)b % algorithm->data[2] == 0 &&
            (uintptr_t)c % algorithm->data[3] == 0 && (uintptr_t)d % algorithm->data[4] == 0);
    REQUIRE(((Operation *)operation)->epilogue == CUBLASLT_EPILOGUE_DEFAULT ||
            has_bias((Operation *)operation) || has_relu((Operation *)operation));
    REQUIRE(!has_bias((Operation *)operation) ||
            virtual_check(((Operation *)operation)->bias, (size_t)ds->rows * sizeof(float),
                          "the bias of a product"));
    REQUIRE(!workspace_bytes || virtual_check(workspace, workspace_bytes, "the workspace of a product"));
    Product *product = malloc(sizeof *product);
    *product = (Product){*(Operation *)operation, *as, *bs, *ds, a, b, d, *(const float *)alpha, workspace,
                         workspace_bytes};
    virtual_enqueue(stream, run_product, product);
    return CUBLAS_STATUS_SUCCESS;
}
