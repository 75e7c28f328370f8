#!/bin/sh
# Makes the Python environments that the scripts here need (several GB): ./setup.sh
set -e
cd "$(dirname "$0")"
python3 -m venv environment
environment/bin/pip install torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 numpy scikit-learn==1.9.1 skl2onnx==1.20.0
python3 -m venv environment-jax
environment-jax/bin/pip install jax==0.10.2 jaxlib==0.10.2 flax==0.12.8 jax2onnx==0.17.1 onnx==1.23.2
python3 -m venv environment-tf
environment-tf/bin/pip install tensorflow-cpu==2.21.0 tf2onnx==1.17.0
