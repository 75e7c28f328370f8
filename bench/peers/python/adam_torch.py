"""Adam on the factors in PyTorch; see adam_factors.py."""

import torch


class Problem:
    def __init__(self, blocks, shapes, y, spec):
        self.use(spec['threads'])
        pick = lambda b: tuple(map(torch.from_numpy, b)) if isinstance(b, tuple) else torch.from_numpy(b)
        self.blocks, self.shapes = [pick(b) for b in blocks], shapes
        self.y, self.ridge = torch.from_numpy(y), spec['ridge']

    def use(self, threads):
        torch.set_num_threads(threads)

    def start(self):
        self.parameters = [[torch.eye(m), torch.zeros(m, k), torch.eye(k)] for m, k in self.shapes]
        flat = [p.requires_grad_() for three in self.parameters for p in three]
        self.optimizer = torch.optim.Adam(flat, fused=True)

    def objective(self):
        fit, price = 0, 0
        for block, (left, theta, right) in zip(self.blocks, self.parameters):
            b = left.T @ theta @ right.T
            if isinstance(block, tuple):
                delta, h = block
                fit = fit + torch.einsum('nom,nm->no', delta, h @ b.T).flatten()
            else:
                fit = fit + block.flatten(1) @ b.flatten()
            price = price + theta.square().sum()
            for side in (left, right):
                price = price + (side - torch.eye(len(side))).square().sum()
        return price + (self.y - fit).square().sum() / self.ridge

    def step(self, rate):
        self.optimizer.param_groups[0]['lr'] = rate
        self.optimizer.zero_grad()
        loss = self.objective()
        value = loss.item()
        loss.backward()
        self.optimizer.step()
        return value
