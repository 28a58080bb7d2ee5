/* SPDX-License-Identifier: Apache-2.0 */
/* CumSum, CumProd and TopK: operators that walk along one axis, which the others divide into lines. */
#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"
#include "ops/math/cumsum.h"
#include "ops/math/topk.h"
#include "ops/tensor/concat.h"

/* --- CumSum and CumProd --- */

static bool cumulate_accepts(KernelQuery *query) {
    return cuda_f32_with_constants(query);
}

static Status cumulate_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const CumulateAttrs *attrs = query->node->attrs;
    const Shape *x = &query->inputs[0].type.shape;
    const int axis = axis_resolve(tensor_get_i64(query->inputs[1].constant, 0), x->rank);
    const int64_t inner = shape_size(x, axis + 1, x->rank);
    const struct CumulateArgs args = {.count = (int)x->dims[axis],
                                      .inner = (int)inner,
                                      .exclusive = attrs->exclusive,
                                      .reverse = attrs->reverse,
                                      .is_product = query->node->op->kind == OP_CumProd};
    const Launch launch = launch_teams((const void *)k_cumulate, shape_size(x, 0, axis) * inner);
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

/* --- TopK --- */

/* Each element is compared with all others of its line. */
enum { LONGEST_LINE = 1 << 16 };

/* Of the outputs, either of which may be absent. */
static const Shape *top_shape(const KernelQuery *query) {
    return &query->outputs[query->outputs[0].type.dtype ? 0 : 1].type.shape;
}

static bool topk_accepts(KernelQuery *query) {
    const TopKAttrs *attrs = query->node->attrs;
    const Shape *x = &query->inputs[0].type.shape;
    if (!cuda_is_f32(&query->inputs[0]) || !cuda_is_f32(&query->outputs[0]) ||
        (query->n_outputs > 1 && !cuda_is(&query->outputs[1], DTYPE_BIT(STRIDER_I64))))
        return false;
    for (int i = 1; i < query->n_inputs; i++) /* k shows in the outputs' shape */
        query->inputs[i].packed = true;
    return x->dims[axis_resolve(attrs->axis, x->rank)] <= LONGEST_LINE;
}

static Status topk_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const TopKAttrs *attrs = query->node->attrs;
    const Shape *x = &query->inputs[0].type.shape;
    const int axis = axis_resolve(attrs->axis, x->rank);
    const struct TopKArgs args = {.count = (int)shape_elements(x),
                                  .line = (int)x->dims[axis],
                                  .inner = (int)shape_size(x, axis + 1, x->rank),
                                  .k = (int)top_shape(query)->dims[axis],
                                  .largest = attrs->largest};
    Launch launch = launch_each((const void *)k_topk, args.count);
    launch.gives_indices = query->n_outputs > 1;
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

CUDA_ROW(cuda_cum_sum, OP_CumSum, cumulate_accepts, cumulate_prepare)
CUDA_ROW(cuda_cum_prod, OP_CumProd, cumulate_accepts, cumulate_prepare)
CUDA_ROW(cuda_topk, OP_TopK, topk_accepts, topk_prepare)
