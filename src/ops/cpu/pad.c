/* SPDX-License-Identifier: Apache-2.0 */
/* Pad in float32 and every mode, plain, or blocked where channels are left alone: rows of the output, each
 * from one row of the input. */
#include "ops/tensor/pad.h"

#include <string.h>

#include "base/size.h"
#include "ops/cpu/strided_copy.h"

enum { TASK_FLOATS = 16 * 1024, PAD_INPUTS = 4 };

typedef struct PadArgs {
    int rank; /* of dimensions outside a pixel; the last one is the row */
    int64_t dims[COPY_MAX_DIMS], in_strides[COPY_MAX_DIMS]; /* of the output; in floats */
    int64_t in_dims[COPY_MAX_DIMS], begins[COPY_MAX_DIMS];
    PadMode mode;
    int64_t pixel_floats;
    int64_t same_begin, same_end; /* outputs of a row whose sources follow one another */
    int64_t rows, rows_a_task, blocks;
    int tail_channels;
    float value;
} PadArgs;

static void fill(const PadArgs *args, float *to, int64_t pixels, int channels) {
    for (int64_t i = 0; i < pixels; i++)
        for (int64_t c = 0; c < args->pixel_floats; c++)
            to[i * args->pixel_floats + c] = c < channels ? args->value : 0;
}

/* The input's index in dimension `d` that an output's index shows, or -1. */
static int64_t source_of(const PadArgs *args, int d, int64_t at) {
    return pad_source(args->mode, at, args->begins[d], args->in_dims[d], args->dims[d]);
}

static void pad_pixels(const PadArgs *args, const float *row, float *to, int64_t begin, int64_t end,
                       int channels) {
    for (int64_t i = begin; i < end; i++) {
        const int64_t source = source_of(args, args->rank - 1, i);
        if (source < 0)
            fill(args, to + i * args->pixel_floats, 1, channels);
        else
            memcpy(to + i * args->pixel_floats, row + source * args->pixel_floats,
                   (size_t)args->pixel_floats * sizeof *to);
    }
}

static void pad_row(const PadArgs *args, const KernelCall *call, int64_t index) {
    const int last = args->rank - 1;
    const int64_t pixels = args->dims[last];
    const float *row = call->inputs[0];
    float *to = (float *)call->outputs[0] + index * pixels * args->pixel_floats;
    int channels = (int)args->pixel_floats;
    bool is_constant = false;
    for (int d = last - 1; d >= 0; d--) {
        int64_t at = index % args->dims[d], source = source_of(args, d, at);
        index /= args->dims[d];
        is_constant = is_constant || source < 0;
        row += source * args->in_strides[d];
        if (args->blocks && d == 1 && at == args->blocks - 1)
            channels = args->tail_channels;
    }
    if (is_constant) {
        fill(args, to, pixels, channels);
        return;
    }
    pad_pixels(args, row, to, 0, args->same_begin, channels);
    if (args->same_end > args->same_begin)
        memcpy(to + args->same_begin * args->pixel_floats,
               row + source_of(args, last, args->same_begin) * args->pixel_floats,
               (size_t)((args->same_end - args->same_begin) * args->pixel_floats) * sizeof *to);
    pad_pixels(args, row, to, args->same_end, pixels, channels);
}

static void pad_run(const KernelCall *call, int64_t task) {
    const PadArgs *args = call->args;
    int64_t first = task * args->rows_a_task, end = i64_min(first + args->rows_a_task, args->rows);
    for (int64_t row = first; row < end; row++)
        pad_row(args, call, row);
}

/* --- preparing --- */

static bool pads_of(const KernelQuery *query, int64_t begin[MAX_RANK], int64_t end[MAX_RANK]) {
    const Tensor *inputs[PAD_INPUTS] = {0};
    if (query->n_inputs > PAD_INPUTS)
        return false;
    for (int i = 1; i < query->n_inputs; i++) {
        if (!cpu_optional_constant(query, i))
            return false;
        inputs[i] = cpu_input_constant(query, i);
    }
    return pad_resolve(query->node->attrs, query->inputs[0].type.shape.rank, query->n_inputs, inputs, begin,
                       end) == NULL;
}

static bool pad_accepts(KernelQuery *query) {
    const Shape *x = &query->inputs[0].type.shape;
    int64_t begin[MAX_RANK], end[MAX_RANK];
    if (!cpu_is_f32(query, 0) || x->rank < 1 || shape_elements(x) == 0 || !pads_of(query, begin, end))
        return false;
    bool blocked = cpu_is_blocked(query, &query->inputs[0]) && begin[1] == 0 && end[1] == 0;
    query->inputs[0].layout = query->outputs[0].layout = blocked ? cpu_blocked(query) : layout_plain();
    for (int i = 1; i < query->n_inputs; i++)
        query->inputs[i].packed = query->inputs[i].type.dtype != STRIDER_DTYPE_NONE;
    return true;
}

static double pad_cost(const KernelQuery *query) {
    return cpu_memory_cost(8.0 * (double)shape_elements(&query->outputs[0].type.shape));
}

static Status pad_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const PadAttrs *attrs = query->node->attrs;
    const Shape *x = &query->inputs[0].type.shape, *y = &query->outputs[0].type.shape;
    const Layout layout = query->outputs[0].layout;
    int64_t begin[MAX_RANK], end[MAX_RANK];
    PadArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    if (!pads_of(query, begin, end))
        return fail(ctx->err, STRIDER_INVALID_ARGUMENT, "pads that are not constant");
    const Tensor *value = cpu_input_constant(query, 2);
    args->value = value ? (float)tensor_get_f64(value, 0) : attrs->value;
    args->rank = y->rank;
    args->mode = attrs->mode;
    args->pixel_floats = layout_block(layout);
    args->tail_channels = 1;
    physical_dims(y, layout, args->dims);
    int in_rank = physical_dims(x, layout, args->in_dims);
    physical_strides(args->in_dims, in_rank, args->in_strides);
    if (layout.kind != LAYOUT_PLAIN) {
        args->blocks = args->dims[1];
        args->tail_channels = cpu_tail_channels(y, layout);
    }
    args->rows = 1;
    const int last = args->rank - 1;
    for (int d = 0; d < last; d++)
        args->rows *= args->dims[d];
    memcpy(args->begins, begin, (size_t)args->rank * sizeof *begin);
    args->same_begin = i64_min(i64_max(begin[last], 0), args->dims[last]);
    args->same_end = i64_max(i64_min(begin[last] + args->in_dims[last], args->dims[last]), args->same_begin);
    int64_t row_floats = args->dims[last] * args->pixel_floats;
    args->rows_a_task = i64_max(TASK_FLOATS / i64_max(row_floats, 1), 1);
    *instance = (KernelInstance){
        .run = pad_run, .args = args, .tasks = row_floats ? ceil_div(args->rows, args->rows_a_task) : 0};
    return STRIDER_OK;
}

const Kernel kernel_pad = {
    .name = "pad",
    .op = OP_Pad,
    .accepts = pad_accepts,
    .cost = pad_cost,
    .prepare = pad_prepare,
};
