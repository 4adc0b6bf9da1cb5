"""Adjusted contrasts and stratified log-rank tests by statsmodels (Seabold and Perktold 2010), models given as formulas."""

from faceage_bio.analyses.verification.headline_input import GROUP, STRATUM, Curves, Model
from faceage_bio.core.columns import EVENT, FACE_AGE, FOLLOWUP


def contrasts_by_statsmodels(model: Model) -> list[dict[str, float]]:
    """Of each coefficient times its unit: difference in face age, its HC3 standard_error, p_value (t)."""
    from statsmodels.formula.api import ols

    fit = ols(f"{FACE_AGE} ~ {model.formula}", model.people).fit(cov_type="HC3", use_t=True)
    return [
        {
            "difference": one.unit * fit.params[one.term], "standard error": one.unit * fit.bse[one.term],
            "p-value": fit.pvalues[one.term],
        }
        for one in model.coefficients
    ]  # fmt: skip


def log_rank_by_statsmodels(curves: Curves) -> dict[str, float]:
    """Chi-square and p-value between all groups within strata; nobody enters late."""
    from statsmodels.duration.survfunc import survdiff

    people = curves.people.dropna(subset=[STRATUM])
    chi_square, p = survdiff(
        people[FOLLOWUP].to_numpy(), people[EVENT].to_numpy(), people[GROUP].to_numpy(), strata=people[STRATUM].to_numpy()
    )  # fmt: skip
    return {"chi-square": float(chi_square), "p-value": float(p)}
