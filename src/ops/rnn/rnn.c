/* SPDX-License-Identifier: Apache-2.0 */
/* RNN: h' = f(x W + h R + b). */
#include "ops/rnn/recurrent.h"

static void rnn_cell(const RecurrentRun *run, int64_t direction, const double *seen, double *h, double *c) {
    (void)seen, (void)c;
    for (int64_t j = 0; j < run->g.hidden; j++)
        h[j] = recurrent_activate_sum(run, direction, 0, run->sums[j] + run->sums[run->g.hidden + j]);
}

static Status rnn_reference(EvalContext *ctx) {
    return recurrent_reference(ctx, rnn_cell);
}

RECURRENT_ROW(op_rnn, RNN, 6, 2, rnn_reference)
