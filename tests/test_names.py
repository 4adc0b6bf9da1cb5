"""Names in the config, each held against the tables: what nothing has is an error with the nearest name, early."""

from pathlib import Path

import pytest
import yaml

from faceage_bio.core.config import analysis_settings, load_config
from faceage_bio.core.errors import CohortError, ConfigError, Problems, TableError
from faceage_bio.core.tables import read_text_table
from faceage_bio.intake.cohort.config_checks import check_names
from faceage_bio.intake.cohort.intake import read_cohorts

CLINIC = "subject_id\tchronological_age\tsex\tsmoking\tBMI_baseline\tecog\tnotes\na1\t60\tf\tnever\t22.5\t0\tx\na2\t61\tm\tformer\t24\t1\ty\n"
FACES = "subject_id\tface_age\na1\t65\na2\t60\n"
COUNTS = "gene\ts1\ts2\nCDK6\t425\t318\nTP53\t88\t406\n"
SAMPLES = "sample_id\tsubject_id\ns1\ta1\ns2\ta2\n"


@pytest.fixture
def checked(tmp_path):
    """A function that checks a study with these changes to its config: problems, and what is said."""

    def check(cohort: dict | None = None, clinical: str = CLINIC, **sections) -> tuple[str, str]:
        files = {"clinical": clinical, "face_ages": FACES, "counts": COUNTS, "samples": SAMPLES}
        for name, text in files.items():
            (tmp_path / f"{name}.tsv").write_text(text)
        given = {name: str(tmp_path / f"{name}.tsv") for name in files}
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump({"cohorts": {"mine": given | (cohort or {})}, **sections}))
        config = load_config(path).model_dump()
        problems = Problems()
        try:
            tables = read_cohorts(config["cohorts"])
        except CohortError as error:
            return str(error), ""
        said = check_names(config["cohorts"], tables, analysis_settings(config), problems)
        return "\n".join(problems.others), "\n".join(said)

    return check


def test_a_study_as_it_should_be_says_what_it_does_not_use(checked):
    problems, said = checked()
    assert problems == ""
    assert (
        "clinical.tsv: not used: BMI_baseline (if it is bmi, declare columns: {bmi: BMI_baseline}), notes"
        in said
    )
    assert "mine: 2 of 16 prespecified genes are in the counts" in said


def test_what_the_study_cannot_answer_is_said_with_the_reason(checked):
    clinical = CLINIC.replace("\tBMI_", "\tfollowup_years\tevent\tBMI_")
    clinical = clinical.replace("never\t", "never\t1\t1\t").replace("former\t", "former\t2\t0\t")
    _, said = checked(clinical=clinical, survival={"covariates": ["sex", "bmi"]})
    for told in (
        "mine: cannot be answered: associations with pack_years, bmi, because they are known for 0 of 2 participants",
        "mine: cannot be answered: survival models adjusted for bmi, because they are known for 0 of 2 participants",
        "cannot be answered: cancer against controls, because no participant has group = cancer or reference",
    ):  # fmt: skip
        assert told in said
    assert "survival models adjusted" not in checked()[1]  # there is no follow-up


@pytest.mark.parametrize(
    ("cohort", "sections", "message"),
    [
        ({"columns": {"bmi": "BMI_basline"}}, {}, "columns says that 'bmi' is called 'BMI_basline', but face_ages.tsv, clinical.tsv, samples.tsv have no such column. Expected one of them. Did you mean 'BMI_baseline'? Correct the name."),
        ({"codings": {"Sex": {"1": "male"}}}, {}, "codings declares codes of 'Sex', but face_ages.tsv, clinical.tsv, samples.tsv have no such column. Expected one of them. Did you mean 'sex'?"),
        ({}, {"survival": {"covariates": ["ecgo"]}}, "survival.covariates names 'ecgo', which no table of any cohort has. Expected a column of the clinical data or the samples. Did you mean 'ecog'?"),
        ({}, {"phenotype": {"factors": ["smokng"]}}, "phenotype.factors names 'smokng'"),
        ({}, {"phenotype": {"exposures": ["packyears"]}}, "Did you mean 'pack_years'?"),
        ({}, {"expression": {"covariates": ["sex:batsh"]}}, "expression.covariates names 'batsh'"),
        ({}, {"survival": {"groups": {"stage_x": [1.0]}}}, "survival.groups names 'stage_x'"),
        ({}, {"expression": {"panel": ["CDK66", "TP53"]}}, "expression.panel names 'CDK66', which is neither a symbol of a human gene nor in any counts. Expected a symbol such as CDK6. Did you mean 'CDK"),
        ({}, {"expression": {"gmt": ["absent.gmt"]}}, "absent.gmt: no such file"),
        ({}, {"acceleration": {"fit_in": "reference"}}, "acceleration.fit_in is 'reference', but no cohort has controls (group = reference). Expected some to fit the line in. Give them a group"),
    ],
)  # fmt: skip
def test_a_name_that_nothing_has_is_told_with_the_nearest(checked, cohort, sections, message):
    problems, _ = checked(cohort, **sections)
    assert message in problems


def test_names_of_settings_may_be_those_that_we_make_or_that_a_study_happens_not_to_have(checked):
    problems, _ = checked(
        survival={"modifiers": ["age_band", "race"], "covariates": ["sex", "smoking", "ecog"]}
    )
    assert problems == ""


def test_a_key_that_stands_twice_is_an_error(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("cohorts:\n  mine:\n    clinical: a.tsv\n  mine:\n    clinical: b.tsv\n")
    with pytest.raises(
        ConfigError,
        match=r"key .mine. stands in line 2 and again in line 4. Expected each key once. Give one another",
    ):
        load_config(path)
    path.write_text("results_dir: a\nresults_dir: b\n")
    with pytest.raises(ConfigError, match="'results_dir' stands in line 1 and again in line 2"):
        load_config(path)


# ------------------------------------------------------------------------------ tables as programs leave them


def table(folder: Path, text: str):
    (folder / "t.tsv").write_bytes(text.encode())
    return read_text_table(folder / "t.tsv")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('id\tage\tremark\na1\t6\t"blurry\na2\t7\tok\na3\t8\tok\n', "line 2"),
        ('remark\tid\tage\nx\ta1\t6\n"5ft 7\ta2\t7\nx\ta3\t8\n', "line 3"),
        ('id\tage\na1\t6\n"a2\t7\na3\t8\n', "line 3"),
        ('id,remark\na1,"two\nlines"\na2,"open\n' + "a3,x\n" * 40_000, "line 4"),
    ],
    ids=["last column", "first column", "end of file", "beyond the limit of csv"],
)
def test_an_unclosed_quote_swallows_nothing(tmp_path, text, where):
    with pytest.raises(
        TableError,
        match=rf"a quote \(.\) opens in {where} and is not closed there.*Expected quotes in pairs. Close it",
    ):
        table(tmp_path, text)


def test_cells_of_several_lines_are_read(tmp_path):
    found = table(tmp_path, 'id\tremark\na1\t"first line\nsecond line"\na2\tx\n')
    assert found["remark"].tolist() == ["first line\nsecond line", "x"]
    assert found.index.tolist() == [3, 4]


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\nid;age\na1;6\na2;7\n", "id\tage\na1\t6\na2\t7\n\x1a", "id;age\r\na1;6\r\na2;7\r\n", "\ufeffid,age\na1,6\na2,7\n",
    ],
    ids=["sep line", "control-Z", "carriage returns", "byte order mark"],
)  # fmt: skip
def test_what_spreadsheets_add_is_taken_off(tmp_path, text):
    found = table(tmp_path, text)
    assert list(found) == ["id", "age"]
    assert found["age"].tolist() == ["6", "7"]


@pytest.mark.parametrize(
    ("text", "second"),
    [
        (
            "id\tage, years (integer, at photo, rounded)\na1\t6\na2\t7\n",
            "age, years (integer, at photo, rounded)",
        ),
        ("Record ID\tBMI, kg/m2; weight, height; date\na1\t22\n", "BMI, kg/m2; weight, height; date"),
        ('id;"a, b, c"\na1;6\n', "a, b, c"),
    ],
)
def test_the_separator_is_the_one_that_parts_all_lines_alike(tmp_path, text, second):
    assert list(table(tmp_path, text))[1] == second
