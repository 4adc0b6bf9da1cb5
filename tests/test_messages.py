"""Each message to the owner of the data says what was expected and what to do, and a test quotes it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.messages import ERRORS, HOLE, Message, messages

EXPECTATION = re.compile(r"\bexpected\b|\bneeds?\b", re.IGNORECASE)
VERBS = (
    "add", "ask", "begin", "call", "check", "choose", "clear", "compute", "copy", "correct", "declare", "delete", "export", "fetch", "fill", "finish", "give", "import",
    "install", "keep", "leave", "look", "make", "mark", "name", "pack", "put", "report", "restore", "run", "save", "say", "set", "stratify", "take", "use", "write",
)  # fmt: skip
ADVICE = re.compile(rf"(?:^|[.;:,)]\s|\band\s|\bor\s|{HOLE})\s*(?:{'|'.join(VERBS)})\b", re.IGNORECASE)
SHORTEST = 10  # characters of a part between values that is told apart from others
QUOTED = 18  # characters in a row that a test must quote of a message


def whole() -> list[Message]:
    """Without reasons, which are a FitError's and stand after "not estimated, because", and without heads of lists of messages."""
    return [one for one in messages() if one.kind != "FitError" and not one.words.endswith("\n" + HOLE)]


def test_each_message_says_what_was_expected_and_what_to_do():
    silent = [one for one in whole() if not (EXPECTATION.search(one.words) and ADVICE.search(one.words))]
    assert silent == [], "\n".join(map(str, silent))


def quotes() -> Iterator[str]:
    """All texts and patterns in the other tests, without their docstrings."""
    for path in set(Path(__file__).parent.glob("test_*.py")) - {Path(__file__)}:
        tree = ast.parse(path.read_text())
        documented = (ast.Module, ast.FunctionDef, ast.ClassDef)
        docstrings = {id(node.body[0].value) for node in ast.walk(tree) if isinstance(node, documented) and isinstance(node.body[0], ast.Expr)}  # fmt: skip
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                yield re.sub(r"\\([^a-zA-Z])", r"\1", node.value)  # a pattern as the text that it stands for


def test_each_message_is_quoted_by_a_test():
    quoted = "\n".join(set(quotes()))
    unquoted = []
    for one in messages():
        parts = [part.strip(" .,;:\n") for part in one.words.split(HOLE)]
        pieces = [part[k : k + QUOTED] for part in parts if len(part) >= SHORTEST for k in range(max(1, len(part) - QUOTED + 1))]  # fmt: skip
        if pieces and not any(piece in quoted for piece in pieces):
            unquoted.append(one)
    assert unquoted == [], f"{len(unquoted)}\n" + "\n".join(map(str, unquoted))


def test_no_test_takes_any_message_for_the_right_one():
    loose = []
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.With):
                for item in node.items:
                    said = ast.unparse(item.context_expr)
                    ours = re.match(rf"pytest\.raises\((?:{'|'.join((*ERRORS, 'FaceAgeBioError'))})\b", said)
                    if ours and "match=" not in said and item.optional_vars is None:
                        loose.append(f"{path.name}:{node.lineno} {said}")
    assert loose == []


def test_the_rule_takes_no_half_a_message():
    for words, good in (
        (f"{HOLE}: no such file.", False),
        (f"{HOLE}: no such file. Expected a table.", False),
        (f"{HOLE}: no such file. Check the path.", False),
        (f"{HOLE}: no such file. Expected a table. Check the path.", True),
    ):
        assert bool(EXPECTATION.search(words) and ADVICE.search(words)) == good
