/* SPDX-License-Identifier: Apache-2.0 */
/* Resize and Upsample, where at most KERNEL_SPATIAL neighbouring dimensions change.  The host computes which
 * elements each output position of a dimension is made of, as the reference does; the tables are uploaded
 * once for a session. */
#include "ops/tensor/resize.h"

#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"

enum { RESIZE_INPUTS = 4, MAX_TAPS = 64, KEY = 160 };

static bool resolve(const KernelQuery *query, ResizeDim dims[MAX_RANK]) {
    const Tensor *inputs[RESIZE_INPUTS] = {0};
    if (query->n_inputs > RESIZE_INPUTS)
        return false;
    for (int i = 1; i < query->n_inputs; i++)
        inputs[i] = cuda_has_input(query, i) ? query->inputs[i].constant : NULL;
    return resize_resolve_planned(query->node, &query->inputs[0].type.shape, &query->outputs[0].type.shape,
                                  query->n_inputs, inputs, dims);
}

/* One output position: what has no weight is left out. */
typedef struct Taps {
    int64_t indices[MAX_TAPS + 1], count;
    double weights[MAX_TAPS + 1];
    bool inside;
} Taps;

static void taps_of(const ResizeAttrs *attrs, const ResizeDim *dim, int64_t at, Taps *taps) {
    int64_t kept = 0;
    taps->inside = resize_taps(attrs, dim, at, taps->indices, taps->weights, &taps->count);
    for (int64_t i = 0; i < taps->count; i++)
        if (taps->weights[i] != 0) {
            taps->indices[kept] = taps->indices[i];
            taps->weights[kept++] = taps->weights[i];
        }
    taps->count = kept;
}

static bool is_identity(const ResizeAttrs *attrs, const ResizeDim *dim) {
    Taps taps;
    for (int64_t at = 0; dim->in == dim->out && at < dim->out; at++) {
        taps_of(attrs, dim, at, &taps);
        if (!taps.inside || taps.count != 1 || taps.indices[0] != at || taps.weights[0] != 1)
            return false;
    }
    return dim->in == dim->out;
}

/* The dimensions [*first, *end) hold all that change. */
static bool find_axes(const ResizeAttrs *attrs, const ResizeDim *dims, int rank, int *first, int *end) {
    *first = *end = rank;
    for (int d = 0; d < rank; d++) {
        if (resize_max_taps(attrs, &dims[d]) > MAX_TAPS)
            return false;
        if (is_identity(attrs, &dims[d]))
            continue;
        *first = *first < d ? *first : d;
        *end = d + 1;
    }
    return *end - *first <= KERNEL_SPATIAL;
}

static bool accepts(KernelQuery *query) {
    ResizeDim dims[MAX_RANK];
    int first, end;
    const int rank = query->inputs[0].type.shape.rank;
    if (!cuda_is_f32(&query->inputs[0]) || !cuda_is_f32(&query->outputs[0]) || !resolve(query, dims) ||
        !resize_tables_fit(query->node->attrs, dims, 0, rank) ||
        !find_axes(query->node->attrs, dims, rank, &first, &end))
        return false;
    for (int i = 1; i < query->n_inputs; i++)
        query->inputs[i].packed = query->inputs[i].constant != NULL;
    return true;
}

/* --- tables --- */

/* All indices, then all weights. */
typedef struct Table {
    const ResizeAttrs *attrs;
    ResizeDim dim;
    int64_t taps;
} Table;

static void fill_table(void *context, void *memory) {
    const Table *table = context;
    int *indices = memory;
    float *weights = (float *)memory + table->dim.out * table->taps;
    Taps taps;
    for (int64_t at = 0; at < table->dim.out; at++) {
        taps_of(table->attrs, &table->dim, at, &taps);
        for (int64_t i = 0; i < table->taps; i++) {
            const int64_t to = at * table->taps + i;
            indices[to] = !taps.inside ? -1 : i < taps.count ? (int)taps.indices[i] : 0;
            weights[to] = i < taps.count ? (float)taps.weights[i] : 0;
        }
    }
}

static Status make_axis(const ResizeAttrs *attrs, const ResizeDim *dim, PrepareContext *ctx,
                        ResizeAxis *axis) {
    Table table = {.attrs = attrs, .dim = *dim, .taps = 1};
    Taps taps;
    char key[KEY];
    const void *packed = NULL;
    for (int64_t at = 0; at < dim->out; at++) {
        taps_of(attrs, dim, at, &taps);
        table.taps = i64_max(table.taps, taps.count);
    }
    snprintf(key, sizeof key, "resize %d %d %d %d %d %a %lld %lld %a %a %a", (int)attrs->mode,
             (int)attrs->coordinates, (int)attrs->nearest, attrs->exclude_outside, attrs->antialias,
             (double)attrs->cubic_coeff_a, (long long)dim->in, (long long)dim->out, dim->scale,
             dim->roi_begin, dim->roi_end);
    TRY(pack_constant(ctx, NULL, key, bytes_of(sizeof(int) + sizeof(float), dim->out, table.taps), fill_table,
                      &table, &packed));
    *axis = (ResizeAxis){.in = (int)dim->in,
                         .out = (int)dim->out,
                         .taps = (int)table.taps,
                         .indices = packed,
                         .weights = (const float *)packed + dim->out * table.taps};
    return STRIDER_OK;
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const ResizeAttrs *attrs = query->node->attrs, nearest = {.coordinates = COORDINATE_ASYMMETRIC};
    const ResizeDim one = {1, 1, 1, 0, 1};
    const Shape *y = &query->outputs[0].type.shape;
    const int64_t count = cuda_elements(&query->outputs[0]);
    ResizeDim dims[MAX_RANK];
    int first, end;
    if (!resolve(query, dims))
        return fail(ctx->err, STRIDER_INVALID_ARGUMENT, "sizes that are not known");
    find_axes(attrs, dims, y->rank, &first, &end);
    struct ResizeArgs args = {.count = (int)count,
                              .inner = (int)shape_size(y, end, y->rank),
                              .extrapolation_value = attrs->extrapolation_value};
    for (int i = 0; i < KERNEL_SPATIAL; i++) {
        const int d = end - KERNEL_SPATIAL + i;
        if (d >= first)
            TRY(make_axis(attrs, &dims[d], ctx, &args.axes[i]));
        else
            TRY(make_axis(&nearest, &one, ctx, &args.axes[i]));
    }
    const Launch launch = launch_each((const void *)k_resize, count);
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

CUDA_ROW(cuda_resize, OP_Resize, accepts, prepare)
CUDA_ROW(cuda_upsample, OP_Upsample, accepts, prepare)
