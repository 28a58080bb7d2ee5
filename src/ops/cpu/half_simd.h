/* SPDX-License-Identifier: Apache-2.0 */
/* 16-bit floats in loops that compilers turn into vectors: no branches, and integers of 32 bits. */
#ifndef OPS_CPU_HALF_SIMD_H
#define OPS_CPU_HALF_SIMD_H

#include "base/wrap.h"
#include "ops/cpu/simd.h"

INLINE uint32_t bits_of_float(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

INLINE float float_of_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

INLINE float float_of_half(uint16_t half) {
    const uint32_t magnitude = half & 0x7fffu, sign = (half & 0x8000u) << 16;
    const uint32_t normal = (magnitude << 13) + (magnitude >= 0x7c00 ? 224u << 23 : 112u << 23);
    const uint32_t small = bits_of_float((float)(int32_t)magnitude * 0x1p-24f); /* denormal halves */
    return float_of_bits(sign | (magnitude < 0x400 ? small : normal));
}

INLINE float float_of_bfloat(uint16_t bits) {
    return float_of_bits((uint32_t)bits << 16);
}

/* To nearest, ties to even. */
WRAPS_AROUND INLINE uint16_t half_of_float(float x) {
    const uint32_t bits = bits_of_float(x), magnitude = bits & 0x7fffffff, sign = bits >> 16 & 0x8000;
    const uint32_t rounded = (magnitude - (112u << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13;
    const uint32_t normal = magnitude >= 0x477ff000 ? 0x7c00 : rounded; /* 65520 and more */
    /* The last bit of 0.5 + x is 2^-24, as of denormal halves. */
    const uint32_t small = bits_of_float(float_of_bits(magnitude) + 0.5f) - 0x3f000000;
    const uint32_t number = magnitude < 113u << 23 ? small : normal;
    return (uint16_t)(sign | (magnitude > 0x7f800000 ? 0x7e00 : number));
}

WRAPS_AROUND INLINE uint16_t bfloat_of_float(float x) {
    const uint32_t bits = bits_of_float(x), rounded = bits + 0x7fff + (bits >> 16 & 1);
    return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? bits >> 16 | 0x40 : rounded >> 16);
}

/* Rows of halves, by the instructions that AVX-512 has for them. */
INLINE void floats_of_halves(const uint16_t *from, float *to, int64_t count) {
    int64_t i = 0;
#if STRIDER_WIDTH == 16 && defined(__AVX512F__)
    for (; i + VW <= count; i += VW)
        v_store(to + i, (vf)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i_u *)(from + i))));
#endif
    for (; i < count; i++)
        to[i] = float_of_half(from[i]);
}

INLINE void halves_of_floats(const float *from, uint16_t *to, int64_t count) {
    int64_t i = 0;
#if STRIDER_WIDTH == 16 && defined(__AVX512F__)
    for (; i + VW <= count; i += VW)
        _mm256_storeu_si256((__m256i_u *)(to + i),
                            _mm512_cvtps_ph((__m512)v_load(from + i), _MM_FROUND_TO_NEAREST_INT));
#endif
    for (; i < count; i++)
        to[i] = half_of_float(from[i]);
}

/* Towards 0, and odd where that is not exact: rounding what comes of it to a shorter type is as rounding the
 * number itself. */
WRAPS_AROUND INLINE float float_to_odd(double x) {
    const float nearest = (float)x;
    const double back = (double)nearest;
    const uint32_t bits = bits_of_float(nearest), beyond = __builtin_fabs(back) > __builtin_fabs(x);
    return back == x || x != x ? nearest : float_of_bits((bits - beyond) | 1);
}

/* The same of an integer. */
INLINE double double_to_odd(uint64_t magnitude, int is_negative) {
    const uint64_t rest = magnitude & 0xfff;
    const double x =
        (double)(magnitude >> 53 ? (magnitude & ~(uint64_t)0xfff) | (rest ? 0x1000 : 0) : magnitude);
    return is_negative ? -x : x;
}

#endif
