"""Our numbers held against those of other software: rows of both, and what each comparison comes to.

The headline is fitted by lifelines (Davidson-Pilon 2019, doi:10.21105/joss.01317), then statsmodels (Seabold and Perktold 2010),
models given as formulas, and scipy. lifelines' default precision leaves 1e-5 in a coefficient; it is asked for more. Known
differences from R, which ours equals: robust errors, and C with delayed entry; it has log-log intervals alone, and no log-rank
test with strata or delayed entry.
"""

import traceback
import warnings
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version

import numpy as np
import pandas as pd
from scipy.stats import chi2, norm

from faceage_bio.analyses.expression.gene_models import contrast_of
from faceage_bio.analyses.pooling.headlines import on_scale
from faceage_bio.analyses.verification.headline_input import (
    CLUSTER,
    ENTERED,
    GROUP,
    STRATUM,
    Curves,
    Genes,
    Model,
    Pool,
)
from faceage_bio.core.columns import AGE_ACCELERATION, COHORT, EVENT, FACE_AGE, FOLLOWUP
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, decode, reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.stats.deseq import fit_deseq
from faceage_bio.stats.pydeseq2_fit import fit_pydeseq2, wald_by_pydeseq2

# of the step, of its gain (half the square of the step in standard errors) and of the log-likelihood
PRECISION = {"precision": 1e-16, "r_precision": 1e-16}
# of pooled estimates by method; others are pooled again by reproduce.R alone
SOFTWARE = {"EE": "statsmodels", "REML": "scipy"}


def cox_by_lifelines(model: Model) -> dict[str, float]:
    """The first coefficient of a Cox model times its unit: log hazard ratio, standard_error, p_value;
    concordance, log_likelihood.
    """
    from lifelines import CoxPHFitter

    options = {
        "entry_col": ENTERED if model.has(ENTERED) else None,
        "strata": [STRATUM] if model.has(STRATUM) else None,
        "cluster_col": CLUSTER if model.has(CLUSTER) else None,
    }
    fit = CoxPHFitter().fit(
        model.people, FOLLOWUP, EVENT, formula=model.formula, fit_options=PRECISION, **options
    )
    first = model.coefficients[0]
    row = fit.summary.loc[first.term]
    return {
        "log hazard ratio": first.unit * row["coef"],
        "standard error": first.unit * row["se(coef)"],
        "p-value": row["p"],
        "Harrell's C": fit.concordance_index_,
        "log-likelihood": fit.log_likelihood_,
    }


def curve_by_lifelines(curves: Curves, group: str) -> tuple[pd.DataFrame, float]:
    """A group's curve, indexed by time: survival, ci_lower, ci_upper (log-log); and median survival."""
    from lifelines import KaplanMeierFitter
    from lifelines.utils import median_survival_times

    own = curves.people[curves.people[GROUP] == group]
    fit = KaplanMeierFitter().fit(own[FOLLOWUP], own[EVENT], entry=own.get(ENTERED))
    table = pd.concat([fit.survival_function_, fit.confidence_interval_], axis=1)
    table.columns = ["survival", "ci_lower", "ci_upper"]
    # rounding of a product may leave a height of one half a little above it
    return table, float(median_survival_times(fit.survival_function_.round(12)))


def log_rank_by_lifelines(curves: Curves) -> dict[str, float]:
    """Chi-square and p-value between all groups; the table has neither strata nor late entry."""
    from lifelines.statistics import multivariate_logrank_test

    people = curves.people
    test = multivariate_logrank_test(people[FOLLOWUP], people[GROUP], people[EVENT])
    return {"chi-square": float(test.test_statistic), "p-value": float(np.squeeze(test.p_value))}


def contrasts_by_statsmodels(model: Model) -> list[dict[str, float]]:
    """Of each coefficient times its unit: difference in face age, its HC3 standard_error, p_value (t)."""
    from statsmodels.formula.api import ols

    fit = ols(f"{FACE_AGE} ~ {model.formula}", model.people).fit(cov_type="HC3", use_t=True)
    return [
        {
            "difference": one.unit * fit.params[one.term],
            "standard error": one.unit * fit.bse[one.term],
            "p-value": fit.pvalues[one.term],
        }
        for one in model.coefficients
    ]


def log_rank_by_statsmodels(curves: Curves) -> dict[str, float]:
    """Chi-square and p-value between all groups within strata, without delayed entry."""
    from statsmodels.duration.survfunc import survdiff

    people = curves.people.dropna(subset=[STRATUM])
    years, event, group, strata = (people[name].to_numpy() for name in (FOLLOWUP, EVENT, GROUP, STRATUM))
    chi_square, p = survdiff(years, event, group, strata=strata)
    return {"chi-square": float(chi_square), "p-value": float(p)}


def pooled_by_statsmodels(pool: Pool) -> dict[str, float]:
    """Estimate on the pooling scale with its standard error and p-value: inverse variance, z."""
    from scipy.stats import norm
    from statsmodels.stats.meta_analysis import combine_effects

    found = combine_effects(pool.y, pool.se**2, method_re="chi2", use_t=False)
    estimate, error = found.mean_effect_fe, found.sd_eff_w_fe
    p_value = 2 * norm.sf(abs(estimate / error))
    return {"pooled estimate": estimate, "standard error": error, "p-value": p_value}


def pooled_by_scipy(pool: Pool) -> dict[str, float]:
    """The same with REML's between-cohort variance, the zero of its score (Viechtbauer 2005,
    doi:10.3102/10769986030003261), by z or (ad hoc) Hartung-Knapp.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm, t

    y, v = pool.y, pool.se**2

    def mean(tau2: float) -> tuple[np.ndarray, float]:
        w = 1 / (v + tau2)
        return w, float(w @ y / w.sum())

    def score(tau2: float) -> float:
        w, centre = mean(tau2)
        return float(w**2 @ (y - centre) ** 2 - w.sum() + (w @ w) / w.sum())

    tau2 = 0.0
    if score(0.0) > 0:
        upper = float(np.ptp(y) ** 2 + v.max())
        while score(upper) > 0:
            upper *= 2
        tau2 = brentq(score, 0.0, upper, xtol=1e-16)
    w, estimate = mean(tau2)
    error, df = float(w.sum() ** -0.5), len(y) - 1
    if pool.test != "z":
        factor = float(w @ (y - estimate) ** 2 / df)
        error *= (factor if pool.test == "knha" else max(1.0, factor)) ** 0.5
    size = abs(estimate / error)
    p = norm.sf(size) if pool.test == "z" else t.sf(size, df)
    return {"pooled estimate": estimate, "standard error": error, "p-value": 2 * float(p)}


TOLERANCE = 1e-6
GENES_TOLERANCE, GENES_NEEDED = 0.05, 0.99  # of log10 p, for this share of genes
FURTHER_GENES = 1000  # besides the panel, by seed
SMALL_P = 5.0  # beyond so many decades differences are shares of log10 p: 0.05 is 1% of it
TINY = 1e-300  # both p-values may be smaller than a number can be
# how far apart a known difference may be: robust errors differ by 0.3%, with ties or late entry by more, C
# with late entry by 0.07, log10 p of a gene with another trend of dispersions by 0.16
KNOWN = {"lifelines_robust_errors": 0.01, "lifelines_late_concordance": 0.07, "pydeseq2_trend": 0.5}
EXCUSED = {*KNOWN, "lifelines_median", "log_rank_groups"}  # known differences that count apart
HALF = 1e-9  # a survival so near one half is one half
COX, CURVE, LOG_RANK = "Cox models", "Kaplan-Meier curves", "log-rank tests"
CONTRAST, GENES, POOLING = "adjusted contrasts", "gene expression", "pooled estimates"
LIMITS = {"ci_lower": "lower 95% limit", "ci_upper": "upper 95% limit"}


def compare_cox(models: Iterable[Model]) -> list[dict]:
    """Rows of each Cox model: log hazard ratio, its standard error and p-value, Harrell's C, log-likelihood."""
    rows = []
    for model in models:
        row = model.coefficients[0].row
        about = _about(model.cohort, COX, "lifelines", row, "model", "term", "per")
        try:
            theirs = _attempt("lifelines", cox_by_lifelines, model)
        except FitError as error:
            rows.append(about | {"reason": error.reason})
            continue
        robust = _known("lifelines_robust_errors") if model.has(CLUSTER) else None
        late = _known("lifelines_late_concordance") if model.has(ENTERED) else None
        ours = row | {"estimate": np.log(row["estimate"])}
        pairs = [
            *_estimate("log hazard ratio", ours, theirs, known=robust),
            _pair("log-likelihood", "relative", row["log_likelihood"], theirs),
            _pair("Harrell's C", "absolute", row["concordance"], theirs, known=late),
        ]
        rows += [about | pair for pair in pairs]
    return rows


def compare_contrasts(models: Iterable[Model]) -> list[dict]:
    """Rows of each adjusted contrast: difference in face age, its standard error and p-value."""
    rows = []
    for model in models:
        shared = [
            _about(model.cohort, CONTRAST, "statsmodels", one.row, "term", "per")
            for one in model.coefficients
        ]
        try:
            found = _attempt("statsmodels", contrasts_by_statsmodels, model)
        except FitError as error:
            rows += [one | {"reason": error.reason} for one in shared]
            continue
        for one, about, theirs in zip(model.coefficients, shared, found, strict=True):
            rows += [about | pair for pair in _estimate("difference", one.row, theirs)]
    return rows


def compare_curves(curves: Iterable[Curves]) -> list[dict]:
    """Rows of each group's curve at the time where it differs most, of its limits and median; of each
    log-rank test.
    """
    rows = []
    for one in curves:
        for group, ours in one.curve.groupby("group", sort=False):
            ours = ours.drop_duplicates("years", keep="last")
            ours = ours[(ours["years"] > 0) | (ours["events"] > 0)]  # lifelines' begin where the first enters
            rows += _curve(one, str(group), ours) if len(ours) else []
        rows += _log_rank(one)
    return rows


def _curve(curves: Curves, group: str, ours: pd.DataFrame) -> list[dict]:
    summary = curves.summary[curves.summary["group"] == group]
    reported = summary[summary["measure"] == "median survival"].to_dict("records")[0]
    about = _about(curves.cohort, CURVE, "lifelines", reported, "term") | {"measure": "survival"}
    try:
        theirs, median = _attempt("lifelines", curve_by_lifelines, curves, group)
    except FitError as error:
        return [about | {"reason": error.reason}]
    theirs = theirs.reindex(ours["years"], method="nearest", tolerance=1e-9)
    rows = []
    limits = {} if (ours["interval"] != "log-log").any() else LIMITS
    for column, name in {"survival": "survival", **limits}.items():
        mine, other = ours[column].to_numpy(), theirs[column].to_numpy()
        apart = np.abs(mine - other)
        if column == "survival":
            apart = np.nan_to_num(apart, nan=np.inf)
        elif np.isnan(apart).all():
            continue  # at survival 1 and 0 limits are missing, or the estimate itself
        worst = int(np.nanargmax(apart))
        pair = _pair(name, "absolute", mine[worst], other[worst])
        rows.append(about | pair | {"horizon": ours["years"].iloc[worst]})
    if not limits:
        rows.append(about | {"quantity": "95% limits", "reason": reason("lifelines_log_log")})
    half = np.flatnonzero(np.abs(ours["survival"] - 0.5) < HALF)
    known = None
    if len(half):  # lifelines has one end of the time at one half, and ours is its middle
        first, last = ours["years"].iloc[[half[0], min(half[-1] + 1, len(ours) - 1)]]
        known = reason("lifelines_median"), (last - first) / 2 + TOLERANCE
    row = about | {"measure": "median survival"}
    return [*rows, row | _pair("median survival", "absolute", reported["estimate"], median, known=known)]


def _log_rank(curves: Curves) -> list[dict]:
    tests = curves.summary[curves.summary["measure"] == "log-rank chi-square"].to_dict("records")
    rows = []
    for row in tests:
        if np.isnan(row["estimate"]):
            continue
        stratified = STRATUM in curves.people
        software = "statsmodels" if stratified else "lifelines"
        about = _about(curves.cohort, LOG_RANK, software, row, "term", "model")
        if ENTERED in curves.people:
            rows.append(about | {"reason": reason("no_late_log_rank")})
            continue
        compute = log_rank_by_statsmodels if stratified else log_rank_by_lifelines
        try:
            theirs = _attempt(software, compute, curves)
        except FitError as error:
            rows.append(about | {"reason": error.reason})
            continue
        known = None
        if has_empty_group(curves, row):
            theirs_df = curves.people[GROUP].nunique() - 1
            apart = _apart("z", row["p_value"], float(chi2.sf(row["estimate"], theirs_df)), 1.0)
            known = reason("log_rank_groups", software=software), apart + TOLERANCE
        rows += [
            about | _pair("chi-square", "relative", row["estimate"], theirs),
            about | _pair("p-value", "z", row["p_value"], theirs, known=known),
        ]
    return rows


def has_empty_group(curves: Curves, test: Mapping) -> bool:
    """Whether nobody of a group was at risk at any death: R and ours do not count it among the degrees of freedom."""
    return bool(test["df"] < curves.people[GROUP].nunique() - 1)


def compare_genes(genes: Genes, seed: int) -> list[dict]:
    """The panel and further genes by seed, by both on the same subset and size factors: a row of each gene."""
    declared = [name for name in genes.panel["term"] if name in genes.counts]
    others = genes.counts.columns.difference(declared, sort=False)
    random = np.random.default_rng(seed)
    further = random.choice(others, size=min(FURTHER_GENES, len(others)), replace=False)
    names = [*declared, *further]
    first = {"measure": "log2 fold change", "per": genes.panel["per"].iloc[0], "n": np.nan}
    about = _about(genes.cohort, GENES, "pydeseq2", first, "per")
    about |= {"question": genes.question, "tolerance": GENES_TOLERANCE}
    counts, design, factors = genes.take(names), genes.design.to_numpy(), genes.size_factors
    contrast = contrast_of(genes.design, [AGE_ACCELERATION])
    try:
        own = fit_deseq(counts, design, factors)
        ours = own.wald(contrast)[3]
        fit = _attempt("pydeseq2", fit_pydeseq2, counts, design, factors)
        theirs = _attempt("pydeseq2", wald_by_pydeseq2, fit, contrast)[3]
    except FitError as error:
        return [about | {"quantity": "p-value", "reason": error.reason}]
    known = (
        (reason("pydeseq2_dispersions"), np.inf) if own.trend_kind != "local" else _known("pydeseq2_trend")
    )
    rows = []
    for name, mine, other in zip(names, ours, theirs, strict=True):
        both = _pair("p-value", "log10", mine, other, known=known, tolerance=GENES_TOLERANCE)
        rows.append(about | {"term": name, "n": len(genes.design)} | both)
    return rows


def compare_pools(pools: Iterable[Pool]) -> list[dict]:
    """Rows of each pooled estimate: the estimate on its scale, its standard error and p-value, from the
    estimates of its cohorts.
    """
    rows = []
    for pool in pools:
        row, software = pool.row, SOFTWARE.get(pool.method, "statsmodels")
        about = _about(row[COHORT], POOLING, software, row, "term", "per") | {"model": row["analysis"]}
        if pool.method not in SOFTWARE:
            rows.append(about | {"reason": reason("not_pooled_again", method=row["method"])})
            continue
        compute = pooled_by_statsmodels if software == "statsmodels" else pooled_by_scipy
        try:
            theirs = _attempt(software, compute, pool)
        except FitError as error:
            rows.append(about | {"reason": error.reason})
            continue
        ours = row | {"estimate": on_scale([row["estimate"]], row["scale"])[0]}
        rows += [about | pair for pair in _estimate("pooled estimate", ours, theirs)]
    return rows


def numbers_table(rows: Sequence[dict]) -> pd.DataFrame:
    """Both numbers of every comparison (verification/numbers); of genes the panel and those that differ."""
    shared = {"question": "verification"}
    return result_rows([shared | row for row in rows], "verification/numbers")


def agreement_table(numbers: pd.DataFrame) -> pd.DataFrame:
    """What each comparison comes to (verification/agreement): how many numbers, how many agree, the largest
    difference.

    A known difference (`EXCUSED`) counts apart, and so does one that is larger than is known of it
    (``beyond``). Of genes a share of `GENES_NEEDED` must agree, of others all.
    """
    rows = []
    for (cohort, analysis, software), own in numbers.groupby([COHORT, "analysis", "software"], sort=False):
        compared = own[own["difference"].notna()]
        codes = [{one.code for one in decode(cell)} for cell in compared["reason"]]
        beyond = np.array(["beyond_known_difference" in told for told in codes], bool)
        excused = np.array([bool(told & EXCUSED) for told in codes], bool)
        judged = compared[~excused]
        agreeing = int((judged["difference"] <= judged["tolerance"]).sum())
        needed = GENES_NEEDED if analysis == GENES else 1.0
        about = {
            COHORT: cohort,
            "analysis": analysis,
            "software": software,
            "version": own["version"].iloc[0],
        }
        rows.append(
            about
            | {
                "numbers": len(judged),
                "agreeing": agreeing,
                "known": int((excused & ~beyond).sum()),
                "beyond": int(beyond.sum()),
                "largest": judged["difference"].max(),
                "tolerance": own["tolerance"].iloc[0],
                "agrees": bool(agreeing >= needed * len(judged)) if len(judged) else None,
                "reason": "; ".join(dict.fromkeys(cell for cell in own["reason"] if cell)),
            }
        )
    return result_rows(rows, "verification/agreement")


def _about(cohort: str, analysis: str, software: str, row: Mapping, *same: str) -> dict:
    """What the rows of a comparison share; ``same``: further fields that they have of our row."""
    about = {COHORT: cohort, "analysis": analysis, "software": software, "version": version(software)}
    about |= {name: row[name] for name in ("measure", "n", *same)}
    return about | {"n_events": row.get("n_events"), "tolerance": TOLERANCE}


def _estimate(
    quantity: str, row: Mapping, theirs: Mapping[str, float], known: tuple[Reason, float] | None = None
) -> list[dict]:
    """An estimate, its standard error and its p-value by both; ``known``: a difference of the errors."""
    error = row["standard_error"]
    return [
        _pair(quantity, "standard errors", row["estimate"], theirs, error=error),
        _pair("standard error", "relative", error, theirs, known=known),
        _pair("p-value", "z", row["p_value"], theirs, known=known),
    ]


def _pair(
    quantity: str,
    scale: str,
    ours: float,
    theirs: Mapping[str, float] | float,
    *,
    error: float = 1.0,
    known: tuple[Reason, float] | None = None,
    tolerance: float = TOLERANCE,
) -> dict:
    """One number by both, and how far they are apart on a scale.

    A known difference, and the most that is known of it, are said only where it is more than the tolerance.
    """
    other = float(theirs[quantity] if isinstance(theirs, Mapping) else theirs)
    apart = _apart(scale, float(ours), other, error)
    found = {
        "quantity": quantity,
        "scale": scale,
        "estimate": float(ours),
        "other": other,
        "difference": apart,
    }
    if known is None or apart <= tolerance:
        return found
    remark, most = known
    return found | {"reason": remark if apart <= most else [remark, reason("beyond_known_difference")]}


def _known(code: str) -> tuple[Reason, float]:
    return reason(code), KNOWN[code]


def _apart(scale: str, ours: float, theirs: float, error: float) -> float:
    finite = np.isfinite([ours, theirs])
    if not finite.all():  # not reached, or no test: NaN of the one may be infinity of the other
        return np.inf if finite.any() else 0.0
    if scale == "log10":
        logs = np.log10(max(ours, TINY)), np.log10(max(theirs, TINY))
        return abs(logs[0] - logs[1]) / max(1.0, abs(logs[0]) / SMALL_P)
    if scale == "z":  # an estimate and its error that agree to a tolerance move z by at most 1 + |z| of it
        z = norm.isf([max(ours, TINY) / 2, max(theirs, TINY) / 2])
        return float(abs(z[0] - z[1]) / (1 + abs(z[0])))
    unit = {"absolute": 1.0, "standard errors": error, "relative": max(abs(ours), 1e-300)}[scale]
    return abs(ours - theirs) / unit


def _attempt(software: str, compute, *arguments):
    """What another package computes; its remarks are not ours, its failure is a reason.

    Raises
    ------
    FitError
        It fails, or doubts its own result. An error that does not come from within the package is a bug of
        ours, and stays one.
    """
    from lifelines.exceptions import ConvergenceWarning

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", ConvergenceWarning)
            return compute(*arguments)
    except (FitError, MemoryError):
        raise
    except Exception as error:
        own = _belongs(type(error).__module__, software)
        frames = (frame.f_globals["__name__"] for frame, _ in traceback.walk_tb(error.__traceback__))
        if not own and not any(_belongs(name, software) for name in frames):
            raise
        # the package's own errors speak of the model, others perhaps of a participant
        said = " ".join(str(error).split())[:120] if own else type(error).__name__
        raise FitError("software_refuses", software=software, said=said) from None


def _belongs(module: str, package: str) -> bool:
    return module.partition(".")[0] == package
