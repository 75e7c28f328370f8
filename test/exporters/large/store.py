"""What the two scripts beside this one share: float64 references, row by row, and where they go."""
import json
import pathlib
import sys

import numpy as np
import torch

FOLDER = pathlib.Path(sys.argv[1])
OUTPUTS = 2


def rows(net, inputs, pick):
    """Outputs (N, O) and NTK (N, O, N, O) of `pick(net(*inputs))`, one sample at a time."""
    params = [p for p in net.parameters() if p.requires_grad]
    gradients, outputs = [], []
    for i in range(len(inputs[0])):
        y = pick(net(*(x[i:i + 1] for x in inputs))).flatten()
        outputs.append(y.detach().numpy())
        for value in y:
            parts = torch.autograd.grad(value, params, retain_graph=True, allow_unused=True)
            gradients.append([torch.zeros_like(p) if g is None else g for p, g in zip(params, parts)])
    size = len(gradients)
    gram = np.zeros((size, size))
    for a in range(size):
        for b in range(a + 1):
            gram[a, b] = gram[b, a] = sum(float((g * h).sum()) for g, h in zip(gradients[a], gradients[b]))
    n = len(outputs)
    return np.stack(outputs), gram.reshape(n, size // n, n, size // n)


def store(name, net, inputs, export, pick=lambda y: y):
    """Exports the float32 network by `export(net, inputs, path)`, then adds the references."""
    with torch.no_grad():
        for p in net.parameters():
            # PyTorch's default exporter drops a bias of zeros.
            if not p.any():
                p.normal_(0, 0.1)
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    export(net, inputs, folder / 'model.onnx')
    for k, x in enumerate(inputs):
        np.save(folder / f'input_{k}.npy', x.numpy())
    net.double()
    outputs, ntk = rows(net, [x.double() if x.is_floating_point() else x for x in inputs], pick)
    np.save(folder / 'output.npy', outputs)
    np.save(folder / 'ntk.npy', ntk)
    count = sum(p.numel() for p in net.parameters())
    (folder / 'about.json').write_text(json.dumps({'parameters': count}) + '\n')
    print(name, count, 'parameters', flush=True)
