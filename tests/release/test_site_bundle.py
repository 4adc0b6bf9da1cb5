"""Bundles of hospitals: what leaves is rounded, what is pooled is exact, and what does not fit is refused by name."""

import hashlib
import io
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer

from faceage_bio.analyses.pooling.pooling_stage import pool_tables
from faceage_bio.cli.commands_release import site_app
from faceage_bio.core.errors import ConfigError, FaceAgeBioError, PrivacyError, RunError
from faceage_bio.core.settings.settings_study import Pooling
from faceage_bio.core.tables import read_table, write_table, zipped
from faceage_bio.release.known import Known
from faceage_bio.release.sites.site_bundle import (
    _fit_in,
    check_bundles,
    check_signature,
    differing_settings,
    pool_bundles,
    read_bundle,
    sign_file,
    site_members,
)
from tests.commands import output_of
from tests.report_studies import config_of
from tests.rows import cases
from tests.survival_studies import CURVES, data_of, write_study

pytestmark = pytest.mark.slow

KEY = bytes(range(32))
CONFIG = config_of(["c"], survival={"curves": CURVES})
CARD = {"name": "FaceAge", "sha256": "ab" * 32, "kind": "faceage"}


def write_results(folder, hazard_ratio):
    """A finished run of one cohort, whose hazard ratio of face age is known."""
    data = data_of()
    write_study(folder, data.assign(site=np.where(data["site"] == "lung", "lung", "breast")))
    path = folder / "c/survival/cox.tsv"
    cox = read_table(path)
    hazard = cox["measure"] == "hazard ratio"
    half = 1.96 * 0.05123456789
    cox.loc[hazard, "estimate"] = hazard_ratio
    cox.loc[hazard, ["ci_lower", "ci_upper"]] = np.array(hazard_ratio) * np.exp([-half, half])
    cox.loc[hazard, "standard_error"] = 0.05123456789
    write_table(cox, path)
    return folder


SITES = {"north": 1.2345678, "south": 1.1}


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Results of two sites and their bundles, made once; each test has a copy."""
    folder = tmp_path_factory.mktemp("originals")
    results = {site: write_results(folder / site, ratio) for site, ratio in SITES.items()}
    for site in SITES:
        bundle(results, folder, site)
    return folder


@pytest.fixture
def results(originals, tmp_path):
    return {site: Path(shutil.copytree(originals / site, tmp_path / site)) for site in SITES}


def bundle(results, folder, site, config=CONFIG, card=CARD):
    members, log = site_members(results[site], site, [], Known(identifiers={"N0912"}), config, [card], 6, KEY)
    (folder / f"{site}.zip").write_bytes(zipped(members))
    return log


@pytest.fixture
def zips(originals, tmp_path):
    return [Path(shutil.copy(originals / f"{site}.zip", tmp_path)) for site in SITES]


def test_counts_are_rounded_and_model_estimates_are_whole(zips, results):
    read = read_bundle(zips[0])
    cox = pd.read_csv(io.BytesIO(read.tables["c/survival/cox"]), sep="\t")
    exact = read_table(results["north"] / "c/survival/cox.tsv")
    assert (cox["n"].dropna() % 3 == 0).all()
    shown = cox["estimate"].notna()
    assert shown.any()
    assert np.array_equal(cox.loc[shown, "standard_error"], exact.loc[shown, "standard_error"])
    curve = pd.read_csv(io.BytesIO(read.tables["c/survival/at_risk"]), sep="\t")
    assert (curve["at_risk"].dropna() % 3 == 0).all()


def test_the_report_pools_what_pooling_the_exact_tables_gives(zips, results, tmp_path):
    pooled = pool_bundles([read_bundle(path) for path in zips], tmp_path / "report")
    for site, folder in results.items():  # as if all lay in one study
        table = read_table(folder / "c/survival/cox.tsv")
        write_table(table.assign(cohort=site), tmp_path / "all" / site / "survival" / "cox.tsv")
    tables = sorted((tmp_path / "all").glob("*/survival/cox.tsv"))
    whole = pool_tables(tables, None, Pooling(), "cohort").estimates
    keys = ["cohort", "analysis", "exposure", "term", "measure"]
    both = whole.merge(pooled[pooled["source"] == "survival/cox"], on=keys, suffixes=("", "_sites"))
    done = both["estimate_sites"].notna()
    assert done.sum() > 2
    for name in ("estimate", "ci_lower", "ci_upper"):
        expected = both.loc[done, name].to_numpy()
        assert both.loc[done, f"{name}_sites"].to_numpy() == pytest.approx(expected, rel=1e-12)
    page = (tmp_path / "report/index.html").read_text()
    assert "2 sites: north, south" in page
    assert "Pooled, 2 cohorts" in page
    manifest = json.loads((tmp_path / "report/manifest.json").read_text())
    assert set(manifest["sites"]) == {"north", "south"}
    pool_bundles([read_bundle(path) for path in zips], tmp_path / "report")  # an earlier report is replaced
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    message = r"there is something else\. Expected nothing there, or an earlier report"
    with pytest.raises(RunError, match=message):
        pool_bundles([read_bundle(path) for path in zips], tmp_path / "mine")


def changed(path, name, change):
    """The zip with one member changed, in place."""
    with zipfile.ZipFile(path) as packed:
        members = {one: packed.read(one) for one in packed.namelist()}
    members[name] = change(members[name])
    path.write_bytes(zipped(members))


def forged(path, members=(), **manifest):
    """The zip as somebody would make it who can write hashes, too."""
    with zipfile.ZipFile(path) as packed:
        found = {one: packed.read(one) for one in packed.namelist()}
    found |= dict(members)
    told = json.loads(found.pop("manifest.json")) | manifest
    told["files"] = {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}
    path.write_bytes(zipped(found | {"manifest.json": json.dumps(told).encode()}))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    cases(r"""
        tables/c/../../../../outside.tsv | a 1 | outside.tsv. Expected result tables of its cohorts and nothing else
        tables/elsewhere/survival/cox.tsv | a 1 | tables/elsewhere/survival/cox.tsv. Expected
        tables/c/survival/unheard_of.tsv | a 1 | unheard_of.tsv. Expected
        tables/c/survival/cox.tsv | a 1 | tables/c/survival/cox.tsv \(no result rows\)
        tables/c/survival/cox.tsv | \0a 1 | tables/c/survival/cox.tsv \(line 2 holds bytes of zero\)
        config.json | {"cohorts":{"../c":{}}} | config.json: \d problems?:
        cards.json | "card" | cannot be read as a site's bundle \(cards.json holds no model cards\)
        cards.json | [1] | cards.json holds no model cards
    """),
)
def test_a_bundle_holds_tables_of_its_cohorts_and_nothing_else(zips, name, content, message):
    forged(zips[0], {name: content.replace(" ", "\n").replace("\\0", "x\n\0").encode()})
    with pytest.raises(FaceAgeBioError, match=message):
        read_bundle(zips[0])


def test_a_bundle_with_a_word_for_a_number_is_refused(zips):
    place = "tables/c/survival/cox.tsv"
    with zipfile.ZipFile(zips[0]) as packed:
        table = pd.read_csv(packed.open(place), sep="\t", dtype=str, keep_default_na=False)
    table.loc[0, "estimate"] = "12e2147483650"  # pandas' own conversion ends in a segmentation fault
    forged(zips[0], {place: table.to_csv(sep="\t", index=False).encode()})
    with pytest.raises(RunError, match=r"cox\.tsv \(column estimate: '12e2147483650' is no number\)"):
        read_bundle(zips[0])


def test_of_several_cohorts_those_that_take_part_are_told_of(results, tmp_path):
    config = config_of(["c", "d"], survival={"curves": CURVES}, pooling={"reference_cohorts": ["d"], "overlapping": [["c", "d"]], "moderators": {"year": {"c": 2012, "d": 2019}}})  # fmt: skip
    config.report.cohorts = {"c": "Patients", "d": "Controls"}
    members, _ = site_members(results["north"], "north", ["c"], Known(), config, [CARD], 6, KEY)
    (tmp_path / "north.zip").write_bytes(zipped(members))
    told = read_bundle(tmp_path / "north.zip").config
    assert list(told.cohorts) == ["c"]
    assert told.report.cohorts == {"c": "Patients"}
    assert told.pooling.reference_cohorts == told.pooling.overlapping == []
    assert told.pooling.moderators == {"year": {"c": 2012}}


def test_a_manifest_that_lacks_a_part_is_told_by_it(zips):
    forged(zips[0], site=None, rounding=0)
    message = r"site: .*rounding: .*Expected the manifest that `faceage-bio site export` wrote"
    with pytest.raises(RunError, match=message):
        read_bundle(zips[0])


def test_data_that_come_twice_are_refused_whatever_the_name_key_and_rounding(results, zips, tmp_path):
    shared = {"clinic of c": "12ab"}
    forged(zips[0], data=shared)
    forged(zips[1], data=shared)
    with pytest.raises(RunError, match=r"south.zip holds the same data as north.zip \(clinic of c\)"):
        check_bundles([read_bundle(path) for path in zips])
    members, _ = site_members(results["north"], "east", [], Known(), CONFIG, [CARD], 5, bytes(32))
    (tmp_path / "east.zip").write_bytes(zipped(members))
    message = r"east.zip holds the same data as north.zip \(all estimates of c and c\)"
    with pytest.raises(RunError, match=message):
        check_bundles([read_bundle(zips[0]), read_bundle(tmp_path / "east.zip")])


def test_settings_of_pooling_can_be_given(zips, tmp_path):
    pool = f"site pool {zips[0]} {zips[1]} --output {tmp_path}/r --set"
    output_of(pool, "pooling.overlapping=[[north, south]]")
    assert "overlap" in (tmp_path / "r/tables/pooled/meta_analysis/estimates.tsv").read_text()
    with pytest.raises(ConfigError, match="--set: 1 problem"):
        output_of(pool, "pooling.method=guess")
    with pytest.raises(ConfigError, match=r"site pool has no setting 'survival\.per_years'"):
        output_of(pool, "survival.per_years=5")


def test_sites_have_controls_of_their_own_and_cohorts_of_a_site_may_share_them(zips):
    def of(*cohorts, reference=()):
        pooling = {"reference_cohorts": list(reference)}
        config = config_of(cohorts, acceleration={"fit_in": "reference"}, pooling=pooling)
        return replace(read_bundle(zips[0]), config=config)

    assert _fit_in([of("a", "healthy", reference=["healthy"]), of("b")]) == "cohort"
    assert _fit_in([of("a", "b", "healthy", reference=["healthy"]), of("c")]) == "reference"


def test_harmed_bundles_are_refused_by_name(zips):
    whole = zips[0].read_bytes()
    changed(zips[0], "tables/c/survival/cox.tsv", lambda content: content.replace(b"1.2345678", b"0.9345678"))
    with pytest.raises(RunError, match=r"tables/c/survival/cox.tsv changed since the bundle was made"):
        read_bundle(zips[0])
    zips[0].write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunError, match="cannot be read as a site's bundle"):
        read_bundle(zips[0])
    zips[0].write_bytes(whole)
    changed(zips[0], "manifest.json", lambda content: content.replace(b"site bundle 1", b"site bundle 9"))
    with pytest.raises(RunError, match="Install the same version of faceage_bio at all sites"):
        read_bundle(zips[0])


def test_what_does_not_fit_is_told_together(zips, results, tmp_path):
    north = read_bundle(zips[0])
    shutil.copy(zips[0], tmp_path / "again.zip")
    other = config_of(["c"], survival={"curves": CURVES, "per_years": 1.0})
    bundle(results, tmp_path, "south", other, CARD | {"sha256": "cd" * 32})
    version = b'"faceage_bio": "'
    changed(zips[1], "manifest.json", lambda content: content.replace(version, version + b"9"))
    bundles = [north, read_bundle(tmp_path / "again.zip"), read_bundle(zips[1])]
    with pytest.raises(RunError) as error:
        check_bundles(bundles)
    for part in (
        "again.zip and north.zip are both of site north", "south.zip has version '9", "south.zip has model_id 'cdcd", "south.zip has survival.per_years 1.0",
        "Expected one bundle of each site, made alike",
    ):  # fmt: skip
        assert part in str(error.value)
    assert "survival.per_years" in differing_settings([bundles[0], bundles[2]])
    with pytest.raises(RunError, match="1 of the two or more that are needed"):
        check_bundles([north])
    members, _ = site_members(results["north"], "copy", [], Known(), CONFIG, [CARD], 6, KEY)
    (tmp_path / "copy.zip").write_bytes(zipped(members))
    with pytest.raises(RunError, match="holds the same data as north"):
        check_bundles([north, read_bundle(tmp_path / "copy.zip")])


def test_nothing_is_made_of_what_may_not_leave(results):
    path = results["north"] / "c/survival/cox.tsv"
    path.write_text(path.read_text().replace("face_age", "N0912"))
    with pytest.raises(PrivacyError, match=r"nothing was written, because \d+ things? may not leave"):
        site_members(results["north"], "north", [], Known(identifiers={"N0912"}), CONFIG, [CARD], 6, KEY)


@pytest.mark.parametrize(
    ("site", "cohorts", "message"),
    [
        ("North Hospital", [], r"--site 'North Hospital': expected up to 31 small letters"),
        ("north", ["d"], r"--cohort d: no cohort of the study\. Expected c"),
    ],
)
def test_names_that_are_none(site, cohorts, message, results):
    with pytest.raises(RunError, match=message):
        site_members(results["north"], site, cohorts, Known(), CONFIG, [CARD], 6, KEY)


def test_what_would_leave_is_shown_before_it_is_written(results, tmp_path, capsys, monkeypatch):
    (tmp_path / "ages.tsv").write_text("subject_id\tface_age\n")
    (tmp_path / "clinical.tsv").write_text("subject_id\n")
    config = "cohorts: {c: {face_ages: ages.tsv, clinical: clinical.tsv}}\n"
    (tmp_path / "config.yaml").write_text(config)
    monkeypatch.chdir(tmp_path)

    def run(options):
        line = (
            f"export --configfile config.yaml --results {results['north']} --site north --key key {options}"
        )
        typer.main.get_command(site_app)(line.split(), standalone_mode=False)

    said, read = [], []

    def look(question):
        said.append(capsys.readouterr().out)
        folder = said[0].partition("to be read before they leave: ")[2].partition(" ")[0]
        read.extend(path.name for path in Path(folder).rglob("*") if path.is_file())
        return False

    monkeypatch.setattr("typer.confirm", look)
    with pytest.raises(typer.Abort):
        run("--output a.zip")
    assert "counts rounded" in said[0]
    assert {"config.json", "cards.json", "manifest.json", "cox.tsv"} <= set(read)
    assert not (tmp_path / "a.zip").exists()
    run("--output b.zip --yes")
    assert read_bundle(tmp_path / "b.zip").site == "north"


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no OpenSSH")
def test_signatures_tell_whose_a_file_is(tmp_path):
    import subprocess

    for name in ("north", "other"):
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)]
        subprocess.run(keygen, check=True)
    signers = tmp_path / "signers"
    signers.write_text("north " + (tmp_path / "north.pub").read_text())
    path = tmp_path / "north.zip"
    path.write_bytes(b"content")
    with pytest.raises(RunError, match=r"Expected the signature of north.zip\. Ask the site for it"):
        check_signature(path, "north", signers)
    sign_file(path, tmp_path / "north")
    check_signature(path, "north", signers)
    path.write_bytes(b"CONTENT")
    with pytest.raises(RunError, match="not as north signed it"):
        check_signature(path, "north", signers)
    sign_file(path, tmp_path / "other")
    with pytest.raises(RunError, match=r"Ask the site for the file and its key again, by another way"):
        check_signature(path, "north", signers)
    with pytest.raises(RunError, match=r"cannot sign .* Expected a private OpenSSH key"):
        sign_file(path, tmp_path / "none")


def test_without_openssh_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    message = r"ssh-keygen: not found\. Expected OpenSSH 8.2 or later\. Install openssh-client"
    with pytest.raises(RunError, match=message):
        sign_file(tmp_path / "a", tmp_path / "key")
