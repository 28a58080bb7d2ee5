/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of floats for kernels that are written once and compiled for each target.  A *_tmpl.c is compiled
 * with STRIDER_WIDTH (floats in a vector) and STRIDER_TARGET (its name) defined; TARGET(name) is the name
 * followed by the target's. */
#ifndef OPS_CPU_SIMD_H
#define OPS_CPU_SIMD_H

#include <stdint.h>
#include <string.h>

#include "base/cpu.h"

#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

#define TARGET_PASTE(name, target) name##_##target
#define TARGET_EXPAND(name, target) TARGET_PASTE(name, target)
#define TARGET(name) TARGET_EXPAND(name, STRIDER_TARGET)

enum { VW = STRIDER_WIDTH };

#define TARGET_WIDTH(NAME, WIDTH, ...) target_width_##NAME = WIDTH,
enum { CPU_TARGETS(TARGET_WIDTH) };
_Static_assert(STRIDER_WIDTH == TARGET(target_width),
               "base/cpu.h and src/CMakeLists.txt differ in a target's width");

typedef float vf __attribute__((vector_size(STRIDER_WIDTH * 4)));
typedef int32_t vi __attribute__((vector_size(STRIDER_WIDTH * 4)));
typedef float vf_unaligned __attribute__((vector_size(STRIDER_WIDTH * 4), aligned(4), may_alias));

/* Before a loop in which no element is read after another one's was written: outputs may lie in inputs'
 * memory.
 */
#ifdef __clang__
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

#define INLINE static inline __attribute__((always_inline))

INLINE vf v_load(const float *from) {
    return *(const vf_unaligned *)from;
}
/* A load that stays one: GCC makes a load of up to three uses an operand of each, and so loads it thrice. */
INLINE vf v_load_once(const float *from) {
    return *(const volatile vf_unaligned *)from;
}
INLINE void v_store(float *to, vf value) {
    *(vf_unaligned *)to = value;
}
/* Minus, as adding zero would turn -0 into 0 and so not fold away. */
INLINE vf v_set(float value) {
    return value - (vf){0};
}
INLINE vi v_set_int(int32_t value) {
    return (vi){0} + value;
}
INLINE vf v_zero(void) {
    return (vf){0};
}

/* a where the mask's lanes are -1, b where they are 0. */
INLINE vf v_select(vi mask, vf a, vf b) {
    return (vf)((mask & (vi)a) | (~mask & (vi)b));
}

/* 0, 1, 2 and so on.  Spelled out: GCC makes vectors that loops fill lane by lane. */
INLINE vi v_lanes(void) {
#if STRIDER_WIDTH == 16
    return (vi){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#elif STRIDER_WIDTH == 8
    return (vi){0, 1, 2, 3, 4, 5, 6, 7};
#else
    return (vi){0, 1, 2, 3};
#endif
}

/* Lanes [0, count) of the vector, zero after them, whatever is in them. */
INLINE vi v_lane_mask(int count) {
    return v_lanes() < v_set_int(count);
}
INLINE vf v_first_lanes(vf value, int count) {
    return (vf)((vi)value & v_lane_mask(count));
}

/* Lane i of the result is lane from[i] of x. */
INLINE vf v_permute(vf x, vi from) {
#if STRIDER_WIDTH == 16 && defined(__AVX512F__)
    return (vf)_mm512_permutexvar_ps((__m512i)from, (__m512)x);
#elif STRIDER_WIDTH == 8 && defined(__AVX2__)
    return (vf)_mm256_permutevar8x32_ps((__m256)x, (__m256i)from);
#else
    vf result;
    for (int i = 0; i < VW; i++)
        result[i] = x[from[i]];
    return result;
#endif
}

/* The first `count` floats, up to a vector of them, and `rest` in the lanes after them; reads no others. */
INLINE vf v_load_first(const float *from, int64_t count, float rest) {
    if (__builtin_constant_p(count) && count == VW)
        return v_load(from);
#if STRIDER_WIDTH == 16 && defined(__AVX512F__)
    return (vf)_mm512_mask_loadu_ps(_mm512_set1_ps(rest), (__mmask16)((1u << count) - 1), from);
#elif STRIDER_WIDTH == 8 && defined(__AVX2__)
    const vi mask = v_lane_mask((int)count);
    return v_select(mask, (vf)_mm256_maskload_ps(from, (__m256i)mask), v_set(rest));
#else
    vf value = v_set(rest);
    memcpy(&value, from, (size_t)count * sizeof *from);
    return value;
#endif
}
/* Stores the first `count` lanes, and no more. */
INLINE void v_store_first(float *to, vf value, int64_t count) {
#if STRIDER_WIDTH == 16 && defined(__AVX512F__)
    _mm512_mask_storeu_ps(to, (__mmask16)((1u << count) - 1), (__m512)value);
#elif STRIDER_WIDTH == 8 && defined(__AVX2__)
    _mm256_maskstore_ps(to, (__m256i)v_lane_mask((int)count), (__m256)value);
#else
    memcpy(to, &value, (size_t)count * sizeof *to);
#endif
}

/* Lane i of the result is lane i ^ distance of x: `distance`, a power of two, is a constant. */
INLINE vf v_exchange(vf x, const int distance) {
    return v_permute(x, v_lanes() ^ v_set_int(distance));
}
INLINE float v_sum_lanes(vf x) {
#pragma GCC unroll 4
    for (int distance = VW / 2; distance; distance /= 2)
        x += v_exchange(x, distance);
    return x[0];
}

INLINE vf v_sqrt(vf x) {
#if STRIDER_WIDTH == 16 && defined(__AVX512F__)
    return (vf)_mm512_sqrt_ps((__m512)x);
#elif STRIDER_WIDTH == 8 && defined(__AVX2__)
    return (vf)_mm256_sqrt_ps((__m256)x);
#elif STRIDER_WIDTH == 4 && defined(__SSE2__)
    return (vf)_mm_sqrt_ps((__m128)x);
#else
    for (int i = 0; i < VW; i++)
        x[i] = __builtin_sqrtf(x[i]);
    return x;
#endif
}

/* The larger and the smaller of a bound and x; NaN in x stays. */
INLINE vf v_max(vf bound, vf x) {
#if STRIDER_WIDTH == 16 && defined(__AVX512F__)
    return (vf)_mm512_max_ps((__m512)bound, (__m512)x);
#elif STRIDER_WIDTH == 8 && defined(__AVX2__)
    return (vf)_mm256_max_ps((__m256)bound, (__m256)x);
#elif STRIDER_WIDTH == 4 && defined(__SSE2__)
    return (vf)_mm_max_ps((__m128)bound, (__m128)x);
#else
    return v_select(bound > x, bound, x);
#endif
}

INLINE vf v_min(vf bound, vf x) {
#if STRIDER_WIDTH == 16 && defined(__AVX512F__)
    return (vf)_mm512_min_ps((__m512)bound, (__m512)x);
#elif STRIDER_WIDTH == 8 && defined(__AVX2__)
    return (vf)_mm256_min_ps((__m256)bound, (__m256)x);
#elif STRIDER_WIDTH == 4 && defined(__SSE2__)
    return (vf)_mm_min_ps((__m128)bound, (__m128)x);
#else
    return v_select(bound < x, bound, x);
#endif
}

/* The largest lane; a NaN may be lost. */
INLINE float v_max_lanes(vf x) {
#pragma GCC unroll 4
    for (int distance = VW / 2; distance; distance /= 2)
        x = v_max(v_exchange(x, distance), x);
    return x[0];
}

INLINE vf v_abs(vf x) {
    return (vf)((vi)x & v_set_int(0x7fffffff));
}
INLINE vi v_is_nan(vf x) {
    return x != x;
}

#if STRIDER_WIDTH == 16 && defined(__AVX512F__)

/* e^x = 2^n 2^(k/16) 2^g with |g| <= 1/32: the second factor from a table that one register holds, the third
 * by its Taylor series to g^3, whose first term left out is below 1e-8.  For |x| <= 89: infinity above 88.7.
 */
INLINE vf v_exp_within(vf x) {
    static const float sixteenths[16] = {1.0f,        1.04427378f, 1.09050773f, 1.13878863f,
                                         1.18920712f, 1.24185781f, 1.29683955f, 1.35425555f,
                                         1.41421356f, 1.47682615f, 1.54221083f, 1.61049033f,
                                         1.68179283f, 1.75625216f, 1.83400809f, 1.91520656f};
    const vf magic = v_set(786432.0f); /* 1.5 * 2^19: four bits of the fraction stay, as its last ones */
    const vf shifted = x * v_set(1.44269504f) + magic, n = shifted - magic;
    /* 1 / ln 2 in two parts; the difference must not be rounded before, whatever the compiler contracts */
    const vf high = (vf)_mm512_fmsub_ps((__m512)x, (__m512)v_set(1.44269502f), (__m512)n);
    const vf g = (vf)_mm512_fmadd_ps((__m512)x, (__m512)v_set(1.925963e-8f), (__m512)high);
    const vf base = (vf)_mm512_permutexvar_ps((__m512i)shifted, _mm512_loadu_ps(sixteenths));
    const vf rest = g * (v_set(0.69314718f) + g * (v_set(0.24022651f) + g * v_set(0.055504109f)));
    return (vf)_mm512_scalef_ps((__m512)(base + base * rest), (__m512)n); /* 2^floor(n) */
}

#else

INLINE vi v_to_int(vf whole) {
    return (vi)(whole + v_set(12582912.0f)) - v_set_int(0x4b400000);
}

/* e^x = 2^n e^r with |r| <= ln 2 / 2, by the Taylor series to r^7/5040, whose first term left out is below
 * 5e-9 relative.  For |x| <= 89: infinity above 88.7. */
INLINE vf v_exp_within(vf x) {
    const vf magic = v_set(12582912.0f); /* 1.5 * 2^23: the fraction is rounded away */
    const vf n = x * v_set(1.44269504f) + magic - magic;
    /* ln 2 in two parts, the first with few bits, so that n times it is exact */
    vf r = x - n * v_set(0.693145752f);
    r = r - n * v_set(1.42860677e-6f);
    vf p = v_set(1.9841270e-4f);
    p = p * r + v_set(1.3888889e-3f);
    p = p * r + v_set(8.3333333e-3f);
    p = p * r + v_set(4.1666668e-2f);
    p = p * r + v_set(1.6666667e-1f);
    p = p * r + v_set(0.5f);
    p = p * (r * r) + r + v_set(1.0f);
    /* 2^n in two factors, as n may be 128. */
    const vi exponent = v_to_int(n), half = exponent >> 1;
    return p * (vf)((half + 127) << 23) * (vf)((exponent - half + 127) << 23);
}

#endif

/* e^x to within 2 ULP; 0 below -87.3 (no denormal results), infinity above 88.7, NaN stays. */
INLINE vf v_exp(vf x) {
    vf result = v_exp_within(v_min(v_set(89.0f), v_max(v_set(-88.0f), x)));
    return v_select(x < v_set(-87.33f), v_zero(), result);
}

/* The same, with x taken as -87.3 where it is below. */
INLINE vf v_exp_positive(vf x) {
    return v_exp_within(v_min(v_set(89.0f), v_max(v_set(-87.3f), x)));
}

/* 1 / (1 + e^-x) to within 3 ULP; 0 below -88.7. */
INLINE vf v_sigmoid(vf x) {
    return v_set(1.0f) / (v_set(1.0f) + v_exp_positive(v_zero() - x));
}

/* x / (1 + e^-y) to within 3 ULP. */
INLINE vf v_silu(vf x, vf y) {
    return x / (v_set(1.0f) + v_exp_positive(v_zero() - y));
}

/* tanh x to within 1e-7 absolute and 4 ULP: for small |x| the odd Taylor-like rational, else from e^2x. */
INLINE vf v_tanh(vf x) {
    vf a = v_abs(x), square = x * x;
    vf e = v_exp_positive(a * v_set(-2.0f));
    vf large = (v_set(1.0f) - e) / (v_set(1.0f) + e);
    vf small =
        x + x * square *
                (v_set(-3.3333333e-1f) +
                 square * (v_set(1.3333333e-1f) +
                           square * (v_set(-5.3968254e-2f) +
                                     square * (v_set(2.1869488e-2f) + square * v_set(-8.8632355e-3f)))));
    vf signed_large = (vf)((vi)large | ((vi)x & v_set_int((int32_t)0x80000000u)));
    vf result = v_select(a < v_set(0.35f), small, signed_large);
    return v_select(v_is_nan(x), x, result);
}

/* ln x for positive normal x to within 2 ULP; used where the argument lies in [1, 2]. */
INLINE vf v_log1to2(vf x) {
    /* atanh series: ln x = 2 (z + z^3/3 + ...) with z = (x - 1) / (x + 1), |z| <= 1/3 */
    vf z = (x - v_set(1.0f)) / (x + v_set(1.0f)), square = z * z;
    vf p = v_set(0.11764706f);
    p = p * square + v_set(0.13333333f);
    p = p * square + v_set(0.15384615f);
    p = p * square + v_set(0.18181818f);
    p = p * square + v_set(0.22222222f);
    p = p * square + v_set(0.28571429f);
    p = p * square + v_set(0.4f);
    p = p * square + v_set(0.66666667f);
    return z * v_set(2.0f) + z * square * p;
}

/* ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|). */
INLINE vf v_softplus(vf x) {
    vf e = v_exp(-v_abs(x));
    /* ln(1 + e) loses e below 1e-3 to rounding of 1 + e: two terms of its series are exact enough there. */
    vf tail = v_select(e < v_set(1e-3f), e - e * e * v_set(0.5f), v_log1to2(v_set(1.0f) + e));
    return v_max(v_zero(), x) + tail;
}

/* Lane i of the result is table[index[i] % 8]. */
INLINE vf v_lookup(const float table[8], vi index) {
#if STRIDER_WIDTH == 16 && defined(__AVX512F__)
    const __m512 entries = _mm512_castps256_ps512(_mm256_loadu_ps(table));
    return (vf)_mm512_permutexvar_ps((__m512i)(index & v_set_int(7)), entries);
#elif STRIDER_WIDTH == 8 && defined(__AVX2__)
    return (vf)_mm256_permutevar8x32_ps(_mm256_loadu_ps(table), (__m256i)index);
#else
    vf result;
    for (int i = 0; i < VW; i++)
        result[i] = table[index[i] & 7];
    return result;
#endif
}

/* erf(t / ERF_SCALE) for t >= 0 to within 2 ULP: a polynomial of its own around each whole number up to 7,
 * after which erf is 1. Each row holds the factors of one power of the distance to that number, fitted so
 * that the largest error is smallest; the first column's has odd powers only, so that small results keep all
 * their digits. */
#define ERF_SCALE 1.9132653f
INLINE vf v_erf_scaled(vf t) {
    static const float factors[8][8] = {
        {0.0f, 0.540191531f, 0.86067909f, 0.973410189f, 0.996890008f, 0.999780834f, 0.999990821f,
         0.999999762f},
        {0.589766204f, 0.448785812f, 0.197750151f, 0.0504560247f, 0.00745465793f, 0.000637765392f,
         3.15945581e-05f, 9.06315847e-07f},
        {0.0f, -0.122599296f, -0.10804306f, -0.0413508266f, -0.00814583525f, -0.000871123746f,
         -5.17884728e-05f, -1.73351179e-06f},
        {-0.0537041463f, -0.018538719f, 0.0213464275f, 0.0179979745f, 0.00525528146f, 0.000735167763f,
         5.3711592e-05f, 2.1272142e-06f},
        {0.0f, 0.0136920465f, 0.0040092608f, -0.00360901491f, -0.0021301487f, -0.000422787998f,
         -3.9255483e-05f, -1.86812576e-06f},
        {0.00440020114f, 2.36503438e-05f, -0.00262462022f, -0.000292314769f, 0.000500184193f, 0.000170792322f,
         2.13566145e-05f, 1.25703411e-06f},
        {0.0f, -0.000973549031f, 0.000171401131f, 0.000338831887f, -2.29865218e-05f, -4.67756399e-05f,
         -9.11237021e-06f, -7.1570048e-07f},
        {-0.00027898897f, 7.21085453e-05f, 0.000139272379f, -5.84119516e-05f, -2.45092888e-05f,
         6.91888135e-06f, 2.78209563e-06f, 2.98616413e-07f},
    };
    t = v_min(v_set(7.4999995f), t);                          /* so that 8 is never the nearest */
    const vf magic = v_set(12582912.0f), shifted = t + magic; /* 1.5 * 2^23: the fraction is rounded away */
    const vf distance = t - (shifted - magic);
    vf sum = v_lookup(factors[7], (vi)shifted);
    for (int power = 6; power >= 0; power--)
        sum = sum * distance + v_lookup(factors[power], (vi)shifted);
    return sum;
}

/* erf x to within 2 ULP; NaN stays. */
INLINE vf v_erf(vf x) {
    const vi sign = v_set_int((int32_t)0x80000000u);
    return (vf)((vi)v_erf_scaled(v_abs(x) * v_set(ERF_SCALE)) | ((vi)x & sign));
}

/* x/2 (1 + erf(x / sqrt 2)) to within 8e-7 absolute for |x| <= 6. */
INLINE vf v_gelu(vf x) {
    const vf half = x * v_set(0.5f);
    return half + v_abs(half) * v_erf_scaled(v_abs(x) * v_set(ERF_SCALE * 0.70710678f));
}

#endif
