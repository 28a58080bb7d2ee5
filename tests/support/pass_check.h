/* SPDX-License-Identifier: Apache-2.0 */
/* That a pass keeps what a graph computes. */
#ifndef TESTS_PASS_CHECK_H
#define TESTS_PASS_CHECK_H

#include "graph/graph.h"

/* The last output, by the references; inputs, of float32, are filled from their indices. */
Tensor compute_graph(const Graph *graph);

/* Runs the pass; the graph must then have `nodes` nodes and the same result under the same name. */
void check_pass(Graph *graph, Status (*pass)(Graph *, Error *), size_t nodes);

#endif
