#!/bin/sh
# Makes the Python environment that make.py needs (about 2 GB): ./setup.sh
set -e
cd "$(dirname "$0")"
python3 -m venv environment
environment/bin/pip install torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 numpy pillow transformers==5.23.0
# Its compiled part needs another build of PyTorch; architectures.py does without.
environment/bin/pip install --no-deps torchvision==0.28.0
