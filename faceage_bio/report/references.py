"""What was used and is therefore to be cited: the methods of the page name their sources, and only named ones are listed."""

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from markupsafe import Markup

BIBTEX = Path(__file__).parent / "references.bib"
ENTRY = re.compile(r"^@\w+\{(\w+),\n(.*?)\n\}$", re.MULTILINE | re.DOTALL)
FIELD = re.compile(r"^  (\w+) = \{(.*)\},?$", re.MULTILINE)


@cache
def known() -> dict[str, dict[str, str]]:
    """Every source that a page can cite, by its key: fields of BibTeX and, as ``bibtex``, the entry itself."""
    return {
        found[1]: dict(FIELD.findall(found[2])) | {"bibtex": found[0]}
        for found in ENTRY.finditer(BIBTEX.read_text(encoding="utf-8"))
    }


@dataclass
class Citations:
    """The sources that a page named so far."""

    named: dict[str, None] = field(default_factory=dict)

    def cite(self, *keys: str) -> Markup:
        """``(Efron 1977; Cox 1972)``, each with a link to its place in the list."""
        self.named |= dict.fromkeys(keys)
        links = [Markup('<a href="#ref-{}">{}</a>').format(key, label(known()[key])) for key in keys]
        return Markup("({})").format(Markup("; ").join(links))

    def listed(self) -> list[dict[str, str]]:
        """In the order of their labels."""
        rows = [
            {
                "key": key,
                "label": label(entry),
                "title": _plain(entry["title"]),
                "where": entry.get("journal", entry.get("publisher", "")),
                "doi": entry.get("doi", ""),
                "url": entry.get("url", ""),
                "bibtex": entry["bibtex"],
            }
            for key, entry in known().items()
            if key in self.named
        ]
        return sorted(rows, key=lambda row: row["label"])


def label(entry: dict[str, str]) -> str:
    """First author and year: ``Lin and Wei 1989``, ``Wu et al. 2011``."""
    names = [name.split(",")[0] for name in _plain(entry["author"]).split(" and ")]
    several = len(names) > 2 or names[-1] == "others"
    people = f"{names[0]} et al." if several else " and ".join(names)
    return f"{people} {entry['year']}" if "year" in entry else people


def _plain(text: str) -> str:
    return text.replace(r"{\"o}", "ö").strip("{}")
