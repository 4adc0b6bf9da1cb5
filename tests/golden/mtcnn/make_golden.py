"""Faces that mtcnn 0.1.1, the study's detector, finds on drawn and on real portraits, and those of 0.1.0, the one before it:
golden for tests/faces/test_vision_detect.py.

make_golden.sh beside this file installs what it needs and runs it. It writes golden.json and golden_0.1.0.json: for each picture
its faces in order, [x, y, width, height, confidence, ten landmark numbers].
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
from mtcnn import MTCNN

if __name__ == "__main__":
    detector = MTCNN()
    faces = {}
    with np.load(sys.argv[1]) as pictures:
        for name in pictures.files:
            found = detector.detect_faces(pictures[name])
            points = [
                [
                    int(v)
                    for key in ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
                    for v in face["keypoints"][key]
                ]
                for face in found
            ]
            faces[name] = [
                [*map(int, face["box"]), float(face["confidence"]), *more]
                for face, more in zip(found, points, strict=True)
            ]
    version, output = sys.argv[2:]
    made_with = (
        f"mtcnn {version}, tensorflow {tf.__version__}, opencv {cv2.__version__}, numpy {np.__version__}"
    )
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(rows)}" for name, rows in faces.items())
    Path(__file__).with_name(output).write_text(
        f'{{\n "made_with": {json.dumps(made_with)},\n "faces": {{\n{lines}\n }}\n}}\n'
    )
