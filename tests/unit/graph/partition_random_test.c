/* SPDX-License-Identifier: Apache-2.0 */
/* Random graphs are cut as the definition says. */
#include "support/program_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/wrap.h"
#include "support/flow.h"
#include "support/op_test.h"

/* --- making them --- */

typedef struct Maker {
    Cut cut;
    uint64_t random;
    char floats[128][8], integers[128][8], sequences[128][8]; /* names of values */
    int n_floats, n_integers, n_sequences, n_values;
} Maker;

WRAPS_AROUND static int choose(Maker *maker, int below) {
    maker->random = maker->random * 6364136223846793005u + 1442695040888963407u;
    return (int)(maker->random >> 33) % below;
}

static void name_value(char (*names)[8], int *count, const char *name) {
    snprintf(names[(*count)++], sizeof *names, "%s", name);
}

typedef struct Choice {
    const char *op;
    char inputs[3]; /* f, i, s: a float, an integer, a sequence */
    char output;
} Choice;

static const Choice choices[] = {
    {"Relu", "f", 'f'},
    {"Add", "ff", 'f'},
    {"Neg", "i", 'i'},
    {"Shape", "f", 'i'},
    {"Reshape", "fi", 'f'},
    {"Unique", "i", 'i'},
    {"ConstantOfShape", "i", 'f'},
    {"SequenceConstruct", "ff", 's'},
    {"SequenceLength", "s", 'i'},
    {"Expand", "fi", 'f'},
};

static const char *pick(Maker *maker, char kind) {
    if (kind == 'f')
        return maker->floats[choose(maker, maker->n_floats)];
    return kind == 'i' ? maker->integers[choose(maker, maker->n_integers)]
                       : maker->sequences[choose(maker, maker->n_sequences)];
}

static void put_choice(Maker *maker) {
    const Choice *choice = &choices[choose(maker, sizeof choices / sizeof *choices)];
    char inputs[24], output[8];
    if (choice->inputs[0] == 's' && !maker->n_sequences)
        return;
    snprintf(inputs, sizeof inputs, "%s", pick(maker, choice->inputs[0]));
    if (choice->inputs[1]) {
        const size_t length = strlen(inputs);
        snprintf(inputs + length, sizeof inputs - length, " %s", pick(maker, choice->inputs[1]));
    }
    snprintf(output, sizeof output, "v%d", maker->n_values++);
    flow_node(&maker->cut.graph, 21, choice->op, inputs, output);
    if (choice->output == 'f')
        name_value(maker->floats, &maker->n_floats, output);
    else if (choice->output == 'i')
        name_value(maker->integers, &maker->n_integers, output);
    else
        name_value(maker->sequences, &maker->n_sequences, output);
}

static void make_random(Maker *maker, uint64_t seed) {
    *maker = (Maker){.random = seed * 77 + 1};
    cut_open(&maker->cut);
    Graph *graph = &maker->cut.graph;
    flow_inputs(graph, "x n");
    cut_declare(&maker->cut, "x", STRIDER_F32, shape_unknown());
    cut_declare(&maker->cut, "n", STRIDER_I64, shape_unknown());
    flow_constant(graph, "c", tensor_f32(DIMS(1), 1));
    flow_constant(graph, "k", tensor_i64(DIMS(1), 1));
    name_value(maker->floats, &maker->n_floats, "x");
    name_value(maker->floats, &maker->n_floats, "c");
    name_value(maker->integers, &maker->n_integers, "n");
    name_value(maker->integers, &maker->n_integers, "k");
    for (int count = 1 + choose(maker, 40); count > 0; count--)
        put_choice(maker);
    for (int count = 1 + choose(maker, 4); count > 0; count--)
        flow_outputs(graph, pick(maker, choose(maker, 2) ? 'f' : 'i'));
}

/* --- the definition --- */

typedef struct Levels {
    int *waits;      /* by value: the nodes that run by themselves that it waits for, on the longest way */
    bool *plannable; /* by value: its contents follow from types */
    int *level;      /* by node */
    bool *alone;     /* by node: it runs by itself */
} Levels;

static bool runs_alone(const Levels *levels, const Node *node) {
    static const char *const by_itself[] = {"Unique", "SequenceConstruct", "SequenceLength"};
    for (size_t i = 0; i < 3; i++)
        if (strcmp(node->op->name, by_itself[i]) == 0)
            return true;
    const bool takes_shape = strcmp(node->op->name, "Reshape") == 0 || strcmp(node->op->name, "Expand") == 0;
    const int port = takes_shape ? 1 : strcmp(node->op->name, "ConstantOfShape") == 0 ? 0 : -1;
    return port >= 0 && !levels->plannable[node->inputs[port]->index];
}

/* In order, so that what a node reads is known. */
static void find_level(Levels *levels, const Node *node) {
    bool plannable = true;
    int level = 0;
    const bool alone = runs_alone(levels, node);
    for (int port = 0; port < node->n_inputs; port++) {
        const int at = node->inputs[port]->index;
        level = levels->waits[at] > level ? levels->waits[at] : level;
        plannable &= levels->plannable[at];
    }
    levels->level[node->index] = level;
    levels->alone[node->index] = alone;
    levels->waits[node->outputs[0]->index] = level + alone;
    levels->plannable[node->outputs[0]->index] =
        !alone && (plannable || strcmp(node->op->name, "Shape") == 0);
}

static void find_levels(Levels *levels, const Graph *graph) {
    *levels = (Levels){calloc(graph->n_values, sizeof(int)), calloc(graph->n_values, 1),
                       calloc(graph->n_nodes + 1, sizeof(int)), calloc(graph->n_nodes + 1, 1)};
    for (size_t i = 0; i < graph->n_values; i++)
        levels->plannable[i] = graph->values[i]->constant;
    for (size_t i = 0; i < graph->n_nodes; i++)
        find_level(levels, graph->nodes[i]);
}

/* Nodes that run by themselves are alone; of the others there is one partition at each level. */
static void expect_levels(const Levels *levels, const Program *program) {
    bool seen[64] = {0};
    for (size_t i = 0; i < program->n_items; i++) {
        const ProgramItem *item = &program->items[i];
        const Node *first = item->kind == ITEM_PARTITION ? item->partition.nodes[0] : item->node;
        const int level = levels->level[first->index];
        if (levels->alone[first->index]) {
            assert_true(item->kind != ITEM_PARTITION || item->partition.n_nodes == 1);
            continue;
        }
        assert_false(seen[level]);
        seen[level] = true;
        for (size_t at = 0; at < item->partition.n_nodes; at++) {
            assert_false(levels->alone[item->partition.nodes[at]->index]);
            assert_int_equal(levels->level[item->partition.nodes[at]->index], level);
        }
    }
}

static void random_graphs_are_cut_as_the_definition_says(void **state) {
    (void)state;
    enum { GRAPHS = 3000 };
    size_t max_items = 0;
    for (uint64_t seed = 0; seed < GRAPHS; seed++) {
        Maker maker;
        make_random(&maker, seed);
        const Program *program = cut_graph(&maker.cut);
        Levels levels;
        find_levels(&levels, &maker.cut.graph);
        expect_levels(&levels, program);
        free(levels.waits);
        free(levels.plannable);
        free(levels.level);
        free(levels.alone);
        if (program->n_items > max_items)
            max_items = program->n_items;
        cut_close(&maker.cut);
    }
    assert_true(max_items > 15); /* or they say little */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_graphs_are_cut_as_the_definition_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
