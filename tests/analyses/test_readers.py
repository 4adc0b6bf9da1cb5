"""The reader study: tables checked, areas and contrasts found, nobody named, the page."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control

from faceage_bio.analyses.readers.readers_stage import compare_readers, group_mean, read_study
from faceage_bio.analyses.readers.readings import WEIGHTED, Outcome
from faceage_bio.core.config import Cohort, Config, Readers, check_config
from faceage_bio.core.errors import CohortError, ConfigError, FitError
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.core.settings.settings_cohort import SheetForm
from faceage_bio.core.tables import write_table
from faceage_bio.demo.plans import PLANS
from faceage_bio.demo.simulated_cohorts import make_readings
from faceage_bio.demo.simulated_participants import simulate_participants, simulate_readings
from faceage_bio.report.pages import survival_page
from faceage_bio.report.tables_by_place import collect
from faceage_bio.stats.multi_reader import ReaderStudy
from faceage_bio.stats.prediction_accuracy import delong
from tests.browser import check_width
from tests.commands import faceage_bio
from tests.rows import told

CONDITIONS, TYPES = ["photo", "chart", "face_age"], ["staff", "resident", "lay"]
GROUPS = {"physicians": ["staff", "resident"]}


def simulated(seed=11, n=120):
    """Readings, and the cases with some of them lost early."""
    people = simulate_participants(n, cancer=True, seed=seed)
    people.insert(0, "subject_id", [f"NAME{k:03d}" for k in range(n)])
    readings = simulate_readings(people, seed)
    random = np.random.default_rng(seed)
    lost = np.where(random.random(n) < 0.15, random.uniform(0.1, 0.9, n), 99)
    cases = pd.DataFrame({
        "case_id": people.subject_id, "followup_years": np.minimum(people.followup_years, lost).round(3),
        "event": np.where((people.event == 1) & (people.followup_years <= lost), "died", "alive"),
        "chronological_age": people.age.round(1), "face_age": (people.biological_age + random.normal(0, 4, n)).round(1),
    })  # fmt: skip
    return readings, cases


def read(tmp_path, readings, cases, rating_of="death", forms=None):
    readings.to_csv(tmp_path / "readings.tsv", sep="\t", index=False)
    cases.to_csv(tmp_path / "cases.csv", index=False)
    files = (tmp_path / "readings.tsv", [tmp_path / "cases.csv"])
    return read_study(*files, CONDITIONS, TYPES, rating_of, "face_age", *([forms] if forms else []))


def run(tmp_path, readings, cases, **options):
    return compare_readers(*read(tmp_path, readings, cases, **options), CONDITIONS, GROUPS, 1.0)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return run(tmp_path_factory.mktemp("study"), *simulated())


def pick(table, **wanted):
    rows = table
    for name, value in wanted.items():
        rows = rows[rows[name] == value]
    assert len(rows) == 1, rows[["term", "condition", "against", "censoring", "random", "measure"]]
    return rows.iloc[0]


AREA = {"measure": "AUC", "censoring": "status known"}
ALL_AREA = AREA | {"term": "all readers"}
GAIN = {
    "term": "all readers", "measure": "difference of AUC", "censoring": "status known", "random": "readers and cases",
}  # fmt: skip


def test_what_was_planted_is_found(table):
    photo, chart, face_age = (pick(table, **ALL_AREA, condition=condition) for condition in CONDITIONS)
    assert 0.55 < photo.estimate < chart.estimate < face_age.estimate
    gain = pick(table, **GAIN, condition="face_age", against="chart")
    assert gain.estimate == pytest.approx(face_age.estimate - chart.estimate)
    assert gain.n_readers == 10
    assert gain.n == photo.n < 100  # some were lost before the horizon
    assert gain.n_events == photo.n_events
    pair = {"condition": "chart", "against": "photo"}
    weighted = pick(table, **(GAIN | {"censoring": "weighted for censoring"}), **pair)
    assert weighted.n == 100
    assert weighted.estimate != pick(table, **GAIN, **pair).estimate


def test_the_stage_gives_what_the_methods_give(tmp_path):
    readings, cases = simulated(3)
    table = run(tmp_path, readings, cases)
    wide = readings.pivot(index="case_id", columns=["condition", "reader_id"], values="rating")
    wide = wide.sort_index(axis=1)
    mine = cases.set_index("case_id").loc[wide.index]
    died = (mine.event == "died") & (mine.followup_years <= 1.0)
    known = died | (mine.followup_years >= 1.0)
    both = pd.concat([wide["face_age"], wide["chart"]], axis=1)[known]
    assert both.notna().all().all()
    areas = delong(both.to_numpy(), died[known].to_numpy())
    expected = ReaderStudy(areas.area.reshape(2, -1), areas.covariance)
    for random, kind in (("both", "readers and cases"), ("cases", "cases"), ("readers", "readers")):
        row = pick(table, **(GAIN | {"random": kind}), condition="face_age", against="chart")
        found = expected.difference(0, 1, random)
        assert row.estimate == pytest.approx(found.estimate.estimate)
        assert row.p_value == pytest.approx(found.estimate.p_value)
        assert row.df == pytest.approx(found.df)
    answers = readings[readings.condition == "chart"]
    answers = answers.pivot(index="case_id", columns="reader_id", values="predicted_alive")
    right = answers[known].eq(np.where(died[known], "no", "yes"), axis=0)
    row = pick(table, term="all readers", measure="accuracy", condition="chart")
    assert row.estimate == pytest.approx(right.to_numpy().mean())
    true_age = readings.case_id.map(cases.set_index("case_id").chronological_age)
    decades = np.sign(readings.predicted_age.astype(float) // 10 - true_age // 10)
    row = pick(table, term="all readers", measure="share", level="too young")
    assert row.estimate == pytest.approx((decades[readings.condition == "photo"] == -1).mean())
    face = cases.set_index("case_id").loc[wide.index]
    row = pick(table, term="model alone", measure="share", level="same decade")
    assert row.estimate == pytest.approx((face.face_age // 10 == face.chronological_age // 10).mean())
    row = pick(table, term="model alone", measure="mean absolute error")
    assert row.estimate == pytest.approx((face.face_age - face.chronological_age).abs().mean())


def test_the_legacy_test_is_named_and_tells_its_floor(table):
    rows = table[(table.measure == "sum of positive ranks") & (table.term == "physicians")]
    assert rows.model.str.contains("legacy").all()
    assert told(rows).str.contains("with 8 readers p cannot be below 0.0078").all()
    assert (rows.p_value >= 2 / 2**8).all()


def test_shuffled_answers_find_nothing(tmp_path):
    readings, cases = simulated(5)
    random = np.random.default_rng(2)
    new = dict(zip(cases.case_id, random.permutation(cases.case_id), strict=True))
    cases = cases.assign(case_id=cases.case_id.map(new))
    readings["case_id"] = readings["case_id"].where(readings["case_id"].isin(cases.case_id))
    table = run(tmp_path, readings, cases)
    for condition in CONDITIONS:
        row = pick(table, **ALL_AREA, condition=condition)
        assert row.ci_lower < 0.5 < row.ci_upper


def test_no_reader_and_no_participant_is_named(table, tmp_path):
    write_table(table, tmp_path / "readers.tsv")
    text = (tmp_path / "readers.tsv").read_text()
    assert "NAME" not in text
    assert "staff-" not in text
    assert "staff 5" in text


def test_numbers_of_readers_do_not_hang_on_the_order_of_rows(tmp_path):
    readings, cases = simulated()
    one, _ = read(tmp_path, readings, cases)
    other, _ = read(tmp_path, readings.sample(frac=1, random_state=4), cases)
    keys = ["reader", "case_id", "condition"]
    pd.testing.assert_frame_equal(*(known.sort_values(keys, ignore_index=True) for known in (one, other)))
    numbered = zip(TYPES, (5, 3, 2), strict=True)
    assert list(one["reader"].unique()) == [f"{kind} {k + 1}" for kind, n in numbered for k in range(n)]


def test_a_list_of_names_does_not_give_the_numbers_of_readers(tmp_path):
    orders = set()
    for k in range(4):
        readings, cases = simulated()
        readings.loc[readings.index[readings.reader_type == "lay"][0], "rating"] = k / 4
        numbered, _ = read(tmp_path, readings, cases)
        staff = numbered[numbered.reader_type == "staff"]
        orders.add(tuple(staff.groupby("reader")["rating"].sum().round(4)))
    assert len({tuple(sorted(one)) for one in orders}) == 1
    assert len(orders) > 1


def test_a_reader_is_judged_by_ratings_or_by_answers_and_not_by_both(tmp_path):
    readings, cases = simulated()
    rated = np.random.default_rng(1).random(len(readings)) < 0.6
    some = run(tmp_path, readings.assign(rating=readings.rating.where(rated)), cases)
    without_answers = readings[rated].assign(predicted_alive="")
    pd.testing.assert_frame_equal(
        *(one[one.question == "areas"].dropna(subset="n").drop(columns="term").sort_values(["censoring", "condition", "rater", "estimate"], ignore_index=True)
          for one in (some, run(tmp_path, without_answers, cases)))
    )  # fmt: skip


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("face_agee", "readers.model_column names 'face_agee', which is no column of numbers. Expected the column by which the model"),
        ("sex", "readers.model_column names 'sex', which is no column of numbers"),
    ],
)  # fmt: skip
def test_the_column_of_the_model_has_numbers(tmp_path, model, said):
    readings, cases = simulated()
    readings.to_csv(tmp_path / "readings.csv", index=False)
    people = cases.rename(columns={"case_id": "subject_id"}).assign(cohort="a", sex="male")
    people = people.assign(event=(people.event == "died").astype(float))
    people.to_parquet(tmp_path / "people.parquet")
    declared = (CONDITIONS, TYPES, "death")
    with pytest.raises(CohortError, match=said):
        read_study(tmp_path / "readings.csv", [tmp_path / "people.parquet"], *declared, model)


def test_cases_without_face_ages_say_that_the_model_rated_none(tmp_path):
    table = run(tmp_path, *simulated()[:1], simulated()[1].drop(columns="face_age"))
    assert table[table.rater == "model"].estimate.isna().all()
    row = pick(
        table, question="against the model", term="all readers", condition="photo", censoring="status known"
    )
    assert "0 of 100 cases: those that the model rated" in told(row)


def test_a_rating_of_survival_is_the_same_study(tmp_path):
    readings, cases = simulated()
    turned = readings.assign(rating=(1 - readings.rating).round(2))
    one, other = run(tmp_path, readings, cases), run(tmp_path, turned, cases, rating_of="survival")
    pd.testing.assert_frame_equal(one, other)


def test_the_wrong_direction_is_suspected(tmp_path):
    readings, cases = simulated()
    table = run(tmp_path, readings, cases, rating_of="survival")
    row = pick(table, **ALL_AREA, condition="face_age")
    assert told(row) == "below chance: is the direction of the answers (yes = alive; rating_of) right?"


def test_words_alone_are_enough(tmp_path):
    readings, cases = simulated()
    table = run(tmp_path, readings.drop(columns=["rating", "predicted_age"]), cases, rating_of=None)
    own = {"term": "staff 1", "condition": "chart"}
    shares = [pick(table, **own, measure=name).estimate for name in ("sensitivity", "specificity")]
    assert pick(table, **own, **AREA).estimate == pytest.approx(np.mean(shares))
    assert not (table.question == "ages").any()


def test_incomplete_crossing_is_said(tmp_path):
    readings, cases = simulated()
    drop = (readings.reader_id == "staff-1") & (readings.condition == "chart")
    few = readings.case_id.isin(sorted(readings.case_id.unique())[:70])
    other = (readings.reader_id == "lay-1") & readings.case_id.isin(sorted(readings.case_id.unique())[-4:])
    table = run(tmp_path, readings[~(drop & few) & ~other], cases)
    row = pick(table, **GAIN, condition="chart", against="photo")
    assert row.n_readers == 9
    words = "who judged fewer than half of the cases there; 96 of 100 cases: those that all readers judged"
    assert words in told(row)
    assert told(row).startswith("without staff ")


def test_two_cases_give_rows_that_say_why(tmp_path):
    readings, cases = simulated()
    readings = readings[readings.case_id.isin(readings.case_id.unique()[:2])]
    table = run(tmp_path, readings, cases)
    areas = table[table.question == "areas"]
    assert areas.estimate.isna().all()
    assert told(areas).str.startswith("not estimated, because there are").all()


def test_without_cases_there_is_no_area_and_no_mean_over_readers():
    row = group_mean(pd.DataFrame([[0.5, 0.6]]), [])
    assert row["reason"] == [reason("too_few_cases", needed=2)]
    outcome = Outcome(pd.Series([2.0], ["A1"]), pd.Series([0.0], ["A1"]), 1.0)
    with pytest.raises(FitError, match="no case of known status was judged by all that are compared"):
        outcome.areas(pd.DataFrame(columns=["a", "b"], dtype=float), WEIGHTED)


def test_one_reader_has_no_mean_of_readers(tmp_path):
    readings, cases = simulated()
    table = run(tmp_path, readings[readings.reader_id == "staff-1"], cases)
    assert pick(table, **AREA, term="staff 1", condition="photo").estimate > 0
    assert "two of them" in told(pick(table, **ALL_AREA, condition="photo"))


@pytest.mark.parametrize(
    ("of_deaths", "of_others", "area", "why"),
    [
        (0.9, 0.1, 1.0, "no interval, because no pair of cases is rated the wrong way round"),
        (0.1, 0.9, 0.0, "no interval, because no pair of cases is rated the right way round"),
        (0.5, 0.5, 0.5, "no interval, because no pair of cases is rated the right way round"),
    ],
)
def test_readings_that_are_all_alike_have_no_interval_and_say_why(tmp_path, of_deaths, of_others, area, why):
    readings, cases = simulated()
    died = cases.case_id[(cases.event == "died") & (cases.followup_years <= 1)]
    rating = np.where(readings.case_id.isin(died), of_deaths, of_others)
    table = run(tmp_path, readings.drop(columns="predicted_alive").assign(rating=rating), cases)
    row = pick(table, **AREA, term="staff 1", condition="photo")
    assert row.estimate == area
    assert told(row) == why
    gain = table[(table.term == "staff 1") & (table.question == "conditions")]
    assert (gain.estimate == 0).all()
    assert told(gain).str.startswith("interval not estimated, because").all()


def test_where_nobody_died_the_legacy_areas_say_so(tmp_path):
    readings, cases = simulated()
    table = run(tmp_path, readings, cases.assign(event="alive"))
    legacy = table[(table.censoring == "dead only (legacy)") & (table.question == "areas")]
    assert (told(legacy) == "not estimated, because there was no death").all()


def test_late_entry_is_left_out_and_counted(tmp_path):
    readings, cases = simulated()
    late = readings.case_id.iloc[0]
    cases["entry_years"] = np.where(cases.case_id == late, 0.2, np.nan)
    row = pick(run(tmp_path, readings, cases), term="entered after the photo")
    assert row.estimate == 1


GOOD = {
    "reader_id": "anna", "reader_type": "staff", "case_id": "A1", "condition": "photo", "predicted_alive": "yes", "rating": "",
    "predicted_age_decade": "6",
}  # fmt: skip
CASES = pd.DataFrame({"case_id": ["A1", "A2"], "followup_years": [0.3, 2], "event": ["died", "alive"], "chronological_age": [63, 71], "face_age": [70, 69]})  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"case_id": "A9"}, r"readings.tsv: column 'case_id': 1 row\(s\), line 3: 'A9'. Expected a case of the cases table, which has none of that name. Correct it"),
        ({"condition": "chrt"}, r"column 'condition': 1 row\(s\), line 3: 'chrt'. Expected photo, chart, face_age .declared as .*. Write one of them, or declare this word. Did you mean 'chart'"),
        ({"reader_type": "residnt", "reader_id": "b"}, r"line 3: 'residnt'.*Did you mean 'resident'"),
        ({"reader_id": "Anna", "case_id": "A2"}, r"'reader_id': 'anna' \(1 row.*'Anna' \(1 row.*differ in capitals or blanks alone"),
        ({"reader_type": "lay"}, r"line 3: 'lay'. The reader is 'staff' in an earlier row"),
        ({}, r"line 3: 'A1 under photo'. This reader has judged it already"),
        ({"reader_id": ""}, r"column 'reader_id': 1 row\(s\), line 3. This row needs an identifier"),
        ({"predicted_alive": "1", "case_id": "A2"}, r"line 3: '1'. Expected yes or no, because a number can mean alive or dead. Write yes"),
        ({"predicted_alive": "maybe", "case_id": "A2"}, r"line 3: 'maybe'. Expected yes or no. Write yes \(alive at the horizon\) or no"),
        ({"predicted_alive": "", "rating": "", "predicted_age_decade": "", "case_id": "A2"}, "Expected an answer, but this reading holds none. Take the row out"),
        ({"rating": "0.3", "case_id": "A2"}, "it is not declared whether 1 means certain death or certain survival"),
        ({"rating": "70", "case_id": "A2"}, r"column 'rating': 1 row\(s\), line 3: '70'. Expected 0 to 1. Write such numbers: divide percentages by 100"),
        ({"predicted_age_decade": "60", "case_id": "A2"}, "line 3: '60'. Expected a decade of life. Write it as 6, 60s or 60-69"),
    ],
)  # fmt: skip
def test_each_problem_names_file_line_column_value(tmp_path, change, said):
    with pytest.raises(CohortError, match=said):
        read(tmp_path, pd.DataFrame([GOOD, GOOD | change]), CASES, rating_of=None)


def test_all_problems_come_together(tmp_path):
    rows = pd.DataFrame([GOOD, GOOD | {"case_id": "A9"}, GOOD | {"condition": "x", "predicted_alive": "0"}])
    with pytest.raises(CohortError) as error:
        read(tmp_path, rows, CASES.assign(event=["died", ""], chronological_age=[63, 710]))
    text = str(error.value)
    assert text.startswith("5 problems")
    followed = "line 3. Follow-up is given, but not whether the participant died"
    for part in ("'A9'", "'x'", "'0'", followed, "line 3: '710'. Expected years above 0, up to 120"):
        assert part in text


def test_names_and_codes_of_both_tables_are_declared(tmp_path):
    names = {"reader_id": "Who", "predicted_alive": "Answer"}
    readings = pd.DataFrame([GOOD]).rename(columns=names).replace("yes", "1")
    codes = {"predicted_alive": {"1": "yes"}}
    forms = {
        "readings": SheetForm(columns=names, codings=codes),
        "cases": SheetForm(columns={"case_id": "Nr"}),
    }
    found, cases = read(tmp_path, readings, CASES.rename(columns={"case_id": "Nr"}), None, forms)
    assert found.dead.tolist() == [0]
    assert list(cases.index) == ["A1"]


def test_columns_that_lack_are_named(tmp_path):
    bare = {"reader_id": "a", "case_id": "A1"}
    with pytest.raises(CohortError, match=r"lacks the column\(s\) condition; found reader_id, case_id"):
        read(tmp_path, pd.DataFrame([bare]), CASES)
    with pytest.raises(CohortError, match="needs the column predicted_alive or rating; found reader_id"):
        read(tmp_path, pd.DataFrame([bare | {"condition": "photo"}]), CASES)
    with pytest.raises(CohortError, match="needs the column case_id"):
        read(tmp_path, pd.DataFrame([GOOD]), pd.DataFrame({"x": [1]}))
    with pytest.raises(CohortError, match=r"1 case\(s\) stand more than once \('A1'\)"):
        read(tmp_path, pd.DataFrame([GOOD]), pd.concat([CASES, CASES.head(1)]))


@pytest.mark.parametrize("text", ["6", "60s", "60-69", "60–69", " 60 - 69 "])
def test_decades_may_be_spelt(tmp_path, text):
    known, _ = read(tmp_path, pd.DataFrame([GOOD | {"predicted_age_decade": text}]), CASES)
    assert known["decade"].tolist() == [6.0]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"groups": {"all": ["staff", "nurse"]}}, "groups.all names 'nurse', which is not among types"),
        ({"conditions": ["photo", "photo"]}, "conditions names a word twice"),
        ({"rating_of": "life"}, "rating_of"),
        ({"horizon_years": 0.0}, "horizon_years"),
    ],
)
def test_settings_are_checked(settings, said):
    with pytest.raises(ConfigError, match=said):
        check_config({"cohorts": {"a": {"face_ages": "f.tsv"}}, "readers": settings})


def test_readings_need_cases():
    with pytest.raises(ConfigError, match="no participant's survival is known"):
        check_config({"cohorts": {"a": {"face_ages": "f.tsv"}}, "readers": {"readings": "r.tsv"}})


def test_check_reads_the_readings_too(tmp_path):
    pd.DataFrame([GOOD | {"case_id": "A9"}]).to_csv(tmp_path / "r.csv", index=False)
    (tmp_path / "f.csv").write_text("subject_id,face_age\nA1,60\n")
    (tmp_path / "clinical.csv").write_text("subject_id,chronological_age\nA1,60\n")
    (tmp_path / "config.yaml").write_text(
        "cohorts: {a: {face_ages: f.csv, clinical: clinical.csv}}\nreaders:\n  readings: r.csv\n"
    )
    done = faceage_bio(tmp_path, "check", "--configfile", "config.yaml")
    assert done.status == 2
    words = "r.csv: column 'case_id': 1 row(s), line 2: 'A9'. Expected a case of the cases table, which has none of that name"
    assert words in done.output
    pd.DataFrame([GOOD]).to_csv(tmp_path / "r.csv", index=False)
    done = faceage_bio(tmp_path, "check", "--configfile", "config.yaml")
    assert done.status == 0, done.output
    assert "Reader study: 1 readings" in done.output
    with (tmp_path / "config.yaml").open("a") as file:
        file.write("  model_column: risk_of_model\n")
    done = faceage_bio(tmp_path, "check", "--configfile", "config.yaml")
    assert "readers.model_column names 'risk_of_model', which no table of any cohort has" in done.output


def test_the_command_runs_on_plain_tables(tmp_path):
    readings, cases = simulated()
    readings.to_csv(tmp_path / "readings.csv", index=False)
    cases.to_csv(tmp_path / "cases.csv", index=False)
    command = [
        "compare-readers", "--readings", "readings.csv", "--cases", "cases.csv", "--set",
        "readers.rating_of=death", "--set", "readers.horizon_years=1", "--output", ".",
    ]  # fmt: skip
    done = faceage_bio(tmp_path, *command)
    assert done.status == 0, done.output
    assert "3000 readings of 100 cases by 10 readers" in done.output
    assert (tmp_path / "readers.tsv").exists()
    command += ["--set", "readers.groups.physicians=nurse"]
    done = faceage_bio(tmp_path, *command)
    assert done.status == 2
    assert "groups.physicians names 'nurse', which is not among types: staff, resident, lay" in done.output


def test_the_demo_draws_the_same_readings_again(tmp_path):
    make_readings(PLANS[0], 2025, tmp_path / "a.tsv")
    make_readings(PLANS[0], 2025, tmp_path / "b.tsv")
    assert (tmp_path / "a.tsv").read_bytes() == (tmp_path / "b.tsv").read_bytes()
    drawn = pd.read_csv(tmp_path / "a.tsv", sep="\t")
    expected = {"staff": 5, "resident": 3, "lay": 2}
    assert drawn.groupby("reader_type")["reader_id"].nunique().to_dict() == expected
    assert drawn.case_id.nunique() == 100
    assert not drawn.duplicated(["reader_id", "case_id", "condition"]).any()


def page_of(folder, table=None):
    """The survival page with nothing but the reader study."""
    config = Config(cohorts={"one": Cohort(face_ages="f.tsv")}, readers=Readers(horizon_years=1.0))
    paths = []
    if table is not None:
        paths = [folder / "pooled" / "readers" / "readers.tsv"]
        write_table(table, paths[0])
    return survival_page(collect(paths), config, [])


def test_the_page_without_readings_says_so_in_one_line(tmp_path):
    assert "<li><strong>Reader study</strong>: no readings given</li>" in page_of(tmp_path)


def test_the_page_shows_areas_contrasts_and_legacy(table, tmp_path):
    page = page_of(tmp_path, table)
    row = pick(table, **GAIN, condition="face_age", against="chart")
    for text in (
        f"Face age vs chart: +{row.estimate:.3f}", "10 readers and", "Reader study</h2>", "signed rank (legacy)", "face age alone",
        "Weighted for censoring", "Sensitivity", "Same decade", "physicians", "other p-values are not adjusted",
    ):  # fmt: skip
        assert text in page
    assert ">nan" not in page.lower()


def test_few_deaths_are_shown(table, tmp_path):
    others = table["question"].isin(["cases", "decisions", "ages"])
    few = table.assign(n_events=table["n_events"].where(others, 3))
    page = page_of(tmp_path, result_rows(few, "readers/readers"))
    assert f"{pick(table, **ALL_AREA, condition='chart').estimate:.2f} <small>" in page


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 360])
def test_the_page_fits_the_screen(table, tmp_path, width, browser):
    check_width(browser, page_of(tmp_path, table), tmp_path, width)
    assert not [line for line in browser.get_log("browser") if line["level"] in {"SEVERE", "WARNING"}]
    assert browser.find_element("css selector", "#readers ~ figure svg").is_displayed()


def test_q_values_are_over_the_main_contrasts_and_apart_for_the_model(table):
    for question in ("conditions", "against the model"):
        mine = table[(table.question == question) & table.q_value.notna()]
        assert len(mine) > 2
        assert set(mine.censoring) == {"status known"}
        assert set(mine.rater) == {"group"}
        np.testing.assert_allclose(mine.q_value, false_discovery_control(mine.p_value), rtol=1e-12)
    # contrasts of single readers, other answers to censoring and other measures are in no family
    assert table[~table.question.isin(["conditions", "against the model"])].q_value.isna().all()
