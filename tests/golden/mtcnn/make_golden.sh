#!/usr/bin/env bash
# The study's detector in an environment of its own, and the golden faces. From the top folder:
#     bash tests/golden/mtcnn/make_golden.sh            (about 1 GB to fetch, 4 minutes)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
.venv/bin/python -m tests.golden.mtcnn.pictures "$work/pictures.npz"
"${PYTHON:-python3}" -m venv "$work/mtcnn"
"$work/mtcnn/bin/pip" install --quiet tensorflow-cpu==2.15.1 'setuptools<81' opencv-python-headless==4.11.0.86
"$work/mtcnn/bin/pip" install --quiet --no-deps mtcnn==0.1.1
"$work/mtcnn/bin/python" -m tests.golden.mtcnn.make_golden "$work/pictures.npz" 0.1.1 golden.json
"$work/mtcnn/bin/pip" install --quiet --no-deps mtcnn==0.1.0
"$work/mtcnn/bin/python" -m tests.golden.mtcnn.make_golden "$work/pictures.npz" 0.1.0 golden_0.1.0.json
