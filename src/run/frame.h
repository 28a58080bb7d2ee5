/* SPDX-License-Identifier: Apache-2.0 */
/* The values that one run of a program, or of a body, hands from item to item. */
#ifndef RUN_FRAME_H
#define RUN_FRAME_H

#include "graph/partition.h"

typedef struct Frame {
    const Program *program;
    RunValue **cells; /* by cell; NULL: not there yet, or not any more */
    const Allocator *allocator;
} Frame;

Status frame_open(Frame *frame, const Program *program, const Allocator *allocator, Error *err) MUST_CHECK;
/* Releases all values. */
void frame_close(Frame *frame);

/* Puts in an input of the program's graph.  Takes over the caller's reference, which ends at once where
 * nobody reads the input. */
void frame_set_input(Frame *frame, size_t index, RunValue *value);
/* Lets go of what no item reads after this one. */
void frame_let_go(Frame *frame, const ProgramItem *item);

#endif
