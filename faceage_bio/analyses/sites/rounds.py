"""A Cox model over hospitals by files: a request goes out, each site answers, the coordinator combines and asks again.

Round 0 asks for each site's own fit; their pooled coefficients start the next rounds, which ask for score and information there.
Files are read before they leave: all of them are JSON.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import faceage_bio
from faceage_bio.core.columns import EVENT, FOLLOWUP, SUBJECT
from faceage_bio.core.errors import PrivacyError, RunError
from faceage_bio.core.tables import OWNER_ONLY, write_text
from faceage_bio.stats.cox_fit import numbers
from faceage_bio.stats.federated_cox import (
    SiteEstimate,
    SiteSums,
    check_answerable,
    check_enough,
    coordinator_step,
    pool_estimates,
    pooled_terms,
    site_estimate,
    site_step,
)
from faceage_bio.stats.federated_linear import (
    LinearSums,
    linear_estimate,
    linear_sums,
    linear_table,
    pooled_linear,
)

REQUEST, ANSWER = "faceage-bio site request 1", "faceage-bio site answer 1"
MOST_ANSWERS = (
    10  # of a site to one model on one version of its data; each further one tells more of the rows
)
SETTLED = 1e-6  # standard errors by which the coefficients still move


@dataclass(frozen=True)
class Term:
    """A coefficient: a number in units of ``per``, or one level of a column of words.

    All sites code it alike, whatever levels occur there.
    """

    column: str
    per: float = 1.0
    level: str | None = None

    @property
    def name(self) -> str:
        """As in tables of results."""
        return self.column if self.level is None else f"{self.column}: {self.level}"

    def values(self, people: pd.DataFrame) -> pd.Series:
        """The column of the design; missing where the table's cell is."""
        values = people[self.column]
        if self.level is None:
            return pd.to_numeric(values) / self.per
        return (values == self.level).astype(float).where(values.notna())


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
        "outcome": outcome, "time": FOLLOWUP if outcome == EVENT else None, "model_id": model_id, "definition": definition, "terms": [vars(term) for term in terms],
    }  # fmt: skip
    return {
        "format": REQUEST, "version": faceage_bio.__version__, "model": model, "round": 0, "beta": None, "data": {}, "estimates": {},
    }  # fmt: skip


def digest_of(content: object) -> str:
    """SHA-256 of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_message(path: Path, expected: str) -> dict:
    """A request or an answer.

    Raises
    ------
    RunError
        Truncated, of another kind, or of another version of this package.
    """
    try:
        message = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path}: cannot be read ({error}). Expected a whole JSON file. Ask for it again."
        ) from None
    if not isinstance(message, dict) or message.get("format") != expected:
        found = message.get("format") if isinstance(message, dict) else type(message).__name__
        raise RunError(f"{path}: format {found!r}. Expected {expected!r}. Check which file was sent.")
    if message["version"] != faceage_bio.__version__:
        raise RunError(
            f"{path}: made by faceage_bio {message['version']}; this is {faceage_bio.__version__}. Expected the same version at all sites. Install it."
        )
    return message


def rows_of(people: pd.DataFrame, model: Mapping) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Outcome (years and event, or y) and design of the participants with all of the model's values.

    Raises
    ------
    RunError
        A column that the site lacks, or another model or definition than the request's.
    """
    terms = [Term(**term) for term in model["terms"]]
    named = {"years": model["time"], "event": EVENT} if model["time"] else {"y": model["outcome"]}
    needed = [*named.values(), *(term.column for term in terms)]
    lacking = [name for name in dict.fromkeys(needed) if name not in people]
    if lacking:
        raise RunError(
            f"the site's table has no column {', '.join(lacking)}. Expected those of the request. Agree on the terms, or add the column."
        )
    design = pd.DataFrame({term.name: term.values(people) for term in terms})
    outcome = pd.DataFrame({name: pd.to_numeric(people[column]) for name, column in named.items()})
    complete = design.notna().all(axis=1) & outcome.notna().all(axis=1)
    return outcome[complete], design[complete]


def data_version(people: pd.DataFrame, model: Mapping, key: bytes) -> str:
    """HMAC of the rows that the model uses: tells the site, and nobody else, whether its data have changed."""
    outcome, design = rows_of(people, model)
    table = design.assign(**outcome)
    if SUBJECT in people:
        table = table.assign(subject=people.loc[table.index, SUBJECT]).sort_values("subject")
    return hmac.new(key, table.to_csv(index=False).encode(), "sha256").hexdigest()


def answer(
    request: Mapping,
    people: pd.DataFrame,
    *,
    site: str,
    key: bytes,
    log: Path,
    rounded: Callable[[int], int],
    model_id: str,
    definition: str,
) -> dict:
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
        Where the site keeps what it has answered.
    rounded : callable
        The release rule for counts.
    model_id, definition : str
        Of the site's face ages.

    Raises
    ------
    PrivacyError
        Data that differ from the version that was registered, too many answers, or a site too small for sums.
    RunError
        Another face-age model or definition.
    """
    model = request["model"]
    for name, value in (("model_id", model_id), ("definition", definition)):
        if model[name] != value:
            raise RunError(
                f"the request is for {name} {model[name]!r}, and this site has {value!r}. Expected the same at all sites. Compute the face ages with that."
            )
    version = data_version(people, model, key)
    registered = request["data"].get(site)
    if registered not in (None, version):
        raise PrivacyError(
            f"the data of {site} are not those of its earlier answer: the request was made for version {registered[:12]}, and the table has version {version[:12]}. "
            "Expected the registered rows; the difference of two answers would tell of the rows that changed. Begin again with round 0."
        )
    outcome, design = rows_of(people, model)
    about = {
        "model": digest_of(model),
        "data": version,
        "round": request["round"],
        "request": digest_of(request),
    }
    given = _read_log(log)
    same = [one for one in given if (one["model"], one["data"]) == (about["model"], version)]
    if len(same) >= MOST_ANSWERS and about not in same:
        raise PrivacyError(
            f"{log}: {site} has answered {len(same)} requests for this model on these data. Expected at most {MOST_ANSWERS}. Ask the coordinator why more are needed."
        )
    shared = {
        "format": ANSWER, "version": faceage_bio.__version__, "site": site, **about,
        "n": rounded(len(design)), "n_events": rounded(int(outcome["event"].sum())) if model["time"] else 0,
    }  # fmt: skip
    if not model["time"] and not may_answer(people, model):
        linear = linear_sums(outcome["y"], design)
        content = {"xx": linear.xx.tolist(), "xy": linear.xy.tolist(), "yy": linear.yy}
    elif request["round"] == 0:
        fit = (
            site_estimate(outcome["years"], outcome["event"], design)
            if model["time"]
            else linear_estimate(outcome["y"], design)
        )
        content = {"beta": fit.beta.tolist(), "covariance": fit.covariance.tolist()}
    else:
        sums = site_step(request["beta"], outcome["years"], outcome["event"], design)
        content = {"score": sums.score.tolist(), "information": sums.information.tolist()}
    if about not in given:
        lines = [json.dumps(one) for one in [*given, about]]
        write_text("\n".join(lines) + "\n", log, mode=OWNER_ONLY)
    return shared | content


def may_answer(people: pd.DataFrame, model: Mapping) -> str:
    """Why a site cannot give sums, or ""."""
    outcome, design = rows_of(people, model)
    try:
        if model["time"]:
            check_answerable(outcome["event"], design)
        else:
            check_enough(len(design), "participants", design)
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
    for name, one in answers.items():
        kind = (
            ("xy", "xx")
            if "xx" in one
            else ("beta", "covariance")
            if request["round"] == 0
            else ("score", "information")
        )
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
    counted = {name: sites.get(name, one) for name, one in {**estimates, **sites}.items()}
    table = pooled_terms([term.name for term in terms], beta, covariance)
    rows = [
        {
            "term": term.name, "measure": "hazard ratio", "per": f"{term.per:g}" if term.level is None else "", **numbers(table.loc[term.name]),
            "n": sum(one["n"] for one in counted.values()), "n_events": sum(one["n_events"] for one in counted.values()),
            "n_sites": len(counted), "n_two_stage": len(counted) - (len(sites) if request["round"] else 0), "round": request["round"],
        }
        for term in terms
    ]  # fmt: skip
    following = {
        **request, "round": request["round"] + 1, "beta": beta.tolist(), "estimates": estimates,
        "data": request["data"] | {name: one["data"] for name, one in sites.items()},
    }  # fmt: skip
    return following, pd.DataFrame(rows), moved


def _linear(terms: Sequence[Term], sites: Mapping[str, Mapping]) -> pd.DataFrame:
    sums = [
        LinearSums(np.array(one["xx"]), np.array(one["xy"]), one["yy"], one["n"])
        for one in sites.values()
        if "xx" in one
    ]
    alone = [_estimate(one) for one in sites.values() if "xx" not in one]
    table = linear_table([term.name for term in terms], *pooled_linear(sums, alone))
    rows = [
        {
            "term": term.name, "measure": "mean difference", "per": f"{term.per:g}" if term.level is None else "", **table.loc[term.name],
            "n": sum(one["n"] for one in sites.values()), "n_sites": len(sites), "n_two_stage": len(alone), "round": 0,
        }
        for term in terms
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _whole(one: Mapping, kind: tuple[str, str], p: int) -> bool:
    try:
        vector, matrix = (np.array(one[name], dtype=float) for name in kind)
    except (KeyError, TypeError, ValueError):
        return False
    return (
        vector.shape == (p,)
        and matrix.shape == (p, p)
        and bool(np.isfinite(vector).all() and np.isfinite(matrix).all())
    )


def _estimate(one: Mapping) -> SiteEstimate:
    return SiteEstimate(np.array(one["beta"]), np.array(one["covariance"]), one["n"], one["n_events"])
