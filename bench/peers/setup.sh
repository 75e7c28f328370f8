#!/bin/sh
# Makes the peers' two Python environments under out/peers/ (their NumPy versions exclude each
# other). Needs Python 3.11 and pip's ordinary index; nothing in the product uses them.
set -eu
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3.11}
for side in torch jax; do
  venv=out/peers/venv-$side
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check \
    --requirement "bench/peers/requirements-$side.txt"
done
# Without their dependencies: BackPACK asks for torchvision, which it only uses in its examples;
# neural-tangents asks for TensorFlow, which only its tf module uses (peer.py leaves that out).
# nngeometry and laplace-torch ask for torchvision, which they use in examples only.
out/peers/venv-torch/bin/pip install --quiet --no-deps backpack-for-pytorch==1.7.1 \
  nngeometry==0.4 laplace-torch==0.3 asdfghjkl==0.1a4 curvlinops-for-pytorch==3.0.1
out/peers/venv-jax/bin/pip install --quiet --no-deps neural-tangents==0.6.5 jaxonnxruntime==0.3.0
out/peers/venv-torch/bin/python -c 'import torch, backpack; print("torch", torch.__version__)'
out/peers/venv-jax/bin/python -c 'import jax; print("jax", jax.__version__)'
touch out/peers/made-torch out/peers/made-jax
