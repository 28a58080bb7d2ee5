/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/formats.h"

#include <errno.h>
#include <fcntl.h>
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

static strider_status read_all(int descriptor, unsigned char *data, size_t size, strider_error *error) {
    enum { MAX_AT_ONCE = 1 << 30 };
    for (size_t at = 0; at < size;) {
        const size_t left = size - at;
        const ssize_t got = read(descriptor, data + at, left < MAX_AT_ONCE ? left : MAX_AT_ONCE);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return tool_fail(error, STRIDER_FILE_ERROR, "cannot be read: %s", strerror(errno));
        if (got == 0)
            return tool_fail(error, STRIDER_FILE_ERROR, "the file ends after %zu of its %zu bytes", at, size);
        at += (size_t)got;
    }
    return STRIDER_OK;
}

strider_status read_whole(const char *path, uint64_t most, unsigned char **data, size_t *size,
                          strider_error *error) {
    struct stat info;
    *data = NULL;
    *size = 0;
    /* O_NONBLOCK: opening a FIFO must not wait for a writer. */
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return tool_fail(error, STRIDER_FILE_ERROR, "%s", strerror(errno));
    strider_status status = STRIDER_OK;
    if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode))
        status = tool_fail(error, STRIDER_FILE_ERROR, "not a regular file");
    else if ((uint64_t)info.st_size > most)
        status =
            tool_fail(error, STRIDER_LIMIT_EXCEEDED, "the file has %llu bytes, more than the limit of %llu",
                      (unsigned long long)info.st_size, (unsigned long long)most);
    *size = status ? 0 : (size_t)info.st_size;
    if (!status && !(*data = malloc(*size + 1)))
        status = tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory: %zu bytes for a file", *size);
    if (!status)
        status = read_all(descriptor, *data, *size, error);
    if (!status)
        (*data)[*size] = '\0';
    close(descriptor);
    if (status) {
        free(*data);
        *data = NULL;
    }
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
    const bool is_full = file->count == file->capacity;
    const size_t capacity = file->capacity * 2 + 4;
    NamedTensor *items = is_full ? realloc(file->items, capacity * sizeof *items) : file->items;
    if (items && is_full) {
        file->items = items;
        file->capacity = capacity;
    }
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
    strider_status status = read_whole(path, (uint64_t)16 << 30, &data, &size, error);
    if (status)
        return status;
    status = parse(data, size, file, error);
    if (status)
        tensor_file_free(file);
    free(data);
    return status;
}

/* --- writing --- */

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
