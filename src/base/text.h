/* SPDX-License-Identifier: Apache-2.0 */
/* What files say, shown: names, paths and headers must not reach a terminal or a log as they are, where
 * control characters act and a newline begins a line of its own. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdarg.h>
#include <stddef.h>

#include "base/status.h"

/* Writes `text` with what is not plain text made visible: control characters and bytes that are not UTF-8 as
 * \x1b, characters that break lines or turn the direction of writing as \u202e.  Cut to `size` bytes with the
 * NUL after them, never inside of a character or an escape.  What is escaped already stays as it is.
 * Returns the bytes of the whole, as snprintf() does. */
size_t text_escape(char *to, size_t size, const char *text);

/* The length of `text`, at most `max_bytes` and then without the beginning of a last character. */
size_t text_cut(const char *text, size_t max_bytes);

/* snprintf() whose %s and %c are escaped so, and cut so.  In \"%s\" a quote and a backslash get a backslash
 * before them, too: a name cannot end its own quotes.  Widths and precisions of %s count columns. */
int text_format(char *to, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);
int text_vformat(char *to, size_t size, const char *format, va_list args);

#endif
