#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cases where ONNX's own suite is thin: layers of torch with random parameters and odd shapes, exported by both exporters, with what
torch computes.

    torch_cases.py OUTDIR [--count N] [--seed S] [--family NAME...]

writes N cases of each family to OUTDIR/FAMILY_INDEX_EXPORTER/{model.onnx, test_data_set_0/}; `strider check OUTDIR/*` runs them.
A sample (--count 4) stands in tests/data/torch/, which the tests check.  What an exporter refuses is printed and left out."""
import argparse
import pathlib
import random
import shutil
import sys
import tempfile

import onnx
import torch
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import torch_dump  # noqa: E402


class Call(nn.Module):
    """A function of the inputs, and of layers that it uses."""

    def __init__(self, function, *layers):
        super().__init__()
        self.function, self.layers = function, nn.ModuleList(layers)

    def forward(self, *inputs):
        return self.function(*inputs, *self.layers)


def sizes(rng, dims, low=7, high=14):
    return [rng.randint(low, high) for _ in range(dims)]


def of_dims(rng, dims, choices):
    """One number for all dimensions, or one for each."""
    return rng.choice(choices) if rng.random() < 0.5 else tuple(rng.choice(choices) for _ in range(dims))


def by_dims(dims, name):
    return getattr(nn, f"{name}{dims}d")


# --- families: each returns a module and its inputs ---

def conv(rng):
    dims, groups = rng.randint(1, 3), rng.choice((1, 1, 2, 3))
    channels_in, channels_out = groups * rng.randint(1, 4), groups * rng.randint(1, 5)
    if rng.random() < 0.25:
        groups = channels_in
        channels_out = groups * rng.randint(1, 2)
    padding = rng.choice(("valid", "same", 0, 1, of_dims(rng, dims, (0, 1, 2, 3))))
    stride = 1 if padding == "same" else of_dims(rng, dims, (1, 1, 2, 3))
    layer = by_dims(dims, "Conv")(channels_in, channels_out, of_dims(rng, dims, (1, 2, 3, 4)), stride, padding, of_dims(rng, dims, (1, 1, 2)),
                                  groups, rng.random() < 0.7, rng.choice(("zeros", "zeros", "reflect", "replicate", "circular")))
    batch = [] if rng.random() < 0.2 else [rng.choice((1, 1, 2, 3))]
    return layer, (torch.randn(*batch, channels_in, *sizes(rng, dims, 8 if dims < 3 else 7, 13 if dims < 3 else 9)),)


def conv_transpose(rng):
    dims, groups = rng.randint(1, 3), rng.choice((1, 1, 2, 3))
    channels_in, channels_out = groups * rng.randint(1, 3), groups * rng.randint(1, 3)
    stride = rng.randint(1, 3)
    layer = by_dims(dims, "ConvTranspose")(channels_in, channels_out, of_dims(rng, dims, (1, 2, 3, 4)), stride, rng.choice((0, 0, 1)),
                                           rng.randrange(stride), groups, rng.random() < 0.7, rng.choice((1, 1, 2)))
    return layer, (torch.randn(rng.randint(1, 2), channels_in, *sizes(rng, dims, 4, 7)),)


def pool(rng):
    dims, kernel = rng.randint(1, 3), rng.randint(2, 4)
    stride, padding, ceil = rng.randint(1, kernel), rng.randint(0, kernel // 2), rng.random() < 0.5
    kind = rng.choice(("max", "max indices", "average", "lp", "adaptive average", "adaptive max"))
    x = torch.randn(rng.randint(1, 2), rng.randint(1, 5), *sizes(rng, dims, 8, 12))
    if kind == "max":
        return by_dims(dims, "MaxPool")(kernel, stride, padding, rng.choice((1, 2)), ceil_mode=ceil), (x,)
    if kind == "max indices":
        return by_dims(dims, "MaxPool")(kernel, stride, padding, return_indices=True, ceil_mode=ceil), (x,)
    if kind == "average":
        return by_dims(dims, "AvgPool")(kernel, stride, padding, ceil, rng.random() < 0.5), (x,)
    if kind == "lp" and dims < 3:
        return by_dims(dims, "LPPool")(rng.choice((1, 2)), kernel, stride, ceil), (x.abs() + 0.1,)
    name = "AdaptiveMaxPool" if kind == "adaptive max" else "AdaptiveAvgPool"
    output = [rng.choice((1, s // 2, s)) if s % 2 == 0 else rng.choice((1, s)) for s in x.shape[2:]]
    return by_dims(dims, name)(tuple(output)), (x,)


def unpool(rng):
    x = torch.randn(rng.randint(1, 2), rng.randint(1, 3), 2 * rng.randint(3, 5), 2 * rng.randint(3, 5))
    return Call(lambda x, pool, unpool: unpool(*pool(x)), nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)), (x,)


def padding(rng):
    dims = rng.randint(1, 3)
    kind = rng.choice(("ReflectionPad", "ReplicationPad", "ZeroPad", "ConstantPad", "CircularPad", "crop"))
    x = torch.randn(rng.randint(1, 2), rng.randint(1, 3), *sizes(rng, dims, 5, 8))
    pads = tuple(rng.randint(0, 4) for _ in range(2 * dims))
    if kind == "crop":
        pads = tuple(rng.randint(-2, 3) for _ in range(2 * dims))
        return Call(lambda x: functional.pad(x, pads, value=0.5)), (x,)
    return by_dims(dims, kind)(pads, 1.5) if kind == "ConstantPad" else by_dims(dims, kind)(pads), (x,)


def resize(rng):
    dims = rng.randint(1, 3)
    modes = {1: ("linear",), 2: ("bilinear", "bilinear", "bicubic", "antialias"), 3: ("trilinear",)}[dims]
    mode = rng.choice(("nearest", "nearest-exact", "area") + modes + modes)
    x = torch.randn(rng.randint(1, 2), rng.randint(1, 4), *sizes(rng, dims, 4, 11))
    options = {}
    if mode == "antialias":
        options, mode = {"antialias": True, "align_corners": False}, rng.choice(("bilinear", "bicubic"))
    elif mode not in ("nearest", "nearest-exact", "area"):
        options = {"align_corners": rng.random() < 0.5}
    if rng.random() < 0.5:
        options["size"] = sizes(rng, dims, 3, 17)
    else:
        options["scale_factor"] = rng.choice((0.5, 0.6, 1.3, 1.7, 2.0, 2.5))
        options["recompute_scale_factor"] = rng.choice((None, None, True))
    return Call(lambda x: functional.interpolate(x, mode=mode, **options)), (x,)


def norm(rng):
    dims, channels = rng.randint(1, 3), rng.choice((3, 4, 6, 8))
    x = torch.randn(rng.randint(1, 3), channels, *sizes(rng, dims, 3, 7)) * 3 + 1
    kind = rng.choice(("batch", "instance", "group", "layer", "rms", "response", "l2"))
    if kind == "batch":
        layer = by_dims(dims, "BatchNorm")(channels, affine=rng.random() < 0.7)
        torch_dump.randomize_batch_norm(layer)
    elif kind == "instance":
        layer = by_dims(dims, "InstanceNorm")(channels, affine=rng.random() < 0.5)
    elif kind == "group":
        layer = nn.GroupNorm(rng.choice([g for g in (1, 2, 3, 4, channels) if channels % g == 0]), channels, affine=rng.random() < 0.7)
    elif kind == "layer":
        layer = nn.LayerNorm(list(x.shape[-rng.randint(1, dims + 1):]), elementwise_affine=rng.random() < 0.7)
    elif kind == "rms":
        layer = nn.RMSNorm(list(x.shape[-1:]))
    elif kind == "response":
        layer = nn.LocalResponseNorm(rng.randint(2, 5), alpha=0.1)
    else:
        layer = Call(lambda x: functional.normalize(x, dim=1))
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, 0.5, 1.5)
    return layer, (x,)


def attention(rng):
    batch, heads, length, other, width = rng.randint(1, 2), rng.choice((2, 4)), rng.randint(3, 9), rng.randint(3, 9), rng.choice((4, 8))
    if rng.random() < 0.4:
        layer = nn.MultiheadAttention(heads * width, heads, batch_first=True)
        weights = rng.random() < 0.5
        x = torch.randn(batch, length, heads * width)
        return Call(lambda x, layer: layer(x, x, x, need_weights=weights), layer), (x,)
    kind = rng.choice(("none", "causal", "bool", "float"))
    q, k, v = torch.randn(batch, heads, length, width), torch.randn(batch, heads, other, width), torch.randn(batch, heads, other, width + 2)
    inputs = {"bool": (torch.rand(length, other) < 0.7,), "float": (torch.randn(batch, 1, length, other),)}.get(kind, ())
    if kind == "bool":
        inputs[0][:, 0] = True  # a row without any is NaN
    return Call(lambda q, k, v, mask=None: functional.scaled_dot_product_attention(q, k, v, mask, is_causal=kind == "causal")), (q, k, v) + inputs


def recurrent(rng):
    width, hidden, layers = rng.randint(2, 6), rng.randint(2, 7), rng.randint(1, 2)
    options = {"bidirectional": rng.random() < 0.5, "batch_first": rng.random() < 0.5, "bias": rng.random() < 0.8}
    kind = rng.choice((nn.LSTM, nn.GRU, nn.RNN))
    if kind is nn.RNN:
        options["nonlinearity"] = rng.choice(("tanh", "relu"))
    return kind(width, hidden, layers, **options), (torch.randn(rng.randint(2, 4), rng.randint(2, 4), width),)


ACTIVATIONS = (nn.ELU(0.7), nn.Hardshrink(0.3), nn.Hardsigmoid(), nn.Hardtanh(-0.5, 0.8), nn.Hardswish(), nn.LeakyReLU(0.2), nn.LogSigmoid(),
               nn.PReLU(3), nn.PReLU(), nn.ReLU(), nn.ReLU6(), nn.RReLU(), nn.SELU(), nn.CELU(0.6), nn.GELU(), nn.GELU("tanh"), nn.Sigmoid(),
               nn.SiLU(), nn.Mish(), nn.Softplus(2, 1.5), nn.Softshrink(0.4), nn.Softsign(), nn.Tanh(), nn.Tanhshrink(), nn.Threshold(0.1, -3),
               nn.GLU(2), nn.Softmin(1), nn.Softmax(1), nn.Softmax2d(), nn.LogSoftmax(-1))


def activation(rng):
    layer = ACTIVATIONS[rng.randrange(len(ACTIVATIONS))]
    return layer, (torch.randn(rng.randint(1, 2), 3, 2 * rng.randint(1, 4), rng.randint(1, 9)) * 3,)


def put(x, values):
    x = x.clone()
    x[:, 1::2] = values
    return x


MOVES = (
    (lambda x: functional.pixel_shuffle(x, 2), (2, 8, 3, 5)), (lambda x: functional.pixel_unshuffle(x, 3), (1, 2, 6, 9)),
    (lambda x: functional.channel_shuffle(x, 3), (2, 6, 3, 5)), (lambda x: functional.unfold(x, (2, 3), 1, 1, 2), (2, 3, 6, 7)),
    (lambda x: functional.fold(x, (6, 7), (2, 3), stride=1), (2, 12, 25)), (lambda x: x.roll((1, -2), (1, 3)), (2, 3, 4, 5)),
    (lambda x: x.flip(1, 3), (2, 3, 4, 5)), (lambda x: x.tril(-1) + x.triu(1), (3, 5, 7)), (lambda x: x.cumsum(2), (2, 3, 7)),
    (lambda x: x.topk(3, 1), (2, 7, 5)), (lambda x: x.sort(1, descending=True), (3, 7)), (lambda x: x.argmax(1), (3, 7, 2)),
    (lambda x: x.var((1, 3), unbiased=True), (2, 3, 4, 5)), (lambda x: x.std(2), (2, 3, 5)), (lambda x: x.norm(2, 1), (2, 5, 3)),
    (lambda x: x.logsumexp((1, 2)), (2, 5, 3)), (lambda x: x.amax((0, 2)), (2, 5, 3)), (lambda x: torch.einsum("bchw,bcij->bhwij", x, x), (1, 2, 3, 3)),
    (lambda x: x.masked_fill(x > 0, -1.0), (3, 4)), (lambda x: x.repeat(2, 1, 3), (2, 3, 2)), (lambda x: x.unfold(1, 3, 2), (2, 9, 2)),
    (lambda x: torch.where(x > 0, x, x.exp()), (3, 5)), (lambda x: x.clamp(-0.3, 0.4).pow(3), (3, 5)), (lambda x: x.select(1, 2).unbind(1), (2, 3, 2)),
    (lambda x: x[:, ::2, 1:-1:3], (2, 5, 9)), (lambda x: x.gather(1, x.argsort(1)), (3, 6)), (lambda x: x.nonzero(), (3, 4)),
    (lambda x: x[x > 0], (3, 5)), (lambda x: put(x, 2.5), (2, 5, 3)), (lambda x: torch.cdist(x, x + 1), (2, 4, 3)),
    (lambda x: functional.one_hot((x > 0).long().sum(1), 6).float(), (4, 5)), (lambda x: x.floor() % 3, (3, 5)),
    (lambda x: torch.stack(x.split((2, 3, 2), 1)[::2]), (2, 7, 3)), (lambda x: x.expand(4, 3, 5), (1, 3, 5)),
    (lambda x: functional.grid_sample(x, functional.affine_grid(torch.tensor([[[0.8, 0.3, 0.1], [-0.2, 1.1, 0.0]]]), [1, 3, 5, 6], align_corners=False),
                                      "bilinear", "border", False), (1, 3, 7, 8)),
    (lambda x: functional.grid_sample(x, x[:, :2].permute(0, 2, 3, 1) * 2, "bicubic", "reflection", True), (2, 3, 7, 8)),
    (lambda x: functional.grid_sample(x, x[:, :2].permute(0, 2, 3, 1) * 2, "nearest", "zeros", False), (2, 3, 7, 8)),
    (lambda x: torch.stft(x, 16, 4, window=torch.hann_window(16), return_complex=False), (2, 64)),
)


def movement(rng):
    function, shape = MOVES[rng.randrange(len(MOVES))]
    return Call(function), (torch.randn(shape),)


FAMILIES = {f.__name__: f for f in (conv, conv_transpose, pool, unpool, padding, resize, norm, attention, recurrent, activation, movement)}


def strip(path):
    """Removes stack traces and documentation, which are most of a small model's bytes; fails where the model is not valid."""
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    graphs = [model.graph, *model.functions]
    model.doc_string = ""
    for graph in graphs:
        graph.doc_string = ""
        graph.ClearField("metadata_props")
        for node in graph.node:
            node.doc_string = ""
            node.ClearField("metadata_props")
        for value in [*getattr(graph, "value_info", []), *getattr(graph, "input", []), *getattr(graph, "output", []), *getattr(graph, "initializer", [])]:
            if not isinstance(value, str):
                value.doc_string = ""
                value.ClearField("metadata_props")
    onnx.save(model, str(path))


def write(folder, name, module, inputs, exporter, opset, seed):
    with tempfile.TemporaryDirectory() as scratch:
        problem = torch_dump.dump(module, inputs, scratch, (exporter,), opset=opset, seed=seed)[exporter]
        if problem is not None:
            return (str(problem).strip().splitlines() or [type(problem).__name__])[0][:160]
        try:
            strip(pathlib.Path(scratch) / exporter / "model.onnx")
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as problem:
            return f"not a valid model: {str(problem).strip().splitlines()[0][:140]}"
        (pathlib.Path(scratch) / exporter / "model.onnx.data").unlink(missing_ok=True)
        target = folder / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(pathlib.Path(scratch) / exporter, target)
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("outdir", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=30, help="cases of each family")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--family", action="append", choices=sorted(FAMILIES))
    parser.add_argument("--exporter", action="append", choices=torch_dump.EXPORTERS)
    args = parser.parse_args()
    written = refused = 0
    for family in args.family or FAMILIES:
        for index in range(args.count):
            seed = args.seed + index
            rng = random.Random(f"{family} {seed}")
            opsets = {"torchscript": rng.choice((12, 17, 18, 20)), "dynamo": rng.choice((18, 20, 23))}
            torch.manual_seed(seed)
            try:
                module, inputs = FAMILIES[family](rng)
                with torch.no_grad():
                    module.eval()(*inputs)
            except (RuntimeError, ValueError, NotImplementedError):  # parameters that torch refuses
                continue
            for exporter in args.exporter or torch_dump.EXPORTERS:
                name = f"{family}_{seed}_{exporter}"
                problem = write(args.outdir, name, module, inputs, exporter, opsets[exporter], seed)
                written += problem is None
                refused += problem is not None
                if problem is not None:
                    print(f"{name}: {problem}", flush=True)
    print(f"{written} cases written, {refused} refused by an exporter")


if __name__ == "__main__":
    main()
