"""What a journal editor would strike out of a text, and what a reader sees of a page."""

import re
from html import unescape

from tests.pages import body_of

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
    r"\braw (?:and|or|beside) (?:age-)?adjusted\b|\braw (?:age )?gap\b": "unadjusted",
    r"\bwho was analysed\b|\bwho counts\b": "participants, participant flow, inclusion criteria",
    r"\bclinic table\b": "clinical table",
    r"\b(?:are|is|be|been|was|were) told\b": "reported, stated",
    r"\bbeside(?! the point)\b": "alongside, compared with, adjusted for",
}
NOT_TEXT = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<[^>]+>", re.DOTALL)
OF_NUMBERS = {
    r"(?<![\d.,])\b1 (?:years|months|participants|patients|samples|genes|deaths|events|tests|photos)\b": "1 year, 1 sample"
}
SAID = re.compile(r'(?:aria-label|title|alt)="([^"]*)"')


def struck(where: str, text: str, patterns: dict[str, str] = STRUCK) -> list[str]:
    """What of a text a journal editor would strike, and what stands instead."""
    return [
        f"{where}: {text[max(0, hit.start() - 50) : hit.end() + 40]!r}: write {instead}"
        for pattern, instead in patterns.items()
        for hit in re.finditer(pattern, text, re.IGNORECASE)
    ]


def struck_of_page(where: str, page: str) -> list[str]:
    """The same of what a rendered page says, in its text and in the names of its figures."""
    body = re.sub(r"<style.*?</style>", " ", body_of(page), flags=re.DOTALL)
    text = re.sub(
        r"<[^>]+>", " ", re.sub(r"</?(?:b|i|em|strong|small|su[bp]|a|span|tspan)\b[^>]*>", "", body)
    )
    return struck(where, unescape("\n".join([text, *SAID.findall(body)])), STRUCK | OF_NUMBERS)
