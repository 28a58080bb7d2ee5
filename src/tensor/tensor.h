/* SPDX-License-Identifier: Apache-2.0 */
/* Data types, shapes and tensors.  Tensors are dense and row-major; kernels' own layouts are in
 * tensor/layout.h. */
#ifndef TENSOR_TENSOR_H
#define TENSOR_TENSOR_H

#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "strider/tensor.h"

typedef strider_dtype DType; /* values are spelled STRIDER_F32 and so on */

enum { MAX_RANK = STRIDER_MAX_RANK };

static inline size_t dtype_size(DType dtype) {
    return strider_dtype_size(dtype);
}
static inline const char *dtype_name(DType dtype) {
    return strider_dtype_name(dtype);
}
static inline size_t dtype_bits(DType dtype) {
    return strider_dtype_bits(dtype);
}
bool dtype_is_float(DType dtype);         /* f32 f64 f16 bf16 */
bool dtype_is_narrow_float(DType dtype);  /* of 8, 6 or 4 bits */
bool dtype_is_integer(DType dtype);       /* i8..i64, u8..u64; not bool */
bool dtype_is_small_integer(DType dtype); /* i4 u4 i2 u2 */
bool dtype_is_signed(DType dtype);        /* floats but f8e8m0, and i2..i64 */

/* An element of a tensor of strings. */
typedef strider_string String;

static inline bool string_equal(String a, String b) {
    return a.size == b.size && (!a.size || memcmp(a.data, b.data, a.size) == 0);
}

/* A dimension is >= 0 where it is known, DIM_UNKNOWN, or a symbol (see graph/symbols.h), which is below
 * DIM_UNKNOWN. */
enum { DIM_UNKNOWN = -1 };
enum { RANK_UNKNOWN = -1 };

typedef struct Shape {
    int rank; /* RANK_UNKNOWN, or 0..MAX_RANK */
    int64_t dims[MAX_RANK];
} Shape;

static inline Shape shape_unknown(void) {
    return (Shape){.rank = RANK_UNKNOWN};
}
static inline Shape shape_scalar(void) {
    return (Shape){.rank = 0};
}
Shape shape_make(int rank, const int64_t *dims);
bool shape_is_known(const Shape *shape); /* the rank and every dimension */
bool shape_equal(const Shape *a, const Shape *b);
/* The same, where an unknown rank or dimension agrees with all. */
bool shape_agrees(const Shape *a, const Shape *b);
/* The product of dims[from .. to); false when a dimension is not known or the product overflows. */
bool shape_count(const Shape *shape, int from, int to, int64_t *count) MUST_CHECK;
/* The product of a known, checked shape's dims[from .. to). */
int64_t shape_size(const Shape *shape, int from, int to);
/* All elements of a known, checked shape. */
int64_t shape_elements(const Shape *shape);
/* Row-major strides in elements. */
void shape_strides(const Shape *shape, int64_t strides[MAX_RANK]);

/* "[1, 3, ?, 224]" into `text`; symbols print as "?".  Returns `text`. */
enum { SHAPE_TEXT = 192 };
const char *shape_text(const Shape *shape, char text[SHAPE_TEXT]);

/* A data type and a shape: what is known of a value before its contents are. */
typedef struct Type {
    DType dtype; /* STRIDER_DTYPE_NONE where it is not known, or where an optional value is absent */
    Shape shape;
} Type;

static inline Type type_of(DType dtype, Shape shape) {
    return (Type){dtype, shape};
}

/* Bytes of a known type's elements; false on overflow or where something is unknown. */
bool type_size(const Type *type, size_t *size_bytes) MUST_CHECK;

typedef struct Tensor {
    Type type;
    void *data; /* may lie at any address where `unaligned` is set */
    size_t size_bytes;
    const Allocator *allocator; /* frees `data`; NULL where the memory is someone else's */
    bool unaligned;             /* at no particular alignment: only memcpy may read it */
    bool mapped;                /* inside a mapped file, whose pages the system may drop and read again */
} Tensor;

/* Memory for a known type, contents undefined.  On failure *tensor is zeroed. */
Status tensor_alloc(Tensor *tensor, const Allocator *allocator, DType dtype, const Shape *shape,
                    Error *err) MUST_CHECK;
/* Memory for strings with their bytes, `total_bytes` in all, in one block: *bytes is where these begin. */
Status tensor_alloc_strings(Tensor *tensor, const Allocator *allocator, const Shape *shape,
                            size_t total_bytes, char **bytes, Error *err) MUST_CHECK;
/* A view of memory that someone else owns; the shape must be known. */
Tensor tensor_view(DType dtype, const Shape *shape, void *data);
/* The same as callers see tensors. */
strider_tensor tensor_to_public(const Tensor *tensor);
/* Frees what the tensor owns and zeroes it. */
void tensor_free(Tensor *tensor);
int64_t tensor_elements(const Tensor *tensor);

/* Tensors that are freed together. */
typedef struct TensorList {
    struct TensorListItem *first;
} TensorList;

/* Takes over the tensor; also when this fails, for want of memory in `region`, which must outlive the list.
 */
Status tensor_list_add(TensorList *list, Region *region, Tensor tensor, const Tensor **kept,
                       Error *err) MUST_CHECK;
void tensor_list_free(TensorList *list);

/* Element `index` of an integer or bool tensor as int64 (u64 beyond INT64_MAX saturates), of a float tensor
 * truncated and saturated, NaN as 0. */
int64_t tensor_get_i64(const Tensor *tensor, int64_t index);
/* Element `index` of a tensor of any type. */
double tensor_get_f64(const Tensor *tensor, int64_t index);
/* The reverse: converts as a C cast would, saturating (narrow floats: narrow_from_f64(), saturating). */
void tensor_set_f64(Tensor *tensor, int64_t index, double value);
void tensor_set_i64(Tensor *tensor, int64_t index, int64_t value);

/* f16 and bf16 bit patterns; rounding to nearest even, NaN stays NaN. */
float f16_to_f32(uint16_t bits);
uint16_t f32_to_f16(float value);
uint16_t f64_to_f16(double value); /* rounded once */
float bf16_to_f32(uint16_t bits);
uint16_t f32_to_bf16(float value);
uint16_t f64_to_bf16(double value); /* rounded once */

/* Runs BODY once with the C type T of `dtype` (among all that are plain C types: not f16 and bf16, which
 * operators compute as float through tensor_get_f64 or by converting), e.g. DISPATCH_NUMERIC(dtype, T, {
 * add(T...) }, { return unsupported; });   */
#define DISPATCH_CASE(ENUM, CTYPE, T, BODY)                                                                  \
    case ENUM: {                                                                                             \
        typedef CTYPE T;                                                                                     \
        BODY                                                                                                 \
    } break;
#define DISPATCH_INTEGERS(T, BODY)                                                                           \
    DISPATCH_CASE(STRIDER_I8, int8_t, T, BODY)                                                               \
    DISPATCH_CASE(STRIDER_I16, int16_t, T, BODY)                                                             \
    DISPATCH_CASE(STRIDER_I32, int32_t, T, BODY)                                                             \
    DISPATCH_CASE(STRIDER_I64, int64_t, T, BODY)                                                             \
    DISPATCH_CASE(STRIDER_U8, uint8_t, T, BODY)                                                              \
    DISPATCH_CASE(STRIDER_U16, uint16_t, T, BODY)                                                            \
    DISPATCH_CASE(STRIDER_U32, uint32_t, T, BODY)                                                            \
    DISPATCH_CASE(STRIDER_U64, uint64_t, T, BODY)
#define DISPATCH_FLOATS(T, BODY)                                                                             \
    DISPATCH_CASE(STRIDER_F32, float, T, BODY)                                                               \
    DISPATCH_CASE(STRIDER_F64, double, T, BODY)

/* A type of the same size as the elements, an unsigned integer or String: for operators that only move data.
 */
#define DISPATCH_BY_SIZE(size_bytes, T, BODY)                                                                \
    switch (size_bytes) {                                                                                    \
        DISPATCH_CASE(1, uint8_t, T, BODY)                                                                   \
        DISPATCH_CASE(2, uint16_t, T, BODY)                                                                  \
        DISPATCH_CASE(4, uint32_t, T, BODY)                                                                  \
        DISPATCH_CASE(8, uint64_t, T, BODY)                                                                  \
        DISPATCH_CASE(sizeof(String), String, T, BODY)                                                       \
    default:                                                                                                 \
        break;                                                                                               \
    }

#endif
