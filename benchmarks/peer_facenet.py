"""A plain PyTorch port: facenet-pytorch's own detector, photo by photo, and the age network as it is; run by compare_peers.py."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from facenet_pytorch import MTCNN
from PIL import Image

from benchmarks.clock import clock
from faceage_bio.faces.vision.face_input import standardise
from faceage_bio.faces.vision.network import FaceAgeNetwork

if __name__ == "__main__":
    detector, network = MTCNN(keep_all=True, device="cpu"), FaceAgeNetwork()
    paths = sorted(Path(sys.argv[1]).glob("*.jpg"))
    detector.detect(Image.open(paths[0]).convert("RGB"))
    begin = clock()
    with torch.inference_mode():
        for path in paths:
            image = Image.open(path).convert("RGB")
            boxes, _ = detector.detect(image)
            if boxes is not None:
                crop = np.asarray(image.crop(tuple(boxes[0])).resize((160, 160)))
                network(torch.from_numpy(standardise(crop)).permute(2, 0, 1)[None])
    print(json.dumps({"photos": len(paths), "seconds": clock() - begin}))
