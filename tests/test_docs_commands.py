"""Every command in README and docs is run, or planned where it would take long or change the environment; every example of a command's help fits it."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from faceage_bio.cli.main import app
from faceage_bio.demo.simulated_participants import simulate_participants
from tests.pages_of_docs import DOCS, EACH, PAGES, ROOT, blocks, commands

pytestmark = pytest.mark.slow

DRY = {  # what would take long or change the folder is planned and not done
    r"^make (.+)": rf"make --silent --dry-run --directory {shlex.quote(str(ROOT))} \1",
    r"^faceage-bio run (.+)": r"python -m faceage_bio run \1 --dry-run --quiet rules",
    r"^snakemake (.+)": r"python -m snakemake \1 --cores 1 --dry-run --quiet rules",
    # it would change the environment of the tests: there must be such an extra
    r"^pip (?:install|wheel .+) '\.\[(\w+)\]'": rf"grep -q '^\1 = \[' {shlex.quote(str(ROOT / 'pyproject.toml'))}",
    # what an administrator types on the cluster
    r"^pip install --no-index .*": "true",
    r"^python3 -m venv (\S+)": r"python3 -m venv --without-pip \1",
    r"^(\. (\S+)/bin/activate)": r"python3 -m venv --without-pip \2 && \1",
    r"^python -m pytest (.+)": rf"cd {shlex.quote(str(ROOT))} && python -m pytest \1 --collect-only -p no:cacheprovider",
    # it needs the network; tests/faces/test_weights_fetch.py runs it against a server of its own
    r"^faceage-bio weights fetch$": r"faceage-bio weights fetch --help",
    # they need the results of several hospitals; tests/release/test_site_bundle.py runs them
    r"^faceage-bio site (export|pool) .+": r"faceage-bio site \1 --help",
}


def planned(line: str) -> str:
    """The line as the test runs it; what is only planned is so however it was written."""
    for pattern, instead in DRY.items():
        if re.search(pattern, line):
            return re.sub(pattern, instead, line.replace(" --dry-run", ""))
    return line


LINES = [
    (page.relative_to(ROOT).as_posix(), re.split(r"\s+#\s", line)[0].strip())
    for page in PAGES
    for line in commands(page)
]
COMMANDS = list({planned(line): (page, line) for page, line in reversed(LINES)}.values())[::-1]  # each once


def fill(study: Path) -> None:
    """Photos for the example tables that `faceage-bio init` writes."""
    for name in ("A001_first.jpg", "A001_second.jpg", "A002.jpg"):
        Image.new("RGB", (200, 200), "grey").save(study / "photos" / name)


def people(n: int = 150) -> pd.DataFrame:
    """A plain table as a user may bring it."""
    drawn = simulate_participants(n, cancer=True, seed=3)
    noise = np.random.default_rng(3).normal(0, 4, n)
    table = drawn[["sex", "smoking", "bmi", "ecog", "followup_years", "event"]].assign(
        subject_id=[f"N{k:03d}" for k in range(n)],
        chronological_age=drawn["age"].round(1),
        face_age=(drawn["biological_age"] + noise).round(1),
    )
    return table.round({"bmi": 1, "followup_years": 3})


def finish(results: Path) -> None:
    """What the commands after a run need of its results."""
    for name in ("local", "reports", "mine/acceleration"):
        (results / name).mkdir(parents=True)
    (results / "local" / "review_key.tsv").write_text("sheet\tphoto\tcohort\tphoto_id\ns1\t1\tmine\tp1\n")
    (results / "reports" / "survival.html").write_text(
        "<!doctype html><title>Survival</title><p>A page.</p>\n"
    )
    people(20).assign(cohort="mine").to_parquet(results / "mine" / "acceleration" / "acceleration.parquet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder as a user has it who followed the pages: the project's files, my-study with photos and model, participants.tsv."""
    from tests.golden.keras import recipe
    from tests.model_files import GOLDEN, checkpoint, declare, onnx_file, tiny_transformer

    folder = tmp_path_factory.mktemp("docs")
    for name in ("Snakefile", "workflow", "config"):
        (folder / name).symlink_to(ROOT / name)
    recipe.write_h5(folder / "faceage_model.h5")
    np.savez(folder / "reference.npz", inputs=recipe.inputs(), ages=np.array(GOLDEN["ages"]))
    onnx_file(folder / "other.onnx", 224)
    checkpoint(folder / "fahr_faceage.pth", tiny_transformer())
    declare(folder).rename(folder / "fahr.yaml")
    people().to_csv(folder / "participants.tsv", sep="\t", index=False)
    for title, text in blocks(DOCS / "pooling.md", "csv"):
        (folder / title).write_text(text)
    for name in ("anna", "ben"):
        (folder / f"{name}.tsv").write_text(
            f"sheet\tphoto\tdecision\treason\treviewer\ns1\t1\tuse\t\t{name}\n"
        )
    before = Path.cwd()
    os.chdir(folder)
    try:
        own("faceage-bio init my-study")
        fill(folder / "my-study")
        finish(folder / "my-study" / "results")
        own("faceage-bio weights import faceage_model.h5 --output my-study/model")
        own(
            "faceage-bio define-acceleration --table participants.tsv --definitions d.tsv --participants accelerated.tsv"
        )
        own("faceage-bio publish --results my-study/results --configfile my-study/config.yaml")
    finally:
        os.chdir(before)
    return folder


def own(line: str) -> None:
    """A command of ours in this process, whose libraries are loaded once."""
    status = app(shlex.split(line)[1:], standalone_mode=False)
    assert not status, f"{line}: exit status {status}"


def is_ours(line: str) -> bool:
    return line.startswith("faceage-bio ") and not re.search(r"[|><&;$]", line)


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=[f"{page}: {line}" for page, line in COMMANDS])
def test_a_command_of_the_docs(page, line, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path if line.startswith("faceage-bio init") else folder)
    line = planned(line)
    if is_ours(line):
        own(line)
        return
    environment = os.environ | {
        "EDITOR": "true",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


INLINE = sorted({
    (page.relative_to(ROOT).as_posix(), " ".join(words.split()))
    for page in PAGES
    for words in re.findall(r"(?<!`)`((?:faceage-bio|make) [^`]+)`", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL))
})  # fmt: skip


@pytest.mark.parametrize(("page", "words"), INLINE, ids=[f"{page}: {words}" for page, words in INLINE])
def test_a_command_named_in_a_sentence_exists(page, words):
    program, *rest = words.split()
    if program == "make":
        assert re.search(rf"^{rest[0]}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
        return
    if rest[0] in {"--help", "COMMAND"}:
        return
    name = next(name for name in (" ".join(rest[:2]), rest[0], f"{rest[0]} fetch") if name in EACH)
    known = {option for parameter in EACH[name][1].params for option in parameter.opts} | {"--help"}
    given = {word for word in rest if word.startswith("--")}
    assert given <= known or name == "run", given - known


def test_what_is_only_planned_still_stands_in_the_docs():
    for pattern in DRY:
        assert any(re.search(pattern, line) for _, line in COMMANDS), pattern


def test_the_two_commands_stand_in_the_readme():
    lines = commands(ROOT / "README.md")
    for line in (
        "make demo",
        "faceage-bio init my-study",
        "faceage-bio check --configfile my-study/config.yaml",
    ):
        assert any(found.startswith(line) for found in lines), line


# ------------------------------------------------------------------ help of the commands


def examples(text: str) -> list[str]:
    """The command lines in a help text: from the program's name to the next empty line."""
    found = re.findall(r"(?:Example|does): (faceage-bio .+?)(?=\n\s*\n|\Z)", text, flags=re.DOTALL)
    return [" ".join(line.split()).split(" > ")[0] for line in found]


@pytest.mark.parametrize("name", EACH)
def test_the_example_of_a_command_fits_it(name):
    names, command = EACH[name]
    lines = examples(command.help or "")
    assert lines, "no example"
    for line in lines:
        words = shlex.split(line)
        assert words[1 : 1 + len(names)] == names, line
        with command.make_context(name, words[1 + len(names) :]):
            pass


@pytest.mark.parametrize(
    "words",
    [["check", "--confgfile", "x"], ["show-score"], ["weights", "import", "a", "--output"]],
    ids=" ".join,
)
def test_an_example_that_does_not_fit_is_found(words):
    names = words[:2] if words[0] == "weights" else words[:1]
    _, command = EACH[" ".join(names)]
    with pytest.raises(Exception, match=r"(?i)no such option|missing|requires an argument"):
        command.make_context(" ".join(names), words[len(names) :])


@pytest.mark.parametrize("name", EACH)
def test_every_argument_of_a_command_is_explained(name):
    _, command = EACH[name]
    for parameter in command.params:
        assert parameter.name == "help" or parameter.help, parameter.name
