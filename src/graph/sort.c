/* SPDX-License-Identifier: Apache-2.0 */
/* The order of nodes. */
#include "graph/graph.h"

static Status no_memory(Error *err) {
    return fail(err, STRIDER_OUT_OF_MEMORY, "out of memory for the graph");
}

/* Kahn's algorithm with a binary heap of ready nodes by position, so that order is kept where it can be. */
static void heap_push(Node **heap, size_t *count, Node *node) {
    size_t at = (*count)++;
    while (at && heap[(at - 1) / 2]->index > node->index) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = node;
}

static Node *heap_pop(Node **heap, size_t *count) {
    Node *top = heap[0], *last = heap[--*count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= *count)
            break;
        if (child + 1 < *count && heap[child + 1]->index < heap[child]->index)
            child++;
        if (heap[child]->index > last->index)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    return top;
}

typedef struct SortState {
    int *waiting;                          /* inputs of node i whose producers have not run */
    size_t *first_reader, *readers_filled; /* readers of node i's outputs in `readers` */
    Node **readers, **heap, **order;
} SortState;

static size_t count_edges(const Graph *graph, SortState *state) {
    size_t edges = 0;
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (int port = 0; port < graph->nodes[i]->n_inputs; port++) {
            const Value *value = graph->nodes[i]->inputs[port];
            if (!value || !value->producer)
                continue;
            state->waiting[i]++;
            state->readers_filled[value->producer->index]++;
            edges++;
        }
    return edges;
}

static void sort_nodes(const Graph *graph, SortState *state, size_t *ordered) {
    size_t ready = 0;
    *ordered = 0;
    for (size_t i = 0, first = 0; i < graph->n_nodes; i++) {
        state->first_reader[i] = first;
        first += state->readers_filled[i];
        state->readers_filled[i] = 0;
        if (!state->waiting[i])
            heap_push(state->heap, &ready, graph->nodes[i]);
    }
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (int port = 0; port < graph->nodes[i]->n_inputs; port++) {
            const Value *value = graph->nodes[i]->inputs[port];
            if (!value || !value->producer)
                continue;
            int producer = value->producer->index;
            state->readers[state->first_reader[producer] + state->readers_filled[producer]++] =
                graph->nodes[i];
        }
    while (ready) {
        Node *node = heap_pop(state->heap, &ready);
        state->order[(*ordered)++] = node;
        for (size_t i = 0; i < state->readers_filled[node->index]; i++) {
            Node *reader = state->readers[state->first_reader[node->index] + i];
            if (--state->waiting[reader->index] == 0)
                heap_push(state->heap, &ready, reader);
        }
    }
}

Status graph_sort(Graph *graph, Error *err) {
    size_t n = graph->n_nodes, ordered = 0;
    Region scratch;
    region_init(&scratch, graph->region.allocator, 0);
    SortState state = {.waiting = region_alloc_array(&scratch, n, sizeof(int)),
                       .first_reader = region_alloc_array(&scratch, n, sizeof(size_t)),
                       .readers_filled = region_alloc_array(&scratch, n, sizeof(size_t)),
                       .heap = region_alloc_array(&scratch, n, sizeof(Node *)),
                       .order = region_alloc_array(&scratch, n, sizeof(Node *))};
    Status status = STRIDER_OK;
    for (size_t i = 0; i < n; i++)
        graph->nodes[i]->index = (int)i;
    if (!state.waiting || !state.first_reader || !state.readers_filled || !state.heap || !state.order) {
        status = no_memory(err);
        goto done;
    }
    state.readers = region_alloc_array(&scratch, count_edges(graph, &state), sizeof(Node *));
    if (!state.readers) {
        status = no_memory(err);
        goto done;
    }
    sort_nodes(graph, &state, &ordered);
    if (ordered < n) {
        size_t stuck = 0;
        while (!state.waiting[stuck])
            stuck++;
        status = node_fail(
            graph->nodes[stuck], err, STRIDER_BAD_MODEL,
            "the graph has a cycle: this node waits for its own output, directly or through others");
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        graph->nodes[i] = state.order[i];
        graph->nodes[i]->index = (int)i;
    }
done:
    region_free(&scratch);
    return status;
}
