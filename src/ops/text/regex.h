/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions in the syntax of RE2, without its Unicode classes (\pN); letters beyond ASCII keep
 * their case under
 * (?i).  A pattern becomes a program of a nondeterministic automaton, all of whose states are followed at
 * once, so that matching takes time in proportion to the text and the program (Thompson, 1968). */
#ifndef OPS_TEXT_REGEX_H
#define OPS_TEXT_REGEX_H

#include "base/size.h"
#include "tensor/tensor.h"

enum { REGEX_MAX_INSTRUCTIONS = 10000, REGEX_MAX_DEPTH = 200, REGEX_MAX_REPEAT = 1000 };

typedef struct RegexRange {
    uint32_t first, last;
} RegexRange;

typedef enum RegexPlace {
    REGEX_TEXT_BEGIN,
    REGEX_TEXT_END,
    REGEX_LINE_BEGIN,
    REGEX_LINE_END,
    REGEX_WORD_EDGE,
    REGEX_NO_WORD_EDGE
} RegexPlace;

/* --- what a pattern says --- */

typedef enum RegexKind {
    REGEX_EMPTY,
    REGEX_SET,
    REGEX_PLACE,
    REGEX_SEQUENCE,
    REGEX_CHOICE,
    REGEX_REPEAT
} RegexKind;

typedef struct RegexNode {
    RegexKind kind;
    struct RegexNode *first, *next; /* its parts, and the next part of what it is a part of */
    RegexRange *ranges;             /* of a set */
    size_t n_ranges, capacity;
    bool negated;
    RegexPlace place;
    int min, max; /* of a repetition; max -1: any number */
} RegexNode;

/* BAD_MODEL where the pattern is none, UNSUPPORTED where it is one that this does not know. */
Status regex_parse(const char *pattern, Region *region, RegexNode **node, Error *err) MUST_CHECK;

/* --- programs --- */

typedef enum RegexCode { REGEX_TAKE, REGEX_CHECK, REGEX_SPLIT, REGEX_MATCH } RegexCode;

typedef struct RegexInstruction {
    RegexCode code;
    int next, other;       /* where it goes on; a split goes both ways */
    const RegexNode *node; /* the set, or the place */
} RegexInstruction;

typedef struct Regex {
    RegexInstruction *instructions;
    int count, start;
} Regex;

Status regex_compile(const char *pattern, Region *region, Regex *regex, Error *err) MUST_CHECK;
/* What regex_matches() needs. */
Bytes regex_scratch_bytes(const Regex *regex);
/* Whether all of the text is what the pattern says. */
bool regex_matches(const Regex *regex, String text, void *scratch);

#endif
