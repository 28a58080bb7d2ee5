# SPDX-License-Identifier: Apache-2.0
"""Networks with branches, loops and lists, as torch's exporters write them: torch.cond, torch.while_loop and torch's scan become If,
Loop and Scan by the exporter on dynamo, scripted modules If, Loop and sequences by the one on torchscript."""
import torch
from torch import nn


def features(channels_in=3, channels=16):
    return nn.Sequential(nn.Conv2d(channels_in, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU())


class Cond(nn.Module):
    """The sign of the mean chooses one of two convolutions."""

    def __init__(self, channels=16):
        super().__init__()
        self.first = features(channels=channels)
        self.dense = nn.Conv2d(channels, channels, 3, padding=1)
        self.depthwise = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)

    def forward(self, x):
        y = self.first(x)
        return torch.cond(x.mean() > 0, lambda y: torch.relu(self.dense(y)) + y, lambda y: self.depthwise(y), (y,))


class NestedCond(Cond):
    """A choice within a choice; both read what was computed before."""

    def forward(self, x):
        y = self.first(x)

        def inner(y):
            return torch.cond(x.max() > 0.5, lambda y: self.dense(y) + y, lambda y: self.dense(y) - y, (y,))

        return torch.cond(x.mean() > 0, inner, lambda y: self.depthwise(y), (y,)).mean((2, 3))


class While(nn.Module):
    """The same convolution until the largest of the activations is small."""

    def __init__(self, channels=16):
        super().__init__()
        self.first = features(channels=channels)
        self.again = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x):
        def unfinished(i, y):
            return (i < 40) & (y.abs().max() > 0.005)

        def shrink(i, y):
            return i + 1, 0.75 * y + 0.2 * torch.tanh(self.again(y))

        return torch.while_loop(unfinished, shrink, (torch.tensor(0), self.first(x)))


class Recurrent(nn.Module):
    """A recurrent cell over the columns of an image, by torch's scan."""

    def __init__(self, size=24):
        super().__init__()
        self.input, self.state = nn.Linear(32, size), nn.Linear(size, size)

    def forward(self, x):
        from torch._higher_order_ops.scan import scan

        def step(state, column):
            state = torch.tanh(self.input(column) + self.state(state))
            return state, state.clone()

        columns = x[:, 0].permute(2, 0, 1)
        return scan(step, torch.zeros(x.shape[0], self.state.out_features), columns)


class ScriptedBranches(nn.Module):
    """Branches by a value and by a size; an early return."""

    def __init__(self, channels=16):
        super().__init__()
        self.first = features(channels=channels)
        self.wide = nn.Conv2d(channels, channels, 5, padding=2)
        self.narrow = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        y = self.first(x)
        if y.size(2) > 512:
            y = nn.functional.max_pool2d(y, 2)
        if bool(x.mean() > 0):
            return self.wide(y)
        y = self.narrow(y)
        if bool(x.max() > 0.5):
            y = y + self.wide(y)
        return y


class ScriptedLoop(nn.Module):
    """A loop that a value ends, with a loop of a fixed number in it."""

    def __init__(self, channels=8):
        super().__init__()
        self.first = features(channels=channels)
        self.again = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x):
        y = self.first(x)
        runs = 0
        while bool(y.abs().max() > 0.005) and runs < 40:
            for _ in range(2):
                y = 0.75 * y + 0.2 * torch.tanh(self.again(y))
            runs += 1
        return y, torch.tensor(runs)


class ScriptedLists(nn.Module):
    """Recurrent, one row of the image at a time, and each result is kept in a list."""

    def __init__(self, size=24):
        super().__init__()
        self.cell = nn.Linear(32 + size, size)
        self.size = size

    def forward(self, x):
        rows = x[:, 0]
        state = torch.zeros(rows.size(0), self.size)
        kept = []
        for i in range(rows.size(1)):
            state = torch.tanh(self.cell(torch.cat([rows[:, i], state], 1)))
            kept.append(state)
        return torch.stack(kept, 1), torch.cat(kept, 1)


class ScriptedPyramid(nn.Module):
    """The levels of a pyramid in a list of tensors of many sizes, read back in the other order."""

    def __init__(self, channels=8):
        super().__init__()
        self.first = features(channels=channels)
        self.down = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x):
        y = self.first(x)
        levels = [y]
        for _ in range(3):
            y = torch.relu(self.down(y))
            levels.append(y)
        total = torch.zeros(x.size(0), y.size(1))
        for i in range(len(levels)):
            total = total * 0.5 + levels[len(levels) - 1 - i].mean((2, 3))
        return total


class SqueezeNorm(nn.Module):
    """squeeze of what may be of size 1, LocalResponseNorm and split, as older classifiers have them."""

    def __init__(self, channels=16):
        super().__init__()
        self.first = features(channels=channels)
        self.norm = nn.LocalResponseNorm(5, alpha=1e-2, k=2.0)
        self.gate = nn.Conv2d(channels, 1, 1)

    def forward(self, x):
        y = self.norm(self.first(x))
        gate = torch.sigmoid(self.gate(y)).squeeze(1)
        a, b = torch.split(y * gate.unsqueeze(1), 8, 1)
        return (a - b).mean((2, 3), keepdim=True).squeeze()


def scripted(module_class):
    return lambda: torch.jit.script(module_class().eval())


DYNAMO, TORCHSCRIPT = ("dynamo",), ("torchscript",)
SHAPE = (1, 3, 32, 32)
# name: a function that makes the module, the input's shape, and the exporters that take such a module
NETWORKS = {
    "cond": (Cond, SHAPE, DYNAMO),
    "nested_cond": (NestedCond, SHAPE, DYNAMO),
    "while": (While, SHAPE, DYNAMO),
    "scan": (Recurrent, SHAPE, DYNAMO),
    "scripted_branches": (scripted(ScriptedBranches), SHAPE, TORCHSCRIPT),
    "scripted_loop": (scripted(ScriptedLoop), SHAPE, TORCHSCRIPT),
    "scripted_lists": (scripted(ScriptedLists), SHAPE, TORCHSCRIPT),
    "scripted_pyramid": (scripted(ScriptedPyramid), SHAPE, TORCHSCRIPT),
    "squeeze_norm": (SqueezeNorm, SHAPE, DYNAMO + TORCHSCRIPT),
}
# Added to random inputs of each: so that each branch is taken, and loops end after other numbers of runs.
OFFSETS = (0.25, -0.25, -6.0)
