"""Reads a store as others do: python read.py K.zarr K.npy compares with the kernel in memory.

zarr-python checks the checksums of what it reads; numpy reads a chunk as it lies in the file. Of a store of bfloat16,
which zarr-python does not know, chunks are read alone, with ml_dtypes.
"""
import json
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import zarr

path, truth = Path(sys.argv[1]), np.load(sys.argv[2])
meta = json.loads((path / "zarr.json").read_text())
side = meta["chunk_grid"]["configuration"]["chunk_shape"]
kind = np.dtype(ml_dtypes.bfloat16 if meta["data_type"] == "bfloat16" else meta["data_type"])
chunk = np.frombuffer((path / "c/0/0").read_bytes()[:-4], kind).reshape(side)
size = min(side[0], truth.shape[0])
tolerance = {"float32": 1e-5, "float16": 2**-11 * 1.01, "bfloat16": 2**-8 * 1.01}[meta["data_type"]]
corner = chunk[:size, :size].astype(np.float64)
assert np.all(np.abs(corner - truth[:size, :size]) <= tolerance * truth.max()), "the first chunk"
if kind != np.float32:
    nearest = truth[:size, :size].astype(kind).astype(np.float64)
    # The last bit of the two computations in float32 may differ, and so where a number goes that lies between two.
    assert np.mean(corner == nearest) > 0.95, "numbers are not the nearest"
if meta["data_type"] == "bfloat16":
    print("read a chunk of bfloat16")
    sys.exit()
array = zarr.open_array(str(path), mode="r")
whole = array[:]
assert whole.shape == truth.shape and whole.dtype == kind, (whole.shape, whole.dtype)
error = np.abs(whole - truth).max() / np.abs(truth).max()
assert error < tolerance, error
assert np.array_equal(whole, whole.T)
assert np.array_equal(array[3:7, 1:9], whole[3:7, 1:9])

assert np.array_equal(chunk[:size, :size], whole[:size, :size])

damaged = path / "c/0/0"
before = damaged.read_bytes()
damaged.write_bytes(bytes([before[0] ^ 1]) + before[1:])
try:
    array[0, 0]
except ValueError as problem:
    print("refused:", problem)
else:
    raise AssertionError("a damaged chunk was read")
finally:
    damaged.write_bytes(before)
print("read", whole.shape, "error", error)
