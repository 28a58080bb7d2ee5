/* SPDX-License-Identifier: Apache-2.0 */
/* What is printed: text from files and from the command line is escaped. */
#include <stdlib.h>

#include "base/text.h"
#include "tool.h"

void tool_vprint(FILE *to, const char *format, va_list args) {
    char few[1024], *text = few;
    const size_t length = (size_t)text_vformat(few, sizeof few, format, args);
    if (length >= sizeof few && (text = malloc(length + 1)))
        text_vformat(text, length + 1, format, args); /* which copies them */
    fputs(text ? text : few, to);
    if (text != few)
        free(text);
}

void tool_print(FILE *to, const char *format, ...) {
    va_list args;
    va_start(args, format);
    tool_vprint(to, format, args);
    va_end(args);
}

json_t *json_text(const char *text) {
    const size_t size = text_escape(NULL, 0, text) + 1;
    char *escaped = malloc(size);
    if (!escaped)
        return NULL;
    text_escape(escaped, size, text);
    json_t *made = json_string(escaped);
    free(escaped);
    return made;
}
