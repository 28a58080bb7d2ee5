/* SPDX-License-Identifier: Apache-2.0 */
/* What goes by indices, regions and conditions.  Where a shape follows from data, the value is hidden: it may
 * be an output, and its own shape goes on as a value. */
#include "fuzz/maker/maker.h"

#include <string.h>

static bool is_small(const Made *v) {
    return count_elements(v) <= MAX_ELEMENTS;
}

static Made made_of(int type, int rank, const int64_t *dims) {
    Made v = {.type = type, .rank = rank};
    memcpy(v.dims, dims, (size_t)rank * sizeof *dims);
    return v;
}

/* Indices of any rank into a dimension, some from the end. */
static int indices_into(Maker *m, int64_t dim, int rank, const int64_t *dims) {
    const Made v = made_of(ONNX_I64, rank, dims);
    Proto data = {0};
    for (int64_t i = 0; i < count_elements(&v); i++) {
        const int64_t index = right_or_wild(m, between(m, -dim, dim - 1));
        proto_put(&data, &index, sizeof index);
    }
    return add_tensor(m, ONNX_I64, rank, dims, &data);
}

static int hidden_result(Maker *m, int type, int rank) {
    const int value = node_result(m, type, rank, (int64_t[RANK]){0}, false);
    m->values[value].is_hidden = m->values[value].is_final = true;
    return value;
}

static int shape_of_hidden(Maker *m, int value, int rank) {
    begin_node(m, "Shape");
    use_value(m, value);
    const int y = node_result(m, ONNX_I64, 1, (int64_t[]){rank}, true);
    end_node(m);
    return y;
}

static int exact_value(Maker *m, int min_rank, int max_rank, bool any_type) {
    return some_value(m, (Want){.min_rank = min_rank,
                                .max_rank = max_rank,
                                .any_type = any_type,
                                .exact = true,
                                .elements = true});
}

/* --- by data --- */

/* The elements of x where it is not zero, by GatherND of what NonZero found. */
int put_nonzero(Maker *m) {
    const int x = exact_value(m, 1, 4, true);
    begin_node(m, "NonZero");
    use_value(m, x);
    const int found = hidden_result(m, ONNX_I64, 2);
    end_node(m);
    begin_node(m, "Transpose");
    use_value(m, found);
    set_ints(m, "perm", (int64_t[]){1, 0}, 2);
    const int tuples = hidden_result(m, ONNX_I64, 2);
    end_node(m);
    begin_node(m, "GatherND");
    use_value(m, x);
    use_value(m, tuples);
    const int y = hidden_result(m, m->values[x].type, 1);
    end_node(m);
    return chance(m, 50) ? shape_of_hidden(m, y, 1) : shape_of_hidden(m, tuples, 2);
}

int put_compress(Maker *m) {
    const int x = some_value(m, (Want){.min_rank = 1, .max_rank = 5, .any_type = true, .elements = true});
    Made v = m->values[x];
    const int axis = pick(m, v.rank);
    const int64_t length = v.dims[axis];
    Proto data = {0};
    int64_t taken = 0;
    for (int64_t i = 0; i < length; i++) {
        const uint8_t is_taken = (uint8_t)pick(m, 2);
        proto_put(&data, &is_taken, 1);
        taken += is_taken;
    }
    const int condition = add_tensor(m, ONNX_BOOL, 1, &length, &data);
    begin_node(m, "Compress");
    use_value(m, x);
    use_value(m, condition);
    set_int(m, "axis", axis);
    v.dims[axis] = taken;
    const int y = node_result(m, v.type, v.rank, v.dims, v.exact);
    end_node(m);
    return y;
}

int put_suppression(Maker *m) {
    const int64_t n = between(m, 1, 20), classes = between(m, 1, 3), batch = between(m, 1, 2);
    const int boxes = floats(m, ONNX_F32, 3, (int64_t[]){batch, n, 4}, 2, 0),
              scores = floats(m, ONNX_F32, 3, (int64_t[]){batch, classes, n}, 1, 0),
              most = scalar_int(m, between(m, 0, 12)), iou = floats(m, ONNX_F32, 0, NULL, 0.4, 0.45);
    const int least = chance(m, 50) ? floats(m, ONNX_F32, 0, NULL, 0.5, 0.001) : -1;
    begin_node(m, "NonMaxSuppression");
    use_value(m, boxes);
    use_value(m, scores);
    use_value(m, most);
    use_value(m, iou);
    if (least >= 0)
        use_value(m, least);
    const int chosen = hidden_result(m, ONNX_I64, 2);
    end_node(m);
    const int column = scalar_int(m, 2);
    begin_node(m, "Gather");
    use_value(m, chosen);
    use_value(m, column);
    set_int(m, "axis", 1);
    const int places = hidden_result(m, ONNX_I64, 1);
    end_node(m);
    begin_node(m, "Gather");
    use_value(m, boxes);
    use_value(m, places);
    set_int(m, "axis", 1);
    const int y = hidden_result(m, ONNX_F32, 3);
    end_node(m);
    return shape_of_hidden(m, y, 3);
}

/* The best of x, gathered again by their indices. */
int put_top_gather(Maker *m) {
    const int x = exact_value(m, 1, 4, false);
    Made v = m->values[x];
    const int axis = pick(m, v.rank);
    const int64_t k = between(m, 1, v.dims[axis]);
    const int count = ints(m, &k, 1);
    begin_node(m, "TopK");
    use_value(m, x);
    use_value(m, count);
    set_int(m, "axis", axis);
    set_int(m, "largest", pick(m, 2));
    v.dims[axis] = k;
    node_result(m, v.type, v.rank, v.dims, true);
    const int indices = node_result(m, ONNX_I64, v.rank, v.dims, true);
    end_node(m);
    begin_node(m, "GatherElements");
    use_value(m, x);
    use_value(m, indices);
    set_int(m, "axis", axis);
    const int y = node_result(m, v.type, v.rank, v.dims, true);
    end_node(m);
    return y;
}

/* --- by indices --- */

int put_gather_elements(Maker *m) {
    const int x = some_value(m, (Want){.min_rank = 1, .max_rank = 4, .any_type = true, .elements = true});
    const Made v = m->values[x];
    const int axis = pick(m, v.rank);
    int64_t dims[RANK];
    for (int d = 0; d < v.rank; d++)
        dims[d] = d == axis ? between(m, 1, 6) : between(m, 1, v.dims[d]);
    const int indices = indices_into(m, v.dims[axis], v.rank, dims);
    begin_node(m, "GatherElements");
    use_value(m, x);
    use_value(m, indices);
    set_int(m, "axis", chance(m, 30) ? axis - v.rank : axis);
    const int y = node_result(m, v.type, v.rank, dims, v.exact);
    end_node(m);
    return y;
}

/* Updates of places of which some are named twice. */
int put_scatter(Maker *m) {
    static const char *const reductions[] = {"none", "add", "mul", "max", "min"};
    const int x = some_full(m, 1, 4), by_tuples = pick(m, 2);
    const Made v = m->values[x];
    const int axis = by_tuples ? 0 : pick(m, v.rank);
    const int reduction = pick(m, m->opset >= 18 ? 5 : m->opset >= 16 ? 3 : 1);
    int64_t places[RANK], updates[RANK];
    for (int d = 0; d < v.rank; d++)
        places[d] = updates[d] = d == axis   ? between(m, 1, 5)
                                 : by_tuples ? v.dims[d]
                                             : between(m, 1, v.dims[d]);
    if (by_tuples)
        places[1] = 1;
    const int indices = indices_into(m, v.dims[axis], by_tuples ? 2 : v.rank, places),
              values = floats(m, v.type, v.rank, updates, 1, 0.001);
    begin_node(m, by_tuples ? "ScatterND" : "ScatterElements");
    use_value(m, x);
    use_value(m, indices);
    use_value(m, values);
    if (!by_tuples)
        set_int(m, "axis", axis);
    if (reduction)
        set_text(m, "reduction", reductions[reduction]);
    return end_node_like(m, x, v.exact && reduction != 1 && reduction != 2);
}

/* MaxPool, and its elements where they came from. */
int put_unpool(Maker *m) {
    const int x = exact_value(m, 4, 4, false);
    Made v = m->values[x];
    const int64_t two[] = {2, 2};
    if (v.dims[2] < 2 || v.dims[3] < 2)
        return x;
    v.dims[2] /= 2;
    v.dims[3] /= 2;
    begin_node(m, "MaxPool");
    use_value(m, x);
    set_ints(m, "kernel_shape", two, 2);
    set_ints(m, "strides", two, 2);
    const int pooled = node_result(m, v.type, 4, v.dims, true),
              indices = node_result(m, ONNX_I64, 4, v.dims, true);
    end_node(m);
    if (m->values[x].dims[2] % 2 || m->values[x].dims[3] % 2) /* indices are over another shape */
        return pooled;
    begin_node(m, "MaxUnpool");
    use_value(m, pooled);
    use_value(m, indices);
    set_ints(m, "kernel_shape", two, 2);
    set_ints(m, "strides", two, 2);
    return end_node_like(m, x, true);
}

/* --- by regions --- */

int put_regions(Maker *m) {
    const int x = some_full(m, 4, 4);
    const Made v = m->values[x];
    const int64_t rois = between(m, 1, 3), dims[] = {rois, v.dims[1], between(m, 1, 4), between(m, 1, 4)};
    const Made result = made_of(v.type, 4, dims);
    if (v.type != ONNX_F32 || m->opset < 16 || !is_small(&result))
        return x;
    int64_t images[3];
    for (int i = 0; i < rois; i++)
        images[i] = between(m, 0, v.dims[0] - 1);
    const int boxes = floats(m, v.type, 2, (int64_t[]){rois, 4}, 5, 4), batches = ints(m, images, (int)rois);
    begin_node(m, "RoiAlign");
    use_value(m, x);
    use_value(m, boxes);
    use_value(m, batches);
    set_int(m, "output_height", dims[2]);
    set_int(m, "output_width", dims[3]);
    set_int(m, "sampling_ratio", between(m, 1, 3));
    if (chance(m, 40))
        set_text(m, "mode", "max");
    m->made->has_product = true;
    const int y = node_result(m, v.type, 4, dims, false);
    end_node(m);
    return y;
}

int put_grid_sample(Maker *m) {
    static const char *const paddings[] = {"zeros", "border", "reflection"};
    const int x = some_full(m, 4, 4);
    const Made v = m->values[x];
    const int64_t dims[] = {v.dims[0], v.dims[1], between(m, 1, 6), between(m, 1, 6)};
    const Made result = made_of(v.type, 4, dims);
    if (v.type != ONNX_F32 || m->opset < 16 || !is_small(&result))
        return x;
    const int grid = floats(m, v.type, 4, (int64_t[]){v.dims[0], dims[2], dims[3], 2}, 1.3, 0);
    begin_node(m, "GridSample");
    use_value(m, x);
    use_value(m, grid);
    set_text(m, "mode", m->opset >= 20 ? "linear" : "bilinear");
    set_text(m, "padding_mode", paddings[pick(m, 3)]);
    set_int(m, "align_corners", pick(m, 2));
    m->made->has_product = true;
    const int y = node_result(m, v.type, 4, dims, false);
    end_node(m);
    return y;
}

/* Windows added up to an image. */
int put_columns(Maker *m) {
    const int64_t image[] = {between(m, 2, 8), between(m, 2, 8)},
                  block[] = {between(m, 1, 2), between(m, 1, 2)};
    const int64_t n = between(m, 1, 2), channels = between(m, 1, 5),
                  columns = (image[0] - block[0] + 1) * (image[1] - block[1] + 1);
    if (m->opset < 18)
        return some_float(m, 1, 4);
    const int x = floats(m, m->type, 3, (int64_t[]){n, channels * block[0] * block[1], columns}, 1, 0),
              to = ints(m, image, 2), by = ints(m, block, 2);
    begin_node(m, "Col2Im");
    use_value(m, x);
    use_value(m, to);
    use_value(m, by);
    const int y = node_result(m, m->type, 4, (int64_t[]){n, channels, image[0], image[1]}, false);
    end_node(m);
    return y;
}

/* The operator Attention, of opset 23, which a pattern of nodes becomes, too. */
int put_attention_node(Maker *m) {
    const int x = some_full(m, 4, 4);
    Made v = m->values[x];
    const int64_t keys = between(m, 1, 12), size = between(m, 1, 8);
    const Made scores = made_of(v.type, 4, (int64_t[]){v.dims[0], v.dims[1], v.dims[2], keys});
    if (v.type != ONNX_F32 || m->opset < 23 || !is_small(&scores))
        return x;
    const int k = floats(m, v.type, 4, (int64_t[]){v.dims[0], v.dims[1], keys, v.dims[3]}, 1, 0),
              w = floats(m, v.type, 4, (int64_t[]){v.dims[0], v.dims[1], keys, size}, 1, 0);
    begin_node(m, "Attention");
    use_value(m, x);
    use_value(m, k);
    use_value(m, w);
    if (chance(m, 30))
        set_int(m, "is_causal", 1);
    m->made->has_product = true;
    v.dims[3] = size;
    const int y = node_result(m, v.type, 4, v.dims, false);
    end_node(m);
    return y;
}
