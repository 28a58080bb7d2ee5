/* SPDX-License-Identifier: Apache-2.0 */
/* Operators of com.microsoft on integers that come to those of real numbers between DequantizeLinear and
 * QuantizeLinear, or to a product of integers. */
#include "loader/foreign.h"

/* --- products --- */

Status expansion_integer_product(Expansion *e, const IntegerFactors *factors, Value **y) {
    Value *scale;
    TRY(expansion_apply(e, "MatMulInteger", 10, NO_ATTRS,
                        INPUTS(factors->a, factors->b, factors->a_zero, factors->b_zero), y));
    TRY(expansion_apply(e, "CastLike", 15, NO_ATTRS, INPUTS(*y, factors->a_scale), y));
    TRY(expansion_apply(e, "Mul", 14, NO_ATTRS, INPUTS(factors->a_scale, factors->b_scale), &scale));
    TRY(expansion_apply(e, "Mul", 14, NO_ATTRS, INPUTS(*y, scale), y));
    return expansion_sum(e, factors->bias, y);
}

Status expand_matmul_integer_to_float(Expansion *e) {
    enum { IN_A, IN_B, IN_A_SCALE, IN_B_SCALE, IN_A_ZERO, IN_B_ZERO, IN_BIAS };
    Value *y;
    TRY(expansion_integer_product(e,
                                  &(IntegerFactors){.a = expansion_input(e, IN_A),
                                                    .b = expansion_input(e, IN_B),
                                                    .a_scale = expansion_input(e, IN_A_SCALE),
                                                    .b_scale = expansion_input(e, IN_B_SCALE),
                                                    .a_zero = expansion_input(e, IN_A_ZERO),
                                                    .b_zero = expansion_input(e, IN_B_ZERO),
                                                    .bias = expansion_input(e, IN_BIAS)},
                                  &y));
    return expansion_output(e, 0, y);
}

Status expand_dynamic_quantize_matmul(Expansion *e) {
    enum { IN_A, IN_B, IN_B_SCALE, IN_B_ZERO, IN_BIAS, OUTPUTS = 3 };
    Value *a = expansion_input(e, IN_A), *quantized[OUTPUTS], *y;
    Node *node;
    TRY(expansion_add(
        e,
        &(NewNode){
            .type = "DynamicQuantizeLinear", .opset = 11, .n_inputs = 1, .n_outputs = OUTPUTS, .inputs = &a},
        quantized, &node));
    TRY(expansion_integer_product(e,
                                  &(IntegerFactors){.a = quantized[0],
                                                    .b = expansion_input(e, IN_B),
                                                    .a_scale = quantized[1],
                                                    .b_scale = expansion_input(e, IN_B_SCALE),
                                                    .a_zero = quantized[2],
                                                    .b_zero = expansion_input(e, IN_B_ZERO),
                                                    .bias = expansion_input(e, IN_BIAS)},
                                  &y));
    return expansion_output(e, 0, y);
}

/* --- what is computed with real numbers --- */

/* The input `port`, whose scale and zero point follow it. */
static Status dequantize(Expansion *e, int port, Value **y) {
    return expansion_apply(
        e, "DequantizeLinear", 13, NO_ATTRS,
        INPUTS(expansion_input(e, port), expansion_input(e, port + 1), expansion_input(e, port + 2)), y);
}

/* To the first output, by the scale and zero point at the inputs `port` and the next. */
static Status quantize(Expansion *e, int port, Value *y) {
    if (!expansion_input(e, port))
        return where_fail(e->loading, e->where, STRIDER_BAD_MODEL, "the scale of its output is missing");
    TRY(expansion_apply(e, "QuantizeLinear", 13, NO_ATTRS,
                        INPUTS(y, expansion_input(e, port), expansion_input(e, port + 1)), &y));
    return expansion_output(e, 0, y);
}

Status expand_qlinear_softmax(Expansion *e) {
    Value *y;
    int64_t opset, axis;
    TRY(parse_require(&e->parse, "opset"));
    TRY(parse_int(&e->parse, "opset", 13, &opset));
    TRY(parse_int(&e->parse, "axis", -1, &axis));
    TRY(dequantize(e, 0, &y));
    TRY(expansion_apply(e, "Softmax", opset < 13 ? 11 : 13, ATTRS(expansion_int_attr("axis", axis)),
                        INPUTS(y), &y));
    return quantize(e, 3, y);
}

Status expand_qlinear_reduce_mean(Expansion *e) {
    Value *y;
    TRY(dequantize(e, 0, &y));
    TRY(expansion_apply(e, "ReduceMean", 13, e->attrs, INPUTS(y), &y));
    return quantize(e, 3, y);
}

Status expand_qlinear_where(Expansion *e) {
    Value *x, *y;
    TRY(dequantize(e, 1, &x));
    TRY(dequantize(e, 4, &y));
    TRY(expansion_apply(e, "Where", 16, NO_ATTRS, INPUTS(expansion_input(e, 0), x, y), &y));
    return quantize(e, 7, y);
}
