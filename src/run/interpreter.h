/* SPDX-License-Identifier: Apache-2.0 */
/* Walks a program: runs partitions by their plans, nodes that depend on data by their references, and nodes
 * on values of any kind, which may run bodies. */
#ifndef RUN_INTERPRETER_H
#define RUN_INTERPRETER_H

#include "run/frame.h"
#include "run/session.h"

/* Runs the chosen program on session->inputs.  Its outputs are in the frame afterwards, which the caller
 * closes, also where this fails; what nobody reads any more is not.  A trace is kept. */
Status interpret_chosen(strider_session *session, Frame *frame, Error *err) MUST_CHECK;
/* Plans what can be planned before data is there: the first partition of the chosen program, whose inputs'
 * types are those of session->inputs. */
Status interpret_nothing(strider_session *session, Error *err) MUST_CHECK;

/* The memory of a constant as it can be read: aligned. */
Status session_constant(strider_session *session, const Value *value, Tensor *view, Error *err) MUST_CHECK;

#endif
