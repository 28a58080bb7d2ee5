/* SPDX-License-Identifier: Apache-2.0 */
/* Sliding windows: the attributes and the arithmetic that convolutions and poolings share. */
#ifndef OPS_NN_WINDOW_H
#define OPS_NN_WINDOW_H

#include "ops/op.h"

enum { MAX_SPATIAL = 3 };
/* The largest size, kernel, stride, dilation and pad. */
enum { WINDOW_LARGEST = 1 << 30 };

typedef enum AutoPad { AUTO_PAD_NOTSET, AUTO_PAD_SAME_UPPER, AUTO_PAD_SAME_LOWER, AUTO_PAD_VALID } AutoPad;

typedef struct WindowAttrs {
    AutoPad auto_pad;
    bool ceil_mode;
    int n_kernel, n_strides, n_dilations, n_pads;                              /* -1 where absent */
    int64_t kernel[MAX_SPATIAL], strides[MAX_SPATIAL], dilations[MAX_SPATIAL]; /* 1 where absent */
    int64_t pads[2 * MAX_SPATIAL]; /* begins of all dimensions, then ends; 0 where absent; may be negative */
} WindowAttrs;

/* One dimension of a window with everything resolved. */
typedef struct WindowDim {
    int64_t in, out, kernel, stride, dilation, pad_begin, pad_end;
} WindowDim;

/* auto_pad, kernel_shape, strides, dilations, pads, ceil_mode; checks that numbers are in range. */
Status window_parse(ParseContext *ctx, WindowAttrs *attrs) MUST_CHECK;
/* That the counts fit `spatial` dimensions. */
Status window_check(InferContext *ctx, const WindowAttrs *attrs, int spatial) MUST_CHECK;

/* Dimension `i` of `spatial` with known sizes: pads from auto_pad, and the output size
 *     floor((in + pad_begin + pad_end - dilation*(kernel - 1) - 1) / stride) + 1
 * (torch.nn.Conv2d's documentation); with ceil_mode the ceiling, less a last window that starts in the end
 * padding (as torch.nn.MaxPool2d says).  `out` is 0 or less where the kernel is larger than the padded input.
 * A stride or dilation that has no effect, of a single output or tap, is made small: models may state any,
 * and what a kernel sets up for it would be as large. */
WindowDim window_resolve(const WindowAttrs *attrs, int spatial, int i, int64_t in, int64_t kernel);
/* The same for infer(): checked, and unknown or a symbol where `in` is. */
Status window_infer_dim(InferContext *ctx, const WindowAttrs *attrs, int spatial, int i, int64_t in,
                        int64_t kernel, int64_t *out) MUST_CHECK;
/* The taps [first, end) of a window that lie inside [0, size), where tap 0 lies at `begin`.  Numbers from a
 * model may ask for windows far larger than the input: loops go over these taps. */
typedef struct WindowTaps {
    int64_t first, end;
} WindowTaps;
WindowTaps window_taps(const WindowDim *dim, int64_t begin, int64_t size);
/* The dimension floor((dim + add) / divide) + then, for a symbol: its text, simplified. */
int64_t window_derived_dim(InferContext *ctx, int64_t dim, int64_t add, int64_t divide, int64_t then);
/* "H: floor((224 + 3 + 3 - 1*(7 - 1) - 1) / 2) + 1 = 112; W: ..." */
const char *window_formula(const WindowAttrs *attrs, const Shape *x, const int64_t *kernel,
                           char text[EXPLANATION_TEXT]);

#endif
