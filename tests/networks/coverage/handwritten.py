# SPDX-License-Identifier: Apache-2.0
"""Kinds of networks that torchvision and timm do not have, each as people write it in PyTorch, and small enough to export quickly."""
import math

import torch
from torch import nn
from torch.nn import functional


class ResidualBlock(nn.Module):
    """Convolution, norm and ReLU twice around an addition; `norm` makes the layer from a number of channels."""

    def __init__(self, channels, norm, padding_mode="zeros"):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, padding_mode=padding_mode), norm(channels), nn.ReLU(),
                                  nn.Conv2d(channels, channels, 3, padding=1, padding_mode=padding_mode), norm(channels))

    def forward(self, x):
        return x + self.body(x)


class StyleTransfer(nn.Module):
    """Reflection padding, instance norms, upsampling by nearest."""

    def __init__(self, base=16):
        super().__init__()

        def layer(a, b, kernel, stride=1):
            return nn.Sequential(nn.ReflectionPad2d(kernel // 2), nn.Conv2d(a, b, kernel, stride), nn.InstanceNorm2d(b, affine=True), nn.ReLU())

        def norm(channels):
            return nn.InstanceNorm2d(channels, affine=True)

        self.down = nn.Sequential(layer(3, base, 9), layer(base, 2 * base, 3, 2), layer(2 * base, 4 * base, 3, 2))
        self.body = nn.Sequential(*(ResidualBlock(4 * base, norm, "reflect") for _ in range(3)))
        self.up = nn.ModuleList([layer(4 * base, 2 * base, 3), layer(2 * base, base, 3)])
        self.head = nn.Sequential(nn.ReflectionPad2d(4), nn.Conv2d(base, 3, 9))

    def forward(self, x):
        x = self.body(self.down(x))
        for layer in self.up:
            x = layer(functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        return self.head(x)


class SuperResolution(nn.Module):
    """Residual blocks without norms, pixel shuffles, and the input enlarged by bicubic interpolation added."""

    def __init__(self, channels=32, blocks=4):
        super().__init__()
        self.first = nn.Conv2d(3, channels, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(channels, lambda c: nn.PReLU(c)) for _ in range(blocks)))
        self.up = nn.Sequential(nn.Conv2d(channels, 4 * channels, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(channels, 3, 3, padding=1))

    def forward(self, x):
        y = self.first(x)
        return self.up(y + self.body(y)) + functional.interpolate(x, scale_factor=2, mode="bicubic", align_corners=False)


class CRNN(nn.Module):
    """Text lines: convolutions until the height is 1, then two bidirectional LSTMs over the width."""

    def __init__(self, classes=97, hidden=128):
        super().__init__()
        layers, before = [], 1
        for i, (after, pool) in enumerate(((32, (2, 2)), (64, (2, 2)), (128, (2, 1)), (128, (2, 1)), (256, (2, 1)))):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(pool, pool)]
            before = after
        self.features = nn.Sequential(*layers)
        self.rnn = nn.LSTM(before, hidden, num_layers=2, bidirectional=True)
        self.head = nn.Linear(2 * hidden, classes)

    def forward(self, x):
        y = self.features(x).squeeze(2).permute(2, 0, 1)
        return functional.log_softmax(self.head(self.rnn(y)[0]), 2)


class ConvGRU(nn.Module):
    """Sound events: convolutions over a spectrogram and a GRU over time."""

    def __init__(self, bands=64, hidden=64):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.GLU(1), nn.AvgPool2d((1, 4)),
                                      nn.Conv2d(16, 64, 3, padding=1), nn.BatchNorm2d(64), nn.GLU(1), nn.AvgPool2d((1, 4)))
        self.rnn = nn.GRU(32 * bands // 16, hidden, batch_first=True, bidirectional=True)
        self.strong, self.attention = nn.Linear(2 * hidden, 10), nn.Linear(2 * hidden, 10)

    def forward(self, x):
        y = self.features(x).permute(0, 2, 1, 3).flatten(2)
        y = self.rnn(y)[0]
        strong = torch.sigmoid(self.strong(y))
        weights = torch.softmax(self.attention(y), -1).clamp(1e-7, 1)
        return strong, (strong * weights).sum(1) / weights.sum(1)


class Conformer(nn.Module):
    """Speech: subsampling convolutions, then half-steps of feed-forward around attention and a depthwise convolution."""

    class Block(nn.Module):
        def __init__(self, width, heads):
            super().__init__()
            self.ff = nn.ModuleList(nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, width))
                                    for _ in range(2))
            self.norm, self.attention = nn.LayerNorm(width), nn.MultiheadAttention(width, heads, batch_first=True)
            self.conv_norm = nn.LayerNorm(width)
            self.conv = nn.Sequential(nn.Conv1d(width, 2 * width, 1), nn.GLU(1), nn.Conv1d(width, width, 15, padding=7, groups=width),
                                      nn.BatchNorm1d(width), nn.SiLU(), nn.Conv1d(width, width, 1))
            self.last = nn.LayerNorm(width)

        def forward(self, x):
            x = x + 0.5 * self.ff[0](x)
            y = self.norm(x)
            x = x + self.attention(y, y, y, need_weights=False)[0]
            x = x + self.conv(self.conv_norm(x).transpose(1, 2)).transpose(1, 2)
            return self.last(x + 0.5 * self.ff[1](x))

    def __init__(self, bands=80, width=96, heads=4, blocks=3):
        super().__init__()
        self.subsample = nn.Sequential(nn.Conv2d(1, 32, 3, 2), nn.ReLU(), nn.Conv2d(32, 32, 3, 2), nn.ReLU())
        self.first = nn.Linear(32 * (((bands - 1) // 2 - 1) // 2), width)
        self.blocks = nn.Sequential(*(self.Block(width, heads) for _ in range(blocks)))

    def forward(self, x):
        y = self.subsample(x.unsqueeze(1))
        return self.blocks(self.first(y.permute(0, 2, 1, 3).flatten(2)))


class Spectrogram(nn.Module):
    """Audio to the logarithm of a power spectrogram, and a convolutional classifier of that."""

    def __init__(self, size=256, hop=64, classes=12):
        super().__init__()
        self.size, self.hop = size, hop
        self.register_buffer("window", torch.hann_window(size))
        self.body = nn.Sequential(nn.Conv2d(1, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
                                  nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, classes))

    def forward(self, x):
        y = torch.stft(x, self.size, self.hop, window=self.window, center=False, return_complex=False)
        return self.body(torch.log(y.pow(2).sum(-1) + 1e-6).unsqueeze(1))


class DiffusionUNet(nn.Module):
    """Noise prediction: sinusoidal time embedding, group norms, SiLU, attention at the lowest size, skips."""

    class Block(nn.Module):
        def __init__(self, a, b, time):
            super().__init__()
            self.first = nn.Sequential(nn.GroupNorm(8, a), nn.SiLU(), nn.Conv2d(a, b, 3, padding=1))
            self.time = nn.Linear(time, b)
            self.second = nn.Sequential(nn.GroupNorm(8, b), nn.SiLU(), nn.Conv2d(b, b, 3, padding=1))
            self.skip = nn.Conv2d(a, b, 1) if a != b else nn.Identity()

        def forward(self, x, t):
            y = self.first(x) + self.time(functional.silu(t))[:, :, None, None]
            return self.skip(x) + self.second(y)

    def __init__(self, base=32, time=64):
        super().__init__()
        self.base = base
        self.embed = nn.Sequential(nn.Linear(base, time), nn.SiLU(), nn.Linear(time, time))
        self.first = nn.Conv2d(3, base, 3, padding=1)
        self.down = nn.ModuleList([self.Block(base, base, time), self.Block(base, 2 * base, time)])
        self.shrink = nn.ModuleList([nn.Conv2d(base, base, 3, 2, 1), nn.Conv2d(2 * base, 2 * base, 3, 2, 1)])
        self.norm, self.qkv, self.out = nn.GroupNorm(8, 2 * base), nn.Conv2d(2 * base, 6 * base, 1), nn.Conv2d(2 * base, 2 * base, 1)
        self.up = nn.ModuleList([self.Block(4 * base, base, time), self.Block(2 * base, base, time)])
        self.head = nn.Sequential(nn.GroupNorm(8, base), nn.SiLU(), nn.Conv2d(base, 3, 3, padding=1))

    def attend(self, x):
        b, c, h, w = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(b, 3, 4, c // 4, h * w).transpose(-1, -2).unbind(1)
        y = functional.scaled_dot_product_attention(q, k, v)
        return x + self.out(y.transpose(-1, -2).reshape(b, c, h, w))

    def forward(self, x, t):
        rates = torch.exp(torch.arange(self.base // 2) * (-math.log(10000) / (self.base // 2)))
        angles = t[:, None] * rates[None]
        t = self.embed(torch.cat([angles.sin(), angles.cos()], 1))
        x, kept = self.first(x), []
        for block, shrink in zip(self.down, self.shrink):
            x = block(x, t)
            kept.append(x)
            x = shrink(x)
        x = self.attend(x)
        for block in self.up:
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat([x, kept.pop()], 1), t)
        return self.head(x)


class SpatialTransformer(nn.Module):
    """Digits that are turned upright before they are classified: affine_grid and grid_sample."""

    def __init__(self):
        super().__init__()
        self.locate = nn.Sequential(nn.Conv2d(1, 8, 7), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(8, 10, 5), nn.MaxPool2d(2), nn.ReLU(),
                                    nn.Flatten(), nn.Linear(90, 32), nn.ReLU())
        self.theta = nn.Linear(32, 6)
        self.theta.weight.data.mul_(0.1)
        self.theta.bias.data.copy_(torch.tensor([1, 0, 0, 0, 1, 0], dtype=torch.float))
        self.body = nn.Sequential(nn.Conv2d(1, 10, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(10, 20, 5), nn.MaxPool2d(2), nn.ReLU(),
                                  nn.Flatten(), nn.Linear(320, 50), nn.ReLU(), nn.Linear(50, 10))

    def forward(self, x):
        theta = self.theta(self.locate(x)).view(-1, 2, 3)
        grid = functional.affine_grid(theta, x.size(), align_corners=False)
        return functional.log_softmax(self.body(functional.grid_sample(x, grid, align_corners=False)), 1)


class DeformableNet(nn.Module):
    """Deformable convolutions whose offsets and masks a convolution computes."""

    class Layer(nn.Module):
        def __init__(self, a, b, stride=1):
            super().__init__()
            from torchvision.ops import DeformConv2d
            self.offset = nn.Conv2d(a, 27, 3, stride, 1)
            self.conv = DeformConv2d(a, b, 3, stride, 1)

        def forward(self, x):
            y = self.offset(x)
            return self.conv(x, y[:, :18], torch.sigmoid(y[:, 18:]))

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), self.Layer(16, 32, 2), nn.BatchNorm2d(32), nn.ReLU(),
                                  self.Layer(32, 32), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))

    def forward(self, x):
        return self.body(x)


class UNet3D(nn.Module):
    """Volumes: three levels, instance norms, transposed convolutions."""

    @staticmethod
    def block(a, b):
        return nn.Sequential(nn.Conv3d(a, b, 3, padding=1), nn.InstanceNorm3d(b, affine=True), nn.LeakyReLU(0.01),
                             nn.Conv3d(b, b, 3, padding=1), nn.InstanceNorm3d(b, affine=True), nn.LeakyReLU(0.01))

    def __init__(self, base=8):
        super().__init__()
        self.down = nn.ModuleList([self.block(1, base), self.block(base, 2 * base)])
        self.bottom = self.block(2 * base, 4 * base)
        self.up = nn.ModuleList([nn.ConvTranspose3d(4 * base, 2 * base, 2, 2), nn.ConvTranspose3d(2 * base, base, 2, 2)])
        self.back = nn.ModuleList([self.block(4 * base, 2 * base), self.block(2 * base, base)])
        self.head = nn.Conv3d(base, 3, 1)

    def forward(self, x):
        kept = []
        for block in self.down:
            x = block(x)
            kept.append(x)
            x = functional.max_pool3d(x, 2)
        x = self.bottom(x)
        for up, block in zip(self.up, self.back):
            x = block(torch.cat([up(x), kept.pop()], 1))
        return self.head(x)


class CondConv(nn.Module):
    """Each image mixes its own kernel out of four: one grouped convolution over the whole batch."""

    def __init__(self, channels=16, experts=4):
        super().__init__()
        self.first = nn.Conv2d(3, channels, 3, 2, 1)
        self.experts = nn.Parameter(torch.randn(experts, channels * channels * 9) * 0.05)
        self.route = nn.Linear(channels, experts)
        self.channels = channels

    def forward(self, x):
        x = functional.relu(self.first(x))
        b, c, h, w = x.shape
        routing = torch.sigmoid(self.route(x.mean((2, 3))))
        weight = (routing @ self.experts).view(b * c, c, 3, 3)
        return functional.conv2d(x.reshape(1, b * c, h, w), weight, padding=1, groups=b).view(b, c, h, w)


class StyleGenerator(nn.Module):
    """Kernels scaled by a style and normed again, blurred upsampling."""

    class Layer(nn.Module):
        def __init__(self, a, b, style):
            super().__init__()
            self.affine, self.weight = nn.Linear(style, a), nn.Parameter(torch.randn(1, b, a, 3, 3) * 0.1)
            kernel = torch.tensor([1.0, 3.0, 3.0, 1.0])
            self.register_buffer("blur", (kernel[:, None] * kernel[None] / 64)[None, None])

        def forward(self, x, style):
            n, a, h, w = x.shape
            weight = self.weight * (self.affine(style) + 1).view(n, 1, a, 1, 1)
            weight = weight * torch.rsqrt(weight.pow(2).sum((2, 3, 4), keepdim=True) + 1e-8)
            x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            y = functional.conv2d(x.reshape(1, n * a, 2 * h, 2 * w), weight.flatten(0, 1), padding=1, groups=n)
            y = y.view(n, -1, 2 * h, 2 * w)
            blur = self.blur.repeat(y.shape[1], 1, 1, 1)
            return functional.leaky_relu(functional.conv2d(functional.pad(y, (2, 1, 2, 1)), blur, groups=y.shape[1]), 0.2)

    def __init__(self, style=32):
        super().__init__()
        self.map = nn.Sequential(nn.Linear(style, style), nn.LeakyReLU(0.2), nn.Linear(style, style), nn.LeakyReLU(0.2))
        self.constant = nn.Parameter(torch.randn(1, 32, 4, 4))
        self.layers = nn.ModuleList([self.Layer(32, 32, style), self.Layer(32, 16, style), self.Layer(16, 16, style)])
        self.head = nn.Conv2d(16, 3, 1)

    def forward(self, z):
        style = self.map(z * torch.rsqrt(z.pow(2).mean(1, keepdim=True) + 1e-8))
        x = self.constant.expand(z.shape[0], -1, -1, -1)
        for layer in self.layers:
            x = layer(x, style)
        return self.head(x)


class DetectionHead(nn.Module):
    """One stage of anchor-free boxes, decoded and reduced by non-maximum suppression inside the model."""

    def __init__(self, classes=4):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.SiLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.SiLU(), nn.Conv2d(32, 32, 3, 2, 1), nn.SiLU())
        self.boxes, self.scores = nn.Conv2d(32, 4, 1), nn.Conv2d(32, classes, 1)

    def forward(self, x):
        from torchvision.ops import batched_nms
        y = self.body(x)
        h, w = y.shape[2:]
        ys, xs = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        centre = (torch.stack([xs, ys, xs, ys], -1).reshape(-1, 4) + 0.5) * 8
        reach = functional.softplus(self.boxes(y)[0].permute(1, 2, 0).reshape(-1, 4)) * 16
        boxes = centre + reach * torch.tensor([-1.0, -1.0, 1.0, 1.0])
        scores, labels = torch.sigmoid(self.scores(y))[0].permute(1, 2, 0).reshape(h * w, -1).max(1)
        keep = batched_nms(boxes, scores, labels, 0.5)[:20]
        return boxes[keep], scores[keep], labels[keep]


class CircularNet(nn.Module):
    """Panoramas: circular, replicated and reflected borders, 'same' padding with dilation, unfold and fold."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, padding=1, padding_mode="circular")
        self.second = nn.Conv2d(16, 16, (3, 5), padding="same", dilation=(2, 1), padding_mode="replicate")
        self.third = nn.Conv2d(16, 16, 5, padding=2, padding_mode="reflect", groups=4)
        self.mix = nn.Linear(16 * 9, 16 * 9)

    def forward(self, x):
        x = functional.gelu(self.first(x))
        x = functional.hardswish(self.second(x))
        x = functional.mish(self.third(x))
        patches = functional.unfold(x, 3, padding=1, stride=2).transpose(1, 2)
        return functional.fold(self.mix(patches).transpose(1, 2), x.shape[2:], 3, padding=1, stride=2)
