/* SPDX-License-Identifier: Apache-2.0 */
/* Attention: what the preparation hands to the templates. */
#ifndef OPS_CPU_ATTENTION_H
#define OPS_CPU_ATTENTION_H

#include "ops/cpu/cpu.h"
#include "ops/nn/attention.h"

enum {
    ATTENTION_CHUNK = 256, /* keys whose scores of a tile of rows stay in L1 */
    /* Between rows of a tile, in floats: a constant, so that one register addresses all of them; and no
     * multiple of a page, whose rows would share a set of L1. */
    ATTENTION_STEP = ATTENTION_CHUNK + 16,
    ATTENTION_COLUMNS = 2, /* of a panel of keys, in vectors */
};

typedef enum AttentionMask { MASK_NONE, MASK_FLOATS, MASK_BOOLS } AttentionMask;

/* One row of a task. */
typedef struct AttentionRow {
    const char *q, *mask; /* mask NULL: none */
    char *y;
    float *sums; /* values, weighed so far */
    AttentionRange seen;
    float largest, weight; /* so far: the largest score, the sum of weights relative to it */
} AttentionRow;

/* A task is some of the rows of all query heads that share one head of keys: rows go on from head to head. */
typedef struct AttentionArgs {
    AttentionAttrs attrs;
    AttentionGeometry g;
    float scale;
    DType dtype; /* of all but the mask: f32, f16 or bf16, which are converted in scratch memory */
    AttentionMask mask;
    DType mask_dtype;
    int64_t rows, rows_a_task, row_parts; /* of all these heads */
    int64_t v_width;                      /* of a row of values in scratch memory, whole vectors */
    bool copies_v;    /* values go through scratch memory, as they end within a vector or are no float32 */
    bool has_present; /* an output of the keys or values is asked for */
    /* Scratch memory, in floats: keys as panels, then values, what is converted, two tiles of rows, sums, and
     * the rows. */
    int64_t v_at, converted_at, tiles_at, sums_at, rows_at;
} AttentionArgs;

typedef struct AttentionTable {
    int tile_rows;
    void (*run)(const KernelCall *call, int64_t task);
} AttentionTable;

TARGET_TABLES(AttentionTable, attention)

#endif
