/* SPDX-License-Identifier: Apache-2.0 */
/* The derivatives of products of matrices, and of convolutions. */
#include "loader/gradient_rules.h"
#include "ops/math/gemm.h"
#include "ops/nn/conv.h"
#include "ops/tensor/transpose.h"

static Status slice_list(const Derivative *d, Value *list, Value *start, Value *end, Value **part) {
    return expansion_apply(d->e, "Slice", 13, NO_ATTRS, INPUTS(list, start, end), part);
}

/* --- products of matrices --- */

Status derivative_transpose_matrix(const Derivative *d, Value *x, Value **y) {
    Node *node;
    TRY(expansion_add(
        d->e, &(NewNode){.type = "Transpose", .opset = 13, .n_inputs = 1, .n_outputs = 1, .inputs = &x}, y,
        &node));
    ((TransposeAttrs *)node->attrs)->form = TRANSPOSE_MATRIX;
    return STRIDER_OK;
}

/* A list of one number: how many dimensions a vector lacks to be a matrix. */
static Status count_missing(const Derivative *d, Value *shape, Value **count) {
    Value *rank, *two, *zero;
    TRY(shape_value(d->e, shape, &rank));
    TRY(expansion_ints(d->e, 1, &(int64_t){2}, &two));
    TRY(expansion_ints(d->e, 1, &(int64_t){0}, &zero));
    TRY(expansion_binary(d->e, "Sub", two, rank, count));
    return expansion_binary(d->e, "Max", *count, zero, count);
}

/* The factors as matrices: a vector becomes a row on the left, a column on the right; g has that dimension
 * then. */
typedef struct Matrices {
    Value *a, *b, *g;
} Matrices;

static Status adjoint_matrix(const Derivative *d, Value *row, Value *column, Value *column_missing,
                             Value **g) {
    Value *shape, *rank, *zero, *one, *at, *head, *tail;
    TRY(shape_value(d->e, d->g, &shape));
    TRY(shape_value(d->e, shape, &rank));
    TRY(expansion_ints(d->e, 1, &(int64_t){0}, &zero));
    TRY(expansion_ints(d->e, 1, &(int64_t){1}, &one));
    /* The columns' dimension is the last one, unless it is missing; the missing row comes before it. */
    TRY(expansion_binary(d->e, "Sub", rank, one, &at));
    TRY(expansion_binary(d->e, "Add", at, column_missing, &at));
    TRY(slice_list(d, shape, zero, at, &head));
    TRY(slice_list(d, shape, at, rank, &tail));
    TRY(join_shapes(d->e, 4, (Value *[]){head, row, tail, column}, &shape));
    return reshape_value(d->e, d->g, shape, g);
}

static Status make_matrices(const Derivative *d, Matrices *m) {
    Value *a = derivative_input(d, 0), *b = derivative_input(d, 1);
    Value *a_shape, *b_shape, *a_missing, *b_missing, *row, *column;
    TRY(shape_value(d->e, a, &a_shape));
    TRY(shape_value(d->e, b, &b_shape));
    TRY(count_missing(d, a_shape, &a_missing));
    TRY(count_missing(d, b_shape, &b_missing));
    TRY(ones_value(d->e, a_missing, &row));
    TRY(ones_value(d->e, b_missing, &column));
    TRY(join_shapes(d->e, 2, (Value *[]){row, a_shape}, &a_shape));
    TRY(join_shapes(d->e, 2, (Value *[]){b_shape, column}, &b_shape));
    TRY(reshape_value(d->e, a, a_shape, &m->a));
    TRY(reshape_value(d->e, b, b_shape, &m->b));
    return adjoint_matrix(d, row, column, b_missing, &m->g);
}

/* The product of two matrices, as one factor's adjoint. */
static Status give_product(Derivative *d, int port, Value *left, Value *right, Value *like) {
    Value *dx;
    TRY(expansion_binary(d->e, "MatMul", left, right, &dx));
    TRY(sum_to_like(d->e, dx, like, &dx));
    TRY(reshape_like(d->e, dx, derivative_input(d, port), &dx));
    return derivative_give(d, port, dx);
}

/* g B^T and A^T g, summed over batches that were broadcast */
Status matmul_rule(Derivative *d) {
    Matrices m;
    Value *transposed;
    TRY(make_matrices(d, &m));
    if (derivative_wants(d, 0)) {
        TRY(derivative_transpose_matrix(d, m.b, &transposed));
        TRY(give_product(d, 0, m.g, transposed, m.a));
    }
    if (!derivative_wants(d, 1))
        return STRIDER_OK;
    TRY(derivative_transpose_matrix(d, m.a, &transposed));
    return give_product(d, 1, transposed, m.g, m.b);
}

static Status give_gemm(Derivative *d, int port, Value *a, Value *b, bool trans_a, bool trans_b) {
    const GemmAttrs *attrs = d->node->attrs;
    Value *dx;
    TRY(expansion_apply(d->e, "Gemm", 13,
                        ATTRS(expansion_float_attr("alpha", attrs->alpha),
                              expansion_int_attr("transA", trans_a), expansion_int_attr("transB", trans_b)),
                        INPUTS(a, b), &dx));
    return derivative_give(d, port, dx);
}

/* Y = alpha A' B' + beta C */
Status gemm_rule(Derivative *d) {
    const GemmAttrs attrs = *(const GemmAttrs *)d->node->attrs;
    Value *a = derivative_input(d, GEMM_A), *b = derivative_input(d, GEMM_B), *dc = d->g;
    if (derivative_wants(d, GEMM_A))
        TRY(attrs.trans_a ? give_gemm(d, GEMM_A, b, d->g, attrs.trans_b, true)
                          : give_gemm(d, GEMM_A, d->g, b, false, !attrs.trans_b));
    if (derivative_wants(d, GEMM_B))
        TRY(attrs.trans_b ? give_gemm(d, GEMM_B, d->g, a, true, attrs.trans_a)
                          : give_gemm(d, GEMM_B, a, d->g, !attrs.trans_a, false));
    if (!derivative_wants(d, GEMM_C))
        return STRIDER_OK;
    TRY(expansion_scale(d->e, attrs.beta, &dc));
    return derivative_give_broadcast(d, GEMM_C, dc);
}

/* --- convolutions --- */

typedef struct ConvShape {
    const ConvAttrs *attrs;
    int spatial;
} ConvShape;

static Status conv_shape(const Derivative *d, ConvShape *shape) {
    const ConvAttrs *attrs = d->node->attrs;
    const Value *w = derivative_input(d, CONV_W);
    const int rank = w->constant ? w->constant->type.shape.rank : w->type.shape.rank;
    *shape = (ConvShape){attrs, attrs->window.n_kernel >= 0 ? attrs->window.n_kernel : rank - 2};
    if (attrs->window.auto_pad == AUTO_PAD_SAME_UPPER || attrs->window.auto_pad == AUTO_PAD_SAME_LOWER)
        return derivative_fail(d, "its derivative with automatic pads is not supported");
    return shape->spatial >= 1 && shape->spatial <= MAX_SPATIAL
               ? STRIDER_OK
               : derivative_fail(d, "its derivative with weights of unknown rank is not supported");
}

static Status window_node(const Derivative *d, const char *type, const ConvShape *shape,
                          const WindowAttrs *window, Value *x, Value *w, Value **y) {
    const size_t n = (size_t)shape->spatial;
    return expansion_apply(d->e, type, 11,
                           ATTRS(expansion_ints_attr("strides", window->strides, n),
                                 expansion_ints_attr("dilations", window->dilations, n),
                                 expansion_ints_attr("pads", window->pads, 2 * n),
                                 expansion_int_attr("group", shape->attrs->group)),
                           INPUTS(x, w), y);
}

/* The transposed convolution.  Windows may end after the input, or before its end: there zeros are put. */
static Status conv_input(Derivative *d, const ConvShape *shape) {
    WindowAttrs window = shape->attrs->window;
    Value *dx, *wanted, *found, *begins, *ends, *pads;
    for (int i = 0; i < shape->spatial; i++)
        window.pads[shape->spatial + i] = 0;
    TRY(window_node(d, "ConvTranspose", shape, &window, d->g, derivative_input(d, CONV_W), &dx));
    TRY(shape_value(d->e, derivative_input(d, CONV_X), &wanted));
    TRY(shape_value(d->e, dx, &found));
    TRY(expansion_binary(d->e, "Sub", wanted, found, &ends));
    TRY(expansion_binary(d->e, "Sub", wanted, wanted, &begins));
    TRY(join_shapes(d->e, 2, (Value *[]){begins, ends}, &pads));
    TRY(expansion_binary(d->e, "Pad", dx, pads, &dx));
    return derivative_give(d, CONV_X, dx);
}

/* x with its dimensions [batch, group * channels, ...] in the order `perm` of batch, group and channels. */
static Status order_groups(const Derivative *d, const ConvShape *shape, Value *x, const int64_t perm[3],
                           Value **y) {
    int64_t whole[3 + MAX_SPATIAL];
    Value *dims, *batch, *spatial, *groups, *zero, *one, *two, *end;
    memcpy(whole, perm, 3 * sizeof *perm);
    for (int i = 3; i < 3 + shape->spatial; i++)
        whole[i] = i;
    TRY(shape_value(d->e, x, &dims));
    TRY(expansion_ints(d->e, 1, &(int64_t){0}, &zero));
    TRY(expansion_ints(d->e, 1, &(int64_t){1}, &one));
    TRY(expansion_ints(d->e, 1, &(int64_t){2}, &two));
    TRY(expansion_ints(d->e, 1, &(int64_t){2 + shape->spatial}, &end));
    TRY(slice_list(d, dims, zero, one, &batch));
    TRY(slice_list(d, dims, two, end, &spatial));
    TRY(expansion_ints(d->e, 2, (const int64_t[]){shape->attrs->group, -1}, &groups));
    TRY(join_shapes(d->e, 3, (Value *[]){batch, groups, spatial}, &dims));
    TRY(expansion_binary(d->e, "Reshape", x, dims, y));
    return expansion_apply(d->e, "Transpose", 13,
                           ATTRS(expansion_ints_attr("perm", whole, 3 + (size_t)shape->spatial)), INPUTS(*y),
                           y);
}

/* Joins the dimensions at `axis` and after it. */
static Status join_dims(const Derivative *d, const ConvShape *shape, int axis, Value **x) {
    Value *dims, *head, *tail, *joined, *zero, *at, *after, *end;
    TRY(shape_value(d->e, *x, &dims));
    TRY(expansion_ints(d->e, 1, &(int64_t){0}, &zero));
    TRY(expansion_ints(d->e, 1, &(int64_t){axis}, &at));
    TRY(expansion_ints(d->e, 1, &(int64_t){axis + 2}, &after));
    TRY(expansion_ints(d->e, 1, &(int64_t){3 + shape->spatial}, &end));
    TRY(expansion_ints(d->e, 1, &(int64_t){-1}, &joined));
    TRY(slice_list(d, dims, zero, at, &head));
    TRY(slice_list(d, dims, after, end, &tail));
    TRY(join_shapes(d->e, 3, (Value *[]){head, joined, tail}, &dims));
    return expansion_binary(d->e, "Reshape", *x, dims, x);
}

/* What windows that do not fit the input leave over is cut off. */
static Status crop_like(const Derivative *d, const ConvShape *shape, Value *like, Value **x) {
    const int64_t axes[] = {2, 3, 4}, starts[MAX_SPATIAL] = {0};
    Value *dims, *two, *end, *ends, *begins, *along;
    TRY(shape_value(d->e, like, &dims));
    TRY(expansion_ints(d->e, 1, &(int64_t){2}, &two));
    TRY(expansion_ints(d->e, 1, &(int64_t){2 + shape->spatial}, &end));
    TRY(slice_list(d, dims, two, end, &ends));
    TRY(expansion_ints(d->e, shape->spatial, starts, &begins));
    TRY(expansion_ints(d->e, shape->spatial, axes, &along));
    return expansion_apply(d->e, "Slice", 13, NO_ATTRS, INPUTS(*x, begins, ends, along), x);
}

/* The convolution of the input with g, whose roles of batch and channels are exchanged, within each group;
 * strides and dilations, too, change places. */
static Status conv_weights(Derivative *d, const ConvShape *shape) {
    WindowAttrs window = shape->attrs->window;
    int64_t perm[2 + MAX_SPATIAL] = {1, 0, 2, 3, 4};
    Value *x, *g, *dw;
    TRY(order_groups(d, shape, derivative_input(d, CONV_X), (const int64_t[]){2, 1, 0}, &x));
    TRY(order_groups(d, shape, d->g, (const int64_t[]){1, 2, 0}, &g));
    TRY(join_dims(d, shape, 1, &x));
    TRY(join_dims(d, shape, 0, &g));
    memcpy(window.strides, shape->attrs->window.dilations, sizeof window.strides);
    memcpy(window.dilations, shape->attrs->window.strides, sizeof window.dilations);
    TRY(window_node(d, "Conv", shape, &window, x, g, &dw));
    TRY(crop_like(d, shape, derivative_input(d, CONV_W), &dw));
    TRY(expansion_apply(d->e, "Transpose", 13,
                        ATTRS(expansion_ints_attr("perm", perm, 2 + (size_t)shape->spatial)), INPUTS(dw),
                        &dw));
    return derivative_give(d, CONV_W, dw);
}

static Status conv_bias(Derivative *d, const ConvShape *shape) {
    const int64_t axes[] = {0, 2, 3, 4};
    Value *along, *db;
    TRY(expansion_ints(d->e, 1 + shape->spatial, axes, &along));
    TRY(expansion_apply(d->e, "ReduceSum", 13, ATTRS(expansion_int_attr("keepdims", 0)), INPUTS(d->g, along),
                        &db));
    return derivative_give(d, CONV_B, db);
}

Status conv_rule(Derivative *d) {
    ConvShape shape;
    TRY(conv_shape(d, &shape));
    if (derivative_wants(d, CONV_X))
        TRY(conv_input(d, &shape));
    if (derivative_wants(d, CONV_W))
        TRY(conv_weights(d, &shape));
    return derivative_wants(d, CONV_B) ? conv_bias(d, &shape) : STRIDER_OK;
}
