/* SPDX-License-Identifier: Apache-2.0 */
/* Winograd's convolution along rows only, for the first layer: plain input of a few channels.
 *
 * There a transform in both dimensions would cost more than the products that it saves, as each input serves
 * few. Along rows it is cheap: four pixels of a row by a kernel of r taps take r + 3 products instead of 4 r,
 * for each of the kernel's rows and each channel.  A stride s splits the row into s phases, pixels that lie s
 * apart, each of which meets every s-th tap: a 7 x 7 kernel with stride 2 has phases of four and three taps,
 * 7 + 6 frequencies for four pixels where direct sums take 28 products.
 *
 * A task computes a row tile.  It transforms the input rows that it sees into its scratch
 * memory; then, for some output blocks, the register tiles of direct convolution sum over channels and kernel
 * rows at each frequency, tiles of four pixels in place of pixels; the inverse transform, the epilogue
 * and the store follow.  Weights are transformed when they are packed, as they are few.
 *
 * The transforms are those of winograd_tmpl.c in one dimension. */
#include "ops/cpu/conv/winograd_rows.h"

#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "ops/cpu/conv/query.h"
#include "ops/cpu/conv/tile.h"
#include "ops/cpu/conv/winograd_image.h"
#include "ops/cpu/cpu.h"
#include "ops/kernel.h"

enum { MIN_TASKS = 16, ROW_TILE_BYTES = 256 * 1024, L1_BYTES = 32 * 1024 };

#define TRANSFORM_COST 8.0 /* of a weight that is packed, beside one that is only moved */

typedef struct Phase {
    int taps, n;                                /* n frequencies */
    int first;                                  /* of its frequencies among all */
    int64_t first_tap;                          /* of the kernel's row; the others follow a stride apart */
    float input[ROWS_MAX_N * ROWS_MAX_N];       /* B', rows of n */
    double weights[ROWS_MAX_N * ROWS_MAX_TAPS]; /* G, rows of `taps` */
} Phase;

typedef struct Phases {
    Phase of[ROWS_MAX_PHASES];
    RowsOutput output[ROWS_MAX_PHASES];
    int count, frequencies;
} Phases;

typedef struct RowsArgs {
    ConvPack pack;
    const WinogradRows *rows;
    const ConvTiles *tiles;
    Epilogue epilogue;
    Phases phases;
    WindowDim y, x;
    int64_t batch, channels, out_channels, out_blocks, n_runs;
    int width, count;                        /* output blocks of a run */
    int64_t tiles_a_row;                     /* tiles of four pixels in an output row */
    int64_t columns;                         /* of transformed rows: the same, in whole vectors */
    int64_t rows_a_tile, row_tiles, in_rows; /* rows of the output and, at most, of the input in a row tile */
    ConvTap *taps;                           /* the kernel's rows */
} RowsArgs;

/* --- the matrices --- */

/* The finite points of interpolation for a phase of `taps` taps, in the order of RowsOutput; infinity is one
 * more.  Found by trying: the error stays that of direct sums. */
static int points_of(int taps, double points[ROWS_MAX_N]) {
    static const double known[ROWS_MAX_TAPS + 1][ROWS_MAX_N] = {
        [2] = {0.5, -0.5, 1.2, -1.2},
        [3] = {0.8, -0.8, 1.3, -1.3, 0},
        [4] = {0.4, -0.4, 0.9, -0.9, 1.5, -1.5},
    };
    const int count = ROWS_OUT + taps - 2;
    memcpy(points, known[taps], (size_t)count * sizeof *points);
    return count;
}

static void multiply_linear(double *polynomial, int degree, double root) {
    polynomial[degree + 1] = polynomial[degree];
    for (int i = degree; i > 0; i--)
        polynomial[i] = polynomial[i - 1] - root * polynomial[i];
    polynomial[0] *= -root;
}

/* The row of G that belongs to a point, or to infinity where it is none. */
static void set_weights_row(Phase *phase, int f, const double *point, double divisor) {
    double power = 1;
    for (int k = 0; k < phase->taps; k++) {
        const bool last = k == phase->taps - 1;
        phase->weights[f * phase->taps + k] = point ? power / divisor : last ? 1 : 0;
        power *= point ? *point : 1;
    }
}

static void set_input_row(Phase *phase, int f, const double *coefficients) {
    for (int e = 0; e < phase->n; e++)
        phase->input[f * phase->n + e] = (float)coefficients[e];
}

static void set_output(RowsOutput *output, const double *points, int n_points) {
    *output = (RowsOutput){.pairs = n_points / 2, .zero = n_points % 2 == 1};
    for (int i = 0; i < output->pairs; i++) {
        double power = 1;
        for (int k = 0; k < ROWS_OUT; k++, power *= points[2 * i])
            output->powers[i][k] = (float)power;
    }
}

static void make_phase(Phase *phase, RowsOutput *output) {
    if (phase->taps == 1) { /* its four pixels, as they are */
        for (int f = 0; f < ROWS_OUT; f++) {
            phase->input[f * ROWS_OUT + f] = 1;
            phase->weights[f] = 1;
        }
        return;
    }
    double points[ROWS_MAX_N];
    const int n_points = points_of(phase->taps, points);
    set_output(output, points, n_points);
    for (int f = 0; f <= n_points; f++) {
        double rest[ROWS_MAX_N + 1] = {1}, divisor = 1; /* the product of x - p over all other points */
        for (int i = 0, degree = 0; i < n_points; i++)
            if (i != f) {
                multiply_linear(rest, degree++, points[i]);
                divisor *= f < n_points ? points[f] - points[i] : 1;
            }
        set_input_row(phase, f, rest);
        set_weights_row(phase, f, f < n_points ? &points[f] : NULL, divisor);
    }
}

/* False where a phase has more taps than there are matrices for. */
static bool make_phases(const WindowDim *x, Phases *phases) {
    *phases = (Phases){0};
    if (x->stride > ROWS_MAX_PHASES || ceil_div(x->kernel, x->stride) > ROWS_MAX_TAPS)
        return false;
    for (int64_t tap = 0; tap < i64_min(x->stride, x->kernel); tap++) {
        Phase *phase = &phases->of[phases->count];
        phase->first_tap = tap;
        phase->taps = (int)ceil_div(x->kernel - tap, x->stride);
        phase->n = ROWS_OUT + phase->taps - 1;
        phase->first = phases->frequencies;
        phases->frequencies += phase->n;
        make_phase(phase, &phases->output[phases->count++]);
    }
    return true;
}

/* --- input --- */

/* Every `step`-th pixel of an input row from `at` on, zeros where there is none. */
static void gather_column(const RowsArgs *args, const float *row, int64_t at, int64_t step, int64_t count,
                          float *to) {
    const int64_t begin = i64_min(at < 0 ? ceil_div(-at, step) : 0, count);
    const int64_t there = at + begin * step < args->x.in ? ceil_div(args->x.in - at - begin * step, step) : 0;
    const int64_t n = i64_min(there, count - begin);
    memset(to, 0, (size_t)begin * sizeof *to);
    args->tiles->gather(row + at + begin * step, step, n, to + begin);
    memset(to + begin + n, 0, (size_t)(count - begin - n) * sizeof *to);
}

/* Pixel e of all tiles in a row is every fourth pixel of a phase; from the fifth on it is an earlier one of
 * the next tile. */
static void transform_row(const RowsArgs *args, const float *row, float *columns, float *to) {
    const int64_t stride = args->x.stride, column_floats = args->columns + args->width;
    for (int p = 0; p < args->phases.count; p++) {
        const Phase *phase = &args->phases.of[p];
        const float *of_tile[ROWS_MAX_N];
        for (int e = 0; e < phase->n; e++) {
            float *column = columns + e % ROWS_OUT * column_floats;
            of_tile[e] = column + e / ROWS_OUT;
            if (e < ROWS_OUT)
                gather_column(args, row, phase->first_tap - args->x.pad_begin + e * stride, ROWS_OUT * stride,
                              column_floats, column);
        }
        args->rows->input(phase->input, phase->n, of_tile, args->columns, to + phase->first * args->columns,
                          args->columns);
    }
}

/* The row tile's input rows: [channel][row][frequency][tile]. */
static void transform_row_tile(const RowsArgs *args, const float *image, int64_t first_row, int64_t n_rows,
                               float *columns, float *to) {
    const int64_t row_floats = args->phases.frequencies * args->columns;
    for (int64_t c = 0; c < args->channels; c++)
        for (int64_t r = 0; r < n_rows; r++) {
            const int64_t y = first_row + r;
            float *row = to + (c * args->in_rows + r) * row_floats;
            if (y < 0 || y >= args->y.in)
                memset(row, 0, (size_t)row_floats * sizeof *row);
            else
                transform_row(args, image + (c * args->y.in + y) * args->x.in, columns, row);
        }
}

/* --- products --- */

static int run_blocks(const RowsArgs *args, int64_t run) {
    return (int)i64_min(args->count, args->out_blocks - run * args->count);
}

static int64_t frequency_weights(const RowsArgs *args, int blocks) {
    return count_of(args->channels, args->y.kernel, blocks, args->width);
}

/* Tiles [begin, begin + n) of a row for a run of output blocks; the scratch memory for sums is
 * [frequency][block][tile]. */
static void run_tiles(const RowsArgs *args, const ConvPacked *packed, int64_t run, const float *in,
                      int64_t begin, int64_t n, float *sums, float *out, const float *residual) {
    const int blocks = run_blocks(args, run), width = args->width, frequencies = args->phases.frequencies;
    const int64_t sums_stride = blocks * n * width, block_floats = args->y.out * args->x.out * width;
    ConvTile tile = {.in_block_stride = args->in_rows * frequencies * args->columns,
                     .n_in_blocks = args->channels,
                     .sum_blocks = tile_sum_blocks(args->y.kernel),
                     .block_channels = 1,
                     .tail_channels = 1,
                     .taps = args->taps,
                     .n_taps = args->y.kernel,
                     .all_taps = args->y.kernel,
                     .out_block_stride = n * width,
                     .out_pixel_stride = width};
    const float *weights = packed->weights + frequencies * frequency_weights(args, args->count) * run;
    for (int f = 0; f < frequencies; f++) {
        tile.in = in + f * args->columns + begin;
        tile.weights = weights + f * frequency_weights(args, blocks);
        tile.out = sums + f * sums_stride;
        args->tiles->plain[blocks][n](&tile);
    }
    for (int o = 0; o < blocks; o++) {
        const int64_t block = run * args->count + o;
        const int64_t pixel = begin * ROWS_OUT, at = block * block_floats + pixel * width;
        const WinogradStore store = {.out = out + at,
                                     .residual = residual ? residual + at : NULL,
                                     .bias = packed->bias + block * width,
                                     .epilogue = &args->epilogue,
                                     .row_stride = width,
                                     .channels = (int)i64_min(width, args->out_channels - block * width)};
        args->rows->output(args->phases.output, args->phases.count, sums + o * n * width, sums_stride,
                           i64_min(n * ROWS_OUT, args->x.out - pixel), &store);
    }
}

static void run(const KernelCall *call, int64_t task) {
    const RowsArgs *args = call->args;
    const int64_t image = task / args->row_tiles, first = task % args->row_tiles * args->rows_a_tile;
    const int64_t rows = i64_min(args->rows_a_tile, args->y.out - first), width = args->width;
    const int64_t in_rows = (rows - 1) * args->y.stride + (args->y.kernel - 1) * args->y.dilation + 1;
    const int64_t row_floats = args->phases.frequencies * args->columns;
    const int64_t out_image = image * args->out_blocks * args->y.out * args->x.out * width;
    float *columns = call->scratch, *in = columns + ROWS_OUT * (args->columns + width);
    float *sums = in + args->channels * args->in_rows * row_floats;
    const float *residual = cpu_residual(call, &args->epilogue);
    transform_row_tile(args,
                       (const float *)call->inputs[CONV_X] + image * args->channels * args->y.in * args->x.in,
                       first * args->y.stride - args->y.pad_begin, in_rows, columns, in);
    const int64_t n = tile_count(args->tiles, args->tiles_a_row, args->count);
    const ConvPacked packed = conv_packed(&args->pack, call);
    for (int64_t r = 0; r < rows; r++) {
        const int64_t at = out_image + (first + r) * args->x.out * width;
        for (int64_t run = 0; run < args->n_runs; run++)
            for (int64_t i = 0; i < n; i++) {
                const int64_t begin = i * args->tiles_a_row / n, end = (i + 1) * args->tiles_a_row / n;
                run_tiles(args, &packed, run, in + r * args->y.stride * row_floats, begin, end - begin, sums,
                          (float *)call->outputs[0] + at, residual ? residual + at : NULL);
            }
    }
}

/* --- preparing --- */

typedef struct Packing {
    const RowsArgs *args;
    const float *scales; /* may be NULL */
} Packing;

/* Weights of one frequency and output channel, in the order of a run: [channel][kernel row][block][lane]. */
static void pack_channel(const Packing *packing, const char *weights, const Phase *phase, int f, int64_t m,
                         int blocks, float *to) {
    const RowsArgs *args = packing->args;
    const int64_t rows = args->channels * args->y.kernel, kernel = args->x.kernel;
    const double scale = packing->scales ? (double)packing->scales[m] : 1;
    for (int64_t r = 0; r < rows; r++) {
        double sum = 0;
        for (int k = 0; k < phase->taps; k++) {
            const int64_t tap = phase->first_tap + k * args->x.stride;
            float value; /* at any alignment */
            memcpy(&value, weights + (size_t)((m * rows + r) * kernel + tap) * sizeof value, sizeof value);
            sum += phase->weights[f * phase->taps + k] * (double)value;
        }
        to[r * blocks * args->width] = (float)(sum * scale);
    }
}

static void fill_run(const void *context, const void *weights, int64_t run, int64_t chunk, float *to) {
    (void)chunk;
    const Packing *packing = context;
    const RowsArgs *args = packing->args;
    const int blocks = run_blocks(args, run);
    const int64_t first = run * args->count * args->width,
                  channels = i64_min(blocks * args->width, args->out_channels - first),
                  floats = frequency_weights(args, blocks);
    to += run * args->phases.frequencies * frequency_weights(args, args->count);
    memset(to, 0, (size_t)(args->phases.frequencies * floats) * sizeof *to);
    for (int p = 0; p < args->phases.count; p++)
        for (int f = 0; f < args->phases.of[p].n; f++, to += floats)
            for (int64_t c = 0; c < channels; c++)
                pack_channel(packing, weights, &args->phases.of[p], f, first + c, blocks, to + c);
}

static Bytes packed_bytes(const RowsArgs *args) {
    return bytes_of(sizeof(float), args->phases.frequencies, frequency_weights(args, (int)args->out_blocks));
}

static Bytes run_bytes(const KernelQuery *query, const RowsArgs *args) {
    return query->inputs[CONV_W].constant ? (Bytes){0} : packed_bytes(args);
}

static Status pack_weights(const KernelQuery *query, RowsArgs *args, PrepareContext *ctx) {
    Packing *packing;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *packing, 1), &packing));
    packing->args = args;
    TRY(conv_scales(query, args->out_channels, ctx, &packing->scales));
    char key[112];
    snprintf(key, sizeof key, "conv rows %d %d %lld %p", args->width, args->count, (long long)args->x.stride,
             (const void *)conv_scale(query));
    const ConvFill fill = {.fill = fill_run,
                           .context = packing,
                           .runs = args->n_runs,
                           .chunks = 1,
                           .run_channels = args->count * args->width};
    return conv_pack(query, &fill, key, packed_bytes(args), ctx, &args->pack);
}

/* Output blocks of a run: no more than whose weights and sums stay in L1. */
static int choose_count(const RowsArgs *args) {
    int count = tile_choose_blocks(args->tiles, args->tiles_a_row, args->out_blocks);
    for (; count > 1; count--) {
        const int64_t tiles = i64_min(args->tiles_a_row, args->tiles->max_pixels[count]);
        const int64_t vectors =
            i64_product(count, i64_sum(i64_product(args->channels, args->y.kernel), tiles));
        if (count_of(args->phases.frequencies, vectors, args->width, sizeof(float)) <= L1_BYTES)
            break;
    }
    return count;
}

static RowsArgs split_work(const KernelQuery *query) {
    const ConvGeometry g = conv_query_geometry(query);
    RowsArgs args = {.rows = winograd_rows_for(query->target),
                     .tiles = conv_tiles_for(query->target),
                     .y = g.dims[0],
                     .x = g.dims[1],
                     .batch = g.batch,
                     .channels = g.in_channels,
                     .out_channels = g.out_channels,
                     .out_blocks = ceil_div(g.out_channels, query->width),
                     .width = query->width,
                     .tiles_a_row = ceil_div(g.dims[1].out, ROWS_OUT)};
    make_phases(&args.x, &args.phases);
    args.count = choose_count(&args);
    args.n_runs = ceil_div(args.out_blocks, args.count);
    args.columns = ceil_div(args.tiles_a_row, args.width) * args.width;
    const int64_t in_bytes =
        count_of(args.channels, args.y.stride, args.phases.frequencies, args.columns, sizeof(float));
    const int64_t balanced = ceil_div(i64_product(args.y.out, args.batch), MIN_TASKS);
    args.rows_a_tile = i64_min(i64_max(i64_min(ROW_TILE_BYTES / in_bytes, balanced), 1), args.y.out);
    args.row_tiles = ceil_div(args.y.out, args.rows_a_tile);
    args.in_rows = i64_sum(i64_product(args.rows_a_tile - 1, args.y.stride),
                           i64_sum(i64_product(args.y.kernel - 1, args.y.dilation), 1));
    return args;
}

static Bytes task_scratch(const RowsArgs *args) {
    const int64_t columns = count_of(ROWS_OUT, i64_sum(args->columns, args->width)),
                  in = count_of(args->channels, args->in_rows, args->phases.frequencies, args->columns),
                  sums = count_of(args->phases.frequencies, args->count, args->tiles->max_pixels[args->count],
                                  args->width);
    return bytes_of(sizeof(float), i64_sum(columns, i64_sum(in, sums)));
}

static Status rows_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    RowsArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    *args = split_work(query);
    conv_epilogue(query->node, &args->epilogue);
    args->taps = region_alloc_array(ctx->region, (size_t)args->y.kernel, sizeof *args->taps);
    if (!args->taps)
        return fail_memory(ctx->err, bytes_of(sizeof *args->taps, args->y.kernel).n, "the plan");
    for (int64_t i = 0; i < args->y.kernel; i++)
        args->taps[i] = (ConvTap){count_of(i, args->y.dilation, args->phases.frequencies, args->columns), i};
    TRY(pack_weights(query, args, ctx));
    TRY(conv_pack_bias(query, args->out_channels, ctx, &args->pack));
    instance->scratch_bytes = task_scratch(args);
    instance->run = run;
    instance->args = args;
    instance->tasks = i64_product(args->batch, args->row_tiles);
    conv_pack_finish(&args->pack, instance);
    return STRIDER_OK;
}

static bool rows_accepts(KernelQuery *query) {
    const ConvAttrs *attrs = query->node->attrs;
    if (query->inputs[CONV_X].type.shape.rank != 4 || query->inputs[CONV_X].layout.kind != LAYOUT_PLAIN ||
        attrs->group != 1 || query->inputs[CONV_X].type.shape.dims[1] > query->width ||
        !conv_accepts_blocked(query, layout_plain()))
        return false;
    const WindowDim x = conv_query_geometry(query).dims[1];
    Phases phases;
    if (x.dilation != 1 || x.kernel <= 1 || x.kernel < x.stride || !make_phases(&x, &phases))
        return false;
    const RowsArgs args = split_work(query);
    return cpu_in_proportion(query, task_scratch(&args), run_bytes(query, &args));
}

/* Nanoseconds on the machine of conv_direct's model of costs. */
static double rows_cost(const KernelQuery *query) {
    const RowsArgs args = split_work(query);
    const double n = (double)tile_count(args.tiles, args.tiles_a_row, args.count),
                 pixels = (double)args.tiles_a_row / n, f = args.phases.frequencies;
    const double terms = (double)(args.channels * args.y.kernel), rows = (double)(args.batch * args.y.out);
    const double products = rows * f * n * (double)args.out_blocks / args.count *
                            (terms * tile_cycles(args.count, pixels) + tile_call_cycles(args.count, pixels));
    const double output = rows * (double)(args.tiles_a_row * args.out_blocks) * (4.5 * f + 20);
    const double input = (double)(args.batch * args.row_tiles * args.in_rows * args.channels) *
                         (double)args.columns / args.width * (8 * f + 60);
    const double pixels_out = rows * (double)(args.x.out * args.out_blocks * args.width);
    return 3000 + TRANSFORM_COST * conv_pack_cost(run_bytes(query, &args)) + WINOGRAD_PIXEL_NS * pixels_out +
           (products + output + input) * query->width / 56.0;
}

const Kernel kernel_conv_winograd_rows = {.name = "conv_winograd_rows",
                                          .op = OP_Conv,
                                          .accepts = rows_accepts,
                                          .cost = rows_cost,
                                          .tuning_key = conv_tuning_key,
                                          .prepare = rows_prepare,
                                          .peak_error = 2e-6};
