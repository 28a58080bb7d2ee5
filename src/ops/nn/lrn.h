/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_NN_LRN_H
#define OPS_NN_LRN_H

#include "ops/op.h"

typedef struct LrnAttrs {
    int64_t size; /* channels in a window, at least 1 */
    float alpha, beta, bias;
} LrnAttrs;

/* The window of channel `c`: [*first, *end) within [0, channels). */
void lrn_window(const LrnAttrs *attrs, int64_t c, int64_t channels, int64_t *first, int64_t *end);

#endif
