/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the loader share while a model is being loaded. */
#ifndef LOADER_LOADING_H
#define LOADER_LOADING_H

#include "base/names.h"
#include "graph/attrs.h"
#include "loader/loader.h"
#include "loader/scan.h"
#include "onnx.pb-c.h"

typedef struct Loading {
    const LoadOptions *options;
    LoadedModel *model;
    Graph *graph;
    Files *files;
    Scan scan;
    Region parsed; /* the reduced message, what protobuf-c makes of it, and bodies; gone after loading */
    Onnx__ModelProto *proto;
    NameMap functions; /* to Function, by domain, name and overload */
    uint64_t n_nodes;
    Error *err;
} Loading;

/* --- tensors.c: TensorProto to Tensor --- */
DType dtype_from_onnx(int32_t data_type); /* STRIDER_DTYPE_NONE for what is not supported */
const char *dtype_onnx_name(int32_t data_type);
/* Contents stay in the mapped file where the file has them as they are needed, else they are in memory that
 * the tensor owns.  `files` may be NULL where there can be no external data. */
Status load_tensor(const Scan *scan, const File *file, Files *files, const LoadOptions *options,
                   const Allocator *allocator, const Onnx__TensorProto *proto, Tensor *tensor,
                   Error *err) MUST_CHECK;

/* --- bodies.c: a graph or function whose names have become numbers --- */
enum { NO_SLOT = -1 };

/* What a model of a newer version means may differ, also where it looks the same: it is refused. */
enum { NEWEST_IR = 14, NEWEST_OPSET = 28 };

/* The version of each operator domain; 0: not imported. */
typedef struct Imports {
    int64_t onnx; /* of ai.onnx */
    NameMap others;
} Imports;

typedef struct BodyNode {
    const Onnx__NodeProto *proto;
    struct Function *callee; /* NULL: it is an operator */
    const char *torch_scope;
    int n_inputs, n_outputs; /* without empty names at the end */
    int *inputs, *outputs;   /* slots; NO_SLOT for empty names */
    int *references; /* for each attribute the parameter of the function it stands in that has its value, or
                      * NO_SLOT; NULL where there is none */
    int *targets; /* of a call, once instance: the callee's parameter that each attribute gives, or NO_SLOT */
} BodyNode;

typedef struct Body {
    NameMap slots; /* from names of values to numbers */
    const char **names;
    size_t names_capacity;
    NameMap parameters; /* from names of attributes that nodes refer to, to numbers */
    BodyNode *nodes;
    size_t n_nodes;
    Imports imports;
} Body;

typedef struct Function {
    const Onnx__FunctionProto *proto;
    bool is_prepared; /* what follows is there; done when it is called for the first time */
    Body body;
    int *inputs, *outputs;                 /* slots */
    const Onnx__AttributeProto **defaults; /* by parameter; NULL where there is none */
} Function;

/* The slot of a value's name, which must live as long as the body; NO_SLOT for "". */
Status body_slot(Loading *loading, Body *body, const char *name, int *slot) MUST_CHECK;
/* The same where the name is known; NO_SLOT where it is not. */
int body_find_slot(const Body *body, const char *name);
/* `body` is zeroed, or has slots already. */
Status make_body(Loading *loading, size_t n_nodes, Onnx__NodeProto **nodes, size_t n_opsets,
                 Onnx__OperatorSetIdProto **opsets, Body *body) MUST_CHECK;
/* 0 where the domain is not imported. */
int64_t imported_opset(const Imports *imports, const char *domain);
/* Attribute `at` of the node, or what the call of its function gave for it; NULL where that was not given.
 * `bound` holds the attributes by parameter; NULL in the model's graph. */
const Onnx__AttributeProto *bound_attribute(const BodyNode *node, size_t at,
                                            const Onnx__AttributeProto *const *bound);

/* Fills loading->functions. */
Status list_functions(Loading *loading) MUST_CHECK;
/* The function that a node calls; NULL: none. */
Status find_function(Loading *loading, const Onnx__NodeProto *proto, Function **function) MUST_CHECK;
/* Prepares the callee, and the call's targets. */
Status prepare_call(Loading *loading, BodyNode *call) MUST_CHECK;

/* --- attributes.c --- */
Status load_attributes(Loading *loading, const BodyNode *node, const Onnx__AttributeProto *const *bound,
                       AttrList *attrs) MUST_CHECK;
/* The contents of a Constant node. */
Status load_constant(Loading *loading, const AttrList *attrs, const char *node_name,
                     Tensor *tensor) MUST_CHECK;

/* --- nodes.c: nodes to Node, with local functions inlined --- */
/* Values as one graph or one call of a function sees them. */
typedef struct Scope {
    Body *body;
    Value **values; /* by slot; NULL: not met yet; &absent_value: an optional input that the call left out */
    const char *prefix; /* "" for the model's graph; of the names that a function's own values get */
    const Onnx__AttributeProto *const *bound; /* attributes of the call */
    const Imports *imports;
    const char *function; /* NULL for the model's graph */
    uint32_t depth;
} Scope;
/* The value of that slot, made where it is met for the first time; NULL where the call left it out. */
Status scope_value(Loading *loading, Scope *scope, int slot, Value **value) MUST_CHECK;
Status load_nodes(Loading *loading, Scope *scope) MUST_CHECK;

#endif
