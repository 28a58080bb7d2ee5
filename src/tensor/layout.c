/* SPDX-License-Identifier: Apache-2.0 */
#include "tensor/layout.h"

#include <stdio.h>
#include <string.h>

#include "base/size.h"

bool layout_equal(Layout a, Layout b) {
    return a.kind == b.kind && layout_block(a) == layout_block(b) && a.dtype == b.dtype;
}

int64_t layout_blocks(const Shape *shape, Layout layout) {
    return ceil_div(shape->dims[1], layout_block(layout));
}

bool layout_size(const Type *type, Layout layout, size_t *size_bytes) {
    Type stored = *type;
    stored.dtype = layout_dtype(type, layout);
    if (layout.kind == LAYOUT_PLAIN)
        return type_size(&stored, size_bytes);
    if (!layout_can_block(type) || type->shape.dims[1] < 0)
        return false;
    return i64_mul(layout_blocks(&type->shape, layout), layout.block, &stored.shape.dims[1]) &&
           type_size(&stored, size_bytes);
}

bool layout_can_block(const Type *type) {
    return dtype_size(type->dtype) > 0 && type->shape.rank >= 3 && type->shape.rank <= 5;
}

static void copy_element(const Tensor *from, int64_t from_index, Tensor *to, int64_t to_index) {
    const int64_t size = (int64_t)dtype_size(to->type.dtype);
    if (from->type.dtype == to->type.dtype)
        memcpy((char *)to->data + to_index * size, (const char *)from->data + from_index * size,
               (size_t)size);
    else
        tensor_set_f64(to, to_index, tensor_get_f64(from, from_index));
}

void layout_to_plain(const Type *type, Layout layout, const void *from, void *to) {
    const Shape *shape = &type->shape;
    Tensor plain = tensor_view(type->dtype, shape, to);
    if (layout_equal(layout, layout_plain())) {
        memcpy(to, from, plain.size_bytes);
        return;
    }
    const Tensor stored = {.type = {layout_dtype(type, layout), *shape}, .data = (void *)from};
    const bool blocked = layout.kind == LAYOUT_BLOCKED;
    const int64_t block = layout_block(layout), channels = blocked ? shape->dims[1] : 1,
                  images = blocked ? shape->dims[0] : 1, blocks = ceil_div(channels, block),
                  inner = blocked ? shape_size(shape, 2, shape->rank) : shape_elements(shape);
    for (int64_t n = 0; n < images; n++)
        for (int64_t c = 0; c < channels; c++)
            for (int64_t i = 0; i < inner; i++)
                copy_element(&stored, ((n * blocks + c / block) * inner + i) * block + c % block, &plain,
                             (n * channels + c) * inner + i);
}

/* Of four letters at most: LAYOUT_TEXT holds no more. */
static const char *const short_names[STRIDER_DTYPE_COUNT] = {
    [STRIDER_F32] = "f32",     [STRIDER_F64] = "f64",         [STRIDER_F16] = "f16",
    [STRIDER_BF16] = "bf16",   [STRIDER_I8] = "i8",           [STRIDER_I16] = "i16",
    [STRIDER_I32] = "i32",     [STRIDER_I64] = "i64",         [STRIDER_U8] = "u8",
    [STRIDER_U16] = "u16",     [STRIDER_U32] = "u32",         [STRIDER_U64] = "u64",
    [STRIDER_BOOL] = "bool",   [STRIDER_F8E4M3FN] = "e4m3",   [STRIDER_F8E4M3FNUZ] = "e4mz",
    [STRIDER_F8E5M2] = "e5m2", [STRIDER_F8E5M2FNUZ] = "e5mz", [STRIDER_F8E8M0] = "e8m0",
    [STRIDER_F6E2M3] = "e2m3", [STRIDER_F6E3M2] = "e3m2",     [STRIDER_F4E2M1] = "e2m1",
    [STRIDER_I4] = "i4",       [STRIDER_U4] = "u4",           [STRIDER_I2] = "i2",
    [STRIDER_U2] = "u2",       [STRIDER_STRING] = "str",
};

const char *layout_text(int rank, Layout layout, char text[LAYOUT_TEXT]) {
    const char *letters = rank == 3 ? "ncw" : rank == 4 ? "nchw" : rank == 5 ? "ncdhw" : "plain";
    int used = layout.kind == LAYOUT_PLAIN ? snprintf(text, LAYOUT_TEXT, "%s", letters)
                                           : snprintf(text, LAYOUT_TEXT, "%s%dc", letters, layout.block);
    if (layout.dtype && used < LAYOUT_TEXT)
        snprintf(text + used, (size_t)(LAYOUT_TEXT - used), ":%s", short_names[layout.dtype]);
    return text;
}
