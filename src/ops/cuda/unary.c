/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of one element that are no activations. */
#include "ops/unary.h"

#include <string.h>

#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"
#include "ops/logic.h"

static bool function_of(const Node *node, Function *function) {
    if (node_function(node, function))
        return true;
    const char *name = node->op->name;
    *function = (Function){.kind = strcmp(name, "Not") == 0 ? FUNCTION_NOT : FUNCTION_IS_NAN};
    if (strcmp(name, "IsInf") == 0) {
        const IsInfAttrs *attrs = node->attrs;
        *function = (Function){FUNCTION_IS_INF, attrs->positive, attrs->negative};
        return true;
    }
    return strcmp(name, "Not") == 0 || strcmp(name, "IsNaN") == 0;
}

static bool accepts(KernelQuery *query) {
    Function function;
    return function_of(query->node, &function) && cuda_all_of(query, CUDA_FLOATS_AND_BOOLS);
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, Prepared *prepared) {
    const int64_t count = cuda_elements(&query->outputs[0]);
    struct UnaryArgs args = {.count = (int)count,
                             .takes_bools = query->inputs[0].type.dtype == STRIDER_BOOL,
                             .gives_bools = query->outputs[0].type.dtype == STRIDER_BOOL};
    function_of(query->node, &args.function);
    const Launch launch = launch_each((const void *)k_unary, count);
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, prepared);
}

CUDA_ROW(cuda_gelu_tanh, "Gelu", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_selu, "Selu", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_celu, "Celu", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_softsign, "Softsign", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_thresholded_relu, "ThresholdedRelu", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_shrink, "Shrink", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_abs, "Abs", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_neg, "Neg", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_ceil, "Ceil", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_floor, "Floor", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_round, "Round", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_sign, "Sign", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_exp, "Exp", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_log, "Log", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_sqrt, "Sqrt", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_reciprocal, "Reciprocal", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_erf, "Erf", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_sin, "Sin", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_cos, "Cos", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_tan, "Tan", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_asin, "Asin", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_acos, "Acos", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_atan, "Atan", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_sinh, "Sinh", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_cosh, "Cosh", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_asinh, "Asinh", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_acosh, "Acosh", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_atanh, "Atanh", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_not, "Not", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_is_nan, "IsNaN", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_is_inf, "IsInf", accepts, prepare, .overwrites = 1)
