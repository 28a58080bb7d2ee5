#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes models/conv2d/CASE/EXPORTER: every example of torch.nn.Conv2d's and torch.nn.functional.conv2d's documentation, and
every parameter of Conv2d, with torch's outputs.  Inputs are whole numbers of sixteenths, so that files compress well."""
import pathlib
import sys

import torch

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))
import torch_dump  # noqa: E402

Conv2d = torch.nn.Conv2d


class FunctionalConv2d(torch.nn.Module):
    """torch.nn.functional.conv2d with a weight of 16x3x5x5."""

    def __init__(self, **options):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(16, 3, 5, 5) / 8)
        self.options = options

    def forward(self, x):
        return torch.nn.functional.conv2d(x, self.weight, **self.options)


# The documentation's 20x16x50x100 inputs would take 6.4 MB each and their outputs more: these models have an open batch and
# are checked with a batch of 1.
WIDE = (1, 16, 50, 100)
CASES = {
    "square_kernel_stride_2": (lambda: Conv2d(16, 33, 3, stride=2), WIDE),
    "unequal_stride_and_padding": (lambda: Conv2d(16, 33, (3, 5), stride=(2, 1), padding=(4, 2)), WIDE),
    "unequal_with_dilation": (lambda: Conv2d(16, 33, (3, 5), stride=(2, 1), padding=(4, 2), dilation=(3, 1)), WIDE),
    "padding_0": (lambda: Conv2d(1, 3, 3), (1, 1, 28, 28)),
    "padding_1": (lambda: Conv2d(1, 3, 3, padding=1), (1, 1, 28, 28)),
    "stride_2_padding_1": (lambda: Conv2d(1, 3, 3, stride=2, padding=1), (1, 1, 28, 28)),
    "functional_stride_1_padding_1": (lambda: FunctionalConv2d(stride=1, padding=1), (1, 3, 28, 28)),
    "functional_stride_2_padding_2": (lambda: FunctionalConv2d(stride=2, padding=2), (1, 3, 28, 28)),
    "same_odd": (lambda: Conv2d(4, 6, 3, padding="same"), (2, 4, 13, 17)),
    "same_even": (lambda: Conv2d(4, 6, 4, padding="same"), (2, 4, 13, 17)),
    "same_even_dilated": (lambda: Conv2d(4, 6, (2, 3), padding="same", dilation=(3, 2)), (2, 4, 13, 17)),
    "valid_odd": (lambda: Conv2d(4, 6, 5, padding="valid"), (2, 4, 13, 17)),
    "valid_even": (lambda: Conv2d(4, 6, 2, padding="valid"), (2, 4, 13, 17)),
    "mode_zeros": (lambda: Conv2d(3, 5, 3, padding=2, padding_mode="zeros"), (1, 3, 11, 12)),
    "mode_reflect": (lambda: Conv2d(3, 5, 3, padding=2, padding_mode="reflect"), (1, 3, 11, 12)),
    "mode_replicate": (lambda: Conv2d(3, 5, 3, padding=2, padding_mode="replicate"), (1, 3, 11, 12)),
    "mode_circular": (lambda: Conv2d(3, 5, 3, padding=2, padding_mode="circular"), (1, 3, 11, 12)),
    "mode_reflect_same_even": (lambda: Conv2d(3, 5, 4, padding="same", padding_mode="reflect"), (1, 3, 11, 12)),
    "groups_2": (lambda: Conv2d(8, 12, 3, groups=2, padding=1), (2, 8, 14, 15)),
    "depthwise": (lambda: Conv2d(10, 10, 3, groups=10, padding=1), (2, 10, 14, 15)),
    "depthwise_multiplier_2": (lambda: Conv2d(10, 20, 3, groups=10, padding=1), (2, 10, 14, 15)),
    "no_bias": (lambda: Conv2d(6, 9, 3, bias=False), (1, 6, 10, 10)),
    "unbatched": (lambda: Conv2d(6, 9, 3, padding=1), (6, 10, 10)),
    "pointwise": (lambda: Conv2d(24, 40, 1), (1, 24, 13, 13)),
}


def main() -> int:
    failures = 0
    for number, (name, (make, shape)) in enumerate(CASES.items()):
        torch.manual_seed(number)
        module = make()
        x = torch.randint(-16, 17, shape).float() / 16
        # A batch of 2 to export with: of 1, an exporter may take the dimension for fixed.
        wide = shape == WIDE
        example = (torch.rand((20,) + shape[1:]),) if wide else None
        results = torch_dump.dump(module, (x,), HERE / "conv2d" / name, dynamic=[[0]] if wide else None, seed=number, example=example)
        for exporter, problem in results.items():
            print(f"{name} {exporter}: {'ok' if problem is None else str(problem).splitlines()[0]}")
            failures += problem is not None
    return failures


if __name__ == "__main__":
    main()
