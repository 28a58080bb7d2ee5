/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts: how a tensor's elements lie in memory, and as which type. */
#ifndef TENSOR_LAYOUT_H
#define TENSOR_LAYOUT_H

#include "tensor/tensor.h"

typedef enum LayoutKind {
    LAYOUT_PLAIN, /* row-major */
    /* Dimension 1, the channels, of a tensor [N, C, D...] is cut into ceil(C / block) blocks, which lie as
     * [N, C / block, D..., block].  The last block's elements past C are zero at all times, so that a zero
     * weight times such an element stays zero. */
    LAYOUT_BLOCKED,
} LayoutKind;

/* All zero: plain. */
typedef struct Layout {
    LayoutKind kind;
    int block;   /* channels that lie together; 0 where the kind is not LAYOUT_BLOCKED */
    DType dtype; /* of the elements in memory; STRIDER_DTYPE_NONE: the tensor's own */
} Layout;

static inline Layout layout_plain(void) {
    return (Layout){.kind = LAYOUT_PLAIN};
}
static inline Layout layout_blocked(int block) {
    return (Layout){.kind = LAYOUT_BLOCKED, .block = block};
}
bool layout_equal(Layout a, Layout b);

/* Channels that lie together: 1 where there are no blocks. */
static inline int layout_block(Layout layout) {
    return layout.kind == LAYOUT_BLOCKED ? layout.block : 1;
}
/* ceil(C / block). */
int64_t layout_blocks(const Shape *shape, Layout layout);
/* The type of the elements in memory. */
static inline DType layout_dtype(const Type *type, Layout layout) {
    return layout.dtype ? layout.dtype : type->dtype;
}
/* Bytes of a known type in a layout; false on overflow, or where the type cannot lie so. */
bool layout_size(const Type *type, Layout layout, size_t *size_bytes) MUST_CHECK;
/* Whether the type can be blocked: rank 3 to 5. */
bool layout_can_block(const Type *type);
/* Copies a tensor of that type out of a layout into row-major order, as elements of its own type. */
void layout_to_plain(const Type *type, Layout layout, const void *from, void *to);
/* "nchw", "nchw16c", with the letters of the rank: "ncw", "ncdhw8c"; "plain" for other ranks.  Where the
 * elements' type in memory is not the tensor's, it follows: "nchw16c:bf16". */
enum { LAYOUT_TEXT = 16 };
const char *layout_text(int rank, Layout layout, char text[LAYOUT_TEXT]);

#endif
