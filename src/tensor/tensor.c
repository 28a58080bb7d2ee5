/* SPDX-License-Identifier: Apache-2.0 */
#include "tensor/tensor.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "tensor/narrow.h"

static const struct {
    size_t bits; /* of a byte that holds fewer, the low ones */
    const char *name;
} dtypes[STRIDER_DTYPE_COUNT] = {
    [STRIDER_DTYPE_NONE] = {0, "none"},
    [STRIDER_F32] = {32, "float32"},
    [STRIDER_F64] = {64, "float64"},
    [STRIDER_F16] = {16, "float16"},
    [STRIDER_BF16] = {16, "bfloat16"},
    [STRIDER_I8] = {8, "int8"},
    [STRIDER_I16] = {16, "int16"},
    [STRIDER_I32] = {32, "int32"},
    [STRIDER_I64] = {64, "int64"},
    [STRIDER_U8] = {8, "uint8"},
    [STRIDER_U16] = {16, "uint16"},
    [STRIDER_U32] = {32, "uint32"},
    [STRIDER_U64] = {64, "uint64"},
    [STRIDER_BOOL] = {8, "bool"},
    [STRIDER_F8E4M3FN] = {8, "float8_e4m3fn"},
    [STRIDER_F8E4M3FNUZ] = {8, "float8_e4m3fnuz"},
    [STRIDER_F8E5M2] = {8, "float8_e5m2"},
    [STRIDER_F8E5M2FNUZ] = {8, "float8_e5m2fnuz"},
    [STRIDER_F8E8M0] = {8, "float8_e8m0fnu"},
    [STRIDER_F6E2M3] = {6, "float6_e2m3fn"},
    [STRIDER_F6E3M2] = {6, "float6_e3m2fn"},
    [STRIDER_F4E2M1] = {4, "float4_e2m1fn"},
    [STRIDER_I4] = {4, "int4"},
    [STRIDER_U4] = {4, "uint4"},
    [STRIDER_I2] = {2, "int2"},
    [STRIDER_U2] = {2, "uint2"},
    [STRIDER_STRING] = {8 * sizeof(String), "string"},
};

size_t strider_dtype_bits(strider_dtype dtype) {
    return (unsigned)dtype < STRIDER_DTYPE_COUNT ? dtypes[dtype].bits : 0;
}

size_t strider_dtype_size(strider_dtype dtype) {
    return (strider_dtype_bits(dtype) + 7) / 8;
}

const char *strider_dtype_name(strider_dtype dtype) {
    return (unsigned)dtype < STRIDER_DTYPE_COUNT ? dtypes[dtype].name : "none";
}

int64_t strider_tensor_elements(const strider_tensor *tensor) {
    if (!tensor || tensor->rank < 0 || tensor->rank > MAX_RANK)
        return -1;
    Shape shape = shape_make(tensor->rank, tensor->dims);
    int64_t count;
    return shape_count(&shape, 0, shape.rank, &count) ? count : -1;
}

bool dtype_is_float(DType dtype) {
    return dtype >= STRIDER_F32 && dtype <= STRIDER_BF16;
}

bool dtype_is_narrow_float(DType dtype) {
    return dtype >= STRIDER_F8E4M3FN && dtype <= STRIDER_F4E2M1;
}

bool dtype_is_integer(DType dtype) {
    return dtype >= STRIDER_I8 && dtype <= STRIDER_U64;
}

bool dtype_is_small_integer(DType dtype) {
    return dtype >= STRIDER_I4 && dtype <= STRIDER_U2;
}

bool dtype_is_signed(DType dtype) {
    return (dtype >= STRIDER_F32 && dtype <= STRIDER_I64) || dtype == STRIDER_I4 || dtype == STRIDER_I2 ||
           (dtype_is_narrow_float(dtype) && dtype != STRIDER_F8E8M0);
}

Shape shape_make(int rank, const int64_t *dims) {
    Shape shape = {.rank = rank};
    if (rank > 0)
        memcpy(shape.dims, dims, (size_t)rank * sizeof *dims);
    return shape;
}

bool shape_is_known(const Shape *shape) {
    if (shape->rank < 0)
        return false;
    for (int i = 0; i < shape->rank; i++)
        if (shape->dims[i] < 0)
            return false;
    return true;
}

bool shape_agrees(const Shape *a, const Shape *b) {
    if (a->rank < 0 || b->rank < 0)
        return true;
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] >= 0 && b->dims[i] >= 0 && a->dims[i] != b->dims[i])
            return false;
    return true;
}

bool shape_equal(const Shape *a, const Shape *b) {
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i])
            return false;
    return true;
}

bool shape_count(const Shape *shape, int from, int to, int64_t *count) {
    /* A zero dimension makes the product zero, but only where the others do not overflow before it. */
    int64_t product = 1;
    for (int i = from; i < to; i++)
        if (shape->dims[i] < 0 || !i64_mul(product, i64_max(shape->dims[i], 1), &product))
            return false;
    for (int i = from; i < to; i++)
        if (shape->dims[i] == 0)
            product = 0;
    *count = product;
    return true;
}

int64_t shape_size(const Shape *shape, int from, int to) {
    return i64_product_of_list(shape->dims + from, to > from ? (size_t)(to - from) : 0);
}

int64_t shape_elements(const Shape *shape) {
    return shape_size(shape, 0, shape->rank);
}

void shape_strides(const Shape *shape, int64_t strides[MAX_RANK]) {
    int64_t stride = 1;
    for (int i = shape->rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride = i64_product(stride, shape->dims[i]);
    }
}

const char *shape_text(const Shape *shape, char text[SHAPE_TEXT]) {
    if (shape->rank < 0)
        return strcpy(text, "[unknown rank]");
    size_t used = (size_t)snprintf(text, SHAPE_TEXT, "[");
    for (int i = 0; i < shape->rank; i++) {
        const char *comma = i ? ", " : "";
        if (shape->dims[i] < 0)
            used += (size_t)snprintf(text + used, SHAPE_TEXT - used, "%s?", comma);
        else
            used += (size_t)snprintf(text + used, SHAPE_TEXT - used, "%s%" PRId64, comma, shape->dims[i]);
    }
    snprintf(text + used, SHAPE_TEXT - used, "]");
    return text;
}

bool type_size(const Type *type, size_t *size_bytes) {
    int64_t count;
    if (type->shape.rank < 0 || !dtype_size(type->dtype) ||
        !shape_count(&type->shape, 0, type->shape.rank, &count))
        return false;
    return size_mul((size_t)count, dtype_size(type->dtype), size_bytes);
}

Status tensor_alloc(Tensor *tensor, const Allocator *allocator, DType dtype, const Shape *shape, Error *err) {
    *tensor = (Tensor){0};
    Type type = type_of(dtype, *shape);
    size_t size_bytes;
    if (!type_size(&type, &size_bytes)) {
        char text[SHAPE_TEXT];
        return fail(err, STRIDER_LIMIT_EXCEEDED, "a tensor of %s %s is too large", dtype_name(dtype),
                    shape_text(shape, text));
    }
    void *data = memory_alloc(allocator, size_bytes);
    if (!data)
        return fail_memory(err, size_bytes, "a tensor");
    *tensor = (Tensor){.type = type, .data = data, .size_bytes = size_bytes, .allocator = allocator};
    return STRIDER_OK;
}

Status tensor_alloc_strings(Tensor *tensor, const Allocator *allocator, const Shape *shape,
                            size_t total_bytes, char **bytes, Error *err) {
    *tensor = (Tensor){.type = type_of(STRIDER_STRING, *shape)};
    size_t block_bytes;
    if (!type_size(&tensor->type, &tensor->size_bytes) ||
        !size_add(tensor->size_bytes, total_bytes, &block_bytes))
        return fail(err, STRIDER_LIMIT_EXCEEDED, "a tensor of strings is too large");
    tensor->data = memory_alloc(allocator, block_bytes);
    if (!tensor->data)
        return fail_memory(err, block_bytes, "a tensor of strings");
    tensor->allocator = allocator;
    *bytes = (char *)tensor->data + tensor->size_bytes;
    return STRIDER_OK;
}

Tensor tensor_view(DType dtype, const Shape *shape, void *data) {
    Tensor tensor = {.type = {dtype, *shape}, .data = data};
    tensor.size_bytes = bytes_of(dtype_size(dtype), shape_elements(shape)).n;
    return tensor;
}

strider_tensor tensor_to_public(const Tensor *tensor) {
    strider_tensor shown = {
        .dtype = tensor->type.dtype, .rank = tensor->type.shape.rank, .data = tensor->data};
    memcpy(shown.dims, tensor->type.shape.dims, sizeof shown.dims);
    return shown;
}

void tensor_free(Tensor *tensor) {
    if (tensor->allocator)
        memory_free(tensor->allocator, tensor->data);
    *tensor = (Tensor){0};
}

int64_t tensor_elements(const Tensor *tensor) {
    return shape_elements(&tensor->type.shape);
}

typedef struct TensorListItem {
    Tensor tensor;
    struct TensorListItem *next;
} TensorListItem;

Status tensor_list_add(TensorList *list, Region *region, Tensor tensor, const Tensor **kept, Error *err) {
    TensorListItem *item = region_alloc(region, sizeof *item);
    if (!item) {
        tensor_free(&tensor);
        return fail_memory(err, sizeof *item, "a tensor");
    }
    *item = (TensorListItem){tensor, list->first};
    list->first = item;
    *kept = &item->tensor;
    return STRIDER_OK;
}

void tensor_list_free(TensorList *list) {
    for (TensorListItem *item = list->first; item; item = item->next)
        tensor_free(&item->tensor);
    list->first = NULL;
}

#define LOAD(T, tensor, index)                                                                               \
    ({                                                                                                       \
        T loaded;                                                                                            \
        memcpy(&loaded, (const char *)(tensor)->data + (size_t)(index) * sizeof(T), sizeof loaded);          \
        loaded;                                                                                              \
    })
#define STORE(T, tensor, index, value)                                                                       \
    do {                                                                                                     \
        T stored = (T)(value);                                                                               \
        memcpy((char *)(tensor)->data + (size_t)(index) * sizeof(T), &stored, sizeof stored);                \
    } while (0)

int64_t tensor_get_i64(const Tensor *tensor, int64_t index) {
    switch (tensor->type.dtype) {
    case STRIDER_I8:
        return LOAD(int8_t, tensor, index);
    case STRIDER_I16:
        return LOAD(int16_t, tensor, index);
    case STRIDER_I32:
        return LOAD(int32_t, tensor, index);
    case STRIDER_I64:
        return LOAD(int64_t, tensor, index);
    case STRIDER_BOOL:
    case STRIDER_U8:
        return LOAD(uint8_t, tensor, index);
    case STRIDER_U16:
        return LOAD(uint16_t, tensor, index);
    case STRIDER_U32:
        return LOAD(uint32_t, tensor, index);
    case STRIDER_I4:
    case STRIDER_U4:
    case STRIDER_I2:
    case STRIDER_U2: {
        const uint8_t element = narrow_element(tensor->type.dtype, LOAD(uint8_t, tensor, index));
        return dtype_is_signed(tensor->type.dtype) ? (int8_t)element : element;
    }
    case STRIDER_U64: {
        uint64_t value = LOAD(uint64_t, tensor, index);
        return value > INT64_MAX ? INT64_MAX : (int64_t)value;
    }
    default:
        return i64_from_double(tensor_get_f64(tensor, index));
    }
}

double tensor_get_f64(const Tensor *tensor, int64_t index) {
    switch (tensor->type.dtype) {
    case STRIDER_F32:
        return (double)LOAD(float, tensor, index);
    case STRIDER_F64:
        return LOAD(double, tensor, index);
    case STRIDER_F16:
        return (double)f16_to_f32(LOAD(uint16_t, tensor, index));
    case STRIDER_BF16:
        return (double)bf16_to_f32(LOAD(uint16_t, tensor, index));
    case STRIDER_U64:
        return (double)LOAD(uint64_t, tensor, index);
    case STRIDER_F8E4M3FN:
    case STRIDER_F8E4M3FNUZ:
    case STRIDER_F8E5M2:
    case STRIDER_F8E5M2FNUZ:
    case STRIDER_F8E8M0:
    case STRIDER_F6E2M3:
    case STRIDER_F6E3M2:
    case STRIDER_F4E2M1:
        return narrow_to_f64(tensor->type.dtype, LOAD(uint8_t, tensor, index));
    case STRIDER_DTYPE_NONE:
    case STRIDER_STRING:
    case STRIDER_DTYPE_COUNT:
        return 0;
    default:
        return (double)tensor_get_i64(tensor, index);
    }
}

#define STORE_SATURATED(T, low, high, tensor, index, value)                                                  \
    STORE(T, tensor, index, (value) < (low) ? (low) : (value) > (high) ? (high) : (value))

void tensor_set_i64(Tensor *tensor, int64_t index, int64_t value) {
    switch (tensor->type.dtype) {
    case STRIDER_I8:
        STORE_SATURATED(int8_t, INT8_MIN, INT8_MAX, tensor, index, value);
        break;
    case STRIDER_I16:
        STORE_SATURATED(int16_t, INT16_MIN, INT16_MAX, tensor, index, value);
        break;
    case STRIDER_I32:
        STORE_SATURATED(int32_t, INT32_MIN, INT32_MAX, tensor, index, value);
        break;
    case STRIDER_I64:
        STORE(int64_t, tensor, index, value);
        break;
    case STRIDER_U8:
        STORE_SATURATED(uint8_t, 0, UINT8_MAX, tensor, index, value);
        break;
    case STRIDER_U16:
        STORE_SATURATED(uint16_t, 0, UINT16_MAX, tensor, index, value);
        break;
    case STRIDER_U32:
        STORE_SATURATED(uint32_t, 0, UINT32_MAX, tensor, index, value);
        break;
    case STRIDER_U64:
        STORE(uint64_t, tensor, index, value < 0 ? 0 : (uint64_t)value);
        break;
    case STRIDER_BOOL:
        STORE(uint8_t, tensor, index, value != 0);
        break;
    case STRIDER_I4:
        STORE_SATURATED(int8_t, -8, 7, tensor, index, value);
        break;
    case STRIDER_U4:
        STORE_SATURATED(uint8_t, 0, 15, tensor, index, value);
        break;
    case STRIDER_I2:
        STORE_SATURATED(int8_t, -2, 1, tensor, index, value);
        break;
    case STRIDER_U2:
        STORE_SATURATED(uint8_t, 0, 3, tensor, index, value);
        break;
    default:
        tensor_set_f64(tensor, index, (double)value);
    }
}

void tensor_set_f64(Tensor *tensor, int64_t index, double value) {
    switch (tensor->type.dtype) {
    case STRIDER_F32:
        STORE(float, tensor, index, value);
        break;
    case STRIDER_F64:
        STORE(double, tensor, index, value);
        break;
    case STRIDER_F16:
        STORE(uint16_t, tensor, index, f64_to_f16(value));
        break;
    case STRIDER_BF16:
        STORE(uint16_t, tensor, index, f64_to_bf16(value));
        break;
    case STRIDER_U64:
        STORE(uint64_t, tensor, index, u64_from_double(value));
        break;
    case STRIDER_BOOL:
        STORE(uint8_t, tensor, index, value != 0); /* NaN is true, as in C */
        break;
    case STRIDER_F8E4M3FN:
    case STRIDER_F8E4M3FNUZ:
    case STRIDER_F8E5M2:
    case STRIDER_F8E5M2FNUZ:
    case STRIDER_F8E8M0:
    case STRIDER_F6E2M3:
    case STRIDER_F6E3M2:
    case STRIDER_F4E2M1:
        STORE(uint8_t, tensor, index, narrow_from_f64(tensor->type.dtype, value, true));
        break;
    case STRIDER_DTYPE_NONE:
    case STRIDER_STRING:
    case STRIDER_DTYPE_COUNT:
        break;
    default:
        tensor_set_i64(tensor, index, i64_from_double(value));
    }
}

static Tensor from_public(const strider_tensor *tensor) {
    const Shape shape = shape_make(tensor->rank, tensor->dims);
    return tensor_view(tensor->dtype, &shape, tensor->data);
}

double strider_tensor_get(const strider_tensor *tensor, int64_t index) {
    const Tensor view = from_public(tensor);
    return tensor_get_f64(&view, index);
}

void strider_tensor_set(strider_tensor *tensor, int64_t index, double value) {
    Tensor view = from_public(tensor);
    tensor_set_f64(&view, index, value);
}
