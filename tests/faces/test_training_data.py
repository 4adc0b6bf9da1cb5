"""Labelled photos: readers, rules in order, near-duplicates, faces cut once, and splits on which nothing stands on both sides."""

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from facenet_pytorch import InceptionResnetV1, fixed_image_standardization
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.io import savemat

from faceage_bio.core.errors import ConfigError, RunError, TableError, WeightsError
from faceage_bio.core.settings.settings_training import Curation, Source, Split, read_training
from faceage_bio.core.tables import read_json, read_table
from faceage_bio.demo.portraits import another_day, draw, imagine
from faceage_bio.faces.training import faces as faces_
from faceage_bio.faces.training.curation import (
    BAD_LABEL,
    NO_FACE_SAID,
    SEVERAL_SAID,
    TEST,
    TRAIN,
    VALIDATION,
    curate_faces,
    curate_labels,
    flow,
    leak,
    split_photos,
)
from faceage_bio.faces.training.faces import FaceStore, check_faces
from faceage_bio.faces.training.labelled_photos import (
    EpochOrder,
    age_weights,
    matlab_age,
    read_side,
    read_source,
)
from faceage_bio.faces.training.prepare import embed, prepare, similar_pairs
from faceage_bio.faces.vision.detect import Detector
from faceage_bio.faces.vision.face_input import crop_face
from tests.rows import cases


def source(kind, path, **more):
    return Source(name="one", kind=kind, path=str(path), **more)


# ------------------------------------------------------------------ readers


def test_utkface_names_hold_age_sex_and_race_and_malformed_ones_are_no_label(tmp_path):
    labels = {
        "61_1_3_20170104011329326.jpg": (61, "female", "Indian"), "100_0_0_20170112213500903.jpg.chip.jpg": (100, "male", "White"),
        "1_0_4_20161221193016140.jpg.chip.jpg": (1, "male", "Other"), "116_1_2_20170112213500903.JPG": (116, "female", "Asian"),
        # these stand in the published folders
        "55_0_0_20170116232725357jpg.chip.jpg": (55, "male", "White"), "24_0_1_20170116220224657 .jpg.chip.jpg": (24, "male", "Black"),
        "44_1_4_20170116235150272.pg.chip.jpg": (44, "female", "Other"), "39_1_20170116174525125.jpg.chip.jpg": None,
        "61_3_20170109150557335.jpg.chip.jpg": None, "53__0_20170116184028385.jpg.chip.jpg": None,
    }  # fmt: skip
    (tmp_path / "part1").mkdir()
    for name in (*labels, "notes.txt"):
        (tmp_path / "part1" / name).write_bytes(b"")
    table = read_source(source("utkface", tmp_path))
    table.index = table.path.str.split("/").str[-1]
    assert sorted(table.index) == sorted(labels)
    for name, label in labels.items():
        found = table.loc[name]
        assert found.identity == found.path  # nobody knows who it is
        if label is None:
            assert (np.isnan(found.age), found.excluded) == (True, "no readable label")
        else:
            assert (found.age, found.sex, found.race, found.excluded) == (*label, "")


def test_an_age_is_that_from_a_matlab_day_to_the_first_of_july():
    # MATLAB: datenum(1970,1,1) = 719529, datenum(2000,3,1) = 730546
    assert matlab_age([719529, 730546], [1990, 2010]) == pytest.approx([20.496, 10.332], abs=2e-3)
    assert np.isnan(matlab_age([0, 719529, np.nan], [1990, 0, 1990])).all()


def mat(path, **changes):
    fields = {
        "dob": np.array([719529, 719529, 719529.0]), "photo_taken": np.array([2000, 2001, 2002.0]),
        "full_path": np.array(["a/1.jpg", "a/2.jpg", "b/3.jpg"], dtype=object), "gender": np.array([0.0, 1.0, np.nan]),
        "name": np.array(["Ann Lee", "Bo Ek", "Cy"], dtype=object), "face_score": np.array([3.0, -np.inf, 4.0]),
        "second_face_score": np.array([np.nan, np.nan, 1.2]),
    }  # fmt: skip
    savemat(path, {"imdb": {key: value for key, value in (fields | changes).items() if value is not None}})
    return path


def test_imdb_wiki_gives_ages_identities_and_its_own_exclusions(tmp_path):
    table = read_source(source("imdb_wiki", mat(tmp_path / "imdb.mat")))
    assert table.age.tolist() == pytest.approx([30.496, 31.496, 32.496], abs=3e-3)
    assert table.identity.tolist() == ["Ann Lee", "Bo Ek", "Cy"]
    assert table.sex.tolist() == ["female", "male", ""]
    assert table.excluded.tolist() == ["", "no face, says the source", "several faces, says the source"]
    assert table.path[0] == str(tmp_path / "a/1.jpg")


def cells(values):
    """A row of cells, as MATLAB keeps texts and boxes of unequal length."""
    row = np.empty((1, len(values)), dtype=object)
    for place, value in enumerate(values):
        row[0, place] = value
    return row


# dob (days of MATLAB), year, name, gender, face_score, second_face_score; the age, or why there is none
PUBLISHED = [
    (693726, 1968, "Ann Lee", 1.0, 1.4597, 1.1189, SEVERAL_SAID),  # 10 May 1899
    (693726, 1970, "Ann Lee", 1.0, 2.5443, np.nan, 71.14),
    (711677, 2012, "Bo Ek", 0.0, -np.inf, np.nan, NO_FACE_SAID),
    (719529, 2008, "Anna É.", 0.0, 4.2, np.nan, 38.497),  # 1 January 1970
    (0, 2008, "Born Unknown", np.nan, 3.1, np.nan, BAD_LABEL),
    (np.nan, 2008, "Not A Number", 1.0, 3.1, np.nan, BAD_LABEL),
    (np.inf, 2008, "Endless", 1.0, 3.1, np.nan, BAD_LABEL),
    (47, 2008, "Year Zero", 1.0, 3.1, np.nan, BAD_LABEL),
    (-20, 2008, "Before It", 1.0, 3.1, np.nan, BAD_LABEL),
    (730546, 1994, "Not Born", 1.0, 3.1, np.nan, -5.67),  # 1 March 2000
    (719529, 0, "No Year", 1.0, 3.1, np.nan, BAD_LABEL),
    (719529, 2008, "Score Unknown", 1.0, np.nan, np.nan, NO_FACE_SAID),
    (719529, 2008, "Endless Score", 1.0, np.inf, np.nan, NO_FACE_SAID),
    (719529, 2008, "Second Endless", 1.0, 3.1, np.inf, SEVERAL_SAID),
    (719529, 2009, None, 1.0, 3.1, np.nan, 39.496),
    (650000, 2008, "Long Ago", 1.0, 3.1, np.nan, 228.857),  # 21 August 1779
]


@pytest.mark.parametrize("name", ["imdb", "wiki"])
def test_the_published_layout_of_imdb_wiki_is_read(tmp_path, name):
    photos = PUBLISHED if name == "wiki" else [one for one in PUBLISHED if np.isfinite(one[0])]
    born, taken, people, gender, score, second, expected = zip(*photos, strict=True)
    n = len(photos)
    fields = {
        "dob": np.array([born], np.int32 if name == "imdb" else np.float64), "photo_taken": np.array([taken], np.uint16),
        "full_path": cells([cells([f"{k:02d}/nm{k:07d}_rm{k}_{taken[k]}.jpg"]) if name == "imdb" else f"{k:02d}/{k}.jpg" for k in range(n)]),
        "gender": np.array([gender]), "name": cells([one if one else np.empty((0, 0)) for one in people]),
        "face_location": cells([np.array([[1.0, 1.0, 500.0, 500.0]])] * n), "face_score": np.array([score]),
        "second_face_score": np.array([second]),
    }  # fmt: skip
    if name == "imdb":
        fields |= {"celeb_names": cells(sorted({one or "" for one in people})), "celeb_id": np.ones((1, n))}
    savemat(tmp_path / f"{name}.mat", {name: fields}, format="5")
    table = read_source(source("imdb_wiki", tmp_path / f"{name}.mat"))
    assert len(table) == n
    for row, told in zip(table.itertuples(), expected, strict=True):
        if isinstance(told, str):
            assert row.excluded == told
        else:
            assert row.age == pytest.approx(told, abs=0.005)
            assert row.excluded == ""
    assert table.identity.tolist() == [who or table.path[k] for k, who in enumerate(people)]
    assert table.sex.tolist()[:5] == ["male", "male", "female", "female", ""]
    assert table.path[3].startswith(str(tmp_path / "03"))
    kept = curate_labels(table, Curation()).set_axis(people)
    assert kept[kept == ""].index.tolist() == ["Ann Lee", "Anna É.", None]
    assert kept[["Not Born", "Long Ago"]].eq("age below 18 or above 105 years").all()


def refused(message, kind, path, **more):
    with pytest.raises(TableError, match=message):
        read_source(source(kind, path, **more))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"face_score": None}, r"holds imdb, without the field\(s\) face_score. Expected a struct imdb or wiki"),
        ({"dob": np.array([719529.0])}, "its fields differ in length, .*Expected one struct with one value per photo in each field. Give"),
        ({"dob": np.array(["1970-01-01", "x", "y"], dtype=object)}, "its field dob holds 1970-01-01; x; and 1 more. Expected numbers"),
    ],
)  # fmt: skip
def test_a_wrong_struct_of_a_mat_file_is_told(tmp_path, changes, message):
    refused(message, "imdb_wiki", mat(tmp_path / "imdb.mat", **changes))


def test_a_wrong_mat_file_says_what_it_holds(tmp_path):
    fields = ("dob", "photo_taken", "full_path", "face_score", "second_face_score", "name")
    savemat(tmp_path / "structs.mat", {"wiki": np.zeros(2, [(name, float) for name in fields])})
    refused("or there are several structs", "imdb_wiki", tmp_path / "structs.mat")
    new = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n"
    (tmp_path / "new.mat").write_bytes(new)
    refused(r"not a MATLAB file of version 5 \(.*7.3", "imdb_wiki", tmp_path / "new.mat")
    savemat(tmp_path / "other.mat", {"x": np.eye(2)})
    refused("holds x, without the field", "imdb_wiki", tmp_path / "other.mat")
    (tmp_path / "no.mat").write_bytes(b"PK not a mat file at all" * 20)
    refused("not a MATLAB file of version 5", "imdb_wiki", tmp_path / "no.mat")
    refused("no such file. Expected imdb.mat or wiki.mat. Check the path", "imdb_wiki", tmp_path / "none.mat")
    refused("no such folder", "utkface", tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path\tage\na.jpg\t50\n", r"lacks the column\(s\) identity; found path, age.*identity: photo"),
        ("path\tage\tidentity\na.jpg\t57y\tx\nb.jpg\t\ty\n", r"column 'age' has cells that are no numbers \(line 2: '57y'\)"),
        ("path\tage\tidentity\n\t50\tx\n", r"column 'path' is empty \(line 2\). Expected the photo's file. Write it"),
    ],
)  # fmt: skip
def test_a_table_needs_path_age_and_identity(tmp_path, text, message):
    (tmp_path / "labels.tsv").write_text(text)
    refused(message, "table", tmp_path / "labels.tsv")


def test_the_identity_of_a_table_may_be_the_photo(tmp_path):
    path = tmp_path / "labels.tsv"
    path.write_text("path\tage\na.jpg\t50\n")
    assert read_source(source("table", path, identity="photo")).identity.tolist() == [str(tmp_path / "a.jpg")]
    path.write_text("path\tage\tidentity\na.jpg\t0\tx\nb.jpg\tNaN\ty\nc.jpg\t130\t\n")
    table = read_source(source("table", path))
    assert table.excluded.tolist() == ["", "no readable label", ""]
    assert table.identity[2] == table.path[2]  # a person of its own
    expected = ["age below 18 or above 105 years", "no readable label", "age below 18 or above 105 years"]
    assert curate_labels(table, Curation()).tolist() == expected


# ------------------------------------------------------------------ curation


def photographed(n=12):
    return pd.DataFrame({
        "source": "one", "path": [f"{k}.jpg" for k in range(n)], "age": 50.0, "excluded": "", "format": "JPEG", "n_faces": 1, "reason": "",
        "perceptual_hash": [f"{1 << (20 * k):064x}"[-64:] if k < 12 else "" for k in range(n)],
    })  # fmt: skip


def test_rules_are_applied_in_their_order_and_each_photo_counts_once():
    photos = photographed()
    # far apart: every second word of the hash is different
    photos["perceptual_hash"] = [np.random.default_rng(k).bytes(32).hex() for k in range(12)]
    photos.loc[0, "perceptual_hash"] = ""
    photos.loc[[1, 2], "format"] = "PNG"
    photos.loc[[2, 3], "n_faces"] = 2
    photos.loc[4, "reason"] = "no_face"
    photos.loc[5, "reason"] = "small_face"
    photos.loc[7, "perceptual_hash"] = photos.loc[6, "perceptual_hash"]
    photos.loc[[8, 9], "perceptual_hash"] = photos.loc[8, "perceptual_hash"]
    photos.loc[9, "age"] = 70
    photos["excluded"], group = curate_faces(photos, Curation())
    assert photos.excluded.tolist() == [
        "file cannot be read", "not JPEG", "not JPEG", "more than one face", "no face", "quality rule: small face", "", "same photo again",
        "same photo with different ages", "same photo with different ages", "", "",
    ]  # fmt: skip
    assert group[6] == group[7] != group[10]
    told = flow(photos, Curation())
    assert told.n_left.tolist()[-1] == 3
    assert told.n_excluded.sum() == 9
    assert told.step.tolist()[2:] == [
        "file cannot be read", "not JPEG", "no face", "more than one face", "quality rule: small face", "same photo with different ages",
        "same photo again",
    ]  # fmt: skip


def test_photos_rejected_in_review_are_excluded_and_unknown_ones_told(tmp_path):
    photos = photographed(3)
    (tmp_path / "rejected.tsv").write_text("path\n1.jpg\n")
    rules = Curation(rejected=str(tmp_path / "rejected.tsv"))
    assert curate_labels(photos, rules).tolist() == ["", "rejected by a person", ""]
    (tmp_path / "rejected.tsv").write_text("path\n9.jpg\n")
    with pytest.raises(TableError, match=r"1 path\(s\) are of no source \(9.jpg\)"):
        curate_labels(photos, rules)


# ------------------------------------------------------------------ splits


def labelled(persons, photos_each, duplicates=0, seed=1):
    random = np.random.default_rng(seed)
    n = persons * photos_each
    table = pd.DataFrame({
        "age": random.integers(20, 90, n).astype(float), "identity": np.repeat([f"p{k}" for k in range(persons)], photos_each),
        "duplicate_group": np.arange(n, dtype=float),
    }, index=random.permutation(n) + 100)  # fmt: skip
    for _ in range(duplicates):  # two persons' photos that are nearly the same
        one, other = random.choice(n, 2, replace=False)
        table.iloc[other, 2] = table.iloc[one, 2]
    return table


def order_of(n, weights, seed, epoch):
    order = EpochOrder(n, weights, seed)
    order.set_epoch(epoch)
    return [row for _, _, row in order]


@given(st.integers(20, 60), st.integers(1, 4), st.integers(0, 12), st.integers(0, 50))
def test_no_person_and_no_near_duplicate_stands_on_two_sides(persons, each, duplicates, seed):
    photos = labelled(persons, each, duplicates, seed)
    split = split_photos(photos, Split(validation=0.25, test=0.25), seed)
    assert sorted(split.place) == sorted(photos.index)
    joined = split.join(photos, on="place")
    for key in ("identity", "duplicate_group", "person"):
        assert joined.groupby(key).side.nunique().max() == 1
    assert leak(split) == {"place": 0.0, "person": 0.0}
    train, rest = read_side(photos, split, TRAIN), read_side(photos, split, VALIDATION, TEST)
    weights = age_weights(train["age"].to_numpy(), 5)  # what is drawn for balance is of training too
    drawn = train.iloc[[row for epoch in range(3) for row in order_of(len(train), weights, seed, epoch)]]
    for key in ("identity", "duplicate_group", "person"):
        assert not set(drawn[key]) & set(rest[key])
    pd.testing.assert_frame_equal(split, split_photos(photos, Split(validation=0.25, test=0.25), seed))


def test_shares_are_those_asked_for():
    split = split_photos(labelled(1000, 2), Split(validation=0.1, test=0.2), 3)
    shares = split.side.value_counts(normalize=True)
    assert shares["test"] == pytest.approx(0.2, abs=0.002)
    assert shares["validation"] == pytest.approx(0.1, abs=0.002)


def test_the_published_split_leaks_and_says_how_much():
    photos = labelled(100, 3)
    split = split_photos(photos, Split(kind="study", validation=0.1, test=0.0), 1)
    found = leak(split)
    assert found["place"] > 0.5
    assert found["person"] > 0.9
    copies = split.join(photos, on="place").age.astype(int).value_counts()
    assert copies.nunique() == 1  # every year of age equally often
    assert (split.side == TRAIN).mean() == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize(
    ("photos", "message"),
    [
        (labelled(1, 8), r"leaves no photo for training and validation: 8 photos of 1 person\(s\). Expected at least one person on each side"),
        (labelled(3, 4).assign(age=np.repeat([40.0, 50.0, 60.0], 4)), r"leaves 4 photo\(s\) for training, all of age \d0. Expected at least two different ages. Take"),
        (labelled(5, 1).assign(age=50.0), r"the photos left after curation: 5, of ages 50. Expected at least two different ages"),
        (labelled(5, 1).head(0), "the photos left after curation: 0, of ages none"),
        (labelled(2, 2), "the split leaves no photo for"),
    ],
)  # fmt: skip
def test_a_split_that_cannot_be_is_told(photos, message):
    with pytest.raises(TableError, match=message):
        split_photos(photos, Split(validation=0.05, test=0.05), 1)


# ------------------------------------------------------------------ faces


@pytest.fixture(scope="module")
def portraits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled")
    rows = []
    for number in range(5):
        age = 30 + 12 * number
        portrait = imagine(float(age), number % 2 == 0, 990 + number)
        for visit, face in enumerate((portrait, another_day(portrait, 1))):
            name = f"{number}_{visit}.jpg"
            Image.fromarray(draw(face)).save(folder / name, quality=95)
            rows.append((name, age, f"p{number}"))
    Image.fromarray(np.full((300, 300, 3), 90, np.uint8)).save(folder / "blank.jpg")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    rows += [("blank.jpg", 50, "b"), ("broken.jpg", 50, "c"), ("none.jpg", 50, "d")]
    rows += [("0_0.jpg", 30, "p0"), ("1_0.jpg", 12, "e")]
    table = pd.DataFrame(rows, columns=["path", "age", "identity"])
    table.to_csv(folder / "labels.tsv", sep="\t", index=False)
    sources = "name: small\nsources: [{name: portraits, kind: table, path: labels.tsv}]\n"
    (folder / "train.yaml").write_text(sources + "input: {size: 64}\nsplit: {validation: 0.2, test: 0.2}\n")
    return folder


def test_faces_are_cut_as_the_engine_cuts_them_and_only_once(portraits, tmp_path, monkeypatch):
    monkeypatch.setattr(faces_, "PART", 4)
    settings = read_training(portraits / "train.yaml")
    told = prepare(settings, tmp_path)
    assert dict(zip(told.step, told.n_excluded, strict=True)) == {
        "photos of portraits": 0, "all sources": 0, "age below 18 or above 105 years": 1, "file listed before": 1, "file cannot be read": 2, "no face": 1,
    }  # fmt: skip
    photos = read_table(tmp_path / "photos.parquet")
    chosen = photos[photos.excluded == ""]
    assert len(chosen) == 10
    image = np.asarray(Image.open(chosen.path.iloc[3]))
    expected = crop_face(image, Detector().detect([image])[0][0].box, size=64)
    store = FaceStore(tmp_path)
    np.testing.assert_array_equal(store.face(int(chosen.part.iloc[3]), int(chosen.row.iloc[3])), expected)
    made = read_json(tmp_path / "prepared.json")
    assert made["leak"] == {"place": 0, "person": 0}
    assert (made["n_photos"], made["n_persons"]) == (10, 5)

    cut, before = [], faces_._cut_part
    monkeypatch.setattr(faces_, "_cut_part", lambda *part: cut.append(part) or before(*part))
    part = sorted((tmp_path / "faces").glob("*.npy"))[1]
    part.write_bytes(part.read_bytes()[:-100])
    message = r"part-00001.npy: missing, or other than its checksum says.*train prepare. again"
    with pytest.raises(RunError, match=message):
        check_faces(tmp_path, chosen.part.astype(int))
    with pytest.raises(RunError, match=r"none/faces/part-00000.npy: missing, or other"):
        check_faces(tmp_path / "none", chosen.part.astype(int))
    pd.testing.assert_frame_equal(prepare(settings, tmp_path), told)
    assert len(cut) == 1  # the damaged part alone
    check_faces(tmp_path, chosen.part.astype(int))
    pd.testing.assert_frame_equal(read_table(tmp_path / "photos.parquet"), photos)


def test_faces_that_a_recognition_network_takes_for_one_stand_on_one_side(portraits, tmp_path, monkeypatch):
    curation = "curation: {embedding: recognition.pt, embedding_similarity: 0.95}\n"
    (portraits / "embedded.yaml").write_text((portraits / "train.yaml").read_text() + curation)
    settings = read_training(portraits / "embedded.yaml")
    with pytest.raises(WeightsError, match=r"recognition.pt: no such file"):
        prepare(settings, tmp_path)
    torch.save({"conv": torch.zeros(3)}, portraits / "recognition.pt")
    message = r"tensors lack or do not fit .*Expected facenet-pytorch's weights of VGGFace2 or CASIA. Give"
    with pytest.raises(WeightsError, match=message):
        prepare(settings, tmp_path)

    def planted(store, faces, weights, device):
        """Persons 1 and 3 look alike."""
        alike = faces.path.str.contains(r"/[13]_\d")
        vectors = np.eye(len(faces), 512)
        vectors[alike] = np.eye(1, 512, 500)
        return vectors

    monkeypatch.setattr("faceage_bio.faces.training.prepare.embed", planted)
    prepare(settings, tmp_path)
    photos, split = (read_table(tmp_path / f"{name}.parquet") for name in ("photos", "split"))
    joined = split.join(photos, on="place")
    assert joined[joined.path.str.contains(r"/[13]_\d")].side.nunique() == 1
    assert read_json(tmp_path / "prepared.json")["n_persons"] == 4


def test_similar_pairs_are_all_pairs_above_the_cosine(monkeypatch):
    monkeypatch.setattr("faceage_bio.faces.training.prepare.BLOCK", 3)
    vectors = np.random.default_rng(2).normal(size=(10, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = {(a, b) for a in range(10) for b in range(a + 1, 10) if vectors[a] @ vectors[b] >= 0.6}
    assert {tuple(map(int, pair)) for pair in similar_pairs(vectors, 0.6)} == expected
    assert expected


def test_embeddings_are_those_of_facenet_pytorch(portraits, tmp_path):
    torch.manual_seed(5)
    network = InceptionResnetV1(pretrained=None, classify=True, num_classes=7)
    torch.save(network.state_dict(), tmp_path / "vggface.pt")
    prepare(read_training(portraits / "train.yaml"), tmp_path / "prepared")
    photos = read_table(tmp_path / "prepared" / "photos.parquet")
    faces = photos[photos.excluded == ""].head(2)
    store = FaceStore(tmp_path / "prepared")
    found = embed(store, faces, tmp_path / "vggface.pt")
    network.classify = False
    crops = [cv2.resize(store.face(int(row.part), int(row.row)), (160, 160)) for row in faces.itertuples()]
    pixels = torch.tensor(np.stack(crops)).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        expected = network.eval()(fixed_image_standardization(pixels))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    cases("""
        sources: [] | sources: found .*at least 1
        fitt: {} | fitt: found
        curation: {min_age: 90.0, max_age: 30.0} | min_age must lie below max_age
        split: {validation: 0.5, test: 0.5} | leave no photos for training
        sources: [{name: a, kind: table, path: l.tsv}, {name: a, kind: table, path: m.tsv}] | name one twice
    """),
)
def test_settings_that_do_not_fit_are_told(tmp_path, text, message):
    sources = "" if text.startswith("sources") else "sources: [{name: a, kind: table, path: l.tsv}]\n"
    (tmp_path / "train.yaml").write_text(f"name: x\n{sources}{text}\n")
    with pytest.raises(ConfigError, match=message):
        read_training(tmp_path / "train.yaml")
