/* SPDX-License-Identifier: Apache-2.0 */
/* A number for each operator, whatever the version: OP_Conv, OP_MatMul. */
#ifndef OPS_OP_KIND_H
#define OPS_OP_KIND_H

typedef enum OpKind {
    OP_NONE,
#define OP(NAME, ROW) OP_##NAME,
#define OP_ROW(ROW)
#include "ops/op_list.inc"
#undef OP_ROW
#undef OP
    OP_KINDS
} OpKind;

/* For a row: its kind, and its name in models. */
#define OP_NAMED(NAME) .kind = OP_##NAME, .name = #NAME

#endif
