/* SPDX-License-Identifier: Apache-2.0 */
/* Making and passing on errors. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include "strider/status.h"

typedef strider_status Status;
typedef strider_error Error;

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, args_at) __attribute__((format(printf, format_at, args_at)))

/* Passes a failure up. */
#define TRY(expression)                                                                                      \
    do {                                                                                                     \
        Status try_status = (expression);                                                                    \
        if (try_status != STRIDER_OK)                                                                        \
            return try_status;                                                                               \
    } while (0)

/* The one way to make an error: fills `err` (which may be NULL) and returns `status`.  Strings are escaped as
 * base/text.h says; a name from a file stands as \"%s\" in the format, so that it cannot end its quotes. */
Status fail(Error *err, Status status, const char *format, ...) PRINTF_LIKE(3, 4);

/* The same with a place in the file. */
Status fail_at(Error *err, Status status, int64_t byte_offset, const char *format, ...) PRINTF_LIKE(4, 5);

/* "out of memory: N bytes for WHAT". */
Status fail_memory(Error *err, uint64_t size_bytes, const char *what);

/* Puts where it happened before the message of an error, with ": " between, as long as both have room: what
 * is nearest to the cause is kept.  Returns `status`. */
Status error_within(Error *err, Status status, const char *format, ...) PRINTF_LIKE(3, 4);

/* Which node an error is about; NULL: none. */
void error_name_node(Error *err, const char *node, const char *op);

#endif
