/* SPDX-License-Identifier: Apache-2.0 */
#include "run/frame.h"

Status frame_open(Frame *frame, const Program *program, const Allocator *allocator, Error *err) {
    *frame = (Frame){.program = program, .allocator = allocator};
    frame->cells = memory_alloc_zeroed(allocator, (size_t)program->n_cells, sizeof *frame->cells);
    return frame->cells ? STRIDER_OK : fail(err, STRIDER_OUT_OF_MEMORY, "out of memory for a run");
}

static void release(Frame *frame, int cell) {
    run_value_release(frame->cells[cell]);
    frame->cells[cell] = NULL;
}

void frame_close(Frame *frame) {
    for (int cell = 0; frame->cells && cell < frame->program->n_cells; cell++)
        release(frame, cell);
    memory_free(frame->allocator, frame->cells);
    frame->cells = NULL;
}

void frame_set_input(Frame *frame, size_t index, RunValue *value) {
    const int cell = frame->program->inputs[index];
    if (cell == NO_CELL)
        run_value_release(value);
    else
        frame->cells[cell] = value;
}

void frame_let_go(Frame *frame, const ProgramItem *item) {
    for (int i = 0; i < item->n_last_reads; i++)
        release(frame, item->last_reads[i]);
}
