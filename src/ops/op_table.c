/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/op.h"

#include <string.h>

#define OP(NAME, ROW) OP_ROW(ROW)
#define OP_ROW(ROW) extern const Op ROW;
#include "ops/op_list.inc"
#undef OP_ROW

static const Op *const table[] = {
#define OP_ROW(ROW) &ROW,
#include "ops/op_list.inc"
#undef OP_ROW
#undef OP
    NULL,
};

const Op *const *op_table(size_t *count) {
    *count = sizeof table / sizeof *table - 1;
    return table;
}

static bool matches(const Op *op, const char *domain, const char *name) {
    const char *wanted = strcmp(domain, "ai.onnx") == 0 ? "" : domain;
    return strcmp(op->name, name) == 0 && strcmp(op->domain ? op->domain : "", wanted) == 0;
}

const Op *op_find(const char *domain, const char *name, int64_t opset) {
    const Op *found = NULL;
    for (size_t i = 0; table[i]; i++)
        if (matches(table[i], domain, name) && table[i]->since <= opset &&
            (!found || found->since < table[i]->since))
            found = table[i];
    return found;
}

bool op_exists(const char *domain, const char *name) {
    for (size_t i = 0; table[i]; i++)
        if (matches(table[i], domain, name))
            return true;
    return false;
}
