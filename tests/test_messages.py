"""Each message to the owner of the data says what was expected and what to do, and a test quotes it."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from faceage_bio.core.results.reasons import WHY_NOT

PACKAGE = Path(__file__).parent.parent / "faceage_bio"
ERRORS = ("ConfigError", "TableError", "CohortError", "CountsError", "WeightsError", "FitError", "PrivacyError", "RunError")  # fmt: skip
SHARED = PACKAGE / "core" / "errors.py"  # holds what several modules say
HOLE = "\0"  # where a value stands


@dataclass(frozen=True)
class Message:
    """Its words, with a `HOLE` for each value; ``kind`` is the error's name, "cell" for the advice on one, "other" for what is collected."""

    file: str
    line: int
    kind: str
    words: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.kind}: {self.words.replace(HOLE, '{}')}"


def messages() -> list[Message]:
    """All of the package, in the order of its files."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if "_workflow" not in path.parts:
            found += _of_module(path)
    return found


def _of_module(path: Path) -> Iterator[Message]:
    tree = ast.parse(path.read_text())
    named: dict[str, list[ast.expr]] = {}
    for node in [*ast.walk(ast.parse(SHARED.read_text())), *ast.walk(tree)]:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            named.setdefault(node.targets[0].id, []).append(node.value)
        elif (
            isinstance(node, ast.For)
            and isinstance(node.target, ast.Tuple)
            and isinstance(node.iter, ast.Tuple)
        ):
            for row in node.iter.elts:
                for target, value in zip(node.target.elts, getattr(row, "elts", []), strict=False):
                    named.setdefault(ast.unparse(target), []).append(value)
    file = path.relative_to(PACKAGE.parent).as_posix()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = ast.unparse(node.func).split(".")[-1]
        owner = ast.unparse(node.func).rpartition(".")[0]
        if name in ERRORS:
            kind, told = name, node.args[0]
        elif (owner == "problems" and name in {"cell", "where", "other", "append"}) or (
            name == "tell" and len(node.args) > 2
        ):
            kind, told = (
                ("cell" if name in {"cell", "where", "tell"} else "other"),
                node.args[2 if name == "tell" else -1],
            )
        else:
            continue
        for words in _words(told, named):
            words = re.sub(r"{[^}]*}", HOLE, WHY_NOT[words]) if words in WHY_NOT else words
            if words.strip(HOLE + " .,:;\n"):
                yield Message(file, node.lineno, kind, words)


def _words(node: ast.expr, named: dict[str, list[ast.expr]], depth: int = 0) -> list[str]:
    """What an expression may say; a name says what is assigned to it anywhere in the module."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        said = [""]
        for part in node.values:
            inner = part.value if isinstance(part, ast.FormattedValue) else part
            more = _words(inner, named, depth + 1) if depth < 3 else [HOLE]
            said = [one + other for one in said for other in more][:40]
        return said
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = (_words(side, named, depth + 1) for side in (node.left, node.right))
        return [one + other for one in left for other in right]
    if isinstance(node, ast.IfExp):
        return _words(node.body, named, depth + 1) + _words(node.orelse, named, depth + 1)
    if isinstance(node, ast.List) and node.elts:
        return [words for one in node.elts for words in _words(one, named, depth + 1)]
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        dicts = [one for one in named.get(node.value.id, []) if isinstance(one, ast.Dict)]
        return [words for one in dicts for value in one.values for words in _words(value, named, 3)] or [HOLE]
    if isinstance(node, ast.Name) and node.id in named and depth < 3:
        said = [words for value in named[node.id] for words in _words(value, named, depth + 1)]
        return list(dict.fromkeys(said)) or [HOLE]
    return [HOLE]


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
    for path in set(Path(__file__).parent.rglob("test_*.py")) - {Path(__file__)}:
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
    for path in Path(__file__).parent.rglob("test_*.py"):
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
