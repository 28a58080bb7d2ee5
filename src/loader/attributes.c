/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "loader/loading.h"

static void *copy_array(Region *region, const void *items, size_t count, size_t size) {
    void *copy = region_alloc_array(region, count, size);
    if (copy && count)
        memcpy(copy, items, count * size);
    return copy;
}

static Status load_strings(Loading *loading, Region *region, const Onnx__AttributeProto *proto, Attr *attr) {
    const char **strings = region_alloc_array(region, proto->n_strings, sizeof *strings);
    if (!strings)
        return no_memory(loading);
    for (size_t i = 0; i < proto->n_strings; i++) {
        if (proto->strings[i].len && memchr(proto->strings[i].data, 0, proto->strings[i].len))
            return fail(loading->err, STRIDER_UNSUPPORTED, "attribute %.60s: a string with a NUL byte in it",
                        proto->name);
        strings[i] = region_string(region, (const char *)proto->strings[i].data, proto->strings[i].len);
        if (!strings[i])
            return no_memory(loading);
    }
    attr->kind = ATTR_STRINGS;
    attr->strings = strings;
    attr->count = proto->n_strings;
    return STRIDER_OK;
}

static Status load_tensor_attribute(Loading *loading, Graph *graph, const Onnx__AttributeProto *proto,
                                    Attr *attr) {
    Tensor tensor;
    if (!proto->t)
        return fail(loading->err, STRIDER_BAD_MODEL, "attribute \"%.60s\" is a tensor without contents",
                    attr->name);
    attr->kind = ATTR_TENSOR;
    TRY(load_tensor(&loading->scan, loading->files->items[0], loading->files, loading->options,
                    graph->region.allocator, proto->t, &tensor, loading->err));
    return graph_keep_tensor(graph, tensor, &attr->tensor, loading->err);
}

static Status keep_type(Loading *loading, Graph *graph, const Onnx__AttributeProto *proto, Attr *attr) {
    ValueType *type = region_alloc(&graph->region, sizeof *type);
    if (!type)
        return no_memory(loading);
    attr->kind = ATTR_TYPE;
    attr->type = type;
    return load_type_attribute(loading, proto, type);
}

static Status load_attribute(Loading *loading, Graph *graph, const char *name,
                             const Onnx__AttributeProto *proto, Attr *attr) {
    Region *region = &graph->region;
    *attr = (Attr){.name = region_string(region, name, strlen(name)), .kind = ATTR_OTHER};
    if (!attr->name)
        return no_memory(loading);
    switch (attribute_kind(proto)) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        attr->kind = ATTR_FLOAT;
        attr->f = proto->f;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
        attr->kind = ATTR_INT;
        attr->i = proto->i;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
        attr->kind = ATTR_STRING;
        attr->s = region_string(region, (const char *)proto->s.data, proto->s.len);
        attr->count = proto->s.len;
        return attr->s ? STRIDER_OK : no_memory(loading);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
        attr->kind = ATTR_FLOATS;
        attr->count = proto->n_floats;
        attr->floats = copy_array(region, proto->floats, proto->n_floats, sizeof(float));
        return attr->floats ? STRIDER_OK : no_memory(loading);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        attr->kind = ATTR_INTS;
        attr->count = proto->n_ints;
        attr->ints = copy_array(region, proto->ints, proto->n_ints, sizeof(int64_t));
        return attr->ints ? STRIDER_OK : no_memory(loading);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS:
        return load_strings(loading, region, proto, attr);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
        return load_tensor_attribute(loading, graph, proto, attr);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTO:
        return keep_type(loading, graph, proto, attr);
    default:
        break;
    }
    return STRIDER_OK;
}

Status load_attributes(Loading *loading, Graph *graph, const BodyNode *node,
                       const Onnx__AttributeProto *const *bound, AttrList *attrs) {
    const Onnx__NodeProto *proto = node->proto;
    Attr *items = region_alloc_array(&graph->region, proto->n_attribute, sizeof *items);
    bool *asked = region_alloc_array(&loading->parsed, proto->n_attribute, sizeof *asked);
    if (!items || !asked)
        return no_memory(loading);
    *attrs = (AttrList){.items = items};
    for (size_t i = 0; i < proto->n_attribute; i++) {
        const Onnx__AttributeProto *attribute = bound_attribute(node, i, bound);
        if (!attribute)
            continue;
        TRY(load_attribute(loading, graph, proto->attribute[i]->name, attribute, &items[attrs->count]));
        items[attrs->count++].asked = &asked[i];
    }
    return STRIDER_OK;
}

/* Those of opset 1 that named buffers, and what its own operator may say, are no news. */
static bool is_expected(const Op *op, const Attr *attr) {
    if (strcmp(attr->name, "consumed_inputs") == 0)
        return true;
    for (int i = 0; op->ignores[i]; i++)
        if (strcmp(op->ignores[i], attr->name) == 0)
            return true;
    for (int i = 0; op->bodies[i]; i++)
        if (strcmp(op->bodies[i], attr->name) == 0)
            return true;
    return false;
}

Status warn_of_unknown(Loading *loading, const Where *where, const Op *op, const AttrList *attrs) {
    const Log log = {loading->options->log, loading->options->log_context};
    char text[WHERE_TEXT];
    loading->warned.region = &loading->parsed;
    for (size_t i = 0; i < attrs->count; i++) {
        const Attr *attr = &attrs->items[i];
        if (*attr->asked || is_expected(op, attr))
            continue;
        const char *key =
            region_format(&loading->parsed, "%s %s", attr->name, text_or_empty(where->proto->op_type));
        if (!key)
            return no_memory(loading);
        if (names_find(&loading->warned, key, NULL))
            continue;
        log_warning(&log,
                    "%s: attribute \"%.60s\" is unknown and means nothing here, nor in any node like it",
                    where_text(where, text), attr->name);
        if (!names_add(&loading->warned, key, NULL))
            return no_memory(loading);
    }
    return STRIDER_OK;
}

/* One string, or a list of them. */
static Status load_constant_strings(Loading *loading, const Attr *attr, Tensor *tensor) {
    const bool is_one = attr->kind == ATTR_STRING;
    const size_t count = is_one ? 1 : attr->count;
    const Shape shape = is_one ? shape_scalar() : shape_make(1, &(int64_t){(int64_t)count});
    const Allocator *allocator = loading->graph->region.allocator;
    const char *const *texts = is_one ? &attr->s : attr->strings;
    size_t total = 0;
    char *bytes;
    for (size_t i = 0; i < count; i++)
        total += is_one ? attr->count : strlen(texts[i]);
    TRY(tensor_alloc_strings(tensor, allocator, &shape, total, &bytes, loading->err));
    String *strings = tensor->data;
    for (size_t i = 0; i < count; i++) {
        strings[i] = (String){bytes, is_one ? attr->count : strlen(texts[i])};
        memcpy(bytes, texts[i], strings[i].size);
        bytes += strings[i].size;
    }
    return STRIDER_OK;
}

Status load_constant(Loading *loading, const AttrList *attrs, const char *node_name, Tensor *tensor) {
    const Allocator *allocator = loading->graph->region.allocator;
    for (size_t i = 0; i < attrs->count; i++) {
        const Attr *attr = &attrs->items[i];
        if (strcmp(attr->name, "value") == 0 && attr->kind == ATTR_TENSOR) {
            *tensor = *attr->tensor;
            tensor->allocator = NULL; /* the graph owns it already */
            return STRIDER_OK;
        }
        if ((strcmp(attr->name, "value_string") == 0 && attr->kind == ATTR_STRING) ||
            (strcmp(attr->name, "value_strings") == 0 && attr->kind == ATTR_STRINGS))
            return load_constant_strings(loading, attr, tensor);
        bool is_int = strcmp(attr->name, "value_int") == 0 && attr->kind == ATTR_INT;
        bool is_float = strcmp(attr->name, "value_float") == 0 && attr->kind == ATTR_FLOAT;
        bool is_ints = strcmp(attr->name, "value_ints") == 0 && attr->kind == ATTR_INTS;
        bool is_floats = strcmp(attr->name, "value_floats") == 0 && attr->kind == ATTR_FLOATS;
        if (!is_int && !is_float && !is_ints && !is_floats)
            continue;
        Shape shape = is_int || is_float ? shape_scalar() : shape_make(1, &(int64_t){(int64_t)attr->count});
        TRY(tensor_alloc(tensor, allocator, is_int || is_ints ? STRIDER_I64 : STRIDER_F32, &shape,
                         loading->err));
        const void *from = is_int     ? (const void *)&attr->i
                           : is_float ? (const void *)&attr->f
                           : is_ints  ? (const void *)attr->ints
                                      : (const void *)attr->floats;
        if (tensor->size_bytes)
            memcpy(tensor->data, from, tensor->size_bytes);
        return STRIDER_OK;
    }
    return fail(loading->err, attrs->count ? STRIDER_UNSUPPORTED : STRIDER_BAD_MODEL,
                "node \"%.120s\" (Constant): %s", node_name,
                attrs->count ? "only tensors, numbers and strings are supported as its value"
                             : "it has no value");
}
