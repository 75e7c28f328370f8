"""One peer on one workload, in a process of its own: `peer.py SIDE WAY FOLDER`. Prints JSON."""

import json
import os
import sys

side, way, folder = sys.argv[1:4]
with open(f'{folder}/spec.json') as file:
    spec = json.load(file)
threads = spec['threads']
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
os.environ['OMP_NUM_THREADS'] = str(threads)
os.environ['JAX_PLATFORMS'] = 'cpu'
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
# Else an error is followed by advice, and the last line is not why.
os.environ['JAX_TRACEBACK_FILTERING'] = 'off'

import numpy as np
from measure import limit_memory, measure, resident

if side == 'torch':
    import torch
    from torch_libraries import Peers

    torch.set_num_threads(threads)
elif side == 'jaxonnxruntime':
    from onnx_peers import Peers
else:
    from jax_peers import Peers

baseline = resident()
limit_memory(spec['limit'])
x = np.load(f'{folder}/x.npy')
peers = Peers(f'{folder}/model.onnx', x, spec)
if spec['call'] == 'gradient':
    peers.cotangents = np.load(f'{folder}/cotangents.npy')
call = peers.ways()[way]
result, figures = measure(call, spec['seconds'], spec['repeats'], baseline)
directions = {}
if spec['call'] == 'jacobian':
    directions = {
        name: np.load(f'{folder}/direction_{k}.npy') for k, name in enumerate(peers.parameters)
    }
name = f'{folder}/{side}-{way}'
np.save(f'{name}.npy', peers.numpy(result, directions))
np.save(f'{name}.output.npy', np.asarray(peers.output()))
print(json.dumps(figures))
