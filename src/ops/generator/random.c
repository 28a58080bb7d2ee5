/* SPDX-License-Identifier: Apache-2.0 */
/* RandomNormal, RandomUniform: of a shape that an attribute states; RandomNormalLike, RandomUniformLike: of
 * their input's (ONNX 1, 22).  mean + scale z with z of the normal distribution, low + (high - low) u with u
 * uniform in [0, 1). */
#include "ops/generator/mersenne_twister.h"

typedef struct RandomAttrs {
    DType dtype;        /* NONE: the input's */
    Shape shape;        /* unknown: the input's */
    double from, scale; /* the mean or lowest value, and what random numbers are multiplied with */
    bool normal;
    uint32_t seed;
} RandomAttrs;

static Status parse_shape(ParseContext *ctx, Shape *shape) {
    TRY(parse_require(ctx, "shape"));
    TRY(parse_ints(ctx, "shape", shape->dims, MAX_RANK, &shape->rank));
    for (int i = 0; i < shape->rank; i++)
        if (shape->dims[i] < 0)
            return parse_fail(ctx, STRIDER_BAD_MODEL, "dimension %d of attribute shape is %lld", i,
                              (long long)shape->dims[i]);
    return STRIDER_OK;
}

static Status random_parse(ParseContext *ctx, void *attrs_) {
    RandomAttrs *attrs = attrs_;
    const int kind = ctx->node->op->kind;
    const bool like = kind == OP_RandomNormalLike || kind == OP_RandomUniformLike;
    float first, second;
    attrs->normal = kind == OP_RandomNormal || kind == OP_RandomNormalLike;
    attrs->shape = shape_unknown();
    TRY(parse_float(ctx, attrs->normal ? "mean" : "low", 0, &first));
    TRY(parse_float(ctx, attrs->normal ? "scale" : "high", 1, &second));
    attrs->from = (double)first;
    attrs->scale = attrs->normal ? (double)second : (double)second - (double)first;
    TRY(parse_seed(ctx, &attrs->seed));
    TRY(parse_dtype(ctx, "dtype", like ? STRIDER_DTYPE_NONE : STRIDER_F32, &attrs->dtype));
    return like ? STRIDER_OK : parse_shape(ctx, &attrs->shape);
}

static Status random_infer(InferContext *ctx) {
    const RandomAttrs *attrs = infer_attrs(ctx);
    const DType dtype = attrs->dtype || !ctx->n_inputs ? attrs->dtype : ctx->inputs[0].dtype;
    if (dtype && !(DTYPES_FLOAT & DTYPE_BIT(dtype)))
        return infer_fail(ctx, STRIDER_BAD_MODEL, "random numbers of type %s, which is no float",
                          dtype_name(dtype));
    ctx->outputs[0].tensor = type_of(dtype, ctx->n_inputs ? ctx->inputs[0].shape : attrs->shape);
    return STRIDER_OK;
}

static Status random_reference(EvalContext *ctx) {
    const RandomAttrs *attrs = eval_attrs(ctx);
    Tensor *y = ctx->outputs[0];
    Twister twister;
    twister_seed(&twister, attrs->seed);
    for (int64_t i = 0; i < tensor_elements(y); i++) {
        const double drawn = attrs->normal ? twister_normal(&twister) : twister_uniform(&twister);
        tensor_set_f64(y, i, attrs->from + attrs->scale * drawn);
    }
    return STRIDER_OK;
}

#define RANDOM(ROW, NAME, INPUTS, FLAGS)                                                                     \
    const Op ROW = {                                                                                         \
        OP_NAMED(NAME),                                                                                      \
        .since = 1,                                                                                          \
        .inputs = {INPUTS, INPUTS},                                                                          \
        .outputs = {1, 1},                                                                                   \
        .attrs_size = sizeof(RandomAttrs),                                                                   \
        .parse = random_parse,                                                                               \
        .infer = random_infer,                                                                               \
        .reference = random_reference,                                                                       \
        .flags = FLAGS,                                                                                      \
    };

RANDOM(op_random_normal, RandomNormal, 0, OP_NO_FOLD)
RANDOM(op_random_uniform, RandomUniform, 0, OP_NO_FOLD)
RANDOM(op_random_normal_like, RandomNormalLike, 1, OP_NO_FOLD | OP_SHAPE_ONLY)
RANDOM(op_random_uniform_like, RandomUniformLike, 1, OP_NO_FOLD | OP_SHAPE_ONLY)
