/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator is to the rest of Strider, and what its functions get to work with.  The operators
 * themselves, and helpers for writing them, are in ops/. */
#ifndef GRAPH_OP_H
#define GRAPH_OP_H

#include "base/size.h"
#include "graph/attrs.h"
#include "graph/graph.h"
#include "graph/run_value.h"
#include "tensor/tensor.h"

/* For parse(): turning a model's attributes into the operator's struct. */
typedef struct ParseContext {
    const Node *node; /* op, name, opset and the counts of inputs and outputs are set, nothing else */
    const AttrList *attrs;
    Region *region; /* for what the struct points at */
    Error *err;
} ParseContext;

/* For infer(): output types from input types.  Operands of post-operations are not among these. */
typedef struct InferContext {
    const Node *node;
    int n_inputs, n_outputs;
    const ValueType *inputs; /* dtype NONE where the optional input is absent, or its type unknown */
    const Tensor *const *input_values; /* of the ports in Op.reads: contents, where they are known; else NULL.
                                        * Never unaligned. */
    ValueType *outputs;                /* preset to unknown tensors */
    SymbolTable *symbols;
    bool infers_bodies; /* while a model is loaded: infer_body() may change types in the node's bodies */
    Error *err;
} InferContext;

/* For reference(): output contents from input contents. */
typedef struct EvalContext {
    const Node *node;
    int n_inputs, n_outputs;
    const Tensor *const *inputs; /* NULL where the optional input is absent; never unaligned */
    Tensor *const *outputs;      /* NULL where nobody asked; memory for the inferred type is there, unless a
                                  * dimension was not known: then eval_set_output_shape() makes it */
    char *scratch;               /* Op.scratch() bytes, aligned, of which eval_alloc() hands out */
    size_t scratch_bytes, scratch_used;
    const Allocator *allocator; /* for eval_set_output_shape(); NULL where all shapes are known */
    Region *strings;            /* of a run, for the bytes of strings that it makes; NULL before runs */
    Error *err;
} EvalContext;

/* For host(): what works on values of any kind, or runs bodies. */
typedef struct HostContext HostContext;
struct HostContext {
    const Node *node;
    int n_inputs, n_outputs; /* without what the bodies capture */
    RunValue *const *inputs; /* NULL where absent; tensors are aligned.  One that nobody else holds
                              * (references is 1) is this node's to change: who calls holds another of what is
                              * read later, or by another input */
    RunValue **outputs; /* NULL; the operator sets those that the node has, each with a reference, which are
                         * the caller's also when it fails */
    const Allocator *allocator;
    /* Runs body `index` with its inputs but the captured ones, whose references go over to the body also
     * when it fails, for all its outputs, of which the caller gets a reference each. */
    Status (*call)(HostContext *ctx, int index, RunValue *const *inputs, RunValue **outputs);
    Error *err;
};

enum {
    OP_VIEW = 1 << 0, /* output 0 is input 0's elements in the same order: a plan need not copy */
    OP_ELEMENTWISE =
        1 << 1, /* each output element depends on the elements at its own index only (with broadcast) */
    OP_SHAPE_ONLY = 1 << 2, /* reads its first input's shape, never its contents */
    OP_DATA_DEPENDENT =
        1 << 3,          /* output shapes may depend on contents even where all inputs are plain data */
    OP_NO_FOLD = 1 << 4, /* never evaluated before a run: random, or only host() can */
    OP_COUNTS_OUTPUTS =
        1 << 5,           /* outputs without a name at the end count: how many there are says what they are */
    OP_ANY_KIND = 1 << 6, /* inputs may be sequences or optionals: the others take tensors alone */
    OP_POST_OPS = 1 << 7, /* reference() computes Node.post_ops, and some kernels do */
    OP_OPTIONAL_BODIES = 1 << 8, /* each of its bodies may lack: Node.absent_bodies says which do */
    OP_STRINGS = 1 << 9,         /* inputs and outputs may be strings: other operators' are refused */
    OP_MAKES_STRINGS = 1 << 10,  /* strings that it gives may be new: these are made in runs alone */
};

enum { EXPLANATION_TEXT = 400, MAX_BODIES = 2, MAX_IGNORED = 4 };

typedef struct Op {
    int kind;           /* OpKind of ops/op_kind.h: the same for all versions; comparisons go by it */
    const char *name;   /* for models, messages and reports */
    const char *domain; /* "" for ai.onnx */
    int since;          /* this row holds from this opset on, until a row with a higher one */
    struct {
        int min, max;
    } inputs, outputs;                               /* max -1: any number */
    size_t attrs_size;                               /* of the attribute struct; 0 where there is none */
    Status (*parse)(ParseContext *ctx, void *attrs); /* NULL where there are no attributes */
    Status (*infer)(InferContext *ctx);
    /* Computes all outputs that are asked for, single-threaded, for every data type that infer() lets
     * through. */
    Status (*reference)(EvalContext *ctx);
    /* Runs the node by itself, on values of any kind: instead of reference(), or besides it where that
     * computes the same of tensors. */
    Status (*host)(HostContext *ctx);
    /* Attributes that it may have and that say nothing when a model is run; ends with NULL. */
    const char *ignores[MAX_IGNORED + 1];
    /* Why a node that is valid is likely not what was meant, told once when a model is loaded; NULL: it is.
     * Types of inputs are those of their values. */
    const char *(*doubt)(const Node *node);
    /* The attributes that hold its bodies, in the order of node->bodies, which has those that are not absent;
     * ends with NULL. */
    const char *bodies[MAX_BODIES + 1];
    /* The memory that reference() takes besides its outputs, from known types of all inputs (dtype NONE where
     * absent) and of the outputs that do not depend on data.  NULL: none. */
    Bytes (*scratch)(const Node *node, const Type *inputs, const Type *outputs);
    /* The documented shape formula with the numbers of a node whose first input has the shape `x`, for
     * messages; returns `text`.  NULL where there is nothing to explain. */
    const char *(*explain_shape)(const Node *node, const Shape *x, char text[EXPLANATION_TEXT]);
    /* Multiply-accumulates of one run, from known types; NULL where they are not counted. */
    uint64_t (*macs)(const Node *node, const Type *inputs, const Type *outputs);
    /* Bit i: infer() looks at the contents of input i; and those of them that output shapes follow from, so
     * that these are not known before the contents are. */
    unsigned reads, shaped_by;
    int channel_axis;  /* of output 0, that scales and biases among post-operations go along; negative: from
                          the end */
    bool strict_shape; /* a declared output shape that differs is an error where shapes are checked */
    unsigned flags;
} Op;

#endif
