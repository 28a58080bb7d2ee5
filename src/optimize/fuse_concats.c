/* SPDX-License-Identifier: Apache-2.0 */
/* Dense blocks join all results so far again and again: Concat(a, b), Concat(a, b, c), ...  A Concat that
 * begins with all inputs of an earlier one takes that one's result instead, which the plan can leave where it
 * is: in the front part of the larger result. */
#include <string.h>

#include "base/size.h"
#include "ops/tensor/concat.h"
#include "optimize/rewrite.h"

/* A Concat as it was before this pass. */
typedef struct Joined {
    const Node *node;
    Value **inputs;
    int count;
} Joined;

static const ConcatAttrs *concat_attrs(const Node *node) {
    return node->attrs;
}

static bool begins_with(const Node *node, const Joined *earlier) {
    if (!earlier || earlier->count < 2 || earlier->count >= node->n_inputs ||
        concat_attrs(earlier->node)->axis != concat_attrs(node)->axis)
        return false;
    return memcmp(node->inputs, earlier->inputs, (size_t)earlier->count * sizeof(Value *)) == 0;
}

static void shorten(Node *node, const Joined *earlier) {
    const int rest = node->n_inputs - earlier->count;
    node_set_input(node, 0, earlier->node->outputs[0]);
    for (int i = 0; i < rest; i++)
        node_set_input(node, 1 + i, node->inputs[earlier->count + i]);
    node_drop_inputs(node, 1 + rest);
}

Status pass_fuse_concats(Graph *graph, Error *err) {
    Region scratch;
    region_init(&scratch, graph->region.allocator, 0);
    /* By first input: the last Concat that began with it, which in a dense block has most in common. */
    const Joined **last = region_alloc_array(&scratch, graph->n_values, sizeof *last);
    Status status = last || !graph->n_values
                        ? STRIDER_OK
                        : fail_memory(err, bytes_of(sizeof *last, graph->n_values).n, "a pass");
    for (size_t i = 0; !status && i < graph->n_nodes; i++) {
        Node *node = graph->nodes[i];
        if (!is_op(node, OP_Concat) || node->n_inputs < 2 || !node->outputs[0] || concat_attrs(node)->order)
            continue;
        const size_t count = (size_t)node->n_inputs;
        Joined *joined = region_alloc(&scratch, sizeof *joined);
        Value **inputs = region_alloc_array(&scratch, count, sizeof *inputs);
        if (!joined || !inputs) {
            status = fail_memory(err, bytes_of(sizeof *inputs, count).n, "a pass");
            break;
        }
        memcpy(inputs, node->inputs, count * sizeof *inputs);
        *joined = (Joined){node, inputs, node->n_inputs};
        const Joined **latest = &last[node->inputs[0]->index];
        if (begins_with(node, *latest))
            shorten(node, *latest);
        *latest = joined;
    }
    region_free(&scratch);
    return status;
}
