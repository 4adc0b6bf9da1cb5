"""Commands for what may leave: check-privacy, publish, pseudonymise, and faceage-bio site for hospitals that share no rows."""

import json
from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.cli.terminal import Commands, ask
from faceage_bio.core.columns import COHORT, POOLED
from faceage_bio.core.config import check_config, load_config, with_values
from faceage_bio.core.errors import PrivacyError, RunError
from faceage_bio.core.settings.settings_acceleration import Acceleration
from faceage_bio.core.settings.settings_study import Release

app = Commands()
site_app = Commands(no_args_is_help=True)

Results = Annotated[
    list[Path], "Folder of a run, whose participants must not be found in what leaves; repeat."
]
FinishedRun = Annotated[Path | None, "Folder of a finished run; the config's results_dir if not given."]
Yes = Annotated[bool, typer.Option("--yes", help="Write without asking.")]
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
        help=f"Rounding of counts; the config's release.rounding, else {Release().rounding}. 1: none, for public data.",
        min=1,
    ),
]
Request = Annotated[Path, typer.Argument(help="The coordinator's request (.json).")]


def _known(results: list[Path], tables: list[Path], config):
    """Who must not be found: participants of the results, of the config's tables and of further ones."""
    from faceage_bio.core.settings.settings_cohort import TABLES, SheetForm, as_list, form_of
    from faceage_bio.core.tables import read_text_table
    from faceage_bio.release.known import (
        Known,
        known_of_columns,
        known_of_inputs,
        known_of_results,
        words_of,
    )

    known = Known()
    for folder in results:
        if not folder.is_dir():
            raise PrivacyError(
                f"{folder}: no such folder. Expected the results of a finished run, whose participants are looked for. Check the path of --results."
            )
        known |= known_of_results(folder)
    for table in tables:
        mine = known_of_inputs([table]) if table.exists() else Known()
        if not (mine.identifiers or mine.files or mine.births or mine.dates):
            raise PrivacyError(
                f"{table}: {'no identifiers, photos or dates' if table.exists() else 'no such file'}, so that no participant is looked for. Expected a table with identifiers, "
                "names of photos or dates in columns named as in the docs, or a folder of photos. Check the path and the columns of --table."
            )
        known |= mine
    files: list = []
    if config is not None:
        read = {
            getattr(config.readers, name): config.readers.tables.get(name, SheetForm())
            for name in ("readings", "cases")
        }
        for cohort in config.cohorts.values():
            read |= {getattr(cohort, name): form_of(cohort, name) for name in TABLES}
            files += [value for name, value in cohort.model_dump().items() if name not in TABLES]
        for file, form in read.items():
            if file and Path(file).exists():
                ours = {name: key for key, names in form.columns.items() for name in as_list(names)}
                columns = read_text_table(file, form.sheet).rename(columns=ours)
                known |= known_of_columns(columns) | Known(vocabulary=words_of(" ".join(ours)))
    given = (Path(one) for one in files if one and isinstance(one, str | Path))
    return known | known_of_inputs(path for path in given if path.exists())


def _settings(configfile: Path | None, rounding: int | None):
    config = load_config(configfile) if configfile else None
    return config, rounding or (config.release if config else Release()).rounding


def study_to_release(results: Path | None, tables: list[Path], config):
    """Folder of the results, who must not be found, and the cards of the models.

    Raises
    ------
    PrivacyError
        No config, or no such folder.
    """
    from faceage_bio.core.tables import read_json

    if config is None:
        raise PrivacyError(
            "no config was given. Expected the study's config, with which the pages are rendered from the released tables. "
            "Add --configfile my-study/config.yaml."
        )
    results = results or Path(config.results_dir)
    with_photos = any(cohort.photos for cohort in config.cohorts.values())
    cards = (
        [read_json(folder / "card.json") for folder in config.model_folders(results)] if with_photos else []
    )
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
    from faceage_bio.core.tables import read_json
    from faceage_bio.release.bundle import released_config
    from faceage_bio.release.gate import check_folder, stop_if_any
    from faceage_bio.release.known import vocabulary

    config, k = _settings(configfile, rounding)
    known = _known(results, table, config)
    if known.vocabulary:
        cards = [read_json(path) for folder in results for path in folder.glob("*/faceage/model_card.json")]
        known |= vocabulary(config and released_config(config, k).model_dump(), cards)
    stop_if_any(check_folder(folder, known, k), f"{folder}:")
    print(f"{folder}: nothing found; looked for {known.words}")


@app.command()
def publish(
    results: FinishedRun = None,
    output: Annotated[Path | None, "Folder or .zip to write; share/ in the results if not given."] = None,
    table: Table = [],
    configfile: ConfigFile = None,
    rounding: Rounding = None,
    key: Annotated[
        Path | None,
        "File of the secret key of the data's fingerprints, made if absent; in your folder of settings if not given.",
    ] = None,
) -> None:
    """Write what may be handed to others: rounded tables, and pages and figures rendered from them. All of it, or nothing.

    Example: faceage-bio publish --results results --configfile my-study/config.yaml --output share.zip
    """
    from faceage_bio.core.tables import mark_local, read_json
    from faceage_bio.release.bundle import MANIFEST
    from faceage_bio.release.bundle import publish as write
    from faceage_bio.release.pseudonyms import default_key_path, load_key
    from faceage_bio.report.provenance import settings_of_run

    settings, k = _settings(configfile, rounding)
    results, known, cards = study_to_release(results, table, settings)
    target = output or results / "share"
    secret = load_key(key or default_key_path("fingerprints.key"), [results, target])
    earlier = read_json(target / MANIFEST).get("rounding", k) if (target / MANIFEST).is_file() else k
    if earlier != k:
        print(
            f"{target}: the bundle that it replaces is rounded to {earlier}, this one to {k}. Who has both can narrow counts down: "
            "withdraw the earlier one, if it has left."
        )
    files, log = write(results, target, known, settings_of_run(settings, results), cards, k, secret)
    mark_local(results)
    for row in log[log.counts_rounded + log.statistics_redacted > 0].itertuples():
        print(f"{row.table}: {_done(row)}")
    print(f"{target}: {len(files)} files may leave; looked for {known.words}")


def _done(row) -> str:
    """What the release rule did to a table."""
    return f"{row.counts_rounded} counts rounded, {row.statistics_redacted} statistics redacted"


@app.command()
def pseudonymise(
    table: Annotated[
        Path,
        typer.Argument(help="A table with a row per participant, photo or sample (.parquet, .tsv, .csv)."),
    ],
    output: Annotated[
        Path, "The same with pseudonyms, without dates, names and file names; for its owner only."
    ],
    key: Annotated[
        Path | None, "File of the secret key, made if absent; in your folder of settings if not given."
    ] = None,
    results: Results = [Path("results")],
) -> None:
    """Replace identifiers by pseudonyms that only the holder of the key can make again, for a collaborator under a contract.

    The same key gives the same pseudonyms in every table and run. Keep it apart from the results; who has it has the names.

    Example: faceage-bio pseudonymise results/north/acceleration/acceleration.parquet --output for_partner.tsv
    """
    from faceage_bio.core.tables import OWNER_ONLY, read_table, write_table
    from faceage_bio.release.pseudonyms import default_key_path, left_out, load_key
    from faceage_bio.release.pseudonyms import pseudonymise as replace

    place = key or default_key_path()
    folders = [*results, output.parent if output.parent != Path() else output]
    whole = read_table(table)
    made = replace(whole, load_key(place, folders))
    write_table(made, output, mode=OWNER_ONLY)
    gone = [f"{name} ({why})" for name, why in left_out(whole).items()]
    print(f"Removed: {', '.join(gone) or 'no column'}. Look at the others before the table leaves.")
    print(f"{output}: {len(made)} rows; the key lies in {place}")


@site_app.command()
def export(
    site: Annotated[str, "Name of this site."],
    output: Annotated[Path, "The bundle (.zip)."],
    configfile: Annotated[Path, "The study's config.yaml."],
    results: FinishedRun = None,
    cohort: Annotated[list[str], "Cohort that takes part; repeat. All if not given."] = [],
    rounding: Annotated[
        int | None,
        typer.Option(help="Rounding of counts; the config's release.rounding if not given.", min=1),
    ] = None,
    key: Annotated[
        Path | None, "Secret key of this site, made if absent; in your folder of settings if not given."
    ] = None,
    sign: Annotated[Path | None, "OpenSSH key with which the bundle is signed (bundle.zip.sig)."] = None,
    yes: Yes = False,
) -> None:
    """Show what would leave, ask, and write this site's bundle: released tables with model estimates in full precision.

    Example: faceage-bio site export --configfile my-study/config.yaml --site north --output north.zip
    """
    from tempfile import TemporaryDirectory

    from faceage_bio.core.tables import write_bytes, zipped
    from faceage_bio.release.pseudonyms import default_key_path, load_key
    from faceage_bio.release.sites.site_bundle import sign_file, site_members
    from faceage_bio.report.provenance import settings_of_run

    config = load_config(configfile)
    folder, known, cards = study_to_release(results, [], config)
    secret = load_key(key or default_key_path("fingerprints.key"), [folder, output])
    members, log = site_members(
        folder, site, cohort, known, settings_of_run(config, folder), cards, rounding or config.release.rounding, secret
    )  # fmt: skip
    for row in log.itertuples():
        print(f"{row.table}: {row.rows} rows, {_done(row)}")
    size = sum(map(len, members.values()))
    print(f"{len(members)} files, {size / 1e6:.1f} MB unpacked; looked for {known.words}")
    with TemporaryDirectory(prefix="faceage-bio-") as unpacked:
        if not yes:
            for name, content in members.items():
                write_bytes(content, Path(unpacked) / name)
            print(f"All of them, to be read before they leave: {unpacked} (removed after your answer)")
        ask(f"Write these to {output}?", yes)
    write_bytes(zipped(members), output, mode=0o644)
    if sign:
        print(f"Signed: {sign_file(output, sign)}")


@site_app.command()
def pool(
    bundles: Annotated[list[Path], typer.Argument(help="The sites' bundles (.zip).")],
    output: Annotated[Path, "Folder of the multi-site report."],
    allowed_signers: Annotated[
        Path | None,
        "OpenSSH's file of who may sign, with the sites' names; each bundle needs its signature (.zip.sig) then.",
    ] = None,
    sets: Annotated[
        list[str], typer.Option("--set", help="A setting of pooling, as pooling.method=DL; repeat.")
    ] = [],
) -> None:
    """Pool the estimates of several sites by meta-analysis, and write the multi-site report.

    Cohorts are called as their site, or site_cohort where a site has several.

    Example: faceage-bio site pool north.zip south.zip --output multi-site
    """
    from faceage_bio.release.sites.site_bundle import (
        check_signature,
        differing_settings,
        pool_bundles,
        read_bundle,
    )

    read = [read_bundle(path) for path in bundles]
    if allowed_signers:
        for path, one in zip(bundles, read, strict=True):
            check_signature(path, one.site, allowed_signers)
    settings = with_values({"pooling": {}}, sets, ["pooling"], "site pool")
    check_config(settings, "--set", study=False)
    pooled = pool_bundles(read, output, settings["pooling"])
    for name, values in differing_settings(read).items():
        print(f"{name} differs: {'; '.join(f'{site} {value}' for site, value in values.items())}")
    estimates = pooled.loc[pooled[COHORT] == POOLED, "estimate"]
    print(f"{estimates.count()} estimates pooled, {estimates.isna().sum()} not (reasons on the pages)")
    print(f"{output / 'index.html'}")


@site_app.command()
def request(
    term: Annotated[list[str], "COLUMN, COLUMN/UNITS (such as face_age/10) or COLUMN=LEVEL; repeat."],
    model_id: Annotated[str, "SHA-256 of the face-age weights, from card.json."],
    output: Annotated[Path, "The request (.json), for all sites."],
    definition: Annotated[str, "Definition of age acceleration."] = Acceleration().definition,
    outcome: Annotated[
        str, "event: a Cox model of follow-up; a column of numbers: a linear model of it."
    ] = "event",
) -> None:
    """Write the first request: the terms of the model, coded alike at all sites.

    Example: faceage-bio site request --term face_age/10 --term chronological_age/10 --term sex=male --model-id 3f2a --output request.json
    """
    from faceage_bio.core.tables import write_json
    from faceage_bio.release.sites.rounds import Term, first_request

    terms = []
    for one in term:
        column, _, level = one.partition("=")
        column, _, per = column.partition("/")
        try:
            terms.append(Term(column, float(per or 1), level or None))
        except ValueError:
            raise RunError(
                f"--term {one}: expected a number after the slash. Write for example face_age/10."
            ) from None
    write_json(first_request(terms, model_id, definition, outcome), output)
    print(f"{output}: round 0, {len(terms)} terms. Send it to all sites.")


@site_app.command()
def answer(
    file: Request,
    follow_up: Annotated[Path, "The site's follow_up.parquet."],
    site: Annotated[str, "Name of this site."],
    model_id: Annotated[str, "SHA-256 of this site's face-age weights, from its card.json."],
    key: Annotated[Path, "Secret key of this site, made if it is not there; it never leaves."],
    log: Annotated[Path, "Log of this site's answers (.jsonl)."],
    output: Annotated[Path, "The answer (.json)."],
    definition: Annotated[str, "Definition of age acceleration."] = Acceleration().definition,
    rounding: Annotated[
        int, typer.Option(help="Counts are rounded to multiples of this.", min=1)
    ] = Release().rounding,
    yes: Yes = False,
) -> None:
    """Show what would leave, ask, and write this site's answer.

    Example: faceage-bio site answer request.json --follow-up results/north/survival/follow_up.parquet --site north --model-id 3f2a
    --key site.key --log answers.jsonl --output north.json
    """
    from faceage_bio.core.tables import read_table, write_json
    from faceage_bio.release.pseudonyms import load_key
    from faceage_bio.release.sites.rounds import REQUEST, may_answer, read_message, record_answer
    from faceage_bio.release.sites.rounds import answer as answer_of

    asked = read_message(file, REQUEST)
    table = read_table(follow_up)
    of_site = {"site": site, "model_id": model_id, "definition": definition}
    found, about = answer_of(asked, table, key=load_key(key), log=log, k=rounding, **of_site)
    print(json.dumps(found, indent=2))
    if asked["round"] == 0 and (why := may_answer(table, asked["model"])):
        print(f"In later rounds {why}" if asked["model"]["time"] else why)
    ask(f"Write this to {output}?", yes)
    record_answer(log, about)
    write_json(found, output)
    print(f"{output}: the answer of {site} in round {asked['round']}")


@site_app.command()
def combine(
    file: Request,
    answers: Annotated[list[Path], typer.Argument(help="The sites' answers (.json).")],
    estimate: Annotated[Path, "The pooled model (.tsv)."],
    output: Annotated[Path | None, "The next request (.json); a linear model needs none."] = None,
) -> None:
    """Combine the answers of all sites: the pooled model so far, and the next request.

    Example: faceage-bio site combine request.json north.json south.json --estimate pooled.tsv --output request-1.json
    """
    from faceage_bio.core.tables import write_json, write_table
    from faceage_bio.release.sites.rounds import ANSWER, REQUEST, SETTLED, read_message
    from faceage_bio.release.sites.rounds import combine as combine_answers
    from faceage_bio.report.words import interval, number

    asked = read_message(file, REQUEST)
    given = {path.name: read_message(path, ANSWER) for path in answers}
    following, table, moved = combine_answers(asked, given)
    write_table(table, estimate)
    if following and output is None:
        raise RunError(
            "--output is needed for a Cox model. Expected where the next request goes. Write for example --output request-1.json."
        )
    if following:
        write_json(following, output)
    for row in table.itertuples():
        what = {"hazard ratio": "HR", "mean difference": "difference"}[row.measure]
        print(
            f"{row.term}: {what} {number(row.estimate, 3)} (95% CI {interval(row.ci_lower, row.ci_upper, 3)})"
        )
    alone, sites = int(table["n_two_stage"].max()), int(table["n_sites"].max())
    whole = "the model of all rows"
    if alone:
        whole = f"{alone} of {sites} sites by their own fit, so not {whole}"
    if not following:
        print(f"{estimate}: a linear model with an intercept for each site; {whole}.")
    elif moved < SETTLED:
        settled = f"Settled: the coefficients moved by {moved:.1e} standard errors"
        print(f"{settled}. {estimate}: stratified by site; {whole}.")
    elif asked["round"] == 0:
        print(f"Two-stage estimate. Send {output} to the sites for the estimate of all rows.")
    else:
        print(f"The coefficients moved by {moved:.1e} standard errors. Send {output} to the sites.")
