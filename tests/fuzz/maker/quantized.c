/* SPDX-License-Identifier: Apache-2.0 */
/* Quantised values, of exact ones: a rounding that went the other way would be a whole step. */
#include "fuzz/maker/maker.h"

static int bytes_of(Maker *m, int type, int rank, const int64_t *dims) {
    Made shape = {.rank = rank};
    for (int i = 0; i < rank; i++)
        shape.dims[i] = dims[i];
    Proto data = {0};
    for (int64_t i = 0; i < count_elements(&shape); i++) {
        const uint8_t byte = (uint8_t)pick(m, 256);
        proto_put(&data, &byte, 1);
    }
    return add_tensor(m, type, rank, dims, &data);
}

/* The axis that the scales of x go along; -1: there is one scale. */
static int scale_axis(Maker *m, const Made *x) {
    const int axis = x->rank ? pick(m, x->rank) : -1;
    return axis >= 0 && x->dims[axis] > 0 && x->dims[axis] < 64 && chance(m, 40) ? axis : -1;
}

static int quantize(Maker *m, int x, int type, int axis, int scale, int zero) {
    const Made v = m->values[x];
    begin_node(m, "QuantizeLinear");
    use_value(m, x);
    use_value(m, scale);
    use_value(m, zero);
    if (axis >= 0)
        set_int(m, "axis", right_or_wild(m, axis));
    const int y = node_result(m, type, v.rank, v.dims, true);
    end_node(m);
    return y;
}

static int dequantize(Maker *m, int x, int axis, int scale, int zero) {
    const Made v = m->values[x];
    begin_node(m, "DequantizeLinear");
    use_value(m, x);
    use_value(m, scale);
    if (zero >= 0)
        use_value(m, zero);
    if (axis >= 0)
        set_int(m, "axis", right_or_wild(m, axis));
    const int y = node_result(m, ONNX_F32, v.rank, v.dims, true);
    end_node(m);
    return y;
}

static int conv_integer(Maker *m, int x, int zero) {
    const Made v = m->values[x];
    const int64_t kernel = chance(m, 50) ? 3 : 1, filters = between(m, 1, 5);
    const bool depthwise = chance(m, 30);
    const int64_t w_dims[] = {depthwise ? v.dims[1] : filters, depthwise ? 1 : v.dims[1], kernel, kernel},
                  y_dims[] = {v.dims[0], w_dims[0], v.dims[2], v.dims[3]}, pad = kernel / 2;
    const int w = bytes_of(m, ONNX_I8, 4, w_dims);
    begin_node(m, "ConvInteger");
    use_value(m, x);
    use_value(m, w);
    use_value(m, zero);
    set_ints(m, "pads", (int64_t[]){pad, pad, pad, pad}, 4);
    if (depthwise)
        set_int(m, "group", right_or_wild(m, v.dims[1]));
    const int y = node_result(m, ONNX_I32, 4, y_dims, true);
    end_node(m);
    return y;
}

static int matmul_integer(Maker *m, int x, int zero) {
    const Made v = m->values[x];
    int64_t dims[RANK];
    for (int i = 0; i < v.rank; i++)
        dims[i] = v.dims[i];
    dims[v.rank - 1] = between(m, 1, 40);
    const int b = bytes_of(m, ONNX_I8, 2, (int64_t[]){v.dims[v.rank - 1], dims[v.rank - 1]});
    begin_node(m, "MatMulInteger");
    use_value(m, x);
    use_value(m, b);
    use_value(m, zero);
    const int y = node_result(m, ONNX_I32, v.rank, dims, true);
    end_node(m);
    return y;
}

/* Quantised and back, or a product between. */
int put_quantized(Maker *m) {
    const int x = some_value(m, (Want){.max_rank = 5, .exact = true, .elements = true});
    const Made v = m->values[x];
    if (v.type != ONNX_F32 || m->opset < 13)
        return x;
    const int type = chance(m, 50) ? ONNX_U8 : ONNX_I8, axis = scale_axis(m, &v), rank = axis >= 0;
    const int64_t *dims = axis >= 0 ? &v.dims[axis] : NULL;
    const int scale = floats(m, ONNX_F32, rank, dims, 0.02, 0.03), zero = bytes_of(m, type, rank, dims);
    const int q = quantize(m, x, type, axis, scale, zero);
    if (axis < 0 && v.rank == 4 && v.dims[1] <= 32 && chance(m, 40))
        return dequantize(m, conv_integer(m, q, zero), -1, scale, -1);
    if (axis < 0 && v.rank >= 2 && v.dims[v.rank - 1] <= 64 && chance(m, 40))
        return dequantize(m, matmul_integer(m, q, zero), -1, scale, -1);
    return dequantize(m, q, axis, scale, zero);
}
