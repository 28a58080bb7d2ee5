/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

strider_status tool_fail(strider_error *error, strider_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    *error = (strider_error){.status = status, .byte_offset = -1};
    text_vformat(error->message, sizeof error->message, format, args);
    va_end(args);
    return status;
}

/* --- reading --- */

static strider_status read_all(int descriptor, unsigned char *data, size_t size, strider_error *error) {
    enum { MAX_AT_ONCE = 1 << 30 };
    for (size_t at = 0; at < size;) {
        const size_t left = size - at;
        const ssize_t got = read(descriptor, data + at, left < MAX_AT_ONCE ? left : MAX_AT_ONCE);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return tool_fail(error, STRIDER_FILE_ERROR, "cannot be read: %s", strerror(errno));
        if (got == 0)
            return tool_fail(error, STRIDER_FILE_ERROR, "the file ends after %zu of its %zu bytes", at, size);
        at += (size_t)got;
    }
    return STRIDER_OK;
}

strider_status read_whole(const char *path, uint64_t max_bytes, unsigned char **data, size_t *size,
                          strider_error *error) {
    struct stat info;
    *data = NULL;
    *size = 0;
    /* O_NONBLOCK: opening a FIFO must not wait for a writer. */
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return tool_fail(error, STRIDER_FILE_ERROR, "%s", strerror(errno));
    strider_status status = STRIDER_OK;
    if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode))
        status = tool_fail(error, STRIDER_FILE_ERROR, "not a regular file");
    else if ((uint64_t)info.st_size > max_bytes)
        status =
            tool_fail(error, STRIDER_LIMIT_EXCEEDED, "the file has %llu bytes, more than the limit of %llu",
                      (unsigned long long)info.st_size, (unsigned long long)max_bytes);
    *size = status ? 0 : (size_t)info.st_size;
    if (!status && !(*data = malloc(*size + 1)))
        status = tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory: %zu bytes for a file", *size);
    if (!status)
        status = read_all(descriptor, *data, *size, error);
    if (!status)
        (*data)[*size] = '\0';
    close(descriptor);
    if (status) {
        free(*data);
        *data = NULL;
    }
    return status;
}

/* --- writing --- */

void bytes_put(Bytes *bytes, const void *data, size_t size) {
    if (bytes->failed || !size)
        return;
    if (bytes->capacity - bytes->size < size) {
        size_t capacity = bytes->capacity * 2 + size;
        unsigned char *grown = realloc(bytes->data, capacity);
        if (!grown) {
            bytes->failed = true;
            return;
        }
        bytes->data = grown;
        bytes->capacity = capacity;
    }
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

void bytes_put_le(Bytes *bytes, uint64_t value, int size) {
    unsigned char le[8];
    for (int i = 0; i < size; i++)
        le[i] = (unsigned char)(value >> (8 * i));
    bytes_put(bytes, le, (size_t)size);
}

strider_status bytes_write(Bytes *bytes, const char *path, strider_error *error) {
    char *beside = NULL;
    strider_status status = STRIDER_OK;
    if (bytes->failed || asprintf(&beside, "%s.%ld.tmp", path, (long)getpid()) < 0) {
        free(bytes->data);
        return tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
    }
    FILE *file = fopen(beside, "wb");
    bool written = file && fwrite(bytes->data, 1, bytes->size, file) == bytes->size;
    if (file && fclose(file) != 0)
        written = false;
    if (!written || rename(beside, path) != 0) {
        status = tool_fail(error, STRIDER_FILE_ERROR, "cannot write \"%s\": %s", path, strerror(errno));
        remove(beside);
    }
    free(beside);
    free(bytes->data);
    *bytes = (Bytes){0};
    return status;
}
