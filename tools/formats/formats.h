/* SPDX-License-Identifier: Apache-2.0 */
/* Files of tensors, as the commands read and write them: NumPy's .npy and .npz and ONNX's serialized
 * TensorProto (.pb), told apart by their contents. */
#ifndef TOOLS_FORMATS_H
#define TOOLS_FORMATS_H

#include <stdio.h>

#include "strider/strider.h"

/* A tensor with the name that its file gives it, "" where it gives none.  Owns both. */
typedef struct NamedTensor {
    char *name;
    strider_tensor tensor;
} NamedTensor;

typedef struct TensorFile {
    NamedTensor *items;
    size_t count, capacity;
} TensorFile;

/* Each returns a status and fills `error`; results are freed by tensor_file_free(). */
strider_status format_read(const char *path, TensorFile *file, strider_error *error);
strider_status npy_parse(const unsigned char *data, size_t size, strider_tensor *tensor,
                         strider_error *error);
strider_status npz_parse(const unsigned char *data, size_t size, TensorFile *file, strider_error *error);
void tensor_file_free(TensorFile *file);

/* Written to a file beside it first, which then takes its place. */
strider_status npy_write(const char *path, const strider_tensor *tensor, strider_error *error);
strider_status npz_write(const char *path, const NamedTensor *items, size_t count, strider_error *error);
strider_status pb_write(const char *path, const char *name, const strider_tensor *tensor,
                        strider_error *error);

/* --- shared by the formats --- */
strider_status tool_fail(strider_error *error, strider_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A regular file of at most `most` bytes, with a NUL behind them; to be freed. */
strider_status read_whole(const char *path, uint64_t most, unsigned char **data, size_t *size,
                          strider_error *error);
/* A zeroed tensor of that type and shape; its data is freed by strider_tensor_free(). */
strider_status tensor_make(strider_tensor *tensor, strider_dtype dtype, int rank, const int64_t *dims,
                           strider_error *error);
size_t tensor_bytes(const strider_tensor *tensor);
strider_status tensor_file_add(TensorFile *file, const char *name, strider_tensor tensor,
                               strider_error *error);

/* A growing string of bytes. */
typedef struct Bytes {
    unsigned char *data;
    size_t size, capacity;
    bool failed; /* no memory: all later calls do nothing */
} Bytes;
void bytes_put(Bytes *bytes, const void *data, size_t size);
void bytes_put_le(Bytes *bytes, uint64_t value, int size);
strider_status bytes_write(Bytes *bytes, const char *path, strider_error *error); /* and frees them */
/* The header and the elements of a .npy file. */
void npy_encode(Bytes *bytes, const strider_tensor *tensor);

#endif
