/* SPDX-License-Identifier: Apache-2.0 */
/* If, Loop and Scan. */
#include "fuzz/maker/maker.h"

#include <string.h>

/* --- bodies --- */

void begin_body(Maker *m, Outer *outer) {
    *outer = (Outer){.graph = m->graph, .first = m->n_values};
    m->graph = (Proto){0};
    m->depth++;
}

void put_nodes_of_body(Maker *m, int max_nodes) {
    const int count = pick(m, max_nodes + 1);
    for (int i = 0; i < count; i++)
        put_something(m);
}

static void put_open_info(Maker *m, int field, int value) {
    bool open[RANK];
    memset(open, true, sizeof open);
    put_value_info(m, field, value, open, chance(m, 30));
}

int body_input(Maker *m, int type, int rank, const int64_t *dims) {
    const int value = add_value(m, type, rank, dims, false);
    put_open_info(m, 11, value);
    m->values[value].used = true;
    return value;
}

static bool is_like(const Made *a, const Made *b) {
    return a->type == b->type && a->rank == b->rank &&
           memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) == 0;
}

int body_value_like(Maker *m, const Outer *outer, int like) {
    const Made *wanted = &m->values[like];
    for (int i = m->n_values - 1; i >= outer->first && !chance(m, 10); i--) {
        const Made *v = &m->values[i];
        if (!v->is_hidden && !v->is_constant && is_like(v, wanted))
            return i;
    }
    return node_like(m, is_float(wanted->type) ? "Neg" : "Identity", like, false);
}

void body_output(Maker *m, int value) {
    put_open_info(m, 12, value);
    m->values[value].used = true;
}

Proto end_body(Maker *m, Outer *outer) {
    Proto body = m->graph;
    proto_text(&body, 2, "body");
    m->graph = outer->graph;
    m->depth--;
    for (int i = outer->first; i < m->n_values; i++) {
        m->values[i].is_hidden = true;
        m->values[i].is_final = false;
    }
    return body;
}

void set_body(Maker *m, const char *name, Proto *body) {
    Proto attribute = {0};
    proto_text(&attribute, 1, name);
    proto_message(&attribute, 6, body);
    proto_int(&attribute, 20, 5);
    proto_message(&m->node, 5, &attribute);
}

/* --- conditions --- */

static int constant_bool(Maker *m, bool value) {
    Proto data = {0};
    proto_put(&data, &value, 1);
    return add_tensor(m, ONNX_BOOL, 0, NULL, &data);
}

static int compare(Maker *m, const char *op, int a, int b) {
    begin_node(m, op);
    use_value(m, a);
    use_value(m, b);
    const int y = node_result(m, ONNX_BOOL, 0, NULL, true);
    end_node(m);
    return y;
}

static int size_of_axis(Maker *m, int x, int axis) {
    const int shape = shape_of(m, x), at = scalar_int(m, axis);
    begin_node(m, "Gather");
    use_value(m, shape);
    use_value(m, at);
    const int size = node_result(m, ONNX_I64, 0, NULL, true);
    end_node(m);
    return size;
}

/* By the size of a dimension, which may be known while the model is loaded, or not. */
static int condition_on_size(Maker *m, int x) {
    const int axis = pick(m, m->values[x].rank), size = (int)m->values[x].dims[axis];
    return compare(m, "Equal", size_of_axis(m, x, axis), scalar_int(m, size + pick(m, 2)));
}

/* By what a run computes; -1 where there is no such value. */
static int condition_on_value(Maker *m) {
    const int x = some_value(m, (Want){.max_rank = 5, .exact = true, .elements = true});
    const Made v = m->values[x];
    if (v.type != ONNX_F32 || m->opset < 13)
        return -1;
    begin_node(m, "ReduceMax");
    use_value(m, x);
    set_int(m, "keepdims", 0);
    const int largest = node_result(m, v.type, 0, NULL, true);
    end_node(m);
    return compare(m, "Greater", largest, floats(m, v.type, 0, NULL, 0.5, 0.7));
}

/* --- If --- */

static Proto branch(Maker *m, int x) {
    Outer outer;
    begin_body(m, &outer);
    put_nodes_of_body(m, 2);
    body_output(m, body_value_like(m, &outer, x));
    return end_body(m, &outer);
}

int put_if(Maker *m) {
    if (m->depth == MAX_DEPTH)
        return -1;
    const int x = some_float(m, 1, 5);
    int condition = chance(m, 50) ? condition_on_value(m) : -1;
    if (condition < 0)
        condition = condition_on_size(m, x);
    Proto first = branch(m, x), second = branch(m, x);
    begin_node(m, "If");
    use_value(m, condition);
    set_body(m, "then_branch", &first);
    set_body(m, "else_branch", &second);
    return end_node_like(m, x, false);
}

/* --- Loop --- */

typedef struct Trips {
    int max_trips, condition; /* inputs, -1: left out */
    int64_t count;
    bool by_size;
    int64_t stop; /* the body's condition is whether the iteration is below it; -1: another */
} Trips;

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int trips_by_size(Maker *m, int64_t *count) {
    const int x = some_any(m, 1, 5), axis = pick(m, m->values[x].rank);
    const int size = size_of_axis(m, x, axis), max_trips = scalar_int(m, 3);
    *count = smaller(m->values[x].dims[axis], 3);
    return pair_of(m, "Min", size, max_trips, true);
}

static Trips choose_trips(Maker *m) {
    Trips trips = {.max_trips = -1, .condition = -1, .count = pick(m, 4), .stop = -1};
    trips.by_size = m->opset >= 12 && chance(m, 25);
    if (trips.by_size)
        trips.max_trips = trips_by_size(m, &trips.count);
    else if (chance(m, 70))
        trips.max_trips = scalar_int(m, trips.count);
    if (trips.max_trips < 0 || chance(m, 25))
        trips.stop = pick(m, 3);
    if (trips.stop >= 0)
        trips.count = trips.max_trips < 0 ? trips.stop + 1 : smaller(trips.count, trips.stop + 1);
    if (chance(m, 50)) {
        const bool begins = !chance(m, 5);
        trips.condition = constant_bool(m, begins);
        trips.count = begins ? trips.count : 0;
    }
    return trips;
}

/* Tanh keeps what is carried from growing with the runs. */
static int next_carried(Maker *m, const Outer *outer, int carried) {
    const int y = body_value_like(m, outer, carried);
    return y != carried && is_float(m->values[y].type) ? node_like(m, "Tanh", y, false) : y;
}

/* A value that each run gives, of which `count` together are not too large; -1: none. */
static int item_of_body(Maker *m, const Outer *outer, int64_t count) {
    for (int i = m->n_values - 1; i >= outer->first; i--) {
        const Made *v = &m->values[i];
        if (!v->is_hidden && !v->is_constant && v->rank < 6 && count_elements(v) * count <= MAX_ELEMENTS &&
            chance(m, 60))
            return i;
    }
    return -1;
}

typedef struct LoopBody {
    int carried[2], n_carried, item;
    Proto graph;
} LoopBody;

static void make_loop_body(Maker *m, const Trips *trips, LoopBody *body) {
    Outer outer;
    int inner[2], next[2];
    begin_body(m, &outer);
    const int iteration = body_input(m, ONNX_I64, 0, NULL), going = body_input(m, ONNX_BOOL, 0, NULL);
    for (int i = 0; i < body->n_carried; i++) {
        const Made v = m->values[body->carried[i]];
        inner[i] = body_input(m, v.type, v.rank, v.dims);
    }
    put_nodes_of_body(m, 3);
    for (int i = 0; i < body->n_carried; i++)
        next[i] = next_carried(m, &outer, inner[i]);
    body->item = chance(m, 60) ? item_of_body(m, &outer, trips->count) : -1;
    body_output(m, trips->stop >= 0 ? compare(m, "Less", iteration, scalar_int(m, trips->stop))
                   : chance(m, 50)  ? node_like(m, "Identity", going, true)
                                    : going);
    for (int i = 0; i < body->n_carried; i++)
        body_output(m, next[i]);
    if (body->item >= 0)
        body_output(m, body->item);
    body->graph = end_body(m, &outer);
}

/* Of shape [count, as an item]. */
static int stacked_result(Maker *m, int item, int axis, int64_t count) {
    const Made v = m->values[item];
    int64_t dims[RANK];
    memcpy(dims, v.dims, (size_t)axis * sizeof *dims);
    dims[axis] = count;
    memcpy(dims + axis + 1, v.dims + axis, (size_t)(v.rank - axis) * sizeof *dims);
    return node_result(m, v.type, v.rank + 1, dims, false);
}

static int loop_items(Maker *m, int item, const Trips *trips) {
    const int y = stacked_result(m, item, 0, trips->count);
    if (!trips->count || trips->by_size) {
        m->values[y].is_hidden = m->values[y].is_final = true;
        m->made->has_items = true;
    }
    return y;
}

int put_loop(Maker *m) {
    if (m->depth == MAX_DEPTH)
        return -1;
    LoopBody body = {.n_carried = 1 + chance(m, 30)};
    for (int i = 0; i < body.n_carried; i++)
        body.carried[i] = some_any(m, 0, 5);
    const Trips trips = choose_trips(m);
    make_loop_body(m, &trips, &body);
    begin_node(m, "Loop");
    use_value(m, trips.max_trips);
    use_value(m, trips.condition);
    for (int i = 0; i < body.n_carried; i++)
        use_value(m, body.carried[i]);
    set_body(m, "body", &body.graph);
    int y = -1;
    for (int i = 0; i < body.n_carried; i++) {
        const Made v = m->values[body.carried[i]];
        y = node_result(m, v.type, v.rank, v.dims, false);
    }
    if (body.item >= 0)
        y = loop_items(m, body.item, &trips);
    end_node(m);
    return y;
}

/* --- Scan --- */

typedef struct ScanBody {
    int item; /* -1: none */
    Proto graph;
} ScanBody;

static ScanBody make_scan_body(Maker *m, int state, const Made *part, int64_t count) {
    Outer outer;
    ScanBody body;
    const Made v = m->values[state];
    begin_body(m, &outer);
    const int inner = body_input(m, v.type, v.rank, v.dims);
    body_input(m, part->type, part->rank, part->dims);
    put_nodes_of_body(m, 3);
    const int next = next_carried(m, &outer, inner);
    body.item = item_of_body(m, &outer, count);
    body_output(m, next);
    if (body.item >= 0)
        body_output(m, body.item);
    body.graph = end_body(m, &outer);
    return body;
}

int put_scan(Maker *m) {
    const int state = some_float(m, 0, 4), x = some_any(m, 1, 5);
    Made part = m->values[x];
    const int axis = pick(m, part.rank);
    const int64_t count = part.dims[axis];
    if (m->depth == MAX_DEPTH || count > 6)
        return -1;
    part.rank--;
    memmove(part.dims + axis, part.dims + axis + 1, (size_t)(part.rank - axis) * sizeof *part.dims);
    ScanBody body = make_scan_body(m, state, &part, count);
    const int out_axis = body.item >= 0 ? pick(m, m->values[body.item].rank + 1) : 0;
    begin_node(m, "Scan");
    use_value(m, state);
    use_value(m, x);
    set_body(m, "body", &body.graph);
    set_int(m, "num_scan_inputs", 1);
    set_ints(m, "scan_input_axes", (int64_t[]){chance(m, 20) ? axis - part.rank - 1 : axis}, 1);
    set_ints(m, "scan_input_directions", (int64_t[]){chance(m, 30)}, 1);
    if (body.item >= 0) {
        set_ints(m, "scan_output_axes", (int64_t[]){out_axis}, 1);
        set_ints(m, "scan_output_directions", (int64_t[]){chance(m, 30)}, 1);
    }
    const Made v = m->values[state];
    int y = node_result(m, v.type, v.rank, v.dims, false);
    if (body.item >= 0)
        y = stacked_result(m, body.item, out_axis, count);
    end_node(m);
    return y;
}
