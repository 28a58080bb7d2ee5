/* SPDX-License-Identifier: Apache-2.0 */
/* Rewrites of a graph that keep what it computes.  One pass a file; each can be run by itself. */
#ifndef OPTIMIZE_OPTIMIZE_H
#define OPTIMIZE_OPTIMIZE_H

#include "graph/graph.h"

/* A pass finds types inferred, and leaves them so. */
typedef struct Pass {
    const char *name;
    Status (*run)(Graph *graph, Error *err);
} Pass;

/* What takes float16 or bfloat16 computes in float32; casts are left where others read or make halves. */
Status pass_widen_halves(Graph *graph, Error *err) MUST_CHECK;
/* Einsum becomes products of matrices or of elements, with what moves their operands. */
Status pass_lower_einsum(Graph *graph, Error *err) MUST_CHECK;
/* MeanVarianceNormalization, LpNormalization and GlobalLpPool become reductions and functions of elements. */
Status pass_lower_norms(Graph *graph, Error *err) MUST_CHECK;
/* Evaluates nodes whose inputs are constants, or whose output follows from shapes that are known; constants
 * go into bodies, and a body that runs in every run goes into the graph. */
Status pass_fold_constants(Graph *graph, Error *err) MUST_CHECK;
/* All passes on the bodies of nodes, whose outputs that nobody reads go, and captures that no body reads
 * then. */
Status pass_bodies(Graph *graph, Error *err) MUST_CHECK;
/* Takes out Identity, inference Dropout, and the like. */
Status pass_remove_identities(Graph *graph, Error *err) MUST_CHECK;
/* Takes out nodes whose outputs nobody reads. */
Status pass_remove_dead(Graph *graph, Error *err) MUST_CHECK;
/* BatchNormalization, or Mul and Add by a channel's constants, into the Conv before it; several of them
 * after other nodes into one BatchNormalization. */
Status pass_fuse_batch_norm(Graph *graph, Error *err) MUST_CHECK;
/* x * Sigmoid(x), x * HardSigmoid(x), x * Tanh(Softplus(x)), x/2 (1 + Erf(x/sqrt 2)): one node each. */
Status pass_fuse_activations(Graph *graph, Error *err) MUST_CHECK;
/* What exporters wrote for LayerNormalization before it was an operator. */
Status pass_fuse_layer_norms(Graph *graph, Error *err) MUST_CHECK;
/* What exporters wrote for Attention before it was an operator. */
Status pass_fuse_attention(Graph *graph, Error *err) MUST_CHECK;
/* Transposes after elementwise nodes, joined, and dropped where they cancel. */
Status pass_push_transposes(Graph *graph, Error *err) MUST_CHECK;
/* Activations and residual Adds into the node before them. */
Status pass_fuse_epilogues(Graph *graph, Error *err) MUST_CHECK;
/* Reshape, Transpose and Reshape that shuffle channels: one Concat with an order, of what was joined before,
 * and one for each part that is taken after it. */
Status pass_fuse_shuffles(Graph *graph, Error *err) MUST_CHECK;
/* Concat(a, b, c) after Concat(a, b) takes that one's result. */
Status pass_fuse_concats(Graph *graph, Error *err) MUST_CHECK;

/* All of them, in their order. */
const Pass *optimize_passes(size_t *count);
Status optimize_graph(Graph *graph, Error *err) MUST_CHECK;

#endif
