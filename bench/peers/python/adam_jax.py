"""Adam on the factors in JAX, a step compiled as one function; see adam_factors.py."""

import jax
import jax.numpy as jnp

DECAY1, DECAY2, EPSILON = 0.9, 0.999, 1e-8


class Problem:
    def __init__(self, blocks, shapes, y, spec):
        blocks, self.shapes = jax.tree.map(jnp.asarray, blocks), shapes
        y, ridge = jnp.asarray(y), spec['ridge']

        def objective(parameters, blocks):
            fit, price = 0, 0
            for block, (left, theta, right) in zip(blocks, parameters):
                b = left.T @ theta @ right.T
                if isinstance(block, tuple):
                    delta, h = block
                    fit = fit + jnp.einsum('nom,nm->no', delta, h @ b.T).ravel()
                else:
                    fit = fit + block.reshape(len(block), -1) @ b.ravel()
                price = price + jnp.square(theta).sum()
                for side in (left, right):
                    price = price + jnp.square(side - jnp.eye(len(side))).sum()
            return price + jnp.square(y - fit).sum() / ridge

        def step(parameters, first, second, count, rate, blocks):
            value, slope = jax.value_and_grad(objective)(parameters, blocks)
            mean = lambda decay, power: lambda old, g: decay * old + (1 - decay) * g**power
            first = jax.tree.map(mean(DECAY1, 1), first, slope)
            second = jax.tree.map(mean(DECAY2, 2), second, slope)
            one, two = 1 - DECAY1**count, 1 - DECAY2**count
            move = lambda p, a, b: p - rate * (a / one) / (jnp.sqrt(b / two) + EPSILON)
            return jax.tree.map(move, parameters, first, second), first, second, value

        self.blocks = blocks
        self.compiled = jax.jit(step, donate_argnums=(0, 1, 2))

    def start(self):
        self.parameters = [[jnp.eye(m), jnp.zeros((m, k)), jnp.eye(k)] for m, k in self.shapes]
        self.first = jax.tree.map(jnp.zeros_like, self.parameters)
        self.second = jax.tree.map(jnp.zeros_like, self.parameters)
        self.count = 0

    def step(self, rate):
        self.count += 1
        self.parameters, self.first, self.second, value = self.compiled(
            self.parameters, self.first, self.second, float(self.count), rate, self.blocks)
        return float(value)
