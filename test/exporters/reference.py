"""Float64 references by torch.func: outputs, NTK and each parameter's part of its trace."""
import copy

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def doubled(inputs):
    return [x.double() if x.is_floating_point() else x for x in inputs]


def reference(net, inputs, output):
    """Outputs (N, O), NTK (N, O, N, O) and {parameter: trace}, of one output flattened to (N, O)."""
    net = copy.deepcopy(net).double()
    inputs = doubled(inputs)
    params = {name: p.detach() for name, p in net.named_parameters()}
    rows, outputs = [], []
    for i in range(len(inputs[0])):
        def f(params):
            y = torch.func.functional_call(net, params, tuple(x[i:i + 1] for x in inputs))
            return (y[output] if isinstance(y, tuple) else y).flatten()

        y, pull = torch.func.vjp(f, params)
        outputs.append(y)
        for unit in torch.eye(len(y), dtype=torch.float64):
            rows.append({name: g.flatten() for name, g in pull(unit)[0].items()})
    jacobian = {name: torch.stack([row[name] for row in rows]) for name in params}
    ntk = sum(j @ j.T for j in jacobian.values())
    n, o = len(outputs), len(outputs[0])
    traces = {name: float((j * j).sum()) for name, j in jacobian.items()}
    return torch.stack(outputs).detach().numpy(), ntk.reshape(n, o, n, o).detach().numpy(), traces


def folded(net):
    """The same network with every BatchNorm folded into the convolution before it, in float64."""
    layers, out = list(copy.deepcopy(net).double()), []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            out[-1] = fuse_conv_bn_eval(out[-1], layer)
        else:
            out.append(layer)
    return nn.Sequential(*out).eval()


def untied(net):
    """The same network with an output layer of its own, equal to the embedding."""
    net = copy.deepcopy(net)
    net.last = nn.Parameter(net.embed.weight.detach().clone())
    return net


def match(array, params):
    """The parameter of which an initializer holds the numbers, perhaps transposed; else None."""
    for name, value in params.items():
        for candidate in (value, value.T if value.ndim == 2 else value):
            if candidate.size == array.size and candidate.shape == array.shape and np.allclose(
                    candidate, array, rtol=1e-5, atol=1e-6):
                return name
    for name, value in params.items():
        if value.size == array.size and np.allclose(value.ravel(), array.ravel(), rtol=1e-5, atol=1e-6):
            return name
    return None
