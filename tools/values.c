/* SPDX-License-Identifier: Apache-2.0 */
#include "values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/bytes.h"

strider_status value_read(const char *path, strider_value_kind kind, strider_value *value, char *name,
                          size_t name_size, strider_error *error) {
    unsigned char *data;
    size_t size;
    strider_status status = read_whole(path, (uint64_t)16 << 30, &data, &size, error);
    if (status)
        return status;
    status = strider_value_from_onnx(data, size, kind, value, name, name_size, error);
    free(data);
    return status;
}

bool value_is_given(const strider_value *value) {
    return value->kind != STRIDER_TENSOR || value->tensor.dtype != STRIDER_DTYPE_NONE;
}

strider_status value_copy(const strider_value *from, strider_value *to, strider_error *error) {
    *to = (strider_value){.kind = from->kind, .dtype = from->dtype};
    strider_status status = STRIDER_OK;
    if (from->kind == STRIDER_TENSOR)
        return tensor_copy(&from->tensor, &to->tensor, error);
    to->items = calloc(from->count + 1, sizeof *to->items);
    if (!to->items)
        return tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
    for (; !status && to->count < from->count; to->count++)
        status = value_copy(&from->items[to->count], &to->items[to->count], error);
    if (status)
        strider_value_free(to);
    return status;
}

static bool have_same_type(const strider_tensor *a, const strider_tensor *b) {
    return a->dtype == b->dtype && a->rank == b->rank &&
           memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) == 0;
}

static bool have_same_strings(const strider_tensor *a, const strider_tensor *b) {
    const strider_string *first = a->data, *second = b->data;
    for (int64_t i = 0; i < strider_tensor_elements(a); i++)
        if (first[i].size != second[i].size ||
            (first[i].size && memcmp(first[i].data, second[i].data, first[i].size) != 0))
            return false;
    return true;
}

bool value_has_same_bits(const strider_value *a, const strider_value *b) {
    if (a->kind != b->kind || a->count != b->count)
        return false;
    if (a->kind == STRIDER_TENSOR && a->tensor.dtype == STRIDER_STRING)
        return have_same_type(&a->tensor, &b->tensor) && have_same_strings(&a->tensor, &b->tensor);
    if (a->kind == STRIDER_TENSOR) {
        const size_t bytes = have_same_type(&a->tensor, &b->tensor) ? tensor_bytes(&a->tensor) : SIZE_MAX;
        return bytes != SIZE_MAX && (!bytes || memcmp(a->tensor.data, b->tensor.data, bytes) == 0);
    }
    for (size_t i = 0; i < a->count; i++)
        if (!value_has_same_bits(&a->items[i], &b->items[i]))
            return false;
    return true;
}

/* --- comparing --- */

static const char *kind_text(strider_value_kind kind) {
    static const char *const texts[] = {"a tensor", "a sequence", "an optional"};
    return texts[kind];
}

static bool compare_at(const char *place, const strider_value *got, const strider_value *expected,
                       ComparePart compare, void *context, char why[WHY_TEXT]) {
    const char *of = place[0] ? place : "it";
    if (got->kind != expected->kind) {
        snprintf(why, WHY_TEXT, "%s is %s, expected %s", of, kind_text(got->kind), kind_text(expected->kind));
        return false;
    }
    if (got->count != expected->count) {
        snprintf(why, WHY_TEXT, "%s holds %zu values, expected %zu", of, got->count, expected->count);
        return false;
    }
    if (got->kind == STRIDER_TENSOR)
        compare(context, place, &got->tensor, &expected->tensor);
    for (size_t i = 0; i < got->count; i++) {
        char inner[PLACE_TEXT];
        if (got->kind == STRIDER_SEQUENCE)
            snprintf(inner, sizeof inner, "%.40s[%zu]", place, i);
        else
            snprintf(inner, sizeof inner, "%.40s", place);
        if (!compare_at(inner, &got->items[i], &expected->items[i], compare, context, why))
            return false;
    }
    return true;
}

bool value_compare(const strider_value *got, const strider_value *expected, ComparePart compare,
                   void *context, char why[WHY_TEXT]) {
    return compare_at("", got, expected, compare, context, why);
}
