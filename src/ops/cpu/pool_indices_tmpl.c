/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "ops/cpu/pool_indices.h"
#include "ops/cpu/simd.h"

/* NaN is larger than everything, and the first one stays; written without branches, so that vectors can. */
#define DEFINE_ROWS(NAME, T, LEAST)                                                                          \
    INLINE void take_##NAME(const T *restrict line, int32_t at, const int64_t stride, int64_t count,         \
                            T *restrict most, int32_t *restrict index) {                                     \
        for (int64_t k = 0; k < count; k++) {                                                                \
            const T value = line[k * stride], old = most[k];                                                 \
            const bool is_more = (index[k] < 0) | (value > old) | ((value != value) & (old == old));         \
            most[k] = is_more ? value : old;                                                                 \
            index[k] = is_more ? at + (int32_t)(k * stride) : index[k];                                      \
        }                                                                                                    \
    }                                                                                                        \
    static void tap_##NAME(const void *line, int32_t at, int64_t stride, int64_t count, void *most,          \
                           int32_t *index) {                                                                 \
        if (stride == 1)                                                                                     \
            take_##NAME(line, at, 1, count, most, index);                                                    \
        else if (stride == 2)                                                                                \
            take_##NAME(line, at, 2, count, most, index);                                                    \
        else                                                                                                 \
            take_##NAME(line, at, stride, count, most, index);                                               \
    }                                                                                                        \
    static void least_##NAME(void *most, int64_t count) {                                                    \
        for (int64_t k = 0; k < count; k++)                                                                  \
            ((T *)most)[k] = LEAST;                                                                          \
    }

DEFINE_ROWS(f32, float, -INFINITY)
DEFINE_ROWS(f64, double, -INFINITY)
DEFINE_ROWS(i8, int8_t, INT8_MIN)
DEFINE_ROWS(u8, uint8_t, 0)

const PoolIndicesTable TARGET(pool_indices) = {
    .f32 = {tap_f32, least_f32},
    .f64 = {tap_f64, least_f64},
    .i8 = {tap_i8, least_i8},
    .u8 = {tap_u8, least_u8},
};
