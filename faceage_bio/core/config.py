"""The configuration: these models are its one source, for defaults, JSON schema and the commented YAML."""

import difflib
import inspect
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import date
from functools import reduce
from operator import getitem
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from faceage_bio.core.errors import ConfigError
from faceage_bio.core.settings.closed import Closed, FilePath, located, meanings
from faceage_bio.core.settings.renamed import old_keys, renamed, rewritten
from faceage_bio.core.settings.settings_acceleration import Acceleration, Covariate, Fairness, Phenotype
from faceage_bio.core.settings.settings_cohort import Cohort, Demo
from faceage_bio.core.settings.settings_genes import Expression, Variants
from faceage_bio.core.settings.settings_photos import FaceAge, Review, Rule
from faceage_bio.core.settings.settings_study import (
    DISEASE,
    FACES,
    PlannedQuestion,
    Pooling,
    Release,
    Report,
    Results,
    Study,
    nearest,
)
from faceage_bio.core.settings.settings_survival import Readers, Scores, Survival

CohortName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,39}$")]
RESERVED_COHORTS = {"pooled", "reports", "logs", "share", "local", "demo", "model", "all"}

OTHER_BASE = re.compile(r"[+-]?0[0-9_]+|[+-]?[0-9_]+(:[0-9.]+)+")  # for YAML 012 is 10, and 12:30 is 750
# libyaml's, which is five times as fast, where it is there
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
ANALYSIS_SETTINGS = (
    *(f"expression.{name}" for name in ("covariates", "tissue", "repeated_samples", "panel", "gene_sets", "gmt")),
    "survival.gene_covariates", "survival.strata", "survival.time_zero", "variants.covariates", "acceleration.definition", "acceleration.adjust_for",
    "acceleration.fit_in",
)  # fmt: skip
COLUMN_SETTINGS = (
    "acceleration.adjust_for", "acceleration.outcomes", "phenotype.exposures", "phenotype.adjust_for", "phenotype.factors",
    "phenotype.dose_response", "phenotype.modifiers", "phenotype.full_adjustment", "phenotype.matching.exact", "phenotype.matching.balance_covariates",
    "fairness.by", "expression.covariates", "expression.composition", "expression.purity", "expression.mediator",
    "variants.covariates", "survival.sequential_adjustment", "survival.covariates", "survival.strata", "survival.cluster", "survival.heterogeneity_by",
    "survival.modifiers", "survival.groups", "survival.gene_covariates", "survival.log_rank_strata", "readers.model_column",
)  # fmt: skip


def _model(folder: str, info: ValidationInfo) -> str:
    return folder if folder == "demo" else located(folder, info)


class Config(Closed):
    """A study: cohorts and how they are analysed. Paths start at the folder of this file."""

    model_config = ConfigDict(json_schema_extra={"required": ["cohorts"]})  # only a step by hand goes without

    results_dir: FilePath = Field(default="results", validate_default=True)
    """Where everything is written."""
    cohorts: dict[CohortName, Cohort] = Field(default_factory=dict, min_length=1)
    """Subjects analysed together, by name; a subject may be in one cohort only."""
    demo: Demo | None = None
    """Only in the demo: the cohorts' files are simulated, not given."""
    study: Study = Field(default_factory=Study)
    models: list[Annotated[str, AfterValidator(_model)]] = Field(default=["demo"], min_length=1)
    """Folders written by `faceage-bio weights import`. The first gives the face ages; others are compared with it.
    demo: a model fitted on simulated faces, not FaceAge."""
    faceage: FaceAge = Field(default_factory=FaceAge)
    review: Review = Field(default_factory=Review)
    acceleration: Acceleration = Field(default_factory=Acceleration)
    phenotype: Phenotype = Field(default_factory=Phenotype)
    fairness: Fairness = Field(default_factory=Fairness)
    expression: Expression = Field(default_factory=Expression)
    variants: Variants = Field(default_factory=Variants)
    survival: Survival = Field(default_factory=Survival)
    readers: Readers = Field(default_factory=Readers)
    scores: Scores = Field(default_factory=Scores)
    pooling: Pooling = Field(default_factory=Pooling)
    report: Report = Field(default_factory=Report)
    release: Release = Field(default_factory=Release)
    results: Results = Field(default_factory=Results)

    def model_folders(self, results: Path | str) -> list[Path]:
        """Where the models lie: that of the demo in its results."""
        demo = Path(results) / "model" / "demo"
        return [demo if name == "demo" else Path(name) for name in self.models]

    @model_validator(mode="after")
    def _sensible_together(self) -> "Config":
        reserved = sorted(RESERVED_COHORTS & set(self.cohorts))
        if reserved:
            raise ValueError(f"the cohort name {reserved[0]!r} is taken by a folder of ours; choose another")
        if "demo" in self.models and self.demo is None and any(c.photos for c in self.cohorts.values()):
            raise ValueError(
                "models: the demo model is fitted on simulated faces and means nothing on real photos; give the folder "
                "written by `faceage-bio weights import`"
            )
        if doubled := sorted({name for name in self.models if self.models.count(name) > 1}):
            raise ValueError(
                f"models: {doubled[0]!r} stands more than once; a model cannot be compared with itself"
            )
        for name in self.report.cohorts:
            if name not in self.cohorts:
                raise ValueError(
                    f"report.cohorts: {name!r} is no cohort; expected {', '.join(map(repr, self.cohorts))}"
                )
        exposures = [*self.phenotype.exposures, DISEASE]
        for one in (self.study.primary, *(self.study.secondary or [])):
            if one.question == FACES and one.exposure not in exposures:
                raise ValueError(
                    f"study: exposure {one.exposure!r} of {FACES}: {nearest(one.exposure, exposures)}"
                )
        given = {
            "reference_cohorts": self.pooling.reference_cohorts,
            "overlapping": [name for names in self.pooling.overlapping for name in names],
            "moderators": [name for values in self.pooling.moderators.values() for name in values],
        }
        for key, names in given.items() if self.cohorts else ():
            if strangers := sorted(set(names) - set(self.cohorts)):
                raise ValueError(
                    f"pooling.{key} names {strangers[0]!r}, which is no cohort; the cohorts are {', '.join(self.cohorts)}"
                )
        clinical = any(cohort.clinical for cohort in self.cohorts.values())
        if self.readers.readings and not self.readers.cases and not clinical:
            raise ValueError(
                "readers.readings: no participant's survival is known; give readers.cases, or a cohort a clinical table"
            )
        return self


def load_config(path: Path | str) -> Config:
    """Read a YAML config; its paths are seen from the folder that the program runs in.

    Raises
    ------
    ConfigError
        As `read_yaml`, or any problem found by `check_config`.
    """
    return check_config(read_yaml(path), source=str(path), folder=Path(path).parent)


def read_yaml(path: Path | str) -> dict[str, Any]:
    """Keys and values of a YAML file in which each key stands once.

    Raises
    ------
    ConfigError
        No such file, not YAML, a key that stands twice, no keys and values.
    """
    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_Once)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}). Expected the study's config. Check the path, or write one with `faceage-bio init`."
        ) from None
    except _TrapError as error:
        raise ConfigError(f"{path}: {error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: not valid YAML: {_quoting(Path(path), error)}. Expected keys and values such as those that `faceage-bio init` writes. Correct that place."
        ) from None
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path}: expected keys and values such as `cohorts:`, found {type(content).__name__}. Write one with `faceage-bio init`."
        )
    return content


def _quoting(path: Path, error: Exception) -> Exception:
    """The error as PyYAML words it, with the line that it is in; libyaml, which is faster, quotes none."""
    try:
        yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as worded:
        return worded
    return error


class _TrapError(Exception):
    """What YAML itself would silently take for something else than what is written, or stumble over."""


class _Once(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML in which each key stands once (of two, YAML itself would silently take the last), and each number to base 10."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in lines and key.tag != "tag:yaml.org,2002:merge":
                raise _TrapError(
                    f"the key {name!r} stands in line {lines[name]} and again in line {line}. Expected each key once. Give one another name, or take it out."
                )
            lines[name] = line
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        line = f"line {node.start_mark.line + 1}"
        try:
            value = super().construct_object(node, deep)
        except ValueError as error:  # of a date that is none, a number of thousands of digits
            raise _TrapError(
                f"{line}: {node.value[:40]} cannot be read ({error}). Expected a number or a date. Correct it, or write it in quotes if it is a word."
            ) from None
        if isinstance(value, int | float) and OTHER_BASE.fullmatch(str(node.value)):
            raise _TrapError(
                f"{line}: YAML reads {node.value} as {value}, to base 8 or 60. Expected a number without zeros in front and without colons. Write it so, or "
                "in quotes if it is a word."
            )
        return value


def rename_keys(path: Path) -> tuple[list[str], bool]:
    """Rewrite a config of an earlier version with the new names of its keys; the old text stays as ``{path}.old``.

    Returns
    -------
    tuple of (list of str, bool)
        What was renamed, as lines, none if the config is up to date and left alone; and whether comments were kept.

    Raises
    ------
    ConfigError
        What `load_config` raises, also of what is not renamed; an old key next to its new name. Nothing is
        written then.
    """
    changes = [f"{old} -> {now.new}: {now.meaning}" for old, now in old_keys(read_yaml(path))]
    text = path.read_text(encoding="utf-8")
    try:
        new, kept = rewritten(text)
    except ValueError as error:
        raise ConfigError(
            f"{path}: {error}. Expected one of them. Delete the line that does not hold."
        ) from None
    check_config(yaml.safe_load(new), source=str(path))
    if changes:
        shutil.copy(path, path.with_name(f"{path.name}.old"))  # for whom the config is
        path.write_text(new, encoding="utf-8")
    return changes, kept


def check_config(
    content: dict[str, Any],
    source: str = "config",
    folder: Path | str | None = None,
    start: Path | str | None = ".",
    *,
    study: bool = True,
) -> Config:
    """Check a config that was read elsewhere, such as by Snakemake; all problems are told at once.

    Parameters
    ----------
    content : keys and values
    source : what the config is called in messages
    folder : that of the config's file, at which its paths start; None if they are those of the program
        already
    start : the folder that the program runs in, None for absolute paths; the files of the demo, which are
        made, lie there
    study : whether cohorts are needed; settings of a step by hand go without

    Raises
    ------
    ConfigError
        Each line names a key, what was found, and for a misspelt key the nearest valid one.
    """
    problems = ["cohorts: this key is needed."] if study and "cohorts" not in content else []
    try:
        found = folder is not None and not content.get("demo")
        config = Config.model_validate(content, context={"folder": folder, "start": start} if found else None)
    except ValidationError as error:
        problems += [explain(item, Config) for item in error.errors()]
    if problems:
        noun = "problem" if len(problems) == 1 else "problems"
        raise ConfigError(
            f"{source}: {len(problems)} {noun}:\n" + "\n".join(f"  - {one}" for one in problems)
        )
    return config


def values_of(config: Config, names: Sequence[str]) -> dict[str, Any]:
    """Settings, also all those of a section, by dotted name, as JSON holds them; of a section that is null, its defaults."""
    content = config.model_dump(mode="json")
    for section in {name.partition(".")[0] for name in names if "." in name}:
        if content[section] is None:
            content[section] = default_of(section).model_dump(mode="json")
    return {name: reduce(getitem, name.split("."), content) for used in names for name, *_ in fields_of(used)}


def default_of(section: str) -> Closed:
    """A section of the config with all its defaults."""
    kind = _section(Config.model_fields[section].annotation)
    assert kind is not None  # of a name that the config's model has
    return kind()


def fields_of(name: str) -> list[tuple[str, type[Closed], str]]:
    """A setting with its section and its name there, or all settings of a section, by dotted name."""
    section: Any = Config
    for part in name.split("."):
        owner, field = section, section.model_fields[part]
        section = _section(field.annotation)
    kind = field.annotation
    if inspect.isclass(kind) and issubclass(kind, Closed) and kind not in (Rule, PlannedQuestion):
        return [one for key in section.model_fields for one in fields_of(f"{name}.{key}")]
    return [(name, owner, part)]


def described(name: str) -> list[tuple[str, str, str]]:
    """(dotted name, default as YAML, meaning) of a setting, or of all settings of a section."""
    found = []
    for one, owner, own in fields_of(name):
        default = owner.model_fields[own].get_default(call_default_factory=True)
        shown = default.model_dump() if isinstance(default, Closed) else default
        if isinstance(shown, dict) and any(isinstance(value, Closed) for value in shown.values()):
            shown = list(shown)
        found.append((one, _in_line(shown), meanings(owner).get(own, "")))
    return found


def _in_line(value: Any) -> str:
    """A value as YAML on one line."""
    settings = {"default_flow_style": True, "width": 10_000, "allow_unicode": True, "sort_keys": False}
    text = yaml.dump(value, Dumper=DUMPER, **settings)
    return text.removesuffix("\n").removesuffix("\n...")


def with_values(
    content: dict[str, Any], sets: Sequence[str], known: Sequence[str], command: str
) -> dict[str, Any]:
    """A config's content in which these settings, as ``survival.per_years=5``, have the values given.

    A part of a mapping, as ``survival.curves.sex=levels``, is put into what the content or else the default has.

    Parameters
    ----------
    content : of a config's file
    sets : words of ``--set``
    known : dotted names of the settings that the command uses
    command : for messages

    Raises
    ------
    ConfigError
        A word is not of this form, names a part of what has no parts, or a setting that the command does not use.
    """
    content = deepcopy(content)
    for word in sets:
        name, sign, text = word.partition("=")
        value = _read_value(text, name)
        _check_known(word, name, value, known, command)
        *way, last = name.split(".")
        place: Any = content
        default: Any = Config()
        for key in way:
            default = default.get(key) if isinstance(default, dict) else getattr(default, key, None)
            place = place.setdefault(key, _parts(default)) if isinstance(place, dict) else None
        if not sign or not isinstance(place, dict):
            raise ConfigError(
                f"--set {word!r}: expected section.setting=value, such as survival.per_years=5. Write it so."
            )
        place[last] = value
    return content


def _parts(default: Any) -> dict[str, Any]:
    """Of a mapping its parts; of a section what it cannot be without."""
    if isinstance(default, dict):
        return {key: one.model_dump() if isinstance(one, Closed) else one for key, one in default.items()}
    return default.model_dump(exclude_defaults=True) if isinstance(default, Closed) else {}


def _check_known(word: str, name: str, value: Any, known: Sequence[str], command: str) -> None:
    """A name, or each key of a mapping that holds several settings, is one of those known."""
    if isinstance(value, dict) and any(one.startswith(f"{name}.") for one in known):
        for key, part in value.items():
            _check_known(word, f"{name}.{key}", part, known, command)
    elif not any(f"{name}.".startswith(f"{one}.") for one in known):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ConfigError(
            f"--set {word!r}: {command} has no setting {name!r}. Expected one of {', '.join(known)}.{hint} Correct the name."
        )


def _read_value(text: str, name: str) -> Any:
    """As YAML; where a list is expected also a,b, or a single value."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    kinds = {get_origin(one) or one for one in _kinds(name)}
    if not kinds - {str, NoneType} and value is not None:
        return value if isinstance(value, str) else text  # a day or a number, in a setting of words
    several = "," in text or not kinds - {list, NoneType}
    whole = isinstance(value, (list, dict)) or (value is None and NoneType in kinds)
    if list in kinds and several and not whole:
        return [yaml.safe_load(part) for part in text.split(",") if part.strip()]
    return value


def _kinds(name: str) -> list[Any]:
    """The types that a setting may be of; of a key in a dictionary, those of its values. None for an unknown name."""
    found: Any = Config
    for part in name.split("."):
        section = _section(found)
        fields = section.model_fields if section and get_origin(found) is not dict else {}
        of_field = fields[part].annotation if part in fields else None
        found = get_args(found)[1] if get_origin(found) is dict else of_field
    return _flat(found)


def _flat(annotation: Any) -> list[Any]:
    """The members of a union, without their constraints."""
    if get_origin(annotation) is Annotated:
        return _flat(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [one for part in get_args(annotation) for one in _flat(part)]
    return [annotation]


def analysis_settings(config: Config) -> dict[str, Any]:
    """What `cohort.config_checks` takes of a config, by dotted name; "names": the columns that each setting names."""
    return values_of(config, ANALYSIS_SETTINGS) | {"names": named_columns(config)}


def named_columns(config: Config) -> dict[str, list[str]]:
    """The columns that each setting names; of an interaction a:b both."""
    found = {}
    for setting, value in values_of(config, COLUMN_SETTINGS).items():
        names = [value] if isinstance(value, str) else value or []
        found[setting] = [part for name in names for part in name.split(":")]
    if config.readers.cases:  # whose column it is, which is checked with them
        del found["readers.model_column"]
    return found


def explain(item: Mapping[str, Any], root: type[Closed]) -> str:
    """One pydantic error of a file whose keys are those of ``root``, for the person who writes YAML."""
    where = ".".join(str(part) for part in item["loc"] if part != "[key]") or "the whole file"
    found = item["input"]
    if item["type"] == "extra_forbidden":
        if root is Config and (now := renamed(item["loc"])):
            return f"{where}: this key is no longer used; write '{now.new}' instead: {now.meaning}. `faceage-bio init --update` does so."
        keys = _valid_keys(item["loc"][:-1], root)
        near = difflib.get_close_matches(str(item["loc"][-1]), keys, n=1, cutoff=0.5)
        advice = f"did you mean '{near[0]}'?" if near else f"valid keys are: {', '.join(keys)}."
        return f"{where}: unknown key; {advice}"
    if item["type"] == "missing":
        return f"{where}: this key is needed."
    if item["type"] == "string_pattern_mismatch":
        return f"{where}: a cohort name needs letters, digits and _, starting with a letter, at most 40."
    if item["type"] == "value_error":  # of a key, or of a section that names its key
        key, _, rest = str(item["ctx"]["error"]).partition(": ")
        if rest and key.partition(".")[0] in _valid_keys(item["loc"], root):
            return f"{'.'.join([*map(str, item['loc']), key])}: {rest}."
        return f"{where}: {item['ctx']['error']}."
    if item["type"] in ("too_short", "too_long"):
        limit = item["ctx"].get("min_length", item["ctx"].get("max_length"))
        side = "at least" if item["type"] == "too_short" else "at most"
        entries = "entry" if len(found) == 1 else "entries"
        return f"{where}: found {len(found)} {entries}, expected {side} {limit}."
    message = item["msg"].removeprefix("Input should be ")
    if item["type"] == "string_type" and isinstance(found, bool | int | float | date):
        message += (
            "; YAML takes words such as no, on, 12 and 2020-01-31 for something else, so write them in quotes"
        )
    return f"{where}: found {json.dumps(found, default=str)} ({type(found).__name__}), expected {message}."


def _valid_keys(location: tuple[int | str, ...], root: type[Closed]) -> list[str]:
    """The keys of the section at ``location``."""
    model: type[BaseModel] = root
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            inner = _section(model.model_fields[part].annotation)
            model = inner or model
    return list(model.model_fields)


def _section(annotation: Any) -> type[Closed] | None:
    """The section class inside an annotation such as ``Demo | None`` or ``dict[str, Cohort]``."""
    if isinstance(annotation, type) and issubclass(annotation, Closed):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section(part))), None)


def json_schema() -> dict[str, Any]:
    """The closed JSON schema (draft 2020-12) that the Snakefile validates against."""
    made = Config.model_json_schema()
    for section in {Config} | _sections(Config):
        place = made if section is Config else made["$defs"][section.__name__]
        for name, meaning in meanings(section).items():
            place["properties"][name]["description"] = meaning
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def _sections(within: type[Closed]) -> set[type[Closed]]:
    """The sections below one."""
    own = {found for field in within.model_fields.values() if (found := _section(field.annotation))}
    return own.union(*(_sections(one) for one in own))


def commented_yaml(config: Config) -> str:
    """The config as YAML with each key's meaning above it."""
    return "\n".join(_yaml_lines(config, indent=0)) + "\n"


def _yaml_lines(section: Closed, indent: int) -> list[str]:
    pad = "  " * indent
    lines: list[str] = []
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        inner = _section(field.annotation)
        optional_file = isinstance(section, Cohort) and not value
        if optional_file or (value is None and name == "demo"):
            continue
        if not indent:
            lines.append("")
        if not isinstance(section, Cohort):
            comment = meanings(type(section)).get(name) or (inner and inner.__doc__) or ""
            lines += [f"{pad}# {line}" for line in comment.splitlines()]
        if isinstance(value, Rule):
            lines.append(f"{pad}{name}: {{action: {value.action}, threshold: {value.threshold:g}}}")
        elif isinstance(value, Closed):
            lines += [f"{pad}{name}:", *_yaml_lines(value, indent + 1)]
        elif inner is Covariate:
            lines.append(f"{pad}{name}:")
            for key, item in value.items():
                lines.append(f"{pad}  {key}: {_in_line(item.model_dump(exclude_defaults=True))}")
        elif inner and isinstance(value, dict) and value:
            lines.append(f"{pad}{name}:")
            for key, item in value.items():
                lines += [f"{pad}  {key}:", *_yaml_lines(item, indent + 2)]
        else:
            lines.append(f"{pad}{name}: {_in_line(section.model_dump()[name])}")
    return lines


def demo_config() -> Config:
    """The study in ``config/config.yaml``: three drawn cohorts."""

    def cohort(name: str, **more: str) -> Cohort:
        files = {"photos": "photos", "manifest": "manifest.tsv", "clinical": "clinical.tsv", **more}
        return Cohort.model_validate({key: f"results/demo/{name}/{file}" for key, file in files.items()})

    rna = {"counts": "counts.tsv", "samples": "samples.tsv"}
    variants = {"variants": "variants.vcf.gz", "variant_genes": "variant_genes.bed"}
    dna = variants | {"variant_samples": "variant_samples.tsv", "ancestry": "ancestry.tsv"}
    healthy = cohort("healthy", single_cell="cells.h5ad")
    return Config(
        cohorts={"north": cohort("north", **rna, **dna), "south": cohort("south", **rna), "healthy": healthy},
        demo=Demo(),
        phenotype=Phenotype(factors=["smoking", "bmi_class", "ecog", "site", "sex", "skin_type"]),
        fairness=Fairness(by=["sex", "skin_type"], stress_photos=12),
        expression=Expression(
            composition=["lymphocytes", "myeloid_cells"], purity="tumour_purity", permutations=10
        ),
        readers=Readers(readings="results/demo/readings.tsv", rating_of="death", horizon_years=1.0),
        scores=Scores(definitions=["teachh_publication", "teachh_faceage_repository"]),
        pooling=Pooling(reference_cohorts=["healthy"]),
        report=Report(
            title="Demo study",
            cohorts={
                "north": "simulated; bulk RNA, DNA variants",
                "south": "simulated; bulk RNA",
                "healthy": "simulated; single-cell RNA",
            },
            governance="Simulated participants; no real faces, clinical data or RNA.",
        ),
    )


if __name__ == "__main__":  # python -m faceage_bio.core.config: write what is generated from these models
    root = Path(__file__).parents[2]
    schema = root / "workflow" / "schemas" / "config.schema.json"
    schema.write_text(json.dumps(json_schema(), indent=2) + "\n", encoding="utf-8")
    (root / "config" / "config.yaml").write_text(commented_yaml(demo_config()), encoding="utf-8")
