"""Batches become smaller where the GPU has not memory enough, and nothing is lost or done twice."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from faceage_bio.faces.vision.detect import in_batches


@given(n=st.integers(0, 40), batch_size=st.integers(1, 50), room=st.integers(1, 50))
def test_every_row_is_answered_once_in_order_whatever_fits(n, batch_size, room):
    tried = []

    def twice(rows):
        tried.append(len(rows))
        if len(rows) > room:
            raise torch.cuda.OutOfMemoryError("too much")
        return rows * 2

    answers = in_batches(twice, np.arange(n), batch_size)
    np.testing.assert_array_equal(np.concatenate([np.empty(0, int), *answers]), np.arange(n) * 2)
    assert max(map(len, answers), default=0) <= min(room, batch_size)
    refused = [size for size in tried if size > room]
    assert refused == sorted(refused, reverse=True)  # a size that did not fit is not tried again
    assert len(refused) == len(set(refused))


def test_a_single_row_that_does_not_fit_is_an_error():
    def never(rows):
        raise torch.cuda.OutOfMemoryError("too much")

    with pytest.raises(torch.cuda.OutOfMemoryError):
        in_batches(never, np.arange(3), 4)
