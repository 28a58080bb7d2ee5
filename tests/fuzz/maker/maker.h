/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the maker of graphs share.
 * Values that steep or jumping functions would see are kept apart: `exact` are those that every way of
 * computing gives the same bits, and what may amplify an error (division, roots, norms) gets arguments away
 * from the steep place.  So optimised and plain results differ by rounding alone. */
#ifndef TESTS_FUZZ_MAKER_H
#define TESTS_FUZZ_MAKER_H

#include "fuzz/graph_maker.h"

enum {
    MAX_VALUES = 320,
    MAX_ELEMENTS = 6000, /* of a value */
    MAX_PRODUCTS = 1 << 20,
    MAX_DEPTH = 2, /* of bodies */
    RANK = GRAPH_MAX_RANK
};

typedef struct Made {
    int type, rank;
    int64_t dims[RANK];
    bool exact, used, is_input, is_constant;
    bool is_hidden; /* from other nodes: in a body that is finished, or a sequence */
    bool is_final;  /* hidden, but may be an output */
} Made;

typedef struct Maker {
    Choices *choices;
    bool wild;
    int opset;
    int type; /* of most floats */
    MadeGraph *made;
    Proto graph, node; /* the body's that is being made, if one is */
    int depth;         /* of bodies */
    int n_nodes, n_values;
    Made values[MAX_VALUES];
} Maker;

/* --- choices --- */

int pick(Maker *m, int below);
bool chance(Maker *m, int percent);
int64_t between(Maker *m, int64_t first, int64_t last);
/* An attribute's number: what it should be, or in a wild graph now and then anything. */
int64_t right_or_wild(Maker *m, int64_t right);

/* --- values: numbers of them --- */

int64_t count_elements(const Made *v);
bool is_float(int type);
int add_value(Maker *m, int type, int rank, const int64_t *dims, bool exact);
void put_value_name(Proto *proto, int field, int value);
/* A graph's input (field 11) or output (12), whose open dimensions have symbols or no name. */
void put_value_info(Maker *m, int field, int value, const bool *open, bool with_shape);
/* Frees the data. */
int add_tensor(Maker *m, int type, int rank, const int64_t *dims, Proto *data);
/* Inputs are those of the model, so that none is added in a body. */
bool may_add_input(const Maker *m);
int add_input(Maker *m, int type, int rank, const int64_t *dims);
/* Floats: a constant, or now and then an input of the model. */
int floats(Maker *m, int type, int rank, const int64_t *dims, double scale, double base);
int ints(Maker *m, const int64_t *values, int count);
int scalar_int(Maker *m, int64_t value);

typedef struct Want {
    int min_rank, max_rank;
    bool any_type, exact, elements; /* elements: none of its dimensions is 0 */
} Want;

int new_input(Maker *m, const Want *want);
/* A value of the graph, most often a late one. */
int some_value(Maker *m, Want want);
int some_float(Maker *m, int min_rank, int max_rank);
int some_full(Maker *m, int min_rank, int max_rank);
int some_any(Maker *m, int min_rank, int max_rank);

/* --- nodes --- */

void begin_node(Maker *m, const char *op);
/* -1: an input that is left out. */
void use_value(Maker *m, int value);
void set_int(Maker *m, const char *name, int64_t value);
void set_ints(Maker *m, const char *name, const int64_t *values, int count);
void set_float(Maker *m, const char *name, float value);
void set_text(Maker *m, const char *name, const char *text);
int node_result(Maker *m, int type, int rank, const int64_t *dims, bool exact);
void end_node(Maker *m);
/* With one output, like this value. */
int end_node_like(Maker *m, int value, bool exact);
/* One input, the same type and shape. */
int node_like(Maker *m, const char *op, int x, bool exact);
/* Away from zero: |x| + about 0.75. */
int tamed(Maker *m, int x);

/* --- parts of networks --- */

typedef struct Windows {
    int spatial;
    int64_t kernel[3], strides[3], dilations[3], pads[6], out[3];
    int auto_pad; /* 0: none */
    bool ceil_mode;
} Windows;

/* Of weights, so that the sum of so many terms is about 1. */
double weight_scale(int64_t terms);
int conv_of(Maker *m, int x, const Windows *w, int64_t out_channels, int64_t group);
int batch_norm_of(Maker *m, int x);
int pair_of(Maker *m, const char *op, int a, int b, bool exact);
int shape_of(Maker *m, int x);

/* --- what is put: each returns a value, not necessarily a new one --- */

typedef int PutFn(Maker *m);
PutFn put_conv, put_conv_transpose, put_correlation, put_pool, put_global_pool;
PutFn put_gemm, put_matmul, put_unary, put_steep, put_clip, put_binary, put_prelu, put_comparison, put_cast,
    put_identity, put_quantized;
PutFn put_transpose, put_reshape, put_flatten, put_squeeze, put_expand, put_shuffle;
PutFn put_concat, put_split, put_slice, put_pad, put_resize, put_gather, put_depth_space;
PutFn put_reduce, put_softmax, put_arg_max, put_cumsum, put_norm, put_recurrent;
PutFn put_trilu, put_reverse_sequence, put_center_crop_pad, put_transform, put_random;
PutFn put_nonzero, put_compress, put_suppression, put_top_gather, put_gather_elements, put_scatter,
    put_unpool;
PutFn put_regions, put_grid_sample, put_columns, put_attention_node;
PutFn put_shape_arithmetic, put_integers, put_residual, put_gate, put_attention;
PutFn put_if, put_loop, put_scan;
PutFn put_sequence, put_loop_of_sequence, put_sequence_map, put_optional;

/* Any of them. */
void put_something(Maker *m);

/* --- bodies --- */

/* The graph around a body that is being made. */
typedef struct Outer {
    Proto graph;
    int first; /* value of the body */
} Outer;

void begin_body(Maker *m, Outer *outer);
/* A few nodes, which also read values of the graph around. */
void put_nodes_of_body(Maker *m, int max_nodes);
int body_input(Maker *m, int type, int rank, const int64_t *dims);
/* A value of the body that is like this one. */
int body_value_like(Maker *m, const Outer *outer, int like);
void body_output(Maker *m, int value);
/* The body; its values are hidden from then on. */
Proto end_body(Maker *m, Outer *outer);
/* Of the node that is being made; frees the body. */
void set_body(Maker *m, const char *name, Proto *body);

#endif
