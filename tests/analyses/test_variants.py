"""DNA variants: files of any fault are told whole, filters are counted, planted genes found, and the page's words."""

import gzip
import re

import numpy as np
import pandas as pd
import pytest

from faceage_bio.analyses.variants.variants_stage import variant_tables
from faceage_bio.core.errors import CohortError, ConfigError, Problems
from faceage_bio.core.settings.settings_cohort import Cohort
from faceage_bio.core.settings.settings_genes import Variants
from faceage_bio.core.tables import write_table
from faceage_bio.demo.simulated_participants import PLANTED_GENE, write_variants
from faceage_bio.intake.cohort.intake import read_cohorts
from faceage_bio.intake.genotype_files import Genotypes, of_participants, read_genotypes
from faceage_bio.report.sections_variants import PUBLISHED, variant_section
from faceage_bio.report.tables_by_place import collect
from faceage_bio.stats.linear import fit_linear
from faceage_bio.stats.multiplicity import benjamini_hochberg
from tests.commands import faceage_bio, output_of
from tests.gene_studies import variant_study
from tests.report_studies import CARD, config_of
from tests.rows import worded

HEADER = "#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT a b c d".replace(" ", "\t")
BED = "chr1\t99\t200\tCDK6\nchr1\t150\t300\tTP53\n"


def vcf(folder, *lines, name="x.vcf", bed=BED):
    """A VCF of four samples, and genes at chr1:100-200 and 151-300."""
    text = "\n".join(["##fileformat=VCFv4.2", HEADER, *(line.replace(" ", "\t") for line in lines)]) + "\n"
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    (folder / "genes.bed").write_text(bed)
    return path


ONE = "1 120 . A G . PASS . GT 0/0 0/1 1/1 0/0"


def read(path, genes, problems=None):
    problems = problems or Problems()
    found = read_genotypes(path, genes, problems)
    problems.stop_if_any()
    return found


@pytest.mark.parametrize("name", ["x.vcf", "x.vcf.gz"])
def test_a_vcf_becomes_copies_and_what_is_left_out_is_counted(tmp_path, name):
    path = vcf(
        tmp_path,
        "1 120 rs1 A G . PASS . GT:DP 0/0:9 0|1:9 1/1:9 ./.:0",
        "chr1 160 . C T,A . . . DP:GT 9:0/1 9:1/2 9:0/2 9:./1",
        "1 170 . C T . q10 . GT 0/1 0/0 0/0 0/0",
        "1 180 . C <DEL>,* . PASS . GT 0/1 0/0 0/0 0/2",
        "1 500 . C T . PASS . GT 0/1 0/0 0/0 0/0",
        name=name,
    )
    found = read(path, tmp_path / "genes.bed")
    assert found.variants["variant_id"].tolist() == ["rs1", "1:160:C:T", "1:160:C:A"]
    assert found.variants["gene"].tolist() == ["CDK6", "CDK6;TP53", "CDK6;TP53"]
    np.testing.assert_array_equal(found.copies, [[0, 1, 2, np.nan], [1, 1, 0, np.nan], [0, 1, 1, np.nan]])
    assert found.variants["half_calls"].tolist() == [0, 1, 1]
    assert found.left_out == {
        "marked by the caller's FILTER": 1,
        "without an allele of letters (deletions over the site, symbols, breakends)": 2,
        "in no gene that is asked for": 1,
    }


def test_genes_come_by_name_or_by_place(tmp_path):
    path = vcf(tmp_path, f"chr{ONE.replace(' . A', ' rs1 A')}", "1 130 . C T . PASS . GT 0/0 0/1 0/0 0/0")
    (tmp_path / "names.tsv").write_text("variant_id\tgene\nrs1\tCDK6\n1:130:C:T\tTP53\n")
    (tmp_path / "places.csv").write_text("chrom,pos,ref,alt,gene\nchr1,120,A,G,CDK6\n")
    assert read(path, tmp_path / "names.tsv").variants["gene"].tolist() == ["CDK6", "TP53"]
    assert read(path, tmp_path / "places.csv").variants["gene"].tolist() == ["CDK6"]


def test_a_table_says_the_gene_itself(tmp_path):
    path = tmp_path / "table.tsv"
    path.write_text("variant_id\tgene\ts1\ts2\nv1\tCDK6\t0\t1\nv2\tTP53\t\t2\n")
    found = read(path, None)
    np.testing.assert_array_equal(found.copies, [[0, 1], [np.nan, 2]])


def test_all_that_is_wrong_in_a_vcf_is_told_at_once(tmp_path):
    path = vcf(
        tmp_path,
        "1 120 rs1 A G . PASS . GT 0/0 0/3 1 0/0/1",
        "1 x rs2 A G . PASS . GT 0/0 0/0 0/0 0/0",
        "1 125 rs3 A G . PASS . DP 1 2 3 4",
        "1 126 rs4 A G . PASS . GT 0/0",
        "1 127 rs5 A G . PASS . GT 0/0 0/0 0/1 0/0",
        "1 127 rs5 A G . PASS . GT 0/0 0/0 0/1 0/0",
    )
    with pytest.raises(CohortError) as told:
        read(path, tmp_path / "genes.bed")
    text = str(told.value)
    for part in (
        "column 'b': 1 row(s), line 3: '0/3'. Expected two alleles such as 0/1", "column 'c': 1 row(s), line 3: '1'", "column 'd': 1 row(s), line 3: '0/0/1'",
        "column 'POS': 1 row(s), line 4: 'x'. Expected a whole number, counted from 1. Write", "line 5: 'DP'. Expected GT among the kinds: the samples need genotypes. Call them",
        "line 6. Expected 13 cells, as the header has, and found 10. Give the file as the variant caller wrote it.",
        "line 8: 'rs5'. The variant stands in line 7 already",
    ):  # fmt: skip
        assert part in text, text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 120 rs1 A G . LowQual . GT 0/0 0/1 1/1 0/0", "1 marked by the caller's FILTER.. Expected some that the caller passed, with alleles of letters. Give"),
        ("2 120 rs1 A G . PASS . GT 0/0 0/1 1/1 0/0", "1 in no gene that is asked for.. Expected both of the same genome build"),
        ("1 120 rs1 A G . PASS . DS 0.1 0.2 1.1 0", "^1 problem in .*\n.*'FORMAT': 1 row.*'DS'. Expected GT among"),
    ],
)  # fmt: skip
def test_why_no_variant_is_usable_is_told_by_its_cause(tmp_path, line, message):
    with pytest.raises(CohortError, match=message):
        read(vcf(tmp_path, line), tmp_path / "genes.bed")


def test_alleles_the_other_way_round_are_told(tmp_path):
    path = vcf(tmp_path, ONE, ONE.replace("120", "130"))
    places = "chrom\tpos\tref\talt\tgene\n1\t120\tG\tA\tCDK6\n1\t130\tA\tG\tCDK6\n"
    (tmp_path / "places.tsv").write_text(places)
    message = r"line 3: 'A, ALT G'. places.tsv has both alleles the other way round, so it is not clear which is counted. Expected the same"
    with pytest.raises(CohortError, match=message):
        read(path, tmp_path / "places.tsv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("variant_id\tgene\ts1\nv1\tCDK6\t0/1\n", "column 's1': 1 row.s., line 2: '0/1'. Expected 0, 1 or 2. Write the copies of the counted allele"),
        ("variant_id\tgene\ts1\nv1\tCDK6\t0.9\n", "line 2: '0.9'. Expected 0, 1 or 2. Write the copies"),
        ("variant_id\tgene\ts1\nv1\t\t1\n", "column 'gene': 1 row.s., line 2: ''. Expected the symbol of the gene that it lies in. Name the gene"),
        ("variant_id\tgene\ts1\nv1\tcdk6\t1\n", "column 'gene': 1 row.s., line 2: 'cdk6'. Expected the symbol as it is written, CDK6. Correct"),
        ("variant_id\tgene\ta\tb\tc\td\te\tf\nv1\tCDK6\t-9\t-9\t-9\t-9\t-9\t-9\n", "t.tsv: 6 cells in 6 columns, column 'a', line 2: '-9'; column 'b', line 2: '-9'; .*and 1 more. Expected 0, 1 or 2"),
        ("variant_id\tgene\ts1\nv1\tCDK6\t1\nv1\tCDK6\t0\n", "line 3: 'v1'. The variant stands more than once"),
        ("variant_id\tgene\ts1\n\tCDK6\t1\n", "column 'variant_id': 1 row.s., line 2: ''. Expected a name. Give each variant one"),
        ("name\tgene\ts1\nv1\tCDK6\t1\n", "lacks the column.s. variant_id; found name, gene, s1"),
        ("variant_id\tgene\nv1\tCDK6\n", "no column of a sample"),
    ],
)  # fmt: skip
def test_faults_of_a_genotype_table_are_told(tmp_path, content, message):
    (tmp_path / "t.tsv").write_text(content)
    with pytest.raises(CohortError, match=message):
        read(tmp_path / "t.tsv", None)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.vcf", None, "absent.vcf: no such file. Expected a VCF or a table of genotypes. Check the path"),
        ("no.vcf", b"hello\n", "not a VCF with genotypes"),
        ("no.vcf.gz", gzip.compress(b"x" * 999, mtime=0)[:20], "cannot be read to its end"),
        ("zero.vcf", f"##fileformat=VCFv4.2\n{HEADER}\n{ONE}\0\n".encode(), r"zero.vcf: holds bytes of zero \(line 3\)"),
        ("twice.vcf", "\n".join(["##fileformat=VCFv4.2", HEADER.replace("\tb\t", "\ta\t"), ONE, ""]).encode(),
         r"the header names the sample.s. a more than once. Expected each once. Keep one"),
    ],
)  # fmt: skip
def test_files_that_are_no_vcf_are_told(tmp_path, name, content, message):
    (tmp_path / "genes.bed").write_text(BED)
    if content:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CohortError, match=message):
        read(tmp_path / name, tmp_path / "genes.bed")


@pytest.mark.parametrize(
    ("name", "content", "messages"),
    [
        ("far.bed", "chr2\t0\t9\tCDK6\n", [r"no usable variant lies in a gene of far.bed .1 in no gene"]),
        ("bad.tsv", "chrom\tstart\tend\tgene\n1\t5\t5\tCDK6\n1\t-3\t9\tTP53\n1\t1\t9\t\n",
         [r"line 2: '5'\. Expected an end above the start, as in BED", r"line 3: '-3'\. Expected a whole number\. Write it", r"line 4: ''\. Expected the gene's symbol\. Name the gene"]),
        ("none.tsv", "symbol\nCDK6\n", ["needs the column gene and either variant_id"]),
        ("genes.bed", "chr1\t99\t200\n", ["genes.bed: column 'gene': 1 row.s., line 1. A BED line needs chrom, start, end and the gene's symbol"]),
        ("genes.bed", "chr1\t\xff\xfe", ["genes.bed: not UTF-8 text .*Expected text, plain or packed by gzip. Save"]),
        ("genes.bed", "chr1\t99\t200\tCD\0K6\n", [r"genes.bed: holds bytes of zero \(line 1\), as files do that are no text"]),
        (None, "", ["a VCF does not say which gene"]),
    ],
)  # fmt: skip
def test_lists_of_genes_that_are_none_are_told(tmp_path, name, content, messages):
    path = vcf(tmp_path, ONE)
    if name:
        (tmp_path / name).write_text(content, encoding="latin-1")
    with pytest.raises(CohortError) as told:
        read(path, name and tmp_path / name)
    assert all(re.search(message, str(told.value)) for message in messages), told.value


def test_intervals_may_be_packed(tmp_path):
    (tmp_path / "genes.bed.gz").write_bytes(gzip.compress(BED.encode(), mtime=0))
    (tmp_path / "genes.bed").write_text(BED)
    path = vcf(tmp_path, ONE)
    packed, plain = (read(path, tmp_path / name).copies for name in ("genes.bed.gz", "genes.bed"))
    pd.testing.assert_frame_equal(packed, plain)


def test_samples_get_the_names_of_participants_and_unmatched_ones_are_told():
    genotypes = Genotypes(pd.DataFrame(), pd.DataFrame([[0, 1, 2]], columns=["d1", "P2", "d3"]))
    problems = Problems()
    found = of_participants(genotypes, {"P1", "P2", "P3"}, {"d1": "P1", "d3": "P3"}, "x.vcf", problems)
    problems.stop_if_any()
    assert list(found.copies) == ["P1", "P2", "P3"]
    of_participants(genotypes, {"P1", "P2"}, {"d1": "P2"}, "x.vcf", problems)
    message = r"1 sample.s. are neither a subject_id of the cohort nor a sample_id of one: .d3.*Expected samples of these participants"
    with pytest.raises(CohortError, match=message) as told:
        problems.stop_if_any()
    assert "1 subject(s) have more than one sample: P2" in str(told.value)


@pytest.fixture
def intake(tmp_path):
    """A function that reads a cohort of two participants, some of whose files are changed."""
    good = {
        "face_ages": "subject_id\tface_age\nP1\t60\nP2\t70\n", "variants": "variant_id\tgene\td1\tP2\nv1\tCDK6\t0\t1\n",
        "variant_samples": "sample_id\tsubject_id\nd1\tP1\n", "ancestry": "subject_id\tPC1\nP1\t0.1\nP2\t0.2\n",
    }  # fmt: skip

    def read_with(**changes):
        for name, text in (good | changes).items():
            (tmp_path / f"{name}.tsv").write_text(text)
        return read_cohorts(
            {"one": Cohort(**{name: str(tmp_path / f"{name}.tsv") for name in good})}, 365.25
        )["one"]

    return read_with


def test_variants_of_a_cohort_are_those_of_its_participants(intake):
    assert intake().variant_participants.to_dict("list") == {
        "cohort": ["one"] * 2, "sample_id": ["d1", "P2"], "subject_id": ["P1", "P2"], "PC1": [0.1, 0.2],
    }  # fmt: skip


FAULTS = {
    "variants": "variant_id\tgene\td1\tP2\nv1\tCDK6\t0\t7\n", "variant_samples": "sample_id\tsubject_id\nd1\tP1\nd9\tP9\n",
    "ancestry": "subject_id\tPC1\nP1\t0.1\nP2\tx\nP7\t0.1\n",
}  # fmt: skip
TWICE = {
    "variants": FAULTS["variants"], "variant_samples": "sample_id\tsubject_id\nd1\tP1\nd1\tP2\n",
    "ancestry": "subject_id\tPC1\nP1\t0.1\nP1\t0.2\n",
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        (FAULTS, ["'P2': 1 row(s), line 2: '7'", "line 3: 'P9'", "'PC1': 1 row(s), line 3: 'x'", "line 4: 'P7'"]),
        (TWICE, ["'sample_id': 2 row(s), line 2: 'd1'; line 3: 'd1'. It stands", "'subject_id': 2 row(s), line 2: 'P1'; line 3: 'P1'. It stands"]),
        (TWICE | {"ancestry": "subject_id\nP1\n"}, ["ancestry.tsv: no component next to subject_id. Expected a column of numbers for each ancestry"]),
        ({"face_ages": "person\tface_age\nP1\t60\n"}, ["face_ages.tsv: line 1 lacks the column(s) subject_id; found person, face_age. Expected subject_id, face_age"]),
    ],
)  # fmt: skip
def test_intake_tells_faults_of_variants_with_all_others(intake, changes, messages):
    with pytest.raises(CohortError) as told:
        intake(**changes)
    assert all(message in str(told.value) for message in messages), told.value


def test_the_config_wants_variants_beside_what_goes_with_them():
    with pytest.raises(ConfigError, match="ancestry belongs to variants, but no variants are given"):
        config_of(["one"], cohorts={"one": {"face_ages": "f.tsv", "ancestry": "a.tsv"}})


def fit(people, genotypes, components=("PC1",), panel=("CDK6", "CDKN2A", "TP53"), **more):
    tables = variant_tables(people, genotypes, components, Variants(**more), cohort="c", panel=panel)
    return tables | {name: worded(tables[name]) for name in ("genes", "common")}


def test_a_planted_gene_is_found_with_the_numbers_of_its_own_model_and_age_is_not():
    people, genotypes = variant_study()
    genes = fit(people, genotypes)["genes"].set_index(["outcome", "test", "term"])
    found = genes.loc["age_acceleration", "burden", "CDKN2A"]
    assert found.ci_lower < 8 < found.ci_upper
    assert found.q_value < 0.001
    assert genes.loc[("age_acceleration", "SKAT", "CDKN2A"), "p_value"] < 0.001
    assert genes.loc["chronological_age"].p_value.min() > 0.01
    rare = genotypes.copies[(genotypes.variants.gene == "CDKN2A").to_numpy()].iloc[:8]
    design = pd.DataFrame({
        "x": np.minimum(rare.sum().to_numpy(), 1), "age": people.chronological_age, "male": (people.sex == "male") * 1.0,
        "PC1": people.PC1,
    })  # fmt: skip
    own = fit_linear(people.age_acceleration, design).terms.loc["x"]
    for column in ("estimate", "ci_lower", "ci_upper", "p_value"):
        assert found[column] == pytest.approx(own[column], rel=1e-9)
    assert (found.n, found.n_carriers, found.n_variants) == (300, int(design.x.sum()), 8)
    assert (found.adjustment, found.covariates, found.components) == ("full", "age, sex, PC1", 1)
    assert genes.loc["chronological_age", "burden", "CDKN2A"].covariates == "sex, PC1"


def test_panel_is_one_family_for_each_test_and_outcome():
    genes = fit(*variant_study(), panel=("CDK6", "CDKN2A", "TP53", "ABSENT"))["genes"]
    for _, rows in genes.groupby(["outcome", "test"]):
        np.testing.assert_allclose(rows.q_value, benjamini_hochberg(rows.p_value.to_numpy()), equal_nan=True)
        assert (rows.n_tests == 3).all()
        known = rows.dropna(subset=["p_value"])
        np.testing.assert_allclose(known.p_bonferroni, np.minimum(1, 3 * known.p_value))
    assert (
        genes[genes.term == "ABSENT"].note == "not estimated, because the genotypes have no variant of it"
    ).all()


def test_orders_and_the_counted_allele_do_not_matter():
    people, genotypes = variant_study()
    one = fit(people, genotypes)
    random = np.random.default_rng(2)
    rows = random.permutation(len(genotypes.variants))
    turned = genotypes.copies.copy()
    turned.iloc[::3] = 2 - turned.iloc[::3]
    turned = turned.iloc[rows, random.permutation(len(people))].reset_index(drop=True)
    other = Genotypes(genotypes.variants.iloc[rows].reset_index(drop=True), turned)
    two = fit(people.sample(frac=1, random_state=1), other)
    for column in ("estimate", "ci_lower", "p_value", "q_value", "n_carriers"):
        np.testing.assert_allclose(
            one["genes"][column].astype(float), two["genes"][column].astype(float), rtol=1e-8
        )
    quality = two["quality"].set_index("term")["estimate"]
    assert quality["of them with the other allele counted, since it is the rarer one"] == 9
    common = one["common"].set_index(["term", "outcome"]).p_value
    pd.testing.assert_series_equal(
        two["common"].set_index(["term", "outcome"]).p_value.reindex(common.index), common
    )


def test_filters_are_counted_and_all_participants_are_in_the_count():
    people, genotypes = variant_study()
    copies = genotypes.copies.copy()
    copies.iloc[:, 0] = np.nan  # a person without genotypes
    copies.iloc[2, 10:60] = np.nan  # a variant with many missing
    copies.iloc[3] = 0.0  # one that does not vary
    copies.iloc[4, 70] = np.nan
    people.loc[1, "age_acceleration"] = np.nan
    people.loc[2, "PC1"] = np.nan
    tables = fit(people, Genotypes(genotypes.variants, copies, {"marked by the caller's FILTER": 3}))
    counts = tables["quality"].set_index(["measure", "term"])["estimate"].astype(int)
    for measure, expected in {
        "participants": {"with genotypes": 300, "without age acceleration": 1, "call rate too low": 1, "a covariate or ancestry component is not known": 1, "analysed": 297},
        "variants": {"alleles in the file": 30, "marked by the caller's FILTER": 3, "call rate too low": 1,
                     "all participants analysed have the same genotype": 1, "analysed as rare": 22, "analysed as common": 3},
        "genotypes": {"missing, filled with the variant's mean": 1},
    }.items():  # fmt: skip
        assert counts[measure].to_dict().items() >= expected.items()
    fates = tables["variants"].set_index("variant_id")["fate"]
    assert fates["CDK6-2"] == "call rate too low"
    assert len(fates) == 27


def test_few_carriers_and_too_few_participants_keep_their_rows_with_the_reason():
    people, genotypes = variant_study()
    few = fit(people, genotypes, min_carriers=100)
    assert few["genes"].note.unique().tolist() == [
        "not estimated, because fewer than 100 participants carry a rare variant of it"
    ]
    assert few["genes"].p_value.isna().all()
    none = fit(people, genotypes, maf=0.001)["genes"]
    assert (none.note == "not estimated, because none of its variants is rare and passed the filters").all()
    four = Genotypes(genotypes.variants, genotypes.copies.iloc[:, :4])
    tiny = fit(people[:4], four, maf=0.5, min_carriers=1)["genes"]
    assert tiny.loc[tiny.outcome == "age_acceleration", "estimate"].isna().all()
    assert tiny.note.str.contains("(?:rows|participants|samples) are too few|is rare and passed").any()
    nobody = fit(people.assign(age_acceleration=np.nan), genotypes)
    assert nobody["genes"].estimate.isna().all()
    assert (nobody["genes"].note != "").all()
    with pytest.raises(CohortError, match="no column 'smoke'"):
        fit(people, genotypes, covariates=["smoke"])


@pytest.mark.slow
def test_shuffled_faces_give_uniform_p():
    people, genotypes = variant_study(years=8.0)
    random = np.random.default_rng(4)
    found = []
    for _ in range(60):
        shuffled = people.assign(age_acceleration=random.permutation(people.age_acceleration))
        genes = fit(shuffled, genotypes, common=False)["genes"]
        found += genes.loc[genes.outcome == "age_acceleration", "p_value"].tolist()
    assert 0.01 < np.mean(np.array(found) < 0.05) < 0.10
    assert 0.40 < np.median(found) < 0.60


@pytest.mark.parametrize("burden", ["carriers", "alleles", "weighted"])
def test_every_burden_finds_the_planted_gene(burden):
    genes = fit(*variant_study(), weights=burden)["genes"]
    own = genes[(genes.outcome == "age_acceleration") & (genes.test == "burden")].set_index("term")
    assert own.p_value.idxmin() == "CDKN2A"


def test_the_command_runs_on_plain_tables(tmp_path):
    people, genotypes = variant_study(n=150)
    people.drop(columns="PC1").to_csv(tmp_path / "people.tsv", sep="\t", index=False)
    people[["subject_id", "PC1"]].to_csv(tmp_path / "ancestry.tsv", sep="\t", index=False)
    table = genotypes.variants[["variant_id", "gene"]].join(genotypes.copies.astype(int))
    table.to_csv(tmp_path / "genotypes.tsv", sep="\t", index=False)
    files = "--participants people.tsv --variants genotypes.tsv --ancestry ancestry.tsv --output out"
    command = f"fit-variants {files} --set expression.panel=CDK6,CDKN2A --set variants.maf=0.03"
    assert "participants: analysed: 150" in output_of(command, folder=tmp_path)
    assert len(pd.read_csv(tmp_path / "out" / "genes.tsv", sep="\t")) == 2 * 2 * 2
    assert (tmp_path / "out" / "variants.parquet").stat().st_mode & 0o777 == 0o600
    (tmp_path / "ancestry.tsv").write_text("subject_id\tPC1\tclub\ns1\t0.2\tred\n")
    done = faceage_bio(tmp_path, *command.split())
    assert done.status == 2
    words = "column 'club': 1 row(s), line 2: 'red'. Expected numbers: ancestry components are (PC1, PC2 ...). Leave other columns out."
    assert words in done.output


def test_demo_variants_are_read_and_the_planted_carriers_look_older(tmp_path):
    from faceage_bio.demo.plans import PLANS
    from faceage_bio.demo.simulated_cohorts import _people

    seed, _, people = _people(PLANS[0], 2025)
    write_variants(people, seed, tmp_path)
    found = read(tmp_path / "variants.vcf.gz", tmp_path / "variant_genes.bed")
    samples = pd.read_csv(tmp_path / "variant_samples.tsv", sep="\t").set_index("sample_id").subject_id
    mine = found.copies[(found.variants.gene == PLANTED_GENE).to_numpy()].rename(columns=samples)
    rare = mine[mine.mean(axis=1) < 0.05]
    carriers = rare.columns[(rare > 0).any()]
    older = people.set_index("subject_id").acceleration
    assert 8 <= len(carriers) <= 14
    assert older[carriers].mean() - older.drop(carriers).mean() > 4
    assert set(samples) == set(people.subject_id)


def section(tmp_path):
    people, genotypes = variant_study()
    panel = ["CDK6", "CDKN2A", "ABSENT"]
    tables = variant_tables(
        people.assign(cohort="one"), genotypes, ["PC1"], Variants(), cohort="one", panel=panel
    )
    paths = {name: tmp_path / "one" / "variants" / f"{name}.tsv" for name in ("genes", "common", "quality")}
    for name, path in paths.items():
        write_table(tables[name], path)
    return collect(list(paths.values()))


def test_the_page_tells_variants_apart_from_expression(tmp_path):
    from faceage_bio.report.pages import association_page

    page = association_page(section(tmp_path), config_of(["one", "two"]), [CARD])
    part = page[page.index('<section aria-labelledby="variants">') :]
    part = part[: part.index("</section>")]
    assert part.count("expression") == 1  # "not expression"
    for words in (
        PUBLISHED, "146 patients, according to a secondary source", "Rare variants of CDKN2A: +", "Not run for two: no genotypes.", "<svg",
        "1 of 2 genes has q &lt; 0.05 in either test; 1 not estimated.", "not estimated, because the genotypes have no variant of it",
    ):  # fmt: skip
        assert words in part
    methods = page[page.index("<strong>DNA variants</strong>") :]
    assert "at most 0.01" in methods
    assert PUBLISHED in methods


def test_numbers_of_few_carriers_are_shown(tmp_path):
    tables = section(tmp_path)
    found = variant_section(tables, "one", config_of(["one"]))
    row = next(row for row in found["rows"] if row["term"] == "CDKN2A")
    assert 0 < row["burden"]["n_carriers"] < 40
    for part in ("burden", "skat", "age_burden", "age_skat"):
        assert np.isfinite(row[part]["p_value"])
    assert found["sentences"][0].startswith("Rare variants of CDK6: −1.0 years")
    assert found["figure"]
