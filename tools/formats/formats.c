/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/formats.h"

#include <stdlib.h>
#include <string.h>

#include "formats/bytes.h"
#include "formats/npy.h"
#include "formats/npz.h"
#include "formats/pb.h"

/* --- reading --- */

static strider_status parse(const unsigned char *data, size_t size, TensorFile *file, strider_error *error) {
    strider_tensor tensor;
    if (npz_is(data, size))
        return npz_parse(data, size, file, error);
    if (npy_is(data, size)) {
        const strider_status status = npy_parse(data, size, &tensor, error);
        return status ? status : tensor_file_add(file, "", tensor, error);
    }
    const strider_status status = pb_parse(data, size, file, error);
    if (status != STRIDER_BAD_MODEL)
        return status;
    const strider_error why = *error;
    return tool_fail(error, status, "neither .npy nor .npz, and as an ONNX tensor: %s", why.message);
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

static bool ends_with(const char *text, const char *end) {
    const size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

bool format_is_named(const char *path) {
    return ends_with(path, ".npz") || ends_with(path, ".npy") || ends_with(path, ".pb");
}

strider_status format_write(const char *path, const NamedTensor *items, size_t count, strider_error *error) {
    for (size_t i = 0; i < count && !ends_with(path, ".pb"); i++)
        if (items[i].tensor.dtype == STRIDER_STRING)
            return tool_fail(error, STRIDER_UNSUPPORTED, "strings are saved as .pb alone");
    if (ends_with(path, ".npz"))
        return npz_write(path, items, count, error);
    if (count != 1)
        return tool_fail(error, STRIDER_INVALID_ARGUMENT,
                         "the model has %zu outputs: save them as .npz or in a folder", count);
    return ends_with(path, ".npy") ? npy_write(path, &items[0].tensor, error)
                                   : pb_write(path, items[0].name, &items[0].tensor, error);
}
