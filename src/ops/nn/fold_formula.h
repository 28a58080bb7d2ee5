/* SPDX-License-Identifier: Apache-2.0 */
/* Which taps of windows lie on one element of an image, in one dimension: for Col2Im and the kernels of other
 * devices. */
#ifndef OPS_NN_FOLD_FORMULA_H
#define OPS_NN_FOLD_FORMULA_H

#include <stdbool.h>

#include "ops/shared_math.h"

typedef struct FoldPair {
    bool is_one; /* else there is none of this number */
    INDEX tap, window;
} FoldPair;

/* The taps where a window has no more of them than there are windows, else one of each window. */
SHARED INDEX fold_candidates(INDEX kernel, INDEX windows) {
    return kernel < windows ? kernel : windows;
}

/* Number `i` of these, both from the first tap on, of the element at `at`, counted from the padding on. */
SHARED FoldPair fold_pair(INDEX at, INDEX i, INDEX kernel, INDEX windows, INDEX stride, INDEX dilation) {
    FoldPair pair;
    if (kernel <= windows) {
        const INDEX first = at - i * dilation;
        pair.tap = i;
        pair.window = first / stride;
        pair.is_one = first >= 0 && first % stride == 0 && pair.window < windows;
        return pair;
    }
    pair.window = windows - 1 - i;
    const INDEX distance = at - pair.window * stride;
    pair.tap = distance / dilation;
    pair.is_one = distance >= 0 && distance % dilation == 0 && pair.tap < kernel;
    return pair;
}

#endif
