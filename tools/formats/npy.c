/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy's .npy: a magic, a version, the length of a header, and the header, a Python dictionary such as
 * {'descr': '<f4', 'fortran_order': False, 'shape': (1, 3)}; then the elements.  Format: NEP 1, and
 * numpy.lib.format.  Types that NumPy lacks are written as ml_dtypes has them written, as elements of so many
 * bytes that say nothing of their meaning ('V1', 'V2'): whoever reads them has to know it, as in
 * numpy.load(FILE).view(ml_dtypes.int4).  So they are not read here; .pb files say what they hold. */
#include "formats/npy.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/tensor_file.h"

static const struct {
    const char *descr; /* without the byte order */
    strider_dtype dtype;
} descrs[] = {
    {"f4", STRIDER_F32}, {"f8", STRIDER_F64}, {"f2", STRIDER_F16}, {"i1", STRIDER_I8},
    {"i2", STRIDER_I16}, {"i4", STRIDER_I32}, {"i8", STRIDER_I64}, {"u1", STRIDER_U8},
    {"u2", STRIDER_U16}, {"u4", STRIDER_U32}, {"u8", STRIDER_U64}, {"b1", STRIDER_BOOL},
};

/* NumPy itself takes 10,000. */
enum { MAX_HEADER_BYTES = 65536 };

typedef struct Header {
    strider_dtype dtype;
    bool swapped, fortran;
    int rank;
    int64_t dims[STRIDER_MAX_RANK];
} Header;

/* The text after a key of the dictionary, or NULL. */
static const char *value_of(const char *text, const char *key) {
    const char *at = strstr(text, key);
    if (!at)
        return NULL;
    at += strlen(key);
    while (*at == '\'' || *at == '"' || *at == ' ')
        at++;
    if (*at != ':')
        return NULL;
    do
        at++;
    while (*at == ' ');
    return at;
}

static bool parse_descr(const char *at, Header *header) {
    if (*at != '\'' && *at != '"')
        return false;
    char order = at[1];
    if (!strchr("<>|=", order) || !order)
        return false;
    for (size_t i = 0; i < sizeof descrs / sizeof *descrs; i++)
        if (strncmp(at + 2, descrs[i].descr, 2) == 0 && at[4] == at[0]) {
            header->dtype = descrs[i].dtype;
            header->swapped = order == '>' && strider_dtype_size(header->dtype) > 1;
            return true;
        }
    return false;
}

static bool parse_shape(const char *at, Header *header) {
    if (*at++ != '(')
        return false;
    for (;;) {
        while (*at == ' ' || *at == ',')
            at++;
        if (*at == ')')
            return true;
        if (!isdigit((unsigned char)*at) || header->rank == STRIDER_MAX_RANK)
            return false;
        char *end;
        header->dims[header->rank++] = strtoll(at, &end, 10);
        at = *end == 'L' ? end + 1 : end;
    }
}

static strider_status parse_header(const char *text, Header *header, strider_error *error) {
    const char *descr = value_of(text, "descr"), *order = value_of(text, "fortran_order"),
               *shape = value_of(text, "shape");
    *header = (Header){0};
    if (!descr || !order || !shape)
        return tool_fail(error, STRIDER_BAD_MODEL, "a .npy header without descr, fortran_order or shape");
    if (!parse_descr(descr, header))
        return tool_fail(error, STRIDER_UNSUPPORTED, "a .npy file of type %.20s, which is not supported",
                         descr);
    if (!parse_shape(shape, header))
        return tool_fail(error, STRIDER_BAD_MODEL, "a .npy file of shape %.40s, which cannot be read", shape);
    header->fortran = strncmp(order, "True", 4) == 0;
    return STRIDER_OK;
}

static void swap_bytes(unsigned char *data, size_t count, size_t size) {
    for (size_t i = 0; i < count; i++, data += size)
        for (size_t j = 0; j < size / 2; j++) {
            unsigned char byte = data[j];
            data[j] = data[size - 1 - j];
            data[size - 1 - j] = byte;
        }
}

/* From column-major to row-major. */
static void reorder(const Header *header, const unsigned char *from, unsigned char *to) {
    size_t size = strider_dtype_size(header->dtype);
    int64_t at[STRIDER_MAX_RANK] = {0}, strides[STRIDER_MAX_RANK], count = 1;
    for (int d = 0; d < header->rank; d++) {
        strides[d] = count;
        count *= header->dims[d];
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t source = 0;
        for (int d = 0; d < header->rank; d++)
            source += at[d] * strides[d];
        memcpy(to + (size_t)i * size, from + (size_t)source * size, size);
        for (int d = header->rank - 1; d >= 0 && ++at[d] == header->dims[d]; d--)
            at[d] = 0;
    }
}

bool npy_is(const unsigned char *data, size_t size) {
    return size >= 6 && memcmp(data, "\x93NUMPY", 6) == 0;
}

strider_status npy_parse(const unsigned char *data, size_t size, strider_tensor *tensor,
                         strider_error *error) {
    if (size < 10 || !npy_is(data, size) || data[6] < 1 || data[6] > 3)
        return tool_fail(error, STRIDER_BAD_MODEL, "not a .npy file of version 1 to 3");
    size_t start = data[6] == 1 ? 10 : 12;
    if (size < start)
        return tool_fail(error, STRIDER_BAD_MODEL, "a .npy file that ends in its header");
    size_t length = (size_t)data[8] | (size_t)data[9] << 8;
    if (data[6] > 1)
        length |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
    if (length > MAX_HEADER_BYTES)
        return tool_fail(error, STRIDER_BAD_MODEL, "a .npy file with a header of %zu bytes", length);
    if (length > size - start)
        return tool_fail(error, STRIDER_BAD_MODEL, "a .npy file that ends in its header");
    char *text = strndup((const char *)data + start, length);
    if (!text)
        return tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
    Header header;
    strider_status status = parse_header(text, &header, error);
    free(text);
    if (status)
        return status;
    strider_tensor probe = {.dtype = header.dtype, .rank = header.rank};
    memcpy(probe.dims, header.dims, sizeof probe.dims);
    int64_t count = strider_tensor_elements(&probe);
    size_t element = strider_dtype_size(header.dtype), have = size - start - length;
    /* Before any memory is taken: the file must hold what its header claims. */
    if (count < 0 || (size_t)count > have / element)
        return tool_fail(error, STRIDER_BAD_MODEL, "a .npy file that is shorter than its shape says");
    status = tensor_make(tensor, header.dtype, header.rank, header.dims, error);
    if (status)
        return status;
    if (header.fortran && header.rank > 1 && count)
        reorder(&header, data + start + length, tensor->data);
    else if (count)
        memcpy(tensor->data, data + start + length, (size_t)count * element);
    if (header.swapped)
        swap_bytes(tensor->data, (size_t)count, element);
    return STRIDER_OK;
}

void npy_encode(Bytes *bytes, const strider_tensor *tensor) {
    char header[512] = "";
    const char *descr = strider_dtype_size(tensor->dtype) == 1 ? "V1" : "V2";
    for (size_t i = 0; i < sizeof descrs / sizeof *descrs; i++)
        if (descrs[i].dtype == tensor->dtype)
            descr = descrs[i].descr;
    size_t used =
        (size_t)snprintf(header, sizeof header, "{'descr': '%s%s', 'fortran_order': False, 'shape': (",
                         strider_dtype_size(tensor->dtype) == 1 ? "|" : "<", descr);
    for (int i = 0; i < tensor->rank; i++)
        used += (size_t)snprintf(header + used, sizeof header - used, "%lld,%s", (long long)tensor->dims[i],
                                 i + 1 < tensor->rank ? " " : "");
    used += (size_t)snprintf(header + used, sizeof header - used, "), }");
    while ((10 + used + 1) % 64)
        header[used++] = ' ';
    header[used++] = '\n';
    bytes_put(bytes, "\x93NUMPY\1\0", 8);
    bytes_put_le(bytes, used, 2);
    bytes_put(bytes, header, used);
    bytes_put(bytes, tensor->data, tensor_bytes(tensor));
}

strider_status npy_write(const char *path, const strider_tensor *tensor, strider_error *error) {
    Bytes bytes = {0};
    npy_encode(&bytes, tensor);
    return bytes_write(&bytes, path, error);
}
