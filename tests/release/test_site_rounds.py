"""Hospitals answer by files: three rounds reach R's model of all rows; what does not fit is refused by name."""

import importlib
import json
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from faceage_bio.core.errors import FaceAgeBioError, PrivacyError, RunError
from faceage_bio.release.sites.rounds import (
    MOST_ANSWERS,
    Term,
    answer,
    combine,
    first_request,
    record_answer,
    told_to_others,
)
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.federated import linear_sums
from tests.commands import output_of
from tests.golden.federated.data import hospitals

GOLDEN = Path(__file__).parents[1] / "golden"
NAMES = ("north", "south", "east", "west", "centre")
TERMS = ("age", "meno=1", "nodes", "er", "hormon=1")


@pytest.fixture(scope="module")
def tables():
    rows = pd.concat(hospitals(), keys=NAMES, names=["site", "row"]).rename(
        columns={"time": "followup_years"}
    )
    rows[["meno", "hormon"]] = rows[["meno", "hormon"]].astype(str)
    rows["subject_id"] = [f"s{n}" for n in rows.index.get_level_values("row")]
    return {name: rows.loc[name] for name in NAMES}


@pytest.fixture
def folder(tmp_path, tables):
    for name, table in tables.items():
        table.to_parquet(tmp_path / f"{name}.parquet")
    return tmp_path


def ask(folder):
    output_of(f"site request --term {' --term '.join(TERMS)} --model-id abc --output {folder}/request-0.json")


def give(folder, number, name, **changes):
    options = {
        "follow-up": f"{folder}/{name}.parquet", "site": name, "model-id": "abc", "key": f"{folder}/{name}.key", "log": f"{folder}/{name}.log",
        "output": f"{folder}/{name}-{number}.json",
    } | changes  # fmt: skip
    chosen = " ".join(f"--{key} {value}" for key, value in options.items())
    return output_of(f"site answer {folder}/request-{number}.json {chosen} --yes")


def combine_by(line, *answers):
    return output_of(f"site combine {line}", *answers)


def answers_of(names, folder, number=0):
    return [folder / f"{name}-{number}.json" for name in names]


def test_three_rounds_reach_r_on_all_rows(folder):
    """Sites with too few events for sums take part with their own fit, so their approximation is what is left of the distance."""
    golden = pd.read_csv(GOLDEN / "federated/golden.tsv", sep="\t")
    ask(folder)
    far, asked, said = [], NAMES, []
    for number in range(4):
        said += [give(folder, number, name) for name in asked]
        combined = f"--estimate {folder}/pooled.tsv --output {folder}/request-{number + 1}.json"
        said.append(
            combine_by(f"{folder}/request-{number}.json {combined}", *answers_of(asked, folder, number))
        )
        table = pd.read_csv(folder / "pooled.tsv", sep="\t")
        far.append((np.log(table.estimate) - golden.coef).abs().div(golden.se).max())
        asked = NAMES[:2]
    assert far[0] < 0.5
    assert far[-1] < 0.3
    assert table.n_sites.unique().tolist() == [5]
    assert table.n_two_stage.unique().tolist() == [3]
    assert "this site gives no sums" in "".join(said)
    assert "Settled" in "".join(said)


def test_nothing_but_sums_leaves(folder, tables):
    ask(folder)
    give(folder, 0, "north")
    text = (folder / "north-0.json").read_text()
    found = json.loads(text)
    parts = "format version site model data round request n n_events beta covariance"
    assert set(found) == set(parts.split())
    assert found["n"] % 6 == 3 or found["n"] == 0  # midpoints
    assert (folder / "north.key").read_text().strip() not in text
    for part in ("data", "model", "request"):
        text = text.replace(found[part], "")
    assert "s1" not in text
    for name in ("north.key", "north.log"):
        assert (folder / name).stat().st_mode & 0o777 == 0o600


def next_request(folder, names=("north", "south")):
    ask(folder)
    for name in names:
        give(folder, 0, name)
    combined = f"--estimate {folder}/pooled.tsv --output {folder}/request-1.json"
    combine_by(f"{folder}/request-0.json {combined}", *answers_of(names, folder))


def test_changed_data_are_refused(folder, tables):
    next_request(folder)
    tables["north"].iloc[1:].to_parquet(folder / "north.parquet")
    with pytest.raises(PrivacyError, match="the data of north are not those of its earlier answer"):
        give(folder, 1, "north")


OPTIONS = {"site": "north", "key": b"k" * 32, "k": 6, "model_id": "abc", "definition": "linear"}


def leaves(request, table, log, **changes):
    """The answer, noted in the log as when it leaves."""
    found, about = answer(request, table, **OPTIONS | {"log": log} | changes)
    record_answer(log, about)
    return found


def test_too_many_answers_are_refused_and_a_repeated_request_is_not_counted(folder, tables):
    next_request(folder)
    request = json.loads((folder / "request-1.json").read_text())
    log = folder / "log"
    for number in range(MOST_ANSWERS):
        request["beta"][0] = 0.001 * number
        assert leaves(request, tables["north"], log) == leaves(request, tables["north"], log)
    request["beta"][0] = 0.5
    with pytest.raises(PrivacyError, match=f"has answered {MOST_ANSWERS} requests"):
        leaves(request, tables["north"], log)
    request["model"]["terms"] = [term | {"per": 2.0} for term in request["model"]["terms"][::-1]]
    with pytest.raises(PrivacyError, match=f"has answered {MOST_ANSWERS} requests"):  # the same model
        leaves(request, tables["north"], log)
    request["model"]["outcome"] = (
        "another word for it"  # a Cox model is of follow-up, whatever a request calls its outcome
    )
    request["model"]["terms"][0] |= {"level": "0"}  # the other level of the same column
    with pytest.raises(PrivacyError, match=f"has answered {MOST_ANSWERS} requests"):
        leaves(request, tables["north"], log)
    log.write_text("{")
    with pytest.raises(PrivacyError, match="log of this site's answers"):
        leaves(request, tables["north"], log)


def test_what_was_not_sent_is_not_in_the_log(folder, tables):
    ask(folder)
    request = json.loads((folder / "request-0.json").read_text())
    answer(request, tables["north"], log=folder / "log", **OPTIONS)
    assert not (folder / "log").exists()


def linear_request(*terms):
    return first_request([Term(*one) for one in terms], "abc", "linear", "er")


def test_rows_that_differ_by_one_are_refused_whatever_the_coordinator_says(folder, tables):
    """The difference of two answers would be that participant's row: by a changed table, or by a term with a missing value."""
    log, north = folder / "log", tables["north"]
    request = linear_request(("age",), ("nodes",))
    leaves(request, north, log)
    for site in ("north", "NORTH"):
        message = r"Where many rows are new, begin again with round 0 and a new log"
        with pytest.raises(PrivacyError, match=message):
            leaves(request, north.iloc[1:], log, site=site)
    log.unlink()
    one_missing = north.assign(size=np.where(north.index == north.index[5], np.nan, north["nodes"]))
    leaves(request, one_missing, log)
    with pytest.raises(PrivacyError, match=r"an earlier one \(age, nodes\) differ by 1, of whom"):
        leaves(linear_request(("age",), ("size",)), one_missing, log)
    leaves(linear_request(("nodes",)), one_missing, log)  # the same participants


def test_no_answer_singles_out_a_participant(folder, tables):
    north = tables["north"].assign(sex=["other", *["male"] * 200, *["female"] * 226])
    for request, message in (
        (linear_request(("sex", 1.0, "male"), ("sex", 1.0, "female")), "sex has a level with 1 participants, where 5 are needed"),
        (first_request([Term("sex", 1.0, "other")], "abc", "linear"), "this site gives no estimate: sex has a level with 1 participants"),
        (first_request([Term("subject_id", 1.0, "s7")], "abc", "linear"), "the request asks for subject_id"),
    ):  # fmt: skip
        with pytest.raises(PrivacyError, match=message):
            answer(request, north, log=folder / "log", **OPTIONS)
    few = tables["centre"].assign(event=[1] * 6 + [0] * 52)
    with pytest.raises(PrivacyError, match="6 events, where more than 6 are needed"):
        answer(first_request([Term("age")], "abc", "linear"), few, log=folder / "log", **OPTIONS)


def test_delayed_entry_counts(folder, tables):
    north = tables["north"].assign(entry_years=tables["north"]["followup_years"] * np.linspace(0, 0.9, 427))
    request = first_request([Term("age")], "abc", "linear")
    found, _ = answer(request, north, log=folder / "log", **OPTIONS)
    fit = fit_cox(north["followup_years"], north["event"], north[["age"]], north["entry_years"])
    assert found["beta"] == pytest.approx(fit.terms["log_hazard_ratio"].tolist(), rel=1e-9)
    unsaid = north.replace({"entry_years": {0: np.nan}})  # 0 and nothing are the same
    assert answer(request, unsaid, log=folder / "log", **OPTIONS)[0]["beta"] == found["beta"]
    never = tables["north"].assign(entry_years=np.nan)
    whole, _ = answer(request, tables["north"], log=folder / "log", **OPTIONS)
    assert answer(request, never, log=folder / "log", **OPTIONS)[0]["beta"] == whole["beta"] != found["beta"]
    found, _ = answer(request | {"round": 1, "beta": found["beta"]}, north, log=folder / "log", **OPTIONS)
    assert abs(found["score"][0]) < 1e-6 * np.sqrt(found["information"][0][0])


def test_a_site_where_no_participant_has_all_values_is_told_so(folder, tables):
    request = first_request([Term("age")], "abc", "linear")
    message = r"none of the site's 427 participants has a value of followup_years, event, age each\. Expected some who have them all\. Ask the coordinator for other terms"
    with pytest.raises(RunError, match=message):
        answer(request, tables["north"].assign(age=np.nan), log=folder / "log", **OPTIONS)


def test_coefficients_beyond_reason_are_refused(folder, tables):
    request = first_request([Term("age")], "abc", "linear") | {"round": 1, "beta": [1e5]}
    with pytest.raises(PrivacyError, match="at which the sums are not finite"):
        answer(request, tables["north"], log=folder / "log", **OPTIONS)


@pytest.mark.parametrize(("direction", "told"), [(2.0, 2.0), (-2.0, 2.0), (0.5, 9.9)])
def test_sums_that_rest_on_a_few_participants_are_refused(folder, tables, direction, told):
    """Far from the estimate each risk set weighs its oldest or youngest alone: two answers tell how these two differ in every term."""
    request = first_request([Term("age"), Term("nodes")], "abc", "linear")
    request |= {"round": 1, "beta": [direction, 0.0]}
    message = r"the weights rest on (\d+\.\d) participants, of whom the sums would tell\. Expected coefficients near the sites' own, and weights on 10 or more"
    with pytest.raises(PrivacyError, match=message) as refused:
        answer(request, tables["north"], log=folder / "log", **OPTIONS)
    assert float(re.search(message, str(refused.value))[1]) <= told


def test_numbers_that_only_a_few_participants_have_are_refused(folder, tables):
    """As a level of a few: sums of products with such a column are sums over these."""
    doses = np.r_[[10.0, 20.0, 35.0], np.zeros(424)]
    north = tables["north"].assign(dose=doses)
    message = "dose is the same in all but 3 participants, where 5 are needed"
    with pytest.raises(PrivacyError, match=message):
        answer(linear_request(("age",), ("dose",)), north, log=folder / "log", **OPTIONS)
    request = first_request([Term("dose")], "abc", "linear") | {"round": 1, "beta": [0.0]}
    more = north.assign(dose=np.r_[np.arange(1.0, 10), np.zeros(418)])
    with pytest.raises(PrivacyError, match="no sums: dose is the same in all but 9 participants, where 10"):
        answer(request, more, log=folder / "log", **OPTIONS)


def test_an_outcome_that_only_a_few_participants_have_is_refused(folder, tables):
    """The sums of products of terms with it would be the values of these, less the means."""
    one = np.r_[1.0, np.zeros(426)]
    request = linear_request(("age",), ("nodes",))
    for outcome, needed in (
        (one, 5),
        (np.r_[np.ones(7), np.zeros(420)], 10),
        (np.arange(427.0) * one[::-1], 5),
    ):
        north = tables["north"].assign(er=outcome)
        message = (
            f"the outcome (has a level with|is the same in all but) . participants, where {needed} are needed"
        )
        if needed == 5:
            with pytest.raises(PrivacyError, match=message):
                answer(request, north, log=folder / "log", **OPTIONS)
        else:  # takes part with the site's own fit
            assert "xy" not in answer(request, north, log=folder / "log", **OPTIONS)[0]
            with pytest.raises(PrivacyError, match=message):
                linear_sums(north["er"], north[["age", "nodes"]])
    assert "xy" in answer(request, tables["north"], log=folder / "log", **OPTIONS)[0]


@pytest.mark.parametrize("request_of", [{}, {"outcome": "sex"}])
@pytest.mark.parametrize("word", ["male", "12e2147483650"])  # the second breaks pandas' conversion down
def test_words_where_numbers_are_asked_for_are_told(folder, tables, request_of, word):
    north = tables["north"].assign(sex=word)
    asked = first_request([Term("age" if request_of else "sex")], "abc", "linear", **request_of)
    message = r"column sex of the site's table holds words\. Expected numbers, or a term of one of its levels\. Ask the coordinator for another request, such as --term sex=LEVEL"
    with pytest.raises(RunError, match=message):
        answer(asked, north, log=folder / "log", **OPTIONS)


def test_models_of_one_table_share_its_version_with_or_without_follow_up(folder, tables):
    """Rows without follow-up are of no Cox model, and of the table all the same."""
    without = [""] * 420 + ["no_date"] * 7
    north = tables["north"].assign(follow_up_reason=without)
    log = folder / "log"
    of_all = leaves(linear_request(("age",)), north, log)
    of_cox = leaves(first_request([Term("age")], "abc", "linear"), north, log)
    assert of_all["data"] == of_cox["data"]
    fit = fit_cox(north["followup_years"][:420], north["event"][:420], north[["age"]][:420])
    assert of_cox["beta"] == pytest.approx(fit.terms["log_hazard_ratio"].tolist(), rel=1e-9)


def test_why_there_is_no_answer_is_told_to_others_without_counts_and_paths(folder, tables):
    """Over a network the coordinator learns the kind of reason; the counts, cells and paths of the message stay."""
    refused = []
    for asked, table in (
        (first_request([Term("age")], "abc", "linear"), tables["centre"].assign(event=[1] * 4 + [0] * 54)),
        (first_request([Term("age")], "other", "linear"), tables["north"]),
        (first_request([Term("age")], "abc", "linear"), tables["north"].assign(age=5.0)),
    ):
        with pytest.raises(FaceAgeBioError) as error:
            answer(asked, table, log=folder / "log", **OPTIONS)
        refused.append(told_to_others(error.value))
    assert [one.partition(";")[0] for one in refused] == [
        "too few participants, other data than before, or a request of which the answer would tell of a few",
        "the request does not fit its face ages, definition or columns",
        "its table, key or model gives no answer",
    ]
    assert not re.search(r"\d|/", "".join(refused))


@pytest.fixture
def site_of_nvflare(monkeypatch, folder):
    """A hospital's side of the adapter without NVFlare, of whose classes a message is a dict and the log a list here."""
    said = []
    log_error = {"log_error": lambda self, context, words: said.append(words)}
    for module, name in (
        ("controller_spec", "Task"), ("executor", "Executor"), ("fl_constant", "ReturnCode"), ("fl_context", "FLContext"),
        ("impl.controller", "Controller"), ("shareable", "Shareable"), ("signal", "Signal"),
    ):  # fmt: skip
        made = ModuleType(f"nvflare.apis.{module}")
        vars(made).update({name: type(name, (dict,), log_error), "make_reply": None})
        monkeypatch.setitem(sys.modules, made.__name__, made)
    monkeypatch.setitem(sys.modules, "nvflare.job_config.api", SimpleNamespace(FedJob=None))
    monkeypatch.delitem(sys.modules, "faceage_bio.release.sites.nvflare_adapter", raising=False)
    adapter = importlib.import_module("faceage_bio.release.sites.nvflare_adapter")
    monkeypatch.delitem(sys.modules, adapter.__name__)
    paths = (str(folder / f"{{site}}.{ending}") for ending in ("parquet", "key", "log"))
    site = adapter.SiteAnswers(*paths, model_id="abc")

    def replied(name, request):
        who = SimpleNamespace(get_identity_name=lambda: name)
        return site.execute(adapter.TASK, {adapter.CONTENT: json.dumps(request)}, who, None)

    return replied, said


def test_over_nvflare_a_site_answers_as_by_files_and_refuses_without_its_reasons(site_of_nvflare, folder):
    replied, said = site_of_nvflare
    request = first_request([Term("age")], "abc", "linear")
    by_file, _ = answer(request, pd.read_parquet(folder / "north.parquet"), log=folder / "log", **OPTIONS)
    assert json.loads(replied("north", request)["content"])["beta"] == by_file["beta"]
    for name, asked, why in (
        ("centre", request | {"round": 1, "beta": [0.0]}, "events, where 50 are needed"),
        ("nowhere", request, "nowhere.parquet"),
        ("north", request | {"version": "0.0"}, "made by faceage_bio 0.0"),
        ("north", request | {"model": None}, "the request: model"),
    ):
        reply = replied(name, asked)
        assert set(reply) == {"refused"}
        assert not re.search(r"\d|/", reply["refused"])
        assert why in said.pop()


@pytest.mark.parametrize(
    ("part", "value", "told"),
    [("model", None, "model"), ("round", "x", "round"), ("beta", ["a"], "beta.0"), ("data", None, "data")],
)
def test_requests_that_lack_a_part_are_told_by_it(folder, part, value, told):
    ask(folder)
    path = folder / "request-0.json"
    request = json.loads(path.read_text())
    path.write_text(json.dumps(request | {part: value}))
    message = rf"{path}: {told}.*Expected what `faceage-bio site` wrote\. Ask for it again"
    with pytest.raises(RunError, match=message):
        give(folder, 0, "north")


def test_a_small_site_gives_no_sums(folder, tables):
    next_request(folder, ("north", "centre"))
    with pytest.raises(PrivacyError, match=r"\d+ events, where 100 are needed for 5 terms"):
        give(folder, 1, "centre")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model-id": "other"}, "the request is for model_id 'abc', and this site has 'other'"),
        ({"definition": "spline"}, "definition 'linear', and this site has 'spline'"),
    ],
)
def test_other_weights_and_definitions_are_refused(folder, changes, message):
    ask(folder)
    with pytest.raises(RunError, match=message):
        give(folder, 0, "north", **changes)


def test_a_column_that_a_site_lacks_is_named(folder, tables):
    ask(folder)
    tables["north"].drop(columns="er").to_parquet(folder / "north.parquet")
    with pytest.raises(RunError, match="no column er"):
        give(folder, 0, "north")


def test_answers_that_do_not_fit_are_told_together(folder):
    next_request(folder)
    give(folder, 1, "north")
    request = json.loads((folder / "request-1.json").read_text())
    good = json.loads((folder / "north-1.json").read_text())
    answers = {
        "good": good, "again": good, "old": json.loads((folder / "south-0.json").read_text()),
        "cut": good | {"site": "cut", "score": good["score"][:2]}, "nan": good | {"site": "nan", "score": [float("nan")] * 5},
        "data": good | {"site": "south", "data": "0"},
    }  # fmt: skip
    with pytest.raises(RunError) as error:
        combine(request, answers)
    for part in (
        "5 answer(s) do not fit", "again is a second answer of north", "old answers another request (round 0)", "cut lacks score or information",
        "nan lacks score or information for 5 terms", "data is of other data than the earlier answer of south",
    ):  # fmt: skip
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda text: text[:100], "cannot be read"),
        (lambda text: "[]", "format 'list'. Expected 'faceage-bio site answer 1'. Check which file was sent"),
        (lambda text: text.replace("site answer 1", "site answer 9"), "format 'faceage-bio site answer 9'"),
        (lambda text: text.replace('"version": "', '"version": "9.'), "Expected the same version at all sites"),
    ],
)  # fmt: skip
def test_harmed_files_are_refused_by_name(folder, harm, message):
    ask(folder)
    give(folder, 0, "north")
    path = folder / "north-0.json"
    path.write_text(harm(path.read_text()))
    with pytest.raises(FaceAgeBioError, match=message):
        combine_by(f"{folder}/request-0.json {path} --estimate {folder}/e.tsv --output {folder}/r.json")


def test_terms_are_each_once():
    with pytest.raises(RunError, match=r"Expected one or more terms, each once\. Name the columns"):
        first_request([Term("age"), Term("age")], "abc", "linear")


def test_a_term_per_no_number_is_told(tmp_path):
    message = r"--term age/ten: expected a number after the slash\. Write for example face_age/10"
    with pytest.raises(RunError, match=message):
        output_of(f"site request --term age/ten --model-id abc --output {tmp_path}/request.json")


def test_a_linear_model_takes_one_answer_and_equals_r(folder, tables):
    golden = pd.read_csv(GOLDEN / "federated/linear.tsv", sep="\t")
    terms = "--outcome er --term age --term meno=1 --term nodes --model-id abc"
    output_of(f"site request {terms} --output {folder}/request-0.json")
    for name in NAMES:
        give(folder, 0, name, rounding=1)
    answers = answers_of(NAMES, folder)
    assert "xx" in json.loads(answers[0].read_text())
    assert "xx" not in json.loads(answers[-1].read_text())  # 58 participants, where 60 are needed for 3 terms
    said = combine_by(f"{folder}/request-0.json --estimate {folder}/pooled.tsv", *answers)
    table = pd.read_csv(folder / "pooled.tsv", sep="\t")
    assert ((table.estimate - golden.coef) / golden.se).abs().max() < 0.1
    assert table.n_two_stage.unique().tolist() == [1]
    assert "difference" in said


def test_a_cox_model_needs_a_place_for_the_next_request(folder):
    ask(folder)
    give(folder, 0, "north")
    message = r"--output is needed for a Cox model\. Expected where the next request goes"
    with pytest.raises(RunError, match=message):
        combine_by(f"{folder}/request-0.json {folder}/north-0.json --estimate {folder}/e.tsv")
