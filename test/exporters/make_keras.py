"""Keras networks (TensorFlow) through tf2onnx, with references by tf.GradientTape in float64.

`environment-tf/bin/python make_keras.py`; files as make.py's.
"""
import json
import os
import pathlib

os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
os.environ['CUDA_VISIBLE_DEVICES'] = ''
import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from keras import layers

HERE = pathlib.Path(__file__).parent / 'networks'


def dense(dtype):
    return keras.Sequential([
        keras.Input((6,), dtype=dtype),
        layers.Dense(7, activation='selu', dtype=dtype),
        layers.Dense(5, activation='swish', dtype=dtype), layers.Dense(3, dtype=dtype)])


def images(dtype):
    """Channels last; strides, depthwise convolution, BatchNormalization at inference."""
    return keras.Sequential([
        keras.Input((8, 8, 2), dtype=dtype),
        layers.Conv2D(4, 3, padding='same', activation='relu', dtype=dtype),
        layers.BatchNormalization(dtype=dtype),
        layers.DepthwiseConv2D(3, strides=2, padding='same', activation='leaky_relu', dtype=dtype),
        layers.MaxPooling2D(2, dtype=dtype), layers.Flatten(dtype=dtype),
        layers.Dense(3, activation='softmax', dtype=dtype)])


def reference(net, x):
    """Outputs (N, O) and NTK (N, O, N, O) in the file's parameters: the converter writes
    BatchNormalization as y = m h + c, m = gamma s and c = beta - mean m, with m and c stored."""
    rows, outputs = [], []
    norm = next((layer for layer in net.layers if isinstance(layer, layers.BatchNormalization)), None)
    names = [v.path.split('/')[-1] for v in net.trainable_variables]
    for i in range(len(x)):
        with tf.GradientTape(persistent=True) as tape:
            y = net(x[i:i + 1], training=False)[0]
            parts = tf.unstack(y)
        outputs.append(y.numpy())
        for part in parts:
            gradients = tape.gradient(part, net.trainable_variables)
            gradients = [g.numpy() for g in gradients]
            if norm is not None:
                gamma, beta = names.index('gamma'), names.index('beta')
                s = 1 / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
                gradients[gamma] = gradients[gamma] / s + norm.moving_mean.numpy() * gradients[beta]
            rows.append(np.concatenate([g.ravel() for g in gradients]))
    rows, outputs = np.stack(rows), np.stack(outputs)
    return outputs, (rows @ rows.T).reshape(*outputs.shape, *outputs.shape)


def main():
    for name, (make, shape) in {'keras_dense': (dense, (6,)), 'keras_images': (images, (8, 8, 2))}.items():
        folder = HERE / name
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(11)
        wide, narrow = make('float64'), make('float32')
        values = []
        for variable in wide.variables:
            value = np.round((variable.numpy() + 0.2 * rng.normal(size=variable.shape)) * 128) / 128
            values.append(np.abs(value) + 0.25 if 'variance' in variable.path else value)
        wide.set_weights(values)
        narrow.set_weights([value.astype(np.float32) for value in values])
        x = np.round(rng.normal(size=(4, *shape)) * 128) / 128
        outputs, ntk = reference(wide, x)
        np.save(folder / 'input_0.npy', x.astype(np.float32))
        np.save(folder / 'output.npy', outputs)
        np.save(folder / 'ntk.npy', ntk)
        files = []
        for opset in (13, 18):
            function = tf.function(lambda x: narrow(x, training=False), input_signature=[
                tf.TensorSpec((None, *shape), tf.float32, name='x')])
            model, _ = tf2onnx.convert.from_function(function, function.input_signature, opset=opset)
            path = folder / f'tf2onnx{opset}.onnx'
            onnx.save(model, path)
            floats = [i for i in model.graph.initializer if i.data_type == 1]
            files.append({
                'file': path.name, 'exporter': 'tf2onnx', 'opset': opset, 'kernel': 'ntk',
                'inputs': [i.name for i in model.graph.input],
                'parameters': {i.name: '' for i in floats if len(i.dims) > 0},
                'others': [i.name for i in floats if len(i.dims) == 0],
                'operators': sorted({n.op_type for n in model.graph.node})})
            print(name, path.name, path.stat().st_size, files[-1],
                  [(i.name, list(i.dims)) for i in floats], [v.path for v in wide.variables])
        (folder / 'about.json').write_text(
            json.dumps({'output': 0, 'traces': {}, 'files': files}, indent=1) + '\n')


if __name__ == '__main__':
    main()
