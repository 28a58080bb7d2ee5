/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to the user of the library; nothing is printed by itself. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/status.h"
#include "strider/model.h"

typedef struct Log {
    void (*write)(void *context, strider_log_level level, const char *message);
    void *context;
} Log;

/* `log` may be NULL.  Strings are escaped as in fail(). */
void log_warning(const Log *log, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
