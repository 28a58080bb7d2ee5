/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of elements from one data type to another, as Cast has it. */
#ifndef OPS_CPU_CONVERT_H
#define OPS_CPU_CONVERT_H

#include "ops/cpu/cpu.h"

typedef void (*ConvertFunction)(const void *from, void *to, int64_t count);

typedef struct ConvertTable {
    ConvertFunction rows[STRIDER_DTYPE_COUNT]
                        [STRIDER_DTYPE_COUNT]; /* [from][to]; NULL where they are the same
                                                  type, or one of them has no kernel */
} ConvertTable;

TARGET_TABLES(ConvertTable, convert)

/* Whether rows of the type can be converted from and to any other such. */
bool convert_knows(DType dtype);

#endif
