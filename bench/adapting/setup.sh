#!/bin/sh
# Makes the Python environment of `npm run bench -- adapting` under out/adapting/: the tabular sets
# (packages that bring them along) and the peers. Needs Python 3.11 and pip's ordinary index.
set -eu
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3.11}
venv=out/adapting/venv
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --requirement bench/adapting/requirements.txt
"$venv/bin/python" bench/adapting/sets.py out/adapting/sets
touch out/adapting/made
