/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy's .npz: a ZIP archive of .npy files, whose names are the tensors'. */
#ifndef TOOLS_FORMATS_NPZ_H
#define TOOLS_FORMATS_NPZ_H

#include <stdbool.h>

#include "formats/tensor_file.h"

/* Whether a file's first bytes are those of a ZIP archive. */
bool npz_is(const unsigned char *data, size_t size);
/* Adds to `file`, which is freed by tensor_file_free(), also after a failure. */
strider_status npz_parse(const unsigned char *data, size_t size, TensorFile *file, strider_error *error);
strider_status npz_write(const char *path, const NamedTensor *items, size_t count, strider_error *error);

#endif
