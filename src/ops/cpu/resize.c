/* SPDX-License-Identifier: Apache-2.0 */
/* Resize and Upsample of blocked tensors in up to three spatial dimensions, and of plain ones whose last
 * dimensions stay, as channels-last images: every mode that is a weighted sum
 * of input elements dimension by dimension. */
#include "ops/cpu/resize.h"

#include "base/size.h"
#include "ops/tensor/resize.h"

enum {
    RESIZE_INPUTS = 4,
    TASK_FLOATS = 16 * 1024,
    MAX_TAPS = 64,
    MIN_PIXEL = 4, /* floats that stay together, of plain tensors */
};

static bool resolve(const KernelQuery *query, ResizeDim dims[MAX_RANK]) {
    const Tensor *inputs[RESIZE_INPUTS] = {0};
    if (query->n_inputs > RESIZE_INPUTS)
        return false;
    for (int i = 1; i < query->n_inputs; i++)
        inputs[i] = cpu_input_contents(query, i);
    return resize_resolve_planned(query->node, &query->inputs[0].type.shape, &query->outputs[0].type.shape,
                                  query->n_inputs, inputs, dims);
}

/* The dimensions [first, end) that are resized as depth, height and width, up to three. */
typedef struct Resized {
    bool blocked;
    int first, end;
} Resized;

/* Blocked, where batch and channels stay; or plain, where enough of the last dimensions stay to be a vector.
 */
static bool find_resized(const KernelQuery *query, const ResizeDim *dims, Resized *resized) {
    const Shape *x = &query->inputs[0].type.shape;
    *resized = (Resized){true, 2, x->rank};
    if (layout_can_block(&query->inputs[0].type) && dims[0].scale == 1 && dims[1].scale == 1)
        return true;
    resized->blocked = false;
    resized->first = 0;
    while (resized->end > 0 && dims[resized->end - 1].scale == 1)
        resized->end--;
    while (resized->first < resized->end && dims[resized->first].scale == 1)
        resized->first++;
    return resized->first < resized->end && resized->end - resized->first <= MAX_SPATIAL &&
           shape_size(x, resized->end, x->rank) >= MIN_PIXEL;
}

static bool resize_accepts(KernelQuery *query) {
    const ResizeAttrs *attrs = query->node->attrs;
    const Shape *x = &query->inputs[0].type.shape;
    ResizeDim dims[MAX_RANK];
    Resized resized;
    if (!cpu_is_f32(query, 0) || shape_elements(x) == 0 ||
        attrs->coordinates == COORDINATE_TF_CROP_AND_RESIZE || !resolve(query, dims) ||
        !find_resized(query, dims, &resized))
        return false;
    for (int d = resized.first; d < resized.end; d++)
        if (resize_max_taps(attrs, &dims[d]) > MAX_TAPS)
            return false;
    if (!resize_tables_fit(attrs, dims, resized.first, resized.end))
        return false;
    query->inputs[0].layout = query->outputs[0].layout =
        resized.blocked ? cpu_blocked(query) : layout_plain();
    cpu_pack_contents(query, 1);
    return true;
}

static double resize_cost(const KernelQuery *query) {
    const ResizeAttrs *attrs = query->node->attrs;
    double floats = (double)shape_elements(&query->outputs[0].type.shape);
    return cpu_memory_cost(8 * floats) + (attrs->mode == RESIZE_NEAREST ? 0 : 0.1 * floats);
}

/* Drops taps of no weight at all positions' ends, as linear ones have a third at most. */
static Status make_taps(const ResizeAttrs *attrs, const ResizeDim *dim, PrepareContext *ctx,
                        ResizeTaps *taps) {
    int64_t indices[MAX_TAPS + 1], *kept_indices, count, max_taps = 1;
    double weights[MAX_TAPS + 1];
    float *kept_weights;
    for (int64_t at = 0; at < dim->out; at++) {
        int64_t used = 0;
        (void)resize_taps(attrs, dim, at, indices, weights, &count);
        for (int64_t i = 0; i < count; i++)
            used += weights[i] != 0;
        max_taps = i64_max(max_taps, used);
    }
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *kept_indices, dim->out, max_taps), &kept_indices));
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *kept_weights, dim->out, max_taps), &kept_weights));
    for (int64_t at = 0; at < dim->out; at++) {
        int64_t used = 0;
        (void)resize_taps(attrs, dim, at, indices, weights, &count);
        for (int64_t i = 0; i < count; i++)
            if (weights[i] != 0) {
                kept_indices[at * max_taps + used] = indices[i];
                kept_weights[at * max_taps + used++] = (float)weights[i];
            }
    }
    *taps = (ResizeTaps){dim->in, dim->out, max_taps, kept_indices, kept_weights};
    return STRIDER_OK;
}

/* Leaves out the columns that no output takes: where the output is much smaller, these are most. */
static Status find_columns(ResizeArgs *args, PrepareContext *ctx) {
    ResizeTaps *x = &args->dims[MAX_SPATIAL - 1];
    const int64_t taps = x->out * x->max_taps;
    int64_t *columns, *places, *indices;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *columns, x->in), &columns));
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *places, x->in), &places));
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *indices, taps), &indices));
    for (int64_t i = 0; i < taps; i++)
        places[x->indices[i]] = 1;
    for (int64_t column = 0; column < x->in; column++)
        if (places[column]) {
            places[column] = args->n_columns;
            columns[args->n_columns++] = column;
        }
    for (int64_t i = 0; i < taps; i++)
        indices[i] = places[x->indices[i]];
    x->indices = indices;
    args->columns = columns;
    return STRIDER_OK;
}

static Status resize_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const ResizeAttrs *attrs = query->node->attrs;
    const Shape *x = &query->inputs[0].type.shape;
    ResizeDim dims[MAX_RANK];
    ResizeArgs *args;
    Resized resized;
    if (!resolve(query, dims) || !find_resized(query, dims, &resized))
        return fail(ctx->err, STRIDER_INVALID_ARGUMENT, "sizes that are not known");
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    static const ResizeDim one = {1, 1, 1, 0, 1};
    for (int i = 0; i < MAX_SPATIAL; i++) {
        int d = resized.end - MAX_SPATIAL + i;
        TRY(make_taps(attrs, d >= resized.first ? &dims[d] : &one, ctx, &args->dims[i]));
    }
    args->pixel = query->width;
    int64_t planes = shape_size(x, 0, resized.first);
    if (resized.blocked) {
        args->blocks = layout_blocks(x, query->inputs[0].layout);
        args->tail_channels = cpu_tail_channels(x, query->inputs[0].layout);
        planes = x->dims[0] * args->blocks;
    } else {
        args->pixel = shape_size(x, resized.end, x->rank);
    }
    args->rows = planes * args->dims[0].out * args->dims[1].out;
    args->rows_a_task = i64_max(TASK_FLOATS / i64_max(count_of(args->dims[2].out, args->pixel), 1), 1);
    const ResizeTable *table = resize_for(query->target);
    const bool weighted = attrs->mode != RESIZE_NEAREST;
    if (weighted)
        TRY(find_columns(args, ctx));
    *instance =
        (KernelInstance){.run = !resized.blocked ? weighted ? table->plain_weighted : table->plain_nearest
                                : weighted       ? table->weighted
                                                 : table->nearest,
                         .args = args,
                         .scratch_bytes = bytes_of(sizeof(float), args->n_columns, args->pixel),
                         .tasks = ceil_div(args->rows, args->rows_a_task)};
    return STRIDER_OK;
}

#define RESIZE_KERNEL(ROW, NAME, OP)                                                                         \
    const Kernel ROW = {                                                                                     \
        .name = NAME, .op = OP, .accepts = resize_accepts, .cost = resize_cost, .prepare = resize_prepare};

RESIZE_KERNEL(kernel_resize, "resize", OP_Resize)
RESIZE_KERNEL(kernel_upsample, "upsample", OP_Upsample)
