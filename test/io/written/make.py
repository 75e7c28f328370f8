"""Arrays as numpy and zarr-python write them: rows 0, 1, … of 3 × 2 in float32, each entry its number / 8.

python make.py FOLDER   (numpy 2, zarr 3)
"""
import sys

import numpy as np
import zarr

folder = sys.argv[1]
rows = (np.arange(7 * 6, dtype=np.float32) / 8).reshape(7, 3, 2)
labels = np.array([3, 1, 2, 3, 1, 2, 3])
np.savez(f"{folder}/stored.npz", rows=rows, labels=labels, fortran=np.asfortranarray(rows))
np.savez_compressed(f"{folder}/packed.npz", rows=rows, labels=labels, fortran=np.asfortranarray(rows))
np.savez(f"{folder}/alone.npz", rows)
np.savetxt(f"{folder}/plain.csv", rows.reshape(7, 6), delimiter=",")
with open(f"{folder}/table.csv", "w") as table:
    table.write("a,b,label\r\n")
    for row, label in zip(rows, labels):
        table.write(f"{row[0, 0]},{row[0, 1]},{label}\r\n")
for version in (2, 3):
    zarr.create_array(f"{folder}/v{version}.zarr", data=rows, chunks=(3, 3, 2), zarr_format=version)
zarr.create_array(f"{folder}/plain.zarr", data=rows, chunks=(3, 3, 2), compressors=None)
zarr.create_array(f"{folder}/sharded.zarr", data=rows, chunks=(1, 3, 2), shards=(4, 3, 2))
group = zarr.create_group(f"{folder}/group.zarr")
group.create_array("labels", data=labels, chunks=(7,))
group.create_array("truth", data=labels > 2, chunks=(7,))
