/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing an output with what was expected. */
#ifndef TOOLS_COMPARE_H
#define TOOLS_COMPARE_H

#include "tool.h"

typedef struct Comparison {
    bool pass;
    double max_abs;     /* the largest |a - b| */
    double max_of_peak; /* the same as a part of the largest |b|; 0 where all b are 0 */
    int64_t worst; /* the element that misses its bound by most, or differs most; -1 where there is none */
    double got, expected; /* there */
    int64_t n_different;  /* elements outside the tolerance */
    char why[200];        /* types or shapes that differ; "" otherwise */
} Comparison;

/* Elements pass when |a - b| <= atol + rtol |b|, equal infinities and NaN with NaN pass.  Without options,
 * floats: rtol 1e-3 and atol 1e-5 of the largest |b|; integers and bools must be equal. */
Comparison compare_tensors(const strider_tensor *got, const strider_tensor *expected, const Options *options);

/* The tolerance in words. */
const char *tolerance_text(const Options *options, char text[DIMS_TEXT]);

#endif
