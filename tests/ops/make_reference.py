#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random cases of convolutions, pools, normalisations, softmax and products, computed by PyTorch in float64, and of operators that move
elements, by NumPy.

    make_reference.py OUTPUT [--seed N] [--cases N]

writes what tests/ops/reference_test.c reads: tests/data/ops/torch.bin is the output for the defaults; the test program
takes the path of another file as its argument, for larger sweeps.  Needs torch and numpy.

The file is little-endian: "STRC1\\n", then for each case
    string operator, u16 opset, u8 attributes { string name, u8 kind, value }, u8 inputs { tensor }, u8 outputs { tensor }
string: u8 length, bytes.  Kinds: 0 i64; 1 f32; 2 string; 3 u8 count, i64 each.
tensor: u8 type (0 absent, 1 f32, 2 i64), u8 rank, u32 dimensions, elements.
"""
import argparse
import random
import struct

import numpy as np
import torch
import torch.nn.functional as F

R = random.randint


def string(text):
    return struct.pack("<B", len(text)) + text.encode()


def attribute(name, value):
    if isinstance(value, (bool, int)):
        return string(name) + struct.pack("<Bq", 0, value)
    if isinstance(value, float):
        return string(name) + struct.pack("<Bf", 1, value)
    if isinstance(value, str):
        return string(name) + struct.pack("<B", 2) + string(value)
    return string(name) + struct.pack("<BB", 3, len(value)) + struct.pack(f"<{len(value)}q", *value)


def tensor(value):
    if value is None:
        return struct.pack("<B", 0)
    array = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    kind, dtype = (2, "<i8") if array.dtype.kind == "i" else (1, "<f4")
    return struct.pack(f"<BB{array.ndim}I", kind, array.ndim, *array.shape) + array.astype(dtype).tobytes()


class Writer:
    def __init__(self, file):
        self.file, self.cases = file, 0
        file.write(b"STRC1\n")

    def case(self, op, opset, attributes, inputs, outputs):
        record = string(op) + struct.pack("<HB", opset, len(attributes))
        record += b"".join(attribute(n, v) for n, v in attributes.items())
        for tensors in (inputs, outputs):
            record += struct.pack("<B", len(tensors)) + b"".join(map(tensor, tensors))
        self.file.write(record)
        self.cases += 1


def sizes(low, high, count):
    return [R(low, high) for _ in range(count)]


def pad_same(mode, x, kernel, strides, dilations):
    """The pads that ONNX's auto_pad stands for, as (begins, ends)."""
    begins, ends = [], []
    for size, k, s, d in zip(x.shape[2:], kernel, strides, dilations):
        total = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
        low, high = total // 2, total - total // 2
        begins.append(low if mode == "SAME_UPPER" else high)
        ends.append(high if mode == "SAME_UPPER" else low)
    return begins, ends


def conv(out):
    d, group = R(1, 3), random.choice([1, 1, 2, 3])
    kernel, strides, dilations = sizes(1, 3, d), sizes(1, 3, d), sizes(1, 2, d)
    x = torch.randn(R(1, 2), group * R(1, 3), *sizes(3, 7, d))
    w = torch.randn(group * R(1, 3), x.shape[1] // group, *kernel)
    b = random.choice([None, torch.randn(w.shape[0])])
    attributes = dict(strides=strides, dilations=dilations, group=group)
    if R(0, 1):
        attributes["kernel_shape"] = kernel
    mode = random.choice(["NOTSET", "NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"])
    begins, ends = [0] * d, [0] * d
    if mode.startswith("SAME"):
        begins, ends = pad_same(mode, x, kernel, strides, dilations)
    if mode == "NOTSET":
        begins, ends = sizes(-1, 3, d), sizes(-1, 3, d)
        attributes["pads"] = begins + ends
    else:
        attributes["auto_pad"] = mode
    around = [p for i in reversed(range(d)) for p in (begins[i], ends[i])]
    padded = F.pad(x.double(), around)
    if any(n < (k - 1) * e + 1 for n, k, e in zip(padded.shape[2:], kernel, dilations)):
        return
    function = [F.conv1d, F.conv2d, F.conv3d][d - 1]
    y = function(padded, w.double(), None if b is None else b.double(), strides, 0, dilations, group)
    out.case("Conv", random.choice([1, 11, 22]), attributes, [x, w, b], [y])


def conv_transpose(out):
    d, group = R(1, 3), random.choice([1, 1, 2])
    kernel, strides, dilations, pads = sizes(1, 3, d), sizes(1, 3, d), sizes(1, 2, d), sizes(0, 2, d)
    x = torch.randn(R(1, 2), group * R(1, 3), *sizes(2, 5, d))
    w = torch.randn(x.shape[1], R(1, 3), *kernel)
    b = random.choice([None, torch.randn(group * w.shape[1])])
    beyond = [R(0, max(s, e) - 1) for s, e in zip(strides, dilations)]
    function = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][d - 1]
    full = [(n - 1) * s - 2 * p + e * (k - 1) + o + 1
            for n, s, p, e, k, o in zip(x.shape[2:], strides, pads, dilations, kernel, beyond)]
    if min(full) < 1:
        return
    y = function(x.double(), w.double(), None if b is None else b.double(), strides, pads, beyond, group, dilations)
    attributes = dict(strides=strides, dilations=dilations, group=group, output_padding=beyond)
    attributes.update(dict(output_shape=list(y.shape[2:])) if R(0, 2) == 0 else dict(pads=pads + pads))
    out.case("ConvTranspose", random.choice([1, 11, 22]), attributes, [x, w, b], [y])


def torch_or_none(function, *args, **kwargs):
    """PyTorch refuses some sizes that ONNX allows: they make no case."""
    try:
        return function(*args, **kwargs)
    except RuntimeError:
        return None


def max_pool(out):
    d = R(1, 3)
    kernel, strides, dilations, ceil = sizes(1, 3, d), sizes(1, 4, d), sizes(1, 3, d), bool(R(0, 1))
    pads = [R(0, k // 2) for k in kernel]
    x = torch.randn(R(1, 2), R(1, 2), *sizes(3, 7, d))
    if R(0, 2) == 0:
        x = torch.round(x)  # equal values
    function = [F.max_pool1d, F.max_pool2d, F.max_pool3d][d - 1]
    made = torch_or_none(function, x, kernel, strides, pads, dilations, ceil, return_indices=True)
    if made is None:
        return
    plane = int(np.prod(x.shape[2:]))
    first = torch.arange(x.shape[0] * x.shape[1]).reshape(list(x.shape[:2]) + [1] * d) * plane
    attributes = dict(kernel_shape=kernel, strides=strides, dilations=dilations, pads=pads + pads, ceil_mode=ceil)
    out.case("MaxPool", random.choice([10, 12, 22]), attributes, [x], [made[0], made[1] + first])


def average_pool(out):
    d = R(1, 3)
    kernel, strides, ceil, include = sizes(1, 4, d), sizes(1, 4, d), bool(R(0, 1)), bool(R(0, 1))
    pads = [R(0, k // 2) for k in kernel]
    x = torch.randn(R(1, 2), R(1, 2), *sizes(3, 7, d))
    function = [F.avg_pool1d, F.avg_pool2d, F.avg_pool3d][d - 1]
    y = torch_or_none(function, x.double(), kernel, strides, pads, ceil, include)
    if y is not None:
        attributes = dict(kernel_shape=kernel, strides=strides, pads=pads + pads, ceil_mode=ceil,
                          count_include_pad=include)
        out.case("AveragePool", random.choice([10, 19, 22]), attributes, [x], [y])


def softmax(out):
    shape = sizes(1, 5, R(1, 4))
    x, axis = torch.randn(*shape) * 5, R(-len(shape), len(shape) - 1)
    for op, function in (("Softmax", torch.softmax), ("LogSoftmax", torch.log_softmax)):
        out.case(op, 13, dict(axis=axis), [x], [function(x.double(), axis)])
        flat = x.double().reshape(int(np.prod(shape[:axis % len(shape)])), -1)
        out.case(op, random.choice([1, 11]), dict(axis=axis), [x], [function(flat, 1).reshape(shape)])


def gemm(out):
    m, n, k, trans_a, trans_b = R(1, 5), R(1, 5), R(1, 6), R(0, 1), R(0, 1)
    a, b = torch.randn(m, k), torch.randn(k, n)
    shape = random.choice([None, (), (n,), (1,), (1, n), (m, 1), (m, n)])
    c = None if shape is None else torch.randn(shape)
    alpha, beta = random.choice([1.0, 0.5]), random.choice([1.0, -2.0])
    y = alpha * (a.double() @ b.double()) + (0 if c is None else beta * c.double())
    out.case("Gemm", random.choice([11, 13] if c is None else [7, 11, 13]),
             dict(alpha=alpha, beta=beta, transA=trans_a, transB=trans_b),
             [a.T if trans_a else a, b.T if trans_b else b, c], [y])


def matmul(out):
    k, batch = R(1, 5), sizes(1, 3, R(0, 2))
    def side():
        return [random.choice([1, n]) for n in batch[R(0, len(batch)):]]
    a = torch.randn(random.choice([[k], side() + [R(1, 4), k]]))
    b = torch.randn(random.choice([[k], side() + [k, R(1, 4)]]))
    out.case("MatMul", random.choice([1, 9, 13]), {}, [a, b], [torch.matmul(a.double(), b.double())])


def normalisations(out):
    shape = [R(1, 3), R(2, 6)] + sizes(2, 4, R(1, 3))
    x, epsilon, channels = torch.randn(*shape), random.choice([1e-5, 1e-2]), shape[1]
    w, b, mean, var = torch.randn(channels), torch.randn(channels), torch.randn(channels), torch.rand(channels) + 0.1
    xd, wd, bd = x.double(), w.double(), b.double()
    out.case("BatchNormalization", random.choice([1, 7, 9, 14, 15]), dict(epsilon=epsilon), [x, w, b, mean, var],
             [F.batch_norm(xd, mean.double(), var.double(), wd, bd, eps=epsilon)])
    out.case("InstanceNormalization", random.choice([1, 6]), dict(epsilon=epsilon), [x, w, b],
             [F.instance_norm(xd, weight=wd, bias=bd, eps=epsilon)])
    groups = random.choice([g for g in range(1, channels + 1) if channels % g == 0])
    out.case("GroupNormalization", 21, dict(epsilon=epsilon, num_groups=groups), [x, w, b],
             [F.group_norm(xd, groups, wd, bd, epsilon)])
    axis = R(1 - len(shape), -1)
    inner = shape[axis:]
    w, b = torch.randn(inner), random.choice([None, torch.randn(inner)])
    out.case("LayerNormalization", 17, dict(axis=axis, epsilon=epsilon), [x, w, b],
             [F.layer_norm(xd, inner, w.double(), None if b is None else b.double(), epsilon)])
    size = random.choice([1, 3, 5])
    out.case("LRN", 13, dict(size=size, alpha=0.5, beta=0.75, bias=1.5), [x],
             [F.local_response_norm(xd, size, 0.5, 0.75, 1.5)])
    p, axis = R(1, 2), R(-len(shape), len(shape) - 1)
    out.case("LpNormalization", 1, dict(p=p, axis=axis), [x], [F.normalize(xd, p, axis)])


def int64(*values):
    return np.array(values, dtype=np.int64)


def movement(out):
    """Operators that move elements and compute none: by NumPy, whose indexing says it most plainly, and torch."""
    rank = R(1, 4)
    shape = sizes(1, 5, rank)
    x = np.random.default_rng(R(0, 1 << 30)).standard_normal(shape).astype(np.float32)
    order = random.sample(range(rank), rank)
    out.case("Transpose", random.choice([1, 13]), dict(perm=order), [x], [x.transpose(order)])
    axis, parts = R(-rank, rank - 1), R(1, 3)
    others = [np.concatenate([x] * R(1, 2), axis) for _ in range(parts)]
    out.case("Concat", random.choice([4, 13]), dict(axis=axis), others, [np.concatenate(others, axis)])
    cuts = sorted(R(0, shape[axis]) for _ in range(2))
    pieces = np.split(x, cuts, axis)
    out.case("Split", 13, dict(axis=axis), [x, int64(*(p.shape[axis] for p in pieces))], pieces)
    starts, ends, steps = ([R(-7, 7) for _ in shape] for _ in range(3))
    steps = [step or 1 for step in steps]
    sliced = x[tuple(slice(begin, end) for begin, end in zip(starts, ends))]
    out.case("Slice", random.choice([10, 11, 13]), {}, [x, int64(*starts), int64(*ends), int64(*range(rank))], [sliced])
    backwards = x[tuple(slice(None, None, step) for step in steps)]
    far = [1 << 62 if step > 0 else -(1 << 62) for step in steps]
    out.case("Slice", 13, {}, [x, int64(*(-f for f in far)), int64(*far), int64(*range(rank)), int64(*steps)], [backwards])
    indices = np.random.default_rng(R(0, 1 << 30)).integers(-shape[axis], shape[axis], [2, R(1, 3)])
    out.case("Gather", 13, dict(axis=axis), [x, indices], [np.take(x, indices, axis)])
    along = np.array(np.random.default_rng(R(0, 1 << 30)).integers(-shape[axis], shape[axis], shape), dtype=np.int64)
    out.case("GatherElements", 13, dict(axis=axis), [x, along], [np.take_along_axis(x, along, axis)])
    before, after = ([R(0, 2) for _ in shape] for _ in range(2))
    pads = list(zip(before, after))
    out.case("Pad", random.choice([11, 13, 18]), dict(mode="constant"), [x, int64(*before, *after), np.float32(1.5)],
             [np.pad(x, pads, constant_values=1.5)])
    out.case("Pad", 18, dict(mode="edge"), [x, int64(*before, *after)], [np.pad(x, pads, mode="edge")])
    out.case("Pad", 19, dict(mode="wrap"), [x, int64(*before, *after)], [np.pad(x, pads, mode="wrap")])
    inside = [(min(b, n - 1), min(a, n - 1)) for (b, a), n in zip(pads, shape)]
    out.case("Pad", 13, dict(mode="reflect"), [x, int64(*(b for b, _ in inside), *(a for _, a in inside))],
             [np.pad(x, inside, mode="reflect")])
    cropped = x[tuple(slice(b if n > b + a else 0, n - a if n > b + a else n) for b, a, n in zip(before, after, shape))]
    crop = [(b, a) if n > b + a else (0, 0) for b, a, n in zip(before, after, shape)]
    out.case("Pad", 13, {}, [x, int64(*(-b for b, _ in crop), *(-a for _, a in crop))], [cropped])
    repeats = [R(1, 3) for _ in shape]
    out.case("Tile", random.choice([6, 13]), {}, [x, int64(*repeats)], [np.tile(x, repeats)])
    one = x[tuple(slice(0, 1) if R(0, 1) else slice(None) for _ in shape)]
    target = [R(1, 2)] + list(shape)
    out.case("Expand", random.choice([8, 13]), {}, [one, int64(*target)], [np.broadcast_to(one, target)])
    out.case("Reshape", random.choice([5, 13, 14]), {}, [x, int64(-1, shape[-1])], [x.reshape(-1, shape[-1])])
    out.case("Unsqueeze", 13, {}, [x, int64(0, -1)], [x[None, ..., None]])
    out.case("Squeeze", 13, {}, [x[None, ..., None], int64(0, -1)], [x])
    out.case("Flatten", 13, dict(axis=axis), [x], [x.reshape(int(np.prod(shape[:axis % rank])), -1)])


def placement(out):
    """Scatter*, by NumPy; DepthToSpace and SpaceToDepth, by torch."""
    rank = R(1, 3)
    shape = sizes(1, 5, rank)
    generator = np.random.default_rng(R(0, 1 << 30))
    x = generator.standard_normal(shape).astype(np.float32)
    joins = dict(none=None, add=np.add, mul=np.multiply, max=np.maximum, min=np.minimum)
    reduction = random.choice(list(joins))

    def join(y, place, update):
        y[place] = update if joins[reduction] is None else joins[reduction](y[place], update)

    axis = R(-rank, rank - 1)
    smaller = [R(1, n) for n in shape]
    indices = generator.integers(-shape[axis], shape[axis], smaller)
    updates = generator.standard_normal(smaller).astype(np.float32)
    y = x.astype(np.float64)
    for place in np.ndindex(*smaller):
        target = list(place)
        target[axis] = indices[place]
        join(y, tuple(target), updates[place])
    out.case("ScatterElements", 18, dict(axis=axis, reduction=reduction), [x, indices, updates], [y])
    if reduction == "none":
        out.case("Scatter", 9, dict(axis=axis % rank), [x, indices % shape[axis], updates], [y])
    depth, count = R(1, rank), R(0, 3)
    tuples = np.stack([generator.integers(-n, n, count) for n in shape[:depth]], axis=-1).reshape(count, depth)
    updates = generator.standard_normal([count, *shape[depth:]]).astype(np.float32)
    y = x.astype(np.float64)
    for one, update in zip(tuples, updates):
        join(y, tuple(one), update)
    out.case("ScatterND", 18, dict(reduction=reduction), [x, tuples, updates], [y])
    block = R(1, 3)
    x = torch.randn(R(1, 2), R(1, 3) * block * block, R(1, 4), R(1, 4))
    shuffled = F.pixel_shuffle(x, block)
    out.case("DepthToSpace", random.choice([11, 13]), dict(blocksize=block, mode="CRD"), [x], [shuffled])
    channels = x.shape[1] // (block * block)
    by_place = x.reshape(x.shape[0], block * block, channels, *x.shape[2:]).transpose(1, 2).reshape(x.shape)
    out.case("DepthToSpace", random.choice([1, 13]), dict(blocksize=block), [x], [F.pixel_shuffle(by_place, block)])
    out.case("SpaceToDepth", random.choice([1, 13]), dict(blocksize=block), [F.pixel_shuffle(by_place, block)], [x])
    out.case("SpaceToDepth", 28, dict(blocksize=block, mode="CRD"), [shuffled], [x])


def resize(out):
    x = torch.randn(1, R(1, 3), R(1, 6), R(1, 6))
    size = [R(1, 9), R(1, 9)]
    for mode, corners, coordinates in (("linear", False, "half_pixel"), ("linear", True, "align_corners"),
                                       ("cubic", False, "half_pixel"), ("cubic", True, "align_corners")):
        if not corners or min(size) > 1:
            out.case("Resize", random.choice([11, 13, 18, 19]),
                     dict(mode=mode, coordinate_transformation_mode=coordinates, cubic_coeff_a=-0.75),
                     [x, None, None, int64(1, x.shape[1], *size)],
                     [F.interpolate(x.double(), size, mode={"linear": "bilinear", "cubic": "bicubic"}[mode], align_corners=corners)])
    out.case("Resize", 13, dict(mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
             [x, None, None, int64(1, x.shape[1], *size)], [F.interpolate(x.double(), size, mode="nearest")])
    out.case("Resize", 13, dict(mode="nearest", coordinate_transformation_mode="half_pixel", nearest_mode="round_prefer_ceil"),
             [x, None, None, int64(1, x.shape[1], *size)], [F.interpolate(x.double(), size, mode="nearest-exact")])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=16, help="rounds, of one try for each function here")
    options = parser.parse_args()
    random.seed(options.seed)
    torch.manual_seed(options.seed)
    with open(options.output, "wb") as file:
        out = Writer(file)
        for _ in range(options.cases):
            for function in (conv, conv, conv_transpose, max_pool, average_pool, softmax, gemm, matmul, normalisations):
                function(out)
        for _ in range(options.cases):
            movement(out)
            resize(out)
        for _ in range(options.cases):
            placement(out)
    print(f"{out.cases} cases")


if __name__ == "__main__":
    main()
