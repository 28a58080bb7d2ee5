/* SPDX-License-Identifier: Apache-2.0 */
/* What tables of steps have in common: columns that are as wide as their longest entry. */
#include <stdio.h>
#include <string.h>

#include "tool.h"

enum { DEVICE, KERNEL, OPERATOR, LAYOUT, SHAPE };

static void take_entries(const strider_step_info *step, char shape[DIMS_TEXT],
                         const char *entries[STEP_COLUMNS]) {
    entries[DEVICE] = step->device;
    entries[KERNEL] = step->kernel;
    entries[OPERATOR] = step->op_type ? step->op_type : "";
    entries[LAYOUT] = step->layout;
    entries[SHAPE] = dims_text(step->output.rank, step->output.dims, shape);
}

static void widen(StepColumns *columns, const char *const entries[STEP_COLUMNS]) {
    for (int i = columns->with_device ? DEVICE : KERNEL; i < STEP_COLUMNS; i++)
        if ((int)strlen(entries[i]) > columns->widths[i])
            columns->widths[i] = (int)strlen(entries[i]);
}

static void print(const StepColumns *columns, const char *const entries[STEP_COLUMNS]) {
    for (int i = columns->with_device ? DEVICE : KERNEL; i < STEP_COLUMNS; i++)
        tool_print(stdout, "%-*s  ", columns->widths[i], entries[i]);
}

static const char *const titles[STEP_COLUMNS] = {"device", "kernel", "operator", "layout", "shape"};

StepColumns step_columns(const strider_session *session, bool with_device) {
    StepColumns columns = {.with_device = with_device};
    strider_step_info step;
    const char *entries[STEP_COLUMNS];
    char shape[DIMS_TEXT];
    widen(&columns, titles);
    for (size_t i = 0; strider_session_get_step(session, i, &step) == STRIDER_OK; i++) {
        take_entries(&step, shape, entries);
        widen(&columns, entries);
    }
    return columns;
}

void step_columns_title(const StepColumns *columns) {
    print(columns, titles);
}

void step_columns_print(const StepColumns *columns, const strider_step_info *step) {
    const char *entries[STEP_COLUMNS];
    char shape[DIMS_TEXT];
    take_entries(step, shape, entries);
    print(columns, entries);
}
