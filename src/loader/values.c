/* SPDX-License-Identifier: Apache-2.0 */
/* Contents of values that stand alone in files, as the ONNX suite's test data does. */
#include <stdio.h>
#include <string.h>

#include "loader/loading.h"

/* One message that is being read, and what it takes. */
typedef struct Reading {
    LoadOptions options;
    Budget budget;
    Region region;
    Scan scan;
    File file;
    const Allocator *allocator; /* of the result */
    Error *err;
} Reading;

static Status start(Reading *reading, const void *data, size_t size_bytes, const Allocator *allocator,
                    const ProtobufCMessageDescriptor *descriptor, ProtobufCMessage **message, Error *err) {
    enum { DEPTH = 8 };
    *reading = (Reading){.options = strider_load_options_default(),
                         .file = {.data = data, .size_bytes = size_bytes},
                         .allocator = allocator,
                         .err = err};
    budget_init(&reading->budget, allocator, reading->options.max_parse_bytes);
    region_init(&reading->region, &reading->budget.allocator, 0);
    return read_message(&reading->region, descriptor, data, size_bytes, DEPTH, &reading->scan, message, err);
}

static Status finish(Reading *reading, Status status) {
    region_free(&reading->region);
    status = budget_status(&reading->budget, status, "max_parse_bytes", reading->err);
    budget_free(&reading->budget);
    return status;
}

static void copy_name(const char *from, char *name, size_t name_size) {
    if (name && name_size)
        snprintf(name, name_size, "%s", text_or_empty(from));
}

/* A tensor that owns its contents. */
static Status read_tensor(const Reading *reading, const Onnx__TensorProto *proto, Tensor *tensor) {
    Tensor view = {0};
    TRY(load_tensor(&reading->scan, &reading->file, NULL, &reading->options, reading->allocator, proto, &view,
                    reading->err));
    if (view.allocator) {
        *tensor = view;
        return STRIDER_OK;
    }
    TRY(tensor_alloc(tensor, reading->allocator, view.type.dtype, &view.type.shape, reading->err));
    if (tensor->size_bytes)
        memcpy(tensor->data, view.data, tensor->size_bytes);
    return STRIDER_OK;
}

Status loader_read_tensor(const void *data, size_t size_bytes, const Allocator *allocator, Tensor *tensor,
                          char *name, size_t name_size, Error *err) {
    Reading reading;
    ProtobufCMessage *message = NULL;
    *tensor = (Tensor){0};
    Status status =
        start(&reading, data, size_bytes, allocator, &onnx__tensor_proto__descriptor, &message, err);
    if (!status) {
        const Onnx__TensorProto *proto = (const Onnx__TensorProto *)message;
        status = read_tensor(&reading, proto, tensor);
        copy_name(proto->name, name, name_size);
    }
    return finish(&reading, status);
}

/* --- sequences and optionals --- */

static Status read_tensor_value(const Reading *reading, const Onnx__TensorProto *proto, RunValue **value) {
    Tensor tensor;
    *value = NULL;
    TRY(read_tensor(reading, proto, &tensor));
    return run_value_wrap(reading->allocator, tensor, value, reading->err);
}

static Status check_element(const Reading *reading, RunValue *sequence, size_t at, DType dtype) {
    if (!sequence->dtype)
        sequence->dtype = dtype;
    return sequence->dtype == dtype
               ? STRIDER_OK
               : fail(reading->err, STRIDER_BAD_MODEL, "element %zu of a sequence is %s, those before are %s",
                      at, dtype_name(dtype), dtype_name(sequence->dtype));
}

static Status read_element(const Reading *reading, const Onnx__TensorProto *proto, RunValue *sequence) {
    RunValue *element;
    const size_t at = sequence->n_items;
    TRY(read_tensor_value(reading, proto, &element));
    Status status = check_element(reading, sequence, at, element->tensor.type.dtype);
    if (!status)
        status = run_value_insert(sequence, at, element, reading->err);
    run_value_release(element);
    return status;
}

static Status read_sequence(const Reading *reading, const Onnx__SequenceProto *proto, RunValue **value) {
    *value = NULL;
    if (proto->elem_type != ONNX__SEQUENCE_PROTO__DATA_TYPE__TENSOR &&
        proto->elem_type != ONNX__SEQUENCE_PROTO__DATA_TYPE__UNDEFINED)
        return fail(reading->err, STRIDER_UNSUPPORTED,
                    "a sequence of what is no tensor (element type %d) is not supported", proto->elem_type);
    TRY(run_value_new_sequence(reading->allocator, STRIDER_DTYPE_NONE, value, reading->err));
    Status status = STRIDER_OK;
    for (size_t i = 0; i < proto->n_tensor_values && !status; i++)
        status = read_element(reading, proto->tensor_values[i], *value);
    if (status) {
        run_value_release(*value);
        *value = NULL;
    }
    return status;
}

/* What an optional holds; NULL: nothing. */
static Status read_held(const Reading *reading, const Onnx__OptionalProto *proto, RunValue **held) {
    *held = NULL;
    switch (proto->elem_type) {
    case ONNX__OPTIONAL_PROTO__DATA_TYPE__UNDEFINED:
        return STRIDER_OK;
    case ONNX__OPTIONAL_PROTO__DATA_TYPE__TENSOR:
        return proto->tensor_value ? read_tensor_value(reading, proto->tensor_value, held) : STRIDER_OK;
    case ONNX__OPTIONAL_PROTO__DATA_TYPE__SEQUENCE:
        return proto->sequence_value ? read_sequence(reading, proto->sequence_value, held) : STRIDER_OK;
    default:
        return fail(reading->err, STRIDER_UNSUPPORTED,
                    "an optional of what is no tensor or sequence (element type %d) is not supported",
                    proto->elem_type);
    }
}

static Status read_optional(const Reading *reading, const Onnx__OptionalProto *proto, RunValue **value) {
    RunValue *held;
    TRY(read_held(reading, proto, &held));
    const Status status = run_value_new_optional(reading->allocator, held, value, reading->err);
    run_value_release(held);
    return status;
}

static Status read_unpacked(const Reading *reading, ValueKind kind, const ProtobufCMessage *message,
                            RunValue **value, char *name, size_t name_size) {
    if (kind == VALUE_TENSOR) {
        const Onnx__TensorProto *proto = (const Onnx__TensorProto *)message;
        copy_name(proto->name, name, name_size);
        return read_tensor_value(reading, proto, value);
    }
    if (kind == VALUE_SEQUENCE) {
        const Onnx__SequenceProto *proto = (const Onnx__SequenceProto *)message;
        copy_name(proto->name, name, name_size);
        return read_sequence(reading, proto, value);
    }
    const Onnx__OptionalProto *proto = (const Onnx__OptionalProto *)message;
    copy_name(proto->name, name, name_size);
    return read_optional(reading, proto, value);
}

Status loader_read_value(const void *data, size_t size_bytes, ValueKind kind, const Allocator *allocator,
                         RunValue **value, char *name, size_t name_size, Error *err) {
    static const ProtobufCMessageDescriptor *const descriptors[] = {
        [VALUE_TENSOR] = &onnx__tensor_proto__descriptor,
        [VALUE_SEQUENCE] = &onnx__sequence_proto__descriptor,
        [VALUE_OPTIONAL] = &onnx__optional_proto__descriptor,
    };
    Reading reading;
    ProtobufCMessage *message = NULL;
    *value = NULL;
    Status status = start(&reading, data, size_bytes, allocator, descriptors[kind], &message, err);
    if (!status)
        status = read_unpacked(&reading, kind, message, value, name, name_size);
    return finish(&reading, status);
}
