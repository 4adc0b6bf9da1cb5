"""Steps of the workflow: a function, the settings that it uses, the tables that it reads (its options) and
the files that it writes.

Command line, help, the rule's parameters and the record of what ran come from this declaration. A setting
itself is defined once, as a field of `settings`.
"""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import typer

from faceage_bio.core.config import (
    Config,
    check_config,
    default_of,
    described,
    fields_of,
    read_yaml,
    values_of,
    with_values,
)
from faceage_bio.core.settings.closed import Closed

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="A study's config; settings that it does not name have their defaults."),
]
Sets = Annotated[
    list[str],
    typer.Option("--set", help="A setting of those below, as survival.per_years=5; lists as a,b; repeat."),
]
Cohort = Annotated[str, "The cohort's name in the tables; by default as the table says."]
Units = Annotated[
    list[str],
    typer.Option(
        "--unit",
        help="Unit of followup (followup_years), entry (entry_years) or age (chronological_age), if not years: followup=days; repeat.",
    ),
]
SharedPhotos = Annotated[
    list[Path],
    "Photos of a cohort that stand in another one too, written by summarise-photos; their participants count as flagged; repeat.",
]
PLAN = ("study.primary", "study.secondary")  # of steps that answer questions of the analysis plan
Tables = Mapping[str, Any]  # result tables by file name without ending


def in_section(section: str, names: str) -> tuple[str, ...]:
    """Settings of a section by their dotted names; ``names`` has blanks between them."""
    return tuple(f"{section}.{name}" for name in names.split())


PHOTO_THAT_COUNTS = in_section("acceleration", "repeat_photos nearest_to session_days session_minutes")


@dataclass(frozen=True)
class Step:
    """What a step declares."""

    function: Callable[..., Tables | None]
    uses: tuple[str, ...]  # sections or settings, by dotted name
    writes: Mapping[str, str] = field(default_factory=dict)  # file in the output folder: what it holds
    # option/file that the function itself writes: what it holds
    files: Mapping[str, str] = field(default_factory=dict)
    hides: tuple[str, ...] = ()  # columns (also age_*) of our own tables that the function does not see

    @property
    def name(self) -> str:
        """The command; the rule has underscores."""
        return self.function.__name__.replace("_", "-")

    def settings(self, config: Config) -> dict[str, Any]:
        """The settings used, by dotted name, as JSON holds them: the rule's parameters, and what the record keeps."""
        return values_of(config, self.uses)

    def command(self) -> Callable[..., None]:
        """The function as a command: its tables as options, the output folder, the config and single settings."""

        mine = inspect.signature(self.function)

        def run(*, config: Path | None = None, set: Sequence[str] = (), output: Path | None = None, **given: Any) -> None:  # fmt: skip
            from faceage_bio.core import kept
            from faceage_bio.core.records import paths_of, read_record, record_of, recorded
            from faceage_bio.core.results.row import identified, with_roles
            from faceage_bio.core.tables import hiding, identities, in_workflow, naming_tables, write_table

            resolved = self.resolve(config, set)
            own = self._called_with(given if self.writes or output is None else given | {"output": output})
            of_config = {"settings": Used(resolved, self.uses), "whole": resolved}
            own |= {name: value for name, value in of_config.items() if name in mine.parameters}
            used = self.settings(resolved)
            named = json.dumps(used)

            def hidden(column: str) -> bool:
                return any(fnmatch(column, one) for one in self.hides) and f'"{column}"' not in named

            key = None
            if self.writes and output is not None and in_workflow() and "whole" not in mine.parameters:
                key = kept.key_of(self.name, given, used, hidden)
            with (
                recorded(self.name, given, used, [*self.writes, *self.files]) as record,
                naming_tables(),
                hiding(hidden),
            ):
                if key and output is not None and (known := kept.take(output, self.name, key)):
                    record.update(software=known["software"], inputs=known["inputs"])
                    print("Nothing that this step uses has changed; its results are those of before.")
                    return
                made = self.function(**own) or {}
                participants = identities(path for _, path in paths_of(given))
                written = [file for file in self.writes if Path(file).stem in made]
                for file in written:  # what an optional table is needed for may not be there
                    table = identified(made[Path(file).stem], participants)
                    if PLAN[0] in self.uses:
                        table = with_roles(table, Path(file).stem, resolved)
                    if output is not None:
                        write_table(table, output / file)
            if key and output is not None and written:
                made_by = read_record(record_of(output / written[0])) or {}
                further = [one for one in made_by.get("inputs", []) if one["role"] not in given]
                kept.keep(output, self.name, written, key, software=made_by.get("software"), inputs=further)

        parameters = [one for one in mine.parameters.values() if one.name not in ("settings", "whole")]
        options = [option for one in parameters for option in _fields_of(one.annotation) or [one]]
        if self.writes:
            help_ = f"Folder of the result tables: {', '.join(f'{file} ({what})' for file, what in self.writes.items())}."
            options.append(_option("output", Annotated[Path, help_]))
        if self.uses:
            options += [_option("config", ConfigFile, None), _option("set", Sets, [])]
        given_options = [_option(one.name, with_help(one.annotation), one.default) for one in options]
        run.__signature__ = inspect.Signature(given_options)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in given_options}
        run.__doc__, run.__module__ = self.help(), self.function.__module__
        return run

    def _called_with(self, given: dict[str, Any]) -> dict[str, Any]:
        """The options as the function takes them: those of a dataclass together."""
        own = dict(given)
        for name, one in inspect.signature(self.function).parameters.items():
            if shared := _fields_of(one.annotation):
                names = [option.name for option in shared if option.name in own]
                own[name] = one.annotation(**{each: own.pop(each) for each in names})
        return own

    def help(self) -> str:
        """The function's docstring, each file that it writes itself, and each setting with its default and meaning."""
        told = [
            f"{name} (default {default}): {' '.join(meaning.split())}"
            for used in self.uses
            for name, default, meaning in described(used)
        ]
        files = [f"--{file.replace('/', ' ', 1)}: {what}" for file, what in self.files.items()]
        parts = [inspect.getdoc(self.function) or ""]
        parts += ["Files, below the folder of an option:", *files] if files else []
        parts += ["Settings, given by --set or by the config:", *told] if told else []
        return "\n\n".join(parts)

    def resolve(self, config: Path | None, sets: Sequence[str]) -> Config:
        """The config of a file, or of defaults, with single settings of the step put in.

        Raises
        ------
        ConfigError
            A setting that the step does not use, or a value that does not fit.
        """
        known = [name for used in self.uses for name, *_ in fields_of(used)]
        content = with_values(read_yaml(config) if config else {}, sets, known, self.name)
        return check_config(
            content, source=str(config or "--set"), folder=config.parent if config else None, study=False
        )


def with_help(annotation: Any) -> Any:
    """``Annotated[Path, "The plan."]`` as typer takes it: an option, the text is its help."""
    kind, help_ = get_args(annotation)[:2] if get_origin(annotation) is Annotated else (annotation, None)
    return Annotated[kind, typer.Option(help=help_)] if isinstance(help_, str) else annotation


def _fields_of(annotation: Any) -> list[inspect.Parameter]:
    """Options that stand together in a dataclass; none if it is no dataclass."""
    together: bool = is_dataclass(annotation)
    return list(inspect.signature(annotation).parameters.values()) if together else []


def _option(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


class Used:
    """The settings that a step declares; to ask for another one is a mistake in its code."""

    def __init__(self, section: Closed, names: Sequence[str]) -> None:
        self._section, self._names = section, names

    def __getattr__(self, name: str) -> Any:
        inner = [rest for first, _, rest in (one.partition(".") for one in self._names) if first == name]
        if not inner:
            raise AttributeError(
                f"the step does not declare that it uses {name!r}; it declares {', '.join(self._names)}"
            )
        value = getattr(self._section, name)
        return value if "" in inner else Used(value or default_of(name), inner)


def section_of(used: Any) -> Any:
    """A section of what a step declares of it, the other settings at their defaults, for code that takes whole sections."""
    return type(used._section)(**{name: getattr(used, name) for name in used._names})


STEPS: dict[str, Step] = {}


def step(
    *,
    uses: Sequence[str] = (),
    writes: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    hides: Sequence[str] = (),
) -> Callable:
    """Declare a function to be a step. Its parameters are options: ``Annotated[Path, "help"]``, or a
    dataclass of such that several steps share.

    Parameters
    ----------
    uses : dotted names of sections (``"survival.added_value"``) or settings (``"survival.per_years"``)
        The function gets them as ``settings``, whose attributes are the config's, and no others. One that
        puts what ran into words may take the config as ``whole`` besides, for settings that the records of
        its tables tell: where one of those changes, so do its tables.
    writes : file name: what the table holds
        The function returns these tables by name without ending, and the command writes them into
        ``--output``.
    files : option/place: what the file holds
        What the function itself writes, such as tables of several cohorts or pages: below the folder that the
        option names.
    hides : columns, also as ``age_*``, that the function does not see in our own tables, unless a setting
        names them
        Where nothing else has changed, the tables of the run before are taken (`kept`).
    """

    def declare(function: Callable[..., Tables | None]) -> Callable[..., Tables | None]:
        declared = Step(function, tuple(uses), writes or {}, files or {}, tuple(hides))
        STEPS[declared.name] = declared
        return function

    return declare
