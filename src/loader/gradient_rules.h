/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of gradient_rules.c's table that stand in files of their own. */
#ifndef LOADER_GRADIENT_RULES_H
#define LOADER_GRADIENT_RULES_H

#include "loader/gradient.h"

/* --- gradient_moves.c, gradient_products.c --- */
DerivativeRule concat_rule;
DerivativeRule conv_rule;
DerivativeRule gemm_rule;
DerivativeRule global_average_pool_rule;
DerivativeRule log_softmax_rule;
DerivativeRule matmul_rule;
DerivativeRule reduce_mean_rule;
DerivativeRule reduce_sum_rule;
DerivativeRule reshape_rule;
DerivativeRule softmax_rule;
DerivativeRule split_rule;
DerivativeRule transpose_rule;

/* y is x with its last two dimensions exchanged. */
Status derivative_transpose_matrix(const Derivative *d, Value *x, Value **y) MUST_CHECK;
/* Gives an input, whose shape broadcasting may have made larger, the sum over what was repeated of it. */
Status derivative_give_broadcast(Derivative *d, int port, Value *value) MUST_CHECK;

static inline Status derivative_multiply(const Derivative *d, Value *a, Value *b, Value **y) {
    return expansion_binary(d->e, "Mul", a, b, y);
}

#endif
