"""Writes arrays.json: small array files made by numpy, onnx and safetensors, with their contents.

python -m pip install numpy ml_dtypes onnx safetensors && python make_arrays.py
Each entry: name, file (base64), and the array's dtype, shape and values in C order (numbers as
text, exactly; floats of 16 bits count as float32), or `refused` for one that must not be read.
"""
import base64, io, json, pathlib
import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save

rng = np.random.default_rng(7)
rows = []


def contents(array):
    widened = array.astype(np.float32) if array.dtype.itemsize == 2 and array.dtype.kind in 'fV' else array
    values = [str(int(v)) if array.dtype.kind in 'iub' else repr(float(v)) for v in widened.ravel()]
    return {'dtype': widened.dtype.name, 'shape': list(array.shape), 'values': values}


def row(name, data, array=None, **more):
    about = {} if array is None else contents(array)
    rows.append({'name': name, 'file': base64.b64encode(data).decode(), **about, **more})


def npy(array, version=None):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=version, allow_pickle=True)
    return stream.getvalue()


def numbers(dtype, shape):
    dtype = np.dtype(dtype)
    if dtype.kind == 'b':
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.kind in 'iu':
        info = np.iinfo(dtype)
        array = rng.integers(info.min, info.max, shape, dtype=dtype.newbyteorder('='), endpoint=True)
        if array.size > 1:
            array.flat[0], array.flat[-1] = info.min, info.max
        return array.astype(dtype)
    array = rng.normal(size=shape).astype(dtype)
    if array.size > 5:
        array.flat[:5] = [np.inf, -np.inf, np.nan, -0.0, np.finfo(dtype).smallest_subnormal]
    return array


for code in ['f2', 'f4', 'f8', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'b1']:
    for endian in '<>' if code[1] != '1' else '|':
        array = numbers(endian + code, (2, 3, 4))
        row(f'{endian}{code} C.npy', npy(array), array)
        row(f'{endian}{code} Fortran.npy', npy(np.asfortranarray(array)), array)
for shape in [(), (1,), (5,), (0,), (3, 0, 2), (1, 4), (2, 1, 3, 1, 2)]:
    array = numbers('<f4', shape)
    row(f'shape {shape} C.npy', npy(array), array)
    row(f'shape {shape} Fortran.npy', npy(np.array(array, order='F')), array)
for version in [(1, 0), (2, 0), (3, 0)]:
    array = numbers('<f8', (3, 5))
    row(f'version {version[0]}.npy', npy(np.asfortranarray(array), version), array)
row('objects.npy', npy(np.array([1, 'a', None], dtype=object)), refused='Python objects')
row('structured.npy', npy(np.zeros(3, dtype=[('a', '<f4'), ('b', '<i8')])), refused='structured type')
row('complex.npy', npy(np.zeros(3, dtype=np.complex64)), refused='entries of type <c8')
row('strings.npy', npy(np.array(['ab', 'c'])), refused='entries of type <U2')
row('dates.npy', npy(np.array(['2024-01-01'], dtype='datetime64[D]')), refused='entries of type <M8')
row('long double.npy', npy(np.zeros(2, dtype='<f16')), refused='entries of type <f16')

types = {
    'FLOAT': 'f4', 'DOUBLE': 'f8', 'FLOAT16': 'f2', 'BFLOAT16': ml_dtypes.bfloat16, 'BOOL': 'b1',
    'INT8': 'i1', 'INT16': 'i2', 'INT32': 'i4', 'INT64': 'i8',
    'UINT8': 'u1', 'UINT16': 'u2', 'UINT32': 'u4', 'UINT64': 'u8',
}
for name, dtype in types.items():
    array = rng.normal(size=(2, 3)).astype(dtype) if name == 'BFLOAT16' else numbers(dtype, (2, 3))
    row(f'{name} raw.pb', numpy_helper.from_array(array, 'a').SerializeToString(), array)
    typed = helper.make_tensor('a', getattr(TensorProto, name), array.shape, array.ravel())
    assert not typed.raw_data
    row(f'{name} typed.pb', typed.SerializeToString(), array)
row('scalar.pb', numpy_helper.from_array(np.array(2.5, dtype=np.float32)).SerializeToString(), np.array(2.5, dtype=np.float32))
row('empty.pb', numpy_helper.from_array(np.zeros((0, 3), dtype=np.float32)).SerializeToString(), np.zeros((0, 3), dtype=np.float32))
for name in ['FLOAT8E4M3FN', 'INT4', 'COMPLEX64']:
    tensor = helper.make_tensor('a', getattr(TensorProto, name), (4,), [1, 2, 3, 4])
    row(f'{name}.pb', tensor.SerializeToString(), refused=f'{name} entries')
strings = helper.make_tensor('a', TensorProto.STRING, (2,), [b'x', b'y'])
row('STRING.pb', strings.SerializeToString(), refused='STRING entries')
external = TensorProto(dims=[2], data_type=1, data_location=TensorProto.EXTERNAL)
onnx.external_data_helper.set_external_data(numpy_helper.from_array(np.zeros(2, np.float32)), 'x')
external.external_data.add(key='location', value='weights.bin')
row('external.pb', external.SerializeToString(), refused='another file')

tensors = {
    'f32': numbers('f4', (3, 2)), 'f64': numbers('f8', (7,)), 'f16': numbers('f2', (3, 3)),
    'bf16': rng.normal(size=(5,)).astype(ml_dtypes.bfloat16), 'i64': numbers('i8', (2,)),
    'i32': numbers('i4', (1, 3)), 'i16': numbers('i2', (3,)), 'i8': numbers('i1', (3,)),
    'u8': numbers('u1', (3,)), 'u16': numbers('u2', (3,)), 'u32': numbers('u4', (3,)),
    'u64': numbers('u8', (3,)), 'bool': numbers('b1', (5,)), 'scalar': np.array(1.5, dtype=np.float32),
    'empty': np.zeros((0, 4), dtype=np.float32), 'layer.0/weight:ü': numbers('f4', (2,)),
}
rows.append({
    'name': 'all types.safetensors',
    'file': base64.b64encode(save(tensors, {'format': 'np', 'note': 'ü'})).decode(),
    'tensors': {key: contents(value) for key, value in tensors.items()},
})

out = pathlib.Path(__file__).with_name('arrays.json')
out.write_text('[\n' + ',\n'.join(json.dumps(entry) for entry in rows) + '\n]\n')
