/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of sums in recurrent layers: gates, states and outputs of a vector of units of one row. */
#ifndef OPS_CPU_RNN_CELLS_SIMD_H
#define OPS_CPU_RNN_CELLS_SIMD_H

#include "ops/cpu/rnn_simd.h"
#include "ops/cpu/unary_simd.h"

/* Of the parameters of a gate and vector of units: what its sums begin with, and P of LSTM, in W's order of
 * gates, or what GRU adds to the sum that r has scaled. */
enum { SUM_START, EXTRA, PARAMETER_ROWS };

/* NULL where it is absent, or nobody asked. */
INLINE const void *input_at(const KernelCall *call, int port) {
    return port < ((const RnnArgs *)call->args)->n_inputs ? call->inputs[port] : NULL;
}
INLINE float *output_at(const KernelCall *call, int port, int64_t at) {
    float *output = port < ((const RnnArgs *)call->args)->n_outputs ? call->outputs[port] : NULL;
    return output ? output + at : NULL;
}

typedef struct Walk {
    const RnnArgs *args;
    const KernelCall *call;
    const float *projected, *parameters, *panels; /* of the direction */
    int64_t direction, first_row, rows, step;
    float *h, *next; /* [row][padded]: before and after the step */
    float *c;        /* LSTM: c; GRU: z */
    float *reset;    /* GRU: r h; LSTM: h quantised; where that is multiplied */
    float h_scale;   /* of h quantised */
} Walk;

/* A vector of units of one row in one step. */
typedef struct Place {
    int64_t unit, lanes, state; /* in h, c and so on */
    const float *projected;     /* of gate 0 */
    const float *parameters;
    float *y, *y_h, *y_c; /* NULL: nobody asked, or it is not the last step */
} Place;

static int64_t length_of(const Walk *walk, int64_t row) {
    const int32_t *lengths = input_at(walk->call, RECURRENT_LENGTHS);
    return lengths ? lengths[walk->first_row + row] : walk->args->g.steps;
}

/* A row that has ended keeps its state, and its Y is 0. */
static bool find_place(const Walk *walk, int64_t row, int64_t unit, Place *place) {
    const RnnArgs *args = walk->args;
    const RecurrentGeometry *g = &args->g;
    const int64_t batch_row = walk->first_row + row, length = length_of(walk, row), step = walk->step;
    const int64_t y = walk->direction * g->y_direction + batch_row * g->y_row + unit;
    *place = (Place){.unit = unit, .lanes = g->hidden - unit, .state = row * args->padded + unit};
    if (step >= length) {
        float *end = output_at(walk->call, RECURRENT_Y, y + step * g->y_step);
        v_store(walk->next + place->state, v_load(walk->h + place->state));
        if (end)
            store_count(end, v_zero(), place->lanes);
        return false;
    }
    const int64_t t = recurrent_is_reversed(&args->attrs, walk->direction) ? length - 1 - step : step;
    place->projected = walk->projected +
                       (t * args->projected_step + batch_row * args->projected_row) * g->gates * g->hidden +
                       unit;
    place->parameters = walk->parameters + unit * g->gates * PARAMETER_ROWS;
    place->y = output_at(walk->call, RECURRENT_Y, y + t * g->y_step);
    if (step == length - 1) {
        const int64_t at = walk->direction * g->state_direction + batch_row * g->state_row + unit;
        place->y_h = output_at(walk->call, RECURRENT_Y_H, at);
        place->y_c = output_at(walk->call, RECURRENT_Y_C, at);
    }
    return true;
}

INLINE void store_h(const Walk *walk, const Place *place, vf h) {
    v_store(walk->next + place->state, h);
    if (place->y)
        store_count(place->y, h, place->lanes);
    if (place->y_h)
        store_count(place->y_h, h, place->lanes);
}

/* What x adds to a gate's sum, and the gate's extra parameter. */
INLINE vf projected_at(const Walk *walk, const Place *place, int gate) {
    return load_count(place->projected + gate * walk->args->g.hidden, place->lanes);
}
INLINE vf extra_at(const Walk *walk, const Place *place, int gate) {
    return v_load(place->parameters + (EXTRA * walk->args->g.gates + gate) * VW);
}

/* Of any kind, not in line, as it is long. */
__attribute__((noinline)) static vf activate_any(const Unary *activation, vf x) {
    return v_unary(*activation, x);
}

INLINE vf activate(const Walk *walk, int index, UnaryKind usual, vf x, const bool is_usual) {
    if (is_usual)
        return usual == UNARY_TANH ? v_tanh(x) : v_sigmoid(x);
    return activate_any(&walk->args->attrs.activations[walk->direction][index], x);
}

INLINE vf activate_sum(const Walk *walk, int index, UnaryKind usual, vf x, const bool is_usual) {
    const vf clip = v_set(walk->args->attrs.clip);
    return activate(walk, index, usual, is_usual ? x : v_min(clip, v_max(-clip, x)), is_usual);
}

INLINE void finish_lstm(const Walk *walk, const Place *place, float (*sums)[VW], const bool is_usual) {
    vf s[4];
    for (int gate = 0; gate < 4; gate++)
        s[gate] = v_load(sums[gate]) + projected_at(walk, place, gate);
    const vf c = v_load(walk->c + place->state);
    const vf i = activate_sum(walk, 0, UNARY_SIGMOID, s[0] + extra_at(walk, place, 0) * c, is_usual);
    vf f = v_set(1.0f) - i;
    if (!walk->args->attrs.couples_gates)
        f = activate_sum(walk, 0, UNARY_SIGMOID, s[2] + extra_at(walk, place, 2) * c, is_usual);
    const vf next = f * c + i * activate_sum(walk, 1, UNARY_TANH, s[3], is_usual);
    const vf o = activate_sum(walk, 0, UNARY_SIGMOID, s[1] + extra_at(walk, place, 1) * next, is_usual);
    v_store(walk->c + place->state, next);
    if (place->y_c)
        store_count(place->y_c, next, place->lanes);
    store_h(walk, place, o * activate(walk, 2, UNARY_TANH, next, is_usual));
}

/* From z and n. */
INLINE void finish_gru(const Walk *walk, const Place *place, vf z, vf n) {
    const vf h = v_load(walk->h + place->state);
    store_h(walk, place, (v_set(1.0f) - z) * n + z * h);
}

INLINE vf gru_gate(const Walk *walk, const Place *place, int gate, float (*sums)[VW], const bool is_usual) {
    return activate_sum(walk, 0, UNARY_SIGMOID, v_load(sums[gate]) + projected_at(walk, place, gate),
                        is_usual);
}

INLINE void finish_gru_after(const Walk *walk, const Place *place, float (*sums)[VW], const bool is_usual) {
    const vf z = gru_gate(walk, place, 0, sums, is_usual), r = gru_gate(walk, place, 1, sums, is_usual);
    const vf sum = projected_at(walk, place, 2) + extra_at(walk, place, 2) + r * v_load(sums[2]);
    finish_gru(walk, place, z, activate_sum(walk, 1, UNARY_TANH, sum, is_usual));
}

INLINE void gates_of_gru(const Walk *walk, const Place *place, float (*sums)[VW], const bool is_usual) {
    const vf z = gru_gate(walk, place, 0, sums, is_usual), r = gru_gate(walk, place, 1, sums, is_usual);
    v_store(walk->c + place->state, z);
    v_store(walk->reset + place->state, r * v_load(walk->h + place->state));
}

INLINE void finish_gru_before(const Walk *walk, const Place *place, float (*sums)[VW], const bool is_usual) {
    const vf sum = v_load(sums[0]) + projected_at(walk, place, 2);
    finish_gru(walk, place, v_load(walk->c + place->state), activate_sum(walk, 1, UNARY_TANH, sum, is_usual));
}

INLINE void finish_rnn(const Walk *walk, const Place *place, float (*sums)[VW], const bool is_usual) {
    const vf sum = v_load(sums[0]) + projected_at(walk, place, 0);
    store_h(walk, place, activate_sum(walk, 0, UNARY_TANH, sum, is_usual));
}

typedef void Finish(const Walk *walk, const Place *place, float (*sums)[VW]);

#define FINISH(NAME)                                                                                         \
    static void NAME##_usual(const Walk *walk, const Place *place, float(*sums)[VW]) {                       \
        NAME(walk, place, sums, true);                                                                       \
    }                                                                                                        \
    static void NAME##_any(const Walk *walk, const Place *place, float(*sums)[VW]) {                         \
        NAME(walk, place, sums, false);                                                                      \
    }
FINISH(finish_lstm)
FINISH(finish_gru_after)
FINISH(gates_of_gru)
FINISH(finish_gru_before)
FINISH(finish_rnn)
#define CHOOSE(NAME, ARGS) ((ARGS)->is_usual ? NAME##_usual : NAME##_any)

#endif
