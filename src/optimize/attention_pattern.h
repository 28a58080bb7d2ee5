/* SPDX-License-Identifier: Apache-2.0 */
/* What exporters write for Attention, as it is found in a graph. */
#ifndef OPTIMIZE_ATTENTION_PATTERN_H
#define OPTIMIZE_ATTENTION_PATTERN_H

#include "ops/nn/attention.h"
#include "optimize/rewrite.h"

enum { ATTENTION_PARTS = 32, ATTENTION_MASKS = 2 };

/* How a value lies in another one that Transposes made it of: dimension i of it is dimension perm[i]. */
typedef struct AttentionOperand {
    Value *value;
    int perm[MAX_RANK];
    double scale;
    bool reshaped; /* the value has fewer dimensions: `shape` is what it has as the operand, perm aside */
    Shape shape;
    int n_parts; /* of the pattern, when this was found */
} AttentionOperand;

typedef struct AttentionPattern {
    int rank;
    AttentionOperand operands[ATTENTION_V + 1];
    Value *masks[ATTENTION_MASKS];
    int n_masks;
    AttentionOrder order[ATTENTION_V + 1], y_order;
    double scale;
    bool nan_where_none;
    Node *parts[ATTENTION_PARTS]; /* what goes, from the end of the graph to its beginning */
    int n_parts;
    Node *last; /* of these, whose output becomes Attention's */
} AttentionPattern;

/* Whether two shapes are known to be the same, as far as names of dimensions tell. */
bool same_shape(const Shape *a, const Shape *b);

/* Whether a product is the last one of such a pattern. */
bool attention_pattern_match(Node *product, AttentionPattern *pattern);

#endif
