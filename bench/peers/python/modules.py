"""An ONNX graph as an nn.Module, for libraries that look at layers."""

import torch
from torch import nn
from torch_operators import OPERATORS


class Operator(nn.Module):
    """A node for which torch.nn has no layer, with its parameters."""

    def __init__(self, op, attributes, inputs, parameters):
        super().__init__()
        self.op, self.attributes, self.inputs = op, attributes, inputs
        self.own = nn.ParameterDict({str(k): p for k, p in parameters.items()})

    def forward(self, *given):
        given = iter(given)
        arguments = [
            self.own[str(k)] if str(k) in self.own else next(given)
            for k in range(len(self.inputs))
        ]
        return OPERATORS[self.op](self.attributes, *arguments)

    def extra_repr(self):
        return self.op


def layer_of(op, attributes, weights):
    """The layer of torch.nn that does what a node does, or None; weights as tensors by place."""
    shape = tuple(weights[1].shape) if 1 in weights else ()
    bias = 2 in weights
    if op == 'Gemm' and attributes.get('transB'):
        return nn.Linear(shape[1], shape[0], bias=bias)
    if op == 'Conv':
        pads = attributes.get('pads', [0] * 4)
        return nn.Conv2d(
            shape[1], shape[0], shape[2:], attributes.get('strides', 1), pads[:2], bias=bias
        )
    if op == 'BatchNormalization':
        layer = nn.BatchNorm2d(shape[0], eps=attributes.get('epsilon', 1e-5)).eval()
        layer.running_mean.copy_(weights[3])
        layer.running_var.copy_(weights[4])
        return layer
    if op == 'LayerNormalization':
        return nn.LayerNorm(shape, eps=attributes.get('epsilon', 1e-5), bias=bias)
    return None


class GraphModule(nn.Module):
    """Runs the nodes one after another; `names` tells a parameter's name in the file."""

    def __init__(self, graph, parameters):
        super().__init__()
        self.graph, self.names = graph, {}
        known = {n: torch.from_numpy(a) for n, a in graph.constants.items() if a.dtype == 'float32'}
        self.constants = {**graph.constants, **known}
        self.steps = nn.ModuleDict()
        for at, (op, inputs, _, attributes) in enumerate(graph.nodes):
            own = {k: parameters[n] for k, n in enumerate(inputs) if n in parameters}
            if not own:
                continue
            stored = {**own, **{k: known[n] for k, n in enumerate(inputs) if n in known}}
            layer = layer_of(op, attributes, stored)
            if layer is None:
                values = {k: nn.Parameter(p.clone()) for k, p in own.items()}
                layer = Operator(op, attributes, inputs, values)
                found = [(layer.own[str(k)], inputs[k]) for k in own]
            else:
                found = list(zip(layer.parameters(), (inputs[k] for k in own), strict=True))
                for parameter, name in found:
                    parameter.data = parameters[name].clone()
            for parameter, name in found:
                self.names[id(parameter)] = name
            self.steps[str(at)] = layer

    def forward(self, x, *_):
        values = {**self.constants, self.graph.input: x}
        for at, (op, inputs, outputs, attributes) in enumerate(self.graph.nodes):
            if str(at) in self.steps:
                step = self.steps[str(at)]
                given = inputs if isinstance(step, Operator) else inputs[:1]
                arguments = [values[n] for n in given if n in values]
                values[outputs[0]] = step(*arguments)
            else:
                arguments = [values[n] if n else None for n in inputs]
                values[outputs[0]] = OPERATORS[op](attributes, *arguments)
        return values[self.graph.output].flatten(1)

    def ordered(self):
        """Parameters in the module's order, with their names in the file."""
        return [(self.names[id(p)], p) for p in self.parameters()]
