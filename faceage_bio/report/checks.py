"""The checks of the summary page: each has a state, a sentence and a place on another page; what did not run is grey, and stays.

Each check is a function of the tables. The limits are defined here and printed on the page.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from faceage_bio.core.columns import COHORT, POOLED
from faceage_bio.core.config import Config
from faceage_bio.core.results.reasons import NOT_ESTIMATED, decode, in_words
from faceage_bio.core.tables import to_records
from faceage_bio.report import words
from faceage_bio.report.flow import box_of, cohort_flow
from faceage_bio.report.places import VERIFICATION, not_run, place
from faceage_bio.report.sections_fairness import complete
from faceage_bio.report.sections_genes import INSEPARABLE
from faceage_bio.report.sections_participants import ALL
from faceage_bio.report.tables_by_place import ReportTables
from faceage_bio.report.words import count, counted, interval, number, p_equals, p_value, percent, signed

PROBLEM, CAUTION, OK, NOT_RUN = "problem", "caution", "passed", "not run"  # in the order of the page
SIGNS = {PROBLEM: "✕", CAUTION: "!", OK: "✓", NOT_RUN: "–"}

FOLLOWS_AGE = "Face age follows chronological age"
SOFTWARE = "Independent software agrees"
# least-squares line of face age on age in the released ages of the published model (UTKFace, 2,547 photos), by the correlations of
# that set: of face age with age 0.90, of the gap with age -0.34; its spread by the mean absolute error of 7.46 years
RELEASED_SLOPE, RELEASED_SPREAD = 0.85, 8.3
Z_99 = 2.5758293035489004  # of a two-sided 99% interval
CORRELATION = (0.1, 0.3)  # of acceleration with age: from here on caution, problem
EVENTS = (10.0, 5.0)  # per variable: below, caution, problem
MISSING = (0.05, 0.20)  # share of a column
OUTSIDE = (0.05, 0.50)  # share of participants
FAIR_YEARS = 5.0  # a difference of mean error or mean absolute error at the same age that is a problem
FALSE_ALARM = 0.05
MOST_SHOWN = 100  # rows of numbers that differ
CAMERAS = ("camera", "device", "scanner", "hospital", "centre", "center", "clinic")
FAIR = {
    "difference in mean error": "bias", "difference in mean absolute error": "MAE", "ratio of standard deviations": "spread",
}  # fmt: skip
# name: what its states mean, and what follows from the worst of them for the results
CHECKS: Mapping[str, tuple[str, str]] = {
    FOLLOWS_AGE: (
        f"problem if the upper 99% bound of r is below that expected from the released ages of FaceAge (slope {RELEASED_SLOPE:g}, residual SD {RELEASED_SPREAD:g} years) at the SD of age of the cohort",
        "If face age does not follow age, it measures something else, and no result can be interpreted",
    ),
    "Origin of the weights": (
        "caution until reference ages were matched",
        "Results can be compared with those of FaceAge only if the weights are the published ones",
    ),
    "Age dependence": (
        f"caution from a correlation with age of {CORRELATION[0]:g}, problem from {CORRELATION[1]:g}",
        "An association with age acceleration may then be one with age",
    ),
    "Proportional hazards": (
        "caution if a test of face age or of the whole model has p < survival.alpha, problem if no time-varying model could be fitted",
        "The hazard ratio is an average over a follow-up in which it changes",
    ),
    "Events per variable": (
        f"caution below {EVENTS[0]:g} in any model that was estimated, problem below {EVENTS[1]:g} in the age-adjusted model",
        "Models with few events per variable are unstable: estimates too extreme, intervals too narrow",
    ),
    "Missing data": (
        f"caution from {percent(MISSING[0])} of any variable of Table 1, exposure or set of covariates, problem from {percent(MISSING[1])}",
        "Complete cases may differ from all participants",
    ),
    "Site and camera": (
        f"caution at p < {FALSE_ALARM:g} of any test between sites, problem if RNA batch and age acceleration are confounded",
        "Differences between sites or cameras may be taken for differences between participants",
    ),
    "Fairness": (
        f"caution at q < {FALSE_ALARM:g} of a difference in bias, MAE or spread at the same age, problem from {FAIR_YEARS:g} years",
        "Differences between subgroups may be differences in the error of the model",
    ),
    "Validity range": (
        f"caution from {percent(OUTSIDE[0])} of a cohort outside the ages tested, problem from {percent(OUTSIDE[1])}",
        "The error of the model is not known at other ages; results restricted to the tested ages are shown",
    ),
    SOFTWARE: (
        "problem if a number of a Cox model, curve, log-rank test, adjusted contrast or pooled estimate differs by more than 10⁻⁶, or over 1% of the genes by more than 0.05 in log10 p; known differences count apart; caution if one is larger than is known",
        "A number that another package does not give may be a fault of the software",
    ),
}


@dataclass(frozen=True)
class Check:
    """A name, how it stands, one sentence, and the id of the place that tells more."""

    name: str
    state: str
    words: str
    link: str
    reached: float = 0.0  # of its limit: 1 at the limit, more beyond

    @property
    def sign(self) -> str:
        """A mark that needs no colour."""
        return SIGNS[self.state]


def all_checks(tables: ReportTables, config: Config, cards: Sequence[dict] = ()) -> list[Check]:
    """Every check, the weakest point first; one that did not run leads to the list of what was not run."""
    found = [
        follows_age(tables, config),
        weights(config, cards),
        age_dependence(tables, config),
        proportional_hazards(tables, config),
        events_per_variable(tables, config),
        missing_data(tables, config),
        site_and_camera(tables, config),
        fairness(tables, config),
        validity_range(tables, config),
        independent_software(tables),
    ]
    known = [replace(one, link=not_run(one.link)) if one.state == NOT_RUN else one for one in found]
    return ranked(known)


def ranked(checks: Sequence[Check]) -> list[Check]:
    """The weakest point first: by state, and within it by how far its limit is reached."""
    return sorted(checks, key=lambda one: ([*SIGNS].index(one.state), -one.reached))


def weakest_point(checks: Sequence[Check]) -> tuple[Check, str] | None:
    """The check that stands worst, with what follows from it for the results; None if none ran."""
    first = checks[0]
    return None if first.state == NOT_RUN else (first, CHECKS[first.name][1])


def tally(checks: Sequence[Check]) -> str:
    """How many checks stand how: ``2 problems, 3 cautions, 4 passed``."""
    numbers = {state: sum(one.state == state for one in checks) for state in SIGNS}
    plural = {PROBLEM: "s", CAUTION: "s"}
    return ", ".join(
        f"{n} {state}{plural.get(state, '') if n != 1 else ''}" for state, n in numbers.items() if n
    )


@dataclass(frozen=True)
class Correlation:
    """Of face age with chronological age in a cohort, with its 99% CI, and what the published model would give there."""

    cohort: str
    r: float
    lower: float
    upper: float
    expected: float
    error: float = math.nan  # mean absolute error, years; NaN where unknown

    @classmethod
    def of(
        cls, cohort: str, r: float, n: float, spread: float, error: float = math.nan
    ) -> "Correlation | None":
        """And that of the published model's released ages at this standard deviation of age (years); None where it is not known."""
        if not (math.isfinite(r) and n > 3 and abs(r) < 1):
            return None
        half = Z_99 / math.sqrt(n - 3)
        expected = RELEASED_SLOPE * spread / math.hypot(RELEASED_SLOPE * spread, RELEASED_SPREAD)
        return cls(
            cohort, r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half), expected, error
        )

    @property
    def off(self) -> bool:
        """Face ages follow chronological age less than those of the published model would, by the upper 99% bound."""
        return self.upper < self.expected

    def __str__(self) -> str:
        return f"r {number(self.r)} (99% CI {interval(self.lower, self.upper)}), expected {number(self.expected)}"


def correlations(tables: ReportTables, config: Config) -> list[Correlation]:
    """Observed and expected correlation of each cohort whose table tells them.

    Expected: slope and residual spread of the released ages of the published model, at the cohort's standard deviation of age.
    Observed: Pearson's r with Fisher's interval.
    """
    found = []
    for cohort, rows in _rows(tables, "acceleration", "summary", config).groupby(COHORT, sort=False):
        own = rows[(rows["term"] == "face_age") & (rows["measure"] == "correlation")]
        spread = _spread_of_age(tables, cohort)
        if not len(own) or spread is None:
            continue
        r, n = float(own["estimate"].iloc[0]), float(own["n"].iloc[0])
        gap = rows[(rows["term"] == "age_gap") & (rows["measure"] == "mean absolute error")]["estimate"]
        found.append(Correlation.of(cohort, r, n, spread, float(gap.iloc[0]) if len(gap) else math.nan))
    return [*filter(None, found)]


def _spread_of_age(tables: ReportTables, cohort: str) -> float | None:
    """Standard deviation of chronological age among the participants with an age acceleration."""
    rows = tables.get("phenotype", "table_one", cohort)
    if "standard_deviation" not in rows:
        return None
    age = rows[(rows["term"] == "chronological_age") & (rows["group"] == "all")]
    mine = age[age["measure"] == "mean"]
    known = mine["standard_deviation"].dropna()
    return float(known.iloc[0]) if len(known) and known.iloc[0] > 0 else None


def cohorts_off_age(tables: ReportTables, config: Config) -> list[str]:
    """Cohorts whose face ages do not follow chronological age as those of the published model would."""
    return [one.cohort for one in correlations(tables, config) if one.off]


def follows_age(tables: ReportTables, config: Config) -> Check:
    """Whether face age rises with chronological age as that of the published model does."""
    found = correlations(tables, config)
    link = place("ages")
    if not found:
        return Check(FOLLOWS_AGE, NOT_RUN, "no cohort has a correlation of face age with age", link)
    worst = min(found, key=lambda one: one.upper - one.expected)
    told = str(worst)
    if math.isfinite(worst.error):
        told += f"; MAE {number(worst.error, 1)} y (published 7.5)"
    if len(found) > 1:
        told = f"{worst.cohort}: {told}"
    off = [one.cohort for one in found if one.off]
    if off and len(found) > 1:
        told += f". Below expectation in {', '.join(off)}"
    reached = 1 - (worst.upper - worst.expected) / (worst.upper - worst.lower)
    return Check(FOLLOWS_AGE, PROBLEM if off else OK, told, place("ages", worst.cohort), reached)


def weights(config: Config, cards: Sequence[dict]) -> Check:
    """Whether it is known where the model's weights come from."""
    name, link = "Origin of the weights", place("model")
    given = all(cohort.face_ages for cohort in config.cohorts.values())
    if given or not cards:
        return Check(name, NOT_RUN, "face ages were given" if given else "no model card", link)
    card = cards[0]
    digest = f"SHA-256 {card['sha256'][:8]}"
    if card.get("synthetic"):
        return Check(name, CAUTION, f"{card['name']} ({digest})", link, 1)
    if card.get("kind") != "faceage":
        return Check(name, CAUTION, f"{card['name']}: another model than FaceAge ({digest})", link, 1)
    matched = card.get("verified")
    if not matched:
        said = f"FaceAge layout, origin not verified ({digest}); compare with reference ages: faceage-bio weights verify"
        return Check(name, CAUTION, said, link, 1)
    said = f"reference ages of {count(matched['n'])} crops matched within {matched['largest']:.0e} years ({digest})"
    return Check(name, OK, said, link)


def _graded(value: float, limits: tuple[float, float]) -> str:
    """How a value stands that had better be small."""
    return PROBLEM if value >= limits[1] else CAUTION if value >= limits[0] else OK


def _rows(tables: ReportTables, analysis: str, name: str, config: Config) -> pd.DataFrame:
    """The rows of the study's cohorts, in the order of the config."""
    rows, cohorts = tables.get(analysis, name), list(config.cohorts)
    own = rows[rows[COHORT].isin(cohorts)]
    return own.sort_values(COHORT, key=lambda names: names.map(cohorts.index), kind="stable")


def age_dependence(tables: ReportTables, config: Config) -> Check:
    """Whether age acceleration still depends on age."""
    name, link = "Age dependence", place("definitions")
    rows = _rows(tables, "acceleration", "summary", config)
    known = rows[(rows["measure"] == "correlation") & rows["estimate"].notna()]
    found = known[known["term"] == "age_acceleration"]
    if not len(found):
        return Check(name, NOT_RUN, "no correlation with age could be computed", link)
    r, cohort = max(zip(found["estimate"], found[COHORT], strict=True), key=lambda one: abs(one[0]))
    said = f"age acceleration: r with age {number(r)}{f' ({cohort})' if len(found) > 1 else ''}"
    return Check(name, _graded(abs(r), CORRELATION), said, link, abs(r) / CORRELATION[1])


def proportional_hazards(tables: ReportTables, config: Config) -> Check:
    """Whether hazard ratios of face age are constant over the follow-up."""
    name, alpha = "Proportional hazards", config.survival.alpha
    rows = _rows(tables, "survival", "proportional_hazards", config)
    of_age = rows[rows["term"].isin(["face_age", "GLOBAL"])]
    least = of_age.groupby(COHORT, sort=False)["p_value"].min().dropna()
    if not len(least):
        return Check(name, NOT_RUN, "no Cox model could be tested", place("hazards"))
    bad = least[least < alpha]
    if not len(bad):
        told = (
            f"no test of face age or of a whole model with p < {alpha:g} (smallest p {p_value(least.min())})"
        )
        told += "; redacted for some models" if _redacted(of_age) else ""
        return Check(name, OK, told, place("hazards", least.index[0]), alpha / least.min())
    told = ", ".join(f"{cohort} (p {p_equals(p)})" for cohort, p in bad.items())
    remedies = pd.concat([tables.get("survival", "remedies", cohort) for cohort in bad.index])
    models = remedies[
        remedies["remedy"] != "years lived"
    ]  # none where the whole model's test alone is below alpha
    shown = dict.fromkeys(remedies.loc[remedies["estimate"].notna(), "remedy"].astype(str))
    failed = not shown or (models.groupby(COHORT)["estimate"].count() == 0).any()
    after = "no time-varying model could be fitted" if failed else f"shown instead: {', '.join(shown)}"
    said = f"not proportional in {told}; {after}"
    return Check(name, PROBLEM if failed else CAUTION, said, place("hazards", bad.index[0]), 1)


def events_per_variable(tables: ReportTables, config: Config) -> Check:
    """Whether there are enough events for the variables of the Cox models that were estimated."""
    name, rows = "Events per variable", _rows(tables, "survival", "cox", config)
    rows = rows[(rows["term"] == "face_age") & (rows["adjustment"] != "unadjusted")]
    all_shown = not _redacted(rows)
    known = rows[rows["events_per_term"].notna() & (rows["status"] != NOT_ESTIMATED)]
    failed = rows[(rows["status"] == NOT_ESTIMATED) & ~rows[COHORT].isin(known[COHORT])][COHORT].unique()
    most = rows.groupby(COHORT)["n_events"].max()
    of_failed = [f"{cohort} ({counted(most[cohort], 'event')})" for cohort in failed]
    without = f"not estimated: {', '.join(of_failed)}"
    if not len(known):
        said = without if len(failed) else "no Cox model was fitted"
        return Check(name, NOT_RUN, said, place("cox"))
    fewest, step, cohort = min(zip(known["events_per_term"], known["step"], known[COHORT], strict=True))
    which = {"+ age": "the age-adjusted model", "full": "the full model"}.get(step, f"the model {step}")
    said = f"{'lowest: ' if all_shown else ''}{number(fewest, 1)} ({which}, {cohort})"
    headline = min(known.loc[known["step"] == "+ age", "events_per_term"], default=fewest)
    state = PROBLEM if headline < EVENTS[1] else CAUTION if fewest < EVENTS[0] or not all_shown else OK
    if not all_shown:
        said += "; redacted for models of few events"
    elif len(failed):
        said += f"; {without}"
    return Check(name, state, said, place("cox", cohort), EVENTS[1] / max(fewest, 0.1))


def missing_data(tables: ReportTables, config: Config) -> Check:
    """How much is missing of the variables of Table 1, of exposures and of the covariates of models."""
    name, link = "Missing data", place("table-one")
    rows = _rows(tables, "phenotype", "table_one", config)
    rows = rows[(rows["measure"] == "missing") & (rows["group"] == ALL)]
    rows = rows.assign(said=rows["term"].map(words.term))
    known = rows[rows["estimate"].notna()]
    if not len(known):
        return Check(name, NOT_RUN, "Table 1 was not made", link)
    nowhere = set(rows["said"]) - set(known["said"])
    of_models = [] if tables.rounded(config) else list(_incomplete(tables, config))
    found = [*zip(known["estimate"], known["n"], known["said"], known[COHORT], strict=True), *of_models]
    share, n, term, cohort = max(found, key=lambda one: one[0])
    whole = f"the variables of Table 1{', exposures and covariates' if of_models else ''}"
    said = f"nothing is missing of {whole}"
    if share:
        said = f"at most {percent(share)} ({term}, {cohort}: {count(n)} missing)"
    if nowhere:
        said += f"; not recorded: {', '.join(sorted(nowhere))}"
    return Check(name, _graded(share, MISSING), said, link, share / MISSING[1])


def _incomplete(tables: ReportTables, config: Config) -> Iterator[tuple[float, float, str, str]]:
    """Share and number of participants whom models leave out for what is missing, of what, and where."""
    for cohort in config.cohorts:
        boxes = cohort_flow(tables, cohort)
        followed, full = (box_of(boxes, "subject", stage) for stage in ("survival", "full model"))
        if followed and full and followed.n > 0:
            yield 1 - full.n / followed.n, followed.n - full.n, "covariates of the full Cox model", cohort
        came, rows = box_of(boxes, "subject", "acceleration"), tables.get("phenotype", "phenotypes", cohort)
        if came is None or not came.n > 0:
            continue
        numbers = rows.groupby("exposure")["n"].max()
        for exposure, n in numbers[numbers > 0].items():  # others are not recorded
            what = f"{words.term(str(exposure))} or covariates of its model"
            yield 1 - n / came.n, came.n - n, what, cohort


def _redacted(rows: pd.DataFrame) -> bool:
    """Whether a release keeps some of these rows' numbers."""
    return any(one.code == "redacted" for cell in rows["reason"] for one in decode(cell))


def _without_p(rows: pd.DataFrame) -> bool:
    """Whether a row has an estimate and no p, which a release may redact alone."""
    return bool((rows["p_value"].isna() & (rows["status"] != NOT_ESTIMATED)).any())


def site_and_camera(tables: ReportTables, config: Config) -> Check:
    """Whether sites (and cameras, where a column tells them) differ in age acceleration, in the hazard ratio or in their batches."""
    name, by = "Site and camera", config.survival.heterogeneity_by
    columns = [column for column in ("site", *CAMERAS) if column in config.phenotype.factors]
    tests, sites = tables.get("phenotype", "tests"), _rows(tables, "survival", "sites", config)
    tests = tests[tests["term"].isin(columns) & (tests["adjustment"] != "unadjusted")]
    sites = sites[(sites["measure"] == "interaction chi-square") & (sites["step"] == "+ age")]
    tested = [
        *(
            (row.p_value, f"age acceleration by {row.term} in {row.cohort}", place("comparisons"))
            for row in tests.itertuples()
        ),
        *(
            (row.p_value, f"hazard ratio by {by} in {row.cohort}", place("sites", row.cohort))
            for row in sites.itertuples()
        ),
    ]
    found = sorted(one for one in tested if pd.notna(one[0]))
    redacted = any(_redacted(one) or (tables.released and _without_p(one)) for one in (tests, sites))
    batches = _rows(tables, "expression", "confounding", config)
    stuck = batches[[any(one.code == INSEPARABLE for one in decode(cell)) for cell in batches["reason"]]]
    if not found and not len(stuck):
        return Check(name, NOT_RUN, "no column of sites or cameras could be tested", place("comparisons"))
    said, differ = [], [one for one in found if one[0] < FALSE_ALARM]
    if differ:
        said.append("differs: " + ", ".join(f"{what} (p {p_equals(p)})" for p, what, _ in differ[:2]))
    elif found:
        said.append(f"no difference (smallest p {p_value(found[0][0])})")
    if redacted:
        said.append("redacted for some tests")
    if len(stuck):
        where = ", ".join(stuck[COHORT].unique())
        said.append(f"RNA batch and age acceleration are confounded in {where}")
    if not set(columns) & set(CAMERAS):
        said.append("camera: not recorded")
    state = PROBLEM if len(stuck) else CAUTION if differ or redacted else OK
    reached = FALSE_ALARM / max(found[0][0], FALSE_ALARM) if state == OK else 1
    return Check(name, state, "; ".join(said), found[0][2] if found else place("comparisons"), reached)


def fairness(tables: ReportTables, config: Config) -> Check:
    """Whether bias, mean absolute error or spread of face age differ between subgroups of the same age."""
    name, link = "Fairness", place("fairness")
    rows = tables.get("fairness", "fairness")
    if not len(rows):
        return Check(name, NOT_RUN, "no subgroups were compared", link)
    rows = complete(rows)
    rows = rows[
        (rows["question"] == "differences") & rows["measure"].isin(FAIR) & (rows["within"] == "") & (rows["factor"] != "age band")
        & rows["estimate"].notna() & ~rows["sparse"]
    ]  # fmt: skip
    if not len(rows):
        return Check(name, NOT_RUN, "no subgroups were large enough to compare", link)
    tested = rows[rows["q_value"].notna()]
    if not len(tested):
        said = f"differences are shown without q; largest: {_difference(_largest(rows))}"
        return Check(name, NOT_RUN, said, link)
    differ = tested[tested["q_value"] < FALSE_ALARM]
    if not len(differ):
        said = f"no difference with q < {FALSE_ALARM:g}; largest: {_difference(_largest(tested))}"
        return Check(name, OK, said, link, FALSE_ALARM / tested["q_value"].min())
    years, most = differ[differ["unit"] == "years"]["estimate"].abs(), _largest(differ)
    state = PROBLEM if len(years) and years.max() >= FAIR_YEARS else CAUTION
    reached = years.max() / FAIR_YEARS if len(years) else 0.5
    said = f"largest difference: {_difference(most)}, q {p_value(most['q_value'])}"
    return Check(name, state, said, link, reached)


def _largest(rows: pd.DataFrame) -> pd.Series:
    """The largest difference in years; where there is none, the ratio furthest from 1."""
    years = rows[rows["unit"] == "years"]
    if len(years):
        return years.loc[years["estimate"].abs().idxmax()]
    ratios = rows[rows["estimate"] > 0]
    return ratios.loc[ratios["estimate"].map(math.log).abs().idxmax()]


def _difference(row: pd.Series) -> str:
    where = "all cohorts" if row["cohort"] == POOLED else row["cohort"]
    size = f"{signed(row['estimate'])} y" if row["unit"] == "years" else f"ratio {number(row['estimate'])}"
    return f"{FAIR[row['measure']]} {size} at the same age ({row['factor']}: {row['group']}, {where})"


def validity_range(tables: ReportTables, config: Config) -> Check:
    """How many participants are of ages in which the model was tested."""
    name, link = "Validity range", place("definitions")
    low, high = config.acceleration.valid_ages
    rows = _rows(tables, "acceleration", "sensitivity", config)
    most = {
        one: rows[rows["excluded"] == one].groupby(COHORT, sort=False)["n"].max() for one in ("none", "ages")
    }
    n = pd.DataFrame(most).dropna()
    n = n[n["none"] > 0].astype(float)
    if not len(n):
        return Check(name, NOT_RUN, "ages were not compared with those of the model's test", link)
    inside, everybody = n["ages"].sum(), n["none"].sum()
    least, cohort = min(zip(n["ages"] / n["none"], n.index, strict=True))
    said = f"{percent(inside / everybody)} of participants within the ages tested ({low:g}–{high:g} years)"
    if len(config.cohorts) > 1:
        said += f"; fewest in {cohort} ({percent(least)})"
    if tables.rounded(config):  # of what the counts may have been, the worst
        half = config.release.rounding / 2
        least = max(0.0, ((n["ages"] - half) / (n["none"] + half)).min())
        said += f"; at least {percent(least)}, since counts are rounded"
    return Check(name, _graded(1 - least, OUTSIDE), said, link, (1 - least) / OUTSIDE[1])


def independent_software(tables: ReportTables) -> Check:
    """Whether the headline numbers are those of other software."""
    rows = agreement(tables)
    judged = [row for row in rows if row["numbers"] or row["beyond"]]
    if not judged:
        return Check(SOFTWARE, NOT_RUN, "no number to compare", VERIFICATION)
    names = ", ".join(dict.fromkeys(f"{row['software']} {row['version']}" for row in judged))
    beyond = sum(row["beyond"] for row in rows)
    total = sum(row["numbers"] for row in judged)
    differ = [row for row in judged if row["numbers"] and not row["agrees"]]
    if differ:
        where = "; ".join(f"{row['analysis']}, {row['cohort']} ({row['software']})" for row in differ[:3])
        said = f"{len(differ)} of {len(judged)} comparisons differ: {where}"
        return Check(SOFTWARE, PROBLEM, said, VERIFICATION, 9)
    said = f"{count(total)} numbers compared with {names}: within tolerance"
    if beyond:
        said += f"; {count(beyond)} not compared, beyond what is known of a difference: run reproduce.R"
    return Check(SOFTWARE, CAUTION if beyond else OK, said, VERIFICATION, 1 if beyond else 0)


def agreement(tables: ReportTables) -> list[dict]:
    """Rows of verification/agreement; ``note``: reasons in words."""
    found = tables.get("verification", "agreement")
    return [
        row | {"agrees": str(row["agrees"]) == "True", "note": in_words(row["reason"])}
        for row in to_records(found)
    ]


def verification_section(tables: ReportTables) -> dict:
    """What the template shows."""
    numbers = tables.get("verification", "numbers")
    differ = numbers[numbers["difference"] > numbers["tolerance"]]
    rows = differ.sort_values("difference", ascending=False, kind="stable").head(MOST_SHOWN)
    return {
        "rows": [row | {"told": _told(row["largest"])} for row in agreement(tables)],
        "differ": [
            row | {"ours": _digits(row["estimate"]), "theirs": _digits(row["other"]), "apart": _told(row["difference"])}
            for row in to_records(rows)
        ],
        "n_differ": count(len(differ)),
    }  # fmt: skip


def _digits(value: float) -> str:
    return "–" if math.isnan(value) else "not reached" if math.isinf(value) else f"{value:.8g}"


def _told(value: float) -> str:
    return "–" if math.isnan(value) else "one is missing" if math.isinf(value) else f"{value:.1e}"
