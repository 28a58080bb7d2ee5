/* SPDX-License-Identifier: Apache-2.0 */
/* A convolution's weights and bias in the order in which its kernel reads them: rearranged once where they
 * are constant, else in each run, by the same code, in the step's prologue and into its workspace. */
#ifndef OPS_CPU_CONV_PACK_H
#define OPS_CPU_CONV_PACK_H

#include "ops/cpu/conv/tile.h"
#include "ops/kernel.h"
#include "ops/nn/conv.h"

enum { CONV_CHUNK_FLOATS = 8192 }; /* that are packed together: a few microseconds */

/* How weights are rearranged: in `runs`, each in `chunks`, which may be filled in any order and at the same
 * time. */
typedef struct ConvFill {
    /* Reads `weights` at any alignment, as they lie in the model; `to` is where all packed ones begin. */
    void (*fill)(const void *context, const void *weights, int64_t run, int64_t chunk, float *to);
    const void *context; /* lives as long as the plan */
    int64_t runs, chunks;
    int64_t run_channels; /* of the output, in order, whose weights no other run reads; 0: it is not so */
} ConvFill;

/* The first member of the arguments of each kernel that has one. */
typedef struct ConvPack {
    const float *weights, *bias; /* NULL: not constant, conv_packed() tells where they are */
    TileBlocks *blocks;          /* what each tile computes; TileBlocks.weights_at points into the weights */
    int64_t n_blocks;
    Bytes size; /* of the packed weights */
    /* What a run does. */
    bool by_tasks; /* the kernel's tasks pack weights for themselves, by conv_pack_part() */
    ConvFill fill;
    int bias_port;
    int64_t bias_floats, bias_channels;                     /* floats: of whole vectors */
    size_t weights_at, bias_at;                             /* bytes from the workspace's begin */
    void (*prologue)(const KernelCall *call, int64_t task); /* the kernel's own */
} ConvPack;

/* Factors of the taps of a 3 x 3 kernel; the name tells packs with different ones apart. */
typedef struct ConvTapScales {
    const char *name;
    float of[9];
} ConvTapScales;

/* `size` of memory for the weights at CONV_W, filled as `fill` says; `key` names the arrangement of constant
 * ones completely, so that they are shared with other plans and kernels that ask for the same. */
Status conv_pack(const KernelQuery *query, const ConvFill *fill, const char *key, Bytes size,
                 PrepareContext *ctx, ConvPack *pack) MUST_CHECK;

/* The weights, with the scale among the post-operations in them, for tiles of `count` output blocks
 * and input blocks of `block_channels` channels; `tap_scales` may be NULL.  Where `g` has fewer taps than the
 * weights, each step in depth has so many of g's input channels, in order, those after the weights' with
 * zeros. */
Status conv_pack_weights(const KernelQuery *query, const ConvGeometry *g, int block_channels, int count,
                         const ConvTapScales *tap_scales, PrepareContext *ctx, ConvPack *pack) MUST_CHECK;

/* The same for the tiles of grouped.h: pack->blocks are single output blocks. */
Status conv_pack_grouped(const KernelQuery *query, const ConvGeometry *g, PrepareContext *ctx,
                         ConvPack *pack) MUST_CHECK;

/* The bias, of whole vectors, zeros after its last channel; all zeros where it is absent. */
Status conv_pack_bias(const KernelQuery *query, int64_t channels, PrepareContext *ctx,
                      ConvPack *pack) MUST_CHECK;

/* The factors of the output channels in whole vectors, which live with the plan; NULL where there are none.
 */
Status conv_scales(const KernelQuery *query, int64_t channels, PrepareContext *ctx,
                   const float **scales) MUST_CHECK;

/* Once the instance is complete otherwise: adds what is packed in each run to its prologue and its
 * workspace. */
void conv_pack_finish(ConvPack *pack, KernelInstance *instance);

/* What each run packs of the weights by conv_pack_weights(): nothing where they are constant. */
Bytes conv_run_bytes(const KernelQuery *query, const ConvGeometry *g, int block_channels, int count);
Bytes conv_run_bytes_grouped(const KernelQuery *query, const ConvGeometry *g);
/* Nanoseconds that this takes. */
double conv_pack_cost(Bytes run_bytes);

/* Where a run finds them. */
typedef struct ConvPacked {
    const float *weights, *bias;
} ConvPacked;

ConvPacked conv_packed(const ConvPack *pack, const KernelCall *call);

/* Of conv_pack_weights(): those of a tile for its input blocks [first, first + count), packed as call's
 * inputs have them. */
void conv_pack_part(const ConvPack *pack, const KernelCall *call, int64_t tile, int64_t first, int64_t count,
                    float *to);

#endif
