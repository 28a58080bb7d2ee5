/* SPDX-License-Identifier: Apache-2.0 */
/* Reading between elements at many places, for GridSample and DeformConv. */
#ifndef OPS_CPU_SAMPLE_SIMD_H
#define OPS_CPU_SAMPLE_SIMD_H

#include "ops/cpu/simd.h"
#include "ops/tensor/grid_sample.h"

/* from[index[i]] in lanes whose mask is -1, 0 in the others; reads no others. */
INLINE vf v_gather(const float *from, vi index, vi mask) {
#if STRIDER_WIDTH == 16 && defined(__AVX512F__)
    const __mmask16 lanes = _mm512_cmplt_epi32_mask((__m512i)mask, _mm512_setzero_si512());
    return (vf)_mm512_mask_i32gather_ps(_mm512_setzero_ps(), lanes, (__m512i)index, from, 4);
#elif STRIDER_WIDTH == 8 && defined(__AVX2__)
    return (vf)_mm256_mask_i32gather_ps(_mm256_setzero_ps(), from, (__m256i)index, (__m256)(vf)mask, 4);
#else
    vf result;
    for (int i = 0; i < VW; i++)
        result[i] = mask[i] ? from[index[i]] : 0;
    return result;
#endif
}

/* from[index[i]] and from[index[i] + 1], of all lanes. */
INLINE void v_gather_pairs(const float *from, vi index, vf *first, vf *second) {
#if STRIDER_WIDTH == 16 && defined(__AVX512F__)
    const __m512i lanes = (__m512i)index;
    const __m512 low = _mm512_castpd_ps(_mm512_i32gather_pd(_mm512_castsi512_si256(lanes), from, 4));
    const __m512 high = _mm512_castpd_ps(_mm512_i32gather_pd(_mm512_extracti64x4_epi64(lanes, 1), from, 4));
    vi even;
    for (int i = 0; i < VW; i++)
        even[i] = 2 * i;
    *first = (vf)_mm512_permutex2var_ps(low, (__m512i)even, high);
    *second = (vf)_mm512_permutex2var_ps(low, (__m512i)(even + 1), high);
#elif STRIDER_WIDTH == 8 && defined(__AVX2__)
    const __m256i lanes = (__m256i)index;
    const double *pairs = (const double *)(const void *)from; /* only as an address */
    const __m256d low = _mm256_i32gather_pd(pairs, _mm256_castsi256_si128(lanes), 4);
    const __m256d high = _mm256_i32gather_pd(pairs, _mm256_extracti128_si256(lanes, 1), 4);
    const __m256 even = _mm256_shuffle_ps(_mm256_castpd_ps(low), _mm256_castpd_ps(high), 0x88);
    const __m256 odd = _mm256_shuffle_ps(_mm256_castpd_ps(low), _mm256_castpd_ps(high), 0xdd);
    *first = (vf)_mm256_permute4x64_pd(_mm256_castps_pd(even), 0xd8);
    *second = (vf)_mm256_permute4x64_pd(_mm256_castps_pd(odd), 0xd8);
#else
    vf low, high;
    for (int i = 0; i < VW; i++) {
        low[i] = from[index[i]];
        high[i] = from[index[i] + 1];
    }
    *first = low;
    *second = high;
#endif
}

INLINE vi v_load_ints(const int32_t *from) {
    vi value;
    memcpy(&value, from, sizeof value);
    return value;
}
INLINE void v_store_ints(int32_t *to, vi value) {
    memcpy(to, &value, sizeof value);
}

INLINE vi v_select_ints(vi mask, vi a, vi b) {
    return (mask & a) | (~mask & b);
}

/* The whole numbers next to x; NaN becomes 0, and what an int32 does not hold must not come. */
INLINE vi v_truncate(vf x) {
    return __builtin_convertvector(v_select(v_is_nan(x), v_zero(), x), vi);
}
/* Numbers from 2^23 on are whole. */
INLINE vf v_floor(vf x) {
    const vi small = v_abs(x) < v_set(8388608.0f);
    const vf whole = __builtin_convertvector(v_truncate(v_select(small, x, v_zero())), vf);
    return v_select(small, v_select(whole > x, whole - v_set(1), whole), x);
}

/* --- taps --- */

/* Thrown back at both ends until it is between them. */
INLINE vf reflect(const GridSampleAttrs *attrs, vf x, float length) {
    const float low = attrs->align_corners ? 0 : -0.5f, range = attrs->align_corners ? length - 1 : length;
    if (!(range > 0))
        return v_set(low);
    const vf distance = v_abs(x - v_set(low)), twice = v_set(2 * range);
    const vf past = distance - v_floor(distance / twice) * twice;
    return v_select(past > v_set(range), v_set(low + range) - (past - v_set(range)), v_set(low) + past);
}

/* Of whole numbers; -1 where they are outside.  NaN is outside only where `nan_is_outside`. */
INLINE vi index_of(const GridSampleAttrs *attrs, vf x, float length, bool nan_is_outside) {
    const vf last = v_set(length - 1);
    vi inside = v_set_int(-1);
    if (attrs->padding == GRID_ZEROS)
        inside = ((x >= v_zero()) & (x <= last)) | (nan_is_outside ? v_set_int(0) : v_is_nan(x));
    if (attrs->padding == GRID_REFLECTION)
        x = reflect(attrs, x, length);
    return v_truncate(v_min(last, v_max(v_zero(), x))) | ~inside;
}

typedef struct DimTaps {
    vi indices[GRID_MAX_TAPS];
    vf weights[GRID_MAX_TAPS];
} DimTaps;

INLINE void cubic_weights(vf t, vf weights[GRID_MAX_TAPS]) {
    const vf a = v_set(-0.75f), one = v_set(1), s = one - t, u = t + one, v = s + one;
    weights[0] = ((a * u - v_set(5) * a) * u + v_set(8) * a) * u - v_set(4) * a;
    weights[1] = ((a + v_set(2)) * t - (a + v_set(3))) * t * t + one;
    weights[2] = ((a + v_set(2)) * s - (a + v_set(3))) * s * s + one;
    weights[3] = ((a * v - v_set(5) * a) * v + v_set(8) * a) * v - v_set(4) * a;
}

/* Far outside all taps are the same. */
INLINE vf near(vf position, float length) {
    return v_min(v_set(length + 2), v_max(v_set(-3), position));
}

/* The elements of one dimension that make what lies at a position, as grid_taps() says. */
INLINE void sample_taps(const GridSampleAttrs *attrs, vf position, float length, DimTaps *taps) {
    if (attrs->padding == GRID_REFLECTION)
        position = reflect(attrs, position, length);
    position = near(position, length);
    if (attrs->mode == GRID_NEAREST) {
        const vf magic = v_set(12582912.0f); /* 1.5 * 2^23: the fraction is rounded away, halves to even */
        taps->indices[0] = index_of(attrs, position + magic - magic, length, true);
        taps->weights[0] = v_set(1);
        return;
    }
    const vf one = v_set(1), low = v_floor(position), t = position - low;
    if (attrs->mode == GRID_CUBIC) {
        for (int i = 0; i < 4; i++)
            taps->indices[i] = index_of(attrs, low + v_set((float)(i - 1)), length, false);
        cubic_weights(t, taps->weights);
        return;
    }
    for (int i = 0; i < 2; i++)
        taps->indices[i] = index_of(attrs, low + v_set((float)i), length, false);
    taps->weights[0] = one - t;
    taps->weights[1] = t;
}

/* Multiplies the taps that there are by those of one more dimension; returns how many there are then.  What
 * is outside has no weight; what is at NaN has any element. */
INLINE int sample_add_dim(const DimTaps *dim, int count, int length, int n, vi *offsets, vf *weights) {
    for (int k = n - 1; k >= 0; k--)
        for (int i = count - 1; i >= 0; i--) {
            const vf weight = weights[i] * dim->weights[k];
            const vi inside = (offsets[i] >= 0) & (dim->indices[k] >= 0), is_nan = v_is_nan(weight);
            const vi offset = (offsets[i] * v_set_int(length) + dim->indices[k]) | ~inside;
            offsets[k * count + i] = offset & ~is_nan;
            weights[k * count + i] = v_select(inside | is_nan, weight, v_zero());
        }
    return n * count;
}

/* The taps as weights of two neighbours that are there, and whether these count. */
typedef struct PairTaps {
    vi first, inside[2];
    vf weights[2];
} PairTaps;

INLINE PairTaps pair_of(const DimTaps *taps, int length) {
    const vi a = taps->indices[0], b = taps->indices[1];
    const vi zero = v_set_int(0), last = v_set_int(length - 2);
    vi first = v_select_ints((a >= zero) & ((b < zero) | (a < b)), a, b);
    first = v_select_ints(first > zero, first, zero);
    first = v_select_ints(first < last, first, last);
    PairTaps pair = {.first = first};
    for (int i = 0; i < 2; i++) {
        const vi is_a = a == first + i, is_b = b == first + i;
        pair.inside[i] = is_a | is_b;
        pair.weights[i] =
            v_select(is_a, taps->weights[0], v_zero()) + v_select(is_b, taps->weights[1], v_zero());
    }
    return pair;
}

/* What the taps of the outer dimensions make of a last one that is linear: in each row two neighbours, which
 * are there also where they do not count. */
enum { MAX_PAIR_ROWS = 4 };
typedef struct PairRows {
    int count;
    vi offsets[MAX_PAIR_ROWS], masks[MAX_PAIR_ROWS][2];
    vf weights[MAX_PAIR_ROWS][2];
} PairRows;

INLINE PairRows sample_pairs(const DimTaps *last, int length, int count, const vi *offsets,
                             const vf *weights) {
    const PairTaps pair = pair_of(last, length);
    PairRows rows = {.count = count};
    for (int r = 0; r < count; r++) {
        const vi inside = offsets[r] >= 0;
        rows.offsets[r] = (offsets[r] & inside) * v_set_int(length) + pair.first;
        for (int i = 0; i < 2; i++) {
            rows.masks[r][i] = inside & pair.inside[i];
            rows.weights[r][i] = weights[r] * pair.weights[i];
        }
    }
    return rows;
}

#endif
