"""A Cox model over hospitals by files: a request goes out, each site answers, the coordinator combines and asks again.

Round 0 asks for each site's own fit; their pooled coefficients start the next rounds, which ask for score and information there.
Files are read before they leave: all of them are JSON.
"""

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, FiniteFloat, NonNegativeInt, PositiveFloat, ValidationError

import faceage_bio
from faceage_bio.core.columns import ENTRY, EVENT, FOLLOW_UP_REASON, FOLLOWUP, SUBJECT
from faceage_bio.core.errors import FaceAgeBioError, PrivacyError, RunError
from faceage_bio.core.parse import to_numbers
from faceage_bio.core.tables import OWNER_ONLY, digest_of, write_text
from faceage_bio.release.rule import midpoint
from faceage_bio.stats.cox_fit import numbers
from faceage_bio.stats.federated import (
    LinearSums,
    SiteEstimate,
    SiteSums,
    check_answerable,
    check_enough,
    check_own_estimate,
    coordinator_step,
    linear_estimate,
    linear_sums,
    linear_table,
    pool_estimates,
    pooled_linear,
    pooled_terms,
    site_estimate,
    site_step,
)

REQUEST, ANSWER = "faceage-bio site request 1", "faceage-bio site answer 1"
NUMBERS = ("estimate", "ci_lower", "ci_upper", "standard_error", "statistic", "p_value")  # of a combined term
MOST_ANSWERS = 10  # of a site to one model; each further one tells more of the rows
FEWEST_OTHERS = 10  # participants by whom the rows of two models differ, if they do
SETTLED = 1e-6  # standard errors by which the coefficients still move
REFUSALS = {
    PrivacyError: "too few participants, other data than before, or a request of which the answer would tell of a few",
    RunError: "the request does not fit its face ages, definition or columns",
}


@dataclass(frozen=True)
class Term:
    """A coefficient: a number in units of ``per``, or one level of a column of words.

    All sites code it alike, whatever levels occur there.
    """

    column: str
    per: PositiveFloat = 1.0
    level: str | None = None

    @property
    def name(self) -> str:
        """As in tables of results."""
        return self.column if self.level is None else f"{self.column}: {self.level}"

    def values(self, people: pd.DataFrame) -> pd.Series:
        """The column of the design; missing where the table's cell is."""
        values = people[self.column]
        if self.level is None:
            return _numbers(values) / self.per
        return (values == self.level).astype(float).where(values.notna())


class _Model(BaseModel):
    outcome: str
    time: Literal["followup_years"] | None
    model_id: str
    definition: str
    terms: list[Term]


class _Message(BaseModel):
    """What a request and an answer have in common; ``format`` and ``version`` are looked at first."""

    round: NonNegativeInt


class _Request(_Message):
    model: _Model
    beta: list[FiniteFloat] | None
    data: dict[str, str]
    estimates: dict[str, dict[str, Any]]


class _Answer(_Message):
    site: str
    model: str
    data: str
    request: str
    n: NonNegativeInt
    n_events: NonNegativeInt


def first_request(terms: Sequence[Term], model_id: str, definition: str, outcome: str = EVENT) -> dict:
    """Round 0: each site's own fit of a Cox model; of a linear model its sums.

    Parameters
    ----------
    outcome : str
        ``event`` for a Cox model of follow-up, else the column of numbers that a linear model is of.
    model_id, definition : str
        Weights of the face-age model and definition of age acceleration; sites with others are refused.
    """
    if not terms or len({term.name for term in terms}) < len(terms):
        raise RunError(
            f"--term: {', '.join(term.name for term in terms) or 'none'}. Expected one or more terms, each once. Name the columns of the model."
        )
    model = {
        "outcome": outcome,
        "time": FOLLOWUP if outcome == EVENT else None,
        "model_id": model_id,
        "definition": definition,
        "terms": [vars(term) for term in terms],
    }
    head = {"format": REQUEST, "version": faceage_bio.__version__}
    return head | {"model": model, "round": 0, "beta": None, "data": {}, "estimates": {}}


def read_message(path: Path, expected: str) -> dict:
    """A request or an answer in a file, see `checked_message`.

    Raises
    ------
    RunError
        No such file, or truncated; see `checked_message`.
    """
    try:
        message = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path}: cannot be read ({error}). Expected a whole JSON file. Ask for it again."
        ) from None
    return checked_message(message, expected, str(path))


def checked_message(message: Any, expected: str, source: str) -> dict:
    """A request or an answer, whichever way it came.

    Raises
    ------
    RunError
        Of another kind or version of this package, or with parts missing or of another kind; all are listed.
    """
    if not isinstance(message, dict) or message.get("format") != expected:
        found = message.get("format") if isinstance(message, dict) else type(message).__name__
        raise RunError(f"{source}: format {found!r}. Expected {expected!r}. Check which file was sent.")
    if message.get("version") != faceage_bio.__version__:
        raise RunError(
            f"{source}: made by faceage_bio {message.get('version')}; this is {faceage_bio.__version__}. Expected the same version at all sites. Install it."
        )
    try:
        (_Request if expected == REQUEST else _Answer).model_validate_json(json.dumps(message), strict=True)
    except ValidationError as error:
        raise RunError(
            f"{source}: {faults_of(error)}. Expected what `faceage-bio site` wrote. Ask for it again."
        ) from None
    return message


def told_to_others(error: FaceAgeBioError) -> str:
    """Why a site gives no answer, as the coordinator may know it: the message itself has exact counts, values and paths of the site."""
    why = REFUSALS.get(type(error), "its table, key or model gives no answer")
    return f"{why}; the reason stands in the log of the site"


def faults_of(error: ValidationError) -> str:
    """What pydantic found, all of it: place and reason."""
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())


def rows_of(people: pd.DataFrame, model: Mapping) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Outcome (years, event and entry, or y) and design of the participants with all of the model's values; for a Cox model of those with follow-up.

    Raises
    ------
    RunError
        A column that the site lacks, or one of words where numbers are asked for; no participant who has all values.
    PrivacyError
        The participant's identifier as a term.
    """
    terms = [Term(**term) for term in model["terms"]]
    if SUBJECT in {model["outcome"], *(term.column for term in terms)}:
        raise PrivacyError(
            f"the request asks for {SUBJECT}. Expected columns that describe many participants. Ask the coordinator for another request."
        )
    if model["time"] and FOLLOW_UP_REASON in people:
        people = people[people[FOLLOW_UP_REASON] == ""]
    named = {"years": model["time"], "event": EVENT} if model["time"] else {"y": model["outcome"]}
    needed = [*named.values(), *(term.column for term in terms)]
    lacking = [name for name in dict.fromkeys(needed) if name not in people]
    if lacking:
        raise RunError(
            f"the site's table has no column {', '.join(lacking)}. Expected those of the request. Agree on the terms, or add the column."
        )
    design = pd.DataFrame({term.name: term.values(people) for term in terms})
    outcome = pd.DataFrame({name: _numbers(people[column]) for name, column in named.items()})
    if model["time"] and ENTRY in people and (people[ENTRY] > 0).any():
        outcome["entry"] = people[ENTRY].fillna(0.0)  # observed since the photo where nothing is said
    complete = design.notna().all(axis=1) & outcome.notna().all(axis=1)
    if not complete.any():
        raise RunError(
            f"none of the site's {len(people)} participants has a value of {', '.join(dict.fromkeys(needed))} each. Expected some who have them all. Ask the coordinator for other terms."
        )
    return outcome[complete], design[complete]


def _numbers(values: pd.Series) -> pd.Series:
    numbers = to_numbers(values)
    if (numbers.isna() & values.notna()).any():
        raise RunError(
            f"column {values.name} of the site's table holds words. Expected numbers, or a term of one of its levels. "
            f"Ask the coordinator for another request, such as --term {values.name}=LEVEL."
        )
    return numbers


def data_version(people: pd.DataFrame, key: bytes) -> str:
    """HMAC of the site's table: tells the site alone whether its data have changed."""
    table = people.sort_values(SUBJECT) if SUBJECT in people else people
    return hmac.new(key, table.to_csv(index=False).encode(), "sha256").hexdigest()


def answer(
    request: Mapping,
    people: pd.DataFrame,
    *,
    site: str,
    key: bytes,
    log: Path,
    k: int,
    model_id: str,
    definition: str,
) -> tuple[dict, dict]:
    """What a site gives back: its own fit in round 0, score and information later; never a likelihood, a time or a row.

    Parameters
    ----------
    request : dict
        See `read_message`.
    people : DataFrame
        The site's follow-up table, one row per participant.
    site : str
        Name of the site.
    key : bytes
        Secret of the site.
    log : path
        Where the site keeps what it has answered, all of it on one version of its table.
    k : int
        Of the release rule: counts from 1 to k stay, and others are rounded to midpoints.
    model_id, definition : str
        Of the site's face ages.

    Returns
    -------
    dict, dict
        The answer, and the line of the log: `record_answer` writes it when the answer leaves.

    Raises
    ------
    PrivacyError
        A table that differs from that of earlier answers, too many answers, rows that differ from an earlier model's by a few, or a
        site too small for sums, or for an estimate of its own.
    RunError
        Another face-age model or definition.
    """
    model = request["model"]
    for name, value in (("model_id", model_id), ("definition", definition)):
        if model[name] != value:
            raise RunError(
                f"the request is for {name} {model[name]!r}, and this site has {value!r}. Expected the same at all sites. Compute the face ages with that."
            )
    version = data_version(people, key)
    outcome, design = rows_of(people, model)
    given = _read_log(log)
    asked = {"data": version, "round": request["round"], "request": digest_of(request)}
    about = {"model": model, "digest": digest_of(model)} | asked
    if changed := [one["data"] for one in given if one["data"] != version]:
        raise PrivacyError(
            f"the data of {site} are not those of its earlier answer: {log} has version {changed[0][:12]}, and the table has version {version[:12]}. "
            "Expected the same table; the difference of two answers would tell of the rows that changed. Where many rows are new, begin again with round 0 and a new log."
        )
    same = [one for one in given if _coding(one["model"]) == _coding(model)]
    if len(same) >= MOST_ANSWERS and about not in same:
        raise PrivacyError(
            f"{log}: {site} has answered {len(same)} requests for this model on these data. Expected at most {MOST_ANSWERS}. Ask the coordinator why more are needed."
        )
    n_events = int(outcome["event"].sum()) if model["time"] else 0
    shared = {
        "format": ANSWER,
        "version": faceage_bio.__version__,
        "site": site,
        "model": about["digest"],
        **asked,
        "n": int(midpoint(len(design), k)),
        "n_events": int(midpoint(n_events, k)),
    }
    if request["round"] == 0 and (model["time"] or may_answer(people, model)):
        if model["time"]:
            check_own_estimate(n_events, "events", design, k)
            fit = site_estimate(design=design, **outcome)
        else:
            check_own_estimate(len(design), "participants", design, k, outcome["y"])
            fit = linear_estimate(outcome["y"], design)
        content = {"beta": fit.beta.tolist(), "covariance": fit.covariance.tolist()}
    else:
        _check_others(design.index, people, given)
        if model["time"]:
            sums = site_step(request["beta"], design=design, **outcome)
            content = {"score": sums.score.tolist(), "information": sums.information.tolist()}
        else:
            linear = linear_sums(outcome["y"], design)
            content = {"xx": linear.xx.tolist(), "xy": linear.xy.tolist(), "yy": linear.yy}
    return shared | content, about


def _coding(model: Mapping) -> tuple:
    """A model as its sums tell of rows: its columns, whatever the order, units and levels of its terms."""
    return model["time"] or model["outcome"], *sorted({term["column"] for term in model["terms"]})


def _check_others(rows: pd.Index, people: pd.DataFrame, given: Sequence[Mapping]) -> None:
    """Refuse sums over rows that differ from those of an earlier answer by a few participants, such as one with a missing value."""
    for one in given:
        others = len(rows.symmetric_difference(rows_of(people, one["model"])[1].index))
        if 0 < others < FEWEST_OTHERS:
            terms = ", ".join(Term(**term).name for term in one["model"]["terms"])
            raise PrivacyError(
                f"the participants of this request and of an earlier one ({terms}) differ by {others}, of whom the difference of the answers would tell. "
                f"Expected the same participants, or at least {FEWEST_OTHERS} others. Ask the coordinator for terms without these missing values."
            )


def record_answer(log: Path, about: Mapping) -> None:
    """Keep in the site's log that an answer has left."""
    given = _read_log(log)
    if about not in given:
        write_text("".join(json.dumps(one) + "\n" for one in [*given, about]), log, mode=OWNER_ONLY)


def may_answer(people: pd.DataFrame, model: Mapping) -> str:
    """Why a site cannot give sums, or ""."""
    outcome, design = rows_of(people, model)
    try:
        if model["time"]:
            check_answerable(outcome["event"], design)
        else:
            check_enough(len(design), "participants", design, outcome["y"])
    except PrivacyError as error:
        return str(error)
    return ""


def _read_log(log: Path) -> list[dict]:
    if not log.exists():
        return []
    try:
        return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line]
    except ValueError:
        raise PrivacyError(
            f"{log}: cannot be read. Expected the log of this site's answers, without which they cannot be counted. Restore it."
        ) from None


def combine(request: Mapping, answers: Mapping[str, Mapping]) -> tuple[dict, pd.DataFrame, float]:
    """The next request, the pooled model, and how far the coefficients moved.

    Parameters
    ----------
    request : dict
        That the answers are for.
    answers : dict of file name to answer

    Returns
    -------
    dict, DataFrame, float
        Next request (empty for a linear model, of which one answer is enough); one row per term: estimate (hazard ratio, mean difference) with interval and p, participants and events, sites by kind; largest move in
        standard errors (infinite in round 0).

    Raises
    ------
    RunError
        Answers to another request, of a site twice, or with numbers missing; all are listed.
    """
    terms = [Term(**term) for term in request["model"]["terms"]]
    unfit, sites = [], {}
    of_cox = ("score", "information") if request["round"] else ("beta", "covariance")
    for name, one in answers.items():
        kind = ("xy", "xx") if "xx" in one else of_cox
        if one["request"] != digest_of(request):
            unfit.append(f"{name} answers another request (round {one['round']})")
        elif one["site"] in sites:
            unfit.append(f"{name} is a second answer of {one['site']}")
        elif not _whole(one, kind, len(terms)):
            unfit.append(f"{name} lacks {' or '.join(kind)} for {len(terms)} terms")
        elif request["data"].get(one["site"], one["data"]) != one["data"]:
            unfit.append(f"{name} is of other data than the earlier answer of {one['site']}")
        else:
            sites[one["site"]] = one
    if unfit or not sites:
        raise RunError(
            f"{len(unfit)} answer(s) do not fit: {'; '.join(unfit) or 'there is none'}. Expected one answer of each site to this request. Ask these sites again."
        )
    if not request["model"]["time"]:
        return {}, _linear(terms, sites), 0.0
    estimates = dict(request["estimates"])
    if request["round"] == 0:
        estimates = {
            name: {part: one[part] for part in ("beta", "covariance", "n", "n_events")}
            for name, one in sites.items()
        }
        beta, covariance = pool_estimates([_estimate(one) for one in estimates.values()])
        moved = np.inf
    else:
        alone = [_estimate(one) for name, one in estimates.items() if name not in sites]
        sums = [
            SiteSums(np.array(one["score"]), np.array(one["information"]), one["n"], one["n_events"])
            for one in sites.values()
        ]
        start = np.array(request["beta"])
        beta, covariance = coordinator_step(start, sums, alone)
        moved = float(np.abs((beta - start) / np.sqrt(np.diag(covariance))).max())
    counted = estimates | sites
    table = pooled_terms([term.name for term in terms], beta, covariance)
    found = {term.name: numbers(table.loc[term.name]) for term in terms}
    summed = {name: sum(one[name] for one in counted.values()) for name in ("n", "n_events")}
    summed |= {"n_sites": len(counted), "n_two_stage": len(counted) - (len(sites) if request["round"] else 0)}
    following = {
        **request,
        "round": request["round"] + 1,
        "beta": beta.tolist(),
        "estimates": estimates,
        "data": request["data"] | {name: one["data"] for name, one in sites.items()},
    }
    return following, _rows(terms, "hazard ratio", found, summed | {"round": request["round"]}), moved


def _rows(terms: Sequence[Term], measure: str, found: Mapping, shared: dict) -> pd.DataFrame:
    """One row per term: its numbers, and what all terms share."""
    return pd.DataFrame(
        {"term": term.name, "measure": measure, "per": f"{term.per:g}" if term.level is None else ""}
        | {name: found[term.name][name] for name in NUMBERS}
        | shared
        for term in terms
    )


def _linear(terms: Sequence[Term], sites: Mapping[str, Mapping]) -> pd.DataFrame:
    sums = [
        LinearSums(np.array(one["xx"]), np.array(one["xy"]), one["yy"], one["n"])
        for one in sites.values()
        if "xx" in one
    ]
    alone = [_estimate(one) for one in sites.values() if "xx" not in one]
    table = linear_table([term.name for term in terms], *pooled_linear(sums, alone))
    n = sum(one["n"] for one in sites.values())
    shared = {"n": n, "n_sites": len(sites), "n_two_stage": len(alone), "round": 0}
    return _rows(terms, "mean difference", table.to_dict("index"), shared)


def _whole(one: Mapping, kind: tuple[str, str], p: int) -> bool:
    try:
        vector, matrix = (np.array(one[name], dtype=float) for name in kind)
    except (KeyError, TypeError, ValueError):
        return False
    shapes = vector.shape == (p,) and matrix.shape == (p, p)
    return shapes and bool(np.isfinite(vector).all() and np.isfinite(matrix).all())


def _estimate(one: Mapping) -> SiteEstimate:
    return SiteEstimate(np.array(one["beta"]), np.array(one["covariance"]), one["n"], one["n_events"])
