/* SPDX-License-Identifier: Apache-2.0 */
/* Concat with an order: a launch for each input, of the elements along the axis that come from it. */
#include <stdio.h>

#include "base/size.h"
#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"
#include "ops/tensor/concat.h"

enum { KEY = 100 };

static bool accepts(KernelQuery *query) {
    const ConcatAttrs *attrs = query->node->attrs;
    return attrs->order && cuda_all_of(query, CUDA_FLOATS_AND_BOOLS);
}

/* Of one input, whose elements are [begin, begin + dim) of what is joined. */
typedef struct Source {
    const ConcatAttrs *attrs;
    int64_t begin, dim;
    int listed;
} Source;

static bool is_from(const Source *source, int64_t i) {
    return source->attrs->order[i] >= source->begin && source->attrs->order[i] < source->begin + source->dim;
}

/* Which elements of the input, then which of the output they become. */
static void fill_table(void *context, void *memory) {
    const Source *source = context;
    int *from = memory, *to = from + source->listed;
    for (int64_t i = 0; i < source->attrs->n_order; i++)
        if (is_from(source, i)) {
            *from++ = (int)(source->attrs->order[i] - source->begin);
            *to++ = (int)i;
        }
}

static Status make_table(Source *source, PrepareContext *ctx, const int **table) {
    const void *packed = NULL;
    char key[KEY];
    for (int64_t i = 0; i < source->attrs->n_order; i++)
        source->listed += is_from(source, i);
    if (source->listed == 0)
        return STRIDER_OK;
    /* The order lies where it does as long as the model lives. */
    snprintf(key, sizeof key, "shuffle %p %lld %lld", (const void *)source->attrs->order,
             (long long)source->begin, (long long)source->dim);
    TRY(pack_constant(ctx, NULL, key, bytes_of(2 * sizeof(int), source->listed), fill_table, source,
                      &packed));
    *table = packed;
    return STRIDER_OK;
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const ConcatAttrs *attrs = query->node->attrs;
    const Type *y = &query->outputs[0].type;
    const int axis = axis_resolve(attrs->axis, y->shape.rank);
    const int64_t outer = shape_size(&y->shape, 0, axis),
                  inner = shape_size(&y->shape, axis + 1, y->shape.rank);
    struct ShuffleArgs *args = NULL;
    Launch *launches = NULL;
    int n = 0;
    int64_t begin = 0;
    TRY(cuda_alloc(ctx, bytes_of(sizeof *args, query->n_inputs), &args));
    TRY(cuda_alloc(ctx, bytes_of(sizeof *launches, query->n_inputs), &launches));
    for (int port = 0; port < query->n_inputs; port++) {
        Source source = {.attrs = attrs, .begin = begin, .dim = query->inputs[port].type.shape.dims[axis]};
        const int *table = NULL;
        TRY(make_table(&source, ctx, &table));
        begin += source.dim;
        if (source.listed == 0)
            continue;
        args[n] = (struct ShuffleArgs){.count = (int)(outer * source.listed * inner),
                                       .inner = (int)inner,
                                       .listed = source.listed,
                                       .in_dim = (int)source.dim,
                                       .out_dim = (int)attrs->n_order,
                                       .are_bools = y->dtype == STRIDER_BOOL,
                                       .from = table,
                                       .to = table + source.listed};
        launches[n] = launch_each((const void *)k_shuffle, args[n].count);
        launches[n++].first_input = port;
    }
    return cuda_prepare_launches(ctx, launches, n, args, sizeof *args, instance);
}

CUDA_ROW(cuda_shuffle, OP_Concat, accepts, prepare)
