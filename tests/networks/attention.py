# SPDX-License-Identifier: Apache-2.0
"""Networks with attention, for make.py: what torch's exporters write for it, alone and in whole networks."""
import torch
import torchvision


class SelfAttention(torch.nn.Module):
    def __init__(self, batch_first=True):
        super().__init__()
        self.attention = torch.nn.MultiheadAttention(64, 4, batch_first=batch_first)

    def forward(self, x):
        return self.attention(x, x, x, need_weights=False)[0]


class Heads(torch.nn.Module):
    """Queries, keys and values of four heads from one linear layer."""

    def __init__(self):
        super().__init__()
        self.qkv = torch.nn.Linear(64, 3 * 64)
        self.out = torch.nn.Linear(64, 64)

    def attend(self, q, k, v):
        return torch.nn.functional.scaled_dot_product_attention(q, k, v)

    def forward(self, x):
        n, rows, size = x.shape
        q, k, v = self.qkv(x).reshape(n, rows, 3, 4, size // 4).permute(2, 0, 3, 1, 4).unbind(0)
        return self.out(self.attend(q, k, v).transpose(1, 2).reshape(n, rows, size))


class Causal(Heads):
    def attend(self, q, k, v):
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)


class Masked(Heads):
    """A mask of bools that leaves no row without a key."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mask", (torch.rand(1, 1, 50, 50) > 0.5) | torch.eye(50, dtype=torch.bool))

    def attend(self, q, k, v):
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=self.mask)


class Relative(Heads):
    """A bias of each pair of positions, and products written out."""

    def __init__(self):
        super().__init__()
        self.bias = torch.nn.Parameter(torch.randn(4, 50, 50))

    def attend(self, q, k, v):
        scores = q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1) + self.bias
        return scores.softmax(-1) @ v


def vision(name):
    """Of torchvision, with a last layer that is not zero, as it is initialised."""
    module = torchvision.models.get_model(name, weights=None)
    for parameter in module.parameters():
        if parameter.ndim == 2 and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.02)
    return module


ROWS, IMAGE = (2, 50, 64), (1, 3, 224, 224)
NETWORKS = {
    "attention": (SelfAttention, ROWS),
    "attention_rows_first": (lambda: SelfAttention(False), ROWS),
    "attention_heads": (Heads, ROWS),
    "attention_causal": (Causal, ROWS),
    "attention_masked": (Masked, ROWS),
    "attention_relative": (Relative, ROWS),
    "vit_b_16": (lambda: vision("vit_b_16"), IMAGE),
    "swin_t": (lambda: vision("swin_t"), IMAGE),
    "maxvit_t": (lambda: vision("maxvit_t"), IMAGE),
}
