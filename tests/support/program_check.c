/* SPDX-License-Identifier: Apache-2.0 */
#include "support/program_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/flow.h"

static void must(Status status, const Error *error) {
    if (status)
        fail_msg("%s", error->message);
}

void cut_open(Cut *cut) {
    *cut = (Cut){0};
    graph_init(&cut->graph, allocator_default());
    region_init(&cut->region, allocator_default(), 0);
}

void cut_close(Cut *cut) {
    region_free(&cut->region);
    graph_free(&cut->graph);
}

void cut_declare(Cut *cut, const char *name, DType dtype, Shape shape) {
    flow_declare(&cut->graph, name, value_type_tensor(type_of(dtype, shape)));
}

/* --- cells --- */

/* A run of it, in which each cell is followed: written before it is read, released once and not before its
 * last reader, and each is always the same value. */
typedef struct Walk {
    const Program *program;
    const Value **values; /* by cell */
    bool *is_there, *is_gone;
} Walk;

static void write_cell(Walk *walk, int cell, const Value *value) {
    assert_in_range(cell, 0, walk->program->n_cells - 1);
    assert_false(walk->is_there[cell] || walk->is_gone[cell]);
    walk->is_there[cell] = true;
    walk->values[cell] = value;
}

static void read_cell(const Walk *walk, int cell, const Value *value) {
    if (cell == NO_CELL) {
        assert_true(!value || value->constant);
        return;
    }
    assert_in_range(cell, 0, walk->program->n_cells - 1);
    assert_true(walk->is_there[cell]);
    assert_ptr_equal(walk->values[cell], value);
}

static void release_cell(Walk *walk, int cell) {
    assert_true(walk->is_there[cell]);
    walk->is_there[cell] = false;
    walk->is_gone[cell] = true;
}

static const Value *input_of(const ProgramItem *item, int port) {
    return item->kind == ITEM_PARTITION ? item->partition.inputs[port].value : item->node->inputs[port];
}

static const Value *output_of(const ProgramItem *item, int port) {
    return item->kind == ITEM_PARTITION ? item->partition.outputs[port] : item->node->outputs[port];
}

static void walk_item(Walk *walk, const ProgramItem *item) {
    for (int i = 0; i < item->n_inputs; i++)
        read_cell(walk, item->inputs[i], input_of(item, i));
    for (int i = 0; i < item->n_outputs; i++)
        if (item->outputs[i] != NO_CELL)
            write_cell(walk, item->outputs[i], output_of(item, i));
        else
            assert_null(output_of(item, i));
    for (int i = 0; i < item->n_last_reads; i++)
        release_cell(walk, item->last_reads[i]);
}

/* What is there in the end are the outputs. */
static void check_end(const Walk *walk) {
    const Graph *graph = walk->program->graph;
    int n_there = 0, n_outputs = 0;
    for (size_t i = 0; i < graph->n_outputs; i++) {
        const int cell = walk->program->outputs[i];
        read_cell(walk, cell, graph->outputs[i]);
        bool is_again = cell == NO_CELL;
        for (size_t before = 0; before < i; before++)
            is_again |= walk->program->outputs[before] == cell;
        n_outputs += !is_again;
    }
    for (int i = 0; i < walk->program->n_cells; i++)
        n_there += walk->is_there[i];
    assert_int_equal(n_there, n_outputs);
}

static void check_cells(const Program *program) {
    const size_t n = (size_t)program->n_cells + 1;
    Walk walk = {program, calloc(n, sizeof(Value *)), calloc(n, 1), calloc(n, 1)};
    for (size_t i = 0; i < program->graph->n_inputs; i++)
        if (program->inputs[i] != NO_CELL)
            write_cell(&walk, program->inputs[i], program->graph->inputs[i]);
    for (size_t i = 0; i < program->n_items; i++)
        walk_item(&walk, &program->items[i]);
    check_end(&walk);
    free(walk.values);
    free(walk.is_there);
    free(walk.is_gone);
}

/* --- nodes and partitions --- */

static void check_find(const Graph *graph, const Partition *partition) {
    size_t n_found = 0;
    for (size_t i = 0; i < graph->n_values; i++) {
        const int at = partition_find(partition, graph->values[i]);
        n_found += at >= 0;
        if (at >= 0)
            assert_ptr_equal(partition->values[at], graph->values[i]);
    }
    assert_int_equal(n_found, partition->n_values);
    for (size_t i = 0; i < partition->n_nodes; i++)
        for (int port = 0; port < partition->nodes[i]->n_inputs; port++)
            if (partition->nodes[i]->inputs[port])
                assert_true(partition_find(partition, partition->nodes[i]->inputs[port]) >= 0);
}

/* Each node is in one item, after all that it reads. */
static void check_nodes(const Program *program) {
    const Graph *graph = program->graph;
    int *times = calloc(graph->n_nodes + 1, sizeof *times);
    bool *is_made = calloc(graph->n_values + 1, sizeof *is_made);
    for (size_t i = 0; i < program->n_items; i++) {
        const ProgramItem *item = &program->items[i];
        const bool planned = item->kind == ITEM_PARTITION;
        const Node *const *nodes = planned ? item->partition.nodes : (const Node *const *)&item->node;
        for (size_t at = 0; at < (planned ? item->partition.n_nodes : 1); at++) {
            const Node *node = nodes[at];
            times[node->index]++;
            for (int port = 0; port < node->n_inputs; port++)
                assert_true(!node->inputs[port] || !node->inputs[port]->producer ||
                            is_made[node->inputs[port]->index]);
            for (int port = 0; port < node->n_outputs; port++)
                if (node->outputs[port])
                    is_made[node->outputs[port]->index] = true;
        }
    }
    for (size_t i = 0; i < graph->n_nodes; i++)
        assert_int_equal(times[i], 1);
    free(times);
    free(is_made);
}

static void check_program(const Program *program, bool *is_numbered, int n_partitions) {
    check_cells(program);
    check_nodes(program);
    for (size_t i = 0; i < program->n_items; i++) {
        const ProgramItem *item = &program->items[i];
        if (item->kind == ITEM_PARTITION) {
            const int index = item->partition.index;
            assert_in_range(index, 0, n_partitions - 1);
            assert_false(is_numbered[index]);
            is_numbered[index] = true;
            check_find(program->graph, &item->partition);
        }
        for (int body = 0; item->node && body < item->node->n_bodies; body++) {
            assert_ptr_equal(item->bodies[body]->graph, item->node->bodies[body]);
            check_program(item->bodies[body], is_numbered, n_partitions);
        }
    }
}

const Program *cut_graph(Cut *cut) {
    Error error;
    must(flow_infer(&cut->graph, &error), &error);
    must(program_make(&cut->graph, &cut->region, &cut->n_partitions, &cut->program, &error), &error);
    bool *is_numbered = calloc((size_t)cut->n_partitions + 1, 1);
    check_program(cut->program, is_numbered, cut->n_partitions);
    for (int i = 0; i < cut->n_partitions; i++)
        assert_true(is_numbered[i]);
    free(is_numbered);
    return cut->program;
}
