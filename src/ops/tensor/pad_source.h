/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_TENSOR_PAD_SOURCE_H
#define OPS_TENSOR_PAD_SOURCE_H

#include "ops/shared_math.h"

typedef enum PadMode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP } PadMode;

/* What output `index` of `out` shows of a dimension of `in` that begins with `begin` pads: an index of the
 * input, or -1 where it is the constant.  `in` > 0.  What the other end's negative pads crop does not wrap
 * around: as onnxruntime and torch, which crop first.  It is reflected, as in torch. */
SHARED INDEX pad_source(PadMode mode, INDEX index, INDEX begin, INDEX in, INDEX out) {
    const INDEX at = index - begin;
    if (at >= 0 && at < in)
        return at;
    switch (mode) {
    case PAD_EDGE:
        return at < 0 ? 0 : in - 1;
    case PAD_WRAP: {
        const INDEX first = begin < 0 ? -begin : 0, last = out - begin < in ? out - begin : in,
                    count = last - first;
        return first + ((at - first) % count + count) % count;
    }
    case PAD_REFLECT: {
        const INDEX period = 2 * (in - 1), inside = in == 1 ? 0 : (at % period + period) % period;
        return inside < in ? inside : period - inside;
    }
    case PAD_CONSTANT:
        break;
    }
    return -1;
}

#endif
