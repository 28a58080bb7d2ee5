/* SPDX-License-Identifier: Apache-2.0 */
/* The derivatives of reductions, and of what only moves elements. */
#include "loader/gradient_rules.h"
#include "ops/math/softmax.h"
#include "ops/reduction/reduce.h"
#include "ops/tensor/concat.h"
#include "ops/tensor/transpose.h"

/* --- reductions --- */

/* The axes as a value; NULL: all. */
static Status reduced_axes(const Derivative *d, Value **axes) {
    const ReduceAttrs *attrs = d->node->attrs;
    *axes = derivative_input(d, 1);
    return attrs->axes_given ? expansion_ints(d->e, attrs->n_axes, attrs->axes, axes) : STRIDER_OK;
}

/* x, which lacks the reduced axes unless they were kept, as large as the operator's input */
static Status spread(const Derivative *d, Value *x, Value **y) {
    const ReduceAttrs *attrs = d->node->attrs;
    Value *axes;
    TRY(reduced_axes(d, &axes));
    if (axes && !attrs->keepdims)
        TRY(expansion_binary(d->e, "Unsqueeze", x, axes, &x));
    return expand_like(d->e, x, derivative_input(d, 0), y);
}

Status reduce_sum_rule(Derivative *d) {
    Value *dx;
    TRY(spread(d, d->g, &dx));
    return derivative_give(d, 0, dx);
}

/* x / how many elements each of the output was made of */
static Status divide_by_count(const Derivative *d, Value *x, Value **y) {
    Value *in, *out;
    TRY(expansion_unary(d->e, "Size", derivative_input(d, 0), &in));
    TRY(expansion_unary(d->e, "Size", d->node->outputs[0], &out));
    TRY(expansion_binary(d->e, "CastLike", in, x, &in));
    TRY(expansion_binary(d->e, "CastLike", out, x, &out));
    TRY(expansion_binary(d->e, "Div", out, in, &out));
    return derivative_multiply(d, x, out, y);
}

Status reduce_mean_rule(Derivative *d) {
    Value *dx;
    TRY(divide_by_count(d, d->g, &dx));
    TRY(spread(d, dx, &dx));
    return derivative_give(d, 0, dx);
}

Status global_average_pool_rule(Derivative *d) {
    Value *dx;
    TRY(divide_by_count(d, d->g, &dx));
    TRY(expand_like(d->e, dx, derivative_input(d, 0), &dx));
    return derivative_give(d, 0, dx);
}

/* The sum along the axis, which stays. */
static Status sum_along(const Derivative *d, Value *x, int64_t axis, Value **y) {
    Value *axes;
    TRY(expansion_ints(d->e, 1, &axis, &axes));
    return expansion_binary(d->e, "ReduceSum", x, axes, y);
}

/* As matrices where the operator takes all dimensions from the axis on for one. */
static Status softmax_operands(const Derivative *d, Value **g, Value **y, int64_t *axis) {
    const SoftmaxAttrs *attrs = d->node->attrs;
    const Attr from = expansion_int_attr("axis", attrs->axis);
    *g = d->g;
    *y = d->node->outputs[0];
    *axis = attrs->flatten ? 1 : attrs->axis;
    if (!attrs->flatten)
        return STRIDER_OK;
    TRY(expansion_apply(d->e, "Flatten", 13, ATTRS(from), INPUTS(*g), g));
    return expansion_apply(d->e, "Flatten", 13, ATTRS(from), INPUTS(*y), y);
}

static Status give_reshaped(Derivative *d, Value *dx) {
    TRY(reshape_like(d->e, dx, derivative_input(d, 0), &dx));
    return derivative_give(d, 0, dx);
}

/* y (g - sum(g y)) */
Status softmax_rule(Derivative *d) {
    Value *g, *y, *sum, *dx;
    int64_t axis;
    TRY(softmax_operands(d, &g, &y, &axis));
    TRY(derivative_multiply(d, g, y, &sum));
    TRY(sum_along(d, sum, axis, &sum));
    TRY(expansion_binary(d->e, "Sub", g, sum, &dx));
    TRY(derivative_multiply(d, y, dx, &dx));
    return give_reshaped(d, dx);
}

/* g - exp(y) sum(g) */
Status log_softmax_rule(Derivative *d) {
    Value *g, *y, *sum, *dx;
    int64_t axis;
    TRY(softmax_operands(d, &g, &y, &axis));
    TRY(sum_along(d, g, axis, &sum));
    TRY(expansion_unary(d->e, "Exp", y, &dx));
    TRY(derivative_multiply(d, dx, sum, &dx));
    TRY(expansion_binary(d->e, "Sub", g, dx, &dx));
    return give_reshaped(d, dx);
}

/* --- movements --- */

Status reshape_rule(Derivative *d) {
    return give_reshaped(d, d->g);
}

Status transpose_rule(Derivative *d) {
    const TransposeAttrs *attrs = d->node->attrs;
    int64_t perm[MAX_RANK];
    Value *dx;
    if (attrs->form == TRANSPOSE_MATRIX) {
        TRY(derivative_transpose_matrix(d, d->g, &dx));
        return derivative_give(d, 0, dx);
    }
    if (attrs->form != TRANSPOSE_BY_PERM)
        return derivative_fail(d, "its derivative is not supported where the batch is transposed");
    for (int i = 0; i < attrs->n_perm; i++)
        perm[i] = 0;
    for (int i = 0; i < attrs->n_perm; i++)
        if (attrs->perm[i] >= 0 && attrs->perm[i] < attrs->n_perm)
            perm[attrs->perm[i]] = i;
    const Attr attr = expansion_ints_attr("perm", perm, attrs->n_perm < 0 ? 0 : (size_t)attrs->n_perm);
    TRY(expansion_apply(d->e, "Transpose", 13, attrs->n_perm < 0 ? NO_ATTRS : ATTRS(attr), INPUTS(d->g),
                        &dx));
    return derivative_give(d, 0, dx);
}

/* The sizes of all inputs along the axis. */
static Status joined_sizes(const Derivative *d, int64_t axis, Value **sizes) {
    const int n = d->node->n_inputs;
    Value **each = region_alloc_array(&d->e->loading->parsed, (size_t)n, sizeof(Value *)), *at, *shape;
    if (!each)
        return no_memory(d->e->loading);
    TRY(expansion_ints(d->e, 1, &axis, &at));
    for (int i = 0; i < n; i++) {
        TRY(shape_value(d->e, derivative_input(d, i), &shape));
        TRY(expansion_binary(d->e, "Gather", shape, at, &each[i]));
    }
    return join_shapes(d->e, n, each, sizes);
}

Status concat_rule(Derivative *d) {
    const int64_t axis = ((const ConcatAttrs *)d->node->attrs)->axis;
    const int n = d->node->n_inputs;
    Value **parts = region_alloc_array(&d->e->loading->parsed, (size_t)n, sizeof(Value *)), *sizes;
    Node *node;
    if (!parts)
        return no_memory(d->e->loading);
    TRY(joined_sizes(d, axis, &sizes));
    const NewNode split = {.type = "Split",
                           .opset = 13,
                           .attrs = ATTRS(expansion_int_attr("axis", axis)),
                           .n_inputs = 2,
                           .n_outputs = n,
                           .inputs = (Value *[]){d->g, sizes}};
    TRY(expansion_add(d->e, &split, parts, &node));
    for (int i = 0; i < n; i++)
        TRY(derivative_give(d, i, parts[i]));
    return STRIDER_OK;
}

Status split_rule(Derivative *d) {
    const int64_t axis = ((const SplitAttrs *)d->node->attrs)->axis;
    const int n = d->node->n_outputs;
    Value **parts = region_alloc_array(&d->e->loading->parsed, (size_t)n, sizeof(Value *)), *dx;
    if (!parts)
        return no_memory(d->e->loading);
    for (int i = 0; i < n; i++)
        TRY(derivative_of_output(d, i, &parts[i]));
    TRY(expansion_apply(d->e, "Concat", 13, ATTRS(expansion_int_attr("axis", axis)), n, parts, &dx));
    return derivative_give(d, 0, dx);
}
