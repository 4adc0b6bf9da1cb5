"""From analysis tables to the participants, columns and groups that a comparison is made of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.analyses.age_residual import years_above
from faceage_bio.core.columns import AGE, AGE_GAP, COHORT, FACE_AGE, LEVELS, POOLED, UNITS
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.stats.design import build_design, require_columns
from faceage_bio.stats.minimum_sizes import IN_GROUP

BMI_CUTS = [-np.inf, 18.5, 25.0, 30.0, np.inf]  # World Health Organization, the lower end belongs to a class
BMI_CLASSES = ("under 18.5", "18.5 to 25", "25 to 30", "30 and over")
ORDERED = {"bmi_class": BMI_CLASSES, "smoking": LEVELS["smoking"]}  # beside columns of whole numbers
REFERENCES = LEVELS | {"bmi_class": ("18.5 to 25", "under 18.5", "25 to 30", "30 and over")}
SAME = {"bmi_class": "bmi", "bmi": "bmi_class"}  # one made of the other: never held constant against it
DISEASE = "group"  # cancer or reference; a clinical table may lack it


def gather(tables: Sequence[pd.DataFrame], names: Sequence[str]) -> pd.DataFrame:
    """All cohorts below each other, with what a plain table may lack: cohort, age gap, BMI class.

    Parameters
    ----------
    tables : one analysis table for each cohort
        Columns face_age and chronological_age (years) and those that are compared.
    names : what a table's cohort is called if it does not say so
    """
    ready = []
    for table, name in zip(tables, names, strict=True):
        table = table.assign(**{AGE_GAP: years_above(table[FACE_AGE], table[AGE])})
        if COHORT not in table:
            table[COHORT] = name
        if "bmi" in table and "bmi_class" not in table and pd.api.types.is_numeric_dtype(table["bmi"]):
            classes = pd.cut(table["bmi"], BMI_CUTS, right=False, labels=list(BMI_CLASSES))
            table["bmi_class"] = classes.astype(object).where(classes.notna(), None)
        ready.append(table)
    # columns without any value say nothing of the type of the others
    return pd.concat([table.dropna(axis=1, how="all") for table in ready], ignore_index=True).reindex(
        columns=list(dict.fromkeys(column for table in ready for column in table))
    )


def claims(table: pd.DataFrame, exposures: Sequence[str]) -> Iterator[tuple[str, pd.DataFrame, str]]:
    """What is compared among whom: each exposure within each cohort, but disease over all cohorts together.

    Yields
    ------
    (cohort or "pooled", its rows, exposure)
    """
    for name, rows in table.groupby(COHORT, sort=False):
        yield from ((str(name), rows, exposure) for exposure in exposures if exposure != DISEASE)
    if DISEASE in exposures:
        yield POOLED, table, DISEASE


@dataclass(frozen=True)
class Frame:
    """The participants of one comparison.

    ``people``: rows with both ages, the exposure and all covariates; ``design``: their exposure, age and
    covariates as numbers; ``levels``: of a factor its groups in order, the reference first; ``lonely``:
    groups left out because they are too small; ``covariates``: what is adjusted for, age first; ``remarks``:
    who or what was excluded; ``why_not``: why nothing can be compared.
    """

    exposure: str
    people: pd.DataFrame
    design: pd.DataFrame
    levels: tuple[str, ...]
    lonely: tuple[str, ...]
    covariates: tuple[str, ...]
    remarks: tuple[Reason, ...]
    why_not: Reason | None

    def column(self, level: str) -> str | None:
        """The design's column of a level; None for the reference."""
        name = f"{self.exposure}: {level}"
        return name if name in self.design else None

    @property
    def about(self) -> dict:
        """What every row of the comparison says of it."""
        shared = {"term": self.exposure, "exposure": self.exposure}
        return shared | {"n": len(self.people), "reason": self.remarks}

    @property
    def own(self) -> list[str]:
        """The exposure's columns of the design."""
        return columns_of(self.design, self.exposure)

    def members(self, level: str) -> pd.Series:
        """Who belongs to a level."""
        return self.people[self.exposure] == level


def columns_of(design: pd.DataFrame, name: str) -> list[str]:
    """The columns of a design that a number, or the levels of a factor, have."""
    return [column for column in design if column == name or column.startswith(f"{name}: ")]


def unit_of(exposure: str) -> tuple[float, str]:
    """What the years of an amount are given for: size and words."""
    return UNITS.get(exposure, (1.0, "1 unit"))


def in_units(design: pd.DataFrame, exposure: str) -> pd.DataFrame:
    """The design with an exposure that is an amount in its unit."""
    if exposure not in design:
        return design
    return design.assign(**{exposure: design[exposure] / unit_of(exposure)[0]})


def make_frame(
    table: pd.DataFrame, exposure: str, adjust_for: Sequence[str], *, factor: bool = False
) -> Frame:
    """Who can be compared on an exposure, with age and covariates at hand.

    Groups of one (of the exposure or of a covariate) are left out and named: a fit would follow such a person
    exactly. Covariates that no participant has, or that do not vary, are left out too.

    Parameters
    ----------
    table : rows of `gather`
    exposure, adjust_for : names of columns
    factor : bool
        Take whole numbers, such as ECOG, for groups.

    Raises
    ------
    CohortError
        The table lacks a column.
    """
    others = [name for name in dict.fromkeys(adjust_for) if name not in (exposure, SAME.get(exposure), AGE)]
    require_columns(table, [exposure, AGE, *others])
    known = table[AGE_GAP].notna()
    absent = [name for name in others if not (known & table[name].notna()).any()]
    others = [name for name in others if name not in absent]
    remarks = [reason("without_missing", columns=name) for name in absent]
    complete = known & table[[exposure, AGE, *others]].notna().all(axis=1)
    people = table[complete].reset_index(drop=True)
    words = [name for name in others if not pd.api.types.is_numeric_dtype(people[name])]
    if factor or not pd.api.types.is_numeric_dtype(people[exposure]):
        people[exposure] = as_words(people[exposure])
        words.insert(0, exposure)
    first_levels = (
        levels_in(table.loc[known, exposure], exposure, people[exposure]) if exposure in words else ()
    )
    while True:  # leaving one group out may leave another with one person
        small = {name: _small_levels(people[name]) for name in words}
        alone = pd.Series(False, index=people.index)
        for name, levels in small.items():
            alone |= people[name].isin(levels)
            if name != exposure:
                remarks += [reason("without_single", column=name, level=level) for level in levels]
        if not alone.any():
            break
        people = people[~alone].reset_index(drop=True)
    levels = tuple(level for level in first_levels if (people[exposure] == level).any())
    lonely = tuple(level for level in first_levels if level not in levels)
    # those left out must not change which group is the reference
    orders = {name: order_of(people[name], name) for name in words} | ({exposure: levels} if levels else {})
    design = build_design(people, [exposure, AGE, *others], orders)
    held = [name for name in others if name not in design.constant]
    why_not = None
    if len(people) == 0 or exposure in design.constant:
        why_not = _nothing_to_compare(
            people[exposure], table.loc[known, exposure], len(people) < complete.sum()
        )
    return Frame(exposure, people, design.matrix, levels, lonely, ("age", *held), tuple(remarks), why_not)


def no_disease(table: pd.DataFrame, group: str = DISEASE) -> Reason | None:
    """Why participants cannot be compared by disease. Any other column that lacks is an error of the one who
    named it.
    """
    if group != DISEASE or DISEASE in table:
        return None
    return reason("no_disease_column", column=DISEASE)


def _nothing_to_compare(values: pd.Series, known: pd.Series, single: bool) -> Reason:
    """Why participants who all have one value, or none, cannot be compared; the value itself is theirs, but
    for disease.

    Parameters
    ----------
    values, known : of the participants who are left, and of all
    single : whether groups of one were left out
    """
    if len(values) == 0:
        if single:
            return reason("no_group", needed=IN_GROUP)
        return reason("no_complete_values" if known.notna().any() else "no_value")
    if len(values) == 1:
        return reason("one_value")
    if values.name == DISEASE:
        return reason("one_named_level", n=len(values), level=values.iloc[0])
    return reason("one_level", n=len(values))


def as_words(values: pd.Series) -> pd.Series:
    """Groups as words: whole numbers without a decimal point."""
    if pd.api.types.is_numeric_dtype(values):
        return values.map(lambda value: f"{value:g}").astype(object)
    return values.astype(str).astype(object)


def order_of(words: pd.Series, name: str) -> tuple[str, ...]:
    """A factor's words in order, the reference first: as declared, by number, or the most frequent first."""
    found = words.value_counts()
    if name in REFERENCES:
        declared = [word for word in REFERENCES[name] if word in found]
        return (*declared, *sorted(set(found.index) - set(declared)))
    if len(found) and all(_is_number(word) for word in found.index):
        return tuple(sorted(found.index, key=float))
    return tuple(sorted(found.index, key=lambda word: (-found[word], word)))


def fixed_order(words: pd.Series, name: str) -> tuple[str, ...]:
    """As `order_of`, but by the alphabet where no order is declared: cohorts that are pooled need one
    reference.
    """
    declared = name in REFERENCES or all(_is_number(word) for word in words.unique())
    return order_of(words, name) if declared else tuple(sorted(words.unique()))


def levels_in(everybody: pd.Series, name: str, people: pd.Series) -> tuple[str, ...]:
    """The groups among some participants in the order that they have among all who have a value.

    So the reference is the same whoever lacks a covariate.
    """
    present = set(people)
    return tuple(level for level in order_of(as_words(everybody.dropna()), name) if level in present)


def ascending(levels: Sequence[str], name: str) -> tuple[str, ...]:
    """Levels of an ordered factor from low to high; nothing if the factor has no order."""
    if name in ORDERED and set(levels) <= set(ORDERED[name]):
        return tuple(word for word in ORDERED[name] if word in levels)
    if levels and all(_is_number(word) for word in levels):
        return tuple(sorted(levels, key=float))
    return ()


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _small_levels(words: pd.Series) -> list[str]:
    sizes = words.value_counts()
    return sorted(sizes.index[sizes < IN_GROUP])


def levels_of(people: pd.DataFrame, columns: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """The order of every column of words, so that several tables of the same participants have the same
    reference.
    """
    return {
        name: order_of(people[name].dropna(), name)
        for name in columns
        if not pd.api.types.is_numeric_dtype(people[name])
    }
