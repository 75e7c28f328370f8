"""Changes to an exported model that keep its function: how weights are stored elsewhere."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def _floats(model):
    return [i for i in model.graph.initializer if i.data_type == TensorProto.FLOAT]


def _replace(model, make):
    """Stores each float initializer under another name and computes the old name from it."""
    nodes = []
    for tensor in _floats(model):
        stored, node = make(tensor.name, numpy_helper.to_array(tensor))
        if stored is None:
            model.graph.initializer.remove(tensor)
        else:
            tensor.CopyFrom(stored)
        nodes.append(node)
    for node in reversed(nodes):
        model.graph.node.insert(0, node)
    return model


def constants(model):
    return _replace(model, lambda name, array: (
        None, helper.make_node('Constant', [], [name], value=numpy_helper.from_array(array))))


def identities(model):
    return _replace(model, lambda name, array: (
        numpy_helper.from_array(array, name + '_stored'),
        helper.make_node('Identity', [name + '_stored'], [name])))


def transposed(model):
    return _replace(model, lambda name, array: (
        numpy_helper.from_array(np.ascontiguousarray(array.T), name + '_t'),
        helper.make_node('Transpose', [name + '_t'], [name])))


def cast(model):
    """Weights stored in half precision, converted when the network runs."""
    return _replace(model, lambda name, array: (
        numpy_helper.from_array(array.astype(np.float16), name + '_half'),
        helper.make_node('Cast', [name + '_half'], [name], to=TensorProto.FLOAT)))


def quantised(model):
    """8-bit weights behind DequantizeLinear; the function is only nearly the same."""
    scales = []

    def make(name, array):
        scale = float(np.abs(array).max() / 127)
        scales.append(numpy_helper.from_array(np.float32(scale).reshape(()), name + '_scale'))
        scales.append(numpy_helper.from_array(np.int8(0).reshape(()), name + '_zero'))
        stored = numpy_helper.from_array(np.round(array / scale).astype(np.int8), name + '_int8')
        return stored, helper.make_node(
            'DequantizeLinear', [name + '_int8', name + '_scale', name + '_zero'], [name])

    model = _replace(model, make)
    model.graph.initializer.extend(scales)
    return model


def functions(model):
    """Every Gemm inside a local function of the model, one of them with an attribute handed in."""
    opset = model.opset_import[0].version
    gemm = helper.make_node('Gemm', ['x', 'w', 'b'], ['y'], transB=1)
    gemm.attribute[0].ref_attr_name = 'transposed'
    gemm.attribute[0].ClearField('i')
    model.functions.append(helper.make_function(
        'mine', 'Inner', ['x', 'w', 'b'], ['y'], [gemm],
        [helper.make_opsetid('', opset)], ['transposed']))
    model.functions.append(helper.make_function(
        'mine', 'Dense', ['x', 'w', 'b'], ['y'],
        [helper.make_node('Identity', ['x'], ['h']),
         helper.make_node('Inner', ['h', 'w', 'b'], ['y'], domain='mine', transposed=1)],
        [helper.make_opsetid('', opset), helper.make_opsetid('mine', 1)]))
    model.opset_import.append(helper.make_opsetid('mine', 1))
    for node in model.graph.node:
        if node.op_type == 'Gemm':
            node.op_type, node.domain = 'Dense', 'mine'
            node.ClearField('attribute')
    return model


VARIANTS = {f.__name__: f for f in (constants, identities, transposed, cast, quantised, functions)}


def external(model, path):
    """All weights in a file next to the model, each at an offset of its own."""
    onnx.save(model, path, save_as_external_data=True, all_tensors_to_one_file=True,
              location=path.name + '.data', size_threshold=0)
