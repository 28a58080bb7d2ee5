/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic that is meant to wrap around.  Nothing else may, and builds that check unsigned arithmetic say
 * so. */
#ifndef BASE_WRAP_H
#define BASE_WRAP_H

#include <stdbool.h>
#include <stdint.h>

/* Before a function that does nothing else, such as hashes and random numbers. */
#ifdef __clang__
#define WRAPS_AROUND __attribute__((no_sanitize("unsigned-integer-overflow")))
#else
#define WRAPS_AROUND
#endif

/* Modulo 2^64, for integers of a model, which wrap around as ONNX means it: the low bits are right for any
 * narrower type. */
static inline uint64_t wrap_add(uint64_t a, uint64_t b) {
    uint64_t sum;
    (void)__builtin_add_overflow(a, b, &sum);
    return sum;
}

static inline uint64_t wrap_sub(uint64_t a, uint64_t b) {
    uint64_t difference;
    (void)__builtin_sub_overflow(a, b, &difference);
    return difference;
}

static inline uint64_t wrap_mul(uint64_t a, uint64_t b) {
    uint64_t product;
    (void)__builtin_mul_overflow(a, b, &product);
    return product;
}

/* |value| of a signed number, also of the smallest. */
static inline uint64_t wrap_magnitude(int64_t value) {
    return value < 0 ? wrap_sub(0, (uint64_t)value) : (uint64_t)value;
}

#endif
