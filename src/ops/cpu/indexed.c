/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/indexed.h"

#include <inttypes.h>

enum {
    AT_A_TIME = 256,        /* parts whose places are found together */
    TASK_BYTES = 64 * 1024, /* that a task moves, where there is that much */
    MAX_TASKS = 64,
};

/* --- preparing --- */

static bool goes_on(const int64_t *strides, int d, const int64_t *dims) {
    return strides[d] == i64_product(strides[d + 1], dims[d + 1]);
}

/* Without dimensions of one element; the last one stays. */
static void merge_dims(IndexedArgs *args) {
    IndexedParts *p = &args->parts;
    int rank = p->rank;
    for (int d = rank - 2; d >= 0; d--) {
        const bool merges =
            p->dims[d + 1] != 1 && goes_on(p->base, d, p->dims) && goes_on(p->position, d, p->dims);
        if (p->dims[d] != 1 && p->dims[d + 1] != 1 && !merges)
            continue;
        const int kept = p->dims[d + 1] == 1 ? d : d + 1;
        const int64_t size = p->dims[d] * p->dims[d + 1];
        p->base[d] = p->base[kept];
        p->position[d] = p->position[kept];
        p->dims[d] = size;
        rank--;
        for (int i = d + 1; i < rank; i++) {
            p->dims[i] = p->dims[i + 1];
            p->base[i] = p->base[i + 1];
            p->position[i] = p->position[i + 1];
        }
    }
    p->rank = rank;
}

static void set_order(IndexedArgs *args) {
    int64_t stride = 1;
    for (int d = args->parts.rank - 1; d >= 0; d--) {
        args->order[d] = stride;
        stride *= args->parts.dims[d];
    }
}

/* The first dimension that gives as many tasks as are wanted, else the largest. */
static void cut_box(IndexedArgs *args, bool any_order) {
    const IndexedParts *p = &args->parts;
    const int64_t bytes = i64_product(indexed_count(p), (int64_t)args->part_bytes);
    const int64_t wanted = i64_min(ceil_div(bytes, TASK_BYTES), MAX_TASKS);
    args->cut = -1;
    for (int d = 0; d < p->rank; d++) {
        if (!any_order && p->base[d] == 0)
            continue;
        if (args->cut < 0 || p->dims[d] > p->dims[args->cut])
            args->cut = d;
        if (p->dims[d] >= wanted)
            break;
    }
    args->cut_size = args->cut < 0 ? 1 : ceil_div(p->dims[args->cut], i64_max(wanted, 1));
    args->cut_tasks = args->cut < 0 ? 1 : ceil_div(p->dims[args->cut], i64_max(args->cut_size, 1));
}

static void cut_parts(IndexedArgs *args, int64_t min_column_bytes) {
    const int64_t bytes = (int64_t)args->part_bytes, element = (int64_t)args->element_bytes;
    const int64_t columns = i64_max(i64_min(bytes / min_column_bytes, MAX_TASKS), 1);
    args->column_bytes = ceil_div(ceil_div(bytes, columns), element) * element;
    args->columns = args->column_bytes ? ceil_div(bytes, args->column_bytes) : 1;
}

void indexed_args(const KernelQuery *query, const IndexedParts *parts, bool any_order,
                  int64_t min_column_bytes, IndexedArgs *args) {
    const Type *indices = &query->inputs[1].type;
    args->node = query->node;
    args->table = indexed_for(query->target);
    args->parts = *parts;
    args->are_i32 = indices->dtype == STRIDER_I32;
    args->n_indices = shape_elements(&indices->shape);
    args->element_bytes = dtype_size(query->inputs[0].type.dtype);
    args->part_bytes = bytes_of(args->element_bytes, parts->part).n;
    const int64_t part = i64_max(parts->part, 1);
    for (int d = 0; d < parts->rank; d++)
        args->parts.base[d] /= part;
    for (int d = 0; d < parts->depth; d++)
        args->parts.steps[d] /= part;
    merge_dims(args);
    set_order(args);
    cut_box(args, any_order);
    cut_parts(args, min_column_bytes);
}

int64_t indexed_tasks(const IndexedArgs *args) {
    const bool is_empty = !args->part_bytes || indexed_count(&args->parts) == 0;
    return is_empty ? 0 : i64_product(args->cut_tasks, args->columns);
}

/* --- checking --- */

static int64_t index_at(const IndexedArgs *args, const void *indices, int64_t i) {
    return args->are_i32 ? ((const int32_t *)indices)[i] : ((const int64_t *)indices)[i];
}

/* The first of the indices at a position of a tuple, counted in indices. */
static const void *indices_from(const IndexedArgs *args, const void *indices, int64_t position) {
    return (const char *)indices + position * (int64_t)(args->are_i32 ? sizeof(int32_t) : sizeof(int64_t));
}

static Status fail_at_first(const IndexedArgs *args, const void *indices, Error *err) {
    for (int64_t i = 0; i < args->n_indices; i++) {
        const int64_t index = index_at(args, indices, i), dim = args->parts.index_dims[i % args->parts.depth];
        if (index < -dim || index >= dim)
            return node_fail(args->node, err, STRIDER_BAD_MODEL,
                             "index %" PRId64 " is outside a dimension of %" PRId64, index, dim);
    }
    return STRIDER_OK;
}

Status indexed_check(const KernelCall *call, Error *err) {
    const IndexedArgs *args = call->args;
    const int depth = args->parts.depth;
    for (int d = 0; d < depth; d++)
        if (!args->table->are_within[!args->are_i32](indices_from(args, call->inputs[1], d),
                                                     args->n_indices / depth, depth,
                                                     args->parts.index_dims[d]))
            return fail_at_first(args, call->inputs[1], err);
    return STRIDER_OK;
}

/* --- running --- */

/* Where parts lie that follow one another in the last dimension of the box. */
static void find_parts(const IndexedArgs *args, const void *indices, int64_t base, int64_t position,
                       int64_t count, int64_t *at) {
    const IndexedParts *p = &args->parts;
    const int last = p->rank - 1;
    args->table->count_up(base, p->base[last], count, at);
    for (int d = 0; d < p->depth; d++)
        args->table->add_places[!args->are_i32](indices_from(args, indices, position + d), count,
                                                p->position[last], p->index_dims[d], p->steps[d], at);
}

/* A row of the last dimension, a number of parts at a time. */
static void visit_row(const KernelCall *call, const int64_t *counters, int64_t length, IndexedVisit *visit,
                      IndexedRun *run) {
    const IndexedArgs *args = call->args;
    const IndexedParts *p = &args->parts;
    const int last = p->rank - 1;
    int64_t at[AT_A_TIME], base = 0, position = 0;
    run->at = at;
    run->first = 0;
    for (int d = 0; d <= last; d++) {
        base += counters[d] * p->base[d];
        position += counters[d] * p->position[d];
        run->first += counters[d] * args->order[d];
    }
    for (int64_t done = 0; done < length; done += run->count, run->first += run->count) {
        run->count = i64_min(length - done, AT_A_TIME);
        find_parts(args, call->inputs[1], base + done * p->base[last], position + done * p->position[last],
                   run->count, at);
        visit(call, run);
    }
}

void indexed_visit(const KernelCall *call, int64_t task, IndexedVisit *visit) {
    const IndexedArgs *args = call->args;
    const IndexedParts *p = &args->parts;
    const int last = p->rank - 1;
    int64_t begin[MAX_RANK] = {0}, end[MAX_RANK], counters[MAX_RANK];
    for (int d = 0; d <= last; d++)
        end[d] = p->dims[d];
    if (args->cut >= 0) {
        begin[args->cut] = task / args->columns * args->cut_size;
        end[args->cut] = i64_min(begin[args->cut] + args->cut_size, p->dims[args->cut]);
    }
    const int64_t column = task % args->columns * args->column_bytes;
    IndexedRun run = {.column = (size_t)column,
                      .bytes = (size_t)i64_min(args->column_bytes, (int64_t)args->part_bytes - column)};
    for (int d = 0; d <= last; d++)
        counters[d] = begin[d];
    for (int d = last; d >= 0;) {
        visit_row(call, counters, end[last] - begin[last], visit, &run);
        for (d = last - 1; d >= 0 && ++counters[d] == end[d]; d--)
            counters[d] = begin[d];
    }
}
