/* SPDX-License-Identifier: Apache-2.0 */
/* Finding devices: the CPU, and those that modules bring. */
#ifndef RUN_DEVICES_H
#define RUN_DEVICES_H

#include "ops/device.h"

/* Opens what strider_session_options.device asks for; *device is NULL where that is the CPU alone.
 * INVALID_ARGUMENT or DEVICE_FAILED, OUT_OF_MEMORY. */
Status devices_open(const char *name, const DeviceOptions *options, const Log *log, Device **device,
                    Error *err) MUST_CHECK;

#endif
