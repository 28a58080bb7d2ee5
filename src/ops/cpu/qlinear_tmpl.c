/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of sums and products of quantised numbers. */
#include "ops/cpu/integer_simd.h"
#include "ops/cpu/qlinear.h"

/* A product that is rounded before it is added to, whatever the compiler contracts: as the reference rounds
 * it. */
INLINE vf rounded(vf product) {
#if defined(__x86_64__)
    __asm__("" : "+x"(product));
#elif defined(__aarch64__)
    __asm__("" : "+w"(product));
#endif
    return product;
}

/* scale * (q - zero). */
INLINE vf reals(const uint8_t *from, int64_t step, int64_t count, QLinear of, vi sign) {
    const vi bits = step ? v_load_integers(from, 1, count) : v_set_int(*from);
    const vi numbers = (bits ^ sign) - sign - v_set_int((int32_t)of.zero);
    return rounded(v_set(of.scale) * v_to_float(numbers));
}

INLINE void join_rows(const QLinearRow *row, const bool multiply) {
    const vi sign = v_set_int(row->is_signed ? 0x80 : 0), zero = v_set_int((int32_t)row->of_y.zero);
    const vf scale = v_set(row->of_y.scale), low = v_set((float)(row->range.low - row->of_y.zero)),
             high = v_set((float)(row->range.high - row->of_y.zero));
    for (int64_t i = 0; i < row->count; i += VW) {
        const int64_t count = row->count - i;
        const vf a = reals(row->a + i * row->a_step, row->a_step, count, row->of_a, sign),
                 b = reals(row->b + i * row->b_step, row->b_step, count, row->of_b, sign),
                 joined = multiply ? a * b : a + b;
        v_store_integers(row->y + i, v_round_within(joined / scale, low, high) + zero, 1, count);
    }
}

static void add_rows(const QLinearRow *row) {
    join_rows(row, false);
}

static void multiply_rows(const QLinearRow *row) {
    join_rows(row, true);
}

const QLinearTable TARGET(qlinear) = {.add = add_rows, .mul = multiply_rows};
