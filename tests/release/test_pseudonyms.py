"""Pseudonyms: stable with a key, which is private and lies apart from the results."""

import pandas as pd
import pytest
from typer.testing import CliRunner

from faceage_bio.cli.main import app
from faceage_bio.core.errors import PrivacyError
from faceage_bio.core.tables import mark_local
from faceage_bio.release.pseudonyms import left_out, load_key, pseudonym, pseudonymise


def test_two_participants_do_not_share_a_pseudonym(monkeypatch):
    monkeypatch.setattr("faceage_bio.release.pseudonyms.pseudonym", lambda *_: "same")
    with pytest.raises(PrivacyError, match="column 'subject_id': two identifiers got the same pseudonym"):
        pseudonymise(pd.DataFrame({"subject_id": ["N1", "N2"]}), bytes(32))


def test_key_is_private_outside_of_results_and_lasts(tmp_path):
    path = tmp_path / "config" / "pseudonyms.key"
    key = load_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_key(path) == key
    with pytest.raises(PrivacyError, match="lies inside"):
        load_key(tmp_path / "results/a.key", [tmp_path / "results"])
    mark_local(tmp_path / "other")
    with pytest.raises(PrivacyError, match="inside a folder of results"):
        load_key(tmp_path / "other/deep/a.key")
    path.chmod(0o644)
    message = r"others than its owner can read the key. Expected mode 0600. Run: chmod 600"
    with pytest.raises(PrivacyError, match=message):
        load_key(path)
    path.chmod(0o600)
    path.write_text("short")
    with pytest.raises(PrivacyError, match=r"expected a key of 64 hexadecimal letters. Restore it"):
        load_key(path)


def test_pseudonyms_are_stable_with_a_key_and_others_with_another():
    one, other = bytes(32), bytes(31) + b"1"
    assert pseudonym("N091", one) == pseudonym("N091", one)
    assert pseudonym("N091", one) != pseudonym("N091", other)
    assert pseudonym("N091", one) != pseudonym("N091", one, "photo_id")
    many = {pseudonym(str(k), one) for k in range(5000)}
    assert len(many) == 5000
    table = pd.DataFrame({
        "cohort": "north", "subject_id": ["N2", "N1", "N2"], "photo_id": ["P1", "P2", None], "path": "a.jpg",
        "photo_date": "2020-01-01", "perceptual_hash": "ff", "face_age": [50.0, 60.0, 70.0],
    })  # fmt: skip
    made = pseudonymise(table, one)
    assert list(made) == ["cohort", "subject_id", "photo_id", "face_age"]
    assert made["subject_id"].nunique() == 2
    assert made.groupby("subject_id")["face_age"].sum().sort_values().tolist() == [60.0, 120.0]
    assert not made.to_csv().count("N1")
    with pytest.raises(PrivacyError, match="no column holds identifiers"):
        pseudonymise(table[["face_age"]], one)


def test_columns_that_tell_who_somebody_is_are_left_out_whatever_their_name():
    """By their name, and by their cells: identifiers of others, alone or in a note, and days."""
    table = pd.DataFrame({
        "subject_id": ["N0912", "N0913"], "hospital_number": [48213, 48214], "surname": ["Muster", "Muster"], "e_mail": "a@b.org", "line": [2, 3],
        "surgery": ["2019-04-02", None], "last_seen": ["", "seen on 3 May 2020"], "scan": pd.to_datetime(["2020-01-01", None]),
        "mother": [None, "N0912"], "control": [48214.0, None], "notes": pd.Categorical(["as N0913", "well"]),
        "gene_name": ["TP53", "KIT"], "stage": ["II", "III"], "age": [61, 71], "grade": ["1", "2"],
    })  # fmt: skip
    assert left_out(table) == {
        "surname": "names, addresses, lines or hashes", "e_mail": "names, addresses, lines or hashes", "line": "names, addresses, lines or hashes",
        "surgery": "dates", "last_seen": "dates", "scan": "dates", "mother": "identifiers", "control": "identifiers", "notes": "identifiers",
    }  # fmt: skip
    made = pseudonymise(table, bytes(32))
    assert list(made) == ["subject_id", "hospital_number", "gene_name", "stage", "age", "grade"]


def test_pseudonymise_is_private_and_refuses_a_key_beside_the_table(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "in.tsv").write_text("subject_id\tface_age\nN1\t50\n")
    output = tmp_path / "out" / "people.tsv"
    command = ["pseudonymise", str(tmp_path / "in.tsv"), "--output", str(output)]
    assert CliRunner().invoke(app, command).exit_code == 0
    assert output.stat().st_mode & 0o777 == 0o600
    assert [*output.parent.iterdir()] == [output]  # no record with the hashes of the table and the key
    first = output.read_text()
    assert CliRunner().invoke(app, command).exit_code == 0
    assert output.read_text() == first
    beside = CliRunner().invoke(app, [*command, "--key", str(tmp_path / "out" / "a.key")])
    assert isinstance(beside.exception, PrivacyError)
