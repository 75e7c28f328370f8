"""Float64 references by PyTorch's autograd, one sample and one output at a time."""
import copy

import torch
from torch import nn
from torch.fx.experimental.optimization import fuse
from torchvision.models.swin_transformer import (
    ShiftedWindowAttention,
    ShiftedWindowAttentionV2,
)

from architectures import Picked, has_norms

FULL_OUTPUTS = [0, 7]


def doubled(inputs):
    return tuple(x.double() if x.is_floating_point() else x for x in inputs)


class FoldedAttention(ShiftedWindowAttention):
    def get_relative_position_bias(self):
        return self.folded_bias


class FoldedAttentionV2(ShiftedWindowAttentionV2):
    def get_relative_position_bias(self):
        return self.folded_bias


def folded(net):
    """The network as exporters rewrite it, in float64, or None where they leave it as it is.

    A BatchNorm is folded into the convolution before it, and the bias of an attention window, which
    depends on no input, is a parameter of its own. A tied output layer is stored a second time.
    """
    tied = net.model.get_output_embeddings() if isinstance(net, Picked) else None
    if tied is not None and tied.weight is net.model.get_input_embeddings().weight:
        net = copy.deepcopy(net).double()
        output = net.model.get_output_embeddings()
        output.weight = nn.Parameter(output.weight.detach().clone())
        return net
    windows = any(isinstance(m, ShiftedWindowAttention) for m in net.modules())
    if not windows and not has_norms(net):
        return None
    net = copy.deepcopy(net).double()
    if not windows:
        return fuse(net).eval().requires_grad_(True)
    for m in net.modules():
        if isinstance(m, ShiftedWindowAttention):
            m.folded_bias = nn.Parameter(m.get_relative_position_bias().detach())
            if isinstance(m, ShiftedWindowAttentionV2):
                m.__class__, m.cpb_mlp = FoldedAttentionV2, None
            else:
                m.__class__, m.relative_position_bias_table = FoldedAttention, None
    return net


def reference(net, inputs):
    """output (N, O), full kernel of FULL_OUTPUTS (N, 2, N, 2), and for each parameter its part of the
    trace kernel (N, N)."""
    net = copy.deepcopy(net).double()
    names, params = zip(*[(k, p) for k, p in net.named_parameters() if p.requires_grad])
    n = len(inputs[0])
    rows = [net(*(x[i:i + 1] for x in doubled(inputs))).flatten() for i in range(n)]
    o = len(rows[0])
    traces = torch.zeros(len(params), n, n, dtype=torch.float64)
    kept = {}
    for p in range(o):
        grads = [torch.autograd.grad(row[p], params, retain_graph=True, allow_unused=True) for row in rows]
        for k in range(len(params)):
            for i in range(n):
                for j in range(i + 1):
                    if grads[i][k] is not None and grads[j][k] is not None:
                        traces[k, i, j] += torch.dot(grads[i][k].flatten(), grads[j][k].flatten())
        if p in FULL_OUTPUTS:
            kept[p] = grads
    traces = traces.tril() + traces.tril(-1).transpose(1, 2)
    full = torch.zeros(n, 2, n, 2, dtype=torch.float64)
    for a, p in enumerate(FULL_OUTPUTS):
        for b, q in enumerate(FULL_OUTPUTS):
            for i in range(n):
                for j in range(n):
                    full[i, a, j, b] = sum(
                        torch.dot(u.flatten(), v.flatten()) for u, v in zip(kept[p][i], kept[q][j])
                        if u is not None and v is not None)
    return torch.stack(rows).detach().numpy(), full.numpy(), dict(zip(names, traces.numpy()))
