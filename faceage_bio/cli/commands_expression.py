"""Steps for gene expression: single cells, quality of samples, differential expression, gene sets, genes and survival."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from faceage_bio.cli.terminal import Commands
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, OUTCOMES, SUBJECT
from faceage_bio.core.config import Config
from faceage_bio.core.errors import RunError, TableError
from faceage_bio.core.steps import PLAN, Cohort, Tables, Units, in_section, step

app = Commands()

Participants = Annotated[
    Path, "A cohort's table with age_acceleration and chronological_age (.parquet, .tsv, .csv)."
]
GeneIds = Annotated[Path | None, "GTF, or a table gene_id, symbol."]
EXPRESSED = ("expression.min_count", "expression.min_samples", "expression.tissue")
OF_MODELS = "covariates panel per_years repeated_samples quality.outlier quality.sex_mismatch"
MODELS = (*EXPRESSED, *in_section("expression", OF_MODELS))


def _people(participants: Path, needed: Sequence[str], cohort: str):
    """The participants, and the cohort's name."""
    from faceage_bio.core.tables import cohort_of
    from faceage_bio.intake.plain import read_plain

    table = read_plain(participants, needed)
    return table, cohort or cohort_of(table)


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Options of steps on RNA samples: whose they are, and their counts."""

    participants: Participants
    samples: Annotated[
        Path | None, "samples.parquet, or a .tsv with sample_id, subject_id; with --counts."
    ] = None
    counts: Annotated[
        Path | None, "Raw counts: a table, featureCounts, h5ad, or a folder of STAR, HTSeq, RSEM, salmon."
    ] = None
    pseudobulk: Annotated[Path | None, "Instead of counts: written by aggregate-cells."] = None
    counts_kind: Annotated[Literal["counts", "estimated"], "estimated: of salmon, RSEM, tximport."] = "counts"
    counts_strand: Annotated[
        Literal["unstranded", "forward", "reverse"] | None, "Which of STAR's three counts."
    ] = None
    gene_ids: GeneIds = None
    cohort: Cohort = ""

    def read(self, *needed: str):
        """Participants, the cohort's name, and what `read_inputs` gives: counts of each analysis, the samples, identifiers of genes."""
        from faceage_bio.analyses.expression.inputs import read_inputs

        table, cohort = _people(self.participants, (SUBJECT, AGE_ACCELERATION, *needed), self.cohort)
        files = (self.samples, self.counts, self.pseudobulk)
        how = {"kind": self.counts_kind, "strand": self.counts_strand, "gene_ids": self.gene_ids}
        return table, cohort, *read_inputs(cohort, *files, **how)


@dataclass(frozen=True, kw_only=True)
class CheckedSamples(Samples):
    """The same after check-expression."""

    quality: Annotated[
        Path | None,
        "Written by check-expression: samples excluded or flagged; needed where expression.quality excludes.",
    ] = None

    def chosen(self, expression, repeated: str):
        """The cohort's name, each analysis with the samples that its models take, all samples, and identifiers of genes.

        Raises
        ------
        RunError
            Samples are to be excluded by their quality, which is not given.
        """
        from faceage_bio.analyses.expression.counts import choose_samples
        from faceage_bio.analyses.expression.quality import verdicts_of
        from faceage_bio.core.tables import read_table

        rules = {name: getattr(expression.quality, name).action for name in ("outlier", "sex_mismatch")}
        excluding = [name for name, action in rules.items() if action == "exclude"]
        if excluding and self.quality is None:
            raise RunError(
                f"--quality: not given, but expression.quality.{excluding[0]} excludes samples. Expected sample_quality.parquet. Write it with "
                "faceage-bio check-expression and give it with --quality."
            )
        judged = read_table(self.quality) if self.quality else None
        table, cohort, inputs, sheet, identifiers = self.read(AGE)

        def analyses():
            for analysis in list(inputs):
                verdicts = verdicts_of(judged, analysis)
                chosen = (expression.covariates, repeated, expression.tissue, verdicts)
                # 400 MB of 5,000 samples
                yield (analysis, choose_samples(table, *inputs.pop(analysis), *chosen))

        return cohort, analyses(), sheet, identifiers


def _one_each(expression) -> str:
    """Which of a person's samples counts where a model cannot take several: errors of their own are those of the main models."""
    return "first" if expression.repeated_samples == "block" else expression.repeated_samples


def _joined(tables: Sequence, empty=None):
    import pandas as pd

    return pd.concat(tables or [empty], ignore_index=True)


@app.command()
def list_gene_sets() -> None:
    """The sets that ship: size, source, licence, version, hash.

    Example: faceage-bio list-gene-sets
    """
    from faceage_bio.intake.rna.gene_sets import shipped_sets, sources

    sets = shipped_sets()
    for row in sources().itertuples():
        print(f"{row.gene_set}: {len(sets[row.gene_set].directions)} genes. {row.title}.")
        source = f"{row.publication}, doi:{row.doi}; {row.licence}"
        print(f"  {source}; version {row.version}; SHA-256 {row.sha256}")


@step(
    uses=in_section("expression", "min_genes_per_cell max_mitochondrial min_cells min_profile_counts"),
    writes={
        "pseudobulk.parquet": "profiles per participant and cell type",
        "cells_ledger.tsv": "what became of the cells of each participant and cell type",
        "cell_quality.tsv": "the same in numbers for each cell type",
    },
)
def aggregate_cells(
    single_cell: Annotated[
        Path, "h5ad: raw counts in layers['counts'] or X; obs with subject_id and cell_type."
    ],
    settings: Config,
    gene_ids: GeneIds = None,
    cohort: Cohort = "",
) -> Tables:
    """Drop bad cells, and sum the others of each participant and cell type. The file is read in blocks.

    Example: faceage-bio aggregate-cells --cohort mine --single-cell cells.h5ad --output expression
    """
    from faceage_bio.analyses.expression.single_cells import aggregate_cells as aggregate
    from faceage_bio.analyses.expression.single_cells import cells_ledger, quality_table
    from faceage_bio.intake.rna.cells import open_cells

    cohort, chosen = cohort or single_cell.stem, settings.expression
    cells = open_cells(single_cell, gene_ids)
    result = aggregate(cells, chosen)
    for sentence in [*cells.said, *result.said]:
        print(f"{single_cell}: {sentence}")
    told = cells_ledger(result, cohort)
    kept = result.profiles["reason"] == ""
    print(
        f"{told.n_cells.sum():,} of {told.cells.sum():,} cells kept; {kept.sum()} of {len(kept)} profiles of "
        f"{result.profiles['cell_type'].nunique()} cell types kept"
    )
    return {"pseudobulk": result.profiles, "cells_ledger": told, "cell_quality": quality_table(told, cohort)}


@step(
    uses=in_section("expression", "covariates per_years min_cells min_donors"),
    writes={"composition.tsv": "change of each cell type's share, by exposure"},
    hides=OUTCOMES,
)
def compare_composition(
    participants: Participants,
    pseudobulk: Annotated[Path, "Written by aggregate-cells."],
    settings: Config,
    cohort: Cohort = "",
) -> Tables:
    """Share of each cell type (centred log-ratio) against age acceleration adjusted for age, and against the unadjusted age gap.

    Example: faceage-bio compare-composition --participants participants.tsv --pseudobulk pseudobulk.parquet
    --set expression.covariates=chronological_age,sex --output expression
    """
    from faceage_bio.analyses.expression.inputs import read_profiles
    from faceage_bio.analyses.expression.single_cells import composition_table

    people, cohort = _people(participants, (SUBJECT, AGE, AGE_ACCELERATION), cohort)
    table = composition_table(read_profiles(pseudobulk), people, cohort, settings.expression)
    n = int(table["n"].max()) if len(table) else 0
    print(f"{cohort}: {n} donors, {table['term'].nunique()} cell types")
    return {"composition": table}


@step(
    uses=[
        *EXPRESSED,
        *in_section("expression", "covariates quality repeated_samples panel headline permutations seed"),
    ],
    writes={
        "type_one_error.tsv": "each test of genes on permuted exposures, and the method that leads",
        "quality.tsv": "depth, sex by RNA, outliers, in numbers",
        "components.tsv": "what loads on which component",
        "confounding.tsv": "batch against age acceleration",
        "sample_quality.parquet": "measures and verdict of each sample",
        "log_cpm.parquet": "log2 counts per million, one row per sample that is not excluded",
    },
    hides=OUTCOMES,
)
def check_expression(given: Samples, settings: Config) -> Tables:
    """Depth, sex by RNA, components, outliers; batch against age acceleration; log2 counts per million; type I error of tests.

    The method of estimates and p-values is chosen here, from permuted exposures and before any real p-value.

    Example: faceage-bio check-expression --participants participants.tsv --counts counts.tsv --samples samples.tsv
    --set expression.covariates=chronological_age,sex --output expression
    """
    import pandas as pd

    from faceage_bio.analyses.expression.counts import choose_samples, levels_table
    from faceage_bio.analyses.expression.permuted_acceleration import calibrate_tests
    from faceage_bio.analyses.expression.quality import (
        PRIVATE_COLUMNS,
        check_samples,
        quality_tables,
        verdicts_of,
        without_excluded,
    )
    from faceage_bio.core.results.row import result_rows

    table, cohort, inputs, *_ = given.read()
    chosen, rules = settings.expression, settings.expression.quality
    expressed = (chosen.min_count, chosen.min_samples)
    private: list[pd.DataFrame] = []
    names = ("quality", "components", "confounding", "type_one_error")
    shared: dict[str, list[pd.DataFrame]] = {name: [] for name in names}
    for analysis, (matrix, mine) in inputs.items():
        if not len(mine):
            print(f"{cohort}, {analysis}: not checked, because no sample is left")
            continue
        checked = check_samples(matrix, mine, table, rules, *expressed, chosen.tissue)
        found = checked.samples.assign(analysis=analysis)
        components_of = checked.components.rename_axis("sample_id").reset_index()
        private.append(found[PRIVATE_COLUMNS].merge(components_of, on="sample_id", how="left"))
        for name, one in quality_tables(checked, mine, table, chosen.covariates, cohort, analysis).items():
            shared[name].append(one)
        flagged, excluded = ((found["status"] == status).sum() for status in ("flagged", "excluded"))
        print(f"{cohort}, {analysis}: {len(found)} samples, {flagged} flagged, {excluded} excluded")
    judged = _joined(private, pd.DataFrame(columns=PRIVATE_COLUMNS))
    for analysis, (matrix, mine) in inputs.items():
        if AGE not in table or not len(mine):
            continue
        verdicts = verdicts_of(judged, analysis)
        taken = (chosen.covariates, chosen.repeated_samples, chosen.tissue, verdicts)
        data = choose_samples(table, matrix, mine, *taken)
        tried = calibrate_tests(data, cohort, analysis, chosen)
        shared["type_one_error"].append(tried)
        print(f"{cohort}, {analysis}: {tried['headline'].iloc[0]} leads ({tried['rule'].iloc[0]})")
        del data  # of 5,000 samples 400 MB
    kept = without_excluded(inputs, judged)
    levels = levels_table(kept, *expressed, chosen.repeated_samples, chosen.tissue)
    print(f"levels of {levels.shape[1] - 5} genes in {len(levels)} samples")
    return {
        **{name: _joined(parts, result_rows([], f"expression/{name}")) for name, parts in shared.items()},
        "sample_quality": judged,
        "log_cpm": levels,
    }


@step(
    uses=[*MODELS, "expression.headline", "expression.engine", "expression.seed", *PLAN],
    writes={
        "genes.tsv": "all genes",
        "panel.tsv": "prespecified genes",
        "ledger.tsv": "which samples are in the models, and why not",
    },
    hides=OUTCOMES,
)
def fit_expression(
    given: CheckedSamples,
    settings: Config,
    type_one_error: Annotated[
        Path | None,
        "Written by check-expression: the method that leads. For auto needed from 50 participants on.",
    ] = None,
    workers: Annotated[int, typer.Option(help="Processor cores; 0: all.", min=0)] = 0,
) -> Tables:
    """Genes against age acceleration by DESeq2's method and limma-voom, with chronological age as comparison.

    The method that leads gives estimates and p-values; those of the other stand alongside.

    Example: faceage-bio fit-expression --participants participants.tsv --counts counts.tsv --samples samples.tsv
    --set expression.covariates=chronological_age,sex --set expression.panel=CDK6 --output expression
    """
    from faceage_bio.analyses.expression.counts import one_row_per_sample
    from faceage_bio.analyses.expression.expression_stage import result_tables, with_identifiers
    from faceage_bio.analyses.expression.inputs import read_profiles
    from faceage_bio.analyses.expression.permuted_acceleration import headline_of
    from faceage_bio.analyses.expression.single_cells import donors_left_out
    from faceage_bio.core.machine import usable_cores
    from faceage_bio.core.tables import read_table

    chosen = settings.expression
    cohort, analyses, sheet, identifiers = given.chosen(chosen, chosen.repeated_samples)
    tried = read_table(type_one_error) if type_one_error else None
    outputs = []
    for analysis, data in analyses:
        print(f"{cohort}, {analysis}: {len(data.people)} of {len(data.ledger)} samples")
        leading = headline_of(tried, analysis, chosen.headline, data.people)
        how = {"workers": workers or usable_cores(), "headline": leading}
        tested, declared = result_tables(data, cohort, analysis, chosen, **how)
        outputs.append((with_identifiers(tested, identifiers), declared, data.ledger))
        n = (tested["exposure"] == AGE_ACCELERATION).sum()
        of_panel = int(max(declared["n_tests"].dropna(), default=0))
        print(f"tests of age acceleration: {n} genes, and {of_panel} of the {len(chosen.panel)} declared")
    left_out = donors_left_out(read_profiles(given.pseudobulk)) if given.pseudobulk else None
    return {
        "genes": _joined([one for one, _, _ in outputs]),
        "panel": _joined([one for _, one, _ in outputs]),
        "ledger": one_row_per_sample(sheet, [one for _, _, one in outputs], left_out),
    }


@step(
    uses=[
        *MODELS,
        *in_section("expression", "hidden_components composition purity mediator bootstraps seed"),
    ],
    writes={
        "sensitivity.tsv": "the coefficient of age acceleration in each variant",
        "partial_residuals.tsv": "partial residuals as means of groups of participants",
    },
    hides=OUTCOMES,
)
def fit_expression_sensitivity(given: CheckedSamples, settings: Config) -> Tables:
    """The prespecified genes with hidden components, cell composition, purity, each sample left out, a mediator; partial residuals.

    Example: faceage-bio fit-expression-sensitivity --participants participants.tsv --counts counts.tsv
    --samples samples.tsv --set expression.covariates=chronological_age,sex --set expression.mediator=smoking --output expression
    """
    from faceage_bio.analyses.expression.sensitivity import partial_residuals, sensitivity_table

    chosen = settings.expression
    cohort, analyses, *_ = given.chosen(chosen, _one_each(chosen))
    found, binned = [], []
    for analysis, data in analyses:
        found.append(sensitivity_table(data, chosen, cohort=cohort, question=analysis))
        binned.append(partial_residuals(data, chosen, cohort=cohort, question=analysis))
        n = found[-1]["variant"].nunique()
        print(f"{cohort}, {analysis}: {len(data.people)} participants, {n} variants")
    return {"sensitivity": _joined(found), "partial_residuals": _joined(binned)}


@step(
    uses=[*MODELS, *in_section("expression", "gene_sets gmt min_coverage seed")],
    writes={
        "set_associations.tsv": "scores of gene sets against age acceleration",
        "set_coverage.tsv": "how much of each set has enough counts",
        "gsea.tsv": "gene set enrichment",
        "ora.tsv": "over-representation",
        "set_scores.parquet": "score of each sample, set and method",
    },
    hides=OUTCOMES,
)
def score_gene_sets(
    given: CheckedSamples,
    genes: Annotated[Path, "Genome-wide table written by fit-expression."],
    settings: Config,
) -> Tables:
    """Sets of genes against age acceleration: a score per person, GSEA and over-representation.

    Example: faceage-bio score-gene-sets --participants participants.tsv --counts counts.tsv --samples samples.tsv
    --genes genes.tsv --set expression.gene_sets=SenMayo --set expression.gmt=mine.gmt --output expression
    """
    import pandas as pd

    from faceage_bio.analyses.expression.sets import set_tables
    from faceage_bio.core.records import note_input
    from faceage_bio.core.tables import read_table
    from faceage_bio.intake.rna.gene_sets import choose_sets

    chosen = settings.expression
    gmt = [Path(path) for path in chosen.gmt]
    for number, path in enumerate(gmt, start=1):
        note_input(f"gmt {number}", path)
    sets = choose_sets(chosen.gene_sets, gmt)
    found = read_table(genes)
    needed = ("question", "term", "exposure", "estimate", "standard_error", "p_value", "q_value")
    if lacking := [name for name in needed if name not in found]:
        raise TableError(
            f"{genes}: lacks the column(s) {', '.join(lacking)}; found {', '.join(map(str, found.columns))}. Expected {', '.join(needed)}. "
            "Give the table of all genes that faceage-bio fit-expression writes."
        )
    cohort, analyses, *_ = given.chosen(chosen, _one_each(chosen))
    parts: dict[str, list[pd.DataFrame]] = {}
    for analysis, data in analyses:
        tables = set_tables(
            data,
            found[found["question"] == analysis] if len(found) else found,
            sets,
            chosen,
            cohort=cohort,
            question=analysis,
        )
        for name, one in tables.items():
            parts.setdefault(name, []).append(one)
        print(f"{cohort}, {analysis}: {len(data.people)} participants, {len(sets)} sets")
    names = {"coverage": "set_coverage", "associations": "set_associations", "scores": "set_scores"}
    return {names.get(name, name): _joined(tables) for name, tables in parts.items()}


@step(
    uses=[
        *in_section("survival", "gene_covariates strata time_zero landmark_years year_days"),
        "expression.panel",
    ],
    writes={
        "genes.tsv": "all genes against survival",
        "gene_panel.tsv": "prespecified genes against survival",
    },
)
def fit_gene_survival(
    participants: Annotated[
        Path, "Participants: subject_id, followup_years, event (1 = died), covariates (.parquet or .tsv)."
    ],
    levels: Annotated[
        Path, "log_cpm.parquet of check-expression, or a table with subject_id and log2 levels per gene."
    ],
    settings: Config,
    cohort: Cohort = "",
    unit: Units = [],
) -> Tables:
    """Hazard ratio of death per doubling of each gene: a Cox model per gene, participants at risk from their sample on.

    Example: faceage-bio fit-gene-survival --participants participants.tsv --levels log_cpm.parquet
    --set survival.gene_covariates=chronological_age,sex --set expression.panel=CDK6 --output survival
    """
    from faceage_bio.analyses.survival.follow_up import prepare, read_people
    from faceage_bio.analyses.survival.gene_hazards import gene_survival, read_levels
    from faceage_bio.core.tables import cohort_of
    from faceage_bio.intake.observation import parse_units

    table = read_people(participants, parse_units(unit), settings.survival.year_days)
    usable, _ = prepare(table)
    name = cohort or cohort_of(table, participants.stem)
    panel = settings.expression.panel
    found, declared = gene_survival(usable, read_levels(levels), settings.survival, panel, name)
    below = (found["q_value"] < 0.05).sum()
    print(f"{name}: {found['estimate'].count()} of {len(found)} genes, {below} with q below 0.05")
    return {"genes": found, "gene_panel": declared}


@step(
    uses=["variants", "expression.panel"],
    writes={
        "genes.tsv": "rare variants per gene",
        "common.tsv": "common variants",
        "quality.tsv": "quality of participants and variants",
        "variants.parquet": "one row per variant of these genes",
    },
    hides=OUTCOMES,
)
def fit_variants(
    participants: Annotated[
        Path, "A table subject_id, age_acceleration, chronological_age, covariates (.parquet, .tsv, .csv)."
    ],
    variants: Annotated[
        Path, "VCF (.vcf, .vcf.gz), or a table variant_id, gene, one column per sample (0, 1, 2 or empty)."
    ],
    settings: Config,
    variant_genes: Annotated[
        Path | None,
        "Gene of each variant: variant_id, gene; or chrom, pos, ref, alt, gene; or chrom, start, end, gene (BED).",
    ] = None,
    samples: Annotated[
        Path | None, "A table sample_id, subject_id, where samples are not named by subject_id."
    ] = None,
    ancestry: Annotated[Path | None, "A table subject_id, PC1, PC2 ...; all enter every model."] = None,
    cohort: Cohort = "",
) -> Tables:
    """Rare variants of each prespecified gene against age acceleration, and against age as negative control: burden and SKAT.

    Example: faceage-bio fit-variants --participants participants.tsv --variants cohort.vcf.gz --variant-genes genes.bed
    --ancestry components.tsv --set expression.panel=CDK6,CDKN2A --output variants
    """
    from faceage_bio.analyses.variants.variants_stage import read_inputs, variant_tables
    from faceage_bio.core.tables import cohort_of

    people, genotypes, components = read_inputs(participants, variants, variant_genes, samples, ancestry)
    named = {"cohort": cohort or cohort_of(people), "panel": settings.expression.panel}
    tables = variant_tables(people, genotypes, components, settings.variants, **named)
    for row in tables["quality"].itertuples():
        print(f"{row.measure}: {row.term}: {int(row.estimate)}")
    return tables
