"""Pages, help texts, settings and docs use the field's words (docs/glossary.md)."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from faceage_bio.report.pages import RENDERERS
from faceage_bio.report.tables_by_place import collect
from tests.editor import NOT_TEXT, STRUCK, struck, struck_of_page
from tests.report_studies import CARD, config_of, write_study

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "faceage_bio"
SPOKEN = ("cli", "core/settings", "report", "core/results")  # packages whose docstrings are shown too
NAMES = re.compile(r"\bpeople(?: :|=)")  # a parameter
CODE = re.compile(r"```.*?```|`[^`\n]*`|\]\([^)]*\)|\{[^}\n]*\}", re.DOTALL)


@cache
def texts() -> list[tuple[str, str]]:
    return list(read())


def read() -> Iterator[tuple[str, str]]:
    """What a person meets, by where it stands: docs, pages, help texts, comments of settings."""
    files = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
    for page in [*files, *sorted((ROOT / "workflow").rglob("*.smk"))]:
        if page.name != "glossary.md":
            yield page.name, NAMES.sub(" ", CODE.sub(" ", page.read_text()))
    captions = (ROOT / "workflow" / "report").glob("*.rst")
    for template in sorted([*(PACKAGE / "report" / "templates").glob("*.j2"), *captions]):
        yield template.name, NOT_TEXT.sub(" ", template.read_text())
    for table in [
        *(PACKAGE / "report" / "checklists").glob("*.tsv"),
        PACKAGE / "intake" / "rna" / "panel.tsv",
    ]:
        yield table.name, table.read_text()
    for module in sorted(PACKAGE.rglob("*.py")):
        if "_workflow" not in module.parts:
            place = module.parent.relative_to(PACKAGE).as_posix()
            said = "\n".join(strings_of(module, docstrings=place in SPOKEN))
            yield f"{place}/{module.name}", NAMES.sub(" ", said)


def strings_of(module: Path, docstrings: bool) -> Iterator[str]:
    """What a module can say: its strings of more than one word; of what is not shown no docstrings."""
    tree = ast.parse(module.read_text())
    silent = [] if docstrings else [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and " " in node.value
            and node not in silent
        ):
            yield node.value


@pytest.mark.parametrize("pattern", STRUCK, ids=STRUCK.get)
def test_no_word_of_a_private_dialect(pattern):
    assert [one for where, text in texts() for one in struck(where, text, {pattern: STRUCK[pattern]})] == []


def test_rendered_pages_use_the_words_of_the_field(tmp_path):
    names = ("one", "two")
    tables = collect(write_study(tmp_path, names, opinion=True))
    for name, page in RENDERERS.items():
        assert struck_of_page(name, page(tables, config_of(names), [CARD])) == []


def test_what_a_page_says_in_pieces_is_read():
    assert (
        len(
            struck_of_page(
                "x",
                "<p>death within <b>1</b> years</p><svg aria-label='a'></svg><i title=\"few people\"></i>",
            )
        )
        == 2
    )
