/* SPDX-License-Identifier: Apache-2.0 */
/* GRU: with gates in the order z r h, sums x of X and W with W's bias, and h R + b of h and R with R's,
 *     z = f(x_z + h R_z + b_z)   r = f(x_r + h R_r + b_r)   h' = (1 - z) n + z h,
 *     n = g(x_h + (r h) R_h + b_h), or g(x_h + r (h R_h + b_h)) with linear_before_reset, as PyTorch has it.
 */
#include "ops/rnn/recurrent.h"

/* (r h) R_h + b_h of element j. */
static double sum_of_reset(const RecurrentRun *run, int64_t direction, int64_t j) {
    const int64_t n = run->g.hidden, row = 2 * n + j;
    const double *r = run->r + (direction * 3 * n + row) * n;
    return recurrent_dot(r, run->reset, n) + (run->b ? run->b[direction * 6 * n + 3 * n + row] : 0);
}

static void gru_cell(const RecurrentRun *run, int64_t direction, const double *seen, double *h, double *c) {
    (void)c;
    const int64_t n = run->g.hidden;
    const double *of_x = run->sums, *of_h = run->sums + 3 * n;
    for (int64_t j = 0; j < n; j++) {
        const double r = recurrent_activate_sum(run, direction, 0, of_x[n + j] + of_h[n + j]);
        run->reset[j] = run->attrs->resets_after ? r * of_h[2 * n + j] : r * seen[j];
    }
    for (int64_t j = 0; j < n; j++) {
        const double z = recurrent_activate_sum(run, direction, 0, of_x[j] + of_h[j]);
        const double sum = run->attrs->resets_after ? run->reset[j] : sum_of_reset(run, direction, j);
        h[j] = (1 - z) * recurrent_activate_sum(run, direction, 1, of_x[2 * n + j] + sum) + z * h[j];
    }
}

static Status gru_reference(EvalContext *ctx) {
    return recurrent_reference(ctx, gru_cell);
}

RECURRENT_ROW(op_gru, GRU, 6, 2, gru_reference)
