/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of floats for kernels that are written once and compiled per instruction set.  A *_tmpl.c is
 * compiled with STRIDER_WIDTH (floats in a vector) and STRIDER_ISA_NAME defined; ISA(name) is the name with
 * the set's behind it. */
#ifndef OPS_CPU_SIMD_H
#define OPS_CPU_SIMD_H

#include <stdint.h>
#include <string.h>

#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

#define ISA_PASTE(name, isa) name##_##isa
#define ISA_EXPAND(name, isa) ISA_PASTE(name, isa)
#define ISA(name) ISA_EXPAND(name, STRIDER_ISA_NAME)

enum { VW = STRIDER_WIDTH };

typedef float vf __attribute__((vector_size(STRIDER_WIDTH * 4)));
typedef int32_t vi __attribute__((vector_size(STRIDER_WIDTH * 4)));
typedef float vf_unaligned __attribute__((vector_size(STRIDER_WIDTH * 4), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE vf v_load(const float *from) {
    return *(const vf_unaligned *)from;
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

/* Lanes [0, count) of the vector, zero behind, whatever is in them. */
INLINE vi v_lane_mask(int count) {
    vi lane;
    for (int i = 0; i < VW; i++)
        lane[i] = i;
    return lane < v_set_int(count);
}
INLINE vf v_first_lanes(vf value, int count) {
    return (vf)((vi)value & v_lane_mask(count));
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

INLINE vf v_abs(vf x) {
    return (vf)((vi)x & v_set_int(0x7fffffff));
}
INLINE vi v_is_nan(vf x) {
    return x != x;
}

/* e^x = 2^n e^r with |r| <= ln 2 / 2: n, and e^r by its Taylor series to r^7/5040, whose first term left out
 * is below 5e-9 relative. */
INLINE vf v_exp_parts(vf x, vf *n) {
#if STRIDER_WIDTH == 16 && defined(__AVX512F__)
    *n = (vf)_mm512_roundscale_ps((__m512)(x * v_set(1.44269504f)), _MM_FROUND_TO_NEAREST_INT);
#else
    const vf magic = v_set(12582912.0f); /* 1.5 * 2^23: the fraction is rounded away */
    *n = x * v_set(1.44269504f) + magic - magic;
#endif
    /* ln 2 in two parts, the first with few bits, so that n times it is exact */
    vf r = x - *n * v_set(0.693145752f);
    r = r - *n * v_set(1.42860677e-6f);
    vf p = v_set(1.9841270e-4f);
    p = p * r + v_set(1.3888889e-3f);
    p = p * r + v_set(8.3333333e-3f);
    p = p * r + v_set(4.1666668e-2f);
    p = p * r + v_set(1.6666667e-1f);
    p = p * r + v_set(0.5f);
    return p * (r * r) + r + v_set(1.0f);
}

INLINE vi v_to_int(vf whole) {
    return (vi)(whole + v_set(12582912.0f)) - v_set_int(0x4b400000);
}

/* e^x to within 2 ULP; 0 below -87.3 (no denormal results), infinity above 88.7, NaN stays. */
INLINE vf v_exp(vf x) {
    vf n, p = v_exp_parts(v_min(v_set(88.8f), v_max(v_set(-88.0f), x)), &n);
#if STRIDER_WIDTH == 16 && defined(__AVX512F__)
    vf result = (vf)_mm512_scalef_ps((__m512)p, (__m512)n);
    return v_select(x < v_set(-87.33f), v_zero(), result);
#else
    /* 2^n in two factors, as n may be 128. */
    vi exponent = v_to_int(n), half = exponent >> 1;
    vf result = p * (vf)((half + 127) << 23) * (vf)((exponent - half + 127) << 23);
    result = v_select(x < v_set(-87.33f), v_zero(), result);
    return v_select(v_is_nan(x), x, result);
#endif
}

/* The same, with x taken as -87.3 or 88 where it is beyond: neither zero nor infinite. */
INLINE vf v_exp_bounded(vf x) {
    vf n, p = v_exp_parts(v_min(v_set(88.0f), v_max(v_set(-87.3f), x)), &n);
#if STRIDER_WIDTH == 16 && defined(__AVX512F__)
    return (vf)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
    return p * (vf)((v_to_int(n) + 127) << 23);
#endif
}

/* 1 / x to within 1 ULP, for x in [1, 2^127). */
INLINE vf v_reciprocal(vf x) {
#if STRIDER_WIDTH == 16 && defined(__AVX512F__)
    const vf guess = (vf)_mm512_rcp14_ps((__m512)x);
    return guess + guess * (v_set(1.0f) - x * guess);
#else
    return v_set(1.0f) / x;
#endif
}

/* 1 / (1 + e^-x) to within 3 ULP; 0 below -87.3. */
INLINE vf v_sigmoid(vf x) {
    vf result = v_reciprocal(v_set(1.0f) + v_exp_bounded(v_zero() - x));
    return v_select(x < v_set(-87.3f), v_zero(), result);
}

/* tanh x to within 1e-7 absolute and 4 ULP: for small |x| the odd Taylor-like rational, else from e^2x. */
INLINE vf v_tanh(vf x) {
    vf a = v_abs(x), square = x * x;
    vf e = v_exp_bounded(a * v_set(-2.0f));
    vf large = (v_set(1.0f) - e) * v_reciprocal(v_set(1.0f) + e);
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

/* erf x to within 2e-7 absolute: Abramowitz and Stegun 7.1.26 refined is not enough for small x, so the
 * Taylor series to x^17 serves |x| < 1, and beyond that 1 - t P(t) e^(-x^2) (Numerical Recipes' erfc form,
 * relative error 1.2e-7). */
INLINE vf v_erf(vf x) {
    vf a = v_abs(x), square = x * x;
    vf s = v_set(1.2055332e-6f);
    s = s * square - v_set(1.4925650e-5f);
    s = s * square + v_set(1.2055333e-4f);
    s = s * square - v_set(8.5483270e-4f);
    s = s * square + v_set(5.2239776e-3f);
    s = s * square - v_set(2.6866171e-2f);
    s = s * square + v_set(1.1283792e-1f);
    s = s * square - v_set(3.7612639e-1f);
    s = s * square + v_set(1.1283792f);
    vf small = s * x;
    vf t = v_set(1.0f) / (v_set(1.0f) + a * v_set(0.5f));
    vf p = v_set(0.17087277f);
    p = p * t - v_set(0.82215223f);
    p = p * t + v_set(1.48851587f);
    p = p * t - v_set(1.13520398f);
    p = p * t + v_set(0.27886807f);
    p = p * t - v_set(0.18628806f);
    p = p * t + v_set(0.09678418f);
    p = p * t + v_set(0.37409196f);
    p = p * t + v_set(1.00002368f);
    p = p * t - v_set(1.26551223f);
    vf large = v_set(1.0f) - t * v_exp(p - square);
    large = v_select(a > v_set(6.0f), v_set(1.0f), large);
    vf signed_large = (vf)((vi)large | ((vi)x & v_set_int((int32_t)0x80000000u)));
    vf result = v_select(a < v_set(0.9f), small, signed_large);
    return v_select(v_is_nan(x), x, result);
}

#endif
