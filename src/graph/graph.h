/* SPDX-License-Identifier: Apache-2.0 */
/* The graph: values, and nodes that make values from values.  Everything in it lives in one region. */
#ifndef GRAPH_GRAPH_H
#define GRAPH_GRAPH_H

#include "base/log.h"
#include "base/memory.h"
#include "base/names.h"
#include "graph/post_op.h"
#include "graph/symbols.h"
#include "graph/value_type.h"

struct Op;

/* A place where a value is read.  The graph keeps the list of each value's uses right at all times. */
typedef struct Use {
    struct Node *node; /* NULL: it is an output of the graph */
    int port;          /* in node->inputs or graph->outputs */
    struct Use *previous, *next;
} Use;

typedef struct Value {
    const char *name;       /* unique in the graph, never "" */
    int index;              /* in graph->values */
    ValueType type;         /* as inferred; what is not known stays unknown */
    ValueType declared;     /* as the model states it; dtype NONE and rank unknown where it does not */
    struct Node *declarer;  /* that makes it in the model, whichever does after passes; NULL: not known */
    struct Node *producer;  /* NULL for inputs and constants */
    int producer_port;      /* in producer->outputs */
    const Tensor *constant; /* the contents, where they are the same in every run; else NULL */
    const Tensor *default_value; /* of an input that need not be given; else NULL */
    bool is_input;
    Use *first_use, *last_use;
    int uses, output_uses; /* all of them, and those that are outputs of the graph */
} Value;

typedef struct Node {
    const struct Op *op;
    const char *name;        /* "" where the model gives none */
    const char *fused;       /* what passes put into it, such as "Add+Relu"; NULL where nothing */
    const char *torch_scope; /* the nn.Module path that the exporter left, or "" */
    int index;               /* in graph->nodes */
    int source_index;        /* in the model file; -1 for nodes that a pass made */
    int64_t byte_offset;     /* in the model file; -1 where it is not known */
    int opset;               /* the version of the operator's domain that the model imports */
    void *attrs;             /* the operator's own struct, from its parse(); NULL where it has none */
    int n_inputs, n_outputs;
    const PostOp
        *post_ops; /* what passes put after the operator's arithmetic; their operands are the last inputs */
    int n_post_ops;
    Value **inputs;      /* NULL for an optional input that is absent; set by node_set_input() alone */
    Use *input_uses;     /* one for each input */
    Value **outputs;     /* NULL for an optional output that nobody asked for */
    bool removed;        /* by a pass; gone after graph_compact() */
    bool stale_told;     /* whether the log was told of a declared shape that differs; any thread may set it,
                          * through node_tell_stale() */
    struct Node **parts; /* in order, what a pass made this node of where that holds for some shapes alone
                          * (see optimize/parts.h): a plan takes them in its place for others */
    int *const *part_ports; /* by part and its inputs: which input of this node it reads */
    int n_parts;
    /* The graphs that a control flow operator runs (If: then, else), NULL where it has none.  Values of the
     * outer graph that bodies read are the node's last inputs, and the last inputs of each body, in one
     * order. */
    struct Graph **bodies;
    int n_bodies, n_captures;
    unsigned absent_bodies; /* bit i: no attribute gives body i of Op.bodies, which bodies[] leaves out */
} Node;

typedef struct Graph {
    Region region;
    const char *name;
    struct Graph *outer;         /* of a body: the graph that its node stands in; NULL for the model's */
    struct Graph *bodies, *next; /* of all nodes that there ever were; in the list of the outer graph */
    bool
        cannot_run; /* of a branch: it does not fit what is known of its inputs, and fails when it is taken */
    size_t inferred_in_bodies; /* nodes, of the model's graph: see infer_may_repeat() */
    size_t fold_bytes;         /* that folding may still add, of the model's graph: see optimize/fold.c */
    Value **values;
    size_t n_values, values_capacity;
    Node **nodes; /* in the order in which they run, once graph_sort() has succeeded */
    size_t n_nodes, nodes_capacity;
    Value **inputs;
    size_t n_inputs, inputs_capacity;
    Value **outputs; /* the same value may stand here more than once */
    size_t n_outputs, outputs_capacity;
    NameMap names;        /* of the values */
    size_t next_suffix;   /* of graph_unique_name(): smaller ones are not tried again */
    SymbolTable *symbols; /* of the model's graph: a name means the same in bodies */
    SymbolTable own_symbols;
    TensorList tensors; /* constants whose data graph_free() releases */
} Graph;

/* `graph` must stay where it is. */
void graph_init(Graph *graph, const Allocator *allocator);
/* With its bodies. */
void graph_free(Graph *graph);
/* The graph around all that are around this one. */
Graph *graph_of_model(Graph *graph);
/* An empty graph for a node of `outer`, which frees it. */
Status graph_add_body(Graph *outer, Graph **body, Error *err) MUST_CHECK;

/* A new value of unknown type; `name`, which no value may have yet, is copied. */
Status graph_add_value(Graph *graph, const char *name, Value **value, Error *err) MUST_CHECK;
/* The value of that name, or NULL. */
Value *graph_find_value(const Graph *graph, const char *name);
/* Gives a value another name, which begins with the one that it had: that one is free then. */
Status graph_rename_value(Graph *graph, Value *value, Error *err) MUST_CHECK;
/* A name that starts with `stem` and that no value has. */
Status graph_unique_name(Graph *graph, const char *stem, const char **name, Error *err) MUST_CHECK;

/* A new node at the end, with room for its inputs and outputs (all NULL) and zeroed attributes of
 * op->attrs_size bytes.  `name` is copied. */
Status graph_add_node(Graph *graph, const struct Op *op, const char *name, int n_inputs, int n_outputs,
                      Node **node, Error *err) MUST_CHECK;
/* Sets an input, or takes it away (NULL). */
void node_set_input(Node *node, int port, Value *value);
/* Makes room for inputs up to `count` ports (absent ones). */
Status graph_widen_inputs(Graph *graph, Node *node, int count, Error *err) MUST_CHECK;
/* Leaves a node its first `count` inputs. */
void node_drop_inputs(Node *node, int count);
/* Appends to the node's post-operations; `operand`, NULL for an activation, becomes a further input and
 * `added.port` its port. */
Status graph_add_post_op(Graph *graph, Node *node, PostOp added, Value *operand, Error *err) MUST_CHECK;
/* Takes all post-operations away, with their operands. */
void node_drop_post_ops(Node *node);
/* The first post-operation of that kind, or NULL. */
const PostOp *node_post_op(const Node *node, PostOpKind kind);
/* BAD_MODEL where an operand cannot belong to an output of type `y`; a residual's shape is not looked at,
 * which a plan does (optimize/parts.h). */
Status node_check_post_ops(const Node *node, const ValueType *inputs, const ValueType *y,
                           Error *err) MUST_CHECK;
/* Inputs of the operator itself: those that follow are operands of post-operations. */
int node_own_inputs(const Node *node);
/* Sets an output and the value's producer, or takes it away (NULL); what stood there is made by no node then.
 */
void node_set_output(Node *node, int port, Value *value);

/* Appends to graph->inputs or graph->outputs. */
Status graph_add_input(Graph *graph, Value *value, Error *err) MUST_CHECK;
Status graph_add_output(Graph *graph, Value *value, Error *err) MUST_CHECK;
/* No value is an output any more; graph->outputs stays as it was until one is added. */
void graph_drop_outputs(Graph *graph);

/* Makes `value` a constant, with its type.  The tensor's data stays where it is: when the tensor has an
 * allocator the graph frees it at its end, also when this call fails. */
Status graph_set_constant(Graph *graph, Value *value, Tensor tensor, Error *err) MUST_CHECK;
/* A tensor that lives as long as the graph, freed with it like a constant's. */
Status graph_keep_tensor(Graph *graph, Tensor tensor, const Tensor **kept, Error *err) MUST_CHECK;

/* Orders the nodes so that each stands after those that it reads from, otherwise as they stood; sets their
 * indices. BAD_MODEL where there is a cycle (one node of it is named). */
Status graph_sort(Graph *graph, Error *err) MUST_CHECK;

/* Checks what every graph must keep: a node's arity fits its operator, each value that is read has a
 * producer, a constant or is an input, each value is made once, and outputs exist.  BAD_MODEL or UNSUPPORTED.
 */
Status graph_validate(const Graph *graph, Error *err) MUST_CHECK;

static inline bool is_graph_output(const Value *value) {
    return value->output_uses > 0;
}
/* The only node that reads `value`; NULL where there are several readers, or it is a graph output. */
static inline Node *only_reader(const Value *value) {
    return value->uses == 1 ? value->first_use->node : NULL;
}
/* Lets all readers of `from` (nodes and graph outputs) read `to` instead, in time of their number. */
void graph_replace_uses(Graph *graph, Value *from, Value *to);
/* Marks a node as removed: it reads nothing any more, and its outputs lose their producer. */
void graph_remove_node(Node *node);
/* --- bodies (bodies.c) --- */
/* The attribute that holds node->bodies[index]; NULL after the last one. */
const char *node_body_name(const Node *node, int index);
/* Captured values of the graph around that are constants become constants of the node's bodies, and are
 * captured no more; nor are those that no body reads. */
void node_settle_captures(Node *node);
/* Leaves a body the outputs that are marked in `keep`, which has a place for each. */
Status graph_keep_outputs(Graph *body, const bool *keep, Error *err) MUST_CHECK;
/* Makes a value of a body one of the graph around, under another name where that has one of its name. */
Status graph_adopt_value(Graph *graph, Value *value, Error *err) MUST_CHECK;

/* Drops removed nodes and sets the indices of the rest. */
void graph_compact(Graph *graph);

/* Fills value->type of every value, in order, from inputs and constants, by the operators' infer().  Values
 * whose contents follow from shapes alone are not folded here (see optimize/fold.c).  `shapes` says what to
 * do where a declared shape differs; `log` receives warnings. */
Status graph_infer(Graph *graph, strider_shape_policy shapes, const Log *log, Error *err) MUST_CHECK;

/* Whether nobody asked this of the node before: a wrong declaration is told of once. */
static inline bool node_tell_stale(Node *node) {
    return !__atomic_exchange_n(&node->stale_told, true, __ATOMIC_RELAXED);
}

/* "node 17 \"conv1\" (Conv)" into `text`; returns `text`. */
enum { NODE_TEXT = 200 };
const char *node_text(const Node *node, char text[NODE_TEXT]);
/* fail() with the node's text before the message and the node's place in `err`. */
Status node_fail(const Node *node, Error *err, Status status, const char *format, ...) PRINTF_LIKE(4, 5);

#endif
