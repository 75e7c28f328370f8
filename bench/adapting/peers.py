"""Kernel methods on the same splits: a Gaussian process with an RBF kernel and a recursive feature
machine. Reads a file {x, y, test, folds} and prints each one's predictions of the test inputs.

The process's mean is that of kernel ridge regression. The recursive feature machine is that of
Radhakrishnan et al. (2024) as the package xrfm has it: Laplace kernel exp(-|x - z|_M / L), M = I at
first, then M = AGOP / max entry of the predictor before. Both choose among 24 candidates by the least
mean squared error of the folds that are given; the targets' mean is taken off.
"""

import json
import sys

import numpy as np

ITERATIONS = [0, 1, 2, 4]


def squares(a, b):
    return np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T, 0)


def solve(kernel, ridge, y):
    return np.linalg.solve(kernel + ridge * np.eye(len(y)), y)


def rbf(x, y, test, length, ridge):
    """Predictions of the one candidate."""
    alpha = solve(np.exp(-squares(x, x) / (2 * length**2)), ridge, y)
    return [np.exp(-squares(test, x) / (2 * length**2)) @ alpha]


def rfm(x, y, test, length, ridge, iterations=ITERATIONS):
    """Predictions after each number of iterations."""
    m = np.eye(x.shape[1])
    found = []
    for step in range(max(iterations) + 1):
        values, vectors = np.linalg.eigh(m)
        root = vectors * np.sqrt(np.maximum(values, 0))
        a, b = x @ root, test @ root
        distance = np.sqrt(squares(a, a))
        np.fill_diagonal(distance, 0)
        kernel = np.exp(-distance / length)
        alpha = solve(kernel, ridge, y)
        if step in iterations:
            found.append(np.exp(-np.sqrt(squares(b, a)) / length) @ alpha)
        m = agop(x, m, kernel, distance, alpha, length)
    return found


def agop(x, m, kernel, distance, alpha, length):
    """Average gradient outer product of x -> sum_j alpha_j k(x, x_j), over its largest entry."""
    share = np.where(distance > 1e-10, -kernel / (length * np.maximum(distance, 1e-10)), 0)
    total = np.zeros_like(m)
    for column in alpha.T:
        w = share * column
        gradient = (x * w.sum(1)[:, None] - w @ x) @ m
        total += gradient.T @ gradient
    return total / max(total.max(), 1e-30)


def chosen(fit, x, y, test, folds, candidates):
    errors = []
    for candidate in candidates:
        sums = 0
        for held in folds:
            kept = np.setdiff1d(np.arange(len(x)), held)
            mean = y[kept].mean(0)
            predictions = fit(x[kept], y[kept] - mean, x[held], *candidate)
            sums = sums + np.array([((p + mean - y[held]) ** 2).mean() for p in predictions])
        errors.append(sums / len(folds))
    errors = np.array(errors)
    best, step = np.unravel_index(errors.argmin(), errors.shape)
    mean = y.mean(0)
    return fit(x, y - mean, test, *candidates[best])[step] + mean


def main(path):
    with open(path) as file:
        given = json.load(file)
    x, y, test = (np.array(given[name]) for name in ["x", "y", "test"])
    folds = [np.array(fold) for fold in given["folds"]]
    distance = np.sqrt(squares(x, x))
    median = np.median(distance[distance > 1e-6 * distance.max()])
    lengths = [(median * f, ridge) for f in [0.5, 1, 2, 4, 8, 16] for ridge in [1e-3, 1e-2, 0.1, 1]]
    widths = [(median * f, ridge) for f in [0.5, 1, 4] for ridge in [1e-3, 0.1]]
    answer = {
        "gp": chosen(rbf, x, y, test, folds, lengths).tolist(),
        "rfm": chosen(rfm, x, y, test, folds, widths).tolist(),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1])
