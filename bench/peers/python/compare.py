"""`compare.py TRUTH OTHER …`: for each the largest difference over the truth's largest entry."""

import json
import sys

import numpy as np

truth = np.load(sys.argv[1], mmap_mode='r')
scale = float(np.abs(truth).max())
errors = []
for path in sys.argv[2:]:
    other = np.load(path, mmap_mode='r')
    if other.shape != truth.shape:
        errors.append(None)
        continue
    errors.append(max(float(np.abs(o - t).max()) for o, t in zip(other, truth)) / scale)
print(json.dumps(errors))
