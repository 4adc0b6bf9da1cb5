"""What a hospital sends so that its estimates are pooled, and the report on the bundles of several hospitals.

A bundle is a zip of JSON and TSV that anybody can read: released tables (docs/privacy.md) whose model estimates stay in full precision,
because a standard error that was rounded pools wrongly; config, model cards and a manifest with versions, fingerprints and hashes.
"""

import hashlib
import io
import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field, PositiveInt, ValidationError

from faceage_bio.analyses.pooling.pooling_stage import COLUMNS as GENE_COLUMNS
from faceage_bio.analyses.pooling.pooling_stage import pool_genes, pool_tables
from faceage_bio.analyses.pooling.sources import SOURCES
from faceage_bio.core.columns import COHORT
from faceage_bio.core.config import Config, check_config, values_of
from faceage_bio.core.errors import RunError
from faceage_bio.core.parse import to_numbers
from faceage_bio.core.records import version
from faceage_bio.core.results.measures import MEASURES, MODEL
from faceage_bio.core.results.result_tables import NEVER, TABLES, count_columns, key_of
from faceage_bio.core.results.row import columns_of, is_result, number_columns
from faceage_bio.core.settings.settings_cohort import Cohort
from faceage_bio.core.settings.settings_study import Pooling, Release
from faceage_bio.core.tables import read_table, write_bytes, write_json, write_table
from faceage_bio.core.user_files import check_zip
from faceage_bio.release.bundle import (
    MANIFEST,
    building_folder,
    is_ours,
    provenance,
    released_config,
    result_tables,
    take_place,
    write_pages,
    write_released,
)
from faceage_bio.release.gate import check_folder, stop_if_any
from faceage_bio.release.known import Known, vocabulary
from faceage_bio.release.pseudonyms import fingerprints
from faceage_bio.release.rule import changes, release
from faceage_bio.release.sites.rounds import faults_of

FORMAT = "faceage-bio site bundle 1"
NAMESPACE = "faceage-bio"  # of signatures
GENES = "expression/genes"
EXACT = ("estimate", "ci_lower", "ci_upper", "standard_error")
SITE = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}")
CONFIG, CARDS = "config.json", "cards.json"
# settings that make an estimate another quantity; all other settings may differ, and rows with other covariates are not pooled
SAME = (
    "acceleration.definition", "acceleration.fit_in", "acceleration.repeat_photos", "survival.per_years", "survival.horizon_years",
    "survival.groups", "survival.cause_of_interest",
)  # fmt: skip


class _Manifest(BaseModel):
    """What `read_bundle` expects of a bundle's manifest, beside its format."""

    faceage_bio: str
    site: str = Field(pattern=f"^{SITE.pattern}$")
    rounding: PositiveInt
    data: dict[str, str]
    models: dict[str, str | None]
    config: str
    files: dict[str, str]


@dataclass(frozen=True)
class SiteBundle:
    """A bundle that was read and is whole; ``tables`` by place, ``north/survival/cox``."""

    name: str
    manifest: dict[str, Any]
    config: Config
    cards: list[dict[str, Any]]
    tables: dict[str, bytes]

    @property
    def site(self) -> str:
        """Name of the hospital."""
        return self.manifest["site"]

    @property
    def model_id(self) -> str:
        """SHA-256 of the weights of the face ages; "" where ages were given."""
        return next(iter(self.manifest["models"].values()), None) or ""

    def cohort(self, name: str) -> str:
        """Name of one of its cohorts in the report."""
        return self.site if len(self.config.cohorts) == 1 else f"{self.site}_{name}"


def site_members(
    results: Path, site: str, cohorts: Sequence[str], known: Known, config: Config, cards: Sequence[dict], k: int, key: bytes
) -> tuple[dict[str, bytes], pd.DataFrame]:  # fmt: skip
    """The files of a site's bundle, after the gate has read them, and what was done to each table.

    Parameters
    ----------
    results : the folder of a finished run
    site : name of the hospital
    cohorts : those that take part; empty for all
    known, config, cards, k, key : see `bundle.publish`

    Raises
    ------
    RunError
        A name that is none, or a cohort that the study has not.
    PrivacyError
        See `bundle.publish`.
    """
    if not SITE.fullmatch(site):
        raise RunError(
            f"--site {site!r}: expected up to 31 small letters, digits, - and _. Write for example north-hospital."
        )
    if unknown := [name for name in cohorts if name not in config.cohorts]:
        raise RunError(
            f"--cohort {', '.join(unknown)}: no cohort of the study. Expected {', '.join(config.cohorts)}. Correct the name."
        )
    taking = list(cohorts) or list(config.cohorts)
    told = released_config(_of_cohorts(config, taking), k)
    exact = result_tables(Path(results), taking, config.report.sections)
    shared = release(exact, k)
    if known.vocabulary:
        known |= vocabulary(told.model_dump(), cards)
    with TemporaryDirectory() as folder:
        building = Path(folder)
        whole = {place: _in_full(table, exact[place], key_of(place)) for place, table in shared.items()}
        write_released(whole, building / "tables")
        write_json(told.model_dump(mode="json"), building / CONFIG)
        write_json(list(cards), building / CARDS)
        members = _files(building)
        data = fingerprints(results, key).items()
        manifest = {
            "format": FORMAT,
            "site": site,
            **provenance(told, cards, k),
            "data": {role: value for role, value in data if role.split(" of ")[-1] in taking},
            "files": {name: hashlib.sha256(content).hexdigest() for name, content in members.items()},
        }
        write_json(manifest, building / MANIFEST)
        stop_if_any(check_folder(building, known, k), "nothing was written, because")
        return _files(building), changes(exact, shared)


def _of_cohorts(config: Config, taking: Sequence[str]) -> Config:
    """The config without what it says of cohorts that take no part."""
    pooling, report = config.pooling, config.report

    def of_taking(values: Mapping) -> dict:
        return {name: value for name, value in values.items() if name in taking}

    overlapping = [[name for name in names if name in taking] for names in pooling.overlapping]
    pooled = {
        "reference_cohorts": [name for name in pooling.reference_cohorts if name in taking],
        "overlapping": [names for names in overlapping if len(names) > 1],
        "moderators": {name: of_taking(values) for name, values in pooling.moderators.items()},
    }
    return config.model_copy(
        update={
            "cohorts": {name: config.cohorts[name] for name in taking},
            "report": report.model_copy(update={"cohorts": of_taking(report.cohorts)}),
            "pooling": pooling.model_copy(update=pooled),
        }
    )


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _in_full(released: pd.DataFrame, exact: pd.DataFrame, key: str) -> pd.DataFrame:
    """A released table whose model estimates have all their digits; what was redacted stays so."""
    if (key not in SOURCES and key != GENES) or len(released) != len(exact):
        return released
    of_models = np.array([getattr(MEASURES.get(name), "kind", None) == MODEL for name in exact["measure"]])
    shown = {name: released[name].notna() & of_models for name in EXACT if name in released}
    return released.assign(**{name: exact[name].where(rows, released[name]) for name, rows in shown.items()})


def read_bundle(path: Path) -> SiteBundle:
    """A bundle as `site_members` made it.

    Raises
    ------
    RunError
        No such zip, one that was cut or changed, one with files that no bundle has, or another version of this package.
    """
    try:
        check_zip(path)
        with zipfile.ZipFile(path) as packed:
            members = {one: packed.read(one) for one in packed.namelist()}
        manifest = json.loads(members.pop(MANIFEST))
        content, cards = json.loads(members[CONFIG]), json.loads(members[CARDS])
        if not (isinstance(cards, list) and all(isinstance(card, dict) for card in cards)):
            raise ValueError(f"{CARDS} holds no model cards")
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise RunError(
            f"{path}: cannot be read as a site's bundle ({error}). Expected a whole zip that `faceage-bio site export` wrote. Ask the site for it again."
        ) from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise RunError(
            f"{path}: format {found!r}. Expected {FORMAT!r}. Install the same version of faceage_bio at all sites."
        )
    try:
        _Manifest.model_validate(manifest)
        config = check_config(content, f"{path}: {CONFIG}")
    except ValidationError as error:
        raise RunError(
            f"{path}: {faults_of(error)}. Expected the manifest that `faceage-bio site export` wrote. Ask the site for it again."
        ) from None
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
    changed = sorted(name for name, _ in hashes.items() ^ manifest["files"].items())
    if changed:
        listed = ", ".join(dict.fromkeys(changed))
        raise RunError(
            f"{path}: {listed} changed since the bundle was made. Expected what its manifest lists. Ask the site for it again."
        )
    places = [f"{cohort}/{key}" for cohort in config.cohorts for key in TABLES.keys() - NEVER]
    names = {place: f"tables/{place}.tsv" for place in places}
    strange = sorted(members.keys() - {CONFIG, CARDS, *names.values()})
    tables = {place: members[name] for place, name in names.items() if name in members}
    faults = {names[place]: _fault_of(content, place) for place, content in tables.items()}
    strange += [f"{name} ({fault})" for name, fault in faults.items() if fault]
    if strange:
        raise RunError(
            f"{path}: {', '.join(strange)}. Expected result tables of its cohorts and nothing else. Ask the site for it again, and who made it."
        )
    return SiteBundle(path.name, manifest, config, cards, tables)


def _fault_of(content: bytes, place: str) -> str:
    """Why these bytes are not the released table of this place, or ""."""
    key = key_of(place)
    before, zero, _ = content.partition(b"\0")
    if zero:
        line = before.count(b"\n") + 1
        return f"line {line} holds bytes of zero"
    try:
        table = pd.read_csv(io.BytesIO(content), sep="\t", float_precision="round_trip")
        if TABLES[key].rows and not is_result(table):
            return "no result rows"
        if unknown := table.columns.difference(columns_of(key)).tolist():
            return f"column {', '.join(unknown)}"
        for name in table.columns.intersection([*number_columns(key), *count_columns(key)]):
            wrong = table.loc[table[name].notna() & to_numbers(table[name]).isna(), name]
            if len(wrong):
                return f"column {name}: {wrong.iloc[0]!r} is no number"
    except (ValueError, TypeError) as error:
        return str(error)
    return ""


def check_bundles(bundles: Sequence[SiteBundle]) -> None:
    """Refuse bundles that cannot be pooled, by name of what differs; all reasons at once.

    Raises
    ------
    RunError
        Fewer than two; a site or its data twice; another version, other weights, or other settings that make estimates another quantity.
    """
    unfit = []
    for number, one in enumerate(bundles):
        for earlier in bundles[:number]:
            if one.site == earlier.site:
                unfit.append(f"{one.name} and {earlier.name} are both of site {one.site}")
            elif same := _same_data(one, earlier):
                unfit.append(f"{one.name} holds the same data as {earlier.name} ({', '.join(same)})")
        theirs = _that_agrees(bundles[0])
        for name, own in _that_agrees(one).items():
            if own != theirs[name]:
                unfit.append(f"{one.name} has {name} {own!r}, {bundles[0].name} {theirs[name]!r}")
    if len(bundles) < 2:
        unfit.append(f"{len(bundles)} of the two or more that are needed")
    if unfit:
        raise RunError(
            f"{len(unfit)} bundle(s) do not fit: {'; '.join(unfit)}. Expected one bundle of each site, made alike. Ask these sites again."
        )


def _same_data(one: SiteBundle, other: SiteBundle) -> list[str]:
    """What two bundles share: input files by their fingerprints under one key, or cohorts whose estimates agree in all digits."""
    theirs = set(other.manifest["data"].values())
    same = [role for role, value in one.manifest["data"].items() if value in theirs]
    for cohort in one.config.cohorts:
        own = _estimates_of(one, cohort)
        for further in other.config.cohorts:
            others = _estimates_of(other, further)
            both = own.keys() & others.keys()
            if both and all(own[name] == others[name] for name in both):
                same.append(f"all estimates of {cohort} and {further}")
    return same


def _estimates_of(bundle: SiteBundle, cohort: str) -> dict[str, bytes]:
    """The columns of estimates of a cohort's tables that are pooled, by table."""
    found = {}
    for key in SOURCES:
        if content := bundle.tables.get(f"{cohort}/{key}"):
            table = pd.read_csv(io.BytesIO(content), sep="\t", dtype=str)
            columns = table.reindex(columns=["estimate", "standard_error"]).dropna()
            if len(columns):
                found[key] = columns.to_csv(index=False).encode()
    return found


def _that_agrees(one: SiteBundle) -> dict[str, Any]:
    """What all sites of a report have in common."""
    same = values_of(one.config, SAME)
    return {"version": one.manifest["faceage_bio"], "model_id": one.model_id} | same


def differing_settings(bundles: Sequence[SiteBundle]) -> dict[str, dict[str, Any]]:
    """Settings of the analyses in which sites differ: value by site, by dotted name."""
    found = {}
    for section in ("acceleration", "phenotype", "expression", "survival", "scores"):
        sites = {one.site: getattr(one.config, section).model_dump(mode="json") for one in bundles}
        for key in type(getattr(bundles[0].config, section)).model_fields:
            values = {site: own[key] for site, own in sites.items()}
            if len({json.dumps(value, sort_keys=True) for value in values.values()}) > 1:
                found[f"{section}.{key}"] = values
    return found


def pool_bundles(
    bundles: Sequence[SiteBundle], target: Path, settings: Mapping[str, Any] = MappingProxyType({})
) -> pd.DataFrame:
    """Write the multi-site report: the sites' tables, their pooled estimates, and the pages rendered from both.

    Parameters
    ----------
    bundles : see `read_bundle`; what their sites declared as reference cohorts stays out of the pooled estimates
    target : a new folder, or one that an earlier call wrote
    settings : of the section ``pooling``, with the cohorts' names in the report

    Returns
    -------
    DataFrame
        The pooled estimates, each followed by those of its cohorts.

    Raises
    ------
    RunError
        See `check_bundles`; a target that holds something else.
    """
    check_bundles(bundles)
    target = Path(target)
    if target.exists() and not is_ours(target):
        raise RunError(
            f"{target}: there is something else. Expected nothing there, or an earlier report. Name a new folder."
        )
    names = {(one.site, cohort): one.cohort(cohort) for one in bundles for cohort in one.config.cohorts}
    config = _joined_config(bundles, names, settings)
    with building_folder(target) as building:
        made = building / "report"
        for one in bundles:
            for place, content in one.tables.items():
                cohort, _, rest = place.partition("/")
                name = names[one.site, cohort]
                path = made / "tables" / name / f"{rest}.tsv"
                write_bytes(content, path)
                table = read_table(path)
                if COHORT in table:
                    table[COHORT] = table[COHORT].replace({cohort: name})
                    write_table(table, path)
        pooled = _write_pooled(made / "tables", config.pooling, _fit_in(bundles))
        write_pages(made, config, bundles[0].cards)
        told = {"faceage_bio": version(), "sites": {one.site: one.manifest for one in bundles}}
        write_json(told | {"settings_that_differ": differing_settings(bundles)}, made / MANIFEST)
        take_place(made, target, building)
    return pooled


def _fit_in(bundles: Sequence[SiteBundle]) -> str:
    """In whom age acceleration was fitted, as pooling asks: sites have controls of their own, cohorts of a site may share them."""
    configs = [one.config for one in bundles]
    alone = all(len(one.cohorts.keys() - {*one.pooling.reference_cohorts}) == 1 for one in configs)
    return "cohort" if alone else configs[0].acceleration.fit_in


def _joined_config(
    bundles: Sequence[SiteBundle], names: Mapping[tuple[str, str], str], settings: Mapping[str, Any]
) -> Config:
    """The first site's config, with the cohorts of all."""
    first = bundles[0].config
    cohorts: dict[str, Cohort] = {}
    described: dict[str, str] = {}
    reference: list[str] = []
    for one in bundles:
        own = {name: names[one.site, name] for name in one.config.cohorts}
        cohorts |= {own[name]: cohort for name, cohort in one.config.cohorts.items()}
        described |= {own[name]: words for name, words in one.config.report.cohorts.items() if name in own}
        reference += [own[name] for name in one.config.pooling.reference_cohorts if name in own]
    title = f"{len(bundles)} sites: {', '.join(one.site for one in bundles)}"
    return first.model_copy(
        update={
            "cohorts": cohorts,
            "demo": None,
            "pooling": Pooling.model_validate({"reference_cohorts": reference, **settings}),
            "report": first.report.model_copy(update={"title": title, "cohorts": described}),
            "release": Release(rounding=max(one.manifest["rounding"] for one in bundles)),
        }
    )


def _write_pooled(tables: Path, settings: Pooling, fit_in: str) -> pd.DataFrame:
    paths = [path for name in SOURCES for path in sorted(tables.glob(f"*/{name}.tsv"))]
    found = pool_tables(paths, None, settings, fit_in)
    folder = tables / "pooled" / "meta_analysis"
    write_table(found.estimates, folder / "estimates.tsv")
    write_table(found.sensitivity, folder / "sensitivity.tsv")
    genes = sorted(tables.glob(f"*/{GENES}.tsv"))
    if len(genes) > 1:
        tables_of_genes = (read_table(path, GENE_COLUMNS) for path in genes)
        made = pool_genes(tables_of_genes, settings, shared_controls=fit_in == "reference")
        write_table(made, folder / "genes.tsv")
    return found.estimates


def sign_file(path: Path, key: Path) -> Path:
    """Sign a file with an OpenSSH key; the signature lies beside it.

    Raises
    ------
    RunError
        No ssh-keygen, or a key that cannot sign.
    """
    signature = path.with_name(f"{path.name}.sig")
    signature.unlink(missing_ok=True)
    done = _ssh_keygen("sign", "-f", str(key), str(path))
    if done.returncode:
        raise RunError(
            f"{key}: cannot sign ({done.stderr.strip()}). Expected a private OpenSSH key, or a public one whose private one an agent holds. Check the path."
        )
    return signature


def check_signature(path: Path, site: str, allowed_signers: Path) -> None:
    """Refuse a file that the site did not sign as it is.

    Parameters
    ----------
    allowed_signers : lines of OpenSSH, ``north ssh-ed25519 AAAA...``

    Raises
    ------
    RunError
        No signature beside it, of another, of another file, or no ssh-keygen.
    """
    signature = path.with_name(f"{path.name}.sig")
    if not signature.is_file():
        raise RunError(
            f"{signature}: no such file. Expected the signature of {path.name}. Ask the site for it."
        )
    options = ("-f", str(allowed_signers), "-I", site, "-s", str(signature))
    done = _ssh_keygen("verify", *options, content=path.read_bytes())
    if done.returncode:
        raise RunError(
            f"{path}: not as {site} signed it ({done.stderr.strip() or done.stdout.strip()}). Expected a signature of a key that {allowed_signers} lists for {site}. "
            "Ask the site for the file and its key again, by another way."
        )


def _ssh_keygen(
    command: str, *options: str, content: bytes | None = None
) -> subprocess.CompletedProcess[str]:
    """OpenSSH's signatures, by the keys that users have."""
    if shutil.which("ssh-keygen") is None:
        raise RunError("ssh-keygen: not found. Expected OpenSSH 8.2 or later. Install openssh-client.")
    line = ["ssh-keygen", "-Y", command, "-n", NAMESPACE, *options]
    done = subprocess.run(line, input=content, capture_output=True)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
