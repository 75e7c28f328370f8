"""An epoch of full training in PyTorch: `training_torch.py SPEC.json`; prints seconds per epoch and evaluation."""

import json
import statistics
import sys
import time

import torch


def main() -> None:
    spec = json.loads(open(sys.argv[1], encoding="utf8").read())
    torch.set_num_threads(spec["threads"])
    torch.manual_seed(0)
    sizes, batch, samples = spec["sizes"], spec["batch"], spec["samples"]
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(network.parameters(), lr=spec["rate"], momentum=spec["momentum"])
    x = torch.rand(samples, sizes[0])
    y = torch.randint(0, sizes[-1], (samples,))
    loss_of = torch.nn.CrossEntropyLoss()

    def epoch() -> float:
        order = torch.randperm(samples)
        total = torch.zeros(())
        for first in range(0, samples - batch + 1, batch):
            rows = order[first : first + batch]
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(network(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.detach()
        return total.item()

    for _ in range(spec["warm"]):
        epoch()
    times = []
    for _ in range(spec["epochs"]):
        start = time.perf_counter()
        epoch()
        times.append(time.perf_counter() - start)
    test = torch.rand(spec["test"], sizes[0])
    labels = torch.randint(0, sizes[-1], (spec["test"],))
    evaluations = []
    for _ in range(spec["warm"] + 10):
        start = time.perf_counter()
        with torch.no_grad():
            output = network(test)
            (output.argmax(1) != labels).sum().item(), loss_of(output, labels).item()
        evaluations.append(time.perf_counter() - start)
    print(
        json.dumps(
            {
                "full": statistics.median(times),
                "full test": statistics.median(evaluations[spec["warm"] :]),
            }
        )
    )


main()
