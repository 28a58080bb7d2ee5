#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Exports whole networks with reference outputs for tests/networks/run.py: torchvision's with random weights, a UNet, networks of
one and three dimensions (dimensions.py), with attention (attention.py) and with branches, loops and lists (control_flow.py), and
models that PyPI packages carry (nudenet's YOLOv8n, rapidocr-onnxruntime's three), the latter with onnxruntime's outputs."""
import argparse
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import numpy
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import attention  # noqa: E402
import control_flow  # noqa: E402
import dimensions  # noqa: E402
import torch_dump  # noqa: E402

TORCHVISION = ("resnet18", "resnet50", "mobilenet_v2", "squeezenet1_1", "vgg16", "efficientnet_b0", "densenet121")


class Block(torch.nn.Sequential):
    def __init__(self, channels_in, channels_out):
        layers = []
        for c in (channels_in, channels_out):
            layers += [torch.nn.Conv2d(c, channels_out, 3, padding=1, bias=False), torch.nn.BatchNorm2d(channels_out),
                       torch.nn.ReLU()]
        super().__init__(*layers)


class UNet(torch.nn.Module):
    """Four levels, 32 channels at the first, transposed convolutions on the way up."""

    def __init__(self, base=32, levels=4):
        super().__init__()
        channels = [base << i for i in range(levels + 1)]
        self.down = torch.nn.ModuleList(Block(3 if i == 0 else channels[i - 1], channels[i]) for i in range(levels))
        self.bottom = Block(channels[levels - 1], channels[levels])
        self.up = torch.nn.ModuleList(torch.nn.ConvTranspose2d(channels[i + 1], channels[i], 2, stride=2) for i in range(levels))
        self.join = torch.nn.ModuleList(Block(2 * channels[i], channels[i]) for i in range(levels))
        self.head = torch.nn.Conv2d(base, 1, 1)

    def forward(self, x):
        kept = []
        for block in self.down:
            x = block(x)
            kept.append(x)
            x = torch.nn.functional.max_pool2d(x, 2)
        x = self.bottom(x)
        for i in reversed(range(len(self.up))):
            x = self.join[i](torch.cat([self.up[i](x), kept[i]], 1))
        return self.head(x)


def make_torch(outdir: pathlib.Path, names) -> None:
    for name in names:
        torch.manual_seed(0)
        exporters, offsets = torch_dump.EXPORTERS, (0,)
        if name in control_flow.NETWORKS:
            make_module, shape, exporters = control_flow.NETWORKS[name]
            offsets = control_flow.OFFSETS
            module = make_module()
        elif name in dimensions.NETWORKS or name in attention.NETWORKS:
            make_module, shape = {**dimensions.NETWORKS, **attention.NETWORKS}[name]
            module = make_module()
        else:
            size = 256 if name == "unet" else 224
            shape = (1, 3, size, size)
            module = UNet() if name == "unet" else torch_dump.load_module(f"torchvision:{name}")
        torch_dump.randomize_batch_norm(module)
        cases = [(torch.rand(shape) * 2 - 1 + offset,) for offset in offsets]
        results = torch_dump.dump(module, cases[0], outdir / name, exporters, cases[1:], seed=0)
        for exporter, problem in results.items():
            print(f"{name} {exporter}: {problem or 'ok'}", flush=True)


def text_image(shape):
    """Lines of text and noise, as these models know it: on pure noise a detector's outputs are all nearly 0."""
    from PIL import Image, ImageDraw

    _, _, height, width = shape
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    for line in range(max(1, height // 48)):
        draw.text((8, 8 + 48 * line), f"Strider runs networks {line}", fill="black", font_size=28)
    noise = numpy.random.default_rng(0).random(shape, dtype=numpy.float32)
    pixels = numpy.asarray(image, dtype=numpy.float32).transpose(2, 0, 1)[None] / 255
    return numpy.ascontiguousarray(2 * pixels - 1 + 0.1 * noise, dtype=numpy.float32)


def make_packaged(outdir: pathlib.Path) -> None:
    import onnx
    import onnxruntime

    shapes = {"320n": (1, 3, 320, 320), "ch_PP-OCRv4_det_infer": (1, 3, 640, 480), "ch_PP-OCRv4_rec_infer": (1, 3, 48, 320),
              "ch_ppocr_mobile_v2.0_cls_infer": (1, 3, 48, 192)}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, "nudenet",
                        "rapidocr-onnxruntime"], check=True)
        for wheel in pathlib.Path(folder).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                for entry in archive.namelist():
                    stem = pathlib.Path(entry).stem
                    if not entry.endswith(".onnx") or stem not in shapes:
                        continue
                    target = outdir / stem / "packaged"
                    (target / "test_data_set_0").mkdir(parents=True, exist_ok=True)
                    (target / "model.onnx").write_bytes(archive.read(entry))
                    options = onnxruntime.SessionOptions()
                    options.log_severity_level = 3
                    session = onnxruntime.InferenceSession(str(target / "model.onnx"), options, providers=["CPUExecutionProvider"])
                    x = text_image(shapes[stem])
                    outputs = session.run(None, {session.get_inputs()[0].name: x})
                    names = [o.name for o in session.get_outputs()]
                    for kind, tensors, labels in (("input", [x], [session.get_inputs()[0].name]), ("output", outputs, names)):
                        for i, tensor in enumerate(tensors):
                            proto = onnx.numpy_helper.from_array(tensor, labels[i])
                            (target / "test_data_set_0" / f"{kind}_{i}.pb").write_bytes(proto.SerializeToString())
                    print(f"{stem} packaged: ok", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("outdir", type=pathlib.Path)
    parser.add_argument("names", nargs="*", help="these, 'packaged', or any model of torchvision; default: all but other models")
    args = parser.parse_args()
    everything = TORCHVISION + ("unet",) + tuple(dimensions.NETWORKS) + tuple(attention.NETWORKS) + tuple(control_flow.NETWORKS)
    make_torch(args.outdir, [n for n in args.names if n != "packaged"] if args.names else everything)
    if not args.names or "packaged" in args.names:
        make_packaged(args.outdir)
