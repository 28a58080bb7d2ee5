/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/expansion.h"

#include <string.h>

#include "base/text.h"

Status expansion_init(Expansion *e, Loading *loading, Scope *scope, const Where *where,
                      const BodyNode *from) {
    const Onnx__NodeProto *proto = where->proto;
    *e = (Expansion){.loading = loading, .scope = scope, .where = where, .from = from};
    e->inputs = region_alloc_array(&loading->parsed, (size_t)from->n_inputs, sizeof(Value *));
    if (!e->inputs)
        return no_memory(loading);
    e->n_inputs = from->n_inputs;
    for (int i = 0; i < from->n_inputs; i++)
        if (from->inputs[i] != NO_SLOT)
            TRY(scope_value(loading, scope, from->inputs[i], &e->inputs[i]));
    e->first_made = (int)scope->graph->n_values;
    TRY(load_attributes(loading, scope->graph, from, scope->bound, &e->attrs));
    e->op.name = text_or_empty(proto->op_type);
    e->node = (Node){.op = &e->op,
                     .name = text_or_empty(proto->name),
                     .source_index = (int)where->index,
                     .byte_offset = where->offset,
                     .n_inputs = from->n_inputs,
                     .n_outputs = from->n_outputs};
    e->parse = (ParseContext){&e->node, &e->attrs, &scope->graph->region, loading->err};
    return STRIDER_OK;
}

/* --- values --- */

/* "PREFIX/NAME/WHAT". */
Status expansion_new_value(Expansion *e, const char *what, Value **value) {
    Graph *graph = e->scope->graph;
    const char *prefix = e->scope->prefix, *name = text_or_empty(e->where->proto->name);
    const char *stem = region_format(&graph->region, "%s%s%s%s%s", prefix, prefix[0] ? "/" : "", name,
                                     name[0] ? "/" : "", what);
    if (!stem)
        return no_memory(e->loading);
    TRY(graph_unique_name(graph, stem, &stem, e->loading->err));
    return graph_add_value(graph, stem, value, e->loading->err);
}

bool expansion_wants(const Expansion *e, int port) {
    return port < e->from->n_outputs && e->from->outputs[port] != NO_SLOT;
}

Status expansion_output(Expansion *e, int port, Value *value) {
    Value *output;
    if (!expansion_wants(e, port))
        return STRIDER_OK;
    TRY(scope_claim(e->loading, e->scope, e->where, e->from->outputs[port], &output));
    if (value->index < e->first_made)
        TRY(expansion_apply(e, "Identity", 1, NO_ATTRS, INPUTS(value), &value));
    Node *maker = value->producer;
    node_set_output(maker, value->producer_port, output);
    graph_replace_uses(e->scope->graph, value, output);
    output->declarer = maker;
    return STRIDER_OK;
}

/* --- attributes --- */

static bool is_among(const char *name, int n, const char *const *names) {
    for (int i = 0; i < n; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

Status expansion_attrs_without(const Expansion *e, int n, const char *const *names, AttrList *attrs) {
    Attr *kept = region_alloc_array(&e->scope->graph->region, e->attrs.count, sizeof *kept);
    if (!kept)
        return no_memory(e->loading);
    *attrs = (AttrList){.items = kept};
    for (size_t i = 0; i < e->attrs.count; i++) {
        const Attr *attr = &e->attrs.items[i];
        if (is_among(attr->name, n, names))
            *attr->asked = true;
        else
            kept[attrs->count++] = *attr;
    }
    return STRIDER_OK;
}

/* --- nodes --- */

static Status parse_attributes(Expansion *e, const AttrList *attrs, Node *node) {
    ParseContext parse = {node, attrs, &e->scope->graph->region, e->loading->err};
    return node->op->parse ? node->op->parse(&parse, node->attrs) : STRIDER_OK;
}

Status expansion_add(Expansion *e, const NewNode *what, Value **outputs, Node **node) {
    const Op *op = op_find("", what->type, what->opset);
    char message[120];
    if (!op) {
        text_format(message, sizeof message, "it stands for %s, which is not supported", what->type);
        return where_fail(e->loading, e->where, STRIDER_UNSUPPORTED, message);
    }
    TRY(add_loaded_node(e->loading, e->scope, e->where, op, what->opset, what->n_inputs, what->n_outputs,
                        node));
    (*node)->torch_scope = e->from->torch_scope;
    TRY(parse_attributes(e, &what->attrs, *node));
    for (int i = 0; i < what->n_inputs; i++)
        if (what->inputs[i])
            node_set_input(*node, i, what->inputs[i]);
    for (int i = 0; i < what->n_outputs; i++) {
        TRY(expansion_new_value(e, what->type, &outputs[i]));
        node_set_output(*node, i, outputs[i]);
    }
    return STRIDER_OK;
}

Status expansion_apply(Expansion *e, const char *type, int opset, AttrList attrs, int n_inputs,
                       Value *const *inputs, Value **y) {
    Node *node;
    /* Absent inputs at the end are none. */
    while (n_inputs && !inputs[n_inputs - 1])
        n_inputs--;
    return expansion_add(e, &(NewNode){type, opset, attrs, n_inputs, 1, inputs}, y, &node);
}

/* --- constants --- */

static Status new_constant(Expansion *e, DType dtype, const Shape *shape, const void *values,
                           Value **constant) {
    Graph *graph = e->scope->graph;
    Tensor tensor;
    TRY(expansion_new_value(e, "Constant", constant));
    TRY(tensor_alloc(&tensor, graph->region.allocator, dtype, shape, e->loading->err));
    if (tensor.size_bytes)
        memcpy(tensor.data, values, tensor.size_bytes);
    return graph_set_constant(graph, *constant, tensor, e->loading->err);
}

Status expansion_ints(Expansion *e, int count, const int64_t *values, Value **constant) {
    const int64_t size = count;
    const Shape shape = count < 0 ? shape_scalar() : shape_make(1, &size);
    return new_constant(e, STRIDER_I64, &shape, values, constant);
}

Status expansion_floats(Expansion *e, const Shape *shape, const float *values, Value **constant) {
    return new_constant(e, STRIDER_F32, shape, values, constant);
}

Status expansion_floats_like(Expansion *e, Value *like, const Shape *shape, const float *values,
                             Value **constant) {
    TRY(expansion_floats(e, shape, values, constant));
    return expansion_apply(e, "CastLike", 15, NO_ATTRS, INPUTS(*constant, like), constant);
}

/* --- arithmetic --- */

Status expansion_sum(Expansion *e, Value *more, Value **y) {
    return more ? expansion_apply(e, "Add", 14, NO_ATTRS, INPUTS(*y, more), y) : STRIDER_OK;
}

Status expansion_number_like(Expansion *e, Value *like, float number, Value **constant) {
    const Shape scalar = shape_scalar();
    return expansion_floats_like(e, like, &scalar, &number, constant);
}

Status expansion_scale(Expansion *e, float factor, Value **y) {
    Value *constant;
    if (factor == 1)
        return STRIDER_OK;
    TRY(expansion_number_like(e, *y, factor, &constant));
    return expansion_binary(e, "Mul", *y, constant, y);
}
