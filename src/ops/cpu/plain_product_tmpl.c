/* SPDX-License-Identifier: Apache-2.0 */
/* Register tiles of some rows and two vectors of columns, for each type of elements.  A panel of B lies
 * packed in scratch memory, zeros after its last column, so that no tile asks for edges before it stores. */
#include "ops/cpu/plain_product.h"
#include "ops/cpu/simd.h"

enum { VECTOR_BYTES = STRIDER_WIDTH * 4, MAX_ROWS = STRIDER_WIDTH == 16 ? 8 : 4 };

#define SCALED(p, sum, m, n) ((p)->alpha * (sum) + ((p)->c ? (p)->beta * addend : 0))
#define ADDED(p, sum, m, n) ((sum) + addend)

#define PRODUCT(T, FINISH)                                                                                   \
    typedef T vector_##T __attribute__((vector_size(STRIDER_WIDTH * 4)));                                    \
    enum {                                                                                                   \
        lanes_##T = VECTOR_BYTES / (int)sizeof(T),                                                           \
        panel_##T = PLAIN_PANEL_BYTES / (int)sizeof(T),                                                      \
    };                                                                                                       \
                                                                                                             \
    static void pack_##T(const PlainProduct *p) {                                                            \
        const T *from = p->b;                                                                                \
        for (int64_t i = 0; i < p->k; i++, from += p->b_row) {                                               \
            T *to = (T *)p->panel + i * panel_##T;                                                           \
            if (p->b_column == 1)                                                                            \
                memcpy(to, from, (size_t)p->columns * sizeof(T));                                            \
            else                                                                                             \
                for (int64_t n = 0; n < p->columns; n++)                                                     \
                    to[n] = from[n * p->b_column];                                                           \
            memset(to + p->columns, 0, (size_t)(panel_##T - p->columns) * sizeof(T));                        \
        }                                                                                                    \
    }                                                                                                        \
                                                                                                             \
    static void store_##T(const PlainProduct *p, int64_t m, int64_t n, const T *sums) {                      \
        T *to = (T *)p->y + m * p->y_row + n;                                                                \
        for (int64_t i = 0; i < lanes_##T && n + i < p->columns; i++) {                                      \
            const T addend = p->c ? ((const T *)p->c)[m * p->c_row + (n + i) * p->c_column] : 0;             \
            to[i] = FINISH(p, sums[i], m, n + i);                                                            \
        }                                                                                                    \
    }                                                                                                        \
                                                                                                             \
    INLINE void tile_##T(const PlainProduct *p, int64_t m, int64_t n, const int rows) {                      \
        vector_##T sums[MAX_ROWS][2] = {{{0}}};                                                              \
        const T *a = (const T *)p->a + m * p->a_row, *b = (const T *)p->panel + n;                           \
        for (int64_t i = 0; i < p->k; i++, a += p->a_column, b += panel_##T) {                               \
            vector_##T columns[2];                                                                           \
            memcpy(columns, b, sizeof columns);                                                              \
            _Pragma("GCC unroll 8") for (int r = 0; r < rows; r++) {                                         \
                sums[r][0] += a[r * p->a_row] * columns[0];                                                  \
                sums[r][1] += a[r * p->a_row] * columns[1];                                                  \
            }                                                                                                \
        }                                                                                                    \
        /* Of copies: sums whose address is taken would not stay in registers. */                            \
        _Pragma("GCC unroll 8") for (int r = 0; r < rows; r++) {                                             \
            const vector_##T first = sums[r][0], second = sums[r][1];                                        \
            store_##T(p, m + r, n, (const T *)&first);                                                       \
            store_##T(p, m + r, n + lanes_##T, (const T *)&second);                                          \
        }                                                                                                    \
    }                                                                                                        \
                                                                                                             \
    static void product_##T(const PlainProduct *p) {                                                         \
        pack_##T(p);                                                                                         \
        for (int64_t n = 0; n < p->columns; n += 2 * lanes_##T) {                                            \
            int64_t m = 0;                                                                                   \
            for (; m + MAX_ROWS <= p->rows; m += MAX_ROWS)                                                   \
                tile_##T(p, m, n, MAX_ROWS);                                                                 \
            for (; m < p->rows; m++)                                                                         \
                tile_##T(p, m, n, 1);                                                                        \
        }                                                                                                    \
    }

PRODUCT(double, SCALED)
PRODUCT(uint32_t, ADDED)
PRODUCT(uint64_t, ADDED)

const PlainProducts TARGET(plain_products) = {product_double, product_uint32_t, product_uint64_t};
