"""ONNX operators in PyTorch."""

import torch
import torch.nn.functional as F

from graph import pairs, shape_of


def symmetric(attributes):
    padding = pairs(attributes)
    assert all(before == after for before, after in padding)
    return [before for before, _ in padding]


def gemm(a, x, w, b=None):
    assert not a.get('transA') and a.get('alpha', 1) == a.get('beta', 1) == 1
    return F.linear(x, w if a.get('transB') else w.mT, b)


def conv(a, x, w, b=None):
    return F.conv2d(x, w, b, a.get('strides', 1), symmetric(a), groups=a.get('group', 1))


def average_pool(a, x):
    return F.avg_pool2d(
        x, a['kernel_shape'], a.get('strides', 1), symmetric(a), count_include_pad=False
    )


def max_pool(a, x):
    return F.max_pool2d(x, a['kernel_shape'], a.get('strides', 1), symmetric(a))


def batch_norm(a, x, scale, bias, mean, variance):
    return F.batch_norm(x, mean, variance, scale, bias, eps=a.get('epsilon', 1e-5))


def layer_norm(a, x, scale, bias=None):
    assert a.get('axis', -1) in (-1, x.ndim - 1)
    return F.layer_norm(x, scale.shape, scale, bias, a.get('epsilon', 1e-5))


def gather(a, x, indices):
    if isinstance(indices, torch.Tensor):
        assert a.get('axis', 0) == 0
        return F.embedding(indices, x)
    return x.select(a.get('axis', 0), int(indices))


def reduce_mean(a, x, axes=None):
    axes = a.get('axes') if axes is None else axes
    return x.mean([int(k) for k in axes], keepdim=bool(a.get('keepdims', 1)))


def expand(a, x, shape):
    return x.expand([int(n) if n > 1 else -1 for n in shape])


OPERATORS = {
    'Gemm': gemm,
    'MatMul': lambda a, x, y: x @ y,
    'Conv': conv,
    'AveragePool': average_pool,
    'MaxPool': max_pool,
    'GlobalAveragePool': lambda a, x: x.mean((2, 3), keepdim=True),
    'BatchNormalization': batch_norm,
    'LayerNormalization': layer_norm,
    'Relu': lambda a, x: F.relu(x),
    'Gelu': lambda a, x: F.gelu(x),
    'Erf': lambda a, x: torch.erf(x),
    'Softmax': lambda a, x: torch.softmax(x, a.get('axis', -1)),
    'Add': lambda a, x, y: x + y,
    'Sub': lambda a, x, y: x - y,
    'Mul': lambda a, x, y: x * y,
    'Div': lambda a, x, y: x / y,
    'Flatten': lambda a, x: x.flatten(1),
    'Reshape': lambda a, x, s: x.reshape(shape_of(s, x.shape)),
    'Transpose': lambda a, x: x.permute(a['perm']),
    'Gather': gather,
    'ReduceMean': reduce_mean,
}
