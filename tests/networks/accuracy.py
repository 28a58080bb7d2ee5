#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How far whole networks are from float64 arithmetic: Strider's error beside onnxruntime's, as the largest difference over the
largest output, and as root mean squares.

    accuracy.py STRIDER FOLDER [NETWORK...]

Networks have torchvision's (or with "timm:" timm's) initial weights and BatchNormalization's statistics of a few batches, so that
activations keep their scale as in a trained network.  They are written into FOLDER once, with float64's outputs.
Fails where Strider's error by root mean squares is more than --limit times onnxruntime's."""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))

NETWORKS = ("resnet18", "resnet50", "wide_resnet50_2", "vgg16", "densenet121", "unet", "inception_v3", "squeezenet1_1", "googlenet",
            "mobilenet_v2", "efficientnet_b0")
SIZES = {"inception_v3": 299, "unet": 256}
MODES = {"default": [], "fast": ["--fast-winograd"], "direct": ["--max-error", "0"]}
ROUNDING = 2 ** -24


def images(count: int, size: int):
    """Noise at all scales, as photographs have it."""
    import torch

    planes = [torch.nn.functional.interpolate(torch.randn(count, 3, side, side), (size, size), mode="bilinear")
              for side in (4, 16, 64, size)]
    return sum(planes) / 2


def load(name: str):
    import torch
    import torch_dump

    if name == "unet":
        from make import UNet
        return UNet()
    if name.startswith("timm:"):
        import timm
        return timm.create_model(name.removeprefix("timm:"), pretrained=False)
    options = {"aux_logits": False, "init_weights": True} if name in ("inception_v3", "googlenet") else {}
    if options:
        from torchvision import models
        return models.get_model(name, weights=None, **options)
    return torch_dump.load_module(f"torchvision:{name}")


def calibrate(module, size: int) -> None:
    """BatchNormalization's statistics of a few batches, and weights of its own that are not 1 and 0."""
    import torch

    layers = [m for m in module.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain average of all batches
        if layer.affine:
            torch.nn.init.uniform_(layer.weight, 0.8, 1.2)
            torch.nn.init.normal_(layer.bias, 0, 0.1)
    if not layers:
        return
    module.train()
    with torch.no_grad():
        for _ in range(2):
            module(images(4, size))


def make(name: str, folder: pathlib.Path, cases: int) -> None:
    import torch
    import torch_dump

    torch.manual_seed(0)
    size = SIZES.get(name, 224)
    module = load(name)
    calibrate(module, size)
    module.eval()
    inputs = [images(1, size) for _ in range(cases)]
    folder.mkdir(parents=True, exist_ok=True)
    torch_dump.export(module, (inputs[0],), folder / "model.onnx", "torchscript")
    module.double()
    for i, x in enumerate(inputs):
        with torch.no_grad():
            numpy.savez(folder / f"case_{i}.npz", input_0=x.numpy(), exact=module(x.double()).numpy())


class Errors:
    """Of some outputs, the largest and by root mean squares."""

    def __init__(self):
        self.worst, self.squares = [], []

    def add(self, outputs, exact) -> None:
        difference = outputs.reshape(exact.shape).astype(numpy.float64) - exact
        self.worst.append(numpy.abs(difference).max() / numpy.abs(exact).max())
        self.squares.append((difference ** 2).mean() / (exact ** 2).mean())

    @property
    def peak(self) -> float:
        return max(self.worst)

    @property
    def rms(self) -> float:
        return float(numpy.sqrt(numpy.mean(self.squares)))


def run_strider(strider: str, model: pathlib.Path, x, flags):
    with tempfile.TemporaryDirectory() as folder:
        given, output = pathlib.Path(folder) / "x.npy", pathlib.Path(folder) / "y.npz"
        numpy.save(given, x)
        subprocess.run([strider, "run", str(model), str(given), "--quiet", "-o", str(output), *flags], check=True)
        return next(iter(numpy.load(output).values()))


def measure(strider: str, folder: pathlib.Path, modes) -> dict:
    import onnxruntime

    errors = {name: Errors() for name in ("onnxruntime", *modes)}
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    for case in sorted(folder.glob("case_*.npz")):
        data = numpy.load(case)
        x, exact = data["input_0"], data["exact"]
        errors["onnxruntime"].add(session.run(None, {session.get_inputs()[0].name: x})[0], exact)
        for mode, flags in modes.items():
            errors[mode].add(run_strider(strider, folder / "model.onnx", x, flags), exact)
    return errors


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("strider")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*", default=NETWORKS)
    parser.add_argument("--cases", type=int, default=3, help="inputs of each network")
    parser.add_argument("--limit", type=float, default=2)
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    results, failed = {}, 0
    print(f"{'network':<20} {'':<12} {'of largest':>10} {'rms':>9}  rms over onnxruntime's")
    for name in args.names:
        folder = args.folder / name.replace(":", "_")
        if not (folder / "model.onnx").exists():
            make(name, folder, args.cases)
        errors = measure(args.strider, folder, MODES)
        theirs = max(errors["onnxruntime"].rms, ROUNDING)
        failed += errors["default"].rms > args.limit * theirs
        for mode, e in errors.items():
            print(f"{name:<20} {mode:<12} {e.peak:>10.2g} {e.rms:>9.2g}  {e.rms / theirs:.2f}", flush=True)
        results[name] = {mode: {"peak": e.peak, "rms": e.rms} for mode, e in errors.items()}
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n")
    print(f"{failed} of {len(results)} beyond {args.limit:g} times onnxruntime's error")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
