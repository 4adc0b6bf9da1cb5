"""Subgroup analyses: whether associations with face age differ between women and men, young and old, one site
and another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from faceage_bio.analyses.phenotype.comparison_frame import (
    Frame,
    claims,
    columns_of,
    fixed_order,
    levels_of,
    make_frame,
)
from faceage_bio.analyses.phenotype.contrasts import (
    LEAST_SQUARES,
    RAW,
    find_headline,
    numbers,
    raw_and_adjusted,
)
from faceage_bio.analyses.phenotype.group_means import wald_numbers
from faceage_bio.core.columns import AGE, AGE_GAP, COHORT, FACE_AGE, UNITS
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.stats.design import MAX_LEVELS
from faceage_bio.stats.linear import LinearFit, fit_linear
from faceage_bio.stats.minimum_sizes import IN_GROUP
from faceage_bio.stats.multiplicity import q_values

INTERACTION, PRODUCT = "interaction F", "difference of mean differences"
UNITS_OF = {AGE: (10.0, "10 years of age")} | UNITS


@dataclass(frozen=True)
class Subgroups:
    """``interactions``: of each exposure and modifier the test, and one row per product term; ``forest``: the
    exposure's headline contrast in each subgroup.
    """

    interactions: pd.DataFrame
    forest: pd.DataFrame


def compare_subgroups(
    table: pd.DataFrame,
    exposures: Sequence[str],
    modifiers: Sequence[str],
    adjust_for: Sequence[str],
    split_age: float,
) -> Subgroups:
    """Interaction tests and estimates in subgroups, within each cohort; disease over all cohorts.

    Parameters
    ----------
    table : rows of `gather`
    exposures, adjust_for : names of columns
    modifiers : names of columns whose groups are compared; age is tested as a number and shown in two groups
    split_age : float
        Age that divides the two groups of the forest, fixed beforehand.

    Returns
    -------
    Subgroups
        Rows twice, raw and adjusted. ``q_value`` of interactions: Benjamini and Hochberg over a cohort's
        adjusted tests. The forest carries ``p_interaction`` and ``q_interaction``; its estimates have no
        p-value, since a p in each subgroup is not a test of the difference between them.
    """
    tests, forest = [], []
    for cohort, rows, exposure in claims(table, exposures):
        for modifier in modifiers:
            if modifier == exposure:
                continue
            shared = {COHORT: cohort, "exposure": exposure, "modifier": modifier}
            tests += [shared | row for row in _interaction(rows, exposure, modifier, adjust_for)]
            forest += [shared | row for row in _forest(rows, exposure, modifier, adjust_for, split_age)]
    shared = {"question": "interaction", "family": "interactions of a cohort"}
    interactions = result_rows([shared | row for row in tests], "phenotype/interactions")
    tested = interactions.measure == INTERACTION
    interactions["q_value"] = q_values(interactions[tested & (interactions.adjustment != RAW)], COHORT)
    interactions["family"] = interactions["family"].where(interactions["q_value"].notna(), "")
    table_forest = result_rows([{"question": "subgroup"} | row for row in forest], "phenotype/subgroups")
    keys = [COHORT, "exposure", "modifier", "adjustment"]
    # a subgroup may be adjusted for less than all participants are
    found = interactions[tested].assign(adjustment=interactions.adjustment == RAW).set_index(keys)
    places = list(zip(*(table_forest[key] for key in keys[:-1]), table_forest.adjustment == RAW, strict=True))
    table_forest["p_interaction"] = [found.p_value.get(place, np.nan) for place in places]
    table_forest["q_interaction"] = [found.q_value.get(place, np.nan) for place in places]
    return Subgroups(interactions, table_forest)


def _interaction(rows: pd.DataFrame, exposure: str, modifier: str, adjust_for: Sequence[str]) -> list[dict]:
    modified = [] if modifier == AGE else [modifier]
    frame = make_frame(rows, exposure, [*adjust_for, *modified])
    about = {"term": f"{exposure} x {modifier}", "measure": INTERACTION, "model": "product terms, HC3 Wald"}
    shared = frame.about | about
    columns = [name for name in columns_of(frame.design, modifier) if name not in frame.own]
    why = frame.why_not
    if not why and not columns:
        why = reason("constant_or_unknown", column=modifier)
    if not why and (len(columns) >= MAX_LEVELS or len(frame.levels) > MAX_LEVELS):
        why = reason("many_products", most=MAX_LEVELS)
    crossed = not why and frame.levels and columns != [modifier]
    if crossed and pd.crosstab(frame.people[exposure], frame.people[modifier]).to_numpy().min() < IN_GROUP:
        why = reason("small_crossing", exposure=exposure, modifier=modifier, needed=IN_GROUP)
    if why:
        return raw_and_adjusted(shared, frame.covariates, why, why)
    own = _scaled(frame.design[frame.own])
    modified = _scaled(_modifier(frame, modifier, columns))
    pairs = {f"{one} x {other}": (one, other) for one in own for other in modified}
    products = pd.DataFrame({name: own[one] * modified[other] for name, (one, other) in pairs.items()})

    @cache
    def fit(outcome: str, adjusted: bool) -> LinearFit:
        others = list(frame.design) if adjusted else [*frame.own, *columns]
        return fit_linear(frame.people[outcome], frame.design[others].join(products))

    def test(outcome: str, adjusted: bool) -> dict:
        found = fit(outcome, adjusted).wald(list(products))
        return wald_numbers(found) | {"estimate": found.f_statistic}

    rows = raw_and_adjusted(
        shared, frame.covariates, lambda: test(AGE_GAP, False), lambda: test(FACE_AGE, True)
    )
    for name, pair in pairs.items():
        about = {"model": LEAST_SQUARES, "measure": PRODUCT, "term": name}
        rows += raw_and_adjusted(
            shared | about | _contrasted(frame, modifier, pair),
            frame.covariates,
            lambda name=name: numbers(fit(AGE_GAP, False).terms, name),
            lambda name=name: numbers(fit(FACE_AGE, True).terms, name),
        )
    return rows


def _scaled(columns: pd.DataFrame) -> pd.DataFrame:
    """Numbers in their units, centred, so that products are less collinear."""
    return (columns - columns.mean()) / [UNITS_OF.get(name, (1.0, ""))[0] for name in columns]


def _modifier(frame: Frame, modifier: str, columns: Sequence[str]) -> pd.DataFrame:
    """A number, or an indicator of each level of words but the first."""
    if list(columns) == [modifier]:
        return frame.design[[modifier]]
    words = frame.people[modifier].astype(str)
    return pd.DataFrame(
        {f"{modifier}: {one}": (words == one).astype(float) for one in fixed_order(words, modifier)[1:]}
    )


def _contrasted(frame: Frame, modifier: str, pair: tuple[str, str]) -> dict:
    """What a product term compares: levels with their references and sizes, numbers by their units."""
    level, reference, per, of_levels = [], [], [], []
    for name, column in ((frame.exposure, pair[0]), (modifier, pair[1])):
        if column == name:
            per.append(UNITS_OF.get(name, (1.0, f"1 unit of {name.replace('_', ' ')}"))[1])
            continue
        own = frame.people[name].astype(str)
        levels = frame.levels if name == frame.exposure else fixed_order(own, name)
        level.append(column.removeprefix(f"{name}: "))
        reference.append(levels[0])
        of_levels.append((own == level[-1], own == reference[-1]))
    said = {"level": " and ".join(level), "reference": " and ".join(reference)}
    said["per"] = ", for each ".join(per)
    if of_levels:
        members, others = (pd.concat(part, axis=1).all(axis=1).sum() for part in zip(*of_levels, strict=True))
        said |= {"n_exposed": int(members), "n_reference": int(others)}
    return said


def _forest(
    rows: pd.DataFrame, exposure: str, modifier: str, adjust_for: Sequence[str], split_age: float
) -> list[dict]:
    if modifier == AGE:
        order = [f"under {split_age:g}", f"{split_age:g} and over"]
        groups = pd.Series(np.where(rows[AGE] < split_age, *order), index=rows.index).where(
            rows[AGE].notna(), None
        )
    else:
        groups = rows[modifier]
        order = list(levels_of(rows, [modifier]).get(modifier, sorted(groups.dropna().unique())))
    if len(order) > MAX_LEVELS:
        return []  # the row of the interaction says why
    whole = make_frame(rows, exposure, adjust_for)
    result = []
    for level in order:
        frame = make_frame(rows[groups == level], exposure, [name for name in adjust_for if name != modifier])
        name = f"{modifier}: {level:g}" if isinstance(level, float) else f"{modifier}: {level}"
        about = {"subgroup": name, "p_value": np.nan, "statistic": np.nan}
        result += [row | about for row in find_headline(frame, whole).rows()]
    return result
