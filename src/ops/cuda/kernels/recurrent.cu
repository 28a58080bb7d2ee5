/* SPDX-License-Identifier: Apache-2.0 */
/* LSTM, GRU and RNN: a block has a row of the batch and takes its steps, each thread some of the units. Steps
 * follow one another by barriers, as all units read all of h. */
#include "ops/cuda/kernels/device_code.h"

#include "ops/math/unary_formula.h"

enum { MAX_GATES = 4 };

/* A row of a direction; vectors are of `hidden` elements. */
typedef struct Row {
    const float *r, *b, *peepholes;     /* of the direction; b and peepholes may be NULL */
    float *h, *next, *c, *kept;         /* c: of GRU z; kept: what GRU multiplies instead of h */
    const Unary *functions;             /* f, g, h */
    int direction, row, length, hidden; /* length: steps that the row has */
} Row;

SHARED float of_sum(const struct RecurrentArgs *args, Unary function, float sum) {
    const float clip = args->clip;
    return activation_formula(function, sum < -clip ? -clip : sum > clip ? clip : sum);
}

/* Adds products of a vector and R for gates [first, first + n) of unit j. */
SHARED void add_products(const struct RecurrentArgs *args, const Row *row, const float *vector, int j,
                         int first, int n, float sums[MAX_GATES]) {
    const int columns = args->gates * row->hidden;
    const float *r = row->r + first * row->hidden + j;
    for (int i = 0; i < row->hidden; i++) {
        const float value = vector[i];
        UNROLL
        for (int gate = 0; gate < MAX_GATES; gate++)
            if (gate < n)
                sums[gate] += value * r[(long long)i * columns + gate * row->hidden];
    }
}

/* W's bias of a gate, or R's. */
SHARED float bias_of(const struct RecurrentArgs *args, const Row *row, bool of_r, int gate, int j) {
    return row->b ? row->b[((of_r ? args->gates : 0) + gate) * row->hidden + j] : 0;
}

/* Of X and h, with both biases, of gates [0, n). */
SHARED void sum_gates(const struct RecurrentArgs *args, const Row *row, const float *x, int j, int n,
                      float sums[MAX_GATES]) {
    UNROLL
    for (int gate = 0; gate < MAX_GATES; gate++)
        sums[gate] = 0;
    add_products(args, row, row->h, j, 0, n, sums);
    UNROLL
    for (int gate = 0; gate < MAX_GATES; gate++)
        if (gate < n)
            sums[gate] += x[gate * row->hidden + j] + bias_of(args, row, false, gate, j) +
                          bias_of(args, row, true, gate, j);
}

SHARED void lstm_unit(const struct RecurrentArgs *args, const Row *row, const float *x, int j) {
    const float *p = row->peepholes;
    const int n = row->hidden;
    float sums[MAX_GATES]; /* i o f c */
    sum_gates(args, row, x, j, 4, sums);
    const float before = row->c[j];
    const float i = of_sum(args, row->functions[0], sums[0] + (p ? p[j] * before : 0));
    const float f = args->couples_gates
                        ? 1 - i
                        : of_sum(args, row->functions[0], sums[2] + (p ? p[2 * n + j] * before : 0));
    const float c = f * before + i * of_sum(args, row->functions[1], sums[3]);
    const float o = of_sum(args, row->functions[0], sums[1] + (p ? p[n + j] * c : 0));
    row->c[j] = c;
    row->next[j] = o * activation_formula(row->functions[2], c);
}

SHARED void rnn_unit(const struct RecurrentArgs *args, const Row *row, const float *x, int j) {
    float sums[MAX_GATES];
    sum_gates(args, row, x, j, 1, sums);
    row->next[j] = of_sum(args, row->functions[0], sums[0]);
}

/* z and r, in the order z r h. */
SHARED void gru_gates(const struct RecurrentArgs *args, const Row *row, const float *x, int j) {
    float sums[MAX_GATES];
    sum_gates(args, row, x, j, 2, sums);
    const float r = of_sum(args, row->functions[0], sums[1]);
    row->c[j] = of_sum(args, row->functions[0], sums[0]);
    row->kept[j] = args->resets_after ? r : r * row->h[j];
}

SHARED void gru_unit(const struct RecurrentArgs *args, const Row *row, const float *x, int j) {
    float sums[MAX_GATES] = {0, 0, 0, 0};
    add_products(args, row, args->resets_after ? row->h : row->kept, j, 2, 1, sums);
    const float of_h = sums[0] + bias_of(args, row, true, 2, j);
    const float sum = x[2 * row->hidden + j] + bias_of(args, row, false, 2, j) +
                      (args->resets_after ? row->kept[j] * of_h : of_h);
    const float z = row->c[j];
    row->next[j] = (1 - z) * of_sum(args, row->functions[1], sum) + z * row->h[j];
}

SHARED void take_step(const struct RecurrentArgs *args, const Row *row, const float *x) {
    const int me = (int)threadIdx.x;
    if (args->kind == RECURRENT_GRU) {
        for (int j = me; j < row->hidden; j += RECURRENT_THREADS)
            gru_gates(args, row, x, j);
        __syncthreads();
        for (int j = me; j < row->hidden; j += RECURRENT_THREADS)
            gru_unit(args, row, x, j);
    }
    for (int j = me; args->kind == RECURRENT_LSTM && j < row->hidden; j += RECURRENT_THREADS)
        lstm_unit(args, row, x, j);
    for (int j = me; args->kind == RECURRENT_RNN && j < row->hidden; j += RECURRENT_THREADS)
        rnn_unit(args, row, x, j);
    __syncthreads(); /* h is whole, and has been read */
}

SHARED Row row_of(const struct RecurrentArgs *args, int block) {
    const int direction = block / args->batch, n = args->hidden, columns = args->gates * n;
    const float *const *in = args->data.in;
    const int *lengths = (const int *)in[3];
    float *states = args->states + (long long)block * RECURRENT_VECTORS * n;
    const int row = block % args->batch;
    return (Row){in[1] + (long long)direction * columns * n,
                 in[2] ? in[2] + (long long)direction * 2 * columns : NULL,
                 in[6] ? in[6] + (long long)direction * 3 * n : NULL,
                 states,
                 states + n,
                 states + 2 * n,
                 states + 3 * n,
                 args->activations[direction],
                 direction,
                 row,
                 lengths ? checked_index(args->check, lengths[row], lengths[row], args->steps + 1)
                         : args->steps,
                 n};
}

TEAM_KERNEL(k_recurrent, RecurrentArgs) {
    const int me = (int)threadIdx.x;
    Row row = row_of(&args, (int)blockIdx.x);
    const int n = row.hidden, columns = args.gates * n;
    const long long state =
        (long long)row.direction * args.state_direction + (long long)row.row * args.state_row;
    const bool is_reversed = row.direction ? true : args.first_reversed;
    float *y = args.data.out ? args.data.out + (long long)row.direction * args.y_direction +
                                   (long long)row.row * args.y_row
                             : NULL;
    for (int j = me; j < n; j += RECURRENT_THREADS) {
        row.h[j] = args.data.in[4] ? args.data.in[4][state + j] : 0;
        row.c[j] = args.data.in[5] ? args.data.in[5][state + j] : 0;
    }
    __syncthreads();
    for (int step = 0; step < args.steps; step++) {
        const bool is_there = step < row.length;
        const int t = is_there && is_reversed ? row.length - 1 - step : step;
        if (is_there) {
            float *before = row.h;
            const long long x = (long long)row.direction * args.steps * args.batch +
                                (long long)t * args.x_step + (long long)row.row * args.x_row;
            take_step(&args, &row, args.data.in[0] + x * columns);
            row.h = row.next;
            row.next = before;
        }
        for (int j = me; y && j < n; j += RECURRENT_THREADS)
            y[(long long)t * args.y_step + j] = is_there ? row.h[j] : 0;
    }
    for (int j = me; j < n; j += RECURRENT_THREADS) {
        if (args.y_h)
            args.y_h[state + j] = row.length ? row.h[j] : 0;
        if (args.y_c)
            args.y_c[state + j] = row.length ? row.c[j] : 0;
    }
}
