/* SPDX-License-Identifier: Apache-2.0 */
/* What LSTM, GRU, RNN and DynamicQuantizeLSTM share: attributes, shapes, and the plain walk through a
 * sequence. */
#ifndef OPS_RNN_RECURRENT_H
#define OPS_RNN_RECURRENT_H

#include <math.h>

#include "ops/math/unary_kind.h"
#include "ops/op.h"

/* Inputs from RECURRENT_C on are LSTM's alone, from DQ_W_SCALE on DynamicQuantizeLSTM's. */
enum {
    RECURRENT_X,
    RECURRENT_W,
    RECURRENT_R,
    RECURRENT_B,
    RECURRENT_LENGTHS,
    RECURRENT_H,
    RECURRENT_C,
    RECURRENT_PEEPHOLES,
    DQ_W_SCALE,
    DQ_W_ZERO_POINT,
    DQ_R_SCALE,
    DQ_R_ZERO_POINT,
    DQ_INPUTS
};
enum { RECURRENT_Y, RECURRENT_Y_H, RECURRENT_Y_C };

enum { MAX_DIRECTIONS = 2, MAX_ACTIVATIONS = 3 };

typedef struct RecurrentAttrs {
    int directions;
    bool first_reversed; /* the only direction runs backwards; of two the second always does */
    int64_t hidden;      /* 0: as R says */
    float clip;          /* of what activations of sums take; infinite where there is none */
    bool couples_gates;  /* LSTM: the forget gate is 1 minus the input gate */
    bool resets_after;   /* GRU: linear_before_reset */
    bool batch_first;
    Unary activations[MAX_DIRECTIONS][MAX_ACTIVATIONS]; /* f, g, h */
} RecurrentAttrs;

/* Sizes, and strides in elements. */
typedef struct RecurrentGeometry {
    int64_t gates, directions, steps, batch, inputs, hidden;
    int64_t x_step, x_row, y_step, y_row, y_direction, state_row, state_direction;
} RecurrentGeometry;

/* Of LSTM, GRU or RNN. */
int recurrent_gates(const Node *node);
RecurrentGeometry recurrent_geometry(const Node *node, const Shape *x, const Shape *r);
static inline bool recurrent_is_reversed(const RecurrentAttrs *attrs, int64_t direction) {
    return direction ? true : attrs->first_reversed;
}
/* BAD_MODEL unless each of a batch has between 0 and all steps; NULL passes. */
Status recurrent_check_lengths(const Node *node, const RecurrentGeometry *g, const int32_t *lengths,
                               Error *err) MUST_CHECK;

Status recurrent_parse(ParseContext *ctx, void *attrs) MUST_CHECK;
/* The shapes of W and R are the caller's, which differ where they are quantised; `hidden` may be unknown. */
Status recurrent_infer_types(InferContext *ctx, int64_t hidden) MUST_CHECK;
/* BAD_MODEL where input `port` has another shape than `want` as far as both are known. */
Status recurrent_require_shape(InferContext *ctx, int port, Shape want) MUST_CHECK;
Status recurrent_infer(InferContext *ctx) MUST_CHECK;
uint64_t recurrent_macs(const Node *node, const Type *inputs, const Type *outputs);

/* --- the plain walk --- */

/* One run of a reference, in float64.  W as [directions][gates * hidden][inputs], R likewise. */
typedef struct RecurrentRun {
    EvalContext *ctx;
    const RecurrentAttrs *attrs;
    RecurrentGeometry g;
    double *x, *w, *r, *b, *initial_h, *initial_c, *peepholes; /* those but the first three may be NULL */
    const int32_t *lengths;                                    /* NULL: all steps */
    double *h, *c, *seen; /* [batch][hidden]: of one direction; `seen` is what products take for h */
    double *sums;         /* [2][gates * hidden]: of x and W, with W's bias; of h and R, with R's */
    double *reset;        /* [hidden]: for GRU */
    void (*quantise)(double *values,
                     int64_t count); /* what products take, a batch's together; NULL: as it is */
} RecurrentRun;

/* One step of one row: h and c of the row become those after it. */
typedef void RecurrentCell(const RecurrentRun *run, int64_t direction, const double *seen, double *h,
                           double *c);

/* Loads what all four operators have; the caller loads w and r. */
Status recurrent_load(EvalContext *ctx, RecurrentRun *run) MUST_CHECK;
void recurrent_walk(RecurrentRun *run, RecurrentCell *cell);
Status recurrent_reference(EvalContext *ctx, RecurrentCell *cell) MUST_CHECK;
Bytes recurrent_scratch(const Node *node, const Type *inputs, const Type *outputs);

double recurrent_dot(const double *a, const double *b, int64_t count);
/* Function `index` of the direction; and the same of a clipped sum. */
double recurrent_activate(const RecurrentRun *run, int64_t direction, int index, double x);
double recurrent_activate_sum(const RecurrentRun *run, int64_t direction, int index, double x);

/* The row of one of them.  How many outputs are named says what output_sequence does. */
#define RECURRENT_ROW(ROW, NAME, MAX_INPUTS, MAX_OUTPUTS, REFERENCE)                                         \
    const Op ROW = {                                                                                         \
        OP_NAMED(NAME),                                                                                      \
        .since = 1,                                                                                          \
        .inputs = {3, MAX_INPUTS},                                                                           \
        .outputs = {0, MAX_OUTPUTS},                                                                         \
        .attrs_size = sizeof(RecurrentAttrs),                                                                \
        .parse = recurrent_parse,                                                                            \
        .infer = recurrent_infer,                                                                            \
        .ignores = {"output_sequence"},                                                                      \
        .reference = REFERENCE,                                                                              \
        .scratch = recurrent_scratch,                                                                        \
        .macs = recurrent_macs,                                                                              \
    };

#endif
