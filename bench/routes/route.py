"""A parameter gradient of exported networks by other routes: route.py ROUTE JOBS.json
Prints one JSON line for each job: {"name", "squared"}, ‖∂(Σ cos(e)·output_e)/∂θ‖², or {"name", "stage", "reason"}.

jax: jaxonnxruntime makes a JAX function, jax.grad its gradient.
torch: onnx2torch makes a module, torch.func its gradient, or autograd where that fails.
"""
import importlib
import json
import signal
import sys
import warnings

import numpy as np
import onnx

warnings.filterwarnings('ignore')
LIMIT = 120  # seconds for one network
LIBRARIES = []  # which live as long as what they define


class Failed(Exception):
    def __init__(self, stage, reason):
        super().__init__(f'{stage}: {reason}')
        self.stage, self.reason = stage, reason


def step(stage, work):
    try:
        return work()
    except Exception as error:
        text = ' '.join(f'{type(error).__name__}: {error}'.split())
        raise Failed(stage, text[:300]) from None


def weighted(output, samples, chosen, convert):
    """Σ of the outputs with weights that no symmetry makes 0: cos e for the e-th of those chosen."""
    flat = output.reshape(samples, -1)
    flat = flat if chosen is None else flat[:, np.array(chosen)]
    weights = np.cos(np.arange(flat.shape[0] * flat.shape[1])).reshape(flat.shape)
    return (flat * convert(weights.astype(np.float32))).sum()


def by_jax(job, model, inputs):
    import jax
    import jax.numpy as jnp
    from jaxonnxruntime import config, call_onnx

    # The default refuses shapes that are computed by the graph; a second try lets them pass.
    def convert(static):
        config.update('jaxort_only_allow_initializers_as_static_args', static)
        return call_onnx.call_onnx_model(model, inputs)

    def gradient(static):
        function, weights = step('conversion', lambda: convert(static))
        wanted = [n for n in job['parameters'] if n in weights] or list(weights)
        floats = {n: weights[n] for n in wanted if jnp.issubdtype(weights[n].dtype, jnp.floating)}
        if not floats:
            raise Failed('gradient', 'no floating-point parameters')

        def loss(own):
            out = function({**weights, **own}, inputs)[job['output']]
            return weighted(out.astype('float32'), job['samples'], job['chosen'], np.asarray)

        return step('gradient', lambda: {k: np.asarray(v) for k, v in jax.grad(loss)(floats).items()})

    try:
        return [gradient(True)]
    except Failed:
        return [gradient(False)]


def import_onnx2torch():
    """onnx2torch imports torchvision, whose Python code describes operators of its compiled part, which
    does not load together with a PyTorch of another index."""
    import torch
    for name in ('nms', 'qnms'):
        if not hasattr(torch.ops.torchvision, name):
            LIBRARIES.append(torch.library.Library('torchvision', 'FRAGMENT'))
            LIBRARIES[-1].define(f'{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')


def by_torch(job, model, inputs):
    import torch

    import_onnx2torch()
    import onnx2torch

    module = step('conversion', lambda: onnx2torch.convert(model)).eval()
    named = dict(module.named_parameters())
    # Weights that no module of its own holds are buffers.
    held = {n: b for n, b in module.named_buffers() if n.startswith('initializers.')}
    given = [torch.from_numpy(inputs[i.name]) for i in model.graph.input if i.name in inputs]

    def gradient(choice):
        weights = {n: p.detach() for n, p in choice.items() if p.is_floating_point()}
        if not weights:
            raise Failed('gradient', 'no floating-point parameters')

        def loss(own):
            out = torch.func.functional_call(module, own, tuple(given))
            out = out[job['output']] if isinstance(out, (list, tuple)) else out
            return weighted(out.float(), job['samples'], job['chosen'], torch.from_numpy)

        def plain():
            own = {n: p.clone().requires_grad_() for n, p in weights.items()}
            return dict(zip(own, torch.autograd.grad(loss(own), list(own.values()), allow_unused=True)))

        try:
            found = step('gradient', lambda: torch.func.grad(loss)(weights))
        except Failed:
            found = step('gradient', plain)
        return {n: g.float().numpy() for n, g in found.items() if g is not None}

    try:
        found = [gradient(named)]
    except Failed:
        if not held:
            raise
        return [gradient({**named, **held})]
    try:
        return [*found, gradient({**named, **held})] if held else found
    except Failed:
        return found


def squared(job, route):
    model = step('conversion', lambda: onnx.load(job['file']))
    inputs = {name: np.load(path) for name, path in job['inputs'].items()}
    kinds = {i.name: i.type.tensor_type.elem_type for i in model.graph.input}
    for name in inputs:
        inputs[name] = inputs[name].astype(onnx.helper.tensor_dtype_to_np_dtype(kinds[name]))
    choices = route(job, model, inputs)
    sizes = [sum(float((g.astype(np.float64) ** 2).sum()) for g in c.values()) for c in choices]
    sizes = [size for size in sizes if np.isfinite(size)]
    if not sizes:
        raise Failed('gradient', 'not finite')
    # Of several readings of what the parameters are the one that is nearest.
    return min(sizes, key=lambda size: abs(size - job['truth']))


def main(name, jobs):
    route = {'jax': by_jax, 'torch': by_torch}[name]
    if jobs == '--check':
        import_onnx2torch() if name == 'torch' else None
        importlib.import_module({'jax': 'jaxonnxruntime.call_onnx', 'torch': 'onnx2torch'}[name])
        return

    def late(*_):
        raise TimeoutError(f'more than {LIMIT} s')

    signal.signal(signal.SIGALRM, late)
    for job in json.load(open(jobs)):
        # Said before: where the process dies the job that it died of is known.
        print(json.dumps({'name': job['name'], 'begun': True}), flush=True)
        signal.alarm(LIMIT)
        try:
            line = {'squared': squared(job, route)}
        except Failed as failure:
            line = {'stage': failure.stage, 'reason': failure.reason}
        except TimeoutError as error:
            line = {'stage': 'gradient', 'reason': str(error)}
        signal.alarm(0)
        print(json.dumps({'name': job['name'], **line}), flush=True)


main(*sys.argv[1:])
