/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of one element that are no activations. */
#include "ops/math/unary.h"

#include <string.h>

#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"
#include "ops/logical/logic.h"

static bool function_of(const Node *node, Function *function) {
    if (node_function(node, function))
        return true;
    const int kind = node->op->kind;
    *function = (Function){.kind = kind == OP_Not ? FUNCTION_NOT : FUNCTION_IS_NAN};
    if (kind == OP_IsInf) {
        const IsInfAttrs *attrs = node->attrs;
        *function = (Function){FUNCTION_IS_INF, attrs->positive, attrs->negative};
        return true;
    }
    return kind == OP_Not || kind == OP_IsNaN;
}

static bool accepts(KernelQuery *query) {
    Function function;
    return function_of(query->node, &function) && cuda_all_of(query, CUDA_FLOATS_AND_BOOLS);
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const int64_t count = cuda_elements(&query->outputs[0]);
    struct UnaryArgs args = {.count = (int)count,
                             .takes_bools = query->inputs[0].type.dtype == STRIDER_BOOL,
                             .gives_bools = query->outputs[0].type.dtype == STRIDER_BOOL};
    function_of(query->node, &args.function);
    const Launch launch = launch_each((const void *)k_unary, count);
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

CUDA_ROW(cuda_gelu_tanh, OP_Gelu, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_selu, OP_Selu, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_celu, OP_Celu, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_softsign, OP_Softsign, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_thresholded_relu, OP_ThresholdedRelu, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_shrink, OP_Shrink, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_abs, OP_Abs, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_neg, OP_Neg, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_ceil, OP_Ceil, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_floor, OP_Floor, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_round, OP_Round, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_sign, OP_Sign, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_exp, OP_Exp, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_log, OP_Log, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_sqrt, OP_Sqrt, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_reciprocal, OP_Reciprocal, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_erf, OP_Erf, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_sin, OP_Sin, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_cos, OP_Cos, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_tan, OP_Tan, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_asin, OP_Asin, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_acos, OP_Acos, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_atan, OP_Atan, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_sinh, OP_Sinh, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_cosh, OP_Cosh, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_asinh, OP_Asinh, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_acosh, OP_Acosh, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_atanh, OP_Atanh, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_not, OP_Not, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_is_nan, OP_IsNaN, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_is_inf, OP_IsInf, accepts, prepare, .overwrites = 1)
