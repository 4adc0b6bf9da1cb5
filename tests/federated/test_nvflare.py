"""NVFlare's simulator with three sites reaches R's estimate of all rows. `make test-federated` runs it in an environment with NVFlare."""

from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.release.sites.nvflare_adapter import SiteAnswers, job
from faceage_bio.release.sites.rounds import Term, first_request

GOLDEN = Path(__file__).parent.parent / "golden"
SITES, SIZES = ("north", "south", "east"), (427, 231, 185, 93, 58)


def write_sites(folder: Path) -> None:
    """Rotterdam's rows at the three largest of five hospitals, as golden.R splits them."""
    rows = pd.read_csv(GOLDEN / "cox/rotterdam.tsv", sep="\t", comment="#").rename(
        columns={"time": "followup_years"}
    )
    rows["nodes"] = np.log1p(rows["nodes"])
    rank = np.argsort(np.argsort((np.arange(1, len(rows) + 1) * 7919) % 10007, kind="stable"), kind="stable")
    for number, name in enumerate(SITES):
        rows[np.repeat(np.arange(5), SIZES)[rank] == number].to_parquet(folder / f"{name}.parquet")


def test_three_sites_reach_r(tmp_path):
    write_sites(tmp_path)
    request = first_request([Term("age", 10.0), Term("nodes")], "abc", "linear")
    at_site = SiteAnswers(
        *(str(tmp_path / f"{{site}}.{ending}") for ending in ("parquet", "key", "log")), model_id="abc"
    )
    job(request, tmp_path, at_site, list(SITES)).simulator_run(str(tmp_path / "work"))
    golden = pd.read_csv(GOLDEN / "federated/three_sites.tsv", sep="\t")
    found = pd.read_csv(tmp_path / "estimate.tsv", sep="\t")
    np.testing.assert_allclose(np.log(found["estimate"]) / [10, 1], golden["coef"], rtol=1e-8)
    np.testing.assert_allclose(found["standard_error"] / [10, 1], golden["se"], rtol=1e-8)
    # each answer is logged at the site
    assert (tmp_path / "north.log").read_text().count("\n") == found["round"].iloc[0] + 1


def test_a_site_with_other_weights_ends_the_job_without_an_estimate(tmp_path):
    write_sites(tmp_path)
    request = first_request([Term("age", 10.0)], "other", "linear")
    at_site = SiteAnswers(
        *(str(tmp_path / f"{{site}}.{ending}") for ending in ("parquet", "key", "log")), model_id="abc"
    )
    job(request, tmp_path, at_site, list(SITES)).simulator_run(str(tmp_path / "work"))
    assert not (tmp_path / "estimate.tsv").exists()
