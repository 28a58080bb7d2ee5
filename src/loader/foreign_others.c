/* SPDX-License-Identifier: Apache-2.0 */
/* The operators of foreign.c that differ from ONNX's in how their numbers are given, and those that were
 * experiments. */
#include "loader/foreign.h"

#include <string.h>

/* --- what has an input where ONNX's operator has an attribute, or the reverse --- */

Status expand_conv_transpose(Expansion *e) {
    const Value *pads = expansion_input(e, 2);
    Value *y;
    Attr attrs[16];
    size_t n_attrs = e->attrs.count;
    int64_t values[2 * MAX_RANK];
    if (pads && (!pads->constant || pads->constant->type.dtype != STRIDER_I64))
        return where_fail(e->loading, e->where, STRIDER_UNSUPPORTED,
                          "pads that are computed are not supported");
    const int64_t count = pads ? tensor_elements(pads->constant) : 0;
    if (n_attrs >= sizeof attrs / sizeof *attrs || count > 2 * MAX_RANK)
        return where_fail(e->loading, e->where, STRIDER_BAD_MODEL,
                          "it has more attributes or pads than there are");
    if (n_attrs)
        memcpy(attrs, e->attrs.items, n_attrs * sizeof *attrs);
    for (int64_t i = 0; i < count; i++)
        values[i] = tensor_get_i64(pads->constant, i);
    if (pads)
        attrs[n_attrs++] = expansion_ints_attr("pads", values, (size_t)count);
    TRY(expansion_apply(e, "ConvTranspose", 11, (AttrList){attrs, n_attrs},
                        INPUTS(expansion_input(e, 0), expansion_input(e, 1), expansion_input(e, 3)), &y));
    return expansion_output(e, 0, y);
}

/* A list of one number, or a number, as `count` dimensions say. */
static Status reshape_to(Expansion *e, int count, const int64_t *dims, Value **y) {
    Value *shape;
    TRY(expansion_ints(e, count, dims, &shape));
    return expansion_apply(e, "Reshape", 13, NO_ATTRS, INPUTS(*y, shape), y);
}

Status expand_pad(Expansion *e) {
    Value *pads = expansion_input(e, 1), *y;
    TRY(reshape_to(e, 1, &(int64_t){-1}, &pads)); /* [1, n], too, is allowed */
    TRY(expansion_apply(e, "Pad", 13, e->attrs, INPUTS(expansion_input(e, 0), pads, expansion_input(e, 2)),
                        &y));
    return expansion_output(e, 0, y);
}

Status expand_expand_dims(Expansion *e) {
    Value *axes = expansion_input(e, 1), *y;
    TRY(expansion_apply(e, "Cast", 13, ATTRS(expansion_int_attr("to", 7)), INPUTS(axes), &axes));
    TRY(reshape_to(e, 1, &(int64_t){1}, &axes));
    TRY(expansion_apply(e, "Unsqueeze", 13, NO_ATTRS, INPUTS(expansion_input(e, 0), axes), &y));
    return expansion_output(e, 0, y);
}

Status expand_range(Expansion *e) {
    const Shape scalar = shape_scalar();
    Value *numbers[] = {expansion_input(e, 0), expansion_input(e, 1), expansion_input(e, 2)}, *y;
    if (!numbers[2])
        TRY(expansion_floats_like(e, numbers[0], &scalar, &(float){1}, &numbers[2]));
    for (int i = 0; i < 3; i++)
        TRY(reshape_to(e, 0, NULL, &numbers[i]));
    TRY(expansion_apply(e, "Range", 11, NO_ATTRS, INPUTS(numbers[0], numbers[1], numbers[2]), &y));
    return expansion_output(e, 0, y);
}

/* Of the sum; whichever dimensions the bias lacks, it is broadcast as Add does. */
Status expand_bias_softmax(Expansion *e) {
    Value *y = expansion_input(e, 0);
    int64_t axis;
    bool is_inner;
    TRY(parse_int(&e->parse, "axis", 1, &axis));
    TRY(parse_bool(&e->parse, "is_inner_broadcast", false, &is_inner));
    TRY(expansion_sum(e, expansion_input(e, 1), &y));
    TRY(expansion_apply(e, "Softmax", 11, ATTRS(expansion_int_attr("axis", axis)), INPUTS(y), &y));
    return expansion_output(e, 0, y);
}

/* In the order in which they come; without the places where they do so first. */
Status expand_unique(Expansion *e) {
    enum { Y, FIRST, INVERSE, COUNTS, OUTPUTS };
    Value *x = expansion_input(e, 0), *outputs[OUTPUTS];
    Node *node;
    TRY(expansion_add(e,
                      &(NewNode){.type = "Unique",
                                 .opset = 11,
                                 .attrs = ATTRS(expansion_int_attr("sorted", 0)),
                                 .n_inputs = 1,
                                 .n_outputs = OUTPUTS,
                                 .inputs = &x},
                      outputs, &node));
    TRY(expansion_output(e, 0, outputs[Y]));
    TRY(expansion_output(e, 1, outputs[INVERSE]));
    return expansion_output(e, 2, outputs[COUNTS]);
}

/* Its other inputs are for training. */
Status expand_torch_embedding(Expansion *e) {
    Value *y;
    TRY(expansion_apply(e, "Gather", 13, NO_ATTRS, INPUTS(expansion_input(e, 0), expansion_input(e, 1)), &y));
    return expansion_output(e, 0, y);
}

/* --- experiments of ONNX before opset 10 --- */

Status expand_scale(Expansion *e) {
    Value *y = expansion_input(e, 0);
    float scale;
    TRY(parse_float(&e->parse, "scale", 1, &scale));
    TRY(expansion_apply(e, "Identity", 1, NO_ATTRS, INPUTS(y), &y));
    TRY(expansion_scale(e, scale, &y));
    return expansion_output(e, 0, y);
}

/* x * scale + bias[c] */
Status expand_image_scaler(Expansion *e) {
    const Attr *bias = attrs_find(&e->attrs, "bias");
    Value *y = expansion_input(e, 0), *constant;
    float scale;
    TRY(parse_float(&e->parse, "scale", 1, &scale));
    if (!bias || bias->kind != ATTR_FLOATS)
        return parse_fail(&e->parse, STRIDER_BAD_MODEL,
                          "required attribute bias, a list of floats, is missing");
    const Shape shape = shape_make(3, (const int64_t[]){(int64_t)bias->count, 1, 1});
    TRY(expansion_scale(e, scale, &y));
    TRY(expansion_floats_like(e, y, &shape, bias->floats, &constant));
    TRY(expansion_sum(e, constant, &y));
    return expansion_output(e, 0, y);
}

/* alpha * f(beta * x) */
static Status scaled_function(Expansion *e, const char *type) {
    Value *y = expansion_input(e, 0);
    float alpha, beta;
    TRY(parse_float(&e->parse, "alpha", 1, &alpha));
    TRY(parse_float(&e->parse, "beta", 1, &beta));
    TRY(expansion_scale(e, beta, &y));
    TRY(expansion_apply(e, type, 1, NO_ATTRS, INPUTS(y), &y));
    TRY(expansion_scale(e, alpha, &y));
    return expansion_output(e, 0, y);
}

Status expand_scaled_tanh(Expansion *e) {
    return scaled_function(e, "Tanh");
}

Status expand_parametric_softplus(Expansion *e) {
    return scaled_function(e, "Softplus");
}

Status expand_affine(Expansion *e) {
    const Shape scalar = shape_scalar();
    Value *y = expansion_input(e, 0), *constant;
    float alpha, beta;
    TRY(parse_float(&e->parse, "alpha", 1, &alpha));
    TRY(parse_float(&e->parse, "beta", 0, &beta));
    TRY(expansion_scale(e, alpha, &y));
    TRY(expansion_floats_like(e, y, &scalar, &beta, &constant));
    TRY(expansion_sum(e, constant, &y));
    return expansion_output(e, 0, y);
}

/* border: left, top, right, bottom; scale: height, width, which take the place of right and bottom. */
Status expand_crop(Expansion *e) {
    enum { LEFT, TOP, RIGHT, BOTTOM, N_BORDERS };
    int64_t border[N_BORDERS], scale[2];
    int n_borders, n_scale;
    Value *y = expansion_input(e, 0), *starts, *ends, *axes;
    TRY(parse_ints(&e->parse, "border", border, N_BORDERS, &n_borders));
    TRY(parse_ints(&e->parse, "scale", scale, 2, &n_scale));
    if (n_borders != N_BORDERS || (n_scale >= 0 && n_scale != 2))
        return parse_fail(&e->parse, STRIDER_BAD_MODEL, "border must have 4 values, scale none or 2");
    for (int i = 0; i < N_BORDERS; i++)
        if (border[i] < 0 || border[i] > INT32_MAX ||
            (n_scale == 2 && (scale[i % 2] < 0 || scale[i % 2] > INT32_MAX)))
            return parse_fail(&e->parse, STRIDER_BAD_MODEL, "a border or size is negative or too large");
    const int64_t bottom = border[BOTTOM] ? -border[BOTTOM] : INT64_MAX,
                  right = border[RIGHT] ? -border[RIGHT] : INT64_MAX;
    TRY(expansion_ints(e, 2, (const int64_t[]){border[TOP], border[LEFT]}, &starts));
    TRY(expansion_ints(e, 2,
                       (const int64_t[]){n_scale == 2 ? border[TOP] + scale[0] : bottom,
                                         n_scale == 2 ? border[LEFT] + scale[1] : right},
                       &ends));
    TRY(expansion_ints(e, 2, (const int64_t[]){2, 3}, &axes));
    TRY(expansion_apply(e, "Slice", 13, NO_ATTRS, INPUTS(y, starts, ends, axes), &y));
    return expansion_output(e, 0, y);
}

/* Over the batch, too, as onnxruntime computes it. */
Status expand_mean_variance_norm(Expansion *e) {
    static const int64_t axes[] = {0, 2, 3, 1};
    Value *x = expansion_input(e, 0), *y;
    bool across_channels, normalises_variance;
    TRY(parse_bool(&e->parse, "across_channels", false, &across_channels));
    TRY(parse_bool(&e->parse, "normalize_variance", true, &normalises_variance));
    const Attr over = expansion_ints_attr("axes", axes, across_channels ? 4 : 3);
    if (normalises_variance) {
        TRY(expansion_apply(e, "MeanVarianceNormalization", 9, ATTRS(over), INPUTS(x), &y));
    } else {
        TRY(expansion_apply(e, "ReduceMean", 11, ATTRS(over), INPUTS(x), &y));
        TRY(expansion_apply(e, "Sub", 14, NO_ATTRS, INPUTS(x, y), &y));
    }
    return expansion_output(e, 0, y);
}

/* --- ConstantFill, with which PyTorch before 1.0 made the first states of recurrent layers --- */

/* `shape` of the attribute or of the input, or the input as a shape; then `extra_shape`. */
static Status filled_shape(Expansion *e, Value **shape) {
    int64_t dims[MAX_RANK], extra[MAX_RANK];
    int n_dims, n_extra;
    bool is_shape;
    Value *input = expansion_input(e, 0), *more;
    TRY(parse_ints(&e->parse, "shape", dims, MAX_RANK, &n_dims));
    TRY(parse_ints(&e->parse, "extra_shape", extra, MAX_RANK, &n_extra));
    TRY(parse_bool(&e->parse, "input_as_shape", false, &is_shape));
    if (input ? n_dims >= 0 : n_dims < 0 || n_extra > 0)
        return parse_fail(&e->parse, STRIDER_BAD_MODEL, "its shape must be an attribute or that of an input");
    if (!input)
        return expansion_ints(e, n_dims, dims, shape);
    if (is_shape)
        TRY(expansion_apply(e, "Cast", 13, ATTRS(expansion_int_attr("to", 7)), INPUTS(input), shape));
    else
        TRY(expansion_apply(e, "Shape", 13, NO_ATTRS, INPUTS(input), shape));
    if (n_extra <= 0)
        return STRIDER_OK;
    TRY(expansion_ints(e, n_extra, extra, &more));
    return expansion_apply(e, "Concat", 13, ATTRS(expansion_int_attr("axis", 0)), INPUTS(*shape, more),
                           shape);
}

Status expand_constant_fill(Expansion *e) {
    const Shape scalar = shape_scalar();
    Value *number, *shape, *y;
    int64_t dtype;
    float value;
    TRY(parse_int(&e->parse, "dtype", 1, &dtype));
    TRY(parse_float(&e->parse, "value", 0, &value));
    TRY(filled_shape(e, &shape));
    TRY(expansion_floats(e, &scalar, &value, &number));
    TRY(expansion_apply(e, "Cast", 13, ATTRS(expansion_int_attr("to", dtype)), INPUTS(number), &number));
    TRY(expansion_apply(e, "Expand", 13, NO_ATTRS, INPUTS(number, shape), &y));
    return expansion_output(e, 0, y);
}
