/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/tensor/trilu.h"

#include <limits.h>

#include "base/size.h"
#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"

static bool accepts(KernelQuery *query) {
    return cuda_alloc_constants(query) && cuda_first_of(query, CUDA_FLOATS_AND_BOOLS);
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const TriluAttrs *attrs = query->node->attrs;
    const Shape *x = &query->inputs[0].type.shape;
    const int64_t count = cuda_elements(&query->inputs[0]),
                  diagonal = cuda_has_input(query, 1) ? tensor_get_i64(query->inputs[1].constant, 0) : 0;
    const struct TriluArgs args = {.count = (int)count,
                                   .height = (int)x->dims[x->rank - 2],
                                   .width = (int)x->dims[x->rank - 1],
                                   /* Those further off are as good as these. */
                                   .diagonal = (int)i64_min(i64_max(diagonal, -INT_MAX), INT_MAX),
                                   .upper = attrs->upper,
                                   .are_bools = query->inputs[0].type.dtype == STRIDER_BOOL};
    const Launch launch = launch_each((const void *)k_trilu, count);
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

CUDA_ROW(cuda_trilu, OP_Trilu, accepts, prepare, .overwrites = 1)
