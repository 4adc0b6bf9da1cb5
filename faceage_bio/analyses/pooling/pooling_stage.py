"""The stage: headline estimates of result tables, or those of a plain table, pooled over cohorts."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from faceage_bio.analyses.pooling.estimates import Choices, Pooled, pool_rows
from faceage_bio.analyses.pooling.headlines import headline_rows
from faceage_bio.analyses.pooling.plain_cohorts import read_cohorts
from faceage_bio.analyses.pooling.sources import SOURCES
from faceage_bio.core.columns import COHORT, POOLED
from faceage_bio.core.errors import RunError
from faceage_bio.core.results.reasons import in_words
from faceage_bio.core.results.result_tables import key_of
from faceage_bio.core.settings.settings_report import Pooling
from faceage_bio.core.tables import read_table


def pool_tables(
    paths: Sequence[Path], measure: str | None, settings: Pooling, fit_in: str, columns: Sequence[str] = ()
) -> Pooled:
    """Pool result tables, or one plain table whose ``measure`` is given.

    Parameters
    ----------
    settings : of the config
    fit_in : in whom age acceleration was fitted ("cohort" or "reference")
    columns : moderators that are columns of the plain table

    Raises
    ------
    RunError
        Several plain tables; a table that holds no headline estimates.
    CohortError
        What `read_cohorts` and `headline_rows` refuse.
    """
    choices = Choices(
        settings.method, settings.test, settings.prediction_df, settings.overlapping, settings.moderators, fit_in == "reference"
    )  # fmt: skip
    if measure is not None:
        if len(paths) > 1:
            raise RunError(
                f"--measure is of one plain table, but {len(paths)} were given. Expected one --table. Put the cohorts into one table."
            )
        rows = read_cohorts(
            paths[0], measure, reference_cohorts=settings.reference_cohorts, overlapping=settings.overlapping, moderators=columns
        )  # fmt: skip
        known = {name: dict(zip(rows[COHORT], rows[name], strict=True)) for name in columns}
        return pool_rows(rows, replace(choices, moderators={**choices.moderators, **known}))
    tables: dict[str, list[pd.DataFrame]] = {}
    for path in paths:
        name = key_of(str(path.absolute()))
        if name not in SOURCES:
            raise RunError(
                f"{path}: no result table whose estimates are pooled. Expected one of {', '.join(SOURCES)}. Give it as {{cohort}}/{{folder}}/{{table}}.tsv, "
                "or say with --measure what the estimates of a plain table are."
            )
        tables.setdefault(name, []).append(read_table(path))
    return pool_rows(headline_rows(tables, settings.reference_cohorts), choices)


def sentences(estimates: pd.DataFrame, measure: str | None) -> Iterator[str]:
    """What was found, as lines for the terminal: each pooled estimate of a plain table, numbers of result tables."""
    pooled = estimates[estimates[COHORT] == POOLED]
    done = pooled["estimate"].notna()
    if measure is None:
        yield f"{done.sum()} estimates pooled over cohorts, {(~done).sum()} not (reasons in the table)"
        return
    for row in pooled.itertuples():
        if math.isnan(row.estimate):
            yield f"{measure}: {in_words(row.reason)}"
            continue
        spread = f", I2 {row.i2:.0f}%" if not math.isnan(row.i2) else ""
        beyond = (
            f", 95% prediction interval {row.pi_lower:.3f} to {row.pi_upper:.3f}"
            if not math.isnan(row.pi_lower)
            else ""
        )
        yield (
            f"{measure} {row.estimate:.3f} (95% CI {row.ci_lower:.3f} to {row.ci_upper:.3f}), {int(row.cohorts)} cohorts, {row.method}; "
            f"Q p {row.heterogeneity_p:.3f}{spread}{beyond}"
        )  # fmt: skip
