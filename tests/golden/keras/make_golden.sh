#!/usr/bin/env bash
# Keras in an environment of its own, the golden ages, and our import held against Keras's own file. From the top folder:
#     bash tests/golden/keras/make_golden.sh            (about 1 GB to fetch, 3 minutes)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/keras"
"$work/keras/bin/pip" install --quiet tensorflow-cpu==2.15.1 'setuptools<81'
"$work/keras/bin/python" -m tests.golden.keras.make_golden "$work/faceage_model.h5"
.venv/bin/faceage-bio weights import "$work/faceage_model.h5" --output "$work/model"
.venv/bin/faceage-bio weights verify "$work/model" --reference "$work/faceage_model.npz" --tolerance 1e-3
