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
 * machine's byte order.  Floats of 8, 6 and 4 bits are named by their bits of exponent and mantissa as in
 * ONNX, and are an element a byte: its low bits are the float's.  So are integers of 4 and 2 bits, which are
 * extended with their sign where Strider writes them; where it reads them, only the low bits count.  (Files
 * hold several of them in a byte.) */
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
    STRIDER_F8E4M3FN,   /* no infinity; one NaN of each sign */
    STRIDER_F8E4M3FNUZ, /* no infinity, one NaN, no -0 */
    STRIDER_F8E5M2,
    STRIDER_F8E5M2FNUZ,
    STRIDER_F8E8M0, /* powers of two and NaN */
    STRIDER_F6E2M3, /* of 6 and 4 bits: finite numbers only */
    STRIDER_F6E3M2,
    STRIDER_F4E2M1,
    STRIDER_I4,
    STRIDER_U4,
    STRIDER_I2,
    STRIDER_U2,
    STRIDER_STRING, /* elements are strider_string */
    STRIDER_DTYPE_COUNT
} strider_dtype;

/* An element of a tensor of strings: a view of bytes, by convention UTF-8, which no NUL ends.  Zeroed it is
 * the empty string.  What a session computes, and what it reads from the model, lies in memory of the
 * session's or the model's; an output may also show bytes of an input of the same run, wherever it took a
 * string from there.  All of these are valid until the session runs again, if the inputs' bytes are. */
typedef struct strider_string {
    const char *data;
    size_t size;
} strider_string;

/* A view of dense row-major elements.  Who owns `data` is stated where a tensor is passed. */
typedef struct strider_tensor {
    strider_dtype dtype;
    int rank;                       /* 0 for a scalar */
    int64_t dims[STRIDER_MAX_RANK]; /* the first `rank` are meaningful */
    void *data;                     /* aligned to the element size, strings as their struct */
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

/* Bits of one element that mean something, as many as a file holds: 4 for STRIDER_I4, 32 for STRIDER_F32; 0
 * where strider_dtype_size() is.  Thread safe. */
STRIDER_API size_t strider_dtype_bits(strider_dtype dtype);

/* "float32", "int64", "bool", ... as NumPy spells them, and ml_dtypes those that NumPy lacks ("bfloat16",
 * "float8_e4m3fn", "int4"); "none" where there is none.  Thread safe. */
STRIDER_API const char *strider_dtype_name(strider_dtype dtype);

/* The number of elements, 1 for rank 0; -1 when the rank or a dimension is out of range or the product
 * overflows.  Thread safe. */
STRIDER_API int64_t strider_tensor_elements(const strider_tensor *tensor);

/* Element `index`, in [0, strider_tensor_elements()), of a tensor of any type as a number; 0 of strings.
 * Thread safe. */
STRIDER_API double strider_tensor_get(const strider_tensor *tensor, int64_t index);

/* The reverse: what does not fit is rounded to nearest (integers: towards 0) and saturates, where the type
 * has an infinity to that; NaN is 0 where the type has none; strings stay as they are.  Safe where nobody
 * else uses the element. */
STRIDER_API void strider_tensor_set(strider_tensor *tensor, int64_t index, double value);

#ifdef __cplusplus
}
#endif
#endif
