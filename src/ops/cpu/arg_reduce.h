/* SPDX-License-Identifier: Apache-2.0 */
/* ArgMax and ArgMin: what the preparation hands to the templates. */
#ifndef OPS_CPU_ARG_REDUCE_H
#define OPS_CPU_ARG_REDUCE_H

#include "ops/cpu/cpu.h"

enum { ARG_COLUMNS = 256 }; /* at most, of one call */

typedef enum ArgType { ARG_F32, ARG_F64, ARG_I64, ARG_TYPES } ArgType;

/* Rows [0, rows) of `columns` elements, `stride` elements apart: which row has the best of each column. */
typedef struct ArgColumns {
    const void *x;
    int64_t stride, rows, columns;
    int64_t *out;
    bool is_min, takes_last; /* of equals */
} ArgColumns;

typedef struct ArgTable {
    void (*columns[ARG_TYPES])(const ArgColumns *columns);
    void (*rows[ARG_TYPES])(const ArgColumns *columns); /* one column, whose rows lie together */
} ArgTable;

TARGET_TABLES(ArgTable, arg_reduce)

#endif
