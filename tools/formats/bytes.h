/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files as bytes in memory, and how what goes wrong with them is told. */
#ifndef TOOLS_FORMATS_BYTES_H
#define TOOLS_FORMATS_BYTES_H

#include <stdbool.h>
#include <stddef.h>

#include "strider/strider.h"

/* Fills `error` and returns `status`. */
strider_status tool_fail(strider_error *error, strider_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A regular file of at most `max_bytes` bytes, with a NUL after them; to be freed. */
strider_status read_whole(const char *path, uint64_t max_bytes, unsigned char **data, size_t *size,
                          strider_error *error);

/* A growing string of bytes. */
typedef struct Bytes {
    unsigned char *data;
    size_t size, capacity;
    bool failed; /* no memory: all later calls do nothing */
} Bytes;

void bytes_put(Bytes *bytes, const void *data, size_t size);
void bytes_put_le(Bytes *bytes, uint64_t value, int size);
/* To a file beside it first, which then takes its place.  Frees them, also after a failure. */
strider_status bytes_write(Bytes *bytes, const char *path, strider_error *error);

#endif
