/* SPDX-License-Identifier: Apache-2.0 */
/* Operators of two inputs, or any number (binary_list.inc), that broadcast as NumPy does; before opset 7 only
 * the second input did, and only where the attribute `broadcast` said so, with `axis` saying where its
 * dimensions stand. Integers wrap around; x / 0 is 0; the result of comparing is bool. */
#include "ops/math/binary.h"
#include "base/size.h"

#include <math.h>
#include <string.h>

#include "base/wrap.h"

#define REAL double
#include "ops/math/binary_formula.h"

static const struct {
    int op; /* OpKind */
    unsigned dtypes;
    bool gives_bool;
} kinds[BINARY_COUNT] = {
#define BINARY(KIND, NAME, ROW, SINCE, INPUTS, DTYPES, GIVES_BOOL)                                           \
    [BINARY_##KIND] = {OP_##NAME, DTYPES, GIVES_BOOL},
#include "ops/math/binary_list.inc"
};

BinaryKind node_binary_kind(const Node *node) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].op == node->op->kind)
            return (BinaryKind)i;
    return BINARY_ADD;
}

static bool is_prelu(const Node *node) {
    return node->op->kind == OP_PRelu;
}

static Status binary_parse(ParseContext *ctx, void *attrs_) {
    static const char *const directions[] = {"LEFT", "RIGHT", NULL};
    BinaryAttrs *attrs = attrs_;
    int direction = 0;
    if (ctx->node->opset < 7 && ctx->node->op->inputs.max == 2 && !is_prelu(ctx->node)) {
        TRY(parse_bool(ctx, "broadcast", false, &attrs->legacy_broadcast));
        TRY(parse_int(ctx, "axis", -1, &attrs->axis));
    }
    if (node_binary_kind(ctx->node) == BINARY_MOD)
        TRY(parse_bool(ctx, "fmod", false, &attrs->fmod));
    if (node_binary_kind(ctx->node) == BINARY_BIT_SHIFT) {
        TRY(parse_require(ctx, "direction"));
        TRY(parse_enum(ctx, "direction", directions, 0, &direction));
    }
    attrs->shift_right = direction == 1;
    return STRIDER_OK;
}

/* --- shapes --- */

typedef enum SlopePlace { SLOPE_BROADCASTS, SLOPE_OF_CHANNELS, SLOPE_UNCLEAR } SlopePlace;

/* Before opset 7 a slope of more than one element belonged to the channels.  Since then it broadcasts, but
 * exporters went on writing one number a channel (MXNet's in ArcFace): where that broadcasts to nothing, it
 * is taken as it is meant, as ONNX's reference implementation does; onnxruntime refuses it. */
static SlopePlace place_of_slope(const Node *node, const Shape *input, const Shape *slope) {
    if (slope->rank != 1 || slope->dims[0] == 1 || input->rank < 2)
        return SLOPE_BROADCASTS;
    if (node->opset < 7)
        return SLOPE_OF_CHANNELS;
    const int64_t last = input->dims[input->rank - 1], channels = input->dims[1], count = slope->dims[0];
    if (last == count)
        return SLOPE_BROADCASTS;
    if (last < 0 || channels < 0 || count < 0)
        return SLOPE_UNCLEAR;
    return channels == count ? SLOPE_OF_CHANNELS : SLOPE_BROADCASTS;
}

static const char *binary_doubt(const Node *node) {
    const Value *input = node->inputs[0], *slope = is_prelu(node) ? node->inputs[1] : NULL;
    if (!slope || node->opset < 7 || input->type.shape.rank < 0 || slope->type.shape.rank < 0 ||
        place_of_slope(node, &input->type.shape, &slope->type.shape) != SLOPE_OF_CHANNELS)
        return NULL;
    return "the slope, which should broadcast to the input since opset 7, does not: it is taken as one "
           "number for each "
           "channel";
}

bool binary_second_broadcasts(const Node *node, const Shape *first, const Shape *second) {
    const BinaryAttrs *attrs = node->attrs;
    return is_prelu(node) ? place_of_slope(node, first, second) == SLOPE_BROADCASTS
                          : !attrs->legacy_broadcast;
}

Shape binary_second_shape(const Node *node, const Shape *first, const Shape *second) {
    const BinaryAttrs *attrs = node->attrs;
    int64_t axis = attrs->legacy_broadcast ? attrs->axis : -1;
    if (is_prelu(node) && place_of_slope(node, first, second) == SLOPE_OF_CHANNELS)
        axis = 1;
    if (axis < 0 || first->rank < 0 || second->rank < 0 || axis > first->rank - second->rank)
        return *second;
    Shape moved = *second;
    while (moved.rank < first->rank - axis)
        moved.dims[moved.rank++] = 1;
    return moved;
}

/* Of PRelu: the output has the input's shape, whatever is known of it. */
static Status prelu_infer_shape(InferContext *ctx) {
    const Shape *input = &ctx->inputs[0].shape, *slope = &ctx->inputs[1].shape;
    Shape joined = *input;
    ctx->outputs[0].shape = *input;
    if (input->rank < 0 || slope->rank < 0 || place_of_slope(ctx->node, input, slope) == SLOPE_UNCLEAR)
        return STRIDER_OK;
    const Shape second = binary_second_shape(ctx->node, input, slope);
    TRY(infer_broadcast(ctx, input, &second, &joined));
    bool is_wider = joined.rank != input->rank;
    for (int i = 0; i < joined.rank && !is_wider; i++)
        is_wider = joined.dims[i] >= 0 && input->dims[i] >= 0 && joined.dims[i] != input->dims[i];
    if (is_wider)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "the slope does not broadcast to the input's shape");
    ctx->outputs[0].shape = joined;
    return STRIDER_OK;
}

static Status binary_infer(InferContext *ctx) {
    BinaryKind kind = node_binary_kind(ctx->node);
    for (int i = 0; i < ctx->n_inputs; i++) {
        TRY(infer_require_dtype(ctx, i, kinds[kind].dtypes));
        if (i && kind != BINARY_POW)
            TRY(infer_require_same_dtype(ctx, 0, i));
    }
    DType dtype = ctx->inputs[0].dtype;
    if (!dtype && kind != BINARY_POW && ctx->n_inputs > 1)
        dtype = ctx->inputs[1].dtype;
    ctx->outputs[0].dtype = kinds[kind].gives_bool ? STRIDER_BOOL : dtype;
    if (kind == BINARY_PRELU)
        return prelu_infer_shape(ctx);
    Shape joined = ctx->inputs[0].shape;
    const BinaryAttrs *attrs = infer_attrs(ctx);
    if (attrs->legacy_broadcast && ctx->n_inputs == 2 && joined.rank >= 0 && ctx->inputs[1].shape.rank >= 0 &&
        attrs->axis > joined.rank - ctx->inputs[1].shape.rank)
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "an input of rank %d does not stand at axis %lld of rank %d",
                          ctx->inputs[1].shape.rank, (long long)attrs->axis, joined.rank);
    for (int i = 1; i < ctx->n_inputs; i++) {
        Shape second = binary_second_shape(ctx->node, &ctx->inputs[0].shape, &ctx->inputs[i].shape);
        TRY(infer_broadcast(ctx, &joined, &second, &joined));
    }
    ctx->outputs[0].shape = joined;
    return STRIDER_OK;
}

/* --- arithmetic --- */

/* a to the power of b by squaring, wrapping around. */
static uint64_t power(uint64_t a, int64_t b, bool a_is_signed) {
    if (b < 0) {
        int64_t base = (int64_t)a;
        if (base == 1 || (a_is_signed && base == -1))
            return base == -1 && b % 2 ? (uint64_t)-1 : 1;
        return 0;
    }
    uint64_t result = 1;
    for (; b; b >>= 1, a = wrap_mul(a, a))
        if (b & 1)
            result = wrap_mul(result, a);
    return result;
}

static int64_t divide(int64_t a, int64_t b) {
    if (b == 0)
        return 0;
    return b == -1 ? (int64_t)wrap_sub(0, (uint64_t)a) : a / b; /* INT64_MIN / -1 wraps */
}

static int64_t modulo(int64_t a, int64_t b, bool fmod) {
    if (b == 0 || b == -1)
        return 0;
    int64_t rest = a % b;
    return !fmod && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

/* By the type's width or more, and by less than 0, everything is shifted out: what is left is the sign of a
 * signed number shifted right, else 0. */
static uint64_t shift(uint64_t a, uint64_t by, int bits, bool is_signed, bool right) {
    bool all = by >= (uint64_t)bits;
    if (!right)
        return all ? 0 : a << by;
    if (is_signed)
        return (uint64_t)((int64_t)a >> (all ? 63 : by));
    return all ? 0 : a >> by;
}

/* On 64 bits, signed or not; the caller cuts the result to its type, which is what wrapping around is. */
static uint64_t apply_integer(BinaryKind kind, const BinaryAttrs *attrs, bool is_signed, int bits, uint64_t a,
                              uint64_t b) {
    int64_t sa = (int64_t)a, sb = (int64_t)b;
    bool less = is_signed ? sa < sb : a < b;
    switch (kind) {
    case BINARY_ADD:
    case BINARY_SUM:
        return wrap_add(a, b);
    case BINARY_SUB:
        return wrap_sub(a, b);
    case BINARY_MUL:
        return wrap_mul(a, b);
    case BINARY_DIV:
        return is_signed ? (uint64_t)divide(sa, sb) : b ? a / b : 0;
    case BINARY_MOD:
        return is_signed ? (uint64_t)modulo(sa, sb, attrs->fmod) : b ? a % b : 0;
    case BINARY_MIN:
        return less ? a : b;
    case BINARY_MAX:
        return less ? b : a;
    case BINARY_PRELU:
        return is_signed && sa < 0 ? wrap_mul(a, b) : a;
    case BINARY_BIT_SHIFT:
        return shift(a, b, bits, is_signed, attrs->shift_right);
    case BINARY_BITWISE_AND:
    case BINARY_AND:
        return a & b;
    case BINARY_BITWISE_OR:
    case BINARY_OR:
        return a | b;
    case BINARY_BITWISE_XOR:
    case BINARY_XOR:
        return a ^ b;
    case BINARY_EQUAL:
        return a == b;
    case BINARY_GREATER:
        return !less && a != b;
    case BINARY_GREATER_OR_EQUAL:
        return !less;
    case BINARY_LESS:
        return less;
    case BINARY_LESS_OR_EQUAL:
        return less || a == b;
    default:
        return 0;
    }
}

/* y = a op b, where y may be a. */
static void combine(EvalContext *ctx, BinaryKind kind, const Tensor *a, const Tensor *b, Tensor *y) {
    const BinaryAttrs *attrs = eval_attrs(ctx);
    Shape second = binary_second_shape(ctx->node, &a->type.shape, &b->type.shape);
    Broadcast broadcast = broadcast_make(&y->type.shape, 2, (const Shape *[]){&a->type.shape, &second});
    int64_t counters[MAX_RANK] = {0}, offsets[BROADCAST_MAX] = {0}, count = tensor_elements(y);
    DType dtype = a->type.dtype;
    bool integer = !dtype_is_float(dtype), is_signed = dtype_is_signed(dtype);
    bool float_exponent = kind == BINARY_POW && dtype_is_float(b->type.dtype);
    for (int64_t i = 0; i < count; i++, broadcast_next(&broadcast, counters, offsets)) {
        if (!integer) {
            tensor_set_f64(y, i,
                           binary_formula(kind, attrs->fmod, tensor_get_f64(a, offsets[0]),
                                          tensor_get_f64(b, offsets[1])));
        } else if (float_exponent) {
            tensor_set_f64(y, i, pow(tensor_get_f64(a, offsets[0]), tensor_get_f64(b, offsets[1])));
        } else if (kind == BINARY_POW) {
            tensor_set_bits(y, i,
                            power(tensor_get_bits(a, offsets[0]), tensor_get_i64(b, offsets[1]), is_signed));
        } else {
            tensor_set_bits(y, i,
                            apply_integer(kind, attrs, is_signed, (int)(8 * dtype_size(dtype)),
                                          tensor_get_bits(a, offsets[0]), tensor_get_bits(b, offsets[1])));
        }
    }
}

/* Equal alone takes strings. */
static void compare_strings(const Tensor *a, const Tensor *b, Tensor *y) {
    const Broadcast broadcast =
        broadcast_make(&y->type.shape, 2, (const Shape *[]){&a->type.shape, &b->type.shape});
    const String *first = a->data, *second = b->data;
    int64_t counters[MAX_RANK] = {0}, offsets[BROADCAST_MAX] = {0};
    for (int64_t i = 0; i < tensor_elements(y); i++, broadcast_next(&broadcast, counters, offsets))
        tensor_set_i64(y, i, string_equal(first[offsets[0]], second[offsets[1]]));
}

static Status binary_reference(EvalContext *ctx) {
    if (ctx->inputs[0]->type.dtype == STRIDER_STRING) {
        compare_strings(ctx->inputs[0], ctx->inputs[1], ctx->outputs[0]);
        return STRIDER_OK;
    }
    combine(ctx, node_binary_kind(ctx->node), ctx->inputs[0], ctx->inputs[1], ctx->outputs[0]);
    return STRIDER_OK;
}

/* Sums are taken in float64, so that their order does not matter to the result. */
static Status variadic_sum(EvalContext *ctx, double divisor) {
    Tensor *y = ctx->outputs[0];
    double *sums;
    int64_t count = tensor_elements(y);
    TRY(eval_alloc_doubles(ctx, count, &sums));
    for (int64_t i = 0; i < count; i++)
        sums[i] = 0;
    for (int k = 0; k < ctx->n_inputs; k++) {
        const Tensor *x = ctx->inputs[k];
        Broadcast broadcast = broadcast_make(&y->type.shape, 1, (const Shape *[]){&x->type.shape});
        int64_t counters[MAX_RANK] = {0}, offsets[BROADCAST_MAX] = {0};
        for (int64_t i = 0; i < count; i++, broadcast_next(&broadcast, counters, offsets))
            sums[i] += tensor_get_f64(x, offsets[0]);
    }
    for (int64_t i = 0; i < count; i++)
        sums[i] /= divisor;
    tensor_store_doubles(y, sums);
    return STRIDER_OK;
}

static Bytes variadic_scratch(const Node *node, const Type *inputs, const Type *outputs) {
    (void)inputs;
    const BinaryKind kind = node_binary_kind(node);
    return kind == BINARY_SUM || kind == BINARY_MEAN ? scratch_of_tensor(&outputs[0]) : (Bytes){0};
}

static Status variadic_reference(EvalContext *ctx) {
    BinaryKind kind = node_binary_kind(ctx->node);
    if (kind == BINARY_SUM || kind == BINARY_MEAN)
        return variadic_sum(ctx, kind == BINARY_MEAN ? ctx->n_inputs : 1);
    Tensor *y = ctx->outputs[0];
    /* The first input alone, broadcast: the larger of it and itself. */
    combine(ctx, BINARY_MAX, ctx->inputs[0], ctx->inputs[0], y);
    for (int k = 1; k < ctx->n_inputs; k++)
        combine(ctx, kind, y, ctx->inputs[k], y);
    return STRIDER_OK;
}

#define PAIR .inputs = {2, 2}, .reference = binary_reference
#define ANY_NUMBER .inputs = {1, -1}, .reference = variadic_reference, .scratch = variadic_scratch
#define BINARY(KIND, NAME, ROW, SINCE, INPUTS, ...)                                                          \
    const Op op_##ROW = {                                                                                    \
        OP_NAMED(NAME),                                                                                      \
        .since = SINCE,                                                                                      \
        INPUTS,                                                                                              \
        .outputs = {1, 1},                                                                                   \
        .attrs_size = sizeof(BinaryAttrs),                                                                   \
        .parse = binary_parse,                                                                               \
        .infer = binary_infer,                                                                               \
        .doubt = binary_doubt,                                                                               \
        .flags = OP_ELEMENTWISE | OP_STRINGS,                                                                \
    };
#include "ops/math/binary_list.inc"
