/* SPDX-License-Identifier: Apache-2.0 */
/* RegexFullMatch (ONNX 20): whether each string as a whole is what the pattern says; see regex.h. */
#include "ops/op.h"
#include "ops/text/regex.h"

typedef struct RegexAttrs {
    Regex regex;
} RegexAttrs;

static Status regex_full_match_parse(ParseContext *ctx, void *attrs_) {
    RegexAttrs *attrs = attrs_;
    const Attr *pattern;
    Error why = {0};
    TRY(parse_require(ctx, "pattern"));
    pattern = attrs_find(ctx->attrs, "pattern");
    if (pattern->kind != ATTR_STRING || strlen(pattern->s) != pattern->count)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "attribute pattern is no string without NUL bytes");
    const Status status = regex_compile(pattern->s, ctx->region, &attrs->regex, &why);
    return status ? parse_fail(ctx, status, "%s", why.message) : STRIDER_OK;
}

static Status regex_full_match_infer(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, 0, DTYPES_STRING));
    ctx->outputs[0].tensor = type_of(STRIDER_BOOL, ctx->inputs[0].shape);
    return STRIDER_OK;
}

static Status regex_full_match_reference(EvalContext *ctx) {
    const RegexAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[0];
    const String *strings = x->data;
    void *scratch = NULL;
    TRY(eval_alloc(ctx, 1, (int64_t)regex_scratch_bytes(&attrs->regex).n, &scratch));
    for (int64_t i = 0; i < tensor_elements(x); i++)
        tensor_set_i64(ctx->outputs[0], i, regex_matches(&attrs->regex, strings[i], scratch));
    return STRIDER_OK;
}

static Bytes regex_full_match_scratch(const Node *node, const Type *inputs, const Type *outputs) {
    (void)inputs, (void)outputs;
    const RegexAttrs *attrs = node->attrs;
    return scratch_of(1, (int64_t)regex_scratch_bytes(&attrs->regex).n);
}

const Op op_regex_full_match = {
    OP_NAMED(RegexFullMatch),
    .since = 20,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(RegexAttrs),
    .parse = regex_full_match_parse,
    .infer = regex_full_match_infer,
    .reference = regex_full_match_reference,
    .scratch = regex_full_match_scratch,
    .flags = OP_STRINGS,
};
