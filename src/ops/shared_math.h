/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on indices that references and the kernels of other devices share: one text, compiled for each.
 * INDEX is the type of indices, 64 bits wide unless the includer says otherwise. */
#ifndef OPS_SHARED_MATH_H
#define OPS_SHARED_MATH_H

#include <stdint.h>

#ifdef __CUDACC__
#define SHARED static __device__ __forceinline__
#else
#define SHARED static inline
#endif

#ifndef INDEX
#define INDEX int64_t
#endif

/* ceil(a / b) for a >= 0, b > 0. */
SHARED INDEX shared_ceil_div(INDEX a, INDEX b) {
    return a / b + (a % b != 0);
}

/* An index as stated: negative ones count from the end. */
SHARED INDEX index_from_end(INDEX stated, INDEX size) {
    return stated < 0 ? stated + size : stated;
}

/* The taps [first, end) of a window that lie inside [0, size), where tap 0 lies at `begin`. */
SHARED INDEX window_first_tap(INDEX begin, INDEX dilation) {
    return begin < 0 ? shared_ceil_div(-begin, dilation) : 0;
}

SHARED INDEX window_end_tap(INDEX begin, INDEX size, INDEX kernel, INDEX dilation) {
    INDEX first = window_first_tap(begin, dilation), end = 0;
    if (begin < size)
        end = shared_ceil_div(size - begin, dilation);
    end = end < kernel ? end : kernel;
    return end > first ? end : first;
}

/* How many elements of a window count for an average: those inside the input or, with `padded`, inside input
 * and padding. */
SHARED INDEX window_counted(INDEX begin, INDEX size, INDEX kernel, INDEX dilation, INDEX pad_begin,
                            INDEX pad_end, bool padded) {
    if (padded) {
        begin += pad_begin;
        size += pad_begin + pad_end;
    }
    return window_end_tap(begin, size, kernel, dilation) - window_first_tap(begin, dilation);
}

/* The channels [first, end) in LRN's window of `size` around channel `c`. */
SHARED INDEX lrn_first(INDEX size, INDEX c) {
    const INDEX before = (size - 1) / 2;
    return c > before ? c - before : 0;
}

SHARED INDEX lrn_end(INDEX size, INDEX c, INDEX channels) {
    const INDEX after = size - 1 - (size - 1) / 2;
    return after < channels - c ? c + after + 1 : channels;
}

#endif
