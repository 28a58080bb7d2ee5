/* SPDX-License-Identifier: Apache-2.0 */
/* The plain walk through sequences: all rows of a batch take a step together, each as long as it lasts.  Row
 * b of a reversed direction goes from its own last step to its first.  After a sequence's end Y is 0; Y_h and
 * Y_c are those of its last step, and 0 where it has none. */
#include "ops/rnn/recurrent.h"

#include <string.h>

#define REAL double
#include "ops/math/unary_formula.h"

double recurrent_dot(const double *a, const double *b, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

double recurrent_activate(const RecurrentRun *run, int64_t direction, int index, double x) {
    return unary_formula(run->attrs->activations[direction][index], x);
}

double recurrent_activate_sum(const RecurrentRun *run, int64_t direction, int index, double x) {
    const double clip = (double)run->attrs->clip;
    return recurrent_activate(run, direction, index, x < -clip ? -clip : x > clip ? clip : x);
}

Status recurrent_load(EvalContext *ctx, RecurrentRun *run) {
    *run = (RecurrentRun){.ctx = ctx, .attrs = eval_attrs(ctx)};
    const Shape *x = &ctx->inputs[RECURRENT_X]->type.shape;
    run->g = recurrent_geometry(ctx->node, x, &ctx->inputs[RECURRENT_R]->type.shape);
    const RecurrentGeometry *g = &run->g;
    const Tensor *lengths = eval_input(ctx, RECURRENT_LENGTHS);
    run->lengths = lengths ? lengths->data : NULL;
    TRY(recurrent_check_lengths(ctx->node, g, run->lengths, ctx->err));
    TRY(eval_load_doubles(ctx, RECURRENT_X, &run->x));
    TRY(eval_load_doubles(ctx, RECURRENT_B, &run->b));
    TRY(eval_load_doubles(ctx, RECURRENT_H, &run->initial_h));
    TRY(eval_load_doubles(ctx, RECURRENT_C, &run->initial_c));
    TRY(eval_load_doubles(ctx, RECURRENT_PEEPHOLES, &run->peepholes));
    const int64_t states = g->batch * g->hidden;
    TRY(eval_alloc_doubles(ctx, states, &run->h));
    TRY(eval_alloc_doubles(ctx, states, &run->c));
    TRY(eval_alloc_doubles(ctx, states, &run->seen));
    TRY(eval_alloc_doubles(ctx, 2 * g->gates * g->hidden, &run->sums));
    return eval_alloc_doubles(ctx, g->hidden, &run->reset);
}

Bytes recurrent_scratch(const Node *node, const Type *inputs, const Type *outputs) {
    const RecurrentGeometry g =
        recurrent_geometry(node, &inputs[RECURRENT_X].shape, &inputs[RECURRENT_R].shape);
    const Bytes state = scratch_of(sizeof(double), i64_product(g.batch, g.hidden));
    Bytes sum = scratch_of_inputs(node, inputs, outputs);
    for (int i = 0; i < 3; i++)
        sum = bytes_sum(sum, state);
    sum = bytes_sum(sum, scratch_of(sizeof(double), i64_product(2 * g.gates, g.hidden)));
    return bytes_sum(sum, scratch_of(sizeof(double), g.hidden));
}

/* The states that a direction begins with. */
static void begin(const RecurrentRun *run, int64_t direction) {
    const RecurrentGeometry *g = &run->g;
    for (int64_t row = 0; row < g->batch; row++)
        for (int64_t i = 0; i < g->hidden; i++) {
            const int64_t from = direction * g->state_direction + row * g->state_row + i;
            run->h[row * g->hidden + i] = run->initial_h ? run->initial_h[from] : 0;
            run->c[row * g->hidden + i] = run->initial_c ? run->initial_c[from] : 0;
        }
}

static void store(const RecurrentRun *run, int port, int64_t at, const double *values) {
    Tensor *output = eval_output(run->ctx, port);
    for (int64_t i = 0; output && i < run->g.hidden; i++)
        tensor_set_f64(output, at + i, values ? values[i] : 0);
}

static void end(const RecurrentRun *run, int64_t direction) {
    const RecurrentGeometry *g = &run->g;
    for (int64_t row = 0; row < g->batch; row++) {
        const bool ran = (run->lengths ? run->lengths[row] : g->steps) > 0;
        const int64_t at = direction * g->state_direction + row * g->state_row;
        store(run, RECURRENT_Y_H, at, ran ? run->h + row * g->hidden : NULL);
        store(run, RECURRENT_Y_C, at, ran ? run->c + row * g->hidden : NULL);
    }
}

/* Sums of x and W and of h and R, each with its bias. */
static void multiply(const RecurrentRun *run, int64_t direction, const double *x, const double *seen) {
    const RecurrentGeometry *g = &run->g;
    const int64_t rows = g->gates * g->hidden;
    const double *w = run->w + direction * rows * g->inputs, *r = run->r + direction * rows * g->hidden,
                 *b = run->b ? run->b + direction * 2 * rows : NULL;
    for (int64_t i = 0; i < rows; i++) {
        run->sums[i] = recurrent_dot(w + i * g->inputs, x, g->inputs) + (b ? b[i] : 0);
        run->sums[rows + i] = recurrent_dot(r + i * g->hidden, seen, g->hidden) + (b ? b[rows + i] : 0);
    }
}

static void take_step(const RecurrentRun *run, RecurrentCell *cell, int64_t direction, int64_t step) {
    const RecurrentGeometry *g = &run->g;
    for (int64_t row = 0; row < g->batch; row++) {
        const int64_t length = run->lengths ? run->lengths[row] : g->steps;
        double *h = run->h + row * g->hidden, *seen = run->seen + row * g->hidden;
        int64_t at = direction * g->y_direction + row * g->y_row;
        if (step >= length) {
            store(run, RECURRENT_Y, at + step * g->y_step, NULL);
            continue;
        }
        const int64_t t = recurrent_is_reversed(run->attrs, direction) ? length - 1 - step : step;
        multiply(run, direction, run->x + t * g->x_step + row * g->x_row, seen);
        cell(run, direction, seen, h, run->c + row * g->hidden);
        store(run, RECURRENT_Y, at + t * g->y_step, h);
    }
}

void recurrent_walk(RecurrentRun *run, RecurrentCell *cell) {
    const RecurrentGeometry *g = &run->g;
    for (int64_t direction = 0; direction < g->directions; direction++) {
        begin(run, direction);
        for (int64_t step = 0; g->batch && step < g->steps; step++) {
            memcpy(run->seen, run->h, (size_t)(g->batch * g->hidden) * sizeof *run->h);
            if (run->quantise)
                run->quantise(run->seen, g->batch * g->hidden);
            take_step(run, cell, direction, step);
        }
        end(run, direction);
    }
}

Status recurrent_reference(EvalContext *ctx, RecurrentCell *cell) {
    RecurrentRun run;
    TRY(recurrent_load(ctx, &run));
    TRY(eval_load_doubles(ctx, RECURRENT_W, &run.w));
    TRY(eval_load_doubles(ctx, RECURRENT_R, &run.r));
    recurrent_walk(&run, cell);
    return STRIDER_OK;
}
