/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the loader share while a model is being loaded. */
#ifndef LOADER_LOADING_H
#define LOADER_LOADING_H

#include "graph/attrs.h"
#include "loader/loader.h"
#include "base/names.h"
#include "loader/scan.h"
#include "onnx.pb-c.h"

typedef struct Loading {
    const LoadOptions *options;
    LoadedModel *model;
    Graph *graph;
    Files *files;
    Scan scan;
    Region parsed; /* the reduced message and what protobuf-c makes of it; gone after loading */
    Onnx__ModelProto *proto;
    uint64_t n_nodes;
    Error *err;
} Loading;

/* --- tensors.c: TensorProto to Tensor --- */
DType dtype_from_onnx(int32_t data_type); /* STRIDER_DTYPE_NONE for what is not supported */
const char *dtype_onnx_name(int32_t data_type);
/* Contents stay in the mapped file where the file has them as they are needed, else they are in memory that
 * the tensor owns.  `files` may be NULL where there can be no external data. */
Status load_tensor(const Scan *scan, const File *file, Files *files, const LoadOptions *options,
                   const Allocator *allocator, const Onnx__TensorProto *proto, Tensor *tensor,
                   Error *err) MUST_CHECK;

/* --- attributes.c --- */
/* The attributes that a function call gives to its body. */
typedef struct Bindings {
    const Onnx__AttributeProto *const *items;
    size_t count;
} Bindings;
/* The attribute itself, or what it refers to in the call of the function it stands in; NULL where that was
 * not given. */
const Onnx__AttributeProto *resolve_attribute(const Onnx__AttributeProto *attribute,
                                              const Bindings *bindings);
Status load_attributes(Loading *loading, const Onnx__NodeProto *proto, const Bindings *bindings,
                       AttrList *attrs) MUST_CHECK;
/* The contents of a Constant node. */
Status load_constant(Loading *loading, const AttrList *attrs, const char *node_name,
                     Tensor *tensor) MUST_CHECK;

/* --- nodes.c: NodeProto to Node, with local functions inlined --- */
/* Names of values as one graph or one call of a function sees them. */
typedef struct Scope {
    NameMap values;     /* to Value; a NULL entry is an optional input that the call left out */
    const char *prefix; /* "" for the model's graph; of the names that a function's own values get */
    const Bindings *bindings;
    size_t n_opsets;
    Onnx__OperatorSetIdProto **opsets;
    const char *function; /* NULL for the model's graph */
    uint32_t depth;
} Scope;
/* The value of that name, made where it is met for the first time. */
Status scope_value(Loading *loading, Scope *scope, const char *name, Value **value) MUST_CHECK;
Status load_nodes(Loading *loading, Scope *scope, size_t n_nodes, Onnx__NodeProto **nodes) MUST_CHECK;

#endif
