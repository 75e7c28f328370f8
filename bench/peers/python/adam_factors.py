"""The adaptive model's joint problem (METHOD.md section 3) by Adam on the factors:

    min Σ_blocks ‖M_left − I‖² + ‖M_right − I‖² + ‖Θ‖² + ‖r − Σ ⟨M_left X M_right, Θ⟩‖² / ridge

from M = I, Θ = 0, as the code of LeJeune & Alemohammad (2024) trains it, with the whole set as one
batch. `adam_factors.py FOLDER torch|jax` reads what bench/solve/adam.ts wrote and prints one line of
JSON. A back end (adam_torch.py, adam_jax.py) has `start()` and `step(rate)`, which returns the
objective before the step.
"""

import importlib
import json
import math
import sys
import time
from pathlib import Path

import numpy as np

RATES = [1e-3, 3e-3, 1e-2, 3e-2]
SCHEDULES = ['constant', 'cosine']
# Share of the time limit that each rate and schedule is tried for.
TRIAL = 0.06


def load(folder, spec):
    """Per block either (δ (N, O, m), h (N, k)), used at one position, or X (N·O, m, k): features of
    several positions are formed once, so that a step is a product with them."""
    read = lambda name: np.load(folder / name).astype(np.float32)
    blocks = []
    for block in spec['blocks']:
        if 'x' in block:
            x = read(block['x'])
            x = x.transpose(0, 2, 1) if block['transposed'] else x
            if block.get('bias'):
                x = np.concatenate([x, read(block['bias'])[:, :, None]], 2)
            blocks.append(np.ascontiguousarray(x))
            continue
        delta, h = read(block['delta']), read(block['h'])
        if block['ones']:
            h = np.concatenate([h, np.ones_like(h[..., :1])], -1)
        if h.shape[1] == 1:
            blocks.append((np.ascontiguousarray(delta[:, :, 0]), np.ascontiguousarray(h[:, 0])))
        else:
            x = np.concatenate([np.einsum('notm,ntk->nomk', delta[i : i + 50], h[i : i + 50],
                                          optimize=True) for i in range(0, len(h), 50)])
            blocks.append(x.reshape(-1, *x.shape[2:]))
    return blocks


def shape_of(block):
    if isinstance(block, tuple):
        return block[0].shape[-1], block[1].shape[-1]
    return block.shape[1:]


def train(problem, spec, rate, schedule, limit):
    """Seconds until the gap is below the tolerance (None: not before the limit), steps, the gap, and
    the gap at a quarter and half of the limit."""
    problem.start()
    steps, best, spent, begun = 0, math.inf, 0.0, time.perf_counter()
    along = []
    now = rate
    while True:
        if schedule == 'cosine':
            part = min((time.perf_counter() - begun) / limit, 1)
            now = rate * 0.5 * (1 + math.cos(math.pi * part))
        value = problem.step(now)
        best = min(best, value) if math.isfinite(value) else best
        spent = time.perf_counter() - begun
        gap = best / spec['optimum'] - 1
        if gap <= spec['tolerance'] or spent >= limit or not math.isfinite(value):
            return (spent if gap <= spec['tolerance'] else None), steps, gap, along
        if len(along) < 2 and spent >= limit * (0.25, 0.5)[len(along)]:
            along.append(gap)
        steps += 1


def main(folder, backend):
    spec = json.loads((folder / 'spec.json').read_text())
    y = np.load(folder / 'y.npy').astype(np.float32)
    blocks = load(folder, spec)
    shapes = [shape_of(block) for block in blocks]
    problem = importlib.import_module(f'adam_{backend}').Problem(blocks, shapes, y, spec)
    problem.start()
    problem.step(1e-3)  # compiles, where there is something to compile
    trials = []
    for rate in RATES:
        for schedule in SCHEDULES:
            gap = train(problem, spec, rate, schedule, TRIAL * spec['limit'])[2]
            print(f'# {rate} {schedule}: gap {gap:.2e}', file=sys.stderr, flush=True)
            trials.append((gap, rate, schedule))
    _, rate, schedule = min(trials)
    seconds, steps, gap, along = train(problem, spec, rate, schedule, spec['limit'])
    print(json.dumps({'seconds': seconds, 'limit': spec['limit'], 'steps': steps, 'gap': gap, 'along': along,
                      'rate': rate, 'schedule': schedule}))


main(Path(sys.argv[1]), sys.argv[2])
