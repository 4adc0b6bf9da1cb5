"""Steps on the results of others: meta-analysis over cohorts, other software, pages with figures and tables."""

from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.cli.commands_survival import MODELS, read_followed
from faceage_bio.cli.terminal import Commands
from faceage_bio.core.config import Config
from faceage_bio.core.steps import Tables, in_section, step

app = Commands()

OF_PAGES = ("cohorts", "models", "demo", "study", "report", "review", "readers", "release")


@step(uses=["pooling", "acceleration.fit_in"])
def pool_cohorts(
    table: Annotated[
        list[Path],
        "A plain table with one row per cohort; or a result table {cohort}/{folder}/{table}.tsv, repeat for each.",
    ],
    settings: Config,
    output: Annotated[Path, "Result table: each pooled estimate, followed by those of its cohorts."],
    measure: Annotated[
        str | None, "Of a plain table: what its estimates are, such as 'hazard ratio'."
    ] = None,
    sensitivity: Annotated[
        Path | None,
        "Result table: leave-one-out, cumulative, other models; from 10 cohorts influence, moderators, Egger's test.",
    ] = None,
    moderator: Annotated[list[str], "Of a plain table: a column of numbers; repeat."] = [],
) -> None:
    """Estimates of several cohorts as one: meta-analysis with 95% CI, heterogeneity and prediction interval.

    Example: faceage-bio pool-cohorts --table cohorts.tsv --measure 'hazard ratio' --output pooled.tsv

    cohorts.tsv:

    cohort,estimate,ci_lower,ci_upper,p_value,n,n_events

    north,1.151,1.056,1.254,0.0013,4906,2371

    south,1.148,1.032,1.277,0.011,573,328

    Without ci_lower and ci_upper, estimate and standard_error are on the analysis scale: logarithms of ratios, logits of C and AUC,
    Fisher's z of correlations. Columns unit, per, adjustment, covariates, definition and model_id must be the same in all cohorts.
    """
    from faceage_bio.analyses.pooling.pooling_stage import pool_tables
    from faceage_bio.core.columns import COHORT, POOLED
    from faceage_bio.core.tables import write_table

    fit_in = settings.acceleration.fit_in
    found = pool_tables(table, measure, settings.pooling, fit_in, moderator)
    write_table(found.estimates, output)
    if sensitivity:
        write_table(found.sensitivity, sensitivity)
    pooled = found.estimates[found.estimates[COHORT] == POOLED]
    if measure is None:
        done = pooled["estimate"].notna()
        print(f"{done.sum()} estimates pooled over cohorts, {(~done).sum()} not (reasons in the table)")
        return
    for row in pooled.itertuples():
        print(_pooled_words(row, measure))


def _pooled_words(row, measure: str) -> str:
    """A pooled estimate with its heterogeneity for the terminal, or the reason why there is none."""
    from faceage_bio.core.results.reasons import in_words
    from faceage_bio.report.sections_meta_analysis import heterogeneity_sentence
    from faceage_bio.report.words import interval, number

    if row.estimate != row.estimate:
        return f"{measure}: {in_words(row.reason)}"
    found = f"{measure} {number(row.estimate, 3)} (95% CI {interval(row.ci_lower, row.ci_upper, 3)})"
    return f"{found}, {int(row.cohorts)} cohorts, {row.method}; {heterogeneity_sentence(row._asdict(), 3)}"


@step(
    uses=["pooling", "acceleration.fit_in"],
    writes={"genes.tsv": "one row per gene that two cohorts or more have"},
)
def pool_genes(
    table: Annotated[list[Path], "A cohort's expression/genes.tsv; repeat."], settings: Config
) -> Tables:
    """All genes pooled over cohorts: common effect with z, heterogeneity, random effects as sensitivity analysis, q over the pooled p.

    Example: faceage-bio pool-genes --table results/north/expression/genes.tsv --table results/south/expression/genes.tsv --output pooled
    """
    from faceage_bio.analyses.pooling.pooling_stage import COLUMNS
    from faceage_bio.analyses.pooling.pooling_stage import pool_genes as pool
    from faceage_bio.core.tables import read_table

    shared = settings.acceleration.fit_in == "reference"
    made = pool((read_table(path, COLUMNS) for path in table), settings.pooling, shared_controls=shared)
    print(f"{made['estimate'].notna().sum()} rows pooled over cohorts")
    return {"genes": made}


@step(
    uses=MODELS, writes={"one_stage.tsv": "hazard ratios over all cohorts, and the tests that cohorts differ"}
)
def fit_one_stage(
    participants: Annotated[
        list[Path], "A cohort's survival/follow_up.parquet, or a table with the column cohort; repeat."
    ],
    settings: Config,
) -> Tables:
    """One Cox model of all cohorts, with a baseline hazard and covariates of their own, and the test that their hazard ratios differ.

    Example: faceage-bio fit-one-stage --participants results/north/survival/follow_up.parquet
    --participants results/south/survival/follow_up.parquet --set survival.sequential_adjustment=sex --output pooled
    """
    from faceage_bio.analyses.survival.cox_models import Choices, grouped
    from faceage_bio.analyses.survival.subgroups import fit_one_stage as fit

    choices = Choices.of(settings.survival)
    people = [grouped(read_followed(path, choices.full)[1], choices.groups) for path in participants]
    return {"one_stage": fit(people, choices)}


@step(
    uses=[
        *in_section("survival", "sequential_adjustment covariates groups strata cluster per_years curves log_rank_strata"),
        "phenotype.adjust_for",
        *in_section("expression", "covariates per_years min_count min_samples tissue repeated_samples seed"),
    ],
    writes={
        "agreement.tsv": "what each comparison comes to",
        "numbers.tsv": "both numbers of each comparison",
    },
    files={
        "scripts/reproduce.R": "the headline by survival, sandwich and DESeq2",
        "scripts/reproduce.py": "the headline by lifelines and pydeseq2",
        "scripts/headline.tsv": "the study's own numbers",
        "scripts/*": "rows that the scripts read (private)",
    },
)  # fmt: skip
def verify_results(
    tables: Annotated[
        list[Path],
        typer.Argument(
            help="Tables by their place {cohort}/{folder}/{table}: of participants, samples and counts, and the results made of them."
        ),
    ],
    settings: Config,
    scripts: Annotated[
        Path | None,
        "Folder of reproduce.R and reproduce.py, with the rows that they read. Exact rows: internal.",
    ] = None,
) -> Tables:
    """The headline again by lifelines, statsmodels and pydeseq2; scripts by which a reader computes it with R and Python.

    Cox models, curves, log-rank tests, adjusted contrasts, prespecified and 1,000 further genes; their pooled estimates.

    Example: faceage-bio verify-results --output verification --scripts reproduce results/north/*/*.parquet results/north/*/*.tsv
    """
    import pandas as pd

    from faceage_bio.analyses.verification import compared
    from faceage_bio.analyses.verification.headline_input import headline_of
    from faceage_bio.analyses.verification.reproduction import write_scripts
    from faceage_bio.core.records import check_unchanged

    check_unchanged(tables)
    headline = headline_of(tables, settings)
    rows = compared.compare_cox(headline.cox) + compared.compare_curves(headline.curves)
    rows += compared.compare_contrasts(headline.contrasts) + compared.compare_pools(headline.pools)
    for genes in headline.genes:
        rows += compared.compare_genes(genes, settings.expression.seed)
    if scripts is not None:
        write_scripts(headline, scripts)
    told = pd.Series([row["software"] for row in rows]).value_counts()
    print(", ".join(f"{name}: {count} numbers" for name, count in told.items()) or "nothing to compare")
    numbers = compared.numbers_table(rows)
    return {"agreement": compared.agreement_table(numbers), "numbers": numbers}


@step(
    uses=[*OF_PAGES, "expression.panel_reasons"],
    files={
        "output/index.html": "summary page (internal, as all of these)",
        "output/association.html": "associations with age acceleration",
        "output/survival.html": "overall survival",
        "output/photos.html": "photo quality",
        "output/figures/{page}/{analysis}/{table}/{cohort}-{number}.svg": "figures, also as .pdf",
        "output/tables/*": "tables as a journal prints them (.docx, .tex, .tsv)",
        "output/run.json": "headline numbers of this run, and what changed",
        "output/history/*.json": "those of each run",
    },
)
def render_report(
    tables: Annotated[
        list[Path],
        typer.Argument(help="Result tables, known by their place {cohort}/{analysis}/{table}.tsv."),
    ],
    output: Annotated[Path, "Folder of the pages, figures and tables."],
    whole: Config,
    model_card: Annotated[list[Path], "Card of a model; repeat."] = [],
    ledger: Annotated[list[Path], "A cohort's ledger.tsv; repeat."] = [],
) -> None:
    """The summary page and three pages, their figures (SVG, PDF), and tables as a journal prints them (Word, LaTeX, TSV).

    The tables are read once. Pages are HTML files that need no network and show no photo; numbers are exact: internal. The headline
    of this run is kept in history, as aggregates, and the summary page says what changed since the last one.

    Example: faceage-bio render-report --config my-study/config.yaml --ledger results/north/ledger.tsv --output results/reports
    results/*/*/*.tsv
    """
    from faceage_bio.core.records import check_unchanged
    from faceage_bio.core.tables import read_json, read_ledger, write_json, write_text
    from faceage_bio.report import pages
    from faceage_bio.report.figure_files import write_figures
    from faceage_bio.report.history import keep, record, since_freeze
    from faceage_bio.report.provenance import Provenance, read_provenance, settings_that_ran
    from faceage_bio.report.table_files import write_tables
    from faceage_bio.report.tables_by_place import collect

    check_unchanged([*tables, *ledger])
    found, provenance = collect(tables), read_provenance(tables)
    cards = [read_json(card) for card in model_card]
    run = keep(record(found, whole), output / "history") | {"plan": since_freeze(whole)}
    write_json(run, output / "run.json")
    made = {
        name: page(found, whole, cards, Provenance(provenance.files), run=run)
        for name, page in pages.RENDERERS.items()
    }
    for name, text in made.items():
        write_text(text, output / name)
    (output / "figures").mkdir(parents=True, exist_ok=True)
    figures = write_figures(made, output / "figures")
    ran, _ = settings_that_ran(whole, provenance.records())
    written = write_tables(found, [read_ledger(path) for path in ledger], ran, output / "tables")
    print(f"{output}: {len(made)} pages, {len(figures)} files of figures, {len(written)} tables")


@app.command()
def draw_figures(
    pages: Annotated[list[Path], typer.Argument(help="Pages of the report (.html).")],
    output: Annotated[Path, "The folder of the figures."],
) -> None:
    """The figures of pages as SVG and PDF files, {page}/{analysis}/{table}/{cohort}-{number}.svg; also of published pages.

    Example: faceage-bio draw-figures --output figures association.html survival.html photos.html
    """
    from faceage_bio.report.figure_files import copy_figures

    output.mkdir(parents=True, exist_ok=True)
    print(f"{output}: {len(copy_figures(pages, output))} files")
