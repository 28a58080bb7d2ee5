/* SPDX-License-Identifier: Apache-2.0 */
/* How every call of Strider reports success and failure. */
#ifndef STRIDER_STATUS_H
#define STRIDER_STATUS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library is built with hidden visibility; what carries this mark is its interface. */
#define STRIDER_API __attribute__((visibility("default")))

/* The result of a call.  No call aborts, exits or prints. */
typedef enum strider_status {
    STRIDER_OK = 0,
    STRIDER_INVALID_ARGUMENT, /* the caller passed something that the documentation rules out */
    STRIDER_FILE_ERROR,       /* a file is missing or cannot be read or written */
    STRIDER_BAD_MODEL,        /* a file is malformed, or contradicts itself */
    STRIDER_UNSUPPORTED,      /* well formed, but asks for something that Strider does not have */
    STRIDER_LIMIT_EXCEEDED,   /* asks for more than the limits in strider_load_options allow */
    STRIDER_OUT_OF_MEMORY,
    STRIDER_DEVICE_FAILED
} strider_status;

/* What went wrong, filled by a failing call when the caller passes one; untouched on success.
 * Strings are valid UTF-8, cut to their buffers between characters, and always end in NUL.  What they quote
 * from files is escaped as strider_escape() does, so that each is one line that is safe to print. */
typedef struct strider_error {
    strider_status status;
    int64_t byte_offset; /* in the model file; -1 where it is not known */
    char node[96];       /* the node's name, or "" */
    char op[48];         /* the node's operator, or "" */
    char message[640];   /* one line, without the file's name and without a final full stop */
} strider_error;

/* A short constant name for a status, such as "bad model".  Never NULL.  Thread safe. */
STRIDER_API const char *strider_status_name(strider_status status);

/* Makes a name or another text from a file safe to print: control characters, newlines and bytes that are not
 * UTF-8 become visible escapes such as \x1b, characters that break lines or turn the direction of writing
 * such as \u202e; all else stays.  Messages and logs are escaped already; names that functions of this
 * library hand out are as the file has them.  Writes at most `size` bytes with the NUL (cut between
 * characters) into `escaped`, and returns the bytes that the whole takes without it.  Thread safe. */
STRIDER_API size_t strider_escape(const char *text, char *escaped, size_t size);

/* The library's version, "MAJOR.MINOR.PATCH".  Thread safe. */
STRIDER_API const char *strider_version(void);

#ifdef __cplusplus
}
#endif
#endif
