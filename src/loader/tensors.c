/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "loader/loading.h"
#include "ops/onnx_type.h"
#include "tensor/narrow.h"

/* The tensor that is being loaded, for messages. */
typedef struct Source {
    const Onnx__TensorProto *proto;
    const TensorSpans *spans;
    Tensor *tensor;
    const Allocator *allocator;
    Error *err;
} Source;

#define tensor_fail(source, status, format, ...)                                                             \
    fail_at((source)->err, status, (int64_t)(source)->spans->offset,                                         \
            "tensor \"%.120s\" at byte %zu: " format, (source)->proto->name ? (source)->proto->name : "",    \
            (source)->spans->offset, ##__VA_ARGS__)

static Status load_type(const Source *source, uint64_t max_tensor_bytes) {
    const Onnx__TensorProto *proto = source->proto;
    DType dtype = dtype_from_onnx(proto->data_type);
    if (proto->data_type == 0)
        return tensor_fail(source, STRIDER_BAD_MODEL, "its data type is missing");
    if (!dtype)
        return tensor_fail(source, STRIDER_UNSUPPORTED, "data type %d (%s) is not supported",
                           proto->data_type, dtype_onnx_name(proto->data_type));
    if (proto->n_dims > MAX_RANK)
        return tensor_fail(source, STRIDER_UNSUPPORTED, "it has %zu dimensions, at most %d are supported",
                           proto->n_dims, MAX_RANK);
    for (size_t i = 0; i < proto->n_dims; i++)
        if (proto->dims[i] < 0)
            return tensor_fail(source, STRIDER_BAD_MODEL, "dimension %zu is %" PRId64, i, proto->dims[i]);
    if (proto->segment)
        return tensor_fail(source, STRIDER_UNSUPPORTED, "tensors in segments are not supported");
    source->tensor->type = type_of(dtype, shape_make((int)proto->n_dims, proto->dims));
    if (!type_size(&source->tensor->type, &source->tensor->size_bytes))
        return tensor_fail(source, STRIDER_BAD_MODEL, "the product of its dimensions overflows");
    if (source->tensor->size_bytes > max_tensor_bytes)
        return tensor_fail(source, STRIDER_LIMIT_EXCEEDED,
                           "it has %zu bytes, more than the limit (max_tensor_bytes)",
                           source->tensor->size_bytes);
    return STRIDER_OK;
}

/* Bytes of the tensor's contents in a file. */
static size_t file_bytes(const Source *source) {
    return packed_bytes(source->tensor->type.dtype, tensor_elements(source->tensor)).n;
}

/* Elements of less than a byte; byte i of what is packed lies at from[i * stride]. */
static Status unpack(const Source *source, const void *from, size_t stride) {
    Tensor *tensor = source->tensor;
    const Type type = tensor->type;
    TRY(tensor_alloc(tensor, source->allocator, type.dtype, &type.shape, source->err));
    unpack_elements(type.dtype, from, stride, tensor_elements(tensor), tensor->data);
    return STRIDER_OK;
}

/* Contents that lie in a file as the tensor needs them, or several elements in a byte. */
static Status load_bytes(const Source *source, const File *file, size_t offset, size_t size_bytes) {
    Tensor *tensor = source->tensor;
    if (size_bytes != file_bytes(source))
        return tensor_fail(source, STRIDER_BAD_MODEL, "it has %zu bytes of data, its dimensions need %zu",
                           size_bytes, file_bytes(source));
    if (dtype_bits(tensor->type.dtype) < 8)
        return unpack(source, file->data + offset, 1);
    tensor->data = (void *)(file->data + offset);
    tensor->mapped = file->mapped;
    tensor->unaligned = (uintptr_t)tensor->data % dtype_size(tensor->type.dtype) != 0;
    return STRIDER_OK;
}

static Status read_number(const Source *source, const char *key, const char *text, uint64_t *value) {
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (errno || *end || text[0] < '0' || text[0] > '9')
        return tensor_fail(source, STRIDER_BAD_MODEL, "external data with %s \"%.40s\"", key, text);
    return STRIDER_OK;
}

/* Keys other than these ("checksum" and what is to come) do not say where the data is, and are ignored. */
static Status point_at_external(const Source *source, Files *files) {
    const Onnx__TensorProto *proto = source->proto;
    const char *location = NULL;
    uint64_t offset = 0, length = file_bytes(source);
    for (size_t i = 0; i < proto->n_external_data; i++) {
        const char *key = proto->external_data[i]->key, *text = proto->external_data[i]->value;
        if (!key || !text)
            return tensor_fail(source, STRIDER_BAD_MODEL, "external data with an empty entry");
        if (strcmp(key, "location") == 0)
            location = text;
        else if (strcmp(key, "offset") == 0)
            TRY(read_number(source, key, text, &offset));
        else if (strcmp(key, "length") == 0)
            TRY(read_number(source, key, text, &length));
    }
    if (!location)
        return tensor_fail(source, STRIDER_BAD_MODEL, "external data without a location");
    if (!files)
        return tensor_fail(source, STRIDER_UNSUPPORTED, "external data is not possible here");
    if (!source->tensor->size_bytes) /* nothing to read: the file may even be empty */
        return tensor_alloc(source->tensor, source->allocator, source->tensor->type.dtype,
                            &source->tensor->type.shape, source->err);
    const File *file;
    Error why = {0};
    Status status = files_external(files, location, &file, &why);
    if (status)
        return tensor_fail(source, status, "%s", why.message);
    if (length > file->size_bytes || offset > file->size_bytes - length)
        return tensor_fail(source, STRIDER_BAD_MODEL,
                           "external data \"%.120s\": %" PRIu64 " bytes at %" PRIu64
                           " lie outside its %zu bytes",
                           location, length, offset, file->size_bytes);
    return load_bytes(source, file, (size_t)offset, (size_t)length);
}

static Status check_entries(const Source *source, uint64_t have, uint64_t need) {
    if (have == need)
        return STRIDER_OK;
    return tensor_fail(source, STRIDER_BAD_MODEL,
                       "it has %" PRIu64 " elements of data, its dimensions need %" PRIu64, have, need);
}

/* Contents in one of the typed lists, an element an entry. */
static Status copy_list(const Source *source, const void *list, size_t count, size_t entry_bytes) {
    Tensor *tensor = source->tensor;
    DType dtype = tensor->type.dtype;
    TRY(check_entries(source, count, (uint64_t)tensor_elements(tensor)));
    Shape shape = tensor->type.shape;
    TRY(tensor_alloc(tensor, source->allocator, dtype, &shape, source->err));
    size_t size = dtype_size(dtype);
    if (size == entry_bytes) {
        if (count)
            memcpy(tensor->data, list, count * size);
        return STRIDER_OK;
    }
    /* Narrow types: the low bytes of each entry, which is how floats' bit patterns are kept too. */
    for (size_t i = 0; i < count; i++) {
        uint64_t entry =
            entry_bytes == 4 ? (uint64_t)((const uint32_t *)list)[i] : ((const uint64_t *)list)[i];
        if (dtype == STRIDER_BOOL)
            entry = entry != 0;
        memcpy((char *)tensor->data + i * size, &entry, size);
    }
    return STRIDER_OK;
}

/* Elements of 4 and 2 bits: the low byte of each entry holds as many as a byte of a file would. */
static Status unpack_list(const Source *source, const int32_t *list, size_t count) {
    TRY(check_entries(source, count, file_bytes(source)));
    return unpack(source, list, sizeof *list);
}

/* The views and their bytes become one block. */
static Status copy_strings(const Source *source) {
    const Onnx__TensorProto *proto = source->proto;
    const Shape shape = source->tensor->type.shape;
    size_t total = 0;
    char *bytes;
    TRY(check_entries(source, proto->n_string_data, (uint64_t)shape_elements(&shape)));
    for (size_t i = 0; i < proto->n_string_data; i++) /* parts of one message: their sum fits */
        total += proto->string_data[i].len;
    TRY(tensor_alloc_strings(source->tensor, source->allocator, &shape, total, &bytes, source->err));
    String *strings = source->tensor->data;
    for (size_t i = 0; i < proto->n_string_data; i++) {
        const size_t size = proto->string_data[i].len;
        if (size)
            memcpy(bytes, proto->string_data[i].data, size);
        strings[i] = (String){bytes, size};
        bytes += size;
    }
    return STRIDER_OK;
}

static Status load_lists(const Source *source, const File *file) {
    const Onnx__TensorProto *proto = source->proto;
    const TensorSpans *spans = source->spans;
    if ((spans->float_data.present && proto->n_float_data) ||
        (spans->double_data.present && proto->n_double_data))
        return tensor_fail(source, STRIDER_UNSUPPORTED, "its data is cut into several lists");
    switch (source->tensor->type.dtype) {
    case STRIDER_F32:
        if (spans->float_data.present)
            return load_bytes(source, file, spans->float_data.offset, spans->float_data.size_bytes);
        return copy_list(source, proto->float_data, proto->n_float_data, 4);
    case STRIDER_F64:
        if (spans->double_data.present)
            return load_bytes(source, file, spans->double_data.offset, spans->double_data.size_bytes);
        return copy_list(source, proto->double_data, proto->n_double_data, 8);
    case STRIDER_I64:
        return copy_list(source, proto->int64_data, proto->n_int64_data, 8);
    case STRIDER_U32:
    case STRIDER_U64:
        return copy_list(source, proto->uint64_data, proto->n_uint64_data, 8);
    case STRIDER_F4E2M1:
    case STRIDER_I4:
    case STRIDER_U4:
    case STRIDER_I2:
    case STRIDER_U2:
        return unpack_list(source, proto->int32_data, proto->n_int32_data);
    default:
        return copy_list(source, proto->int32_data, proto->n_int32_data, 4);
    }
}

Status load_tensor(const Scan *scan, const File *file, Files *files, const LoadOptions *options,
                   const Allocator *allocator, const Onnx__TensorProto *proto, Tensor *tensor, Error *err) {
    *tensor = (Tensor){0};
    uint64_t index;
    memcpy(&index, proto->raw_data.data, sizeof index); /* which the scan put there */
    const TensorSpans *spans = &scan->tensors[index];
    Source source = {proto, spans, tensor, allocator, err};
    TRY(load_type(&source, options->max_tensor_bytes));
    Status status;
    if (tensor->type.dtype == STRIDER_STRING)
        status = copy_strings(&source);
    else if (proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        status = point_at_external(&source, files);
    else if (spans->raw_data.present && (spans->raw_data.size_bytes || !tensor->size_bytes))
        status = load_bytes(&source, file, spans->raw_data.offset, spans->raw_data.size_bytes);
    else
        status = load_lists(&source, file);
    if (status)
        tensor_free(tensor);
    return status;
}
