/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/math/fourier.h"

typedef struct Buffers {
    FftPlan plan;
    Complex *x, *work;
} Buffers;

static Status make_buffers(EvalContext *ctx, int64_t n, Buffers *buffers) {
    void *tables = NULL, *x = NULL, *work = NULL;
    TRY(eval_alloc(ctx, 1, (int64_t)fft_plan_bytes(n).n, &tables));
    TRY(eval_alloc(ctx, sizeof(Complex), fft_work_length(n), &x));
    TRY(eval_alloc(ctx, sizeof(Complex), fft_work_length(n), &work));
    *buffers = (Buffers){.x = x, .work = work};
    fft_plan_make(&buffers->plan, n, tables);
    return STRIDER_OK;
}

static Bytes scratch_of_length(int64_t n) {
    if (n < 1 || n > FFT_MAX_LENGTH)
        return (Bytes){0};
    const Bytes buffer = scratch_of(sizeof(Complex), fft_work_length(n));
    return bytes_sum(scratch_of(1, (int64_t)fft_plan_bytes(n).n), bytes_sum(buffer, buffer));
}

Bytes fourier_scratch_for(int64_t bins, bool onesided) {
    if (!onesided || bins > FFT_MAX_LENGTH)
        return scratch_of_length(bins);
    return bytes_larger(scratch_of_length(2 * bins - 2), scratch_of_length(2 * bins - 1));
}

static Complex load_number(const Tensor *x, int64_t index, int components) {
    return (Complex){tensor_get_f64(x, index * components),
                     components == 2 ? tensor_get_f64(x, index * components + 1) : 0};
}

/* Puts back the half of a spectrum that mirrors the other; what mirrors itself is real. */
static void complete_spectrum(Complex *x, int64_t n) {
    x[0].im = 0;
    if (n % 2 == 0)
        x[n / 2].im = 0;
    for (int64_t k = n / 2 + 1; k < n; k++)
        x[k] = (Complex){x[n - k].re, -x[n - k].im};
}

static void load_line(const FourierLines *lines, const Tensor *x, const Tensor *window, int64_t line,
                      Complex *to) {
    const int64_t base = fourier_offset(&lines->in, line), n = lines->n;
    for (int64_t i = 0; i < n; i++) {
        to[i] = i < lines->in_length ? load_number(x, base + i * lines->in.stride, lines->in.components)
                                     : (Complex){0, 0};
        if (window) {
            const double factor = tensor_get_f64(window, i);
            to[i] = (Complex){to[i].re * factor, to[i].im * factor};
        }
    }
    if (lines->half)
        complete_spectrum(to, n);
}

static void conjugate(Complex *x, int64_t n, double scale) {
    for (int64_t i = 0; i < n; i++)
        x[i] = (Complex){x[i].re * scale, -x[i].im * scale};
}

static void store_line(const FourierLines *lines, const Complex *x, int64_t line, Tensor *y) {
    const int64_t base = fourier_offset(&lines->out, line);
    for (int64_t k = 0; k < lines->out_length; k++) {
        const int64_t at = (base + k * lines->out.stride) * lines->out.components;
        tensor_set_f64(y, at, x[k].re);
        if (lines->out.components == 2)
            tensor_set_f64(y, at + 1, x[k].im);
    }
}

Status fourier_reference(EvalContext *ctx, const FourierLines *lines) {
    const Tensor *window = lines->window_port >= 0 ? eval_input(ctx, lines->window_port) : NULL;
    Buffers buffers;
    TRY(make_buffers(ctx, lines->n, &buffers));
    for (int64_t line = 0; line < lines->lines; line++) {
        load_line(lines, ctx->inputs[0], window, line, buffers.x);
        if (lines->inverse)
            conjugate(buffers.x, lines->n, 1);
        fft_forward(&buffers.plan, buffers.x, buffers.work);
        if (lines->inverse)
            conjugate(buffers.x, lines->n, 1 / (double)lines->n);
        store_line(lines, buffers.x, line, ctx->outputs[0]);
    }
    return STRIDER_OK;
}
