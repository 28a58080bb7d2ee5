/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of quantising and dequantising, one loop for each size of the integers. */
#include "ops/cpu/integer_simd.h"
#include "ops/cpu/quantize.h"

/* Sign-extends the bits that count. */
INLINE vi extended(const IntegerForm *form, vi bits) {
    const vi sign = v_set_int(form->sign);
    return ((bits & v_set_int(form->mask)) ^ sign) - sign;
}

INLINE vi zeros_at(const QuantizeRow *row, const int size, int64_t i, int64_t count) {
    if (!row->zeros)
        return v_set_int(0);
    const char *from = (const char *)row->zeros + (row->has_lists ? i * size : 0);
    const vi zeros = v_load_integers(from, size, row->has_lists ? count : 1);
    return extended(&row->integer, row->has_lists ? zeros : v_set_int(zeros[0]));
}

INLINE vf scales_at(const QuantizeRow *row, int64_t i, int64_t count) {
    if (!row->has_lists)
        return v_set(*row->scales);
    return count >= VW ? v_load(row->scales + i) : v_load_first(row->scales + i, count, 1);
}

INLINE void quantize_vector(const QuantizeRow *row, const int size, int64_t i, int64_t count, vf scale,
                            vi zero, vi mask) {
    const float *x = (const float *)row->x + i;
    const vf value = count >= VW ? v_load(x) : v_load_first(x, count, 0);
    const vi quotient = v_round_within(value / scale, v_to_float(v_set_int(row->integer.low) - zero),
                                       v_to_float(v_set_int(row->integer.high) - zero));
    v_store_integers((char *)row->y + i * size, (quotient + zero) & mask, size, count);
}

INLINE void dequantize_vector(const QuantizeRow *row, const int size, int64_t i, int64_t count, vf scale,
                              vi zero, vi mask) {
    const vi x = v_load_integers((const char *)row->x + i * size, size, count);
    const vf value = v_to_float((size == 4 ? x : extended(&row->integer, x)) - zero) * scale;
    float *y = (float *)row->y + i;
    if (count >= VW)
        v_store(y, (vf)((vi)value & mask));
    else
        v_store_first(y, value, count);
}

typedef void VectorStep(const QuantizeRow *row, const int size, int64_t i, int64_t count, vf scale, vi zero,
                        vi mask);

/* The step for the whole vectors of the row, and for what is left. */
INLINE void for_each_vector(const QuantizeRow *row, const int size, VectorStep *const step) {
    const vi mask = v_lane_mask(row->lanes), zero = zeros_at(row, size, 0, row->count);
    const vf scale = scales_at(row, 0, row->count);
    const int64_t rest = row->count % VW, whole = row->count - rest;
    if (row->has_lists)
        for (int64_t i = 0; i < whole; i += VW)
            step(row, size, i, VW, scales_at(row, i, VW), zeros_at(row, size, i, VW), mask);
    else
        for (int64_t i = 0; i < whole; i += VW)
            step(row, size, i, VW, scale, zero, mask);
    if (rest)
        step(row, size, whole, rest, scales_at(row, whole, rest), zeros_at(row, size, whole, rest), mask);
}

static void quantize_row(const QuantizeRow *row) {
    if (row->integer.size == 1)
        for_each_vector(row, 1, quantize_vector);
    else
        for_each_vector(row, 2, quantize_vector);
}

static void dequantize_row(const QuantizeRow *row) {
    if (row->integer.size == 1)
        for_each_vector(row, 1, dequantize_vector);
    else if (row->integer.size == 2)
        for_each_vector(row, 2, dequantize_vector);
    else
        for_each_vector(row, 4, dequantize_vector);
}

/* NaN is passed over, as it is neither less nor more. */
INLINE void widen(vf *least, vf *most, vf value) {
    *least = v_select(value < *least, value, *least);
    *most = v_select(value > *most, value, *most);
}

static void range(const float *x, int64_t count, float *low, float *high) {
    enum { PARTS = 4 }; /* that do not wait for one another */
    vf least[PARTS], most[PARTS];
    for (int k = 0; k < PARTS; k++)
        least[k] = most[k] = v_zero();
    int64_t i = 0;
    for (; i + PARTS * VW <= count; i += PARTS * VW)
#pragma GCC unroll 4
        for (int k = 0; k < PARTS; k++)
            widen(&least[k], &most[k], v_load(x + i + k * VW));
    for (; i < count; i += VW)
        widen(least, most, count - i >= VW ? v_load(x + i) : v_load_first(x + i, count - i, 0));
    *low = *high = 0;
    for (int k = 0; k < PARTS; k++)
        for (int lane = 0; lane < VW; lane++) {
            *low = least[k][lane] < *low ? least[k][lane] : *low;
            *high = most[k][lane] > *high ? most[k][lane] : *high;
        }
}

const QuantizeTable TARGET(quantize) = {
    .quantize = quantize_row, .dequantize = dequantize_row, .range = range};
