/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX's numbers and names of data types (TensorProto.DataType). */
#ifndef OPS_ONNX_TYPE_H
#define OPS_ONNX_TYPE_H

#include "tensor/tensor.h"

/* STRIDER_DTYPE_NONE for what is not supported. */
DType dtype_from_onnx(int64_t number);
/* For messages; "of an unknown number" where there is none. */
const char *dtype_onnx_name(int64_t number);
/* The number of a name; -1 where there is none. */
int64_t dtype_onnx_number(const char *name);

#endif
