#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random cases of operators that read between elements, computed by PyTorch and torchvision in float64.

    make_sampling.py OUTPUT [--seed N] [--cases N]

writes what tests/ops/reference_test.c reads, in the format of make_reference.py: tests/data/ops/sampling.bin is the
output for the defaults.  Needs torch, torchvision and numpy.
"""
import argparse
import random

import torch
import torch.nn.functional as F
import torchvision.ops

from make_reference import R, Writer, int64, sizes


def grid_sample(out):
    for mode in ("bilinear", "nearest", "bicubic"):
        d = 2 if mode == "bicubic" else R(2, 3)
        x = torch.randn(R(1, 2), R(1, 3), *sizes(1, 6, d))
        grid = torch.randn(x.shape[0], *sizes(1, 4, d), d) * random.choice([0.5, 1, 3])
        if mode == "nearest":
            grid = torch.round(grid * 64) / 64 + 1 / 1024  # never half way
        padding, align = random.choice(["zeros", "border", "reflection"]), bool(R(0, 1))
        y = F.grid_sample(x.double(), grid.double(), mode, padding, align)
        names = {"bilinear": ["bilinear", "linear"], "nearest": ["nearest"], "bicubic": ["bicubic", "cubic"]}[mode]
        out.case("GridSample", random.choice([16, 20, 22]),
                 dict(mode=random.choice(names), padding_mode=padding, align_corners=align), [x, grid], [y])


def affine_grid(out):
    d, align = R(2, 3), bool(R(0, 1))
    theta, size = torch.randn(R(1, 2), d, d + 1), sizes(1, 5, d)
    y = F.affine_grid(theta.double(), [len(theta), 1, *size], align)
    out.case("AffineGrid", 20, dict(align_corners=align), [theta, int64(len(theta), 1, *size)], [y])


def roi_align(out):
    x = torch.randn(R(1, 2), R(1, 3), *sizes(1, 9, 2))
    count, scale, aligned = R(1, 3), random.choice([1.0, 0.5, 0.25]), bool(R(0, 1))
    corners = torch.rand(count, 4) * 10 / scale - 1
    rois = torch.cat([torch.minimum(corners[:, :2], corners[:, 2:]), torch.maximum(corners[:, :2], corners[:, 2:])], 1)
    batches = torch.randint(0, x.shape[0], (count,))
    size, ratio = sizes(1, 4, 2), R(0, 3)
    boxes = torch.cat([batches[:, None].double(), rois.double()], 1)
    y = torchvision.ops.roi_align(x.double(), boxes, size, scale, ratio or -1, aligned)
    attributes = dict(output_height=size[0], output_width=size[1], sampling_ratio=ratio, spatial_scale=scale)
    if not aligned or R(0, 1):
        attributes["coordinate_transformation_mode"] = "half_pixel" if aligned else "output_half_pixel"
    out.case("RoiAlign", random.choice([16, 22]), attributes, [x, rois, batches.numpy()], [y])


def max_roi_pool(out):
    x = torch.randn(R(1, 2), R(1, 3), *sizes(4, 9, 2))
    count, size, scale = R(1, 3), sizes(1, 3, 2), random.choice([1.0, 0.5])
    first = torch.randint(0, 4, (count, 2))
    rois = torch.cat([torch.randint(0, x.shape[0], (count, 1)), first, first + torch.randint(0, 5, (count, 2))], 1) / 1.0
    rois[:, 1:] /= scale
    y = torchvision.ops.roi_pool(x.double(), rois.double(), size, scale)
    out.case("MaxRoiPool", random.choice([1, 22]), dict(pooled_shape=size, spatial_scale=scale), [x, rois], [y])


def deform_conv(out):
    group, offset_group = R(1, 2), R(1, 2)
    kernel, strides, pads, dilations = sizes(1, 3, 2), sizes(1, 2, 2), sizes(0, 2, 2), sizes(1, 2, 2)
    x = torch.randn(R(1, 2), group * offset_group * R(1, 2), *sizes(5, 7, 2))
    w = torch.randn(group * R(1, 3), x.shape[1] // group, *kernel)
    size = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in zip(x.shape[2:], kernel, strides, pads, dilations)]
    taps = offset_group * kernel[0] * kernel[1]
    offset = torch.randn(x.shape[0], 2 * taps, *size) * random.choice([0.5, 4])
    mask = random.choice([None, torch.rand(x.shape[0], taps, *size)])
    b = random.choice([None, torch.randn(w.shape[0])])

    def double(t):
        return None if t is None else t.double()

    y = torchvision.ops.deform_conv2d(double(x), double(offset), double(w), double(b), strides, pads, dilations, double(mask))
    out.case("DeformConv", random.choice([19, 22]),
             dict(strides=strides, pads=pads + pads, dilations=dilations, group=group, offset_group=offset_group),
             [x, w, offset, b, mask], [y])


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
            for function in (grid_sample, affine_grid, roi_align, max_roi_pool, deform_conv):
                function(out)
    print(f"{out.cases} cases")


if __name__ == "__main__":
    main()
