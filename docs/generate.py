"""The pages that are written from the code at every build, so that they cannot fall behind it.

mkdocs calls the functions ``on_...`` by their names (its hooks).
"""

import ast
import enum
import inspect
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import typer
from mkdocs.structure.files import File, Files
from pydantic import BaseModel

from faceage_bio.cli.main import app
from faceage_bio.core.config import Config
from faceage_bio.core.settings.closed import meanings

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "faceage_bio"
PACKAGES = {  # what a package holds, in one line; packages that are not named have no page
    "core": "Errors, names of columns, config, steps, records, reading and writing of tables.",
    "stats": "Statistical methods that know nothing of faces, each validated against R.",
    "intake": "Tables of the user as they are declared, genotype files.",
    "intake/cohort": "The study's tables, checked together, and the ledger.",
    "intake/rna": "Count files, gene identifiers and gene sets.",
    "faces/vision": "Photos and networks that know nothing of patients.",
    "faces/faceage": "From photo to face age.",
    "analyses": "Age acceleration as all analyses take it.",
    "analyses/acceleration": "From face age to age gap and age acceleration.",
    "analyses/phenotype": "Associations with smoking, BMI and disease.",
    "analyses/fairness": "Error of face age by group.",
    "analyses/expression": "Genes, gene sets, single cells.",
    "analyses/variants": "DNA variants of the declared genes.",
    "analyses/survival": "Association with overall survival.",
    "analyses/scores": "Clinical scores such as TEACHH, with age and with face age.",
    "analyses/readers": "The reader study.",
    "analyses/pooling": "Meta-analysis across cohorts.",
    "analyses/planning": "Sample sizes of studies and trials, randomisation.",
    "faces/training": "Training of age models: labelled photos, splits by person, fits, evaluation.",
    "analyses/verification": "The headline numbers again by lifelines, statsmodels and pydeseq2.",
    "release": "What may be released.",
    "release/sites": "Bundles of hospitals that share no rows.",
}


def on_files(files: Files, config: Any) -> Files:
    """Add the written pages to those of the folder."""
    pages = {
        "configuration.md": configuration(),
        "commands.md": commands(),
        "changelog.md": (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
        "api/index.md": api_index(),
        **{f"api/{package}.md": api(package) for package in packages()},
    }
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_config(config: Any) -> Any:
    """One entry of the navigation for each package."""
    reference = next(entry["Reference"] for entry in config.nav if "Reference" in entry)
    interface = next(entry["API"] for entry in reference if "API" in entry)
    interface[:] = ["api/index.md", *({package: f"api/{package}.md"} for package in packages())]
    return config


# ---------------------------------------------------------------- configuration


def configuration() -> str:
    """Every key of the config with type, default and meaning."""
    lines = [
        "# Configuration",
        "",
        "Every key of `config.yaml`, written from the code that checks it. A key that does not stand here stops the run, and the nearest",
        "valid one is named. `faceage-bio init my-study` writes a config with all keys, their defaults and these comments.",
        "Paths start at the folder in which you run.",
        "",
        *settings(Config, "", 2),
    ]
    return "\n".join(lines) + "\n"


def settings(section: type[BaseModel], place: str, level: int) -> Iterator[str]:
    """A table of the keys of a section, then its inner sections."""
    inner = []
    rows = []
    for name, field in section.model_fields.items():
        found = section_of(field.annotation)
        if found is not None and found.__name__ != "Rule":
            inner.append((name, found, field))
            continue
        meaning = cell(meanings(section).get(name, ""))
        rows.append(f"| `{name}` | {kind(field.annotation)} | {default(field)} | {meaning} |")
    if rows:
        yield from ("| key | value | default | meaning |", "|---|---|---|---|", *rows, "")
    for name, found, field in inner:
        many = "{name}." if get_origin(field.annotation) is dict else ""
        path = f"{place}{name}."
        yield f"{'#' * min(level, 4)} `{path[:-1]}` {{ #{path[:-1].replace('.', '-')} }}"
        yield ""
        yield (meanings(section).get(name) or inspect.getdoc(found) or "").replace("\n", " ")
        yield ""
        yield from settings(found, path + many, level + 1)


def section_of(annotation: Any) -> type[BaseModel] | None:
    """The section inside an annotation such as ``Demo | None`` or ``dict[str, Cohort]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := section_of(part))), None)


def kind(annotation: Any) -> str:
    """A type in words."""
    plain = {
        str: "text",
        int: "whole number",
        float: "number",
        bool: "true or false",
        type(None): "null",
        Path: "file or folder",
    }
    if annotation in plain:
        return plain[annotation]
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return ", ".join(f"`{member.value}`" for member in annotation)
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{part}`" for part in parts)
    if origin in (Union, types.UnionType):
        return " or ".join(kind(part) for part in parts)
    if origin is list:
        return f"list of {kind(parts[0])}"
    if origin is dict:
        return f"{kind(parts[0])}: {kind(parts[1])}"
    if hasattr(annotation, "__metadata__"):
        return kind(parts[0])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "{" + ", ".join(annotation.model_fields) + "}"
    return "text"


def default(field: Any) -> str:
    """A default as it stands in YAML."""
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    return f"`{yaml_of(value)}`"


def yaml_of(value: Any) -> str:
    """A value on one line of YAML."""
    if isinstance(value, BaseModel):
        return "{" + ", ".join(f"{name}: {yaml_of(inner)}" for name, inner in value) + "}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {yaml_of(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(yaml_of, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "null"
    return f"{value:g}" if isinstance(value, float) else str(value) or "''"


def cell(text: str) -> str:
    """Text inside of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


# --------------------------------------------------------------------- commands


def each_command() -> Iterator[tuple[str, Any]]:
    """Name and click command of every command, those of groups as "weights import"."""

    def walk(group: Any, before: str) -> Iterator[tuple[str, Any]]:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from walk(command, f"{before}{name} ")
            else:
                yield f"{before}{name}", command

    yield from walk(typer.main.get_command(app), "")


def commands() -> str:
    """Every command with its arguments, options and example."""
    lines = [
        "# Commands",
        "",
        "Every step of the workflow is a command that also runs by hand on a plain table. `faceage-bio COMMAND --help` prints what",
        "stands here. Tables are TSV, CSV or Parquet by their ending. A command ends with 0 when it succeeded and with 2 when you can",
        "correct what it reports.",
        "",
    ]
    last = None
    for name, command in each_command():
        module = inspect.getmodule(command.callback)
        if module is not last:
            lines += [f"## {(module.__doc__ or '').splitlines()[0].rstrip('.')}", ""]
            last = module
        text, example = split_example(command.help or "")
        lines += [f"### `{name}` {{ #{name.replace(' ', '-')} }}", "", text, ""]
        if example:
            lines += ["```console", "$ " + example, "```", ""]
        hints = get_type_hints(command.callback, include_extras=True)
        rows = [
            parameter_row(parameter, hints[parameter.name])
            for parameter in command.params
            if parameter.name in hints
        ]
        if rows:
            lines += ["| argument or option | value | default | meaning |", "|---|---|---|---|", *rows, ""]
    return "\n".join(lines) + "\n"


def split_example(text: str) -> tuple[str, str]:
    """What a command's help says, and its first example on its own."""
    text = inspect.cleandoc(text).replace("\b", "")
    found = re.search(r"^Example: (.+?)(?:\n\n|\Z)", text, flags=re.DOTALL | re.MULTILINE)
    if not found:
        return text, ""
    rest = (text[: found.start()] + text[found.end() :]).strip()
    return rest, " \\\n    ".join(found[1].split("\n"))


def parameter_row(parameter: Any, annotation: Any) -> str:
    """One argument or option of a command, whose type is ``annotation``."""
    option = parameter.opts[0].startswith("-")
    names = ", ".join((*parameter.opts, *parameter.secondary_opts)) if option else parameter.name.upper()
    words = kind(annotation)
    if option and (parameter.multiple or words.startswith("list of ")):
        words = words.removeprefix("list of ") + "; may stand several times"
    value = getattr(parameter.default, "value", parameter.default)
    empty = parameter.required or value is None or value in ("", [], ())
    shown = "needed" if parameter.required else "" if empty else f"`{yaml_of(value)}`"
    return f"| `{names}` | {words} | {shown} | {cell(parameter.help or '')} |"


# -------------------------------------------------------------------------- API


def packages() -> list[str]:
    """Packages that have a page."""
    return list(PACKAGES)


def modules(package: str) -> list[Path]:
    """The modules of a package."""
    return sorted(path for path in (PACKAGE / package).glob("*.py") if path.name != "__init__.py")


def name_of(path: Path) -> str:
    """A module as it is imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def api_index() -> str:
    """The packages and their modules, each with its first line."""
    lines = [
        "# API",
        "",
        "Functions that take tables or arrays and give tables or arrays, from their docstrings. How the packages hang together stands under",
        "[architecture](../architecture.md).",
        "",
    ]
    for package in packages():
        lines += [
            f"## [{package}]({package}.md)",
            "",
            PACKAGES[package],
            "",
            "| module | what it does |",
            "|---|---|",
        ]
        for path in modules(package):
            about = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]
            lines.append(f"| [`{path.stem}`]({package}.md#{name_of(path)}) | {cell(about)} |")
        lines.append("")
    return "\n".join(lines) + "\n"


def api(package: str) -> str:
    """The public functions of a package's modules."""
    lines = [f"# {package}", "", PACKAGES[package], ""]
    for path in modules(package):
        lines += [f"::: {name_of(path)}", ""]
    return "\n".join(lines)
