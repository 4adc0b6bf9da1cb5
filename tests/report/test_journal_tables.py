"""Tables for authors: Word, LaTeX and TSV say what the result tables say, and the released ones only what may leave."""

import csv
import io
import json
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from docx import Document

from faceage_bio.analyses.phenotype.comparison_frame import gather
from faceage_bio.analyses.phenotype.table_one import table_one
from faceage_bio.core.records import read_record, record_of
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.core.settings.settings_cohort import Cohort
from faceage_bio.core.settings.settings_study import ADDED, Release
from faceage_bio.core.tables import LEDGER_COLUMNS, read_text_table, write_table
from faceage_bio.faces.faceage.photo_quality import count_photos
from faceage_bio.release.bundle import MANIFEST, _not_of_tables, publish, released_config
from faceage_bio.release.gate import check_folder
from faceage_bio.release.known import Known
from faceage_bio.release.rule import midpoint
from faceage_bio.report.journal_tables import Gene, JournalTable, Row, _printable, journal_tables, plain
from faceage_bio.report.key_results import ADDED_TITLE, key_results
from faceage_bio.report.pages import association_page, photo_page
from faceage_bio.report.table_files import PREFIX, SPECIAL, latex_table, rendered, write_tables
from faceage_bio.report.table_rows import key_questions
from faceage_bio.report.tables_by_place import ReportTables, collect
from faceage_bio.report.word_table import word_table
from faceage_bio.report.words import confidence_interval
from tests.commands import output_of
from tests.gene_studies import quality_study, tables_of_quality
from tests.photo_rows import face_ages
from tests.photo_rows import people as sexes
from tests.report_studies import config_of
from tests.rows import collected, worded

pytestmark = pytest.mark.slow

HOSTILE = ["=cmd|' /C calc'!A0", r"50% & $x_1$ {a}\b ~^ #2 <i>", "@a\x0b\tb", "-1+2", '"quoted"']
SPARSE = 7.8
KEY = bytes(range(32))
MISSING = float("nan")


def people(n=83):
    """Participants with values missing in some, and sites with hostile names."""
    random = np.random.default_rng(7)
    table = pd.DataFrame({
        "subject_id": [f"P{k:04d}" for k in range(n)], "cohort": "north", "chronological_age": random.uniform(40, 80, n),
        "age_acceleration": random.normal(0, 8, n), "bmi": random.normal(26, 4, n), "sex": random.choice(["female", "male"], n),
        "site": [HOSTILE[k % len(HOSTILE)] for k in range(n)], "ecog": random.integers(0, 4, n).astype(float),
    })  # fmt: skip
    table["face_age"] = table["chronological_age"] + table["age_acceleration"]
    table["age_gap"] = table["face_age"] - table["chronological_age"]
    table.loc[[3, 17, 40, 41], "bmi"] = np.nan
    table.loc[[5, 6], "sex"] = None
    return table


VARIABLES = ["chronological_age", "bmi", "sex", "ecog", "site", "race"]


def table_of_people(cohort="north"):
    return table_one(gather([people()], ["north"]), VARIABLES, ["ecog"], "tertiles", "north").assign(
        cohort=cohort
    )


def cox_table(cohort):
    """Five models of face age, two of the others; the last sparse, and one that was not estimated."""
    base = {"cohort": cohort, "question": "cox", "measure": "hazard ratio", "n": 113, "n_events": 78}
    models = ["", "age", "age, sex", "age, sex, site", "age, sex, site, smoking, ecog"]
    rows = [
        base | {
            "term": "face_age", "exposure": "face_age", "per": "10 years", "covariates": held,
            "adjustment": {"": "unadjusted", "age": "age"}.get(held, "stepwise"), "estimate": 1.5 + k / 7,
            "ci_lower": 1.1 + k / 9, "ci_upper": 2 + k / 3, "p_value": 10.0 ** -(k + 1), "events_per_term": 79 / (2 + 3 * k),
            "reason": reason("few_events_per_variable", n_events=79, terms=2 + 3 * k, needed=10) if 79 / (2 + 3 * k) < 10 else None,
        }
        for k, held in enumerate(models)
    ]  # fmt: skip
    rows.append(
        base | {"term": "sex: male", "exposure": "face_age", "covariates": "age, sex", "estimate": 9.99}
    )
    for per, sd in (("10 years", None), ("1 SD", 9.5)):
        rows.append(base | {"term": "age_acceleration", "exposure": "age_acceleration", "per": per, "exposure_sd": sd, "adjustment": "unadjusted", "estimate": 1.25 if sd else 8.88, "ci_lower": 0.9, "ci_upper": 1.75, "p_value": 0.21})  # fmt: skip
    why = reason("few_events", n_events=4, needed=5)
    rows.append(
        base
        | {"term": "chronological_age", "exposure": "chronological_age", "per": "10 years", "reason": why}
    )
    return result_rows(rows, "survival/cox")


def comparison_table(cohort, question, name, contrasts):
    base = {"cohort": cohort, "question": question, "measure": "mean difference"}
    rows = []
    for k, (term, per) in enumerate(contrasts.items()):
        for adjustment, covariates, shift in (("unadjusted", "", 0.0), ("minimal", "age, sex", 0.5)):
            rows.append(base | {
                "term": term, "per": per, "adjustment": adjustment, "covariates": covariates, "estimate": -0.4 + 2 * k + shift, "ci_lower": -2 + 2 * k,
                "ci_upper": 2.5 + 3 * k, "p_value": 0.9 / 10**k, "n": 112 - k, "q_value": 0.95 / 10**k if shift else MISSING,
            })  # fmt: skip
    return result_rows(rows, name)


GENES = ["CDK6", "=SUM(A1)", "a_b"]


def panel_table(cohort):
    few = reason("too_few_samples_for_model", n=6, parameters=7, needed=11)
    rows = [
        {
            "cohort": cohort, "question": question, "term": gene, "measure": "log2 fold change", "per": "10 years", "model": model, "n_tests": len(GENES),
            "exposure": exposure, "adjustment": "full", "covariates": "age, sex, bmi", "n": 97, "estimate": 0.52 - k / 2 + shift,
            "ci_lower": 0.41 - k / 2 + shift, "ci_upper": 0.63 - k / 2 + shift, "p_value": 10.0 ** -(19 - 9 * k), "q_value": 10.0 ** -(18 - 9 * k),
            "reason": (["", "", reason("methods_disagree")][k] or None) if question == "expression" else few, "method": "limma-voom, moderated t",
        }
        for question in ("expression", "expression in plasma cell") for k, gene in enumerate(GENES)
        for model, exposure, shift in (("together", "age_acceleration", 0.0), ("together", "chronological_age", 0.1), ("unadjusted age gap", "age_gap", 0.2))
    ]  # fmt: skip
    return result_rows(rows, "expression/panel")


def added_value_table(cohort):
    base = {"cohort": cohort, "question": "added value", "exposure": "face_age", "adjustment": "minimal", "events_per_term": 26.3, "comparison": "beyond age and sex", "covariates": "age, sex", "n": 113, "n_events": 78}  # fmt: skip
    c = base | {"measure": "Harrell's C"}
    return result_rows([
        base | {"term": "face age added", "measure": "likelihood-ratio chi-square", "df": 1, "kind": "test", "estimate": 24.0, "p_value": 6.6e-7},
        c | {"term": "age + sex", "kind": "model", "estimate": 0.643, "ci_lower": 0.577, "ci_upper": 0.709},
        c | {"term": "age + sex + face age", "kind": "model", "estimate": 0.708, "ci_lower": 0.65, "ci_upper": 0.77},
        base | {"term": "difference", "measure": "difference of Harrell's C", "kind": "difference", "estimate": 0.065, "ci_lower": 0.006, "ci_upper": 0.124, "p_value": 0.03},
    ], "survival/added_value")  # fmt: skip


CONTRASTS = {"smoking: former vs never": "", "smoking: current vs never": "", "bmi": "5 kg/m²"}
CONFIG = config_of(["north", "south"], expression={"panel": GENES[:1]})


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """The result tables of a study of two cohorts, where the steps write them."""
    folder = tmp_path_factory.mktemp("study") / "results"
    for cohort in ("north", "south"):
        write_table(table_of_people(cohort), folder / cohort / "phenotype/table_one.tsv")
        write_table(cox_table(cohort), folder / cohort / "survival/cox.tsv")
        write_table(added_value_table(cohort), folder / cohort / "survival/added_value.tsv")
        write_table(comparison_table(cohort, "phenotype", "phenotype/phenotypes", CONTRASTS), folder / cohort / "phenotype/phenotypes.tsv")  # fmt: skip
    write_table(panel_table("north"), folder / "north/expression/panel.tsv")
    groups = comparison_table("pooled", "groups", "phenotype/groups", {"group: cancer vs reference": ""})
    write_table(groups, folder / "pooled/phenotype/groups.tsv")
    (folder / "reports").mkdir()
    (folder / "reports/survival.html").write_text("<html></html>")
    return folder


@pytest.fixture(scope="module")
def tables(results):
    return collect(sorted(results.glob("*/*/*.tsv")))


@pytest.fixture(scope="module")
def files(tables):
    """The internal files by name."""
    return rendered(tables, CONFIG, internal=True)


# ------------------------------------------------------------------------------ what a file says


def word_rows(content: bytes) -> list[list[str]]:
    """Heads and lines of a Word table; a cell that spans several columns stands once."""
    table = Document(io.BytesIO(content)).tables[0]
    return [[cell.text for cell in {cell._tc: cell for cell in row.cells}.values()] for row in table.rows]


def latex_rows(content: bytes) -> list[list[str]]:
    text = content.decode()
    body = text[text.rindex("\\midrule") : text.index("\\bottomrule")] if "longtable" not in text else text[text.index("\\endlastfoot") : text.index("\\end{longtable}")]  # fmt: skip
    return [
        [as_read(cell) for cell in line.removesuffix(" \\\\").split(" & ")]
        for line in body.split("\n")
        if line.endswith("\\\\")
    ]


def as_read(cell: str) -> str:
    """What LaTeX prints of a cell."""
    cell = re.sub(r"^\\addlinespace\\rlap\{\\textbf\{(.*)\}\}$", r"\1", cell.strip())
    cell = re.sub(r"^\\textit\{(.*)\}$", r"\1", cell.removeprefix("\\quad "))
    cell = re.sub(r"\\textit\{(\w+)\}", r"\1", cell)
    commands = {code: letter for letter, code in SPECIAL.items()}
    codes = "|".join(re.escape(code) for code in sorted(commands, key=len, reverse=True))
    return re.sub(codes, lambda found: commands[found[0]], cell)


def tsv_rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode()), delimiter="\t"))


def lines_of(files: dict[str, bytes], name: str) -> dict[str, list[list[str]]]:
    """The lines of a table's three files below its head, as far as they have numbers."""
    rows = {
        "docx": word_rows(files[f"{name}.docx"]),
        "tex": latex_rows(files[f"{name}.tex"]),
        "tsv": tsv_rows(files[f"{name}.tsv"])[1:],
    }
    return {kind: [row for row in lines if len(row) > 1 and any(row[1:])] for kind, lines in rows.items()}


def test_the_three_files_say_the_same(tables, files):
    made = journal_tables(tables, CONFIG)
    assert [table.name for table in made] == ["table_1", "table_1_north", "table_1_south", "cox_models", "group_comparisons", "gene_panel_north", "key_results"]  # fmt: skip
    assert set(files) == {f"{PREFIX}{table.name}.{kind}" for table in made for kind in ("docx", "tex", "tsv")}
    for table in made:
        own = lines_of(files, PREFIX + table.name)
        expected = [[plain(cell) for cell in row.cells] for row in table.rows if any(row.cells[1:])]
        heads = len(own["docx"]) - len(expected)
        assert heads == 1 + bool(table.spanners)
        assert own["docx"][heads:] == expected
        assert own["tex"] == expected
        unquoted = [[cell.removeprefix("'") for cell in row] for row in own["tsv"]]
        assert unquoted == expected


ESTIMATE = re.compile(r"(−?[\d.]+) \((−?[\d.]+)(?:–| to )(−?[\d.]+)\)\*?")


def numbers(cell: str) -> list[float]:
    return [float(one.replace("−", "-")) for one in ESTIMATE.fullmatch(cell).groups()]


@pytest.mark.parametrize("kind", ["docx", "tex", "tsv"])
def test_hazard_ratios_are_those_of_the_result_table(results, files, kind):
    lines = lines_of(files, PREFIX + "cox_models")[kind]
    lines = [row for row in lines if row[1].startswith(tuple("0123456789"))]
    cox = pd.read_csv(results / "north/survival/cox.tsv", sep="\t")
    kept = cox[
        (cox.term == cox.exposure) & cox.estimate.notna() & (cox.per != "10 years") | (cox.term == "face_age")
    ]
    assert len(lines) == 2 * len(kept) == 12
    for row, own in zip(lines[:6], kept.sort_values("term", ascending=False).itertuples(), strict=True):
        # two decimals are printed
        assert numbers(row[1]) == pytest.approx([own.estimate, own.ci_lower, own.ci_upper], abs=0.00501)
        assert row[2] == ("< 0.001" if own.p_value < 0.001 else f"{own.p_value:.3f}")
        assert [int(cell) for cell in row[3:]] == [own.n, own.n_events]
        assert row[1].endswith("*") == bool(own.events_per_term < 10)
    text = files[f"{PREFIX}cox_models.tsv"].decode()
    words = (
        "Not estimated in north: chronological age (4 deaths are too few; a hazard ratio needs at least 5)."
    )
    assert words in text
    assert "9.99" not in text  # of a covariate
    assert "8.88" not in text  # per 10 years, where the SD is given


@pytest.mark.parametrize("kind", ["docx", "tex", "tsv"])
def test_table_1_holds_the_participants(files, kind):
    lines = lines_of(files, PREFIX + "table_1_north")[kind]
    rows = {row[0].removeprefix("'"): row[1:] for row in lines}  # names of rows of age, then of BMI
    own = people()
    thirds = pd.qcut(own["age_acceleration"], 3, labels=False)
    parts = [own, *(own[thirds == k] for k in range(3))]
    heads = word_rows(files[f"{PREFIX}table_1_north.docx"])[0] if kind == "docx" else None
    if heads:
        assert [head.split("n = ")[-1] for head in heads[1:5]] == [str(len(part)) for part in parts]
    bmi = [part["bmi"].dropna() for part in parts]
    assert all(any(row) for row in lines)
    assert rows["Mean (SD)"][:4] == [f"{one.mean():.1f} ({one.std():.1f})" for one in bmi]
    assert rows["Median (IQR)"][:4] == [
        f"{one.median():.1f} ({one.quantile(0.25):.1f}–{one.quantile(0.75):.1f})" for one in bmi
    ]
    for sex in ("female", "male"):
        counts = [((part["sex"] == sex).sum(), part["sex"].notna().sum()) for part in parts]
        assert rows[sex.capitalize()][:4] == [f"{n} ({100 * n / of:.0f}%)" for n, of in counts]
    unknown = [row[1:5] for row in lines if row[0] == "Unknown"]
    assert unknown == [[str(part[name].isna().sum()) for part in parts] for name in ("bmi", "sex")]
    assert "race" not in "".join(rows).lower()


def test_comparisons_and_genes_are_those_of_the_result_tables(files):
    shown = {row[0]: row[1:] for row in lines_of(files, PREFIX + "group_comparisons")["docx"]}
    assert shown["Cancer vs controls"] == ["112", "−0.4 (−2.0 to 2.5)", "0.900", "0.1 (−2.0 to 2.5)", "0.900", "0.950", "Age, sex"]  # fmt: skip
    assert shown["BMI, per 5 kg/m²"] == ["110", "3.6 (2.0–8.5)", "0.009", "4.1 (2.0–8.5)", "0.009", "0.009", "Age, sex"]  # fmt: skip
    genes = {row[0]: row[1:] for row in lines_of(files, PREFIX + "gene_panel_north")["docx"]}
    assert genes["CDK6"] == ["0.52 (0.41–0.63)", "1.0e-19", "1.0e-18", "0.62 (0.51–0.73)", "1.0e-19", "97"]
    assert genes["a_b"] == ["−0.48 (−0.59 to −0.37)†", "0.100", "> 0.999", "−0.38 (−0.49 to −0.27)", "0.100", "97"]  # fmt: skip
    italic = [run.text for table in Document(io.BytesIO(files[f"{PREFIX}gene_panel_north.docx"])).tables for row in table.rows for paragraph in row.cells[0].paragraphs for run in paragraph.runs if run.italic]  # fmt: skip
    assert italic == GENES
    assert rb"\textit{CDK6} & 0.52 (0.41--0.63) & 1.0e-19" in files[f"{PREFIX}gene_panel_north.tex"]
    words = b"Not estimated in plasma cell (6 samples are too few for 7 parameters; there must be at least 11, or fewer covariates)."
    assert words in files[f"{PREFIX}gene_panel_north.tsv"]
    notes = files[f"{PREFIX}gene_panel_north.tsv"].decode()
    words = "Weighted linear models of log counts (limma-voom), with age acceleration and chronological age together"
    assert words in notes
    assert "† DESeq2 and limma-voom disagree" in notes


def test_key_results_are_those_of_the_result_tables(files):
    rows = tsv_rows(files[f"{PREFIX}key_results.tsv"])
    heads = [row[0] for row in rows if not any(row[1:])]
    assert heads[:5] == [
        "Overall survival (primary): hazard ratio for death per 10-year increase in face age",
        "CDK6 expression (secondary): log2 fold change per 10-year increase in age acceleration",
        "Cancer vs controls (secondary): difference in face age, years",
        "Smoking: current vs never (secondary): difference in face age, years",
        "BMI, per 5 kg/m² (secondary): difference in face age, years",
    ]
    place = [row[0] for row in rows].index(heads[0])
    assert rows[place + 1] == ["north", "Age", "1.64 (1.21–2.33)", "0.010", "–", "113", "78", "1.50 (1.10–2.00)"]  # fmt: skip
    assert ["north", "Age, sex", "0.065 (0.006–0.124)", "< 0.001", "–", "113", "78", "0.643 (0.577–0.709)"] in rows  # fmt: skip


def test_what_a_study_has_no_rows_for_is_no_table(tables):
    unknown = table_one(
        gather([people().assign(age_acceleration=np.nan)], ["c"]), VARIABLES, [], "tertiles", "south"
    )
    both = pd.concat([table_of_people(), unknown], ignore_index=True)
    one = ReportTables({("phenotype", "table_one"): worded(both)})
    assert [table.name for table in journal_tables(one, CONFIG)] == ["table_1_north"]
    assert set(rendered(one, CONFIG, internal=False)) == {
        f"table_1_north.{kind}" for kind in ("docx", "tex", "tsv")
    }
    assert rendered(ReportTables({}), CONFIG, internal=True) == {}


def test_a_covariate_without_a_value_is_not_said_to_be_adjusted_for(tmp_path):
    cox = cox_table("north")
    late = cox["covariates"].fillna("").str.count(",") > 1
    cox.loc[late, "reason"] = reason("without_missing", columns=["site", "smoking"]).encoded
    made = journal_tables(collected(tmp_path, {"north/survival/cox": cox}), CONFIG)
    rows = next(table for table in made if table.name == "cox_models").rows
    assert [row.cells[0] for row in rows][:5] == ["north: face age, per 10-year increase", "Unadjusted", "Age", "Age, sex", "Age, sex, ECOG"]  # fmt: skip


def test_a_comparison_that_was_not_estimated_stands_in_the_notes(tmp_path):
    lost = comparison_table("north", "phenotype", "phenotype/phenotypes", {"bmi": "", "ecog": ""})
    lost["reason"] = np.where(lost["term"] == "bmi", reason("no_value").encoded, "")
    lost = result_rows(lost, "phenotype/phenotypes")
    tables = collected(tmp_path, {"north/phenotype/phenotypes": lost})
    made = {table.name: table for table in journal_tables(tables, CONFIG)}
    assert set(made) == {"group_comparisons"}  # no key result is left
    assert [row.cells[0] for row in made["group_comparisons"].rows] == ["north", "ECOG"]
    note = next(note for note in made["group_comparisons"].notes if note.startswith("Not estimated"))
    assert note == f"Not estimated in north: BMI ({reason('no_value')})."


def test_the_pages_link_the_lists_of_photos_and_samples_while_internal(tmp_path):
    photos = config_of(["one"])
    photos.cohorts["one"] = Cohort(photos="photos", manifest="manifest.tsv")
    ages = face_ages([30, 0, 2, 0, 1]).assign(cohort="one")
    found = {("faceage", "photo_counts"): count_photos(ages, sexes(), ["sex"]).assign(note="")}
    quality = tables_of_quality(*quality_study(n=40, genes=60))
    placed = {f"one/expression/{name}": one.assign(cohort="one") for name, one in quality.items()}
    samples = collected(tmp_path, placed)
    for make, link, own in (
        (photo_page, "tables/INTERNAL_photos_not_used.tsv", (ReportTables(found), photos)),
        (association_page, "tables/INTERNAL_samples_flagged.tsv", (samples, config_of(["one"]))),
    ):
        assert f'<a href="{link}">' in make(*own, [])
        assert "INTERNAL_" not in make(*own, [], internal=False)
    assert "INTERNAL_photos" not in photo_page(ReportTables({}), config_of(["one"]), [])


def test_intervals_have_a_dash_unless_a_bound_is_negative():
    assert confidence_interval(1.3, 2.08) == "1.30–2.08"
    assert confidence_interval(-0.3, 2.1, 1) == "−0.3 to 2.1"
    assert confidence_interval(-0.001, 2.1, 1) == "0.0–2.1"
    assert confidence_interval(MISSING, 2.1) == ""


# ------------------------------------------------------------------------------ files


def test_the_same_table_gives_the_same_bytes_without_author_or_date(tables, files):
    assert rendered(tables, CONFIG, internal=True) == files
    with zipfile.ZipFile(io.BytesIO(files[f"{PREFIX}cox_models.docx"])) as word:
        assert {entry.date_time for entry in word.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert not [name for name in word.namelist() if name.startswith(("docProps", "customXml"))]
        assert not [name for name in word.namelist() if not name.endswith((".xml", ".rels"))]
        assert b"python-docx" not in b"".join(word.read(name) for name in word.namelist())


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_in_each_file(name):
    table = JournalTable(
        "t", name, ("Gene", "HR"), (Row(((Gene(name),), "1.00")), Row((name, name), "level")), (name,)
    )
    said = re.sub(r"\s+", " ", name)
    made = _printable(table)
    word = Document(io.BytesIO(word_table(made, "")))
    assert word.tables[0].rows[1].cells[0].text == word.tables[0].rows[2].cells[1].text == said
    latex = latex_table(made, "")
    assert [row[0] for row in latex_rows(latex.encode())] == [said, said]
    kept = re.sub(r"\\(?:[a-z]+|[&%#$_{}])|\$-\$", "", latex.split("\\midrule")[1])
    assert not set(kept) & set("%#~^_$<>")
    assert all(line.count(" & ") == 1 for line in latex.split("\n") if line.endswith(r"\\"))


def test_no_cell_of_a_tsv_is_a_formula(tables, results, tmp_path):
    ledger = pd.DataFrame([
        ["north", "=1+1", "@photo", "", "face_age", "excluded", "no_face", "no_face;same_photo_twice"],
        ["north", "P0002", "-photo", "", "face_age", "included", "", ""],
        ["north", "P0003", "", "+s", "expression", "flagged", "rna_outlier", "=HYPERLINK(1)"],
        ["north", "P0003", "", "s2", "expression", "included", "", ""],
        ["north", "P0004", "", "s3", "expression", "excluded", "missing_bmi", ""],
    ], columns=list(LEDGER_COLUMNS))  # fmt: skip
    written = write_tables(tables, [ledger], CONFIG, tmp_path)
    cells = [cell for path in written if path.suffix == ".tsv" for row in tsv_rows(path.read_bytes()) for cell in row]  # fmt: skip
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    assert "'=SUM(A1)" in cells
    photos = read_text_table(tmp_path / "INTERNAL_photos_not_used.tsv")
    assert photos.to_numpy().tolist() == [["north", "'@photo", "'=1+1", "face_age", "excluded", "no face found", "no face found; same photo twice"]]  # fmt: skip
    samples = read_text_table(tmp_path / "INTERNAL_samples_flagged.tsv")
    assert samples["sample_id"].tolist() == ["'+s", "s3"]
    assert samples["status"].tolist() == ["flagged", "excluded"]
    assert samples["reason"].tolist() == ["outlying by RNA", "BMI not known"]
    assert samples["detail"].tolist() == ["'=HYPERLINK(1)", ""]


def test_internal_tables_say_so_in_name_and_footer(files):
    for name, content in files.items():
        assert name.startswith("INTERNAL_")
        if name.endswith(".docx"):
            footers = [
                section.footer.paragraphs[0].text for section in Document(io.BytesIO(content)).sections
            ]
            assert footers == ["INTERNAL: exact numbers, not for release."]
        else:
            assert b"INTERNAL: exact numbers, not for release." in content


def test_the_command_writes_private_files_with_records(results, tmp_path):
    ledger = tmp_path / "ledger.tsv"
    write_table(pd.DataFrame(columns=list(LEDGER_COLUMNS)), ledger)
    paths = [str(path) for path in sorted(results.glob("*/*/*.tsv"))]
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"cohorts": {name: {"face_ages": "f.tsv"} for name in CONFIG.cohorts}}))
    options = ["--config", str(config), "--ledger", str(ledger), "--output", str(tmp_path)]
    output_of("render-report", *options, *paths)
    assert {path.name for path in tmp_path.glob("*.html")} == {
        "index.html",
        "association.html",
        "survival.html",
        "photos.html",
    }
    assert list((tmp_path / "figures").rglob("*.svg"))
    assert (tmp_path / "run.json").exists()
    written = [path for path in (tmp_path / "tables").iterdir() if path.is_file()]
    assert len(written) == 7 * 3 + 2
    for path in written:
        assert path.stat().st_mode & 0o777 == 0o600
        assert read_record(record_of(path))["command"] == "render-report"


# ------------------------------------------------------------------------------ release


@pytest.fixture(scope="module")
def share(results, tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("share") / "share"
    publish(results, target, Known(identifiers={"N0912"}), CONFIG, [], 6, KEY)
    return target


def test_released_tables_hold_rounded_counts_only(share, tables):
    files = {path.name: path.read_bytes() for path in (share / "tables").iterdir() if path.is_file()}
    made = {
        f"{table.name}.{kind}" for table in journal_tables(tables, CONFIG) for kind in ("docx", "tex", "tsv")
    }
    assert set(files) == made
    assert set(json.loads((share / MANIFEST).read_text())["files"]) >= {f"tables/{name}" for name in made}
    counts = []
    for name, content in files.items():
        assert b"INTERNAL" not in content
        if not name.endswith(".docx"):
            assert b"Counts are rounded to the midpoints of 6" in content
            continue
        document = Document(io.BytesIO(content))
        assert "INTERNAL" not in "".join(section.footer.paragraphs[0].text for section in document.sections)
        rows = word_rows(content)
        whole = [cell for row in rows for cell in row[1:] if re.fullmatch(r"[\d,]+(?: \(\d+%\))?", cell)]
        sizes = [size for cell in rows[0] for size in re.findall(r"n = (\d+)", cell)]
        counts += [int(cell.split(" ")[0].replace(",", "")) for cell in [*whole, *sizes]]
    assert len(counts) > 100
    assert all(midpoint(count, 6) == count for count in counts)
    # the exact ones are none
    assert b"113\t78" not in files["cox_models.tsv"]
    assert b"\t111\t81" in files["cox_models.tsv"] or b"\t111\t75" in files["cox_models.tsv"]


def test_a_cohort_without_added_value_stands_with_the_estimates_of_others(results, tmp_path):
    path = tmp_path / "south/survival/added_value.tsv"
    few = {"n_events": 9, "estimate": MISSING, "p_value": MISSING, "status": "not_estimated"}
    why = reason("fewer_events", needed=10).encoded
    write_table(added_value_table("south").head(1).assign(**few, reason=why), path)
    tables = collect([results / "north/survival/added_value.tsv", path])
    (asked,) = (one for one in key_questions(tables, CONFIG) if one.plan.question == ADDED)
    north, south = asked.keys
    assert (north.whom, north.adjusted["estimate"]) == ("north", 0.065)
    assert (south.whom, south.adjusted["n_events"], south.unadjusted) == ("south", 9, None)
    (question,) = (one for one in key_results(tables, CONFIG) if one.title == ADDED_TITLE)
    assert question.text(question.rows[1]) == "not estimated, because fewer than 10 participants died"
    assert question.rows[1].unadjusted == "–"


def test_the_gate_makes_released_tables_again_and_compares(share, tmp_path):
    assert check_folder(share, Known(identifiers={"N0912"}), 6) == []
    copy = tmp_path / "copy"
    shutil.copytree(share, copy)
    told = released_config(CONFIG, 6)
    word = copy / "tables/cox_models.docx"
    word.write_bytes(word.read_bytes() + b"\0")
    (copy / "tables/key_results.tex").unlink()
    (copy / "tables/table_1_west.tsv").write_text("Characteristic\tOverall\nAge\t3\n")
    found = {(finding.file, finding.kind) for finding in _not_of_tables(copy, told, [])}
    assert found == {
        ("tables/cox_models.docx", "other page"),
        ("tables/key_results.tex", "other page"),
        ("tables/table_1_west.tsv", "other page"),
    }


def test_public_data_are_released_as_they_are(tables):
    config = CONFIG.model_copy(update={"release": Release(rounding=1)})
    text = rendered(tables, config, internal=False)["cox_models.tsv"].decode()
    assert "\t113\t78" in text
    assert "rounded" not in text
    assert "INTERNAL" not in text


def changed(content: bytes, part: str, old: str, new: str) -> bytes:
    """A Word file with one part changed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as word, zipfile.ZipFile(packed, "w") as made:
        for name in word.namelist():
            text = word.read(name)
            if name == part:
                assert old.encode() in text
                text = text.replace(old.encode(), new.encode(), 1)
            made.writestr(name, text)
    return packed.getvalue()


END = "</w:body>"
PLANTED = {
    "identifier in a paragraph": ("identifier", "<w:p><w:r><w:t>N0912</w:t></w:r></w:p>"),
    "identifier that the markup splits": ("identifier", "<w:p><w:r><w:t>N0</w:t></w:r><w:r><w:t>912</w:t></w:r></w:p>"),
    "identifier in an attribute": ("identifier", '<w:bookmarkStart w:name="N0912"/>'),
    "author of a change": ("identifier", '<w:ins w:author="ward-b"/>'),
    "short identifier alone in a cell": ("identifier", "<w:tc><w:p><w:r><w:t>S1</w:t></w:r></w:p></w:tc>"),
    "date of a change": ("date", '<w:ins w:date="2019-08-07T10:00:00Z"/>'),
    "path": ("path", "<w:p><w:r><w:t>/home/someone/photos/a</w:t></w:r></w:p>"),
}  # fmt: skip


@pytest.mark.parametrize("leak", PLANTED)
def test_what_is_planted_in_a_word_file_is_found(share, tmp_path, leak):
    from tests.gate_words import KNOWN

    kind, xml = PLANTED[leak]
    clean = (share / "tables/cox_models.docx").read_bytes()
    (tmp_path / "a.docx").write_bytes(clean)
    assert check_folder(tmp_path, KNOWN, 6) == []
    (tmp_path / "a.docx").write_bytes(changed(clean, "word/document.xml", END, xml + END))
    assert {finding.kind for finding in check_folder(tmp_path, KNOWN, 6)} == {kind}


def test_other_leaks_in_tables_for_authors_are_found(share, tmp_path):
    from tests.gate_words import KNOWN, picture

    content = io.BytesIO((share / "tables/cox_models.docx").read_bytes())
    with zipfile.ZipFile(content, "a") as word:
        word.writestr("word/media/image1.png", picture())
    (tmp_path / "tables").mkdir()
    for name, text in {
        "tables/picture.docx": content.getvalue(), "tables/broken.docx": b"no zip", "tables/cox_models.tsv": b"Adjusted for\tn\n7\t113\n",
        "tables/table_1.tsv": b"Characteristic\tnorth, n = 1,114\n5\t12.5 (3.1)\n", "tables/INTERNAL_cox_models.tex": b"x",
        "tables/a.tex": rb"\textit{ward-b} and P\_77",
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(text)
    known = KNOWN | Known(identifiers={"P_77x", "P_77"})
    found = {(finding.file.split(":")[0], finding.kind) for finding in check_folder(tmp_path, known, 6)}
    assert found == {
        ("tables/picture.docx", "image"), ("tables/picture.docx", "kind of file"), ("tables/broken.docx", "kind of file"),
        ("tables/cox_models.tsv", "exact count"), ("tables/table_1.tsv", "exact count"), ("tables/INTERNAL_cox_models.tex", "internal"),
        ("tables/a.tex", "identifier"),
    }  # fmt: skip
    names = [finding.what for finding in check_folder(tmp_path, known, 6) if finding.file == "tables/a.tex"]
    assert len(names) == 2
