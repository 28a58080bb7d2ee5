/* SPDX-License-Identifier: Apache-2.0 */
/* ScatterElements and ScatterND by indices that are constants.  The host sorts the updates by where they go,
 * so that one thread joins all of an element in their order, and the last one wins as in the reference. */
#include "ops/tensor/scatter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"

enum { KEY = 300 };

static IndexedParts parts_of(const KernelQuery *query) {
    const ScatterAttrs *attrs = query->node->attrs;
    const Shape *x = &query->inputs[SCATTER_DATA].type.shape,
                *indices = &query->inputs[SCATTER_INDICES].type.shape;
    return query->node->op->kind == OP_ScatterND ? indexed_by_tuples(0, x, indices)
                                                 : indexed_elements(attrs->axis, x, indices);
}

static bool accepts(KernelQuery *query) {
    Operand *indices = &query->inputs[SCATTER_INDICES];
    if (!cuda_is_f32(&query->inputs[SCATTER_DATA]) || !cuda_is_f32(&query->inputs[SCATTER_UPDATES]) ||
        !cuda_is_f32(&query->outputs[0]) || !indices->constant || !cuda_is(indices, DTYPES_INDEX))
        return false;
    const IndexedParts parts = parts_of(query);
    indices->packed = true;
    return cuda_indices_fit(query, SCATTER_INDICES, &parts);
}

/* Update `part` goes to element `at`. */
typedef struct Update {
    int at, part;
} Update;

static int by_place(const void *a_, const void *b_) {
    const Update *a = a_, *b = b_;
    return a->at != b->at ? (a->at > b->at) - (a->at < b->at) : (a->part > b->part) - (a->part < b->part);
}

typedef struct Table {
    const Update *updates;
    int count;
} Table;

/* In three columns of one length: where each goes, which update it is, and how many go there that begin with
 * it. */
static void fill_table(void *context, void *memory) {
    const Table *table = context;
    int *at = memory, *part = at + table->count, *followers = part + table->count;
    for (int i = table->count - 1; i >= 0; i--) {
        const bool is_last = i + 1 == table->count || table->updates[i + 1].at != table->updates[i].at;
        at[i] = table->updates[i].at;
        part[i] = table->updates[i].part;
        followers[i] = is_last ? 1 : followers[i + 1] + 1;
    }
}

static Status sort_updates(const KernelQuery *query, const IndexedParts *parts, PrepareContext *ctx,
                           const int **table) {
    const Tensor *indices = query->inputs[SCATTER_INDICES].constant;
    IndexedWalk walk = indexed_walk(parts, indices);
    Table sorted = {.count = (int)indexed_count(parts)};
    Update *updates = memory_alloc(ctx->device->allocator, bytes_of(sizeof *updates, sorted.count).n);
    const void *packed = NULL;
    char key[KEY], text[SHAPE_TEXT];
    if (!updates)
        return fail_memory(ctx->err, bytes_of(sizeof *updates, sorted.count).n, "the plan");
    for (int i = 0; i < sorted.count; i++) {
        int64_t at = 0;
        indexed_next(&walk, &at); /* in range, as was accepted */
        updates[i] = (Update){(int)at, i};
    }
    qsort(updates, (size_t)sorted.count, sizeof *updates, by_place);
    sorted.updates = updates;
    snprintf(key, sizeof key, "scatter %s %lld %lld %lld %s", query->node->op->name, (long long)parts->part,
             (long long)parts->steps[0], (long long)((const ScatterAttrs *)query->node->attrs)->axis,
             shape_text(&query->inputs[SCATTER_DATA].type.shape, text));
    const Status status = pack_constant(ctx, indices, key, bytes_of(3 * sizeof(int), sorted.count),
                                        fill_table, &sorted, &packed);
    memory_free(ctx->device->allocator, updates);
    *table = packed;
    return status;
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const ScatterAttrs *attrs = query->node->attrs;
    const IndexedParts parts = parts_of(query);
    const int *table = NULL;
    TRY(sort_updates(query, &parts, ctx, &table));
    const int updates = (int)indexed_count(&parts);
    struct ScatterArgs args[2] = {{.count = (int)cuda_elements(&query->outputs[0])},
                                  {.count = updates * (int)parts.part,
                                   .part = (int)parts.part,
                                   .reduction = (Reduction)attrs->reduction,
                                   .at = table,
                                   .update = table + updates,
                                   .followers = table + 2 * updates}};
    Launch launches[2] = {launch_each((const void *)k_scatter_begin, args[0].count),
                          launch_each((const void *)k_scatter, args[1].count)};
    launches[1].first_input = SCATTER_UPDATES;
    return cuda_prepare_launches(ctx, launches, 2, args, sizeof *args, instance);
}

CUDA_ROW(cuda_scatter, OP_Scatter, accepts, prepare)
CUDA_ROW(cuda_scatter_elements, OP_ScatterElements, accepts, prepare)
CUDA_ROW(cuda_scatter_nd, OP_ScatterND, accepts, prepare)
