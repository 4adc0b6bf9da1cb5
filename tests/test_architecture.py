"""The layers stay in order: imports go down only, the command line is light, generated files are current."""

import ast
import io
import json
import re
import subprocess
import sys
import tokenize
from collections import Counter
from pathlib import Path

import pytest

from faceage_bio.core.config import commented_yaml, demo_config, json_schema
from tests.layers import LAYERS, MODULES, PACKAGE, ROOT

# analyses do not import each other: tables pass between them; all may take age acceleration, and one checks the others
WITHIN = {"age_residual": 0, "verification": 2}


def places_imported(path: Path) -> set[tuple[str, ...]]:
    """What a module imports of ours, as parts of the name: ("analyses", "survival", "cox")."""
    places = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "faceage_bio":
            module = tuple(node.module.split(".")[1:])
            places |= {(*module, alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            places |= {
                tuple(alias.name.split(".")[1:])
                for alias in node.names
                if alias.name.startswith("faceage_bio.")
            }
    return {place for place in places if place[0] in LAYERS}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_only(path):
    package, *inner = path.relative_to(PACKAGE).with_suffix("").parts
    assert package in LAYERS, f"{package} has no layer"
    for other, *rest in places_imported(path):
        if other != package:
            assert LAYERS[other] < LAYERS[package], (
                f"{path.name} ({package}) imports {other}, which is not below it"
            )
        elif package == "analyses" and rest[0] != inner[0]:
            assert WITHIN.get(rest[0], 1) < WITHIN.get(inner[0], 1), (
                f"{path.name} ({inner[0]}) imports {rest[0]}"
            )


def test_each_layer_has_modules():
    assert {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in MODULES} == set(LAYERS)


def test_no_module_name_stands_twice():
    """Who reads of `pseudobulk` in a traceback or a note knows which file is meant."""
    names = Counter(path.name for path in MODULES if path.name != "__init__.py")
    assert [name for name, times in names.items() if times > 1] == []


def source_lines(text):
    """Lines of code as radon counts them: neither blank nor comment nor docstring."""
    held = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, held) and ast.get_docstring(node) is not None:
            docstrings |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    kinds = ("COMMENT", "NL", "NEWLINE", "INDENT", "DEDENT", "ENDMARKER")
    silent = {getattr(tokenize, kind) for kind in kinds}
    tokens = [one for one in tokenize.generate_tokens(io.StringIO(text).readline) if one.type not in silent]
    return len({line for one in tokens for line in range(one.start[0], one.end[0] + 1)} - docstrings)


def test_names_in_docstrings_are_there():
    """A name in single backticks is one of this project's code; those of R stand in double ones."""
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")]
    known, named = {place for path in files for place in (path.stem, path.parent.name)}, set()
    for path in files:
        text = path.read_text()
        known |= {
            token.string
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type == tokenize.NAME
        }
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                found = re.findall(r"(?<!`)`([A-Za-z_][\w.]*)`(?!`)", ast.get_docstring(node) or "")
                named |= {(path.name, name) for name in found}
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                known.add(node.value)  # columns, keys of the config
    assert len(named) > 200
    assert [one for one in named if not known.issuperset(one[1].split("."))] == []


def test_the_release_is_short_enough_to_be_read():
    """By a data protection officer; what runs between sites is apart."""
    assert source_lines('"""Says\n\nmore."""\n\n# why\nx = (\n    1,\n)\ny = """a\nb"""\n') == 5
    release = [path for path in MODULES if path.parent.name == "release"]
    assert {"rule", "gate", "bundle"} <= {path.stem for path in release}
    assert sum(source_lines(path.read_text(encoding="utf-8")) for path in release) <= 1000


def test_init_files_do_no_work():
    for path in PACKAGE.rglob("__init__.py"):
        statements = [
            node for node in ast.parse(path.read_text()).body if not isinstance(node, (ast.Expr, ast.Assign))
        ]
        if (
            path.parent == PACKAGE
        ):  # names of the API, imported where they are asked for, or for type checkers
            told = ("def __getattr__", "def __dir__", "from typing import", "if TYPE_CHECKING:")
            statements = [node for node in statements if not ast.unparse(node).startswith(told)]
        assert not statements, path


def test_command_line_does_not_import_heavy_libraries():
    """Nor is a model's card read with PyTorch: a cluster kills light steps that load it for their memory."""
    heavy = ["torch", "scanpy", "pydeseq2", "lifelines", "statsmodels", "altair", "pandas", "numpy"]
    for module, lacking in {
        "faceage_bio.cli.main": heavy,
        "faceage_bio as fa; dir(fa)": heavy,
        "faceage_bio.faces.vision.models": ["torch"],
    }.items():
        code = f"import sys; import {module}; print([m for m in {lacking} if m in sys.modules])"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]", module


def test_commented_config_is_generated_from_the_models():
    assert (ROOT / "config" / "config.yaml").read_text() == commented_yaml(demo_config()), (
        "python -m faceage_bio.core.config"
    )


def test_schema_is_generated_from_the_models():
    schema = json.loads((ROOT / "workflow" / "schemas" / "config.schema.json").read_text())
    assert schema == json_schema(), "python -m faceage_bio.core.config"


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["snakefmt", "--check", "Snakefile", "workflow"],
    ],
    ids=" ".join,
)
def test_style(command):
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_snakemake_lint():
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--lint"], cwd=ROOT, capture_output=True, text=True
    )
    findings = {
        line.strip(" *:")
        for line in done.stderr.splitlines() + done.stdout.splitlines()
        if line.startswith("    * ")
    }
    # one installed environment serves all rules (README, "On a cluster"), so no rule names a container of its own
    # the config's file is named by its content and no param: a step's params hold the settings that it uses
    assert findings <= {
        "Specify a conda environment or container for each rule.",
        "Shell command directly uses variable CONFIG from outside of the rule",
    }
