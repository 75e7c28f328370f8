"""Reads a store as others do: python read.py K.zarr K.npy compares with the kernel in memory.

zarr-python checks the checksums of what it reads; numpy reads a chunk as it lies in the file.
"""
import json
import sys
from pathlib import Path

import numpy as np
import zarr

path, truth = Path(sys.argv[1]), np.load(sys.argv[2])
array = zarr.open_array(str(path), mode="r")
whole = array[:]
assert whole.shape == truth.shape and whole.dtype == np.float32, (whole.shape, whole.dtype)
error = np.abs(whole - truth).max() / np.abs(truth).max()
assert error < 1e-5, error
assert np.array_equal(whole, whole.T)
assert np.array_equal(array[3:7, 1:9], whole[3:7, 1:9])

meta = json.loads((path / "zarr.json").read_text())
side = meta["chunk_grid"]["configuration"]["chunk_shape"]
chunk = np.frombuffer((path / "c/0/0").read_bytes()[:-4], "<f4").reshape(side)
size = min(side[0], whole.shape[0])
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
