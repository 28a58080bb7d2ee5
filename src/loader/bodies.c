/* SPDX-License-Identifier: Apache-2.0 */
/* What is done once for each function and each body of a node, however often it is called: names become
 * numbers, so that a call takes time by its nodes and their ports, not by the lengths of names. */
#include <inttypes.h>
#include <string.h>

#include "loader/loading.h"

/* --- numbers of names --- */

/* The number of a name, given out in the order in which names come. */
static Status number_of(Loading *loading, NameMap *map, const char *name, int *number) {
    void *found = NULL;
    *number = (int)map->count;
    if (names_find(map, name, &found))
        *number = (int)(intptr_t)found;
    else if (!names_add(map, name, (void *)(intptr_t)*number)) // NOLINT(performance-no-int-to-ptr)
        return no_memory(loading);
    return STRIDER_OK;
}

Status body_slot(Loading *loading, Body *body, const char *name, int *slot) {
    const size_t known = body->slots.count;
    *slot = NO_SLOT;
    if (!name[0])
        return STRIDER_OK;
    TRY(number_of(loading, &body->slots, name, slot));
    if (body->slots.count == known)
        return STRIDER_OK;
    if (!region_grow(&loading->parsed, &body->names, known, &body->names_capacity, sizeof *body->names))
        return no_memory(loading);
    body->names[known] = (BodyName){.text = name, .outer_slot = NO_SLOT};
    return STRIDER_OK;
}

/* The slot of a name that the body itself gives a meaning. */
static Status made_slot(Loading *loading, Body *body, const char *name, int *slot) {
    TRY(body_slot(loading, body, name, slot));
    if (*slot != NO_SLOT)
        body->names[*slot].is_made = true;
    return STRIDER_OK;
}

int body_find_slot(const Body *body, const char *name) {
    void *found = NULL;
    return names_find(&body->slots, name, &found) ? (int)(intptr_t)found : NO_SLOT;
}

/* --- versions of domains --- */

bool is_default_domain(const char *domain) {
    return !domain[0] || strcmp(domain, "ai.onnx") == 0;
}

/* Where a domain is imported twice the first counts. */
Status make_imports(Loading *loading, size_t n, Onnx__OperatorSetIdProto **opsets, Imports *imports) {
    *imports = (Imports){.others = {.region = &loading->parsed}};
    for (size_t i = 0; i < n; i++) {
        const char *domain = text_or_empty(opsets[i]->domain);
        if (is_default_domain(domain))
            imports->onnx = imports->onnx ? imports->onnx : opsets[i]->version;
        else if (!names_find(&imports->others, domain, NULL) &&
                 !names_add(&imports->others, domain, opsets[i]))
            return no_memory(loading);
    }
    if (imports->onnx < 0)
        return fail(loading->err, STRIDER_BAD_MODEL, "opset %" PRId64, imports->onnx);
    if (imports->onnx > NEWEST_OPSET)
        return fail(loading->err, STRIDER_UNSUPPORTED,
                    "opset %" PRId64 " is newer than %d, the newest that this version of Strider knows",
                    imports->onnx, NEWEST_OPSET);
    return STRIDER_OK;
}

int64_t imported_opset(const Imports *imports, const char *domain) {
    void *found = NULL;
    if (is_default_domain(domain))
        return imports->onnx;
    return names_find(&imports->others, domain, &found) ? ((const Onnx__OperatorSetIdProto *)found)->version
                                                        : 0;
}

/* --- nodes --- */

/* The module path that torch's exporter leaves: a list such as ['', 'layer1', 'layer1.0.conv1'], of which the
 * last is the innermost. */
static const char *torch_scope(Loading *loading, const Onnx__NodeProto *proto) {
    for (size_t i = 0; i < proto->n_metadata_props; i++) {
        const char *key = text_or_empty(proto->metadata_props[i]->key);
        const char *text = text_or_empty(proto->metadata_props[i]->value);
        if (strcmp(key, "pkg.torch.onnx.name_scopes") != 0)
            continue;
        const char *end = strrchr(text, '\'');
        const char *begin = end;
        while (begin && begin > text && begin[-1] != '\'')
            begin--;
        /* The last entry is the node's own name; the one before it, the module's. */
        const char *previous_end =
            begin && begin - 1 > text ? memrchr(text, '\'', (size_t)(begin - 1 - text)) : NULL;
        const char *previous = previous_end;
        while (previous && previous > text && previous[-1] != '\'')
            previous--;
        if (previous_end)
            return region_string(&loading->graph->region, previous, (size_t)(previous_end - previous));
    }
    return "";
}

/* Trailing empty names are the same as none. */
static int count_ports(size_t n, char **names) {
    while (n && !names[n - 1][0])
        n--;
    return (int)n;
}

typedef Status SlotOf(Loading *loading, Body *body, const char *name, int *slot);

static Status number_ports(Loading *loading, Body *body, size_t n, char **names, SlotOf *slot_of, int *count,
                           int **slots) {
    *count = count_ports(n, names);
    *slots = region_alloc_array(&loading->parsed, (size_t)*count, sizeof **slots);
    if (!*slots)
        return no_memory(loading);
    for (int i = 0; i < *count; i++)
        TRY(slot_of(loading, body, names[i], &(*slots)[i]));
    return STRIDER_OK;
}

static Status fail_attribute(Loading *loading, const Onnx__NodeProto *proto, size_t at, const char *what) {
    const Status status =
        fail(loading->err, STRIDER_BAD_MODEL, "node \"%.100s\" (%.60s): attribute \"%.60s\" %s",
             text_or_empty(proto->name), text_or_empty(proto->op_type),
             text_or_empty(proto->attribute[at]->name), what);
    error_name_node(loading->err, proto->name, proto->op_type);
    return status;
}

static Status check_attributes(Loading *loading, const Onnx__NodeProto *proto) {
    enum { FEW = 16 };
    NameMap seen = {.region = &loading->parsed};
    for (size_t i = 0; i < proto->n_attribute; i++) {
        const char *name = proto->attribute[i]->name;
        bool is_known = false;
        if (!name || !name[0])
            return fail_attribute(loading, proto, i, "has no name");
        for (size_t j = 0; j < i && proto->n_attribute <= FEW && !is_known; j++)
            is_known = strcmp(proto->attribute[j]->name, name) == 0;
        if (is_known || names_find(&seen, name, NULL))
            return fail_attribute(loading, proto, i, "is given twice");
        if (proto->n_attribute > FEW && !names_add(&seen, name, NULL))
            return no_memory(loading);
    }
    return STRIDER_OK;
}

/* `count` numbers that are NO_SLOT; NULL where there is no memory. */
static int *no_slots(Loading *loading, size_t count) {
    int *slots = region_alloc_array(&loading->parsed, count, sizeof *slots);
    for (size_t i = 0; slots && i < count; i++)
        slots[i] = NO_SLOT;
    return slots;
}

/* Which of the node's attributes stand for parameters of the function that it is in, at whatever depth. */
static Status number_references(Loading *loading, Body *body, BodyNode *node) {
    const Onnx__NodeProto *proto = node->proto;
    for (size_t i = 0; i < proto->n_attribute; i++) {
        const char *name = text_or_empty(proto->attribute[i]->ref_attr_name);
        if (!name[0])
            continue;
        if (!node->references) {
            node->references = no_slots(loading, proto->n_attribute);
            if (!node->references)
                return no_memory(loading);
        }
        TRY(number_of(loading, &body->root->parameters, name, &node->references[i]));
    }
    return STRIDER_OK;
}

static Status make_graphs(Loading *loading, Body *body, BodyNode *node, size_t index) {
    const Onnx__NodeProto *proto = node->proto;
    for (size_t i = 0; i < proto->n_attribute; i++) {
        const Onnx__AttributeProto *attribute = proto->attribute[i];
        if (!attribute->g || attribute_kind(attribute) != ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH)
            continue;
        if (!node->graphs)
            node->graphs = region_alloc_array(&loading->parsed, proto->n_attribute, sizeof(Body *));
        Body *graph = region_alloc(&loading->parsed, sizeof *graph);
        if (!node->graphs || !graph)
            return no_memory(loading);
        node->graphs[i] = graph;
        const Status status = make_graph_body(loading, attribute->g, body, graph);
        if (status)
            return error_within(loading->err, status, "node %zu \"%.60s\" (%.60s): %.60s", index,
                                text_or_empty(proto->name), text_or_empty(proto->op_type), attribute->name);
    }
    return STRIDER_OK;
}

static Status make_node(Loading *loading, Body *body, BodyNode *node, size_t index) {
    const Onnx__NodeProto *proto = node->proto;
    TRY(check_attributes(loading, proto));
    TRY(find_function(loading, proto, &node->callee));
    TRY(number_ports(loading, body, proto->n_input, proto->input, body_slot, &node->n_inputs, &node->inputs));
    TRY(number_ports(loading, body, proto->n_output, proto->output, made_slot, &node->n_outputs,
                     &node->outputs));
    TRY(number_references(loading, body, node));
    TRY(make_graphs(loading, body, node, index));
    node->torch_scope = torch_scope(loading, proto);
    return node->torch_scope ? STRIDER_OK : no_memory(loading);
}

/* `body` has its slots' region, its root, and slots already where there are formal inputs. */
static Status make_nodes(Loading *loading, size_t n_nodes, Onnx__NodeProto **nodes, Body *body) {
    body->nodes = region_alloc_array(&loading->parsed, n_nodes, sizeof *body->nodes);
    if (!body->nodes)
        return no_memory(loading);
    body->n_nodes = n_nodes;
    for (size_t i = 0; i < n_nodes; i++) {
        body->nodes[i].proto = nodes[i];
        TRY(make_node(loading, body, &body->nodes[i], i));
    }
    return STRIDER_OK;
}

static void start_body(Loading *loading, Body *outer, Body *body) {
    *body = (Body){.outer = outer, .root = outer ? outer->root : body};
    body->slots.region = body->parameters.region = &loading->parsed;
}

/* What a graph reads and does not make is looked up around it, which makes it one more name that the graph
 * around reads: a name has a slot at each level between where it is read and where it is made.  That is time
 * by the names and the depth, which the limit on nested messages bounds. */
static Status find_outer_slots(Loading *loading, Body *body) {
    for (size_t i = 0; body->outer && i < body->slots.count; i++)
        if (!body->names[i].is_made)
            TRY(body_slot(loading, body->outer, body->names[i].text, &body->names[i].outer_slot));
    return STRIDER_OK;
}

Status make_graph_body(Loading *loading, const Onnx__GraphProto *proto, Body *outer, Body *body) {
    int slot;
    start_body(loading, outer, body);
    body->proto = proto;
    for (size_t i = 0; i < proto->n_initializer; i++)
        TRY(made_slot(loading, body, text_or_empty(proto->initializer[i]->name), &slot));
    for (size_t i = 0; i < proto->n_input; i++)
        TRY(made_slot(loading, body, text_or_empty(proto->input[i]->name), &slot));
    TRY(make_nodes(loading, proto->n_node, proto->node, body));
    for (size_t i = 0; i < proto->n_output; i++)
        TRY(body_slot(loading, body, text_or_empty(proto->output[i]->name), &slot));
    return find_outer_slots(loading, body);
}

bool body_finds(const Body *body, int slot) {
    while (!body->names[slot].is_made && body->outer) {
        slot = body->names[slot].outer_slot;
        body = body->outer;
    }
    return body->names[slot].is_made;
}

const Onnx__AttributeProto *bound_attribute(const BodyNode *node, size_t at,
                                            const Onnx__AttributeProto *const *bound) {
    const int parameter = node->references ? node->references[at] : NO_SLOT;
    if (parameter == NO_SLOT)
        return node->proto->attribute[at];
    return bound ? bound[parameter] : NULL;
}

/* --- functions --- */

/* Domain, name and overload, so that no two triples have the same key. */
static const char *function_key(Loading *loading, const char *domain, const char *name,
                                const char *overload) {
    domain = text_or_empty(domain);
    name = text_or_empty(name);
    return region_format(&loading->parsed, "%zu %zu %s%s%s", strlen(domain), strlen(name), domain, name,
                         text_or_empty(overload));
}

/* Where two functions have one key the first counts. */
Status list_functions(Loading *loading) {
    const Onnx__ModelProto *model = loading->proto;
    loading->functions.region = &loading->parsed;
    for (size_t i = 0; i < model->n_functions; i++) {
        const Onnx__FunctionProto *proto = model->functions[i];
        const char *key = function_key(loading, proto->domain, proto->name, proto->overload);
        Function *function = region_alloc(&loading->parsed, sizeof *function);
        if (!key || !function)
            return no_memory(loading);
        function->proto = proto;
        if (!names_find(&loading->functions, key, NULL) && !names_add(&loading->functions, key, function))
            return no_memory(loading);
    }
    return STRIDER_OK;
}

Status find_function(Loading *loading, const Onnx__NodeProto *proto, Function **function) {
    void *found = NULL;
    if (loading->functions.count) {
        const char *key = function_key(loading, proto->domain, proto->op_type, proto->overload);
        if (!key)
            return no_memory(loading);
        names_find(&loading->functions, key, &found);
    }
    *function = found;
    return STRIDER_OK;
}

static Status number_inputs(Loading *loading, Function *function) {
    const Onnx__FunctionProto *proto = function->proto;
    for (size_t i = 0; i < proto->n_input; i++) {
        if (body_find_slot(&function->body, proto->input[i]) != NO_SLOT)
            return fail(loading->err, STRIDER_BAD_MODEL,
                        "function \"%.100s\": two inputs are called \"%.100s\"", text_or_empty(proto->name),
                        proto->input[i]);
        TRY(made_slot(loading, &function->body, proto->input[i], &function->inputs[i]));
    }
    return STRIDER_OK;
}

static Status prepare_function(Loading *loading, Function *function) {
    const Onnx__FunctionProto *proto = function->proto;
    Body *body = &function->body;
    if (function->is_prepared)
        return STRIDER_OK;
    start_body(loading, NULL, body);
    function->inputs = region_alloc_array(&loading->parsed, proto->n_input, sizeof *function->inputs);
    function->outputs = region_alloc_array(&loading->parsed, proto->n_output, sizeof *function->outputs);
    if (!function->inputs || !function->outputs)
        return no_memory(loading);
    TRY(number_inputs(loading, function)); /* the first numbers are theirs */
    for (size_t i = 0; i < proto->n_output; i++)
        TRY(body_slot(loading, body, proto->output[i], &function->outputs[i]));
    TRY(make_nodes(loading, proto->n_node, proto->node, body));
    TRY(make_imports(loading, proto->n_opset_import, proto->opset_import, &body->imports));
    function->defaults =
        region_alloc_array(&loading->parsed, body->parameters.count, sizeof *function->defaults);
    if (!function->defaults)
        return no_memory(loading);
    for (size_t i = 0; i < proto->n_attribute_proto; i++) {
        void *found = NULL;
        const Onnx__AttributeProto *given = proto->attribute_proto[i];
        if (!names_find(&body->parameters, text_or_empty(given->name), &found))
            continue;
        const Onnx__AttributeProto **place = &function->defaults[(intptr_t)found];
        *place = *place ? *place : given;
    }
    function->is_prepared = true;
    return STRIDER_OK;
}

Status prepare_call(Loading *loading, BodyNode *call) {
    const Onnx__NodeProto *proto = call->proto;
    TRY(prepare_function(loading, call->callee));
    if (call->targets)
        return STRIDER_OK;
    call->targets = no_slots(loading, proto->n_attribute);
    if (!call->targets)
        return no_memory(loading);
    for (size_t i = 0; i < proto->n_attribute; i++) {
        void *found = NULL;
        if (names_find(&call->callee->body.parameters, proto->attribute[i]->name, &found))
            call->targets[i] = (int)(intptr_t)found;
    }
    return STRIDER_OK;
}
