/* SPDX-License-Identifier: Apache-2.0 */
/* Det (ONNX 11, 22): the determinant of each matrix; and its inverse (com.microsoft's Inverse, 1), of which
 * one that has none is not finite.  By Gaussian elimination with the largest pivot of each column. */
#include <inttypes.h>
#include <math.h>

#include "base/size.h"
#include "ops/op.h"

/* Output 0 is as the input. */
static Status square_infer(InferContext *ctx) {
    const Shape *x = &ctx->inputs[0].shape;
    TRY(infer_require_dtype(ctx, 0, DTYPES_FLOAT));
    TRY(infer_require_rank(ctx, 0, 2, -1));
    ctx->outputs[0] = ctx->inputs[0];
    if (x->rank < 0)
        return STRIDER_OK;
    const int64_t rows = x->dims[x->rank - 2], columns = x->dims[x->rank - 1];
    if (rows >= 0 && columns >= 0 && rows != columns)
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "%" PRId64 " rows and %" PRId64 " columns are no square matrix", rows, columns);
    return STRIDER_OK;
}

static Status det_infer(InferContext *ctx) {
    TRY(square_infer(ctx));
    if (ctx->outputs[0].shape.rank >= 0)
        ctx->outputs[0].shape.rank -= 2;
    return STRIDER_OK;
}

/* A NaN is taken at once, so that it reaches the result. */
static int64_t pivot_row(const double *matrix, int64_t n, int64_t column) {
    int64_t best = column;
    for (int64_t row = column; row < n; row++) {
        const double value = fabs(matrix[row * n + column]);
        if (isnan(value))
            return row;
        if (value > fabs(matrix[best * n + column]))
            best = row;
    }
    return best;
}

static void swap_rows(double *a, double *b, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        const double kept = a[i];
        a[i] = b[i];
        b[i] = kept;
    }
}

static double determinant(double *matrix, int64_t n) {
    double product = 1;
    for (int64_t k = 0; k < n; k++) {
        double *top = matrix + k * n;
        const int64_t pivot = pivot_row(matrix, n, k);
        if (pivot != k) {
            swap_rows(top, matrix + pivot * n, n);
            product = -product;
        }
        product *= top[k];
        if (top[k] == 0)
            return product;
        for (int64_t row = k + 1; row < n; row++) {
            double *below = matrix + row * n;
            const double factor = below[k] / top[k];
            for (int64_t i = k + 1; i < n; i++)
                below[i] -= factor * top[i];
        }
    }
    return product;
}

static Status det_reference(EvalContext *ctx) {
    const Tensor *x = ctx->inputs[0];
    const int64_t n = x->type.shape.dims[x->type.shape.rank - 1], elements = n * n;
    double *matrix;
    TRY(eval_alloc_doubles(ctx, elements, &matrix));
    for (int64_t i = 0; i < tensor_elements(ctx->outputs[0]); i++) {
        for (int64_t j = 0; j < elements; j++)
            matrix[j] = tensor_get_f64(x, i * elements + j);
        tensor_set_f64(ctx->outputs[0], i, determinant(matrix, n));
    }
    return STRIDER_OK;
}

static Bytes det_scratch(const Node *node, const Type *inputs, const Type *outputs) {
    (void)node, (void)outputs;
    const Shape *x = &inputs[0].shape;
    return scratch_of(sizeof(double), count_of(x->dims[x->rank - 1], x->dims[x->rank - 1]));
}

static uint64_t det_macs(const Node *node, const Type *inputs, const Type *outputs) {
    (void)node;
    const int64_t n = inputs[0].shape.dims[inputs[0].shape.rank - 1];
    return (uint64_t)count_of(shape_elements(&outputs[0].shape), n, n, n) / 3;
}

/* --- Inverse --- */

static void add_row(double *to, const double *from, double factor, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        to[i] += factor * from[i];
}

/* Makes `matrix` the identity, and of the identity, by the same steps, its inverse. */
static void invert(double *matrix, double *inverse, int64_t n) {
    for (int64_t i = 0; i < n * n; i++)
        inverse[i] = i % (n + 1) == 0;
    for (int64_t k = 0; k < n; k++) {
        const int64_t pivot = pivot_row(matrix, n, k);
        if (pivot != k) {
            swap_rows(matrix + k * n, matrix + pivot * n, n);
            swap_rows(inverse + k * n, inverse + pivot * n, n);
        }
        const double scale = 1 / matrix[k * n + k];
        for (int64_t i = 0; i < n; i++) {
            matrix[k * n + i] *= scale;
            inverse[k * n + i] *= scale;
        }
        for (int64_t row = 0; row < n; row++) {
            const double factor = -matrix[row * n + k];
            if (row == k)
                continue;
            add_row(matrix + row * n, matrix + k * n, factor, n);
            add_row(inverse + row * n, inverse + k * n, factor, n);
        }
    }
}

static Status inverse_reference(EvalContext *ctx) {
    const Tensor *x = ctx->inputs[0];
    const int64_t n = x->type.shape.dims[x->type.shape.rank - 1], elements = n * n,
                  count = tensor_elements(x);
    double *matrix, *inverse;
    TRY(eval_alloc_doubles(ctx, elements, &matrix));
    TRY(eval_alloc_doubles(ctx, elements, &inverse));
    for (int64_t begin = 0; begin < count; begin += elements) {
        for (int64_t j = 0; j < elements; j++)
            matrix[j] = tensor_get_f64(x, begin + j);
        invert(matrix, inverse, n);
        for (int64_t j = 0; j < elements; j++)
            tensor_set_f64(ctx->outputs[0], begin + j, inverse[j]);
    }
    return STRIDER_OK;
}

static Bytes inverse_scratch(const Node *node, const Type *inputs, const Type *outputs) {
    const Bytes one = det_scratch(node, inputs, outputs);
    return bytes_sum(one, one);
}

static uint64_t inverse_macs(const Node *node, const Type *inputs, const Type *outputs) {
    (void)node, (void)outputs;
    const Shape *x = &inputs[0].shape;
    return (uint64_t)count_of(shape_elements(x), 2, x->dims[x->rank - 1]);
}

const Op op_inverse = {
    OP_NAMED(Inverse),
    .domain = "com.microsoft",
    .since = 1,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .infer = square_infer,
    .reference = inverse_reference,
    .scratch = inverse_scratch,
    .macs = inverse_macs,
};

const Op op_det = {
    OP_NAMED(Det),          .since = 11,        .inputs = {1, 1},
    .outputs = {1, 1},      .infer = det_infer, .reference = det_reference,
    .scratch = det_scratch, .macs = det_macs,
};
