"""ONNX operators in JAX."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from graph import pairs, shape_of


def gemm(a, x, w, b=None):
    assert not a.get('transA') and a.get('alpha', 1) == a.get('beta', 1) == 1
    y = x @ (w.T if a.get('transB') else w)
    return y if b is None else y + b


def conv(a, x, w, b=None):
    y = lax.conv_general_dilated(
        x,
        w,
        a.get('strides', [1, 1]),
        pairs(a),
        dimension_numbers=('NCHW', 'OIHW', 'NCHW'),
        feature_group_count=a.get('group', 1),
    )
    return y if b is None else y + b[None, :, None, None]


def window(a, x, start, combine):
    kernel, strides = a['kernel_shape'], a.get('strides', [1, 1])
    padding = [(0, 0), (0, 0), *pairs(a)]
    return lax.reduce_window(x, start, combine, (1, 1, *kernel), (1, 1, *strides), padding)


def average_pool(a, x):
    assert not any(a.get('pads', [0]))
    return window(a, x, 0.0, lax.add) / np.prod(a['kernel_shape'])


def batch_norm(a, x, scale, bias, mean, variance):
    def channel(v):
        return v.reshape((1, -1) + (1,) * (x.ndim - 2))

    factor = lax.rsqrt(variance + a.get('epsilon', 1e-5))
    return (x - channel(mean)) * channel(factor) * channel(scale) + channel(bias)


def layer_norm(a, x, scale, bias=None):
    assert a.get('axis', -1) in (-1, x.ndim - 1)
    centred = x - x.mean(-1, keepdims=True)
    variance = (centred**2).mean(-1, keepdims=True)
    y = centred * lax.rsqrt(variance + a.get('epsilon', 1e-5)) * scale
    return y if bias is None else y + bias


def gather(a, x, indices):
    if isinstance(indices, np.ndarray):
        axis = a.get('axis', 0)
        return lax.index_in_dim(x, int(indices), axis, keepdims=False)
    return jnp.take(x, indices, a.get('axis', 0))


def reduce_mean(a, x, axes=None):
    axes = a.get('axes') if axes is None else axes
    return x.mean(tuple(int(k) for k in axes), keepdims=bool(a.get('keepdims', 1)))


OPERATORS = {
    'Gemm': gemm,
    'MatMul': lambda a, x, y: x @ y,
    'Conv': conv,
    'AveragePool': average_pool,
    'MaxPool': lambda a, x: window(a, x, -jnp.inf, lax.max),
    'GlobalAveragePool': lambda a, x: x.mean((2, 3), keepdims=True),
    'BatchNormalization': batch_norm,
    'LayerNormalization': layer_norm,
    'Relu': lambda a, x: jax.nn.relu(x),
    'Gelu': lambda a, x: jax.nn.gelu(x, approximate=False),
    'Erf': lambda a, x: lax.erf(x),
    'Softmax': lambda a, x: jax.nn.softmax(x, a.get('axis', -1)),
    'Add': lambda a, x, y: x + y,
    'Sub': lambda a, x, y: x - y,
    'Mul': lambda a, x, y: x * y,
    'Div': lambda a, x, y: x / y,
    'Flatten': lambda a, x: x.reshape(x.shape[0], -1),
    'Reshape': lambda a, x, s: x.reshape(shape_of(s, x.shape)),
    'Transpose': lambda a, x: x.transpose(a['perm']),
    'Gather': gather,
    'ReduceMean': reduce_mean,
}
