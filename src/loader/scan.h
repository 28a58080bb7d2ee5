/* SPDX-License-Identifier: Apache-2.0 */
/* A walk over a serialized message before protobuf-c sees it.  protobuf-c copies every byte field to the
 * heap, follows nesting to any depth and tells nothing of a failure; so the walk bounds the depth, says where
 * the bytes are malformed, drops unknown fields, and cuts the contents of tensors out, leaving their place in
 * the file. */
#ifndef LOADER_SCAN_H
#define LOADER_SCAN_H

#include <protobuf-c/protobuf-c.h>

#include "base/memory.h"
#include "base/status.h"

/* Bytes of the scanned message. */
typedef struct Span {
    size_t offset, size_bytes;
    bool present;
} Span;

/* What was cut out of one TensorProto. */
typedef struct TensorSpans {
    size_t offset;                /* of the message */
    Span raw_data;                /* of any length */
    Span float_data, double_data; /* packed, where it is one long run; else left in the message */
} TensorSpans;

typedef struct Scan {
    /* The reduced message.  Each TensorProto in it has as raw_data the 8 bytes of its index in `tensors`. */
    unsigned char *reduced;
    size_t reduced_bytes, reduced_capacity;
    TensorSpans *tensors;
    size_t n_tensors, tensors_capacity;
    size_t *node_offsets; /* of the nodes of the model's graph, in order */
    size_t n_nodes, nodes_capacity;
} Scan;

/* Walks `size_bytes` at `data`, a message of type `descriptor`; results live in `region`.  BAD_MODEL with the
 * offset, LIMIT_EXCEEDED where it is nested deeper than `max_depth`, or OUT_OF_MEMORY. */
/* In any case scan_free_reduced() frees the reduced message, which is not in the region. */
Status scan_message(Scan *scan, Region *region, const ProtobufCMessageDescriptor *descriptor,
                    const unsigned char *data, size_t size_bytes, uint32_t max_depth, Error *err) MUST_CHECK;

void scan_free_reduced(Scan *scan, const Region *region);

#endif
