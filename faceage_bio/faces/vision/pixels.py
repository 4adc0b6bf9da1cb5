"""Photos as the detector's networks see them: levels of a pyramid and square patches, all scaled by exact area averages.

Both follow OpenCV's INTER_AREA, which the study's detector used. An average over any rectangle, with shares
of pixels at its borders, is a difference of four values of the integral image read between its points; so all
patches of all photos of a batch are cut in one call, whatever their sizes, and what lies outside a photo
counts as zero by staying at its border.
"""

from collections.abc import Sequence
from functools import cached_property

import cv2
import numpy as np
import torch
from torch.nn import functional

MAX_INTEGRAL = 48_000_000  # values; a larger photo is summed box by box to bound memory (8 bytes each)
SMALL_LEVEL = 0.2  # of the photo's size; from here on the integral image is faster than OpenCV


class Pixels:
    """Photos of similar size on one device, padded to the largest height and width among them.

    Parameters
    ----------
    images : uint8 arrays, shape (height, width, 3), RGB
    device : torch.device
    gpu : bool
        Compute as a GPU wants it: from the integral image alone, without OpenCV.
    copies : torch.cuda.Stream, optional
        On which photos are copied to a GPU while others are computed.
    """

    def __init__(
        self,
        images: Sequence[np.ndarray],
        device: torch.device,
        gpu: bool,
        copies: torch.cuda.Stream | None = None,
    ) -> None:
        self.images = images
        self.device = device
        self.gpu = gpu
        self.copies = copies
        self.on_device: torch.Tensor | None = None
        self.heights = np.array([len(image) for image in images])
        self.widths = np.array([image.shape[1] for image in images])
        self.huge = len(images) == 1 and images[0].size > MAX_INTEGRAL

    def level(self, scale: float, members: Sequence[int]) -> torch.Tensor:
        """Some photos, smaller: float32 of shape (n, 3, largest height, largest width), -1 to 1; what is
        beside a photo is arbitrary.

        Rounded to 8 bits in between, as published.
        """
        if not self.huge and (self.gpu or scale < SMALL_LEVEL):
            return self.level_from_integral(scale, members)
        heights, widths = self.sizes(scale, members)
        small = np.zeros((len(members), heights.max(), widths.max(), 3), np.uint8)
        for place, photo in enumerate(members):
            size = int(widths[place]), int(heights[place])
            target = small[place, : size[1], : size[0]]
            if target.flags.c_contiguous:
                cv2.resize(self.images[photo], size, target, interpolation=cv2.INTER_AREA)
            else:
                target[:] = cv2.resize(self.images[photo], size, interpolation=cv2.INTER_AREA)
        return to_network(torch.from_numpy(small).permute(0, 3, 1, 2).to(self.device))

    def level_from_integral(self, scale: float, members: Sequence[int]) -> torch.Tensor:
        """The same without OpenCV, which does not know GPUs and reads the whole photo for the smallest level.

        Differs by one grey level in about one of 100,000 pixels, where OpenCV's sums in single precision fall
        on the other side of a half.
        """
        heights, widths = self.sizes(scale, members)
        own_heights, own_widths = self.heights[members], self.widths[members]
        area = own_heights / heights * (own_widths / widths)
        rows, columns = (
            np.minimum(np.arange(small.max() + 1), small[:, None]) * large[:, None] / small[:, None]
            for small, large in ((heights, own_heights), (widths, own_widths))
        )
        numbers = np.column_stack([members, own_heights, own_widths, area, rows, columns])
        photo, height, width, area, rows, columns = self._there(numbers).split(
            [1, 1, 1, 1, rows.shape[1], columns.shape[1]], dim=1
        )
        above, down = _between(rows, height)
        left, right = _between(columns, width)
        strips = self.integral.flatten(0, 1)
        above = above + photo.long() * self.integral.shape[1]
        strips = torch.lerp(_rows(strips, above), _rows(strips, above + 1), down[:, :, None, None]).diff(
            dim=1
        )
        n, height, width = strips.shape[:3]
        start = torch.arange(n * height, device=self.device).reshape(n, height, 1) * width
        left, strips = start + left[:, None, :], strips.flatten(0, 2)
        sums = torch.lerp(_rows(strips, left), _rows(strips, left + 1), right[:, None, :, None])
        return to_network((sums.diff(dim=2) / area[:, :, None, None]).round().permute(0, 3, 1, 2))

    def sizes(self, scale: float, members: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Heights and widths of some photos at a level."""
        return (
            np.ceil(self.heights[members] * scale).astype(int),
            np.ceil(self.widths[members] * scale).astype(int),
        )

    def patches(self, boxes: np.ndarray, size: int) -> torch.Tensor:
        """Squares around possible faces: float32 of shape (n, 3, size, size), -1 to 1; black outside the photo.

        Parameters
        ----------
        boxes : float array, shape (n, 5)
            Place of the photo in the batch; x1, y1, x2, y2 in whole pixels counted from 1, both ends
            included, which may leave the photo.
        """
        if self.huge and len(boxes):
            return torch.cat([self._patch_alone(box, size) for box in boxes])
        return to_network(self._averages(boxes, size))

    def _averages(self, boxes: np.ndarray, size: int) -> torch.Tensor:
        """Grey values of squares from 0 to 255, float64 of shape (n, 3, size, size)."""
        of_photo = np.stack([self.widths, self.heights], axis=1)[boxes[:, 0].astype(int)]
        there = self._there(np.concatenate([boxes, of_photo], axis=1))
        photo, corner, end, limits = there.split([1, 2, 2, 2], dim=1)
        steps = torch.arange(size + 1, dtype=torch.float64, device=self.device) / size
        edges = (corner - 1)[:, :, None] + (end - corner + 1)[:, :, None] * steps
        area = (edges[:, 0, 1] - edges[:, 0, 0]) * (edges[:, 1, 1] - edges[:, 1, 0])
        low, share = _between(edges, limits[:, :, None])
        height, width = self.integral.shape[1:3]
        here = (photo.long()[:, :, None] * height + low[:, 1, :, None]) * width + low[:, 0, None, :]
        sums = self.integral.flatten(0, 2)
        right, down = share[:, 0, None, :, None], share[:, 1, :, None, None]
        above = torch.lerp(_rows(sums, here), _rows(sums, here + 1), right)
        here = here + width
        below = torch.lerp(_rows(sums, here), _rows(sums, here + 1), right)
        grey = torch.lerp(above, below, down).diff(dim=1).diff(dim=2) / area[:, None, None, None]
        return grey.permute(0, 3, 1, 2)

    def _patch_alone(self, box: np.ndarray, size: int) -> torch.Tensor:
        """The same from the integral image of the part of the photo under the box."""
        x1, y1, x2, y2 = box[1:].astype(int)
        left, top = min(max(x1 - 1, 0), self.widths[0] - 1), min(max(y1 - 1, 0), self.heights[0] - 1)
        part = self.images[0][top : max(y2, top + 1), left : max(x2, left + 1)]
        alone = Pixels([part], self.device, self.gpu)
        return to_network(alone._averages(box[None] - np.array([0, left, top, left, top]), size))

    def _there(self, numbers: np.ndarray) -> torch.Tensor:
        here = torch.from_numpy(np.ascontiguousarray(numbers, dtype=np.float64))
        return here.pin_memory().to(self.device, non_blocking=True) if self.copies is not None else here

    @cached_property
    def integral(self) -> torch.Tensor:
        """Sums of all pixels above and to the left, of shape (n, height + 1, width + 1, 3): int32 where they fit, or float64."""
        rows, columns = int(self.heights.max()), int(self.widths.max())
        small = 255 * rows * columns < 2**31
        if not self.gpu:
            sums = np.empty((len(self.images), rows + 1, columns + 1, 3), np.int32 if small else np.float64)
            depth = cv2.CV_32S if small else cv2.CV_64F
            for own, image in zip(sums, self.images, strict=True):
                part = own[: len(image) + 1, : image.shape[1] + 1]
                if part.flags.c_contiguous:
                    cv2.integral(image, part, sdepth=depth)
                else:
                    part[:] = cv2.integral(image, sdepth=depth)
            return torch.from_numpy(sums)
        self.start_upload()
        if self.copies is not None:
            torch.cuda.current_stream(self.device).wait_stream(self.copies)
            self.on_device.record_stream(torch.cuda.current_stream(self.device))
        pixels, self.on_device = self.on_device, None
        kind = torch.int32 if small else torch.float64
        return functional.pad(pixels.cumsum(1, dtype=kind).cumsum(2, dtype=kind), (0, 0, 1, 0, 1, 0))

    def free(self) -> None:
        """Give back what the device holds of the photos."""
        self.on_device = None
        self.__dict__.pop("integral", None)

    def start_upload(self) -> None:
        """Copy the photos to the GPU, uint8 of shape (n, height, width, 3); from pinned memory nothing waits for it."""
        if not self.gpu or self.huge or self.on_device is not None:
            return
        shape = len(self.images), int(self.heights.max()), int(self.widths.max()), 3
        with torch.cuda.stream(self.copies):
            self.on_device = torch.zeros(shape, dtype=torch.uint8, device=self.device)
            for own, image in zip(self.on_device, self.images, strict=True):
                here = torch.from_numpy(image if image.flags.writeable else image.copy())
                own[: len(image), : image.shape[1]].copy_(here, non_blocking=True)


def _rows(table: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """``table[index]`` in double precision for an index of several dimensions, five times faster on a CPU."""
    return table.index_select(0, index.flatten()).unflatten(0, index.shape).double()


def _between(edges: torch.Tensor, limit: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The whole pixel before each edge, and how far the edge is from it to the next; edges outside 0 to ``limit`` stay there."""
    inside = torch.minimum(edges.clamp(min=0), limit)
    low = torch.minimum(inside.floor(), limit - 1)
    return low.long(), inside - low


def to_network(grey: torch.Tensor) -> torch.Tensor:
    """0 to 255 -> float32 from -1 to 1, channels last, where these convolutions are four times faster."""
    scaled = grey.to(torch.float32) if grey.dtype == torch.uint8 else grey
    scaled = scaled.sub(127.5).mul_(0.0078125)
    return scaled.to(torch.float32).contiguous(memory_format=torch.channels_last)
