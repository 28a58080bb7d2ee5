/* SPDX-License-Identifier: Apache-2.0 */
/* Activations that exporters write as several nodes:
 *     x Sigmoid(x)                                    Swish
 *     x HardSigmoid(x) with 1/6 and 1/2, and
 *     x Clip(x + 3, 0, 6) / 6                         HardSwish
 *     x Tanh(Softplus(x))                             Mish
 *     x (1 + Erf(x / sqrt 2)) / 2, in any order       Gelu */
#include <math.h>
#include <string.h>

#include "ops/math/unary.h"
#include "optimize/rewrite.h"

static bool near(double a, double b) {
    return fabs(a - b) <= 1e-4 * fabs(b);
}

/* The operand that is not a constant of one element, whose number it gives. */
static Value *with_constant(const Node *node, double *number) {
    if (scalar_constant(node->inputs[1], number))
        return node->inputs[0];
    return scalar_constant(node->inputs[0], number) ? node->inputs[1] : NULL;
}

/* x where `value` is x / sqrt 2. */
static Value *over_sqrt2(Value *value) {
    double number;
    Node *node = made_by(value, OP_Div);
    if (node && scalar_constant(node->inputs[1], &number) && near(number, sqrt(2.0)))
        return node->inputs[0];
    node = made_by(value, OP_Mul);
    Value *x = node ? with_constant(node, &number) : NULL;
    return x && near(number, sqrt(0.5)) ? x : NULL;
}

/* x where `value` is 1 + Erf(x / sqrt 2). */
static Value *erf_part(Value *value) {
    double number;
    Node *add = made_by(value, OP_Add);
    Value *sum = add ? with_constant(add, &number) : NULL;
    Node *erf = sum && near(number, 1) ? made_by(sum, OP_Erf) : NULL;
    return erf ? over_sqrt2(erf->inputs[0]) : NULL;
}

/* x where `node` is the last product of a Gelu: (x E) 0.5, x (E 0.5) or (x 0.5) E. */
static Value *match_gelu(const Node *node) {
    double half;
    Value *rest = with_constant(node, &half);
    if (rest && near(half, 0.5)) {
        Node *product = made_by(rest, OP_Mul);
        for (int i = 0; product && i < 2; i++) {
            Value *x = erf_part(product->inputs[i]);
            if (x && x == product->inputs[1 - i])
                return x;
        }
        return NULL;
    }
    for (int i = 0; i < 2; i++) {
        Value *a = node->inputs[i], *b = node->inputs[1 - i], *x = erf_part(a);
        Node *halved = made_by(b, OP_Mul);
        Value *from = halved ? with_constant(halved, &half) : NULL;
        if (x && from == x && near(half, 0.5))
            return x;
        halved = made_by(a, OP_Mul);
        from = halved ? with_constant(halved, &half) : NULL;
        if (from && near(half, 0.5) && erf_part(from) == b)
            return b;
    }
    return NULL;
}

/* x where `value` is Clip(x + 3, 0, 6). */
static Value *clip_part(Value *value) {
    double low, high, three;
    Node *clip = made_by(value, OP_Clip);
    if (!clip || !clip_bounds(clip, &low, &high) || low != 0 || high != 6)
        return NULL;
    Node *add = made_by(clip->inputs[0], OP_Add);
    Value *x = add ? with_constant(add, &three) : NULL;
    return x && three == 3 ? x : NULL;
}

static Value *match_hard_swish(const Node *node) {
    double six;
    Value *rest = NULL;
    if (is_op(node, OP_Div) && scalar_constant(node->inputs[1], &six) && six == 6)
        rest = node->inputs[0];
    else if (is_op(node, OP_Mul) && (rest = with_constant(node, &six)) && !near(six, 1.0 / 6))
        rest = NULL;
    Node *product = rest ? made_by(rest, OP_Mul) : NULL;
    for (int i = 0; product && i < 2; i++) {
        Value *x = clip_part(product->inputs[i]);
        if (x && x == product->inputs[1 - i])
            return x;
    }
    /* x (Clip(x + 3) / 6) */
    for (int i = 0; is_op(node, OP_Mul) && i < 2; i++) {
        Node *div = made_by(node->inputs[i], OP_Div);
        if (div && scalar_constant(div->inputs[1], &six) && six == 6 &&
            clip_part(div->inputs[0]) == node->inputs[1 - i])
            return node->inputs[1 - i];
    }
    return NULL;
}

/* x and which gate stands beside it in a product. */
static Value *match_gate(const Node *node, Unary *joined) {
    for (int i = 0; i < 2; i++) {
        Value *gate = node->inputs[i], *x = node->inputs[1 - i];
        Unary activation;
        if (gate->uses != 1 || !gate->producer || !node_activation(gate->producer, &activation))
            continue;
        if (gate->producer->inputs[0] == x && activation.kind == UNARY_SIGMOID) {
            *joined = (Unary){UNARY_SWISH, 1, 0};
            return x;
        }
        if (gate->producer->inputs[0] == x && activation.kind == UNARY_HARD_SIGMOID &&
            near((double)activation.alpha, 1.0 / 6) && near((double)activation.beta, 0.5)) {
            *joined = (Unary){UNARY_HARD_SWISH, 0, 0};
            return x;
        }
        Node *softplus =
            activation.kind == UNARY_TANH ? made_by(gate->producer->inputs[0], OP_Softplus) : NULL;
        if (softplus && softplus->inputs[0] == x) {
            *joined = (Unary){UNARY_MISH, 0, 0};
            return x;
        }
    }
    return NULL;
}

static Value *match(const Node *node, Unary *joined) {
    Value *x = NULL;
    if (!is_op(node, OP_Mul) && !is_op(node, OP_Div))
        return NULL;
    if (is_op(node, OP_Mul))
        x = match_gate(node, joined);
    if (!x && (x = match_hard_swish(node)))
        *joined = (Unary){UNARY_HARD_SWISH, 0, 0};
    if (!x && is_op(node, OP_Mul) && (x = match_gelu(node)))
        *joined = (Unary){UNARY_GELU, 0, 0};
    return x;
}

Status pass_fuse_activations(Graph *graph, Error *err) {
    size_t n = graph->n_nodes;
    for (size_t i = 0; i < n; i++) {
        Node *node = graph->nodes[i];
        Unary joined;
        Value *x = match(node, &joined), *y = node->outputs[0];
        /* A constant of one element may still have more dimensions than x. */
        if (!x || x->type.shape.rank < 0 || !shape_equal(&x->type.shape, &y->type.shape))
            continue;
        Node *made = NULL;
        TRY(graph_add_unary(graph, joined, node->name, &made, err));
        made->torch_scope = node->torch_scope;
        made->source_index = node->source_index;
        graph_remove_node(node);
        node_set_input(made, 0, x);
        node_set_output(made, 0, y);
        /* In the old one's place, so that the order stays. */
        graph->nodes[i] = made;
        graph->nodes[graph->n_nodes - 1] = node;
    }
    graph_compact(graph);
    return pass_remove_dead(graph, err);
}
