/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/onnx_type.h"

#include <string.h>

/* By number. */
static const struct {
    const char *name;
    DType dtype;
} types[] = {
    {"UNDEFINED", STRIDER_DTYPE_NONE},
    {"FLOAT", STRIDER_F32},
    {"UINT8", STRIDER_U8},
    {"INT8", STRIDER_I8},
    {"UINT16", STRIDER_U16},
    {"INT16", STRIDER_I16},
    {"INT32", STRIDER_I32},
    {"INT64", STRIDER_I64},
    {"STRING", STRIDER_STRING},
    {"BOOL", STRIDER_BOOL},
    {"FLOAT16", STRIDER_F16},
    {"DOUBLE", STRIDER_F64},
    {"UINT32", STRIDER_U32},
    {"UINT64", STRIDER_U64},
    {"COMPLEX64", STRIDER_DTYPE_NONE},
    {"COMPLEX128", STRIDER_DTYPE_NONE},
    {"BFLOAT16", STRIDER_BF16},
    {"FLOAT8E4M3FN", STRIDER_F8E4M3FN},
    {"FLOAT8E4M3FNUZ", STRIDER_F8E4M3FNUZ},
    {"FLOAT8E5M2", STRIDER_F8E5M2},
    {"FLOAT8E5M2FNUZ", STRIDER_F8E5M2FNUZ},
    {"UINT4", STRIDER_U4},
    {"INT4", STRIDER_I4},
    {"FLOAT4E2M1", STRIDER_F4E2M1},
    {"FLOAT8E8M0", STRIDER_F8E8M0},
    {"UINT2", STRIDER_U2},
    {"INT2", STRIDER_I2},
    {"FLOAT6E2M3", STRIDER_F6E2M3},
    {"FLOAT6E3M2", STRIDER_F6E3M2},
};

enum { N_TYPES = sizeof types / sizeof *types };

DType dtype_from_onnx(int64_t number) {
    return number > 0 && number < N_TYPES ? types[number].dtype : STRIDER_DTYPE_NONE;
}

const char *dtype_onnx_name(int64_t number) {
    return number >= 0 && number < N_TYPES ? types[number].name : "of an unknown number";
}

int64_t dtype_onnx_number(const char *name) {
    for (int i = 0; i < N_TYPES; i++)
        if (strcmp(types[i].name, name) == 0)
            return i;
    return -1;
}
