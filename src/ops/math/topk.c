/* SPDX-License-Identifier: Apache-2.0 */
/* TopK: the k largest (or smallest) elements along an axis and their indices, in order; of equal elements the
 * one with the lower index comes first.  NaN counts as the largest of all, as in torch.  ONNX 1 (k is an
 * attribute), 10 (an input), 11 (largest, sorted, integers).  What sorted = 0 leaves open is sorted too. */
#include "ops/math/topk.h"

#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "ops/tensor/order.h"

static Status topk_parse(ParseContext *ctx, void *attrs_) {
    TopKAttrs *attrs = attrs_;
    if (ctx->node->opset < 10)
        TRY(parse_require(ctx, "k"));
    TRY(parse_int(ctx, "k", 0, &attrs->k));
    TRY(parse_int(ctx, "axis", -1, &attrs->axis));
    return parse_bool(ctx, "largest", true, &attrs->largest);
}

static Status topk_infer(InferContext *ctx) {
    const TopKAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[0].shape;
    int64_t k = attrs->k;
    int count = 1, axis;
    TRY(infer_require_dtype(ctx, 0, DTYPES_NUMERIC));
    if (ctx->node->opset >= 10) {
        TRY(infer_require_dtype(ctx, 1, DTYPES_INDEX));
        TRY(infer_ints(ctx, 1, &k, 1, &count));
    }
    if (count == 0)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "K is an empty tensor");
    if (count == 1)
        TRY(infer_check_dim(ctx, k, "K"));
    Shape y = *x;
    if (x->rank >= 0) {
        TRY(infer_axis(ctx, attrs->axis, x->rank, &axis));
        if (count == 1 && x->dims[axis] >= 0 && k > x->dims[axis])
            return infer_fail(ctx, STRIDER_BAD_MODEL, "K is %lld, but axis %d has only %lld elements",
                              (long long)k, axis, (long long)x->dims[axis]);
        y.dims[axis] = count == 1 ? k : DIM_UNKNOWN;
    }
    ctx->outputs[0].tensor = type_of(ctx->inputs[0].dtype, y);
    if (ctx->n_outputs > 1)
        ctx->outputs[1].tensor = type_of(STRIDER_I64, y);
    return STRIDER_OK;
}

typedef struct Entry {
    uint64_t key; /* the larger, the earlier */
    int64_t index;
} Entry;

static int by_rank(const void *a_, const void *b_) {
    const Entry *a = a_, *b = b_;
    if (a->key != b->key)
        return a->key > b->key ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

/* The output's shape, also where K's contents were not known before. */
static Status topk_shape(EvalContext *ctx, int axis, Shape *shape) {
    const TopKAttrs *attrs = eval_attrs(ctx);
    int64_t k = attrs->k;
    int count = 1;
    *shape = ctx->inputs[0]->type.shape;
    if (ctx->node->opset >= 10)
        TRY(eval_ints(ctx, 1, &k, 1, &count));
    if (count != 1 || k < 0 || k > shape->dims[axis])
        return eval_fail(ctx, STRIDER_BAD_MODEL, "K is not a number of elements of axis %d, which has %lld",
                         axis, (long long)shape->dims[axis]);
    shape->dims[axis] = k;
    return STRIDER_OK;
}

static Status topk_reference(EvalContext *ctx) {
    const TopKAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[0];
    const Shape *shape = &x->type.shape;
    Tensor *values = eval_output(ctx, 0), *indices = eval_output(ctx, 1);
    int axis = (int)(attrs->axis < 0 ? attrs->axis + shape->rank : attrs->axis);
    Shape out;
    TRY(topk_shape(ctx, axis, &out));
    if (values)
        TRY(eval_set_output_shape(ctx, 0, x->type.dtype, &out));
    if (indices)
        TRY(eval_set_output_shape(ctx, 1, STRIDER_I64, &out));
    int64_t outer = shape_size(shape, 0, axis), inner = shape_size(shape, axis + 1, shape->rank),
            n = shape->dims[axis], k = out.dims[axis];
    size_t element = dtype_size(x->type.dtype);
    void *memory;
    TRY(eval_alloc(ctx, sizeof(Entry), n, &memory));
    Entry *entries = memory;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < inner; i++) {
            for (int64_t j = 0; j < n; j++) {
                uint64_t key = tensor_order_key(x, (o * n + j) * inner + i);
                entries[j] = (Entry){attrs->largest ? key : ~key, j};
            }
            qsort(entries, (size_t)n, sizeof *entries, by_rank);
            for (int64_t j = 0; j < k; j++) {
                int64_t from = (o * n + entries[j].index) * inner + i, to = (o * k + j) * inner + i;
                if (values)
                    memcpy((char *)values->data + (size_t)to * element,
                           (const char *)x->data + (size_t)from * element, element);
                if (indices)
                    tensor_set_i64(indices, to, entries[j].index);
            }
        }
    return STRIDER_OK;
}

static Bytes topk_scratch(const Node *node, const Type *inputs, const Type *outputs) {
    (void)outputs;
    const TopKAttrs *attrs = node->attrs;
    const Shape *x = &inputs[0].shape;
    return scratch_of(sizeof(Entry), x->dims[attrs->axis < 0 ? attrs->axis + x->rank : attrs->axis]);
}

#define TOPK(ROW, SINCE, INPUTS)                                                                             \
    const Op ROW = {                                                                                         \
        OP_NAMED(TopK),                                                                                      \
        .since = SINCE,                                                                                      \
        .inputs = {INPUTS, INPUTS},                                                                          \
        .outputs = {1, 2},                                                                                   \
        .attrs_size = sizeof(TopKAttrs),                                                                     \
        .parse = topk_parse,                                                                                 \
        .infer = topk_infer,                                                                                 \
        .reads = 1u << 1,                                                                                    \
        .shaped_by = 1u << 1,                                                                                \
        .reference = topk_reference,                                                                         \
        .scratch = topk_scratch,                                                                             \
        .ignores = {"sorted"}, /* in any order, 0 says: sorted is one */                                     \
    };

TOPK(op_topk_1, 1, 1)
TOPK(op_topk, 10, 2)
