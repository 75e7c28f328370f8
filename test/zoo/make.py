"""Exports the architectures of architectures.py with random weights, with float64 references.

./setup.sh makes the environment; then `environment/bin/python make.py small|large|NAME …`.
Small ones go to ../fixtures/zoo (committed), large ones to networks/ (not committed). A folder holds
<exporter><opset>.onnx, input_k.npy, output.npy (N, O), ntk.npy (N, 2, N, 2) of two outputs, traces.npy
(parameters, N, N), all float64, and about.json: which initializer of each file holds which parameter.
"""
import json
import logging
import pathlib
import shutil
import sys
import time
import warnings

import numpy as np
import onnx
import torch
from onnx import TensorProto, numpy_helper

from architectures import LARGE, SMALL, build, has_norms
from reference import FULL_OUTPUTS, folded, reference

warnings.filterwarnings('ignore')
logging.disable(logging.WARNING)
torch.backends.mha.set_fastpath_enabled(False)
# More threads wait for each other where the cores are busy.
torch.set_num_threads(1)
HERE = pathlib.Path(__file__).parent
EXPORTS = [('script', 17), ('dynamo', 20)]
# Why an exporter is not tried.
LEFT_OUT = {('swin_v2_small', 'dynamo'):
            'it folds half of the position bias into numbers that no reference here knows'}


def export(net, inputs, path, exporter, opset):
    names = [f'in_{k}' for k in range(len(inputs))]
    more = {}
    if exporter == 'script':
        more['dynamic_axes'] = {name: {0: 'batch'} for name in [*names, 'out']}
        if has_norms(net):
            # They stay operators of their own.
            more['training'] = torch.onnx.TrainingMode.PRESERVE
    else:
        more['dynamic_shapes'] = tuple({0: torch.export.Dim('batch')} for _ in names)
        more['external_data'] = False
    torch.onnx.export(net, inputs, path, input_names=names, output_names=['out'], verbose=False,
                      opset_version=opset, dynamo=exporter == 'dynamo', **more)
    model = onnx.load(path)
    # Stack traces and the like name files of the machine and are long.
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ''
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output]:
        del value.metadata_props[:]
    signature = [p for p in model.graph.metadata_props if p.key.endswith('graph_signature')]
    del model.graph.metadata_props[:]
    model.graph.metadata_props.extend(signature)
    onnx.save(model, path)
    return model


def holds(array, name, value):
    """Are an initializer's numbers a parameter's, perhaps transposed or reshaped, or the first rows of a
    table of positions?"""
    views = [value, value.T] if value.size == array.size else []
    if name.endswith('folded_bias'):
        views.append(value[0].reshape(len(value[0]), -1).T)
    if 'position_embeddings' in name or 'wpe' in name:
        views = [value.ravel()[:array.size]]
    return any(view.size == array.size and np.allclose(view.ravel(), array.ravel(), rtol=1e-4, atol=1e-6)
               for view in views)


def holders(model, params):
    """{initializer: parameter} by their numbers; of tied weights stored twice, what is looked up is the
    embedding."""
    looked_up = {n.input[0] for n in model.graph.node if n.op_type == 'Gather'}
    arrays = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer if t.data_type == TensorProto.FLOAT}
    held = {}
    for initializer in sorted(arrays, key=lambda name: name not in params):
        fitting = [name for name, value in params.items() if holds(arrays[initializer], name, value)]
        if len(fitting) == 1 or initializer in fitting and 'model.lm_head.weight' not in fitting:
            held[initializer] = initializer if initializer in fitting else fitting[0]
        elif fitting:
            head = [name for name in fitting if 'lm_head' in name]
            held[initializer] = next(name for name in fitting if (name in head) != (initializer in looked_up))
    return held


def store_reference(folder, net, inputs, suffix=''):
    start = time.time()
    output, ntk, traces = reference(net, inputs)
    print(f'{folder.name}{suffix}: reference in {time.time() - start:.1f} s, outputs {output[0][:4]}', flush=True)
    np.save(folder / 'output.npy', output)
    np.save(folder / f'ntk{suffix}.npy', ntk)
    np.save(folder / f'traces{suffix}.npy', np.stack(list(traces.values())))
    return {'parameters': list(traces), 'count': sum(p.numel() for p in net.parameters())}


def make(name):
    folder = (HERE / 'networks' if name in LARGE else HERE.parent / 'fixtures' / 'zoo') / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    net, inputs = build(name)
    for k, x in enumerate(inputs):
        np.save(folder / f'input_{k}.npy', x.numpy())
    nets, references = {'': net}, {'': store_reference(folder, net, inputs)}
    other = folded(net)
    if other is not None:
        nets['_folded'] = other
        references['_folded'] = store_reference(folder, other, inputs, '_folded')
    buffers = {k: b.numpy() for k, b in net.named_buffers() if b.is_floating_point() and 'running' not in k}
    files, missing_files = [], {}
    for exporter, opset in EXPORTS:
        path = folder / f'{exporter}{opset}.onnx'
        if (name, exporter) in LEFT_OUT:
            missing_files[path.name] = LEFT_OUT[name, exporter]
            continue
        try:
            model = export(build(name)[0], inputs, path, exporter, opset)
        except Exception as error:
            why = next(line for line in str(error).splitlines() if line)
            missing_files[path.name] = f'the exporter fails: {type(error).__name__}: {why[:200]}'
            path.unlink(missing_ok=True)
            continue
        if name in SMALL and path.stat().st_size > 200_000:
            missing_files[path.name] = f'{path.stat().st_size} bytes are too many to commit'
            path.unlink()
            continue
        names = {name for node in model.graph.node for name in node.output}
        names |= {t.name for t in model.graph.initializer}
        found = {}
        for suffix, candidate in nets.items():
            params = {k: p.detach().numpy() for k, p in candidate.named_parameters()}
            held = holders(model, params)
            found[suffix] = held, sorted(set(params) - set(held.values()))
        # Each parameter in one initializer: that is the network which was stored.
        suffix = min(found, key=lambda suffix: len(found[suffix][1]) + len(found[suffix][0])
                     - len(set(found[suffix][0].values())))
        held, missing = found[suffix]
        files.append({'file': path.name, 'exporter': exporter, 'opset': opset, 'reference': suffix, 'holds': held,
                      'buffers': sorted(names & set(buffers)),
                      'operators': sorted({n.op_type for n in model.graph.node})})
        print(f'{name}/{path.name}: {path.stat().st_size} bytes, reference {suffix}, without an initializer: '
              f'{missing}', flush=True)
    for file, why in missing_files.items():
        print(f'{name}/{file}: {why}', flush=True)
    about = {'outputs': FULL_OUTPUTS, 'references': references, 'files': files, 'missing': missing_files}
    (folder / 'about.json').write_text(json.dumps(about, indent=1) + '\n')


if __name__ == '__main__':
    groups = {'small': SMALL, 'large': LARGE}
    for word in sys.argv[1:]:
        for name in groups.get(word, [word]):
            make(name)
