/* SPDX-License-Identifier: Apache-2.0 */
/* What is done once for each function, however often it is called: its names become numbers, so that a call
 * takes time by its nodes and their ports, not by the lengths of names. */
#include <inttypes.h>
#include <string.h>

#include "loader/loading.h"

static Status no_memory(Loading *loading) {
    return fail(loading->err, STRIDER_OUT_OF_MEMORY, "out of memory for the graph");
}

static const char *text_or_empty(const char *text) {
    return text ? text : "";
}

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
    body->names[known] = name;
    return STRIDER_OK;
}

int body_find_slot(const Body *body, const char *name) {
    void *found = NULL;
    return names_find(&body->slots, name, &found) ? (int)(intptr_t)found : NO_SLOT;
}

/* --- versions of domains --- */

static bool is_default_domain(const char *domain) {
    return !domain[0] || strcmp(domain, "ai.onnx") == 0;
}

/* Where a domain is imported twice the first counts. */
static Status make_imports(Loading *loading, size_t n, Onnx__OperatorSetIdProto **opsets, Imports *imports) {
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

static Status number_ports(Loading *loading, Body *body, size_t n, char **names, int *count, int **slots) {
    *count = count_ports(n, names);
    *slots = region_alloc_array(&loading->parsed, (size_t)*count, sizeof **slots);
    if (!*slots)
        return no_memory(loading);
    for (int i = 0; i < *count; i++)
        TRY(body_slot(loading, body, names[i], &(*slots)[i]));
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

/* Which of the body's attributes stand for parameters of its function. */
static Status number_references(Loading *loading, Body *body, BodyNode *node) {
    const Onnx__NodeProto *proto = node->proto;
    for (size_t i = 0; i < proto->n_attribute; i++) {
        const char *name = text_or_empty(proto->attribute[i]->ref_attr_name);
        if (!name[0])
            continue;
        if (!node->references) {
            node->references = region_alloc_array(&loading->parsed, proto->n_attribute, sizeof(int));
            if (!node->references)
                return no_memory(loading);
            for (size_t j = 0; j < proto->n_attribute; j++)
                node->references[j] = NO_SLOT;
        }
        TRY(number_of(loading, &body->parameters, name, &node->references[i]));
    }
    return STRIDER_OK;
}

Status make_body(Loading *loading, size_t n_nodes, Onnx__NodeProto **nodes, size_t n_opsets,
                 Onnx__OperatorSetIdProto **opsets, Body *body) {
    body->slots.region = body->parameters.region = &loading->parsed;
    body->nodes = region_alloc_array(&loading->parsed, n_nodes, sizeof *body->nodes);
    if (!body->nodes)
        return no_memory(loading);
    body->n_nodes = n_nodes;
    for (size_t i = 0; i < n_nodes; i++) {
        BodyNode *node = &body->nodes[i];
        node->proto = nodes[i];
        TRY(check_attributes(loading, nodes[i]));
        TRY(find_function(loading, nodes[i], &node->callee));
        TRY(number_ports(loading, body, nodes[i]->n_input, nodes[i]->input, &node->n_inputs, &node->inputs));
        TRY(number_ports(loading, body, nodes[i]->n_output, nodes[i]->output, &node->n_outputs,
                         &node->outputs));
        TRY(number_references(loading, body, node));
        node->torch_scope = torch_scope(loading, nodes[i]);
        if (!node->torch_scope)
            return no_memory(loading);
    }
    return make_imports(loading, n_opsets, opsets, &body->imports);
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
        TRY(body_slot(loading, &function->body, proto->input[i], &function->inputs[i]));
    }
    return STRIDER_OK;
}

static Status prepare_function(Loading *loading, Function *function) {
    const Onnx__FunctionProto *proto = function->proto;
    Body *body = &function->body;
    if (function->is_prepared)
        return STRIDER_OK;
    body->slots.region = &loading->parsed;
    function->inputs = region_alloc_array(&loading->parsed, proto->n_input, sizeof *function->inputs);
    function->outputs = region_alloc_array(&loading->parsed, proto->n_output, sizeof *function->outputs);
    if (!function->inputs || !function->outputs)
        return no_memory(loading);
    TRY(number_inputs(loading, function)); /* the first numbers are theirs */
    for (size_t i = 0; i < proto->n_output; i++)
        TRY(body_slot(loading, body, proto->output[i], &function->outputs[i]));
    TRY(make_body(loading, proto->n_node, proto->node, proto->n_opset_import, proto->opset_import, body));
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
    call->targets = region_alloc_array(&loading->parsed, proto->n_attribute, sizeof *call->targets);
    if (!call->targets)
        return no_memory(loading);
    for (size_t i = 0; i < proto->n_attribute; i++) {
        void *found = NULL;
        call->targets[i] = names_find(&call->callee->body.parameters, proto->attribute[i]->name, &found)
                               ? (int)(intptr_t)found
                               : NO_SLOT;
    }
    return STRIDER_OK;
}
