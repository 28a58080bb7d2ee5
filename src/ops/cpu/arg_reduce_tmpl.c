/* SPDX-License-Identifier: Apache-2.0 */
/* The places of largest and smallest elements: loops that compilers turn into vectors of each target. */
#include "ops/cpu/arg_reduce.h"
#include "ops/cpu/simd.h"

/* Whether x is to be taken instead of `best`: it is better, or NaN where `best` is not; of equals the last
 * one, if that is wanted. */
#define BETTER(x, best, IS_MIN, TAKES_LAST)                                                                  \
    ((TAKES_LAST) ? ((!((IS_MIN) ? (x) > (best) : (x) < (best)) & ((best) == (best))) | ((x) != (x)))        \
                  : (!((IS_MIN) ? (x) >= (best) : (x) <= (best)) & ((best) == (best))))

/* INDEX has the elements' width, as vectors have lanes of one. */
#define COLUMNS_LOOP(T, INDEX, IS_MIN, TAKES_LAST)                                                           \
    for (int64_t r = 1; r < rows; r++) {                                                                     \
        const T *x = from + r * args->stride;                                                                \
        const INDEX row = (INDEX)r;                                                                          \
        for (int64_t c = 0; c < columns; c++) {                                                              \
            const T value = x[c], old = best[c];                                                             \
            const INDEX is_better = -(INDEX)BETTER(value, old, IS_MIN, TAKES_LAST);                          \
            best[c] = is_better ? value : old;                                                               \
            index[c] = (index[c] & ~is_better) | (row & is_better);                                          \
        }                                                                                                    \
    }

/* Where no element is NaN the best one is found first, then its place. */
#define ROW_LOOP(T, IS_MIN)                                                                                  \
    for (int64_t i = 0; i + LANES <= rows; i += LANES)                                                       \
        for (int k = 0; k < LANES; k++) {                                                                    \
            const T value = from[i + k];                                                                     \
            best[k] = ((IS_MIN) ? value < best[k] : value > best[k]) ? value : best[k];                      \
            strange |= value != value;                                                                       \
        }

#define ARG_LOOPS(T, INDEX)                                                                                  \
    static void columns_of_##T(const ArgColumns *args) {                                                     \
        const T *from = args->x;                                                                             \
        const int64_t rows = args->rows, columns = args->columns;                                            \
        T best[ARG_COLUMNS];                                                                                 \
        INDEX index[ARG_COLUMNS];                                                                            \
        memcpy(best, from, (size_t)columns * sizeof *best);                                                  \
        memset(index, 0, (size_t)columns * sizeof *index);                                                   \
        if (args->is_min && args->takes_last)                                                                \
            COLUMNS_LOOP(T, INDEX, 1, 1)                                                                     \
        else if (args->is_min)                                                                               \
            COLUMNS_LOOP(T, INDEX, 1, 0)                                                                     \
        else if (args->takes_last)                                                                           \
            COLUMNS_LOOP(T, INDEX, 0, 1)                                                                     \
        else                                                                                                 \
            COLUMNS_LOOP(T, INDEX, 0, 0)                                                                     \
        for (int64_t c = 0; c < columns; c++)                                                                \
            args->out[c] = index[c];                                                                         \
    }                                                                                                        \
    static void plain_row_of_##T(const ArgColumns *args) {                                                   \
        const T *from = args->x;                                                                             \
        const bool is_min = args->is_min, takes_last = args->takes_last;                                     \
        T best = from[0];                                                                                    \
        int64_t place = 0;                                                                                   \
        for (int64_t i = 1; i < args->rows; i++) {                                                           \
            const T x = from[i];                                                                             \
            const bool is_better = BETTER(x, best, is_min, takes_last);                                      \
            best = is_better ? x : best;                                                                     \
            place = is_better ? i : place;                                                                   \
        }                                                                                                    \
        *args->out = place;                                                                                  \
    }                                                                                                        \
    static void row_of_##T(const ArgColumns *args) {                                                         \
        enum { LANES = VW * 4 / sizeof(T) };                                                                 \
        const T *from = args->x;                                                                             \
        const int64_t rows = args->rows, vectors = rows - rows % LANES;                                      \
        T best[LANES];                                                                                       \
        int strange = 0;                                                                                     \
        if (rows < 2 * LANES || args->takes_last) {                                                          \
            plain_row_of_##T(args);                                                                          \
            return;                                                                                          \
        }                                                                                                    \
        memcpy(best, from, sizeof best);                                                                     \
        if (args->is_min)                                                                                    \
            ROW_LOOP(T, 1)                                                                                   \
        else                                                                                                 \
            ROW_LOOP(T, 0)                                                                                   \
        for (int half = LANES / 2; half; half /= 2)                                                          \
            for (int k = 0; k < half; k++)                                                                   \
                best[k] = (args->is_min ? best[k + half] < best[k] : best[k + half] > best[k])               \
                              ? best[k + half]                                                               \
                              : best[k];                                                                     \
        T all = best[0];                                                                                     \
        for (int64_t i = vectors; i < rows; i++) {                                                           \
            all = (args->is_min ? from[i] < all : from[i] > all) ? from[i] : all;                            \
            strange |= from[i] != from[i];                                                                   \
        }                                                                                                    \
        if (strange) {                                                                                       \
            plain_row_of_##T(args);                                                                          \
            return;                                                                                          \
        }                                                                                                    \
        int64_t i = 0;                                                                                       \
        for (; i < vectors; i += LANES) {                                                                    \
            int found = 0;                                                                                   \
            for (int k = 0; k < LANES; k++)                                                                  \
                found |= from[i + k] == all;                                                                 \
            if (found)                                                                                       \
                break;                                                                                       \
        }                                                                                                    \
        while (!(from[i] == all))                                                                            \
            i++;                                                                                             \
        *args->out = i;                                                                                      \
    }

ARG_LOOPS(float, int32_t)
ARG_LOOPS(double, int64_t)
ARG_LOOPS(int64_t, int64_t)

const ArgTable TARGET(arg_reduce) = {
    .columns = {columns_of_float, columns_of_double, columns_of_int64_t},
    .rows = {row_of_float, row_of_double, row_of_int64_t},
};
