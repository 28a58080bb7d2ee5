/* SPDX-License-Identifier: Apache-2.0 */
/* A node's attributes as a model states them, before the operator turns them into its own struct. */
#ifndef GRAPH_ATTRS_H
#define GRAPH_ATTRS_H

#include "graph/value_type.h"

typedef enum AttrKind {
    ATTR_INT,
    ATTR_FLOAT,
    ATTR_STRING,
    ATTR_INTS,
    ATTR_FLOATS,
    ATTR_STRINGS,
    ATTR_TENSOR,
    ATTR_TYPE,
    ATTR_OTHER /* graphs and the like: known to be there, with no contents */
} AttrKind;

typedef struct Attr {
    const char *name;
    AttrKind kind;
    int64_t i;
    float f;
    const char *s; /* NUL-terminated; `count` bytes long for ATTR_STRING */
    size_t count;  /* of ints, floats, strings; the length of s */
    const int64_t *ints;
    const float *floats;
    const char *const *strings;
    const Tensor *tensor;
    const ValueType *type;
    bool *asked; /* set where attrs_find() finds it; NULL: nobody wants to know */
} Attr;

typedef struct AttrList {
    const Attr *items;
    size_t count;
} AttrList;

/* The attribute of that name, or NULL. */
const Attr *attrs_find(const AttrList *attrs, const char *name);

#endif
