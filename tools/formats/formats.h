/* SPDX-License-Identifier: Apache-2.0 */
/* Files of tensors, as the commands read and write them: NumPy's .npy and .npz and ONNX's serialized
 * TensorProto (.pb).  Read, they are told apart by their contents; written, by their names. */
#ifndef TOOLS_FORMATS_H
#define TOOLS_FORMATS_H

#include <stdbool.h>

#include "formats/tensor_file.h"

/* *file is freed by tensor_file_free(); after a failure it is empty. */
strider_status format_read(const char *path, TensorFile *file, strider_error *error);

/* Whether the name is that of a file of tensors. */
bool format_is_named(const char *path);
/* As the name says, which format_is_named().  INVALID_ARGUMENT where such a file does not hold that many. */
strider_status format_write(const char *path, const NamedTensor *items, size_t count, strider_error *error);

#endif
