/* SPDX-License-Identifier: Apache-2.0 */
/* Reading attributes, for parse(). */
#include <string.h>

#include "ops/op.h"

bool parse_has(const ParseContext *ctx, const char *name) {
    return attrs_find(ctx->attrs, name) != NULL;
}

Status parse_require(ParseContext *ctx, const char *name) {
    return parse_has(ctx, name)
               ? STRIDER_OK
               : parse_fail(ctx, STRIDER_BAD_MODEL, "required attribute %s is missing", name);
}

/* Sets *attr to NULL where the attribute is absent. */
static Status find_kind(ParseContext *ctx, const char *name, AttrKind kind, const Attr **attr) {
    static const char *const kinds[] = {"an int",         "a float",          "a string",
                                        "a list of ints", "a list of floats", "a list of strings",
                                        "a tensor",       "a type",           "something else"};
    *attr = attrs_find(ctx->attrs, name);
    if (*attr && (*attr)->kind != kind)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "attribute %s is %s, must be %s", name,
                          kinds[(*attr)->kind], kinds[kind]);
    return STRIDER_OK;
}

Status parse_int(ParseContext *ctx, const char *name, int64_t fallback, int64_t *result) {
    const Attr *attr;
    TRY(find_kind(ctx, name, ATTR_INT, &attr));
    *result = attr ? attr->i : fallback;
    return STRIDER_OK;
}

Status parse_bool(ParseContext *ctx, const char *name, bool fallback, bool *result) {
    int64_t value;
    TRY(parse_int(ctx, name, fallback, &value));
    *result = value != 0;
    return STRIDER_OK;
}

Status parse_float(ParseContext *ctx, const char *name, float fallback, float *result) {
    const Attr *attr;
    TRY(find_kind(ctx, name, ATTR_FLOAT, &attr));
    *result = attr ? attr->f : fallback;
    return STRIDER_OK;
}

Status parse_string(ParseContext *ctx, const char *name, const char *fallback, const char **result) {
    const Attr *attr;
    TRY(find_kind(ctx, name, ATTR_STRING, &attr));
    *result = attr ? attr->s : fallback;
    return STRIDER_OK;
}

Status parse_type(ParseContext *ctx, const char *name, ValueType *type) {
    const Attr *attr;
    TRY(find_kind(ctx, name, ATTR_TYPE, &attr));
    if (attr)
        *type = *attr->type;
    return STRIDER_OK;
}

Status parse_enum(ParseContext *ctx, const char *name, const char *const *names, int fallback, int *result) {
    const char *text;
    TRY(parse_string(ctx, name, NULL, &text));
    *result = fallback;
    if (!text)
        return STRIDER_OK;
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], text) == 0) {
            *result = i;
            return STRIDER_OK;
        }
    return parse_fail(ctx, STRIDER_BAD_MODEL, "attribute %s has the unknown value \"%.60s\"", name, text);
}

Status parse_ints(ParseContext *ctx, const char *name, int64_t *values, int capacity, int *count) {
    const Attr *attr;
    TRY(find_kind(ctx, name, ATTR_INTS, &attr));
    *count = -1;
    if (!attr)
        return STRIDER_OK;
    if (attr->count > (size_t)capacity)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "attribute %s has %zu values, at most %d are possible",
                          name, attr->count, capacity);
    if (attr->count)
        memcpy(values, attr->ints, attr->count * sizeof *values);
    *count = (int)attr->count;
    return STRIDER_OK;
}

Status parse_floats(ParseContext *ctx, const char *name, const float **values, int64_t *count) {
    const Attr *attr;
    TRY(find_kind(ctx, name, ATTR_FLOATS, &attr));
    *values = attr ? attr->floats : NULL;
    *count = attr ? (int64_t)attr->count : -1;
    return STRIDER_OK;
}

Status parse_strings(ParseContext *ctx, const char *name, const char *const **values, int64_t *count) {
    const Attr *attr;
    TRY(find_kind(ctx, name, ATTR_STRINGS, &attr));
    *values = attr ? attr->strings : NULL;
    *count = attr ? (int64_t)attr->count : -1;
    return STRIDER_OK;
}
