/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_CPU_ROTARY_EMBEDDING_H
#define OPS_CPU_ROTARY_EMBEDDING_H

#include "ops/cpu/cpu.h"
#include "ops/nn/rotary_embedding.h"

/* A task is some rows, of all batches, with all their heads. */
typedef struct RotaryArgs {
    RotaryGeometry g;
    bool interleaved;
    bool has_positions; /* of each row; else the caches lie by row */
    const Node *node;   /* for messages */
    int64_t rows, rows_a_task;
} RotaryArgs;

typedef struct RotaryTable {
    void (*run)(const KernelCall *call, int64_t task);
} RotaryTable;

TARGET_TABLES(RotaryTable, rotary_embedding)

#endif
