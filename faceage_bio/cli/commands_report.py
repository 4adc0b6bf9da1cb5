"""The step that makes the pages, their figures and the tables for authors."""

from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.core.config import Config
from faceage_bio.core.steps import step

app = typer.Typer()


@step(
    uses=[
        "cohorts",
        "models",
        "demo",
        "study",
        "report",
        "review",
        "readers",
        "release",
        "expression.panel_reasons",
    ],
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
    output: Annotated[
        Path,
        typer.Option(help="Folder of the pages, figures and tables."),
    ],
    whole: Config,
    model_card: Annotated[list[Path], typer.Option(help="Card of a model; repeat.")] = [],
    ledger: Annotated[list[Path], typer.Option(help="A cohort's ledger.tsv; repeat.")] = [],
) -> None:
    """The summary page and three pages, their figures (SVG, PDF), and tables as a journal prints them (Word, LaTeX, TSV).

    The tables are read once. Pages are HTML files that need no network and show no photo; numbers are exact: internal. The headline
    of this run is kept in history, as aggregates, and the summary page says what changed since the last one.

    Example: faceage-bio render-report --config my-study/config.yaml --ledger results/north/ledger.tsv --output results/reports
    results/*/*/*.tsv
    """
    from faceage_bio.core.records import check_unchanged
    from faceage_bio.core.tables import read_json, read_ledger, write_json, write_text
    from faceage_bio.report import history, pages
    from faceage_bio.report.figure_files import write_figures
    from faceage_bio.report.frozen_plan import since_freeze
    from faceage_bio.report.provenance import read_provenance
    from faceage_bio.report.table_files import write_tables
    from faceage_bio.report.tables_by_place import collect

    check_unchanged([*tables, *ledger])
    config, found = whole.model_dump(mode="json"), collect(tables)
    cards = [read_json(card) for card in model_card]
    run = history.keep(history.record(found, config), output / "history") | {"plan": since_freeze(config)}
    write_json(run, output / "run.json")
    made = {
        "index": pages.index_page(found, config, cards, read_provenance(tables), run=run),
        "association": pages.association_page(found, config, cards, read_provenance(tables)),
        "survival": pages.survival_page(found, config, cards, read_provenance(tables)),
        "photos": pages.photo_page(found, config, cards, read_provenance(tables)),
    }
    for name, text in made.items():
        write_text(text, output / f"{name}.html")
    (output / "figures").mkdir(parents=True, exist_ok=True)
    figures = write_figures([output / f"{name}.html" for name in made], output / "figures")
    written = write_tables(found, [read_ledger(path) for path in ledger], config, output / "tables")
    print(f"{output}: {len(made)} pages, {len(figures)} files of figures, {len(written)} tables")


@app.command()
def draw_figures(
    pages: Annotated[list[Path], typer.Argument(help="Pages of the report (.html).")],
    output: Annotated[Path, typer.Option(help="The folder of the figures.")],
) -> None:
    """The figures of pages as SVG and PDF files, {page}/{analysis}/{table}/{cohort}-{number}.svg; also of published pages.

    Example: faceage-bio draw-figures --output figures association.html survival.html photos.html
    """
    from faceage_bio.report.figure_files import write_figures

    output.mkdir(parents=True, exist_ok=True)
    print(f"{output}: {len(write_figures(pages, output))} files")
