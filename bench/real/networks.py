"""Networks in the shapes of real files, and a plain PyTorch loop over them.

    python networks.py export FOLDER      writes NAME.onnx, NAME-K.npy (inputs) and networks.json
    python networks.py loop NAME [SECONDS] prints one line of JSON

The loop is what people write by hand: one backward pass for each sample and output, the gradients put into
a row of J each, and K = J Jᵀ.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

THREADS = 2


class UNet1d(nn.Module):
    """Long 1-D convolutions of 128 channels, transposed ones on the way up, one number per head."""

    def __init__(self, width=128, kernel=7):
        super().__init__()
        pad = kernel // 2
        self.first = nn.Conv1d(3, width, kernel, padding=pad)
        self.down = nn.ModuleList(nn.Conv1d(width, width, kernel, stride=4, padding=pad) for _ in range(3))
        self.up = nn.ModuleList(nn.ConvTranspose1d(width, width, 4, stride=4) for _ in range(3))
        self.join = nn.ModuleList(nn.Conv1d(2 * width, width, kernel, padding=pad) for _ in range(3))
        self.norms = nn.ModuleList(nn.GroupNorm(1, width) for _ in range(3))
        self.heads = nn.Conv1d(width, 3, 1)

    def forward(self, x):
        values = [F.gelu(self.first(x))]
        for layer in self.down:
            values.append(F.gelu(layer(values[-1])))
        value = values.pop()
        for up, join, norm in zip(self.up, self.join, self.norms):
            skip = values.pop()
            value = F.pad(up(value), (0, skip.shape[-1] % 4))[..., : skip.shape[-1]]
            value = F.gelu(norm(join(torch.cat([value, skip], 1))))
        return self.heads(value).mean(-1)


class Bytes(nn.Module):
    """A byte-level classifier: embedding, strided convolution, two blocks of attention."""

    def __init__(self, width=128, classes=3):
        super().__init__()
        self.embed = nn.Embedding(257, width)
        self.patch = nn.Conv1d(width, width, 8, stride=8)
        layer = lambda: nn.ModuleDict(
            {
                "norm1": nn.LayerNorm(width),
                "qkv": nn.Linear(width, 3 * width),
                "out": nn.Linear(width, width),
                "norm2": nn.LayerNorm(width),
                "wide": nn.Linear(width, 4 * width),
                "narrow": nn.Linear(4 * width, width),
            }
        )
        self.blocks = nn.ModuleList(layer() for _ in range(3))
        self.head = nn.Linear(width, classes)

    def forward(self, ids):
        value = F.gelu(self.patch(self.embed(ids).transpose(1, 2))).transpose(1, 2)
        heads, size = 4, value.shape[-1] // 4
        for block in self.blocks:
            q, k, v = block["qkv"](block["norm1"](value)).reshape(-1, 64, 3, heads, size).permute(2, 0, 3, 1, 4)
            mixed = torch.softmax(q @ k.transpose(-1, -2) / size**0.5, -1) @ v
            value = value + block["out"](mixed.transpose(1, 2).reshape(-1, 64, heads * size))
            value = value + block["narrow"](F.gelu(block["wide"](block["norm2"](value))))
        return self.head(value.mean(1))


class Tagger(nn.Module):
    """Dense layers over embeddings and convolutions over their neighbours; one score."""

    def __init__(self, words=2000, width=96):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.convolutions = nn.ModuleList(nn.Conv1d(width, 128, size) for size in (2, 3, 4))
        self.dense = nn.Linear(3 * 128, 256)
        self.score = nn.Linear(256, 1)

    def forward(self, ids):
        value = self.embed(ids).transpose(1, 2)
        pooled = [F.relu(layer(value)).amax(-1) for layer in self.convolutions]
        return self.score(F.relu(self.dense(torch.cat(pooled, 1))))


class Recurrent(nn.Module):
    """Two directions of an LSTM, attention over its states; one score."""

    def __init__(self, words=4000, width=96, hidden=160):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.lstm = nn.LSTM(width, hidden, batch_first=True, bidirectional=True)
        self.attend = nn.Sequential(nn.Linear(2 * hidden, 128), nn.Tanh(), nn.Linear(128, 1))
        self.score = nn.Linear(2 * hidden, 1)

    def forward(self, ids):
        states, _ = self.lstm(self.embed(ids))
        weights = torch.softmax(self.attend(states), 1)
        return self.score((weights * states).sum(1))


class Audio(nn.Module):
    """Spectrogram to embedding: convolutions with normalisation and depthwise ones."""

    def __init__(self):
        super().__init__()
        layers = [nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU()]
        for n, m in ((32, 64), (64, 128), (128, 192)):
            layers += [nn.Conv2d(n, n, 3, stride=2, padding=1, groups=n), nn.BatchNorm2d(n), nn.ReLU()]
            layers += [nn.Conv2d(n, m, 1), nn.BatchNorm2d(m), nn.ReLU()]
            layers += [nn.Conv2d(m, m, (1, 3), padding=(0, 1)), nn.BatchNorm2d(m), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(192, 96)

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))


class WakeWord(nn.Module):
    """A small dense net on a window of features."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Flatten(), nn.Linear(16 * 96, 128), nn.LayerNorm(128), nn.ReLU(), nn.Linear(128, 128),
            nn.LayerNorm(128), nn.ReLU(), nn.Linear(128, 1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x):
        return self.body(x)


class Detector(nn.Module):
    """Backbone with residual blocks, an upsampled neck, a head of boxes; a few of its numbers are wanted."""

    def __init__(self):
        super().__init__()
        conv = lambda n, m, s=1: nn.Sequential(
            nn.Conv2d(n, m, 3, stride=s, padding=1, bias=False), nn.BatchNorm2d(m), nn.SiLU()
        )
        self.stem = conv(3, 32, 2)
        self.stages = nn.ModuleList(
            nn.ModuleList([conv(n, m, 2), nn.Sequential(conv(m, m // 2), conv(m // 2, m))])
            for n, m in ((32, 64), (64, 128), (128, 256), (256, 512))
        )
        self.reduce = nn.Conv2d(512, 256, 1)
        self.neck = conv(512, 128)
        self.head = nn.Conv2d(128, 3 * 9, 1)

    def forward(self, x):
        value, levels = self.stem(x), []
        for down, block in self.stages:
            value = down(value)
            value = value + block(value)
            levels.append(value)
        up = F.interpolate(self.reduce(levels[-1]), scale_factor=2.0, mode="nearest")
        return self.head(self.neck(torch.cat([up, levels[-2]], 1))).flatten(1)


def normal(*shape):
    return lambda n: torch.randn(n, *shape)


def ids(length, words):
    return lambda n: torch.randint(0, words, (n, length))


NETWORKS = {
    "unet-1d": (UNet1d, normal(3, 7500), 2, [0, 1, 2]),
    "bytes": (Bytes, ids(512, 257), 3, [0, 1, 2]),
    "tagger": (Tagger, ids(48, 2000), 4, [0]),
    "recurrent": (Recurrent, ids(40, 4000), 4, [0]),
    "audio": (Audio, normal(1, 96, 64), 3, [0, 1, 2]),
    "wake-word": (WakeWord, normal(16, 96), 3, [0]),
    "detector": (Detector, normal(3, 256, 256), 2, [0, 1000, 3000]),
}


def made(name):
    torch.manual_seed(1)
    kind, draw, samples, outputs = NETWORKS[name]
    network = kind().eval()
    return network, draw(samples), outputs


def export(folder):
    folder.mkdir(parents=True, exist_ok=True)
    table = []
    for name in NETWORKS:
        network, x, outputs = made(name)
        torch.onnx.export(
            network, (x,), str(folder / f"{name}.onnx"), dynamo=False, opset_version=17,
            input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "N"}, "y": {0: "N"}},
            # Else batch normalisations are folded into convolutions, and the parameters are others.
            training=torch.onnx.TrainingMode.PRESERVE,
        )  # fmt: skip
        np.save(folder / f"{name}.npy", x.numpy())
        size = sum(p.numel() for p in network.parameters())
        table.append({"name": name, "samples": len(x), "outputs": outputs, "parameters": size})
    (folder / "networks.json").write_text(json.dumps(table))


def kernel(network, x, outputs):
    parameters = list(network.parameters())
    rows = []
    for sample in x:
        y = network(sample[None])[0]
        for k, o in enumerate(outputs):
            keep = k + 1 < len(outputs)
            gradients = torch.autograd.grad(y[o], parameters, retain_graph=keep, allow_unused=True)
            parts = [p.flatten() for p in gradients if p is not None]
            rows.append(torch.cat(parts))
    rows = torch.stack(rows)
    return rows @ rows.T


def loop(name, seconds):
    torch.set_num_threads(THREADS)
    network, x, outputs = made(name)
    start = time.perf_counter()
    found = kernel(network, x, outputs)
    times = [time.perf_counter() - start]
    while len(times) < 4 or sum(times) < seconds and len(times) < 1000:
        start = time.perf_counter()
        kernel(network, x, outputs)
        times.append(time.perf_counter() - start)
    print(json.dumps({"first": times[0], "warm": min(times[1:]), "kernel": found.flatten().tolist()}))


if __name__ == "__main__":
    if sys.argv[1] == "export":
        export(Path(sys.argv[2]))
    else:
        loop(sys.argv[2], float(sys.argv[3]) if len(sys.argv) > 3 else 5.0)
