/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes. */
#include "fuzz/maker/maker.h"

#include <stdio.h>

void begin_node(Maker *m, const char *op) {
    char name[24];
    snprintf(name, sizeof name, "n%d", m->n_nodes++);
    m->node = (Proto){0};
    proto_text(&m->node, 3, name);
    proto_text(&m->node, 4, op);
}

void use_value(Maker *m, int value) {
    if (value < 0) {
        proto_text(&m->node, 1, "");
        return;
    }
    m->values[value].used = true;
    put_value_name(&m->node, 1, value);
}

void set_int(Maker *m, const char *name, int64_t value) {
    proto_int_attribute(&m->node, name, right_or_wild(m, value));
}

void set_ints(Maker *m, const char *name, const int64_t *values, int count) {
    int64_t given[2 * RANK];
    for (int i = 0; i < count; i++)
        given[i] = right_or_wild(m, values[i]);
    proto_ints_attribute(&m->node, name, given, (size_t)count);
}

void set_float(Maker *m, const char *name, float value) {
    proto_float_attribute(&m->node, name, m->wild && !pick(m, 16) ? -3e38f : value);
}

void set_text(Maker *m, const char *name, const char *text) {
    proto_text_attribute(&m->node, name, text);
}

int node_result(Maker *m, int type, int rank, const int64_t *dims, bool exact) {
    const int value = add_value(m, type, rank, dims, exact);
    put_value_name(&m->node, 2, value);
    return value;
}

void end_node(Maker *m) {
    proto_message(&m->graph, 1, &m->node);
}

int end_node_like(Maker *m, int value, bool exact) {
    const Made v = m->values[value];
    const int made = node_result(m, v.type, v.rank, v.dims, exact);
    end_node(m);
    return made;
}

int node_like(Maker *m, const char *op, int x, bool exact) {
    begin_node(m, op);
    use_value(m, x);
    return end_node_like(m, x, exact && m->values[x].exact);
}

static int with_constant(Maker *m, const char *op, int x, double base) {
    const int c = floats(m, m->values[x].type, 0, NULL, 0.25, base);
    begin_node(m, op);
    use_value(m, x);
    use_value(m, c);
    return end_node_like(m, x, false);
}

int tamed(Maker *m, int x) {
    return with_constant(m, "Add", node_like(m, "Abs", x, true), 0.75);
}
