#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains a small network on scikit-learn's bundled handwritten digits (8x8 pixels) and writes models/digits: the model, labels,
one held-back sample per class, and a test case of 20 held-back images.  Prints the accuracy on all held-back images."""
import pathlib
import shutil
import sys

import numpy
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))
import torch_dump  # noqa: E402


def network() -> torch.nn.Module:
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(32, 10))


def main() -> None:
    torch.manual_seed(0)
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
    labels = torch.tensor(digits.target)
    train, test = train_test_split(numpy.arange(len(labels)), test_size=0.25, random_state=0, stratify=digits.target)
    net = network()
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=40 * (len(train) // 64 + 1))
    for _ in range(40):
        order = train[torch.randperm(len(train)).numpy()]
        for begin in range(0, len(order), 64):
            batch = order[begin:begin + 64]
            loss = torch.nn.functional.cross_entropy(net(images[batch]), labels[batch], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    net.eval()
    with torch.no_grad():
        right = (net(images[test]).argmax(1) == labels[test]).sum().item()
    print(f"{right} of {len(test)} held-back images: {100 * right / len(test):.1f} %")

    folder = HERE / "digits"
    shutil.rmtree(folder, ignore_errors=True)
    results = torch_dump.dump(net, (images[test[:20]],), folder, exporters=("torchscript",), dynamic=[[0]], seed=0,
                              example=(images[test[:2]],))
    if any(results.values()):
        sys.exit(str(results))
    (folder / "torchscript" / "model.onnx").rename(folder / "digits.onnx")
    (folder / "torchscript" / "test_data_set_0").rename(folder / "test_data_set_0")
    (folder / "torchscript" / "dump.json").rename(folder / "dump.json")
    (folder / "torchscript").rmdir()
    (folder / "labels.txt").write_text("".join(f"{d}\n" for d in ("zero", "one", "two", "three", "four", "five", "six", "seven",
                                                                  "eight", "nine")))
    (folder / "samples").mkdir()
    for digit in range(10):
        index = next(i for i in test if labels[i] == digit)
        numpy.save(folder / "samples" / f"{digit}.npy", images[index][None].numpy())


if __name__ == "__main__":
    main()
