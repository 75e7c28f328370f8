"""The adaptive model's joint problem (METHOD.md section 3) by Adam on the factors:

    min Σ_blocks ‖M_left − I‖² + ‖M_right − I‖² + ‖Θ‖² + ‖r − Σ ⟨M_left X M_right, Θ⟩‖² / ridge

from M = I, Θ = 0, as the code of LeJeune & Alemohammad (2024) trains it, with the whole set as one
batch. `adam_factors.py FOLDER` reads what bench/solve/adam.ts wrote and prints one line of JSON.
"""

import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch

RATES = [1e-3, 3e-3, 1e-2, 3e-2]
SCHEDULES = ['constant', 'cosine']
# Share of the time limit that each rate and schedule is tried for.
TRIAL = 0.06


class Factored:
    """One position: ⟨δ hᵀ, B⟩ = δ·(B h), features never formed."""

    def __init__(self, delta, h):
        self.delta, self.h = delta[:, :, 0], h[:, 0]
        self.shape = (delta.shape[-1], h.shape[-1])

    def fit(self, b):
        return torch.einsum('nom,nm->no', self.delta, self.h @ b.T).flatten()

    def to(self, dtype):
        return Factored(self.delta[:, :, None].to(dtype), self.h[:, None].to(dtype))


class Dense:
    """Several positions: features formed once, so that a step is a product with them."""

    def __init__(self, x):
        self.x, self.shape = x, x.shape[1:]

    def fit(self, b):
        return self.x.flatten(1) @ b.flatten()

    def to(self, dtype):
        return Dense(self.x.to(dtype))


def load(folder, spec):
    read = lambda name: torch.from_numpy(np.load(folder / name)).to(torch.float32)
    blocks = []
    for block in spec['blocks']:
        if 'x' in block:
            x = read(block['x'])
            x = x.transpose(1, 2) if block['transposed'] else x
            if block.get('bias'):
                x = torch.cat([x, read(block['bias'])[:, :, None]], 2)
            blocks.append(Dense(x.contiguous()))
            continue
        delta, h = read(block['delta']), read(block['h'])
        if block['ones']:
            h = torch.cat([h, torch.ones_like(h[..., :1])], -1)
        if h.shape[1] == 1:
            blocks.append(Factored(delta, h))
        else:
            x = torch.cat([torch.einsum('notm,ntk->nomk', delta[i : i + 50], h[i : i + 50])
                           for i in range(0, len(h), 50)])
            blocks.append(Dense(x.flatten(0, 1)))
    return blocks


def objective(blocks, parameters, y, ridge):
    fit, price = 0, 0
    for block, (left, theta, right) in zip(blocks, parameters):
        fit = fit + block.fit(left.T @ theta @ right.T)
        price = price + theta.square().sum()
        for side in (left, right):
            price = price + (side - torch.eye(len(side), dtype=side.dtype)).square().sum()
    return price + (y - fit).square().sum() / ridge


def train(blocks, y, spec, rate, schedule, limit):
    """Seconds until the gap is below the tolerance (None: not before the limit), steps, the gap."""
    parameters = [
        [torch.eye(m), torch.zeros(m, k), torch.eye(k)] for m, k in (b.shape for b in blocks)
    ]
    flat = [p.requires_grad_() for three in parameters for p in three]
    optimizer = torch.optim.Adam(flat, lr=rate, fused=True)
    steps, best, spent, begun = 0, math.inf, 0.0, time.perf_counter()
    while True:
        if schedule == 'cosine':
            part = min((time.perf_counter() - begun) / limit, 1)
            optimizer.param_groups[0]['lr'] = rate * 0.5 * (1 + math.cos(math.pi * part))
        optimizer.zero_grad()
        loss = objective(blocks, parameters, y, spec['ridge'])
        value = loss.item()
        best = min(best, value) if math.isfinite(value) else best
        spent = time.perf_counter() - begun
        gap = best / spec['optimum'] - 1
        if gap <= spec['tolerance'] or spent >= limit or not math.isfinite(value):
            return (spent if gap <= spec['tolerance'] else None), steps, gap
        loss.backward()
        optimizer.step()
        steps += 1


def main(folder):
    spec = json.loads((folder / 'spec.json').read_text())
    torch.set_num_threads(spec['threads'])
    blocks = load(folder, spec)
    y = torch.from_numpy(np.load(folder / 'y.npy')).to(torch.float32)
    trials = []
    for rate in RATES:
        for schedule in SCHEDULES:
            gap = train(blocks, y, spec, rate, schedule, TRIAL * spec['limit'])[2]
            print(f'# {rate} {schedule}: gap {gap:.2e}', file=sys.stderr, flush=True)
            trials.append((gap, rate, schedule))
    _, rate, schedule = min(trials)
    seconds, steps, gap = train(blocks, y, spec, rate, schedule, spec['limit'])
    print(json.dumps({'seconds': seconds, 'limit': spec['limit'], 'steps': steps, 'gap': gap,
                      'rate': rate, 'schedule': schedule}))


main(Path(sys.argv[1]))
