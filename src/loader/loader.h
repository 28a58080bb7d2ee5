/* SPDX-License-Identifier: Apache-2.0 */
/* From bytes to a graph: the only place that knows ONNX's files, and where every check on untrusted input is
 * made. */
#ifndef LOADER_LOADER_H
#define LOADER_LOADER_H

#include "base/budget.h"
#include "graph/graph.h"
#include "graph/run_value.h"
#include "loader/file.h"

typedef strider_load_options LoadOptions;

typedef struct LoadedModel {
    Budget budget; /* of max_parse_bytes: all that is made of the file, here and in passes over the graph */
    Graph graph;   /* sorted and validated; types are not inferred yet */
    /* Inputs with a default value, which a caller need not give, are constants of `graph`, so that they are
     * folded, fused and packed; here they are inputs.  Else the same model, with the same tensors.  NULL
     * where no input has a default. */
    Graph *overridable;
    Files files; /* stay mapped, as constants point into them */
    int64_t ir_version, opset;
    const char *producer_name, *producer_version;
    uint64_t parameter_count, parameter_bytes; /* of all constants in the file */
} LoadedModel;

/* `model` must stay where it is.  `folder` is where external data may lie; NULL: none may.  On failure
 * nothing is left behind. */
Status loader_load_file(const char *path, const LoadOptions *options, LoadedModel *model,
                        Error *err) MUST_CHECK;
Status loader_load_memory(const void *data, size_t size_bytes, const char *folder, const LoadOptions *options,
                          LoadedModel *model, Error *err) MUST_CHECK;
void loader_unload(LoadedModel *model);
/* LIMIT_EXCEEDED where `status` is OUT_OF_MEMORY because of max_parse_bytes; else `status`. */
Status loader_status(LoadedModel *model, Status status, Error *err);

/* One serialized TensorProto; the result owns its data.  `name` gets its name, cut to name_size, unless NULL.
 */
Status loader_read_tensor(const void *data, size_t size_bytes, const Allocator *allocator, Tensor *tensor,
                          char *name, size_t name_size, Error *err) MUST_CHECK;
/* The same for a TensorProto, SequenceProto or OptionalProto, which the bytes do not tell apart: `kind` says
 * which it is.  The caller gets a reference; the data type of a sequence without elements is not known. */
Status loader_read_value(const void *data, size_t size_bytes, ValueKind kind, const Allocator *allocator,
                         RunValue **value, char *name, size_t name_size, Error *err) MUST_CHECK;

#endif
