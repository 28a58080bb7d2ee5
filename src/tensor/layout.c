/* SPDX-License-Identifier: Apache-2.0 */
#include "tensor/layout.h"

#include <stdio.h>

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

const char *layout_text(int rank, Layout layout, char text[LAYOUT_TEXT]) {
    const char *letters = rank == 3 ? "ncw" : rank == 4 ? "nchw" : rank == 5 ? "ncdhw" : "plain";
    if (layout == LAYOUT_PLAIN)
        snprintf(text, LAYOUT_TEXT, "%s", letters);
    else
        snprintf(text, LAYOUT_TEXT, "%s%dc", letters, layout);
    return text;
}
