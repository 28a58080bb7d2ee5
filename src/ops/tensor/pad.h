/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_TENSOR_PAD_H
#define OPS_TENSOR_PAD_H

#include "ops/op.h"
#include "ops/tensor/pad_source.h"

typedef struct PadAttrs {
    PadMode mode;
    int n_pads; /* of the attribute, before opset 11; -1 where absent */
    int64_t pads[2 * MAX_RANK];
    float value;
} PadAttrs;

/* How many elements are added before and after each dimension; negative ones are taken away.  `inputs` as for
 * infer() or reference(): pads and axes at 1 and 3.  Returns NULL, or what is wrong. */
const char *pad_resolve(const PadAttrs *attrs, int rank, int n_inputs, const Tensor *const *inputs,
                        int64_t begin[MAX_RANK], int64_t end[MAX_RANK]);

#endif
