"""Tangent kernels by PyTorch: torch.func and BackPACK."""

import numpy as np
import torch
from torch import nn
from torch.func import jacrev, jvp, vjp, vmap

from graph import Graph
from torch_operators import OPERATORS


class Peers:
    def __init__(self, model, x, spec):
        self.graph = Graph(model)
        self.apply = self.graph.function(OPERATORS, torch.from_numpy)
        self.parameters = {n: torch.from_numpy(a.copy()) for n, a in self.graph.parameters.items()}
        self.x = torch.from_numpy(x)
        self.spec = spec
        self.cotangents = None
        # Samples per block, so that the Jacobian need not be whole.
        self.block = spec.get('block') or len(x)

    def single(self, parameters, x):
        return self.apply(parameters, x[None])[0].flatten()

    def output(self):
        return self.apply(self.parameters, self.x).flatten(1).numpy()

    # torch.func's recipe: Jacobians of single samples under vmap, contracted layer by layer.
    def features(self, x):
        return vmap(jacrev(self.single), (None, 0))(self.parameters, x)

    def contract(self, left, right):
        equation = {'ntk': 'nac,mbc->namb', 'trace': 'nac,mac->nm'}[self.spec['call']]
        total = None
        for name in left:
            piece = torch.einsum(equation, left[name].flatten(2), right[name].flatten(2))
            total = piece if total is None else total.add_(piece)
        return total

    def blocks(self, compute):
        """The symmetric kernel over pairs of blocks of samples."""
        starts = range(0, len(self.x), self.block)
        if len(starts) == 1:
            return compute(self.x, None)
        rows = {}
        for i in starts:
            left = self.x[i : i + self.block]
            for j in range(0, i + 1, self.block):
                rows[i, j] = compute(left, None if i == j else self.x[j : j + self.block])
        full = self.spec['call'] == 'ntk'
        turned = (2, 3, 0, 1) if full else (1, 0)
        whole = [
            [rows[i, j] if j <= i else rows[j, i].permute(turned) for j in starts] for i in starts
        ]
        return torch.cat([torch.cat(row, 2 if full else 1) for row in whole], 0)

    def jacobian_contraction(self):
        def compute(x1, x2):
            left = self.features(x1)
            return self.contract(left, left if x2 is None else self.features(x2))

        return self.blocks(compute)

    # torch.func's second recipe: K e_o = J(Jᵀ e_o) for every pair of samples.
    def products(self):
        def pair(x1, x2):
            output, back = vjp(lambda p: self.single(p, x1), self.parameters)

            def column(unit):
                _, column = jvp(lambda p: self.single(p, x2), (self.parameters,), back(unit))
                return column

            return vmap(column, chunk_size=self.spec.get('chunk'))(torch.eye(output.shape[0]))

        def compute(x1, x2):
            other = x1 if x2 is None else x2
            result = vmap(vmap(pair, (None, 0)), (0, None))(x1, other)  # (n, m, O, O)
            if self.spec['call'] == 'trace':
                return result.diagonal(dim1=2, dim2=3).sum(-1)
            return result.permute(0, 2, 1, 3)

        return self.blocks(compute)

    def jacobian(self):
        return self.features(self.x)

    # A forward and one reverse pass, as in training.
    def gradient(self):
        leaves = {n: p.detach().requires_grad_() for n, p in self.parameters.items()}
        output = self.apply(leaves, self.x).flatten(1)
        cotangents = torch.from_numpy(self.cotangents)
        found = torch.autograd.grad(output, list(leaves.values()), cotangents)
        return dict(zip(leaves, found, strict=True))

    # BackPACK: gradients of single samples, one backward pass for every output.
    def backpack_features(self, module, x):
        from backpack import backpack
        from backpack.extensions import BatchGrad

        output = module(x)
        per_output = []
        for o in range(output.shape[1]):
            more = o + 1 < output.shape[1]
            with backpack(BatchGrad(), retain_graph=more):
                output[:, o].sum().backward(retain_graph=more)
            per_output.append([p.grad_batch for p in module.parameters()])
            for p in module.parameters():
                del p.grad_batch
                p.grad = None
        names = [p.onnx_name for p in module.parameters()]
        return {
            name: torch.stack(pieces, 1)
            for name, pieces in zip(names, zip(*per_output, strict=True), strict=True)
        }

    def backpack_contraction(self):
        module = self.module()
        left = self.backpack_features(module, self.x)
        return self.contract(left, left)

    def backpack_jacobian(self):
        return self.backpack_features(self.module(), self.x)

    def module(self):
        """The graph as a chain of layers, which is what BackPACK extends."""
        from backpack import extend

        layers = []
        for op, inputs, _, a in self.graph.nodes:
            weights = [self.parameters[name] for name in inputs[1:]]
            if op == 'Gemm':
                layer = nn.Linear(weights[0].shape[1], weights[0].shape[0])
            elif op == 'Conv':
                out, channels = weights[0].shape[:2]
                layer = nn.Conv2d(channels, out, a['kernel_shape'], padding=a['pads'][0])
            elif op == 'AveragePool':
                layer = nn.AvgPool2d(a['kernel_shape'], a['strides'])
            else:
                layer = {'Relu': nn.ReLU, 'Flatten': nn.Flatten}[op]()
            for p, value, name in zip(layer.parameters(), weights, inputs[1:], strict=True):
                p.data = value.clone()
                p.onnx_name = name
            layers.append(layer)
        return extend(nn.Sequential(*layers))

    def ways(self):
        return {
            'jacobian-contraction': self.jacobian_contraction,
            'products': self.products,
            'jacobian': self.jacobian,
            'gradient': self.gradient,
            'backpack': self.backpack_contraction,
            'backpack-jacobian': self.backpack_jacobian,
        }

    def numpy(self, result, directions):
        if isinstance(result, torch.Tensor):
            return result.detach().numpy()
        if self.spec['call'] == 'gradient':
            return torch.cat([result[n].flatten() for n in sorted(result)])[None].numpy()
        # A Jacobian is compared by its product with one direction per parameter.
        return np.stack(
            [
                torch.einsum('nac,c->na', piece.detach().flatten(2), torch.from_numpy(d)).numpy()
                for piece, d in ((result[n], directions[n]) for n in self.parameters)
            ]
        )
