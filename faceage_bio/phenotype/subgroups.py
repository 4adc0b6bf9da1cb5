"""Subgroup analyses: whether associations with face age differ between women and men, young and old, one site and another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.columns import AGE, AGE_GAP, COHORT, FACE_AGE
from faceage_bio.phenotype.contrasts import RAW, raw_and_adjusted
from faceage_bio.phenotype.headline import headline
from faceage_bio.phenotype.levels import wald_numbers
from faceage_bio.phenotype.people import FEWEST, MAX_LEVELS, claims, levels_of, make_frame
from faceage_bio.results.reasons import reason
from faceage_bio.results.row import result_rows
from faceage_bio.stats.linear import fit_linear
from faceage_bio.stats.multiplicity import benjamini_hochberg

INTERACTION = "interaction F"


@dataclass(frozen=True)
class Subgroups:
    """``interactions``: one row per exposure and modifier; ``forest``: the exposure's headline contrast in each subgroup."""

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
        Rows twice, raw and adjusted. ``q_value`` of interactions: Benjamini and Hochberg over a cohort's adjusted tests. The
        forest carries ``p_interaction`` and ``q_interaction``; its estimates have no p-value, since a p in each subgroup is
        not a test of the difference between them.
    """
    tests, forest = [], []
    for cohort, rows, exposure in claims(table, exposures):
        for modifier in modifiers:
            if modifier == exposure:
                continue
            shared = {COHORT: cohort, "exposure": exposure, "modifier": modifier}
            tests += [
                shared | {"question": "interaction", "family": "interactions of a cohort"} | row
                for row in _interaction(rows, exposure, modifier, adjust_for)
            ]
            forest += [
                shared | {"question": "subgroup"} | row
                for row in _forest(rows, exposure, modifier, adjust_for, split_age)
            ]
    interactions = result_rows(tests, "phenotype/interactions")
    adjusted = interactions[interactions.adjustment != RAW]
    for _, place in adjusted.groupby(COHORT).groups.items():
        interactions.loc[place, "q_value"] = benjamini_hochberg(
            interactions.loc[place, "p_value"].to_numpy(dtype=np.float64)
        )
    interactions["family"] = interactions["family"].where(interactions["q_value"].notna(), "")
    table_forest = result_rows(forest, "phenotype/subgroups")
    keys = [COHORT, "exposure", "modifier", "adjustment"]
    # a subgroup may be adjusted for less than all participants are
    found = interactions.assign(adjustment=interactions.adjustment == RAW).set_index(keys)
    places = list(zip(*(table_forest[key] for key in keys[:-1]), table_forest.adjustment == RAW, strict=True))
    table_forest["p_interaction"] = [found.p_value.get(place, np.nan) for place in places]
    table_forest["q_interaction"] = [found.q_value.get(place, np.nan) for place in places]
    return Subgroups(interactions, table_forest)


def _interaction(rows: pd.DataFrame, exposure: str, modifier: str, adjust_for: Sequence[str]) -> list[dict]:
    modified = [] if modifier == AGE else [modifier]
    frame = make_frame(rows, exposure, [*adjust_for, *modified])
    shared = {
        "term": f"{exposure} x {modifier}", "measure": INTERACTION, "n": len(frame.people), "model": "product terms, HC3 Wald",
        "reason": frame.remarks,
    }  # fmt: skip
    columns = [
        name for name in frame.design
        if name not in frame.own and (name == modifier or name.startswith(f"{modifier}: "))
    ]  # fmt: skip
    why = frame.why_not
    if not why and not columns:
        why = reason("constant_or_unknown", column=modifier)
    if not why and (len(columns) >= MAX_LEVELS or len(frame.levels) > MAX_LEVELS):
        why = reason("many_products", most=MAX_LEVELS)
    crossed = not why and frame.levels and columns != [modifier]
    if crossed and pd.crosstab(frame.people[exposure], frame.people[modifier]).to_numpy().min() < FEWEST:
        why = reason("small_crossing", exposure=exposure, modifier=modifier, needed=FEWEST)
    if why:
        return raw_and_adjusted(shared, frame.covariates, why, why)
    centred = frame.design - frame.design.mean()
    products = pd.DataFrame({
        f"{one} x {other}": centred[one] * centred[other] for one in frame.own for other in columns
    })  # fmt: skip

    def test(outcome: pd.Series, others: list[str]) -> dict:
        found = fit_linear(outcome, frame.design[others].join(products)).wald(list(products))
        return wald_numbers(found) | {"estimate": found.f_statistic}

    return raw_and_adjusted(
        shared, frame.covariates,
        lambda: test(frame.people[AGE_GAP], [*frame.own, *columns]),
        lambda: test(frame.people[FACE_AGE], list(frame.design)),
    )  # fmt: skip


def _forest(
    rows: pd.DataFrame, exposure: str, modifier: str, adjust_for: Sequence[str], split_age: float
) -> list[dict]:
    if modifier == AGE:
        words = rows[AGE].map(
            lambda age: f"under {split_age:g}" if age < split_age else f"{split_age:g} and over"
        )
        groups = words.where(rows[AGE].notna(), None)
        order = [f"under {split_age:g}", f"{split_age:g} and over"]
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
        result += [
            {"subgroup": name} | row | {"p_value": np.nan, "statistic": np.nan}
            for row in headline(frame, whole)
        ]
    return result
