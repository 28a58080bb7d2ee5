/* SPDX-License-Identifier: Apache-2.0 */
#include "support/proto_writer.h"

#include <stdlib.h>
#include <string.h>

void proto_put(Proto *proto, const void *data, size_t size) {
    if (proto->capacity - proto->size < size) {
        proto->capacity = proto->capacity * 2 + size;
        proto->data = realloc(proto->data, proto->capacity);
        if (!proto->data)
            abort();
    }
    if (size)
        memcpy(proto->data + proto->size, data, size);
    proto->size += size;
}

static void put_varint(Proto *proto, uint64_t value) {
    do {
        unsigned char byte = (unsigned char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        proto_put(proto, &byte, 1);
        value >>= 7;
    } while (value);
}

void proto_int(Proto *proto, int field, int64_t value) {
    put_varint(proto, (uint64_t)field << 3);
    put_varint(proto, (uint64_t)value);
}

void proto_float(Proto *proto, int field, float value) {
    put_varint(proto, (uint64_t)field << 3 | 5);
    proto_put(proto, &value, sizeof value);
}

void proto_bytes(Proto *proto, int field, const void *data, size_t size) {
    put_varint(proto, (uint64_t)field << 3 | 2);
    put_varint(proto, size);
    proto_put(proto, data, size);
}

void proto_text(Proto *proto, int field, const char *text) {
    proto_bytes(proto, field, text, strlen(text));
}

void proto_message(Proto *proto, int field, Proto *inner) {
    proto_bytes(proto, field, inner->data, inner->size);
    proto_free(inner);
}

void proto_free(Proto *proto) {
    free(proto->data);
    *proto = (Proto){0};
}

void proto_ints_attribute(Proto *node, const char *name, const int64_t *values, size_t count) {
    Proto attribute = {0};
    proto_text(&attribute, 1, name);
    for (size_t i = 0; i < count; i++)
        proto_int(&attribute, 8, values[i]);
    proto_int(&attribute, 20, 7);
    proto_message(node, 5, &attribute);
}

void proto_int_attribute(Proto *node, const char *name, int64_t value) {
    Proto attribute = {0};
    proto_text(&attribute, 1, name);
    proto_int(&attribute, 3, value);
    proto_int(&attribute, 20, 2);
    proto_message(node, 5, &attribute);
}

void proto_value(Proto *graph, int field, const char *name, int elem_type, const int64_t *dims, int rank) {
    Proto value = {0}, type = {0}, tensor = {0}, shape = {0};
    for (int i = 0; i < rank; i++) {
        Proto dim = {0};
        if (dims[i] >= 0)
            proto_int(&dim, 1, dims[i]);
        proto_message(&shape, 1, &dim);
    }
    proto_int(&tensor, 1, elem_type);
    proto_message(&tensor, 2, &shape);
    proto_message(&type, 1, &tensor);
    proto_text(&value, 1, name);
    proto_message(&value, 2, &type);
    proto_message(graph, field, &value);
}

void proto_float_attribute(Proto *node, const char *name, float value) {
    Proto attribute = {0};
    proto_text(&attribute, 1, name);
    proto_float(&attribute, 2, value);
    proto_int(&attribute, 20, 1);
    proto_message(node, 5, &attribute);
}

void proto_text_attribute(Proto *node, const char *name, const char *value) {
    Proto attribute = {0};
    proto_text(&attribute, 1, name);
    proto_text(&attribute, 4, value);
    proto_int(&attribute, 20, 3);
    proto_message(node, 5, &attribute);
}
