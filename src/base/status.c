/* SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/text.h"

static void fill(Error *err, Status status, int64_t byte_offset, const char *format, va_list args) {
    if (!err)
        return;
    *err = (Error){.status = status, .byte_offset = byte_offset};
    text_vformat(err->message, sizeof err->message, format, args);
}

Status fail(Error *err, Status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fill(err, status, -1, format, args);
    va_end(args);
    return status;
}

Status fail_at(Error *err, Status status, int64_t byte_offset, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fill(err, status, byte_offset, format, args);
    va_end(args);
    return status;
}

Status fail_memory(Error *err, uint64_t size_bytes, const char *what) {
    return fail(err, STRIDER_OUT_OF_MEMORY, "out of memory: %" PRIu64 " bytes for %s", size_bytes, what);
}

Status error_within(Error *err, Status status, const char *format, ...) {
    char place[sizeof err->message];
    va_list args;
    if (!err)
        return status;
    va_start(args, format);
    const size_t length = (size_t)text_vformat(place, sizeof place, format, args) + 2;
    va_end(args);
    const size_t kept = strlen(err->message) + 1;
    if (length + kept > sizeof err->message)
        return status;
    memmove(err->message + length, err->message, kept);
    memcpy(err->message, place, length - 2);
    memcpy(err->message + length - 2, ": ", 2);
    return status;
}

void error_name_node(Error *err, const char *node, const char *op) {
    if (!err)
        return;
    text_escape(err->node, sizeof err->node, node ? node : "");
    text_escape(err->op, sizeof err->op, op ? op : "");
}

size_t strider_escape(const char *text, char *escaped, size_t size) {
    return text_escape(escaped, size, text);
}

const char *strider_status_name(strider_status status) {
    static const char *const names[] = {
        "ok",          "invalid argument", "file error",    "bad model",
        "unsupported", "limit exceeded",   "out of memory", "device failed",
    };
    return (unsigned)status < sizeof names / sizeof *names ? names[status] : "unknown status";
}

const char *strider_version(void) {
    return STRIDER_VERSION;
}
