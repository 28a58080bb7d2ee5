# SPDX-License-Identifier: Apache-2.0
"""What operators.py measures."""
from dataclasses import dataclass, field

import numpy

RANDOM = numpy.random.default_rng(1)


@dataclass
class Case:
    name: str
    nodes: list
    inputs: dict
    constants: dict = field(default_factory=dict)
    opset: int = 20


def floats(*shape):
    return RANDOM.standard_normal(shape, dtype=numpy.float32)


def ints(high, *shape, kind=numpy.int64):
    return RANDOM.integers(0, high, shape).astype(kind)


def i64(*values):
    return numpy.array(values, numpy.int64)


def one(name, op, inputs, outputs=("y",), constants=None, opset=20, **attributes):
    """A node whose inputs are what is given, in order, then the constants; None is absent."""
    constants = constants or {}
    names = [("" if x is None else key) for key, x in {**inputs, **constants}.items()]
    return Case(f"{op} {name}", [(op, names, list(outputs), attributes)], {k: x for k, x in inputs.items() if x is not None},
                {k: x for k, x in constants.items() if x is not None}, opset)


def as_type(x, kind):
    return (numpy.abs(x) * 50 if numpy.dtype(kind).kind in "ui" else x).astype(kind)


def reductions():
    for op in "Sum Mean Max Min L1 L2 LogSumExp SumSquare Prod LogSum".split():
        for label, axes in (("last", (3,)), ("middle", (1,)), ("first", (0,)), ("1,2", (1, 2)), ("0,2,3", (0, 2, 3)), ("spatial", (2, 3))):
            if label in ("last", "middle") or op in ("Sum", "Mean", "Max", "Min"):
                yield one(f"axes {label}", f"Reduce{op}", {"x": floats(4, 64, 56, 56)}, constants={"a": i64(*axes)}, keepdims=0)
    for kind in (numpy.float64, numpy.float16, numpy.int64, numpy.int32):
        for label, axes in (("last", (2,)), ("middle", (1,))):
            yield one(f"{numpy.dtype(kind)} {label}", "ReduceSum", {"x": as_type(floats(64, 128, 128), kind)}, constants={"a": i64(*axes)})
    yield one("long", "ReduceMean", {"x": floats(1, 2000000)}, constants={"a": i64(1)})
    for op in ("ArgMax", "ArgMin"):
        yield one("classes", op, {"x": floats(1, 21, 256, 256)}, axis=1)
        yield one("last", op, {"x": floats(128, 128, 64)}, axis=2)
        yield one("last 1000", op, {"x": floats(32, 1000)}, axis=1, keepdims=0)
    for label, shape, k, axis in (("100 of 100000", (1, 100000), 100, 1), ("5 of 1000", (64, 1000), 5, 1), ("1 of 80", (8400, 80), 1, 1),
                                  ("8 of 64 first", (64, 4096), 8, 0), ("1000 of 20000", (4, 20000), 1000, 1)):
        yield one(label, "TopK", {"x": floats(*shape)}, ("v", "i"), {"k": i64(k)}, axis=axis)
    for label, shape, axis in (("last", (64, 64, 256), 2), ("middle", (64, 256, 64), 1)):
        yield one(label, "CumSum", {"x": floats(*shape)}, constants={"axis": numpy.array(axis, numpy.int64)})
        yield one(f"int64 {label}", "CumSum", {"x": ints(3, *shape)}, constants={"axis": numpy.array(axis, numpy.int64)})


def elementwise():
    image, channels, row, pixel = (4, 64, 56, 56), (64, 1, 1), (56,), (4, 1, 56, 56)
    for op in ("Equal", "Greater", "Less", "GreaterOrEqual"):
        yield one("same", op, {"a": floats(*image), "b": floats(*image)})
        yield one("scalar", op, {"a": floats(*image)}, constants={"b": numpy.float32(0.5).reshape(())})
        yield one("int64 scalar", op, {"a": ints(9, 512, 512)}, constants={"b": numpy.array(4)})
    yield one("int64 outer", "Greater", {"a": ints(512, 1, 512), "b": ints(512, 512, 1)})
    yield one("channels", "Greater", {"a": floats(*image), "b": floats(*channels)})
    for op in ("And", "Or", "Xor"):
        yield one("same", op, {"a": floats(*image) > 0, "b": floats(*image) > 0})
    yield one("outer", "And", {"a": floats(1, 512, 1) > 0, "b": floats(1, 1, 512) > 0})
    yield one("", "Not", {"a": floats(*image) > 0})
    yield one("", "IsNaN", {"a": floats(*image)})
    yield one("same", "Where", {"c": floats(*image) > 0, "a": floats(*image), "b": floats(*image)})
    yield one("mask, scalar", "Where", {"c": floats(1, 1, 256, 256) > 0, "a": floats(4, 8, 256, 256)},
              constants={"b": numpy.float32(-1e9).reshape(())})
    yield one("scalars", "Where", {"c": floats(*image) > 0}, constants={"a": numpy.float32(0).reshape(()), "b": numpy.float32(-1e9).reshape(())})
    yield one("int64", "Where", {"c": floats(512, 512) > 0, "a": ints(9, 512, 512), "b": ints(9, 512, 512)})
    for label, shape in (("same", image), ("channels", channels), ("row", row), ("pixel", pixel), ("scalar", ())):
        for kind in (numpy.float32, numpy.int64, numpy.float64, numpy.float16, numpy.int32):
            yield one(f"{numpy.dtype(kind)} {label}", "Add", {"a": as_type(floats(*image), kind), "b": as_type(floats(*shape), kind)})
    for op in ("Mul", "Sub", "Div"):
        for kind in (numpy.int64, numpy.float64):
            yield one(f"{numpy.dtype(kind)} same", op, {"a": as_type(floats(*image), kind), "b": as_type(floats(*image), kind) + kind(1)})
    for op in ("Max", "Min"):
        yield one("same", op, {"a": floats(*image), "b": floats(*image)})
        yield one("int64 scalar", op, {"a": ints(9, 512, 512)}, constants={"b": numpy.array(4)})
    yield one("three", "Max", {"a": floats(*image), "b": floats(*image), "c": floats(*image)})
    yield one("same", "Pow", {"a": numpy.abs(floats(*image)), "b": floats(*image)})
    yield one("int64 square", "Pow", {"a": ints(9, 512, 512)}, constants={"b": numpy.array(2)})
    yield one("float", "Mod", {"a": floats(*image), "b": numpy.abs(floats(*image)) + 1}, fmod=1)
    yield one("int64", "Mod", {"a": ints(99, 512, 512)}, constants={"b": numpy.array(7)})
    for label, shape in (("channels", channels), ("scalar", (1,)), ("row", row), ("pixel", pixel), ("whole", image[1:])):
        yield one(label, "PRelu", {"x": floats(*image)}, constants={"s": floats(*shape)})
    for op in ("Neg", "Abs"):
        yield one("int64", op, {"x": ints(9, 512, 512)})
        yield one("float64", op, {"x": floats(512, 512).astype(numpy.float64)})
    for op in ("Exp Log Sqrt Reciprocal Erf Floor Ceil Round Sign Sin Cos Tan Atan Tanh Sigmoid Softplus Elu Selu HardSwish HardSigmoid "
               "LeakyRelu Relu Mish Softsign ThresholdedRelu Gelu Celu Asin Sinh Atanh").split():
        yield one("", op, {"x": numpy.abs(floats(*image)) + 0.1 if op in ("Log", "Sqrt") else floats(*image)}, opset=22 if op == "Mish" else 20)
    for op in ("Exp", "Sqrt", "Relu", "Sigmoid"):
        for kind in (numpy.float64, numpy.float16):
            yield one(f"{numpy.dtype(kind)}", op, {"x": numpy.abs(floats(512, 512)).astype(kind)})
    yield one("int64", "Clip", {"x": ints(99, 512, 512)}, constants={"l": numpy.array(5), "h": numpy.array(50)})
    yield one("float", "Clip", {"x": floats(*image)}, constants={"l": numpy.float32(-1), "h": numpy.float32(1)})


def casts():
    numbers = {numpy.dtype(t).name: n for t, n in ((numpy.float32, 1), (numpy.float64, 11), (numpy.float16, 10), (numpy.int32, 6),
                                                   (numpy.int64, 7), (numpy.int8, 3), (numpy.uint8, 2), (numpy.bool_, 9))}
    for a in numbers:
        for b, number in numbers.items():
            if a != b:
                yield one(f"{a} to {b}", "Cast", {"x": as_type(floats(1024, 512), numpy.dtype(a)) if a != "bool" else floats(1024, 512) > 0},
                          to=number)


def movement():
    image = floats(4, 64, 56, 56)
    yield one("pixels", "Expand", {"x": floats(4, 1, 56, 56)}, constants={"s": i64(4, 64, 56, 56)})
    yield one("channels", "Expand", {"x": floats(1, 64, 1, 1)}, constants={"s": i64(4, 64, 56, 56)})
    yield one("row", "Expand", {"x": floats(1, 512)}, constants={"s": i64(1024, 512)})
    yield one("int64 column", "Expand", {"x": ints(9, 512, 1)}, constants={"s": i64(512, 512)})
    yield one("batch", "Tile", {"x": floats(1, 64, 56, 56)}, constants={"r": i64(4, 1, 1, 1)})
    yield one("last", "Tile", {"x": floats(64, 56, 56)}, constants={"r": i64(1, 1, 4)})
    yield one("short rows", "Tile", {"x": floats(4096, 3)}, constants={"r": i64(1, 16)})
    yield one("rows", "Gather", {"x": floats(30000, 256), "i": ints(30000, 512)}, axis=0)
    yield one("short rows", "Gather", {"x": floats(1000, 4), "i": ints(1000, 8400)}, axis=0)
    yield one("axis 1", "Gather", {"x": floats(16, 256, 64), "i": ints(256, 128)}, axis=1)
    yield one("last", "Gather", {"x": floats(64, 64, 256), "i": ints(256, 128)}, axis=2)
    yield one("one of last", "Gather", {"x": floats(1, 8400, 85), "i": numpy.array(4)}, axis=2)
    yield one("window table 2-D", "Gather", {"x": floats(8, 16, 49 * 49), "i": ints(49 * 49, 49, 49)}, axis=2)
    yield one("int64 rows", "Gather", {"x": ints(9, 5000), "i": ints(5000, 20000)}, axis=0)
    yield one("constant one", "Gather", {"x": floats(3, 16, 12, 49, 32)}, constants={"i": numpy.array(1)}, axis=0)
    yield one("constant permutation", "Gather", {"x": floats(4, 64, 56, 56)}, constants={"i": RANDOM.permutation(64)}, axis=1)
    yield one("axis 1", "GatherElements", {"x": floats(8, 1000, 64), "i": ints(1000, 8, 300, 64)}, axis=1)
    yield one("last", "GatherElements", {"x": floats(64, 1000), "i": ints(1000, 64, 1000)}, axis=1)
    yield one("rows", "GatherND", {"x": floats(64, 64, 128), "i": ints(64, 2000, 2)})
    yield one("elements", "GatherND", {"x": floats(64, 64, 64), "i": ints(64, 20000, 3)})
    yield one("batch 1", "GatherND", {"x": floats(8, 1000, 64), "i": ints(1000, 8, 300, 1)}, batch_dims=1)
    yield one("rows", "ScatterND", {"x": floats(4096, 64), "i": ints(4096, 1000, 1), "u": floats(1000, 64)})
    yield one("elements", "ScatterND", {"x": floats(64, 64, 64), "i": ints(64, 20000, 3), "u": floats(20000)})
    yield one("add", "ScatterND", {"x": floats(4096, 64), "i": ints(4096, 1000, 1), "u": floats(1000, 64)}, reduction="add")
    yield one("axis 1", "ScatterElements", {"x": floats(8, 1000, 64), "i": ints(1000, 8, 300, 64), "u": floats(8, 300, 64)}, axis=1)
    yield one("last", "ScatterElements", {"x": floats(64, 1000), "i": ints(1000, 64, 300), "u": floats(64, 300)}, axis=1)
    yield one("add", "ScatterElements", {"x": floats(64, 1000), "i": ints(1000, 64, 300), "u": floats(64, 300)}, axis=1, reduction="add")
    yield one("odd channels", "Slice", {"x": image}, constants={"b": i64(3), "e": i64(40), "a": i64(1)})
    yield one("stride 2", "Slice", {"x": image}, constants={"b": i64(0, 1), "e": i64(99, 99), "a": i64(2, 3), "s": i64(2, 2)})
    yield one("backwards", "Slice", {"x": image}, constants={"b": i64(-1), "e": i64(-99), "a": i64(3), "s": i64(-1)})
    yield one("last part", "Slice", {"x": floats(1, 8400, 85)}, constants={"b": i64(4), "e": i64(84), "a": i64(2)})
    yield Case("Slice computed", [("Shape", ["r"], ["e"], {"start": 0, "end": 1}), ("Slice", ["x", "b", "e", "a"], ["y"], {})],
               {"x": image, "r": floats(3)}, {"b": i64(0), "a": i64(0)})
    yield one("given bounds", "Slice", {"x": image, "b": i64(1), "e": i64(50)}, constants={"a": i64(2)})
    for mode in ("constant", "reflect", "edge", "wrap"):
        yield one(f"{mode}", "Pad", {"x": image}, constants={"p": i64(0, 0, 3, 3, 0, 0, 3, 3)}, mode=mode)
    yield one("given", "Pad", {"x": image, "p": i64(0, 0, 3, 3, 0, 0, 3, 3)})
    yield one("channels", "Pad", {"x": image}, constants={"p": i64(0, 5, 0, 0, 0, 6, 0, 0)})
    yield one("int64", "Pad", {"x": ints(9, 512, 512)}, constants={"p": i64(1, 1, 1, 1)})
    yield one("odd", "Split", {"x": image}, ("a", "b", "c"), {"s": i64(7, 20, 37)}, axis=1)
    yield one("last", "Split", {"x": floats(1, 8400, 85)}, ("a", "b", "c"), {"s": i64(4, 1, 80)}, axis=2)
    yield one("odd", "Concat", {"a": image, "b": floats(4, 7, 56, 56)}, axis=1)
    yield one("last", "Concat", {"a": floats(8400, 4), "b": floats(8400, 1), "c": floats(8400, 80)}, axis=1)
    for perm in ((0, 2, 3, 1), (0, 1, 3, 2), (1, 0, 2, 3), (3, 2, 1, 0), (0, 3, 1, 2)):
        yield one(f"{perm}", "Transpose", {"x": image}, perm=perm)
    yield one("int64", "Transpose", {"x": ints(9, 64, 128, 64)}, perm=(0, 2, 1))
    yield one("bool", "Transpose", {"x": floats(64, 128, 64) > 0}, perm=(0, 2, 1))
    for mode in ("DCR", "CRD"):
        yield one(mode, "DepthToSpace", {"x": image}, blocksize=2, mode=mode)
    yield one("", "SpaceToDepth", {"x": image}, blocksize=2)
    yield one("float", "Range", {"a": numpy.float32(0), "b": numpy.float32(100000), "c": numpy.float32(1)})
    yield one("int64", "Range", {"a": numpy.array(0), "b": numpy.array(100000), "c": numpy.array(1)})
    yield one("float", "Trilu", {"x": floats(16, 256, 256)})
    yield one("", "OneHot", {"i": ints(80, 8400)}, constants={"d": numpy.array(80), "v": numpy.array([0, 1], numpy.float32)})
    yield one("", "NonZero", {"x": floats(512, 512) > 0})
    yield one("rows", "Compress", {"x": floats(2000, 256), "c": floats(2000) > 0}, axis=0)
    yield one("elements", "Compress", {"x": floats(64, 5000), "c": floats(64 * 5000) > 0})
    yield one("float", "Unique", {"x": floats(20000)})
    yield one("int64", "Unique", {"x": ints(500, 20000)}, ("y", "i", "v", "c"))
    yield one("", "ReverseSequence", {"x": floats(200, 16, 64), "l": ints(200, 16)}, time_axis=0, batch_axis=1)
    yield one("crop", "CenterCropPad", {"x": image}, constants={"s": i64(40, 40)}, axes=[2, 3])
    yield one("pad", "CenterCropPad", {"x": image}, constants={"s": i64(64, 64)}, axes=[2, 3])
    yield one("", "EyeLike", {"x": floats(512, 512)})
    yield Case("Unfold of torch", unfold_nodes(), {"x": floats(1, 32, 64, 64)}, unfold_constants(64, 3))


def unfold_nodes():
    return [("Pad", ["x", "p"], ["padded"], {}), ("Gather", ["padded", "rows"], ["g"], {"axis": 2}), ("Gather", ["g", "columns"], ["h"], {"axis": 4}),
            ("Transpose", ["h"], ["t"], {"perm": (0, 1, 2, 4, 3, 5)}), ("Reshape", ["t", "s"], ["y"], {})]


def unfold_constants(size, kernel):
    table = numpy.arange(kernel)[:, None] + numpy.arange(size)[None, :]
    return {"p": i64(0, 0, 1, 1, 0, 0, 1, 1), "rows": table, "columns": table, "s": i64(1, 32 * kernel * kernel, size * size)}


def products():
    for equation, shapes in (("bij,bjk->bik", ((16, 128, 64), (16, 64, 128))), ("bhid,bhjd->bhij", ((2, 8, 196, 64), (2, 8, 196, 64))),
                             ("bhij,bhjd->bhid", ((2, 8, 196, 196), (2, 8, 196, 64))), ("bnhd,hdc->bnc", ((2, 196, 8, 64), (8, 64, 512))),
                             ("bchw,kc->bkhw", ((2, 64, 56, 56), (64, 64))), ("nctv,vw->nctw", ((8, 64, 32, 25), (25, 25))),
                             ("nkctv,kvw->nctw", ((8, 3, 64, 32, 25), (3, 25, 25))), ("i,j->ij", ((1024,), (1024,))),
                             ("bhwc,hkc->bhwk", ((16, 14, 14, 64), (14, 14, 64))), ("bqc,bchw->bqhw", ((1, 100, 256), (1, 256, 64, 64))),
                             ("ij->ji", ((1024, 512),)), ("bij->bj", ((16, 256, 256),)), ("bii->bi", ((64, 128, 128),)),
                             ("bi,bi->b", ((1024, 512), (1024, 512))), ("bc,bc->bc", ((1024, 512), (1024, 512))), ("ij,ij->", ((512, 512), (512, 512))),
                             ("bi,bj,bk->bijk", ((2, 32), (2, 32), (2, 32)))):
        yield one(equation, "Einsum", {f"x{i}": floats(*shape) for i, shape in enumerate(shapes)}, equation=equation)
    yield one("float64", "MatMul", {"a": floats(256, 256).astype(numpy.float64), "b": floats(256, 256).astype(numpy.float64)})
    yield one("float16", "MatMul", {"a": floats(256, 256).astype(numpy.float16), "b": floats(256, 256).astype(numpy.float16)})
    yield one("int32", "MatMul", {"a": ints(9, 128, 128, kind=numpy.int32), "b": ints(9, 128, 128, kind=numpy.int32)})
    yield one("broadcast", "MatMul", {"a": floats(8, 1, 196, 64), "b": floats(1, 4, 64, 196)})
    yield one("vector", "MatMul", {"a": floats(64, 512), "b": floats(512)})
    yield one("computed", "Gemm", {"a": floats(64, 512), "b": floats(1000, 512), "c": floats(1000)}, transB=1)


def windows():
    yield one("", "Col2Im", {"x": floats(1, 32 * 9, 64 * 64)}, constants={"s": i64(64, 64), "b": i64(3, 3)}, pads=[1, 1, 1, 1])
    yield one("patches", "Col2Im", {"x": floats(1, 64 * 16, 28 * 28)}, constants={"s": i64(112, 112), "b": i64(4, 4)}, strides=[4, 4])
    for label, x, w, attributes in (
            ("1-D", (4, 64, 512), (64, 64, 9), {"pads": [4, 4]}), ("depthwise", (2, 64, 56, 56), (64, 1, 5, 5), {"pads": [2] * 4, "group": 64}),
            ("depthwise 1-D", (2, 64, 1024), (64, 1, 9), {"pads": [4] * 2, "group": 64}),
            ("1 pixel wide", (1, 64, 1024, 1), (64, 64, 3, 1), {"pads": [1, 0, 1, 0]}),
            ("grouped", (2, 64, 28, 28), (64, 8, 3, 3), {"pads": [1] * 4, "group": 8}), ("1x1", (2, 64, 28, 28), (64, 64, 1, 1), {}),
            ("batch to group", (1, 4 * 64, 28, 28), (4 * 64, 64, 3, 3), {"pads": [1] * 4, "group": 4}),
            ("one kernel an image", (1, 8 * 96, 31, 31), (8 * 96, 1, 7, 7), {"group": 8 * 96})):
        yield one(f"{label} computed", "Conv", {"x": floats(*x), "w": floats(*w)}, **attributes)
        yield one(label, "Conv", {"x": floats(*x)}, constants={"w": floats(*w)}, **attributes)
    for label, x, w, attributes in (
            ("float64", (1, 16, 28, 28), (16, 16, 3, 3), {"pads": [1] * 4}), ("float16", (1, 16, 28, 28), (16, 16, 3, 3), {"pads": [1] * 4})):
        yield one(label, "Conv", {"x": floats(*x).astype(label)}, constants={"w": floats(*w).astype(label)}, **attributes)
    for label, x, w, attributes in (
            ("2x2 stride 2", (2, 64, 28, 28), (64, 32, 2, 2), {"strides": [2, 2]}), ("4x4 stride 2", (2, 64, 28, 28), (64, 32, 4, 4), {"strides": [2, 2], "pads": [1] * 4}),
            ("3x3 stride 1", (2, 64, 28, 28), (64, 32, 3, 3), {"pads": [1] * 4}), ("5x5 stride 3", (2, 64, 28, 28), (64, 32, 5, 5), {"strides": [3, 3]}),
            ("1x7 stride 1,4", (2, 32, 8, 64), (32, 32, 1, 7), {"strides": [1, 4]}), ("1-D k16 s8", (1, 64, 256), (64, 32, 16), {"strides": [8], "pads": [4, 4]}),
            ("depthwise 4x4", (2, 64, 28, 28), (64, 1, 4, 4), {"strides": [2, 2], "pads": [1] * 4, "group": 64}),
            ("grouped", (2, 64, 28, 28), (64, 8, 4, 4), {"strides": [2, 2], "pads": [1] * 4, "group": 8}),
            ("dilated", (2, 32, 28, 28), (32, 32, 3, 3), {"strides": [2, 2], "dilations": [2, 2]}),
            ("dilated by 28", (1, 16, 512), (16, 16, 3), {"dilations": [28]}),
            ("1 output channel", (1, 64, 128, 128), (64, 1, 4, 4), {"strides": [2, 2], "pads": [1] * 4}),
            ("3-D", (1, 16, 8, 14, 14), (16, 16, 2, 2, 2), {"strides": [2, 2, 2]})):
        yield one(label, "ConvTranspose", {"x": floats(*x)}, constants={"w": floats(*w)}, **attributes)
    yield one("computed", "ConvTranspose", {"x": floats(2, 32, 28, 28), "w": floats(32, 32, 4, 4)}, strides=[2, 2])
    yield one("", "DynamicQuantizeLinear", {"x": floats(4, 64, 56, 56)}, ("y", "s", "z"))
    for label, classes, least in (("80 classes", 80, 0.25), ("all boxes", 1, 0)):
        yield one(label, "NonMaxSuppression", {"b": regions(25200, False)[None] * 16, "s": RANDOM.random((1, classes, 25200), numpy.float32) ** 8},
                  constants={"m": i64(300), "i": numpy.float32([0.45]), "l": numpy.float32([least])})
    pooled = {"kernel_shape": [2, 2], "strides": [2, 2]}
    yield Case("MaxPool indices", [("MaxPool", ["x"], ["y", "i"], pooled)], {"x": floats(4, 64, 56, 56)})
    yield one("", "MaxUnpool", {"x": floats(4, 64, 28, 28), "i": numpy.broadcast_to(numpy.arange(4 * 64 * 28 * 28).reshape(4, 64, 28, 28) * 4, (4, 64, 28, 28)).copy()}, **pooled)
    yield Case("MaxPool indices 3x3", [("MaxPool", ["x"], ["y", "i"], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4})],
               {"x": floats(4, 64, 56, 56)})
    yield one("", "MaxRoiPool", {"x": floats(1, 64, 56, 56), "r": regions(100, True)}, pooled_shape=[7, 7])
    for mode in ("avg", "max"):
        yield one(mode, "RoiAlign", {"x": floats(1, 64, 56, 56), "r": regions(100, False), "b": ints(1, 100)}, output_height=7, output_width=7,
                  sampling_ratio=2, mode=mode)
    for op in ("MaxPool", "AveragePool", "LpPool"):
        yield one("3x3 stride 2", op, {"x": floats(4, 64, 56, 56)}, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
        yield one("1-D", op, {"x": floats(4, 64, 1024)}, kernel_shape=[3], strides=[2])
    yield one("float64", "MaxPool", {"x": floats(4, 64, 56, 56).astype(numpy.float64)}, kernel_shape=[3, 3], strides=[2, 2])
    yield one("", "GlobalLpPool", {"x": floats(4, 64, 56, 56)})


def regions(count, with_image):
    corners = RANDOM.random((count, 2)) * 36
    image = [numpy.zeros((count, 1))] if with_image else []
    return numpy.concatenate([*image, corners, corners + 4 + RANDOM.random((count, 2)) * 16], 1).astype(numpy.float32)


def resizes():
    def resize(label, shape, scales, **attributes):
        return one(label, "Resize", {"x": floats(*shape)}, constants={"r": None, "s": numpy.array(scales, numpy.float32)}, **attributes)

    image = (2, 64, 28, 28)
    for mode in ("nearest", "linear", "cubic"):
        for coordinates in ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"):
            yield resize(f"{mode} x2 {coordinates}", image, (1, 1, 2, 2), mode=mode, coordinate_transformation_mode=coordinates)
        yield resize(f"{mode} x1.7", image, (1, 1, 1.7, 1.7), mode=mode)
        yield resize(f"{mode} x0.4", (2, 64, 56, 56), (1, 1, 0.4, 0.4), mode=mode)
        yield resize(f"{mode} 1-D", (4, 64, 256), (1, 1, 2.5), mode=mode)
    for mode in ("nearest", "linear"):
        yield resize(f"{mode} 3-D", (1, 16, 8, 28, 28), (1, 1, 2, 2, 2), mode=mode)
    for mode in ("linear", "cubic"):
        yield resize(f"{mode} antialias", (2, 3, 224, 224), (1, 1, 0.4, 0.4), mode=mode, antialias=1)
    yield resize("linear channels last", (2, 28, 28, 64), (1, 2, 2, 1), mode="linear")
    yield resize("nearest channels last", (2, 28, 28, 64), (1, 2, 2, 1), mode="nearest", coordinate_transformation_mode="asymmetric")
    yield resize("nearest_floor asymmetric", image, (1, 1, 2, 2), mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")


def normalizations():
    x, c = floats(2, 64, 56, 56), 64
    constants = {"s": i64(0, 32, -1), "one": numpy.ones(32, numpy.float32), "zero": numpy.zeros(32, numpy.float32), "back": i64(2, 64, 56, 56),
                 "w": floats(c, 1, 1), "b": floats(c, 1, 1)}
    yield Case("GroupNorm of torch", [("Reshape", ["x", "s"], ["r"], {}), ("InstanceNormalization", ["r", "one", "zero"], ["n"], {}),
                                      ("Reshape", ["n", "back"], ["m"], {}), ("Mul", ["m", "w"], ["v"], {}), ("Add", ["v", "b"], ["y"], {})],
               {"x": x}, constants)
    yield one("", "GroupNormalization", {"x": x}, constants={"s": floats(c), "b": floats(c)}, num_groups=32, opset=21)
    yield one("", "InstanceNormalization", {"x": x}, constants={"s": floats(c), "b": floats(c)})
    yield one("1-D", "InstanceNormalization", {"x": floats(4, 64, 1024)}, constants={"s": floats(c), "b": floats(c)})
    yield one("last", "LayerNormalization", {"x": floats(2, 196, 512)}, constants={"s": floats(512), "b": floats(512)})
    yield one("", "MeanVarianceNormalization", {"x": x}, axes=[0, 2, 3])
    yield one("computed", "BatchNormalization", {"x": x, "s": floats(c), "b": floats(c), "m": floats(c), "v": numpy.abs(floats(c))})
    yield one("", "LRN", {"x": x}, size=5)
    for axis in (1, -1):
        for p in (1, 2):
            yield one(f"p {p} axis {axis}", "LpNormalization", {"x": x}, axis=axis, p=p)
    for op in ("Softmax", "LogSoftmax"):
        for axis in (1, 2, 3):
            yield one(f"axis {axis}", op, {"x": floats(2, 21, 128, 128)}, axis=axis)
    yield one("float64", "Softmax", {"x": floats(512, 512).astype(numpy.float64)}, axis=1)
    yield one("axis 1", "Hardmax", {"x": floats(512, 512)}, axis=1)
    yield Case("normalize of torch", [("ReduceL2", ["x", "a"], ["n"], {}), ("Clip", ["n", "e"], ["c"], {}), ("Shape", ["x"], ["s"], {}),
                                      ("Expand", ["c", "s"], ["d"], {}), ("Div", ["x", "d"], ["y"], {})],
               {"x": x}, {"a": i64(1), "e": numpy.array(1e-12, numpy.float32)})


def CASES():
    for family in (reductions, elementwise, casts, movement, products, windows, resizes, normalizations):
        yield from family()
