/* SPDX-License-Identifier: Apache-2.0 */
/* Unique: the elements that differ, or along an axis the slices, each once; where each stands first, which
 * each is equal to, and how many there are.  ONNX 11, 28 (types).  In ascending order, slices by their first
 * elements that differ, or in the order of their first occurrence.  NaN are equal, and larger than all. */
#include <string.h>

#include "ops/tensor/order.h"

typedef struct UniqueAttrs {
    bool has_axis, sorted;
    int64_t axis;
} UniqueAttrs;

enum { UNIQUE_Y, UNIQUE_FIRST, UNIQUE_INVERSE, UNIQUE_COUNTS, UNIQUE_OUTPUTS };

static Status unique_parse(ParseContext *ctx, void *attrs_) {
    UniqueAttrs *attrs = attrs_;
    attrs->has_axis = parse_has(ctx, "axis");
    TRY(parse_int(ctx, "axis", 0, &attrs->axis));
    return parse_bool(ctx, "sorted", true, &attrs->sorted);
}

static Status unique_infer(InferContext *ctx) {
    const UniqueAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[0].shape;
    int axis = 0;
    int64_t length = DIM_UNKNOWN;
    ValueType *y = &ctx->outputs[UNIQUE_Y];
    y->dtype = ctx->inputs[0].dtype;
    for (int i = UNIQUE_FIRST; i < ctx->n_outputs; i++)
        ctx->outputs[i].tensor = type_of(STRIDER_I64, shape_make(1, (int64_t[]){DIM_UNKNOWN}));
    if (!attrs->has_axis)
        y->shape = shape_make(1, (int64_t[]){DIM_UNKNOWN});
    if (x->rank < 0)
        return STRIDER_OK;
    if (attrs->has_axis) {
        TRY(infer_axis(ctx, attrs->axis, x->rank, &axis));
        y->shape = *x;
        y->shape.dims[axis] = DIM_UNKNOWN;
        length = x->dims[axis];
    } else if (!shape_count(x, 0, x->rank, &length)) {
        length = DIM_UNKNOWN;
    }
    if (ctx->n_outputs > UNIQUE_INVERSE)
        ctx->outputs[UNIQUE_INVERSE].shape.dims[0] = length;
    return STRIDER_OK;
}

/* --- order --- */

/* `length` slices, each of `outer` runs of `inner` elements. */
typedef struct Slices {
    int64_t outer, length, inner;
} Slices;

static Slices slices_of(const Node *node, const Shape *x) {
    const UniqueAttrs *attrs = node->attrs;
    if (!attrs->has_axis)
        return (Slices){1, shape_elements(x), 1};
    const int axis = (int)(attrs->axis < 0 ? attrs->axis + x->rank : attrs->axis);
    return (Slices){shape_size(x, 0, axis), x->dims[axis], shape_size(x, axis + 1, x->rank)};
}

/* Keys of all slices, each slice's one after the other. */
typedef struct Keys {
    const uint64_t *keys;
    int64_t size; /* of a slice */
} Keys;

static bool are_equal(const Keys *keys, int64_t a, int64_t b) {
    const uint64_t *first = keys->keys + a * keys->size, *second = keys->keys + b * keys->size;
    return !keys->size || memcmp(first, second, (size_t)keys->size * sizeof *first) == 0;
}

/* By one byte of a key; equal ones as they stand. */
static bool sort_by_byte(const Keys *keys, int64_t count, int64_t word, int shift, const int64_t *from,
                         int64_t *to) {
    enum { VALUES = 256 };
    int64_t begin[VALUES + 1] = {0};
    for (int64_t i = 0; i < count; i++)
        begin[(keys->keys[i * keys->size + word] >> shift & 255) + 1]++;
    for (int value = 0; value < VALUES; value++) {
        if (begin[value + 1] == count) /* all have the same */
            return false;
        begin[value + 1] += begin[value];
    }
    for (int64_t i = 0; i < count; i++)
        to[begin[keys->keys[from[i] * keys->size + word] >> shift & 255]++] = from[i];
    return true;
}

/* The slices' numbers in order, equal ones as they stand: byte by byte from the last to the first, so that
 * the time is linear in the bytes.  `memory` has room for twice as many. */
static const int64_t *sort(const Keys *keys, int64_t count, int64_t *memory) {
    int64_t *sorted = memory, *other = memory + count;
    for (int64_t i = 0; i < count; i++)
        sorted[i] = i;
    for (int64_t word = keys->size - 1; word >= 0; word--)
        for (int shift = 0; shift < 64; shift += 8)
            if (sort_by_byte(keys, count, word, shift, sorted, other)) {
                int64_t *swapped = sorted;
                sorted = other;
                other = swapped;
            }
    return sorted;
}

static Status load_keys(EvalContext *ctx, const Slices *slices, Keys *keys) {
    const Tensor *x = ctx->inputs[0];
    void *memory;
    keys->size = slices->outer * slices->inner;
    TRY(eval_alloc(ctx, sizeof(uint64_t), tensor_elements(x), &memory));
    uint64_t *key = memory;
    for (int64_t s = 0; s < slices->length; s++)
        for (int64_t o = 0; o < slices->outer; o++)
            for (int64_t i = 0; i < slices->inner; i++)
                *key++ = tensor_order_key(x, (o * slices->length + s) * slices->inner + i);
    keys->keys = memory;
    return STRIDER_OK;
}

/* --- groups of equals --- */

/* By slice: the number of its group; by group: its first slice and how many there are. */
typedef struct Groups {
    int64_t count, *group_of, *first, *size;
} Groups;

static Status open_groups(EvalContext *ctx, int64_t length, Groups *groups) {
    void *memory;
    TRY(eval_alloc(ctx, 3 * sizeof(int64_t), length, &memory));
    int64_t *numbers = memory;
    *groups = (Groups){0, numbers, numbers + length, numbers + 2 * length};
    return STRIDER_OK;
}

static void number_sorted(Groups *groups, const Keys *keys, const int64_t *sorted, int64_t length) {
    for (int64_t i = 0; i < length; i++) {
        if (i == 0 || !are_equal(keys, sorted[i - 1], sorted[i])) {
            groups->first[groups->count] = sorted[i];
            groups->size[groups->count++] = 0;
        }
        groups->group_of[sorted[i]] = groups->count - 1;
        groups->size[groups->count - 1]++;
    }
}

/* Numbers them anew by where they stand first.  `memory` has room for two numbers for each slice. */
static void number_by_occurrence(Groups *groups, int64_t length, int64_t *memory) {
    int64_t *renamed = memory, *sizes = memory + length, count = 0;
    memcpy(sizes, groups->size, (size_t)groups->count * sizeof *sizes);
    for (int64_t i = 0; i < length; i++) {
        const int64_t old = groups->group_of[i];
        if (sizes[old]) { /* the first of its group */
            renamed[old] = count;
            groups->size[count] = sizes[old];
            groups->first[count++] = i;
            sizes[old] = 0;
        }
        groups->group_of[i] = renamed[old];
    }
}

/* --- outputs --- */

static Status store_numbers(EvalContext *ctx, int port, const int64_t *numbers, int64_t count) {
    if (!eval_output(ctx, port))
        return STRIDER_OK;
    const Shape shape = shape_make(1, &count);
    TRY(eval_set_output_shape(ctx, port, STRIDER_I64, &shape));
    if (count)
        memcpy(ctx->outputs[port]->data, numbers, (size_t)count * sizeof *numbers);
    return STRIDER_OK;
}

static Status store_slices(EvalContext *ctx, const Slices *slices, const Groups *groups) {
    const UniqueAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[0];
    Tensor *y = eval_output(ctx, UNIQUE_Y);
    if (!y)
        return STRIDER_OK;
    Shape shape = attrs->has_axis ? x->type.shape : shape_make(1, &groups->count);
    if (attrs->has_axis)
        shape.dims[attrs->axis < 0 ? attrs->axis + shape.rank : attrs->axis] = groups->count;
    TRY(eval_set_output_shape(ctx, UNIQUE_Y, x->type.dtype, &shape));
    const size_t run = (size_t)slices->inner * dtype_size(x->type.dtype);
    char *to = y->data;
    for (int64_t o = 0; o < slices->outer && run; o++)
        for (int64_t g = 0; g < groups->count; g++, to += run)
            memcpy(to, (const char *)x->data + (size_t)(o * slices->length + groups->first[g]) * run, run);
    return STRIDER_OK;
}

static Status unique_reference(EvalContext *ctx) {
    const UniqueAttrs *attrs = eval_attrs(ctx);
    const Slices slices = slices_of(ctx->node, &ctx->inputs[0]->type.shape);
    Keys keys;
    Groups groups;
    void *memory;
    TRY(load_keys(ctx, &slices, &keys));
    TRY(open_groups(ctx, slices.length, &groups));
    TRY(eval_alloc(ctx, 2 * sizeof(int64_t), slices.length, &memory));
    number_sorted(&groups, &keys, sort(&keys, slices.length, memory), slices.length);
    if (!attrs->sorted)
        number_by_occurrence(&groups, slices.length, memory);
    TRY(store_slices(ctx, &slices, &groups));
    TRY(store_numbers(ctx, UNIQUE_FIRST, groups.first, groups.count));
    TRY(store_numbers(ctx, UNIQUE_INVERSE, groups.group_of, slices.length));
    return store_numbers(ctx, UNIQUE_COUNTS, groups.size, groups.count);
}

static Bytes unique_scratch(const Node *node, const Type *inputs, const Type *outputs) {
    (void)outputs;
    const int64_t length = slices_of(node, &inputs[0].shape).length;
    return bytes_sum(
        scratch_of(sizeof(uint64_t), shape_elements(&inputs[0].shape)),
        bytes_sum(scratch_of(3 * sizeof(int64_t), length), scratch_of(2 * sizeof(int64_t), length)));
}

const Op op_unique = {
    OP_NAMED(Unique),
    .since = 11,
    .inputs = {1, 1},
    .outputs = {1, UNIQUE_OUTPUTS},
    .attrs_size = sizeof(UniqueAttrs),
    .parse = unique_parse,
    .infer = unique_infer,
    .reference = unique_reference,
    .scratch = unique_scratch,
    .flags = OP_DATA_DEPENDENT,
};
