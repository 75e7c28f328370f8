"""Tangent kernels by what builds on PyTorch: torch.compile, nngeometry, laplace-torch, curvlinops."""

import numpy as np
import torch
from modules import GraphModule
from torch_peers import Peers as TorchPeers

# Rows of a Jacobian that curvlinops' operators form at once.
ROWS = 64


class Peers(TorchPeers):
    def __init__(self, model, x, spec):
        super().__init__(model, x, spec)
        self.compiled = {}

    def compile(self, name, function):
        if name not in self.compiled:
            # A graph that falls back to plain PyTorch somewhere is not what is asked for.
            self.compiled[name] = torch.compile(function, fullgraph=True, dynamic=False)
        return self.compiled[name]

    # torch.func's recipe as one program.
    def compiled_contraction(self):
        def alone(parameters, x):
            left = torch.func.vmap(torch.func.jacrev(self.single), (None, 0))(parameters, x)
            return self.contract(left, left)

        def pair(parameters, x, x2):
            side = torch.func.vmap(torch.func.jacrev(self.single), (None, 0))
            return self.contract(side(parameters, x), side(parameters, x2))

        def compute(x1, x2):
            if x2 is None:
                return self.compile('alone', alone)(self.parameters, x1)
            return self.compile('pair', pair)(self.parameters, x1, x2)

        return self.blocks(compute)

    def compiled_jacobian(self):
        def jacobian(parameters, x):
            return torch.func.vmap(torch.func.jacrev(self.single), (None, 0))(parameters, x)

        return self.compile('jacobian', jacobian)(self.parameters, self.x)

    def network(self):
        if 'network' not in self.compiled:
            self.compiled['network'] = GraphModule(self.graph, self.parameters)
        return self.compiled['network']

    def by_name(self, rows):
        """(n, O, P) as the parameters' own (n, O, …)."""
        found, at = {}, 0
        for name, parameter in self.network().ordered():
            found[name] = rows[..., at : at + parameter.numel()]
            at += parameter.numel()
        return found

    # nngeometry: hooks in every layer, Gram matrices of inputs and of gradients where they are cheaper.
    def nngeometry(self):
        from nngeometry import GramMatrix
        from torch.utils.data import TensorDataset

        data = TensorDataset(self.x)
        gram = GramMatrix(model=self.network(), loader=loader(data, self.block))
        kernel = gram.to_torch().permute(1, 0, 3, 2)  # (O, n, O, n) before
        if self.spec['call'] == 'trace':
            return kernel.diagonal(dim1=1, dim2=3).sum(-1)
        return kernel

    def nngeometry_jacobian(self):
        from nngeometry.backend import TorchHooksJacobianBackend
        from nngeometry.layercollection import LayerCollection
        from torch.utils.data import TensorDataset

        network = self.network()
        backend = TorchHooksJacobianBackend(
            model=network, layer_collection=LayerCollection.from_model(network), function=network
        )
        data = loader(TensorDataset(self.x), self.block)
        return self.by_name(backend.get_jacobian(data).transpose(0, 1))

    # laplace-torch: its Jacobians, as its functional predictive takes them.
    def laplace_rows(self):
        from laplace.curvature import CurvlinopsGGN

        rows, _ = CurvlinopsGGN(self.network(), 'regression').jacobians(self.x)
        return rows

    def laplace(self):
        # By parameter: one sum over all of them would be off by 1e-3 in float32.
        rows = self.by_name(self.laplace_rows())
        return self.contract(rows, rows)

    def laplace_jacobian(self):
        return self.by_name(self.laplace_rows())

    # curvlinops: products with J and Jᵀ, matrices at a time.
    def operators(self):
        from curvlinops import JacobianLinearOperator, TransposedJacobianLinearOperator

        network = self.network()
        parameters = list(network.parameters())
        data = [(self.x, torch.zeros(len(self.x), 1))]
        options = {'check_deterministic': False}
        return (
            JacobianLinearOperator(network, parameters, data, **options),
            TransposedJacobianLinearOperator(network, parameters, data, **options),
        )

    def columns(self, use):
        """Of some unit vectors at a time."""
        jacobian, transposed = self.operators()
        count = jacobian.shape[0]
        for start in range(0, count, ROWS):
            size = min(ROWS, count - start)
            units = torch.zeros(count, size)
            units[start + torch.arange(size), torch.arange(size)] = 1
            use(jacobian, transposed @ units, start)
        return count

    def curvlinops(self):
        pieces = []
        count = self.columns(lambda jacobian, back, _: pieces.append(jacobian @ back))
        n = len(self.x)
        kernel = torch.cat(pieces, 1).reshape(n, count // n, n, count // n)
        if self.spec['call'] == 'trace':
            return kernel.diagonal(dim1=1, dim2=3).sum(-1)
        return kernel

    def curvlinops_jacobian(self):
        pieces = []
        count = self.columns(lambda _, back, __: pieces.append(back.T))
        n = len(self.x)
        return self.by_name(torch.cat(pieces).reshape(n, count // n, -1))

    def curvlinops_eigenvalues(self):
        from scipy.sparse.linalg import LinearOperator, eigsh

        jacobian, transposed = self.operators()

        def product(v):
            return (jacobian @ (transposed @ torch.from_numpy(v.astype(np.float32)))).numpy()

        operator = LinearOperator((jacobian.shape[0],) * 2, matvec=product, dtype=np.float32)
        values = eigsh(operator, self.spec['count'], tol=1e-4, return_eigenvectors=False)
        return torch.from_numpy(np.sort(values)[::-1].copy())

    def ways(self):
        return {
            **super().ways(),
            'compiled': self.compiled_contraction,
            'compiled-jacobian': self.compiled_jacobian,
            'nngeometry': self.nngeometry,
            'nngeometry-jacobian': self.nngeometry_jacobian,
            'laplace': self.laplace,
            'laplace-jacobian': self.laplace_jacobian,
            'curvlinops': self.curvlinops,
            'curvlinops-jacobian': self.curvlinops_jacobian,
            'curvlinops-eigenvalues': self.curvlinops_eigenvalues,
        }


def loader(data, size):
    return torch.utils.data.DataLoader(data, batch_size=size, shuffle=False)
