"""The adaptive model's joint problem (METHOD.md section 3) by Adam on the factors:

    min Σ_blocks ‖M_left − I‖² + ‖M_right − I‖² + ‖Θ‖² + ‖r − Σ ⟨M_left X M_right, Θ⟩‖² / ridge

from M = I, Θ = 0, as the code of LeJeune & Alemohammad (2024) trains it, with the whole set as one
batch. `adam_factors.py FOLDER torch|jax` reads what bench/solve/adam.ts wrote and prints one line of
JSON. The time given is turned into a number of steps by the time of one step, taken at the start: so a
run of half an hour on a machine with other work, or on fewer threads (`own`, PyTorch only), comes to
the same gap. A back end (adam_torch.py, adam_jax.py) has `start()` and `step(rate)`, which returns the
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
# Rounds that choose rate and schedule: a share of all steps for each, and how many stay.
ROUNDS = [(0.01, 3), (0.03, 1)]
# Seconds for which the time of a step is taken.
CLOCK = 5.0


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


def clock(problem):
    """Seconds of a step: the median, which a short disturbance does not change."""
    problem.start()
    for _ in range(3):  # the first one compiles, where there is something to compile
        problem.step(1e-3)
    times, begun = [], time.perf_counter()
    while time.perf_counter() - begun < CLOCK or len(times) < 5:
        last = time.perf_counter()
        problem.step(1e-3)
        times.append(time.perf_counter() - last)
    return float(np.median(times))


def train(problem, spec, rate, schedule, steps):
    """The step at which the gap is below the tolerance (None: not within `steps`), and the gap at a
    quarter, at half and at the end of them: of the least objective until then."""
    problem.start()
    best, along, marks = math.inf, [], [steps // 4, steps // 2]
    for k in range(steps + 1):
        now = rate * 0.5 * (1 + math.cos(math.pi * k / steps)) if schedule == 'cosine' else rate
        value = problem.step(now)
        if not math.isfinite(value):
            return None, along + [best / spec['optimum'] - 1]
        best = min(best, value)
        gap = best / spec['optimum'] - 1
        if gap <= spec['tolerance']:
            return k, along + [gap]
        if k in marks:
            along.append(gap)
            print(f'# {rate} {schedule}, step {k}: gap {gap:.2e}', file=sys.stderr, flush=True)
    return None, along + [gap]


def main(folder, backend):
    spec = json.loads((folder / 'spec.json').read_text())
    y = np.load(folder / 'y.npy').astype(np.float32)
    blocks = load(folder, spec)
    shapes = [shape_of(block) for block in blocks]
    problem = importlib.import_module(f'adam_{backend}').Problem(blocks, shapes, y, spec)
    seconds = spec.get('step') or clock(problem)
    steps = max(8, round(spec['limit'] / seconds))
    if spec['own'] != spec['threads']:
        problem.use(spec['own'])
    print(f'# {seconds:.4f} s a step, {steps} steps', file=sys.stderr, flush=True)
    stay = [(rate, schedule) for rate in RATES for schedule in SCHEDULES]
    for share, count in ROUNDS:
        trials = []
        for rate, schedule in stay:
            gap = train(problem, spec, rate, schedule, max(4, round(share * steps)))[1][-1]
            print(f'# {rate} {schedule}: gap {gap:.2e}', file=sys.stderr, flush=True)
            trials.append((gap, rate, schedule))
        stay = [(rate, schedule) for _, rate, schedule in sorted(trials)[:count]]
    [(rate, schedule)] = stay
    arrived, along = train(problem, spec, rate, schedule, steps)
    print(json.dumps({'arrived': arrived, 'step': seconds, 'steps': steps, 'along': along, 'rate': rate,
                      'schedule': schedule}))


main(Path(sys.argv[1]), sys.argv[2])
