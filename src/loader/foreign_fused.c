/* SPDX-License-Identifier: Apache-2.0 */
/* The fused operators of foreign.c; their meaning is that of onnxruntime's docs/ContribOperators.md. */
#include "loader/foreign.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ops/tensor/transpose.h"

/* --- activations --- */

enum { MAX_PARAMS = 3 };

/* Those that are fused: with their attributes, in the order of activation_params. */
static const struct {
    const char *name;
    int opset;
    const char *params[MAX_PARAMS];
} activations[] = {
    {"Relu", 6, {0}},
    {"Tanh", 6, {0}},
    {"Sigmoid", 6, {0}},
    {"LeakyRelu", 6, {"alpha"}},
    {"Clip", 6, {"min", "max"}},
    {"HardSigmoid", 6, {"alpha", "beta"}},
    {"Elu", 6, {"alpha"}},
    {"Selu", 6, {"alpha", "gamma"}},
    {"Softplus", 1, {0}},
    {"Softsign", 1, {0}},
    {"ThresholdedRelu", 10, {"alpha"}},
    {"HardSwish", 14, {0}},
    {"Gelu", 20, {0}},
};
enum { N_ACTIVATIONS = sizeof activations / sizeof *activations };

/* The attribute `activation` as an index of `activations`; -1: none. */
static Status find_activation(Expansion *e, int *found) {
    const char *name;
    *found = -1;
    TRY(parse_string(&e->parse, "activation", "", &name));
    for (int i = 0; i < N_ACTIVATIONS; i++)
        if (strcmp(activations[i].name, name) == 0)
            *found = i;
    return *found < 0 && name[0]
               ? parse_fail(&e->parse, STRIDER_UNSUPPORTED, "the activation \"%.60s\" is not supported", name)
               : STRIDER_OK;
}

static int count_params(int activation) {
    int count = 0;
    while (count < MAX_PARAMS && activations[activation].params[count])
        count++;
    return count;
}

static Status apply_activation(Expansion *e, int activation, AttrList attrs, Value **y) {
    return expansion_apply(e, activations[activation].name, activations[activation].opset, attrs, INPUTS(*y),
                           y);
}

/* With its numbers in one list, as convolutions have them. */
static Status activate_by_params(Expansion *e, Value **y) {
    int activation;
    Attr attrs[MAX_PARAMS];
    const Attr *params = attrs_find(&e->attrs, "activation_params");
    TRY(find_activation(e, &activation));
    if (activation < 0)
        return STRIDER_OK;
    const size_t count = params && params->kind == ATTR_FLOATS ? params->count : 0;
    const size_t wanted = (size_t)count_params(activation);
    if (count != wanted)
        return parse_fail(&e->parse, STRIDER_BAD_MODEL, "%zu activation_params, %s has %zu", count,
                          activations[activation].name, wanted);
    for (size_t i = 0; i < count; i++)
        attrs[i] = expansion_float_attr(activations[activation].params[i], params->floats[i]);
    return apply_activation(e, activation, (AttrList){attrs, count}, y);
}

/* With an attribute for each, as products have them: what is not given has ONNX's default. */
static Status activate_by_attributes(Expansion *e, Value **y) {
    int activation;
    Attr attrs[MAX_PARAMS];
    size_t count = 0;
    char name[32];
    TRY(find_activation(e, &activation));
    for (int i = 0; activation >= 0 && i < count_params(activation); i++) {
        const char *param = activations[activation].params[i];
        float value;
        snprintf(name, sizeof name, "activation_%s", param);
        if (!parse_has(&e->parse, name))
            continue;
        TRY(parse_float(&e->parse, name, 0, &value));
        attrs[count++] = expansion_float_attr(param, value);
    }
    return activation < 0 ? STRIDER_OK : apply_activation(e, activation, (AttrList){attrs, count}, y);
}

/* --- products: FusedMatMul, TransposeMatMul, FusedMatMulActivation, FusedGemm, GemmFastGelu --- */

static Status transpose_operand(Expansion *e, const char *matrix, const char *batch, Value **operand) {
    bool is_matrix, is_batch;
    Node *node;
    TRY(parse_bool(&e->parse, matrix, false, &is_matrix));
    TRY(parse_bool(&e->parse, batch, false, &is_batch));
    if (!is_matrix && !is_batch)
        return STRIDER_OK;
    TRY(expansion_add(
        e, &(NewNode){.type = "Transpose", .opset = 13, .n_inputs = 1, .n_outputs = 1, .inputs = operand},
        operand, &node));
    ((TransposeAttrs *)node->attrs)->form = !is_batch   ? TRANSPOSE_MATRIX
                                            : is_matrix ? TRANSPOSE_BATCH_AND_MATRIX
                                                        : TRANSPOSE_BATCH;
    return STRIDER_OK;
}

static Status make_product(Expansion *e, Value **y) {
    Value *a = expansion_input(e, 0), *b = expansion_input(e, 1);
    float alpha;
    TRY(parse_float(&e->parse, "alpha", 1, &alpha));
    TRY(transpose_operand(e, "transA", "transBatchA", &a));
    TRY(transpose_operand(e, "transB", "transBatchB", &b));
    TRY(expansion_apply(e, "MatMul", 13, NO_ATTRS, INPUTS(a, b), y));
    return expansion_scale(e, alpha, y);
}

Status expand_matmul(Expansion *e) {
    Value *y;
    TRY(make_product(e, &y));
    TRY(activate_by_attributes(e, &y));
    return expansion_output(e, 0, y);
}

Status expand_gemm(Expansion *e) {
    static const char *const others[] = {"activation", "activation_alpha", "activation_beta",
                                         "activation_gamma"};
    AttrList attrs;
    Value *y;
    TRY(expansion_attrs_without(e, 4, others, &attrs));
    TRY(expansion_apply(e, "Gemm", 13, attrs,
                        INPUTS(expansion_input(e, 0), expansion_input(e, 1), expansion_input(e, 2)), &y));
    TRY(activate_by_attributes(e, &y));
    return expansion_output(e, 0, y);
}

/* --- Gelu in its forms --- */

static Status apply_gelu(Expansion *e, const char *approximate, Value **y) {
    return expansion_apply(e, "Gelu", 20, ATTRS(expansion_string_attr("approximate", approximate)),
                           INPUTS(*y), y);
}

Status expand_bias_gelu(Expansion *e) {
    Value *y = expansion_input(e, 0);
    TRY(expansion_sum(e, expansion_input(e, 1), &y));
    TRY(apply_gelu(e, "none", &y));
    return expansion_output(e, 0, y);
}

Status expand_fast_gelu(Expansion *e) {
    Value *y = expansion_input(e, 0);
    TRY(expansion_sum(e, expansion_input(e, 1), &y));
    TRY(apply_gelu(e, "tanh", &y));
    return expansion_output(e, 0, y);
}

Status expand_gemm_fast_gelu(Expansion *e) {
    Value *y;
    TRY(expansion_apply(e, "MatMul", 13, NO_ATTRS, INPUTS(expansion_input(e, 0), expansion_input(e, 1)), &y));
    TRY(expansion_sum(e, expansion_input(e, 2), &y));
    TRY(apply_gelu(e, "tanh", &y));
    return expansion_output(e, 0, y);
}

Status expand_quick_gelu(Expansion *e) {
    Value *y;
    float alpha;
    TRY(parse_float(&e->parse, "alpha", 1.702f, &alpha));
    TRY(expansion_apply(e, "Swish", 24, ATTRS(expansion_float_attr("alpha", alpha)),
                        INPUTS(expansion_input(e, 0)), &y));
    return expansion_output(e, 0, y);
}

/* The left half times Gelu of the right one. */
Status expand_bias_split_gelu(Expansion *e) {
    Value *sum = expansion_input(e, 0), *halves[2], *y;
    Node *split;
    TRY(expansion_sum(e, expansion_input(e, 1), &sum));
    TRY(expansion_add(
        e,
        &(NewNode){.type = "Split",
                   .opset = 18,
                   .attrs = ATTRS(expansion_int_attr("axis", -1), expansion_int_attr("num_outputs", 2)),
                   .n_inputs = 1,
                   .n_outputs = 2,
                   .inputs = &sum},
        halves, &split));
    TRY(apply_gelu(e, "none", &halves[1]));
    TRY(expansion_apply(e, "Mul", 14, NO_ATTRS, INPUTS(halves[0], halves[1]), &y));
    return expansion_output(e, 0, y);
}

/* --- sums and normalisations --- */

Status expand_bias_add(Expansion *e) {
    Value *y = expansion_input(e, 0);
    TRY(expansion_sum(e, expansion_input(e, 1), &y));
    TRY(expansion_sum(e, expansion_input(e, 2), &y));
    return expansion_output(e, 0, y);
}

/* Dropout(data + bias) + residual. */
Status expand_bias_dropout(Expansion *e) {
    Value *outputs[2] = {expansion_input(e, 0)},
          *inputs[3] = {NULL, expansion_input(e, 3), expansion_input(e, 4)};
    Node *dropout;
    TRY(expansion_sum(e, expansion_input(e, 1), &outputs[0]));
    inputs[0] = outputs[0];
    TRY(expansion_add(
        e, &(NewNode){.type = "Dropout", .opset = 13, .n_inputs = 3, .n_outputs = 2, .inputs = inputs},
        outputs, &dropout));
    TRY(expansion_sum(e, expansion_input(e, 2), &outputs[0]));
    TRY(expansion_output(e, 1, outputs[1]));
    return expansion_output(e, 0, outputs[0]);
}

/* Output 3 is the sum that is normalised; 1 and 2, the statistics, nobody makes at inference. */
static Status expand_skip_norm(Expansion *e, const char *type, int opset, Value *gamma, Value *beta,
                               Value *bias) {
    Value *sum = expansion_input(e, 0), *y;
    float epsilon;
    if (expansion_wants(e, 1) || expansion_wants(e, 2))
        return where_fail(e->loading, e->where, STRIDER_UNSUPPORTED,
                          "its outputs 1 and 2, which only training reads, are not supported");
    TRY(parse_float(&e->parse, "epsilon", 1e-12f, &epsilon));
    TRY(expansion_sum(e, expansion_input(e, 1), &sum));
    TRY(expansion_sum(e, bias, &sum));
    TRY(expansion_apply(e, type, opset,
                        ATTRS(expansion_int_attr("axis", -1), expansion_float_attr("epsilon", epsilon)),
                        INPUTS(sum, gamma, beta), &y));
    TRY(expansion_output(e, 0, y));
    return expansion_output(e, 3, sum);
}

Status expand_skip_layer_norm(Expansion *e) {
    return expand_skip_norm(e, "LayerNormalization", 17, expansion_input(e, 2), expansion_input(e, 3),
                            expansion_input(e, 4));
}

Status expand_skip_rms_norm(Expansion *e) {
    return expand_skip_norm(e, "RMSNormalization", 23, expansion_input(e, 2), NULL, expansion_input(e, 3));
}

/* --- channels last --- */

static Status transpose_by(Expansion *e, bool to_last, int rank, Value **y) {
    int64_t perm[MAX_RANK] = {0};
    for (int i = 1; i < rank; i++)
        perm[i] = to_last ? i + 1 : i - 1;
    perm[to_last ? rank - 1 : 1] = to_last ? 1 : rank - 1;
    return *y ? expansion_apply(e, "Transpose", 13, ATTRS(expansion_ints_attr("perm", perm, (size_t)rank)),
                                INPUTS(*y), y)
              : STRIDER_OK;
}

/* As far as windows or weights say; images have 4 dimensions. */
static Status find_rank(Expansion *e, const Value *weights, int *rank) {
    int64_t kernel[MAX_RANK];
    int count;
    TRY(parse_ints(&e->parse, "kernel_shape", kernel, MAX_RANK - 2, &count));
    *rank = count > 0 ? count + 2 : weights && weights->type.shape.rank >= 0 ? weights->type.shape.rank : 4;
    return *rank < 3
               ? where_fail(e->loading, e->where, STRIDER_BAD_MODEL, "the weights have too few dimensions")
               : STRIDER_OK;
}

static Status make_conv(Expansion *e, bool channels_last) {
    static const char *const others[] = {"activation", "activation_params"};
    Value *x = expansion_input(e, 0), *w = expansion_input(e, 1), *z = expansion_input(e, 3), *y;
    AttrList attrs;
    int rank = 0;
    if (channels_last) {
        TRY(find_rank(e, w, &rank));
        TRY(transpose_by(e, false, rank, &x));
        TRY(transpose_by(e, false, rank, &z));
    }
    TRY(expansion_attrs_without(e, 2, others, &attrs));
    TRY(expansion_apply(e, "Conv", 11, attrs, INPUTS(x, w, expansion_input(e, 2)), &y));
    TRY(expansion_sum(e, z, &y));
    TRY(activate_by_params(e, &y));
    if (channels_last)
        TRY(transpose_by(e, true, rank, &y));
    return expansion_output(e, 0, y);
}

Status expand_conv(Expansion *e) {
    return make_conv(e, false);
}

Status expand_nhwc_conv(Expansion *e) {
    return make_conv(e, true);
}

Status expand_nhwc_max_pool(Expansion *e) {
    Value *y = expansion_input(e, 0);
    int rank;
    TRY(find_rank(e, NULL, &rank));
    TRY(transpose_by(e, false, rank, &y));
    TRY(expansion_apply(e, "MaxPool", 12, e->attrs, INPUTS(y), &y));
    TRY(transpose_by(e, true, rank, &y));
    return expansion_output(e, 0, y);
}

enum { IMAGE_RANK = 4 };

/* Of *y, in the layout that channels_last says. */
static Status make_group_norm(Expansion *e, bool channels_last, Value **y) {
    Value *gamma, *beta;
    int64_t groups, activation;
    float epsilon;
    TRY(parse_require(&e->parse, "groups"));
    TRY(parse_int(&e->parse, "groups", 1, &groups));
    TRY(parse_int(&e->parse, "activation", 0, &activation));
    TRY(parse_float(&e->parse, "epsilon", 1e-5f, &epsilon));
    if (activation != 0 && activation != 1)
        return parse_fail(&e->parse, STRIDER_UNSUPPORTED,
                          "activation is %" PRId64 ", 0 and 1 (SiLU) are supported", activation);
    if (channels_last)
        TRY(transpose_by(e, false, IMAGE_RANK, y));
    TRY(expansion_apply(e, "CastLike", 15, NO_ATTRS, INPUTS(expansion_input(e, 1), *y), &gamma));
    TRY(expansion_apply(e, "CastLike", 15, NO_ATTRS, INPUTS(expansion_input(e, 2), *y), &beta));
    TRY(expansion_apply(
        e, "GroupNormalization", 21,
        ATTRS(expansion_int_attr("num_groups", groups), expansion_float_attr("epsilon", epsilon)),
        INPUTS(*y, gamma, beta), y));
    if (activation)
        TRY(expansion_apply(e, "Swish", 24, NO_ATTRS, INPUTS(*y), y));
    return channels_last ? transpose_by(e, true, IMAGE_RANK, y) : STRIDER_OK;
}

Status expand_group_norm(Expansion *e) {
    Value *y = expansion_input(e, 0);
    bool channels_last;
    TRY(parse_bool(&e->parse, "channels_last", true, &channels_last));
    TRY(make_group_norm(e, channels_last, &y));
    return expansion_output(e, 0, y);
}

/* Dimensions of 1 for the pixels: after the channels, or before them where these are last. */
static Status add_to_pixels(Expansion *e, int64_t at, Value *more, Value **sum) {
    Value *axes;
    TRY(expansion_ints(e, 2, (const int64_t[]){at, at + 1}, &axes));
    TRY(expansion_apply(e, "Unsqueeze", 13, NO_ATTRS, INPUTS(more, axes), &more));
    return expansion_sum(e, more, sum);
}

/* GroupNorm of x + skip + bias, which is output 1.  The skip may be one of each image, without pixels. */
Status expand_skip_group_norm(Expansion *e) {
    Value *sum = expansion_input(e, 0), *skip = expansion_input(e, 3), *bias = expansion_input(e, 4), *y;
    bool channels_last;
    TRY(parse_bool(&e->parse, "channels_last", true, &channels_last));
    if (skip->type.shape.rank == 2)
        TRY(add_to_pixels(e, channels_last ? 1 : 2, skip, &sum));
    else
        TRY(expansion_sum(e, skip, &sum));
    if (bias && !channels_last)
        TRY(add_to_pixels(e, 1, bias, &sum));
    else
        TRY(expansion_sum(e, bias, &sum));
    y = sum;
    TRY(make_group_norm(e, channels_last, &y));
    TRY(expansion_output(e, 0, y));
    return expansion_output(e, 1, sum);
}
