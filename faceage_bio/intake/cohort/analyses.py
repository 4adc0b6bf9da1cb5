"""Whether a study's tables hold what its analyses ask of them, before any of them starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from faceage_bio.core.columns import AGE, COHORT, EVENT, FOLLOWUP, LATER, SAMPLE, SUBJECT
from faceage_bio.core.errors import CohortError, Problems
from faceage_bio.intake.rna.tissues import TISSUE, check_one_tissue, is_of_tissue

if TYPE_CHECKING:
    from faceage_bio.intake.cohort.intake import CohortTables

LEAST = 0.05  # share of the samples or participants that an analysis must keep
COLUMNS = [COHORT, "setting", "column", "n", "n_known", "n_complete"]


@dataclass(frozen=True)
class Tables:
    """The checked tables of a cohort that analyses take columns from, as in `intake.CohortTables`."""

    subjects: pd.DataFrame
    samples: pd.DataFrame
    variant_people: pd.DataFrame | None = None


@dataclass(frozen=True)
class Needed:
    """Columns that a setting names, and of whose rows none may be without them all."""

    setting: str
    names: Sequence[str]
    rows: pd.DataFrame
    unit: str  # of the rows
    analysis: str


def check_tables(
    cohorts: Mapping[str, Mapping],
    tables: "Mapping[str, Tables | CohortTables]",
    settings: Mapping[str, object],
) -> dict[str, pd.DataFrame]:
    """`check_analyses` of all cohorts.

    Raises
    ------
    CohortError
        Every problem of every cohort.
    """
    problems = Problems()
    found = {
        name: check_analyses(
            name, cohorts[name], one.subjects, one.samples, one.variant_people, settings, problems
        )
        for name, one in tables.items()
    }  # fmt: skip
    problems.stop_if_any()
    return found


def check_analyses(
    cohort: str,
    files: Mapping[str, str | None],
    subjects: pd.DataFrame,
    samples: pd.DataFrame,
    variant_people: pd.DataFrame | None,
    settings: Mapping[str, object],
    problems: Problems,
) -> pd.DataFrame:
    """What each analysis has of the columns that its setting names; a problem where (nearly) none of its rows has them all.

    Analyses of phenotypes and survival leave out a column without any value by themselves and say so; models of genes and
    variants, and the definition ``adjusted`` of age acceleration, would be left without a row.

    Parameters
    ----------
    files : the cohort's section of the config
    subjects, samples, variant_people : the checked tables
    settings : of `config.analysis_settings`

    Returns
    -------
    DataFrame with `COLUMNS`, one row per setting and column
    """
    clinical = files.get("clinical") or files.get("manifest") or files.get("face_ages")
    rows = []
    for needed in _needs(files, subjects, samples, variant_people, settings, problems):
        known = _known(needed)
        if known.empty:
            continue
        complete = known.all(axis=1)
        rows += [
            {COHORT: cohort, "setting": needed.setting, "column": name, "n": len(known),
             "n_known": int(known[name].sum()), "n_complete": int(complete.sum())}
            for name in known
        ]  # fmt: skip
        if lacking := _lacking(known):
            section, key = needed.setting.split(".")
            kept = [name for name in needed.names if not set(name.split(":")) & set(lacking)]
            found = ", ".join(f"'{name}' (known of {known[name].sum()})" for name in lacking)
            problems.other(
                f"{clinical}: cohort '{cohort}': {needed.setting} names {found}, so that {int(complete.sum())} of {len(known)} "
                f"{needed.unit} would be left in {needed.analysis}. Expected values for most of them. Write {section}: "
                f"{{{key}: [{', '.join(kept)}]}} in the config, or add the column to the clinical table; if it has another name there, "
                f"declare it, such as columns: {{{lacking[0]}: YOUR_NAME}}."
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def _needs(
    files: Mapping[str, str | None], subjects: pd.DataFrame, samples: pd.DataFrame, variant_people: pd.DataFrame | None,
    settings: Mapping[str, object], problems: Problems,
) -> list[Needed]:  # fmt: skip
    found = []
    if settings["acceleration.definition"] == "adjusted":
        adjusted = settings["acceleration.adjust_for"]
        analysis = "age acceleration by the definition 'adjusted'"
        found.append(Needed("acceleration.adjust_for", adjusted, subjects, "participants", analysis))
    if variant_people is not None:
        genotyped = subjects[subjects[SUBJECT].isin(variant_people[SUBJECT])]
        found.append(Needed("variants.covariates", settings["variants.covariates"], genotyped, "participants", "models of variants"))  # fmt: skip
    if len(samples):
        source = files.get("samples") or files.get("counts") or files.get("single_cell")
        mine = _of_tissue(samples, bool(files.get("clinical")), settings, str(source), problems)
        further = [name for name in samples if name not in (COHORT, SUBJECT, SAMPLE)]
        joined = mine.merge(subjects.drop(columns=[COHORT, *further], errors="ignore"), on=SUBJECT)
        found.append(Needed("expression.covariates", settings["expression.covariates"], joined, "samples", "models of genes"))  # fmt: skip
        followed = subjects.drop(columns="batch", errors="ignore").merge(mine[[SUBJECT, "batch"]], on=SUBJECT)
        followed = followed[followed[[FOLLOWUP, EVENT]].notna().all(axis=1)]
        for key in ("gene_covariates", "strata"):
            setting = f"survival.{key}"
            found.append(Needed(setting, settings[setting], followed, "samples", "Cox models of genes"))
    return found


def _of_tissue(
    samples: pd.DataFrame, clinical: bool, settings: Mapping[str, object], source: str, problems: Problems
) -> pd.DataFrame:
    """The samples of the tissue that is analysed; all if none is named."""
    tissue, repeated = settings["expression.tissue"], str(settings["expression.repeated_samples"])
    if tissue is None:
        named = {part for name in settings["expression.covariates"] for part in name.split(":")}
        # Cox models of genes take one sample per participant, the first
        in_both = "first" if repeated == "block" and TISSUE in named and clinical else repeated
        check_one_tissue(samples, in_both, named, source, problems)
        return samples
    try:
        return samples[is_of_tissue(samples, str(tissue))]
    except CohortError as error:
        problems.other(f"{source}: {error}")
        return samples.head(0)


def _known(needed: Needed) -> pd.DataFrame:
    """Which rows have a value of which column; a column that no table has is known of none."""
    parts = dict.fromkeys(part for name in needed.names for part in name.split(":"))
    names = [name for name in parts if name in needed.rows or not name.startswith(LATER)]
    names = [name for name in names if name != AGE]
    if not names:
        return pd.DataFrame()
    return needed.rows.reindex(columns=names).notna()


def _lacking(known: pd.DataFrame) -> list[str]:
    """Columns without which enough rows have all the others: those that the fewest have."""
    lacking: list[str] = []
    for name in known.sum().sort_values(kind="stable").index:
        complete = known.drop(columns=lacking).all(axis=1).sum()
        if complete > 0 and complete >= LEAST * len(known):
            break
        lacking.append(str(name))
    return lacking
