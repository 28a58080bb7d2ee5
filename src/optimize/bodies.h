/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies that run exactly once, in every run, go into the graph around them. */
#ifndef OPTIMIZE_BODIES_H
#define OPTIMIZE_BODIES_H

#include "graph/graph.h"

/* The body that such a node runs: of an If whose condition is constant; NULL where nothing is known. */
Graph *body_to_inline(const Node *node);
/* Moves what is in the body into `graph`, in which `node` is, and removes the node: the caller puts the
 * body's nodes in its place, and after them those of `*after` (`*n_after`), which hand values on.
 * Constants and unread values are captured no more. */
Status inline_body(Graph *graph, Node *node, Graph *body, Node ***after, size_t *n_after,
                   Error *err) MUST_CHECK;

#endif
