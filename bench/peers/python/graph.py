"""An ONNX file as a plain function: reads the graph once, runs it on a table of operators."""

import numpy as np
import onnx
from onnx import numpy_helper

# Initializers that are constants by their role, as the product sees it.
CONSTANT_ROLES = {'BatchNormalization': (3, 4), 'Reshape': (1,), 'ReduceMean': (1,)}


class Graph:
    """`parameters`: the float initializers in the file's order; everything else is constant.
    `untranspose`: dense weights that are stored transposed (`transB`) are carried over the other
    way round, so that they meet the product without an operator between: the kernel is the same,
    and neural-tangents sees its structure."""

    def __init__(self, path, untranspose=False):
        graph = onnx.load(path).graph
        arrays = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        self.input = next(v.name for v in graph.input if v.name not in arrays)
        self.output = graph.output[0].name
        self.nodes = []
        fixed = set()
        for node in graph.node:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type == 'Constant':
                arrays[node.output[0]] = numpy_helper.to_array(attributes['value'])
                fixed.add(node.output[0])
                continue
            for k in CONSTANT_ROLES.get(node.op_type, ()):
                if k < len(node.input):
                    fixed.add(node.input[k])
            self.nodes.append((node.op_type, list(node.input), list(node.output), attributes))
        self.transposed = set()
        if untranspose:
            for op, inputs, _, attributes in self.nodes:
                if op == 'Gemm' and attributes.get('transB'):
                    del attributes['transB']
                    self.transposed.add(inputs[1])
                    arrays[inputs[1]] = np.ascontiguousarray(arrays[inputs[1]].T)
        floats = {name for name, a in arrays.items() if a.dtype == np.float32}
        self.parameters = {n: a for n, a in arrays.items() if n in floats - fixed}
        self.constants = {n: a for n, a in arrays.items() if n not in self.parameters}

    def function(self, operators, array):
        """f(parameters, x) over one framework's operators. Sizes are plain tuples, which compilers
        of Python take as they are; other whole-number constants stay NumPy's."""
        sizes = {
            inputs[k]
            for op, inputs, _, _ in self.nodes
            for k in CONSTANT_ROLES.get(op, ())
            if k < len(inputs)
        }

        def constant(name, a):
            if a.dtype == np.float32:
                return array(a)
            return tuple(a.tolist()) if name in sizes and a.ndim == 1 else a

        constants = {name: constant(name, a) for name, a in self.constants.items()}

        def apply(parameters, x):
            values = {**constants, **parameters, self.input: x}
            left = {}
            for _, inputs, _, _ in self.nodes:
                for name in inputs:
                    left[name] = left.get(name, 0) + 1
            for op, inputs, outputs, attributes in self.nodes:
                arguments = [values[name] if name else None for name in inputs]
                values[outputs[0]] = operators[op](attributes, *arguments)
                for name in inputs:
                    left[name] -= 1
                    if left[name] == 0:
                        values.pop(name, None)
            return values[self.output]

        return apply


def shape_of(target, shape):
    """ONNX's Reshape: 0 keeps a dimension, −1 is what is left."""
    return [shape[k] if size == 0 else int(size) for k, size in enumerate(target)]


def pairs(attributes, rank=2):
    """Padding of a window as ((before, after), …)."""
    pads = attributes.get('pads', [0] * (2 * rank))
    return [(pads[k], pads[k + rank]) for k in range(rank)]
