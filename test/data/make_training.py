"""Writes training.json: a few steps of PyTorch's optimisers on a small network, in float64.

python -m pip install torch==2.13.0 && python make_training.py
The network is 4 -> 6 -> 3, ReLU between. Each run: loss, optimiser, weights after 1 and 3 steps on
all samples. The adaptive run trains M_1 (in, in), Theta (in, out), M_2 (out, out) and the bias b of
every layer of the linearised network, as METHOD.md section 3 has them.
"""
import json, pathlib
import torch
from torch.func import functional_call, jvp

torch.manual_seed(3)
torch.set_default_dtype(torch.float64)
sizes = [4, 6, 3]
start = {}
for k in range(2):
    start[f'l.{k}.weight'] = torch.randn(sizes[k + 1], sizes[k]).float().double()
    start[f'l.{k}.bias'] = torch.randn(sizes[k + 1]).float().double()
x = torch.randn(8, 4).float().double()
labels = torch.randint(0, 3, (8,))
numbers = torch.randn(8, 3).float().double()


def network(w):
    h = torch.relu(x @ w['l.0.weight'].T + w['l.0.bias'])
    return h @ w['l.1.weight'].T + w['l.1.bias']


def loss_of(kind, f):
    if kind == 'cross-entropy':
        return torch.nn.functional.cross_entropy(f, labels)
    return ((f - numbers) ** 2).sum() / 2 / len(x)


optimizers = {
    'sgd': (torch.optim.SGD, dict(lr=0.01, momentum=0.9, weight_decay=0.01)),
    'adam': (torch.optim.Adam, dict(lr=0.02, weight_decay=0.01)),
    'adamw': (torch.optim.AdamW, dict(lr=0.02, weight_decay=0.1)),
}


def listed(arrays):
    return {name: array.detach().flatten().tolist() for name, array in arrays.items()}


runs = []
for loss in ['cross-entropy', 'squared']:
    for kind, (make, settings) in optimizers.items():
        for model in ['full', 'fixed', 'adaptive']:
            if model == 'full':
                trained = {name: w.clone().requires_grad_() for name, w in start.items()}
                predict = lambda: network(trained)
                result = lambda: trained
            elif model == 'fixed':
                trained = {name: torch.zeros_like(w).requires_grad_() for name, w in start.items()}
                result = lambda: trained
            else:
                trained = {}
                for k in range(2):
                    n, m = sizes[k], sizes[k + 1]
                    trained[f'{k}.m1'] = torch.eye(n).requires_grad_()
                    trained[f'{k}.theta'] = torch.zeros(n, m).requires_grad_()
                    trained[f'{k}.m2'] = torch.eye(m).requires_grad_()
                    trained[f'{k}.b'] = torch.zeros(m).requires_grad_()

                def result():
                    delta = {}
                    for k in range(2):
                        t = {p: trained[f'{k}.{p}'] for p in ['m1', 'theta', 'm2', 'b']}
                        delta[f'l.{k}.weight'] = (t['m1'] @ t['theta'] @ t['m2']).T
                        delta[f'l.{k}.bias'] = t['m2'].T @ t['b']
                    return delta
            if model != 'full':
                def predict():
                    f, change = jvp(network, (start,), (dict(result()),))
                    return f + change
            optimizer = make(trained.values(), **settings)
            after = {}
            for step in range(1, 4):
                optimizer.zero_grad()
                loss_of(loss, predict()).backward()
                optimizer.step()
                if step in (1, 3):
                    after[step] = listed(result())
            runs.append(dict(loss=loss, optimizer=kind, model=model, after=after))

out = pathlib.Path(__file__).parent / 'training.json'
out.write_text(json.dumps(dict(
    start=listed(start), x=x.flatten().tolist(), labels=labels.tolist(),
    numbers=numbers.flatten().tolist(), runs=runs)))
