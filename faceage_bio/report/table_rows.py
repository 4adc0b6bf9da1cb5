"""Which rows of the result tables stand in the tables for authors, selected here alone (journal_tables.py gives them their form)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from faceage_bio.core.columns import COHORT, PER_SD, POOLED, column_words
from faceage_bio.core.config import Config
from faceage_bio.core.errors import TableError
from faceage_bio.core.results.reasons import decode
from faceage_bio.core.results.row import answers
from faceage_bio.core.settings.settings_study import ADDED, GENES, SURVIVAL, Planned, planned
from faceage_bio.core.tables import to_records
from faceage_bio.report import words
from faceage_bio.report.sections_participants import ALL, DIFFERENCES, LARGEST
from faceage_bio.report.tables_by_place import ReportTables, first_of, rows_by, where
from faceage_bio.report.words import first_upper

WITHOUT = ("without_missing", "without_constant")  # reasons that name covariates that a model went without
EXPOSURES = ("face_age", "age_acceleration", "chronological_age")
JOINT, GAP = "together", "unadjusted age gap"  # gene models: both ages in one model; age gap alone
# what tells one association from another, besides who was compared
ASSOCIATION = (
    COHORT,
    "question",
    "term",
    "measure",
    "level",
    "subgroup",
    "modifier",
    "adjustment_set",
    "missing",
)
SPARSE = ("few_events_per_variable", "few_clusters", "sparse_cohorts")  # of few events or clusters
SPOKEN = dict.fromkeys(("group: cancer vs reference", "group"), "Cancer vs controls")


@dataclass(frozen=True)
class Model:
    """One exposure's sequentially adjusted models in one cohort."""

    exposure: str
    per: str
    rows: list[dict]


@dataclass(frozen=True)
class Genes:
    """The prespecified genes of one analysis (bulk RNA, or a cell type): rows for both ages in one model, by gene."""

    analysis: str
    per: str
    adjustment: str
    acceleration: dict[str, dict]
    age: dict[str, dict]


@dataclass(frozen=True)
class Key:
    """A key result in one cohort: the adjusted row, the unadjusted one, and whose it is; or pooled over cohorts."""

    whom: str
    adjusted: dict
    unadjusted: dict | None
    pooled: bool = False

    @property
    def estimated(self) -> bool:
        return not pd.isna(self.adjusted["estimate"])


@dataclass(frozen=True)
class Group:
    """A column of Table 1: a group of participants, its size and its rows."""

    name: str
    n: float
    rows: pd.DataFrame


@dataclass(frozen=True)
class Pool:
    """A pooled estimate and those of its cohorts."""

    row: dict
    cohorts: list[dict]


def pools(tables: ReportTables, source: str, **wanted: object) -> list[Pool]:
    """The estimates of a source (``survival/cox``) that were pooled, where the named columns hold these values."""
    table = tables.get("meta_analysis", "estimates")
    if not len(table):
        return []
    table = table.assign(pool=table["cohort"].eq(POOLED).cumsum())
    heads = table[table["cohort"].eq(POOLED) & table["source"].eq(source) & table["estimate"].notna()]
    heads = where(heads, **wanted)
    members = {pool: rows for pool, rows in table[table["pool"].isin(heads["pool"])].groupby("pool")}
    return [Pool(row, to_records(members[row["pool"]].iloc[1:])) for row in to_records(heads)]


def pooled_key(tables: ReportTables, source: str, **wanted: object) -> list[Key]:
    """The pooled estimate as the first row of a key result, if there is one, with the unadjusted one where one is wanted as adjusted."""
    raw = pools(tables, source, **wanted | {"adjustment": "unadjusted"}) if "adjustment" in wanted else []
    found = pools(tables, source, **wanted)[:1]
    return [Key(of_cohorts(one.row), one.row, raw[0].row if raw else None, pooled=True) for one in found]


@dataclass(frozen=True)
class Pools:
    """Pooled estimates of one kind, each with its heading: ``of``: "HR for death per 10-year increase in face age"; ``null``: no association."""

    title: str
    of: str
    null: float
    digits: int
    survival: bool
    genes: bool
    pools: list[tuple[str, Pool]]


def headline_pools(tables: ReportTables, config: Config) -> list[Pools]:
    """What the forests of the meta-analysis show: hazard ratios by adjustment, added value, exposures, prespecified genes, gene sets."""
    acceleration = {"exposure": "age_acceleration", "question": "expression"}
    hazards = pools(tables, "survival/cox", exposure="face_age")
    added = pools(tables, "survival/added_value", measure="difference of Harrell's C")
    exposures = pools(tables, "phenotype/phenotypes")
    exposures = [one for one in exposures if one.row["adjustment"] != "unadjusted"]
    panel = pools(tables, "expression/panel", **acceleration)
    sets = pools(tables, "expression/set_associations", **acceleration)
    sets = [one for one in sets if one.row["analysis"].startswith("mean z")]

    def per(found: Sequence[Pool]) -> str:
        return per_increase(found[0].row["per"]) if found else ""

    made = [
        Pools("Overall survival", f"Hazard ratio for death {per(hazards)} in face age", 1, 2, True, False, [(_adjustment(one.row), one) for one in hazards]),
        Pools("Added value", "Change in Harrell's C-index with face age", 0, 3, True, False, [(words.comparison_title(one.row["analysis"]), one) for one in added]),
        Pools("Exposures", "Difference in face age, years, adjusted for age and covariates", 0, 1, False, False, [(comparison(one.row), one) for one in exposures]),
        Pools("Prespecified genes", f"Log2 fold change {per(panel)} in age acceleration", 0, 2, False, True, [(one.row["term"], one) for one in panel]),
        Pools("Gene sets", f"Standardised mean difference {per(sets)} in age acceleration", 0, 2, False, False, [(one.row["term"], one) for one in sets]),
    ]  # fmt: skip
    return [one for one in made if one.pools]


def _adjustment(row: Mapping) -> str:
    return f"Adjusted for {held}" if (held := adjusted_for(row)) else "Unadjusted"


def of_cohorts(row: Mapping) -> str:
    """What a pooled row is called: "Pooled, 3 cohorts"."""
    return f"Pooled, {row['cohorts']:.0f} cohorts"


def names_of(config: Config) -> list[str]:
    """The cohorts, and all of them together."""
    return [*config.cohorts, POOLED]


def whom(cohort: str) -> str:
    """A cohort's name as a table prints it."""
    return "All cohorts" if cohort == POOLED else cohort


def exposure(term: str) -> str:
    """An exposure or contrast as a table prints it: "Smoking: current vs never", "BMI"."""
    return first_upper(SPOKEN.get(term, column_words(words.label(term))))


def level(name: str) -> str:
    """A level or group as Table 1 prints it."""
    return "Overall" if name == ALL else first_upper(str(name))


def adjusted_for(row: Mapping) -> str:
    """The covariates of a row's model in words; "" where there is none."""
    without = [one.parameters["columns"] for one in decode(row["reason"]) if one.code in WITHOUT]
    left_out = {"", *", ".join(without).split(", ")}
    columns = str(row["covariates"]).split(", ")
    return ", ".join(words.term(name).replace("_", " ") for name in columns if name not in left_out)


def per_increase(per: str) -> str:
    """The unit of an estimate: "per 10-year increase", "per 5 kg/m²"; "" for a contrast."""
    years = re.fullmatch(r"(\S+) years", per)
    return f"per {years[1]}-year increase" if years else f"per {per}" if per else ""


def comparison(row: Mapping) -> str:
    """What a row compares: "Smoking: current vs never", "BMI, per 5 kg/m²"."""
    return ", ".join(filter(None, (exposure(row["term"]), per_increase(row["per"]))))


def is_sparse(row: Mapping) -> bool:
    """Whether a model, or one that is pooled, has too few events for its variables or too few clusters for its errors."""
    return any(one.code in SPARSE for one in decode(row.get("reason", "")))


def groups_of(table: pd.DataFrame) -> list[Group]:
    """The columns of one cohort's Table 1: all participants first."""
    heads, rows = table[table["measure"] == "participants"], table[table["variable"].fillna("") != ""]
    return [Group(row.group, row.n, rows[rows["group"] == row.group]) for row in heads.itertuples()]


def standardised_differences(table: pd.DataFrame) -> dict[str, float]:
    """The largest standardised difference between two groups, by variable."""
    rows = table[table["measure"].isin(DIFFERENCES) & (table["group"] == LARGEST)]
    return dict(zip(rows["variable"], rows["estimate"], strict=True))


def cox_models(tables: ReportTables, cohort: str) -> list[Model]:
    """Hazard ratios of face age, of age acceleration per SD, and of chronological age without face age, from unadjusted to full."""
    cox = tables.get("survival", "cox", cohort)
    own = cox[cox["term"] == cox["exposure"]]
    own = own[(own["exposure"] != "age_acceleration") | (own["per"] == PER_SD)]
    return [
        Model(name, words.per_words(rows.iloc[0]), _once(to_records(rows)))
        for name in EXPOSURES
        if len(rows := own[own["exposure"] == name])
    ]


def _once(rows: list[dict]) -> list[dict]:
    """The models without those whose covariates are those of the one before: a covariate that no participant has adds no step."""
    return [row for k, row in enumerate(rows) if not k or adjusted_for(row) != adjusted_for(rows[k - 1])]


def paired(table: pd.DataFrame) -> list[dict]:
    """Each association once, with its ``raw`` and its ``adjusted`` row.

    Raises
    ------
    TableError
        A row without the other: a page shows both or nothing.
    """
    keys = [key for key in ASSOCIATION if key in table]
    found: dict[tuple[str, ...], tuple[list[dict], list[dict]]] = {}
    for row in to_records(table):
        both = found.setdefault(tuple(str(row[key]) for key in keys), ([], []))
        both[row["adjustment"] != "unadjusted"].append(row)
    for place, (raw, adjusted) in found.items():
        if len(raw) != 1 or len(adjusted) != 1:
            what = ", ".join(part for part in place if part not in ("", "nan", "None"))
            raise TableError(
                f"the result table needs one unadjusted and one age-adjusted row for each association, but '{what}' has {len(raw)} raw "
                f"and {len(adjusted)} adjusted. Run the step that wrote it again; a page does not show one without the other."
            )
    return [{"raw": raw, "adjusted": adjusted} for (raw,), (adjusted,) in found.values()]


def comparisons(tables: ReportTables, cohort: str) -> list[dict]:
    """Pairs of rows, ``raw`` and ``adjusted``: cancer and controls over all cohorts, or each exposure in one cohort."""
    if cohort == POOLED:
        return paired(tables.get("phenotype", "groups"))
    return paired(tables.get("phenotype", "phenotypes", cohort))


def gene_panel(tables: ReportTables, cohort: str) -> Iterator[Genes]:
    """The prespecified genes of each analysis of a cohort."""
    panel = tables.get("expression", "panel", cohort)
    for analysis, rows in panel[panel["model"] == JOINT].groupby("question", sort=False):
        acceleration, age = (
            rows_by(rows[rows["exposure"] == name], "term")
            for name in ("age_acceleration", "chronological_age")
        )
        if acceleration:
            first = next(iter(acceleration.values()))
            yield Genes(str(analysis), first["per"], adjusted_for(first), acceleration, age)


@dataclass(frozen=True)
class KeyQuestion:
    """A question of the analysis plan, what heads it (a gene, a comparison, what face age is added to), and a row for each cohort."""

    plan: Planned
    what: str
    keys: list[Key]


def key_questions(tables: ReportTables, config: Config) -> list[KeyQuestion]:
    """The questions that result tables answer, in the order of the analysis plan; those without a result have no keys."""
    found = []
    for plan in planned(config):
        if plan.question == SURVIVAL:
            found.append(KeyQuestion(plan, "", key_survival(tables, config, plan)))
        elif plan.question == GENES:
            found.append(KeyQuestion(plan, config.expression.panel[0], key_gene(tables, config)))
        elif plan.question == ADDED:
            found.append(KeyQuestion(plan, *key_added_value(tables, config, plan)))
        else:
            by = key_comparisons(tables, config, plan) or [(exposure(plan.exposure), [])]
            found += [KeyQuestion(plan, what, keys) for what, keys in by]
    return found


def key_survival(tables: ReportTables, config: Config, plan: Planned) -> list[Key]:
    """The planned hazard ratio, with the unadjusted one, in each cohort."""
    found = pooled_key(tables, "survival/cox", exposure=plan.exposure, adjustment=plan.adjustment)
    for name in names_of(config):
        cox = tables.get("survival", "cox", name)
        unadjusted = to_records(cox[answers(cox, "cox", plan._replace(adjustment="unadjusted"))])
        for row in to_records(cox[answers(cox, "cox", plan)]):
            found.append(Key(whom(name), row, unadjusted[0] if unadjusted else None))
    return found


def key_gene(tables: ReportTables, config: Config) -> list[Key]:
    """The first prespecified gene in each cohort and cell type, with the fold change by the unadjusted age gap."""
    gene = config.expression.panel[0]
    wanted = {"term": gene, "exposure": "age_acceleration", "model": JOINT, "question": "expression"}
    found = pooled_key(tables, "expression/panel", **wanted)
    for name in names_of(config):
        panel = tables.get("expression", "panel", name)
        gaps = panel[(panel["model"] == GAP) & (panel["term"] == gene)]
        for genes in gene_panel(tables, name):
            gap = to_records(gaps[gaps["question"] == genes.analysis])
            if gene in genes.acceleration:
                label = ", ".join(filter(None, (whom(name), cells_of(genes.analysis))))
                found.append(Key(label, genes.acceleration[gene], gap[0] if gap else None))
    return found


def key_comparisons(tables: ReportTables, config: Config, plan: Planned) -> list[tuple[str, list[Key]]]:
    """The last group of the planned exposure in each cohort, or cancer and controls, by comparison and adjustment.

    A row without an estimate stands with the estimates of other cohorts.
    """
    keys = []
    for name in (POOLED, *config.cohorts):
        last = {pair["adjusted"]["term"].partition(": ")[0]: pair for pair in comparisons(tables, name)}
        if pair := last.get(plan.exposure):
            row = pair["raw" if plan.adjustment == "unadjusted" else "adjusted"]
            keys.append(Key(whom(name), row, pair["raw"]))
    estimated = [key.adjusted for key in keys if key.estimated]
    found: dict[tuple[str, str], list[Key]] = {}
    for key in keys:
        row = key.adjusted if key.estimated or not estimated else estimated[0]
        wanted = {"term": row["term"], "adjustment": row["adjustment"]}
        pooled = pooled_key(tables, "phenotype/phenotypes", **wanted)
        found.setdefault((comparison(row), adjusted_for(row)), pooled).append(key)
    return [(what, keys) for (what, _), keys in found.items() if any(map(_compares, keys))]


def _compares(key: Key) -> bool:
    """Whether a row has an estimate, or levels of which there is none; without controls there is nothing to compare."""
    return key.estimated or ": " in key.adjusted["term"]


def key_added_value(tables: ReportTables, config: Config, plan: Planned) -> tuple[str, list[Key]]:
    """What face age is added to, and the change of Harrell's C-index with the p of the likelihood-ratio test in each cohort.

    A cohort whose models could not be fitted stands with the estimates of others.
    """
    found: dict[str, Key] = {}
    base = asked = ""
    added = {name: tables.get("survival", "added_value", name) for name in names_of(config)}
    for name, rows in added.items():
        comparisons = rows[answers(rows, "added_value", plan)]["comparison"]
        rows = rows[rows["comparison"].isin(comparisons.head(1))]
        models = rows[rows["measure"] == "Harrell's C"]
        change = to_records(rows[rows["measure"] == "difference of Harrell's C"])
        test = rows[rows["kind"] == "test"]["p_value"]
        if len(models) == 2 and change:
            base, asked = models["term"].iloc[0].replace(" + ", ", "), comparisons.iloc[0]
            p = test.iloc[0] if len(test) else float("nan")
            found[name] = Key(whom(name), change[0] | {"p_value": p}, to_records(models)[0])
    if not found:
        return base, []
    for name in added.keys() - found.keys():
        if row := first_of(added[name], comparison=asked, status="not_estimated"):
            found[name] = Key(whom(name), row, None)
    pooled = pooled_key(tables, "survival/added_value", analysis=asked, measure="difference of Harrell's C")
    return base, [*pooled, *(found[name] for name in added if name in found)]


def cells_of(analysis: str) -> str:
    """The cell type of an analysis of genes; "" for bulk RNA."""
    return analysis.removeprefix("expression in ") if analysis != "expression" else ""


def reasons(rows: Sequence[Mapping]) -> list[str]:
    """Why rows were not estimated, each reason once; nothing where only that is known."""
    return list(dict.fromkeys(why for row in rows if (why := words.why_not(row["reason"]))))


def together(rows: Sequence[dict], *names: str, of: Sequence[str] = ()) -> list[dict]:
    """Rows that follow each other and have no estimate for the same reason as one row, whose ``names`` are those of all.

    ``of``: the fields that hold the result rows of a row that stand side by side in it, where it is not one itself.
    """

    def why_none(row: dict) -> list[str]:
        held = [row[name] for name in of if row[name]] or [row]
        return [] if any(pd.notna(one["estimate"]) for one in held) else [one["note"] for one in held]

    found: list[dict] = []
    for row in rows:
        if found and why_none(row) and why_none(row) == why_none(found[-1]):
            for name in names:
                said = found[-1][name].split(", ")
                found[-1][name] = ", ".join(dict.fromkeys([*said, row[name]]))
        else:
            found.append(dict(row))
    return found
