/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that only move elements: boxes of elements copied from strides to strides. */
#ifndef OPS_CPU_STRIDED_COPY_H
#define OPS_CPU_STRIDED_COPY_H

#include "ops/cpu/cpu.h"

enum { COPY_MAX_DIMS = MAX_RANK + 1 };

/* A box as the caller describes it: strides and offsets in elements; outermost dimension first, the output's
 * strides falling. */
typedef struct CopyBox {
    int input, output; /* ports */
    int rank;
    int64_t dims[COPY_MAX_DIMS], in_strides[COPY_MAX_DIMS], out_strides[COPY_MAX_DIMS];
    int64_t in_offset, out_offset;
} CopyBox;

/* Makes a step of boxes that do not overlap in the outputs.  An input that is there already is
 * skipped. */
Status copy_prepare(const CopyBox *boxes, int n_boxes, size_t element_bytes, PrepareContext *ctx,
                    KernelInstance *instance) MUST_CHECK;

/* Whether the strides of one side say that the box is one run of elements. */
bool copy_is_one_run(const int64_t *dims, const int64_t *strides, int rank);

/* The dimensions of a tensor in a layout: as they are, or [N, blocks, D..., block]; returns how many. */
int physical_dims(const Shape *shape, Layout layout, int64_t dims[COPY_MAX_DIMS]);
void physical_strides(const int64_t *dims, int rank, int64_t strides[COPY_MAX_DIMS]);

#endif
