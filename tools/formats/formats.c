/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/formats.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

strider_status tool_fail(strider_error *error, strider_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    *error = (strider_error){.status = status, .byte_offset = -1};
    text_vformat(error->message, sizeof error->message, format, args);
    va_end(args);
    return status;
}

strider_status read_whole(const char *path, unsigned char **data, size_t *size, strider_error *error) {
    struct stat info;
    FILE *file = fopen(path, "rb");
    if (!file)
        return tool_fail(error, STRIDER_FILE_ERROR, "%s", strerror(errno));
    strider_status status = STRIDER_OK;
    *data = NULL;
    if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode))
        status = tool_fail(error, STRIDER_FILE_ERROR, "not a regular file");
    *size = status ? 0 : (size_t)info.st_size;
    if (!status && !(*data = malloc(*size + 1)))
        status = tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory: %zu bytes for a file", *size);
    if (!status && fread(*data, 1, *size, file) != *size)
        status = tool_fail(error, STRIDER_FILE_ERROR, "cannot be read: %s", strerror(errno));
    if (status) {
        free(*data);
        *data = NULL;
    }
    fclose(file);
    return status;
}

size_t tensor_bytes(const strider_tensor *tensor) {
    return (size_t)strider_tensor_elements(tensor) * strider_dtype_size(tensor->dtype);
}

strider_status tensor_make(strider_tensor *tensor, strider_dtype dtype, int rank, const int64_t *dims,
                           strider_error *error) {
    *tensor = (strider_tensor){.dtype = dtype, .rank = rank};
    for (int i = 0; i < rank && i < STRIDER_MAX_RANK; i++)
        tensor->dims[i] = dims[i];
    size_t bytes;
    int64_t count = strider_tensor_elements(tensor);
    if (rank > STRIDER_MAX_RANK || count < 0 ||
        __builtin_mul_overflow((size_t)count, strider_dtype_size(dtype), &bytes))
        return tool_fail(error, STRIDER_BAD_MODEL, "a tensor has too many dimensions or elements");
    /* strider_tensor_free() gives it back to the library's default allocator, which is free(). */
    if (posix_memalign(&tensor->data, 64, bytes ? bytes : 64))
        return tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory: %zu bytes for a tensor", bytes);
    memset(tensor->data, 0, bytes ? bytes : 64);
    return STRIDER_OK;
}

strider_status tensor_file_add(TensorFile *file, const char *name, strider_tensor tensor,
                               strider_error *error) {
    NamedTensor *items = realloc(file->items, (file->count + 1) * sizeof *items);
    if (items)
        file->items = items;
    char *copy = strdup(name);
    if (!items || !copy) {
        free(copy);
        strider_tensor_free(&tensor);
        return tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
    }
    file->items[file->count++] = (NamedTensor){copy, tensor};
    return STRIDER_OK;
}

void tensor_file_free(TensorFile *file) {
    for (size_t i = 0; i < file->count; i++) {
        free(file->items[i].name);
        strider_tensor_free(&file->items[i].tensor);
    }
    free(file->items);
    *file = (TensorFile){0};
}

static strider_status parse(const unsigned char *data, size_t size, TensorFile *file, strider_error *error) {
    strider_tensor tensor;
    char name[256] = "";
    if (size >= 4 && memcmp(data, "PK\3\4", 4) == 0)
        return npz_parse(data, size, file, error);
    if (size >= 6 && memcmp(data, "\x93NUMPY", 6) == 0) {
        strider_status status = npy_parse(data, size, &tensor, error);
        return status ? status : tensor_file_add(file, "", tensor, error);
    }
    strider_status status = strider_tensor_from_onnx(data, size, &tensor, name, sizeof name, error);
    if (status == STRIDER_BAD_MODEL) {
        strider_error why = *error;
        return tool_fail(error, status, "neither .npy nor .npz, and as an ONNX tensor: %s", why.message);
    }
    return status ? status : tensor_file_add(file, name, tensor, error);
}

strider_status format_read(const char *path, TensorFile *file, strider_error *error) {
    unsigned char *data;
    size_t size;
    *file = (TensorFile){0};
    strider_status status = read_whole(path, &data, &size, error);
    if (status)
        return status;
    status = parse(data, size, file, error);
    if (status)
        tensor_file_free(file);
    free(data);
    return status;
}

/* --- writing
 * --------------------------------------------------------------------------------------------------- */

void bytes_put(Bytes *bytes, const void *data, size_t size) {
    if (bytes->failed || !size)
        return;
    if (bytes->capacity - bytes->size < size) {
        size_t capacity = bytes->capacity * 2 + size;
        unsigned char *grown = realloc(bytes->data, capacity);
        if (!grown) {
            bytes->failed = true;
            return;
        }
        bytes->data = grown;
        bytes->capacity = capacity;
    }
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

void bytes_put_le(Bytes *bytes, uint64_t value, int size) {
    unsigned char le[8];
    for (int i = 0; i < size; i++)
        le[i] = (unsigned char)(value >> (8 * i));
    bytes_put(bytes, le, (size_t)size);
}

strider_status bytes_write(Bytes *bytes, const char *path, strider_error *error) {
    char *beside = NULL;
    strider_status status = STRIDER_OK;
    if (bytes->failed || asprintf(&beside, "%s.%ld.tmp", path, (long)getpid()) < 0) {
        free(bytes->data);
        return tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
    }
    FILE *file = fopen(beside, "wb");
    bool written = file && fwrite(bytes->data, 1, bytes->size, file) == bytes->size;
    if (file && fclose(file) != 0)
        written = false;
    if (!written || rename(beside, path) != 0) {
        status = tool_fail(error, STRIDER_FILE_ERROR, "cannot write \"%s\": %s", path, strerror(errno));
        remove(beside);
    }
    free(beside);
    free(bytes->data);
    *bytes = (Bytes){0};
    return status;
}
