/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions of one to three spatial dimensions, as tests of kernels. */
#ifndef TESTS_CONV_CASE_H
#define TESTS_CONV_CASE_H

#include "kernel_test.h"

typedef struct ConvCase {
    int spatial; /* the numbers below are of so many dimensions */
    int64_t batch, in, out, group;
    int64_t size[3], kernel[3], strides[3], dilations[3], pads[6]; /* begins, then ends */
    int64_t output_padding[3];                                     /* transposed */
    bool transposed;
} ConvCase;

/* With a bias.  It refers to the case. */
KernelTest conv_case_test(const ConvCase *conv, uint64_t seed);
/* What passes make of it: a scale, a residual of the output's shape, an activation, of which `seed` chooses.
 * Only the test that was made last can be checked. */
void conv_case_fuse(KernelTest *test, const ConvCase *conv, bool with_residual, uint64_t seed);

/* Not transposed, of one group; `largest` are sizes, though a window always fits. */
ConvCase conv_case_random(int spatial, const int64_t *largest, int64_t largest_kernel, uint64_t *seed);

#endif
