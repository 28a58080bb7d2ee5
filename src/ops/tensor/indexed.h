/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a tensor that a tensor of indices names, as Gather*, Scatter* and their kernels count them: runs
 * of neighbouring elements, in the order of a box.  Part i lies at i's coordinates times `base`, plus for
 * each of `depth` indices, which lie after one another at its coordinates times `position`, the index times
 * its step.  Negative indices count from the end. */
#ifndef OPS_TENSOR_INDEXED_H
#define OPS_TENSOR_INDEXED_H

#include "ops/op.h"

typedef struct IndexedParts {
    int rank;
    int64_t dims[MAX_RANK], base[MAX_RANK], position[MAX_RANK]; /* the box, in parts, elements, indices */
    int64_t part;                                               /* elements */
    int depth;
    int64_t index_dims[MAX_RANK], steps[MAX_RANK]; /* of what the indices go into */
} IndexedParts;

/* From known shapes that infer() has accepted.  Gather: */
IndexedParts indexed_along_axis(int64_t axis, const Shape *x, const Shape *indices);
/* GatherElements and ScatterElements: */
IndexedParts indexed_elements(int64_t axis, const Shape *x, const Shape *indices);
/* GatherND and ScatterND: */
IndexedParts indexed_by_tuples(int64_t batch_dims, const Shape *x, const Shape *indices);
int64_t indexed_count(const IndexedParts *parts);

/* The parts, one after another. */
typedef struct IndexedWalk {
    const IndexedParts *parts;
    const Tensor *indices;
    int64_t counters[MAX_RANK], base, position;
    int64_t wrong, wrong_dim; /* an index that is out of range, as stated, and of which dimension */
} IndexedWalk;

IndexedWalk indexed_walk(const IndexedParts *parts, const Tensor *indices);
/* Where the next part lies, in elements; to be called indexed_count() times.  False where an index is out of
 * range. */
bool indexed_next(IndexedWalk *walk, int64_t *at);
/* BAD_MODEL, with the index. */
Status indexed_fail(EvalContext *ctx, const IndexedWalk *walk);

#endif
