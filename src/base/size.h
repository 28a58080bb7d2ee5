/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on sizes, counts and offsets that a file can influence, which must never wrap around.
 *
 * Two families.  size_... and i64_... return false on overflow, for readers and infer(), which turn it into
 * an error on the spot.  The others saturate: counts to INT64_MAX or INT64_MIN, bytes to SIZE_MAX, which is
 * more than any limit and any allocator gives, so that whoever takes the memory refuses it.  They suit
 * formulas of several terms, as prepare() has them.  Where memory is asked for, its size is a Bytes, which
 * nothing but bytes_of() makes: a raw product does not compile. */
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

/* --- saturating --- */

/* a + b and a * b. */
static inline int64_t i64_sum(int64_t a, int64_t b) {
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return a < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

static inline int64_t i64_product(int64_t a, int64_t b) {
    int64_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return (a < 0) == (b < 0) ? INT64_MAX : INT64_MIN;
    return product;
}

static inline int64_t i64_product_of_list(const int64_t *factors, size_t count) {
    int64_t product = 1;
    bool is_zero = false;
    for (size_t i = 0; i < count; i++) {
        product = i64_product(product, factors[i]);
        is_zero = is_zero || factors[i] == 0;
    }
    return is_zero ? 0 : product;
}

/* The product of any number of counts. */
#define count_of(...)                                                                                        \
    i64_product_of_list((const int64_t[]){__VA_ARGS__},                                                      \
                        sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

/* A size in bytes that no raw arithmetic has touched. */
typedef struct Bytes {
    size_t n; /* SIZE_MAX where it does not fit */
} Bytes;

/* `count` items of `size` bytes; a count below 0 is none that could be there: SIZE_MAX. */
static inline Bytes bytes_of_items(size_t size, int64_t count) {
    size_t n;
    if (count < 0 || count == INT64_MAX || __builtin_mul_overflow(size, (size_t)count, &n))
        n = SIZE_MAX;
    return (Bytes){n};
}

/* The bytes of any number of items: bytes_of(sizeof(float), rows, columns). */
#define bytes_of(size, ...) bytes_of_items(size, count_of(__VA_ARGS__))

static inline Bytes bytes_sum(Bytes a, Bytes b) {
    size_t n;
    if (__builtin_add_overflow(a.n, b.n, &n))
        n = SIZE_MAX;
    return (Bytes){n};
}

static inline Bytes bytes_larger(Bytes a, Bytes b) {
    return a.n > b.n ? a : b;
}

/* The integer part of a number; saturates, and NaN is 0. */
static inline int64_t i64_from_double(double value) {
    if (value != value)
        return 0;
    if (value >= 0x1p63)
        return INT64_MAX;
    return value < -0x1p63 ? INT64_MIN : (int64_t)value;
}

static inline uint64_t u64_from_double(double value) {
    if (!(value > 0))
        return 0;
    return value >= 0x1p64 ? UINT64_MAX : (uint64_t)value;
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
