/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX's serialized TensorProto (.pb), as the test data of the ONNX project lies in. */
#ifndef TOOLS_FORMATS_PB_H
#define TOOLS_FORMATS_PB_H

#include "formats/tensor_file.h"

/* Adds to `file` the tensor under its own name. */
strider_status pb_parse(const unsigned char *data, size_t size, TensorFile *file, strider_error *error);
strider_status pb_write(const char *path, const char *name, const strider_tensor *tensor,
                        strider_error *error);

#endif
