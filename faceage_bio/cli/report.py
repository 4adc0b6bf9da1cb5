"""Commands that make the pages, their figures and the tables for authors."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()
Tables = Annotated[
    list[Path], typer.Argument(help="Result tables, known by their place {cohort}/{room}/{table}.tsv.")
]
Settings = Annotated[str, typer.Option("--config", help="The whole config as JSON.")]
Output = Annotated[Path, typer.Option(help="The page (.html).")]
Cards = Annotated[list[Path], typer.Option("--model-card", help="Card of a model; repeat.")]
Run = Annotated[
    Path | None, typer.Option("--run", help="What changed since the last run, as record-run writes it.")
]


def _render(
    page: str, tables: list[Path], config: str, output: Path, cards: list[Path], run: Path | None = None
) -> None:
    import json

    from faceage_bio.records import check_unchanged
    from faceage_bio.report import pages
    from faceage_bio.report.provenance import read_provenance
    from faceage_bio.report.tables import collect
    from faceage_bio.tables import read_json, write_text

    check_unchanged(tables)
    make = getattr(pages, page)
    model_cards = [read_json(card) for card in cards]
    changes = {"run": read_json(run)} if run else {}
    write_text(
        make(collect(tables), json.loads(config), model_cards, read_provenance(tables), **changes), output
    )


@app.command()
def record_run(
    tables: Tables,
    config: Settings,
    history: Annotated[
        Path, typer.Option(help="Folder of the records of all runs; made if it is not there.")
    ],
    output: Annotated[
        Path, typer.Option(help="This run's headline, and what changed since the last (.json).")
    ],
) -> None:
    """Remember the headline of this run, as aggregates, and tell what changed since the last one.

    Example: faceage-bio record-run --config "$(cat config.json)" --history results/reports/history
    --output results/reports/run.json results/*/*/*.tsv
    """
    import json

    from faceage_bio.report import history as runs
    from faceage_bio.report.tables import collect
    from faceage_bio.tables import write_json

    new = runs.record(collect(tables), json.loads(config))
    write_json(runs.keep(new, history), output)


@app.command()
def render_summary(
    tables: Tables, config: Settings, output: Output, model_card: Cards = [], run: Run = None
) -> None:
    """Participant flow, key results, figures and checks on two sheets: one HTML file that needs no network.

    Example: faceage-bio render-summary --config "$(cat config.json)" --output index.html results/*/*/*.tsv
    """
    _render("index_page", tables, config, output, model_card, run)


@app.command()
def render_association_report(
    tables: Tables, config: Settings, output: Output, model_card: Cards = []
) -> None:
    """Associations with facial age acceleration: one HTML file that needs no network.

    Example: faceage-bio render-association-report --config "$(cat config.json)" --output association.html results/*/*/*.tsv
    """
    _render("association_page", tables, config, output, model_card)


@app.command()
def render_photo_report(tables: Tables, config: Settings, output: Output, model_card: Cards = []) -> None:
    """Photo quality and exclusions: one HTML file that needs no network and shows no photo.

    Example: faceage-bio render-photo-report --config "$(cat config.json)" --output photos.html results/*/faceage/*.tsv
    """
    _render("photo_page", tables, config, output, model_card)


@app.command()
def render_survival_report(tables: Tables, config: Settings, output: Output, model_card: Cards = []) -> None:
    """Face age and overall survival: one HTML file that needs no network.

    Example: faceage-bio render-survival-report --config "$(cat config.json)" --output survival.html results/*/*/*.tsv
    """
    _render("survival_page", tables, config, output, model_card)


@app.command()
def draw_figures(
    pages: Annotated[list[Path], typer.Argument(help="Pages of the report (.html).")],
    output: Annotated[Path, typer.Option(help="The folder of the figures.")],
) -> None:
    """The figures of pages as SVG and PDF files, {page}/{room}/{table}/{cohort}-{number}.svg; also of published pages.

    Example: faceage-bio draw-figures --output figures association.html survival.html photos.html
    """
    from faceage_bio.report.figure_files import write_figures

    output.mkdir(parents=True, exist_ok=True)
    print(f"{output}: {len(write_figures(pages, output))} files")


@app.command()
def write_tables(
    tables: Tables,
    config: Settings,
    ledger: Annotated[list[Path], typer.Option(help="A cohort's ledger.tsv; repeat.")],
    output: Annotated[Path, typer.Option(help="The folder of the tables.")],
) -> None:
    """Tables as a journal prints them (Word, LaTeX, TSV), and lists of photos not used and samples flagged. Exact numbers: internal.

    Table 1, Cox models, group comparisons, prespecified genes and key results; `publish` writes the same from released tables.

    Example: faceage-bio write-tables --config "$(cat config.json)" --ledger results/north/ledger.tsv --output tables results/*/*/*.tsv
    """
    import json

    from faceage_bio.records import check_unchanged
    from faceage_bio.report.table_files import write_tables as write
    from faceage_bio.report.tables import collect
    from faceage_bio.tables import read_ledger

    check_unchanged([*tables, *ledger])
    written = write(collect(tables), [read_ledger(path) for path in ledger], json.loads(config), output)
    print(f"{output}: {len(written)} files")
