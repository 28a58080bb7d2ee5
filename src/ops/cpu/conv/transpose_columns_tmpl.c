/* SPDX-License-Identifier: Apache-2.0 */
/* A row of transposed convolution as sums of products that are there already. */
#include "ops/cpu/conv/transpose_columns.h"
#include "ops/cpu/epilogue_simd.h"
#include "ops/cpu/transpose_4.h"

INLINE void add_products(const float *restrict products, int64_t count, float *restrict sums) {
    for (int64_t i = 0; i < count; i++)
        sums[i] += products[i];
}

/* Tap j of a phase reads the input at q - shift - j * in_step. */
static void sum_phase(const ColumnsRow *row, const Phase *phase) {
    const PhaseDim *x = row->x;
    for (int64_t i = 0; i < phase->count; i++)
        row->sums[i] = 0;
    for (int64_t k = 0; k < row->n_rows; k++)
        for (int64_t j = 0; j < phase->taps; j++) {
            const int64_t back = phase->shift + j * x->in_step, last = phase->first + phase->count;
            const int64_t begin = phase->first > back ? phase->first : back,
                          end = last < x->dim.in + back ? last : x->dim.in + back;
            const int64_t weight = row->first_weight + k * row->weights_step + phase->tap + j * x->tap_step,
                          pixel = row->first_pixel + k * row->pixels_step + begin - back;
            add_products(row->columns + weight * row->pixels + pixel, end - begin,
                         row->sums + begin - phase->first);
        }
}

static void run(const ColumnsRow *row) {
    const WindowDim *x = &row->x->dim;
    for (int64_t f = 0; f < x->stride; f++) {
        const Phase *phase = &row->x->phases[f];
        sum_phase(row, phase);
        for (int64_t i = 0; i < phase->count; i++)
            row->line[phase->out + i * x->stride] = row->sums[i];
    }
    const VectorEpilogue epilogue = vector_epilogue(row->epilogue, row->residual);
    for (int64_t i = 0; i < x->out; i += VW) {
        const int64_t count = x->out - i < VW ? x->out - i : VW;
        const vf value = epilogue_whole(&epilogue, v_load(row->line + i) + v_set(row->bias), i, count);
        if (count == VW)
            v_store(row->out + i, value);
        else
            v_store_first(row->out + i, value, count);
    }
}

static void spread(const float *from, int64_t pixels, int64_t lanes, float *to, int64_t step) {
    const int64_t whole = pixels / 4 * 4;
    for (int64_t l = 0; l < lanes; l += 4)
        for (int64_t p = 0; p < whole; p += 4) {
            v4 columns[4];
            transpose_4(from + p * VW + l, VW, columns);
            for (int64_t i = 0; i < 4 && l + i < lanes; i++)
                *(v4_anywhere *)(to + (l + i) * step + p) = columns[i];
        }
    for (int64_t l = 0; l < lanes; l++)
        for (int64_t p = whole; p < pixels; p++)
            to[l * step + p] = from[p * VW + l];
}

const TransposeColumnsTable TARGET(transpose_columns) = {.run = run, .spread = spread};
