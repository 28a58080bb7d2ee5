/* SPDX-License-Identifier: Apache-2.0 */
/* The optimisers of ai.onnx.preview.training, at its opset 1: one step for each of any number of tensors X,
 * of which the node has all first, then all of their gradients, then all of what it keeps of each. */
#include "loader/foreign.h"

/* What all tensors of a node share. */
typedef struct Optimiser {
    Expansion *e;
    Value *rate, *updates; /* how often the tensors were changed before, as a number of rate's type */
    int n_tensors;
    float norm; /* what is added of X to its gradient */
} Optimiser;

enum { RATE, UPDATES, TENSORS };

/* `n_kept`: how many tensors the optimiser keeps for each. */
static Status start(Expansion *e, int n_kept, Optimiser *with) {
    const int n_groups = 2 + n_kept, n = (e->n_inputs - TENSORS) / n_groups;
    *with = (Optimiser){.e = e, .rate = e->inputs[RATE], .n_tensors = n};
    if (n * n_groups != e->n_inputs - TENSORS || e->from->n_outputs > n * (1 + n_kept))
        return where_fail(
            e->loading, e->where, STRIDER_BAD_MODEL,
            "its inputs are not as many gradients and states as tensors, or its outputs are more");
    for (int i = 0; i < e->n_inputs; i++)
        if (!e->inputs[i])
            return where_fail(e->loading, e->where, STRIDER_BAD_MODEL, "a required input is missing");
    TRY(parse_float(&e->parse, "norm_coefficient", 0, &with->norm));
    return expansion_binary(e, "CastLike", e->inputs[UPDATES], with->rate, &with->updates);
}

/* Tensor i of a group of inputs: 0 those that are changed, 1 gradients, then what is kept. */
static Value *group_input(const Optimiser *with, int group, int i) {
    return with->e->inputs[TENSORS + group * with->n_tensors + i];
}

static Status group_output(const Optimiser *with, int group, int i, Value *value) {
    return expansion_output(with->e, group * with->n_tensors + i, value);
}

/* a * x + b * y */
static Status mix(Expansion *e, float a, Value *x, float b, Value *y, Value **mixed) {
    TRY(expansion_scale(e, a, &x));
    TRY(expansion_scale(e, b, &y));
    return expansion_binary(e, "Add", x, y, mixed);
}

static Status regularized_gradient(const Optimiser *with, int i, Value **gradient) {
    *gradient = group_input(with, 1, i);
    return with->norm == 0 ? STRIDER_OK
                           : mix(with->e, with->norm, group_input(with, 0, i), 1, *gradient, gradient);
}

/* X - rate * direction */
static Status descend(const Optimiser *with, int i, Value *direction, Value **x) {
    Value *rate, *step;
    *x = group_input(with, 0, i);
    TRY(expansion_binary(with->e, "CastLike", with->rate, *x, &rate));
    TRY(expansion_binary(with->e, "Mul", rate, direction, &step));
    return expansion_binary(with->e, "Sub", *x, step, x);
}

/* numerator / (sqrt(squares) + epsilon) */
static Status over_root(Expansion *e, Value *numerator, Value *squares, float epsilon, Value **quotient) {
    Value *root, *small;
    TRY(expansion_unary(e, "Sqrt", squares, &root));
    TRY(expansion_number_like(e, root, epsilon, &small));
    TRY(expansion_binary(e, "Add", root, small, &root));
    return expansion_binary(e, "Div", numerator, root, quotient);
}

/* updates > 0 ? later : first */
static Status later_or_first(const Optimiser *with, Value *later, Value *first, Value **chosen) {
    Value *zero, *is_later;
    TRY(expansion_number_like(with->e, with->updates, 0, &zero));
    TRY(expansion_binary(with->e, "Greater", with->updates, zero, &is_later));
    return expansion_apply(with->e, "Where", 9, NO_ATTRS, INPUTS(is_later, later, first), chosen);
}

/* --- Adagrad --- */

/* rate / (1 + updates * decay) */
static Status decayed_rate(Optimiser *with) {
    float decay;
    Value *divisor = with->updates, *one;
    TRY(parse_float(&with->e->parse, "decay_factor", 0, &decay));
    TRY(expansion_scale(with->e, decay, &divisor));
    TRY(expansion_number_like(with->e, with->rate, 1, &one));
    TRY(expansion_binary(with->e, "Add", one, divisor, &divisor));
    return expansion_binary(with->e, "Div", with->rate, divisor, &with->rate);
}

static Status adagrad_step(const Optimiser *with, int i, float epsilon) {
    Value *gradient, *square, *squares, *direction, *x;
    TRY(regularized_gradient(with, i, &gradient));
    TRY(expansion_binary(with->e, "Mul", gradient, gradient, &square));
    TRY(expansion_binary(with->e, "Add", group_input(with, 2, i), square, &squares));
    TRY(over_root(with->e, gradient, squares, epsilon, &direction));
    TRY(descend(with, i, direction, &x));
    TRY(group_output(with, 0, i, x));
    return group_output(with, 1, i, squares);
}

Status expand_adagrad(Expansion *e) {
    Optimiser with;
    float epsilon;
    TRY(start(e, 1, &with));
    TRY(parse_float(&e->parse, "epsilon", 1e-6f, &epsilon));
    TRY(decayed_rate(&with));
    for (int i = 0; i < with.n_tensors; i++)
        TRY(adagrad_step(&with, i, epsilon));
    return STRIDER_OK;
}

/* --- Adam --- */

typedef struct Adam {
    Optimiser with;
    float alpha, beta, epsilon, norm_after;
} Adam;

/* 1 - base^updates */
static Status bias_correction(const Optimiser *with, float base, Value **y) {
    Value *one, *power;
    TRY(expansion_number_like(with->e, with->rate, 1, &one));
    TRY(expansion_number_like(with->e, with->rate, base, &power));
    TRY(expansion_binary(with->e, "Pow", power, with->updates, &power));
    return expansion_binary(with->e, "Sub", one, power, y);
}

/* rate * sqrt(1 - beta^updates) / (1 - alpha^updates), after the first step */
static Status adam_rate(Adam *adam) {
    Optimiser *with = &adam->with;
    Value *first, *second;
    TRY(bias_correction(with, adam->alpha, &first));
    TRY(bias_correction(with, adam->beta, &second));
    TRY(expansion_unary(with->e, "Sqrt", second, &second));
    TRY(expansion_binary(with->e, "Div", second, first, &first));
    TRY(expansion_binary(with->e, "Mul", with->rate, first, &first));
    return later_or_first(with, first, with->rate, &with->rate);
}

static Status adam_step(const Adam *adam, int i) {
    const Optimiser *with = &adam->with;
    Expansion *e = with->e;
    const float alpha = adam->alpha, beta = adam->beta;
    Value *gradient, *square, *mean, *squares, *direction, *x;
    TRY(regularized_gradient(with, i, &gradient));
    TRY(mix(e, alpha, group_input(with, 2, i), 1 - alpha, gradient, &mean));
    TRY(expansion_binary(e, "Mul", gradient, gradient, &square));
    TRY(mix(e, beta, group_input(with, 3, i), 1 - beta, square, &squares));
    TRY(over_root(e, mean, squares, adam->epsilon, &direction));
    TRY(descend(with, i, direction, &x));
    TRY(expansion_scale(e, 1 - adam->norm_after, &x));
    TRY(group_output(with, 0, i, x));
    TRY(group_output(with, 1, i, mean));
    return group_output(with, 2, i, squares);
}

Status expand_adam(Expansion *e) {
    Adam adam;
    TRY(start(e, 2, &adam.with));
    TRY(parse_float(&e->parse, "alpha", 0.9f, &adam.alpha));
    TRY(parse_float(&e->parse, "beta", 0.999f, &adam.beta));
    TRY(parse_float(&e->parse, "epsilon", 1e-6f, &adam.epsilon));
    TRY(parse_float(&e->parse, "norm_coefficient_post", 0, &adam.norm_after));
    TRY(adam_rate(&adam));
    for (int i = 0; i < adam.with.n_tensors; i++)
        TRY(adam_step(&adam, i));
    return STRIDER_OK;
}

/* --- Momentum --- */

typedef struct Momentum {
    Optimiser with;
    float alpha;
    Value *beta; /* 1 in the first step */
    bool is_nesterov;
} Momentum;

static Status momentum_parse(Expansion *e, Momentum *momentum) {
    static const char *const required[] = {"alpha", "beta", "mode", "norm_coefficient"};
    static const char *const modes[] = {"standard", "nesterov", NULL};
    float beta;
    int mode;
    Value *one;
    for (size_t i = 0; i < sizeof required / sizeof *required; i++)
        TRY(parse_require(&e->parse, required[i]));
    TRY(parse_float(&e->parse, "alpha", 0, &momentum->alpha));
    TRY(parse_float(&e->parse, "beta", 1, &beta));
    TRY(parse_enum(&e->parse, "mode", modes, 0, &mode));
    momentum->is_nesterov = mode == 1;
    TRY(expansion_number_like(e, momentum->with.rate, beta, &momentum->beta));
    TRY(expansion_number_like(e, momentum->with.rate, 1, &one));
    return later_or_first(&momentum->with, momentum->beta, one, &momentum->beta);
}

static Status momentum_step(const Momentum *momentum, int i) {
    const Optimiser *with = &momentum->with;
    Expansion *e = with->e;
    Value *gradient, *beta, *added, *velocity, *direction, *x;
    TRY(regularized_gradient(with, i, &gradient));
    TRY(expansion_binary(e, "CastLike", momentum->beta, gradient, &beta));
    TRY(expansion_binary(e, "Mul", beta, gradient, &added));
    TRY(mix(e, momentum->alpha, group_input(with, 2, i), 1, added, &velocity));
    direction = velocity;
    if (momentum->is_nesterov)
        TRY(mix(e, 1, gradient, momentum->alpha, velocity, &direction));
    TRY(descend(with, i, direction, &x));
    TRY(group_output(with, 0, i, x));
    return group_output(with, 1, i, velocity);
}

Status expand_momentum(Expansion *e) {
    Momentum momentum;
    TRY(start(e, 1, &momentum.with));
    TRY(momentum_parse(e, &momentum));
    for (int i = 0; i < momentum.with.n_tensors; i++)
        TRY(momentum_step(&momentum, i));
    return STRIDER_OK;
}
