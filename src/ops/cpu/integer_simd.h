/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of small integers, which are computed with as int32, and how real numbers become these. */
#ifndef OPS_CPU_INTEGER_SIMD_H
#define OPS_CPU_INTEGER_SIMD_H

#include "ops/cpu/simd.h"

typedef uint8_t v_bytes __attribute__((vector_size(STRIDER_WIDTH)));
typedef uint16_t v_shorts __attribute__((vector_size(STRIDER_WIDTH * 2)));

/* GCC 12 takes vectors of bytes apart for __builtin_convertvector(). */
INLINE vi v_widen_bytes(v_bytes bytes) {
#if STRIDER_WIDTH == 16 && defined(__AVX512F__)
    return (vi)_mm512_cvtepu8_epi32((__m128i)bytes);
#elif STRIDER_WIDTH == 8 && defined(__AVX2__)
    int64_t eight;
    memcpy(&eight, &bytes, sizeof eight);
    return (vi)_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(eight));
#else
    return __builtin_convertvector(bytes, vi);
#endif
}
INLINE vi v_widen_shorts(v_shorts shorts) {
#if STRIDER_WIDTH == 16 && defined(__AVX512F__)
    return (vi)_mm512_cvtepu16_epi32((__m256i)shorts);
#elif STRIDER_WIDTH == 8 && defined(__AVX2__)
    return (vi)_mm256_cvtepu16_epi32((__m128i)shorts);
#else
    return __builtin_convertvector(shorts, vi);
#endif
}

/* `count` elements, up to a vector of them, of 1, 2 or 4 bytes: zero-extended, and zero after them. */
INLINE vi v_load_integers(const void *from, const int size, int64_t count) {
    const size_t bytes = (size_t)size * (size_t)(count < VW ? count : VW);
    if (size == 4) {
        vi ints = {0};
        memcpy(&ints, from, bytes);
        return ints;
    }
    if (size == 2) {
        v_shorts shorts = {0};
        if (count >= VW)
            memcpy(&shorts, from, sizeof shorts);
        else
            memcpy(&shorts, from, bytes);
        return v_widen_shorts(shorts);
    }
    v_bytes few = {0};
    if (count >= VW)
        memcpy(&few, from, sizeof few);
    else
        memcpy(&few, from, bytes);
    return v_widen_bytes(few);
}

/* The low bytes of each lane. */
INLINE void v_store_integers(void *to, vi value, const int size, int64_t count) {
    const size_t bytes = (size_t)size * (size_t)(count < VW ? count : VW);
    if (size == 2) {
        const v_shorts shorts = __builtin_convertvector(value, v_shorts);
        if (count >= VW)
            memcpy(to, &shorts, sizeof shorts);
        else
            memcpy(to, &shorts, bytes);
        return;
    }
    const v_bytes few = __builtin_convertvector(value, v_bytes);
    if (count >= VW)
        memcpy(to, &few, sizeof few);
    else
        memcpy(to, &few, bytes);
}

INLINE vf v_to_float(vi value) {
    return __builtin_convertvector(value, vf);
}

/* Rounded to nearest even, not below `low` nor above `high`, whole numbers below 2^22; NaN becomes `low`. */
INLINE vi v_round_within(vf value, vf low, vf high) {
    const vf magic = v_set(12582912.0f); /* 1.5 * 2^23 */
    const vf bounded = v_min(v_max(value, low), high);
    return (vi)(bounded + magic) - (vi)magic;
}

#endif
