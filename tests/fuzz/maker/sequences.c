/* SPDX-License-Identifier: Apache-2.0 */
/* Sequences and optionals.  A sequence does not leave the function that makes it. */
#include "fuzz/maker/maker.h"

#include <string.h>

enum { MAX_ITEMS = 8 };

/* --- sequences --- */

typedef struct Sequence {
    int value, count;
    Made items[MAX_ITEMS];
} Sequence;

static int sequence_result(Maker *m) {
    const int value = node_result(m, m->type, 0, NULL, false);
    m->values[value].is_hidden = m->values[value].used = true;
    return value;
}

/* Of any shapes, in each of which x is one. */
static Sequence construct(Maker *m, int x) {
    int items[3] = {x};
    Sequence s = {.count = 1 + pick(m, 3)};
    for (int i = 1; i < s.count; i++) {
        const int other = some_any(m, 0, 5);
        items[i] = m->values[other].type == m->values[x].type ? other : node_like(m, "Identity", x, true);
    }
    begin_node(m, "SequenceConstruct");
    for (int i = 0; i < s.count; i++) {
        use_value(m, items[i]);
        s.items[i] = m->values[items[i]];
    }
    s.value = sequence_result(m);
    end_node(m);
    return s;
}

/* Parts of x: of given sizes, of one size, or of size 1 without the axis. */
static Sequence split(Maker *m, int x) {
    Sequence s = {0};
    const Made v = m->values[x];
    const int axis = pick(m, v.rank), kind = pick(m, 3);
    const int64_t size = v.dims[axis], each = kind == 0 ? between(m, 1, size) : 1;
    const int64_t first = between(m, 0, size), sizes[] = {first, size - first};
    const int lengths = kind == 0 ? scalar_int(m, each) : kind == 1 ? ints(m, sizes, 2) : -1;
    const bool drops = kind == 2 && chance(m, 50);
    s.count = kind == 1 ? 2 : (int)((size + each - 1) / each);
    for (int i = 0; i < s.count; i++) {
        Made *item = &s.items[i];
        *item = v;
        item->dims[axis] = kind == 1 ? sizes[i] : i * each + each > size ? size - i * each : each;
        if (drops)
            memmove(item->dims + axis, item->dims + axis + 1,
                    (size_t)(--item->rank - axis) * sizeof *item->dims);
    }
    begin_node(m, "SplitToSequence");
    use_value(m, x);
    if (lengths >= 0)
        use_value(m, lengths);
    set_int(m, "axis", chance(m, 20) ? axis - v.rank : axis);
    if (drops)
        set_int(m, "keepdims", 0);
    s.value = sequence_result(m);
    end_node(m);
    return s;
}

/* From the end now and then. */
static int position(Maker *m, int at, int count) {
    return scalar_int(m, chance(m, 30) ? at - count : at);
}

static void insert(Maker *m, Sequence *s, int x) {
    const int at = pick(m, s->count + 1);
    const int where = at < s->count && chance(m, 70) ? position(m, at, s->count) : -1;
    begin_node(m, "SequenceInsert");
    use_value(m, s->value);
    use_value(m, x);
    if (where >= 0)
        use_value(m, where);
    s->value = sequence_result(m);
    end_node(m);
    const int index = where >= 0 ? at : s->count;
    memmove(s->items + index + 1, s->items + index, (size_t)(s->count - index) * sizeof *s->items);
    s->items[index] = m->values[x];
    s->count++;
}

static void erase(Maker *m, Sequence *s) {
    const int at = pick(m, s->count), where = chance(m, 70) ? position(m, at, s->count) : -1;
    begin_node(m, "SequenceErase");
    use_value(m, s->value);
    if (where >= 0)
        use_value(m, where);
    s->value = sequence_result(m);
    end_node(m);
    s->count--;
    const int index = where >= 0 ? at : s->count;
    memmove(s->items + index, s->items + index + 1, (size_t)(s->count - index) * sizeof *s->items);
}

/* --- what is read of them --- */

static int item_at(Maker *m, const Sequence *s) {
    const int at = pick(m, s->count), where = position(m, at, s->count);
    const Made item = s->items[at];
    begin_node(m, "SequenceAt");
    use_value(m, s->value);
    use_value(m, where);
    const int y = node_result(m, item.type, item.rank, item.dims, false);
    end_node(m);
    return y;
}

static int length_of(Maker *m, const Sequence *s) {
    begin_node(m, "SequenceLength");
    use_value(m, s->value);
    const int y = node_result(m, ONNX_I64, 0, NULL, true);
    end_node(m);
    return y;
}

static bool items_fit(const Sequence *s, int axis, int64_t *together) {
    *together = 0;
    for (int i = 0; i < s->count; i++) {
        if (s->items[i].rank != s->items[0].rank)
            return false;
        for (int d = 0; d < s->items[0].rank; d++)
            if (d != axis && s->items[i].dims[d] != s->items[0].dims[d])
                return false;
        *together += axis < s->items[i].rank ? s->items[i].dims[axis] : 0;
    }
    return s->count > 0;
}

/* Along an axis, or along a new one; -1 where they do not fit. */
static int concatenated(Maker *m, const Sequence *s) {
    Made whole = s->items[0];
    int64_t together;
    const bool adds = whole.rank == 0 || chance(m, 40);
    const int axis = pick(m, whole.rank + adds);
    if (whole.rank > 5 || !items_fit(s, adds ? RANK : axis, &together))
        return -1;
    if (adds) {
        memmove(whole.dims + axis + 1, whole.dims + axis, (size_t)(whole.rank++ - axis) * sizeof *whole.dims);
        together = s->count;
    }
    whole.dims[axis] = together;
    if (count_elements(&whole) > MAX_ELEMENTS)
        return -1;
    begin_node(m, "ConcatFromSequence");
    use_value(m, s->value);
    set_int(m, "axis", chance(m, 20) ? axis - whole.rank : axis);
    if (adds)
        set_int(m, "new_axis", 1);
    const int y = node_result(m, whole.type, whole.rank, whole.dims, false);
    end_node(m);
    return y;
}

static int read_of(Maker *m, const Sequence *s) {
    const int y = s->count && chance(m, 60) ? concatenated(m, s) : -1;
    if (y >= 0)
        return y;
    return s->count && chance(m, 80) ? item_at(m, s) : length_of(m, s);
}

int put_sequence(Maker *m) {
    const int x = some_full(m, 1, 5);
    const Made v = m->values[x];
    bool short_axes = true;
    for (int i = 0; i < v.rank; i++)
        short_axes = short_axes && v.dims[i] <= MAX_ITEMS - 2;
    Sequence s = short_axes && chance(m, 50) ? split(m, x) : construct(m, x);
    for (int i = pick(m, 3); i > 0; i--)
        if (s.count && (s.count > MAX_ITEMS - 2 || chance(m, 50)))
            erase(m, &s);
        else
            insert(m, &s, x);
    return read_of(m, &s);
}

/* --- sequences through bodies --- */

/* An input or output of a body; other types than of tensors are declared. */
static void put_sequence_info(Maker *m, int field, int value, int type) {
    Proto info = {0}, outer = {0}, sequence = {0}, element = {0}, tensor = {0};
    proto_int(&tensor, 1, type);
    proto_message(&element, 1, &tensor);
    proto_message(&sequence, 1, &element);
    proto_message(&outer, 4, &sequence);
    put_value_name(&info, 1, value);
    proto_message(&info, 2, &outer);
    proto_message(&m->graph, field, &info);
}

static Proto body_that_inserts(Maker *m, int x) {
    Outer outer;
    begin_body(m, &outer);
    body_input(m, ONNX_I64, 0, NULL);
    const int going = body_input(m, ONNX_BOOL, 0, NULL), before = add_value(m, m->type, 0, NULL, false);
    m->values[before].is_hidden = true;
    put_sequence_info(m, 11, before, m->values[x].type);
    const int item = chance(m, 70) ? node_like(m, "Tanh", x, false) : x;
    begin_node(m, "SequenceInsert");
    use_value(m, before);
    use_value(m, item);
    const int after = sequence_result(m);
    end_node(m);
    body_output(m, going);
    put_sequence_info(m, 12, after, m->values[x].type);
    return end_body(m, &outer);
}

/* A list that grows in a loop. */
int put_loop_of_sequence(Maker *m) {
    const int x = some_full(m, 0, 4);
    Sequence s = {.count = 1 + pick(m, 3)};
    if (m->depth == MAX_DEPTH || m->opset < 13)
        return -1;
    for (int i = 0; i < s.count; i++)
        s.items[i] = m->values[x];
    begin_node(m, "SequenceEmpty");
    proto_int_attribute(&m->node, "dtype", m->values[x].type);
    const int empty = sequence_result(m);
    end_node(m);
    const int max_trips = scalar_int(m, s.count);
    Proto body = body_that_inserts(m, x);
    begin_node(m, "Loop");
    use_value(m, max_trips);
    use_value(m, -1);
    use_value(m, empty);
    set_body(m, "body", &body);
    s.value = sequence_result(m);
    end_node(m);
    return read_of(m, &s);
}

/* Each item of x along its first axis by itself. */
int put_sequence_map(Maker *m) {
    const int x = some_full(m, 1, 4);
    const Made v = m->values[x];
    if (m->depth == MAX_DEPTH || m->opset < 17 || v.dims[0] > MAX_ITEMS)
        return -1;
    begin_node(m, "SplitToSequence");
    use_value(m, x);
    Sequence s = {.value = sequence_result(m), .count = (int)v.dims[0]};
    end_node(m);
    Made item = v;
    item.dims[0] = 1;
    for (int i = 0; i < s.count; i++)
        s.items[i] = item;
    Outer outer;
    begin_body(m, &outer);
    const int inner = body_input(m, v.type, v.rank, item.dims);
    put_nodes_of_body(m, 2);
    body_output(m, body_value_like(m, &outer, inner));
    Proto body = end_body(m, &outer);
    begin_node(m, "SequenceMap");
    use_value(m, s.value);
    set_body(m, "body", &body);
    s.value = sequence_result(m);
    end_node(m);
    return read_of(m, &s);
}

/* --- optionals --- */

int put_optional(Maker *m) {
    const int x = some_any(m, 0, 5);
    if (m->opset < 15)
        return -1;
    begin_node(m, "Optional");
    use_value(m, x);
    const int optional = sequence_result(m);
    end_node(m);
    const bool asks = chance(m, 20);
    begin_node(m, asks ? "OptionalHasElement" : "OptionalGetElement");
    use_value(m, optional);
    if (!asks)
        return end_node_like(m, x, m->values[x].exact);
    const int y = node_result(m, ONNX_BOOL, 0, NULL, true);
    end_node(m);
    return y;
}
