"""What was used and is therefore to be cited: the methods of the page name their sources, and only named ones are listed."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from pybtex.database import Entry

BIBTEX = Path(__file__).parent / "references.bib"


@cache
def known() -> dict[str, "Entry"]:
    """Every source that a page can cite, by its key."""
    from pybtex.database import parse_file

    return dict(parse_file(str(BIBTEX), bib_format="bibtex").entries)


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
                "title": _plain(entry.fields["title"]),
                "where": entry.fields.get("journal", entry.fields.get("publisher", "")),
                "doi": entry.fields.get("doi", ""),
                "url": entry.fields.get("url", ""),
                "bibtex": entry.to_string("bibtex").strip(),
            }
            for key, entry in known().items()
            if key in self.named
        ]
        return sorted(rows, key=lambda row: row["label"])


def label(entry: "Entry") -> str:
    """First author and year: ``Lin and Wei 1989``, ``Wu et al. 2011``."""
    names = [_plain(" ".join(person.prelast_names + person.last_names)) for person in entry.persons["author"]]
    several = len(names) > 2 or names[-1] == "others"
    people = f"{names[0]} et al." if several else " and ".join(names)
    return f"{people} {entry.fields['year']}" if "year" in entry.fields else people


def _plain(text: str) -> str:
    from pybtex.richtext import Text

    return str(Text.from_latex(text))
