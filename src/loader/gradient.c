/* SPDX-License-Identifier: Apache-2.0 */
/* Gradient of ai.onnx.preview.training, opset 1: dy/dx for each x in xs, where the part of the graph from xs
 * and zs to y is a function whose arguments are the node's inputs.  The nodes of that part are copied where
 * the inputs are other values than xs and zs, and the nodes that compute the adjoints are appended.  A y of
 * many elements stands for their sum.
 *
 * All Gradient nodes of a graph are expanded after its other nodes, in their order in the file: y may be an
 * output of one that stands before.  Within a body, what it captures depends on nothing. */
#include "loader/gradient.h"

#include <inttypes.h>

#include "base/text.h"
#include "loader/foreign.h"

/* A node that is being walked through, and the input that comes next. */
typedef struct Visit {
    Node *node;
    int port;
} Visit;

typedef struct Gradient {
    Expansion *e;
    Tape *tape;
    int n_xs, n_named; /* xs, and xs with zs */
    Value **named, *y;
    Visit *stack;
    size_t depth, stack_capacity;
    Node **order, **copies; /* nodes after those that they read from */
    size_t n_nodes, order_capacity;
} Gradient;

static Status bad(const Gradient *gradient, Status status, const char *format, const char *name) {
    char message[300];
    text_format(message, sizeof message, format, name);
    return where_fail(gradient->e->loading, gradient->e->where, status, message);
}

/* --- what it names --- */

static Status find_named(Gradient *gradient, const char *name, Value **value) {
    const Expansion *e = gradient->e;
    const int slot = body_find_slot(e->scope->body, name);
    *value = NULL;
    if (slot != NO_SLOT)
        TRY(scope_value(e->loading, e->scope, slot, value));
    return *value
               ? STRIDER_OK
               : bad(gradient, STRIDER_BAD_MODEL, "the graph has no value that is called \"%.100s\"", name);
}

/* Room for the values that there are; all zero between Gradient nodes, so that none has to clear it. */
static Status make_tape(Gradient *gradient) {
    Loading *loading = gradient->e->loading;
    const size_t n = gradient->e->scope->graph->n_values;
    if (n > loading->tape_capacity) {
        const size_t capacity = n + n / 2;
        loading->tape = region_alloc_array(&loading->parsed, capacity, sizeof *loading->tape);
        loading->tape_capacity = loading->tape ? capacity : 0;
    }
    gradient->tape = loading->tape;
    return gradient->tape ? STRIDER_OK : no_memory(loading);
}

/* Lets the i-th input stand for the value of that name. */
static Status bind_named(Gradient *gradient, int i, const char *name) {
    Value *value = gradient->named[i], *input = gradient->e->inputs[i];
    Tape *tape = &gradient->tape[value->index];
    if (!input)
        return bad(gradient, STRIDER_BAD_MODEL, "the input for \"%.100s\" is missing", name);
    if (tape->seen)
        return bad(gradient, STRIDER_BAD_MODEL, "\"%.100s\" is named twice, or is the same value as another",
                   name);
    *tape = (Tape){
        .seen = true, .is_named = true, .active = i < gradient->n_xs, .copy = input == value ? NULL : input};
    return STRIDER_OK;
}

static const char *name_at(const char *const *xs, int64_t n_xs, const char *const *zs, int64_t i) {
    return i < n_xs ? xs[i] : zs[i - n_xs];
}

static Status read_names(Gradient *gradient) {
    Expansion *e = gradient->e;
    const char *const *xs, *const *zs, *y;
    int64_t n_xs, n_zs;
    TRY(parse_require(&e->parse, "xs"));
    TRY(parse_require(&e->parse, "y"));
    TRY(parse_strings(&e->parse, "xs", &xs, &n_xs));
    TRY(parse_strings(&e->parse, "zs", &zs, &n_zs));
    TRY(parse_string(&e->parse, "y", "", &y));
    n_zs = n_zs < 0 ? 0 : n_zs;
    if (n_xs + n_zs != e->n_inputs || e->from->n_outputs > n_xs)
        return bad(gradient, STRIDER_BAD_MODEL, "it needs one input for each of xs and zs, and %s",
                   "at most as many outputs as xs");
    gradient->n_xs = (int)n_xs;
    gradient->n_named = e->n_inputs;
    gradient->named = region_alloc_array(&e->loading->parsed, (size_t)e->n_inputs, sizeof(Value *));
    if (!gradient->named)
        return no_memory(e->loading);
    for (int i = 0; i < e->n_inputs; i++)
        TRY(find_named(gradient, name_at(xs, n_xs, zs, i), &gradient->named[i]));
    TRY(find_named(gradient, y, &gradient->y));
    TRY(make_tape(gradient));
    for (int i = 0; i < e->n_inputs; i++)
        TRY(bind_named(gradient, i, name_at(xs, n_xs, zs, i)));
    return STRIDER_OK;
}

/* --- the nodes that y is computed by --- */

/* All nodes and ports that are looked at count: many Gradient nodes may look at the same ones. */
static Status enter(Gradient *gradient, Node *node) {
    Loading *loading = gradient->e->loading;
    loading->n_differentiated += 1 + (uint64_t)node->n_inputs + (uint64_t)node->n_outputs;
    if (loading->n_differentiated > loading->options->max_nodes)
        return bad(gradient, STRIDER_LIMIT_EXCEEDED, "%s",
                   "Gradient nodes look at more nodes, inputs and outputs than the limit (max_nodes)");
    if (!region_grow(&loading->parsed, &gradient->stack, gradient->depth, &gradient->stack_capacity,
                     sizeof *gradient->stack))
        return no_memory(loading);
    gradient->stack[gradient->depth++] = (Visit){node, 0};
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i])
            gradient->tape[node->outputs[i]->index].seen = true;
    return STRIDER_OK;
}

static Status visit(Gradient *gradient, Value *value) {
    if (!value || gradient->tape[value->index].seen || value->constant || value->is_input)
        return STRIDER_OK;
    if (!value->producer)
        return bad(gradient, STRIDER_BAD_MODEL, "no node before it makes \"%.100s\", which y depends on",
                   value->name);
    return enter(gradient, value->producer);
}

static Status leave(Gradient *gradient, Node *node) {
    Loading *loading = gradient->e->loading;
    gradient->depth--;
    if (!region_grow(&loading->parsed, &gradient->order, gradient->n_nodes, &gradient->order_capacity,
                     sizeof(Node *)))
        return no_memory(loading);
    gradient->order[gradient->n_nodes++] = node;
    return STRIDER_OK;
}

static Status find_nodes(Gradient *gradient) {
    TRY(visit(gradient, gradient->y));
    while (gradient->depth) {
        Visit *top = &gradient->stack[gradient->depth - 1];
        if (top->port < top->node->n_inputs)
            TRY(visit(gradient, top->node->inputs[top->port++]));
        else
            TRY(leave(gradient, top->node));
    }
    return STRIDER_OK;
}

/* --- what depends on xs, and on values that the node gives --- */

static bool any_input(const Gradient *gradient, const Node *node, bool (*holds)(const Tape *tape)) {
    for (int i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] && holds(&gradient->tape[node->inputs[i]->index]))
            return true;
    return false;
}

static bool is_active(const Tape *tape) {
    return tape->active;
}

static bool is_copied(const Tape *tape) {
    return tape->copy != NULL;
}

/* Of an output that the node makes as far as y is concerned; NULL: xs or zs name it, or it has no name. */
static Tape *made_tape(Tape *tape, const Node *node, int port) {
    const Value *output = node->outputs[port];
    return output && !tape[output->index].is_named ? &tape[output->index] : NULL;
}

static bool has_name(const char *list, const char *name) {
    const size_t length = strlen(name);
    for (const char *at = list; (at = strstr(at, name)) != NULL; at += length)
        if ((at == list || at[-1] == ' ') && (at[length] == ',' || !at[length]))
            return true;
    return false;
}

/* Of all that lack a rule, as many names as fit. */
static Status find_active(Gradient *gradient) {
    char missing[160] = "";
    size_t length = 0;
    for (size_t i = 0; i < gradient->n_nodes; i++) {
        const Node *node = gradient->order[i];
        DerivativeRule *rule = derivative_rule(node);
        if (rule == derivative_is_zero || !any_input(gradient, node, is_active))
            continue;
        for (int port = 0; port < node->n_outputs; port++)
            if (made_tape(gradient->tape, node, port))
                made_tape(gradient->tape, node, port)->active = true;
        const size_t more = strlen(node->op->name) + 2;
        if (!rule && !has_name(missing, node->op->name) && length + more < sizeof missing)
            length += (size_t)text_format(missing + length, sizeof missing - length, "%s%s",
                                          length ? ", " : "", node->op->name);
    }
    return length ? bad(gradient, STRIDER_UNSUPPORTED, "the derivative of %s is not supported", missing)
                  : STRIDER_OK;
}

static Status copy_node(Gradient *gradient, const Node *node, Node **copy) {
    Expansion *e = gradient->e;
    TRY(add_loaded_node(e->loading, e->scope, e->where, node->op, node->opset, node->n_inputs,
                        node->n_outputs, copy));
    (*copy)->torch_scope = node->torch_scope;
    if (node->attrs)
        memcpy((*copy)->attrs, node->attrs, node->op->attrs_size);
    for (int i = 0; i < node->n_inputs; i++)
        if (node->inputs[i]) {
            Value *other = gradient->tape[node->inputs[i]->index].copy;
            node_set_input(*copy, i, other ? other : node->inputs[i]);
        }
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i]) {
            Tape *tape = made_tape(gradient->tape, node, i);
            Value *made;
            TRY(expansion_new_value(e, node->op->name, &made));
            node_set_output(*copy, i, made);
            if (tape)
                tape->copy = made;
        }
    return STRIDER_OK;
}

static Status copy_nodes(Gradient *gradient) {
    Loading *loading = gradient->e->loading;
    gradient->copies = region_alloc_array(&loading->parsed, gradient->n_nodes, sizeof(Node *));
    if (!gradient->copies)
        return no_memory(loading);
    for (size_t i = 0; i < gradient->n_nodes; i++) {
        Node *node = gradient->copies[i] = gradient->order[i];
        if (!any_input(gradient, node, is_copied))
            continue;
        if (node->op->bodies[0])
            return bad(gradient, STRIDER_UNSUPPORTED, "%s, computed anew with other inputs, is not supported",
                       node->op->name);
        TRY(copy_node(gradient, node, &gradient->copies[i]));
    }
    return STRIDER_OK;
}

/* --- adjoints --- */

bool derivative_wants(const Derivative *d, int port) {
    return port < d->from->n_inputs && d->from->inputs[port] && d->tape[d->from->inputs[port]->index].active;
}

Value *derivative_input(const Derivative *d, int port) {
    return port < d->node->n_inputs ? d->node->inputs[port] : NULL;
}

Status derivative_of_output(Derivative *d, int port, Value **adjoint) {
    const Tape *tape = made_tape(d->tape, d->from, port);
    if (!d->node->outputs[port])
        return derivative_fail(d, "it has outputs without names, with which its derivative is not supported");
    *adjoint = tape ? tape->adjoint : NULL;
    return *adjoint ? STRIDER_OK : filled_like(d->e, 0, d->node->outputs[port], adjoint);
}

Status derivative_give(Derivative *d, int port, Value *value) {
    if (!derivative_wants(d, port))
        return STRIDER_OK;
    Value **adjoint = &d->tape[d->from->inputs[port]->index].adjoint;
    if (*adjoint)
        return expansion_binary(d->e, "Add", *adjoint, value, adjoint);
    *adjoint = value;
    return STRIDER_OK;
}

Status derivative_fail(const Derivative *d, const char *why) {
    char message[300], node[NODE_TEXT];
    text_format(message, sizeof message, "%s: %s", node_text(d->from, node), why);
    return where_fail(d->e->loading, d->e->where, STRIDER_UNSUPPORTED, message);
}

static Status differentiate(Gradient *gradient, size_t at) {
    const Node *from = gradient->order[at];
    Derivative d = {.e = gradient->e, .from = from, .node = gradient->copies[at], .tape = gradient->tape};
    bool reaches_y = false;
    for (int i = 0; i < from->n_outputs; i++) {
        const Tape *tape = made_tape(gradient->tape, from, i);
        reaches_y = reaches_y || (tape && tape->adjoint);
        if (i == 0)
            d.g = tape ? tape->adjoint : NULL;
    }
    DerivativeRule *rule = derivative_rule(from);
    if (!reaches_y || rule == derivative_is_zero || !any_input(gradient, from, is_active))
        return STRIDER_OK;
    return rule(&d);
}

static Status find_adjoints(Gradient *gradient) {
    Tape *y = &gradient->tape[gradient->y->index];
    if (!y->active)
        return STRIDER_OK;
    TRY(filled_like(gradient->e, 1, y->copy ? y->copy : gradient->y, &y->adjoint));
    for (size_t i = gradient->n_nodes; i--;)
        TRY(differentiate(gradient, i));
    return STRIDER_OK;
}

static Status give_outputs(Gradient *gradient) {
    Expansion *e = gradient->e;
    for (int i = 0; i < gradient->n_xs; i++) {
        Value *adjoint = gradient->tape[gradient->named[i]->index].adjoint;
        if (!expansion_wants(e, i))
            continue;
        if (!adjoint)
            TRY(filled_like(e, 0, e->inputs[i], &adjoint));
        TRY(expansion_unary(e, "Identity", adjoint, &adjoint)); /* it may be that of another x, too */
        TRY(expansion_output(e, i, adjoint));
    }
    return STRIDER_OK;
}

static void clear_tape(const Gradient *gradient) {
    for (int i = 0; i < gradient->n_named; i++)
        gradient->tape[gradient->named[i]->index] = (Tape){0};
    for (size_t i = 0; i < gradient->n_nodes; i++)
        for (int port = 0; port < gradient->order[i]->n_outputs; port++)
            if (gradient->order[i]->outputs[port])
                gradient->tape[gradient->order[i]->outputs[port]->index] = (Tape){0};
}

Status expand_gradient(Expansion *e) {
    Gradient gradient = {.e = e};
    TRY(read_names(&gradient));
    TRY(find_nodes(&gradient));
    TRY(find_active(&gradient));
    TRY(copy_nodes(&gradient));
    TRY(find_adjoints(&gradient));
    TRY(give_outputs(&gradient));
    clear_tape(&gradient);
    return STRIDER_OK;
}
