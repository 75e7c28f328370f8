"""Tangent kernels by neural-tangents on JAX."""

import sys
import types

# Its experimental module needs TensorFlow, its empirical kernels do not.
sys.modules['neural_tangents.experimental'] = types.ModuleType('neural_tangents.experimental')

import jax
import jax.numpy as jnp
import neural_tangents as nt
import numpy as np
from graph import Graph
from jax_operators import OPERATORS


class Peers:
    def __init__(self, model, x, spec):
        graph = Graph(model, untranspose=True)
        self.transposed = graph.transposed
        apply = graph.function(OPERATORS, jnp.asarray)
        self.apply = lambda p, x: apply(p, x).reshape(x.shape[0], -1)
        self.parameters = {n: jnp.asarray(a) for n, a in graph.parameters.items()}
        self.x = jnp.asarray(x)
        self.spec = spec
        self.block = spec.get('block') or len(x)
        self.compiled = {}

    def output(self):
        return np.asarray(jax.jit(self.apply)(self.parameters, self.x))

    def kernel(self, implementation):
        """(n, O, m, O), or (n, m) for the trace (neural-tangents' trace is a mean over outputs)."""
        if implementation in self.compiled:
            return self.compiled[implementation]
        full = self.spec['call'] == 'ntk'
        kernel = nt.empirical_ntk_fn(
            self.apply,
            trace_axes=() if full else (-1,),
            vmap_axes=0,
            implementation=implementation,
        )

        def compute(x1, x2, parameters):
            result = kernel(x1, x2, parameters)
            if full:
                return result.transpose(0, 2, 1, 3)
            return result * self.outputs

        self.outputs = jax.eval_shape(self.apply, self.parameters, self.x).shape[1]
        self.compiled[implementation] = jax.jit(compute)
        return self.compiled[implementation]

    def blocks(self, compute):
        starts = range(0, len(self.x), self.block)
        if len(starts) == 1:
            return compute(self.x, None, self.parameters)
        result = None
        full = self.spec['call'] == 'ntk'
        for i in starts:
            left = self.x[i : i + self.block]
            for j in range(0, i + 1, self.block):
                other = None if i == j else self.x[j : j + self.block]
                piece = np.asarray(compute(left, other, self.parameters))
                if result is None:
                    n = len(self.x)
                    shape = (n, piece.shape[1], n, piece.shape[3]) if full else (n, n)
                    result = np.empty(shape, np.float32)
                rows, columns = slice(i, i + len(left)), slice(j, j + self.block)
                if full:
                    result[rows, :, columns] = piece
                    result[columns, :, rows] = piece.transpose(2, 3, 0, 1)
                else:
                    result[rows, columns] = piece
                    result[columns, rows] = piece.T
        return result

    def by(self, implementation):
        def run():
            return jax.block_until_ready(self.blocks(self.kernel(implementation)))

        return run

    def jacobian(self):
        if 'jacobian' not in self.compiled:
            single = lambda p, x: self.apply(p, x[None])[0]
            self.compiled['jacobian'] = jax.jit(jax.vmap(jax.jacrev(single), (None, 0)))
        return jax.block_until_ready(self.compiled['jacobian'](self.parameters, self.x))

    def eigenvalues(self):
        """The largest ones by ARPACK over K·v = J(Jᵀv), compiled, over blocks of samples."""
        from scipy.sparse.linalg import LinearOperator, eigsh

        if 'product' not in self.compiled:

            def back(p, x, v):
                return jax.vjp(lambda q: self.apply(q, x), p)[1](v)[0]

            def forth(p, x, direction):
                return jax.jvp(lambda q: self.apply(q, x), (p,), (direction,))[1]

            self.compiled['product'] = (jax.jit(back), jax.jit(forth))
        back, forth = self.compiled['product']
        n = len(self.x)
        outputs = jax.eval_shape(self.apply, self.parameters, self.x).shape[1]
        starts = range(0, n, self.block)

        def product(v):
            v = jnp.asarray(v.reshape(n, outputs), jnp.float32)
            direction = None
            for i in starts:
                rows = slice(i, i + self.block)
                piece = back(self.parameters, self.x[rows], v[rows])
                if direction is not None:
                    piece = jax.tree_util.tree_map(jnp.add, direction, piece)
                direction = piece
            pieces = [
                np.asarray(forth(self.parameters, self.x[i : i + self.block], direction))
                for i in starts
            ]
            return np.concatenate(pieces).reshape(-1)

        operator = LinearOperator((n * outputs,) * 2, matvec=product, dtype=np.float32)
        values = eigsh(operator, self.spec['count'], tol=1e-4, return_eigenvectors=False)
        return np.sort(values)[::-1].copy()

    def ways(self):
        kinds = nt.NtkImplementation
        return {
            'jacobian-contraction': self.by(kinds.JACOBIAN_CONTRACTION),
            'products': self.by(kinds.NTK_VECTOR_PRODUCTS),
            'structured': self.by(kinds.STRUCTURED_DERIVATIVES),
            'jacobian': self.jacobian,
            'eigenvalues': self.eigenvalues,
        }

    def numpy(self, result, directions):
        if not isinstance(result, dict):
            return np.asarray(result)

        def product(name):
            features = np.asarray(result[name])
            direction = directions[name]
            if name in self.transposed:
                rows, columns = features.shape[2:]
                direction = direction.reshape(columns, rows).T.reshape(-1)
            flat = features.reshape(*features.shape[:2], -1)
            return np.einsum('nac,c->na', flat, direction)

        return np.stack([product(name) for name in self.parameters])
