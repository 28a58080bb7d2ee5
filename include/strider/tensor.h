/* SPDX-License-Identifier: Apache-2.0 */
/* Data types and tensors, as they cross the border between a program and Strider. */
#ifndef STRIDER_TENSOR_H
#define STRIDER_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "strider/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The largest number of dimensions of a tensor. */
#define STRIDER_MAX_RANK 8

/* Element types.  Floats are IEEE 754 (bf16: the upper half of an f32), bool is one byte, 0 or 1; all in the
 * machine's byte order. */
typedef enum strider_dtype {
    STRIDER_DTYPE_NONE = 0, /* unknown, or no tensor */
    STRIDER_F32,
    STRIDER_F64,
    STRIDER_F16,
    STRIDER_BF16,
    STRIDER_I8,
    STRIDER_I16,
    STRIDER_I32,
    STRIDER_I64,
    STRIDER_U8,
    STRIDER_U16,
    STRIDER_U32,
    STRIDER_U64,
    STRIDER_BOOL,
    STRIDER_DTYPE_COUNT
} strider_dtype;

/* A view of dense row-major elements.  Who owns `data` is stated where a tensor is passed. */
typedef struct strider_tensor {
    strider_dtype dtype;
    int rank;                       /* 0 for a scalar */
    int64_t dims[STRIDER_MAX_RANK]; /* the first `rank` are meaningful */
    void *data;                     /* aligned to the element size */
} strider_tensor;

typedef enum strider_value_kind {
    STRIDER_TENSOR,
    STRIDER_SEQUENCE, /* tensors of one data type, in an order */
    STRIDER_OPTIONAL  /* a tensor or a sequence, or nothing */
} strider_value_kind;

/* A view of a value of any kind.  Who owns the memory behind it is stated where a value is passed. */
typedef struct strider_value {
    strider_value_kind kind;
    strider_tensor tensor;       /* of a tensor */
    strider_dtype dtype;         /* of a sequence's elements */
    struct strider_value *items; /* of a sequence; what an optional holds, one or none */
    size_t count;                /* of items */
} strider_value;

/* Bytes of one element; 0 for STRIDER_DTYPE_NONE and for values outside the enumeration.  Thread safe. */
STRIDER_API size_t strider_dtype_size(strider_dtype dtype);

/* "float32", "int64", "bool", ... as NumPy spells them ("bfloat16" for bf16); "none" where there is none.
 * Thread safe. */
STRIDER_API const char *strider_dtype_name(strider_dtype dtype);

/* The number of elements, 1 for rank 0; -1 when the rank or a dimension is out of range or the product
 * overflows.  Thread safe. */
STRIDER_API int64_t strider_tensor_elements(const strider_tensor *tensor);

#ifdef __cplusplus
}
#endif
#endif
