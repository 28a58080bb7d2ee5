/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that map each element by itself to one of the same type; those that give bool are in logic.c.
 * Floats are computed in float64 and rounded once. */
#include "ops/math/unary.h"

#include <math.h>
#include <string.h>

#include "base/wrap.h"

#define REAL double
#include "ops/math/function_formula.h"

typedef struct UnaryAttrs {
    float alpha, beta; /* as each operator names its numbers: gamma, lambd and bias too */
    bool tanh_form;    /* Gelu: approximate = "tanh" */
} UnaryAttrs;

/* --- the operator --- */

/* What differs from operator to operator. */
typedef struct Unary {
    int op;                    /* OpKind */
    ActivationKind activation; /* NONE: `kind` */
    FunctionKind kind;
    unsigned dtypes;
    const char *alpha, *beta; /* the attributes' names; NULL where there is none */
    float alpha_default, beta_default;
} Unary;

enum {
    DTYPES_SIGNED =
        DTYPES_FLOAT | 1u << STRIDER_I8 | 1u << STRIDER_I16 | 1u << STRIDER_I32 | 1u << STRIDER_I64
};

static const Unary unaries[] = {
    {OP_Relu, ACTIVATION_RELU, 0, DTYPES_NUMERIC, 0, 0, 0, 0},
    {OP_LeakyRelu, ACTIVATION_LEAKY_RELU, 0, DTYPES_FLOAT, "alpha", 0, 0.01f, 0},
    {OP_HardSigmoid, ACTIVATION_HARD_SIGMOID, 0, DTYPES_FLOAT, "alpha", "beta", 0.2f, 0.5f},
    {OP_HardSwish, ACTIVATION_HARD_SWISH, 0, DTYPES_FLOAT, 0, 0, 0, 0},
    {OP_Sigmoid, ACTIVATION_SIGMOID, 0, DTYPES_FLOAT, 0, 0, 0, 0},
    {OP_Swish, ACTIVATION_SILU, 0, DTYPES_FLOAT, "alpha", 0, 1, 0},
    {OP_Tanh, ACTIVATION_TANH, 0, DTYPES_FLOAT, 0, 0, 0, 0},
    {OP_Elu, ACTIVATION_ELU, 0, DTYPES_FLOAT, "alpha", 0, 1, 0},
    {OP_Selu, 0, FUNCTION_SELU, DTYPES_FLOAT, "alpha", "gamma", 1.67326319217681884765625f,
     1.05070102214813232421875f},
    {OP_Celu, 0, FUNCTION_CELU, DTYPES_FLOAT, "alpha", 0, 1, 0},
    {OP_Softplus, ACTIVATION_SOFTPLUS, 0, DTYPES_FLOAT, 0, 0, 0, 0},
    {OP_Softsign, 0, FUNCTION_SOFTSIGN, DTYPES_FLOAT, 0, 0, 0, 0},
    {OP_Mish, ACTIVATION_MISH, 0, DTYPES_FLOAT, 0, 0, 0, 0},
    {OP_Gelu, ACTIVATION_GELU, FUNCTION_GELU_TANH, DTYPES_FLOAT, 0, 0, 0, 0},
    {OP_ThresholdedRelu, 0, FUNCTION_THRESHOLDED_RELU, DTYPES_FLOAT, "alpha", 0, 1, 0},
    {OP_Shrink, 0, FUNCTION_SHRINK, DTYPES_NUMERIC, "lambd", "bias", 0.5f, 0},
    {OP_Abs, 0, FUNCTION_ABS, DTYPES_NUMERIC, 0, 0, 0, 0},
    {OP_Neg, 0, FUNCTION_NEG, DTYPES_SIGNED, 0, 0, 0, 0},
    {OP_Ceil, 0, FUNCTION_CEIL, DTYPES_FLOAT, 0, 0, 0, 0},
    {OP_Floor, 0, FUNCTION_FLOOR, DTYPES_FLOAT, 0, 0, 0, 0},
    {OP_Round, 0, FUNCTION_ROUND, DTYPES_FLOAT, 0, 0, 0, 0},
    {OP_Sign, 0, FUNCTION_SIGN, DTYPES_NUMERIC, 0, 0, 0, 0},
    {OP_Exp, 0, FUNCTION_EXP, DTYPES_FLOAT, 0, 0, 0, 0},
    {OP_Log, 0, FUNCTION_LOG, DTYPES_FLOAT, 0, 0, 0, 0},
    {OP_Sqrt, 0, FUNCTION_SQRT, DTYPES_FLOAT, 0, 0, 0, 0},
    {OP_Reciprocal, 0, FUNCTION_RECIPROCAL, DTYPES_FLOAT, 0, 0, 0, 0},
    {OP_Erf, 0, FUNCTION_ERF, DTYPES_NUMERIC, 0, 0, 0, 0},
    {OP_Sin, 0, FUNCTION_SIN, DTYPES_FLOAT, 0, 0, 0, 0},
    {OP_Cos, 0, FUNCTION_COS, DTYPES_FLOAT, 0, 0, 0, 0},
    {OP_Tan, 0, FUNCTION_TAN, DTYPES_FLOAT, 0, 0, 0, 0},
    {OP_Asin, 0, FUNCTION_ASIN, DTYPES_FLOAT, 0, 0, 0, 0},
    {OP_Acos, 0, FUNCTION_ACOS, DTYPES_FLOAT, 0, 0, 0, 0},
    {OP_Atan, 0, FUNCTION_ATAN, DTYPES_FLOAT, 0, 0, 0, 0},
    {OP_Sinh, 0, FUNCTION_SINH, DTYPES_FLOAT, 0, 0, 0, 0},
    {OP_Cosh, 0, FUNCTION_COSH, DTYPES_FLOAT, 0, 0, 0, 0},
    {OP_Asinh, 0, FUNCTION_ASINH, DTYPES_FLOAT, 0, 0, 0, 0},
    {OP_Acosh, 0, FUNCTION_ACOSH, DTYPES_FLOAT, 0, 0, 0, 0},
    {OP_Atanh, 0, FUNCTION_ATANH, DTYPES_FLOAT, 0, 0, 0, 0},
};

static const Unary *find_unary(const Node *node) {
    for (size_t i = 0; i < sizeof unaries / sizeof *unaries; i++)
        if (unaries[i].op == node->op->kind)
            return &unaries[i];
    return NULL;
}

static Status unary_parse(ParseContext *ctx, void *attrs_) {
    UnaryAttrs *attrs = attrs_;
    const Unary *unary = find_unary(ctx->node);
    if (unary->alpha)
        TRY(parse_float(ctx, unary->alpha, unary->alpha_default, &attrs->alpha));
    if (unary->beta)
        TRY(parse_float(ctx, unary->beta, unary->beta_default, &attrs->beta));
    if (unary->op == OP_Selu && ctx->node->opset < 6) { /* fewer digits then */
        TRY(parse_float(ctx, "alpha", 1.6732f, &attrs->alpha));
        TRY(parse_float(ctx, "gamma", 1.0507f, &attrs->beta));
    }
    static const char *const forms[] = {"none", "tanh", NULL};
    int form = 0;
    if (unary->op == OP_Gelu)
        TRY(parse_enum(ctx, "approximate", forms, 0, &form));
    attrs->tanh_form = form == 1;
    return STRIDER_OK;
}

static Status unary_infer(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, 0, find_unary(ctx->node)->dtypes));
    ctx->outputs[0] = ctx->inputs[0];
    return STRIDER_OK;
}

/* Operators on integers whose results a double cannot hold; the others go through their function.  True where
 * *y is set. */
static bool apply_exactly(const Unary *unary, DType dtype, uint64_t x, uint64_t *y) {
    bool negative = dtype_is_signed(dtype) && (int64_t)x < 0;
    if (unary->activation == ACTIVATION_RELU)
        *y = negative ? 0 : x;
    else if (unary->activation)
        return false;
    else if (unary->kind == FUNCTION_ABS)
        *y = negative ? wrap_sub(0, x) : x;
    else if (unary->kind == FUNCTION_NEG)
        *y = wrap_sub(0, x);
    else
        return false;
    return true;
}

static double apply(const Unary *unary, const UnaryAttrs *attrs, double x) {
    if (unary->activation && !attrs->tanh_form)
        return activation_apply((Activation){unary->activation, attrs->alpha, attrs->beta}, x);
    return function_formula((Function){unary->kind, attrs->alpha, attrs->beta}, x);
}

static Status unary_reference(EvalContext *ctx) {
    const Unary *unary = find_unary(ctx->node);
    const UnaryAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[0];
    Tensor *y = ctx->outputs[0];
    int64_t count = tensor_elements(x);
    bool integers = dtype_is_integer(x->type.dtype);
    for (int64_t i = 0; i < count; i++) {
        uint64_t bits;
        if (integers && apply_exactly(unary, x->type.dtype, tensor_get_bits(x, i), &bits))
            tensor_set_bits(y, i, bits); /* -(-128) is -128 in int8 */
        else
            tensor_set_f64(y, i, apply(unary, attrs, tensor_get_f64(x, i)));
    }
    return STRIDER_OK;
}

#define UNARY(ROW, NAME, SINCE)                                                                              \
    const Op ROW = {                                                                                         \
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

UNARY(op_relu, Relu, 1)
UNARY(op_leaky_relu, LeakyRelu, 1)
UNARY(op_hard_sigmoid, HardSigmoid, 1)
UNARY(op_hard_swish, HardSwish, 14)
UNARY(op_sigmoid, Sigmoid, 1)
UNARY(op_swish, Swish, 24)
UNARY(op_tanh, Tanh, 1)
UNARY(op_elu, Elu, 1)
UNARY(op_selu, Selu, 1)
UNARY(op_celu, Celu, 12)
UNARY(op_softplus, Softplus, 1)
UNARY(op_softsign, Softsign, 1)
UNARY(op_mish, Mish, 18)
UNARY(op_gelu, Gelu, 20)
UNARY(op_thresholded_relu, ThresholdedRelu, 10)
UNARY(op_shrink, Shrink, 9)
UNARY(op_abs, Abs, 1)
UNARY(op_neg, Neg, 1)
UNARY(op_ceil, Ceil, 1)
UNARY(op_floor, Floor, 1)
UNARY(op_round, Round, 11)
UNARY(op_sign, Sign, 9)
UNARY(op_exp, Exp, 1)
UNARY(op_log, Log, 1)
UNARY(op_sqrt, Sqrt, 1)
UNARY(op_reciprocal, Reciprocal, 1)
UNARY(op_erf, Erf, 9)
UNARY(op_sin, Sin, 7)
UNARY(op_cos, Cos, 7)
UNARY(op_tan, Tan, 7)
UNARY(op_asin, Asin, 7)
UNARY(op_acos, Acos, 7)
UNARY(op_atan, Atan, 7)
UNARY(op_sinh, Sinh, 9)
UNARY(op_cosh, Cosh, 9)
UNARY(op_asinh, Asinh, 9)
UNARY(op_acosh, Acosh, 9)
UNARY(op_atanh, Atanh, 9)

/* --- activations for passes and kernels --- */

static const struct {
    const Op *op;
    ActivationKind kind;
} activations[] = {
    {&op_relu, ACTIVATION_RELU},
    {&op_leaky_relu, ACTIVATION_LEAKY_RELU},
    {&op_hard_sigmoid, ACTIVATION_HARD_SIGMOID},
    {&op_hard_swish, ACTIVATION_HARD_SWISH},
    {&op_sigmoid, ACTIVATION_SIGMOID},
    {&op_swish, ACTIVATION_SILU},
    {&op_tanh, ACTIVATION_TANH},
    {&op_elu, ACTIVATION_ELU},
    {&op_softplus, ACTIVATION_SOFTPLUS},
    {&op_mish, ACTIVATION_MISH},
    {&op_gelu, ACTIVATION_GELU},
};

enum { N_ACTIVATIONS = sizeof activations / sizeof *activations };

/* By name: modules of devices have rows of their own. */
bool node_activation(const Node *node, Activation *activation) {
    const Unary *unary = find_unary(node);
    const UnaryAttrs *attrs = node->attrs;
    if (unary && unary->activation && !attrs->tanh_form) {
        *activation = (Activation){unary->activation, attrs->alpha, attrs->beta};
        return true;
    }
    double low, high;
    if (node->op->kind != OP_Clip || !clip_bounds(node, &low, &high) || low > high ||
        (double)(float)low != low || (double)(float)high != high)
        return false;
    *activation = (Activation){ACTIVATION_CLIP, (float)low, (float)high};
    return true;
}

bool node_function(const Node *node, Function *function) {
    const Unary *unary = find_unary(node);
    const UnaryAttrs *attrs = node->attrs;
    if (!unary || (unary->activation && !attrs->tanh_form))
        return false;
    *function = (Function){unary->kind, attrs->alpha, attrs->beta};
    return true;
}

Status graph_add_activation(Graph *graph, Activation activation, const char *name, Node **node, Error *err) {
    for (size_t i = 0; i < N_ACTIVATIONS; i++) {
        if (activations[i].kind != activation.kind)
            continue;
        TRY(graph_add_node(graph, activations[i].op, name, 1, 1, node, err));
        (*node)->opset = activations[i].op->since;
        *(UnaryAttrs *)(*node)->attrs = (UnaryAttrs){.alpha = activation.alpha, .beta = activation.beta};
        return STRIDER_OK;
    }
    return fail(err, STRIDER_INVALID_ARGUMENT, "no operator for the activation %s",
                activation_name(activation.kind));
}
