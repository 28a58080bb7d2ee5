/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/tensor/pad.h"

#include <limits.h>

#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"

enum { PAD_INPUTS = 4 };

/* Dimensions, neighbours joined that no pad parts. */
typedef struct PadBox {
    int rank;
    int64_t in[MAX_RANK], out[MAX_RANK], strides[MAX_RANK], begin[MAX_RANK];
} PadBox;

static bool make_box(const KernelQuery *query, PadBox *box) {
    const Tensor *inputs[PAD_INPUTS] = {0};
    const Shape *x = &query->inputs[0].type.shape, *y = &query->outputs[0].type.shape;
    int64_t begin[MAX_RANK], end[MAX_RANK], strides[MAX_RANK];
    bool joins = false;
    for (int i = 1; i < query->n_inputs && i < PAD_INPUTS; i++)
        inputs[i] = cuda_has_input(query, i) ? query->inputs[i].constant : NULL;
    if (query->n_inputs > PAD_INPUTS ||
        pad_resolve(query->node->attrs, x->rank, query->n_inputs, inputs, begin, end))
        return false;
    shape_strides(x, strides);
    box->rank = 0;
    for (int d = 0; d < x->rank; d++) {
        const bool is_whole = begin[d] == 0 && end[d] == 0;
        const int to = is_whole && joins ? box->rank - 1 : box->rank++;
        const bool is_new = !(is_whole && joins);
        box->in[to] = (is_new ? 1 : box->in[to]) * x->dims[d];
        box->out[to] = (is_new ? 1 : box->out[to]) * y->dims[d];
        box->strides[to] = strides[d];
        box->begin[to] = begin[d];
        joins = is_whole;
    }
    return true;
}

static bool accepts(KernelQuery *query) {
    PadBox box;
    if (!cuda_f32_with_constants(query) || !make_box(query, &box) || box.rank > KERNEL_DIMS)
        return false;
    for (int d = 0; d < box.rank; d++) /* pad_source() doubles the dimension */
        if (box.in[d] > INT_MAX / 4 || box.out[d] > INT_MAX / 4 || box.begin[d] > INT_MAX / 4 ||
            box.begin[d] < -INT_MAX / 4)
            return false;
    return true;
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const PadAttrs *attrs = query->node->attrs;
    const Tensor *value = cuda_has_input(query, 2) ? query->inputs[2].constant : NULL;
    const int64_t count = cuda_elements(&query->outputs[0]);
    PadBox box;
    make_box(query, &box);
    struct PadArgs args = {.count = (int)count,
                           .mode = attrs->mode,
                           .value = value ? (float)tensor_get_f64(value, 0) : attrs->value};
    cuda_dims(box.rank, box.in, 1, KERNEL_DIMS, args.in_dims);
    cuda_dims(box.rank, box.out, 1, KERNEL_DIMS, args.out_dims);
    cuda_dims(box.rank, box.strides, 0, KERNEL_DIMS, args.in_strides);
    cuda_dims(box.rank, box.begin, 0, KERNEL_DIMS, args.begins);
    const Launch launch = launch_each((const void *)k_pad, count);
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

CUDA_ROW(cuda_pad, OP_Pad, accepts, prepare)
