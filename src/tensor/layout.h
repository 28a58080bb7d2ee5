/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts: how a tensor's elements lie in memory.  Plain is row-major.  A blocked layout with block c cuts
 * dimension 1, the channels, of a tensor [N, C, D...] into ceil(C / c) blocks and lies as [N, C/c, D..., c];
 * lanes past C in the last block are zero at all times, so that a zero weight times such a lane stays zero.
 */
#ifndef TENSOR_LAYOUT_H
#define TENSOR_LAYOUT_H

#include "tensor/tensor.h"

/* The block: LAYOUT_PLAIN, or the number of channels in a block. */
typedef int Layout;
enum { LAYOUT_PLAIN = 1 };

/* ceil(C / block). */
int64_t layout_blocks(const Shape *shape, Layout layout);
/* Bytes of a known type in a layout; false on overflow. */
bool layout_size(const Type *type, Layout layout, size_t *size_bytes) MUST_CHECK;
/* Whether the type can be blocked: f32, rank 3 to 5. */
bool layout_can_block(const Type *type);
/* Copies a tensor of that type out of a layout into row-major order. */
void layout_to_plain(const Type *type, Layout layout, const void *from, void *to);
/* "nchw", "nchw16c", with the letters of the rank: "ncw", "ncdhw8c"; "plain" for other ranks. */
enum { LAYOUT_TEXT = 16 };
const char *layout_text(int rank, Layout layout, char text[LAYOUT_TEXT]);

#endif
