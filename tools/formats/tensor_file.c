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
