"""Small networks that together use what exporters write differently.

Weights and inputs are multiples of 1/128 below 2, so that float16, bfloat16, float32 and float64
files of one network hold the same numbers and share one reference.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn


def rounded(tensor):
    return (tensor * 128).round().clamp(-255, 255) / 128


class Norms(nn.Module):
    """Normalisations, resizing and activations that old opsets spell out."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.group = nn.GroupNorm(2, 4)
        self.up = nn.ConvTranspose2d(4, 4, 2, stride=2, groups=2)
        self.instance = nn.InstanceNorm2d(4, affine=True)
        self.slope = nn.PReLU(4)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        h = F.hardswish(self.group(self.conv(x)))
        h = self.slope(self.instance(self.up(h)))
        h = F.interpolate(h, scale_factor=2.0, mode='bilinear', align_corners=False)
        return self.head(F.mish(F.adaptive_avg_pool2d(h, 1)).flatten(1))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = nn.TransformerEncoderLayer(
            8, 2, 16, dropout=0.1, activation='gelu', batch_first=True, norm_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.block(x).mean(1))


class Gpt(nn.Module):
    """Causal attention on token ids; the output layer is the embedding, transposed (tied)."""

    def __init__(self, tokens=7, width=8, length=5, heads=2):
        super().__init__()
        self.embed = nn.Embedding(tokens, width)
        self.position = nn.Parameter(torch.randn(length, width))
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width)
        self.heads = heads
        # A parameter here makes an output layer of its own.
        self.last = None

    def forward(self, ids):
        h = self.embed(ids) * math.sqrt(self.embed.embedding_dim) + self.position
        n, t, d = h.shape
        q, k, v = self.qkv(self.norm(h)).view(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        h = h + self.out(a.transpose(1, 2).reshape(n, t, d))
        return h[:, -1] @ (self.embed.weight if self.last is None else self.last).T


class Siamese(nn.Module):
    """One tower used twice, two inputs, two outputs and a learned number without dimensions."""

    def __init__(self):
        super().__init__()
        self.tower = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
        self.scale = nn.Parameter(torch.tensor(1.5))
        self.shift = nn.Parameter(torch.tensor([0.25]))

    def forward(self, a, b):
        p, q = self.tower(a), self.tower(b)
        score = (F.normalize(p, dim=1) * F.normalize(q, dim=1)).sum(1, keepdim=True)
        return p, score * self.scale + self.shift


class Recurrent(nn.Module):
    def __init__(self, kind, **more):
        super().__init__()
        self.cell = kind(4, 3, batch_first=True, **more)
        self.head = nn.Linear(6 if more.get('bidirectional') else 3, 2)

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])


def conv_bn():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
        nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=2), nn.BatchNorm2d(4), nn.SiLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 3))


def mlp():
    return nn.Sequential(nn.Linear(6, 7), nn.Tanh(), nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 3))


def sequence():
    """An output of rank 3."""
    return nn.Sequential(nn.Conv1d(3, 4, 3, padding=1), nn.ELU(), nn.Conv1d(4, 2, 1), nn.Softplus())


# name: (network, inputs of four samples, index of the output that is differentiated)
NETS = {
    'mlp': (mlp, lambda: [torch.randn(4, 6)], 0),
    'conv_bn': (conv_bn, lambda: [torch.randn(4, 2, 8, 8)], 0),
    'norms': (Norms, lambda: [torch.randn(4, 2, 4, 4)], 0),
    'transformer': (Transformer, lambda: [torch.randn(4, 5, 8)], 0),
    'gpt': (Gpt, lambda: [torch.randint(0, 7, (4, 5))], 0),
    'siamese': (Siamese, lambda: [torch.randn(4, 4), torch.randn(4, 4)], 1),
    'gru': (lambda: Recurrent(nn.GRU), lambda: [torch.randn(4, 5, 4)], 0),
    'lstm': (lambda: Recurrent(nn.LSTM, bidirectional=True), lambda: [torch.randn(4, 5, 4)], 0),
    'sequence': (sequence, lambda: [torch.randn(4, 3, 6)], 0),
}


def build(name):
    """The network in evaluation mode and its inputs, in float32."""
    make, inputs, output = NETS[name]
    torch.manual_seed(sum(name.encode()))
    net = make().eval()
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, (nn.BatchNorm2d, nn.GroupNorm, nn.InstanceNorm2d, nn.LayerNorm)):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.3)
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 1.5)
        for entry in net.parameters():
            # The default exporter drops a bias of zeros, as some start.
            if not entry.any():
                entry.normal_(0, 0.2)
        for entry in [*net.parameters(), *net.buffers()]:
            if entry.is_floating_point():
                entry.copy_(rounded(entry))
    return net, [rounded(x) if x.is_floating_point() else x for x in inputs()], output
