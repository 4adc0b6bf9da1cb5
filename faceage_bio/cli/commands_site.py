"""faceage-bio site: hospitals that share no rows pool their estimates, or fit one Cox model, by files."""

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)
Request = Annotated[Path, typer.Argument(help="The coordinator's request (.json).")]


@app.command()
def export(
    site: Annotated[str, typer.Option(help="Name of this site.")],
    output: Annotated[Path, typer.Option(help="The bundle (.zip).")],
    configfile: Annotated[Path, typer.Option(help="The study's config.yaml.")],
    results: Annotated[
        Path | None, typer.Option(help="Folder of a finished run; the config's results_dir if not given.")
    ] = None,
    cohort: Annotated[list[str], typer.Option(help="Cohort that takes part; repeat. All if not given.")] = [],
    rounding: Annotated[
        int | None,
        typer.Option(help="Rounding of counts; the config's release.rounding if not given.", min=1),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            help="Secret key of this site, made if absent; in your folder of settings if not given."
        ),
    ] = None,
    sign: Annotated[
        Path | None, typer.Option(help="OpenSSH key with which the bundle is signed (bundle.zip.sig).")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write without asking.")] = False,
) -> None:
    """Show what would leave, ask, and write this site's bundle: released tables with model estimates in full precision.

    Example: faceage-bio site export --configfile my-study/config.yaml --site north --output north.zip
    """
    from tempfile import TemporaryDirectory

    from faceage_bio.cli.commands_release import study_to_release
    from faceage_bio.core.config import load_config
    from faceage_bio.core.tables import write_bytes, zipped
    from faceage_bio.release.pseudonyms import default_key_path, load_key
    from faceage_bio.release.sites.signatures import sign_file
    from faceage_bio.release.sites.site_bundle import site_members

    config = load_config(configfile)
    folder, known, cards = study_to_release(results, [], config)
    secret = load_key(key or default_key_path("fingerprints.key"), [folder, output])
    members, log = site_members(
        folder, site, cohort, known, config.model_dump(mode="json"), cards, rounding or config.release.rounding, secret
    )  # fmt: skip
    for row in log.itertuples():
        print(
            f"{row.table}: {row.rows} rows, {row.counts_rounded} counts rounded, {row.statistics_redacted} statistics redacted"
        )
    size = sum(map(len, members.values()))
    print(f"{len(members)} files, {size / 1e6:.1f} MB unpacked; looked for {known.words}")
    with TemporaryDirectory(prefix="faceage-bio-") as unpacked:
        if not yes:
            for name, content in members.items():
                write_bytes(content, Path(unpacked) / name)
            print(f"All of them, to be read before they leave: {unpacked} (removed after your answer)")
        if not yes and not typer.confirm(f"Write these to {output}?"):
            raise typer.Abort
    write_bytes(zipped(members), output, mode=0o644)
    if sign:
        print(f"Signed: {sign_file(output, sign)}")


@app.command()
def pool(
    bundles: Annotated[list[Path], typer.Argument(help="The sites' bundles (.zip).")],
    output: Annotated[Path, typer.Option(help="Folder of the multi-site report.")],
    allowed_signers: Annotated[
        Path | None,
        typer.Option(
            help="OpenSSH's file of who may sign, with the sites' names; each bundle needs its signature (.zip.sig) then."
        ),
    ] = None,
    sets: Annotated[
        list[str], typer.Option("--set", help="A setting of pooling, as pooling.method=DL; repeat.")
    ] = [],
) -> None:
    """Pool the estimates of several sites by meta-analysis, and write the multi-site report.

    Cohorts are called as their site, or site_cohort where a site has several.

    Example: faceage-bio site pool north.zip south.zip --output multi-site
    """
    from faceage_bio.core.columns import COHORT, POOLED
    from faceage_bio.core.config import check_config, with_values
    from faceage_bio.release.sites.signatures import check_signature
    from faceage_bio.release.sites.site_bundle import differing_settings, pool_bundles, read_bundle

    read = [read_bundle(path) for path in bundles]
    if allowed_signers:
        for path, one in zip(bundles, read, strict=True):
            check_signature(path, one.site, allowed_signers)
    settings = with_values({"pooling": {}}, sets)
    check_config(settings, "--set", study=False)
    pooled = pool_bundles(read, output, settings["pooling"])
    for name, values in differing_settings(read).items():
        print(f"{name} differs: {'; '.join(f'{site} {value}' for site, value in values.items())}")
    rows = pooled[pooled[COHORT] == POOLED]
    print(
        f"{rows['estimate'].notna().sum()} estimates pooled, {rows['estimate'].isna().sum()} not (reasons on the pages)"
    )
    print(f"{output / 'index.html'}")


@app.command()
def request(
    term: Annotated[
        list[str], typer.Option(help="COLUMN, COLUMN/UNITS (such as face_age/10) or COLUMN=LEVEL; repeat.")
    ],
    model_id: Annotated[str, typer.Option(help="SHA-256 of the face-age weights, from card.json.")],
    output: Annotated[Path, typer.Option(help="The request (.json), for all sites.")],
    definition: Annotated[str, typer.Option(help="Definition of age acceleration.")] = "linear",
    outcome: Annotated[
        str, typer.Option(help="event: a Cox model of follow-up; a column of numbers: a linear model of it.")
    ] = "event",
) -> None:
    """Write the first request: the terms of the model, coded alike at all sites.

    Example: faceage-bio site request --term face_age/10 --term chronological_age/10 --term sex=male --model-id 3f2a --output request.json
    """
    from faceage_bio.core.errors import RunError
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


@app.command()
def answer(
    file: Request,
    follow_up: Annotated[Path, typer.Option(help="The site's follow_up.parquet.")],
    site: Annotated[str, typer.Option(help="Name of this site.")],
    model_id: Annotated[
        str, typer.Option(help="SHA-256 of this site's face-age weights, from its card.json.")
    ],
    key: Annotated[
        Path, typer.Option(help="Secret key of this site, made if it is not there; it never leaves.")
    ],
    log: Annotated[Path, typer.Option(help="Log of this site's answers (.jsonl).")],
    output: Annotated[Path, typer.Option(help="The answer (.json).")],
    definition: Annotated[str, typer.Option(help="Definition of age acceleration.")] = "linear",
    rounding: Annotated[int, typer.Option(help="Counts are rounded to multiples of this.", min=1)] = 6,
    yes: Annotated[bool, typer.Option("--yes", help="Write without asking.")] = False,
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
    if "follow_up_reason" in table and asked["model"]["time"]:
        table = table[table["follow_up_reason"] == ""]
    found, about = answer_of(
        asked, table, site=site, key=load_key(key), log=log, k=rounding,
        model_id=model_id, definition=definition,
    )  # fmt: skip
    print(json.dumps(found, indent=2))
    if asked["round"] == 0 and (why := may_answer(table, asked["model"])):
        print(f"In later rounds {why}" if asked["model"]["time"] else why)
    if not yes and not typer.confirm(f"Write this to {output}?"):
        raise typer.Abort
    record_answer(log, about)
    write_json(found, output)
    print(f"{output}: the answer of {site} in round {asked['round']}")


@app.command()
def combine(
    file: Request,
    answers: Annotated[list[Path], typer.Argument(help="The sites' answers (.json).")],
    estimate: Annotated[Path, typer.Option(help="The pooled model (.tsv).")],
    output: Annotated[
        Path | None, typer.Option(help="The next request (.json); a linear model needs none.")
    ] = None,
) -> None:
    """Combine the answers of all sites: the pooled model so far, and the next request.

    Example: faceage-bio site combine request.json north.json south.json --estimate pooled.tsv --output request-1.json
    """
    from faceage_bio.core.errors import RunError
    from faceage_bio.core.tables import write_json, write_table
    from faceage_bio.release.sites.rounds import ANSWER, REQUEST, SETTLED, read_message
    from faceage_bio.release.sites.rounds import combine as combine_answers

    asked = read_message(file, REQUEST)
    following, table, moved = combine_answers(
        asked, {path.name: read_message(path, ANSWER) for path in answers}
    )
    write_table(table, estimate)
    if following and output is None:
        raise RunError(
            "--output is needed for a Cox model. Expected where the next request goes. Write for example --output request-1.json."
        )
    if following:
        write_json(following, output)
    for row in table.itertuples():
        what = {"hazard ratio": "HR", "mean difference": "difference"}[row.measure]
        print(f"{row.term}: {what} {row.estimate:.3f} (95% CI {row.ci_lower:.3f}–{row.ci_upper:.3f})")
    alone, sites = int(table["n_two_stage"].max()), int(table["n_sites"].max())
    whole = (
        f"{alone} of {sites} sites by their own fit, so not the model of all rows"
        if alone
        else "the model of all rows"
    )
    if not following:
        print(f"{estimate}: a linear model with an intercept for each site; {whole}.")
    elif moved < SETTLED:
        print(
            f"Settled: the coefficients moved by {moved:.1e} standard errors. {estimate}: stratified by site; {whole}."
        )
    elif asked["round"] == 0:
        print(f"Two-stage estimate. Send {output} to the sites for the estimate of all rows.")
    else:
        print(f"The coefficients moved by {moved:.1e} standard errors. Send {output} to the sites.")
