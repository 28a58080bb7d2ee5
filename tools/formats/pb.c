/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/pb.h"

#include <string.h>

#include "formats/bytes.h"

strider_status pb_parse(const unsigned char *data, size_t size, TensorFile *file, strider_error *error) {
    strider_tensor tensor;
    char name[256] = "";
    const strider_status status = strider_tensor_from_onnx(data, size, &tensor, name, sizeof name, error);
    return status ? status : tensor_file_add(file, name, tensor, error);
}

/* --- writing --- */

static void put_varint(Bytes *bytes, uint64_t value) {
    do {
        unsigned char byte = (unsigned char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        bytes_put(bytes, &byte, 1);
        value >>= 7;
    } while (value);
}

/* ONNX's number of a type. */
static unsigned onnx_number(strider_dtype dtype) {
    static const unsigned char numbers[STRIDER_DTYPE_COUNT] = {
        [STRIDER_F32] = 1,         [STRIDER_F64] = 11,      [STRIDER_F16] = 10,        [STRIDER_BF16] = 16,
        [STRIDER_I8] = 3,          [STRIDER_I16] = 5,       [STRIDER_I32] = 6,         [STRIDER_I64] = 7,
        [STRIDER_U8] = 2,          [STRIDER_U16] = 4,       [STRIDER_U32] = 12,        [STRIDER_U64] = 13,
        [STRIDER_BOOL] = 9,        [STRIDER_F8E4M3FN] = 17, [STRIDER_F8E4M3FNUZ] = 18, [STRIDER_F8E5M2] = 19,
        [STRIDER_F8E5M2FNUZ] = 20, [STRIDER_U4] = 21,       [STRIDER_I4] = 22,         [STRIDER_F4E2M1] = 23,
        [STRIDER_F8E8M0] = 24,     [STRIDER_U2] = 25,       [STRIDER_I2] = 26,         [STRIDER_F6E2M3] = 27,
        [STRIDER_F6E3M2] = 28,     [STRIDER_STRING] = 8,
    };
    return numbers[dtype];
}

/* Elements of less than a byte lie as close as they can, the first in the lowest bits. */
static void put_raw_data(Bytes *bytes, const strider_tensor *tensor) {
    const size_t bits = strider_dtype_bits(tensor->dtype), count = (size_t)strider_tensor_elements(tensor);
    if (bits >= 8) {
        put_varint(bytes, tensor_bytes(tensor));
        bytes_put(bytes, tensor->data, tensor_bytes(tensor));
        return;
    }
    const unsigned char *elements = tensor->data;
    unsigned pending = 0;
    size_t held = 0; /* bits of it */
    put_varint(bytes, count / 8 * bits + (count % 8 * bits + 7) / 8);
    for (size_t i = 0; i < count; i++) {
        pending |= (elements[i] & ((1u << bits) - 1)) << held;
        held += bits;
        if (held < 8 && i + 1 < count)
            continue;
        bytes_put_le(bytes, pending & 0xff, 1);
        pending >>= 8;
        held = held > 8 ? held - 8 : 0;
        if (held && i + 1 == count)
            bytes_put_le(bytes, pending, 1);
    }
}

/* Field string_data, 6, once for each. */
static void put_strings(Bytes *bytes, const strider_tensor *tensor) {
    const strider_string *strings = tensor->data;
    for (int64_t i = 0; i < strider_tensor_elements(tensor); i++) {
        put_varint(bytes, 6 << 3 | 2);
        put_varint(bytes, strings[i].size);
        if (strings[i].size)
            bytes_put(bytes, strings[i].data, strings[i].size);
    }
}

/* Fields of onnx.TensorProto: dims 1, data_type 2, name 8, raw_data 9. */
strider_status pb_write(const char *path, const char *name, const strider_tensor *tensor,
                        strider_error *error) {
    Bytes bytes = {0};
    for (int i = 0; i < tensor->rank; i++) {
        put_varint(&bytes, 1 << 3);
        put_varint(&bytes, (uint64_t)tensor->dims[i]);
    }
    put_varint(&bytes, 2 << 3);
    put_varint(&bytes, onnx_number(tensor->dtype));
    put_varint(&bytes, 8 << 3 | 2);
    put_varint(&bytes, strlen(name));
    bytes_put(&bytes, name, strlen(name));
    if (tensor->dtype == STRIDER_STRING) {
        put_strings(&bytes, tensor);
    } else {
        put_varint(&bytes, 9 << 3 | 2);
        put_raw_data(&bytes, tensor);
    }
    return bytes_write(&bytes, path, error);
}
