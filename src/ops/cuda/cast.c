/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"
#include "ops/op.h"

/* False where the kernel does not know it. */
static bool cast_type(DType dtype, CastType *type) {
    static const struct {
        DType dtype;
        CastType type;
    } types[] = {{STRIDER_F32, CAST_F32},
                 {STRIDER_I32, CAST_I32},
                 {STRIDER_I64, CAST_I64},
                 {STRIDER_U8, CAST_U8},
                 {STRIDER_BOOL, CAST_BOOL}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].dtype == dtype) {
            *type = types[i].type;
            return true;
        }
    return false;
}

/* From float32 or to it: between others there is nothing on the device to begin with. */
static bool accepts(KernelQuery *query) {
    const DType from = query->inputs[0].type.dtype, to = query->outputs[0].type.dtype;
    CastType type;
    for (int i = 1; i < query->n_inputs; i++) /* only its type matters, and that is the output's */
        query->inputs[i].packed = true;
    return cast_type(from, &type) && cast_type(to, &type) && (from == STRIDER_F32 || to == STRIDER_F32) &&
           cuda_first_of(query, DTYPE_BIT(from) | DTYPE_BIT(to));
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const int64_t count = cuda_elements(&query->outputs[0]);
    struct CastArgs args = {.count = (int)count};
    cast_type(query->inputs[0].type.dtype, &args.from);
    cast_type(query->outputs[0].type.dtype, &args.to);
    const Launch launch = launch_each((const void *)k_cast, count);
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

CUDA_ROW(cuda_cast, OP_Cast, accepts, prepare)
CUDA_ROW(cuda_cast_like, OP_CastLike, accepts, prepare)
