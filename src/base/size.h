/* SPDX-License-Identifier: Apache-2.0 */
/* Checked arithmetic on sizes and counts.  Each returns false on overflow and then leaves *result alone. */
#ifndef BASE_SIZE_H
#define BASE_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

static inline MUST_CHECK bool size_mul(size_t a, size_t b, size_t *result) {
    size_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *result = product;
    return true;
}

static inline MUST_CHECK bool size_add(size_t a, size_t b, size_t *result) {
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *result = sum;
    return true;
}

static inline MUST_CHECK bool i64_mul(int64_t a, int64_t b, int64_t *result) {
    int64_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *result = product;
    return true;
}

static inline MUST_CHECK bool i64_add(int64_t a, int64_t b, int64_t *result) {
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *result = sum;
    return true;
}

/* `size` rounded up to a multiple of `alignment`, a power of two. */
static inline MUST_CHECK bool size_align(size_t size, size_t alignment, size_t *result) {
    size_t padded;
    if (!size_add(size, alignment - 1, &padded))
        return false;
    *result = padded & ~(alignment - 1);
    return true;
}

static inline int64_t i64_min(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static inline int64_t i64_max(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* ceil(a / b) for a >= 0, b > 0. */
static inline int64_t ceil_div(int64_t a, int64_t b) {
    return a / b + (a % b != 0);
}

#endif
