/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of indices: whether they are in range, and where what they name lies. */
#include "ops/cpu/indexed.h"
#include "ops/cpu/simd.h"
#include "ops/shared_math.h"

#define DEFINE_ROWS(NAME, T)                                                                                 \
    INLINE bool are_within_##NAME(const T *indices, int64_t count, int64_t stride, int64_t dim) {            \
        int64_t wrong = 0;                                                                                   \
        for (int64_t i = 0; i < count; i++) {                                                                \
            const int64_t index = indices[i * stride];                                                       \
            wrong |= (index < -dim) | (index >= dim);                                                        \
        }                                                                                                    \
        return !wrong;                                                                                       \
    }                                                                                                        \
    static bool within_##NAME(const void *indices, int64_t count, int64_t stride, int64_t dim) {             \
        return stride == 1 ? are_within_##NAME(indices, count, 1, dim)                                       \
                           : are_within_##NAME(indices, count, stride, dim);                                 \
    }                                                                                                        \
    INLINE void add_places_##NAME(const T *indices, int64_t count, int64_t stride, int64_t dim,              \
                                  int64_t step, int64_t *at) {                                               \
        for (int64_t i = 0; i < count; i++)                                                                  \
            at[i] += index_from_end(indices[i * stride], dim) * step;                                        \
    }                                                                                                        \
    static void add_##NAME(const void *indices, int64_t count, int64_t stride, int64_t dim, int64_t step,    \
                           int64_t *at) {                                                                    \
        if (stride != 1)                                                                                     \
            add_places_##NAME(indices, count, stride, dim, step, at);                                        \
        else if (step != 1)                                                                                  \
            add_places_##NAME(indices, count, 1, dim, step, at);                                             \
        else                                                                                                 \
            add_places_##NAME(indices, count, 1, dim, 1, at);                                                \
    }

DEFINE_ROWS(i32, int32_t)
DEFINE_ROWS(i64, int64_t)

static void count_up(int64_t first, int64_t step, int64_t count, int64_t *at) {
    for (int64_t i = 0; i < count; i++)
        at[i] = first + i * step;
}

static void move_4(const void *from, const int64_t *at, int64_t count, void *to) {
    const uint32_t *restrict x = from;
    uint32_t *restrict y = to;
    for (int64_t i = 0; i < count; i++)
        y[i] = x[at[i]];
}

const IndexedTable TARGET(indexed) = {
    .are_within = {within_i32, within_i64},
    .add_places = {add_i32, add_i64},
    .count_up = count_up,
    .move_4 = move_4,
};
