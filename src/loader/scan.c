/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/scan.h"

#include <string.h>

#include "onnx.pb-c.h"

/* Packed floats shorter than this stay in the message. */
enum { SHORTEST_CUT_BYTES = 64 };

typedef struct Scanner {
    Scan *scan;
    Region *region;
    const unsigned char *data;
    uint32_t max_depth;
    Error *err;
} Scanner;

typedef enum WireType { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 } WireType;

static Status malformed(const Scanner *scanner, size_t at, const char *what) {
    return fail_at(scanner->err, STRIDER_BAD_MODEL, (int64_t)at, "malformed at byte %zu: %s", at, what);
}

static Status read_varint(const Scanner *scanner, size_t *at, size_t end, uint64_t *value) {
    size_t start = *at;
    *value = 0;
    for (int shift = 0; *at < end && shift < 70; shift += 7) {
        unsigned char byte = scanner->data[(*at)++];
        if (shift == 63 && byte > 1)
            return malformed(scanner, start, "an integer of more than 64 bits");
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return STRIDER_OK;
    }
    return malformed(scanner, start,
                     *at >= end ? "the data ends inside an integer" : "an integer of more than 10 bytes");
}

/* The contents of the field whose tag ends at *at; moves past it. */
static Status read_contents(const Scanner *scanner, WireType wire, size_t *at, size_t end, size_t *begin,
                            size_t *size) {
    uint64_t length;
    *begin = *at;
    switch (wire) {
    case WIRE_VARINT:
        TRY(read_varint(scanner, at, end, &length));
        *size = *at - *begin;
        return STRIDER_OK;
    case WIRE_BYTES:
        TRY(read_varint(scanner, at, end, &length));
        *begin = *at;
        break;
    case WIRE_FIXED32:
        length = 4;
        break;
    case WIRE_FIXED64:
        length = 8;
        break;
    default:
        return malformed(scanner, *at, "a wire type that protobuf 2 does not have, or a group");
    }
    if (length > end - *at)
        return malformed(scanner, *begin, "a field reaches beyond the end of its message");
    *size = (size_t)length;
    *at += *size;
    return STRIDER_OK;
}

static Status reserve(const Scanner *scanner, size_t size) {
    Scan *scan = scanner->scan;
    if (scan->reduced_capacity - scan->reduced_bytes >= size)
        return STRIDER_OK;
    size_t capacity = scan->reduced_capacity * 2 + size + 4096;
    unsigned char *grown = memory_alloc(scanner->region->allocator, capacity);
    if (!grown)
        return fail_memory(scanner->err, capacity, "parsing");
    if (scan->reduced_bytes)
        memcpy(grown, scan->reduced, scan->reduced_bytes);
    memory_free(scanner->region->allocator, scan->reduced);
    scan->reduced = grown;
    scan->reduced_capacity = capacity;
    return STRIDER_OK;
}

static Status emit(const Scanner *scanner, const void *bytes, size_t size) {
    TRY(reserve(scanner, size));
    memcpy(scanner->scan->reduced + scanner->scan->reduced_bytes, bytes, size);
    scanner->scan->reduced_bytes += size;
    return STRIDER_OK;
}

static Status emit_varint(const Scanner *scanner, uint64_t value) {
    unsigned char bytes[10];
    size_t size = 0;
    do {
        bytes[size++] = (unsigned char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
    } while (value);
    return emit(scanner, bytes, size);
}

static WireType wire_of(const ProtobufCFieldDescriptor *field) {
    switch (field->type) {
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return WIRE_FIXED32;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return WIRE_FIXED64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_BYTES;
    default:
        return WIRE_VARINT;
    }
}

static Status check_packed(const Scanner *scanner, const ProtobufCFieldDescriptor *field, size_t begin,
                           size_t size) {
    WireType wire = wire_of(field);
    uint64_t value;
    if (wire == WIRE_VARINT) {
        for (size_t at = begin; at < begin + size;)
            TRY(read_varint(scanner, &at, begin + size, &value));
        return STRIDER_OK;
    }
    return size % (wire == WIRE_FIXED32 ? 4 : 8) == 0
               ? STRIDER_OK
               : malformed(scanner, begin, "a packed list whose length is no multiple of its elements' size");
}

static Status check_string(const Scanner *scanner, size_t begin, size_t size) {
    return memchr(scanner->data + begin, 0, size)
               ? malformed(scanner, begin, "a string with a NUL byte in it")
               : STRIDER_OK;
}

/* Whether the field's contents are cut out instead of copied. */
static Span *span_for(TensorSpans *tensor, const ProtobufCFieldDescriptor *field, WireType wire,
                      size_t size) {
    if (!tensor || wire != WIRE_BYTES)
        return NULL;
    if (strcmp(field->name, "raw_data") == 0)
        return &tensor->raw_data;
    if (size < SHORTEST_CUT_BYTES)
        return NULL;
    Span *span = strcmp(field->name, "float_data") == 0    ? &tensor->float_data
                 : strcmp(field->name, "double_data") == 0 ? &tensor->double_data
                                                           : NULL;
    return span && !span->present ? span : NULL;
}

static Status scan_fields(const Scanner *scanner, const ProtobufCMessageDescriptor *message, size_t begin,
                          size_t end, uint32_t depth, bool in_model_graph);

static Status scan_submessage(const Scanner *scanner, const ProtobufCMessageDescriptor *parent,
                              const ProtobufCFieldDescriptor *field, size_t begin, size_t size,
                              uint32_t depth, bool in_model_graph) {
    Scan *scan = scanner->scan;
    const ProtobufCMessageDescriptor *message = field->descriptor;
    if (depth >= scanner->max_depth)
        return fail_at(scanner->err, STRIDER_LIMIT_EXCEEDED, (int64_t)begin,
                       "messages are nested deeper than %u at byte %zu", scanner->max_depth, begin);
    bool is_model_graph =
        parent == &onnx__model_proto__descriptor && message == &onnx__graph_proto__descriptor;
    if (in_model_graph && parent == &onnx__graph_proto__descriptor &&
        message == &onnx__node_proto__descriptor) {
        if (!region_grow(scanner->region, &scan->node_offsets, scan->n_nodes, &scan->nodes_capacity,
                         sizeof(size_t)))
            return fail_memory(scanner->err, sizeof(size_t), "the list of nodes");
        scan->node_offsets[scan->n_nodes++] = begin;
    }
    /* The length is known when the contents are there: five bytes, which any varint may have, are filled in
     * then. */
    size_t length_at = scan->reduced_bytes;
    TRY(emit(scanner, "\x80\x80\x80\x80\x00", 5));
    TRY(scan_fields(scanner, message, begin, begin + size, depth + 1, is_model_graph));
    size_t length = scan->reduced_bytes - length_at - 5;
    if (length > INT32_MAX)
        return fail(scanner->err, STRIDER_LIMIT_EXCEEDED, "a message of more than 2 GiB");
    for (int i = 0; i < 5; i++)
        scan->reduced[length_at + (size_t)i] =
            (unsigned char)((length >> (7 * i) & 0x7f) | (i < 4 ? 0x80 : 0));
    return STRIDER_OK;
}

static Status scan_field(const Scanner *scanner, const ProtobufCMessageDescriptor *message,
                         TensorSpans *tensor, size_t *at, size_t end, uint32_t depth, bool in_model_graph) {
    uint64_t tag;
    size_t tag_at = *at, begin = 0, size = 0;
    TRY(read_varint(scanner, at, end, &tag));
    WireType wire = (WireType)(tag & 7);
    if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
        return malformed(scanner, tag_at, "a field number out of range");
    TRY(read_contents(scanner, wire, at, end, &begin, &size));
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(message, (unsigned)(tag >> 3));
    if (!field)
        return STRIDER_OK;
    WireType expected = wire_of(field);
    bool packed = wire == WIRE_BYTES && expected != WIRE_BYTES && field->label == PROTOBUF_C_LABEL_REPEATED;
    if (wire != expected && !packed)
        return malformed(scanner, tag_at, "a field of another wire type than the schema says");
    if (packed)
        TRY(check_packed(scanner, field, begin, size));
    Span *span = span_for(tensor, field, wire, size);
    if (span) {
        *span = (Span){begin, size, true};
        return STRIDER_OK;
    }
    TRY(emit_varint(scanner, tag));
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return scan_submessage(scanner, message, field, begin, size, depth, in_model_graph);
    if (field->type == PROTOBUF_C_TYPE_STRING)
        TRY(check_string(scanner, begin, size));
    if (wire == WIRE_BYTES)
        TRY(emit_varint(scanner, size));
    return emit(scanner, scanner->data + begin, size);
}

static Status scan_fields(const Scanner *scanner, const ProtobufCMessageDescriptor *message, size_t begin,
                          size_t end, uint32_t depth, bool in_model_graph) {
    Scan *scan = scanner->scan;
    bool is_tensor = message == &onnx__tensor_proto__descriptor;
    TensorSpans tensor = {.offset = begin};
    for (size_t at = begin; at < end;)
        TRY(scan_field(scanner, message, is_tensor ? &tensor : NULL, &at, end, depth, in_model_graph));
    if (!is_tensor)
        return STRIDER_OK;
    if (!region_grow(scanner->region, &scan->tensors, scan->n_tensors, &scan->tensors_capacity,
                     sizeof tensor))
        return fail_memory(scanner->err, sizeof tensor, "the list of tensors");
    uint64_t index = scan->n_tensors;
    scan->tensors[scan->n_tensors++] = tensor;
    TRY(emit_varint(scanner, 9 << 3 | WIRE_BYTES));
    TRY(emit_varint(scanner, sizeof index));
    return emit(scanner, &index, sizeof index);
}

void scan_free_reduced(Scan *scan, const Region *region) {
    memory_free(region->allocator, scan->reduced);
    scan->reduced = NULL;
    scan->reduced_bytes = scan->reduced_capacity = 0;
}

Status scan_message(Scan *scan, Region *region, const ProtobufCMessageDescriptor *descriptor,
                    const unsigned char *data, size_t size_bytes, uint32_t max_depth, Error *err) {
    *scan = (Scan){0};
    Scanner scanner = {.scan = scan, .region = region, .data = data, .max_depth = max_depth, .err = err};
    TRY(reserve(&scanner, 16));
    return scan_fields(&scanner, descriptor, 0, size_bytes, 0, false);
}
