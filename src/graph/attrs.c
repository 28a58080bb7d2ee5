/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/attrs.h"

#include <string.h>

const Attr *attrs_find(const AttrList *attrs, const char *name) {
    for (size_t i = 0; i < attrs->count; i++)
        if (strcmp(attrs->items[i].name, name) == 0) {
            if (attrs->items[i].asked)
                *attrs->items[i].asked = true;
            return &attrs->items[i];
        }
    return NULL;
}
