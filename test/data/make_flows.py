"""Gradient flows of over-parameterised eigenvalues, integrated by SciPy in all their factors.

    python test/data/make_flows.py > test/data/flows.json      (numpy, scipy)

Sequence: theta = a b^D beta on (theta - z)^2 / 2, by LSODA at 1e-12; its derivative in z by the
variational equation, and at depth 0 against the closed form. Samples: f = sum_j a_j b_j^D beta_j e_j on
mean_i (y_i - f_i)^2 / 2, by DOP853.
"""

import json

import numpy as np
from scipy.integrate import solve_ivp

RTOL = dict(rtol=1e-12, atol=1e-14)


def slopes(a, b, beta, pull, depth):
    """d(a, b, beta)/dt for -d loss/d theta = pull."""
    inner = b ** (depth - 1) if depth else 0 * b
    return pull * b**depth * beta, depth * pull * a * inner * beta, pull * a * b**depth


def sequence(lam, z, depth, b0, time):
    def rhs(_, s):
        a, b, beta = s[:3]
        p = b**depth
        da, db, dbeta = slopes(a, b, beta, z - a * p * beta, depth)
        # The same flow's derivative in z, by its Jacobian in closed form.
        grad = np.array([p * beta, depth * a * b ** (depth - 1) * beta if depth else 0.0, a * p])
        q = b ** (depth - 1) if depth else 0.0
        q2 = b ** (depth - 2) if depth > 1 else 0.0
        hess = np.array(
            [
                [0, depth * q * beta, p],
                [depth * q * beta, depth * (depth - 1) * a * q2 * beta, depth * a * q],
                [p, depth * a * q, 0],
            ]
        )
        v = s[3:]
        dv = (1 - grad @ v) * grad + (z - a * p * beta) * (hess @ v)
        return [da, db, dbeta, *dv]

    s = solve_ivp(rhs, (0, time), [np.sqrt(lam), b0, 0, 0, 0, 0], "LSODA", **RTOL).y[:, -1]
    a, b, beta = s[:3]
    grad = np.array(
        [b**depth * beta, depth * a * b ** (depth - 1) * beta if depth else 0.0, a * b**depth]
    )
    return a * b**depth * beta, (a * b**depth) ** 2, grad @ s[3:]


def samples(e, lam, y, depth, b0, time):
    m = len(lam)

    def rhs(_, s):
        a, b, beta = s[:m], s[m : 2 * m], s[2 * m :]
        pull = e.T @ (y - e @ (a * b**depth * beta)) / len(y)
        return np.concatenate(slopes(a, b, beta, pull, depth))

    start = np.concatenate([np.sqrt(lam), np.full(m, b0), np.zeros(m)])
    s = solve_ivp(rhs, (0, time), start, "DOP853", **RTOL).y[:, -1]
    a, b, beta = s[:m], s[m : 2 * m], s[2 * m :]
    return a * b**depth * beta, (a * b**depth) ** 2


def numbers(value):
    """Ten digits, as JSON has them."""
    if isinstance(value, dict):
        return {key: numbers(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [numbers(part) for part in value]
    return float(f"{value:.10g}")


def main():
    rows = []
    for depth in (0, 1, 2, 3):
        b0 = 1.0 if depth == 0 else 0.4
        for lam, z in ((1, 0.7), (0.3, -0.4), (1e-2, 0.9), (1e-4, 0.05), (1e-6, 1.3)):
            for time in (0.1, 3, 40, 2000):
                theta, value, slope = sequence(lam, z, depth, b0, time)
                if depth == 0:
                    root = np.hypot(2 * z, lam)
                    p, m = (2 * z + root) / lam, (2 * z - root) / lam
                    q = (1 - p) / (1 - m) * np.exp(-root * time)
                    w = (p - q * m) / (1 - q)
                    assert abs(theta - lam / 4 * (w - 1 / w)) < 1e-8 * abs(z), (lam, z, time)
                rows.append([depth, b0, lam, z, time, theta, value, slope])
    rng = np.random.default_rng(7)
    e = rng.normal(size=(9, 6)).round(3)
    lam = 1.0 / np.arange(1, 7) ** 2
    y = (e @ [0, 0, 0, 0.8, 0, -0.5] + 0.1 * rng.normal(size=9)).round(3)
    coupled = []
    for depth in (0, 1, 3):
        for time in (1, 8, 60):
            theta, values = samples(e, lam, y, depth, 0.5 if depth else 1.0, time)
            coupled.append([depth, time, theta, values])
    out = {"sequence": rows, "e": e.ravel(), "lambda": lam, "y": y, "samples": coupled}
    print(json.dumps(numbers(out)))


main()
