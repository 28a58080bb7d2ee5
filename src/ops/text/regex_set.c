/* SPDX-License-Identifier: Apache-2.0 */
/* Characters, their escapes, and sets of them. */
#include <string.h>

#include "ops/text/regex_parser.h"
#include "ops/text/utf8.h"

/* --- sets --- */

Status regex_new_node(RegexParser *p, RegexKind kind, RegexNode **node) {
    *node = region_alloc(p->region, sizeof **node);
    if (!*node)
        return fail(p->err, STRIDER_OUT_OF_MEMORY, "no memory for a pattern");
    (*node)->kind = kind;
    return STRIDER_OK;
}

Status regex_add_range(RegexParser *p, RegexNode *set, uint32_t first, uint32_t last) {
    if (!region_grow(p->region, &set->ranges, set->n_ranges, &set->capacity, sizeof *set->ranges))
        return fail(p->err, STRIDER_OUT_OF_MEMORY, "no memory for a pattern");
    set->ranges[set->n_ranges++] = (RegexRange){first, last};
    return STRIDER_OK;
}

/* With (?i) also what the range's letters are in the other case. */
Status regex_add_letters(RegexParser *p, RegexNode *set, uint32_t first, uint32_t last) {
    TRY(regex_add_range(p, set, first, last));
    for (uint32_t c = first; p->flags.any_case && c <= last && c <= 'z'; c++)
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
            TRY(regex_add_range(p, set, c ^ 0x20, c ^ 0x20));
    return STRIDER_OK;
}

static const RegexClass perl_classes[] = {{"d", "09"}, {"s", "\t\n\f\r  "}, {"w", "09AZ__az"}, {NULL, NULL}};

static const RegexClass posix_classes[] = {{"alnum", "09AZaz"},
                                           {"alpha", "AZaz"},
                                           {"ascii", "\001\177"},
                                           {"blank", "\t\t  "},
                                           {"cntrl", "\001\037\177\177"},
                                           {"digit", "09"},
                                           {"graph", "!~"},
                                           {"lower", "az"},
                                           {"print", " ~"},
                                           {"punct", "!/:@[`{~"},
                                           {"space", "\t\r  "},
                                           {"upper", "AZ"},
                                           {"word", "09AZ__az"},
                                           {"xdigit", "09AFaf"},
                                           {NULL, NULL}};

static const RegexClass *find_class(const RegexClass *classes, const char *name, size_t length) {
    for (; classes->name; classes++)
        if (strlen(classes->name) == length && memcmp(classes->name, name, length) == 0)
            return classes;
    return NULL;
}

/* NUL stands in "ascii" and "cntrl", too. */
static bool class_has_nul(const RegexClass *class) {
    return class->ranges[0] == '\001';
}

Status regex_add_class(RegexParser *p, RegexNode *set, const RegexClass *class, bool negated) {
    uint32_t next = 0;
    if (!negated && class_has_nul(class))
        TRY(regex_add_range(p, set, 0, 0));
    for (const char *range = class->ranges; *range; range += 2) {
        const uint32_t first = (unsigned char)range[0], last = (unsigned char)range[1];
        if (!negated)
            TRY(regex_add_letters(p, set, first, last));
        else if (first > next && !(next == 0 && class_has_nul(class)))
            TRY(regex_add_range(p, set, next, first - 1));
        next = last + 1;
    }
    return negated ? regex_add_range(p, set, next, 0x10ffff) : STRIDER_OK;
}

/* --- characters --- */

Status regex_next_code(RegexParser *p, uint32_t *code) {
    size_t used;
    *code = utf8_decode(p->at, strlen(p->at), &used);
    if (*code == UTF8_INVALID)
        return pattern_fail(p, STRIDER_BAD_MODEL, "it is no UTF-8");
    if (*code >= 0x80 && p->flags.any_case)
        return pattern_fail(p, STRIDER_UNSUPPORTED, "letters beyond ASCII in any case are not supported");
    p->at += used;
    return STRIDER_OK;
}

static int digit_value(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : 99;
}

/* Up to `most` digits. */
uint32_t regex_read_digits(RegexParser *p, int base, int most) {
    uint32_t value = 0;
    for (int i = 0; i < most && digit_value(*p->at) < base && value <= 0x10ffff; i++)
        value = value * (uint32_t)base + (uint32_t)digit_value(*p->at++);
    return value;
}

static bool is_letter_or_digit(char c) {
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static Status hexadecimal(RegexParser *p, uint32_t *code) {
    const bool braces = *p->at == '{';
    const char *digits = p->at += braces;
    *code = regex_read_digits(p, 16, braces ? 8 : 2);
    const bool ends = braces ? *p->at == '}' : p->at == digits + 2;
    if (!ends || p->at == digits || *code > 0x10ffff)
        return pattern_fail(p, STRIDER_BAD_MODEL, "no hexadecimal number of a character");
    p->at += braces;
    return STRIDER_OK;
}

Status regex_escaped_code(RegexParser *p, uint32_t *code) {
    static const char letters[] = "aftnrv", codes[] = "\a\f\t\n\r\v";
    const char c = *p->at, *letter = c ? strchr(letters, c) : NULL;
    if (c == '0' || (digit_value(c) < 8 && digit_value(p->at[1]) < 8)) {
        *code = regex_read_digits(p, 8, 3);
        return STRIDER_OK;
    }
    p->at += c != '\0';
    if (c == 'x')
        return hexadecimal(p, code);
    if (c == 'p' || c == 'P' || c == 'C')
        return pattern_fail(p, STRIDER_UNSUPPORTED, "Unicode classes and bytes are not supported");
    if (c == '\0' || (unsigned char)c >= 0x80 || (is_letter_or_digit(c) && !letter))
        return pattern_fail(p, STRIDER_BAD_MODEL, "an unknown escape");
    *code = letter ? (uint32_t)codes[letter - letters] : (unsigned char)c;
    return STRIDER_OK;
}

const RegexClass *regex_perl_class(const RegexParser *p, bool *negated) {
    const char lower = (char)(*p->at | 0x20);
    *negated = *p->at != lower;
    return *p->at ? find_class(perl_classes, &lower, 1) : NULL;
}

/* --- [classes] --- */

/* [:name:]; NULL where there is none. */
static Status posix_class(RegexParser *p, RegexNode *set, bool *found) {
    const char *end = strstr(p->at, ":]");
    *found = false;
    if (p->at[0] != '[' || p->at[1] != ':' || !end)
        return STRIDER_OK;
    const bool negated = p->at[2] == '^';
    const char *name = p->at + 2 + negated;
    const RegexClass *class = name <= end ? find_class(posix_classes, name, (size_t)(end - name)) : NULL;
    if (!class)
        return pattern_fail(p, STRIDER_BAD_MODEL, "an unknown class");
    p->at = end + 2;
    *found = true;
    return regex_add_class(p, set, class, negated);
}

static Status class_code(RegexParser *p, uint32_t *code) {
    if (*p->at != '\\')
        return regex_next_code(p, code);
    p->at++;
    return regex_escaped_code(p, code);
}

static Status class_item(RegexParser *p, RegexNode *set) {
    bool found, negated;
    TRY(posix_class(p, set, &found));
    if (found)
        return STRIDER_OK;
    if (*p->at == '\\') {
        p->at++;
        const RegexClass *class = regex_perl_class(p, &negated);
        p->at -= !class;
        if (class) {
            p->at++;
            return regex_add_class(p, set, class, negated);
        }
    }
    uint32_t first, last;
    TRY(class_code(p, &first));
    last = first;
    if (p->at[0] == '-' && p->at[1] != ']' && p->at[1]) {
        p->at++;
        TRY(class_code(p, &last));
    }
    if (last < first)
        return pattern_fail(p, STRIDER_BAD_MODEL, "a range that ends before it begins");
    return regex_add_letters(p, set, first, last);
}

Status regex_parse_class(RegexParser *p, RegexNode **node) {
    TRY(regex_new_node(p, REGEX_SET, node));
    p->at++;
    (*node)->negated = *p->at == '^';
    p->at += (*node)->negated;
    for (bool first = true; first || *p->at != ']'; first = false) {
        if (!*p->at)
            return pattern_fail(p, STRIDER_BAD_MODEL, "a missing ]");
        TRY(class_item(p, *node));
    }
    p->at++;
    return STRIDER_OK;
}
