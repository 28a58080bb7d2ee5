/* SPDX-License-Identifier: Apache-2.0 */
/* DFT and STFT of float32, computed in float64. */
#include "ops/cpu/fourier.h"

#include <math.h>

enum {
    TASK_NUMBERS = 16 * 1024, /* that a task transforms at least */
    BATCH_NUMBERS = 16 * 1024 /* that are transformed at a time at most, in two buffers that stay in L2 */
};

static bool accepts_plain(KernelQuery *query) {
    for (int i = 0; i < query->n_inputs; i++)
        query->inputs[i].layout = layout_plain();
    query->outputs[0].layout = layout_plain();
    return cpu_is_f32(query, 0) && shape_elements(&query->outputs[0].type.shape) > 0;
}

static double cost_of_lines(const FourierLines *lines) {
    const double n = (double)fft_work_length(lines->n),
                 passes = fft_work_length(lines->n) == lines->n ? 1 : 3;
    return (double)lines->lines * n * (1 + 0.4 * passes * log2(n + 1)) +
           cpu_memory_cost(8 * (double)lines->lines * (double)(lines->in_length + lines->out_length));
}

static bool in_proportion(const KernelQuery *query, const FourierLines *lines) {
    const int64_t plane = i64_max(fft_work_length(lines->n), BATCH_NUMBERS);
    return cpu_in_proportion(query, bytes_of(sizeof(double), 4, plane), fft_plan_bytes(lines->n));
}

static Status pair(FourierArgs *args, PrepareContext *ctx) {
    const int64_t n = args->lines.n;
    Complex *turns = NULL;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *turns, n / 2 + 1), &turns));
    for (int64_t k = 0; k <= n / 2; k++)
        turns[k] = fft_root(k, n);
    args->turns = turns;
    return STRIDER_OK;
}

static Status prepare_lines(const KernelQuery *query, const FourierLines *lines, PrepareContext *ctx,
                            KernelInstance *instance) {
    const FourierTable *table = fourier_for(query->target);
    FourierArgs *args = NULL;
    void *tables = NULL;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    args->lines = *lines;
    args->paired = lines->n % 2 == 0 && lines->in.components == 1 && !lines->inverse;
    const int64_t n = args->paired ? lines->n / 2 : lines->n;
    if (args->paired)
        TRY(pair(args, ctx));
    TRY(cpu_alloc_args(ctx, fft_plan_bytes(n), &tables));
    fft_plan_make(&args->plan, n, tables);
    const int64_t batch = i64_product(args->plan.stages.n, table->lanes);
    args->lanes = batch <= BATCH_NUMBERS && 2 * lines->lines >= table->lanes ? table->lanes : 1;
    args->lines_a_task = args->lanes * i64_max(TASK_NUMBERS / (args->plan.stages.n * args->lanes), 1);
    instance->args = args;
    instance->run = table->run;
    instance->tasks = ceil_div(lines->lines, args->lines_a_task);
    instance->scratch_bytes = bytes_of(sizeof(double), 4, fourier_plane(args));
    return STRIDER_OK;
}

/* --- DFT --- */

/* False where the length or the axis is known in a run alone. */
static bool dft_known(const KernelQuery *query, FourierLines *lines) {
    const DftAttrs *attrs = query->node->attrs;
    const Shape *x = &query->inputs[0].type.shape, *y = &query->outputs[0].type.shape;
    int axis;
    if (!cpu_optional_contents(query, 1) || !cpu_optional_contents(query, 2) ||
        dft_axis(query->node, cpu_input_contents(query, 2), x->rank, &axis))
        return false;
    const Tensor *stated = cpu_input_contents(query, 1);
    const bool inverse_of_real = attrs->onesided && attrs->inverse;
    const int64_t n = stated ? tensor_get_i64(stated, 0) : inverse_of_real ? y->dims[axis] : x->dims[axis];
    *lines = dft_lines(attrs, axis, n, x, y);
    return true;
}

static bool dft_accepts(KernelQuery *query) {
    FourierLines lines;
    return accepts_plain(query) && dft_known(query, &lines) && in_proportion(query, &lines);
}

static double dft_cost(const KernelQuery *query) {
    FourierLines lines;
    return dft_known(query, &lines) ? cost_of_lines(&lines) : INFINITY;
}

static Status dft_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    FourierLines lines;
    (void)dft_known(query, &lines);
    return prepare_lines(query, &lines, ctx, instance);
}

const Kernel kernel_dft = {
    .name = "dft",
    .op = OP_DFT,
    .accepts = dft_accepts,
    .cost = dft_cost,
    .prepare = dft_prepare,
};

/* --- STFT --- */

static bool stft_known(const KernelQuery *query, FourierLines *lines) {
    const Shape *signal = &query->inputs[0].type.shape, *y = &query->outputs[0].type.shape;
    const bool has_window = query->n_inputs > STFT_WINDOW && query->inputs[STFT_WINDOW].type.dtype;
    const Tensor *step = cpu_input_contents(query, STFT_STEP);
    const bool has_length = query->n_inputs > STFT_LENGTH && query->inputs[STFT_LENGTH].type.dtype;
    const Tensor *stated = has_length ? cpu_input_contents(query, STFT_LENGTH) : NULL;
    if (!step || (has_length && !stated && !has_window))
        return false;
    const int64_t n = stft_length(signal, has_window ? &query->inputs[STFT_WINDOW].type.shape : NULL, stated);
    *lines = stft_lines(signal, y, tensor_get_i64(step, 0), n, has_window);
    return true;
}

static bool stft_accepts(KernelQuery *query) {
    FourierLines lines;
    return accepts_plain(query) && stft_known(query, &lines) && in_proportion(query, &lines);
}

static double stft_cost(const KernelQuery *query) {
    FourierLines lines;
    return stft_known(query, &lines) ? cost_of_lines(&lines) : INFINITY;
}

static Status stft_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    FourierLines lines;
    (void)stft_known(query, &lines);
    return prepare_lines(query, &lines, ctx, instance);
}

const Kernel kernel_stft = {
    .name = "stft",
    .op = OP_STFT,
    .accepts = stft_accepts,
    .cost = stft_cost,
    .prepare = stft_prepare,
};
