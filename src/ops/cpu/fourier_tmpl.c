/* SPDX-License-Identifier: Apache-2.0 */
/* Transforms of lines in float64, real and imaginary parts in planes of their own.  Several lines are
 * transformed at a time, one in each lane of a vector: number i of lane l lies at i * lanes + l.  Of one line
 * by itself a pass finds its vectors among neighbouring butterflies, as soon as the passes before have made
 * as many of them. */
#include "ops/cpu/fourier.h"
#include "ops/cpu/simd.h"

enum { VD = VW / 2 };

typedef double vd __attribute__((vector_size(STRIDER_WIDTH * 4), aligned(8), may_alias));

typedef struct Planes {
    double *re, *im;
} Planes;

/* One pass of one radix: see fft.c. */
typedef struct Stage {
    Planes from, to;
    int64_t from_step, to_step;
    const Complex *roots;
    int64_t radix_step; /* the radix's own root among them */
} Stage;

#define REAL vd
#define FFT(name) vector_##name
#include "ops/cpu/fft_butterfly.h"
#undef REAL
#undef FFT
#define REAL double
#define FFT(name) scalar_##name
#include "ops/cpu/fft_butterfly.h"
#undef REAL
#undef FFT

/* --- passes --- */

/* `done`: lanes times the radices before; `rest`: butterflies of different turns. */
INLINE void run_pass(const Stage *stage, const int radix, int64_t lanes, int64_t done, int64_t rest) {
    for (int64_t p = 0; p < rest; p++) {
        Complex turns[FFT_MAX_RADIX];
        for (int k = 0; k < radix; k++)
            turns[k] = stage->roots[done / lanes * p * k];
        const int64_t from = done * p, to = done * radix * p;
        int64_t i = 0;
        for (; i + VD <= done; i += VD)
            vector_step(stage, radix, from + i, to + i, turns);
        for (; i < done; i++)
            scalar_step(stage, radix, from + i, to + i, turns);
    }
}

static void swap(Planes *a, Planes *b) {
    const Planes kept = *a;
    *a = *b;
    *b = kept;
}

/* The result lies in `x`, which trades places with `work`. */
static void run_stages(const FftStages *stages, int64_t lanes, Planes *x, Planes *work) {
    int64_t done = lanes, rest = stages->n;
    for (int f = 0; f < stages->n_factors; f++) {
        const int radix = stages->factors[f];
        rest /= radix;
        const Stage stage = {*x, *work, done * rest, done, stages->roots, stages->n / radix};
        if (radix == 4)
            run_pass(&stage, 4, lanes, done, rest);
        else if (radix == 2)
            run_pass(&stage, 2, lanes, done, rest);
        else if (radix == 3)
            run_pass(&stage, 3, lanes, done, rest);
        else if (radix == 5)
            run_pass(&stage, 5, lanes, done, rest);
        else
            run_pass(&stage, radix, lanes, done, rest);
        done *= radix;
        swap(x, work);
    }
}

/* Number i of each lane times factors[i]. */
static void multiply(const Planes *x, const Complex *factors, int64_t count, int64_t lanes) {
    for (int64_t i = 0; i < count; i++)
        if (lanes == VD)
            vector_multiply(x, i * VD, factors[i]);
        else
            scalar_multiply(x, i, factors[i]);
}

static void swap_parts(Planes *x) {
    double *kept = x->re;
    x->re = x->im;
    x->im = kept;
}

static void convolve(const FftPlan *plan, int64_t lanes, Planes *x, Planes *work) {
    const int64_t n = plan->n, length = plan->stages.n;
    multiply(x, plan->chirp, n, lanes);
    const size_t rest_bytes = bytes_of(sizeof(double), length - n, lanes).n;
    memset(x->re + n * lanes, 0, rest_bytes);
    memset(x->im + n * lanes, 0, rest_bytes);
    run_stages(&plan->stages, lanes, x, work);
    multiply(x, plan->spectrum, length, lanes);
    swap_parts(x); /* the inverse is the transform of what has its parts swapped */
    swap_parts(work);
    run_stages(&plan->stages, lanes, x, work);
    swap_parts(x);
    swap_parts(work);
    multiply(x, plan->chirp, n, lanes);
    for (int64_t i = 0; i < n * lanes; i++) {
        x->re[i] /= (double)length;
        x->im[i] /= (double)length;
    }
}

static void transform(const FftPlan *plan, int64_t lanes, Planes *x, Planes *work) {
    if (plan->chirp)
        convolve(plan, lanes, x, work);
    else
        run_stages(&plan->stages, lanes, x, work);
}

/* --- loading and storing --- */

/* Lines [first, first + count) of a batch; the lanes without a line hold zeros. */
typedef struct Batch {
    const FourierArgs *args;
    int64_t first, count;
} Batch;

INLINE void load_lane(const Batch *batch, const float *x, const float *window, int64_t lane,
                      const Planes *to) {
    const FourierLines *lines = &batch->args->lines;
    const int64_t lanes = batch->args->lanes, step = lines->in.stride * lines->in.components;
    const float *from = x + fourier_offset(&lines->in, batch->first + lane) * lines->in.components;
    for (int64_t i = 0; i < lines->in_length; i++) {
        const double factor = window ? (double)window[i] : 1;
        to->re[i * lanes + lane] = (double)from[i * step] * factor;
        to->im[i * lanes + lane] = lines->in.components == 2 ? (double)from[i * step + 1] * factor : 0;
    }
}

INLINE void load_paired_lane(const Batch *batch, const float *x, const float *window, int64_t lane,
                             const Planes *to) {
    const FourierLines *lines = &batch->args->lines;
    const int64_t lanes = batch->args->lanes, step = lines->in.stride;
    const float *from = x + fourier_offset(&lines->in, batch->first + lane);
    for (int64_t i = 0; i < lines->in_length; i++) {
        const double factor = window ? (double)window[i] : 1;
        (i % 2 ? to->im : to->re)[i / 2 * lanes + lane] = (double)from[i * step] * factor;
    }
}

static void complete_spectrum(const FourierArgs *args, const Planes *x) {
    const int64_t n = args->lines.n, lanes = args->lanes;
    for (int64_t l = 0; l < lanes; l++) {
        x->im[l] = 0;
        if (n % 2 == 0)
            x->im[n / 2 * lanes + l] = 0;
    }
    for (int64_t k = n / 2 + 1; k < n; k++)
        for (int64_t l = 0; l < lanes; l++) {
            x->re[k * lanes + l] = x->re[(n - k) * lanes + l];
            x->im[k * lanes + l] = -x->im[(n - k) * lanes + l];
        }
}

static void load(const Batch *batch, const float *x, const float *window, const Planes *to) {
    const FourierArgs *args = batch->args;
    const FourierLines *lines = &args->lines;
    const size_t bytes = bytes_of(sizeof(double), args->plan.n, args->lanes).n;
    if (lines->in_length < lines->n || batch->count < args->lanes) {
        memset(to->re, 0, bytes);
        memset(to->im, 0, bytes);
    }
    for (int64_t lane = 0; lane < batch->count; lane++)
        if (args->paired)
            load_paired_lane(batch, x, window, lane, to);
        else
            load_lane(batch, x, window, lane, to);
    if (lines->half)
        complete_spectrum(args, to);
}

static void unpair(const FourierArgs *args, const Planes *from, const Planes *to) {
    const int64_t half = args->plan.n, lanes = args->lanes;
    for (int64_t k = 0; k <= half; k++) {
        const int64_t at = k % half * lanes, opposite = (half - k) % half * lanes;
        if (lanes == VD)
            vector_unpair(from, at, opposite, args->turns[k], to, k * lanes);
        else
            scalar_unpair(from, at, opposite, args->turns[k], to, k);
    }
}

static void store_lane(const Batch *batch, const Planes *x, int64_t lane, float *y) {
    const FourierLines *lines = &batch->args->lines;
    const int64_t lanes = batch->args->lanes, step = lines->out.stride * lines->out.components;
    const int64_t half = batch->args->paired ? lines->n / 2 : lines->n;
    const double scale = lines->inverse ? 1 / (double)lines->n : 1;
    float *to = y + fourier_offset(&lines->out, batch->first + lane) * lines->out.components;
    for (int64_t k = 0; k < lines->out_length; k++) {
        const int64_t at = (k <= half ? k : lines->n - k) * lanes + lane;
        to[k * step] = (float)(x->re[at] * scale);
        if (lines->out.components == 2)
            to[k * step + 1] = (float)((k <= half ? x->im[at] : -x->im[at]) * scale);
    }
}

/* --- lines --- */

static void run(const KernelCall *call, int64_t task) {
    const FourierArgs *args = call->args;
    const FourierLines *lines = &args->lines;
    const float *window = lines->window_port >= 0 ? call->inputs[lines->window_port] : NULL;
    const int64_t plane = fourier_plane(args), begin = task * args->lines_a_task,
                  end = i64_min(begin + args->lines_a_task, lines->lines);
    double *memory = call->scratch;
    for (int64_t line = begin; line < end; line += args->lanes) {
        const Batch batch = {args, line, i64_min(args->lanes, end - line)};
        Planes x = {memory, memory + plane}, work = {memory + 2 * plane, memory + 3 * plane};
        load(&batch, call->inputs[0], window, &x);
        if (lines->inverse) {
            swap_parts(&x);
            swap_parts(&work);
        }
        transform(&args->plan, args->lanes, &x, &work);
        if (lines->inverse)
            swap_parts(&x);
        if (args->paired) {
            unpair(args, &x, &work);
            swap(&x, &work);
        }
        for (int64_t lane = 0; lane < batch.count; lane++)
            store_lane(&batch, &x, lane, call->outputs[0]);
    }
}

const FourierTable TARGET(fourier) = {run, VD};
