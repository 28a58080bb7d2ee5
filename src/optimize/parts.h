/* SPDX-License-Identifier: Apache-2.0 */
/* Fusions that rest on an assumption, and what stands in for them where it fails.
 *
 * A residual among the post-operations must have the shape of the output, and heads and batches of Attention
 * must be the same in all its inputs.  While a graph is optimised that may be known from names of dimensions
 * alone; but the same name may stand for 1 in one input and for 8 in another, and adding or multiplying them
 * is valid.  So the fused node keeps the nodes that it was made of, its parts: the product without the
 * residual, the Add, and what was fused after it; or all of the pattern.  A product that a sum of Einsum has
 * become keeps that, since ones may be spread there.  They stand outside of the graph:
 * nothing counts them as readers.  The values between them keep their places in it, but have no producer.
 * When shapes are known the plan takes the parts where they do not suit the fused node. */
#ifndef OPTIMIZE_PARTS_H
#define OPTIMIZE_PARTS_H

#include "graph/graph.h"

/* Before `node` takes the residual that `add` adds to its output as a post-operation. */
Status parts_begin(Graph *graph, Node *node, const Node *add, Error *err) MUST_CHECK;
/* Before `node`, which may have parts, absorbs the node after it. */
Status parts_extend(Graph *graph, Node *node, const Node *next, Error *err) MUST_CHECK;
/* Lets `node`, whose inputs are set, have these parts, in order, of which the last one makes its output. */
Status parts_of(Graph *graph, Node *node, Node *const *nodes, int count, Error *err) MUST_CHECK;
/* After the last pass: lets the parts of all nodes read what these read now. */
void parts_connect(Graph *graph);

#endif
