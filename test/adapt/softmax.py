"""Writes softmax.json: multinomial regression on the tangent features of a tiny network, in the primal.

f(x; θ0) = W2 relu(W1 x + b1) + b2, features by hand, Newton's method on the explicit features in float64:
minimises Σ_i −log softmax(f(x_i; θ0) + X_i Δ)[y_i] + λ/2 ‖Δ‖². Only numpy.

    python test/adapt/softmax.py
"""

import json
import pathlib

import numpy as np

random = np.random.default_rng(19)
INPUTS, HIDDEN, CLASSES, SAMPLES, TEST = 3, 4, 3, 12, 4


def rounded(array):
    return np.round(array, 3)


w1, b1 = rounded(random.normal(size=(HIDDEN, INPUTS))), rounded(random.normal(size=HIDDEN))
w2, b2 = rounded(random.normal(size=(CLASSES, HIDDEN))), rounded(random.normal(size=CLASSES))
x = rounded(random.normal(size=(SAMPLES + TEST, INPUTS)))
y = np.arange(SAMPLES) % CLASSES


def value_and_features(x):
    z = w1 @ x + b1
    h, on = np.maximum(z, 0), (z > 0).astype(float)
    rows = []
    for o in range(CLASSES):
        below = w2[o] * on
        above = np.zeros((CLASSES, HIDDEN))
        above[o] = h
        unit = np.zeros(CLASSES)
        unit[o] = 1
        rows.append(np.concatenate([np.outer(below, x).ravel(), below, above.ravel(), unit]))
    return w2 @ h + b2, np.array(rows)


pairs = [value_and_features(one) for one in x]
f0, features = np.array([f for f, _ in pairs]), np.array([j for _, j in pairs])


def softmax(u):
    e = np.exp(u - u.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def fit(ridge):
    delta = np.zeros(features.shape[2])
    train, offset = features[:SAMPLES], f0[:SAMPLES]

    def objective(delta):
        u = offset + train @ delta
        most = u.max(axis=1)
        level = most + np.log(np.exp(u - most[:, None]).sum(axis=1))
        return (level - u[np.arange(SAMPLES), y]).sum() + ridge / 2 * delta @ delta

    for _ in range(60):
        p = softmax(offset + train @ delta)
        slope = np.einsum("ioP,io->P", train, p - np.eye(CLASSES)[y]) + ridge * delta
        curve = ridge * np.eye(len(delta))
        for j, q in zip(train, p):
            curve += j.T @ (np.diag(q) - np.outer(q, q)) @ j
        way, length = np.linalg.solve(curve, slope), 1.0
        while objective(delta - length * way) > objective(delta) and length > 1e-9:
            length /= 2
        delta = delta - length * way
    assert np.abs(slope).max() < 1e-11
    p = softmax(offset + train @ delta)
    loss = -np.log(p[np.arange(SAMPLES), y]).sum()
    logits = f0[SAMPLES:] + features[SAMPLES:] @ delta
    return {"ridge": ridge, "loss": loss, "norm": delta @ delta, "logits": logits.ravel().tolist()}


out = {
    "w1": w1.ravel().tolist(),
    "b1": b1.tolist(),
    "w2": w2.ravel().tolist(),
    "b2": b2.tolist(),
    "x": x.ravel().tolist(),
    "y": y.tolist(),
    "fits": [fit(ridge) for ridge in (10, 0.3, 0.01)],
}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(out, indent=1) + "\n")
