"""Each message to the owner of the data says what was expected and what to do."""

import re

from tests.messages import HOLE, Message, messages

EXPECTATION = re.compile(r"\bexpected\b|\bneeds?\b", re.IGNORECASE)
VERBS = (
    "add", "call", "check", "choose", "clear", "copy", "correct", "declare", "delete", "export", "fetch", "fill", "finish", "give", "import",
    "install", "keep", "leave", "look", "make", "mark", "name", "pack", "put", "report", "restore", "run", "save", "say", "set", "take", "use", "write",
)  # fmt: skip
ADVICE = re.compile(rf"(?:^|[.;:,)]\s|\band\s|\bor\s|{HOLE})\s*(?:{'|'.join(VERBS)})\b", re.IGNORECASE)


def whole() -> list[Message]:
    """Without reasons, which are a FitError's and stand after "not estimated, because", and without heads of lists of messages."""
    return [one for one in messages() if one.kind != "FitError" and not one.words.endswith("\n" + HOLE)]


def test_each_message_says_what_was_expected_and_what_to_do():
    silent = [one for one in whole() if not (EXPECTATION.search(one.words) and ADVICE.search(one.words))]
    assert silent == [], "\n".join(map(str, silent))


def test_the_rule_takes_no_half_a_message():
    for words, good in (
        (f"{HOLE}: no such file.", False),
        (f"{HOLE}: no such file. Expected a table.", False),
        (f"{HOLE}: no such file. Check the path.", False),
        (f"{HOLE}: no such file. Expected a table. Check the path.", True),
    ):
        assert bool(EXPECTATION.search(words) and ADVICE.search(words)) == good
