/* SPDX-License-Identifier: Apache-2.0 */
/* Groups, repetitions, sequences and choices. */
#include <string.h>

#include "ops/text/regex_parser.h"

static Status parse_choice(RegexParser *p, RegexNode **node);

/* --- one thing --- */

static Status parse_place(RegexParser *p, RegexPlace place, RegexNode **node) {
    TRY(regex_new_node(p, REGEX_PLACE, node));
    (*node)->place = place;
    p->at++;
    return STRIDER_OK;
}

static Status parse_escape(RegexParser *p, RegexNode **node) {
    bool negated;
    p->at++;
    switch (*p->at) {
    case 'A':
        return parse_place(p, REGEX_TEXT_BEGIN, node);
    case 'z':
        return parse_place(p, REGEX_TEXT_END, node);
    case 'b':
        return parse_place(p, REGEX_WORD_EDGE, node);
    case 'B':
        return parse_place(p, REGEX_NO_WORD_EDGE, node);
    case 'Q':
        p->at++;
        p->literal = true;
        return regex_new_node(p, REGEX_EMPTY, node);
    default:
        break;
    }
    TRY(regex_new_node(p, REGEX_SET, node));
    const RegexClass *class = regex_perl_class(p, &negated);
    if (class) {
        p->at++;
        return regex_add_class(p, *node, class, negated);
    }
    uint32_t code;
    TRY(regex_escaped_code(p, &code));
    return regex_add_letters(p, *node, code, code);
}

static Status parse_character(RegexParser *p, RegexNode **node) {
    uint32_t code;
    TRY(regex_new_node(p, REGEX_SET, node));
    TRY(regex_next_code(p, &code));
    return regex_add_letters(p, *node, code, code);
}

/* After "(?": a name, or flags, which hold up to the group's end; *is_group: something in parentheses
 * follows. */
static Status parse_flags(RegexParser *p, bool *is_group) {
    bool on = true;
    *is_group = true;
    if (*p->at == '<' || (p->at[0] == 'P' && p->at[1] == '<')) {
        const char *end = strchr(p->at, '>');
        if (!end || end == strchr(p->at, '<') + 1)
            return pattern_fail(p, STRIDER_BAD_MODEL, "a group's name without an end");
        p->at = end + 1;
        return STRIDER_OK;
    }
    for (; *p->at != ':' && *p->at != ')'; p->at++)
        switch (*p->at) {
        case '-':
            on = false;
            break;
        case 'i':
            p->flags.any_case = on;
            break;
        case 's':
            p->flags.dot_takes_newline = on;
            break;
        case 'm':
            p->flags.lines = on;
            break;
        case 'U': /* says which of several matches is meant */
            break;
        default:
            return pattern_fail(p, STRIDER_BAD_MODEL, "an unknown kind of group");
        }
    *is_group = *p->at == ':';
    p->at++;
    return STRIDER_OK;
}

static Status parse_group(RegexParser *p, RegexNode **node) {
    const RegexFlags flags = p->flags;
    bool is_group = true;
    p->at++;
    if (*p->at == '?') {
        p->at++;
        TRY(parse_flags(p, &is_group));
    }
    if (!is_group) /* flags for what follows */
        return regex_new_node(p, REGEX_EMPTY, node);
    if (++p->depth > REGEX_MAX_DEPTH)
        return pattern_fail(p, STRIDER_LIMIT_EXCEEDED, "groups are nested too deep");
    TRY(parse_choice(p, node));
    if (*p->at != ')')
        return pattern_fail(p, STRIDER_BAD_MODEL, "a missing )");
    p->at++;
    p->depth--;
    p->flags = flags;
    return STRIDER_OK;
}

static Status parse_any(RegexParser *p, RegexNode **node) {
    TRY(regex_new_node(p, REGEX_SET, node));
    p->at++;
    (*node)->negated = true; /* all but no one, or but the end of a line */
    return p->flags.dot_takes_newline ? STRIDER_OK : regex_add_range(p, *node, '\n', '\n');
}

static Status parse_one(RegexParser *p, RegexNode **node) {
    if (p->literal)
        return parse_character(p, node);
    switch (*p->at) {
    case '(':
        return parse_group(p, node);
    case '[':
        return regex_parse_class(p, node);
    case '.':
        return parse_any(p, node);
    case '^':
        return parse_place(p, p->flags.lines ? REGEX_LINE_BEGIN : REGEX_TEXT_BEGIN, node);
    case '$':
        return parse_place(p, p->flags.lines ? REGEX_LINE_END : REGEX_TEXT_END, node);
    case '\\':
        return parse_escape(p, node);
    case '*':
    case '+':
    case '?':
        return pattern_fail(p, STRIDER_BAD_MODEL, "nothing to repeat");
    default:
        return parse_character(p, node);
    }
}

/* --- repetitions, sequences, choices --- */

/* {n}, {n,} or {n,m}; anything else is a brace. */
static bool read_counts(RegexParser *p, int *min, int *max) {
    const char *begin = p->at++;
    const char *digits = p->at;
    *min = (int)regex_read_digits(p, 10, 9);
    bool is_count = p->at > digits;
    *max = *min;
    if (is_count && *p->at == ',') {
        digits = ++p->at;
        *max = (int)regex_read_digits(p, 10, 9);
        *max = p->at > digits ? *max : -1;
    }
    is_count = is_count && *p->at == '}';
    p->at = is_count ? p->at + 1 : begin;
    return is_count;
}

static bool read_repeat(RegexParser *p, int *min, int *max) {
    if (p->literal || !*p->at)
        return false;
    if (*p->at == '{')
        return read_counts(p, min, max);
    if (!strchr("*+?", *p->at))
        return false;
    *min = *p->at == '+';
    *max = *p->at == '?' ? 1 : -1;
    p->at++;
    return true;
}

static Status parse_repeat(RegexParser *p, RegexNode **node) {
    int min, max;
    if (!read_repeat(p, &min, &max))
        return STRIDER_OK;
    if (min > REGEX_MAX_REPEAT || max > REGEX_MAX_REPEAT || (max >= 0 && max < min))
        return pattern_fail(p, STRIDER_BAD_MODEL, "a repetition of impossible size");
    RegexNode *repeat;
    TRY(regex_new_node(p, REGEX_REPEAT, &repeat));
    repeat->first = *node;
    repeat->min = min;
    repeat->max = max;
    *node = repeat;
    p->at += *p->at == '?'; /* lazy: the same texts match as a whole */
    int again_min, again_max;
    if (read_repeat(p, &again_min, &again_max))
        return pattern_fail(p, STRIDER_BAD_MODEL, "a repetition of a repetition");
    return STRIDER_OK;
}

static bool ends_literal(RegexParser *p) {
    if (!p->literal || p->at[0] != '\\' || p->at[1] != 'E')
        return false;
    p->at += 2;
    p->literal = false;
    return true;
}

static Status parse_sequence(RegexParser *p, RegexNode **node) {
    TRY(regex_new_node(p, REGEX_SEQUENCE, node));
    RegexNode **last = &(*node)->first;
    while (*p->at && (p->literal || (*p->at != '|' && *p->at != ')'))) {
        if (ends_literal(p))
            continue;
        TRY(parse_one(p, last));
        TRY(parse_repeat(p, last));
        last = &(*last)->next;
    }
    return STRIDER_OK;
}

static Status parse_choice(RegexParser *p, RegexNode **node) {
    TRY(regex_new_node(p, REGEX_CHOICE, node));
    RegexNode **last = &(*node)->first;
    TRY(parse_sequence(p, last));
    while (*p->at == '|') {
        p->at++;
        last = &(*last)->next;
        TRY(parse_sequence(p, last));
    }
    return STRIDER_OK;
}

Status regex_parse(const char *pattern, Region *region, RegexNode **node, Error *err) {
    RegexParser parser = {.pattern = pattern, .at = pattern, .region = region, .err = err};
    TRY(parse_choice(&parser, node));
    if (*parser.at)
        return pattern_fail(&parser, STRIDER_BAD_MODEL, "a ) too many");
    return STRIDER_OK;
}
