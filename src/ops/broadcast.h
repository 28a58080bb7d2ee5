/* SPDX-License-Identifier: Apache-2.0 */
/* Walking several tensors together under NumPy's broadcasting rules. */
#ifndef OPS_BROADCAST_H
#define OPS_BROADCAST_H

#include "tensor/tensor.h"

enum { BROADCAST_MAX = 3 };

/* The output's dimensions, with neighbours that every input runs through alike joined into one; and for each
 * input its stride in elements, 0 where it is broadcast.  At least one dimension. */
typedef struct Broadcast {
    int rank, n_inputs;
    int64_t dims[MAX_RANK], strides[BROADCAST_MAX][MAX_RANK];
} Broadcast;

/* From known shapes that broadcast to `out`. */
Broadcast broadcast_make(const Shape *out, int n_inputs, const Shape *const *inputs);
/* The element of each input for output element `index`; loops go on from there with broadcast_next(). */
void broadcast_offsets(const Broadcast *broadcast, int64_t index, int64_t offsets[BROADCAST_MAX]);

/* The inputs' elements for each output element in order: `offsets` starts at zero; call with the index that
 * was just done. */
void broadcast_next(const Broadcast *broadcast, int64_t counters[MAX_RANK], int64_t offsets[BROADCAST_MAX]);

#endif
