/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution: a tile of pixels of one block in registers, over the taps of its window.  Rows and
 * depths of the window outside the input are left out; columns outside, which only windows at a row's ends
 * have, read as zeros in the usual windows and are left out in all others. */
#include "ops/cpu/conv/depthwise.h"
#include "ops/cpu/epilogue_simd.h"

/* Pixels of a tile: as many as there are registers for; each weight is loaded once for all. */
enum { TILE_PIXELS = STRIDER_WIDTH == 16 ? 14 : 8 };

/* One row of outputs. */
typedef struct DepthwiseRow {
    const DepthwiseArgs *args;
    const float *in;        /* the first of its windows' rows that lies inside, at column 0 */
    const float *weights;   /* of that row */
    int64_t taps_z, taps_y; /* window depths and rows inside */
    int64_t in_plane, in_row, weights_plane; /* floats from one to the next */
    const float *bias;
    float *out;
    VectorEpilogue epilogue;
    vi mask;
} DepthwiseRow;

INLINE void store(const DepthwiseRow *row, int64_t x, const int pixels, const vf *acc) {
    const VectorEpilogue epilogue = row->epilogue; /* what is stored cannot be part of these */
    const vf bias = v_load(row->bias);
    const vi mask = row->mask;
    float *out = row->out;
#pragma GCC unroll 14
    for (int p = 0; p < pixels; p++) {
        const int64_t at = (x + p) * VW;
        v_store(out + at, (vf)((vi)epilogue_first(&epilogue, acc[p] + bias, at, VW) & mask));
    }
}

/* `pixels` outputs from x on, taps [begin, end) of each window row. */
INLINE void tile(const DepthwiseRow *row, int64_t x, const int pixels, int64_t begin, int64_t end) {
    const DepthwiseArgs *args = row->args;
    const int64_t step = args->x.stride * VW, spread = args->x.dilation * VW;
    const float *plane = row->in + (x * args->x.stride - args->x.pad_begin) * VW;
    const float *plane_weights = row->weights;
    vf acc[TILE_PIXELS];
#pragma GCC unroll 8
    for (int p = 0; p < pixels; p++)
        acc[p] = v_zero();
    for (int64_t k = 0; k < row->taps_z; k++, plane += row->in_plane, plane_weights += row->weights_plane) {
        const float *in = plane, *weights = plane_weights;
        for (int64_t i = 0; i < row->taps_y; i++, in += row->in_row, weights += args->x.kernel * VW)
            for (int64_t j = begin; j < end; j++) {
                const vf w = v_load(weights + j * VW);
#pragma GCC unroll 8
                for (int p = 0; p < pixels; p++)
                    acc[p] += w * v_load(in + p * step + j * spread);
            }
    }
    store(row, x, pixels, acc);
}

/* The same for windows whose size and stride are constants, and which may extend beyond the row's ends by up
 * to half their size: only the pixels that can are asked whether they do, and read zeros there. */
INLINE void edge_tile(const DepthwiseRow *row, int64_t x, const int pixels, const int kernel,
                      const int stride) {
    static const float zeros[VW];
    const DepthwiseArgs *args = row->args;
    const int64_t first = x * stride - args->x.pad_begin, width = args->x.in;
    const float *plane = row->in + first * VW;
    const float *plane_weights = row->weights;
    vf acc[TILE_PIXELS];
#pragma GCC unroll 14
    for (int p = 0; p < pixels; p++)
        acc[p] = v_zero();
    for (int64_t k = 0; k < row->taps_z; k++, plane += row->in_plane, plane_weights += row->weights_plane) {
        const float *in = plane, *weights = plane_weights;
        for (int64_t i = 0; i < row->taps_y; i++, in += row->in_row, weights += kernel * VW)
#pragma GCC unroll 5
            for (int j = 0; j < kernel; j++) {
                const vf w = v_load(weights + j * VW);
#pragma GCC unroll 14
                for (int p = 0; p < pixels; p++) {
                    const int at = p * stride + j, last = (pixels - 1) * stride + kernel - 1;
                    const float *from = in + at * VW;
                    if (at < kernel / 2)
                        from = first + at < 0 ? zeros : from;
                    if (last - at < kernel / 2)
                        from = first + at >= width ? zeros : from;
                    acc[p] += w * v_load(from);
                }
            }
    }
    store(row, x, pixels, acc);
}

typedef void (*TileFunction)(const DepthwiseRow *row, int64_t x);

#define TILE(KERNEL, STRIDE, PIXELS)                                                                         \
    static void tile_##KERNEL##_##STRIDE##_##PIXELS(const DepthwiseRow *row, int64_t x) {                    \
        edge_tile(row, x, PIXELS, KERNEL, STRIDE);                                                           \
    }
#define ENTRY(KERNEL, STRIDE, PIXELS) [PIXELS] = tile_##KERNEL##_##STRIDE##_##PIXELS,

#if STRIDER_WIDTH == 16
#define FOR_PIXELS(DO, KERNEL, STRIDE)                                                                       \
    FEW_PIXELS(DO, KERNEL, STRIDE)                                                                           \
    DO(KERNEL, STRIDE, 9)                                                                                    \
    DO(KERNEL, STRIDE, 10)                                                                                   \
    DO(KERNEL, STRIDE, 11)                                                                                   \
    DO(KERNEL, STRIDE, 12)                                                                                   \
    DO(KERNEL, STRIDE, 13)                                                                                   \
    DO(KERNEL, STRIDE, 14)
#else
#define FOR_PIXELS FEW_PIXELS
#endif
#define FEW_PIXELS(DO, KERNEL, STRIDE)                                                                       \
    DO(KERNEL, STRIDE, 1)                                                                                    \
    DO(KERNEL, STRIDE, 2)                                                                                    \
    DO(KERNEL, STRIDE, 3)                                                                                    \
    DO(KERNEL, STRIDE, 4)                                                                                    \
    DO(KERNEL, STRIDE, 5)                                                                                    \
    DO(KERNEL, STRIDE, 6)                                                                                    \
    DO(KERNEL, STRIDE, 7)                                                                                    \
    DO(KERNEL, STRIDE, 8)

FOR_PIXELS(TILE, 3, 1)
FOR_PIXELS(TILE, 3, 2)
FOR_PIXELS(TILE, 5, 1)
FOR_PIXELS(TILE, 5, 2)

static const TileFunction tiles[2][2][TILE_PIXELS + 1] = {
    {{FOR_PIXELS(ENTRY, 3, 1)}, {FOR_PIXELS(ENTRY, 3, 2)}},
    {{FOR_PIXELS(ENTRY, 5, 1)}, {FOR_PIXELS(ENTRY, 5, 2)}}};

/* The tiles for a window, or NULL: 3 or 5 wide, and its padding at most what tiles look after. */
static const TileFunction *tiles_for(const WindowDim *x) {
    const int64_t max_pad = x->kernel / 2,
                  pad_after = (x->out - 1) * x->stride + x->kernel - x->pad_begin - x->in;
    if (x->dilation != 1 || x->stride > 2 || (x->kernel != 3 && x->kernel != 5) || x->pad_begin < 0 ||
        x->pad_begin > max_pad || pad_after > max_pad)
        return NULL;
    return tiles[x->kernel == 5][x->stride - 1];
}

/* A row by tiles of about equal size. */
static void run_tiles(const DepthwiseRow *row, const TileFunction *functions) {
    const int64_t out = row->args->x.out, n = (out + TILE_PIXELS - 1) / TILE_PIXELS;
    for (int64_t i = 0; i < n; i++) {
        const int64_t begin = i * out / n, end = (i + 1) * out / n;
        functions[end - begin](row, begin);
    }
}

/* Any other window. */
static void run_any(const DepthwiseRow *row) {
    enum { PIXELS = 8 };
    const WindowDim *x = &row->args->x;
    int64_t at = 0;
    while (at < x->out) {
        if (at >= row->args->inside_begin && at + PIXELS <= row->args->inside_end) {
            tile(row, at, PIXELS, 0, x->kernel);
            at += PIXELS;
        } else {
            const WindowTaps taps = window_taps(x, at * x->stride - x->pad_begin, x->in);
            tile(row, at, 1, taps.first, taps.end);
            at++;
        }
    }
}

/* The second phase of a row. */
static void activate(const DepthwiseRow *row) {
    for (int64_t x = 0; x < row->args->x.out; x++) {
        const vf value = epilogue_second(&row->epilogue, v_load(row->out + x * VW), x * VW, VW);
        v_store(row->out + x * VW, (vf)((vi)value & row->mask));
    }
}

static void run(const KernelCall *call, int64_t task) {
    const DepthwiseArgs *args = call->args;
    const WindowDim *z = &args->z, *y = &args->y, *x = &args->x;
    const int64_t volume = task / args->row_tiles, block = volume % args->blocks, rows = z->out * y->out;
    const int64_t first = task % args->row_tiles * args->rows_a_tile;
    const int64_t end = first + args->rows_a_tile < rows ? first + args->rows_a_tile : rows;
    const float *in = (const float *)call->inputs[0] + volume * z->in * y->in * x->in * VW;
    const float *residual = cpu_residual(call, &args->epilogue);
    const TileFunction *functions = tiles_for(x);
    const ConvPacked packed = conv_packed(&args->pack, call);
    DepthwiseRow row = {.args = args,
                        .in_plane = z->dilation * y->in * x->in * VW,
                        .in_row = y->dilation * x->in * VW,
                        .weights_plane = y->kernel * x->kernel * VW,
                        .bias = packed.bias + block * VW,
                        .mask = v_lane_mask(block == args->blocks - 1 ? args->tail_channels : VW)};
    for (int64_t r = first; r < end; r++) {
        const int64_t begin_z = r / y->out * z->stride - z->pad_begin,
                      begin_y = r % y->out * y->stride - y->pad_begin,
                      out = (volume * rows + r) * x->out * VW;
        const WindowTaps taps_z = window_taps(z, begin_z, z->in), taps_y = window_taps(y, begin_y, y->in);
        row.taps_z = taps_z.end - taps_z.first;
        row.taps_y = taps_y.end - taps_y.first;
        row.in =
            in + ((begin_z + taps_z.first * z->dilation) * y->in + begin_y + taps_y.first * y->dilation) *
                     x->in * VW;
        row.weights =
            packed.weights + ((block * z->kernel + taps_z.first) * y->kernel + taps_y.first) * x->kernel * VW;
        row.out = (float *)call->outputs[0] + out;
        row.epilogue = vector_epilogue(&args->epilogue, residual ? residual + out : NULL);
        if (functions)
            run_tiles(&row, functions);
        else
            run_any(&row);
        if (row.epilogue.is_activated)
            activate(&row);
    }
}

const DepthwiseTable TARGET(depthwise) = {.run = run};
