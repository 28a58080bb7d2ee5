/* SPDX-License-Identifier: Apache-2.0 */
/* LSTM: with gates in the order i o f c, sums s of x and W, h and R, and biases, and peepholes p,
 *     i = f(s_i + p_i c)   f = f(s_f + p_f c), or 1 - i with input_forget   c' = f c + i g(s_c)
 *     o = f(s_o + p_o c')  h' = o h(c').
 * The clip is of sums: h takes c' as it is, as in onnxruntime. */
#include "ops/rnn/lstm.h"

void lstm_cell(const RecurrentRun *run, int64_t direction, const double *seen, double *h, double *c) {
    (void)seen;
    const int64_t n = run->g.hidden;
    const double *p = run->peepholes ? run->peepholes + direction * 3 * n : NULL;
    for (int64_t j = 0; j < n; j++) {
        double sums[4];
        for (int gate = 0; gate < 4; gate++)
            sums[gate] = run->sums[gate * n + j] + run->sums[(4 + gate) * n + j];
        const double i = recurrent_activate_sum(run, direction, 0, sums[0] + (p ? p[j] * c[j] : 0));
        const double f =
            run->attrs->couples_gates
                ? 1 - i
                : recurrent_activate_sum(run, direction, 0, sums[2] + (p ? p[2 * n + j] * c[j] : 0));
        c[j] = f * c[j] + i * recurrent_activate_sum(run, direction, 1, sums[3]);
        const double o = recurrent_activate_sum(run, direction, 0, sums[1] + (p ? p[n + j] * c[j] : 0));
        h[j] = o * recurrent_activate(run, direction, 2, c[j]);
    }
}

static Status lstm_reference(EvalContext *ctx) {
    return recurrent_reference(ctx, lstm_cell);
}

RECURRENT_ROW(op_lstm, LSTM, 8, 3, lstm_reference)
