/* SPDX-License-Identifier: Apache-2.0 */
/* What lies behind a node whose output shape depends on data: it is planned when the data is there, in each
 * run anew. */
#ifndef RUN_DYNAMIC_H
#define RUN_DYNAMIC_H

#include "run/session.h"

/* Runs the rest of the graph, from where session->current ends; nothing where that is the graph's end. */
Status dynamic_run(strider_session *session, Error *err) MUST_CHECK;
/* Frees what the last dynamic_run() made. */
void dynamic_reset(strider_session *session);

#endif
