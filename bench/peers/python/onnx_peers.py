"""Tangent kernels by JAX on what jaxonnxruntime makes of the file: what one does who has ONNX only."""

import jax
import jax.numpy as jnp
import numpy as np
import onnx
from graph import Graph
from jaxonnxruntime import call_onnx, config


class Peers:
    def __init__(self, model, x, spec):
        # Sizes that reshapes need have to be known when a program is compiled.
        config.update('jaxort_only_allow_initializers_as_static_args', False)
        graph = Graph(model)
        run, parameters = call_onnx.call_onnx_model(onnx.load(model), {graph.input: x[:1]})
        self.parameters = {n: jnp.asarray(parameters[n]) for n in graph.parameters}
        self.rest = {n: a for n, a in parameters.items() if n not in self.parameters}
        self.single = lambda p, one: run({**self.rest, **p}, {graph.input: one[None]})[0].reshape(-1)
        self.x = jnp.asarray(x)
        self.spec = spec
        self.features = jax.vmap(jax.jacrev(self.single), (None, 0))
        self.compiled = {
            'output': jax.jit(jax.vmap(self.single, (None, 0))),
            'jacobian': jax.jit(self.features),
            'kernel': jax.jit(self.contraction),
        }

    def output(self):
        return np.asarray(self.compiled['output'](self.parameters, self.x))

    def contraction(self, parameters, x):
        equation = {'ntk': 'nac,mbc->namb', 'trace': 'nac,mac->nm'}[self.spec['call']]
        pieces = self.features(parameters, x).values()
        flat = [piece.reshape(*piece.shape[:2], -1) for piece in pieces]
        return sum(jnp.einsum(equation, piece, piece) for piece in flat)

    def ways(self):
        return {
            'contraction': lambda: jax.block_until_ready(
                self.compiled['kernel'](self.parameters, self.x)
            ),
            'jacobian': lambda: jax.block_until_ready(
                self.compiled['jacobian'](self.parameters, self.x)
            ),
        }

    def numpy(self, result, directions):
        if not isinstance(result, dict):
            return np.asarray(result)
        rows = {n: np.asarray(a).reshape(*a.shape[:2], -1) for n, a in result.items()}
        return np.stack([np.einsum('nac,c->na', rows[n], directions[n]) for n in self.parameters])
