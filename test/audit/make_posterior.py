"""References for test/audit/posterior.test.ts: numpy in float64, every model fitted again.

    python make_posterior.py > posterior.json
"""
import json

import numpy as np

rng = np.random.default_rng(4)
samples, outputs, queries, columns, ridge, prior = 6, 2, 3, 2, 0.3, 1.7
n = samples * outputs
features = rng.standard_normal((n, 9))
others = rng.standard_normal((queries * outputs, 9))
y = rng.standard_normal((n, columns))
base = rng.standard_normal((n, columns))
query_base = rng.standard_normal((queries * outputs, columns))
kernel, cross, own = features @ features.T, others @ features.T, others @ others.T
r = y - base


def fit(rows, at):
    """The change that ridge regression on some rows predicts, and its posterior covariance."""
    gram = kernel[np.ix_(rows, rows)] + ridge * np.eye(len(rows))
    return at[:, rows] @ np.linalg.solve(gram, r[rows])


def rows_without(group):
    return [row for row in range(n) if row // outputs not in group]


loo = np.concatenate(
    [
        base[i * outputs : (i + 1) * outputs]
        + fit(rows_without([i]), kernel[i * outputs : (i + 1) * outputs])
        for i in range(samples)
    ]
)


def variance_without(i):
    rows = rows_without([i])
    here = slice(i * outputs, (i + 1) * outputs)
    gram = kernel[np.ix_(rows, rows)] + ridge * np.eye(len(rows))
    k = kernel[here][:, rows]
    return np.diag(kernel[here, here] - k @ np.linalg.solve(gram, k.T))


inverse = np.linalg.inv(kernel + ridge * np.eye(n))
covariance = own - cross @ inverse @ cross.T
mean = query_base + fit(list(range(n)), cross)
whole = fit(list(range(n)), cross)
influence = np.stack([whole - fit(rows_without([j]), cross) for j in range(samples)], axis=1)
group = [1, 4]
gram = prior * (kernel + ridge * np.eye(n))
evidence = sum(
    -0.5 * c @ np.linalg.solve(gram, c)
    - 0.5 * np.linalg.slogdet(gram)[1]
    - 0.5 * n * np.log(2 * np.pi)
    for c in r.T
)
alpha = inverse @ r
representers = np.einsum("qjo,joc->qjc", cross.reshape(-1, samples, outputs), alpha.reshape(samples, outputs, columns))


def array(a):
    a = np.asarray(a)
    return {"data": [float(repr(v)) for v in a.ravel().tolist()], "shape": list(a.shape)}


print(
    json.dumps(
        {
            "sizes": {"samples": samples, "outputs": outputs, "queries": queries, "columns": columns},
            "ridge": ridge,
            "prior": prior,
            "group": group,
            **{
                name: array(value)
                for name, value in {
                    "kernel": kernel,
                    "cross": cross,
                    "own": own,
                    "y": y,
                    "base": base,
                    "queryBase": query_base,
                    "loo": loo,
                    "looVariance": np.concatenate([variance_without(i) for i in range(samples)]),
                    "leverage": np.diag(kernel @ inverse),
                    "mean": mean,
                    "covariance": covariance,
                    "influence": influence,
                    "representers": representers,
                    "without": query_base + fit(rows_without(group), cross),
                    "evidence": evidence,
                }.items()
            },
        }
    )
)
