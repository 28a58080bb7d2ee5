/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution: a tile of pixels of one block in registers, over the taps of its window.  Rows of
 * the window outside the input are left out; so are columns, which only windows at a row's ends have. */
#include "ops/conv.h"
#include "ops/cpu/activation_simd.h"
#include "ops/cpu/conv_depthwise.h"

/* Pixels of a tile: enough products to hide their latency, and each weight is loaded once for all. */
enum { TILE_PIXELS = 8 };

/* One row of outputs. */
typedef struct DepthwiseRow {
    const DepthwiseArgs *args;
    const float *in;      /* the first of its windows' rows that lies inside, at column 0 */
    const float *weights; /* of that row */
    int64_t taps_y;       /* window rows inside */
    int64_t in_row;       /* floats from one to the next */
    const float *bias, *before;
    float *out;
    vf low, high;
    vi mask;
} DepthwiseRow;

/* `pixels` outputs from x on, taps [begin, end) of each window row.  `kernel`, `stride` and `dilation` are
 * constants where this is inlined, or 0. */
INLINE void tile(const DepthwiseRow *row, int64_t x, const int pixels, int64_t begin, int64_t end,
                 const int stride, const int dilation) {
    const DepthwiseArgs *args = row->args;
    const int64_t step = (stride ? stride : args->x.stride) * VW,
                  spread = (dilation ? dilation : args->x.dilation) * VW;
    const float *in = row->in + (x * args->x.stride - args->x.pad_begin) * VW;
    const float *weights = row->weights;
    const vf bias = v_load(row->bias);
    vf acc[TILE_PIXELS];
#pragma GCC unroll 8
    for (int p = 0; p < pixels; p++)
        acc[p] = bias;
    for (int64_t i = 0; i < row->taps_y; i++, in += row->in_row, weights += args->x.kernel * VW)
#pragma GCC unroll 5
        for (int64_t j = begin; j < end; j++) {
            const vf w = v_load(weights + j * VW);
#pragma GCC unroll 8
            for (int p = 0; p < pixels; p++)
                acc[p] += w * v_load(in + p * step + j * spread);
        }
#pragma GCC unroll 8
    for (int p = 0; p < pixels; p++) {
        const int64_t at = (x + p) * VW;
        vf value = acc[p];
        if (row->before)
            value += v_load(row->before + at);
        value = v_min(row->high, v_max(row->low, value));
        v_store(row->out + at, (vf)((vi)value & row->mask));
    }
}

INLINE void inside(const DepthwiseRow *row, const int kernel, const int stride, const int dilation) {
    const int64_t end = row->args->inside_end, taps = kernel ? kernel : row->args->x.kernel;
    int64_t x = row->args->inside_begin;
    for (; x + TILE_PIXELS <= end; x += TILE_PIXELS)
        tile(row, x, TILE_PIXELS, 0, taps, stride, dilation);
    switch (end - x) {
    case 1:
        tile(row, x, 1, 0, taps, stride, dilation);
        break;
    case 2:
        tile(row, x, 2, 0, taps, stride, dilation);
        break;
    case 3:
        tile(row, x, 3, 0, taps, stride, dilation);
        break;
    case 4:
        tile(row, x, 4, 0, taps, stride, dilation);
        break;
    case 5:
        tile(row, x, 5, 0, taps, stride, dilation);
        break;
    case 6:
        tile(row, x, 6, 0, taps, stride, dilation);
        break;
    case 7:
        tile(row, x, 7, 0, taps, stride, dilation);
        break;
    default:
        break;
    }
}

typedef void (*InsideFunction)(const DepthwiseRow *row);

#define INSIDE(NAME, KERNEL, STRIDE, DILATION)                                                               \
    static void NAME(const DepthwiseRow *row) {                                                              \
        inside(row, KERNEL, STRIDE, DILATION);                                                               \
    }

INSIDE(inside_3_1, 3, 1, 1)
INSIDE(inside_3_2, 3, 2, 1)
INSIDE(inside_5_1, 5, 1, 1)
INSIDE(inside_5_2, 5, 2, 1)
INSIDE(inside_any, 0, 0, 0)

static InsideFunction inside_function(const WindowDim *x) {
    if (x->dilation == 1 && x->kernel == 3 && x->stride <= 2)
        return x->stride == 1 ? inside_3_1 : inside_3_2;
    if (x->dilation == 1 && x->kernel == 5 && x->stride <= 2)
        return x->stride == 1 ? inside_5_1 : inside_5_2;
    return inside_any;
}

static void border(const DepthwiseRow *row, int64_t begin, int64_t end) {
    const WindowDim *x = &row->args->x;
    for (int64_t at = begin; at < end; at++) {
        const WindowTaps taps = window_taps(x, at * x->stride - x->pad_begin, x->in);
        tile(row, at, 1, taps.first, taps.end, 0, 0);
    }
}

/* What a clamp cannot do, on the row that lies in L1 still. */
static void activate(const DepthwiseRow *row, const float *after) {
    const Activation activation = row->args->epilogue.activation;
    const bool clamped = activation_is_clamp(activation);
    for (int64_t x = 0; x < row->args->x.out; x++) {
        vf value = v_load(row->out + x * VW);
        if (!clamped)
            value = v_activate(activation, value);
        if (after)
            value += v_load(after + x * VW);
        v_store(row->out + x * VW, (vf)((vi)value & row->mask));
    }
}

static void run(const KernelCall *call, int64_t task) {
    const DepthwiseArgs *args = call->args;
    const WindowDim *y = &args->y, *x = &args->x;
    const Epilogue *epilogue = &args->epilogue;
    const int64_t plane = task / args->strips, block = plane % args->blocks;
    const int64_t first = task % args->strips * args->strip_rows;
    const int64_t end = first + args->strip_rows < y->out ? first + args->strip_rows : y->out;
    const float *in = (const float *)call->inputs[0] + plane * y->in * x->in * VW;
    const float *residual = epilogue->has_residual ? call->inputs[CONV_RESIDUAL] : NULL;
    const InsideFunction inside_row = inside_function(x);
    const bool clamped = activation_is_clamp(epilogue->activation);
    DepthwiseRow row = {.args = args,
                        .in_row = y->dilation * x->in * VW,
                        .bias = args->bias + block * VW,
                        .mask = v_lane_mask(block == args->blocks - 1 ? args->last_lanes : VW)};
    activation_bounds(clamped ? epilogue->activation : (Activation){0}, &row.low, &row.high);
    for (int64_t r = first; r < end; r++) {
        const int64_t begin = r * y->stride - y->pad_begin, out = (plane * y->out + r) * x->out * VW;
        const WindowTaps taps = window_taps(y, begin, y->in);
        row.taps_y = taps.end - taps.first;
        row.in = in + (begin + taps.first * y->dilation) * x->in * VW;
        row.weights = args->weights + (block * y->kernel + taps.first) * x->kernel * VW;
        row.out = (float *)call->outputs[0] + out;
        row.before = residual && !epilogue->residual_last ? residual + out : NULL;
        border(&row, 0, args->inside_begin);
        inside_row(&row);
        border(&row, args->inside_end, x->out);
        if (!clamped || (residual && epilogue->residual_last))
            activate(&row, residual && epilogue->residual_last ? residual + out : NULL);
    }
}

const DepthwiseTable ISA(depthwise) = {.run = run};
