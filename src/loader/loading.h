/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the loader share while a model is being loaded. */
#ifndef LOADER_LOADING_H
#define LOADER_LOADING_H

#include "base/names.h"
#include "graph/op.h"
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
    NameMap warned;    /* of attributes that are unknown, with their operators */
    uint64_t n_nodes;
    uint64_t n_differentiated; /* nodes and their ports that Gradient nodes looked at */
    struct Tape *tape;         /* of gradient.c: kept from one Gradient node to the next */
    size_t tape_capacity;
    bool has_defaults; /* some input has one */
    Error *err;
} Loading;

static inline Status no_memory(Loading *loading) {
    return fail(loading->err, STRIDER_OUT_OF_MEMORY, "out of memory for the graph");
}
/* protobuf-c leaves NULL where a message has no such text. */
static inline const char *text_or_empty(const char *text) {
    return text ? text : "";
}

/* --- message.c --- */
/* What is read lives in `region`; tensors' contents stay where they are, as `scan` says. */
Status read_message(Region *region, const ProtobufCMessageDescriptor *descriptor, const unsigned char *data,
                    size_t size_bytes, uint32_t max_depth, Scan *scan, ProtobufCMessage **message,
                    Error *err) MUST_CHECK;

/* --- tensors.c: TensorProto to Tensor --- */
/* Contents stay in the mapped file where the file has them as they are needed, else they are in memory that
 * the tensor owns.  `files` may be NULL where there can be no external data. */
Status load_tensor(const Scan *scan, const File *file, Files *files, const LoadOptions *options,
                   const Allocator *allocator, const Onnx__TensorProto *proto, Tensor *tensor,
                   Error *err) MUST_CHECK;

/* --- types.c --- */
/* `crosses_border`: it is an input or output of the model, whose type must be supported. */
Status load_value_type(Loading *loading, const Onnx__ValueInfoProto *info, bool crosses_border,
                       ValueType *type) MUST_CHECK;

Status load_type_attribute(Loading *loading, const Onnx__AttributeProto *proto, ValueType *type) MUST_CHECK;

/* --- bodies.c: a graph, body of a node or function whose names have become numbers --- */
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
    struct Body **graphs; /* for each attribute that is a graph; NULL where there is none */
    int *targets; /* of a call, once prepared: the callee's parameter that each attribute gives, or NO_SLOT */
} BodyNode;

typedef struct BodyName {
    const char *text;
    bool is_made;   /* it is an input, an initializer or an output of a node: names around do not matter */
    int outer_slot; /* else, in a body of a node: its slot in the graph around */
} BodyName;

typedef struct Body {
    const Onnx__GraphProto *proto; /* NULL: it is a function */
    struct Body *outer, *root; /* of a node's body: the graph around, and the outermost one; else NULL, and
                                * itself */
    NameMap slots;             /* from names of values to numbers */
    BodyName *names;
    size_t names_capacity;
    int *marks;         /* by slot, all 0 between uses; of bodies.c's callers */
    NameMap parameters; /* of the root: from names of attributes that nodes refer to, to numbers */
    BodyNode *nodes;
    size_t n_nodes;
    Imports imports;
} Body;

typedef struct Function {
    const Onnx__FunctionProto *proto;
    bool is_surveyed;
    bool is_prepared; /* what follows is there; done when it is called for the first time */
    Body body;
    int *inputs, *outputs;                 /* slots */
    const Onnx__AttributeProto **defaults; /* by parameter; NULL where there is none */
} Function;

/* The slot of a value's name, which must live as long as the body; NO_SLOT for "". */
Status body_slot(Loading *loading, Body *body, const char *name, int *slot) MUST_CHECK;
/* The same where the name is known; NO_SLOT where it is not. */
int body_find_slot(const Body *body, const char *name);
/* `outer` is the graph that a body's node stands in; NULL for the model's graph. */
Status make_graph_body(Loading *loading, const Onnx__GraphProto *proto, Body *outer, Body *body) MUST_CHECK;
/* Whether the body or a graph around it makes what the slot stands for. */
bool body_finds(const Body *body, int slot);
Status make_imports(Loading *loading, size_t n, Onnx__OperatorSetIdProto **opsets,
                    Imports *imports) MUST_CHECK;
/* Whether it is ONNX's own, by either of its names. */
bool is_default_domain(const char *domain);
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
/* The versions that its nodes are of: a function that states none has those of its caller. */
static inline const Imports *function_imports(const Function *function, const Imports *outer) {
    return function->proto->n_opset_import ? &function->body.imports : outer;
}

/* --- attributes.c --- */
/* An AttributeProto.AttributeType. */
int attribute_kind(const Onnx__AttributeProto *proto);
/* What they hold is in `graph`. */
Status load_attributes(Loading *loading, Graph *graph, const BodyNode *node,
                       const Onnx__AttributeProto *const *bound, AttrList *attrs) MUST_CHECK;
/* The contents of a Constant node. */
Status load_constant(Loading *loading, const AttrList *attrs, const char *node_name,
                     Tensor *tensor) MUST_CHECK;

/* --- nodes.c: nodes to Node, with local functions inlined --- */
/* Values as one graph or one call of a function sees them. */
typedef struct Scope {
    Graph *graph; /* what its nodes become part of */
    Body *body;
    Value **values; /* by slot; NULL: not met yet; &absent_value: an optional input that the call left out */
    const char *prefix; /* "" for graphs; of the names that a function's own values get */
    const Onnx__AttributeProto *const *bound; /* attributes of the call */
    const Imports *imports;
    const char *function; /* NULL for graphs */
    uint32_t depth;
} Scope;

/* A node that is being loaded, for messages. */
typedef struct Where {
    const Onnx__NodeProto *proto;
    const Scope *scope;
    size_t index;   /* in its graph or function */
    int64_t offset; /* in the file, or -1 */
} Where;
enum { WHERE_TEXT = 450 };
Where make_where(const Loading *loading, const Scope *scope, const BodyNode *node, size_t index);
const char *where_text(const Where *where, char text[WHERE_TEXT]);
Status where_fail(Loading *loading, const Where *where, Status status, const char *message);

/* Tells the log of attributes that the operator did not ask for and does not ignore either (attributes.c);
 * once for each operator. */
Status warn_of_unknown(Loading *loading, const Where *where, const Op *op, const AttrList *attrs) MUST_CHECK;

/* The value of that slot, made where it is met for the first time; NULL where the call left it out. */
Status scope_value(Loading *loading, Scope *scope, int slot, Value **value) MUST_CHECK;
/* The same where it is to be made now by the node: BAD_MODEL where something else makes it. */
Status scope_claim(Loading *loading, Scope *scope, const Where *where, int slot, Value **value) MUST_CHECK;
/* Lets a slot that was not met stand for no value. */
void scope_leave_out(Scope *scope, int slot);
Status load_nodes(Loading *loading, Scope *scope) MUST_CHECK;
/* Counts one more, which has its place in the file from `where`. */
Status add_loaded_node(Loading *loading, Scope *scope, const Where *where, const Op *op, int64_t opset,
                       int n_inputs, int n_outputs, Node **node) MUST_CHECK;
/* Whether there is such an operator, if perhaps not at `*opset`, which the model imports (0: none). */
bool has_operator(const Loading *loading, const Where *where, int64_t *opset);

/* --- survey.c --- */
/* UNSUPPORTED where the body, or what it calls, has nodes of operators that Strider lacks: all are named. */
Status survey_operators(Loading *loading, Body *body, const Imports *imports) MUST_CHECK;

/* --- node_bodies.c --- */
/* The bodies of a node whose other inputs are connected, and what they capture of the graph around. */
Status load_bodies(Loading *loading, Scope *outer, const Where *where, const BodyNode *from,
                   Node *node) MUST_CHECK;

/* --- graphs.c --- */
/* Fills scope->graph from its GraphProto; `captured` are inputs that follow the formal ones. */
Status load_graph(Loading *loading, Scope *scope, size_t n_captured, Value *const *captured) MUST_CHECK;
/* A constant that the file holds: graph_set_constant() that counts. */
Status load_parameter(Loading *loading, Graph *graph, Value *value, Tensor tensor) MUST_CHECK;

#endif
