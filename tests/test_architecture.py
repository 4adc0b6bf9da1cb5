"""The layers stay in order: imports go down only, the command line is light, generated files are current."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from faceage_bio.config import commented_yaml, demo_config, json_schema

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "faceage_bio"
LAYERS = {
    "results": 0, "errors": 0, "archives": 0, "formula_cells": 0, "columns": 0, "config": 0, "settings": 0, "tables": 0, "problems": 0, "parse": 0, "plain": 0, "age_reached": 0, "age_residual": 0, "observation": 0, "schemas": 0, "workbook": 0, "machine": 0, "records": 0, "kept": 0, "steps": 0,
    "stats": 1, "vision": 1, "rna": 1, "dna": 1,
    "cohort": 2, "faceage": 2, "acceleration": 2, "phenotype": 2, "fairness": 2, "expression": 2, "variants": 2, "survival": 2, "planning": 2, "sites": 2, "scores": 2, "readers": 2, "pooling": 2, "demo": 2,
    "verification": 3, "report": 3, "training": 3, "release": 4,
    "cli": 5, "api": 5, "__main__": 6,
}  # fmt: skip
MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py" and "_workflow" not in path.parts
)


def package_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def packages_imported(path: Path) -> set[str]:
    packages = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "faceage_bio":
            packages |= {alias.name for alias in node.names if alias.name in LAYERS}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("faceage_bio."):
            packages.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            packages |= {
                alias.name.split(".")[1] for alias in node.names if alias.name.startswith("faceage_bio.")
            }
    return packages


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_only(path):
    package = package_of(path)
    assert package in LAYERS, f"{package} has no layer"
    for other in packages_imported(path) - {package}:
        lower = LAYERS[other] < LAYERS[package]
        ground = LAYERS[other] == LAYERS[package] == 0
        assert lower or ground, f"{path.name} ({package}) imports {other}, which is not below it"


def test_every_room_has_modules():
    assert {package_of(path) for path in MODULES} == set(LAYERS)


def test_init_files_do_no_work():
    for path in PACKAGE.rglob("__init__.py"):
        statements = [
            node for node in ast.parse(path.read_text()).body if not isinstance(node, (ast.Expr, ast.Assign))
        ]
        if path.parent == PACKAGE:  # names of the API, imported where they are asked for
            statements = [
                node for node in statements if getattr(node, "name", "") not in ("__getattr__", "__dir__")
            ]
        assert not statements, path


def test_command_line_does_not_import_heavy_libraries():
    heavy = ["torch", "scanpy", "pydeseq2", "lifelines", "statsmodels", "altair", "pandas", "numpy"]
    for module in ("faceage_bio.cli.main", "faceage_bio as fa; dir(fa)"):
        code = f"import sys; import {module}; print([m for m in {heavy} if m in sys.modules])"
        found = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        assert found.strip() == "[]", module


def test_commented_config_is_generated_from_the_models():
    assert (ROOT / "config" / "config.yaml").read_text() == commented_yaml(demo_config()), (
        "python -m faceage_bio.config"
    )


def test_schema_is_generated_from_the_models():
    schema = json.loads((ROOT / "workflow" / "schemas" / "config.schema.json").read_text())
    assert schema == json_schema(), "python -m faceage_bio.config"


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
