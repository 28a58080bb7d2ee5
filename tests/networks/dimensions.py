# SPDX-License-Identifier: Apache-2.0
"""Networks of one spatial dimension, as audio has them, and of three, as videos and volumes."""
import torch
from torch import nn


class WaveNet(nn.Module):
    """Gated residual blocks of dilated causal convolutions; what all of them skip is summed."""

    def __init__(self, channels=64, skipped=128, layers=20, cycle=10):
        super().__init__()
        self.first = nn.Conv1d(1, channels, 1)
        self.dilations = [1 << (i % cycle) for i in range(layers)]
        self.gated = nn.ModuleList(nn.Conv1d(channels, 2 * channels, 2, dilation=d) for d in self.dilations)
        self.residual = nn.ModuleList(nn.Conv1d(channels, channels, 1) for _ in self.dilations)
        self.skip = nn.ModuleList(nn.Conv1d(channels, skipped, 1) for _ in self.dilations)
        self.head = nn.Sequential(nn.ReLU(), nn.Conv1d(skipped, skipped, 1), nn.ReLU(), nn.Conv1d(skipped, 256, 1))

    def forward(self, x):
        x, total = self.first(x), 0
        for dilation, gated, residual, skip in zip(self.dilations, self.gated, self.residual, self.skip):
            a, b = gated(nn.functional.pad(x, (dilation, 0))).chunk(2, 1)
            y = torch.tanh(a) * torch.sigmoid(b)
            total = total + skip(y)
            x = x + residual(y)
        return self.head(total)


class M5(nn.Sequential):
    """A classifier of raw audio."""

    def __init__(self, channels=64, classes=35):
        layers, before = [], 1
        for i, after in enumerate((channels, channels, 2 * channels, 4 * channels)):
            layers += [nn.Conv1d(before, after, 80 if i == 0 else 3, stride=4 if i == 0 else 1), nn.BatchNorm1d(after), nn.ReLU(),
                       nn.MaxPool1d(4)]
            before = after
        super().__init__(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(before, classes))


class ResidualStack(nn.Module):
    def __init__(self, channels, kernel, dilations=(1, 3, 5)):
        super().__init__()
        self.dilated = nn.ModuleList(nn.Conv1d(channels, channels, kernel, dilation=d, padding=(kernel - 1) * d // 2) for d in dilations)
        self.plain = nn.ModuleList(nn.Conv1d(channels, channels, kernel, padding=(kernel - 1) // 2) for _ in dilations)

    def forward(self, x):
        for dilated, plain in zip(self.dilated, self.plain):
            y = dilated(nn.functional.leaky_relu(x, 0.1))
            x = x + plain(nn.functional.leaky_relu(y, 0.1))
        return x


class Vocoder(nn.Module):
    """HiFi-GAN's generator, version 2: a mel spectrogram to 256 samples a frame."""

    def __init__(self, channels=128, kernels=(3, 7, 11), rates=((8, 16), (8, 16), (2, 4), (2, 4))):
        super().__init__()
        self.first = nn.Conv1d(80, channels, 7, padding=3)
        self.up, self.stacks = nn.ModuleList(), nn.ModuleList()
        for i, (rate, kernel) in enumerate(rates):
            after = channels >> (i + 1)
            self.up.append(nn.ConvTranspose1d(channels >> i, after, kernel, rate, padding=(kernel - rate) // 2))
            self.stacks.append(nn.ModuleList(ResidualStack(after, k) for k in kernels))
        self.last = nn.Conv1d(channels >> len(rates), 1, 7, padding=3)

    def forward(self, x):
        x = self.first(x)
        for up, stacks in zip(self.up, self.stacks):
            x = up(nn.functional.leaky_relu(x, 0.1))
            x = sum(stack(x) for stack in stacks) / len(stacks)
        return torch.tanh(self.last(nn.functional.leaky_relu(x)))


class Separable1d(nn.Sequential):
    """Depthwise and 1x1 convolutions over features in time."""

    def __init__(self, features=64, channels=128, kernels=(11, 13, 15, 17), classes=35):
        layers, before = [nn.Conv1d(features, channels, 11, stride=2, padding=5), nn.BatchNorm1d(channels), nn.ReLU()], channels
        for kernel in kernels:
            layers += [nn.Conv1d(before, before, kernel, padding=kernel // 2, groups=before, bias=False), nn.Conv1d(before, channels, 1),
                       nn.BatchNorm1d(channels), nn.ReLU()]
        super().__init__(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(channels, classes))


def block_3d(before, after):
    layers = []
    for channels in (before, after):
        layers += [nn.Conv3d(channels, after, 3, padding=1, bias=False), nn.BatchNorm3d(after), nn.ReLU()]
    return nn.Sequential(*layers)


class UNet3d(nn.Module):
    """Three levels; upsampled by transposed convolutions, or by trilinear interpolation with instance normalization before."""

    def __init__(self, trilinear=False, base=16, levels=3):
        super().__init__()
        channels = [base << i for i in range(levels + 1)]
        self.down = nn.ModuleList(block_3d(1 if i == 0 else channels[i - 1], channels[i]) for i in range(levels))
        self.bottom = block_3d(channels[levels - 1], channels[levels])

        def up(before, after):
            if not trilinear:
                return nn.ConvTranspose3d(before, after, 2, stride=2)
            return nn.Sequential(nn.InstanceNorm3d(before, affine=True), nn.Upsample(scale_factor=2, mode="trilinear"), nn.Conv3d(before, after, 1))

        self.up = nn.ModuleList(up(channels[i + 1], channels[i]) for i in range(levels))
        self.join = nn.ModuleList(block_3d(2 * channels[i], channels[i]) for i in range(levels))
        self.head = nn.Conv3d(base, 2, 1)

    def forward(self, x):
        kept = []
        for block in self.down:
            x = block(x)
            kept.append(x)
            x = nn.functional.max_pool3d(x, 2)
        x = self.bottom(x)
        for i in reversed(range(len(self.up))):
            x = self.join[i](torch.cat([self.up[i](x), kept[i]], 1))
        return self.head(x)


class SqueezeExcite3d(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.gate = nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Conv3d(channels, channels // 4, 1), nn.ReLU(), nn.Conv3d(channels // 4, channels, 1),
                                  nn.Sigmoid())

    def forward(self, x):
        return x * self.gate(x)


class X3d(nn.Module):
    """Bottlenecks around depthwise 3x3x3 convolutions; the first layer in space and then in time."""

    def __init__(self, channels=(24, 48, 96), depths=(2, 3, 3), classes=400):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv3d(3, channels[0], (1, 3, 3), (1, 2, 2), (0, 1, 1), bias=False),
                                  nn.Conv3d(channels[0], channels[0], (5, 1, 1), padding=(2, 0, 0), groups=channels[0], bias=False),
                                  nn.BatchNorm3d(channels[0]), nn.ReLU())
        self.blocks, self.shortcuts, before = nn.ModuleList(), nn.ModuleList(), channels[0]
        for after, depth in zip(channels, depths):
            for i in range(depth):
                stride, inner = (1, 2, 2) if i == 0 else (1, 1, 1), after * 9 // 4
                self.blocks.append(nn.Sequential(
                    nn.Conv3d(before, inner, 1, bias=False), nn.BatchNorm3d(inner), nn.ReLU(),
                    nn.Conv3d(inner, inner, 3, stride, 1, groups=inner, bias=False), nn.BatchNorm3d(inner), SqueezeExcite3d(inner), nn.SiLU(),
                    nn.Conv3d(inner, after, 1, bias=False), nn.BatchNorm3d(after)))
                self.shortcuts.append(nn.Identity() if i else nn.Conv3d(before, after, 1, stride, bias=False))
                before = after
        self.head = nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(before, classes))

    def forward(self, x):
        x = self.stem(x)
        for block, shortcut in zip(self.blocks, self.shortcuts):
            x = torch.relu(block(x) + shortcut(x))
        return self.head(x)


def video(name):
    def make():
        import torchvision

        return torchvision.models.get_model(name, weights=None)

    return make


# name: a function that makes the module, and the input's shape
NETWORKS = {
    "wavenet": (WaveNet, (1, 1, 4000)),
    "m5": (M5, (1, 1, 16000)),
    "hifigan": (Vocoder, (1, 80, 64)),
    "separable1d": (Separable1d, (1, 64, 500)),
    "r3d_18": (video("r3d_18"), (1, 3, 8, 112, 112)),
    "mc3_18": (video("mc3_18"), (1, 3, 8, 112, 112)),
    "r2plus1d_18": (video("r2plus1d_18"), (1, 3, 8, 112, 112)),
    "x3d": (X3d, (1, 3, 8, 112, 112)),
    "unet3d": (UNet3d, (1, 1, 32, 64, 64)),
    "unet3d_trilinear": (lambda: UNet3d(trilinear=True), (1, 1, 32, 64, 64)),
}
