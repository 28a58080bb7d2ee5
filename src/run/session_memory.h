/* SPDX-License-Identifier: Apache-2.0 */
/* A session's memory: its arenas and the kernels' scratch memory, and the one limit that counts all of it. */
#ifndef RUN_SESSION_MEMORY_H
#define RUN_SESSION_MEMORY_H

#include "run/session.h"

/* The budget that max_memory_bytes asks for, and the allocator, pool and host device that take from it. */
void session_open_budget(strider_session *session);
/* All that the session holds when it can run the plan. */
Bytes session_memory_for(strider_session *session, const Plan *plan);
/* LIMIT_EXCEEDED, with the numbers and the node that wants most. */
Status session_refuse(const strider_session *session, const Plan *plan, uint64_t needed_bytes, Error *err);
/* Makes arenas and scratch memory at least as large as the plan needs. */
Status session_reserve(strider_session *session, const Plan *plan, Error *err) MUST_CHECK;
void session_release_memory(strider_session *session);
/* strider_plan_info.peak_memory_bytes. */
uint64_t session_peak(const strider_session *session);

#endif
