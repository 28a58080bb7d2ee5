/* SPDX-License-Identifier: Apache-2.0 */
/* Reverse-mode differentiation of a part of a graph: what gradient.c, which walks through it, and the rules
 * for each operator share.  An adjoint is the derivative of what is differentiated by a value. */
#ifndef LOADER_GRADIENT_H
#define LOADER_GRADIENT_H

#include "loader/expansion.h"

/* What is known of a value of the model while one Gradient node is being expanded. */
typedef struct Tape {
    bool seen, active; /* active: it depends on one of those that are differentiated by */
    bool is_named;     /* in xs or zs: what makes it does not matter */
    Value *copy;       /* what stands in its place, where the node has other values; else NULL */
    Value *adjoint;    /* the sum of what its readers gave so far; NULL: nothing */
} Tape;

/* A node whose outputs' adjoints are complete. */
typedef struct Derivative {
    Expansion *e;
    const Node *from; /* the model's node */
    const Node *node; /* this one or its copy: its values are those that count */
    Tape *tape;       /* by index of the model's values */
    Value *g;         /* the adjoint of output 0; NULL where that has none */
} Derivative;

typedef Status DerivativeRule(Derivative *d);

/* NULL where the operator has none; derivative_is_zero where nothing depends on its inputs smoothly. */
DerivativeRule *derivative_rule(const Node *node);
DerivativeRule derivative_is_zero;

/* Whether an input's adjoint is asked for. */
bool derivative_wants(const Derivative *d, int port);
Value *derivative_input(const Derivative *d, int port);
/* The adjoint of any output, zeros where it has none. */
Status derivative_of_output(Derivative *d, int port, Value **adjoint) MUST_CHECK;
/* Adds to the adjoint of an input where that is asked for. */
Status derivative_give(Derivative *d, int port, Value *value) MUST_CHECK;
/* UNSUPPORTED, at the Gradient node. */
Status derivative_fail(const Derivative *d, const char *why) MUST_CHECK;

/* --- gradient_shapes.c: shapes may be known in a run alone, and so are computed; folding makes constants of
 * those that are known --- */
Status shape_value(Expansion *e, Value *x, Value **shape) MUST_CHECK;
/* A dimension of 0 is one: it copies none. */
Status reshape_value(Expansion *e, Value *x, Value *shape, Value **y) MUST_CHECK;
/* x in the shape of `like`, of as many elements; `number` in its shape and of its type; x broadcast to it. */
Status reshape_like(Expansion *e, Value *x, Value *like, Value **y) MUST_CHECK;
Status filled_like(Expansion *e, float number, Value *like, Value **y) MUST_CHECK;
Status expand_like(Expansion *e, Value *x, Value *like, Value **y) MUST_CHECK;
/* The sum of g over what broadcasting repeated of `like`. */
Status sum_to_like(Expansion *e, Value *g, Value *like, Value **y) MUST_CHECK;
Status join_shapes(Expansion *e, int n, Value *const *parts, Value **shape) MUST_CHECK;
/* `count`, a list of one number, ones. */
Status ones_value(Expansion *e, Value *count, Value **ones) MUST_CHECK;

#endif
