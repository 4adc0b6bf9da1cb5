"""Cohorts of 2, 12 and 30 participants, without any optional table or column, and one without follow-up, end in pages and in a bundle."""

import os
import re
import subprocess
import sys

import pytest

from faceage_bio.core.tables import read_table, read_text_table
from tests.commands import output_of
from tests.conftest import ROOT, jobs_planned, snakemake
from tests.sized_studies import RESULTS, SIZES, write_study
from tests.started_steps import forked

pytestmark = pytest.mark.workflow


def test_small_studies_have_exact_pages_and_a_bundle(tmp_path, monkeypatch):
    write_study(tmp_path, SIZES | {"unfollowed": 12})
    command = [
        sys.executable, "-m", "faceage_bio", "run", "--configfile", "config.yaml", "--config", "report={sections: full}",
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | forked()
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr[-4000:]
    results = [line for line in run.stdout.splitlines() if line.startswith("  ")]
    thirty = read_table(tmp_path / RESULTS / "thirty/survival/cox.tsv")
    row = thirty[
        (thirty["term"] == "face_age") & (thirty["exposure"] == "face_age") & (thirty["adjustment"] == "age")
    ].iloc[0]
    shown = f"{row['estimate']:.2f} ({row['ci_lower']:.2f}–{row['ci_upper']:.2f}), p = {row['p_value']:.3f}"
    assert any(line.startswith("    thirty  ") and f"{shown}, n = 30, {row['n_events']:.0f} events" in line for line in results)  # fmt: skip
    assert str((tmp_path / RESULTS / "reports/survival.html").resolve()) in {line.strip() for line in results}
    assert "\x1b" not in run.stdout + run.stderr
    for name in ("twelve", "thirty"):
        at_risk = read_table(tmp_path / RESULTS / f"{name}/survival/at_risk.tsv")
        assert at_risk["at_risk"].iloc[0] == SIZES[name]
    flow = read_table(tmp_path / RESULTS / "two/flow.tsv")  # a line through two points leaves no residual
    assert flow.loc[flow.reason == "too_few_for_a_line", "n"].tolist() == [2]
    reports = tmp_path / RESULTS / "reports"
    index, association, survival = (
        (reports / f"{name}.html").read_text() for name in ("index", "association", "survival")
    )
    assert "INTERNAL: not for release" in survival
    assert "Not run for unfollowed: no participant with age acceleration has follow-up." in survival
    assert re.search(r"<strong>Prespecified genes[^<]*</strong>: no RNA counts", association)
    assert "imulated participants" not in association
    assert "face ages given" in index
    assert "photos received" not in index
    monkeypatch.chdir(tmp_path)
    output_of("publish --configfile config.yaml")
    told = read_text_table(tmp_path / RESULTS / "share/tables/twelve/survival/at_risk.tsv")
    assert told["at_risk"].iloc[0] == "9"
    assert not list((tmp_path / RESULTS / "share").rglob("ledger*"))
    for page in (*reports.glob("*.html"), *(tmp_path / RESULTS / "share").glob("*.html")):
        words = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", "", page.read_text(), flags=re.DOTALL)
        assert (
            re.findall(r".{0,40}(?:\bnan\b|\bNone\b|\(– to –|p = –|\b1 deaths|\b1 terms).{0,40}", words) == []
        ), page.name
    (tmp_path / RESULTS / "thirty/survival/at_risk.tsv").unlink()
    plan = snakemake(tmp_path, "--dry-run", configfile="config.yaml", sections="full").output
    assert jobs_planned(plan)["estimate_curves"] == 1
