"""Small networks whose weights are not plain initializers, with float64 references.

Run: python test/constants/make.py (numpy and onnx). Each case is a folder: model.onnx, x.npy,
meta.json (the parameters, what is no parameter), ref/f.npy (N, O), ref/K.npy (N, O, N, O) and
ref/J*.npy (N, O, …shape). Derivatives are complex steps, Im f(θ + ih)/h, of an
evaluator in complex128 that is written here: exact to rounding, and no code of the package.
"""
import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).parent
N, STEP = 3, 1e-30


def conv(x, w, pads):
    x = np.pad(x, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])))
    kh, kw = w.shape[2:]
    rows, cols = x.shape[2] - kh + 1, x.shape[3] - kw + 1
    return sum(np.einsum('nchw,oc->nohw', x[:, :, i:i + rows, j:j + cols], w[:, :, i, j])
               for i in range(kh) for j in range(kw))


def batch_norm(x, scale, bias, mean, var, eps):
    shape = (1, -1) + (1,) * (x.ndim - 2)
    scale, bias, mean, var = (v.reshape(shape) for v in (scale, bias, mean, var))
    return (x - mean) / np.sqrt(var + eps) * scale + bias


def softmax(x):
    e = np.exp(x - x.real.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def integers(v):
    return tuple(int(e) for e in np.real(v).ravel())


def dequantize(x, scale, zero, axis):
    if scale.size > 1:
        shape = [1] * x.ndim
        shape[axis] = -1
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return (x - zero) * scale


def reshape(x, shape):
    shape = integers(shape)
    return x.reshape([x.shape[k] if s == 0 else s for k, s in enumerate(shape)])


OPS = {
    'Add': lambda a, x, y: x + y,
    'Sub': lambda a, x, y: x - y,
    'Mul': lambda a, x, y: x * y,
    'Div': lambda a, x, y: x / y,
    'Pow': lambda a, x, y: x ** y,
    'Sqrt': lambda a, x: np.sqrt(x),
    'Tanh': lambda a, x: np.tanh(x),
    'Relu': lambda a, x: np.where(x.real > 0, x, 0),
    'Clip': lambda a, x, lo, hi: np.where(x.real < lo.real, lo, np.where(x.real > hi.real, hi, x)),
    'Conv': lambda a, x, w: conv(x, w, a.get('pads', [0] * 4)),
    'BatchNormalization': lambda a, *v: batch_norm(*v, a['epsilon']),
    'GlobalAveragePool': lambda a, x: x.mean((2, 3), keepdims=True),
    'Flatten': lambda a, x: x.reshape(x.shape[0], -1),
    'Reshape': lambda a, x, s: reshape(x, s),
    'Transpose': lambda a, x: x.transpose(a['perm']),
    'MatMul': lambda a, x, y: x @ y,
    'Concat': lambda a, *v: np.concatenate(v, a['axis']),
    'Softmax': lambda a, x: softmax(x),
    'ReduceMean': lambda a, x: x.mean(tuple(a['axes']), keepdims=bool(a.get('keepdims', 1))),
    'DequantizeLinear': lambda a, x, s, z: dequantize(x, s, z, a.get('axis', 1)),
}


def evaluate(model, changed, x):
    """The output in complex128, stored tensors replaced by those of `changed`."""
    values = {'x': x.astype(np.complex128)}

    def store(name, tensor):
        values[name] = changed.get(name, numpy_helper.to_array(tensor).astype(np.complex128))
    for tensor in model.graph.initializer:
        store(tensor.name, tensor)
    for node in model.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == 'Constant':
            store(node.output[0], attributes['value'])
        else:
            inputs = [values[name] for name in node.input]
            values[node.output[0]] = OPS[node.op_type](attributes, *inputs)
    y = values[model.graph.output[0].name]
    return y.reshape(y.shape[0], -1)


def stored(model, name):
    for tensor in model.graph.initializer:
        if tensor.name == name:
            return numpy_helper.to_array(tensor)
    node = next(n for n in model.graph.node if name in n.output)
    return numpy_helper.to_array(node.attribute[0].t)


def save(name, model, x, parameters, constants, notes=()):
    onnx.checker.check_model(model)
    folder = ROOT / name
    (folder / 'ref').mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / 'model.onnx')
    np.save(folder / 'x.npy', x)
    f = evaluate(model, {}, x).real
    kernel = np.zeros(f.shape * 2)
    files = {}
    for index, parameter in enumerate(parameters):
        value = stored(model, parameter).astype(np.complex128)
        jacobian = np.zeros(f.shape + (value.size,))
        for e in range(value.size):
            moved = value.copy()
            moved.reshape(-1)[e] += 1j * STEP
            jacobian[..., e] = evaluate(model, {parameter: moved}, x).imag / STEP
        kernel += np.einsum('noe,mpe->nomp', jacobian, jacobian)
        files[parameter] = f'J{index}.npy'
        np.save(folder / 'ref' / files[parameter], jacobian.reshape(f.shape + value.shape))
    np.save(folder / 'ref' / 'f.npy', f)
    np.save(folder / 'ref' / 'K.npy', kernel)
    meta = {'J': files, 'constants': constants, 'notes': list(notes)}
    (folder / 'meta.json').write_text(json.dumps(meta, indent=1, ensure_ascii=False) + '\n')


class Graph:
    def __init__(self, seed, producer, opset=13):
        self.random = np.random.default_rng(seed)
        self.nodes, self.initializers, self.producer, self.opset = [], [], producer, opset

    def op(self, op, *inputs, out=None, **attributes):
        name = out or f'{op.lower()}_{len(self.nodes)}.tmp_0'
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def constant(self, name, array, dtype=np.float32):
        tensor = numpy_helper.from_array(np.asarray(array, dtype), name)
        return self.op('Constant', out=name, value=tensor)

    def initializer(self, name, array, dtype=np.float32):
        self.initializers.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def normal(self, *shape):
        return self.random.normal(size=shape) / np.sqrt(max(1, np.prod(shape[1:], initial=1)))

    def model(self, shape, y):
        graph = helper.make_graph(
            self.nodes, 'g', [helper.make_tensor_value_info('x', TensorProto.FLOAT, ['N', *shape])],
            [helper.make_tensor_value_info(y, TensorProto.FLOAT, ['N', 'O'])], self.initializers)
        model = helper.make_model(graph, producer_name=self.producer,
                                  opset_imports=[helper.make_opsetid('', self.opset)])
        model.ir_version = 8
        return model


def paddle_convolutions():
    """Convolution, bias by a reshaped Constant, batch norm, hard swish in pieces, a dense layer."""
    g = Graph(1, 'PaddlePaddle')
    w = g.constant('conv2d_0.w_0', g.normal(4, 2, 3, 3))
    b = g.constant('conv2d_0.b_0', g.normal(4))
    h = g.op('Conv', 'x', w, pads=[1, 1, 1, 1], kernel_shape=[3, 3])
    h = g.op('Add', h, g.op('Reshape', b, g.constant('shape_0', [1, 4, 1, 1], np.int64)))
    statistics = [g.constant('batch_norm2d_0.w_0', 1 + 0.3 * g.normal(4)),
                  g.constant('batch_norm2d_0.b_0', g.normal(4)),
                  g.constant('batch_norm2d_0.w_1', g.normal(4)),
                  g.constant('batch_norm2d_0.w_2', 0.5 + g.random.uniform(size=4))]
    h = g.op('BatchNormalization', h, *statistics, epsilon=1e-5)
    cut = g.op('Clip', g.op('Add', h, g.constant('three', [3.0])),
               g.constant('zero', 0.0), g.constant('six', 6.0))
    h = g.op('Div', g.op('Mul', h, cut), g.constant('sixth', [6.0]))
    # A map with one channel: its bias is a single number.
    one = g.op('Conv', h, g.constant('conv2d_1.w_0', g.normal(1, 4, 1, 1)), kernel_shape=[1, 1])
    gate = g.op('Tanh', g.op('Add', one, g.constant('conv2d_1.b_0', g.normal(1, 1, 1, 1))))
    h = g.op('Flatten', g.op('GlobalAveragePool', g.op('Mul', h, gate)))
    # A single number by its name, a matrix that is put together.
    h = g.op('Mul', h, g.constant('block_0.w_0', [1.3]))
    parts = [g.constant('upper', g.normal(1, 2)), g.constant('lower', g.normal(3, 2))]
    h = g.op('MatMul', h, g.op('Concat', *parts, axis=0))
    y = g.op('Add', h, g.constant('linear_0.b_0', g.normal(2)))
    save('paddle_convolutions', g.model([2, 4, 4], y), g.random.normal(size=(N, 2, 4, 4)).astype('f4'),
         ['conv2d_0.w_0', 'conv2d_0.b_0', 'batch_norm2d_0.w_0', 'batch_norm2d_0.b_0', 'conv2d_1.w_0',
          'conv2d_1.b_0', 'block_0.w_0', 'upper', 'lower', 'linear_0.b_0'],
         {'batch_norm2d_0.w_1': 'a running mean', 'batch_norm2d_0.w_2': 'a running variance',
          'three': 'a Constant node', 'sixth': 'a Constant node', 'zero': 'a clip bound',
          'six': 'a clip bound'}, ['12 Constant nodes hold weights'])


def layer_norm(g, h, name, size):
    centred = g.op('Sub', h, g.op('ReduceMean', h, axes=[-1]))
    square = g.op('Pow', centred, g.constant(name + '.two', [2.0]))
    variance = g.op('ReduceMean', square, axes=[-1])
    root = g.op('Sqrt', g.op('Add', variance, g.constant(name + '.eps', [1e-5])))
    scaled = g.op('Mul', g.op('Div', centred, root), g.constant(name + '.w_0', 1 + g.normal(size)))
    return g.op('Add', scaled, g.constant(name + '.b_0', g.normal(size)))


def paddle_attention():
    """Positions, a norm in pieces, attention with a mask, a weight stored transposed."""
    g = Graph(2, 'PaddlePaddle')
    tokens, size = 3, 4
    h = g.op('MatMul', 'x', g.constant('embed.w_0', g.normal(2, size)))
    h = g.op('Add', h, g.constant('position.w_0', g.normal(1, tokens, size)))
    h = layer_norm(g, h, 'layer_norm_0', size)
    q, k, v = (g.op('MatMul', h, g.constant(f'{n}.w_0', g.normal(size, size))) for n in 'qkv')
    # Keys have none: the softmax would not change with it.
    q, v = (g.op('Add', h, g.constant(f'{n}.b_0', g.normal(size))) for n, h in (('q', q), ('v', v)))
    scores = g.op('Mul', g.op('MatMul', q, g.op('Transpose', k, perm=[0, 2, 1])),
                  g.constant('scale', [0.5]))
    mask = np.triu(np.full((tokens, tokens), -1e9), 1)
    shares = g.op('Softmax', g.op('Add', scores, g.constant('mask', mask)), axis=-1)
    h = g.op('Add', h, g.op('MatMul', shares, v))
    h = g.op('ReduceMean', h, axes=[1], keepdims=0)
    turned = g.op('Transpose', g.constant('head.w_0', g.normal(2, size)), perm=[1, 0])
    y = g.op('Add', g.op('MatMul', h, turned), g.constant('head.b_0', g.normal(2)))
    x = g.random.normal(size=(N, tokens, 2)).astype('f4')
    weights = ['embed.w_0', 'position.w_0', 'layer_norm_0.w_0', 'layer_norm_0.b_0']
    weights += ['q.w_0', 'k.w_0', 'v.w_0', 'q.b_0', 'v.b_0', 'head.w_0', 'head.b_0']
    save('paddle_attention', g.model([tokens, 2], y), x, weights,
         {'layer_norm_0.two': 'an exponent', 'layer_norm_0.eps': 'a Constant node',
          'scale': 'a Constant node', 'mask': 'a Constant node'}, ['11 Constant nodes hold weights'])


def torch_constants():
    """PyTorch's exporter: parameters are initializers, a Constant is the program's."""
    g = Graph(3, 'pytorch')
    h = g.op('MatMul', 'x', g.constant('/basis', g.normal(3, 4)))
    h = g.op('Tanh', g.op('MatMul', h, g.initializer('onnx::MatMul_7', g.normal(4, 4))))
    h = g.op('Add', h, g.initializer('fc.bias', g.normal(4)))
    h = g.op('Mul', h, g.constant('/half', 0.5))
    y = g.op('MatMul', h, g.initializer('onnx::MatMul_8', g.normal(4, 2)))
    save('torch_constants', g.model([3], y), g.random.normal(size=(N, 3)).astype('f4'),
         ['onnx::MatMul_7', 'fc.bias', 'onnx::MatMul_8'],
         {'/basis': 'a Constant node', '/half': 'a Constant node'})


def quantised(g, name, array, axis=None):
    """8-bit integers behind DequantizeLinear, one scale or one for each slice along an axis."""
    lines = np.abs(array).max() if axis is None else np.abs(array).max(
        tuple(a for a in range(array.ndim) if a != axis))
    scale = np.float32(lines / 127)
    shape = [1] * array.ndim
    if axis is not None:
        shape[axis] = -1
    whole = np.round(array / np.reshape(scale, shape if axis is not None else [])).astype(np.int8)
    zero = np.zeros_like(scale, np.int8)
    inputs = [g.initializer(f'{name}_int8', whole, np.int8), g.initializer(f'{name}_scale', scale),
              g.initializer(f'{name}_zero', zero, np.int8)]
    return g.op('DequantizeLinear', *inputs, out=name, axis=1 if axis is None else axis)


def quantised_base():
    """Quantised kernels and matrices; biases, a norm's scale and a last layer in floats."""
    g = Graph(4, 'onnx.quantize')
    h = g.op('Conv', 'x', quantised(g, 'conv.weight', g.normal(4, 2, 3, 3), axis=0), kernel_shape=[3, 3])
    h = g.op('Tanh', g.op('Add', h, g.initializer('conv.bias', g.normal(1, 4, 1, 1))))
    h = g.op('Flatten', h)
    h = g.op('MatMul', h, quantised(g, 'fc.weight', g.normal(16, 5)))
    h = g.op('Tanh', g.op('Add', h, g.initializer('fc.bias', g.normal(5))))
    h = g.op('Mul', h, g.initializer('gain', 1 + g.normal(5)))
    y = g.op('MatMul', h, g.initializer('head', g.normal(5, 2)))
    save('quantised_base', g.model([2, 4, 4], y), g.random.normal(size=(N, 2, 4, 4)).astype('f4'),
         ['conv.bias', 'fc.bias', 'gain', 'head'],
         {}, ['2 quantised weights behind DequantizeLinear'])


for make in (paddle_convolutions, paddle_attention, torch_constants, quantised_base):
    make()
