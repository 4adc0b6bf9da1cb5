"""Names in the config against the tables, and what an analysis would do without: told before it starts, with the nearest name."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from faceage_bio.analyses.expression.counts import choose_samples, levels_table
from faceage_bio.core.config import analysis_settings, check_config, load_config
from faceage_bio.core.errors import CohortError, ConfigError, Problems, TableError
from faceage_bio.core.settings.settings_cohort import Cohort
from faceage_bio.core.tables import read_text_table
from faceage_bio.intake.cohort.config_checks import check_analyses, check_names
from faceage_bio.intake.cohort.intake import read_cohorts
from faceage_bio.intake.cohort.samples import check_one_tissue
from tests.commands import invoked, output_of
from tests.gene_studies import expression_study

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
        config, problems = load_config(path), Problems()
        try:
            tables = read_cohorts(config.cohorts, 365.25)
        except CohortError as error:
            return str(error), ""
        said = check_names(config.cohorts, tables, analysis_settings(config), problems)
        return "\n".join(problems.others), "\n".join(said)

    return check


def test_a_study_as_it_should_be_says_what_it_does_not_use(checked):
    problems, said = checked()
    assert problems == ""
    words = "clinical.tsv: not used: BMI_baseline (if it is bmi, declare columns: {bmi: BMI_baseline}), notes"
    assert words in said
    assert "mine: 2 of 16 prespecified genes are in the counts" in said


def test_what_the_study_cannot_answer_is_said_with_the_reason(checked):
    clinical = CLINIC.replace("\tBMI_", "\tfollowup_years\tevent\tBMI_")
    clinical = clinical.replace("never\t", "never\t1\t1\t").replace("former\t", "former\t2\t0\t")
    _, said = checked(clinical=clinical, survival={"covariates": ["sex", "bmi"]})
    for told in (
        "mine: cannot be answered: associations with pack_years, bmi, because they are known for 0 of 2 participants",
        "mine: cannot be answered: survival models adjusted for bmi, because they are known for 0 of 2 participants",
        "cannot be answered: cancer against controls, because no participant has group = cancer or reference",
    ):
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


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([*map(str, range(11, 22)), "refused"], "11 of 12 values are numbers, others are not: 'refused' (1 row(s)). Expected numbers alone"),
        ([f"{value}.5 mg/l" for value in range(12)], "0 of 12 values are numbers, others are not: '0.5 mg/l' (1 row(s)); '1.5 mg/l'"),
        ([*(f"{value},5" for value in range(11)), "<0,5"], "11 of 12 values are numbers, others are not: '<0,5' (1 row(s))."),
        ([*(f"{value}.234,5" for value in range(11)), "900,5"], "1 of 12 values are numbers, others are not: '0.234,5' (1 row(s))"),
        (
            [f"{value},8" for value in range(12)],
            "all 12 values are numbers, some with a comma: '0,8'; '1,8'; '2,8'; '3,8'; '4,8'; and 7 more. Expected numbers that are written alike. Write a "
            'decimal point, not a comma, or declare decimal: "," in the config.',
        ),
        ([*(f"{value},8" for value in range(11)), "12"], "all 12 values are numbers, some with a comma: '0,8'"),
        ([f"{value:02}.03.2021" for value in range(1, 13)], ""),
        ([f"{value:02}.03.21 10:15" for value in range(1, 13)], ""),
        ([f"{8000 + value} Klinikum {value}" for value in range(12)], ""),
        ([f"{8000 + ord(name)} {name}urg" for name in "ABCDEFGHIJKL"], ""),
        ([f"{value},{value:03}.5" for value in range(12)], "0 of 12 values are numbers, others are not: '0,000.5'"),
        (["A", *"BCBCBCBCBC", "a"], "clinical.tsv: column 'crp': 'A' (1 row(s)); 'a' (1 row(s)) differ in capitals"),
        ([*"1212121212", "unk.", "3"], ""),
        ([f"{value}-{value + 4}" for value in range(20, 80, 5)], ""),
        ([f"C{value}.1" for value in range(12)], ""),
        ([f"{value}B" for value in range(12)], ""),
    ],
)  # fmt: skip
def test_a_column_of_ones_own_holds_numbers_or_groups(checked, values, message):
    rows = [f"a{place}\t{60 + place}\t{value}\n" for place, value in enumerate(values, 1)]
    clinical = "".join(["subject_id\tchronological_age\tcrp\n", *rows])
    problems, _ = checked(clinical=clinical, phenotype={"exposures": ["crp"]})
    assert message in problems if message else not problems
    if "decimal:" in message:  # what is advised
        assert not checked({"decimal": ","}, clinical, phenotype={"exposures": ["crp"]})[0]


def test_names_of_settings_may_be_those_that_we_make_or_that_a_study_happens_not_to_have(checked):
    problems, _ = checked(
        survival={"modifiers": ["age_band", "race"], "covariates": ["sex", "smoking", "ecog"]}
    )
    assert problems == ""


def test_a_key_that_stands_twice_is_an_error(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("cohorts:\n  mine:\n    clinical: a.tsv\n  mine:\n    clinical: b.tsv\n")
    message = r"key .mine. stands in line 2 and again in line 4. Expected each key once. Give one another"
    with pytest.raises(ConfigError, match=message):
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
    message = rf"a quote \(.\) opens in {where} and is not closed there.*Expected quotes in pairs. Close it"
    with pytest.raises(TableError, match=message):
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
        ("id\tage, years (integer, at photo, rounded)\na1\t6\na2\t7\n", "age, years (integer, at photo, rounded)"),
        ("Record ID\tBMI, kg/m2; weight, height; date\na1\t22\n", "BMI, kg/m2; weight, height; date"),
        ('id;"a, b, c"\na1;6\n', "a, b, c"),
    ],
)  # fmt: skip
def test_the_separator_is_the_one_that_parts_all_lines_alike(tmp_path, text, second):
    assert list(table(tmp_path, text))[1] == second


# What an analysis would do without is told before it starts: one tissue per participant, and covariates that a cohort has.


N = 40
FILES = Cohort(face_ages="face_ages.tsv", clinical="clinical.tsv", counts="counts.tsv", samples="samples.tsv")
CONFIG = {"cohorts": {"lusc": FILES.model_dump()}}


def people(**changes):
    table = pd.DataFrame({
        "cohort": "lusc", "subject_id": [f"p{k}" for k in range(N)], "chronological_age": 60.0, "sex": ["female", "male"] * (N // 2),
        "smoking": "never", "bmi": 25.0, "followup_years": 2.0, "event": 1.0,
    })  # fmt: skip
    return table.assign(**changes)


def sampled(tissues=("tumour",), dates=None, **more):
    """One sample of each tissue of each participant."""
    rows = [
        {"cohort": "lusc", "sample_id": f"p{k}-{tissue}", "subject_id": f"p{k}", "tissue": tissue, "batch": None,
         "sample_date": None if dates is None else dates[place]}
        for k in range(N) for place, tissue in enumerate(tissues)
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(**more)


def told(subjects, samples, files=FILES, genotyped=None, **settings):
    problems, chosen = Problems(), analysis_settings(check_config(CONFIG | settings))
    tables = SimpleNamespace(subjects=subjects, samples=samples, variant_participants=genotyped)
    check_analyses("lusc", files, tables, chosen, problems)
    return "\n".join(problems.others)


def test_a_study_that_has_what_it_needs_passes_and_its_numbers_are_written():
    problems, settings = Problems(), analysis_settings(check_config(CONFIG))
    found = check_analyses(
        "lusc",
        FILES,
        SimpleNamespace(subjects=people(), samples=sampled(), variant_participants=None),
        settings,
        problems,
    )
    assert problems.others == []
    assert found.set_index(["setting", "column"]).n_complete.to_dict() == {
        ("expression.covariates", "sex"): N,
        ("expression.covariates", "smoking"): N,
        ("expression.covariates", "bmi"): N,
        ("survival.gene_covariates", "sex"): N,
    }


def test_several_tissues_of_a_participant_need_a_setting():
    samples = sampled(("tumour", "normal"))
    samples = samples.drop(index=[1, 3, 5])  # three participants have tumours alone
    for words in (
        "samples.tsv: 37 of 40 participants have RNA samples of several tissues, and no sample_date says which of them counts ",
        "of them counts (p3: p3-tumour (tumour), p3-normal (normal); p4: ",
        "The 77 samples are of: tumour (40), normal (37). Expected one tissue in the models of genes. Set it in the config, such as "
        "expression: {tissue: tumour}.",
    ):
        assert words in told(people(), samples)
    assert told(people(), samples, expression={"tissue": "tumour"}) == ""
    words = "samples.tsv: expression.tissue is 'tumor', but the samples are of: normal, tumour"
    assert words in told(people(), samples, expression={"tissue": "tumor"})


@pytest.mark.parametrize(
    ("dates", "repeated", "refused"),
    [
        (("2020-01-01", "2020-05-01"), "first", False), (("2020-01-01", "2020-05-01"), "last", False),
        (("2020-01-01", "2020-01-01"), "first", True), (("2020-01-01", None), "first", True), (None, "last", True),
        (("2020-01-01", "2020-05-01"), "sum", True), (("2020-01-01", "2020-05-01"), "block", True),
    ],
)  # fmt: skip
def test_dates_decide_only_where_one_sample_is_taken(dates, repeated, refused):
    expression = {"repeated_samples": repeated}
    assert bool(told(people(), sampled(("tumour", "normal"), dates), expression=expression)) is refused


def test_a_model_with_tissue_among_its_covariates_may_hold_them_all():
    paired = sampled(("tumour", "normal"))
    expression = {"repeated_samples": "block", "covariates": ["sex", "tissue"]}
    assert (
        told(people(), paired, files=FILES.model_copy(update={"clinical": None}), expression=expression) == ""
    )
    # but Cox models of genes take one sample per participant
    assert "several tissues" in told(people(), paired, expression=expression)


def test_one_tissue_per_participant_is_no_problem():
    mixed = sampled().assign(tissue=["blood", "tumour"] * (N // 2))
    assert told(people(), mixed) == ""
    assert told(people(), sampled(("tumour", "tumour"))) == ""
    problems = Problems()
    check_one_tissue(sampled().drop(columns="tissue"), "first", (), "samples.tsv", problems)
    assert problems.others == []


def test_no_command_mixes_tissues_by_chance():
    table, counts, samples = expression_study()
    samples["tissue"] = "tumour"
    samples.loc[5, ["subject_id", "tissue"]] = ["s4", "normal"]
    for mixed in (
        lambda: choose_samples(table, counts, samples, ["sex"]),
        lambda: levels_table({"expression": (counts, samples)}, 10, 2),
    ):
        message = r"the samples table: 1 of 59 participants have RNA samples of several tissues"
        with pytest.raises(CohortError, match=message):
            mixed()
    assert len(choose_samples(table, counts, samples, ["sex"], tissue="tumour").people) == 59


def test_a_default_covariate_that_a_cohort_lacks_is_told_with_what_to_write():
    assert told(people(bmi=np.nan), sampled()) == (
        "clinical.tsv: cohort 'lusc': expression.covariates names 'bmi' (known of 0), so that 0 of 40 samples would be left in models "
        "of genes. Expected values for most of them. Write expression: {covariates: [chronological_age, sex, smoking]} in the config, "
        "or add the column to the clinical table; if it has another name there, declare it, such as columns: {bmi: YOUR_NAME}."
    )
    without = {"covariates": ["chronological_age", "sex", "smoking"]}
    assert told(people(bmi=np.nan), sampled(), expression=without) == ""


def test_all_settings_that_would_leave_no_participant_are_told_together():
    found = told(
        people(sex=None), sampled(), genotyped=pd.DataFrame({"subject_id": ["p1", "p2"]}),
        acceleration={"definition": "adjusted"}, survival={"strata": ["site"]},
        expression={"covariates": ["sex", "batch", "sex:bmi"]},
    )  # fmt: skip
    for words in (
        "acceleration.adjust_for names 'sex' (known of 0), so that 0 of 40 participants would be left in age acc",
        "Write acceleration: {adjust_for: [smoking, bmi]}",
        "variants.covariates names 'sex' (known of 0), so that 0 of 2 participants",
        "expression.covariates names 'sex' (known of 0), 'batch' (known of 0), so that 0 of 40 samples",
        "Write expression: {covariates: []}",
        "survival.gene_covariates names 'sex' (known of 0), so that 0 of 40 samples would be left in Cox models",
        "survival.strata names 'site' (known of 0)",  # no table has that column
    ):
        assert words in found


def test_covariates_that_few_participants_have_or_that_never_repeat():
    one = people().smoking.where(np.arange(N) == 0)
    assert "'smoking' (known of 1), so that 1 of 40 samples" in told(people(smoking=one), sampled())
    half = np.arange(N) % 4 < 2
    split = people(sex=people().sex.where(half), bmi=people().bmi.where(~half))
    assert "names 'sex' (known of 20), so that 0 of 40 samples" in told(split, sampled())
    assert told(people(smoking=people().smoking.where(half)), sampled()) == ""


def test_what_leaves_a_column_out_by_itself_is_not_refused():
    bare = people(sex=None, smoking=None, bmi=np.nan)
    none = sampled().head(0)
    assert told(bare, none) == ""  # survival and phenotypes say so on the page
    assert told(people(followup_years=np.nan, sex=None), sampled(), expression={"covariates": ["bmi"]}) == ""
    later = {"covariates": ["chronological_age", "n_photos", "age_acceleration:bmi"]}
    assert told(people(), sampled(), expression=later) == ""


def write_study(folder):
    """A study without BMI, whose tumours and normals have no date."""
    names = [f"p{k}-{tissue}" for k in range(4) for tissue in ("normal", "tumour")]
    numbers = "\t".join(str(5 + k) for k in range(8))
    tables = {
        "face_ages": ["subject_id\tface_age", *(f"p{k}\t{60 + k}" for k in range(4))],
        "clinical": [
            "subject_id,chronological_age,sex,smoking",
            *(f"p{k},{58 + k},f,never" for k in range(4)),
        ],
        "samples": ["sample_id\tsubject_id\ttissue", *(f"{name}\t{name[:2]}\t{name[3:]}" for name in names)],
        "counts": ["\t".join(["gene", *names]), f"CDK6\t{numbers}", f"TP53\t{numbers}"],
    }
    for name, lines in tables.items():
        (folder / f"{name}.tsv").write_text("\n".join([*lines, ""]))
    cohort = {name: f"{folder}/{name}.tsv" for name in tables}
    content = {"cohorts": {"lusc": cohort}, "results_dir": f"{folder}/results"}
    (folder / "config.yaml").write_text(json.dumps(content))
    return cohort


@pytest.mark.parametrize("mark", ["-", "."])
def test_barcodes_tell_tumours_from_normals(tmp_path, mark):
    """Named as the Genomic Data Commons does, or as R makes names of it, in a table without a column that tells the tissue."""
    cohort = write_study(tmp_path)
    for name in ("samples", "counts"):
        text = (tmp_path / f"{name}.tsv").read_text()
        text = re.sub(r"\t(normal|tumour|tissue)$", "", text, flags=re.MULTILINE)
        for tissue, code in (("normal", "11A"), ("tumour", "01A")):
            text = re.sub(rf"p(\d)-{tissue}", rf"TCGA-18-340\1-{code}-01R".replace("-", mark), text)
        (tmp_path / f"{name}.tsv").write_text(text)
    checked = invoked(f"check --configfile {tmp_path / 'config.yaml'}")
    both = "Primary Solid Tumor (4), Solid Tissue Normal (4)"
    assert f"tissue as the barcodes of the samples tell it: {both}" in checked.output
    words = str(checked.exception)
    assert "4 of 4 participants have RNA samples of several tissues" in words
    normal, tumour = (f"TCGA-18-3400-{code}-01R".replace("-", mark) for code in ("11A", "01A"))
    assert f"p0: {normal} (Solid Tissue Normal), {tumour} (Primary Solid Tumor)" in words
    chosen = {"tissue": "Primary Solid Tumor", "covariates": ["sex"]}
    (tmp_path / "config.yaml").write_text(json.dumps({"cohorts": {"lusc": cohort}, "expression": chosen}))
    assert "tissue" not in str(invoked(f"check --configfile {tmp_path / 'config.yaml'}").exception)


def test_check_and_the_workflow_refuse_the_same_study_with_the_same_words(tmp_path):
    cohort = write_study(tmp_path)
    checked = invoked(f"check --configfile {tmp_path / 'config.yaml'}")
    assert isinstance(checked.exception, CohortError)
    words = str(checked.exception)
    assert "4 of 4 participants have RNA samples of several tissues" in words
    assert "expression.covariates names 'bmi' (known of 0), so that 0 of 8 samples" in words
    fitting = tmp_path / "fitting.yaml"  # with settings that the tables hold
    expression = {"tissue": "tumour", "covariates": ["sex", "smoking"]}
    fitting.write_text(json.dumps({"cohorts": {"lusc": cohort}, "expression": expression}))

    results = f"--results {tmp_path}/results"
    output_of(f"check-cohort --config {tmp_path}/config.yaml {results} --cohort lusc")
    refused = invoked(f"check-analyses --config {tmp_path}/config.yaml {results}")
    assert str(refused.exception).endswith(words)
    table = tmp_path / "results" / "lusc" / "cohort" / "covariates.tsv"
    assert not table.exists()
    output_of(f"check-analyses --config {fitting} {results}")
    assert pd.read_csv(table, sep="\t").n_complete.tolist() == [4, 4]
