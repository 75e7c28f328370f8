"""JAX networks (flax) through jax2onnx, with references by jax in float64.

`environment-jax/bin/python make_jax.py`; files as make.py's.
"""
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import onnx
from flax import nnx
from jax2onnx import to_onnx

jax.config.update('jax_enable_x64', True)
HERE = pathlib.Path(__file__).parent / 'networks'


class Dense(nnx.Module):
    def __init__(self, rngs):
        self.a = nnx.Linear(6, 7, rngs=rngs)
        self.norm = nnx.LayerNorm(7, rngs=rngs)
        self.b = nnx.Linear(7, 3, rngs=rngs)

    def __call__(self, x):
        return self.b(nnx.gelu(self.norm(self.a(x))))


class Images(nnx.Module):
    """Channels last, as in flax; the exporter transposes around each convolution."""

    def __init__(self, rngs):
        self.a = nnx.Conv(2, 4, (3, 3), rngs=rngs)
        self.b = nnx.Conv(4, 4, (3, 3), strides=2, rngs=rngs)
        self.head = nnx.Linear(4, 3, rngs=rngs)

    def __call__(self, x):
        h = nnx.avg_pool(nnx.relu(self.a(x)), window_shape=(2, 2), strides=(2, 2))
        return self.head(nnx.silu(self.b(h)).mean((1, 2)))


def main():
    jobs = {'jax_dense': (Dense, (6,)), 'jax_images': (Images, (8, 8, 2))}
    for name, (make, shape) in jobs.items():
        folder = HERE / name
        folder.mkdir(parents=True, exist_ok=True)
        net = make(nnx.Rngs(5))
        definition, state = nnx.split(net)
        keys = jax.random.split(jax.random.key(1), len(jax.tree.leaves(state)))
        leaves, tree = jax.tree.flatten(state)
        # Biases and scales at their start are all zeros or ones; multiples of 1/128 are exact.
        leaves = [jnp.round((v + 0.3 * jax.random.normal(k, v.shape)) * 128).astype(jnp.float32) / 128
                  for v, k in zip(leaves, keys)]
        x = jnp.round(jax.random.normal(jax.random.key(2), (4, *shape)) * 128) / 128
        wide = jax.tree.unflatten(tree, [v.astype(jnp.float64) for v in leaves])
        f = lambda state, x: nnx.merge(definition, state)(x)
        outputs = f(wide, x)
        jacobian = jax.tree.leaves(jax.jacrev(f)(wide, x))
        rows = jnp.concatenate([j.reshape(outputs.size, -1) for j in jacobian], 1)
        ntk = (rows @ rows.T).reshape(*outputs.shape, *outputs.shape)
        np.save(folder / 'input_0.npy', np.asarray(x, np.float32))
        np.save(folder / 'output.npy', np.asarray(outputs))
        np.save(folder / 'ntk.npy', np.asarray(ntk))
        files = []
        narrow = nnx.merge(definition, jax.tree.unflatten(tree, leaves))
        for opset in (18, 21):
            path = folder / f'jax2onnx{opset}.onnx'
            with jax.enable_x64(False):
                to_onnx(narrow, [('batch', *shape)], opset=opset, return_mode='file',
                        output_path=str(path))
            model = onnx.load(path)
            for node in model.graph.node:
                del node.metadata_props[:]
                node.doc_string = ''
            onnx.save(model, path)
            floats = [i for i in model.graph.initializer if i.data_type == 1]
            files.append({
                'file': path.name, 'exporter': 'jax2onnx', 'opset': opset, 'kernel': 'ntk',
                'inputs': [i.name for i in model.graph.input],
                'parameters': {i.name: '' for i in floats if len(i.dims) > 0},
                'others': [i.name for i in floats if len(i.dims) == 0],
                'operators': sorted({n.op_type for n in model.graph.node})})
            print(name, path.name, path.stat().st_size, files[-1], [(i.name, list(i.dims)) for i in floats])
        (folder / 'about.json').write_text(
            json.dumps({'output': 0, 'traces': {}, 'files': files}, indent=1) + '\n')


if __name__ == '__main__':
    main()
