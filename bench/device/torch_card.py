"""PyTorch on a card: `torch_card.py rates` and `torch_card.py kernel FOLDER`. Prints JSON."""

import json
import pathlib
import sys
import time

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'peers/python'))

torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False


def seconds_of(call, most, repeats):
    """The first call, then warm ones until the time is spent."""
    times = []
    for _ in range(1 + repeats):
        torch.cuda.synchronize()
        start = time.perf_counter()
        result = call()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
        del result
        if sum(times[1:]) > most:
            break
    return times


def rate(kind, size=8192):
    """FLOP/s of cuBLAS's own product of size³."""
    a, b = (torch.randn(size, size, dtype=kind, device='cuda') for _ in range(2))
    return 2 * size**3 / min(seconds_of(lambda: a @ b, 5, 5)[1:])


def rates():
    found = {'float32': rate(torch.float32), 'float64': rate(torch.float64, 4096)}
    torch.backends.cuda.matmul.allow_tf32 = True
    return {**found, 'tf32': rate(torch.float32), 'torch': torch.__version__}


def kernel(folder):
    from torch_operators import OPERATORS
    from torch_peers import Peers

    with open(f'{folder}/spec.json') as file:
        spec = json.load(file)
    peers = Peers(f'{folder}/model.onnx', np.load(f'{folder}/x.npy'), spec)
    torch.set_default_device('cuda')
    peers.apply = peers.graph.function(OPERATORS, lambda array: torch.from_numpy(array).cuda())
    peers.parameters = {name: array.cuda() for name, array in peers.parameters.items()}
    peers.x = peers.x.cuda()
    first, *times = seconds_of(peers.jacobian_contraction, spec['seconds'], spec['repeats'])
    peak = torch.cuda.max_memory_allocated()
    return {'way': 'torch.func jacobian-contraction', 'first': first, 'times': times, 'peak': peak}


print(json.dumps(rates() if sys.argv[1] == 'rates' else kernel(sys.argv[2])))
