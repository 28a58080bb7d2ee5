/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files that read patterns share. */
#ifndef OPS_TEXT_REGEX_PARSER_H
#define OPS_TEXT_REGEX_PARSER_H

#include "ops/text/regex.h"

typedef struct RegexFlags {
    bool any_case, dot_takes_newline, lines;
} RegexFlags;

typedef struct RegexParser {
    const char *pattern, *at;
    Region *region;
    RegexFlags flags;
    int depth;    /* of groups */
    bool literal; /* between \Q and \E */
    Error *err;
} RegexParser;

/* A named set: pairs of a first and a last character. */
typedef struct RegexClass {
    const char *name, *ranges;
} RegexClass;

#define pattern_fail(p, status, what)                                                                        \
    fail((p)->err, status, "pattern \"%.100s\" at byte %td: " what, (p)->pattern, (p)->at - (p)->pattern)

Status regex_new_node(RegexParser *p, RegexKind kind, RegexNode **node) MUST_CHECK;
Status regex_add_range(RegexParser *p, RegexNode *set, uint32_t first, uint32_t last) MUST_CHECK;
/* With (?i) also what the range's letters are in the other case. */
Status regex_add_letters(RegexParser *p, RegexNode *set, uint32_t first, uint32_t last) MUST_CHECK;
Status regex_add_class(RegexParser *p, RegexNode *set, const RegexClass *class, bool negated) MUST_CHECK;
/* The class of an escape (d, D and so on), whose letter is next; NULL where it is none of these. */
const RegexClass *regex_perl_class(const RegexParser *p, bool *negated);
Status regex_next_code(RegexParser *p, uint32_t *code) MUST_CHECK;
/* The one character that an escape means, after its backslash. */
Status regex_escaped_code(RegexParser *p, uint32_t *code) MUST_CHECK;
/* A number of up to `most` digits. */
uint32_t regex_read_digits(RegexParser *p, int base, int most);
/* From [ to ]. */
Status regex_parse_class(RegexParser *p, RegexNode **node) MUST_CHECK;

#endif
