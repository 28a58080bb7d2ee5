/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies that run exactly once, in every run, go into the graph around them; of a loop whose body never runs
 * only what it hands on is left. */
#ifndef OPTIMIZE_BODIES_H
#define OPTIMIZE_BODIES_H

#include "graph/graph.h"

/* Whether it is known how often such a node runs which body: an If whose condition is constant, a Loop whose
 * number of iterations is 0 or 1.  `*body` is NULL where none runs. */
bool can_inline(const Node *node, Graph **body);
/* Moves what is in the body, where there is one, into `graph`, in which `node` is, and removes the node: the
 * caller puts the body's nodes in its place, and after them those of `*after` (`*n_after`), which hand
 * values on.  Constants and unread values are captured no more. */
Status inline_body(Graph *graph, Node *node, Graph *body, Node ***after, size_t *n_after,
                   Error *err) MUST_CHECK;

#endif
