"""The 160 official portraits beside the repository, through intake, inference, acceleration and the association report.

The age network has FaceAge's shape with random weights, so the ages mean nothing; everything else is real.
"""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from faceage_bio.faces.vision.weights import import_weights
from tests.conftest import ROOT, snakemake
from tests.golden.keras import recipe

PORTRAITS = ROOT.parent / "shared" / "data" / "portraits"
pytestmark = [
    pytest.mark.workflow,
    pytest.mark.skipif(not PORTRAITS.is_dir(), reason="the portraits are not beside the repository"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("portraits")
    import_weights(recipe.write_h5(folder / "random.h5"), folder / "model")
    config = yaml.safe_load((ROOT / "tests" / "portraits.yaml").read_text())
    config["models"] = [str(folder / "model")]
    config["results_dir"] = "results"
    for key in ("photos", "manifest", "clinical"):
        config["cohorts"]["congress"][key] = str(ROOT / "tests" / config["cohorts"]["congress"][key])
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    done = snakemake(folder, configfile=folder / "config.yaml", forks=True)
    assert done.status == 0, done.output[-6000:]
    return folder / "results"


def test_every_portrait_has_a_face(run):
    faces = pd.read_parquet(run / "congress" / "faceage" / "face_age.parquet")
    assert len(faces) == 160
    assert faces.face_age.notna().all()
    assert (faces.probability > 0.9).all()


def test_ages_at_the_photo_come_from_the_dates(run):
    people = pd.read_parquet(run / "congress" / "acceleration" / "acceleration.parquet")
    listed = pd.read_csv(PORTRAITS / "people.csv").set_index("person_id")
    first = people.iloc[0]
    days = pd.Timestamp(listed.last_term_start[first.subject_id]) - pd.Timestamp(
        listed.birthday[first.subject_id]
    )
    assert first.chronological_age == pytest.approx(days.days / 365.25)
    assert people.age_acceleration.notna().all()


def test_stages_without_data_are_shown_as_not_run(run):
    page = (run / "reports" / "association.html").read_text()
    assert "<strong>Gene expression</strong>: no RNA counts" in page
    assert "sex: male vs female" in page
    assert "Simulated participants" not in page
    survival = (run / "reports" / "survival.html").read_text()
    words = "<strong>Overall survival by prespecified groups</strong>: no participant with age acceleration has follow-up"
    assert words in survival


def test_no_participant_and_no_file_is_named(run):
    listed = pd.read_csv(PORTRAITS / "people.csv")
    for page in (run / "reports").glob("*.html"):
        text = page.read_text()
        assert not [name for name in listed.person_id if name in text]
        assert str(PORTRAITS) not in text
