/* SPDX-License-Identifier: Apache-2.0 */
/* Random models: graphs of many operators whose shapes fit together, driven by any source of choices. */
#ifndef TESTS_GRAPH_MAKER_H
#define TESTS_GRAPH_MAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/proto_writer.h"

/* Where choices come from: bytes, zeros when these are used up; or without bytes, a generator of random
 * numbers. */
typedef struct Choices {
    const uint8_t *bytes;
    size_t left;
    uint64_t state;
} Choices;

/* A number below `below`, which is at least 1. */
uint64_t choose(Choices *choices, uint64_t below);

/* Element types as ONNX numbers them. */
enum {
    ONNX_F32 = 1,
    ONNX_U8 = 2,
    ONNX_I8 = 3,
    ONNX_I32 = 6,
    ONNX_I64 = 7,
    ONNX_BOOL = 9,
    ONNX_F16 = 10,
    ONNX_F64 = 11
};

enum { GRAPH_MAX_INPUTS = 12, GRAPH_MAX_RANK = 8 };

typedef struct GraphInput {
    int type; /* ONNX_... */
    int rank;
    int64_t dims[GRAPH_MAX_RANK];
    bool open[GRAPH_MAX_RANK]; /* the model does not state this dimension */
    bool is_optional;
    int64_t shape[GRAPH_MAX_RANK]; /* contents, where the model wants a shape or the like */
    bool has_shape;
} GraphInput;

typedef struct MadeGraph {
    Proto model; /* freed by the caller */
    GraphInput inputs[GRAPH_MAX_INPUTS];
    size_t n_inputs, n_outputs;
    bool is_coarse;   /* elements of 16 bits lie in between: results agree to fewer bits */
    bool has_items;   /* of loops that may not run: dimensions that inference does not know are 0 then */
    bool has_product; /* a Conv or the like, through whose sums an infinity may spread */
} MadeGraph;

/* `wild`: any attribute may be any number, and shapes need not fit. */
MadeGraph make_graph(Choices *choices, bool wild);

#endif
