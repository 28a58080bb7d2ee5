/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes of ONNX's own operators that take the place of one node of another operator while a model is loaded.
 * They have its name and its place in the file, for messages and profiles. */
#ifndef LOADER_EXPANSION_H
#define LOADER_EXPANSION_H

#include <string.h>

#include "loader/loading.h"
#include "ops/op.h"

typedef struct Expansion {
    Loading *loading;
    Scope *scope;
    const Where *where;
    const BodyNode *from;
    Value **inputs; /* NULL where absent */
    int n_inputs;
    int first_made; /* index of the first value that may be made in place of the node */
    AttrList attrs; /* of the node in the file */
    Op op;          /* what stands for its operator in messages */
    Node node;
    ParseContext parse; /* for the helpers of ops/op.h that read attributes */
} Expansion;

Status expansion_init(Expansion *e, Loading *loading, Scope *scope, const Where *where,
                      const BodyNode *from) MUST_CHECK;

static inline Value *expansion_input(const Expansion *e, int port) {
    return port < e->n_inputs ? e->inputs[port] : NULL;
}
/* Whether the node in the file names that output. */
bool expansion_wants(const Expansion *e, int port);
/* Makes a value that expansion nodes made, or an input, that output of the node in the file; at most once for
 * each value. */
Status expansion_output(Expansion *e, int port, Value *value) MUST_CHECK;

/* All attributes of the node in the file but those named, of which there are `n`. */
Status expansion_attrs_without(const Expansion *e, int n, const char *const *names,
                               AttrList *attrs) MUST_CHECK;

/* A value whose name ends with `what`. */
Status expansion_new_value(Expansion *e, const char *what, Value **value) MUST_CHECK;

/* A node at that opset of ONNX's domain; its outputs are new values. */
typedef struct NewNode {
    const char *type;
    int opset;
    AttrList attrs;
    int n_inputs, n_outputs;
    Value *const *inputs;
} NewNode;
Status expansion_add(Expansion *e, const NewNode *what, Value **outputs, Node **node) MUST_CHECK;

/* The same with one output, which may take the place of an input.  The lists end with the macros. */
Status expansion_apply(Expansion *e, const char *type, int opset, AttrList attrs, int n_inputs,
                       Value *const *inputs, Value **y) MUST_CHECK;
#define INPUTS(...)                                                                                          \
    (int)(sizeof((Value *[]){__VA_ARGS__}) / sizeof(Value *)), (Value *[]) {                                 \
        __VA_ARGS__                                                                                          \
    }
#define ATTRS(...)                                                                                           \
    (AttrList) {                                                                                             \
        (Attr[]){__VA_ARGS__}, sizeof((Attr[]){__VA_ARGS__}) / sizeof(Attr)                                  \
    }
#define NO_ATTRS ((AttrList){0})

static inline Attr expansion_int_attr(const char *name, int64_t value) {
    return (Attr){.name = name, .kind = ATTR_INT, .i = value};
}
static inline Attr expansion_float_attr(const char *name, float value) {
    return (Attr){.name = name, .kind = ATTR_FLOAT, .f = value};
}
static inline Attr expansion_ints_attr(const char *name, const int64_t *values, size_t count) {
    return (Attr){.name = name, .kind = ATTR_INTS, .ints = values, .count = count};
}
/* `value` must live as long as the graph. */
static inline Attr expansion_string_attr(const char *name, const char *value) {
    return (Attr){.name = name, .kind = ATTR_STRING, .s = value, .count = strlen(value)};
}

/* A constant of integers, in one dimension, or none where `count` is negative: then of one number. */
Status expansion_ints(Expansion *e, int count, const int64_t *values, Value **constant) MUST_CHECK;
/* A constant of floats of that shape; and of the type that `like` has. */
Status expansion_floats(Expansion *e, const Shape *shape, const float *values, Value **constant) MUST_CHECK;
Status expansion_floats_like(Expansion *e, Value *like, const Shape *shape, const float *values,
                             Value **constant) MUST_CHECK;

/* y = a OP b, of one of the operators of arithmetic; y = OP(x). */
static inline Status expansion_binary(Expansion *e, const char *type, Value *a, Value *b, Value **y) {
    return expansion_apply(e, type, 15, NO_ATTRS, INPUTS(a, b), y);
}
static inline Status expansion_unary(Expansion *e, const char *type, Value *x, Value **y) {
    return expansion_apply(e, type, 13, NO_ATTRS, INPUTS(x), y);
}

/* A number of the type that `like` has. */
Status expansion_number_like(Expansion *e, Value *like, float number, Value **constant) MUST_CHECK;

/* *y + more, where there is more; *y times a factor. */
Status expansion_sum(Expansion *e, Value *more, Value **y) MUST_CHECK;
Status expansion_scale(Expansion *e, float factor, Value **y) MUST_CHECK;

#endif
