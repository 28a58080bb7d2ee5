/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/tensor_file.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "formats/bytes.h"

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

/* The views and their bytes in one block, which is freed as one. */
static strider_status copy_strings(const strider_tensor *from, strider_tensor *to, strider_error *error) {
    const strider_string *strings = from->data;
    const int64_t count = strider_tensor_elements(from);
    size_t bytes = tensor_bytes(from);
    for (int64_t i = 0; i < count; i++) /* all of them lie in memory: their sum fits, unless they share it */
        if (__builtin_add_overflow(bytes, strings[i].size, &bytes))
            return tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory for strings");
    *to = *from;
    if (posix_memalign(&to->data, 64, bytes + 1))
        return tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory: %zu bytes for strings", bytes);
    strider_string *copies = to->data;
    char *at = (char *)to->data + tensor_bytes(from);
    for (int64_t i = 0; i < count; i++) {
        copies[i] = (strider_string){at, strings[i].size};
        if (strings[i].size)
            memcpy(at, strings[i].data, strings[i].size);
        at += strings[i].size;
    }
    return STRIDER_OK;
}

strider_status tensor_copy(const strider_tensor *from, strider_tensor *to, strider_error *error) {
    if (from->dtype == STRIDER_STRING)
        return copy_strings(from, to, error);
    const strider_status status = tensor_make(to, from->dtype, from->rank, from->dims, error);
    if (!status && tensor_bytes(from))
        memcpy(to->data, from->data, tensor_bytes(from));
    return status;
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
