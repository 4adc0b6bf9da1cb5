"""Detection of a batch on a GPU: few operators and waits for each photo, whatever its size."""

import numpy as np
import pytest

from faceage_bio.demo.portraits import draw, imagine
from tests.operators import count_operators


@pytest.fixture(scope="module")
def portraits():
    return [np.array(draw(imagine(25 + number, number % 2 == 0, 60 + number))[100:340, 50:250]) for number in range(16)] * 4  # fmt: skip


def test_64_photos_share_operators_and_waits(portraits):
    found = count_operators(portraits)
    assert found["operators"] <= 40
    assert found["copies to the host"] + found["other waits"] <= 1
    assert found["copies to the device"] < 2  # the photo itself, and the batch's tables


def test_photos_of_other_sizes_cost_no_more(portraits):
    mixed = [
        image[: 240 - 2 * (number % 9), : 200 - 3 * (number % 5)] for number, image in enumerate(portraits)
    ]
    found = count_operators(mixed)
    assert found["operators"] <= 40
    assert found["copies to the host"] + found["other waits"] <= 1
