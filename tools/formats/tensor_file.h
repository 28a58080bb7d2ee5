/* SPDX-License-Identifier: Apache-2.0 */
/* What a file of tensors holds, in whichever format it is. */
#ifndef TOOLS_FORMATS_TENSOR_FILE_H
#define TOOLS_FORMATS_TENSOR_FILE_H

#include <stddef.h>

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

/* A zeroed tensor of that type and shape; its data is freed by strider_tensor_free(). */
strider_status tensor_make(strider_tensor *tensor, strider_dtype dtype, int rank, const int64_t *dims,
                           strider_error *error);
/* The same with another's contents; strings' bytes are copied, too. */
strider_status tensor_copy(const strider_tensor *from, strider_tensor *to, strider_error *error);
size_t tensor_bytes(const strider_tensor *tensor);

/* Takes over the tensor, also when this fails, and copies the name. */
strider_status tensor_file_add(TensorFile *file, const char *name, strider_tensor tensor,
                               strider_error *error);
void tensor_file_free(TensorFile *file);

#endif
