/* SPDX-License-Identifier: Apache-2.0 */
/* Walks a program: runs partitions by their plans, nodes that depend on data by their references, and nodes
 * on values of any kind, which may run bodies. */
#ifndef RUN_INTERPRETER_H
#define RUN_INTERPRETER_H

#include "run/session.h"

/* The values that one run of a program, or of a body, hands from item to item.  All are from the session's
 * pool. */
typedef struct Frame {
    const Program *program;
    RunValue **cells; /* by cell; NULL: not there yet, or not any more */
} Frame;

Status frame_open(strider_session *session, const Program *program, Frame *frame, Error *err) MUST_CHECK;
/* Releases all values. */
void frame_close(strider_session *session, Frame *frame);

/* Puts the session's inputs into the frame of the program that was chosen. */
void frame_enter(strider_session *session, Frame *frame);

/* Runs a program whose inputs are in the frame's cells.  Its outputs are there afterwards; what nobody reads
 * any more is not.  A trace is kept of the chosen program. */
Status interpret(strider_session *session, Frame *frame, Error *err) MUST_CHECK;
/* Plans what can be planned before data is there: the first partition of the chosen program, whose inputs'
 * types are those of session->inputs. */
Status interpret_nothing(strider_session *session, Error *err) MUST_CHECK;

/* The memory of a constant as it can be read: aligned. */
Status session_constant(strider_session *session, const Value *value, Tensor *view, Error *err) MUST_CHECK;

#endif
