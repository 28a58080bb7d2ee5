/* SPDX-License-Identifier: Apache-2.0 */
/* Pad of every type and in every mode, plain, or blocked where channels are left alone: rows of the output,
 * each from one row of the input. */
#include "ops/tensor/pad.h"

#include <string.h>

#include "base/size.h"
#include "ops/cpu/strided_copy.h"

enum { TASK_BYTES = 64 * 1024, PAD_INPUTS = 4, PAD_VALUE = 2 };

typedef struct PadArgs {
    int rank; /* of dimensions outside a pixel; the last one is the row */
    int64_t dims[COPY_MAX_DIMS], in_strides[COPY_MAX_DIMS]; /* of the output; in elements */
    int64_t in_dims[COPY_MAX_DIMS], begins[COPY_MAX_DIMS];
    PadMode mode;
    int64_t pixel_elements, pixel_bytes;
    int64_t same_begin, same_end; /* outputs of a row whose sources follow one another */
    int64_t rows, rows_a_task;
    int64_t blocks; /* of channels; 0: plain */
    int tail_channels;
    size_t size; /* of an element */
    uint64_t value;
    bool takes_value; /* from the call */
} PadArgs;

/* `channels` elements of each pixel are the value, those after them zero. */
#define FILL(T)                                                                                              \
    {                                                                                                        \
        T *elements = (T *)to;                                                                               \
        T value;                                                                                             \
        memcpy(&value, from, sizeof value);                                                                  \
        for (int64_t i = 0; i < pixels * args->pixel_elements; i++)                                          \
            elements[i] = value;                                                                             \
        for (int64_t i = 0; channels < args->pixel_elements && i < pixels; i++)                              \
            memset(elements + i * args->pixel_elements + channels, 0,                                        \
                   (size_t)(args->pixel_elements - channels) * sizeof(T));                                   \
    }

static void fill(const PadArgs *args, const KernelCall *call, char *to, int64_t pixels, int channels) {
    const void *from = args->takes_value ? call->inputs[PAD_VALUE] : &args->value;
    switch (args->size) {
    case 1:
        FILL(uint8_t)
        break;
    case 2:
        FILL(uint16_t)
        break;
    case 4:
        FILL(uint32_t)
        break;
    default:
        FILL(uint64_t)
    }
}

/* The input's index in dimension `d` that an output's index shows, or -1. */
static int64_t source_of(const PadArgs *args, int d, int64_t at) {
    return pad_source(args->mode, at, args->begins[d], args->in_dims[d], args->dims[d]);
}

static void pad_pixels(const PadArgs *args, const KernelCall *call, const char *row, char *to, int64_t begin,
                       int64_t end, int channels) {
    if (args->mode == PAD_CONSTANT && begin < end) {
        fill(args, call, to + begin * args->pixel_bytes, end - begin, channels);
        return;
    }
    for (int64_t i = begin; i < end; i++)
        memcpy(to + i * args->pixel_bytes, row + source_of(args, args->rank - 1, i) * args->pixel_bytes,
               (size_t)args->pixel_bytes);
}

/* An output row's place, and in each dimension where what it shows lies in the input, in bytes; -1: nowhere.
 */
typedef struct RowWalk {
    int64_t at[COPY_MAX_DIMS], from[COPY_MAX_DIMS];
} RowWalk;

static void walk_to(const PadArgs *args, RowWalk *walk, int d, int64_t at) {
    const int64_t source = source_of(args, d, at);
    walk->at[d] = at;
    walk->from[d] = source < 0 ? -1 : source * args->in_strides[d] * (int64_t)args->size;
}

static void walk_next(const PadArgs *args, RowWalk *walk) {
    for (int d = args->rank - 2; d >= 0; d--) {
        const bool wraps = walk->at[d] + 1 == args->dims[d];
        walk_to(args, walk, d, wraps ? 0 : walk->at[d] + 1);
        if (!wraps)
            return;
    }
}

static void pad_row(const PadArgs *args, const KernelCall *call, const RowWalk *walk, char *to) {
    const int last = args->rank - 1;
    const int64_t pixels = args->dims[last];
    const bool is_last_block = args->blocks && walk->at[1] == args->blocks - 1;
    const int channels = is_last_block ? args->tail_channels : (int)args->pixel_elements;
    const char *row = call->inputs[0];
    for (int d = 0; d < last; d++) {
        if (walk->from[d] < 0) {
            fill(args, call, to, pixels, channels);
            return;
        }
        row += walk->from[d];
    }
    pad_pixels(args, call, row, to, 0, args->same_begin, channels);
    if (args->same_end > args->same_begin)
        memcpy(to + args->same_begin * args->pixel_bytes,
               row + source_of(args, last, args->same_begin) * args->pixel_bytes,
               (size_t)((args->same_end - args->same_begin) * args->pixel_bytes));
    pad_pixels(args, call, row, to, args->same_end, pixels, channels);
}

static void pad_run(const KernelCall *call, int64_t task) {
    const PadArgs *args = call->args;
    const int64_t first = task * args->rows_a_task, end = i64_min(first + args->rows_a_task, args->rows),
                  row_bytes = i64_product(args->dims[args->rank - 1], args->pixel_bytes);
    char *to = (char *)call->outputs[0] + first * row_bytes;
    RowWalk walk;
    int64_t index = first;
    for (int d = args->rank - 2; d >= 0; d--) {
        walk_to(args, &walk, d, index % args->dims[d]);
        index /= args->dims[d];
    }
    for (int64_t row = first; row < end; row++, to += row_bytes, walk_next(args, &walk))
        pad_row(args, call, &walk, to);
}

/* --- preparing --- */

static bool pads_of(const KernelQuery *query, int64_t begin[MAX_RANK], int64_t end[MAX_RANK]) {
    const Tensor *inputs[PAD_INPUTS] = {0};
    if (query->n_inputs > PAD_INPUTS)
        return false;
    for (int i = 1; i < query->n_inputs; i++) {
        if (i != PAD_VALUE && !cpu_optional_contents(query, i))
            return false;
        inputs[i] = cpu_input_contents(query, i);
    }
    return pad_resolve(query->node->attrs, query->inputs[0].type.shape.rank, query->n_inputs, inputs, begin,
                       end) == NULL;
}

static bool pad_accepts(KernelQuery *query) {
    const Shape *x = &query->inputs[0].type.shape;
    int64_t begin[MAX_RANK], end[MAX_RANK];
    if (x->rank < 1 || shape_elements(x) == 0 || dtype_size(query->inputs[0].type.dtype) > sizeof(uint64_t) ||
        !pads_of(query, begin, end))
        return false;
    bool blocked = cpu_is_blocked(query, &query->inputs[0]) && begin[1] == 0 && end[1] == 0;
    query->inputs[0].layout = query->outputs[0].layout = blocked ? cpu_blocked(query) : layout_plain();
    cpu_pack_contents(query, 1);
    return true;
}

/* Where it is known: that of the input, else that of the attribute. */
static void set_value(const KernelQuery *query, PadArgs *args) {
    const PadAttrs *attrs = query->node->attrs;
    const Tensor *value = cpu_input_contents(query, PAD_VALUE);
    Tensor element = {.type = {query->inputs[0].type.dtype, shape_scalar()}, .data = &args->value};
    args->takes_value = cpu_has_input(query, PAD_VALUE) && !value;
    if (value)
        memcpy(&args->value, value->data, args->size);
    else
        tensor_set_f64(&element, 0, (double)attrs->value);
}

/* Dimensions of a plain tensor, neighbours merged that no pad touches. */
static void set_plain_dims(PadArgs *args, const Shape *x, const Shape *y, const int64_t *begin,
                           const int64_t *end) {
    bool merges = false;
    args->rank = 0;
    for (int d = 0; d < x->rank; d++) {
        const bool is_whole = begin[d] == 0 && end[d] == 0;
        const int to = is_whole && merges ? args->rank - 1 : args->rank++;
        const bool is_new = !(is_whole && merges);
        args->in_dims[to] = (is_new ? 1 : args->in_dims[to]) * x->dims[d];
        args->dims[to] = (is_new ? 1 : args->dims[to]) * y->dims[d];
        args->begins[to] = begin[d];
        merges = is_whole;
    }
    physical_strides(args->in_dims, args->rank, args->in_strides);
}

static void set_blocked_dims(PadArgs *args, const Shape *x, const Shape *y, Layout layout,
                             const int64_t *begin) {
    args->rank = y->rank;
    physical_dims(y, layout, args->dims);
    physical_strides(args->in_dims, physical_dims(x, layout, args->in_dims), args->in_strides);
    memcpy(args->begins, begin, (size_t)args->rank * sizeof *begin);
    args->blocks = args->dims[1];
    args->tail_channels = cpu_tail_channels(y, layout);
}

/* The outputs in a row whose sources lie as they do; and how rows are shared out. */
static void set_rows(PadArgs *args) {
    const int last = args->rank - 1;
    const int64_t begin = args->begins[last], row_bytes = i64_product(args->dims[last], args->pixel_bytes);
    args->same_begin = i64_min(i64_max(begin, 0), args->dims[last]);
    args->same_end = i64_max(i64_min(begin + args->in_dims[last], args->dims[last]), args->same_begin);
    args->rows = row_bytes ? 1 : 0;
    for (int d = 0; d < last; d++)
        args->rows *= args->dims[d];
    args->rows_a_task = i64_max(TASK_BYTES / i64_max(row_bytes, 1), 1);
}

static Status pad_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const PadAttrs *attrs = query->node->attrs;
    const Type *x = &query->inputs[0].type;
    const Shape *y = &query->outputs[0].type.shape;
    const Layout layout = query->outputs[0].layout;
    int64_t begin[MAX_RANK], end[MAX_RANK];
    PadArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    if (!pads_of(query, begin, end))
        return fail(ctx->err, STRIDER_INVALID_ARGUMENT, "pads that are not known");
    args->size = dtype_size(x->dtype);
    args->mode = attrs->mode;
    args->pixel_elements = layout_block(layout);
    args->pixel_bytes = i64_product(args->pixel_elements, (int64_t)args->size);
    set_value(query, args);
    if (layout.kind == LAYOUT_PLAIN)
        set_plain_dims(args, &x->shape, y, begin, end);
    else
        set_blocked_dims(args, &x->shape, y, layout, begin);
    set_rows(args);
    *instance =
        (KernelInstance){.run = pad_run, .args = args, .tasks = ceil_div(args->rows, args->rows_a_task)};
    return STRIDER_OK;
}

const Kernel kernel_pad = {
    .name = "pad",
    .op = OP_Pad,
    .accepts = pad_accepts,
    .cost = cpu_operands_cost,
    .prepare = pad_prepare,
};
