/* SPDX-License-Identifier: Apache-2.0 */
/* Calling an operator's infer() and reference() on a node: for shape inference, constant folding, plans and
 * tests. */
#ifndef GRAPH_EVALUATE_H
#define GRAPH_EVALUATE_H

#include "graph/op.h"

/* Output types of `node` from input types and known contents (both arrays of node->n_inputs, in which an
 * absent input has dtype NONE and contents NULL; contents of ports that are not in Op.reads are not looked
 * at).  `outputs` has room for node->n_outputs. */
Status node_infer(const Node *node, const ValueType *inputs, const Tensor *const *input_values,
                  SymbolTable *symbols, ValueType *outputs, Error *err) MUST_CHECK;

/* Whether it runs by host(): its operator has no reference, or an input is not a tensor. */
bool node_is_for_host(const Node *node);

/* Whether it must not be evaluated before a run. */
bool node_waits_for_run(const Node *node);

/* Whether infer() looks at the contents of that input. */
bool node_reads(const Node *node, int port);

/* The same from the types and constants that the graph knows; for a graph that may change, as types in bodies
 * are inferred, too. */
Status node_infer_in_graph(const Node *node, SymbolTable *symbols, ValueType *outputs, Error *err) MUST_CHECK;

/* For infer() of a node with bodies: types in body `index` from those of its `count` inputs without the
 * captured ones, whose types the context has.  BAD_MODEL where the body takes another number of them.  When a
 * model is loaded types in bodies stay as they are, and this does nothing. */
Status infer_body(InferContext *ctx, int index, const ValueType *inputs, int count) MUST_CHECK;
/* Whether bodies may be inferred more than once, until the types of what they carry from one run to the next
 * stay: not when a model's nested loops have had their share of time. */
bool infer_may_repeat(const InferContext *ctx);

/* Runs the reference kernel.  `inputs` (NULL where absent) must be aligned.  outputs[i], of the types that
 * node_infer() gave, gets memory from `allocator` where it has no data yet; it is skipped where the node's
 * output is NULL.  On failure what was allocated here is freed. */
Status node_evaluate(const Node *node, const Tensor *const *inputs, const ValueType *output_types,
                     Tensor *outputs, const Allocator *allocator, Error *err) MUST_CHECK;
/* The same in a run, in which strings may be made: their bytes are put into `strings`. */
Status node_evaluate_in_run(const Node *node, const Tensor *const *inputs, const ValueType *output_types,
                            Tensor *outputs, const Allocator *allocator, Region *strings,
                            Error *err) MUST_CHECK;

#endif
