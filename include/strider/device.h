/* SPDX-License-Identifier: Apache-2.0 */
/* Devices: what a session can run on. */
#ifndef STRIDER_DEVICE_H
#define STRIDER_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "strider/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A device, or a kind of devices that cannot be used here.  Strings are cut to their buffers. */
typedef struct strider_device_info {
    char name[32];         /* as strider_session_options.device takes it: "cpu", "cuda:0" */
    char description[160]; /* what it is */
    char software[160];    /* the libraries and drivers that it is used through, with their versions */
    uint64_t memory_bytes; /* of its own; 0 where it uses the host's */
    char problem[640];     /* why it cannot be used; "" where it can */
} strider_device_info;

/* Device `index`: 0 is the CPU; the others are looked for anew.  INVALID_ARGUMENT after the last one.
 * Thread safe. */
STRIDER_API strider_status strider_device_get(size_t index, strider_device_info *info);

/* Whether this build knows the kind of device that `name` asks for: "cpu", "auto", or a kind with or without
 * a number after a colon.  It need not be there.  Thread safe. */
STRIDER_API bool strider_device_is_known(const char *name);

#ifdef __cplusplus
}
#endif
#endif
