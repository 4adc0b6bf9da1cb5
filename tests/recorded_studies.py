"""What several test files use of provenance."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from faceage_bio.cli.main import app
from faceage_bio.core.tables import write_table


def people(n=120):
    chance = np.random.default_rng(1)
    age = chance.uniform(50, 85, n)
    face_age = age + chance.normal(0, 6, n)
    years = chance.exponential(4 * np.exp(-0.04 * (face_age - 65)))
    return pd.DataFrame(
        {
            "cohort": "one", "subject_id": [f"p{k:03}" for k in range(n)], "chronological_age": age, "face_age": face_age,
            "age_gap": face_age - age, "age_acceleration": face_age - age - (face_age - age).mean(),
            "sex": chance.choice(["female", "male"], n), "followup_years": np.minimum(years, 5), "event": (years < 5).astype(int),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A folder of results in which two steps ran as the workflow runs them."""
    folder = tmp_path_factory.mktemp("results")
    table = folder.parent / "people.tsv"
    write_table(people(), table)
    survival = folder / "one" / "survival"
    for arguments in (
        ["prepare-follow-up", "--participants", table, "--output", survival, "--set", "survival.horizon_years=4"],
        ["fit-survival", "--participants", survival / "follow_up.parquet", "--output", survival, "--set", "survival.sequential_adjustment=sex", "--set",
         "survival.added_value.bootstraps=0"],
    ):  # fmt: skip
        done = CliRunner().invoke(app, [str(one) for one in arguments])
        assert done.exit_code == 0, done.output
    return folder


def tables_of(study):
    return sorted(path for path in study.glob("*/*/*.tsv") if path.name != "ledger.tsv")
