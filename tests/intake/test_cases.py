"""Small studies and plain tables that once were accepted silently, crashed or got wrong advice: each is refused early or read rightly."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import yaml

from faceage_bio.core.config import analysis_settings, load_config
from faceage_bio.core.errors import CohortError, Problems
from faceage_bio.intake.cohort.config_checks import check_names
from faceage_bio.intake.cohort.intake import CohortTables, read_cohorts
from faceage_bio.intake.plain import read_plain

CLINICAL = """subject_id	chronological_age	sex	smoking	bmi	ecog	site	followup_years	event
a1	60	f	never	22.5	0	lung	2.5	1
a2	61	m	former	24.5	1	lung	3.5	0
a3	62	f	current	25.5	1	breast	4.5	0
a4	63	m	never	26.5	2	breast	5.5	1
"""
FACES = "subject_id\tface_age\na1\t64.5\na2\t60.0\na3\t70.0\na4\t66.0\n"
DATED = "subject_id\tface_age\tphoto_date\na1\t64.5\t2020-01-01\n"
COUNTS = "gene\ts1\ts2\ts3\ts4\nCDK6\t425\t318\t256\t135\nCDKN2A\t154\t21\t38\t9\nTP53\t88\t406\t325\t456\nGAPDH\t252\t303\t485\t365\n"
SAMPLES = "sample_id\tsubject_id\tbatch\ns1\ta1\tx\ns2\ta2\tx\ns3\ta3\ty\ns4\ta4\ty\n"
NFCORE = "gene_id\tgene_name\ts1\ts2\ts3\ts4\nENSG00000105810\tCDK6\t10.5\t11.2\t3\t4\nENSG00000147889\tCDKN2A\t10\t11\t3.5\t4\n"
TURNED = "sample\tCDK6\tTP53\tGAPDH\n00123\t5\t6\t7\n00124\t5\t8\t7\n00125\t5\t6\t9\n00126\t1\t2\t3\n"


def renamed(text: str, new: dict[str, str]) -> str:
    for old, other in new.items():
        assert old in text
        text = text.replace(old, other)
    return text


@pytest.fixture
def study(tmp_path):
    """A function that checks a study of these tables: what was read, and what `check` says."""

    def read(tables: dict[str, str], config: dict | None = None) -> tuple[CohortTables, str]:
        cohort = {}
        for name, text in ({"face_ages": FACES, "clinical": CLINICAL} | tables).items():
            (tmp_path / f"{name}.tsv").write_text(text)
            cohort[name] = f"{name}.tsv"
        content = {"cohorts": {"mine": cohort | (config or {}).pop("mine", {})}} | (config or {})
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
        found, problems = load_config(tmp_path / "config.yaml"), Problems()
        read = read_cohorts(found.cohorts, 365.25)
        said = check_names(found.cohorts, read, analysis_settings(found), problems)
        problems.stop_if_any()
        return read["mine"], "\n".join(said)

    return read


def with_counts(counts: str, samples: str = SAMPLES) -> dict[str, str]:
    return {"counts": counts, "samples": samples}


def born(cell: str) -> dict[str, str]:
    return {
        "face_ages": DATED,
        "clinical": f"subject_id\tbirth_date\tfollowup_date\tevent\na1\t{cell}\t2021-01-01\t1\n",
    }


REFUSED: dict[str, tuple[dict, dict, str]] = {
    "unclosed quote, face ages": ({"face_ages": FACES.replace("60.0", '"60.0')}, {}, r"face_ages.tsv: a quote \(.\) opens in line 3 and is not closed"),
    "unclosed quote, counts": (with_counts(COUNTS.replace("CDKN2A", '"CDKN2A')), {}, r"1 line\(s\) hold a quote \(.\) that is not closed: line 3"),
    "covariates": ({}, {"survival": {"covariates": ["ecgo"], "sequential_adjustment": ["sexx"]}}, "survival.sequential_adjustment names 'sexx'.*(?s:.*)survival.covariates names 'ecgo'.*Did you mean 'ecog'"),
    "genes as dates": (with_counts(COUNTS.replace("CDKN2A", "2024-09-02").replace("GAPDH", "44805")), {}, "turned into dates by a spreadsheet: 2024-09-02 .line 3.; 44805"),
    "sentinels": ({"clinical": CLINICAL.replace("event", "albumin").replace("5\t1\n", "5\t-99\n", 1).replace("3.5\t0\n", "3.5\t38\n").replace("5.5\t1", "5.5\t999").replace("followup_years", "x")}, {}, r"'albumin': 2 row\(s\), line 2: '-99'; line 5: '999'. It lies far"),
    "follow-up in months": ({"clinical": renamed(CLINICAL, {"\t2.5\t": "\t30\t", "\t3.5\t": "\t42\t", "\t4.5\t": "\t54\t", "\t5.5\t": "\t66\t"})}, {}, "looks like months or days"),
    "future photo": ({"face_ages": DATED.replace("2020", "2052"), "clinical": born("1950-02-28")["clinical"].replace("2021", "2053")}, {}, "'photo_date': 1 row.*2052-01-01.*Expected a day that has been"),
    "29 February 1950": (born("1950-02-29"), {}, "line 2: '1950-02-29'. Expected a day of the calendar, which has none of this date"),
    "serial of a spreadsheet": (born("18322"), {}, "a spreadsheet's serial number of a day looks so"),
    "month without day": (born("1950-02"), {}, "Expected a date with its day"),
    "groups in two spellings": ({"clinical": CLINICAL.replace("lung", "Lung ", 1)}, {}, r"'site': .*'Lung' \(1 row.*'lung' \(1 row.*differ in capitals or blanks alone|'site': 'lung'.*'Lung'"),
    "rows without a gene": (with_counts(COUNTS + "\t1\t2\t3\t4\n\t1\t2\t3\t4\n"), {}, r"2 row\(s\) have no name of a gene: line 6; line 7"),
    "huge counts": (with_counts(COUNTS.replace("425", "1e19")), {}, "above a billion.*such as 1e.19 for gene 'CDK6' in sample 's1'"),
    "names that R has changed": (with_counts(COUNTS.replace("s1\ts2\ts3\ts4", "X1.A\tX2.A\tX3.A\tX4.A"), renamed(SAMPLES, {f"s{k}\t": f"{k}-A\t" for k in range(1, 5)})), {}, "R has written '1-A' as 'X1.A'.*read the table with check.names = FALSE"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_study_is_refused_early_with_the_reason(study, case):
    tables, config, message = REFUSED[case]
    with pytest.raises(CohortError, match=message):
        study(tables, dict(config))


def bmi(tables: CohortTables) -> list[float]:
    return tables.subjects.bmi.tolist()


def first_counts(tables: CohortTables) -> list[int]:
    return tables.counts.counts.loc["CDK6"].tolist()


READ: dict[str, tuple[dict, dict, Callable, list]] = {
    "ids with zeros in front, samples in rows": (with_counts(TURNED, renamed(SAMPLES, {f"s{k}\t": f"0012{k + 2}\t" for k in range(1, 5)})), {}, lambda one: one.counts.counts.columns.tolist(), ["00123", "00124", "00125", "00126"]),
    "Entrez identifiers as decimals": (with_counts(renamed(COUNTS, {"CDK6": "1021.0", "CDKN2A": "1029.0", "TP53": "7157.0", "GAPDH": "2597.0"})), {}, first_counts, [425, 318, 256, 135]),
    "symbol and Entrez identifier": (with_counts(renamed(COUNTS, {"CDK6": "CDK6|1021", "CDKN2A": "CDKN2A|1029", "TP53": "TP53|7157", "GAPDH": "GAPDH|2597"})), {}, first_counts, [425, 318, 256, 135]),
    "labels of REDCap": ({"clinical": renamed(CLINICAL, {"subject_id": "Record ID", "bmi": "BMI, kg/m2, at baseline; weight, height, date"})}, {"mine": {"tables": {"clinical": {"columns": {"subject_id": "Record ID", "bmi": "BMI, kg/m2, at baseline; weight, height, date"}}}}}, bmi, [22.5, 24.5, 25.5, 26.5]),
    "decimal commas": ({"clinical": CLINICAL.replace("\t", ";").replace(".", ",")} | with_counts(COUNTS.replace("\t", ";").replace("425", "425,0")), {}, lambda one: bmi(one) + first_counts(one), [22.5, 24.5, 25.5, 26.5, 425, 318, 256, 135]),
    "nf-core/rnaseq": (with_counts(NFCORE), {"mine": {"counts_kind": "estimated"}}, first_counts, [10, 11, 3, 4]),
}  # fmt: skip


@pytest.mark.parametrize("case", READ)
def test_a_study_is_read_as_it_is_meant(study, case):
    tables, config, what, expected = READ[case]
    assert what(study(tables, dict(config))[0]) == expected


def test_names_that_r_has_changed_are_one_problem(study):
    tables, config, _ = REFUSED["names that R has changed"]
    with pytest.raises(CohortError, match=r"^1 problem"):
        study(tables, dict(config))


def test_a_column_is_not_said_to_be_unused_where_it_is_used(study):
    tables, config, _, _ = READ["labels of REDCap"]
    one = {"mine": {"columns": config["mine"]["tables"]["clinical"]["columns"]}}
    read, said = study(tables, one)
    assert read.subjects.bmi.tolist() == [22.5, 24.5, 25.5, 26.5]
    assert "not used" not in said


def test_a_checkbox_of_redcap_is_told_to_be_unused(study):
    _, said = study({"clinical": CLINICAL.replace("smoking", "smoking___1")})
    words = "clinical.tsv: not used: smoking___1 (if it is smoking, declare columns: {smoking: smoking___1})"
    assert words in said


# ------------------------------------------------------------------------------ plain tables

N = 240
random = np.random.default_rng(8)
PEOPLE = pd.DataFrame({
    "subject_id": [f"P{k:03d}" for k in range(N)], "chronological_age": random.uniform(45, 85, N).round(1),
    "face_age": random.uniform(45, 85, N).round(2), "sex": random.choice(["male", "female"], N),
    "bmi": random.uniform(18, 35, N).round(1), "ecog": random.integers(0, 3, N),
    "followup_years": random.uniform(0.1, 4, N).round(3), "event": random.integers(0, 2, N),
})  # fmt: skip
AGAIN = pd.concat([PEOPLE, PEOPLE.head(30)]).drop(columns="subject_id")
PLAIN: dict[str, tuple[pd.DataFrame, str]] = {
    "face age 0": (PEOPLE.assign(face_age=PEOPLE.face_age.mask(PEOPLE.index < 10, 0)), r"'face_age': 10 row\(s\), line 2: '0.0'.*Expected years above 0"),
    "BMI 999": (PEOPLE.assign(bmi=PEOPLE.bmi.mask(PEOPLE.index < 2, 999)), r"'bmi': 2 row\(s\), line 2: '999.0'.*Expected 8 to 100"),
    "ECOG 9": (PEOPLE.assign(ecog=PEOPLE.ecog.mask(PEOPLE.index < 2, 9)), r"'ecog': 2 row\(s\), line 2: '9'.*Expected 0, 1, 2, 3 or 4"),
    "days": (PEOPLE.assign(followup_years=(PEOPLE.followup_years * 365.25).round()), "looks like days"),
    "months": (PEOPLE.assign(followup_years=(PEOPLE.followup_years * 12).round(1)), "looks like months"),
    "rows twice without identifiers": (AGAIN, r"30 of 270 rows are the same as another in every column: line 242; .*and 25 more. Expected one row per"),
}  # fmt: skip


@pytest.mark.parametrize("case", PLAIN)
def test_a_plain_table_is_refused_with_the_reason(tmp_path, case):
    table, message = PLAIN[case]
    table.to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    with pytest.raises(CohortError, match=message):
        read_plain(tmp_path / "t.tsv")
