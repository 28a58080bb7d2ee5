/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>

#include "base/text.h"

void log_warning(const Log *log, const char *format, ...) {
    if (!log || !log->write)
        return;
    char message[640];
    va_list args;
    va_start(args, format);
    text_vformat(message, sizeof message, format, args);
    va_end(args);
    log->write(log->context, STRIDER_LOG_WARNING, message);
}
