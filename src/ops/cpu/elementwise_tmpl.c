/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of elementwise arithmetic, one function for each operation, in which each mode of going along the row
 * has its own loop. */
#include "ops/cpu/binary_simd.h"
#include "ops/cpu/elementwise.h"
#include "ops/cpu/unary_simd.h"

INLINE vf load_same(const float *from, RowMode mode, int lanes) {
    if (mode != ROW_SAME)
        return v_zero();
    return lanes == 1 ? v_set(*from) : lanes == VW ? v_load(from) : v_load_first(from, lanes, 0);
}

INLINE vf load_operand(const float *from, const RowMode mode, int64_t step, vf same, int64_t i) {
    return mode == ROW_VECTORS ? v_load(from + i * VW) : mode == ROW_PIXELS ? v_set(from[i * step]) : same;
}

INLINE void binary_loop(const Row *row, const BinaryKind kind, const RowMode a_mode, const RowMode b_mode) {
    const float *a = row->a, *b = row->b;
    const vf same_a = load_same(a, a_mode, row->a_lanes), same_b = load_same(b, b_mode, row->b_lanes);
    const int64_t vectors = row->floats / VW, tail = row->floats % VW;
    const vi mask = v_lane_mask(row->lanes);
    for (int64_t i = 0; i < vectors; i++) {
        vf value = v_binary(kind, load_operand(a, a_mode, row->a_step, same_a, i),
                            load_operand(b, b_mode, row->b_step, same_b, i));
        v_store(row->out + i * VW, (vf)((vi)value & mask));
    }
    if (tail) {
        vf last_a = a_mode == ROW_VECTORS ? v_load_first(a + vectors * VW, tail, 0) : same_a;
        vf last_b = b_mode == ROW_VECTORS ? v_load_first(b + vectors * VW, tail, 0) : same_b;
        vf value = v_binary(kind, last_a, last_b);
        v_store_first(row->out + vectors * VW, value, tail);
    }
}

INLINE void binary_row(const Row *row, const BinaryKind kind) {
    switch (row->a_mode * ROW_MODES + row->b_mode) {
    case ROW_VECTORS *ROW_MODES + ROW_VECTORS:
        binary_loop(row, kind, ROW_VECTORS, ROW_VECTORS);
        break;
    case ROW_VECTORS *ROW_MODES + ROW_SAME:
        binary_loop(row, kind, ROW_VECTORS, ROW_SAME);
        break;
    case ROW_SAME *ROW_MODES + ROW_VECTORS:
        binary_loop(row, kind, ROW_SAME, ROW_VECTORS);
        break;
    case ROW_VECTORS *ROW_MODES + ROW_PIXELS:
        binary_loop(row, kind, ROW_VECTORS, ROW_PIXELS);
        break;
    case ROW_PIXELS *ROW_MODES + ROW_VECTORS:
        binary_loop(row, kind, ROW_PIXELS, ROW_VECTORS);
        break;
    case ROW_SAME *ROW_MODES + ROW_PIXELS:
        binary_loop(row, kind, ROW_SAME, ROW_PIXELS);
        break;
    case ROW_PIXELS *ROW_MODES + ROW_SAME:
        binary_loop(row, kind, ROW_PIXELS, ROW_SAME);
        break;
    default:
        binary_loop(row, kind, ROW_SAME, ROW_SAME);
        break;
    }
}

/* The operand lies as the output does, so only the mask distinguishes layouts. */
INLINE void unary_loop(const Row *row, const UnaryKind kind) {
    const int64_t vectors = row->floats / VW, tail = row->floats % VW;
    const vi mask = v_lane_mask(row->lanes);
    const Unary unary = {kind, row->alpha, row->beta};
    for (int64_t i = 0; i < vectors; i++)
        v_store(row->out + i * VW, (vf)((vi)v_unary(unary, v_load(row->a + i * VW)) & mask));
    if (tail) {
        vf value = v_unary(unary, v_load_first(row->a + vectors * VW, tail, 0));
        v_store_first(row->out + vectors * VW, value, tail);
    }
}

#define BINARY_ROW(KIND)                                                                                     \
    static void row_of_##KIND(const Row *row) {                                                              \
        binary_row(row, KIND);                                                                               \
    }
#define UNARY_ROW(KIND)                                                                                      \
    static void row_of_##KIND(const Row *row) {                                                              \
        unary_loop(row, KIND);                                                                               \
    }
#define ENTRY(KIND) [KIND] = row_of_##KIND,

/* What no operator of the list is. */
#define OTHER_UNARIES(DO)                                                                                    \
    DO(UNARY_CLIP)                                                                                           \
    DO(UNARY_SQUARE) DO(UNARY_CUBE) DO(UNARY_ROOT) DO(UNARY_RECIPROCAL_ROOT) DO(UNARY_GELU_TANH)

#define FAST_BINARY(KIND, ...) BINARY_ROW(BINARY_##KIND)
#define BINARY(...)
#include "ops/math/binary_list.inc"
#define FAST_UNARY(KIND, ...) UNARY_ROW(UNARY_##KIND)
#define UNARY(...)
#include "ops/math/unary_list.inc"
OTHER_UNARIES(UNARY_ROW)

const ElementwiseTable TARGET(elementwise) = {
    .binary =
        {
#define FAST_BINARY(KIND, ...) ENTRY(BINARY_##KIND)
#define BINARY(...)
#include "ops/math/binary_list.inc"
        },
    .unary =
        {
#define FAST_UNARY(KIND, ...) ENTRY(UNARY_##KIND)
#define UNARY(...)
#include "ops/math/unary_list.inc"
            OTHER_UNARIES(ENTRY)},
};
