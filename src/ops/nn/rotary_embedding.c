/* SPDX-License-Identifier: Apache-2.0 */
/* RotaryEmbedding (ONNX 23): turns pairs (a, b) of a head's elements by the angle of their row and place,
 *     a' = a cos - b sin, b' = a sin + b cos
 * where b lies half of what is turned after a, or right after it with `interleaved`.  Elements after
 * rotary_embedding_dim stay.  Cosines and sines are [batch, rows, half], or with position_ids [positions,
 * half]. */
#include "ops/nn/rotary_embedding.h"

#include <inttypes.h>

static Status rotary_parse(ParseContext *ctx, void *attrs_) {
    RotaryAttrs *attrs = attrs_;
    TRY(parse_int(ctx, "num_heads", 0, &attrs->heads));
    TRY(parse_int(ctx, "rotary_embedding_dim", 0, &attrs->size));
    TRY(parse_bool(ctx, "interleaved", false, &attrs->interleaved));
    if (attrs->heads < 0)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "num_heads is %" PRId64 ", must be positive", attrs->heads);
    if (attrs->size < 0 || attrs->size % 2)
        return parse_fail(ctx, STRIDER_BAD_MODEL,
                          "rotary_embedding_dim is %" PRId64 ", must be even and not negative", attrs->size);
    return STRIDER_OK;
}

/* The size of a head, where it is known: even, and not below what is turned. */
static Status head_size(InferContext *ctx, int64_t *size) {
    const RotaryAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[ROTARY_X].shape;
    *size = x->rank < 0 ? DIM_UNKNOWN : x->dims[x->rank - 1];
    if (x->rank == 3 && !attrs->heads)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "an input of rank 3 needs the attribute num_heads");
    if (x->rank == 3 && *size >= 0 && *size % attrs->heads)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%" PRId64 " heads do not divide %" PRId64 " columns",
                          attrs->heads, *size);
    if (x->rank == 3 && *size >= 0)
        *size /= attrs->heads;
    if (x->rank == 4 && attrs->heads && x->dims[1] >= 0 && x->dims[1] != attrs->heads)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "num_heads is %" PRId64 ", the input has %" PRId64,
                          attrs->heads, x->dims[1]);
    if (*size >= 0 && attrs->size > *size)
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "rotary_embedding_dim is %" PRId64 ", a head has %" PRId64 " elements", attrs->size,
                          *size);
    if (*size >= 0 && !attrs->size && *size % 2)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "a head has %" PRId64 " elements, must be even", *size);
    return STRIDER_OK;
}

/* That an input's dimensions are those wanted, where both are known. */
static Status check_dims(InferContext *ctx, int port, int rank, const int64_t *wanted) {
    TRY(infer_require_rank(ctx, port, rank, rank));
    const Shape *shape = &ctx->inputs[port].shape;
    for (int i = 0; i < shape->rank; i++)
        if (wanted[i] >= 0 && shape->dims[i] >= 0 && shape->dims[i] != wanted[i])
            return infer_fail(ctx, STRIDER_BAD_MODEL,
                              "dimension %d of input %d is %" PRId64 ", must be %" PRId64, i, port,
                              shape->dims[i], wanted[i]);
    return STRIDER_OK;
}

static Status check_caches(InferContext *ctx, int64_t size) {
    const RotaryAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[ROTARY_X].shape, *cos = &ctx->inputs[ROTARY_COS].shape;
    const int64_t turned = attrs->size ? attrs->size : size, half = turned < 0 ? DIM_UNKNOWN : turned / 2;
    const int64_t batch = x->rank < 0 ? DIM_UNKNOWN : x->dims[0],
                  rows = x->rank < 0 ? DIM_UNKNOWN : x->dims[x->rank - 2];
    const bool has_positions = infer_has_input(ctx, ROTARY_POSITIONS);
    for (int port = ROTARY_COS; port <= ROTARY_SIN; port++)
        if (has_positions)
            TRY(check_dims(ctx, port, 2, (int64_t[]){cos->rank == 2 ? cos->dims[0] : DIM_UNKNOWN, half}));
        else
            TRY(check_dims(ctx, port, 3, (int64_t[]){batch, rows, half}));
    if (!has_positions)
        return STRIDER_OK;
    TRY(infer_require_dtype(ctx, ROTARY_POSITIONS, DTYPE_BIT(STRIDER_I64)));
    return check_dims(ctx, ROTARY_POSITIONS, 2, (int64_t[]){batch, rows});
}

static Status rotary_infer(InferContext *ctx) {
    int64_t size;
    TRY(infer_require_dtype(ctx, ROTARY_X, DTYPES_FLOAT));
    TRY(infer_require_same_dtype(ctx, ROTARY_X, ROTARY_COS));
    TRY(infer_require_same_dtype(ctx, ROTARY_X, ROTARY_SIN));
    TRY(infer_require_rank(ctx, ROTARY_X, 3, 4));
    TRY(head_size(ctx, &size));
    TRY(check_caches(ctx, size));
    ctx->outputs[0] = ctx->inputs[ROTARY_X];
    return STRIDER_OK;
}

RotaryGeometry rotary_geometry(const RotaryAttrs *attrs, const Shape *x, const Shape *cos,
                               bool has_positions) {
    const bool packed = x->rank == 3;
    const int64_t heads = packed ? attrs->heads : x->dims[1], last = x->dims[x->rank - 1];
    RotaryGeometry g = {.batch = x->dims[0],
                        .heads = heads,
                        .rows = x->dims[x->rank - 2],
                        .head_size = packed ? last / heads : last,
                        .positions = has_positions ? cos->dims[0] : 0};
    g.half = (attrs->size ? attrs->size : g.head_size) / 2;
    g.head_step = packed ? g.head_size : g.rows * g.head_size;
    g.row_step = packed ? last : g.head_size;
    return g;
}

/* The row of the caches for a row of X. */
static Status cache_row(EvalContext *ctx, const RotaryGeometry *g, int64_t row, int64_t *at) {
    const Tensor *positions = eval_input(ctx, ROTARY_POSITIONS);
    *at = positions ? tensor_get_i64(positions, row) : row;
    if (positions && (*at < 0 || *at >= g->positions))
        return eval_fail(ctx, STRIDER_BAD_MODEL, "position %" PRId64 " is outside [0, %" PRId64 ")", *at,
                         g->positions);
    return STRIDER_OK;
}

static void turn(const RotaryGeometry *g, bool interleaved, double *x, const double *cos, const double *sin) {
    for (int64_t i = 0; i < g->half; i++) {
        double *a = x + (interleaved ? 2 * i : i), *b = a + (interleaved ? 1 : g->half);
        const double real = *a * cos[i] - *b * sin[i], imaginary = *a * sin[i] + *b * cos[i];
        *a = real;
        *b = imaginary;
    }
}

static Status rotary_reference(EvalContext *ctx) {
    const RotaryAttrs *attrs = eval_attrs(ctx);
    const RotaryGeometry g =
        rotary_geometry(attrs, &ctx->inputs[ROTARY_X]->type.shape, &ctx->inputs[ROTARY_COS]->type.shape,
                        eval_input(ctx, ROTARY_POSITIONS) != NULL);
    double *x, *cos, *sin;
    TRY(eval_load_doubles(ctx, ROTARY_X, &x));
    TRY(eval_load_doubles(ctx, ROTARY_COS, &cos));
    TRY(eval_load_doubles(ctx, ROTARY_SIN, &sin));
    for (int64_t batch = 0; batch < g.batch; batch++)
        for (int64_t row = 0; row < g.rows; row++) {
            int64_t at;
            TRY(cache_row(ctx, &g, batch * g.rows + row, &at));
            for (int64_t head = 0; head < g.heads; head++)
                turn(&g, attrs->interleaved,
                     x + batch * g.heads * g.rows * g.head_size + head * g.head_step + row * g.row_step,
                     cos + at * g.half, sin + at * g.half);
        }
    tensor_store_doubles(ctx->outputs[0], x);
    return STRIDER_OK;
}

const Op op_rotary_embedding = {
    OP_NAMED(RotaryEmbedding),
    .since = 23,
    .inputs = {3, 4},
    .outputs = {1, 1},
    .attrs_size = sizeof(RotaryAttrs),
    .parse = rotary_parse,
    .infer = rotary_infer,
    .reference = rotary_reference,
    .scratch = scratch_of_inputs,
};
