"""Exported fits in Python's onnxruntime and in ONNX's reference evaluator (numpy): python runtimes.py FOLDER.

Needs onnx, onnxruntime and numpy; the folder is what `node dist/test/export/write.js FOLDER` writes.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

worst = 0.0
for path in sorted(Path(sys.argv[1]).glob("*.onnx")):
    x = np.load(path.with_suffix(".x.npy"))
    y = np.load(path.with_suffix(".y.npy"))
    onnx.checker.check_model(str(path), full_check=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: x}
    found = {
        "onnxruntime": session.run(["prediction"], feed)[0],
        "reference evaluator": ReferenceEvaluator(str(path)).run(["prediction"], feed)[0],
    }
    for runtime, value in found.items():
        error = np.abs(value - y).max() / np.abs(y).max() if value.shape == y.shape else np.inf
        worst = max(worst, error)
        print(f"{path.stem:12} {runtime:20} {error:.1e}")
sys.exit(int(worst > 1e-5))
