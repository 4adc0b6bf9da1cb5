"""Keys of earlier versions: refused with the new name, renamed by `faceage-bio init --update`, and listed in the changelog."""

import pytest
import yaml
from typer.main import get_command

from faceage_bio.cli.main import app
from faceage_bio.core.config import check_config, load_config
from faceage_bio.core.errors import ConfigError
from faceage_bio.core.settings import renamed
from faceage_bio.core.settings.renamed import COMMANDS, OPTIONS, RENAMED, Renamed, rewritten, with_new_names
from tests.commands import invoked, output_of
from tests.conftest import ROOT

OLD = """# my study
cohorts:
  a: {face_ages: f.tsv}  # from elsewhere

report:
  title: Mine
  # fewer are not shown
  min_cell: 8  # agreed with the ethics board

# who may read
results:
  access: group
"""


def write(tmp_path, text=OLD):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return path


def test_an_old_config_gets_new_names_and_keeps_its_comments(tmp_path):
    path = write(tmp_path)
    message = r"write 'release\.rounding' instead: .*`faceage-bio init --update` does so"
    with pytest.raises(ConfigError, match=message):
        load_config(path)
    path.chmod(0o640)
    said = output_of("init --update", path)
    assert "report.min_cell -> release.rounding: results are exact" in said
    assert "Comments are lost" not in said
    config = load_config(path)
    assert (config.release.rounding, config.report.title, config.results.access) == (8, "Mine", "group")
    text = path.read_text()
    comments = [part for line in OLD.splitlines() for part in [line.partition("#")[2]] if part]
    assert [comment for comment in comments if comment not in text] == []
    assert "# fewer are not shown\n  rounding: 8  # agreed with the ethics board\n" in text
    assert (tmp_path / "config.yaml.old").read_text() == OLD
    assert (tmp_path / "config.yaml.old").stat().st_mode == path.stat().st_mode
    assert "up to date, left as it is" in output_of("init --update", path)
    assert path.read_text() == text


@pytest.mark.parametrize(
    "text",
    [
        "cohorts:\n  a:\n    face_ages: f.tsv\nreport:\n  min_cell: 8\n",  # the section is empty then, and goes
        "report:\n  min_cell: 8\ncohorts:\n  a:\n    face_ages: f.tsv\nrelease:\n  {}\n",
        "cohorts: {a: {face_ages: f.tsv}}\nrelease:\nreport:\n    min_cell:   8",
        "cohorts: {a: {face_ages: f.tsv}}\nreport:\n  min_cell: 8\n  # of the title\n  title: x\n",
    ],
)
def test_however_it_is_laid_out_the_same_is_said(tmp_path, text):
    path = write(tmp_path, text)
    output_of("init --update", path)
    assert load_config(path).release.rounding == 8
    assert "min_cell" not in path.read_text()


def test_keys_on_one_line_are_written_anew_and_the_loss_is_told(tmp_path):
    path = write(tmp_path, "# mine\n{cohorts: {a: {face_ages: f.tsv}}, report: {title: x, min_cell: 8}}\n")
    words = "Comments are lost, since keys stand several to a line; they are in the old text."
    assert words in output_of("init --update", path)
    assert load_config(path).release.rounding == 8
    assert load_config(path).report.title == "x"


def test_nothing_is_written_where_something_else_is_wrong(tmp_path):
    both = write(tmp_path, OLD + "release:\n  rounding: 5\n")
    message = r"both 'report.min_cell' and its new name 'release.rounding'. Expected one"
    with pytest.raises(ConfigError, match=message):
        output_of("init --update", both)
    misspelt = write(tmp_path, OLD + "survivl: {}\n")
    with pytest.raises(ConfigError, match="did you mean 'survival'"):
        output_of("init --update", misspelt)
    assert misspelt.read_text().endswith("survivl: {}\n")
    assert not (tmp_path / "config.yaml.old").exists()


@pytest.mark.parametrize("line", ["init", "init folder --update config.yaml"])
def test_init_takes_a_folder_or_a_config(line):
    assert "init: found none or several of a folder, --update" in str(invoked(line).exception)


TWO = {
    "acceleration.valid": Renamed("acceleration.tested", "the same"),
    "cohorts.*.clinic_table": Renamed("cohorts.*.clinic", "the same"),
    "deaths.first.limit": Renamed("survival.limits.first", "moved"),
}


def test_names_in_a_section_and_in_each_cohort(monkeypatch):
    monkeypatch.setattr(renamed, "RENAMED", TWO)
    text = (
        "cohorts:\n  a:\n    clinic_table: a.tsv\n  b:\n    clinic_table: b.tsv  # of b\n"
        "acceleration:\n  valid:  # years\n    - 60\n    - 90\n  # next\n  folds: 5\n"
        "deaths:\n  # few\n  first:\n    limit: [1,\n      2]\nsurvival: {}\n"
    )
    new, kept = rewritten(text)
    content = yaml.safe_load(new)
    assert content["cohorts"] == {"a": {"clinic": "a.tsv"}, "b": {"clinic": "b.tsv"}}
    assert content["acceleration"] == {"tested": [60, 90], "folds": 5}
    assert content["survival"] == {"limits": {"first": [1, 2]}}
    assert "deaths" not in content
    assert content == with_new_names(yaml.safe_load(text))
    simple, kept = rewritten(text.partition("deaths:")[0])
    assert kept
    for comment in ("# of b", "# years", "# next"):
        assert comment in simple


def test_every_new_name_is_a_setting_and_every_old_one_is_refused():
    for old, now in RENAMED.items():
        content = {"cohorts": {"a": {"face_ages": "f"}}}
        inner, keys = content, old.replace("*", "a").split(".")
        for key in keys[:-1]:
            inner = inner.setdefault(key, {})
        inner[keys[-1]] = 1
        with pytest.raises(ConfigError, match="no longer used; write"):
            check_config(content)
        found = check_config({"cohorts": {"a": {"face_ages": "f"}}})
        for key in now.new.replace("*", "a").split("."):
            found = found[key] if isinstance(found, dict) else getattr(found, key)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("score-clinic --clinic a.tsv", "'score-clinic' is no longer used; write 'compute-scores'"),
        ("assess-fairness --people=a.tsv", "--people is no longer used; write --participants"),
    ],
)
def test_an_old_command_or_option_is_refused_with_its_new_name(line, said):
    done = invoked(line)
    assert done.exit_code == 2
    assert said in " ".join(done.output.replace("│", " ").split())


def test_new_commands_and_options_exist():
    commands = get_command(app).commands
    options = {name for one in commands.values() for part in one.params for name in part.opts}
    assert set(COMMANDS.values()) <= set(commands)
    assert {name.split()[-1] for name in OPTIONS.values()} <= options
    assert set(COMMANDS).isdisjoint(commands)
    assert options.isdisjoint(OPTIONS)


def test_the_changelog_has_the_table_of_names():
    rows = [
        [cell.strip(" `") for cell in line.strip("|").split("|")]
        for line in (ROOT / "CHANGELOG.md").read_text().splitlines()
        if line.startswith("| `")
    ]
    names = {old: now.new for old, now in RENAMED.items()} | COMMANDS | OPTIONS
    assert names.items() <= {tuple(row[:2]) for row in rows}
