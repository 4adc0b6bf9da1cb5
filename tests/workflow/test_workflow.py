"""The whole way: photos, clinical data and counts to two reports, as `snakemake` runs it."""

import itertools
import re
import stat
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from faceage_bio.core.results.reasons import decode
from faceage_bio.report.places import ASSOCIATION, SECTIONS, SURVIVAL
from faceage_bio.stats.minimum_sizes import FEWEST_EVENTS
from tests import pages
from tests.conftest import (
    DEMO_CONFIG,
    FEW_DRAWS,
    ROOT,
    add_mean_model,
    cohorts_of,
    jobs_planned,
    snakemake,
    write_config,
)

pytestmark = pytest.mark.workflow
CONFIG = yaml.safe_load(DEMO_CONFIG.read_text())
FACEAGE = CONFIG["faceage"]


def table(folder: Path, name: str) -> pd.DataFrame:
    path = folder / "results" / name
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, sep="\t")


def page_of(folder: Path, name: str) -> str:
    return (folder / "results" / "reports" / f"{name}.html").read_text()


def one(folder: Path, name: str, **where: str) -> pd.Series:
    """The only row of a result table with these values."""
    rows = table(folder, name)
    for column, value in where.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1
    return rows.iloc[0]


def headline(folder: Path, cohort: str) -> pd.Series:
    """Hazard ratio of face age with chronological age in the model."""
    return one(folder, f"{cohort}/survival/cox.tsv", term="face_age", model="face age + age")


OWN = {"exposure": "age_acceleration", "model": "together"}


def panel_gene(folder: Path, cohort: str) -> pd.Series:
    return one(folder, f"{cohort}/expression/panel.tsv", term="CDK6", **OWN)


def current_against_never(folder: Path, cohort: str) -> pd.Series:
    contrast = {"term": "smoking: current vs never", "adjustment": "minimal"}
    return one(folder, f"{cohort}/phenotype/phenotypes.tsv", **contrast)


def test_either_workflow_file_plans_the_demo(tmp_path):
    plans = [
        jobs_planned(snakemake(tmp_path, "--dry-run", *file).output)
        for file in ((), ("--snakefile", str(ROOT / "workflow" / "Snakefile")))
    ]
    for plan in plans:
        plan.pop("total"), plan.pop("default", None), plan.pop("all", None)
    assert plans[0] == plans[1]
    # the exit status alone would not see a default target that is missing
    assert plans[0]["predict_face_age"] == 3
    assert plans[0]["fit_expression"] == plans[0]["fit_gene_survival"] == 3
    assert plans[0]["render_report"] == 1


def test_what_a_command_in_a_rule_prints_is_quoted():
    # a results folder may have a blank in its name
    text = "\n".join(path.read_text() for path in (ROOT / "workflow").rglob("*.smk"))
    assert set(re.findall(r"(.)\$\(", text)) <= {'"'}


def test_each_shard_and_the_stress_test_ask_for_a_gpu_where_the_study_says_cuda(tmp_path):
    faceage = FACEAGE | {"device": "cuda", "shard_size": 60}
    run = snakemake(tmp_path, "--dry-run", configfile=write_config(tmp_path / "config.yaml", faceage=faceage))
    assert jobs_planned(run.output)["predict_face_age"] == 5
    assert jobs_planned(run.output)["stress_photos"] == 1
    assert run.output.count("gpu=1") == 5 + 1


def test_the_slurm_profile_names_rules_of_the_workflow():
    rules = "\n".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    profile = yaml.safe_load((ROOT / "workflow" / "profiles" / "slurm" / "config.yaml").read_text())
    named = set(profile["set-resources"]) | set(profile["groups"])
    assert named <= set(re.findall(r"^rule (\w+):", rules, flags=re.MULTILINE))


def test_misspelt_key_stops_the_run_and_names_the_nearest(tmp_path):
    configfile = write_config(tmp_path / "config.yaml", survivl={"per_years": 5})
    run = snakemake(tmp_path, configfile=configfile)
    assert run.status != 0
    assert "survivl: unknown key; did you mean 'survival'?" in run.output
    assert not (tmp_path / "results").exists()


def test_a_study_of_the_users_own_is_not_merged_with_the_demo(tmp_path):
    study = {"cohorts": {"mine": {"face_ages": "mine/face_ages.tsv", "clinical": "mine/clinical.tsv"}}}
    configfile = tmp_path / "config.yaml"
    configfile.write_text(yaml.safe_dump(study))
    run = snakemake(tmp_path, "--dry-run", configfile=configfile)
    assert "MissingInputException" in run.output
    assert "mine/clinical.tsv" in run.output
    assert "north" not in run.output


def test_demo_makes_pages_that_say_it_is_simulated(demo):
    for name in ("index", "association", "survival", "photos"):
        assert "Simulated participants; the model is not FaceAge." in page_of(demo, name)


def test_links_between_the_pages_of_the_demo_find_their_places(demo):
    reports = demo / "results" / "reports"
    texts = {path.name: path.read_text() for path in reports.glob("*.html")}
    links = {
        (name, file or name, place)
        for name, text in texts.items()
        for file, place in re.findall(r'href="([\w.]*)#([^"]+)"', pages.body_of(text))
    }
    assert len([1 for name, file, _ in links if name == "index.html" and file != name]) > 20
    assert not [link for link in links if f' id="{link[2]}"' not in texts[link[1]]]


def test_no_number_of_the_demo_is_on_two_pages(demo):
    found = [
        set(" ".join(re.findall(r'data-from="([^"]*)"', page_of(demo, name))).split())
        for name in ("association", "survival", "photos")
    ]
    assert all(len(names) > 5 for names in found)
    for one_page, other in itertools.combinations(found, 2):
        # pooled estimates of all questions are one table; each row is on the page of its question
        assert one_page & other <= {"pooled/meta_analysis/estimates"}


def test_demo_shows_definitions_repeats_and_ageing_rates(demo):
    association = page_of(demo, "association")
    assert "Definitions of age acceleration and validity range</h2>" in association
    assert "residual of loess" in association
    for cohort in ("north", "south"):
        reliability = table(demo, f"{cohort}/acceleration/reliability.tsv")
        own = (reliability.term == "age_acceleration") & (reliability.measure == "ICC(A,1)")
        assert reliability[own].ci_lower.iloc[0] > 0.4
        rates = table(demo, f"{cohort}/acceleration/ageing_rate.tsv")
        assert rates[rates.measure == "hazard ratio"].estimate.notna().any()
        participants = table(demo, f"{cohort}/acceleration/acceleration.parquet")
        assert 3 <= participants.low_resolution.sum() <= 8
        assert 0 < participants.valid_age.mean() < 1
    assert "Face ageing rate" in page_of(demo, "survival")


def test_demo_shows_rna_samples_other_models_and_gene_cards(demo):
    page = page_of(demo, "association")
    assert page.count("113 samples were checked") == 2
    assert page.count('<details class="card">') >= 2 * 16
    assert page.count("If smoking is a mediator") >= 2
    for cohort in ("north", "south"):
        components = table(demo, f"{cohort}/expression/components.tsv").set_index(["term", "component"])
        assert components.estimate["batch", "PC1"] > 0.9
        varied = table(demo, f"{cohort}/expression/sensitivity.tsv")
        assert varied[(varied.term == "CDK6") & (varied.variant == "main model")].ci_lower.iloc[0] > 0
        private = demo / "results" / cohort / "expression" / "sample_quality.parquet"
        assert stat.S_IMODE(private.stat().st_mode) == 0o600


def test_demo_pages_are_sound(demo):
    for name, sections in (("association", SECTIONS[ASSOCIATION]), ("survival", SECTIONS[SURVIVAL])):
        page = page_of(demo, name)
        pages.check_structure(page)
        assert len(page.encode()) < 6_000_000
        lost = [section.name for section in sections if not pages.section(page, section.name)]
        assert lost in ([], ["agreement"]), lost
    assert "skin type: medium vs" in page_of(demo, "association")
    for cohort in ("north", "south", "healthy"):
        rows = table(demo, f"{cohort}/acceleration/definition_hazards.tsv")
        with_age = rows[rows.adjustment == "age"].set_index("term").estimate
        alike = with_age[["age_gap", "acceleration_linear"]]
        np.testing.assert_allclose(alike, with_age["face_age"], rtol=1e-6)


def test_demo_shows_genes_and_survival(demo):
    assert page_of(demo, "survival").count("HR for death per doubling of CDK6 expression, adjusted for ") >= 2
    assert "gene survival in T cell" in set(table(demo, "healthy/survival/gene_panel.tsv").question)
    for cohort in ("north", "south"):
        panel = table(demo, f"{cohort}/survival/gene_panel.tsv").set_index("term")
        assert panel.estimate["CDK6"] > 1
        assert panel.hazards_p_value.notna().all()
        genes = table(demo, f"{cohort}/survival/genes.tsv")
        assert len(genes) > 1500
        assert genes.p_value.notna().mean() > 0.99
        levels = demo / "results" / cohort / "expression" / "log_cpm.parquet"
        assert stat.S_IMODE(levels.stat().st_mode) == 0o600


def test_demo_finds_the_planted_variants_and_says_where_there_are_none(demo):
    genes = table(demo, "north/variants/genes.tsv")
    own = genes[(genes.outcome == "age_acceleration") & (genes.test == "burden")].set_index("term")
    assert own.p_value.idxmin() == "CDKN2A"
    assert own.estimate["CDKN2A"] > 0
    assert own.p_value.notna().all()
    page = page_of(demo, "association")
    assert "Rare variants of CDK6:" in page
    assert "Not run for south: no genotypes." in page


def test_the_reader_study_finds_what_was_planted_and_names_no_participant(demo):
    readers = table(demo, "pooled/readers/readers.tsv")
    means = readers.query("term == 'all readers' and measure == 'AUC' and censoring == 'status known'")
    assert list(means.condition) == ["photo", "chart", "face_age"]
    assert means.estimate.is_monotonic_increasing
    assert means.ci_lower.iloc[-1] > 0.6
    assert (means.n_readers == 10).all()
    page = page_of(demo, "survival")
    assert "Reader study</h2>" in page
    assert "AUC for death within 1 year under each condition" in page
    path = demo / "results" / "demo" / "readings.tsv"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    ids = pd.read_csv(path, sep="\t", dtype=str)
    words = set(re.findall(r"[\w./-]+", (demo / "results/pooled/readers/readers.tsv").read_text() + page))
    assert not words & (set(ids.reader_id) | set(ids.case_id))


def test_demo_shows_a_clinical_score_with_age_and_with_face_age(demo):
    page = page_of(demo, "survival")
    assert page.count("Fixed cut-off of 60 years: ") == 4  # two cohorts, both published rules
    assert "the clinical table has no primary_cancer and no chemotherapy_courses" in page  # controls
    for cohort in ("north", "south"):
        rows = table(demo, f"{cohort}/scores/comparison.tsv")
        published = (
            rows[rows.score == "teachh_publication"].set_index(["question", "version", "term"]).sort_index()
        )
        hazards = published.loc["cox"]
        assert hazards.estimate["age", "C"] > 1
        lowest = hazards.loc[("age", "A")]
        if published.loc[("groups", "age", "A"), "n_events"].iloc[0] < FEWEST_EVENTS:  # as in the south
            assert [one.code for one in decode(lowest.reason)] == ["few_events"]
            assert np.isnan(lowest.estimate)
        else:
            assert lowest.estimate < 1
        scored = table(demo, f"{cohort}/scores/scores.parquet")
        assert scored.total.isna().any()
        assert (scored.total.isna() == (scored.reason != "")).all()
    assert stat.S_IMODE((demo / "results/north/scores/scores.parquet").stat().st_mode) == 0o600


def test_second_run_does_nothing(demo):
    assert "Nothing to be done" in snakemake(demo).output


@pytest.mark.parametrize("cohort", ["north", "south"])
def test_demo_finds_what_was_planted(demo, cohort):
    cox = headline(demo, cohort)
    assert cox.ci_lower > 1
    assert cox.n_events > 30
    cdk6 = panel_gene(demo, cohort)
    assert cdk6.estimate > 0
    assert cdk6.q_value < 0.05
    assert current_against_never(demo, cohort).estimate > 0


def test_curves_and_competing_risks_find_what_was_planted(demo):
    for cohort in ("north", "south"):
        summary = table(demo, f"{cohort}/survival/summary.tsv")
        trend = summary[(summary.grouping == "face_age") & (summary.measure == "log-rank trend chi-square")]
        assert trend.p_value.item() < 0.01
        risks = table(demo, f"{cohort}/survival/competing_risks.tsv")
        mine = risks[(risks.term == "face_age") & (risks.cause == "cancer")]
        assert (mine.estimate > 1).all()
        assert len(mine) == 2
    page = page_of(demo, "survival")
    assert "Overall survival by prespecified groups</h2>" in page
    assert "Competing risks: death from cancer</h2>" in page


def test_what_face_age_adds_is_told_and_found(demo):
    for cohort in ("north", "south"):
        rows = table(demo, f"{cohort}/survival/added_value.tsv")
        first = rows[rows.comparison == "beyond age and sex"]
        assert first.p_value[first.kind == "test"].item() < 0.01
        c = first[first.measure == "difference of Harrell's C"]
        assert c.estimate.item() > 0
        assert c.corrected.notna().all()
        calibration = table(demo, f"{cohort}/survival/calibration.tsv")
        assert {"slope", "in the large", "group", "curve", "distance"} == set(calibration.kind)
        decisions = table(demo, f"{cohort}/survival/decision_curve.tsv")
        assert decisions.estimate.notna().any()
    page = page_of(demo, "survival")
    assert page.count('id="added-value-') == 3
    assert "adding face age to age and sex increased Harrell&#39;s C-index from" in page


def test_participants_with_cancer_have_a_higher_face_age_than_controls(demo):
    groups = table(demo, "pooled/phenotype/groups.tsv")
    adjusted = groups[groups.role == "secondary"]
    assert len(adjusted) >= 1
    assert (adjusted.ci_lower > 0).all()
    assert (table(demo, "north/survival/cox.tsv").role == "primary").sum() == 1


def test_comparisons_find_what_was_planted_beside_the_raw_gap(demo):
    pairs = table(demo, "pooled/phenotype/pairs.tsv")
    rows = pairs[(pairs.term == "smoking: current vs never") & (pairs.cohort == "south")]
    assert len(rows) == 2
    assert (rows.ci_lower > 0).all()
    matched = table(demo, "pooled/phenotype/matched.tsv")
    assert (matched.ci_lower > 0).all()
    summary = table(demo, "pooled/phenotype/specification_summary.tsv")
    # healthy has few smokers, and some specifications leave out all below 60
    large = summary[(summary.term == "smoking: current vs never") & summary.cohort.isin(["north", "south"])]
    assert len(large) == 4
    assert (large.share_same_sign > 0.9).all()
    titles = [
        "Group comparisons, dose–response, subgroups",
        "Adjustment sets",
        "Sensitivity to analysis choices",
    ]
    assert all(f">{title}</h2>" in page_of(demo, "association") for title in titles)


def test_every_photo_subject_and_sample_ends_in_the_ledger(demo):
    for cohort in ("north", "south", "healthy"):
        path = demo / f"results/{cohort}/ledger.tsv"
        ledger = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        assert set(ledger.status) <= {"included", "flagged", "excluded"}
        assert (ledger.loc[ledger.status == "excluded", "reason"] != "").all()
        manifest = pd.read_csv(demo / f"results/demo/{cohort}/manifest.tsv", sep="\t", dtype=str)
        clinical = pd.read_csv(demo / f"results/demo/{cohort}/clinical.tsv", sep="\t", dtype=str)
        seen = ledger[ledger.stage == "face_age"]
        assert sorted(seen.photo_id) == sorted(manifest.photo_id)
        for stage in ("intake", "acceleration", "survival"):
            rows = ledger[(ledger.stage == stage) & (ledger.photo_id == "") & (ledger.sample_id == "")]
            assert sorted(rows.subject_id) == sorted(clinical.subject_id), stage


def test_bad_photos_become_rows_with_a_reason(demo):
    cohorts = ("north", "south", "healthy")
    photos = pd.concat([table(demo, f"{cohort}/faceage/face_age.parquet") for cohort in cohorts])
    excluded = photos[photos.status == "excluded"]
    assert {"damaged_image", "no_face"} <= set(excluded.reason)
    assert not set(photos.reason) & {"same_photo_twice", "nearly_same_photo_twice"}
    assert excluded.face_age.isna().all()
    assert photos.loc[photos.status != "excluded", "face_age"].notna().all()


def test_individual_data_are_for_the_owner_only(demo):
    results = demo / "results"
    individual = [*results.rglob("*.parquet"), *results.rglob("ledger.tsv"), *results.rglob("*.log")]
    individual += [path for path in results.glob("demo/*/*") if path.is_file()]
    assert len(individual) > 10
    for path in individual:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_shareable_files_hold_no_subject_photo_or_sample_id(demo):
    results = demo / "results"
    names = set()
    for cohort in ("north", "south", "healthy"):
        for name in ("manifest", "clinical", "samples"):
            path = results / "demo" / cohort / f"{name}.tsv"
            if path.exists():
                frame = pd.read_csv(path, sep="\t", dtype=str)
                keys = [key for key in ("subject_id", "photo_id", "sample_id", "path") if key in frame]
                names |= set(frame[keys].to_numpy().ravel())
    names |= {str(ROOT), str(demo)}
    shared = [*results.glob("reports/*.html"), *results.glob("*/*/*.tsv"), *results.glob("*/flow.tsv")]
    private = re.compile(r"demo/[^/]+/[^/]+$|/ledger\.tsv$|cells[^/]*$|/INTERNAL_[^/]*$")
    shared = [path for path in shared if not private.search(path.relative_to(results).as_posix())]
    assert len(shared) > 15
    for path in shared:
        words = set(re.findall(r"[\w./-]+", path.read_text()))
        assert not words & names, path


def test_snakemake_report_contains_the_pages(demo, tmp_path):
    archive = tmp_path / "report.zip"
    run = snakemake(demo, "--report", str(archive))
    assert run.status == 0, run.output[-3000:]
    with zipfile.ZipFile(archive) as bundle:
        names = " ".join(bundle.namelist())
        text = " ".join(bundle.read(name).decode("utf-8", "replace") for name in bundle.namelist())
    for page in ("index.html", "association.html", "survival.html", "photos.html"):
        assert page in names
    drawn = [path.relative_to(demo) for path in (demo / "results/reports/figures").rglob("*.svg")]
    assert {path.parts[4] for path in drawn} >= {"acceleration", "phenotype", "expression", "survival"}
    for path in drawn:  # each with its place, labels and caption
        assert "/".join(path.parts[3:]) in names
        assert f'"{path}": {{"name": "{path.name}"' in text
    words = '"labels": {"page": "survival", "result table": "kaplan_meier", "cohort": "north", "figure": "1"}'
    assert words in text
    assert "drawn from the result table survival/kaplan_meier" in text
    clinical = pd.read_csv(demo / "results/demo/north/clinical.tsv", sep="\t", dtype=str)
    # `in` is at once, unlike \b in so long a text
    found = [subject for subject in clinical.subject_id if subject in text]
    assert not [subject for subject in found if re.search(rf"\b{re.escape(subject)}\b", text)]


def test_a_lost_file_is_made_again_alone(demo):
    run = snakemake(demo, "--dry-run", "--forcerun", "fit_survival", "--until", "fit_survival")
    assert jobs_planned(run.output) == {"fit_survival": 3, "total": 3}


@pytest.fixture(scope="module")
def shuffled(demo, tmp_path_factory) -> Path:
    """Two of the demo's cohorts with the photos, whose ages the demo's store has, shuffled among the subjects of each cohort."""
    folder = tmp_path_factory.mktemp("shuffled")
    study = cohorts_of(demo, "north", "south")
    for name, cohort in study["cohorts"].items():
        manifest = pd.read_csv(cohort["manifest"], sep="\t", dtype=str, keep_default_na=False)
        random = np.random.default_rng(1)
        manifest["path"] = random.permutation(manifest["path"])
        cohort["manifest"] = str(folder / f"{name}_manifest.tsv")
        manifest.to_csv(cohort["manifest"], sep="\t", index=False)
    stored = FACEAGE | {"store": str(demo / "results/faceage_store")}
    few = {section: CONFIG[section] | values for section, values in FEW_DRAWS.items()}
    changes = study | few | {"faceage": stored, "readers": None, "report": None, "pooling": None}
    configfile = write_config(folder / "config.yaml", **changes)
    asserted = [
        f"results/{cohort}/{table}.tsv"
        for cohort in ("north", "south")
        for table in ("survival/cox", "phenotype/phenotypes", "expression/panel", "expression/genes")
    ]
    run = snakemake(folder, *asserted, configfile=configfile, forks=True)
    assert run.status == 0, run.output[-8000:]
    return folder


def test_shuffled_photos_find_nothing(shuffled):
    for cohort in ("north", "south"):
        hazard = headline(shuffled, cohort)
        assert hazard.ci_lower < 1 < hazard.ci_upper
        assert panel_gene(shuffled, cohort).q_value > 0.05
        smoking = current_against_never(shuffled, cohort)
        assert smoking.ci_lower < 0 < smoking.ci_upper
        genes = table(shuffled, f"{cohort}/expression/genes.tsv")
        tested = genes[(genes.exposure == "age_acceleration") & genes.p_value.notna()]
        assert (tested.q_value < 0.05).mean() < 0.01


def test_shards_and_a_second_opinion_in_a_study_of_ones_own(demo, tmp_path):
    cohort = demo / "results/demo/healthy"
    add_mean_model(tmp_path / "second")
    manifest = pd.read_csv(cohort / "manifest.tsv", sep="\t", dtype=str, keep_default_na=False)[:24]
    manifest.to_csv(tmp_path / "manifest.tsv", sep="\t", index=False)
    content = {
        "cohorts": {"mine": {"photos": str(cohort / "photos"), "manifest": "manifest.tsv"}},
        "models": [str(demo / "results/model/demo"), str(tmp_path / "second")],
        "faceage": {"shard_size": 14, "jitters": 2},
    }
    configfile = tmp_path / "config.yaml"
    configfile.write_text(yaml.safe_dump(content))
    plan = jobs_planned(snakemake(tmp_path, "--dry-run", configfile=configfile).output)
    assert plan["predict_face_age"] == 2
    run = snakemake(tmp_path, configfile=configfile, sections="core", forks=True)
    assert run.status == 0, run.output[-8000:]

    ages = table(tmp_path, "mine/faceage/face_age.parquet")
    before = table(demo, "healthy/faceage/face_age.parquet").set_index("photo_id")
    assert list(ages.photo_id) == list(manifest.photo_id)
    np.testing.assert_allclose(ages.face_age, before.face_age[ages.photo_id], equal_nan=True)
    aged = ages.face_age.notna()
    assert (ages.face_age_sd[aged] > 0).all()
    dates = manifest.set_index("photo_id").photo_date.replace("", "9")  # one without a date counts last
    people = ages[aged].assign(date=dates[ages.photo_id[aged]].to_numpy()).sort_values("date", kind="stable").drop_duplicates("subject_id")  # fmt: skip
    rows = table(tmp_path, "mine/faceage/agreement.tsv")
    bias = rows[rows.measure == "bias"].iloc[0]
    assert bias.estimate == pytest.approx((people.face_age_2 - people.face_age).mean())
    page = page_of(tmp_path, "association")
    assert "Agreement with a second age model</h2>" in page
    assert "Mean of the crop compared with " in page


def test_given_face_ages_are_the_same_acceleration_as_the_photos_they_came_from(demo, tmp_path):
    south = table(demo, "south/acceleration/acceleration.parquet").dropna(subset=["face_age"])
    south[["subject_id", "face_age"]].to_csv(tmp_path / "face_ages.tsv", sep="\t", index=False)
    clinical = pd.read_csv(demo / "results/demo/south/clinical.tsv", sep="\t")
    columns = ["subject_id", "chronological_age", "sex", "smoking", "bmi"]
    clinical[columns].to_csv(tmp_path / "clinical.tsv", sep="\t", index=False)
    study = {"cohorts": {"mine": {"face_ages": "face_ages.tsv", "clinical": "clinical.tsv"}}}
    configfile = tmp_path / "config.yaml"
    configfile.write_text(yaml.safe_dump(study))
    wanted = "mine/acceleration/acceleration.parquet"
    run = snakemake(tmp_path, f"results/{wanted}", configfile=configfile, forks=True)
    assert run.status == 0, run.output[-8000:]
    mine = table(tmp_path, wanted).set_index("subject_id").age_acceleration.dropna()
    theirs = south.set_index("subject_id").age_acceleration
    assert len(mine) > 80
    np.testing.assert_allclose(mine, theirs[mine.index], atol=1e-9)


def test_demo_finds_the_planted_gene_in_one_cell_type_and_in_no_other(demo):
    panel = table(demo, "healthy/expression/panel.tsv")
    own = panel[(panel.exposure == OWN["exposure"]) & (panel.model == OWN["model"])]
    cdk6 = own[own.term == "CDK6"].set_index("question")
    kinds = {"T cell", "monocyte", "plasma cell"}
    assert set(cdk6.index) == {f"expression in {kind}" for kind in kinds}
    assert cdk6.ci_lower["expression in T cell"] > 0
    assert cdk6.ci_lower["expression in monocyte"] < 0 < cdk6.ci_upper["expression in monocyte"]
    # most donors have too few plasma cells, which is said instead of a number
    assert cdk6.status["expression in plasma cell"] == "not_estimated"
    ledger = table(demo, "healthy/expression/ledger.tsv")
    assert "too_few_cells" in set(ledger[ledger.status == "excluded"].reason)
    assert "expression in T cell" in set(table(demo, "healthy/expression/set_coverage.tsv").question)
    composition = table(demo, "healthy/expression/composition.tsv")
    assert set(composition.exposure) == {"age_gap", "age_acceleration", "chronological_age"}
    quality = table(demo, "healthy/expression/cell_quality.tsv")
    dropped = quality[(quality.term == "plasma cell") & (quality.fate == "too_few_cells")]
    assert dropped[dropped.measure == "profiles"].estimate.item() > 0
    page = page_of(demo, "association")
    assert "expression in T cell" in page
    assert "<h4>Composition</h4>" in page


def test_demo_tells_genes_with_shares_of_cells_and_purity_held_constant(demo):
    varied = table(demo, "north/expression/sensitivity.tsv")
    cdk6 = varied[varied.term == "CDK6"]
    for words in ("composition", "purity"):
        mine = cdk6[cdk6.variant.str.contains(words)]
        assert len(mine)
        assert (mine.ci_lower > 0).any()


def test_the_same_subject_in_two_cohorts_stops_before_anything_is_computed(drawn, tmp_path):
    one = cohorts_of(drawn, "healthy")
    study = one | {"cohorts": {name: one["cohorts"]["healthy"] for name in ("a", "b")}}
    study |= {"readers": None, "report": None, "pooling": {"reference_cohorts": []}}
    configfile = write_config(tmp_path / "config.yaml", **study)
    run = snakemake(tmp_path, configfile=configfile, forks=True)
    assert run.status != 0
    assert "60 subject(s) are in cohort 'a' and in cohort 'b'" in run.output
    assert {path.parent.name for path in (tmp_path / "results").rglob("*.parquet")} == {"cohort"}


def test_fairness_is_shown_and_can_leave_the_photos_alone(demo, tmp_path):
    assert "Robustness to image degradation</h2>" in page_of(demo, "photos")
    assert (table(demo, "pooled/fairness/stress.tsv").status == "sparse").any()
    rows = table(demo, "pooled/fairness/fairness.tsv")
    rows = rows[(rows.term == "sex: male vs female") & (rows.measure == "difference in mean error")]
    assert rows[["raw_estimate", "estimate"]].notna().all(axis=None)
    configfile = write_config(tmp_path / "config.yaml", fairness={"stress_photos": 0})
    jobs = jobs_planned(snakemake(tmp_path, "--dry-run", configfile=configfile).output)
    assert "stress_photos" not in jobs
    assert jobs["assess_fairness"] == 1
