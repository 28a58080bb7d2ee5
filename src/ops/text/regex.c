/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/text/regex.h"

#include "ops/text/utf8.h"

/* --- compiling: each node is put before what follows it --- */

typedef struct Compiler {
    Region *region;
    Regex *regex;
    size_t capacity;
    int steps; /* nodes that were compiled, each as often as it is repeated */
    Error *err;
} Compiler;

static Status add(Compiler *c, RegexInstruction instruction, int *at) {
    Regex *regex = c->regex;
    if (regex->count == REGEX_MAX_INSTRUCTIONS)
        return fail(c->err, STRIDER_LIMIT_EXCEEDED, "the pattern has more than %d states",
                    REGEX_MAX_INSTRUCTIONS);
    if (!region_grow(c->region, &regex->instructions, (size_t)regex->count, &c->capacity,
                     sizeof *regex->instructions))
        return fail(c->err, STRIDER_OUT_OF_MEMORY, "no memory for a pattern");
    *at = regex->count;
    regex->instructions[regex->count++] = instruction;
    return STRIDER_OK;
}

static Status compile(Compiler *c, const RegexNode *node, int next, int *start);

static Status compile_sequence(Compiler *c, const RegexNode *part, int next, int *start) {
    const RegexNode **parts;
    size_t count = 0;
    for (const RegexNode *p = part; p; p = p->next)
        count++;
    parts = region_alloc_array(c->region, count, sizeof *parts);
    if (!parts)
        return fail(c->err, STRIDER_OUT_OF_MEMORY, "no memory for a pattern");
    for (size_t i = 0; i < count; i++, part = part->next)
        parts[i] = part;
    *start = next;
    for (size_t i = count; i > 0; i--)
        TRY(compile(c, parts[i - 1], *start, start));
    return STRIDER_OK;
}

static Status compile_choice(Compiler *c, const RegexNode *part, int next, int *start) {
    TRY(compile(c, part, next, start));
    for (part = part->next; part; part = part->next) {
        int other = 0;
        TRY(compile(c, part, next, &other));
        TRY(add(c, (RegexInstruction){.code = REGEX_SPLIT, .next = *start, .other = other}, start));
    }
    return STRIDER_OK;
}

static Status compile_repeat(Compiler *c, const RegexNode *node, int next, int *start) {
    *start = next;
    if (node->max < 0) {
        int split = 0, body = 0;
        TRY(add(c, (RegexInstruction){.code = REGEX_SPLIT, .other = next}, &split));
        TRY(compile(c, node->first, split, &body));
        c->regex->instructions[split].next = body;
        *start = split;
    }
    for (int i = node->min; i < node->max; i++) {
        int body = 0;
        TRY(compile(c, node->first, *start, &body));
        TRY(add(c, (RegexInstruction){.code = REGEX_SPLIT, .next = body, .other = next}, start));
    }
    for (int i = 0; i < node->min; i++)
        TRY(compile(c, node->first, *start, start));
    return STRIDER_OK;
}

static Status compile(Compiler *c, const RegexNode *node, int next, int *start) {
    enum { MAX_STEPS = 16 * REGEX_MAX_INSTRUCTIONS }; /* what repeats nothing has no states */
    if (++c->steps > MAX_STEPS)
        return fail(c->err, STRIDER_LIMIT_EXCEEDED, "the pattern repeats too much");
    switch (node->kind) {
    case REGEX_EMPTY:
        *start = next;
        return STRIDER_OK;
    case REGEX_SET:
        return add(c, (RegexInstruction){.code = REGEX_TAKE, .next = next, .node = node}, start);
    case REGEX_PLACE:
        return add(c, (RegexInstruction){.code = REGEX_CHECK, .next = next, .node = node}, start);
    case REGEX_SEQUENCE:
        return compile_sequence(c, node->first, next, start);
    case REGEX_CHOICE:
        return compile_choice(c, node->first, next, start);
    case REGEX_REPEAT:
        return compile_repeat(c, node, next, start);
    }
    return STRIDER_OK;
}

Status regex_compile(const char *pattern, Region *region, Regex *regex, Error *err) {
    Compiler compiler = {.region = region, .regex = regex, .err = err};
    RegexNode *node;
    int end = 0;
    *regex = (Regex){0};
    TRY(regex_parse(pattern, region, &node, err));
    TRY(add(&compiler, (RegexInstruction){.code = REGEX_MATCH}, &end));
    return compile(&compiler, node, end, &regex->start);
}

/* --- matching --- */

/* The states before a code point, in `list`; which of all are among them is told by `marks`. */
typedef struct States {
    int *list, count;
} States;

typedef struct Matcher {
    const Regex *regex;
    String text;
    size_t at; /* in the text */
    int *marks, *stack, generation;
} Matcher;

Bytes regex_scratch_bytes(const Regex *regex) {
    return bytes_of(sizeof(int), 5,
                    regex->count); /* two lists, marks, and a stack that splits may fill twice */
}

static bool is_word(const Matcher *m, size_t at, bool before) {
    if (before ? at == 0 : at == m->text.size)
        return false;
    const char c = m->text.data[before ? at - 1 : at];
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_at(const Matcher *m, RegexPlace place) {
    const size_t at = m->at, size = m->text.size;
    const bool edge = is_word(m, at, true) != is_word(m, at, false);
    switch (place) {
    case REGEX_TEXT_BEGIN:
        return at == 0;
    case REGEX_TEXT_END:
        return at == size;
    case REGEX_LINE_BEGIN:
        return at == 0 || m->text.data[at - 1] == '\n';
    case REGEX_LINE_END:
        return at == size || m->text.data[at] == '\n';
    case REGEX_WORD_EDGE:
        return edge;
    case REGEX_NO_WORD_EDGE:
        return !edge;
    }
    return false;
}

/* Adds a state and all that are reached from it without a code point. */
static void reach(Matcher *m, States *states, int start) {
    int depth = 0;
    m->stack[depth++] = start;
    while (depth) {
        const int at = m->stack[--depth];
        const RegexInstruction *instruction = &m->regex->instructions[at];
        if (m->marks[at] == m->generation)
            continue;
        m->marks[at] = m->generation;
        if (instruction->code == REGEX_SPLIT) {
            m->stack[depth++] = instruction->other;
            m->stack[depth++] = instruction->next;
        } else if (instruction->code != REGEX_CHECK) {
            states->list[states->count++] = at;
        } else if (is_at(m, instruction->node->place)) {
            m->stack[depth++] = instruction->next;
        }
    }
}

/* What is no UTF-8 is in no set. */
static bool is_in_set(const RegexNode *set, uint32_t code) {
    bool found = false;
    for (size_t i = 0; i < set->n_ranges && !found; i++)
        found = code >= set->ranges[i].first && code <= set->ranges[i].last;
    return code != UTF8_INVALID && found != set->negated;
}

static void take(Matcher *m, const States *from, States *to, uint32_t code) {
    to->count = 0;
    m->generation++;
    for (int i = 0; i < from->count; i++) {
        const RegexInstruction *instruction = &m->regex->instructions[from->list[i]];
        if (instruction->code == REGEX_TAKE && is_in_set(instruction->node, code))
            reach(m, to, instruction->next);
    }
}

bool regex_matches(const Regex *regex, String text, void *scratch) {
    int *memory = scratch, n = regex->count;
    States now = {memory, 0}, then = {memory + n, 0};
    Matcher matcher = {
        .regex = regex, .text = text, .marks = memory + 2 * n, .stack = memory + 3 * n, .generation = 1};
    memset(matcher.marks, 0, (size_t)n * sizeof *matcher.marks);
    reach(&matcher, &now, regex->start);
    while (matcher.at < text.size && now.count) {
        size_t used;
        const uint32_t code = utf8_decode(text.data + matcher.at, text.size - matcher.at, &used);
        matcher.at += used;
        if (matcher.generation == INT32_MAX - 1) { /* a text of gigabytes */
            memset(matcher.marks, 0, (size_t)n * sizeof *matcher.marks);
            matcher.generation = 0;
        }
        take(&matcher, &now, &then, code);
        const States kept = now;
        now = then;
        then = kept;
    }
    for (int i = 0; i < now.count; i++)
        if (matcher.at == text.size && regex->instructions[now.list[i]].code == REGEX_MATCH)
            return true;
    return false;
}
