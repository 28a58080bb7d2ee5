/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of elementwise arithmetic, one function for each operation, in which each way of going along the row
 * has its own loop. */
#include "ops/cpu/activation_simd.h"
#include "ops/cpu/elementwise.h"
#include "ops/cpu/power_simd.h"

INLINE vf load_same(const float *from, RowMode mode, int lanes) {
    if (mode != ROW_SAME)
        return v_zero();
    return lanes == 1 ? v_set(*from) : lanes == VW ? v_load(from) : v_load_first(from, lanes, 0);
}

INLINE vf load_operand(const float *from, const RowMode mode, int64_t step, vf same, int64_t i) {
    return mode == ROW_VECTORS ? v_load(from + i * VW) : mode == ROW_PIXELS ? v_set(from[i * step]) : same;
}

typedef vf (*BinaryFunction)(vf a, vf b);

INLINE void binary_loop(const Row *row, BinaryFunction f, const RowMode a_mode, const RowMode b_mode) {
    const float *a = row->a, *b = row->b;
    const vf same_a = load_same(a, a_mode, row->a_lanes), same_b = load_same(b, b_mode, row->b_lanes);
    const int64_t vectors = row->floats / VW, tail = row->floats % VW;
    const vi mask = v_lane_mask(row->lanes);
    for (int64_t i = 0; i < vectors; i++) {
        vf value = f(load_operand(a, a_mode, row->a_step, same_a, i),
                     load_operand(b, b_mode, row->b_step, same_b, i));
        v_store(row->out + i * VW, (vf)((vi)value & mask));
    }
    if (tail) {
        vf last_a = a_mode == ROW_VECTORS ? v_load_first(a + vectors * VW, tail, 0) : same_a;
        vf last_b = b_mode == ROW_VECTORS ? v_load_first(b + vectors * VW, tail, 0) : same_b;
        vf value = f(last_a, last_b);
        v_store_first(row->out + vectors * VW, value, tail);
    }
}

INLINE void binary_row(const Row *row, BinaryFunction f) {
    switch (row->a_mode * ROW_MODES + row->b_mode) {
    case ROW_VECTORS *ROW_MODES + ROW_VECTORS:
        binary_loop(row, f, ROW_VECTORS, ROW_VECTORS);
        break;
    case ROW_VECTORS *ROW_MODES + ROW_SAME:
        binary_loop(row, f, ROW_VECTORS, ROW_SAME);
        break;
    case ROW_SAME *ROW_MODES + ROW_VECTORS:
        binary_loop(row, f, ROW_SAME, ROW_VECTORS);
        break;
    case ROW_VECTORS *ROW_MODES + ROW_PIXELS:
        binary_loop(row, f, ROW_VECTORS, ROW_PIXELS);
        break;
    case ROW_PIXELS *ROW_MODES + ROW_VECTORS:
        binary_loop(row, f, ROW_PIXELS, ROW_VECTORS);
        break;
    case ROW_SAME *ROW_MODES + ROW_PIXELS:
        binary_loop(row, f, ROW_SAME, ROW_PIXELS);
        break;
    case ROW_PIXELS *ROW_MODES + ROW_SAME:
        binary_loop(row, f, ROW_PIXELS, ROW_SAME);
        break;
    default:
        binary_loop(row, f, ROW_SAME, ROW_SAME);
        break;
    }
}

#define BINARY(NAME, EXPRESSION)                                                                             \
    INLINE vf NAME(vf a, vf b) {                                                                             \
        return EXPRESSION;                                                                                   \
    }                                                                                                        \
    static void NAME##_row(const Row *row) {                                                                 \
        binary_row(row, NAME);                                                                               \
    }

BINARY(sum, a + b)
BINARY(difference, a - b)
BINARY(product, a *b)
BINARY(quotient, a / b)
/* NaN in either comes out. */
BINARY(maximum, v_select((a > b) | v_is_nan(a), a, b))
BINARY(minimum, v_select((a < b) | v_is_nan(a), a, b))
BINARY(prelu, v_select(a < v_zero(), a *b, a))
BINARY(power, v_pow(a, b))

typedef vf (*UnaryFunction)(Activation activation, vf x);

/* The operand lies as the output does, so only the mask distinguishes layouts. */
INLINE void unary_loop(const Row *row, UnaryFunction f) {
    const int64_t vectors = row->floats / VW, tail = row->floats % VW;
    const vi mask = v_lane_mask(row->lanes);
    const Activation activation = row->activation;
    for (int64_t i = 0; i < vectors; i++)
        v_store(row->out + i * VW, (vf)((vi)f(activation, v_load(row->a + i * VW)) & mask));
    if (tail) {
        vf value = f(activation, v_load_first(row->a + vectors * VW, tail, 0));
        v_store_first(row->out + vectors * VW, value, tail);
    }
}

#define UNARY(NAME, EXPRESSION)                                                                              \
    INLINE vf NAME(Activation activation, vf x) {                                                            \
        (void)activation;                                                                                    \
        return EXPRESSION;                                                                                   \
    }                                                                                                        \
    static void NAME##_row(const Row *row) {                                                                 \
        unary_loop(row, NAME);                                                                               \
    }

UNARY(negate, -x)
UNARY(absolute, v_abs(x))
UNARY(square_root, v_sqrt(x))
UNARY(exponential, v_exp(x))
UNARY(reciprocal, v_set(1.0f) / x)
UNARY(error_function, v_erf(x))
UNARY(logarithm, v_log(x))
UNARY(square, x *x)
UNARY(cube, x *x *x)
UNARY(root, v_root(x))
UNARY(reciprocal_root, v_set(1.0f) / v_root(x))

#define ACTIVATION(NAME, KIND)                                                                               \
    UNARY(NAME, v_activate(((Activation){KIND, activation.alpha, activation.beta}), x))

ACTIVATION(identity, ACTIVATION_NONE)
ACTIVATION(relu, ACTIVATION_RELU)
ACTIVATION(clip, ACTIVATION_CLIP)
ACTIVATION(leaky_relu, ACTIVATION_LEAKY_RELU)
ACTIVATION(hard_sigmoid, ACTIVATION_HARD_SIGMOID)
ACTIVATION(hard_swish, ACTIVATION_HARD_SWISH)
ACTIVATION(sigmoid, ACTIVATION_SIGMOID)
ACTIVATION(silu, ACTIVATION_SILU)
ACTIVATION(tangent, ACTIVATION_TANH)
ACTIVATION(elu, ACTIVATION_ELU)
ACTIVATION(softplus, ACTIVATION_SOFTPLUS)
ACTIVATION(mish, ACTIVATION_MISH)
ACTIVATION(gelu, ACTIVATION_GELU)

const ElementwiseTable ISA(elementwise) = {
    .binary = {sum_row, difference_row, product_row, quotient_row, maximum_row, minimum_row, prelu_row,
               power_row},
    .unary = {NULL, negate_row, absolute_row, square_root_row, exponential_row, reciprocal_row,
              error_function_row, logarithm_row, square_row, cube_row, root_row, reciprocal_root_row},
    .activation = {identity_row, relu_row, clip_row, leaky_relu_row, hard_sigmoid_row, hard_swish_row,
                   sigmoid_row, silu_row, tangent_row, elu_row, softplus_row, mish_row, gelu_row},
};
