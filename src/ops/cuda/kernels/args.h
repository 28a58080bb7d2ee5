/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernels are given: one struct each, by value, which the host and the kernels agree on by sharing
 * this file.  Indices have 32 bits: what has more elements is not accepted. */
#ifndef OPS_CUDA_KERNELS_ARGS_H
#define OPS_CUDA_KERNELS_ARGS_H

#include <stdbool.h>

#include "ops/math/binary_kind.h"
#include "ops/math/unary_kind.h"
#include "ops/reduction/reduce_kind.h"
#include "ops/tensor/grid_kind.h"
#include "ops/tensor/pad_source.h"
#include "ops/tensor/scatter_kind.h"

enum { KERNEL_INPUTS = 7, KERNEL_DIMS = 5, MOVE_DIMS = 6, KERNEL_SPATIAL = 3 };
/* Threads of a block where they work together, a power of two; and where each works alone. */
enum { TEAM_THREADS = 128, LONE_THREADS = 256 };

/* Always the first member: set for each run, in the order of the node's inputs; NULL where absent. */
typedef struct KernelData {
    const float *in[KERNEL_INPUTS];
    float *out;
    long long *indices; /* the output after `out`, for kernels that make both; NULL unless asked for */
} KernelData;

/* Where a kernel tells of an index that is out of range: memory of the host, which looks when it has waited.
 * node NULL: there was none. */
typedef struct KernelFault {
    const void *node;
    const char *what; /* as in KernelCheck */
    long long index, size;
} KernelFault;

/* What a kernel needs for that; fault NULL: its indices are known to be in range. */
typedef struct KernelCheck {
    KernelFault *fault;
    const void *node;
    const char *what; /* a text of the host: what else it is than an index; NULL: nothing */
} KernelCheck;

/* One dimension of a window. */
typedef struct KernelAxis {
    int in, out, kernel, stride, dilation, pad_begin, pad_end;
} KernelAxis;

/* out = activation(x * scale + bias + residual), or activation(x * scale + bias) + residual.  in: x, bias,
 * residual, scale.  Element i lies in row i / (columns * plane), column i / plane % columns; the scale is of
 * columns; the bias has these strides, 0 where it is broadcast.  `out` may be x. */
struct FinishArgs {
    KernelData data;
    int count, plane, columns, bias_row, bias_column;
    float bias_scale;
    bool residual_last;
    Unary activation;
};

/* in: x.  Elements are floats, or bools of one byte. */
struct UnaryArgs {
    KernelData data;
    int count;
    bool takes_bools, gives_bools;
    Unary unary;
};

/* in: a, b.  out = scale * (a op b).  The last KERNEL_DIMS dimensions of the output; strides in elements, 0
 * where broadcast. */
struct BinaryArgs {
    KernelData data;
    int count;
    BinaryKind kind;
    bool is_fmod, takes_bools, gives_bools;
    float scale;
    int dims[KERNEL_DIMS], strides[2][KERNEL_DIMS];
};

/* in: condition (bools), x, y; likewise. */
struct WhereArgs {
    KernelData data;
    int count;
    int dims[KERNEL_DIMS], strides[3][KERNEL_DIMS];
};

/* in: x.  Elements of one type become those of another. */
typedef enum CastType { CAST_F32, CAST_I32, CAST_I64, CAST_U8, CAST_BOOL } CastType;
struct CastArgs {
    KernelData data;
    int count;
    CastType from, to;
};

/* in: x.  `count` elements of a box with these dimensions, from strides to strides, all in elements. */
struct MoveArgs {
    KernelData data;
    int count, in_offset, out_offset;
    bool are_bools; /* of one byte; else floats */
    int dims[MOVE_DIMS], in_strides[MOVE_DIMS], out_strides[MOVE_DIMS];
};

/* in: x, `in_dim` rows of `inner` elements each; row from[k] becomes row to[k] of `out_dim` in the output. */
struct ShuffleArgs {
    KernelData data;
    int count, inner, listed, in_dim, out_dim;
    bool are_bools;
    const int *from, *to;
};

/* in: x, indices of 32 or 64 bits.  `count` outputs, of parts of `part` elements, which
 * lie as ops/tensor/indexed.h says. */
struct GatherArgs {
    KernelData data;
    int count, part, depth;
    bool are_bools, are_i64;
    KernelCheck check;
    int dims[KERNEL_DIMS], base[KERNEL_DIMS], position[KERNEL_DIMS], index_dims[KERNEL_DIMS],
        steps[KERNEL_DIMS];
};

/* in: updates, after k_scatter_begin has copied the data; parts of `part` elements.  Update update[k] goes to
 * element at[k], in ascending order; those of one place stand together, in theirs, and followers[k] are as
 * many as are left there. */
struct ScatterArgs {
    KernelData data;
    int count, part;
    Reduction reduction;
    const int *at, *update, *followers;
};

/* in: x, indices of 64 bits, each in range and there once, of a box with these dimensions; strides of the
 * output, which k_unpool_begin has filled with zeros. */
struct UnpoolArgs {
    KernelData data;
    int count;
    int dims[KERNEL_DIMS], strides[KERNEL_DIMS];
};

/* in: x; indices: of maxima, as pool_flat_index() counts them.  `count` outputs; a thread each. */
struct PoolArgs {
    KernelData data;
    int count;
    bool is_max, count_include_pad, column_major;
    float p; /* of k_norm_pool */
    KernelAxis axes[KERNEL_SPATIAL];
};

/* in: x.  Each output is made of `count` elements: output o begins where the dimensions that are kept lead,
 * and its elements lie along those that are reduced.  Strides in elements. */
struct ReduceArgs {
    KernelData data;
    int outputs, count;
    ReduceKind kind;
    int kept_dims[KERNEL_DIMS], kept_strides[KERNEL_DIMS], dims[KERNEL_DIMS], strides[KERNEL_DIMS];
};

/* in: x.  A block for each group of `count` elements that lie `inner` apart. */
struct SoftmaxArgs {
    KernelData data;
    int count, inner;
    bool is_log;
};

/* in: x.  A thread for each of `groups` as of softmax. */
struct HardmaxArgs {
    KernelData data;
    int groups, count, inner;
};

/* in: x.  A block for each line of `count` elements that lie `inner` apart. */
struct CumulateArgs {
    KernelData data;
    int count, inner;
    bool exclusive, reverse, is_product;
};

/* in: x, of matrices with these dimensions.  Elements on and after the diagonal, or on and before it, stay.
 */
struct TriluArgs {
    KernelData data;
    int count, height, width, diagonal;
    bool upper, are_bools;
};

/* in: x, of `count` elements in lines of `line`, which lie `inner` apart; outputs have `k` instead. */
struct TopKArgs {
    KernelData data;
    int count, line, inner, k;
    bool largest;
};

/* in: x.  A thread for each output: the element that pad_source() says of each dimension, or `value`. */
struct PadArgs {
    KernelData data;
    int count;
    PadMode mode;
    float value;
    int in_dims[KERNEL_DIMS], in_strides[KERNEL_DIMS], out_dims[KERNEL_DIMS], begins[KERNEL_DIMS];
};

/* in: x, of planes with `axes` as dimensions and elements of `inner` floats.  Output position p of an axis is
 * made of `taps` input positions, at p * taps in the tables; index -1: it is extrapolated. */
typedef struct ResizeAxis {
    int in, out, taps;
    const int *indices;
    const float *weights;
} ResizeAxis;
struct ResizeArgs {
    KernelData data;
    int count, inner;
    float extrapolation_value;
    ResizeAxis axes[KERNEL_SPATIAL];
};

/* in: x, scale, b, mean, var.  out = activation((x - mean) / sqrt(var + epsilon) * scale + b), where element
 * i has the parameters of column i / plane % columns. */
struct BatchNormArgs {
    KernelData data;
    int count, plane, columns;
    float epsilon;
    Unary activation;
};

/* in: x, scale, and at their ports b (or NULL) and a residual.  A block for each group of `count`
 * neighbouring elements: out = activation((x - mean) / sqrt(variance + epsilon) * scale + b + residual), or
 * activation(..) + residual, with a mean of 0 unless `is_centred`.  The parameters have these strides along
 * x's dimensions, 0 where they are broadcast.  `out` may be x or the residual. */
struct NormalizeArgs {
    KernelData data;
    int count, b_port, residual_port; /* ports -1: none */
    bool is_centred, residual_last;
    Unary activation;
    float epsilon;
    int dims[KERNEL_DIMS], strides[2][KERNEL_DIMS];
};

/* in: x.  A block for each group of `count` elements that lie `inner` apart; kind: R_L1 or R_L2. */
struct LpNormArgs {
    KernelData data;
    int count, inner;
    ReduceKind kind;
};

/* in: x.  out = x / (bias + alpha * sum of x^2 over the window of `size` channels)^beta. */
struct LrnArgs {
    KernelData data;
    int count, plane, channels, size;
    float alpha, beta, bias;
};

/* in: x; out: int64.  Each group has `count` elements that lie `inner` apart.  The largest one's index, or
 * the smallest one's; of equals the first or the last. */
struct ArgReduceArgs {
    KernelData data;
    int groups, count, inner;
    bool is_min, takes_last;
};

/* Steps in elements. */
typedef struct KernelSteps {
    int batch, head, row;
} KernelSteps;

/* in: q, k, v, mask (floats or bools), past keys and values, lengths of 64 bits; NULL where absent.  A block
 * for each tile of rows of a head and each part of the values' columns.  Rows of the mask have `mask_keys`,
 * and its batches repeat.  `left`, `right`: keys that a row sees beside its position; -1: all. */
enum { ATTENTION_ROWS = 32, ATTENTION_KEYS = 32, ATTENTION_SLICE = 64, ATTENTION_COLUMNS = 128 };
struct AttentionArgs {
    KernelData data;
    int heads, kv_heads, rows, past, keys, size, v_size, tiles, parts, mask_batches, mask_keys, left, right;
    KernelSteps q, k, v, y, mask;
    float scale, softcap;
    bool mask_is_bools, is_causal, nan_where_none;
};

/* in: x, cosines, sines, and positions of 64 bits, which are below `positions`, or NULL.  A thread for each
 * of `count` pairs that are turned and elements that stay. */
struct RotaryArgs {
    KernelData data;
    int count, heads, rows, head_size, half, positions;
    KernelCheck check;
    KernelSteps steps;
    bool interleaved;
};

/* in: a, b. */
struct SwigluArgs {
    KernelData data;
    int count;
    float alpha;
};

/* in: x, grid.  A thread for each of `count`: a point of an image and SAMPLE_CHANNELS of its channels, of
 * which there are `parts`.  Dimensions in front that are not there have one element. */
enum { SAMPLE_CHANNELS = 4 };
struct GridSampleArgs {
    KernelData data;
    int count, points, channels, parts, spatial, dims[KERNEL_SPATIAL];
    GridSampleAttrs attrs;
};

/* in: maps.  A thread for each place. */
struct AffineGridArgs {
    KernelData data;
    int count, points, spatial, dims[KERNEL_SPATIAL];
    bool align_corners;
};

/* in: x, offsets at 2, and at 4 the mask with `has_mask`; out: columns of one image, [channel][tap][output].
 * A thread for each of `count`: an offset group, SAMPLE_CHANNELS of its channels, a tap and an output. */
struct DeformArgs {
    KernelData data;
    int count, image, in_channels, offset_groups, channels, parts, taps, outputs, spatial;
    bool has_mask;
    KernelAxis axes[KERNEL_SPATIAL];
};

/* in: columns, [channel][block][window]. */
struct Col2ImArgs {
    KernelData data;
    int count, block, windows;
    KernelAxis axes[KERNEL_SPATIAL];
};

/* in: x, rois, their images (of 32 or 64 bits). */
struct RoiAlignArgs {
    KernelData data;
    int count, images, channels, in_height, in_width, height, width, sampling_ratio;
    float spatial_scale;
    bool is_max, half_pixel, are_i64;
    KernelCheck check;
};

/* in: sums of X and W, [direction][row of X][gate][unit]; R, [direction][unit of h][gate][unit]; B, lengths
 * (32 bits), the first h and c, peepholes, or NULL; out: Y or NULL.  A block for each direction and row of
 * the batch goes through all steps; it has RECURRENT_VECTORS vectors of `states` to itself.  Steps in
 * elements, but of X in rows. */
typedef enum RecurrentKind { RECURRENT_LSTM, RECURRENT_GRU, RECURRENT_RNN } RecurrentKind;
enum { RECURRENT_THREADS = 256, RECURRENT_VECTORS = 4, RECURRENT_FUNCTIONS = 3 };
struct RecurrentArgs {
    KernelData data;
    RecurrentKind kind;
    int gates, steps, batch, hidden, x_step, x_row, y_step, y_row, y_direction, state_row, state_direction;
    bool first_reversed, couples_gates, resets_after;
    float clip, *y_h, *y_c, *states;
    Unary activations[2][RECURRENT_FUNCTIONS];
    KernelCheck check;
};

/* in: x, w.  Channels are those of one group.  For a transposed convolution `axes` are those of the
 * convolution that it reverses: `out` is x's size, `in` that of the result. */
struct ConvArgs {
    KernelData data;
    int count, groups, in_channels, out_channels;
    KernelAxis axes[KERNEL_SPATIAL];
};

#endif
