/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy's .npy: one tensor without a name. */
#ifndef TOOLS_FORMATS_NPY_H
#define TOOLS_FORMATS_NPY_H

#include "formats/bytes.h"

/* Whether a file's first bytes are those of a .npy file. */
bool npy_is(const unsigned char *data, size_t size);
/* *tensor is freed by strider_tensor_free(). */
strider_status npy_parse(const unsigned char *data, size_t size, strider_tensor *tensor,
                         strider_error *error);
/* The header and the elements. */
void npy_encode(Bytes *bytes, const strider_tensor *tensor);
strider_status npy_write(const char *path, const strider_tensor *tensor, strider_error *error);

#endif
