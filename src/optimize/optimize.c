/* SPDX-License-Identifier: Apache-2.0 */
#include "optimize/optimize.h"

static const Pass passes[] = {
    {"remove_dead", pass_remove_dead},
};

const Pass *optimize_passes(size_t *count) {
    *count = sizeof passes / sizeof *passes;
    return passes;
}

Status optimize_graph(Graph *graph, Error *err) {
    graph_count_uses(graph);
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
        TRY(passes[i].run(graph, err));
    return STRIDER_OK;
}
