/* SPDX-License-Identifier: Apache-2.0 */
/* The graphs that a control flow operator runs.  What they read of the graphs around them becomes an input,
 * of the node and of each of its bodies, so that a body depends on nothing but its inputs; constants become
 * constants of the body. */
#include <string.h>

#include "base/text.h"
#include "graph/op.h"
#include "loader/loading.h"

/* The values of the graph around that are captured, in the order of the node's last inputs. */
typedef struct Captures {
    Value **values;
    int count;
    size_t capacity;
} Captures;

typedef struct NodeBody {
    Scope scope;
    Value **captured; /* by capture: the inputs of the body */
} NodeBody;

/* *body is NULL where there is no such graph. */
static Status find_graph(Loading *loading, const Where *where, const BodyNode *from, const char *name,
                         Body **body) {
    const Onnx__NodeProto *proto = from->proto;
    char message[200];
    *body = NULL;
    for (size_t i = 0; i < proto->n_attribute; i++) {
        if (strcmp(proto->attribute[i]->name, name) != 0)
            continue;
        *body = from->graphs ? from->graphs[i] : NULL;
        if (*body)
            return STRIDER_OK;
        if (from->references && from->references[i] != NO_SLOT) {
            text_format(message, sizeof message,
                        "attribute \"%.60s\" is a graph that the function's caller gives, which is not "
                        "supported",
                        name);
            return where_fail(loading, where, STRIDER_UNSUPPORTED, message);
        }
    }
    return STRIDER_OK;
}

static bool has_attribute(const BodyNode *node, const char *name) {
    for (size_t i = 0; i < node->proto->n_attribute; i++)
        if (strcmp(node->proto->attribute[i]->name, name) == 0)
            return true;
    return false;
}

/* Those that are there, in the operator's order. */
static Status find_graphs(Loading *loading, const Where *where, const BodyNode *from, Node *node,
                          NodeBody made[MAX_BODIES], int *count) {
    char message[200];
    *count = 0;
    for (int i = 0; node->op->bodies[i]; i++) {
        const char *name = node->op->bodies[i];
        Body **body = &made[*count].scope.body;
        TRY(find_graph(loading, where, from, name, body));
        if (*body) {
            (*count)++;
        } else if (node->op->flags & OP_OPTIONAL_BODIES && !has_attribute(from, name)) {
            node->absent_bodies |= 1u << i;
        } else {
            text_format(message, sizeof message, "attribute \"%.60s\", a graph, is missing", name);
            return where_fail(loading, where, STRIDER_BAD_MODEL, message);
        }
    }
    return STRIDER_OK;
}

/* The value that a name stands for which a body reads and does not make. */
static Status outer_value(Loading *loading, Scope *outer, const Body *body, int slot, bool *found,
                          Value **value) {
    *value = NULL;
    *found = !body->names[slot].is_made && body_finds(body, slot);
    return *found ? scope_value(loading, outer, body->names[slot].outer_slot, value) : STRIDER_OK;
}

/* Marks the slots of the graph around with the numbers of captures, plus 1. */
static Status find_captures(Loading *loading, Scope *outer, const Body *body, Captures *captures) {
    for (size_t slot = 0; slot < body->slots.count; slot++) {
        bool found;
        Value *value;
        TRY(outer_value(loading, outer, body, (int)slot, &found, &value));
        if (!value || value->constant || outer->body->marks[body->names[slot].outer_slot])
            continue;
        if (!region_grow(&loading->parsed, &captures->values, (size_t)captures->count, &captures->capacity,
                         sizeof(Value *)))
            return no_memory(loading);
        captures->values[captures->count++] = value;
        outer->body->marks[body->names[slot].outer_slot] = captures->count;
    }
    return STRIDER_OK;
}

static void clear_marks(const Scope *outer, const Body *body) {
    for (size_t slot = 0; slot < body->slots.count; slot++)
        if (body->names[slot].outer_slot != NO_SLOT)
            outer->body->marks[body->names[slot].outer_slot] = 0;
}

static Status connect_captures(Loading *loading, const Scope *outer, const Captures *captures, Node *node) {
    const int first = node->n_inputs;
    TRY(graph_widen_inputs(outer->graph, node, first + captures->count, loading->err));
    for (int i = 0; i < captures->count; i++)
        node_set_input(node, first + i, captures->values[i]);
    node->n_captures = captures->count;
    return STRIDER_OK;
}

static Status start_body(Loading *loading, const Scope *outer, Body *body, int n_captures, NodeBody *made) {
    made->scope = (Scope){.body = body,
                          .prefix = "",
                          .bound = outer->bound,
                          .imports = outer->imports,
                          .depth = outer->depth + 1};
    TRY(graph_add_body(outer->graph, &made->scope.graph, loading->err));
    made->scope.values = region_alloc_array(&loading->parsed, body->slots.count, sizeof(Value *));
    made->captured = region_alloc_array(&loading->parsed, (size_t)n_captures, sizeof(Value *));
    return made->scope.values && made->captured ? STRIDER_OK : no_memory(loading);
}

/* Gives the names that the body looks up around it their values. */
static Status bind_names(Loading *loading, Scope *outer, NodeBody *made) {
    const Body *body = made->scope.body;
    for (int slot = 0; slot < (int)body->slots.count; slot++) {
        bool found;
        Value *from, *value;
        TRY(outer_value(loading, outer, body, slot, &found, &from));
        if (found && !from)
            scope_leave_out(&made->scope, slot);
        if (!from)
            continue;
        TRY(scope_value(loading, &made->scope, slot, &value));
        if (from->constant) {
            value->constant = from->constant; /* which the graph around owns */
            value->type = from->type;
        } else {
            made->captured[outer->body->marks[body->names[slot].outer_slot] - 1] = value;
        }
    }
    return STRIDER_OK;
}

/* What only the node's other body reads is an input that this one does not use. */
static Status add_unused_captures(Loading *loading, const Captures *captures, const NodeBody *made) {
    Graph *graph = made->scope.graph;
    for (int i = 0; i < captures->count; i++) {
        const char *name = captures->values[i]->name;
        if (made->captured[i])
            continue;
        TRY(graph_unique_name(graph, name, &name, loading->err));
        TRY(graph_add_value(graph, name, &made->captured[i], loading->err));
    }
    return STRIDER_OK;
}

static Status make_captures(Loading *loading, Scope *outer, NodeBody *made, int n_bodies, Captures *captures,
                            Node *node) {
    for (int i = 0; i < n_bodies; i++)
        TRY(find_captures(loading, outer, made[i].scope.body, captures));
    TRY(connect_captures(loading, outer, captures, node));
    for (int i = 0; i < n_bodies; i++) {
        TRY(start_body(loading, outer, made[i].scope.body, captures->count, &made[i]));
        TRY(bind_names(loading, outer, &made[i]));
        TRY(add_unused_captures(loading, captures, &made[i]));
    }
    return STRIDER_OK;
}

static Status load_body(Loading *loading, const Where *where, NodeBody *made, int n_captures,
                        const char *attribute) {
    char text[WHERE_TEXT];
    const Status status = load_graph(loading, &made->scope, (size_t)n_captures, made->captured);
    if (!status)
        return STRIDER_OK;
    if (loading->err && loading->err->byte_offset < 0)
        loading->err->byte_offset = where->offset;
    return error_within(loading->err, status, "%s: %.60s", where_text(where, text), attribute);
}

Status load_bodies(Loading *loading, Scope *outer, const Where *where, const BodyNode *from, Node *node) {
    NodeBody made[MAX_BODIES] = {0};
    Captures captures = {0};
    int count;
    if (outer->depth >= loading->options->max_depth)
        return where_fail(loading, where, STRIDER_LIMIT_EXCEEDED,
                          "bodies and function calls are nested too deeply");
    TRY(find_graphs(loading, where, from, node, made, &count));
    if (!outer->body->marks)
        outer->body->marks = region_alloc_array(&loading->parsed, outer->body->slots.count, sizeof(int));
    node->bodies = region_alloc_array(&outer->graph->region, (size_t)count, sizeof *node->bodies);
    if (!outer->body->marks || !node->bodies)
        return no_memory(loading);
    TRY(make_captures(loading, outer, made, count, &captures, node));
    for (int i = 0; i < count; i++)
        clear_marks(outer, made[i].scope.body);
    for (node->n_bodies = 0; node->n_bodies < count; node->n_bodies++) {
        const int i = node->n_bodies;
        node->bodies[i] = made[i].scope.graph;
        TRY(load_body(loading, where, &made[i], captures.count, node_body_name(node, i)));
    }
    return STRIDER_OK;
}
