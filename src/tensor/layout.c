/* SPDX-License-Identifier: Apache-2.0 */
#include "tensor/layout.h"

#include <stdio.h>
#include <string.h>

#include "base/size.h"

int64_t layout_blocks(const Shape *shape, Layout layout) {
    return ceil_div(shape->dims[1], layout);
}

bool layout_size(const Type *type, Layout layout, size_t *size_bytes) {
    if (layout == LAYOUT_PLAIN)
        return type_size(type, size_bytes);
    if (!layout_can_block(type) || type->shape.dims[1] < 0)
        return false;
    Type padded = *type;
    return i64_mul(layout_blocks(&type->shape, layout), layout, &padded.shape.dims[1]) &&
           type_size(&padded, size_bytes);
}

bool layout_can_block(const Type *type) {
    return type->dtype == STRIDER_F32 && type->shape.rank >= 3 && type->shape.rank <= 5;
}

/* From one image [C/c, inner, c] to [C, inner]. */
static void image_to_plain(const float *from, float *to, int64_t channels, int64_t inner, Layout layout) {
    for (int64_t c = 0; c < channels; c++) {
        const float *block = from + c / layout * layout * inner + c % layout;
        for (int64_t i = 0; i < inner; i++)
            to[c * inner + i] = block[i * layout];
    }
}

void layout_to_plain(const Type *type, Layout layout, const void *from, void *to) {
    const Shape *shape = &type->shape;
    if (layout == LAYOUT_PLAIN) {
        memcpy(to, from, bytes_of(dtype_size(type->dtype), shape_elements(shape)).n);
        return;
    }
    const int64_t channels = shape->dims[1], inner = shape_size(shape, 2, shape->rank);
    const int64_t image = layout_blocks(shape, layout) * layout * inner;
    for (int64_t n = 0; n < shape->dims[0]; n++)
        image_to_plain((const float *)from + n * image, (float *)to + n * channels * inner, channels, inner,
                       layout);
}

const char *layout_text(int rank, Layout layout, char text[LAYOUT_TEXT]) {
    const char *letters = rank == 3 ? "ncw" : rank == 4 ? "nchw" : rank == 5 ? "ncdhw" : "plain";
    if (layout == LAYOUT_PLAIN)
        snprintf(text, LAYOUT_TEXT, "%s", letters);
    else
        snprintf(text, LAYOUT_TEXT, "%s%dc", letters, layout);
    return text;
}
