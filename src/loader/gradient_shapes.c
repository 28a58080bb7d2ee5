/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/gradient.h"

Status shape_value(Expansion *e, Value *x, Value **shape) {
    return expansion_unary(e, "Shape", x, shape);
}

Status reshape_value(Expansion *e, Value *x, Value *shape, Value **y) {
    return expansion_apply(e, "Reshape", 14, ATTRS(expansion_int_attr("allowzero", 1)), INPUTS(x, shape), y);
}

Status reshape_like(Expansion *e, Value *x, Value *like, Value **y) {
    Value *shape;
    TRY(shape_value(e, like, &shape));
    return reshape_value(e, x, shape, y);
}

Status expand_like(Expansion *e, Value *x, Value *like, Value **y) {
    Value *shape;
    TRY(shape_value(e, like, &shape));
    return expansion_binary(e, "Expand", x, shape, y);
}

Status filled_like(Expansion *e, float number, Value *like, Value **y) {
    TRY(expansion_number_like(e, like, number, y));
    return expand_like(e, *y, like, y);
}

Status join_shapes(Expansion *e, int n, Value *const *parts, Value **shape) {
    return expansion_apply(e, "Concat", 13, ATTRS(expansion_int_attr("axis", 0)), n, parts, shape);
}

Status ones_value(Expansion *e, Value *count, Value **ones) {
    TRY(expansion_ints(e, 1, &(int64_t){1}, ones));
    return expansion_binary(e, "Expand", *ones, count, ones);
}

/* The axes along which the shapes differ, once ones stand before the one that has fewer. */
static Status repeated_axes(Expansion *e, Value *shape, Value *whole, Value **axes) {
    Value *rank, *whole_rank, *count, *ones, *same, *list;
    TRY(shape_value(e, shape, &rank));
    TRY(shape_value(e, whole, &whole_rank));
    TRY(expansion_binary(e, "Sub", whole_rank, rank, &count));
    TRY(ones_value(e, count, &ones));
    TRY(join_shapes(e, 2, (Value *[]){ones, shape}, &shape));
    TRY(expansion_binary(e, "Equal", shape, whole, &same));
    TRY(expansion_unary(e, "Not", same, &same));
    TRY(expansion_unary(e, "NonZero", same, axes));
    TRY(expansion_ints(e, 1, &(int64_t){-1}, &list));
    return expansion_binary(e, "Reshape", *axes, list, axes);
}

Status sum_to_like(Expansion *e, Value *g, Value *like, Value **y) {
    Value *shape, *whole, *axes;
    TRY(shape_value(e, like, &shape));
    TRY(shape_value(e, g, &whole));
    TRY(repeated_axes(e, shape, whole, &axes));
    TRY(expansion_apply(e, "ReduceSum", 13, ATTRS(expansion_int_attr("noop_with_empty_axes", 1)),
                        INPUTS(g, axes), y));
    return reshape_value(e, *y, shape, y);
}
