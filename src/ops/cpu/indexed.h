/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a tensor that a tensor of indices names (ops/tensor/indexed.h), as Gather* and Scatter* move them:
 * the box of parts is cut along one dimension into tasks, long parts into columns. */
#ifndef OPS_CPU_INDEXED_H
#define OPS_CPU_INDEXED_H

#include "ops/cpu/cpu.h"
#include "ops/tensor/indexed.h"

/* Of indices of int32 and of int64, `stride` of these apart. */
typedef struct IndexedTable {
    /* Whether all are in [-dim, dim). */
    bool (*are_within[2])(const void *indices, int64_t count, int64_t stride, int64_t dim);
    /* at[i] += step times the index, where negative ones count from the end. */
    void (*add_places[2])(const void *indices, int64_t count, int64_t stride, int64_t dim, int64_t step,
                          int64_t *at);
    void (*count_up)(int64_t first, int64_t step, int64_t count, int64_t *at);
    /* Elements of 4 bytes, which vectors gather. */
    void (*move_4)(const void *from, const int64_t *at, int64_t count, void *to);
} IndexedTable;

TARGET_TABLES(IndexedTable, indexed)

typedef struct IndexedArgs {
    const Node *node;
    const IndexedTable *table;
    IndexedParts parts; /* base and steps count parts; neighbouring dimensions that go on evenly are one */
    int64_t order[MAX_RANK]; /* strides of the box, in which the other side's parts lie one after another */
    bool are_i32;            /* the indices, `n_indices` of them */
    int64_t n_indices;
    size_t element_bytes, part_bytes;
    int cut; /* the dimension whose `cut_tasks` runs of `cut_size` coordinates are tasks; -1: none */
    int64_t cut_size, cut_tasks;
    int64_t column_bytes, columns; /* of a part: each is a task, too */
} IndexedArgs;

/* The indices' input; of parts of a node that is not known to be empty.  `any_order`: parts may be taken in
 * any order; else those that may name one place, which no dimension but those with a base keeps apart, are
 * one task's.  `min_column_bytes`: parts of twice that are cut. */
void indexed_args(const KernelQuery *query, const IndexedParts *parts, bool any_order,
                  int64_t min_column_bytes, IndexedArgs *args);
int64_t indexed_tasks(const IndexedArgs *args);

/* KernelInstance.check of arguments that begin with IndexedArgs; the indices are input 1. */
Status indexed_check(const KernelCall *call, Error *err);

/* The parts of a task, some at a time: part number first + i of the box is part at[i] of what is indexed; of
 * each the bytes [column, column + bytes). */
typedef struct IndexedRun {
    const int64_t *at;
    int64_t first, count;
    size_t column, bytes;
} IndexedRun;
typedef void IndexedVisit(const KernelCall *call, const IndexedRun *run);
void indexed_visit(const KernelCall *call, int64_t task, IndexedVisit *visit);

#endif
