/* SPDX-License-Identifier: Apache-2.0 */
/* Writing ONNX models byte by byte, well formed or not. */
#ifndef TESTS_PROTO_WRITER_H
#define TESTS_PROTO_WRITER_H

#include <stddef.h>
#include <stdint.h>

typedef struct Proto {
    unsigned char *data; /* grows; freed by proto_free() */
    size_t size, capacity;
} Proto;

void proto_put(Proto *proto, const void *data, size_t size);
void proto_int(Proto *proto, int field, int64_t value);
void proto_float(Proto *proto, int field, float value);
void proto_text(Proto *proto, int field, const char *text);
void proto_bytes(Proto *proto, int field, const void *data, size_t size);
/* Puts a message into another and frees it. */
void proto_message(Proto *proto, int field, Proto *inner);
void proto_free(Proto *proto);

/* An int attribute list as AttributeProto, put into a node. */
void proto_ints_attribute(Proto *node, const char *name, const int64_t *values, size_t count);
void proto_int_attribute(Proto *node, const char *name, int64_t value);
void proto_float_attribute(Proto *node, const char *name, float value);
void proto_text_attribute(Proto *node, const char *name, const char *value);
/* A value with a float tensor type; dims below 0 are left out. */
void proto_value(Proto *graph, int field, const char *name, int elem_type, const int64_t *dims, int rank);

#endif
