"""Commands for what may leave: check-privacy, publish, pseudonymise."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()
Results = Annotated[
    list[Path],
    typer.Option(help="Folder of a run, whose participants must not be found in what leaves; repeat."),
]
Table = Annotated[
    list[Path],
    typer.Option(
        "--table",
        help="Manifest, clinical data, samples ... whose identifiers and dates are looked for; repeat.",
    ),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--configfile", help="The study's config.yaml, for its tables and threshold.")
]
Rounding = Annotated[
    int | None,
    typer.Option(
        help="Rounding of counts; the config's release.rounding, else 6. 1: none, for public data.", min=1
    ),
]


def _known(results: list[Path], tables: list[Path], config):
    """Who must not be found: participants of the results, of the config's tables and of further ones."""
    from faceage_bio.core.errors import PrivacyError
    from faceage_bio.release.known import Known, known_of_inputs, known_of_results

    known = Known()
    for folder in results:
        if not folder.is_dir():
            raise PrivacyError(
                f"{folder}: no such folder. Expected the results of a finished run, whose participants are looked for. Check the path of --results."
            )
        known |= known_of_results(folder)
    paths = list(tables)
    if config is not None:
        for cohort in config.cohorts.values():
            paths += [
                Path(value)
                for value in cohort.model_dump().values()
                if isinstance(value, str) and Path(value).exists()
            ]
        given = (config.readers.readings, config.readers.cases)
        paths += [Path(path) for path in given if path and Path(path).exists()]
    return known | known_of_inputs(paths)


def _settings(configfile: Path | None, rounding: int | None):
    from faceage_bio.core.config import load_config

    config = load_config(configfile) if configfile else None
    return config, rounding or (config.release.rounding if config else 6)


def study_to_release(results: Path | None, tables: list[Path], config):
    """Folder of the results, who must not be found, and the cards of the models.

    Raises
    ------
    PrivacyError
        No config, or no such folder.
    """
    from faceage_bio.core.errors import PrivacyError
    from faceage_bio.core.tables import read_json

    if config is None:
        raise PrivacyError(
            "no config was given. Expected the study's config, with which the pages are rendered from the released tables. "
            "Add --configfile my-study/config.yaml."
        )
    results = results or Path(config.results_dir)
    folders = [results / "model" / "demo" if name == "demo" else Path(name) for name in config.models]
    with_photos = any(cohort.photos for cohort in config.cohorts.values())
    cards = [read_json(folder / "card.json") for folder in folders] if with_photos else []
    return results, _known([results], tables, config), cards


@app.command()
def check_privacy(
    folder: Annotated[Path, typer.Argument(help="What is to leave: a folder, a zip or a file.")],
    results: Results = [],
    table: Table = [],
    configfile: ConfigFile = None,
    rounding: Rounding = None,
) -> None:
    """Look in every file for pictures, identifiers, file names, paths, dates of participants, vectors and counts that are not rounded.

    Ends with status 2 and a list if anything is found; nothing that is found is printed in full.

    Example: faceage-bio check-privacy results/share --results results
    """
    from faceage_bio.release.findings import stop_if_any
    from faceage_bio.release.gate import check_folder

    config, k = _settings(configfile, rounding)
    known = _known(results, table, config)
    stop_if_any(check_folder(folder, known, k), f"{folder}:")
    print(f"{folder}: nothing found; looked for {known.words}")


@app.command()
def publish(
    results: Annotated[
        Path | None, typer.Option(help="Folder of a finished run; the config's results_dir if not given.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder or .zip to write; share/ in the results if not given.")
    ] = None,
    table: Table = [],
    configfile: ConfigFile = None,
    rounding: Rounding = None,
    key: Annotated[
        Path | None,
        typer.Option(
            help="File of the secret key of the data's fingerprints, made if absent; in your folder of settings if not given."
        ),
    ] = None,
) -> None:
    """Write what may be handed to others: rounded tables, and pages and figures rendered from them. All of it, or nothing.

    Example: faceage-bio publish --results results --configfile my-study/config.yaml --output share.zip
    """
    from faceage_bio.core.local_only import mark_local
    from faceage_bio.release.bundle import publish as write
    from faceage_bio.release.pseudonyms import default_key_path, load_key

    settings, k = _settings(configfile, rounding)
    results, known, cards = study_to_release(results, table, settings)
    target = output or results / "share"
    secret = load_key(key or default_key_path("fingerprints.key"), [results, target])
    files, log = write(results, target, known, settings.model_dump(mode="json"), cards, k, secret)
    mark_local(results)
    for row in log[log.counts_rounded + log.statistics_redacted > 0].itertuples():
        print(
            f"{row.table}: {row.counts_rounded} counts rounded, {row.statistics_redacted} statistics redacted"
        )
    print(f"{target}: {len(files)} files may leave; looked for {known.words}")


@app.command()
def pseudonymise(
    table: Annotated[
        Path, typer.Argument(help="A table with a row per person, photo or sample (.parquet, .tsv, .csv).")
    ],
    output: Annotated[
        Path, typer.Option(help="The same with pseudonyms, without dates and file names; for its owner only.")
    ],
    key: Annotated[
        Path | None,
        typer.Option(help="File of the secret key, made if absent; in your folder of settings if not given."),
    ] = None,
    results: Results = [Path("results")],
) -> None:
    """Replace identifiers by pseudonyms that only the holder of the key can make again, for a collaborator under a contract.

    The same key gives the same pseudonyms in every table and run. Keep it apart from the results; who has it has the names.

    Example: faceage-bio pseudonymise results/north/acceleration/acceleration.parquet --output for_partner.tsv
    """
    from faceage_bio.core.tables import OWNER_ONLY, read_table, write_table
    from faceage_bio.release.pseudonyms import default_key_path, load_key
    from faceage_bio.release.pseudonyms import pseudonymise as replace

    place = key or default_key_path()
    made = replace(
        read_table(table), load_key(place, [*results, output.parent if output.parent != Path() else output])
    )
    write_table(made, output, mode=OWNER_ONLY)
    print(f"{output}: {len(made)} rows; the key lies in {place}")
