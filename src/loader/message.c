/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/loading.h"

/* protobuf-c says no more than that it failed. */
typedef struct Unpacking {
    Region *region;
    size_t refused_bytes; /* 0: it had all the memory that it asked for */
} Unpacking;

static void *unpack_allocate(void *context, size_t size) {
    Unpacking *unpacking = context;
    void *memory = region_alloc(unpacking->region, size);
    if (!memory)
        unpacking->refused_bytes = size ? size : 1;
    return memory;
}

static void unpack_release(void *context, void *memory) {
    (void)context;
    (void)memory; /* all at once, with the region */
}

static Status unpack(Region *region, const ProtobufCMessageDescriptor *descriptor, Scan *scan,
                     ProtobufCMessage **message, Error *err) {
    Unpacking unpacking = {.region = region};
    ProtobufCAllocator allocator = {unpack_allocate, unpack_release, &unpacking};
    *message = protobuf_c_message_unpack(descriptor, &allocator, scan->reduced_bytes, scan->reduced);
    if (*message)
        return STRIDER_OK;
    if (unpacking.refused_bytes)
        return fail_memory(err, unpacking.refused_bytes, "parsing");
    return fail(err, STRIDER_BAD_MODEL, "not a valid ONNX message");
}

Status read_message(Region *region, const ProtobufCMessageDescriptor *descriptor, const unsigned char *data,
                    size_t size_bytes, uint32_t max_depth, Scan *scan, ProtobufCMessage **message,
                    Error *err) {
    Status status = scan_message(scan, region, descriptor, data, size_bytes, max_depth, err);
    if (!status)
        status = unpack(region, descriptor, scan, message, err);
    scan_free_reduced(scan, region);
    return status;
}

/* Files from before the type was stated have it in what is filled. */
int attribute_kind(const Onnx__AttributeProto *proto) {
    if (proto->type)
        return (int)proto->type;
    if (proto->has_f)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
    if (proto->has_i)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    if (proto->has_s)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
    if (proto->t)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
    if (proto->n_floats)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
    if (proto->n_strings)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS;
    if (proto->g)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH;
    if (proto->tp)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTO;
    return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
}
