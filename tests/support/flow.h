/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs with bodies, made and run by hand: a plain interpreter that runs each node by host() or its
 * reference. */
#ifndef TESTS_FLOW_H
#define TESTS_FLOW_H

#include "graph/op.h"

/* Operators of other domains are "domain:Operator".  Names stand with spaces between, "-" for one that is
 * absent.  A name that the graph does not have yet becomes a value.  These fail the test where the graph
 * does. */
Node *flow_node(Graph *graph, int opset, const char *op, const char *inputs, const char *outputs);
/* With attributes, which end at the first one without a name, and values of `graph` that its bodies read. */
Node *flow_node_of(Graph *graph, int opset, const char *op, const char *inputs, const char *outputs,
                   const Attr *attrs, const char *captures);
/* The next body of the node, with these inputs and its captured ones, which have the same names in it. */
Graph *flow_body(Graph *graph, Node *node, const char *inputs);
void flow_inputs(Graph *graph, const char *names);
void flow_outputs(Graph *graph, const char *names);
void flow_declare(Graph *graph, const char *name, ValueType type);
/* A copy of the tensor. */
void flow_constant(Graph *graph, const char *name, Tensor tensor);
/* Sorts and validates it and its bodies, and infers types. */
Status flow_infer(Graph *graph, Error *err) MUST_CHECK;

/* Values over literals: a copy of the tensor; a sequence, whose items end with NULL. */
RunValue *flow_tensor(const Allocator *allocator, Tensor tensor);
RunValue *flow_sequence(const Allocator *allocator, DType dtype, RunValue *const *items);

/* Runs a graph.  The references of the inputs go over to it; the caller gets those of the outputs. */
Status flow_run(const Graph *graph, const Allocator *allocator, RunValue *const *inputs, RunValue **outputs,
                Error *err) MUST_CHECK;
/* Fails the test unless the value is this tensor; ends the reference. */
void flow_expect(RunValue *value, Tensor expected);

#endif
