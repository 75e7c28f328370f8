"""scikit-learn's perceptrons through skl2onnx, in float32 and float64.

`environment/bin/python make_sklearn.py`; files as make.py's.
"""
import json
import pathlib
import warnings

import numpy as np
import torch
from skl2onnx import to_onnx
from sklearn.neural_network import MLPClassifier, MLPRegressor
from torch import nn

from make import describe
from reference import reference

warnings.filterwarnings('ignore')
HERE = pathlib.Path(__file__).parent / 'networks'
OUTPUT = {'identity': nn.Identity, 'softmax': lambda: nn.Softmax(1), 'logistic': nn.Sigmoid}


class Perceptron(nn.Module):
    """What a fitted perceptron computes; for two classes scikit-learn gives both probabilities."""

    def __init__(self, fitted):
        super().__init__()
        layers = []
        for weight, bias in zip(fitted.coefs_, fitted.intercepts_):
            layer = nn.Linear(*weight.shape)
            # The file holds float32 numbers.
            layer.weight.data = torch.tensor(weight.T, dtype=torch.float32)
            layer.bias.data = torch.tensor(bias, dtype=torch.float32)
            layers += [layer, {'relu': nn.ReLU, 'tanh': nn.Tanh}[fitted.activation]()]
        layers[-1] = OUTPUT[fitted.out_activation_]()
        self.layers = nn.Sequential(*layers)
        self.both = fitted.out_activation_ == 'logistic'

    def forward(self, x):
        y = self.layers(x)
        return torch.cat([1 - y, y], 1) if self.both else y


def main():
    rng = np.random.default_rng(3)
    x = np.round(rng.normal(size=(60, 5)) * 128).astype(np.float32) / 128
    y = x[:, 0] + x[:, 1] * x[:, 2]
    common = dict(hidden_layer_sizes=(6, 4), max_iter=30, random_state=1)
    fits = {
        'sklearn_regressor': MLPRegressor(activation='tanh', **common).fit(x, y),
        'sklearn_classes': MLPClassifier(activation='relu', **common).fit(x, np.digitize(y, [-0.7, 0.7])),
        'sklearn_two_classes': MLPClassifier(activation='tanh', **common).fit(x, y > 0),
    }
    for name, fitted in fits.items():
        folder = HERE / name
        folder.mkdir(parents=True, exist_ok=True)
        net, inputs = Perceptron(fitted), [torch.tensor(x[:4])]
        outputs, ntk, traces = reference(net, inputs, 0)
        np.save(folder / 'input_0.npy', x[:4])
        np.save(folder / 'output.npy', outputs)
        np.save(folder / 'ntk.npy', ntk)
        params = {key: p.detach().double().numpy() for key, p in net.named_parameters()}
        files = []
        for opset in (11, 17, 21):
            options = {'zipmap': False} if 'classes' in name else {}
            model = to_onnx(fitted, x[:1], target_opset={'': opset, 'ai.onnx.ml': 3}, options=options)
            path = folder / f'skl2onnx{opset}.onnx'
            path.write_bytes(model.SerializeToString())
            about = describe(model, path, dict(exporter='skl2onnx', opset=opset), params)
            about['output_name'] = 'probabilities' if 'classes' in name else model.graph.output[0].name
            files.append(about)
            print(f"{name}/{path.name}: {path.stat().st_size} bytes", about['operators'], about['others'])
        (folder / 'about.json').write_text(
            json.dumps({'output': 0, 'traces': traces, 'files': files}, indent=1) + '\n')


if __name__ == '__main__':
    main()
