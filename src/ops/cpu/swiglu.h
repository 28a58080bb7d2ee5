/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_CPU_SWIGLU_H
#define OPS_CPU_SWIGLU_H

#include "ops/cpu/cpu.h"

typedef struct SwigluArgs {
    float alpha;
    int64_t floats, task_floats; /* all, with padding lanes, which stay zero; of one task */
} SwigluArgs;

typedef struct SwigluTable {
    void (*run)(const KernelCall *call, int64_t task);
} SwigluTable;

TARGET_TABLES(SwigluTable, swiglu)

#endif
