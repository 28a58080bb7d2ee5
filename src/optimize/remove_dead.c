/* SPDX-License-Identifier: Apache-2.0 */
#include "optimize/optimize.h"

static bool is_dead(const Node *node) {
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] && node->outputs[i]->uses)
            return false;
    return true;
}

Status pass_remove_dead(Graph *graph, Error *err) {
    (void)err;
    /* Backwards: a node's readers stand after it. */
    for (size_t i = graph->n_nodes; i > 0; i--)
        if (is_dead(graph->nodes[i - 1]))
            graph_remove_node(graph->nodes[i - 1]);
    graph_compact(graph);
    /* An output that nobody reads need not be made: a Dropout's mask, a training BatchNormalization's
     * statistics. */
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (int port = 0; port < graph->nodes[i]->n_outputs; port++) {
            Value *output = graph->nodes[i]->outputs[port];
            if (output && !output->uses)
                node_set_output(graph->nodes[i], port, NULL);
        }
    return STRIDER_OK;
}
