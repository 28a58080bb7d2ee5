/* SPDX-License-Identifier: Apache-2.0 */
/* LSTM, GRU and RNN. */
#include "maker.h"

typedef struct LayerKind {
    const char *op;
    int64_t gates;
} LayerKind;

/* Weights that forget: so a step's rounding does not grow in those after it. */
static int weights(Maker *m, int type, int64_t directions, int64_t rows, int64_t columns) {
    return floats(m, type, 3, (int64_t[]){directions, rows, columns}, weight_scale(columns) / 2, 0);
}

static void set_direction(Maker *m, int64_t directions) {
    if (directions == 2)
        set_text(m, "direction", "bidirectional");
    else if (chance(m, 40))
        set_text(m, "direction", "reverse");
}

int put_recurrent(Maker *m) {
    static const LayerKind kinds[] = {{"LSTM", 4}, {"LSTM", 4}, {"GRU", 3}, {"RNN", 1}};
    const LayerKind kind = kinds[pick(m, 4)];
    const int x = some_full(m, 3, 3);
    const Made v = m->values[x];
    const bool batch_first = m->opset >= 14 && chance(m, 30);
    const int64_t d = between(m, 1, 2), hidden = between(m, 1, 20), rows = kind.gates * hidden,
                  steps = v.dims[batch_first], batch = v.dims[!batch_first], inputs = v.dims[2];
    if (d * rows * (inputs + hidden) > MAX_ELEMENTS || steps * batch * d * hidden > MAX_ELEMENTS ||
        steps * batch * d * rows * (inputs + hidden) > MAX_PRODUCTS)
        return x;
    const int w = weights(m, v.type, d, rows, inputs), r = weights(m, v.type, d, rows, hidden);
    const int64_t state[3] = {batch_first ? batch : d, batch_first ? d : batch, hidden};
    const int64_t y[4] = {v.dims[0], batch_first ? v.dims[1] : d, batch_first ? d : batch, hidden};
    const int b = chance(m, 70) ? floats(m, v.type, 2, (int64_t[]){d, 2 * rows}, 0.3, 0) : -1,
              h = chance(m, 50) ? floats(m, v.type, 3, state, 1, 0) : -1;
    begin_node(m, kind.op);
    use_value(m, x);
    use_value(m, w);
    use_value(m, r);
    use_value(m, b);
    use_value(m, -1);
    use_value(m, h);
    set_direction(m, d);
    set_int(m, "hidden_size", right_or_wild(m, hidden));
    if (batch_first)
        set_int(m, "layout", 1);
    if (kind.gates == 3 && chance(m, 50))
        set_int(m, "linear_before_reset", 1);
    if (kind.gates == 4 && chance(m, 20))
        set_int(m, "input_forget", 1);
    if (chance(m, 10))
        set_float(m, "clip", 0.5f);
    const int result = node_result(m, v.type, 4, y, false);
    if (chance(m, 50))
        node_result(m, v.type, 3, state, false);
    end_node(m);
    return result;
}
