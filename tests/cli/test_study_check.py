"""`check` tells what is wrong at once, reads counts once, opens photos, and says what a study is too small for."""

import os
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from faceage_bio.analyses.acceleration.acceleration_stage import too_small
from faceage_bio.cli import study_check
from faceage_bio.cli.study_check import check_study, time_of
from faceage_bio.core.errors import CohortError, visible
from faceage_bio.core.tables import read_json, write_json
from faceage_bio.faces.faceage.shards import count_photos, shard_names
from faceage_bio.faces.faceage.store import content_of
from faceage_bio.faces.training.curation import keyed_hashes
from faceage_bio.intake.cohort import samples
from faceage_bio.intake.rna import count_files
from faceage_bio.intake.rna.count_files import read_counts_once
from tests.commands import output_of
from tests.conftest import add_mean_model

N = 12
CLINICAL = pd.DataFrame({
    "subject_id": [f"P{k}" for k in range(N)], "chronological_age": range(50, 50 + N), "sex": ["male", "female"] * (N // 2),
    "followup_years": [1.5 + k / 10 for k in range(N)], "event": [1, 0] * (N // 2),
})  # fmt: skip
DYING = CLINICAL.assign(event=[1, 1, 0, 0] * 3)  # of both sexes
FACES = CLINICAL[["subject_id"]].assign(face_age=[52.5 + k for k in range(N)])
VARYING = FACES.assign(face_age=[52.5, 51, 55, 54.5, 58, 53, 60, 59, 57.5, 62, 61, 66])
COUNTS = pd.DataFrame(
    {f"P{k}": [523 + k, 40 + k, 8, k] for k in range(N)}, index=["CDK6", "TP53", "GDF15", "XIST"]
)


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A function that writes a study, with parts changed, and checks it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        study_check.machine, "look", lambda folder, gpu: study_check.machine.Computer(2, 64, 500)
    )

    def check(config=None, **tables):
        for name, table in ({"clinical": CLINICAL, "face_ages": FACES} | tables).items():
            table.to_csv(tmp_path / f"{name}.tsv", sep="\t", index=False)
        COUNTS.rename_axis("gene").to_csv(tmp_path / "counts.tsv", sep="\t")
        cohort = {name: f"{name}.tsv" for name in ("clinical", "face_ages", "counts")}
        config = {"expression": {"covariates": ["chronological_age", "sex"]}} | (config or {})
        whole = {"cohorts": {"mine": cohort | config.pop("mine", {})}} | config
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(whole))
        check_study(tmp_path / "config.yaml")

    return check


def test_a_good_study_passes_and_nothing_is_written(study, capsys, tmp_path):
    study(face_ages=VARYING, clinical=DYING)
    told = capsys.readouterr().out
    assert told.startswith("mine: column names read (face_ages 2, clinical 5)\n")
    assert "Everything fits" in told
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("config", "tables", "message"),
    [
        ({"mine": {"columns": {"bmi": "BMIx"}}}, {}, r"columns says that 'bmi' is called 'BMIx', but .* have no such column"),
        ({"survival": {"covariates": ["smokng"]}}, {}, r"survival.covariates names 'smokng', which no table of any cohort has"),
        ({}, {"face_ages": FACES.rename(columns={"face_age": "FaceAge"})}, r"lacks the column.s. face_age; found subject_id, FaceAge"),
        ({"mine": {"clinical": "gone.tsv"}}, {}, r"gone.tsv: no such file"),
    ],
)  # fmt: skip
def test_column_names_are_told_before_any_count_is_read(study, monkeypatch, config, tables, message):
    monkeypatch.setattr(samples, "read_counts_once", lambda *_, **__: pytest.fail("counts were read"))
    with pytest.raises(CohortError, match=message) as caught:
        study(config, **tables)
    assert str(caught.value).startswith("1 problem ")  # one cause, one message


def test_all_files_that_are_not_there_are_told_together(study):
    absent = {"clinical": "none.tsv", "counts": "none.h5ad", "gene_ids": "none.gtf"}
    with pytest.raises(CohortError) as caught:
        study({"mine": absent})
    assert [line for line in str(caught.value).splitlines() if "  - none.h5ad" in line] == [
        "  - none.h5ad: no such file or folder. Expected what cohorts.mine.counts names. Check the path in the config (it starts at the folder of the config)."
    ]
    assert all(f"  - {file}: no such file" in str(caught.value) for file in absent.values())


@pytest.mark.parametrize(
    ("change", "spelt"),
    [
        (str.lower, "p1"),
        (lambda name: name.replace("P", "P-00"), "P-001"),
        (lambda name: f"{name}\u200b", r"P1\\u200b"),
        (lambda name: f"{name}.0", "P1.0"),
        (lambda name: name.replace("P", "\uff30"), "\uff30"),
    ],
    ids=["capitals", "zeros", "invisible", "decimal", "wide"],
)
def test_the_other_spelling_of_a_subject_is_told(study, change, spelt):
    with pytest.raises(CohortError, match=f"line 3: 'P1', which clinical.tsv spells '{spelt}") as caught:
        study(clinical=CLINICAL.assign(subject_id=CLINICAL.subject_id.map(change)))
    assert (
        f"12 of 12 samples are not named by a subject_id: 'P0', which the clinical table spells '{visible(change('P0'))}'"
        in str(caught.value)
    )
    assert "Expected such names where no table says whose the samples are. Give one under `samples:`" in str(
        caught.value
    )


def test_one_number_without_end_is_one_problem(study):
    with pytest.raises(
        CohortError, match=r"'followup_years': 1 row.s., line 3: 'inf'. Expected a number"
    ) as caught:
        study(clinical=CLINICAL.assign(followup_years=[1.5, float("inf"), *CLINICAL.followup_years[2:]]))
    assert str(caught.value).startswith("1 problem ")


def test_a_needed_column_whose_declared_name_is_misspelt_is_one_message(study):
    with pytest.raises(CohortError, match="'subject_id' is called 'PatientNo'") as caught:
        study({"mine": {"columns": {"subject_id": "PatientNo"}}}, **{name: table.rename(columns={"subject_id": "PatientNr"}) for name, table in (("clinical", CLINICAL), ("face_ages", FACES))})  # fmt: skip
    assert str(caught.value).startswith("1 problem ")


def test_every_problem_of_cells_and_counts_is_told_once(study, capsys):
    wrong = CLINICAL.assign(chronological_age=[500, *CLINICAL.chronological_age[1:]])
    COUNTS_WRONG = FACES.assign(face_age=["sixty\u200b", *FACES.face_age[1:]])
    with pytest.raises(CohortError) as caught:
        study(clinical=wrong, face_ages=COUNTS_WRONG)
    told = str(caught.value)
    assert told.count("  - ") == 2
    assert "clinical.tsv: column 'chronological_age': 1 row(s), line 2: '500'" in told
    assert r"sixty\u200b" in told


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\xa0b", r"a\xa0b"), ("\ufeffid", r"\ufeffid"), ("x\ty", r"x\ty"), ("one\ntwo ü 基因", "one\ntwo ü 基因"), ("\u202egnp", r"\u202egnp")],
)  # fmt: skip
def test_invisible_characters_are_written_out(text, shown):
    assert visible(text) == shown
    assert str(CohortError(text)) == shown


def test_photos_that_cannot_be_opened_are_named_and_most_of_them_stop_the_study(
    study, capsys, tmp_path, monkeypatch
):
    monkeypatch.setattr(study_check, "_weights", lambda config, tables, problems: [])
    (tmp_path / "photos").mkdir()
    manifest = pd.DataFrame(
        {
            "photo_id": CLINICAL.subject_id,
            "subject_id": CLINICAL.subject_id,
            "path": CLINICAL.subject_id + ".jpg",
        }
    )
    for path in manifest.path:
        Image.new("RGB", (60, 80)).save(tmp_path / "photos" / path)
    (tmp_path / "photos" / "P3.jpg").write_text("no photo")
    photographed = {
        "mine": {"face_ages": None, "photos": "photos", "manifest": "manifest.tsv"},
        "models": ["model"],
    }
    add_mean_model(tmp_path / "model")
    study(photographed, manifest=manifest)
    told = capsys.readouterr().out
    assert "photos: 1 of 12 photos cannot be read, not an image format that can be read: P3.jpg" in told
    assert "mine: 11 of 12 photos will be computed" in told
    assert "Everything else fits" in told
    for path in manifest.path[:7]:
        (tmp_path / "photos" / path).write_bytes(b"")
    message = r"photos: 7 of 12 photos of cohort 'mine' cannot be read, as listed above. Expected most"
    with pytest.raises(CohortError, match=message):
        study(photographed, manifest=manifest)


def test_a_cohort_whose_photos_the_model_has_seen_is_no_validation(study, capsys, tmp_path):
    manifest = pd.DataFrame({name: CLINICAL.subject_id for name in ("photo_id", "subject_id")})
    manifest["path"] = manifest.photo_id + ".jpg"
    (tmp_path / "photos").mkdir()
    for number, path in enumerate(manifest.path):
        Image.new("RGB", (200, 240), (number * 20, 90, 90)).save(tmp_path / "photos" / path)
    add_mean_model(tmp_path / "model")
    photographed = {
        "mine": {"face_ages": None, "photos": "photos", "manifest": "manifest.tsv"},
        "models": ["model"],
    }
    study(dict(photographed), manifest=manifest, clinical=DYING)
    assert "Everything fits" in capsys.readouterr().out
    card = read_json(tmp_path / "model" / "card.json")
    seen = [content_of(tmp_path / "photos" / path) for path in manifest.path[:5]]
    used = {"photos": keyed_hashes(seen), "cohorts": ["training and validation photos"]}
    write_json(card | {"used": used}, tmp_path / "model" / "card.json")
    message = r"cohort 'mine': 5 of 12 photos trained or chose the model Mean of the crop"
    with pytest.raises(CohortError, match=message):
        study(dict(photographed), manifest=manifest)


def test_counts_are_read_once_by_their_content(tmp_path, monkeypatch):
    monkeypatch.setattr(count_files, "WORTH_KEEPING", 1)
    calls, real = [], count_files.read_counts
    monkeypatch.setattr(
        count_files, "read_counts", lambda path, **options: calls.append(path) or real(path, **options)
    )
    path, kept = tmp_path / "counts.tsv", tmp_path / "results" / ".inputs" / "mine_counts.parquet"
    COUNTS.set_axis(["ENSG00000105810.12", "TP53", "GDF15", "XIST"]).rename_axis("gene").to_csv(
        path, sep="\t"
    )
    first = read_counts_once(path, kept)
    second = read_counts_once(path, kept)
    assert len(calls) == 1
    pd.testing.assert_frame_equal(first.counts, second.counts)
    assert first.said == second.said
    assert second.identifiers.to_dict() == first.identifiers.to_dict() == {"CDK6": "ENSG00000105810"}
    assert kept.stat().st_mode & 0o777 == 0o600
    read_counts_once(path, kept, samples=list(COUNTS))  # other options
    path.write_text(path.read_text().replace("523", "524"))
    assert read_counts_once(path, kept).counts.loc["CDK6", "P0"] == 524
    kept.write_bytes(kept.read_bytes()[:200])  # a table that a full disk cut off is made again
    assert read_counts_once(path, kept).counts.loc["CDK6", "P0"] == 524
    assert len(calls) == 4


def test_counts_that_cannot_be_kept_are_read_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(count_files, "WORTH_KEEPING", 1)
    COUNTS.rename_axis("gene").to_csv(tmp_path / "counts.tsv", sep="\t")
    (tmp_path / "file").write_text("no folder")
    assert (
        read_counts_once(tmp_path / "counts.tsv", tmp_path / "file" / "kept.parquet").counts.shape
        == COUNTS.shape
    )


def test_small_counts_are_not_kept(tmp_path):
    COUNTS.rename_axis("gene").to_csv(tmp_path / "counts.tsv", sep="\t")
    read_counts_once(tmp_path / "counts.tsv", tmp_path / "kept.parquet")
    assert not (tmp_path / "kept.parquet").exists()


def test_what_a_study_is_too_small_for_is_said():
    everybody = set(CLINICAL.subject_id)
    assert too_small(CLINICAL, everybody) == []
    (deaths,) = too_small(CLINICAL.assign(event=0), everybody)
    (one,) = too_small(CLINICAL, ["P0"])
    assert one.startswith("too small for any model: 1 participant has a photo or a face age, and 1 of them")
    assert "follow-up is known of 12 participants with an age, of whom 0 died; needed are 5 deaths" in deaths
    (whole,) = too_small(CLINICAL.assign(chronological_age=float("nan")), everybody)
    assert whole.startswith(
        "too small for any model: 12 participants have a photo or a face age, and 0 of them a known age"
    )
    (few,) = too_small(CLINICAL, ["P0", "P1"])
    assert "age acceleration needs 10 (and 3 different ages)" in few


def test_models_of_genes_that_cannot_be_fitted_are_told(study, capsys, monkeypatch):
    monkeypatch.setattr(f"{__name__}.COUNTS", COUNTS[[f"P{k}" for k in range(7)]])
    study(face_ages=VARYING)
    assert (
        "mine: no model of genes can be fitted, because 7 samples are too few for 4 parameters; there must be at least 8, or fewer covariates "
        "(7 RNA samples of participants with known chronological_age, sex)"
    ) in capsys.readouterr().out


def test_a_sample_that_alone_has_a_level_is_told(study, capsys):
    covariates = {"expression": {"covariates": ["chronological_age", "smoking"]}}
    study(
        covariates,
        face_ages=VARYING,
        clinical=DYING.assign(smoking=["former"] + ["never", "current"] * 5 + [None]),
    )
    assert (
        "because one sample alone determines a term; leave out groups of one (11 RNA samples of participants with known chronological_age, "
        "smoking; one sample alone has smoking 'former')"
    ) in capsys.readouterr().out
    study(covariates, face_ages=VARYING, clinical=DYING.assign(smoking=["never", "current"] * 6))
    assert "no model of genes" not in capsys.readouterr().out


def test_dates_that_follow_up_runs_from_are_looked_for(study, capsys):
    dated = DYING.assign(diagnosis_date="2020-01-31")
    zero = {"survival": {"time_zero": "diagnosis_date"}}
    study(zero, face_ages=VARYING, clinical=dated)
    assert "not used" not in capsys.readouterr().out
    with pytest.raises(
        CohortError,
        match=r"clinical\.tsv: survival\.time_zero: diagnosis_date needs the column 'diagnosis_date'",
    ):
        study(zero, face_ages=VARYING, clinical=DYING)
    with pytest.raises(
        CohortError, match=r"clinical\.tsv: column 'diagnosis_date' .* cells that are no dates"
    ):
        study(zero, face_ages=VARYING, clinical=dated.assign(diagnosis_date="2020"))
    study(zero, face_ages=VARYING, clinical=DYING.drop(columns=["followup_years", "event"]))


def test_a_small_study_is_told_so(study, capsys):
    study(clinical=CLINICAL.head(5), face_ages=FACES.head(5), config={"mine": {"counts": None}})
    assert "mine: too small for any model: 5 participants" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("tables", "caution"),
    [
        ({"face_ages": FACES.assign(face_age=60)}, r"face_ages.tsv: column 'face_age': all 12 face ages follow from chronological age alone \(60 at age 50; 60 at age 51; 60 at age 52; and 9 more\), so that age acceleration is zero and no model of it can be fitted. Expected ages predicted from photos. Look for a mistake"),
        ({"face_ages": FACES}, r"all 12 face ages follow from chronological age alone \(52.5 at age 50; 53.5 at age 51"),
        ({"clinical": CLINICAL.assign(followup_years=0)}, r"clinical.tsv: column 'followup_years': all 12 participants with follow-up have 0, so that no survival after the photo can be estimated. Expected years after the photo. Look for a mistake in the dates or units"),
        ({"clinical": CLINICAL.assign(event=0)}, r"clinical.tsv: column 'event': all 12 participants with follow-up are censored \(0\), so no hazard can be estimated. Check what codes a death"),
        ({"clinical": CLINICAL.assign(event=1)}, r"column 'event': all 12 participants with follow-up died \(1\). Check what codes a death; if they did"),
        ({"clinical": CLINICAL.assign(smoking="never")}, r"clinical.tsv: column 'smoking': all 12 participants have 'never'; a constant tells nothing and the models go without it. Take it out of the covariates, or look for a mistake"),
        ({"clinical": CLINICAL.assign(smoking=["never", "current", *["former"] * 10]), "face_ages": VARYING.tail(10)}, "column 'smoking': all 10 participants have 'former'"),
        ({"clinical": CLINICAL.assign(sex=["male"] * 11 + ["female"])}, "column 'sex': no death among participants with 'female' .n = 1: row 12.; a hazard ratio of this group has no end"),
    ],
    ids=["one face age", "a line of age", "no time", "no death", "all died", "one level", "one level with a face age", "a level without death"],
)  # fmt: skip
def test_what_does_not_vary_is_cautioned(study, capsys, tables, caution):
    study(**{"face_ages": VARYING} | tables)
    out = capsys.readouterr().out
    told = re.findall("caution: .*", out)
    assert [line for line in told if re.search(caution, line)]
    assert f"Everything else fits; {len(told)} caution{'s' if len(told) > 1 else ''} above. Start with" in out
    study(face_ages=VARYING, clinical=DYING)
    out = capsys.readouterr().out
    assert "caution" not in out
    assert "Everything fits. Start with" in out


@pytest.mark.parametrize("word", ["none", "Not done", "not applicable"])
@pytest.mark.parametrize(("column", "meant"), [("comorbidity", "no"), ("smoking", "never")])
def test_words_for_nothing_that_may_be_a_group_are_cautioned(study, capsys, column, meant, word):
    def told(cells, setting=None, **mine):
        config = {"mine": mine, "survival": {"covariates": setting or [column]}}
        study(config, face_ages=VARYING, clinical=DYING.assign(**{column: cells}))
        return capsys.readouterr().out

    advice = f'codings: {{{column}: {{"{word}": "{meant}"}}}}', f'missing: ["{word}"]'
    groups = [*["former"] * 4, *["current"] * 4]
    sentence = (
        f"caution: clinical.tsv: column '{column}': 4 of 12 cells hold '{word}', which is taken as not known. If it is a group of its own, write another "
        f"word, such as '{meant}', or declare {advice[0]}; if it is not known, declare {advice[1]}.\n"
    )
    assert sentence in told([word] * 4 + groups)
    for declared in advice:
        assert "not known" not in told([word] * 4 + groups, **yaml.safe_load(declared))
    assert "not known" not in told([word] * 12)
    if column == "comorbidity":  # what nothing uses, and numbers
        assert "taken as not known" not in told([word] * 4 + groups, ["sex"])
        assert "taken as not known" not in told([word] * 4 + [*range(8)])


def test_face_ages_beside_the_wrong_participants_are_cautioned(study, capsys):
    rng = np.random.default_rng(3)
    people = pd.DataFrame(
        {"subject_id": [f"P{k}" for k in range(200)], "chronological_age": rng.uniform(40, 80, 200)}
    )
    ages = people[["subject_id"]].assign(face_age=(people.chronological_age + rng.normal(0, 7, 200)).round(1))
    without = {"config": {"mine": {"counts": None, "samples": None}}}
    study(clinical=people.round(1), face_ages=ages, **without)
    assert "own participant" not in capsys.readouterr().out
    mixed = ages.assign(face_age=rng.permutation(ages.face_age))
    study(clinical=people.round(1), face_ages=mixed, **without)
    told = r"caution: face_ages.tsv: column 'face_age': correlation with chronological age r -?−?0\.\d+ .99% CI .*, expected 0\.7\d+ of the published model .n = 200.. Check that each face age belongs to its own participant"
    assert re.search(told, capsys.readouterr().out)


def test_participants_without_a_photo_or_in_two_spellings_are_named(study, capsys):
    more = CLINICAL.head(2).assign(subject_id=["p0", "* from the registry"])
    study(clinical=pd.concat([DYING, more]), face_ages=VARYING)
    told = capsys.readouterr().out
    assert "mine: 2 of 14 participants have no photo or face age: 'p0'; '* from the registry'\n" in told
    assert "caution: mine: participants whose names differ in capitals alone: 'P0'; 'p0'\n" in told


def test_few_clusters_are_cautioned(study, capsys):
    one = DYING.assign(hospital="north")
    study({"survival": {"cluster": "hospital"}}, face_ages=VARYING, clinical=one)
    told = "column 'hospital' (survival.cluster): all participants with follow-up are of one unit ('north'), so that robust standard errors cannot be computed"
    assert told in capsys.readouterr().out
    study(
        {"survival": {"cluster": "hospital"}},
        face_ages=VARYING,
        clinical=one.assign(hospital=["north", "south"] * 6),
    )
    told = "are of 2 units; robust standard errors are too small, and intervals too short, with fewer than 20. Expected many units. Name the column under"
    assert told in capsys.readouterr().out


def test_what_does_not_vary_among_those_with_rna_is_cautioned(study, capsys, monkeypatch):
    monkeypatch.setattr(f"{__name__}.COUNTS", COUNTS[["P0", "P2", "P4", "P6", "P8", "P10"]])
    study(face_ages=VARYING)
    assert "column 'sex': all 6 participants with RNA have 'male'" in capsys.readouterr().out
    monkeypatch.setattr(f"{__name__}.COUNTS", COUNTS[["P0"]])
    study(face_ages=VARYING)
    assert "participants with RNA have" not in capsys.readouterr().out


# What an edit computes again: photos by their bytes, genes by what they depend on; `check` says so beforehand.


N_PHOTOS = 7


@pytest.fixture
def computed_study(tmp_path, monkeypatch):
    """Photos of noise, a clinical table, counts, and a model; `run` makes face ages as the workflow does."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        study_check.machine, "look", lambda folder, gpu: study_check.machine.Computer(2, 64, 500)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        add_mean_model(tmp_path / "model")
    (tmp_path / "photos").mkdir()
    for k in range(N_PHOTOS):
        photo(tmp_path, k)
    people = pd.DataFrame({
        "subject_id": [f"P{k}" for k in range(N_PHOTOS)], "chronological_age": [50.0 + k for k in range(N_PHOTOS)], "bmi": 25.0,
        "sex": ["male", "female"] * 3 + ["male"], "followup_years": 2.5, "event": 1,
    })  # fmt: skip
    people.to_csv(tmp_path / "clinical.tsv", sep="\t", index=False)
    pd.DataFrame(
        {f"P{k}": [500 + k, 40, 8] for k in range(N_PHOTOS)},
        index=pd.Index(["CDK6", "TP53", "GDF15"], name="gene"),
    ).to_csv(tmp_path / "counts.tsv", sep="\t")
    manifest(tmp_path, N_PHOTOS)
    configure(tmp_path)
    return tmp_path


def photo(folder, k):
    pixels = np.random.default_rng(k).integers(0, 255, (200, 160, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "photos" / f"{k}.png")


def manifest(folder, n):
    rows = pd.DataFrame(
        {"photo_id": [f"p{k}" for k in range(n)], "subject_id": [f"P{k % N_PHOTOS}" for k in range(n)]}
    )
    rows.assign(path=[f"{k}.png" for k in range(n)]).to_csv(folder / "manifest.tsv", sep="\t", index=False)


def configure(folder, name="mine", shard_size=3):
    cohort = {
        "photos": "photos",
        "manifest": "manifest.tsv",
        "clinical": "clinical.tsv",
        "counts": "counts.tsv",
    }
    content = {
        "cohorts": {name: cohort}, "models": ["model"], "faceage": {"shard_size": shard_size, "device": "cpu"},
        "expression": {"covariates": ["chronological_age", "sex"]},
    }  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(content))


def run(folder, name="mine", shard_size=3) -> int:
    """How many photos are computed when manifest, shards and their gathering run."""
    faces = folder / "results" / name / "faceage"
    common = f"--config config.yaml --cohort {name}"
    manifest = f"results/{name}/cohort/manifest.parquet"
    unlisted = f"--unlisted results/{name}/cohort/unlisted.parquet"
    output_of(f"read-manifest {common} --output {manifest} {unlisted}")
    output_of(f"check-cohort {common} --results results --manifest {manifest} {unlisted}")
    shards = shard_names(count_photos(folder / "manifest.tsv"), shard_size)
    photos = f"--photos {manifest} --photo-folder photos --model model --store results/faceage_store"
    told = [
        output_of(
            f"predict-face-age --config config.yaml {photos} --shard {shard} --workers 1"
            f" --output {faces}/shards/{shard}.parquet --speed {faces}/shards/{shard}.json"
        )
        for shard in shards
    ]
    given = [part for shard in shards for part in ("--shard", faces / "shards" / f"{shard}.parquet")]
    output_of(f"gather-face-ages {common} --manifest {manifest} --model model --results results", *given)
    gathered = list(pd.read_parquet(faces / "face_age.parquet")["photo_id"])
    assert gathered == list(pd.read_csv("manifest.tsv", sep="\t")["photo_id"])
    return sum(int(re.search(r"computed before, (\d+) now", text)[1]) for text in told)


def checked(folder, capsys) -> str:
    capsys.readouterr()
    check_study(folder / "config.yaml")
    return capsys.readouterr().out


@pytest.mark.slow
def test_only_new_photos_are_computed_and_check_says_so_beforehand(computed_study, capsys):
    told = checked(computed_study, capsys)
    assert f"mine: {N_PHOTOS} of {N_PHOTOS} photos will be computed: " in told
    assert "hours on the processor, 0 GPU-hours (an estimate; no run before)" in told
    assert "mine: genes are fitted for the first time" in told
    assert run(computed_study) == N_PHOTOS
    # one file of the store for each shard, and none for a photo
    assert len(list((computed_study / "results" / "faceage_store").rglob("*.part"))) == 3

    people = pd.read_csv("clinical.tsv", sep="\t")  # one BMI
    people.assign(bmi=people.bmi + (people.index == 2)).to_csv("clinical.tsv", sep="\t", index=False)
    words = f"mine: 0 of {N_PHOTOS} photos will be computed: 0 hours, 0 GPU-hours"
    assert words in checked(computed_study, capsys)
    assert run(computed_study) == 0

    photo(computed_study, N_PHOTOS)  # one photo more
    manifest(computed_study, N_PHOTOS + 1)
    told = checked(computed_study, capsys)
    assert f"mine: 1 of {N_PHOTOS + 1} photos will be computed: " in told
    assert "0 GPU-hours (at" in told
    assert "photos a second on CPU, as before)" in told
    assert run(computed_study) == 1

    configure(computed_study, name="renamed")
    assert f"renamed: 0 of {N_PHOTOS + 1} photos will be computed" in checked(computed_study, capsys)
    assert run(computed_study, name="renamed") == 0

    configure(computed_study, shard_size=2)
    assert run(computed_study, shard_size=2) == 0

    for path in computed_study.rglob("*"):
        os.utime(path, (10**9, 10**9))
    assert f"0 of {N_PHOTOS + 1} photos will be computed ({N_PHOTOS + 1} were touched or moved, and are the same)" in checked(computed_study, capsys)  # fmt: skip
    assert run(computed_study) == 0


def test_check_says_whether_genes_are_fitted_again(computed_study, capsys):
    run(computed_study)
    people = pd.read_csv("clinical.tsv", sep="\t")
    ages = people.assign(age_acceleration=[1.0, -2, 3, -1, 0.5, -3, 1.5], face_age=people.chronological_age)
    ages.to_csv("accelerated.tsv", sep="\t", index=False)
    rna = "--counts results/mine/cohort/counts.parquet --samples results/mine/cohort/samples.parquet"
    files = f"--participants accelerated.tsv {rna} --output results/mine/expression"
    output_of(f"fit-expression --config config.yaml --cohort mine {files}")
    said = "mine: genes are fitted again (changed: {})"
    files = ("clinical.tsv", "counts.tsv", "config.yaml")
    before = {name: (computed_study / name).read_text() for name in files}
    edits = {
        "": ({}, "mine: genes are not fitted again"),
        "follow-up": ({"clinical.tsv": ("2.5", "3.5")}, "mine: genes are not fitted again"),
        "bmi": ({"clinical.tsv": ("25.0", "26.0")}, said.format("clinical data")),
        "counts": ({"counts.tsv": ("500", "501")}, said.format("counts")),
        "setting": ({"config.yaml": ("expression:", "expression:\n  per_years: 5")}, said.format("expression.per_years")),
    }  # fmt: skip
    for changes, words in edits.values():
        for name, text in before.items():
            (computed_study / name).write_text(text.replace(*changes.get(name, ("\0", ""))))
        assert words in checked(computed_study, capsys)
    for name, text in before.items():
        (computed_study / name).write_text(text)
    photo(computed_study, N_PHOTOS)
    manifest(computed_study, N_PHOTOS + 1)
    assert said.format("face ages") in checked(computed_study, capsys)


def test_the_time_of_a_gpu_is_told_in_gpu_hours():
    expected = "about 2 hours, 2 GPU-hours (at 10.0 photos a second on NVIDIA H200, as before)"
    assert time_of(72_000, (10.0, "NVIDIA H200"), 99) == expected
    assert time_of(2, None, 5e-5).startswith("less than 0.1 hours on the processor")
    assert time_of(0, None, 0) == "0 hours, 0 GPU-hours"
