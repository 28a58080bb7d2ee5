/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of elements of any data type, with broadcasting: what the preparation hands to the templates. */
#ifndef OPS_CPU_MAP_H
#define OPS_CPU_MAP_H

#include "ops/cpu/convert.h"
#include "ops/cpu/elementwise.h"

/* What functions compute in; rows of other types are converted before and after. */
typedef enum MapType { MAP_F32, MAP_F64, MAP_I32, MAP_I64, MAP_U8, MAP_TYPES } MapType;

/* One row: out[i] = f(a[i], b[i]).  `out` may be `a` or `b`. */
typedef struct MapRow {
    const void *a, *b;
    void *out;
    int64_t count;
    bool a_same, b_same;            /* one element for the whole row */
    float alpha, beta;              /* of a function of one element */
    int bits;                       /* of the tensors' type: shifts */
    bool flag;                      /* Mod: fmod; BitShift: to the right */
    const unsigned char *condition; /* Where */
    bool condition_same;
} MapRow;

typedef void (*MapFunction)(const MapRow *row);

typedef struct MapTable {
    /* NULL where a kind has none for a type.  What compares, and what tests an element, gives bools. */
    MapFunction binary[BINARY_COUNT][MAP_TYPES], unary[UNARY_COUNT][MAP_TYPES];
    MapFunction clip_low[MAP_TYPES], clip_high[MAP_TYPES]; /* b is the bound */
    MapFunction where[4];                                  /* of elements of 2^i bytes */
} MapTable;

TARGET_TABLES(MapTable, map)

/* --- the kernels that run them: map_run.c --- */

typedef struct MapOperand {
    size_t size;             /* of an element */
    ConvertFunction convert; /* to the type that is computed in; NULL: it has that */
    int64_t strides[MAX_RANK];
} MapOperand;

typedef struct MapArgs {
    int n_outer; /* dimensions outside the row, whose strides stand at this index */
    int64_t dims[MAX_RANK];
    int64_t row, row_chunks, n_chunks, chunks_a_task;
    int n_operands;
    MapOperand *operands;
    MapFunction function, low, high; /* of a Clip: the bounds that are there */
    RowFunction row_function;        /* instead, of float32 */
    int width;
    MapRow of_all;           /* what is the same for all rows */
    double divisor;          /* of a mean; else 0 */
    ConvertFunction convert; /* from what was computed; NULL: it is the output's type */
    size_t out_size;
} MapArgs;

/* Zeroed but for all that follows from the operands; `work` is what is computed in, MAP_TYPES where operands
 * are taken as they are. */
Status map_prepare_rows(const KernelQuery *query, MapType work, PrepareContext *ctx,
                        MapArgs **result) MUST_CHECK;
/* What runs a chunk: one operand, any number of them one after the other, Clip, Where. */
typedef enum MapForm { MAP_UNARY, MAP_FOLD, MAP_CLIP, MAP_WHERE, MAP_FORMS } MapForm;
KernelInstance map_instance(const MapArgs *args, MapForm form);
/* The data type of what is computed in. */
DType map_dtype(MapType work);

#endif
