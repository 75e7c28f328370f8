"""Small networks in the conventions that people's files have, and float64 references by numpy.

    pip install numpy onnx && python test/conventions/make.py

Writes <name>.onnx and references.json in this folder. A reference holds inputs in the file's own
layout, the outputs (N, O), the kernel (N, O, N, O) and by parameter its trace. Derivatives are complex
steps of the numpy function of one sample, exact to rounding.
"""
import json
import pathlib

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

here = pathlib.Path(__file__).parent
rng = np.random.default_rng(15)
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
references = {}


def draw(*shape, scale=1.0):
    """Numbers that float32 holds exactly."""
    return (scale * rng.standard_normal(shape)).astype(np.float32).astype(np.float64)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gru(x, h, w, r, b):
    """(T, F), (H) → all states (T, H): ONNX's GRU with linear_before_reset = 0, gates z r h."""
    size = len(h)
    states = []
    for row in x:
        wx = w @ row + b[:3 * size] + b[3 * size:]
        z = sigmoid(wx[:size] + r[:size] @ h)
        reset = sigmoid(wx[size:2 * size] + r[size:2 * size] @ h)
        new = np.tanh(wx[2 * size:] + r[2 * size:] @ (reset * h))
        h = (1 - z) * new + z * h
        states.append(h)
    return np.stack(states)


def reference(function, weights, samples):
    """Outputs (N, O) and {weight: (N, O, P)} of function(weights, sample)."""
    outputs, rows = [], {name: [] for name in weights}
    for sample in samples:
        outputs.append(np.ravel(function(weights, sample)))
        for name, value in weights.items():
            columns = []
            for k in range(value.size):
                step = value.astype(complex)
                step.flat[k] += 1e-30j
                y = np.ravel(function({**weights, name: step}, sample))
                columns.append(y.imag / 1e-30)
            rows[name].append(np.stack(columns, axis=-1))
    return np.stack(outputs), {name: np.stack(all_rows) for name, all_rows in rows.items()}


def numbers(array):
    # Eight digits are more than a float32 network shows.
    return {'shape': list(array.shape), 'data': [float(f'{v:.8g}') for v in np.ravel(array)]}


def write(name, nodes, weights, inputs, outputs, given, function, samples, constants=None):
    """inputs and outputs: name → (type, shape); given: name → array in the file's layout."""
    tensors = {**{k: v.astype(np.float32) for k, v in weights.items()}, **(constants or {})}
    graph = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info(k, *v) for k, v in inputs.items()],
        [helper.make_tensor_value_info(k, *v) for k, v in outputs.items()],
        [numpy_helper.from_array(v, k) for k, v in tensors.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    checker.check_model(model)
    save(model, here / f'{name}.onnx')
    y, jacobian = reference(function, weights, samples)
    references[name] = {
        'inputs': {k: {**numbers(v), 'integers': v.dtype.kind == 'i'} for k, v in given.items()},
        'output': numbers(y),
        'kernel': numbers(sum(np.einsum('iop,jqp->iojq', j, j) for j in jacobian.values())),
        'traces': {k: float(f'{np.sum(j * j):.8g}') for k, j in jacobian.items()},
    }


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs, outputs, name=f'{op} {outputs[0]}', **attributes)


def ints(*values):
    return np.array(values, dtype=np.int64)


def cell(features, hidden):
    """Weights of a GRU, as ONNX stores them."""
    return {'W': draw(1, 3 * hidden, features, scale=.5), 'R': draw(1, 3 * hidden, hidden, scale=.5),
            'B': draw(1, 6 * hidden, scale=.5)}


def speech(name, frame, state_shape, out_shape, next_shape, count):
    """A frame, a state with the batch on axis 1 and a sampling rate that all samples share."""
    weights = {**cell(3, 4), 'V': draw(4, 1)}
    x, h0, rate = draw(count, 6), draw(1, count, 4), np.array(16000, dtype=np.int64)
    nodes = [
        node('Cast', ['sr'], ['rate'], to=FLOAT),
        node('Div', ['rate', 'base'], ['ratio']),
        node('Mul', ['input', 'ratio'], ['scaled']),
        node('Reshape', ['scaled', 'frames'], ['batch_first']),
        node('Transpose', ['batch_first'], ['time_first'], perm=[1, 0, 2]),
        node('GRU', ['time_first', 'W', 'R', 'B', '', 'state'], ['', 'stateN'], hidden_size=4),
        node('Squeeze', ['stateN', 'axis'], ['last']),
        node('MatMul', ['last', 'V'], ['logit']),
        node('Tanh', ['logit'], ['output']),
    ]
    constants = {'base': np.array(8000, dtype=np.float32), 'frames': ints(-1, 2, 3), 'axis': ints(0)}

    def function(w, sample):
        frame_, h = sample
        states = gru(2 * frame_.reshape(2, 3), h, w['W'][0], w['R'][0], w['B'][0])
        return np.tanh(states[-1] @ w['V'])

    write(name, nodes, weights,
          {'input': (FLOAT, frame), 'state': (FLOAT, state_shape), 'sr': (INT64, [])},
          {'output': (FLOAT, out_shape), 'stateN': (FLOAT, next_shape)},
          {'input': x, 'state': h0, 'sr': rate}, function,
          [(x[i], h0[0, i]) for i in range(count)], constants)


# Voice activity: no names at all, by names, and fixed to one sample.
speech('speech', [None, 6], [1, None, 4], [None, 1], [None, None, None], 3)
speech('speech_named', ['batch', 'samples'], [1, 'batch', 4], ['batch', 1], [1, 'batch', 4], 3)
speech('speech_one', [1, 6], [1, 1, 4], [1, 1], [1, 1, 4], 3)


def time_first(name, x_shape, y_shape):
    weights = {**cell(3, 4), 'V': draw(4, 2)}
    x = draw(5, 3, 3)
    nodes = [
        node('GRU', ['x', 'W', 'R', 'B'], ['states'], hidden_size=4),
        node('Squeeze', ['states', 'axis'], ['flat']),
        node('MatMul', ['flat', 'V'], ['y']),
    ]

    def function(w, sample):
        return gru(sample, np.zeros(4), w['W'][0], w['R'][0], w['B'][0]) @ w['V']

    write(name, nodes, weights, {'x': (FLOAT, x_shape)}, {'y': (FLOAT, y_shape)}, {'x': x},
          function, [x[:, i] for i in range(3)], {'axis': ints(1)})


# Sequences (time, batch, features): by names, and to be found by trying.
time_first('time_first_named', ['time', 'N', 3], ['time', 'N', 2])
time_first('time_first', [None, None, 3], [None, None, 2])


def reading(name, x_shape, y_shape):
    """Text lines: a picture becomes columns, and the output is (columns, batch, characters)."""
    weights = {'K': draw(2, 1, 4, 2, scale=.5), 'V': draw(2, 3)}
    x = draw(3, 1, 4, 6)
    nodes = [
        node('Conv', ['image', 'K'], ['columns'], strides=[4, 2]),
        node('Tanh', ['columns'], ['active']),
        node('Squeeze', ['active', 'height'], ['flat']),
        node('Transpose', ['flat'], ['sequence'], perm=[2, 0, 1]),
        node('MatMul', ['sequence', 'V'], ['characters']),
    ]

    def function(w, sample):
        patches = np.stack([np.ravel(sample[0][:, 2 * t:2 * t + 2]) for t in range(3)])
        return np.tanh(patches @ w['K'].reshape(2, -1).T) @ w['V']

    write(name, nodes, weights, {'image': (FLOAT, x_shape)}, {'characters': (FLOAT, y_shape)},
          {'image': x}, function, list(x), {'height': ints(2)})


reading('reading', ['batch', 1, 4, 'width'], [None, None, 3])
reading('reading_one', [1, 1, 4, 'width'], ['columns', 1, 3])


def alone(name, x_shape, y_shape):
    """One sample without a batch axis: frames (T, 3), pooled by attention."""
    weights = {'A': draw(3, 1), 'V': draw(3, 2)}
    x = draw(3, 4, 3)
    nodes = [
        node('MatMul', ['frames', 'A'], ['scores']),
        node('Softmax', ['scores'], ['shares'], axis=0),
        node('Mul', ['frames', 'shares'], ['weighted']),
        node('ReduceSum', ['weighted', 'axis'], ['pooled'], keepdims=0),
        node('MatMul', ['pooled', 'V'], ['scaled']),
        node('Tanh', ['scaled'], ['embedding']),
    ]

    def function(w, sample):
        share = np.exp(sample @ w['A'])
        return np.tanh((sample * share / share.sum()).sum(0) @ w['V'])

    write(name, nodes, weights, {'frames': (FLOAT, x_shape)}, {'embedding': (FLOAT, y_shape)},
          {'frames': x}, function, list(x), {'axis': ints(0)})


alone('alone', ['T', 3], [2])
alone('alone_fixed', [4, 3], [2])


def shared(name, scales_shape, x_shape):
    """Scales of synthesis: a list that all samples share."""
    weights = {'E': draw(5, 3), 'V': draw(3, 2)}
    ids, scales = rng.integers(0, 5, (3, 4)), np.array([.5, 2., 1.5])
    nodes = [
        node('Gather', ['E', 'ids'], ['rows']),
        node('Mul', ['rows', 'scales'], ['scaled']),
        node('Tanh', ['scaled'], ['active']),
        node('ReduceMean', ['active'], ['pooled'], axes=[1], keepdims=0),
        node('MatMul', ['pooled', 'V'], ['y']),
    ]

    def function(w, sample):
        return np.tanh(w['E'][sample] * scales).mean(0) @ w['V']

    write(name, nodes, weights, {'ids': (INT64, x_shape), 'scales': (FLOAT, scales_shape)},
          {'y': (FLOAT, ['batch', 2])}, {'ids': ids, 'scales': scales}, function, list(ids))


shared('scales', [3], ['batch', 'length'])
shared('scales_free', [None], ['batch', 'length'])


def unnamed(name, dim):
    """Two inputs whose free dimensions all have one name that means nothing."""
    weights = {'A': draw(2, 3), 'V': draw(4, 3)}
    a, b = draw(3, 5, 2), draw(3, 7, 4)
    nodes = [
        node('MatMul', ['a', 'A'], ['p']), node('Tanh', ['p'], ['pa']),
        node('ReduceMean', ['pa'], ['ma'], axes=[1], keepdims=0),
        node('MatMul', ['b', 'V'], ['q']), node('Tanh', ['q'], ['qa']),
        node('ReduceMean', ['qa'], ['mb'], axes=[1], keepdims=0),
        node('Add', ['ma', 'mb'], ['y']),
    ]

    def function(w, sample):
        one, two = sample
        return np.tanh(one @ w['A']).mean(0) + np.tanh(two @ w['V']).mean(0)

    write(name, nodes, weights, {'a': (FLOAT, [dim, dim, 2]), 'b': (FLOAT, [dim, dim, 4])},
          {'y': (FLOAT, [dim, 3])}, {'a': a, 'b': b}, function, list(zip(a, b)))


unnamed('question', '?')
unnamed('unknown', 'unk__12')


def merged():
    """Boxes of all pictures in one list: the batch is merged with another axis of the output."""
    weights = {'A': draw(3, 2), 'b': draw(2)}
    x = draw(3, 4, 3)
    nodes = [
        node('Reshape', ['x', 'rows'], ['list']),
        node('Gemm', ['list', 'A', 'b'], ['scores']),
        node('Tanh', ['scores'], ['boxes']),
    ]

    def function(w, sample):
        return np.tanh(sample @ w['A'] + w['b'])

    write('merged', nodes, weights, {'x': (FLOAT, ['batch', 4, 3])}, {'boxes': (FLOAT, [None, 2])},
          {'x': x}, function, list(x), {'rows': ints(-1, 3)})


def blocks():
    """A file fixed to a batch of 2 whose slopes are as many: each place of the batch has its own."""
    weights = {'slope': draw(2, 3, 1), 'V': draw(4, 2)}
    x = draw(5, 3, 4)
    nodes = [
        node('PRelu', ['x', 'slope'], ['h']),
        node('MatMul', ['h', 'V'], ['y']),
    ]

    def function(w, sample):
        at, values = sample
        return np.where(values > 0, values, values * w['slope'][at]) @ w['V']

    write('blocks', nodes, weights, {'x': (FLOAT, [2, 3, 4])}, {'y': (FLOAT, [2, 3, 2])}, {'x': x},
          function, [(i % 2, x[i]) for i in range(5)])


blocks()
merged()
(here / 'references.json').write_text(json.dumps(references, separators=(',', ':')) + '\n')
