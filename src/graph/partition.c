/* SPDX-License-Identifier: Apache-2.0 */
/* How a graph is cut.
 *
 * Each value gets a level: that of the partition in which it is made.  A node that runs by itself at level L
 * runs after partition L, and what it makes is there from level L + 1 on.  So all that does not wait for such
 * a node is in one partition, wherever it stands in the file.
 *
 * A node runs by itself where it works on values of any kind or calls bodies (Op.host), where the shapes of
 * its outputs are found only by computing them (OP_DATA_DEPENDENT), or where they follow from contents that a
 * plan cannot know.  The last kind is a partition of its own, planned by these contents; the nodes after it
 * then only see types, so that their plan is the same whatever the contents were. */
#include "graph/partition.h"

#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "graph/evaluate.h"

typedef struct Cutting {
    const Graph *graph;
    Region *region; /* what lives with the program */
    Region scratch;
    int *level;      /* by value: of the partition from which on it is there */
    bool *plannable; /* by value: its contents follow from types, so that a plan can compute them */
    int *node_level; /* by node */
    bool *is_alone;  /* by node */
    int *cell;       /* by value */
    int n_levels;
    int *n_partitions;
    Program *program;
    Error *err;
} Cutting;

static Status no_memory(Error *err) {
    return fail(err, STRIDER_OUT_OF_MEMORY, "out of memory for the graph's partitions");
}

static bool is_shaped_by(const Node *node, int port) {
    return port < 32 && node->op->shaped_by >> port & 1;
}

/* --- levels --- */

/* Whether the contents of the inputs that shapes follow from are known while planning. */
static bool shapes_are_plannable(const Cutting *c, const Node *node) {
    for (int i = 0; i < node->n_inputs; i++) {
        const Value *value = node->inputs[i];
        if (value && is_shaped_by(node, i) && !value->constant && !c->plannable[value->index])
            return false;
    }
    return true;
}

static bool outputs_are_plannable(const Cutting *c, const Node *node) {
    if (node_is_for_host(node) || node_waits_for_run(node) || node->op->flags & OP_DATA_DEPENDENT)
        return false;
    for (int i = 0; i < node->n_inputs; i++) {
        const Value *value = node->inputs[i];
        const bool by_shape = i == 0 && node->op->flags & OP_SHAPE_ONLY;
        if (value && !by_shape && !value->constant && !c->plannable[value->index])
            return false;
    }
    return true;
}

static void find_level(Cutting *c, const Node *node) {
    const bool alone =
        node_is_for_host(node) || node->op->flags & OP_DATA_DEPENDENT || !shapes_are_plannable(c, node);
    const bool plannable = !alone && outputs_are_plannable(c, node);
    int level = 0;
    for (int i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] && c->level[node->inputs[i]->index] > level)
            level = c->level[node->inputs[i]->index];
    c->node_level[node->index] = level;
    c->is_alone[node->index] = alone;
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i]) {
            c->level[node->outputs[i]->index] = level + alone;
            c->plannable[node->outputs[i]->index] = plannable;
        }
    if (level + 1 > c->n_levels)
        c->n_levels = level + 1;
}

/* --- the values of a partition --- */

int partition_find(const Partition *partition, const Value *value) {
    size_t low = 0, high = partition->n_values;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (partition->values[middle]->index < value->index)
            low = middle + 1;
        else
            high = middle;
    }
    return low < partition->n_values && partition->values[low] == value ? (int)low : -1;
}

static int by_index(const void *a, const void *b) {
    const Value *first = *(const Value *const *)a, *second = *(const Value *const *)b;
    return (first->index > second->index) - (first->index < second->index);
}

static size_t count_ports(const Node *node) {
    size_t count = (size_t)node->n_inputs + (size_t)node->n_outputs;
    for (int i = 0; i < node->n_parts; i++)
        count += count_ports(node->parts[i]);
    return count;
}

static void add_values(Partition *partition, const Node *node) {
    for (int i = 0; i < node->n_inputs; i++)
        if (node->inputs[i])
            partition->values[partition->n_values++] = node->inputs[i];
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i])
            partition->values[partition->n_values++] = node->outputs[i];
    for (int i = 0; i < node->n_parts; i++)
        add_values(partition, node->parts[i]);
}

static Status list_values(Cutting *c, Partition *partition) {
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < partition->n_nodes; i++)
        count += count_ports(partition->nodes[i]);
    partition->values = region_alloc_array(c->region, count, sizeof(Value *));
    partition->shapes = region_alloc_array(c->region, count, sizeof(bool));
    if (!partition->values || !partition->shapes)
        return no_memory(c->err);
    for (size_t i = 0; i < partition->n_nodes; i++)
        add_values(partition, partition->nodes[i]);
    qsort(partition->values, partition->n_values, sizeof(Value *), by_index);
    for (size_t i = 0; i < partition->n_values; i++)
        if (!kept || partition->values[kept - 1] != partition->values[i])
            partition->values[kept++] = partition->values[i];
    partition->n_values = kept;
    return STRIDER_OK;
}

static bool is_in(const Cutting *c, const Partition *partition, const Node *node) {
    const Node *first = partition->nodes[0];
    if (c->is_alone[first->index])
        return node == first;
    return !c->is_alone[node->index] && c->node_level[node->index] == c->node_level[first->index];
}

/* Values between parts have no producer, and are made where they are read. */
static bool is_made_in(const Cutting *c, const Partition *partition, const Value *value) {
    return value->producer ? is_in(c, partition, value->producer) : !value->is_input;
}

static bool is_read_outside(const Cutting *c, const Partition *partition, const Value *value) {
    if (is_graph_output(value))
        return true;
    for (const Use *use = value->first_use; use; use = use->next)
        if (!is_in(c, partition, use->node))
            return true;
    return false;
}

typedef enum ValueRole { ROLE_INPUT, ROLE_OUTPUT, ROLE_INSIDE } ValueRole;

static ValueRole role_of(const Cutting *c, const Partition *partition, const Value *value) {
    if (value->constant)
        return ROLE_INSIDE;
    if (!is_made_in(c, partition, value))
        return ROLE_INPUT;
    return value->producer && is_read_outside(c, partition, value) ? ROLE_OUTPUT : ROLE_INSIDE;
}

static Status list_borders(Cutting *c, Partition *partition) {
    size_t counts[ROLE_INSIDE + 1] = {0};
    for (size_t i = 0; i < partition->n_values; i++)
        counts[role_of(c, partition, partition->values[i])]++;
    partition->inputs = region_alloc_array(c->region, counts[ROLE_INPUT], sizeof *partition->inputs);
    partition->outputs = region_alloc_array(c->region, counts[ROLE_OUTPUT], sizeof *partition->outputs);
    if (!partition->inputs || !partition->outputs)
        return no_memory(c->err);
    for (size_t i = 0; i < partition->n_values; i++) {
        const Value *value = partition->values[i];
        const ValueRole role = role_of(c, partition, value);
        if (role == ROLE_INPUT)
            partition->inputs[partition->n_inputs++] = (PartitionInput){.value = value};
        else if (role == ROLE_OUTPUT)
            partition->outputs[partition->n_outputs++] = value;
    }
    return STRIDER_OK;
}

/* From the last node to the first, so that what a value is made of comes after it. */
static void mark_shapes(Partition *partition) {
    for (size_t n = partition->n_nodes; n > 0; n--) {
        const Node *node = partition->nodes[n - 1];
        bool decides = false;
        for (int i = 0; i < node->n_outputs; i++)
            if (node->outputs[i])
                decides |= partition->shapes[partition_find(partition, node->outputs[i])];
        for (int i = 0; i < node->n_inputs; i++) {
            const bool by_shape = i == 0 && node->op->flags & OP_SHAPE_ONLY;
            if (node->inputs[i] && (is_shaped_by(node, i) || (decides && !by_shape)))
                partition->shapes[partition_find(partition, node->inputs[i])] = true;
        }
    }
    for (size_t i = 0; i < partition->n_inputs; i++)
        partition->inputs[i].shapes =
            partition->shapes[partition_find(partition, partition->inputs[i].value)];
}

static Status finish_partition(Cutting *c, Partition *partition) {
    TRY(list_values(c, partition));
    TRY(list_borders(c, partition));
    mark_shapes(partition);
    return STRIDER_OK;
}

/* --- items --- */

static Status make(const Graph *graph, bool is_main, Region *region, int *n_partitions, Program **program,
                   Error *err);

static int cell_of(Cutting *c, const Value *value) {
    if (!value || value->constant)
        return NO_CELL;
    if (c->cell[value->index] == NO_CELL)
        c->cell[value->index] = c->program->n_cells++;
    return c->cell[value->index];
}

static Status add_cells(Cutting *c, ProgramItem *item) {
    const Partition *partition = &item->partition;
    const bool planned = item->kind == ITEM_PARTITION;
    item->n_inputs = planned ? (int)partition->n_inputs : item->node->n_inputs;
    item->n_outputs = planned ? (int)partition->n_outputs : item->node->n_outputs;
    item->inputs = region_alloc_array(c->region, (size_t)item->n_inputs, sizeof(int));
    item->outputs = region_alloc_array(c->region, (size_t)item->n_outputs, sizeof(int));
    item->last_reads = region_alloc_array(c->region, (size_t)(item->n_inputs + item->n_outputs), sizeof(int));
    if (!item->inputs || !item->outputs || !item->last_reads)
        return no_memory(c->err);
    for (int i = 0; i < item->n_inputs; i++)
        item->inputs[i] = cell_of(c, planned ? partition->inputs[i].value : item->node->inputs[i]);
    for (int i = 0; i < item->n_outputs; i++)
        item->outputs[i] = cell_of(c, planned ? partition->outputs[i] : item->node->outputs[i]);
    return STRIDER_OK;
}

static Status add_partition(Cutting *c, const Node **nodes, size_t n_nodes) {
    ProgramItem *item = &c->program->items[c->program->n_items++];
    *item = (ProgramItem){
        .kind = ITEM_PARTITION,
        .partition = {.graph = c->graph, .index = (*c->n_partitions)++, .nodes = nodes, .n_nodes = n_nodes}};
    TRY(finish_partition(c, &item->partition));
    return add_cells(c, item);
}

static Status add_alone(Cutting *c, const Node **node) {
    if (!node_is_for_host(*node) && !((*node)->op->flags & OP_DATA_DEPENDENT))
        return add_partition(c, node, 1);
    ProgramItem *item = &c->program->items[c->program->n_items++];
    *item = (ProgramItem){.kind = node_is_for_host(*node) ? ITEM_HOST : ITEM_EVALUATE, .node = *node};
    item->bodies = region_alloc_array(c->region, (size_t)(*node)->n_bodies, sizeof(Program *));
    if (!item->bodies)
        return no_memory(c->err);
    for (int i = 0; i < (*node)->n_bodies; i++)
        TRY(make((*node)->bodies[i], false, c->region, c->n_partitions, &item->bodies[i], c->err));
    return add_cells(c, item);
}

/* All nodes, by level, those of the level's partition first; otherwise in their order. */
static Status sort_nodes(Cutting *c, const Node ***sorted, size_t **first) {
    const size_t n = c->graph->n_nodes, n_groups = 2 * (size_t)c->n_levels;
    *sorted = region_alloc_array(c->region, n, sizeof(Node *));
    *first = region_alloc_array(&c->scratch, n_groups + 1, sizeof(size_t));
    size_t *next = region_alloc_array(&c->scratch, n_groups + 1, sizeof(size_t));
    if (!*sorted || !*first || !next)
        return no_memory(c->err);
    for (size_t i = 0; i < n; i++)
        (*first)[2 * c->node_level[i] + c->is_alone[i] + 1]++;
    for (size_t i = 0; i < n_groups; i++)
        (*first)[i + 1] += (*first)[i];
    memcpy(next, *first, n_groups * sizeof *next);
    for (size_t i = 0; i < n; i++)
        (*sorted)[next[2 * c->node_level[i] + c->is_alone[i]]++] = c->graph->nodes[i];
    return STRIDER_OK;
}

static Status add_items(Cutting *c) {
    const Node **sorted;
    size_t *first;
    TRY(sort_nodes(c, &sorted, &first));
    size_t n_items = 0;
    for (int level = 0; level < c->n_levels; level++) {
        const size_t *at = first + 2 * level;
        n_items += (at[1] > at[0]) + (at[2] - at[1]);
    }
    c->program->items = region_alloc_array(c->region, n_items, sizeof *c->program->items);
    if (!c->program->items)
        return no_memory(c->err);
    for (int level = 0; level < c->n_levels; level++) {
        const size_t *at = first + 2 * level;
        if (at[1] > at[0])
            TRY(add_partition(c, sorted + at[0], at[1] - at[0]));
        for (size_t i = at[1]; i < at[2]; i++)
            TRY(add_alone(c, sorted + i));
    }
    return STRIDER_OK;
}

static Status add_results(Cutting *c) {
    const Graph *graph = c->graph;
    Program *program = c->program;
    program->inputs = region_alloc_array(c->region, graph->n_inputs, sizeof(int));
    program->outputs = region_alloc_array(c->region, graph->n_outputs, sizeof(int));
    if (!program->inputs || !program->outputs)
        return no_memory(c->err);
    for (size_t i = 0; i < graph->n_outputs; i++)
        program->outputs[i] = cell_of(c, graph->outputs[i]);
    for (size_t i = 0; i < graph->n_inputs; i++)
        program->inputs[i] = graph->inputs[i]->constant ? NO_CELL : c->cell[graph->inputs[i]->index];
    return STRIDER_OK;
}

/* Backwards: the first that is met is the last that reads. */
static Status find_last_reads(Cutting *c) {
    const Program *program = c->program;
    bool *is_read = region_alloc_array(&c->scratch, (size_t)program->n_cells, sizeof *is_read);
    if (!is_read)
        return no_memory(c->err);
    for (size_t i = 0; i < c->graph->n_outputs; i++)
        if (program->outputs[i] != NO_CELL)
            is_read[program->outputs[i]] = true;
    for (size_t i = program->n_items; i > 0; i--) {
        ProgramItem *item = &program->items[i - 1];
        for (int port = 0; port < item->n_inputs + item->n_outputs; port++) {
            const int cell =
                port < item->n_inputs ? item->inputs[port] : item->outputs[port - item->n_inputs];
            if (cell == NO_CELL || is_read[cell])
                continue;
            is_read[cell] = true;
            item->last_reads[item->n_last_reads++] = cell;
        }
    }
    return STRIDER_OK;
}

static Status cut(Cutting *c, bool is_main) {
    const Graph *graph = c->graph;
    const size_t n_values = graph->n_values, n_nodes = graph->n_nodes;
    c->level = region_alloc_array(&c->scratch, n_values, sizeof *c->level);
    c->plannable = region_alloc_array(&c->scratch, n_values, sizeof *c->plannable);
    c->cell = region_alloc_array(&c->scratch, n_values, sizeof *c->cell);
    c->node_level = region_alloc_array(&c->scratch, n_nodes, sizeof *c->node_level);
    c->is_alone = region_alloc_array(&c->scratch, n_nodes, sizeof *c->is_alone);
    if (!c->level || !c->plannable || !c->cell || !c->node_level || !c->is_alone)
        return no_memory(c->err);
    for (size_t i = 0; i < n_values; i++)
        c->cell[i] = NO_CELL;
    for (size_t i = 0; i < n_nodes; i++)
        find_level(c, graph->nodes[i]);
    TRY(add_items(c));
    TRY(add_results(c));
    TRY(find_last_reads(c));
    if (is_main && c->program->n_items)
        c->program->items[c->program->n_items - 1].partition.is_last = true;
    return STRIDER_OK;
}

static Status make(const Graph *graph, bool is_main, Region *region, int *n_partitions, Program **program,
                   Error *err) {
    *program = region_alloc(region, sizeof **program);
    if (!*program)
        return no_memory(err);
    **program = (Program){.graph = graph};
    Cutting c = {
        .graph = graph, .region = region, .n_partitions = n_partitions, .program = *program, .err = err};
    region_init(&c.scratch, region->allocator, 0);
    const Status status = cut(&c, is_main);
    region_free(&c.scratch);
    return status;
}

Status program_make(const Graph *graph, Region *region, int *n_partitions, const Program **program,
                    Error *err) {
    Program *made = NULL;
    TRY(make(graph, true, region, n_partitions, &made, err));
    *program = made;
    return STRIDER_OK;
}
