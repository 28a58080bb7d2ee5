/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that map each element by itself to one of the same type; those that give bool are in logic.c.
 * Floats are computed in float64 and rounded once. */
#include "ops/unary.h"

#include <math.h>
#include <string.h>

typedef struct UnaryAttrs {
    float alpha, beta; /* as each operator names its numbers: gamma, lambd and bias too */
    bool tanh_form;    /* Gelu: approximate = "tanh" */
} UnaryAttrs;

typedef double (*Function)(const UnaryAttrs *attrs, double x);

/* --- functions
 * ------------------------------------------------------------------------------------------------- */

#define FUNCTION(name, expression)                                                                           \
    static double f_##name(const UnaryAttrs *a, double x) {                                                  \
        (void)a;                                                                                             \
        return expression;                                                                                   \
    }
#define ACTIVATION(name, KIND)                                                                               \
    static double f_##name(const UnaryAttrs *a, double x) {                                                  \
        return activation_apply((Activation){ACTIVATION_##KIND, a->alpha, a->beta}, x);                      \
    }

ACTIVATION(relu, RELU)
ACTIVATION(leaky_relu, LEAKY_RELU)
ACTIVATION(hard_sigmoid, HARD_SIGMOID)
ACTIVATION(hard_swish, HARD_SWISH)
ACTIVATION(sigmoid, SIGMOID)
ACTIVATION(swish, SILU)
ACTIVATION(tanh, TANH)
ACTIVATION(elu, ELU)
ACTIVATION(softplus, SOFTPLUS)
ACTIVATION(mish, MISH)
FUNCTION(abs, fabs(x))
FUNCTION(neg, -x)
FUNCTION(ceil, ceil(x))
FUNCTION(floor, floor(x))
FUNCTION(round, nearbyint(x)) /* to even, in the default rounding mode */
FUNCTION(exp, exp(x))
FUNCTION(log, log(x))
FUNCTION(sqrt, sqrt(x))
FUNCTION(reciprocal, 1 / x)
FUNCTION(erf, erf(x))
FUNCTION(sign, x > 0 ? 1 : x < 0 ? -1 : x)
FUNCTION(sin, sin(x))
FUNCTION(cos, cos(x))
FUNCTION(tan, tan(x))
FUNCTION(asin, asin(x))
FUNCTION(acos, acos(x))
FUNCTION(atan, atan(x))
FUNCTION(sinh, sinh(x))
FUNCTION(cosh, cosh(x))
FUNCTION(asinh, asinh(x))
FUNCTION(acosh, acosh(x))
FUNCTION(atanh, atanh(x))
FUNCTION(softsign, x / (1 + fabs(x)))
FUNCTION(selu, (double)a->beta *(x > 0 ? x : (double)a->alpha * expm1(x)))
FUNCTION(celu, x > 0 ? x : (double)a->alpha * expm1(x / (double)a->alpha))
FUNCTION(thresholded_relu, x > (double)a->alpha ? x : 0)
FUNCTION(shrink, x<-(double)a->alpha ? x + (double)a->beta : x>(double) a->alpha ? x - (double)a->beta : 0)
FUNCTION(gelu, a->tanh_form ? x / 2 * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)))
                            : activation_apply((Activation){.kind = ACTIVATION_GELU}, x))

/* --- the operator
 * ---------------------------------------------------------------------------------------------- */

/* What differs from operator to operator. */
typedef struct Unary {
    const char *name;
    Function function;
    unsigned dtypes;
    const char *alpha, *beta; /* the attributes' names; NULL where there is none */
    float alpha_default, beta_default;
} Unary;

enum {
    DTYPES_SIGNED =
        DTYPES_FLOAT | 1u << STRIDER_I8 | 1u << STRIDER_I16 | 1u << STRIDER_I32 | 1u << STRIDER_I64
};

static const Unary unaries[] = {
    {"Relu", f_relu, DTYPES_NUMERIC, 0, 0, 0, 0},
    {"LeakyRelu", f_leaky_relu, DTYPES_FLOAT, "alpha", 0, 0.01f, 0},
    {"HardSigmoid", f_hard_sigmoid, DTYPES_FLOAT, "alpha", "beta", 0.2f, 0.5f},
    {"HardSwish", f_hard_swish, DTYPES_FLOAT, 0, 0, 0, 0},
    {"Sigmoid", f_sigmoid, DTYPES_FLOAT, 0, 0, 0, 0},
    {"Swish", f_swish, DTYPES_FLOAT, "alpha", 0, 1, 0},
    {"Tanh", f_tanh, DTYPES_FLOAT, 0, 0, 0, 0},
    {"Elu", f_elu, DTYPES_FLOAT, "alpha", 0, 1, 0},
    {"Selu", f_selu, DTYPES_FLOAT, "alpha", "gamma", 1.67326319217681884765625f, 1.05070102214813232421875f},
    {"Celu", f_celu, DTYPES_FLOAT, "alpha", 0, 1, 0},
    {"Softplus", f_softplus, DTYPES_FLOAT, 0, 0, 0, 0},
    {"Softsign", f_softsign, DTYPES_FLOAT, 0, 0, 0, 0},
    {"Mish", f_mish, DTYPES_FLOAT, 0, 0, 0, 0},
    {"Gelu", f_gelu, DTYPES_FLOAT, 0, 0, 0, 0},
    {"ThresholdedRelu", f_thresholded_relu, DTYPES_FLOAT, "alpha", 0, 1, 0},
    {"Shrink", f_shrink, DTYPES_NUMERIC, "lambd", "bias", 0.5f, 0},
    {"Abs", f_abs, DTYPES_NUMERIC, 0, 0, 0, 0},
    {"Neg", f_neg, DTYPES_SIGNED, 0, 0, 0, 0},
    {"Ceil", f_ceil, DTYPES_FLOAT, 0, 0, 0, 0},
    {"Floor", f_floor, DTYPES_FLOAT, 0, 0, 0, 0},
    {"Round", f_round, DTYPES_FLOAT, 0, 0, 0, 0},
    {"Sign", f_sign, DTYPES_NUMERIC, 0, 0, 0, 0},
    {"Exp", f_exp, DTYPES_FLOAT, 0, 0, 0, 0},
    {"Log", f_log, DTYPES_FLOAT, 0, 0, 0, 0},
    {"Sqrt", f_sqrt, DTYPES_FLOAT, 0, 0, 0, 0},
    {"Reciprocal", f_reciprocal, DTYPES_FLOAT, 0, 0, 0, 0},
    {"Erf", f_erf, DTYPES_NUMERIC, 0, 0, 0, 0},
    {"Sin", f_sin, DTYPES_FLOAT, 0, 0, 0, 0},
    {"Cos", f_cos, DTYPES_FLOAT, 0, 0, 0, 0},
    {"Tan", f_tan, DTYPES_FLOAT, 0, 0, 0, 0},
    {"Asin", f_asin, DTYPES_FLOAT, 0, 0, 0, 0},
    {"Acos", f_acos, DTYPES_FLOAT, 0, 0, 0, 0},
    {"Atan", f_atan, DTYPES_FLOAT, 0, 0, 0, 0},
    {"Sinh", f_sinh, DTYPES_FLOAT, 0, 0, 0, 0},
    {"Cosh", f_cosh, DTYPES_FLOAT, 0, 0, 0, 0},
    {"Asinh", f_asinh, DTYPES_FLOAT, 0, 0, 0, 0},
    {"Acosh", f_acosh, DTYPES_FLOAT, 0, 0, 0, 0},
    {"Atanh", f_atanh, DTYPES_FLOAT, 0, 0, 0, 0},
};

static const Unary *find_unary(const char *name) {
    for (size_t i = 0; i < sizeof unaries / sizeof *unaries; i++)
        if (strcmp(unaries[i].name, name) == 0)
            return &unaries[i];
    return NULL;
}

static Status unary_parse(ParseContext *ctx, void *attrs_) {
    UnaryAttrs *attrs = attrs_;
    const Unary *unary = find_unary(ctx->node->op->name);
    if (unary->alpha)
        TRY(parse_float(ctx, unary->alpha, unary->alpha_default, &attrs->alpha));
    if (unary->beta)
        TRY(parse_float(ctx, unary->beta, unary->beta_default, &attrs->beta));
    if (strcmp(unary->name, "Selu") == 0 && ctx->node->opset < 6) { /* fewer digits then */
        TRY(parse_float(ctx, "alpha", 1.6732f, &attrs->alpha));
        TRY(parse_float(ctx, "gamma", 1.0507f, &attrs->beta));
    }
    static const char *const forms[] = {"none", "tanh", NULL};
    int form = 0;
    if (strcmp(unary->name, "Gelu") == 0)
        TRY(parse_enum(ctx, "approximate", forms, 0, &form));
    attrs->tanh_form = form == 1;
    return STRIDER_OK;
}

static Status unary_infer(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, 0, find_unary(ctx->node->op->name)->dtypes));
    ctx->outputs[0] = ctx->inputs[0];
    return STRIDER_OK;
}

/* Operators on integers whose results a double cannot hold; the others go through their function.  True where
 * *y is set. */
static bool apply_exactly(Function function, DType dtype, uint64_t x, uint64_t *y) {
    bool negative = dtype_is_signed(dtype) && (int64_t)x < 0;
    if (function == f_abs)
        *y = negative ? 0 - x : x;
    else if (function == f_neg)
        *y = 0 - x;
    else if (function == f_relu)
        *y = negative ? 0 : x;
    else
        return false;
    return true;
}

static Status unary_reference(EvalContext *ctx) {
    const Unary *unary = find_unary(ctx->node->op->name);
    const UnaryAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[0];
    Tensor *y = ctx->outputs[0];
    int64_t count = tensor_elements(x);
    bool integers = dtype_is_integer(x->type.dtype);
    for (int64_t i = 0; i < count; i++) {
        uint64_t bits;
        if (integers && apply_exactly(unary->function, x->type.dtype, tensor_get_bits(x, i), &bits))
            tensor_set_bits(y, i, bits); /* -(-128) is -128 in int8 */
        else
            tensor_set_f64(y, i, unary->function(attrs, tensor_get_f64(x, i)));
    }
    return STRIDER_OK;
}

#define UNARY(ROW, NAME, SINCE)                                                                              \
    const Op ROW = {                                                                                         \
        .name = NAME,                                                                                        \
        .since = SINCE,                                                                                      \
        .inputs = {1, 1},                                                                                    \
        .outputs = {1, 1},                                                                                   \
        .attrs_size = sizeof(UnaryAttrs),                                                                    \
        .parse = unary_parse,                                                                                \
        .infer = unary_infer,                                                                                \
        .reference = unary_reference,                                                                        \
        .flags = OP_ELEMENTWISE,                                                                             \
    };

UNARY(op_relu, "Relu", 1)
UNARY(op_leaky_relu, "LeakyRelu", 1)
UNARY(op_hard_sigmoid, "HardSigmoid", 1)
UNARY(op_hard_swish, "HardSwish", 14)
UNARY(op_sigmoid, "Sigmoid", 1)
UNARY(op_swish, "Swish", 24)
UNARY(op_tanh, "Tanh", 1)
UNARY(op_elu, "Elu", 1)
UNARY(op_selu, "Selu", 1)
UNARY(op_celu, "Celu", 12)
UNARY(op_softplus, "Softplus", 1)
UNARY(op_softsign, "Softsign", 1)
UNARY(op_mish, "Mish", 18)
UNARY(op_gelu, "Gelu", 20)
UNARY(op_thresholded_relu, "ThresholdedRelu", 10)
UNARY(op_shrink, "Shrink", 9)
UNARY(op_abs, "Abs", 1)
UNARY(op_neg, "Neg", 1)
UNARY(op_ceil, "Ceil", 1)
UNARY(op_floor, "Floor", 1)
UNARY(op_round, "Round", 11)
UNARY(op_sign, "Sign", 9)
UNARY(op_exp, "Exp", 1)
UNARY(op_log, "Log", 1)
UNARY(op_sqrt, "Sqrt", 1)
UNARY(op_reciprocal, "Reciprocal", 1)
UNARY(op_erf, "Erf", 9)
UNARY(op_sin, "Sin", 7)
UNARY(op_cos, "Cos", 7)
UNARY(op_tan, "Tan", 7)
UNARY(op_asin, "Asin", 7)
UNARY(op_acos, "Acos", 7)
UNARY(op_atan, "Atan", 7)
UNARY(op_sinh, "Sinh", 9)
UNARY(op_cosh, "Cosh", 9)
UNARY(op_asinh, "Asinh", 9)
UNARY(op_acosh, "Acosh", 9)
UNARY(op_atanh, "Atanh", 9)

/* --- activations for passes and kernels
 * ------------------------------------------------------------------------ */

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

bool node_activation(const Node *node, Activation *activation) {
    const UnaryAttrs *attrs = node->attrs;
    for (size_t i = 0; i < N_ACTIVATIONS; i++)
        if (node->op == activations[i].op && !(activations[i].kind == ACTIVATION_GELU && attrs->tanh_form)) {
            *activation = (Activation){activations[i].kind, attrs->alpha, attrs->beta};
            return true;
        }
    double low, high;
    if (strcmp(node->op->name, "Clip") != 0 || node->op->domain || !clip_bounds(node, &low, &high) ||
        low > high)
        return false;
    *activation = (Activation){ACTIVATION_CLIP, (float)low, (float)high};
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
