/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of one element that are no activations. */
#include "ops/unary.h"

#include <string.h>

#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"

static bool function_of(const Node *node, Function *function) {
    if (node_function(node, function))
        return true;
    *function = (Function){.kind = strcmp(node->op->name, "Not") == 0 ? FUNCTION_NOT : FUNCTION_IS_NAN};
    return strcmp(node->op->name, "Not") == 0 || strcmp(node->op->name, "IsNaN") == 0;
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

#define ROW(ROW_NAME, OP)                                                                                    \
    const Kernel ROW_NAME = {.name = #ROW_NAME,                                                              \
                             .op = OP,                                                                       \
                             .accepts = accepts,                                                             \
                             .cost = cuda_cost,                                                              \
                             .prepare = prepare,                                                             \
                             .overwrites = 1};

ROW(cuda_gelu_tanh, "Gelu")
ROW(cuda_selu, "Selu")
ROW(cuda_celu, "Celu")
ROW(cuda_softsign, "Softsign")
ROW(cuda_thresholded_relu, "ThresholdedRelu")
ROW(cuda_shrink, "Shrink")
ROW(cuda_abs, "Abs")
ROW(cuda_neg, "Neg")
ROW(cuda_ceil, "Ceil")
ROW(cuda_floor, "Floor")
ROW(cuda_round, "Round")
ROW(cuda_sign, "Sign")
ROW(cuda_exp, "Exp")
ROW(cuda_log, "Log")
ROW(cuda_sqrt, "Sqrt")
ROW(cuda_reciprocal, "Reciprocal")
ROW(cuda_erf, "Erf")
ROW(cuda_sin, "Sin")
ROW(cuda_cos, "Cos")
ROW(cuda_tan, "Tan")
ROW(cuda_asin, "Asin")
ROW(cuda_acos, "Acos")
ROW(cuda_atan, "Atan")
ROW(cuda_sinh, "Sinh")
ROW(cuda_cosh, "Cosh")
ROW(cuda_asinh, "Asinh")
ROW(cuda_acosh, "Acosh")
ROW(cuda_atanh, "Atanh")
ROW(cuda_not, "Not")
ROW(cuda_is_nan, "IsNaN")
