/* SPDX-License-Identifier: Apache-2.0 */
/* The plans that a session holds, ready to run in its memory. */
#ifndef RUN_SESSION_BINDINGS_H
#define RUN_SESSION_BINDINGS_H

#include "run/session.h"

/* The binding for the key's types, with the memory that its plan needs and its addresses resolved: one that
 * is there, or a new one.  Where a new one does not fit into the limit, those that were used longest ago go
 * first.  LIMIT_EXCEEDED where it does not fit even then, or what plan_make() returns. */
Status session_bind(strider_session *session, const PlanKey *key, Binding **binding, Error *err) MUST_CHECK;
/* Drops one binding, or all; the trace loses what it has of them. */
void session_drop_binding(strider_session *session, Binding *binding);
void session_drop_bindings(strider_session *session);

#endif
