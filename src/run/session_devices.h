/* SPDX-License-Identifier: Apache-2.0 */
/* A session's devices, and what is done where their memory does not suffice. */
#ifndef RUN_SESSION_DEVICES_H
#define RUN_SESSION_DEVICES_H

#include "run/session.h"

/* As session->options ask. */
Status session_open_devices(strider_session *session, Error *err) MUST_CHECK;
/* All but the host, with their memory; no plan may be left that uses them. */
void session_close_devices(strider_session *session);
/* As session_bind(), but tries smaller workspaces where a device's memory does not suffice, and then the host
 * alone where the caller left the choice of the device to us. */
Status session_bind_on_devices(strider_session *session, const PlanKey *key, Binding **binding,
                               Error *err) MUST_CHECK;
/* Where the memory of the device did not suffice, as `err` says, and the caller left the choice to us: goes
 * on with the host alone, all plans are dropped.  False: nothing has changed. */
bool session_leave_device(strider_session *session, const Error *err);

#endif
