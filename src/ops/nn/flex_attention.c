/* SPDX-License-Identifier: Apache-2.0 */
/* FlexAttention (ai.onnx.preview 1): Y = prob_mod(softmax(score_mod(Q K^T * scale))) V of each head, where
 * score_mod and prob_mod, which may lack, are bodies that turn all scores [batch, heads, rows, keys] into
 * others of that type: float32, or float64 where Q is, or softmax_precision.  Several query heads may share
 * one of keys and values. */
#include <inttypes.h>
#include <math.h>

#include "base/size.h"
#include "graph/evaluate.h"
#include "ops/controlflow/body.h"

enum { FLEX_Q, FLEX_K, FLEX_V, FLEX_PORTS };
enum { BATCH, HEADS, ROWS, SIZE };
enum { SCORE_MOD, PROB_MOD };

typedef struct FlexAttrs {
    bool has_scale;
    float scale;
    DType precision; /* NONE: follows from the inputs */
} FlexAttrs;

static Status flex_parse(ParseContext *ctx, void *attrs_) {
    FlexAttrs *attrs = attrs_;
    attrs->has_scale = parse_has(ctx, "scale");
    TRY(parse_float(ctx, "scale", 0, &attrs->scale));
    TRY(parse_dtype(ctx, "softmax_precision", STRIDER_DTYPE_NONE, &attrs->precision));
    if (attrs->precision && !dtype_is_float(attrs->precision))
        return parse_fail(ctx, STRIDER_BAD_MODEL, "softmax_precision is %s, must be a float type",
                          dtype_name(attrs->precision));
    return STRIDER_OK;
}

/* The body of an attribute among those that the node has; -1 where it lacks. */
static int body_of(const Node *node, int attribute) {
    if (node->absent_bodies >> attribute & 1)
        return -1;
    return attribute == PROB_MOD && node->absent_bodies >> SCORE_MOD & 1 ? 0 : attribute;
}

/* --- types --- */

static Status check_same(InferContext *ctx, const char *what, int64_t a, int64_t b) {
    if (a >= 0 && b >= 0 && a != b)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%s differ: %" PRId64 " and %" PRId64, what, a, b);
    return STRIDER_OK;
}

static Status check_inputs(InferContext *ctx) {
    for (int port = FLEX_Q; port < FLEX_PORTS; port++) {
        TRY(infer_require_dtype(ctx, port, DTYPES_FLOAT));
        TRY(infer_require_same_dtype(ctx, FLEX_Q, port));
        TRY(infer_require_rank(ctx, port, 4, 4));
        TRY(check_same(ctx, "the batches", infer_input_dim(ctx, FLEX_Q, BATCH),
                       infer_input_dim(ctx, port, BATCH)));
    }
    TRY(check_same(ctx, "the heads of K and V", infer_input_dim(ctx, FLEX_K, HEADS),
                   infer_input_dim(ctx, FLEX_V, HEADS)));
    TRY(check_same(ctx, "the keys and values", infer_input_dim(ctx, FLEX_K, ROWS),
                   infer_input_dim(ctx, FLEX_V, ROWS)));
    TRY(check_same(ctx, "the head sizes of Q and K", infer_input_dim(ctx, FLEX_Q, SIZE),
                   infer_input_dim(ctx, FLEX_K, SIZE)));
    const int64_t q_heads = infer_input_dim(ctx, FLEX_Q, HEADS),
                  kv_heads = infer_input_dim(ctx, FLEX_K, HEADS);
    if (q_heads >= 0 && kv_heads >= 0 && (kv_heads == 0 ? q_heads != 0 : q_heads % kv_heads != 0))
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "%" PRId64 " heads of Q are no multiple of %" PRId64 " of K", q_heads, kv_heads);
    return STRIDER_OK;
}

static DType scores_dtype(const FlexAttrs *attrs, DType q) {
    return attrs->precision ? attrs->precision : q == STRIDER_F64 ? STRIDER_F64 : STRIDER_F32;
}

/* A body takes the scores alone, and gives one tensor like them. */
static Status infer_mod(InferContext *ctx, int attribute, const ValueType *scores) {
    const int body = body_of(ctx->node, attribute);
    const char *name = ctx->node->op->bodies[attribute];
    if (body < 0)
        return STRIDER_OK;
    TRY(infer_body(ctx, body, scores, 1));
    if (ctx->node->bodies[body]->n_outputs != 1)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%s has %zu outputs, must have one", name,
                          ctx->node->bodies[body]->n_outputs);
    const ValueType *result = &ctx->node->bodies[body]->outputs[0]->type;
    char has[VALUE_TYPE_TEXT], wanted[VALUE_TYPE_TEXT];
    if (result->kind != VALUE_TENSOR || (result->dtype && result->dtype != scores->dtype) ||
        !shape_agrees(&result->shape, &scores->shape))
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%s gives %s, must give %s as it gets", name,
                          value_type_text(result, has), value_type_text(scores, wanted));
    return STRIDER_OK;
}

static Status flex_infer(InferContext *ctx) {
    TRY(check_inputs(ctx));
    const DType dtype = ctx->inputs[FLEX_Q].dtype;
    int64_t dims[] = {infer_input_dim(ctx, FLEX_Q, BATCH), infer_input_dim(ctx, FLEX_Q, HEADS),
                      infer_input_dim(ctx, FLEX_Q, ROWS), infer_input_dim(ctx, FLEX_K, ROWS)};
    ValueType scores = value_type_unknown();
    scores.tensor =
        type_of(dtype ? scores_dtype(infer_attrs(ctx), dtype) : STRIDER_DTYPE_NONE, shape_make(4, dims));
    TRY(infer_mod(ctx, SCORE_MOD, &scores));
    TRY(infer_mod(ctx, PROB_MOD, &scores));
    dims[SIZE] = infer_input_dim(ctx, FLEX_V, SIZE);
    ctx->outputs[0].tensor = type_of(dtype, shape_make(4, dims));
    return STRIDER_OK;
}

/* --- runs --- */

typedef struct Flex {
    HostContext *ctx;
    const Tensor *inputs[FLEX_PORTS];
    double *values[FLEX_PORTS];
    RunValue *scores;
} Flex;

static int64_t size_of(const Flex *flex, int port, int dim) {
    return flex->inputs[port]->type.shape.dims[dim];
}

/* The matrix of an input that matrix `index` of Q goes with. */
static const double *matrix_of(const Flex *flex, int port, int64_t index) {
    const int64_t heads = size_of(flex, FLEX_Q, HEADS), own = size_of(flex, port, HEADS);
    const int64_t at = index / heads * own + index % heads / (heads / own);
    return flex->values[port] + at * size_of(flex, port, ROWS) * size_of(flex, port, SIZE);
}

static void multiply_keys(const Flex *flex) {
    const FlexAttrs *attrs = host_attrs(flex->ctx);
    const int64_t matrices = size_of(flex, FLEX_Q, BATCH) * size_of(flex, FLEX_Q, HEADS),
                  rows = size_of(flex, FLEX_Q, ROWS), keys = size_of(flex, FLEX_K, ROWS),
                  size = size_of(flex, FLEX_Q, SIZE);
    const double scale = attrs->has_scale ? (double)attrs->scale : 1 / sqrt((double)size);
    int64_t at = 0;
    for (int64_t i = 0; i < matrices && keys > 0; i++)
        for (int64_t row = 0; row < rows; row++)
            for (int64_t key = 0; key < keys; key++, at++) {
                const double *q = matrix_of(flex, FLEX_Q, i) + row * size;
                const double *k = matrix_of(flex, FLEX_K, i) + key * size;
                double sum = 0;
                for (int64_t j = 0; j < size; j++)
                    sum += q[j] * k[j];
                tensor_set_f64(&flex->scores->tensor, at, sum * scale);
            }
}

static void softmax_rows(Tensor *scores) {
    const int64_t keys = scores->type.shape.dims[3], elements = tensor_elements(scores);
    for (int64_t first = 0; first < elements; first += keys) {
        double max = -INFINITY, sum = 0;
        for (int64_t i = first; i < first + keys; i++)
            max = tensor_get_f64(scores, i) > max ? tensor_get_f64(scores, i) : max;
        for (int64_t i = first; i < first + keys; i++)
            sum += exp(tensor_get_f64(scores, i) - max);
        for (int64_t i = first; i < first + keys; i++)
            tensor_set_f64(scores, i, exp(tensor_get_f64(scores, i) - max) / sum);
    }
}

static void multiply_values(const Flex *flex, Tensor *y) {
    const int64_t matrices = size_of(flex, FLEX_Q, BATCH) * size_of(flex, FLEX_Q, HEADS),
                  rows = size_of(flex, FLEX_Q, ROWS), keys = size_of(flex, FLEX_V, ROWS),
                  size = size_of(flex, FLEX_V, SIZE);
    for (int64_t i = 0; i < matrices * rows; i++)
        for (int64_t j = 0; j < size; j++) {
            double sum = 0;
            for (int64_t key = 0; key < keys; key++)
                sum += tensor_get_f64(&flex->scores->tensor, i * keys + key) *
                       matrix_of(flex, FLEX_V, i / rows)[key * size + j];
            tensor_set_f64(y, i * size + j, sum);
        }
}

/* Lets a body, where there is one, turn the scores into others. */
static Status modify(Flex *flex, int attribute) {
    HostContext *ctx = flex->ctx;
    const int body = body_of(ctx->node, attribute);
    if (body < 0)
        return STRIDER_OK;
    const Type wanted = flex->scores->tensor.type;
    RunValue *argument = host_take(&flex->scores);
    TRY(ctx->call(ctx, body, &argument, &flex->scores));
    const RunValue *result = flex->scores;
    if (result->kind != VALUE_TENSOR || result->tensor.type.dtype != wanted.dtype ||
        !shape_equal(&result->tensor.type.shape, &wanted.shape))
        return host_fail(ctx, STRIDER_BAD_MODEL, "%s must give a tensor of the type and shape that it gets",
                         ctx->node->op->bodies[attribute]);
    return STRIDER_OK;
}

/* Probabilities in the place of scores, in memory that nobody else holds. */
static Status make_probabilities(Flex *flex) {
    const Allocator *allocator = flex->ctx->allocator;
    if (flex->scores->references > 1 || !flex->scores->tensor.allocator) {
        const Tensor *shared = &flex->scores->tensor;
        RunValue *own;
        TRY(run_value_new_tensor(allocator, shared->type.dtype, &shared->type.shape, &own, flex->ctx->err));
        for (int64_t i = 0; i < tensor_elements(shared); i++)
            tensor_set_f64(&own->tensor, i, tensor_get_f64(shared, i));
        run_value_release(flex->scores);
        flex->scores = own;
    }
    softmax_rows(&flex->scores->tensor);
    return STRIDER_OK;
}

static Status load(Flex *flex) {
    HostContext *ctx = flex->ctx;
    for (int port = FLEX_Q; port < FLEX_PORTS; port++) {
        TRY(host_tensor(ctx, port, &flex->inputs[port]));
        const int64_t count = tensor_elements(flex->inputs[port]);
        const Bytes bytes = bytes_of(sizeof(double), count);
        flex->values[port] = memory_alloc(ctx->allocator, bytes.n);
        if (!flex->values[port])
            return fail_memory(ctx->err, bytes.n, "a node");
        for (int64_t i = 0; i < count; i++)
            flex->values[port][i] = tensor_get_f64(flex->inputs[port], i);
    }
    return STRIDER_OK;
}

static Status attend(Flex *flex) {
    HostContext *ctx = flex->ctx;
    const FlexAttrs *attrs = host_attrs(ctx);
    RunValue *y;
    TRY(load(flex));
    const DType dtype = flex->inputs[FLEX_Q]->type.dtype;
    int64_t dims[] = {size_of(flex, FLEX_Q, BATCH), size_of(flex, FLEX_Q, HEADS), size_of(flex, FLEX_Q, ROWS),
                      size_of(flex, FLEX_K, ROWS)};
    Shape shape = shape_make(4, dims);
    TRY(run_value_new_tensor(ctx->allocator, scores_dtype(attrs, dtype), &shape, &flex->scores, ctx->err));
    multiply_keys(flex);
    TRY(modify(flex, SCORE_MOD));
    TRY(make_probabilities(flex));
    TRY(modify(flex, PROB_MOD));
    shape.dims[SIZE] = size_of(flex, FLEX_V, SIZE);
    TRY(run_value_new_tensor(ctx->allocator, dtype, &shape, &y, ctx->err));
    multiply_values(flex, &y->tensor);
    host_set_output(ctx, 0, y);
    return STRIDER_OK;
}

static Status flex_host(HostContext *ctx) {
    Flex flex = {.ctx = ctx};
    const Status status = attend(&flex);
    for (int port = FLEX_Q; port < FLEX_PORTS; port++)
        memory_free(ctx->allocator, flex.values[port]);
    run_value_release(flex.scores);
    return status;
}

const Op op_flex_attention = {
    OP_NAMED(FlexAttention),
    .domain = "ai.onnx.preview",
    .since = 1,
    .inputs = {3, 3},
    .outputs = {1, 1},
    .attrs_size = sizeof(FlexAttrs),
    .parse = flex_parse,
    .infer = flex_infer,
    .host = flex_host,
    .bodies = {"score_mod", "prob_mod"},
    .flags = OP_NO_FOLD | OP_OPTIONAL_BODIES,
};
