/* SPDX-License-Identifier: Apache-2.0 */
#include "optimize/optimize.h"

#include "optimize/parts.h"

/* What makes nodes that others know goes first; then folding, so that what they look for is a constant; dead
 * nodes go before uses are counted on. Bodies go through all passes when it is known what is constant in
 * them, and before captures are counted as uses.
 */
static const Pass passes[] = {
    {"widen_halves", pass_widen_halves},
    {"lower_einsum", pass_lower_einsum},
    {"lower_norms", pass_lower_norms},
    {"fold_constants", pass_fold_constants},
    {"remove_dead", pass_remove_dead},
    {"bodies", pass_bodies},
    {"remove_identities", pass_remove_identities},
    {"fuse_activations", pass_fuse_activations},
    {"fuse_layer_norms", pass_fuse_layer_norms},
    {"fuse_attention", pass_fuse_attention},
    {"push_transposes", pass_push_transposes},
    {"fuse_batch_norm", pass_fuse_batch_norm},
    {"fuse_epilogues", pass_fuse_epilogues},
    {"fuse_shuffles", pass_fuse_shuffles},
    {"fuse_concats", pass_fuse_concats},
    {"remove_dead", pass_remove_dead},
};

const Pass *optimize_passes(size_t *count) {
    *count = sizeof passes / sizeof *passes;
    return passes;
}

Status optimize_graph(Graph *graph, Error *err) {
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
        TRY(passes[i].run(graph, err));
    parts_connect(graph);
    return STRIDER_OK;
}
