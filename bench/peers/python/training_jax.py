"""Epochs of the paper's three models in JAX: `training_jax.py SPEC.json`; prints seconds per epoch
and evaluation.

As its code has it: the change of the weights is pushed through the network at the initial weights by
one JVP, the adaptive model's change being M_1 Theta M_2 per layer and M_2^T b for its bias. Each step
is one compiled function whose old state is donated; `scan` runs an epoch's steps in one call.
"""

import functools
import json
import os
import statistics
import sys
import time

spec = json.loads(open(sys.argv[1], encoding="utf8").read())
os.sched_setaffinity(0, list(os.sched_getaffinity(0))[: spec["threads"]])

import jax
import jax.numpy as jnp
import numpy as np

sizes, batch, samples = spec["sizes"], spec["batch"], spec["samples"]
random = np.random.default_rng(0)
theta0 = [
    (
        jnp.asarray(random.normal(size=(a, b)) / np.sqrt(a), jnp.float32),
        jnp.zeros(b, jnp.float32),
    )
    for a, b in zip(sizes, sizes[1:])
]
x = jnp.asarray(random.random((samples, sizes[0])), jnp.float32)
y = jnp.asarray(random.integers(0, sizes[-1], samples))


def network(theta, inputs):
    for layer, (w, b) in enumerate(theta):
        inputs = (jax.nn.relu(inputs) if layer else inputs) @ w + b
    return inputs


def full(theta, inputs):
    return network(theta, inputs)


def fixed(delta, inputs):
    value, change = jax.jvp(lambda theta: network(theta, inputs), (theta0,), (delta,))
    return value + change


def adaptive(factors, inputs):
    return fixed([(m1 @ w @ m2, m2.T @ b) for m1, w, m2, b in factors], inputs)


starts = {
    "full": lambda: jax.tree_util.tree_map(jnp.copy, theta0),
    "fixed": lambda: jax.tree_util.tree_map(jnp.zeros_like, theta0),
    "adaptive": lambda: [
        (jnp.eye(w.shape[0]), jnp.zeros_like(w), jnp.eye(w.shape[1]), jnp.zeros_like(b))
        for w, b in theta0
    ],
}


def seconds(predict, start, way) -> float:
    def loss_of(weights, inputs, labels):
        return -jnp.mean(
            jnp.take_along_axis(
                jax.nn.log_softmax(predict(weights, inputs)), labels[:, None], axis=1
            )
        )

    def step(state, rows):
        weights, moments = state
        loss, slopes = jax.value_and_grad(loss_of)(weights, x[rows], y[rows])
        moments = jax.tree_util.tree_map(
            lambda v, g: spec["momentum"] * v + g, moments, slopes
        )
        weights = jax.tree_util.tree_map(
            lambda w, v: w - spec["rate"] * v, weights, moments
        )
        return (weights, moments), loss

    compiled = jax.jit(step, donate_argnums=0)
    scanned = jax.jit(
        lambda state, order: jax.lax.scan(step, state, order), donate_argnums=0
    )
    weights = start()
    state = (weights, jax.tree_util.tree_map(jnp.zeros_like, weights))
    times = []
    for epoch in range(spec["warm"] + spec["epochs"]):
        begin = time.perf_counter()
        order = random.permutation(samples)[: samples // batch * batch].reshape(-1, batch)
        if way == "scan":
            state, losses = scanned(state, jnp.asarray(order))
        else:
            for rows in order:
                state, losses = compiled(state, rows)
        jax.block_until_ready((state, losses))
        if epoch >= spec["warm"]:
            times.append(time.perf_counter() - begin)
    return statistics.median(times)


def evaluation(predict, start) -> float:
    test = jnp.asarray(random.random((spec["test"], sizes[0])), jnp.float32)
    labels = jnp.asarray(random.integers(0, sizes[-1], spec["test"]))

    def measures(weights, inputs):
        output = predict(weights, inputs)
        chosen = jnp.take_along_axis(jax.nn.log_softmax(output), labels[:, None], axis=1)
        return -jnp.mean(chosen), jnp.sum(output.argmax(axis=1) != labels)

    compiled = jax.jit(measures)
    weights = start()
    times = []
    for turn in range(spec["warm"] + 10):
        begin = time.perf_counter()
        jax.block_until_ready(compiled(weights, test))
        if turn >= spec["warm"]:
            times.append(time.perf_counter() - begin)
    return statistics.median(times)


models = {"full": full, "fixed": fixed, "adaptive": adaptive}
print(
    json.dumps(
        {
            f"{name} {way}": seconds(predict, starts[name], way)
            for name, predict in models.items()
            for way in ("step", "scan")
        }
        | {f"{name} test": evaluation(predict, starts[name]) for name, predict in models.items()}
    )
)
