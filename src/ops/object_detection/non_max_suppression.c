/* SPDX-License-Identifier: Apache-2.0 */
/* NonMaxSuppression: of each class of each batch the boxes with the highest scores, in that order, without
 * those that overlap one that was taken before by more than a threshold:
 * intersection / union > iou_threshold.  ONNX 10, 11 (text).  Of equal scores the first box is the first.
 *
 * Arithmetic is in float32, in the order of onnxruntime's, as what is taken hangs on the last bit. */
#include <inttypes.h>
#include <string.h>

#include "ops/op.h"

enum { NMS_BOXES, NMS_SCORES, NMS_MAX_BOXES, NMS_IOU, NMS_MIN_SCORE, NMS_INPUTS };

typedef struct NmsAttrs {
    bool center_point_box; /* boxes are x, y of the centre, width, height; else two corners y, x, y, x */
} NmsAttrs;

static Status nms_parse(ParseContext *ctx, void *attrs_) {
    NmsAttrs *attrs = attrs_;
    int64_t center;
    TRY(parse_int(ctx, "center_point_box", 0, &center));
    if (center != 0 && center != 1)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "center_point_box is %" PRId64 ", must be 0 or 1", center);
    attrs->center_point_box = center;
    return STRIDER_OK;
}

static Status require_scalar(InferContext *ctx, int port, DType dtype) {
    int64_t count;
    if (port >= ctx->n_inputs)
        return STRIDER_OK;
    TRY(infer_require_dtype(ctx, port, DTYPE_BIT(dtype)));
    const Shape *shape = &ctx->inputs[port].shape;
    if (infer_has_input(ctx, port) && shape_count(shape, 0, shape->rank, &count) && count != 1)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "input %d has %" PRId64 " values, must have one", port,
                          count);
    return STRIDER_OK;
}

static Status require_equal(InferContext *ctx, int boxes_dim, int scores_dim, const char *what) {
    const Shape *boxes = &ctx->inputs[NMS_BOXES].shape, *scores = &ctx->inputs[NMS_SCORES].shape;
    if (boxes->rank < 0 || scores->rank < 0)
        return STRIDER_OK;
    const int64_t a = boxes->dims[boxes_dim], b = scores->dims[scores_dim];
    if (a >= 0 && b >= 0 && a != b)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "there are boxes of %" PRId64 " %s, and scores of %" PRId64,
                          a, what, b);
    return STRIDER_OK;
}

static Status nms_infer(InferContext *ctx) {
    const Shape *boxes = &ctx->inputs[NMS_BOXES].shape;
    TRY(infer_require_dtype(ctx, NMS_BOXES, DTYPE_BIT(STRIDER_F32)));
    TRY(infer_require_dtype(ctx, NMS_SCORES, DTYPE_BIT(STRIDER_F32)));
    TRY(infer_require_rank(ctx, NMS_BOXES, 3, 3));
    TRY(infer_require_rank(ctx, NMS_SCORES, 3, 3));
    if (boxes->rank == 3 && boxes->dims[2] >= 0 && boxes->dims[2] != 4)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "boxes have %" PRId64 " numbers, must have 4",
                          boxes->dims[2]);
    TRY(require_equal(ctx, 0, 0, "batches"));
    TRY(require_equal(ctx, 1, 2, "places"));
    TRY(require_scalar(ctx, NMS_MAX_BOXES, STRIDER_I64));
    TRY(require_scalar(ctx, NMS_IOU, STRIDER_F32));
    TRY(require_scalar(ctx, NMS_MIN_SCORE, STRIDER_F32));
    ctx->outputs[0].tensor = type_of(STRIDER_I64, shape_make(2, (int64_t[]){DIM_UNKNOWN, 3}));
    return STRIDER_OK;
}

/* --- boxes --- */

/* Of many boxes, so that several are compared at a time. */
typedef struct Boxes {
    float *x1, *y1, *x2, *y2, *area; /* x1 <= x2, y1 <= y2 */
} Boxes;
enum { FLOATS_A_BOX = 5 };

static Boxes boxes_in(float *memory, int64_t count) {
    return (Boxes){memory, memory + count, memory + 2 * count, memory + 3 * count, memory + 4 * count};
}

static void load_boxes(const float *from, int64_t count, bool center, const Boxes *boxes) {
    for (int64_t i = 0; i < count; i++, from += 4) {
        const float half_x = from[2] / 2, half_y = from[3] / 2;
        const float a_x = center ? from[0] - half_x : from[1], b_x = center ? from[0] + half_x : from[3];
        const float a_y = center ? from[1] - half_y : from[0], b_y = center ? from[1] + half_y : from[2];
        boxes->x1[i] = center || a_x < b_x ? a_x : b_x;
        boxes->x2[i] = center || a_x < b_x ? b_x : a_x;
        boxes->y1[i] = center || a_y < b_y ? a_y : b_y;
        boxes->y2[i] = center || a_y < b_y ? b_y : a_y;
        boxes->area[i] = (boxes->x2[i] - boxes->x1[i]) * (boxes->y2[i] - boxes->y1[i]);
    }
}

static void copy_box(const Boxes *from, int64_t i, const Boxes *to, int64_t at) {
    to->x1[at] = from->x1[i];
    to->y1[at] = from->y1[i];
    to->x2[at] = from->x2[i];
    to->y2[at] = from->y2[i];
    to->area[at] = from->area[i];
}

/* A NaN in a box leaves no intersection. */
static inline bool overlaps(const Boxes *a, int64_t i, const Boxes *b, int64_t j, float threshold) {
    const float left = a->x1[i] > b->x1[j] ? a->x1[i] : b->x1[j];
    const float right = a->x2[i] < b->x2[j] ? a->x2[i] : b->x2[j];
    const float top = a->y1[i] > b->y1[j] ? a->y1[i] : b->y1[j];
    const float bottom = a->y2[i] < b->y2[j] ? a->y2[i] : b->y2[j];
    const float width = right - left, height = bottom - top;
    const float both = (width > 0 ? width : 0) * (height > 0 ? height : 0);
    const float ratio = both / (a->area[i] + b->area[j] - both);
    return (both > 0) & (ratio > threshold);
}

/* Whether box i overlaps one of the first `count` others. */
static bool overlaps_any(const Boxes *boxes, int64_t i, const Boxes *others, int64_t count, float threshold) {
    enum { AT_A_TIME = 32 }; /* of which each is looked at, so that vectors can */
    int64_t j = 0;
    for (; j + AT_A_TIME <= count; j += AT_A_TIME) {
        int found = 0;
        for (int k = 0; k < AT_A_TIME; k++)
            found |= overlaps(boxes, i, others, j + k, threshold);
        if (found)
            return true;
    }
    for (; j < count; j++)
        if (overlaps(boxes, i, others, j, threshold))
            return true;
    return false;
}

/* --- order --- */

typedef struct Candidate {
    uint32_t key; /* the larger the score, the smaller */
    uint32_t box;
} Candidate;

static uint32_t score_key(float score) {
    uint32_t bits;
    score += 0.0f; /* -0 becomes 0, which it equals */
    memcpy(&bits, &score, sizeof bits);
    return bits >> 31 ? bits : ~bits & 0x7fffffffu;
}

/* Those above the threshold; NaN is no score. */
static int64_t find_candidates(const float *scores, int64_t count, const float *threshold,
                               Candidate *candidates) {
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++) {
        candidates[found] = (Candidate){score_key(scores[i]), (uint32_t)i};
        found += threshold ? scores[i] > *threshold : scores[i] == scores[i];
    }
    return found;
}

/* By the key, from its last byte to its first, so that equals stay in their order.  Returns which of the two
 * lists it is that has them. */
static const Candidate *sort(Candidate *candidates, int64_t count, Candidate *other) {
    enum { DIGITS = 4, VALUES = 256 };
    for (int digit = 0; digit < DIGITS; digit++) {
        const int shift = 8 * digit;
        int64_t begin[VALUES + 1] = {0};
        for (int64_t i = 0; i < count; i++)
            begin[(candidates[i].key >> shift & 255) + 1]++;
        for (int value = 0; value < VALUES; value++)
            begin[value + 1] += begin[value];
        for (int64_t i = 0; i < count; i++)
            other[begin[candidates[i].key >> shift & 255]++] = candidates[i];
        Candidate *swapped = candidates;
        candidates = other;
        other = swapped;
    }
    return candidates;
}

/* --- reference --- */

typedef struct Nms {
    int64_t batches, classes, count, max_boxes;
    float iou;
    const float *min_score; /* NULL: all scores do */
    Boxes boxes, kept;      /* of a batch, and of a class what was taken */
    Candidate *candidates, *sorted;
    uint32_t *taken;  /* of all classes, one after the other */
    int64_t *n_taken; /* of each */
} Nms;

static Status read_limits(EvalContext *ctx, Nms *nms) {
    const Tensor *most = eval_input(ctx, NMS_MAX_BOXES), *iou = eval_input(ctx, NMS_IOU);
    const Tensor *score = eval_input(ctx, NMS_MIN_SCORE);
    nms->max_boxes = most ? *(const int64_t *)most->data : 0;
    nms->iou = iou ? *(const float *)iou->data : 0;
    nms->min_score = score ? score->data : NULL;
    if (!(nms->iou >= 0 && nms->iou <= 1))
        return eval_fail(ctx, STRIDER_BAD_MODEL, "iou_threshold is %g, must be from 0 to 1",
                         (double)nms->iou);
    return STRIDER_OK;
}

static Status open_memory(EvalContext *ctx, Nms *nms) {
    float *floats;
    void *memory;
    TRY(eval_alloc(ctx, 2 * FLOATS_A_BOX * sizeof(float), nms->count, &memory));
    floats = memory;
    nms->boxes = boxes_in(floats, nms->count);
    nms->kept = boxes_in(floats + FLOATS_A_BOX * nms->count, nms->count);
    TRY(eval_alloc(ctx, 2 * sizeof(Candidate), nms->count, &memory));
    nms->candidates = memory;
    nms->sorted = nms->candidates + nms->count;
    TRY(eval_alloc(ctx, sizeof(uint32_t), tensor_elements(ctx->inputs[NMS_SCORES]), &memory));
    nms->taken = memory;
    TRY(eval_alloc(ctx, sizeof(int64_t), nms->batches * nms->classes, &memory));
    nms->n_taken = memory;
    return STRIDER_OK;
}

static Status open_nms(EvalContext *ctx, Nms *nms) {
    const Shape *scores = &ctx->inputs[NMS_SCORES]->type.shape;
    *nms = (Nms){.batches = scores->dims[0], .classes = scores->dims[1], .count = scores->dims[2]};
    if (nms->count > UINT32_MAX)
        return eval_fail(ctx, STRIDER_LIMIT_EXCEEDED, "%" PRId64 " boxes are too many", nms->count);
    TRY(read_limits(ctx, nms));
    return open_memory(ctx, nms);
}

/* The boxes of one class; returns how many. */
static int64_t take(const Nms *nms, const float *scores, uint32_t *taken) {
    const int64_t found = find_candidates(scores, nms->count, nms->min_score, nms->candidates);
    const Candidate *candidates = sort(nms->candidates, found, nms->sorted);
    int64_t n_taken = 0;
    for (int64_t i = 0; i < found && n_taken < nms->max_boxes; i++) {
        const int64_t box = candidates[i].box;
        if (overlaps_any(&nms->boxes, box, &nms->kept, n_taken, nms->iou))
            continue;
        copy_box(&nms->boxes, box, &nms->kept, n_taken);
        taken[n_taken++] = (uint32_t)box;
    }
    return n_taken;
}

static int64_t take_all(const EvalContext *ctx, Nms *nms) {
    const NmsAttrs *attrs = eval_attrs(ctx);
    const float *boxes = ctx->inputs[NMS_BOXES]->data, *scores = ctx->inputs[NMS_SCORES]->data;
    int64_t total = 0;
    for (int64_t b = 0; b < nms->batches && nms->max_boxes > 0; b++) {
        load_boxes(boxes + b * nms->count * 4, nms->count, attrs->center_point_box, &nms->boxes);
        for (int64_t c = b * nms->classes; c < (b + 1) * nms->classes; c++) {
            nms->n_taken[c] = take(nms, scores + c * nms->count, nms->taken + total);
            total += nms->n_taken[c];
        }
    }
    return total;
}

static Status nms_reference(EvalContext *ctx) {
    Nms nms;
    TRY(open_nms(ctx, &nms));
    const int64_t total = take_all(ctx, &nms);
    const Shape shape = shape_make(2, (int64_t[]){total, 3});
    TRY(eval_set_output_shape(ctx, 0, STRIDER_I64, &shape));
    int64_t *y = ctx->outputs[0]->data;
    for (int64_t c = 0, at = 0; at < total; c++)
        for (int64_t i = 0; i < nms.n_taken[c]; i++, at++, y += 3) {
            y[0] = c / nms.classes;
            y[1] = c % nms.classes;
            y[2] = nms.taken[at];
        }
    return STRIDER_OK;
}

static Bytes nms_scratch(const Node *node, const Type *inputs, const Type *outputs) {
    (void)node, (void)outputs;
    const Shape *scores = &inputs[NMS_SCORES].shape;
    const int64_t *d = scores->dims;
    Bytes bytes = scratch_of(2 * FLOATS_A_BOX * sizeof(float), d[2]);
    bytes = bytes_sum(bytes, scratch_of(2 * sizeof(Candidate), d[2]));
    bytes = bytes_sum(bytes, scratch_of(sizeof(uint32_t), shape_elements(scores)));
    return bytes_sum(bytes, scratch_of(sizeof(int64_t), i64_product(d[0], d[1])));
}

const Op op_non_max_suppression = {
    OP_NAMED(NonMaxSuppression),
    .since = 10,
    .inputs = {2, NMS_INPUTS},
    .outputs = {1, 1},
    .attrs_size = sizeof(NmsAttrs),
    .parse = nms_parse,
    .infer = nms_infer,
    .reference = nms_reference,
    .scratch = nms_scratch,
    .flags = OP_DATA_DEPENDENT,
};
