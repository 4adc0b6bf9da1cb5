"""The command line as a reader meets it: commands by stage, options that do not fit, settings that are defined once."""

import io
import re
from pathlib import Path

import pytest
import typer
from rich.table import Table
from typer.testing import CliRunner

import faceage_bio
from faceage_bio.analyses.expression.inputs import read_inputs
from faceage_bio.cli import terminal
from faceage_bio.cli.commands_study import workflow_folder
from faceage_bio.cli.main import GROUPS, STAGES, STEPS, app, commands, title_of
from faceage_bio.core.config import Config, check_config, described, with_values
from faceage_bio.core.errors import ConfigError, FaceAgeBioError, RunError
from faceage_bio.core.records import read_record, record_of
from faceage_bio.core.steps import Used
from tests.commands import invoked, output_of
from tests.conftest import ROOT
from tests.rows import cases

WIDE = {"COLUMNS": "200"}


def screen(*arguments: str) -> str:
    done = CliRunner().invoke(app, [*arguments, "--help"], env=WIDE)
    assert done.exit_code == 0, done.output
    return done.output


def panels(text: str) -> dict[str, list[str]]:
    """Titles of the boxes of a help text, and the first words of their lines."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if head := re.match(r"╭─ (.+?) ─+╮", line):
            found[head[1]] = []
        elif found and (entry := re.match(r"│ ([\w-]+)  ", line)):
            found[list(found)[-1]].append(entry[1])
    return found


def test_commands_are_grouped_by_stage_and_the_five_of_a_user_come_first():
    shown = panels(screen())
    shown.pop("Options")
    assert list(shown) == list(STAGES)
    assert shown["Start here"] == ["init", "check", "run", "publish", "weights"]
    for stage, names in STAGES.items():
        assert shown[stage] == list(names)


def test_every_command_is_in_one_stage():
    declared = set(commands())
    named = [name for names in STAGES.values() for name in names]
    assert sorted(named) == sorted(declared | set(GROUPS))
    assert set(typer.main.get_command(app).commands) == set(named)


def test_every_rule_has_a_title():
    rules = re.findall(
        r"^rule (\w+):", "\n".join(p.read_text() for p in (ROOT / "workflow/rules").glob("*.smk")), re.M
    )
    assert len(rules) > 30
    bare = [rule for rule in rules if title_of(rule) == rule.replace("_", " ")]
    assert bare == []
    assert title_of("fit_survival") == "Cox models"
    assert title_of("of_another_workflow") == "of another workflow"


EXTRA = "pip install 'faceage-bio[slurm]' :smile: [red]as written[/red]"


@pytest.mark.parametrize("cls", [terminal.VerbatimCommand, terminal.VerbatimGroup])
def test_brackets_in_help_are_shown(cls):
    trial = typer.Typer(cls=terminal.VerbatimGroup)

    @trial.callback()
    def main(option: str = typer.Option("", help=EXTRA)) -> None:
        """Own."""

    @trial.command(cls=terminal.VerbatimCommand, help=EXTRA)
    def one(option: str = typer.Option("", help=EXTRA)) -> None: ...

    arguments = ["one", "--help"] if cls is terminal.VerbatimCommand else ["--help"]
    done = CliRunner().invoke(trial, arguments, env=WIDE)
    assert done.output.count("'faceage-bio[slurm]'") == 2
    assert done.output.count("[red]as written[/red]") == 2
    assert typer.main.get_command(trial).commands["one"].help == EXTRA  # unescaped for all others


def test_brackets_in_tables_are_shown():
    out = io.StringIO()
    table = Table("What", title=EXTRA)
    table.add_row(EXTRA)
    terminal.console(file=out, width=120).print(table, EXTRA)
    assert out.getvalue().count(EXTRA) == 3


def test_no_other_console_is_made():
    made = [
        path.name
        for path in (ROOT / "faceage_bio").rglob("*.py")
        if re.search(r"\bConsole\(", path.read_text())
    ]
    assert made == ["terminal.py"]


def test_each_help_text_stands_on_its_screen_word_by_word():
    """A group's list shows the first paragraph, a command's own page all of it; nothing in between is lost."""
    commands = typer.main.get_command(app).commands
    for name, command in commands.items():
        if hasattr(command, "commands"):
            continue
        shown = re.sub(r"\s+", "", screen(name).replace("│", ""))
        for text in (command.help, *(part.help for part in command.params if getattr(part, "help", None))):
            for word in text.split():
                assert word in shown, (name, word)


# What is wrong with the options of a command is told with what was expected and what to do, before any work.


@pytest.mark.parametrize(
    ("command", "message"),
    cases(r"""
        compute-acceleration --subjects a.parquet --photos b.parquet --photos c.parquet --face-ages d.parquet --results x | --subjects, --photos and --face-ages: expected once for each cohort, in the same order; found 1, 2 and 1. Give as many of each
        assess-fairness --participants a.csv --participants b.csv --photos c.parquet --output d.tsv | --photos: expected once for each --participants \(2\), in the same order, or not at all; found 1. Give as many, or none
        summarise-photos --face-ages a.parquet --participants b.parquet --participants c.parquet --results d | --participants: expected once for each --face-ages \(1\), in the same order; found 2. Give as many
        stress-photos --photo-folder a --model b --output c.tsv --participants d.parquet --participants e.parquet | --participants: expected once for each --photo-folder \(1\), in the same order, or not at all; found 2. Give as many, or none
        stress-photos --photo-folder a --model b --output c.tsv --photos d.parquet --photos e.parquet | --photos: expected once for each --photo-folder \(1\), in the same order
        stress-photos --photo-folder a --model b --output c.tsv --face-ages d.parquet --face-ages e.parquet | --face-ages: expected once for each --photo-folder \(1\), in the same order
        make-review-sheet --photo-folder a --photos b.parquet --photos c.parquet --face-ages d.parquet --output e.html --key f.tsv | --photo-folder, --photos and --face-ages: expected once for each cohort, in the same order; found 1, 2 and 1. Give as many
        check-privacy a.html --results nowhere | nowhere: no such folder. Expected the results of a finished run, whose participants are looked for
    """),
)
def test_options_that_do_not_fit_are_told(command, message, tmp_path):
    with pytest.raises(FaceAgeBioError, match=message):
        output_of(command, folder=tmp_path)


def test_a_message_about_a_table_names_its_file(tmp_path):
    path = tmp_path / "people.tsv"
    path.write_text("face_age\tchronological_age\n" + "".join(f"{50 + k}\t{51 + k % 7}\n" for k in range(20)))
    command = f"compare-groups --participants {path} --set phenotype.factors=smokng --output {tmp_path}"
    message = rf"^{path}: the analysis table has no column 'smokng'; it has .*Expected each of them. Correct"
    with pytest.raises(FaceAgeBioError, match=message):
        output_of(command)
    path.write_text("chronological_age\n60\n")  # a message that names it is left as it is
    assert str(invoked(command).exception).count("people.tsv") == 1


def test_counts_come_from_one_place_and_with_their_samples():
    message = r"--counts and --pseudobulk: expected one of them, found both or none. Give either"
    with pytest.raises(RunError, match=message):
        read_inputs("north", None)
    message = r"--counts: expected --samples with it, which tells whose each sample is. Give --samples too"
    with pytest.raises(RunError, match=message):
        read_inputs("north", None, Path("counts.tsv"))


def test_a_package_without_its_workflow_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(faceage_bio, "__file__", str(tmp_path / "faceage_bio" / "__init__.py"))
    message = r"no workflow next to .*faceage_bio. Expected the file Snakefile in a folder workflow there"
    with pytest.raises(RunError, match=message):
        workflow_folder()


# A setting is defined once: steps by hand and in the workflow read the same settings, and a rule holds those that its step declares.


RULES = {
    name: body
    for path in sorted((ROOT / "workflow" / "rules").glob("*.smk"))
    for name, body in re.findall(r"^rule (\w+):\n((?:    .*\n|\n)+)", path.read_text(), flags=re.MULTILINE)
}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_by_hand_has_the_defaults_of_the_workflow(name):
    step = STEPS[name]
    study = check_config({"cohorts": {"north": {"face_ages": "ages.tsv"}}})
    by_hand = step.settings(step.resolve(None, []))
    assert by_hand == step.settings(study) | {"cohorts": {}} if "cohorts" in by_hand else step.settings(study)
    assert list(by_hand) == [setting for used in step.uses for setting, *_ in described(used)]


@pytest.mark.parametrize("name", STEPS)
def test_the_rule_of_a_step_holds_its_settings_and_makes_its_tables(name):
    rule = name.replace("-", "_")
    if rule not in RULES:
        assert name in BY_HAND
        return
    body = RULES[rule]
    assert not STEPS[name].uses or f'settings=study.uses("{rule}")' in body
    assert f'"faceage-bio {name} ' in body
    output = body.partition("output:")[2].partition("log:")[0]
    made = set(re.findall(r"/([\w.]+\.(?:tsv|parquet|json))\"", output))
    assert not STEPS[name].writes or made == set(STEPS[name].writes)
    declared = {Path(file).name for file in STEPS[name].files}
    assert not declared or made <= declared | set(STEPS[name].writes)


BY_HAND = {"define-acceleration", "make-demo-photos", "read-review"}  # steps of no rule


def test_help_and_record_list_what_a_step_writes(tmp_path):
    table = tmp_path / "ages.tsv"
    rows = (f"p{k}\t{50 + k}\t{51 + k % 7 + k}\t{'fm'[k % 2]}\n" for k in range(40))
    table.write_text("subject_id\tchronological_age\tface_age\tsex\n" + "".join(rows))
    options = ["--participants", str(table), "--output", str(tmp_path / "results")]
    output_of("assess-fairness", *options)
    written = tmp_path / "results" / "ages" / "fairness" / "fairness.tsv"
    declared = "output/{cohort}/fairness/fairness.tsv"
    assert read_record(record_of(written))["writes"] == [declared] == list(STEPS["assess-fairness"].files)
    words = "--output {cohort}/fairness/fairness.tsv: errors and failures by group"
    assert words in STEPS["assess-fairness"].help()


def test_a_section_that_a_study_leaves_out_has_its_defaults():
    step = STEPS["make-demo-cohorts"]
    assert step.settings(step.resolve(None, [])) == {"demo.seed": 2025}
    assert step.settings(step.resolve(None, ["demo.seed=7"])) == {"demo.seed": 7}
    assert Used(Config(), step.uses).demo.seed == 2025


def test_a_step_sees_no_setting_that_it_does_not_declare():
    settings = Used(Config(), ["survival.per_years", "survival.added_value"])
    assert settings.survival.per_years == 10.0
    assert settings.survival.added_value.bootstraps == 200
    with pytest.raises(AttributeError, match="does not declare that it uses 'firth'"):
        _ = settings.survival.firth
    with pytest.raises(AttributeError, match="'expression'"):
        _ = settings.expression


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("survival.per_years=5", 5.0), ("survival.sequential_adjustment=sex", ["sex"]), ("survival.sequential_adjustment=sex,site", ["sex", "site"]), ("survival.sequential_adjustment=[]", []),
        ("survival.sequential_adjustment=", []), ("survival.groups.ecog=2", {"ecog": [2.0]}), ("survival.curves={face_age: [65, 75]}", {"face_age": [65.0, 75.0]}),
        ("survival.curves.sex=levels", Config().survival.curves | {"sex": "levels"}), ("survival.curves.face_age=65,75", Config().survival.curves | {"face_age": [65.0, 75.0]}),
        ("phenotype.covariates.sex.role=confounder", Config().phenotype.covariates), ("report.governance=''", ""), ("survival.end_date='2024-12-31'", "2024-12-31"), ("survival.fleming_harrington=0,1", [0.0, 1.0]),
        ("survival.fleming_harrington=null", None), ("survival.end_date=2024-12-31", "2024-12-31"), ("survival.firth=true", True),
        ("phenotype.table_one.groups=-5,5", [-5.0, 5.0]), ("phenotype.table_one.groups=tertiles", "tertiles"),
    ],
)  # fmt: skip
def test_a_setting_is_set_by_its_name(word, value):
    found = check_config(with_values({}, [word], [*Config.model_fields], "a step"), study=False)
    for part in word.partition("=")[0].split("."):
        if isinstance(found, dict):
            break
        found = getattr(found, part)
    assert found == value


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("survival.per_year=5", r"fit-survival has no setting 'survival.per_year'. Expected one of .* Did you mean 'survival.per_years'\?"),
        ("survival.times_years=5", "fit-survival has no setting 'survival.times_years'"),
        ("survival={per_years: 5, times_years: [9]}", "fit-survival has no setting 'survival.times_years'"),
        ("survival=5", "fit-survival has no setting 'survival'"),
        ("survival.per_years", "expected section.setting=value, such as survival.per_years=5. Write it so"),
        ("survival.per_years=none", 'survival.per_years: found "none"'),
    ],
)  # fmt: skip
def test_a_setting_that_does_not_fit_is_told(word, message):
    with pytest.raises(ConfigError, match=message):
        STEPS["fit-survival"].resolve(None, [word])


def test_a_part_of_a_setting_is_put_into_its_default():
    for word in (
        "faceage.quality.dark.threshold=5",
        "faceage={quality: {dark: {action: flag, threshold: 5}}}",
    ):
        found = STEPS["predict-face-age"].resolve(None, [word]).faceage
        dark = found.quality.dark
        assert (dark.action, dark.threshold) == (Config().faceage.quality.dark.action, 5)
        assert found.quality.bright == Config().faceage.quality.bright


def test_a_study_needs_cohorts_and_a_step_by_hand_does_not():
    with pytest.raises(ConfigError, match="cohorts: this key is needed"):
        check_config({})
    assert check_config({}, study=False).cohorts == {}
