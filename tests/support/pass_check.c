/* SPDX-License-Identifier: Apache-2.0 */
#include "support/pass_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph/evaluate.h"
#include "support/graph_builder.h"

Tensor compute_graph(const Graph *graph) {
    Tensor *tensors = calloc(graph->n_values, sizeof *tensors);
    for (size_t i = 0; i < graph->n_values; i++) {
        Value *value = graph->values[i];
        if (value->constant)
            tensors[i] =
                tensor_view(value->constant->type.dtype, &value->constant->type.shape, value->constant->data);
        if (value->is_input) {
            OK(tensor_alloc(&tensors[i], allocator_default(), STRIDER_F32, &value->type.shape, &error));
            fill_random(tensors[i].data, (size_t)tensor_elements(&tensors[i]), 77 + i);
        }
    }
    for (size_t n = 0; n < graph->n_nodes; n++) {
        const Node *node = graph->nodes[n];
        const Tensor *inputs[8] = {0};
        Tensor output = {0};
        for (int i = 0; i < node->n_inputs; i++)
            inputs[i] = node->inputs[i] ? &tensors[node->inputs[i]->index] : NULL;
        OK(node_evaluate(node, inputs, &node->outputs[0]->type, &output, allocator_default(), &error));
        tensors[node->outputs[0]->index] = output;
    }
    int wanted = graph->outputs[graph->n_outputs - 1]->index;
    Tensor result = tensors[wanted];
    if (!result.allocator) { /* a constant */
        OK(tensor_alloc(&result, allocator_default(), result.type.dtype, &result.type.shape, &error));
        memcpy(result.data, tensors[wanted].data, result.size_bytes);
    } else {
        tensors[wanted].allocator = NULL;
    }
    for (size_t i = 0; i < graph->n_values; i++)
        tensor_free(&tensors[i]);
    free(tensors);
    return result;
}

void check_pass(Graph *graph, Status (*pass)(Graph *, Error *), size_t nodes) {
    char name[64];
    snprintf(name, sizeof name, "%s", graph->outputs[0]->name);
    Tensor before = compute_graph(graph);
    OK(pass(graph, &error));
    assert_int_equal(graph->n_nodes, nodes);
    assert_string_equal(graph->outputs[0]->name, name);
    Tensor after = compute_graph(graph);
    assert_tensor_close(&after, &before, 1e-5, 1e-6);
    tensor_free(&before);
    tensor_free(&after);
    OK(graph_validate(graph, &error));
}
