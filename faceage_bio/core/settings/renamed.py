"""Keys, commands and options of earlier versions with their new names; `faceage-bio init --update` renames the keys of a config."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import yaml

ANY = "*"  # stands for the name of a cohort
SAME = "the same action and threshold"
# of earlier versions
COMMANDS = {
    "check-cohorts": "check-cohort",
    "score-clinic": "compute-scores",
    "test-proportional-hazards": "fit-survival",
    "compare-sites": "fit-survival",
    "measure-added-value": "fit-survival",
    "fit-hazard-curve": "fit-survival-sensitivity",
    "fit-subgroup-hazards": "fit-survival-sensitivity",
    "fit-competing-risks": "estimate-curves",
    "describe-groups": "test-phenotypes",
    "compare-levels": "compare-groups",
    "fit-dose-response": "fit-association-sensitivity",
    "compare-subgroups": "fit-association-sensitivity",
    "match-groups": "fit-association-sensitivity",
    "compare-adjustments": "fit-association-sensitivity",
    "vary-specifications": "fit-association-sensitivity",
    "compare-scores": "compute-scores",
    "normalise-expression": "check-expression",
    "measure-reliability": "measure-repeats",
    "fit-ageing-rate": "measure-repeats",
    "compare-definitions": "measure-repeats",
    "record-run": "render-report",
    "render-summary": "render-report",
    "render-association-report": "render-report",
    "render-survival-report": "render-report",
    "render-photo-report": "render-report",
    "write-tables": "render-report",
}
OPTIONS = {  # of every command, or of the one that is named
    "--clinic": "--clinical",
    "--people": "--participants",
    "measure-repeats --followed": "define-acceleration --hazards",
}
Place = tuple[str, ...]


@dataclass(frozen=True)
class Renamed:
    """The new key, by its place in the config, and what it does."""

    new: str
    meaning: str


RENAMED: dict[str, Renamed] = {
    "report.min_cell": Renamed(
        "release.rounding",
        "results are exact, and `publish` rounds counts to this number (default 6; 1 = no rounding, for public data)",
    ),
    "cohorts.*.clinic": Renamed("cohorts.*.clinical", "the same table"),
    "faceage.same_photo": Renamed("faceage.duplicates", "the same choices"),
    "faceage.quality.several_faces": Renamed("faceage.quality.multiple_faces", SAME),
    "faceage.quality.face_leaves_frame": Renamed("faceage.quality.face_outside_frame", SAME),
    "faceage.quality.little_of_frame": Renamed("faceage.quality.small_face_area", SAME),
    "faceage.quality.turned_head": Renamed("faceage.quality.large_yaw", SAME),
    "faceage.quality.tilted_head": Renamed("faceage.quality.large_roll", SAME),
    "phenotype.amounts": Renamed("phenotype.dose_response", "the same columns"),
    "phenotype.full_set": Renamed("phenotype.full_adjustment", "the same columns"),
    "phenotype.matching.balance_of": Renamed("phenotype.matching.balance_covariates", "the same columns"),
    "survival.panel_by": Renamed("survival.heterogeneity_by", "the same column"),
    "survival.steps": Renamed("survival.sequential_adjustment", "the same columns"),
}


def renamed(location: Sequence[int | str]) -> Renamed | None:
    """What the key at this place is called now; None if it never had another name."""
    parts = tuple(map(str, location))
    for old, now in RENAMED.items():
        if (found := _matched(tuple(old.split(".")), parts)) is not None:
            return Renamed(_filled(now.new, found), now.meaning)
    return None


def old_keys(content: dict[str, Any]) -> list[tuple[str, Renamed]]:
    """Every old key in a config with its new name."""
    return [(".".join(place), now) for place in _places(content) if (now := renamed(place)) is not None]


def with_new_names(content: dict[str, Any]) -> dict[str, Any]:
    """The config with each old key under its new name; the values are as they were.

    Raises
    ------
    ValueError
        An old key and its new name are both there.
    """
    new = deepcopy(content)
    for old, now in old_keys(content):
        value = _take(new, tuple(old.split(".")))
        *sections, last = now.new.split(".")
        inner = new
        for section in sections:
            inner[section] = inner.get(section) or {}
            inner = inner[section]
        if last in inner:
            raise ValueError(f"both '{old}' and its new name '{now.new}'")
        inner[last] = value
    return new


def rewritten(text: str) -> tuple[str, bool]:
    """A config's text with new names, and whether its comments could be kept.

    Lines are edited in place. What that gives is read again and has to hold what `with_new_names` says; where it does not (several
    keys on a line), the whole config is written anew without its comments.
    """
    content = yaml.safe_load(text)
    wanted = with_new_names(content)
    edited = text
    for old, now in old_keys(content):
        edited = _with_lines_moved(edited, tuple(old.split(".")), tuple(now.new.split(".")))
    try:
        if yaml.safe_load(edited) == wanted:
            return edited, True
    except yaml.YAMLError:
        pass
    return yaml.safe_dump(wanted, sort_keys=False, allow_unicode=True), False


def _matched(pattern: Place, parts: Place) -> list[str] | None:
    if len(pattern) != len(parts) or any(a not in (ANY, b) for a, b in zip(pattern, parts, strict=True)):
        return None
    return [part for one, part in zip(pattern, parts, strict=True) if one == ANY]


def _filled(new: str, names: list[str]) -> str:
    for name in names:
        new = new.replace(ANY, name, 1)
    return new


def _places(content: Any, before: Place = ()) -> Iterator[Place]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield (*before, str(key))
            yield from _places(value, (*before, str(key)))


def _take(content: dict[str, Any], place: Place) -> Any:
    """Remove a key, and the section that it leaves empty."""
    first, *rest = place
    if not rest:
        return content.pop(first)
    value = _take(content[first], tuple(rest))
    if not content[first]:
        del content[first]
    return value


def _with_lines_moved(text: str, old: Place, new: Place) -> str:
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    key, _, alone = _found(text, old)
    if old[:-1] == new[:-1]:
        at = key.start_mark
        line = lines[at.line]
        lines[at.line] = line[: at.column] + new[-1] + line[key.end_mark.column :]
        return "".join(lines)
    first, last = _range(text, lines, old)
    indent = len(lines[first]) - len(lines[first].lstrip())
    comments = first
    while comments and lines[comments - 1].startswith(" " * indent + "#"):
        comments -= 1
    moved = [line[indent:] for line in lines[comments:last]]
    at = first - comments
    moved[at] = moved[at].replace(old[-1], new[-1], 1)
    gone = _range(text, lines, old[:-1]) if alone else (comments, last)
    kept = lines[: gone[0]] + lines[gone[1] :]
    return _inserted(kept, new[:-1], moved)


def _inserted(lines: list[str], section: Place, moved: list[str]) -> str:
    """The lines under a section of the first level, which is added where it is not there."""
    text = "".join(lines)
    if len(section) == 1 and (found := _find(text, section)):
        key, value, _ = found
        full = isinstance(value, yaml.MappingNode)
        at, indent = (
            (value.start_mark.line, value.start_mark.column) if full else (key.start_mark.line + 1, 2)
        )
        return "".join([*lines[:at], *(" " * indent + line for line in moved), *lines[at:]])
    heads = [f"{'  ' * depth}{name}:\n" for depth, name in enumerate(section)]
    return "".join([*lines, "\n", *heads, *("  " * len(section) + line for line in moved)])


def _find(text: str, place: Place) -> tuple[yaml.Node, yaml.Node, bool] | None:
    """Nodes of key and value, and whether the section holds nothing else; None if it is not there."""
    node, found = yaml.compose(text), None
    for part in place:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        found = next(((key, value, len(pairs) == 1) for key, value in pairs if key.value == part), None)
        if found is None:
            return None
        node = found[1]
    return found


def _found(text: str, place: Place) -> tuple[yaml.Node, yaml.Node, bool]:
    found = _find(text, place)
    assert found, place
    return found


def _range(text: str, lines: list[str], place: Place) -> tuple[int, int]:
    """First line of a key and the one after its value, without comments and empty lines that follow."""
    key, value, _ = _found(text, place)
    last = max(value.end_mark.line, key.end_mark.line)
    if last < len(lines) and value.end_mark.column:
        last += 1
    while last - 1 > key.start_mark.line and lines[last - 1].lstrip().startswith(("#", "\n")):
        last -= 1
    return key.start_mark.line, last
