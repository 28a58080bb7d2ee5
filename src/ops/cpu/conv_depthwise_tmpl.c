/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise rows: pixels in the middle, whose taps all lie inside, go in runs with the taps unrolled, so that
 * neighbours share the vectors that they read; those at the edges go one by one. */
#include "ops/cpu/activation_simd.h"
#include "ops/cpu/conv_depthwise.h"

/* Pixels in a run: accumulators for them beside the vectors that they read. */
enum { RUN = VW == 16 ? 8 : 4 };

typedef struct Finish {
    const Epilogue *epilogue;
    vf low, high;
    int clamp, lanes;
} Finish;

INLINE void finish_store(const Finish *finish, vf value, const float *residual, float *out) {
    const int last = finish->epilogue->residual_last;
    if (residual && !last)
        value += v_load(residual);
    value = finish->clamp ? v_min(finish->high, v_max(finish->low, value))
                          : v_activate(finish->epilogue->activation, value);
    if (residual && last)
        value += v_load(residual);
    if (finish->lanes < VW)
        value = v_first_lanes(value, finish->lanes);
    v_store(out, value);
}

/* `pixels`, and `kernel` and `stride` where they are not -1, are constants wherever this is inlined.  `x` is
 * the first pixel. */
INLINE void run_inside(const DepthwiseRow *row, const Finish *finish, int64_t x, const int pixels,
                       const int kernel, const int stride) {
    const int64_t taps = kernel > 0 ? kernel : row->kernel, step = stride > 0 ? stride : row->stride;
    const int64_t dilation = kernel > 0 ? 1 : row->dilation;
    const float *in = row->in + (x * step - row->pad) * VW;
    vf acc[RUN];
#pragma GCC unroll 8
    for (int p = 0; p < pixels; p++)
        acc[p] = v_load(row->bias);
    for (int64_t i = row->first_tap_row; i < row->end_tap_row; i++) {
        const float *from = in + i * row->tap_row_stride, *weights = row->weights + i * taps * VW;
#pragma GCC unroll 5
        for (int64_t j = 0; j < taps; j++) {
            const vf w = v_load(weights + j * VW);
#pragma GCC unroll 8
            for (int p = 0; p < pixels; p++)
                acc[p] += w * v_load(from + (p * step + j * dilation) * VW);
        }
    }
#pragma GCC unroll 8
    for (int p = 0; p < pixels; p++)
        finish_store(finish, acc[p], row->residual ? row->residual + (x + p) * VW : 0,
                     row->out + (x + p) * VW);
}

static void run_edge(const DepthwiseRow *row, const Finish *finish, int64_t x) {
    vf acc = v_load(row->bias);
    for (int64_t i = row->first_tap_row; i < row->end_tap_row; i++)
        for (int64_t j = 0; j < row->kernel; j++) {
            const int64_t at = x * row->stride - row->pad + j * row->dilation;
            if (at >= 0 && at < row->in_width)
                acc += v_load(row->weights + (i * row->kernel + j) * VW) *
                       v_load(row->in + i * row->tap_row_stride + at * VW);
        }
    finish_store(finish, acc, row->residual ? row->residual + x * VW : 0, row->out + x * VW);
}

#define INSIDE(NAME, KERNEL, STRIDE)                                                                         \
    static void NAME(const DepthwiseRow *row, const Finish *finish, int64_t begin, int64_t end) {            \
        int64_t x = begin;                                                                                   \
        for (; x + RUN <= end; x += RUN)                                                                     \
            run_inside(row, finish, x, RUN, KERNEL, STRIDE);                                                 \
        for (; x + 2 <= end; x += 2)                                                                         \
            run_inside(row, finish, x, 2, KERNEL, STRIDE);                                                   \
        for (; x < end; x++)                                                                                 \
            run_inside(row, finish, x, 1, KERNEL, STRIDE);                                                   \
    }

INSIDE(inside_3_1, 3, 1)
INSIDE(inside_3_2, 3, 2)
INSIDE(inside_5_1, 5, 1)
INSIDE(inside_5_2, 5, 2)
INSIDE(inside_any, -1, -1)

static int64_t ceil_div_positive(int64_t a, int64_t b) {
    return a <= 0 ? 0 : (a + b - 1) / b;
}

void ISA(depthwise_row)(const DepthwiseRow *row) {
    Finish finish = {.epilogue = row->epilogue,
                     .clamp = activation_is_clamp(row->epilogue->activation),
                     .lanes = row->lanes};
    activation_bounds(row->epilogue->activation, &finish.low, &finish.high);
    /* Pixels [begin, end) have all their taps inside. */
    const int64_t room = row->in_width - 1 + row->pad - (row->kernel - 1) * row->dilation;
    int64_t begin = ceil_div_positive(row->pad, row->stride), end = room < 0 ? 0 : room / row->stride + 1;
    end = end > row->out_width ? row->out_width : end;
    begin = begin > end ? end : begin;
    for (int64_t x = 0; x < begin; x++)
        run_edge(row, &finish, x);
    if (row->kernel == 3 && row->dilation == 1 && row->stride == 1)
        inside_3_1(row, &finish, begin, end);
    else if (row->kernel == 3 && row->dilation == 1 && row->stride == 2)
        inside_3_2(row, &finish, begin, end);
    else if (row->kernel == 5 && row->dilation == 1 && row->stride == 1)
        inside_5_1(row, &finish, begin, end);
    else if (row->kernel == 5 && row->dilation == 1 && row->stride == 2)
        inside_5_2(row, &finish, begin, end);
    else
        inside_any(row, &finish, begin, end);
    for (int64_t x = end; x < row->out_width; x++)
        run_edge(row, &finish, x);
}
