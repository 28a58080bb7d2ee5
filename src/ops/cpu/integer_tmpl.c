/* SPDX-License-Identifier: Apache-2.0 */
/* Register tiles of products of int16 pairs. */
#include "ops/cpu/integer_product.h"
#include "ops/cpu/integer_simd.h"

enum { PANEL = INTEGER_PANEL_VECTORS * VW, ROWS = STRIDER_WIDTH == 16 ? MAX_INTEGER_ROWS : 4 };

/* In each lane of int32 two products of int16, added. */
INLINE vi multiply_pairs(vi a, vi b) {
#if STRIDER_WIDTH == 16 && defined(__AVX512BW__)
    return (vi)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif STRIDER_WIDTH == 8 && defined(__AVX2__)
    return (vi)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif STRIDER_WIDTH == 4 && defined(__SSE2__)
    return (vi)_mm_madd_epi16((__m128i)a, (__m128i)b);
#else
    typedef uint32_t vu __attribute__((vector_size(STRIDER_WIDTH * 4)));
    const vi a_low = (vi)((vu)a << 16) >> 16, b_low = (vi)((vu)b << 16) >> 16;
    return a_low * b_low + (a >> 16) * (b >> 16);
#endif
}

INLINE vi load_pairs(const int16_t *from) {
    vi pairs;
    memcpy(&pairs, from, sizeof pairs);
    return pairs;
}

INLINE vi set_pair(const int16_t *from) {
    int32_t pair;
    memcpy(&pair, from, sizeof pair);
    return v_set_int(pair);
}

/* Adds that wrap around. */
INLINE vi add(vi a, vi b) {
    typedef uint32_t vu __attribute__((vector_size(STRIDER_WIDTH * 4)));
    return (vi)((vu)a + (vu)b);
}

INLINE vf multiplier_of(const IntegerTile *t, int row, int64_t column, int64_t count) {
    const vf factor = v_set(t->row_factors[row]);
    if (!t->column_factors)
        return factor;
    const float *columns = t->column_factors + column;
    return factor * (count >= VW ? v_load(columns) : v_load_first(columns, count, 1)) /
           v_set(t->form->divisor);
}

INLINE void store_sums(const IntegerTile *t, int row, int64_t column, vi sums) {
    const SumForm *form = t->form;
    const int64_t count = t->columns - column, at = row * t->y_row + column;
    if (t->row_bias)
        sums = add(sums, v_set_int(t->row_bias[row]));
    if (t->column_bias)
        sums = add(sums, v_load_integers(t->column_bias + column, 4, count));
    if (form->dtype == STRIDER_I32) {
        memcpy((int32_t *)t->y + at, &sums, sizeof(int32_t) * (size_t)(count < VW ? count : VW));
        return;
    }
    const vf value = v_to_float(sums) * multiplier_of(t, row, column, count);
    if (form->dtype == STRIDER_F32)
        v_store_first((float *)t->y + at, value, count < VW ? count : VW);
    else
        v_store_integers((uint8_t *)t->y + at,
                         v_round_within(value, v_set(form->low), v_set(form->high)) + v_set_int(form->zero),
                         1, count);
}

INLINE void tile_of(const IntegerTile *t, const int rows) {
    vi sums[ROWS][INTEGER_PANEL_VECTORS] = {{{0}}};
    const int16_t *a = t->a, *b = t->b;
    for (int64_t i = 0; i < t->pairs; i++, a += 2 * rows, b += 2 * PANEL) {
        vi columns[INTEGER_PANEL_VECTORS];
#pragma GCC unroll 2
        for (int v = 0; v < INTEGER_PANEL_VECTORS; v++)
            columns[v] = load_pairs(b + 2 * v * VW);
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++) {
            const vi pair = set_pair(a + 2 * r);
#pragma GCC unroll 2
            for (int v = 0; v < INTEGER_PANEL_VECTORS; v++)
                sums[r][v] = add(sums[r][v], multiply_pairs(pair, columns[v]));
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int v = 0; v < INTEGER_PANEL_VECTORS; v++)
            if (v * VW < t->columns)
                store_sums(t, r, v * VW, sums[r][v]);
}

#define TILE_OF(ROWS)                                                                                        \
    case ROWS:                                                                                               \
        tile_of(t, ROWS);                                                                                    \
        break;

static void integer_tile(const IntegerTile *t) {
    switch (t->rows) {
        TILE_OF(1)
        TILE_OF(2)
        TILE_OF(3)
        TILE_OF(4)
#if STRIDER_WIDTH == 16
        TILE_OF(5)
        TILE_OF(6)
        TILE_OF(7)
        TILE_OF(8)
        TILE_OF(9)
        TILE_OF(10)
        TILE_OF(11)
        TILE_OF(12)
#endif
    default:
        break;
    }
}

static void integer_row(const IntegerRow *row) {
    for (int64_t i = 0; i < row->sums.columns; i += VW) {
        vf sum = v_zero();
        for (int64_t t = 0; t < row->taps; t++)
            sum += v_load(row->x + row->offsets[t] + i) * v_set(row->weights[t]);
        store_sums(&row->sums, 0, i, __builtin_convertvector(sum, vi));
    }
}

INLINE int16_t number(uint8_t byte, ByteForm form) {
    return (int16_t)((int32_t)(byte ^ form.flip) - form.offset);
}

/* With a constant step the compiler makes vectors of it. */
INLINE void interleave_by(const uint8_t *first, const uint8_t *second, const int64_t step, int64_t count,
                          ByteForm form, int16_t *to) {
    for (int64_t i = 0; i < count; i++) {
        to[2 * i] = number(first[i * step], form);
        to[2 * i + 1] = second ? number(second[i * step], form) : 0;
    }
}

static void interleave(const uint8_t *first, const uint8_t *second, int64_t step, int64_t count,
                       ByteForm form, int16_t *to) {
    if (step == 1 && second)
        interleave_by(first, second, 1, count, form, to);
    else if (second)
        interleave_by(first, second, step, count, form, to);
    else
        interleave_by(first, NULL, step, count, form, to);
}

const IntegerTable TARGET(integer) = {
    .rows = ROWS, .tile = integer_tile, .row = integer_row, .interleave = interleave};
