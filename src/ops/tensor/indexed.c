/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/tensor/indexed.h"

#include <inttypes.h>

#include "base/size.h"
#include "ops/shared_math.h"
#include "ops/tensor/concat.h"

IndexedParts indexed_along_axis(int64_t axis_, const Shape *x, const Shape *indices) {
    const int axis = axis_resolve(axis_, x->rank);
    const int64_t n = shape_size(indices, 0, indices->rank), part = shape_size(x, axis + 1, x->rank);
    return (IndexedParts){.rank = 2,
                          .dims = {shape_size(x, 0, axis), n},
                          .base = {x->dims[axis] * part, 0},
                          .position = {0, 1},
                          .part = part,
                          .depth = 1,
                          .index_dims = {x->dims[axis]},
                          .steps = {part}};
}

IndexedParts indexed_elements(int64_t axis_, const Shape *x, const Shape *indices) {
    const int axis = axis_resolve(axis_, x->rank);
    IndexedParts parts = {.rank = x->rank, .part = 1, .depth = 1, .index_dims = {x->dims[axis]}};
    shape_strides(x, parts.base);
    shape_strides(indices, parts.position);
    for (int d = 0; d < x->rank; d++)
        parts.dims[d] = indices->dims[d];
    parts.steps[0] = parts.base[axis];
    parts.base[axis] = 0;
    return parts;
}

IndexedParts indexed_by_tuples(int64_t batch_dims, const Shape *x, const Shape *indices) {
    const int batch = (int)batch_dims, depth = (int)indices->dims[indices->rank - 1];
    const int64_t batches = shape_size(x, 0, batch), each = shape_size(indices, batch, indices->rank - 1);
    int64_t strides[MAX_RANK];
    IndexedParts parts = {.rank = 2,
                          .dims = {batches, each},
                          .base = {shape_size(x, batch, x->rank), 0},
                          .position = {each * depth, depth},
                          .part = shape_size(x, batch + depth, x->rank),
                          .depth = depth};
    shape_strides(x, strides);
    for (int d = 0; d < depth; d++) {
        parts.index_dims[d] = x->dims[batch + d];
        parts.steps[d] = strides[batch + d];
    }
    return parts;
}

int64_t indexed_count(const IndexedParts *parts) {
    int64_t count = 1;
    for (int d = 0; d < parts->rank; d++)
        count *= parts->dims[d];
    return count;
}

IndexedWalk indexed_walk(const IndexedParts *parts, const Tensor *indices) {
    return (IndexedWalk){.parts = parts, .indices = indices};
}

bool indexed_next(IndexedWalk *walk, int64_t *at) {
    const IndexedParts *parts = walk->parts;
    *at = walk->base;
    for (int d = 0; d < parts->depth; d++) {
        const int64_t dim = parts->index_dims[d], stated = tensor_get_i64(walk->indices, walk->position + d),
                      index = index_from_end(stated, dim);
        if (index < 0 || index >= dim) {
            walk->wrong = stated;
            walk->wrong_dim = dim;
            return false;
        }
        *at += index * parts->steps[d];
    }
    for (int d = parts->rank - 1; d >= 0; d--) {
        walk->base += parts->base[d];
        walk->position += parts->position[d];
        if (++walk->counters[d] < parts->dims[d])
            break;
        walk->base -= parts->base[d] * parts->dims[d];
        walk->position -= parts->position[d] * parts->dims[d];
        walk->counters[d] = 0;
    }
    return true;
}

Status indexed_fail(EvalContext *ctx, const IndexedWalk *walk) {
    return eval_fail(ctx, STRIDER_BAD_MODEL, "index %" PRId64 " is outside a dimension of %" PRId64,
                     walk->wrong, walk->wrong_dim);
}
