"""Pages, help texts, settings and docs use the field's words (docs/glossary.md)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "faceage_bio"
STRUCK = {  # a journal editor would strike it: what stands instead
    r"\b(?:every|no|some)body\b": "all participants, none, a participant",
    r"\bhold constant\b|\bheld constant\b": "adjusted for",
    r"\blook(?:s|ing|ed)? (?:\w+ ){0,3}older\b": "higher face age at the same chronological age",
    r"\b(?:goes|going|go|went) with\b": "associated with",
    r"\breference people\b": "controls",
    r"\bpeople\b": "participants",
    r"\bdrawn (?:people|faces|participants|by code)\b": "simulated",
    r"\bladders?\b": "sequentially adjusted models",
    r"\btwin\b": "chronological-age comparison model",
    r"\bthirds\b": "tertiles",
    r"\bmiddle half\b": "IQR",
    r"\d %": "5%",
    r"% interval": "95% CI",
    r"\bkept back\b|\bgiven away\b|\bnot told\b": "suppressed, disclosed, not reported",
    r"\bhangs? on a choice\b": "sensitivity analyses",
    r"\bthe same in words\b": "text alternative",
    r"\blooked at by\b": "manual review",
    r"\bheld to R\b|\bheld to DESeq2\b": "validated against",
    r"\b(?:deaths|events) per (?:term|parameter)\b": "events per variable",
    r"\bwithout a word\b": "silently, as they are",
    r"\b(?:floors?|rooms?) (?:and|of) (?:rooms?|the (?:house|project|package))\b|\bleave the house\b|\bmend(?:s|ed)?\b": "layer, package, correct",
    r"\braw (?:and|or|beside) (?:age-)?adjusted\b|\braw age gap\b": "unadjusted",
    r"\bclinic table\b": "clinical table",
    r"\b(?:are|is|be|been|was|were) told\b": "reported, stated",
    r"\bbeside(?! the point)\b": "alongside, compared with, adjusted for",
}
NOT_TEXT = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<[^>]+>", re.DOTALL)
SPOKEN = ("cli", "core/settings", "report", "core/results")  # packages whose texts are shown
NAMES = re.compile(r"\bpeople : ")  # a parameter
CODE = re.compile(r"```.*?```|`[^`\n]*`|\]\([^)]*\)|\{[^}\n]*\}", re.DOTALL)


def texts() -> Iterator[tuple[str, str]]:
    """What a person meets, by where it stands: docs, pages, help texts, comments of settings."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        if page.name != "glossary.md":
            yield page.name, CODE.sub(" ", page.read_text())
    captions = (ROOT / "workflow" / "report").glob("*.rst")
    for template in sorted([*(PACKAGE / "report" / "templates").glob("*.j2"), *captions]):
        yield template.name, NOT_TEXT.sub(" ", template.read_text())
    for module in sorted(path for folder in SPOKEN for path in (PACKAGE / folder).glob("*.py")):
        tree = ast.parse(module.read_text())
        strings = [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        said = "\n".join(one for one in strings if " " in one)
        yield f"{module.parent.name}/{module.name}", NAMES.sub(" ", said)


@pytest.mark.parametrize("pattern", STRUCK, ids=STRUCK.get)
def test_no_word_of_a_private_dialect(pattern):
    found = [
        f"{where}: {text[max(0, hit.start() - 50) : hit.end() + 40]!r}"
        for where, text in texts()
        for hit in re.finditer(pattern, text, re.IGNORECASE)
    ]
    assert found == [], f"{len(found)}; write {STRUCK[pattern]}:\n" + "\n".join(found)
