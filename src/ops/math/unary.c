/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that map each element by itself to one of the same type (unary_list.inc); those that give bool
 * are in logic.c.  Floats are computed in float64 and rounded once. */
#include "ops/math/unary.h"

#include <math.h>
#include <string.h>

#include "base/wrap.h"
#include "ops/tensor/is_nan.h"

#define REAL double
#include "ops/math/unary_formula.h"

typedef struct UnaryAttrs {
    float alpha, beta; /* as each operator names its numbers: gamma, lambd and bias too */
    bool tanh_form;    /* Gelu: approximate = "tanh" */
} UnaryAttrs;

/* --- the operator --- */

/* What differs from operator to operator. */
typedef struct UnaryRow {
    int op; /* OpKind */
    UnaryKind kind;
    unsigned dtypes;
    const char *alpha, *beta; /* the attributes' names; NULL where there is none */
    float alpha_default, beta_default;
} UnaryRow;

enum {
    DTYPES_SIGNED =
        DTYPES_FLOAT | 1u << STRIDER_I8 | 1u << STRIDER_I16 | 1u << STRIDER_I32 | 1u << STRIDER_I64
};

static const UnaryRow rows[] = {
#define UNARY(KIND, NAME, ROW, SINCE, DTYPES, ALPHA, ALPHA_DEFAULT, BETA, BETA_DEFAULT)                      \
    {OP_##NAME, UNARY_##KIND, DTYPES, ALPHA, BETA, ALPHA_DEFAULT, BETA_DEFAULT},
#include "ops/math/unary_list.inc"
};

static const UnaryRow *find_row(const Node *node) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].op == node->op->kind)
            return &rows[i];
    return NULL;
}

static Status unary_parse(ParseContext *ctx, void *attrs_) {
    UnaryAttrs *attrs = attrs_;
    const UnaryRow *row = find_row(ctx->node);
    if (row->alpha)
        TRY(parse_float(ctx, row->alpha, row->alpha_default, &attrs->alpha));
    if (row->beta)
        TRY(parse_float(ctx, row->beta, row->beta_default, &attrs->beta));
    if (row->op == OP_Selu && ctx->node->opset < 6) { /* fewer digits then */
        TRY(parse_float(ctx, "alpha", 1.6732f, &attrs->alpha));
        TRY(parse_float(ctx, "gamma", 1.0507f, &attrs->beta));
    }
    static const char *const forms[] = {"none", "tanh", NULL};
    int form = 0;
    if (row->op == OP_Gelu)
        TRY(parse_enum(ctx, "approximate", forms, 0, &form));
    attrs->tanh_form = form == 1;
    return STRIDER_OK;
}

static Status unary_infer(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, 0, find_row(ctx->node)->dtypes));
    ctx->outputs[0] = ctx->inputs[0];
    return STRIDER_OK;
}

/* Of a node that has a row. */
static Unary unary_of(const UnaryRow *row, const UnaryAttrs *attrs) {
    return (Unary){attrs->tanh_form ? UNARY_GELU_TANH : row->kind, attrs->alpha, attrs->beta};
}

/* Functions of integers whose results a double cannot hold; the others go through their formula.  True where
 * *y is set. */
static bool apply_exactly(UnaryKind kind, DType dtype, uint64_t x, uint64_t *y) {
    bool negative = dtype_is_signed(dtype) && (int64_t)x < 0;
    if (kind == UNARY_RELU)
        *y = negative ? 0 : x;
    else if (kind == UNARY_ABS)
        *y = negative ? wrap_sub(0, x) : x;
    else if (kind == UNARY_NEG)
        *y = wrap_sub(0, x);
    else
        return false;
    return true;
}

double unary_apply(Unary unary, double x) {
    return unary_formula(unary, x);
}

static Status unary_reference(EvalContext *ctx) {
    const Unary unary = unary_of(find_row(ctx->node), eval_attrs(ctx));
    const Tensor *x = ctx->inputs[0];
    Tensor *y = ctx->outputs[0];
    int64_t count = tensor_elements(x);
    bool integers = dtype_is_integer(x->type.dtype);
    for (int64_t i = 0; i < count; i++) {
        uint64_t bits;
        if (integers && apply_exactly(unary.kind, x->type.dtype, tensor_get_bits(x, i), &bits))
            tensor_set_bits(y, i, bits); /* -(-128) is -128 in int8 */
        else
            tensor_set_f64(y, i, unary_apply(unary, tensor_get_f64(x, i)));
    }
    return STRIDER_OK;
}

#define UNARY(KIND, NAME, ROW, SINCE, ...)                                                                   \
    const Op op_##ROW = {                                                                                    \
        OP_NAMED(NAME),                                                                                      \
        .since = SINCE,                                                                                      \
        .inputs = {1, 1},                                                                                    \
        .outputs = {1, 1},                                                                                   \
        .attrs_size = sizeof(UnaryAttrs),                                                                    \
        .parse = unary_parse,                                                                                \
        .infer = unary_infer,                                                                                \
        .reference = unary_reference,                                                                        \
        .flags = OP_ELEMENTWISE,                                                                             \
    };
#include "ops/math/unary_list.inc"

/* --- for passes and kernels --- */

static bool clip_unary(const Node *node, Unary *unary) {
    double low, high;
    if (!clip_bounds(node, &low, &high) || low > high || (double)(float)low != low ||
        (double)(float)high != high)
        return false;
    *unary = (Unary){UNARY_CLIP, (float)low, (float)high};
    return true;
}

/* By the operator's number: modules of devices have rows of their own. */
bool node_unary(const Node *node, Unary *unary) {
    const UnaryRow *row = find_row(node);
    const IsInfAttrs *is_inf = node->attrs;
    *unary = (Unary){UNARY_NONE, 0, 0};
    if (row)
        *unary = unary_of(row, node->attrs);
    else if (node->op->kind == OP_Clip)
        return clip_unary(node, unary);
    else if (node->op->kind == OP_Not)
        unary->kind = UNARY_NOT;
    else if (node->op->kind == OP_BitwiseNot)
        unary->kind = UNARY_BITWISE_NOT;
    else if (node->op->kind == OP_IsNaN)
        unary->kind = UNARY_IS_NAN;
    else if (node->op->kind == OP_IsInf)
        *unary = (Unary){UNARY_IS_INF, is_inf->positive, is_inf->negative};
    return unary->kind != UNARY_NONE;
}

bool node_activation(const Node *node, Unary *activation) {
    return node_unary(node, activation) && activation->kind < UNARY_ACTIVATIONS;
}

const char *unary_name(UnaryKind kind) {
    static const char *const names[UNARY_COUNT] = {
        [UNARY_CLIP] = "Clip",
#define UNARY(KIND, NAME, ...) [UNARY_##KIND] = #NAME,
#include "ops/math/unary_list.inc"
    };
    return (unsigned)kind < UNARY_COUNT && names[kind] ? names[kind] : "";
}

Status graph_add_unary(Graph *graph, Unary unary, const char *name, Node **node, Error *err) {
    static const Op *const ops[UNARY_COUNT] = {
#define UNARY(KIND, NAME, ROW, ...) [UNARY_##KIND] = &op_##ROW,
#include "ops/math/unary_list.inc"
    };
    const Op *op = ops[unary.kind];
    if (!op)
        return fail(err, STRIDER_INVALID_ARGUMENT, "no operator is function %d alone", (int)unary.kind);
    TRY(graph_add_node(graph, op, name, 1, 1, node, err));
    (*node)->opset = op->since;
    *(UnaryAttrs *)(*node)->attrs = (UnaryAttrs){.alpha = unary.alpha, .beta = unary.beta};
    return STRIDER_OK;
}
