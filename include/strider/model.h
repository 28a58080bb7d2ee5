/* SPDX-License-Identifier: Apache-2.0 */
/* Models: loading an ONNX file, and asking what is in it. */
#ifndef STRIDER_MODEL_H
#define STRIDER_MODEL_H

#include "strider/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where Strider gets its memory.  All members are called from any thread. */
typedef struct strider_allocator {
    void *context; /* passed to both functions */
    /* `size` bytes (never 0) at a multiple of `alignment` (a power of two), or NULL. */
    void *(*allocate)(void *context, size_t size, size_t alignment);
    void (*release)(void *context, void *memory); /* NULL is allowed */
} strider_allocator;

typedef enum strider_log_level { STRIDER_LOG_WARNING, STRIDER_LOG_INFO } strider_log_level;

/* What to do where a model declares shapes that its operators do not compute. */
typedef enum strider_shape_policy {
    STRIDER_SHAPES_CHECK, /* an error for Conv, a warning for every other operator */
    STRIDER_SHAPES_WARN   /* a warning for all (default), and for each node one at most */
} strider_shape_policy;

/* A shape that takes the place of the one that a model declares for an input. */
typedef struct strider_input_shape {
    const char *name;               /* of the input */
    int rank;                       /* the model's, where it declares one */
    int64_t dims[STRIDER_MAX_RANK]; /* -1: open */
} strider_input_shape;

/* How to load.  Fill it with strider_load_options_default(), then change what you need. */
typedef struct strider_load_options {
    size_t struct_size; /* sizeof(strider_load_options), set by the default call */
    bool optimize;      /* rewrite the graph (default); false runs it as it is in the file */
    strider_shape_policy shapes;
    /* To run a model at other sizes than it declares, or at one of those that it leaves open: everything that
     * is worked out while loading is then worked out for these.  What the model declares of other values is
     * compared as with STRIDER_SHAPES_WARN.  Only read while loading. */
    const strider_input_shape *input_shapes;
    size_t input_shape_count;
    /* External data may be reached through symbolic links (default false).  Without, links are followed only
     * where the model itself is one, as in the caches of model hubs, and only to files that lie beside it or
     * beside its target. */
    bool allow_links;
    /* Files are read into memory instead of mapped.  By default only those of up to 4 MiB are: a larger file
     * stays mapped, its weights are read when they are packed and given back then, and where another process
     * makes it shorter meanwhile, this one gets SIGBUS, as with any mapped file; where it writes into it,
     * weights may be the old or the new ones.  For files that may change while they are in use. */
    bool copy;

    /* What an untrusted model may ask for. */
    uint64_t max_file_bytes; /* of the model file itself; default 2 GiB - 1, which is protobuf's own limit */
    uint64_t max_tensor_bytes; /* of any one tensor; default 16 GiB */
    uint64_t max_nodes;        /* after inlining local functions; default 1000000 */
    uint32_t max_depth;        /* nesting of messages, and of function calls and bodies; default 64 */
    /* Memory that loading may take: the parsed file, the graph and what passes make of it, names, constants
     * that are computed or converted; weights that lie in the file as they are needed are not counted.
     * Default 768 MiB. */
    uint64_t max_parse_bytes;

    const strider_allocator *allocator; /* NULL: posix_memalign.  Must outlive the model. */

    /* Receives one line per message, from the calling thread; NULL: silence. */
    void (*log)(void *context, strider_log_level level, const char *message);
    void *log_context;
    uint64_t reserved[8]; /* zero */
} strider_load_options;

/* A loaded model.  It never changes after loading and may be used by any number of threads and sessions. */
typedef struct strider_model strider_model;

/* What is known of an input, an output or an inner value of a model before it is run. */
typedef struct strider_value_info {
    const char *name;
    strider_dtype dtype;                     /* STRIDER_DTYPE_NONE where it is not known */
    int rank;                                /* -1 where it is not known */
    int64_t dims[STRIDER_MAX_RANK];          /* -1 where a dimension is symbolic or unknown */
    const char *dim_names[STRIDER_MAX_RANK]; /* the symbolic dimension's name or formula, or NULL */
    bool is_optional;                        /* an input that has a default value in the model */
    strider_value_kind kind; /* of a sequence or an optional the others say what its tensors have in common */
    strider_value_kind held; /* of an optional: what it holds where it holds something */
} strider_value_info;

typedef struct strider_model_info {
    int64_t ir_version;
    int64_t opset;                /* of the ai.onnx domain */
    const char *producer_name;    /* "" where absent */
    const char *producer_version; /* "" where absent */
    const char *graph_name;
    size_t node_count;      /* as run: after optimization, where that is on */
    size_t parameter_count; /* elements of all initializers and constants */
    size_t parameter_bytes;
} strider_model_info;

typedef struct strider_node_info {
    const char *name; /* "" where the model gives none */
    const char *op_type;
    const char *domain;      /* "" for ai.onnx */
    const char *torch_scope; /* the nn.Module path that torch's exporter left, or "" */
    const char *fused;       /* what was fused into it, such as "Relu" or "Add+Relu"; "" where nothing was */
    size_t input_count, output_count;
} strider_node_info;

STRIDER_API strider_load_options strider_load_options_default(void);

/* Loads a model from a file.  A file that is mapped (strider_load_options.copy) must not be changed until the
 * model is freed; external data is looked for beside it and, where it is a symbolic link, beside its target,
 * and may not lie outside these folders. `options` may be NULL.  On success *model is the caller's, to be
 * freed with strider_model_free(); on failure it is set to NULL and `error`, unless NULL, says why.  A model
 * of an IR version beyond 14, or of an opset of ai.onnx beyond 28, is UNSUPPORTED: its operators may mean
 * something else; versions of other domains do not matter.  Returns STRIDER_OK,
 * FILE_ERROR, BAD_MODEL, UNSUPPORTED, LIMIT_EXCEEDED or OUT_OF_MEMORY; INVALID_ARGUMENT where the options ask
 * for the shape of an input that the model does not have, or for another rank.  Thread safe. */
STRIDER_API strider_status strider_model_load(const char *path, const strider_load_options *options,
                                              strider_model **model, strider_error *error);

/* Loads a model from `size` bytes at `data`, which must stay unchanged until the model is freed.  `folder` is
 * where external data is looked for; NULL: a model with external data is refused.  Else as
 * strider_model_load(). */
STRIDER_API strider_status strider_model_load_memory(const void *data, size_t size, const char *folder,
                                                     const strider_load_options *options,
                                                     strider_model **model, strider_error *error);

/* Frees a model; NULL is allowed.  Every session made from it must have been freed before. */
STRIDER_API void strider_model_free(strider_model *model);

/* All that follows: pointers in the results live as long as the model; thread safe. */
STRIDER_API strider_model_info strider_model_get_info(const strider_model *model);
STRIDER_API size_t strider_model_input_count(const strider_model *model);
STRIDER_API size_t strider_model_output_count(const strider_model *model);

/* STRIDER_INVALID_ARGUMENT where `index` is out of range. */
STRIDER_API strider_status strider_model_get_input(const strider_model *model, size_t index,
                                                   strider_value_info *info);
STRIDER_API strider_status strider_model_get_output(const strider_model *model, size_t index,
                                                    strider_value_info *info);

/* Nodes in the order in which they run. */
STRIDER_API strider_status strider_model_get_node(const strider_model *model, size_t index,
                                                  strider_node_info *info);
/* The node's input or output `port`; a missing optional one has name "". */
STRIDER_API strider_status strider_model_get_node_input(const strider_model *model, size_t node, size_t port,
                                                        strider_value_info *info);
STRIDER_API strider_status strider_model_get_node_output(const strider_model *model, size_t node, size_t port,
                                                         strider_value_info *info);

/* The documented formula of the node's output shape with its numbers, for convolutions and poolings whose
 * input shape is known, such as "H: floor((224 + 3 + 3 - 1*(7 - 1) - 1) / 2) + 1 = 112; W: ..."; else "". Cut
 * to `size` bytes; 400 are enough. */
STRIDER_API strider_status strider_model_get_node_formula(const strider_model *model, size_t node, char *text,
                                                          size_t size);

/* A tensor read from one serialized onnx.TensorProto message, such as an ONNX test case's input_0.pb.  The
 * result is the caller's and freed with strider_tensor_free(); `name` receives the tensor's name, cut to
 * `name_size` bytes, unless it is NULL. Returns STRIDER_OK, BAD_MODEL, UNSUPPORTED or OUT_OF_MEMORY.  Thread
 * safe. */
STRIDER_API strider_status strider_tensor_from_onnx(const void *data, size_t size, strider_tensor *tensor,
                                                    char *name, size_t name_size, strider_error *error);

/* Frees the data of a tensor that a function of this library handed over, and zeroes it. */
STRIDER_API void strider_tensor_free(strider_tensor *tensor);

/* The same for a value of the kind that is asked for, from an onnx.TensorProto, SequenceProto or
 * OptionalProto: the bytes do not say which they are.  A sequence without elements has dtype
 * STRIDER_DTYPE_NONE, as the message does not state it.  The result is the caller's and freed with
 * strider_value_free().  Returns what strider_tensor_from_onnx() does, or INVALID_ARGUMENT for an unknown
 * kind.  Thread safe. */
STRIDER_API strider_status strider_value_from_onnx(const void *data, size_t size, strider_value_kind kind,
                                                   strider_value *value, char *name, size_t name_size,
                                                   strider_error *error);

/* Frees all that a value holds which a function of this library handed over, and zeroes it. */
STRIDER_API void strider_value_free(strider_value *value);

#ifdef __cplusplus
}
#endif
#endif
