/* SPDX-License-Identifier: Apache-2.0 */
/* Reductions over any axes, and the poolings of whole planes, which are two of them; ArgMax and ArgMin. */
#include "ops/reduction/reduce.h"

#include <string.h>

#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"
#include "ops/nn/pool.h"
#include "ops/reduction/arg_reduce.h"
#include "ops/tensor/concat.h"

/* What a single thread reduces well; and outputs that keep a GPU busy with a thread each, where neighbouring
 * threads read neighbouring elements.  Estimates, not measured. */
enum { FEW_ELEMENTS = 16, MANY_OUTPUTS = 4096 };

/* Whether a thread reduces each output alone. */
static bool is_alone(int64_t count, bool outputs_are_neighbours, int64_t outputs) {
    return count <= FEW_ELEMENTS || (outputs_are_neighbours && outputs >= MANY_OUTPUTS);
}

/* The dimensions of one side, neighbours joined. */
typedef struct Side {
    int rank;
    int64_t count, dims[MAX_RANK], strides[MAX_RANK];
} Side;
_Static_assert(MAX_RANK <= 2 * KERNEL_DIMS, "no more dimensions than can be joined to KERNEL_DIMS");

static void split_axes(const Shape *x, unsigned mask, Side *kept, Side *reduced) {
    int64_t strides[MAX_RANK];
    Side *before = NULL;
    *kept = *reduced = (Side){.count = 1};
    shape_strides(x, strides);
    for (int d = 0; d < x->rank; d++) {
        Side *side = mask >> d & 1 ? reduced : kept;
        if (x->dims[d] == 1)
            continue;
        if (side != before)
            side->dims[side->rank++] = 1;
        side->dims[side->rank - 1] *= x->dims[d];
        side->strides[side->rank - 1] = strides[d];
        side->count *= x->dims[d];
        before = side;
    }
}

static Status reduce(const KernelQuery *query, ReduceKind kind, unsigned mask, PrepareContext *ctx,
                     KernelInstance *instance) {
    Side kept, reduced;
    split_axes(&query->inputs[0].type.shape, mask, &kept, &reduced);
    struct ReduceArgs args = {.outputs = (int)kept.count, .count = (int)reduced.count, .kind = kind};
    cuda_dims(kept.rank, kept.dims, 1, KERNEL_DIMS, args.kept_dims);
    cuda_dims(kept.rank, kept.strides, 0, KERNEL_DIMS, args.kept_strides);
    cuda_dims(reduced.rank, reduced.dims, 1, KERNEL_DIMS, args.dims);
    cuda_dims(reduced.rank, reduced.strides, 0, KERNEL_DIMS, args.strides);
    const bool neighbours = kept.rank && kept.strides[kept.rank - 1] == 1;
    const void *const alone = kind == R_PROD ? (const void *)k_product : (const void *)k_reduce;
    const void *const team = kind == R_PROD ? (const void *)k_product_team : (const void *)k_reduce_team;
    const Launch launch = is_alone(reduced.count, neighbours, kept.count) ? launch_each(alone, kept.count)
                                                                          : launch_teams(team, kept.count);
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

/* --- ReduceMean and its like --- */

static bool axes_of(const KernelQuery *query, unsigned *mask) {
    const Tensor *axes = cuda_has_input(query, 1) ? query->inputs[1].constant : NULL;
    return reduce_axes(query->node->attrs, axes, query->inputs[0].type.shape.rank, mask);
}

static bool reduce_accepts(KernelQuery *query) {
    unsigned mask;
    return cuda_f32_with_constants(query) && axes_of(query, &mask);
}

static Status reduce_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    unsigned mask;
    axes_of(query, &mask);
    return reduce(query, reduce_kind(query->node), mask, ctx, instance);
}

/* --- GlobalAveragePool, GlobalMaxPool, GlobalLpPool --- */

static bool pool_accepts(KernelQuery *query) {
    return cuda_all_f32(query);
}

static Status pool_planes(const KernelQuery *query, ReduceKind kind, PrepareContext *ctx,
                          KernelInstance *instance) {
    const int rank = query->inputs[0].type.shape.rank;
    return reduce(query, kind, (1u << rank) - 1 - 3, ctx, instance);
}

static Status average_pool_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    return pool_planes(query, R_MEAN, ctx, instance);
}

static Status max_pool_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    return pool_planes(query, R_MAX, ctx, instance);
}

static Status lp_pool_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const GlobalPoolAttrs *attrs = query->node->attrs;
    if (attrs->p > 2)
        return cuda_prepare_norm_of_planes(query, attrs->p, ctx, instance);
    return pool_planes(query, attrs->p == 1 ? R_L1 : R_L2, ctx, instance);
}

/* --- ArgMax, ArgMin --- */

static bool arg_accepts(KernelQuery *query) {
    return query->inputs[0].type.dtype == STRIDER_F32 && cuda_is_f32(&query->inputs[0]);
}

static Status arg_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const ArgReduceAttrs *attrs = query->node->attrs;
    const Shape *x = &query->inputs[0].type.shape;
    const int axis = axis_resolve(attrs->axis, x->rank);
    const int64_t inner = shape_size(x, axis + 1, x->rank), groups = shape_size(x, 0, axis) * inner;
    const struct ArgReduceArgs args = {.groups = (int)groups,
                                       .count = (int)x->dims[axis],
                                       .inner = (int)inner,
                                       .is_min = query->node->op->kind == OP_ArgMin,
                                       .takes_last = attrs->select_last_index};
    const Launch launch = is_alone(args.count, inner > 1, groups)
                              ? launch_each((const void *)k_arg_reduce, groups)
                              : launch_teams((const void *)k_arg_reduce_team, groups);
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

CUDA_ROW(cuda_global_average_pool, OP_GlobalAveragePool, pool_accepts, average_pool_prepare)
CUDA_ROW(cuda_global_max_pool, OP_GlobalMaxPool, pool_accepts, max_pool_prepare)
CUDA_ROW(cuda_global_lp_pool, OP_GlobalLpPool, pool_accepts, lp_pool_prepare)
CUDA_ROW(cuda_reduce_sum, OP_ReduceSum, reduce_accepts, reduce_prepare)
CUDA_ROW(cuda_reduce_mean, OP_ReduceMean, reduce_accepts, reduce_prepare)
CUDA_ROW(cuda_reduce_max, OP_ReduceMax, reduce_accepts, reduce_prepare)
CUDA_ROW(cuda_reduce_min, OP_ReduceMin, reduce_accepts, reduce_prepare)
CUDA_ROW(cuda_reduce_prod, OP_ReduceProd, reduce_accepts, reduce_prepare)
CUDA_ROW(cuda_reduce_l1, OP_ReduceL1, reduce_accepts, reduce_prepare)
CUDA_ROW(cuda_reduce_l2, OP_ReduceL2, reduce_accepts, reduce_prepare)
CUDA_ROW(cuda_reduce_log_sum, OP_ReduceLogSum, reduce_accepts, reduce_prepare)
CUDA_ROW(cuda_reduce_log_sum_exp, OP_ReduceLogSumExp, reduce_accepts, reduce_prepare)
CUDA_ROW(cuda_reduce_sum_square, OP_ReduceSumSquare, reduce_accepts, reduce_prepare)
CUDA_ROW(cuda_arg_max, OP_ArgMax, arg_accepts, arg_prepare)
CUDA_ROW(cuda_arg_min, OP_ArgMin, arg_accepts, arg_prepare)
