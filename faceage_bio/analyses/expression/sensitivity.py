"""Does the coefficient of age acceleration depend on a choice? The declared genes under other models of their
log2 levels; and their partial residuals as means of bins of participants: what the model sees.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
from scipy.stats import t

from faceage_bio.analyses.expression.counts import Expression
from faceage_bio.analyses.expression.formula import design_of, plain, terms_of
from faceage_bio.analyses.expression.gene_models import tested_counts, tested_genes
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, COHORT, SAMPLE
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.measures import MEASURES
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import adjusted_for, result_rows
from faceage_bio.core.settings.settings_genes import Expression as ExpressionSettings
from faceage_bio.stats.deseq import SPARE_SAMPLES
from faceage_bio.stats.limma import log_counts_per_million
from faceage_bio.stats.linear import hc3
from faceage_bio.stats.minimum_sizes import IN_BIN
from faceage_bio.stats.multiplicity import q_values
from faceage_bio.stats.negative_binomial import trimmed_mean_of_m
from faceage_bio.stats.resampling import draw_counts
from faceage_bio.stats.robustness import by_way_of, hidden_components, leave_one_out

MAIN = "main model"
LEFT_OUT = "leave-one-out"
MODEL = "least squares of log2 levels, HC3"
AGES = (AGE_ACCELERATION, AGE)
PLACE = 1  # of age acceleration in a design, behind the intercept
FOLD, MEDIATED = "log2 fold change", "mediated log2 fold change"
MOST_BINS = 10


def levels_of(data: Expression, min_count: int, min_samples: int) -> pd.DataFrame:
    """Log2 counts per million (TMM factors) of the tested genes, samples x genes.

    Raises
    ------
    FitError
        No gene has enough counts, or a sample none.
    """
    kept = tested_genes(data.counts, min_count, min_samples)
    counts = tested_counts(data.counts, kept)
    if not counts.shape[1] or not len(counts):
        raise FitError("no_gene_with_counts", min_count=min_count, min_samples=min_samples)
    values = counts.to_numpy()
    if empty := int((values.sum(axis=1) == 0).sum()):
        raise FitError("samples_without_counts", n_samples=empty)
    depth = values.sum(axis=1) * trimmed_mean_of_m(values)
    return pd.DataFrame(log_counts_per_million(values, depth), counts.index, counts.columns)


def sensitivity_table(
    data: Expression, settings: ExpressionSettings, *, cohort: str, question: str
) -> pd.DataFrame:
    """The coefficient of age acceleration of each declared gene in each variant of the model.

    Returns
    -------
    DataFrame, result rows
        ``variant`` says what was done otherwise; ``measure`` is "log2 fold change", or for a left-out sample
        the lowest and highest estimate, the largest change in standard errors, Cook's distance and leverage.
        ``q_value``: over the panel within a variant. A variant that cannot be made says why.
    """
    label = {COHORT: cohort, "question": question, "outcome": "expression", "model": MODEL}
    label["exposure"] = AGE_ACCELERATION
    fit = _Fitter(data, settings)
    try:
        fit.levels = levels_of(data, settings.min_count, settings.min_samples)
        fit.main, _ = fit.design(data.people)
        tables = [
            fit.attempt(MAIN, lambda: (fit.main, None)),
            *fit.hidden(),
            *fit.further(),
            fit.attempt("without flagged samples", fit.unflagged),
            fit.left_out(),
            fit.mediation(),
        ]
        table = pd.concat(tables, ignore_index=True)
    except FitError as error:
        table = fit.refused(MAIN, error.reason)
    columns = ["estimate", "ci_lower", "ci_upper", "p_value", "standard_error", "statistic", "q_value"]
    table = table.reindex(columns=list(dict.fromkeys([*table, *columns])))
    folds = table["measure"] == FOLD
    table["q_value"] = q_values(table[folds], "variant")
    per = table["measure"].map(lambda name: f"{settings.per_years:g} years" if MEASURES[name].unit else "")
    family = np.where(folds, "prespecified panel", "")
    return result_rows(table.assign(per=per, family=family, **label), "expression/sensitivity")


class _Fitter:
    """What all variants share: levels, design, and how a row is told."""

    def __init__(self, data: Expression, settings: ExpressionSettings) -> None:
        self.data, self.settings = data, settings
        self.panel, self.covariates = list(settings.panel), list(settings.covariates)
        self.levels, self.main = pd.DataFrame(index=data.counts.index), pd.DataFrame(index=data.counts.index)

    @property
    def present(self) -> list[str]:
        return [gene for gene in self.panel if gene in self.levels]

    def attempt(
        self, variant: str, made: Callable[[], tuple[pd.DataFrame, Reason | None]], held: Sequence[str] = ()
    ) -> pd.DataFrame:
        """Rows of one variant, from its design and a remark, or with the reason why there is none."""
        try:
            matrix, remark = made()
            return self.rows(variant, self.fitted(matrix), len(matrix), remark, held)
        except FitError as error:
            return self.refused(variant, error.reason, held)

    def fitted(self, matrix: pd.DataFrame) -> pd.DataFrame:
        """Estimates of age acceleration, one row per gene of the panel that was tested."""
        contrast = np.eye(matrix.shape[1])[[PLACE]]
        found = hc3(self.levels[self.present].loc[matrix.index].to_numpy(), matrix.to_numpy(), contrast)
        estimate, error, statistic, p = found[:, 0]
        df = len(matrix) - matrix.shape[1]
        half = t.ppf(0.975, df) * error
        interval = {"estimate": estimate, "ci_lower": estimate - half, "ci_upper": estimate + half}
        test = {"standard_error": error, "statistic": statistic, "df": df, "p_value": p}
        return pd.DataFrame(interval | test, index=self.present)

    def rows(
        self,
        variant: str,
        found: pd.DataFrame,
        n: int,
        remark: Reason | None = None,
        held: Sequence[str] = (),
        measure: str = FOLD,
    ) -> pd.DataFrame:
        table = found.reindex(self.panel).rename_axis("term").reset_index()
        absent = {True: "gene_low_counts", False: "gene_absent"}
        told = remark.encoded if remark else ""
        reasons = [told if gene in self.levels else absent[gene in self.data.counts] for gene in self.panel]
        others = [AGE, *plain(self.covariates), *held]
        return table.assign(variant=variant, measure=measure, n=n, reason=reasons, **adjusted_for(others))

    def refused(
        self, variant: str, why: Reason, held: Sequence[str] = (), measure: str = FOLD
    ) -> pd.DataFrame:
        empty = self.rows(variant, pd.DataFrame(index=self.panel), len(self.data.people), None, held, measure)
        return empty.assign(reason=why.encoded)

    def hidden(self) -> list[pd.DataFrame]:
        """With 1 and more hidden components: of the model's residuals, and of those of the model without
        age acceleration.

        The first are orthogonal to the model, so that they move its error and not its estimate. The second
        may rise and fall with age acceleration: they take out a hidden batch that does, and also what age
        acceleration does to many genes at once.
        """
        tables = []
        kinds = {
            "orthogonal to age acceleration": self.main,
            "whatever their cause": self.main.drop(columns=AGE_ACCELERATION),
        }
        for (kind, design), k in product(kinds.items(), range(1, self.settings.hidden_components + 1)):
            variant = f"{k} hidden component{'s' if k > 1 else ''} {kind}"
            held = [f"hidden component {number}" for number in range(1, k + 1)]
            found = self.attempt(variant, partial(self._with_hidden, design, k), held)
            tables.append(found.assign(hidden=k) if "estimate" in found else found)
        return tables

    def _with_hidden(self, design: pd.DataFrame, k: int) -> tuple[pd.DataFrame, None]:
        needed = self.main.shape[1] + k + SPARE_SAMPLES
        if len(self.main) < needed:
            raise FitError("too_few_samples", n=len(self.main), needed=needed)
        found = hidden_components(self.levels.to_numpy(), design.to_numpy(), k)
        names = [f"hidden {number}" for number in range(1, k + 1)]
        return self.main.join(pd.DataFrame(found, self.main.index, names)), None

    def further(self) -> list[pd.DataFrame]:
        """With shares of cell types, and with tumour purity; where some samples lack them, the main model
        without those beside.
        """
        tables, purity = [], self.settings.purity
        for variant, columns in (
            ("with cell composition", list(self.settings.composition)),
            ("with tumour purity", [purity] if purity else []),
        ):
            tables.append(self.attempt(variant, partial(self._with_columns, columns), columns))
            known = self._known(columns) if columns else self.main.index
            if 0 < len(known) < len(self.main):
                same = partial(self.design, self.data.people.loc[known])
                tables.append(self.attempt(f"main model, samples of the one {variant}", same))
        return tables

    def design(self, people: pd.DataFrame, more: Sequence[str] = ()) -> tuple[pd.DataFrame, None]:
        return design_of(people, AGES, [*self.covariates, *more], self.settings.per_years), None

    def _known(self, columns: list[str]) -> pd.Index:
        people = self.data.people
        if any(name not in people for name in columns):
            return people.index[:0]
        return people.index[people[columns].notna().all(axis=1)]

    def _with_columns(self, columns: list[str]) -> tuple[pd.DataFrame, None]:
        if not columns:
            raise FitError("not_given")
        if lacking := [name for name in columns if name not in self.data.people]:
            raise FitError("column_not_given", columns=lacking)
        matrix, _ = self.design(self.data.people.loc[self._known(columns)], columns)
        if lost := [name for name in columns if not terms_of(matrix, name)]:
            raise FitError("constant", column=lost)
        return matrix, None

    def unflagged(self) -> tuple[pd.DataFrame, Reason | None]:
        """The main model without samples that quality flagged."""
        ledger = self.data.ledger[self.data.ledger["status"] == "flagged"]
        flagged = ledger.loc[~ledger["reason"].str.startswith("added_"), SAMPLE]
        kept = self.main.index.difference(pd.Index(flagged), sort=False)
        if len(kept) == len(self.main):
            return self.main, reason("none_flagged")
        return self.design(self.data.people.loc[kept])

    def left_out(self) -> pd.DataFrame:
        """How far a single sample moves each gene's coefficient; no sample is named."""
        genes = self.present
        try:
            found = leave_one_out(self.levels[genes].to_numpy(), self.main.to_numpy(), PLACE)
        except FitError as error:
            return self.refused(LEFT_OUT, error.reason)
        main = self.fitted(self.main)
        moved = np.abs(found.estimates - main["estimate"].to_numpy()).max(axis=0, initial=0.0)
        measures = {
            "lowest log2 fold change": found.estimates.min(axis=0),
            "highest log2 fold change": found.estimates.max(axis=0),
            "largest change in standard errors": moved / main["standard_error"].to_numpy(),
            "largest Cook's distance": found.cook.max(axis=0),
            "largest leverage": np.full(len(genes), found.leverage.max()),
        }
        tables = {name: pd.DataFrame({"estimate": values}, index=genes) for name, values in measures.items()}
        n = len(self.main)
        return pd.concat([self.rows(LEFT_OUT, table, n, measure=name) for name, table in tables.items()])

    def mediation(self) -> pd.DataFrame:
        """The model without and with the mediator, and the difference with its percentile bootstrap interval."""
        mediator = self.settings.mediator
        if not mediator:
            return self.refused("mediation", reason("not_given"), measure=MEDIATED)
        names = [f"without {mediator}", f"with {mediator}", f"by way of {mediator}"]
        measures = [FOLD, FOLD, MEDIATED]
        try:
            people = self.data.people
            if mediator not in people:
                raise FitError("column_not_given", columns=mediator)
            people = people[people[mediator].notna()]
            others = [name for name in self.covariates if mediator not in name.split(":")]
            without = design_of(people, AGES, others, self.settings.per_years)
            beside = design_of(people, AGES, [*others, mediator], self.settings.per_years)
            if beside.shape[1] == without.shape[1]:
                raise FitError("constant", column=mediator)
            levels = self.levels[self.present].loc[people.index].to_numpy()
            drawn = by_way_of(
                levels,
                without.to_numpy(),
                beside.to_numpy(),
                PLACE,
                draw_counts(len(people), self.settings.bootstraps, self.settings.seed),
            )
            low, high = np.quantile(drawn, [0.025, 0.975], axis=0) if self.present else ([], [])
            one, other = self.fitted(without), self.fitted(beside)
        except FitError as error:
            pairs = zip(names, measures, strict=True)
            return pd.concat([self.refused(name, error.reason, measure=measure) for name, measure in pairs])
        difference = (one["estimate"] - other["estimate"]).to_frame().assign(ci_lower=low, ci_upper=high)
        held = [AGE, *plain(others)]
        remark = reason("if_mediator", mediator=mediator, bootstraps=self.settings.bootstraps)
        told = ((one, None, held), (other, None, [*held, mediator]), (difference, remark, held))
        return pd.concat(
            [
                self.rows(name, table, len(people), said, measure=measure).assign(**adjusted_for(columns))
                for name, measure, (table, said, columns) in zip(names, measures, told, strict=True)
            ]
        )


def bins_of(values: np.ndarray) -> list[np.ndarray]:
    """Places of participants in the order of ``values``, in up to `MOST_BINS` bins of like size; none if
    there are not two.
    """
    k = min(MOST_BINS, len(values) // IN_BIN)
    return np.array_split(np.argsort(values, kind="stable"), k) if k >= 2 else []


def partial_residuals(
    data: Expression, settings: ExpressionSettings, *, cohort: str, question: str
) -> pd.DataFrame:
    """Residual plus the exposure's own part (log2 from the mean), averaged over bins of the exposure.

    Returns
    -------
    DataFrame, result rows
        One per gene, exposure (both ages) and bin: ``bin_centre`` (mean years in the bin), ``estimate`` with
        its t interval, ``n``; a gene that cannot be shown has one row that says why.
    """
    rows = []
    try:
        levels = levels_of(data, settings.min_count, settings.min_samples)
        matrix = design_of(data.people, AGES, settings.covariates, settings.per_years)
        bins = {age: bins_of(data.people[age].to_numpy(dtype=float)) for age in AGES}
        if not all(bins.values()):
            raise FitError("too_few_for_bins", n=len(matrix))
        design = matrix.to_numpy()
        genes = [gene for gene in settings.panel if gene in levels]
        beta, *_ = np.linalg.lstsq(design, levels[genes].to_numpy(), rcond=None)
        residuals = levels[genes].to_numpy() - design @ beta
        why = reason("not_tested")
    except FitError as error:
        genes, why = [], error.reason
    for place, age in enumerate(AGES if genes else (), start=1):
        values = residuals + design[:, [place]] * beta[place]
        years = data.people[age].to_numpy(dtype=float)
        for number, mine in enumerate(bins[age], start=1):
            n, mean = len(mine), values[mine].mean(axis=0)
            half = t.ppf(0.975, n - 1) * values[mine].std(axis=0, ddof=1) / np.sqrt(n)
            interval = {"estimate": mean, "ci_lower": mean - half, "ci_upper": mean + half}
            shown = pd.DataFrame({"term": genes} | interval)
            about = {"exposure": age, "bin": number, "bin_centre": years[mine].mean(), "n": n}
            rows += shown.assign(**about).to_dict("records")
    rows += [
        {"term": gene, "exposure": AGE_ACCELERATION, "n": len(data.people), "reason": why.encoded}
        for gene in settings.panel
        if gene not in genes
    ]
    order = {gene: place for place, gene in enumerate(settings.panel)}
    rows.sort(key=lambda row: order[row["term"]])
    label = {COHORT: cohort, "question": question, "outcome": "expression", "measure": "partial residual"}
    return result_rows([label | row for row in rows], "expression/partial_residuals")
