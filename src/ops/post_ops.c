/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/post_ops.h"

#include "ops/math/unary.h"

double epilogue_apply(const Epilogue *epilogue, double value, double residual) {
    if (!epilogue->has_residual)
        return unary_apply(epilogue->activation, value);
    return epilogue->residual_last ? unary_apply(epilogue->activation, value) + residual
                                   : unary_apply(epilogue->activation, value + residual);
}
