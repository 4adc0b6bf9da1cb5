"""A photo as the detector's networks see it: levels of a pyramid and square patches, all scaled by exact area averages.

Both follow OpenCV's INTER_AREA, which the study's detector used. An average over any rectangle, with shares of pixels at
its borders, is a difference of four values of the integral image read between its points; so all patches of a photo are
cut in one call, whatever their sizes, and what lies outside the photo counts as zero by staying at the border.
"""

from functools import cached_property

import cv2
import numpy as np
import torch
from torch.nn import functional

MAX_INTEGRAL = 48_000_000  # values; larger photos are summed box by box to bound memory (8 bytes each)

SMALL_LEVEL = 0.2  # of the photo's size; from here on the integral image is faster than OpenCV


class Pixels:
    """One photo on one device.

    Parameters
    ----------
    image : uint8 array, shape (height, width, 3), RGB
    device : torch.device
    """

    def __init__(self, image: np.ndarray, device: torch.device) -> None:
        self.image = image
        self.device = device
        self.height, self.width = image.shape[:2]
        self.huge = image.size > MAX_INTEGRAL

    def level(self, scale: float) -> torch.Tensor:
        """The whole photo, smaller: float32 of shape (1, 3, ceil(height * scale), ceil(width * scale)), -1 to 1.

        Rounded to 8 bits in between, as published.
        """
        on_gpu = self.device.type != "cpu"
        if not self.huge and (on_gpu or scale < SMALL_LEVEL):
            return self.level_from_integral(scale)
        height, width = self._size(scale)
        small = cv2.resize(self.image, (width, height), interpolation=cv2.INTER_AREA)
        return to_network(torch.from_numpy(small)[None].permute(0, 3, 1, 2).to(self.device))

    def level_from_integral(self, scale: float) -> torch.Tensor:
        """The same without OpenCV, which does not know GPUs and reads the whole photo for the smallest level.

        Differs by one grey level in about one of 100,000 pixels, where OpenCV's sums in single precision fall on the other
        side of a half.
        """
        height, width = self._size(scale)
        rows = torch.linspace(0, self.height, height + 1, dtype=torch.float64, device=self.device)
        columns = torch.linspace(0, self.width, width + 1, dtype=torch.float64, device=self.device)
        return to_network(area_averages(self.integral, rows[None], columns[None]).round())

    def _size(self, scale: float) -> tuple[int, int]:
        return int(np.ceil(self.height * scale)), int(np.ceil(self.width * scale))

    def patches(self, boxes: np.ndarray, size: int) -> torch.Tensor:
        """Squares around possible faces: float32 of shape (n, 3, size, size), -1 to 1; black outside the photo.

        Parameters
        ----------
        boxes : float array, shape (n, 4)
            x1, y1, x2, y2 in whole pixels counted from 1, both ends included; may leave the photo.
        """
        if self.huge and len(boxes):
            return torch.cat([self._patch_alone(box, size) for box in boxes])
        return to_network(self._averages(boxes, size))

    def _averages(self, boxes: np.ndarray, size: int) -> torch.Tensor:
        steps = np.arange(size + 1) / size
        edges = (
            boxes[:, :2, None] - 1 + (boxes[:, 2:] - boxes[:, :2] + 1)[:, :, None] * steps
        )  # (n, x or y, size + 1)
        columns, rows = torch.from_numpy(edges).to(self.device, torch.float64).unbind(dim=1)
        return area_averages(self.integral, rows, columns)

    def _patch_alone(self, box: np.ndarray, size: int) -> torch.Tensor:
        """The same from the integral image of the part of the photo under the box."""
        x1, y1, x2, y2 = box.astype(int)
        left, top = min(max(x1 - 1, 0), self.width - 1), min(max(y1 - 1, 0), self.height - 1)
        part = Pixels(self.image[top : max(y2, top + 1), left : max(x2, left + 1)], self.device)
        return to_network(part._averages(box[None] - np.array([left, top, left, top]), size))

    @cached_property
    def integral(self) -> torch.Tensor:
        """Sums of all pixels above and to the left: float64 of shape (1, 3, height + 1, width + 1)."""
        if self.device.type == "cpu":
            return torch.from_numpy(cv2.integral(self.image, sdepth=cv2.CV_64F))[None].permute(0, 3, 1, 2)
        pixels = torch.from_numpy(self.image).to(self.device).to(torch.float64)
        sums = functional.pad(pixels.cumsum(0).cumsum(1), (0, 0, 1, 0, 1, 0))
        return sums[None].permute(0, 3, 1, 2)


def area_averages(integral: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Averages over grids of rectangles.

    Parameters
    ----------
    integral : float64 tensor, shape (1, 3, height + 1, width + 1)
    rows, columns : float64 tensors, shapes (n, h + 1) and (n, w + 1)
        Edges of the rectangles in pixels from the photo's corner; evenly spaced in each row of the tensor.

    Returns
    -------
    float64 tensor, shape (n, 3, h, w)
        Grey values from 0 to 255; parts of rectangles outside the photo count as 0.
    """
    height, width = integral.shape[2] - 1, integral.shape[3] - 1
    n, h, w = len(rows), rows.shape[1], columns.shape[1]
    x = (columns / width * 2 - 1)[:, None, :].expand(n, h, w)
    y = (rows / height * 2 - 1)[:, :, None].expand(n, h, w)
    grid = torch.stack([x, y], dim=-1).reshape(1, n * h, w, 2)
    sums = functional.grid_sample(integral, grid, padding_mode="border", align_corners=True)[0].reshape(
        3, n, h, w
    )
    inside = sums[:, :, 1:, 1:] - sums[:, :, :-1, 1:] - sums[:, :, 1:, :-1] + sums[:, :, :-1, :-1]
    area = (rows[:, 1] - rows[:, 0]) * (columns[:, 1] - columns[:, 0])
    return (inside / area[:, None, None]).transpose(0, 1)


def to_network(grey: torch.Tensor) -> torch.Tensor:
    """0 to 255 -> float32 from -1 to 1, channels last, where these convolutions are four times faster."""
    scaled = grey.to(torch.float32 if grey.dtype == torch.uint8 else grey.dtype).sub(127.5).mul(0.0078125)
    return scaled.to(torch.float32).contiguous(memory_format=torch.channels_last)
