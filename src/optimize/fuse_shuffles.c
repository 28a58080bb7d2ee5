/* SPDX-License-Identifier: Apache-2.0 */
/* A channel shuffle, which exporters write as Reshape to [N, groups, C / groups, ...], Transpose of the two
 * and Reshape back, becomes one Concat with an order.  It takes what a Concat before it joins, and where
 * Slices or a Split after it take channels apart again, each part becomes a Concat of its own: a unit of
 * ShuffleNet then reads two tensors and writes two, whatever their layout. */
#include <string.h>

#include "ops/op.h"
#include "ops/tensor/concat.h"
#include "ops/tensor/slice.h"
#include "ops/tensor/transpose.h"
#include "optimize/rewrite.h"

typedef struct Shuffle {
    Node *last;     /* the Reshape back */
    Value **inputs; /* of the Concat that it becomes */
    int n_inputs;
    int64_t *order, channels;
} Shuffle;

static bool is_known_from(const Shape *shape, int from) {
    int64_t count;
    return shape->rank > from && shape_count(shape, from, shape->rank, &count);
}

/* Whether the reshapes split the channels in two dimensions and join them again, and leave all others: the
 * first one follows, as the number of elements stays. */
static bool splits_channels(const Shape *x, const Shape *apart, const Shape *y) {
    if (!is_known_from(x, 1) || !is_known_from(apart, 1) || !is_known_from(y, 1) ||
        apart->rank != x->rank + 1 || y->rank != x->rank || apart->dims[1] * apart->dims[2] != x->dims[1] ||
        y->dims[1] != x->dims[1])
        return false;
    for (int d = 2; d < x->rank; d++)
        if (apart->dims[d + 1] != x->dims[d] || y->dims[d] != x->dims[d] || !x->dims[d])
            return false;
    return x->dims[1] > 0;
}

static bool exchanges_dims_1_and_2(const Node *transpose, int rank) {
    int perm[MAX_RANK];
    transpose_perm(transpose->attrs, rank, perm);
    for (int d = 0; d < rank; d++)
        if (perm[d] != (d == 1 ? 2 : d == 2 ? 1 : d))
            return false;
    return true;
}

/* The Concat along the channels whose result only the shuffle reads. */
static const Node *concat_before(const Value *x) {
    const Node *concat = made_by(x, OP_Concat);
    const ConcatAttrs *attrs = concat ? concat->attrs : NULL;
    if (!attrs || attrs->order || axis_resolve(attrs->axis, x->type.shape.rank) != 1)
        return NULL;
    for (int i = 0; i < concat->n_inputs; i++)
        if (!is_known_from(&concat->inputs[i]->type.shape, 1))
            return NULL;
    return concat;
}

static Status find_shuffle(Graph *graph, Node *node, Shuffle *shuffle, bool *found, Error *err) {
    Node *transpose = is_op(node, OP_Reshape) ? made_by(node->inputs[0], OP_Transpose) : NULL;
    Node *first = transpose ? made_by(transpose->inputs[0], OP_Reshape) : NULL;
    *found = false;
    if (!first)
        return STRIDER_OK;
    Value *x = first->inputs[0];
    const Shape *apart = &first->outputs[0]->type.shape;
    if (!splits_channels(&x->type.shape, apart, &node->outputs[0]->type.shape) ||
        !exchanges_dims_1_and_2(transpose, apart->rank))
        return STRIDER_OK;
    const Node *concat = concat_before(x);
    *shuffle =
        (Shuffle){.last = node, .n_inputs = concat ? concat->n_inputs : 1, .channels = x->type.shape.dims[1]};
    shuffle->order = region_alloc_array(&graph->region, (size_t)shuffle->channels, sizeof *shuffle->order);
    shuffle->inputs = region_alloc_array(&graph->region, (size_t)shuffle->n_inputs, sizeof *shuffle->inputs);
    if (!shuffle->order || !shuffle->inputs)
        return fail(err, STRIDER_OUT_OF_MEMORY, "out of memory for a pass");
    memcpy(shuffle->inputs, concat ? concat->inputs : &x, (size_t)shuffle->n_inputs * sizeof x);
    const int64_t groups = apart->dims[1], each = apart->dims[2];
    for (int64_t c = 0; c < shuffle->channels; c++)
        shuffle->order[c] = c % groups * each + c / groups;
    *found = true;
    return STRIDER_OK;
}

/* `y` is the shuffle's channels [begin, begin + count), a part that `node` took. */
static Status add_part(Graph *graph, const Shuffle *shuffle, const Node *node, int64_t begin, int64_t count,
                       Value *y, Error *err) {
    Node *made = NULL;
    TRY(graph_add_node(graph, op_find("", "Concat", 13), node->name, shuffle->n_inputs, 1, &made, err));
    made->opset = 13;
    made->torch_scope = node->torch_scope;
    made->source_index = node->source_index;
    *(ConcatAttrs *)made->attrs = (ConcatAttrs){.axis = 1, .order = shuffle->order + begin, .n_order = count};
    for (int i = 0; i < shuffle->n_inputs; i++)
        node_set_input(made, i, shuffle->inputs[i]);
    node_set_output(made, 0, y);
    return note_fused(graph, made, "Shuffle", err);
}

/* Whether a Slice takes neighbouring channels and all of every other dimension; which. */
static bool takes_channels(const Node *slice, int64_t *begin, int64_t *count) {
    enum { SLICE_INPUTS = 5 };
    const int64_t open = INT64_MAX / 4; /* a size that is not known, of which only all can be taken */
    const Tensor *inputs[SLICE_INPUTS] = {0};
    SliceBounds bounds;
    Shape x = slice->inputs[0]->type.shape;
    if (!is_op(slice, OP_Slice) || slice->n_inputs > SLICE_INPUTS)
        return false;
    for (int i = 1; i < slice->n_inputs; i++) {
        if (slice->inputs[i] && !slice->inputs[i]->constant)
            return false;
        inputs[i] = slice->inputs[i] ? slice->inputs[i]->constant : NULL;
    }
    x.dims[0] = x.dims[0] < 0 ? open : x.dims[0];
    if (slice_resolve(slice->attrs, &x, slice->n_inputs, inputs, &bounds))
        return false;
    for (int d = 0; d < x.rank; d++)
        if (bounds.step[d] != 1 || (d != 1 && (bounds.begin[d] != 0 || bounds.count[d] != x.dims[d])))
            return false;
    *begin = bounds.begin[1];
    *count = bounds.count[1];
    return true;
}

/* Replaces what takes channels of the shuffle's result. */
static Status replace_reader(Graph *graph, const Shuffle *shuffle, Node *reader, Error *err) {
    int64_t begin = 0, count;
    if (takes_channels(reader, &begin, &count)) {
        graph_remove_node(reader);
        return add_part(graph, shuffle, reader, begin, count, reader->outputs[0], err);
    }
    if (!is_op(reader, OP_Split) ||
        axis_resolve(((const SplitAttrs *)reader->attrs)->axis, reader->inputs[0]->type.shape.rank) != 1)
        return STRIDER_OK;
    for (int i = 0; i < reader->n_outputs; i++)
        if (!reader->outputs[i] || !is_known_from(&reader->outputs[i]->type.shape, 1))
            return STRIDER_OK;
    graph_remove_node(reader);
    for (int i = 0; i < reader->n_outputs; i++) {
        count = reader->outputs[i]->type.shape.dims[1];
        TRY(add_part(graph, shuffle, reader, begin, count, reader->outputs[i], err));
        begin += count;
    }
    return STRIDER_OK;
}

Status pass_fuse_shuffles(Graph *graph, Error *err) {
    const size_t n = graph->n_nodes;
    for (size_t i = 0; i < n; i++) {
        Shuffle shuffle;
        bool found;
        if (graph->nodes[i]->removed)
            continue;
        TRY(find_shuffle(graph, graph->nodes[i], &shuffle, &found, err));
        Value *y = graph->nodes[i]->outputs[0];
        if (!found)
            continue;
        for (const Use *use = y->first_use, *next; use; use = next) {
            next = use->next;
            if (use->node && use->port == 0)
                TRY(replace_reader(graph, &shuffle, use->node, err));
        }
        graph_remove_node(graph->nodes[i]);
        if (y->uses)
            TRY(add_part(graph, &shuffle, graph->nodes[i], 0, shuffle.channels, y, err));
    }
    graph_compact(graph);
    TRY(graph_sort(graph, err));
    return pass_remove_dead(graph, err);
}
