"""Shards partition the photos; gathered, they are one table again, in which a photo that stands twice is seen."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from faceage_bio.core.errors import RunError
from faceage_bio.demo.portraits import draw, imagine
from faceage_bio.faces.faceage.duplicates import find_same_photos, mark_same_photos
from faceage_bio.faces.faceage.shards import count_photos, gather_shards, photos_of, shard_names
from faceage_bio.faces.vision.photo_measures import perceptual_hash, pixel_hash


@given(n=st.integers(0, 300), size=st.integers(1, 120))
def test_each_photo_is_in_one_shard(n, size):
    photos = pd.DataFrame({"photo_id": [f"p{k}" for k in range(n)]})
    shards = [photos_of(photos, name) for name in shard_names(n, size)]
    assert len(shards) == max(1, -(-n // size))
    pd.testing.assert_frame_equal(pd.concat(shards).sort_index(), photos)


@pytest.mark.parametrize("name", ["p{}", "IMG_{:06d}", "{}"])
def test_shards_are_of_equal_size_but_for_chance(name):
    """A multinomial: the sum of (found - expected)^2 / expected has 19 degrees of freedom; 1 in 10,000 exceeds 50.8."""
    photos = pd.DataFrame({"photo_id": [name.format(k) for k in range(4_000)]})
    sizes = np.array([len(photos_of(photos, shard)) for shard in shard_names(4_000, 200)])
    assert ((sizes - 200) ** 2 / 200).sum() < 50.8


def test_a_photo_more_or_another_order_moves_no_photo():
    photos = pd.DataFrame({"photo_id": [f"p{k}" for k in range(90)]})
    more = pd.concat([pd.DataFrame({"photo_id": ["new"]}), photos.iloc[::-1]], ignore_index=True)
    names = shard_names(91, 30)
    both = [
        (set(photos_of(photos, name)["photo_id"]), set(photos_of(more, name)["photo_id"])) for name in names
    ]
    assert [after - before for before, after in both if before != after] == [{"new"}]
    assert all(before <= after for before, after in both)


def test_where_a_photo_belongs_is_the_same_in_every_run_and_version():
    # coreutils 9.1: `printf p0 | b2sum -l 64` gives 8d7e9aaab58b6ff4, whose remainder by 3 is 0
    photos = pd.DataFrame({"photo_id": ["p0", "p1", "p2", "p3", "p4", "p5"]})
    assert [list(photos_of(photos, f"{k}-of-3")["photo_id"]) for k in (1, 2, 3)] == [["p0", "p5"], ["p2", "p3"], ["p1", "p4"]]  # fmt: skip


@pytest.mark.parametrize("name", ["", "1", "0-of-3", "4-of-3", "a-of-b", "1-of-0", "-1-of-3"])
def test_another_name_is_no_shard(name):
    with pytest.raises(RunError, match="expected a name such as 2-of-5"):
        photos_of(pd.DataFrame(), name)


def test_photos_of_a_manifest_are_counted_without_reading_it_as_a_table(tmp_path):
    path = tmp_path / "manifest.tsv"
    path.write_text("photo_id\tpath\na\tx\n\nb\ty")
    assert count_photos(path) == 2
    assert count_photos(tmp_path / "gone.tsv") == 0


def row(photo, subject="s", cohort="c", image=None, age=50.0):
    return {
        "cohort": cohort, "photo_id": photo, "subject_id": subject, "status": "ok", "reason": "", "flags": "",
        "face_age": age, "face_age_sd": 1.0,
        "pixel_hash": "" if image is None else pixel_hash(image),
        "perceptual_hash": "" if image is None else perceptual_hash(image),
    }  # fmt: skip


@pytest.fixture(scope="module")
def pictures():
    """Two people, and the first one's photo a little smaller."""
    one, two = (draw(imagine(age, True, 300 + age)) for age in (40, 70))
    return one, two, np.asarray(Image.fromarray(one).resize((300, 375)))


def test_the_same_photo_is_found_whatever_its_name_and_size(pictures):
    one, two, smaller = pictures
    photos = pd.DataFrame([
        row("a", "s1", image=one), row("b", "s1", image=one), row("c", "s2", image=two),
        row("d", "s3", image=smaller), row("unread", "s4"), row("unread2", "s5"),
    ])  # fmt: skip
    found = dict(zip(photos.photo_id, find_same_photos(photos), strict=True))
    assert found == {
        "a": "nearly_same_photo_of_another_subject", "b": "nearly_same_photo_of_another_subject", "c": "",
        "d": "nearly_same_photo_of_another_subject", "unread": "", "unread2": "",
    }  # fmt: skip
    assert list(find_same_photos(photos.iloc[:2])) == ["same_photo_twice"] * 2
    other = photos.iloc[:2].assign(subject_id=["s1", "s9"])
    assert list(find_same_photos(other)) == ["same_photo_of_another_subject"] * 2


def test_one_subject_of_two_cohorts_is_two_subjects(pictures):
    photos = pd.DataFrame([row("a", cohort="c", image=pictures[0]), row("b", cohort="d", image=pictures[0])])
    assert list(find_same_photos(photos)) == ["same_photo_of_another_subject"] * 2


@given(st.lists(st.integers(0, 255), min_size=32, max_size=32), st.sets(st.integers(0, 255), max_size=15))
def test_hashes_are_near_up_to_six_bits(content, flipped):
    other = bytearray(content)
    for bit in flipped:
        other[bit // 8] ^= 1 << bit % 8
    photos = pd.DataFrame([row("a", "s1"), row("b", "s2")])
    photos["pixel_hash"] = ["x", "y"]
    photos["perceptual_hash"] = [bytes(content).hex(), other.hex()]
    assert (find_same_photos(photos) != "").all() == (len(flipped) <= 6)


def test_a_placeholder_that_stands_ten_thousand_times_is_no_burden():
    n = 10_000
    photos = pd.DataFrame({
        "cohort": "c", "subject_id": [f"s{k}" for k in range(n)], "pixel_hash": "x", "perceptual_hash": "0f" * 32,
    })  # fmt: skip
    assert set(find_same_photos(photos)) == {"same_photo_of_another_subject"}


@pytest.mark.parametrize("action", ["flag", "exclude"])
def test_gathering_says_it_in_every_cohort_and_keeps_the_order(pictures, action):
    one, two, _ = pictures
    shards = [
        pd.DataFrame([row("a", "s1", image=one), row("b", "s2", image=two)]),
        pd.DataFrame([row("c", "s3")]).assign(
            status="excluded", reason="no_face", flags="no_face", face_age=np.nan
        ),
        pd.DataFrame([row("a", "s1", cohort="d", image=one)]),
    ]
    order = pd.DataFrame({"cohort": [*"cccde"], "photo_id": [*"abcax"]}).iloc[
        [2, 1, 0, 3, 4]
    ]  # and a cohort that is not gathered
    tables = gather_shards(shards, order, action)
    assert list(tables) == ["c", "d"]
    assert list(tables["c"].photo_id) == ["c", "b", "a"]
    status = "flagged" if action == "flag" else "excluded"
    assert list(tables["c"].status) == ["excluded", "ok", status]
    assert list(tables["c"].reason) == ["no_face", "", "same_photo_of_another_subject"]
    assert list(tables["d"].status) == [status]
    assert tables["d"].face_age.isna().all() == (action == "exclude")
    assert tables["d"].face_age_sd.isna().all() == (action == "exclude")
    assert tables["c"].face_age[1] == 50


def test_of_a_subjects_own_copies_the_first_is_kept(pictures):
    one, two, smaller = pictures
    photos = pd.DataFrame([
        row("a", "s1", image=one), row("b", "s1", image=one), row("c", "s2", image=two), row("d", "s2", image=two),
    ])  # fmt: skip
    gathered = gather_shards([photos], photos, "exclude")["c"]
    assert list(gathered.status) == ["flagged", "excluded", "flagged", "excluded"]
    assert list(gathered.face_age.notna()) == [True, False, True, False]
    near = pd.DataFrame([row("a", "s1", image=one), row("b", "s1", image=smaller)])
    assert list(gather_shards([near], near, "exclude")["c"].status) == ["flagged", "excluded"]


def test_an_excluded_photo_keeps_its_reason(pictures):
    photos = pd.DataFrame([row("a", "s1", image=pictures[0]), row("b", "s2", image=pictures[0])])
    photos.loc[1, ["status", "reason", "flags"]] = ["excluded", "blurred", "blurred"]
    gathered = gather_shards([photos], photos, "flag")["c"]
    assert list(gathered.reason) == ["same_photo_of_another_subject", "blurred"]
    assert gathered["flags"][1] == "blurred;same_photo_of_another_subject"


def test_a_photo_is_not_marked_twice(pictures):
    """`summarise-photos` marks all cohorts together after each has been gathered by itself."""
    one, two, _ = pictures
    of_c = pd.DataFrame([row("a", "s1", image=one), row("b", "s1", image=one), row("c", "s2", image=two)])
    of_d = pd.DataFrame([row("d", "s3", cohort="d", image=two)])
    north = gather_shards([of_c], of_c, "flag")["c"]
    south = gather_shards([of_d], of_d, "flag")["d"]
    assert list(south["flags"]) == [""]
    whole = mark_same_photos(pd.concat([north, south], ignore_index=True), "flag")
    assert list(whole["flags"]) == [
        "same_photo_twice", "same_photo_twice", "same_photo_of_another_subject", "same_photo_of_another_subject"
    ]  # fmt: skip
    assert list(whole["face_age"]) == [50.0] * 4


def test_shards_of_two_runs_are_refused():
    listed = pd.DataFrame([row("a"), row("b")])
    shard, other = listed.iloc[:1], pd.DataFrame([row("c")])
    said = "1 photo\\(s\\) are in more than one shard, 1 in none, and 1 are not in the manifest"
    with pytest.raises(RunError, match=said):
        gather_shards([shard, shard, other], listed, "flag")
