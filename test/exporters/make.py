"""Exports the small networks of nets.py in many ways and stores float64 references next to them.

./setup.sh makes the environment; then `environment/bin/python make.py [network …]`.
networks/<net>/: input_k.npy, output.npy (N, O), ntk.npy (N, O, N, O), float64; ntk_folded.npy where
an exporter folds BatchNorm into convolutions, ntk_untied.npy where one stores a tied weight twice; the
exported files; about.json says how each was made
and which of its initializers holds which parameter.
"""
import json
import logging
import pathlib
import shutil
import sys
import warnings

import numpy as np
import onnx
import torch
from onnx import TensorProto, numpy_helper

from nets import NETS, build
from reference import folded, match, reference, untied
from variants import VARIANTS, external

warnings.filterwarnings('ignore')
logging.disable(logging.WARNING)
torch.backends.mha.set_fastpath_enabled(False)
HERE = pathlib.Path(__file__).parent / 'networks'

# How: exporter ('script': dynamo=False, 'dynamo': the default), opset, and what is special.
PLANS = {
    'mlp': [
        *[dict(exporter='script', opset=v) for v in (9, 11, 13, 17, 20)],
        *[dict(exporter='dynamo', opset=v) for v in (18, 20, 21, 23, 25)],
        dict(exporter='script', opset=17, batch=1), dict(exporter='dynamo', opset=20, batch=1),
        dict(exporter='script', opset=9, keep_inputs=True),
        dict(exporter='script', opset=17, fold=False),
        dict(exporter='script', opset=17, external=True),
        dict(exporter='dynamo', opset=20, external=True),
        dict(exporter='script', opset=17, dtype='float16'),
        dict(exporter='dynamo', opset=20, dtype='float16'),
        dict(exporter='dynamo', opset=20, dtype='bfloat16'),
        dict(exporter='script', opset=17, dtype='float64'),
        *[dict(exporter='script', opset=17, variant=v) for v in VARIANTS],
        dict(exporter='dynamo', opset=20, variant='functions'),
    ],
    'conv_bn': [
        dict(exporter='script', opset=13), dict(exporter='script', opset=17, keep_norms=True),
        dict(exporter='script', opset=17, batch=1), dict(exporter='dynamo', opset=18),
        dict(exporter='dynamo', opset=23), dict(exporter='dynamo', opset=20, batch=1),
        dict(exporter='dynamo', opset=20, external=True),
    ],
    'norms': [
        dict(exporter='script', opset=11), dict(exporter='script', opset=17),
        dict(exporter='dynamo', opset=18), dict(exporter='dynamo', opset=22),
    ],
    'transformer': [
        dict(exporter='script', opset=14), dict(exporter='script', opset=17),
        dict(exporter='script', opset=17, batch=1), dict(exporter='dynamo', opset=18),
        dict(exporter='dynamo', opset=23), dict(exporter='dynamo', opset=20, dtype='bfloat16'),
    ],
    'gpt': [
        dict(exporter='script', opset=17), dict(exporter='dynamo', opset=18),
        dict(exporter='dynamo', opset=23), dict(exporter='script', opset=17, dtype='float16'),
    ],
    'siamese': [
        dict(exporter='script', opset=17), dict(exporter='dynamo', opset=20),
        dict(exporter='dynamo', opset=20, batch=1),
    ],
    'gru': [dict(exporter='script', opset=17), dict(exporter='dynamo', opset=20)],
    'lstm': [dict(exporter='script', opset=17), dict(exporter='dynamo', opset=20)],
    'sequence': [dict(exporter='script', opset=13), dict(exporter='dynamo', opset=20)],
}


def file_name(plan):
    words = [f"{plan['exporter']}{plan['opset']}"]
    for key, value in plan.items():
        if key not in ('exporter', 'opset'):
            words.append(value if isinstance(value, str) else f'{key}{value}')
    return '_'.join(words).replace('True', '').replace('foldFalse', 'unfolded') + '.onnx'


def export(net, inputs, path, plan):
    dtype = getattr(torch, plan.get('dtype', 'float32'))
    net = net.to(dtype)
    inputs = [x.to(dtype) if x.is_floating_point() else x for x in inputs]
    if plan.get('batch'):
        inputs = [x[:1] for x in inputs]
    names = [f'in_{k}' for k in range(len(inputs))]
    outputs = ['embedding', 'score'] if len(inputs) == 2 else ['out']
    more = {}
    if plan['exporter'] == 'script':
        if not plan.get('batch'):
            more['dynamic_axes'] = {name: {0: 'batch'} for name in names + outputs}
        if plan.get('keep_norms'):
            more['training'] = torch.onnx.TrainingMode.PRESERVE
        more['keep_initializers_as_inputs'] = plan.get('keep_inputs', False)
        more['do_constant_folding'] = plan.get('fold', True)
    else:
        # Left to itself it stores only large tensors outside; ours are small.
        more['external_data'] = False
        if not plan.get('batch'):
            more['dynamic_shapes'] = tuple({0: torch.export.Dim('batch')} for _ in names)
    torch.onnx.export(
        net, tuple(inputs), path, input_names=names, output_names=outputs, verbose=False,
        opset_version=plan['opset'], dynamo=plan['exporter'] == 'dynamo', **more)
    model = onnx.load(path)
    # Stack traces and the like name files of the machine and are long.
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ''
    model = VARIANTS[plan['variant']](model) if 'variant' in plan else model
    external(model, path) if plan.get('external') else onnx.save(model, path)
    return onnx.load(path)


def describe(model, path, plan, params):
    """What the file's float initializers are: parameters, with the network's name, or constants."""
    floats = {i.name: numpy_helper.to_array(i).astype(np.float64) for i in model.graph.initializer
              if i.data_type in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)}
    holds = {name: match(array, params) for name, array in floats.items()}
    # Gates are reordered and biases joined in a recurrent operator's weights.
    recurrent = [name for n in model.graph.node if n.op_type in ('GRU', 'LSTM') for name in n.input[1:4]]
    kernel = 'ntk'
    if 'folded.0.weight' in params and all(n.op_type != 'BatchNormalization' for n in model.graph.node):
        kernel = 'ntk_folded'
    if list(holds.values()).count('embed.weight') > 1:
        kernel = 'ntk_untied'
    return {
        'file': path.name, **plan, 'kernel': kernel,
        'inputs': [i.name for i in model.graph.input if i.name not in floats],
        'parameters': {name: held or '' for name, held in holds.items() if held or name in recurrent},
        'others': [name for name, held in holds.items() if not held and name not in recurrent],
        'operators': sorted({n.op_type for n in model.graph.node}),
    }


def main(names):
    for name in names or NETS:
        folder = HERE / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        net, inputs, output = build(name)
        outputs, ntk, traces = reference(net, inputs, output)
        for k, x in enumerate(inputs):
            np.save(folder / f'input_{k}.npy', x.numpy())
        np.save(folder / 'output.npy', outputs)
        np.save(folder / 'ntk.npy', ntk)
        params = {key: p.detach().double().numpy() for key, p in net.named_parameters()}
        if name == 'conv_bn':
            plain = folded(net)
            np.save(folder / 'ntk_folded.npy', reference(plain, inputs, output)[1])
            params |= {f'folded.{k}': p.detach().numpy() for k, p in plain.named_parameters()}
        if name == 'gpt':
            np.save(folder / 'ntk_untied.npy', reference(untied(net), inputs, output)[1])
        files = []
        for plan in PLANS[name]:
            path = folder / file_name(plan)
            try:
                model = export(build(name)[0], inputs, path, plan)
            except Exception as error:
                print(f'{path.name}: {type(error).__name__}: {str(error)[:200]}')
                path.unlink(missing_ok=True)
                continue
            about = describe(model, path, plan, params)
            files.append(about)
            size = sum(f.stat().st_size for f in folder.glob(path.name + '*'))
            print(f"{name}/{path.name}: {size} bytes, others: {about['others']}")
        about = {'output': output, 'traces': traces, 'files': files}
        (folder / 'about.json').write_text(json.dumps(about, indent=1) + '\n')


if __name__ == '__main__':
    main(sys.argv[1:])
