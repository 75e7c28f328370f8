"""References for test/audit/laplace.test.ts: posteriors of small networks by laplace-torch, in float64.

    pip install laplace-torch torch==2.13.0 onnx
    python make_laplace.py        # writes laplace/*.onnx and laplace/references.json
"""
import json
import os
import warnings

import numpy as np
import onnx
import torch
from laplace import Laplace
from laplace.curvature import CurvlinopsGGN
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

warnings.filterwarnings("ignore")
torch.set_default_dtype(torch.float64)
HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "laplace")
PRIOR, NOISE = 0.7, 0.5


def to_onnx(name, net, shape, outputs):
    """Linear, Conv2d, Flatten and Tanh layers as a file."""
    nodes, tensors, value = [], [], "x"
    for at, layer in enumerate(net):
        out = f"v{at}"
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            names = [f"{at}.weight", f"{at}.bias"]
            for key, p in zip(names, (layer.weight, layer.bias)):
                tensors.append(numpy_helper.from_array(p.detach().numpy().astype(np.float32), key))
            if isinstance(layer, nn.Linear):
                node = helper.make_node("Gemm", [value, *names], [out], transB=1)
            else:
                node = helper.make_node("Conv", [value, *names], [out], kernel_shape=[3, 3])
        elif isinstance(layer, nn.Flatten):
            node = helper.make_node("Flatten", [value], [out])
        else:
            node = helper.make_node("Tanh", [value], [out])
        nodes.append(node)
        value = out
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *shape])],
        [helper.make_tensor_value_info(value, TensorProto.FLOAT, ["N", outputs])],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, os.path.join(HERE, f"{name}.onnx"))


def rounded(net):
    """Weights that float32 holds exactly."""
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(p.float().double())
    return net


def array(t):
    t = t.detach().numpy() if isinstance(t, torch.Tensor) else np.asarray(t)
    return {"data": [float(f"{v:.12g}") for v in t.ravel()], "shape": list(t.shape)}


def reference(net, likelihood, x, y, query):
    found = {}
    for layers in ("all", "last_layer"):
        for structure in ("full", "kron", "diag"):
            options = {"sigma_noise": NOISE} if likelihood == "regression" else {}
            la = Laplace(
                net,
                likelihood,
                subset_of_weights=layers,
                hessian_structure=structure,
                prior_precision=PRIOR,
                backend=CurvlinopsGGN,
                **options,
            )
            la.fit(DataLoader(TensorDataset(x, y), batch_size=len(x)))
            mean, variance = la._glm_predictive_distribution(query)
            found[f"{layers} {structure}"] = {
                "mean": array(mean),
                "covariance": array(variance),
                "evidence": float(la.log_marginal_likelihood()),
                "log_likelihood": float(la.log_likelihood),
                "log_det_ratio": float(la.log_det_ratio),
                "scatter": float(la.scatter),
            }
            if likelihood == "classification":
                found[f"{layers} {structure}"]["probit"] = array(la(query, link_approx="probit"))
    return found


torch.manual_seed(3)
result = {"prior": PRIOR, "noise": NOISE, "networks": {}}
cases = {
    "classes": (nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 3)), "classification", (3,), 3),
    "numbers": (nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 2)), "regression", (1,), 2),
    "images": (
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(8, 3)),
        "classification",
        (1, 4, 4),
        3,
    ),
}
for name, (net, likelihood, shape, outputs) in cases.items():
    net = rounded(net)
    x = torch.randn(8, *shape).float().double()
    query = torch.randn(3, *shape).float().double()
    y = torch.randint(0, outputs, (8,)) if likelihood == "classification" else torch.randn(8, outputs)
    to_onnx(name, net, shape, outputs)
    result["networks"][name] = {
        "likelihood": likelihood,
        "x": array(x),
        "query": array(query),
        "y": array(y.double()),
        **reference(net, likelihood, x, y, query),
    }
with open(os.path.join(HERE, "references.json"), "w") as file:
    json.dump(result, file)
