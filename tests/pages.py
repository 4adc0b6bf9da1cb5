"""What must hold for any page of ours, whatever it tells: one id each, headings that leave no level out."""

import itertools
import re
from collections import Counter

SHARED = (
    "definitions",
    "groups",
    "phenotypes",
    "matched",
    "comparisons",
    "adjustment",
    "specifications",
    "fairness",
    "stress",
)
GENES = ("rna-samples", "gene-sensitivity", "gene-cards", "gene-sets", "single-cell", "variants")


def body_of(page: str) -> str:
    """The page without its scripts, which hold other people's code."""
    return re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def check_structure(page: str) -> None:
    """Ids stand once, everything that names one finds it, and no heading is more than one level below the last."""
    body = body_of(page)
    ids = Counter(re.findall(r'\sid="([^"]+)"', body))
    assert not [name for name, times in ids.items() if times > 1]
    named = re.findall(r'aria-labelledby="([^"]+)"', body) + re.findall(r'href="#([^"]+)"', body)
    named += re.findall(r"url\(#([^)]+)\)", body)
    assert not set(named) - set(ids)
    levels = [int(level) for level in re.findall(r"<h([1-6])[ >]", body)]
    assert levels.count(1) == 1
    assert not [pair for pair in itertools.pairwise(levels) if pair[1] > pair[0] + 1]
    assert body.count("<details") == body.count("</details>")
    assert body.count("<section") == body.count("</section>")


def section(page: str, name: str) -> str:
    """A section without what a renderer numbers through (clip paths of its figures)."""
    found = re.search(rf'<section aria-labelledby="{name}">.*?</section>', body_of(page), flags=re.DOTALL)
    return re.sub(r"clip\d+", "clip", found[0]) if found else ""
