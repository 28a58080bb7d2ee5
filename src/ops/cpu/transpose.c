/* SPDX-License-Identifier: Apache-2.0 */
/* Transpose of plain tensors of any type. */
#include "ops/transpose.h"

#include "ops/cpu/strided_copy.h"

static bool transpose_accepts(KernelQuery *query) {
    query->inputs[0].layout = query->outputs[0].layout = LAYOUT_PLAIN;
    return query->inputs[0].type.dtype != STRIDER_DTYPE_NONE;
}

static double transpose_cost(const KernelQuery *query) {
    size_t size_bytes = 0;
    if (!type_size(&query->inputs[0].type, &size_bytes))
        return 1000;
    return cpu_memory_cost(8 * (double)size_bytes);
}

static Status transpose_prepare(const KernelQuery *query, PrepareContext *ctx, Prepared *prepared) {
    const Shape *x = &query->inputs[0].type.shape, *y = &query->outputs[0].type.shape;
    CopyBox box = {.rank = x->rank};
    int64_t strides[MAX_RANK];
    int perm[MAX_RANK];
    transpose_perm(query->node->attrs, x->rank, perm);
    shape_strides(x, strides);
    shape_strides(y, box.out_strides);
    for (int d = 0; d < x->rank; d++) {
        box.dims[d] = y->dims[d];
        box.in_strides[d] = strides[perm[d]];
    }
    return copy_prepare(&box, 1, dtype_size(query->inputs[0].type.dtype), ctx, prepared);
}

const Kernel kernel_transpose = {
    .name = "transpose",
    .op = "Transpose",
    .accepts = transpose_accepts,
    .cost = transpose_cost,
    .prepare = transpose_prepare,
};
