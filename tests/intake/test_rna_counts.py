"""Counts as facilities send them: each format read to the same table, what is not raw or not human refused by name."""

import gzip
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceage_bio.core.errors import CountsError, TableError
from faceage_bio.intake.rna import gene_ids
from faceage_bio.intake.rna.count_files import CountTable, read_counts
from faceage_bio.intake.rna.count_formats import sample_of
from faceage_bio.intake.rna.raw import caution_of_sizes, problems_of_values
from faceage_bio.stats.negative_binomial import median_of_ratios

COUNTS = pd.DataFrame(
    {"s1": [523, 40, 8, 0], "s2": [611, 55, 3, 2], "s3": [208, 31, 9, 1]},
    index=["CDK6", "TP53", "GDF15", "XIST"],
)
ENSEMBL = ["ENSG00000105810.12", "ENSG00000141510.5", "ENSG00000130513", "ENSG00000229807.1"]


def same(found, expected=COUNTS):
    pd.testing.assert_frame_equal(found.counts, expected.rename_axis("gene"), check_dtype=False)


def write(path, table, **options):
    table.to_csv(path, sep="\t", **options)
    return path


def refused(path, message, **options):
    """The file is not read, for this reason."""
    with pytest.raises(CountsError, match=message) as caught:
        read_counts(path, **options)
    return caught.value


@pytest.mark.parametrize("separator", ["\t", ",", ";"])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_plain_table(tmp_path, separator, ending):
    path = tmp_path / f"counts.txt{ending}"
    COUNTS.to_csv(path, sep=separator)
    same(read_counts(path))


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_gct_has_its_symbols_in_a_column_and_two_lines_before_its_names(tmp_path, ending):
    rows = COUNTS.rename(index={"CDK6": "ENSG00000105810.10"}).rename_axis("Name")
    rows.insert(0, "Description", COUNTS.index)
    text = f"#1.2\n{len(rows)}\t{rows.shape[1] - 1}\n{rows.to_csv(sep=chr(9))}"
    path = tmp_path / f"counts.gct{ending}"
    path.write_bytes(gzip.compress(text.encode()) if ending else text.encode())
    same(read_counts(path))
    path.write_bytes(gzip.compress(b"#1.2\n") if ending else b"#1.2\n")
    with pytest.raises(CountsError, match=r"no counts found. Expected genes in rows"):
        read_counts(path)


def test_a_table_as_r_writes_it(tmp_path):
    text = COUNTS.to_csv(sep="\t", header=False)
    (tmp_path / "counts.tsv").write_text("s1\ts2\ts3\n" + text)
    same(read_counts(tmp_path / "counts.tsv"))


def test_samples_in_rows_are_turned_and_it_is_said(tmp_path):
    path = write(tmp_path / "counts.tsv", COUNTS.T)
    for found in (read_counts(path), read_counts(path, samples=["s1", "s2", "s3"])):
        same(found)
        assert "samples in rows, genes in columns: turned" in found.said


def test_ensembl_identifiers_lose_version_and_get_symbols(tmp_path):
    table = COUNTS.set_axis(ENSEMBL)
    table.loc["ENSG00000105810.12_PAR_Y"] = [1, 2, 3]
    table.loc["ENSG00000999999.3"] = [4, 5, 6]
    found = read_counts(write(tmp_path / "counts.tsv", table))
    assert found.counts.loc["CDK6"].tolist() == [524, 613, 211]
    assert "ENSG00000999999" in found.counts.index
    assert "1 row(s) added to another of the same gene" in found.said
    mapping = tmp_path / "ids.tsv"
    mapping.write_text("gene_id\tsymbol\nENSG00000999999.1\tMINE\n")
    assert "MINE" in read_counts(tmp_path / "counts.tsv", mapping=mapping).counts.index


def test_identifiers_of_genes_that_got_a_symbol_are_kept_through_the_checked_table(tmp_path):
    table = COUNTS.set_axis(["ENSG00000999999.3", "ENSG00000999998", "MDS006", "IL8"])
    mapping = tmp_path / "ids.tsv"
    mapping.write_text("gene_id\tsymbol\nENSG00000999999\tMINE\nENSG00000999998.1\tMINE\nMDS006\tYOURS\n")
    found = read_counts(write(tmp_path / "counts.tsv", table), mapping=mapping)
    # IL8 is an older symbol of CXCL8 and no identifier
    assert found.identifiers.to_dict() == {"MINE": "ENSG00000999999 ENSG00000999998", "YOURS": "MDS006"}
    assert found.counts.index.tolist() == ["MINE", "YOURS", "CXCL8"]
    kept = CountTable.from_table(found.to_table())
    pd.testing.assert_frame_equal(kept.counts, found.counts)
    assert kept.identifiers.to_dict() == found.identifiers.to_dict()
    plain = read_counts(write(tmp_path / "plain.tsv", COUNTS))
    assert list(plain.to_table()) == ["gene", "s1", "s2", "s3"]
    assert CountTable.from_table(plain.to_table()).identifiers.empty


def test_a_gtf_names_genes(tmp_path):
    path = tmp_path / "genes.gtf.gz"
    line = 'chr7\tHAVANA\t{}\t1\t2\t.\t+\t.\tgene_id "ENSG00000999999.3"; gene_name "MINE";\n'
    with gzip.open(path, "wt") as stream:
        stream.write("#!genome\n" + line.format("gene") + line.format("exon"))
    assert gene_ids.read_mapping(path) == {"ENSG00000999999": "MINE"}


def test_a_column_of_symbols_is_used(tmp_path):
    table = COUNTS.set_axis(["ENSG00000999991", *ENSEMBL[1:]])
    table.insert(0, "gene_name", ["MINE", "TP53", "GDF15", "XIST"])
    found = read_counts(write(tmp_path / "counts.tsv", table))
    assert found.counts.index.tolist() == ["MINE", "TP53", "GDF15", "XIST"]
    assert "annotation column(s) excluded: gene_name" in found.said


@pytest.mark.parametrize("nothing", ["NA", "NaN", "", "-", "n/a"])
def test_a_gene_without_a_symbol_keeps_its_identifier_or_gets_the_known_symbol(tmp_path, nothing):
    import anndata

    unnamed = ["ENSG00000999991", "ENSG00000999992"]
    table = COUNTS.set_axis([ENSEMBL[0], *unnamed, ENSEMBL[3]])
    symbols = [nothing, nothing, nothing, "MINE"]
    expected = COUNTS.set_axis(["CDK6", *unnamed, "MINE"])
    path = write(tmp_path / "counts.tsv", table)
    mapping = tmp_path / "ids.tsv"
    pd.DataFrame({"gene_id": table.index, "symbol": symbols}).to_csv(mapping, sep="\t", index=False)
    same(read_counts(path, mapping=mapping), expected)
    var = pd.DataFrame({"gene_name": symbols}, index=table.index)
    anndata.AnnData(table.T.to_numpy(), obs=pd.DataFrame(index=list(table)), var=var).write_h5ad(
        tmp_path / "counts.h5ad"
    )
    same(read_counts(tmp_path / "counts.h5ad"), expected)
    table.insert(0, "symbol", symbols)
    same(read_counts(write(path, table)), expected)


def test_unk_is_a_gene_and_no_word_for_nothing():
    assert gene_ids.name_genes(pd.Series(["UNK", "unk", "NA", None, " CDK6"])).tolist() == [
        True, False, False, False, True,
    ]  # fmt: skip


def test_older_symbols_are_known_unless_the_new_one_is_there():
    assert gene_ids.to_symbols(["IL8", "PAI1", "X"]).tolist() == ["CXCL8", "SERPINE1", "X"]
    assert gene_ids.to_symbols(["IL8", "CXCL8"]).tolist() == ["IL8", "CXCL8"]


def test_feature_counts(tmp_path):
    table = COUNTS.copy()
    table.columns = [f"/data/bam/{name}Aligned.sortedByCoord.out.bam" for name in COUNTS]
    for place, column in enumerate(["Chr", "Start", "End", "Strand", "Length"]):
        table.insert(place, column, "1;1")
    text = "# Program:featureCounts v2.0.3; Command:...\n" + table.rename_axis("Geneid").to_csv(sep="\t")
    (tmp_path / "counts.txt").write_text(text)
    same(read_counts(tmp_path / "counts.txt"))


def star(folder, forward=0.5):
    for name, column in COUNTS.items():
        first = np.floor(column * forward).astype(int)
        rows = pd.DataFrame({0: column, 1: first, 2: column - first})
        summary = ["N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous"]
        rows = pd.concat([pd.DataFrame(7, index=summary, columns=[0, 1, 2]), rows])
        rows.to_csv(folder / f"{name}ReadsPerGene.out.tab", sep="\t", header=False)


def test_star(tmp_path):
    star(tmp_path)
    found = read_counts(tmp_path)
    same(found)
    assert "3 files of STAR, unstranded" in found.said[0]


def test_a_stranded_library_of_star_must_be_declared(tmp_path):
    star(tmp_path, forward=0.02)
    refused(tmp_path, r"library is stranded.*Say `counts_strand: reverse`")
    found = read_counts(tmp_path, strand="reverse").counts
    assert found.loc["CDK6", "s1"] == 523 - 10


def test_libraries_of_star_that_differ_in_their_strands_are_told(tmp_path):
    star(tmp_path, forward=0.02)
    other = tmp_path / "s2ReadsPerGene.out.tab"
    even = pd.read_csv(other, sep="\t", header=None, index_col=0)
    even.assign(**{"2": even[1] // 2, "3": even[1] - even[1] // 2})[[1, "2", "3"]].to_csv(
        other, sep="\t", header=False
    )
    refused(
        tmp_path,
        r"differ in their strands: s1 reverse; s2 unstranded; s3 reverse. Expected one kind. Say `counts_",
    )
    same(read_counts(tmp_path, strand="unstranded"))


def test_htseq_files_and_table_lose_their_summary_rows(tmp_path):
    rows = ["__no_feature", "__ambiguous", "__too_low_aQual", "__not_aligned", "__alignment_not_unique"]
    whole = pd.concat([COUNTS, pd.DataFrame(100, index=rows, columns=COUNTS.columns)])
    folder = tmp_path / "files"
    folder.mkdir()
    for name in COUNTS:
        whole[name].to_csv(folder / f"{name}.htseq.txt", sep="\t", header=False)
    same(read_counts(folder))
    found = read_counts(write(tmp_path / "counts.tsv", whole))
    same(found)
    assert any("5 summary row(s) excluded" in sentence and "50%" in sentence for sentence in found.said)


@pytest.mark.parametrize(
    ("ending", "column"), [("quant.genes.sf", "NumReads"), ("genes.results", "expected_count")]
)
def test_estimated_counts_are_rounded(tmp_path, ending, column):
    for name in COUNTS:
        (tmp_path / name).mkdir()
        file = tmp_path / name / ending if ending.endswith("sf") else tmp_path / f"{name}.{ending}"
        pd.DataFrame({"TPM": 1.5, column: COUNTS[name] + 0.2}).to_csv(file, sep="\t")
    same(read_counts(tmp_path))


def test_estimated_counts_of_a_table_must_be_declared(tmp_path):
    path = write(tmp_path / "counts.tsv", COUNTS + 0.25)
    refused(path, r"not whole numbers.*say `counts_kind: estimated`")
    same(read_counts(path, kind="estimated"))


def test_h5ad(tmp_path):
    import anndata

    data = anndata.AnnData(np.log1p(COUNTS.T.astype("float32")))
    data.write_h5ad(tmp_path / "log.h5ad")
    refused(tmp_path / "log.h5ad", r"not whole numbers.*as of logarithms")
    data.layers["counts"] = COUNTS.T.to_numpy(dtype="float32")
    data.write_h5ad(tmp_path / "counts.h5ad")
    same(read_counts(tmp_path / "counts.h5ad"))


def test_an_h5ad_of_variable_genes_has_the_counts_of_all_in_raw_and_symbols_in_var(tmp_path):
    import anndata

    whole = anndata.AnnData(
        COUNTS.T.to_numpy(dtype="float32"),
        obs=pd.DataFrame(index=COUNTS.columns),
        var=pd.DataFrame({"feature_name": COUNTS.index}, index=[str(k) for k in range(len(COUNTS))]),
    )
    data = whole[:, :2].copy()
    for values in (data.X, (data.X > 0).astype("float32"), data.X * 0, np.log1p(data.X)):
        data.X, data.raw = values, whole
        data.write_h5ad(tmp_path / "counts.h5ad")
        same(read_counts(tmp_path / "counts.h5ad"))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.log2(COUNTS + 1), r"such as 9\.0\d+ for gene 'CDK6' in sample 's1' .line 2, column 's1'.; the largest value is 9.*as of logarithms"),
        (COUNTS / COUNTS.sum() * 1e6, r"every sample sums to 1e\+06, so they were scaled"),
        (COUNTS.drop("XIST").assign(s2=[520, 43, 8], s3=[521, 42, 8]), "every sample sums to 571.* DESeq2 needs raw counts: not TPM, FPKM, CPM or logarithms. Give"),
        (COUNTS - 300, "are negative, such as -92 for gene .CDK6. in sample .s3."),
        (COUNTS.where(COUNTS != 3), "are missing"),
    ],
    ids=["logarithms", "TPM", "scaled and rounded", "z-scores", "holes"],
)  # fmt: skip
def test_what_is_not_raw_is_refused_with_the_evidence(tmp_path, table, message):
    refused(write(tmp_path / "counts.tsv", table), message)


def test_rounded_values_are_no_counts_though_they_are_whole():
    """Counted reads vary by Poisson at least, whatever the depth; values of many reads each do not, once rounded to whole numbers."""
    random = np.random.default_rng(3)
    mean, depth = random.lognormal(0, 2, (1000, 1)), random.lognormal(0, 0.3, 12)
    counts = random.poisson(mean * depth)
    # of 20,000 reads each, as after downsampling
    whole = random.multinomial(20_000, mean[:, 0] / mean.sum(), 12).T
    fpkm = mean * random.lognormal(-0.08, 0.4, (1000, 12)) * depth
    tpm = np.rint(fpkm / fpkm.sum(axis=0) * np.linspace(0.991e6, 0.999e6, 12))  # some genes were left out

    def told(values):
        return " ".join(problems_of_values(pd.DataFrame(values), "counts.tsv"))

    assert told(counts) == ""
    # equally deep but for the most expressed
    assert told(random.poisson(mean, (1000, 12)) + (mean > 50) * counts) == ""
    assert "every sample sums to 20000" in told(whole)
    assert re.search(r"of \d+ genes with a mean of 0.5 to 2 the variance between samples is 0\.\d+ times the mean.*TPM or FPKM that were rounded", told(np.rint(fpkm)))  # fmt: skip
    assert told(np.rint(fpkm)[:, :9]) == ""  # too few samples to tell
    assert told(counts[:, :1] + np.arange(6)) == ""  # nearly equal sums that are no million
    assert "scaled to one total" in told(tpm)


@pytest.mark.parametrize("n_genes", [4, 10, 40, 200])
def test_rounded_logarithms_of_few_genes_are_told_from_small_counts(n_genes):
    """Fisher's index of dispersion: counts vary by Poisson at least, and small ones of a panel are no logarithms."""
    random = np.random.default_rng(11)

    def told(values):
        return " ".join(problems_of_values(pd.DataFrame(values).astype(int), "counts.tsv"))

    mean, depth = random.lognormal(5, 1.8, (n_genes, 1)), random.uniform(0.5, 2, 24)
    deep = random.negative_binomial(4, 4 / (4 + mean * depth))
    for logarithms in (np.log2(deep + 1), np.log2(deep + 50)):
        message = r"counts.tsv: the largest value is \d+, and the variance between samples is 0\.\d+ times the mean over all genes; of counted reads it is 1 or more, so these may be logarithms that were rounded. DESeq2 needs raw counts"
        assert re.match(message, told(np.rint(logarithms)))
    assert told(deep) == ""
    for _ in range(100):
        small = random.lognormal(random.uniform(-1, 2), 0.3, (n_genes, 1))
        assert "logarithms" not in told(
            random.poisson(small, (n_genes, 24))
        )  # equally deep, the least that counts vary


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("txt", "gene\ta\nCdk6\t5\nTrp53\t7\nGdf15\t8\n", "symbols are written as those of mouse, such as Cdk6"),
        ("txt", "gene\ta\nENSMUSG00000040274\t5\n", "are of mouse, such as 'ENSMUSG00000040274'"),
        ("txt", "gene\ta\ncdk6\t5\ntp53\t7\ngdf15\t8\n", "in small letters, such as cdk6"),
        ("txt", "gene\ta\nCDK6\t5\n1-Mar\t7\n", "turned into dates by a spreadsheet: 1-Mar .line 3.. Expected names of genes. Take the table"),
        ("txt", "gene,a\nX,1\nX,2\n", "1 gene.s. stand in more than one row: X .lines 2, 3.. Expected one of each. Sum them"),
        ("txt", "gene,a,a\nX,1,2\n", "1 sample.s. have more than one column: a. Expected one of each. Give each sample"),
        ("txt", "gene,a,b\nX,1,many\n", "hold words, not counts: 'many' of gene 'X' in 'b' .line 2, column 'b'."),
        ("txt", "gene,a,b\nX,1,12e2147483650\n", "hold words, not counts: '12e2147483650' of gene 'X' in 'b' .line 2"),
        ("txt", "gene\n", "no counts found. Expected genes in rows, samples in columns"),
        ("txt", b"\xff\xfe\x00g\n", r"counts.txt: not a text table .*Expected raw counts. Give a TSV or CSV"),
        ("tsv", "gene\ta\nX\t1\t2\t3\nY\t1\n", "line 1 has 2 names and the lines below 4 cells. Expected as many of both. Look"),
        ("tsv", "gene\ta\nX\t1\nY\t1\t2\n", "counts.tsv: cannot be read as a table .line 3: 3 cells, and 2 in the lines above.. Expected genes in rows and samples in columns"),
        ("h5ad", b"nothing", "counts.h5ad: cannot be read as h5ad .*Expected what anndata writes; write it again"),
        ("tsv", 'gene\ts1\ts2\nCDK6\t1\t2\n"TP53\t3\t4\nXIST\t5\t6\n', r"1 line\(s\) hold a quote \(.\) that is not closed: line 3. Expected quotes in pairs"),
        ("tsv", "gene\ts1\ts2\nCDK6\t1\t2\n\t3\t4\n\t5\t6\n", r"2 row\(s\) have no name of a gene: line 3; line 4. Expected one in the first"),
        ("tsv", "gene\ts1\ts2\nCDK6\t1e19\t2\nTP53\t3\t4\n", r"above a billion, which no count of reads is, such as 1e\+19 for gene 'CDK6' in sample 's1'"),
        ("tsv", "gene\ts1\ts2\nCDK6\t2.123\t1.045\nTP53\t3\t14\n", r"2.123 for gene 'CDK6' in sample 's1' .line 2, column 's1'. may be a whole number with a dot .*Save the table without"),
        ("tsv", "gene\ts1\ts2\nCDK6\t1\tinf\nTP53\t3\t4\n", r"tsv: 1 of 4 values are infinite, such as inf for gene 'CDK6' in sample 's2' .line 2"),
        ("tsv", "gene\ts1\ts2\nCDK6\t1\t2\t7\nTP53\t3\t4\nXIST\t5\t6\n", "line 2: 4 cells, and the others 3. Expected as many cells in each line. Look for a stray"),
        ("tsv", b"gene\ts1\n" + b"CDK6\t1\n" * 2000 + b"T\xe9\t5\n", r"1 line.s. are not UTF-8 text: line 2002. Expected raw counts. Save the table as UTF-8 text"),
        ("tsv", gzip.compress(b"gene\ts1\nCDK6\t1\n", mtime=0), r"not a text table .it is packed by gzip, which a name ending in .gz says"),
        ("tsv", "gene\ts1\ts2\ts3\nCDK6\t1\t2\t5\nTP53\t3\t4\t0\nTotal\t4\t6\t5\n", r"1 row.s. hold the sum of all others: 'Total' .line 4.. Expected genes. Take them out"),
    ],
)  # fmt: skip
def test_a_file_that_holds_no_counts_is_told_by_line_or_gene(tmp_path, file, text, message):
    path = tmp_path / f"counts.{file}"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(path, message)


def test_counts_that_are_cut_off_in_their_packing_are_told(tmp_path):
    packed = gzip.compress(b"gene\ts1\n" + b"CDK6\t1\n" * 2000, mtime=0)
    (tmp_path / "counts.tsv.gz").write_bytes(packed[:-9])
    with pytest.raises(
        TableError, match=r"counts.tsv.gz: cannot be read to its end .*Expected a whole file packed"
    ):
        read_counts(tmp_path / "counts.tsv.gz")


def test_counts_with_a_byte_of_zero_are_told_by_line(tmp_path):
    (tmp_path / "counts.tsv").write_text("gene\ts1\ts2\nCDK6\t1\t2\nT\x00P53\t3\t4\n")
    message = (
        r"counts.tsv: holds bytes of zero \(line 3\), as files do that are no text. Expected a text table"
    )
    with pytest.raises(TableError, match=message):
        read_counts(tmp_path / "counts.tsv")


def test_names_lose_blanks_around_them_and_have_their_accents_written_one_way(tmp_path):
    (tmp_path / "counts.tsv").write_text("gene \t s1 \tSe\u0301\u00a0\n CDK6 \t5\t6\n XIST\t-1\t2\n")
    refused(tmp_path / "counts.tsv", "-1 for gene 'XIST' in sample 's1' .line 3, column 's1'")
    (tmp_path / "counts.tsv").write_text("gene \t s1 \tSe\u0301\u00a0\n CDK6 \t5\t6\n XIST\t1\t2\n")
    counts = read_counts(tmp_path / "counts.tsv").counts
    assert (list(counts), list(counts.index)) == (["s1", "S\u00e9"], ["CDK6", "XIST"])


def test_all_problems_are_told_at_once(tmp_path):
    (tmp_path / "counts.txt").write_text("gene,a,a\nCdk6,1,-2\nTrp53,3,4.5\nGdf15,1,1\n")
    assert len(refused(tmp_path / "counts.txt", "counts.txt").problems) == 4


def test_folders_that_hold_no_counts_are_told(tmp_path):
    refused(tmp_path / "absent", "no such file")
    (tmp_path / "notes.md").write_text("nothing")
    refused(tmp_path, r"it holds notes\.md")
    (tmp_path / "quant.sf").write_text("Name\tNumReads\n")
    refused(tmp_path, "counts of transcripts .quant.sf., not of genes. Expected those of genes. Run salmon")
    (tmp_path / "quant.sf").rename(tmp_path / "abundance.tsv")
    refused(
        tmp_path,
        "kallisto's counts of transcripts .abundance.tsv., not of genes. Expected those of genes. Give tx",
    )


def test_libraries_without_a_read_and_one_library_under_two_names_are_told(tmp_path):
    refused(write(tmp_path / "counts.tsv", COUNTS * 0), "no value is above 0. Expected counts of reads. Give")
    drawn = np.random.default_rng(5).negative_binomial(2, 0.01, (30, 4))
    table = pd.DataFrame(drawn, index=[f"GENE{k}" for k in range(30)], columns=["s1", "s2", "s3", "s4"])
    read_counts(write(tmp_path / "counts.tsv", table))
    table["s4"] = table["s2"]
    message = "1 group.s. of samples have the same counts in all genes: 's2', 's4'. Expected a library of each. Leave"
    refused(write(tmp_path / "counts.tsv", table), message)


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("s1", "CDK6\t1\t1\n", "1 file.s. of STAR do not have 4 columns: s1. Expected a gene and three counts. Take"),
        ("s4", "CDK6\t1\t1\t0\n", "1 file.s. do not have the genes of 's1': s4. Expected the same in all. Give files counted with one"),
    ],
)  # fmt: skip
def test_files_of_star_that_differ_or_are_cut_are_told(tmp_path, name, line, message):
    star(tmp_path)
    (tmp_path / f"{name}ReadsPerGene.out.tab").write_text(line)
    refused(tmp_path, message)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("ids.csv", "a,b\n1,2\n", r"m.*: line 1 lacks gene_id or symbol; found a, b\. Expected both. Name the columns so"),
        ("ids.csv", "gene_id,symbol\nE1,A\nE1,B\n", "1 identifier.* have more than one symbol: E1. Expected one of each"),
        ("ids.gtf", '1\tx\texon\t1\t2\t.\t+\t.\tgene_id "E1"; gene_name "A";\n', "ids.gtf: no line of a gene with gene_id and gene_name found. Expected one for each"),
        ("ids.gtf", None, "ids.gtf: no such file. Expected the names of genes. Give a GTF"),
        ("ids.gtf", b"1\tx\tgene\t\xe9\n", r"ids.gtf: not UTF-8 text .line 1 holds the byte 0xe9, 'é' in text of Windows.. Expected text, plain or packed by gzip. Save it as UTF-8"),
        ("ids.gtf", b"1\tx\n1\tx\tgene\t\0\n", r"ids.gtf: holds bytes of zero \(line 2\), as files do that are no text"),
        ("ids.tsv", b"gene_id\tsymbol\nE1\t\xe9\n", "ids.tsv: not UTF-8 text"),
        ("ids.tsv", "gene_id\tsymbol\nE1\tA\tB\n", "the header has 2 columns, but line 2: 3 cells"),
        ("ids.tsv", '"gene_id"\tsymbol\nE1\t"A\nE2\tB\n', "opens in line 2 and is not closed there"),
    ],
)  # fmt: skip
def test_wrong_mappings_are_told(tmp_path, file, text, message):
    if text:
        (tmp_path / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(TableError, match=message):
        gene_ids.read_mapping(tmp_path / file)


def test_names_of_samples_lose_what_programs_append():
    bams = ["s1.bam", "/x/y/s1Aligned.sortedByCoord.out.bam", "s1_sorted.bam"]
    for name in [*bams, "s1.counts.txt.gz", "C:\\data\\s1.sam"]:
        assert sample_of(name) == "s1", name


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(4)), st.permutations(range(3)), st.booleans())
def test_order_and_orientation_change_nothing(tmp_path_factory, genes, samples, turned):
    table = COUNTS.iloc[genes, samples]
    path = write(tmp_path_factory.mktemp("t") / "counts.tsv", table.T if turned else table)
    found = read_counts(path).counts
    np.testing.assert_array_equal(found.loc[COUNTS.index, list(COUNTS)], COUNTS)


def test_a_gene_may_be_called_na(tmp_path):
    (tmp_path / "counts.tsv").write_text("gene\ts1\nNA\t5\nCDK6\t7\n")
    assert read_counts(tmp_path / "counts.tsv").counts.s1.to_dict() == {"NA": 5, "CDK6": 7}


def test_an_h5ad_without_values_and_a_file_without_its_column_are_told(tmp_path):
    import anndata

    anndata.AnnData(obs=pd.DataFrame(index=["s1"])).write_h5ad(tmp_path / "empty.h5ad")
    refused(
        tmp_path / "empty.h5ad", "empty.h5ad: holds no values. Expected raw counts. Put raw counts into X"
    )
    folder = tmp_path / "rsem"
    folder.mkdir()
    (folder / "s1.genes.results").write_text("gene_id\tTPM\nCDK6\t1\n")
    refused(
        folder, "lacks the column expected_count; found gene_id, TPM. Expected it next to the genes. Take it"
    )


@pytest.mark.parametrize(
    "names",
    [
        ["1021", "1029", "7157", "9518"], ["1021.0", "1029.0", "7157.0", "9518.0"], ["CDK6|1021", "CDKN2A|1029", "TP53|7157", "?|9518"],
        ["ENSG00000105810.12", "ENSG00000147889", "ENSG00000141510", "ENSG00000130513"], ["CDK6", "CDKN2A", "P53", "MIC-1"],
    ],
    ids=["entrez", "entrez as floats", "TCGA", "ensembl", "older symbols"],
)  # fmt: skip
def test_names_of_any_kind_become_symbols(tmp_path, names):
    found = read_counts(write(tmp_path / "counts.tsv", COUNTS.set_axis(names)))
    assert found.counts.index.tolist() == ["CDK6", "CDKN2A", "TP53", "GDF15"]
    assert "4 of 4 gene names (100%) are symbols of human genes" in found.said


def test_an_alias_of_two_genes_is_no_name():
    genes = gene_ids.human_genes()
    assert genes.aliases.str.split().map(lambda names: "AGS1" in names).sum() == 3
    assert gene_ids.to_symbols(["AGS1", "CDKN2A"]).tolist() == ["AGS1", "CDKN2A"]


def test_genes_of_the_sets_that_ship_are_known():
    from faceage_bio.intake.rna.gene_sets import shipped_sets

    for gene_set in shipped_sets().values():
        assert gene_ids.share_known(list(gene_set.directions)) > 0.97, gene_set.name


@pytest.mark.parametrize(
    "name",
    ["2024-09-02", "2021-03-01 00:00:00", "1-Mar", "01. Mrz", "Sep-01", "3.mars", "02/03/2021", "44256", "2.31E+13", "1-Dez", "Sept 7", "2-wrz", "1.maalis", "3月1日"],
)  # fmt: skip
def test_names_that_a_spreadsheet_changed_are_told(tmp_path, name):
    path = write(tmp_path / "counts.tsv", COUNTS.set_axis(["CDK6", "TP53", "GDF15", name]))
    refused(path, rf"turned into dates by a spreadsheet: {name[:2]}")


def test_names_of_genes_are_no_dates():
    names = "MARCHF1 SEPTIN9 SEPT9 MARCH1 DEC1 MARC2 DELEC1 HLA-DRB1 1/2-SBSRNA4 15-LOX"
    for name in names.split():
        assert gene_ids.turned_into_dates([name, "CDK6", "TP53"]) == [], name


@pytest.mark.parametrize("text", ["gene\ts1\ts2\nCDK6\t1\t2\t\nTP53\t3\t4\t\n", "gene\ts1\ts2\t\nCDK6\t1\t2\t\nTP53\t3\t4\t\n",
                                  "s1\ts2\nCDK6\t1\t2\nTP53\t3\t4\n", "gene\ts1\ts2\n\n\nCDK6\t1\t2\n\nTP53\t3\t4\n"])  # fmt: skip
def test_lines_may_end_in_a_separator_or_be_empty_and_row_names_have_no_name(tmp_path, text):
    (tmp_path / "counts.tsv").write_text(text)
    found = read_counts(tmp_path / "counts.tsv").counts
    assert found.to_dict("index") == {"CDK6": {"s1": 1, "s2": 2}, "TP53": {"s1": 3, "s2": 4}}


def test_files_of_old_spreadsheets(tmp_path):
    (tmp_path / "comma.csv").write_text("sep=;\ngene;s1;s2\nCDK6;1,0;2,0\nTP53;3,0;4,0\n\x1a")
    found = read_counts(tmp_path / "comma.csv").counts
    assert found.loc["TP53"].tolist() == [3, 4]
    (tmp_path / "rows.tsv").write_text("sample\tCDK6\tTP53\tGAPDH\n00123\t5\t6\t7\n00124\t5\t8\t7\n")
    assert read_counts(tmp_path / "rows.tsv").counts.columns.tolist() == ["00123", "00124"]


def test_a_spreadsheet_in_semicolons_may_have_versions_of_identifiers_and_separators_in_names(tmp_path):
    text = 'gene;"s1; first";s2\nENSG00000105810.12;1,0;2,0\nENSG00000141510.5;3,0;4,0\n'
    (tmp_path / "counts.csv").write_text(text)
    found = read_counts(tmp_path / "counts.csv").counts
    assert found.columns.tolist() == ["s1; first", "s2"]
    assert found.loc["TP53"].tolist() == [3, 4]


def simulated(kind: str) -> pd.DataFrame:
    """400 genes of 6 samples as a program gives them."""
    chance = np.random.default_rng(3)
    counts = chance.negative_binomial(0.5, 0.0005, (400, 6)).astype(float)
    length = chance.uniform(300, 9000, 400)[:, None]
    rate = counts / length
    tables = {
        "salmon": np.where(chance.random((400, 6)) < 0.5, counts, counts + chance.random((400, 6)).round(3)),
        "lengthScaledTPM": rate / rate.sum(axis=0) * 3e7,
        "TPM": rate / rate.sum(axis=0) * 1e6,
        "filtered TPM": (rate / rate.sum(axis=0) * 1e6)[:300],
        "FPKM": rate / counts.sum(axis=0) * 1e9,
        "normalised": counts / np.array([0.71, 1.32, 0.93, 1.11, 1.57, 0.84]),
        "CPM": counts / counts.sum(axis=0) * 1e6,
    }
    values = tables[kind]
    return pd.DataFrame(values, index=[f"GENE{k}" for k in range(len(values))], columns=list("abcdef"))


@pytest.mark.parametrize("kind", ["salmon", "lengthScaledTPM"])
def test_estimated_counts_are_taken(tmp_path, kind):
    table = simulated(kind)
    if kind == "lengthScaledTPM":  # tximport's, whose samples sum to the reads of each
        table *= np.linspace(0.8, 1.3, 6)
    path = write(tmp_path / "counts.tsv", table)
    assert read_counts(path, kind="estimated").counts.shape == (400, 6)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("TPM", "scaled to one total"),
        ("CPM", "scaled to one total"),
        ("filtered TPM", "as of TPM or FPKM. DESeq2 needs raw counts"),
        ("FPKM", "as of TPM or FPKM"),
        ("normalised", "whole multiples of its smallest, as of counts divided by a size factor"),
    ],
)
def test_what_is_no_count_is_refused_as_estimated_too_and_not_recommended(tmp_path, kind, message):
    path = write(tmp_path / "counts.tsv", simulated(kind))
    refused(path, message, kind="estimated")
    assert "counts_kind: estimated" not in str(refused(path, "not whole numbers"))


def test_the_genomic_data_commons(tmp_path):
    sheet = ["File ID\tFile Name\tSample ID"]
    for place, (name, column) in enumerate(COUNTS.items()):
        rows = pd.DataFrame({
            "gene_name": COUNTS.index, "gene_type": "x", "unstranded": column.to_numpy(), "stranded_first": 0,
            "stranded_second": column.to_numpy(), "tpm_unstranded": 1.5,
        }, index=pd.Index(ENSEMBL, name="gene_id"))  # fmt: skip
        head = pd.DataFrame({"unstranded": 5, "stranded_first": 5, "stranded_second": 5}, index=pd.Index(["N_unmapped"], name="gene_id"))  # fmt: skip
        file = tmp_path / f"id{place}" / f"u{place}.rna_seq.augmented_star_gene_counts.tsv"
        file.parent.mkdir()
        file.write_text("# gene-model: GENCODE v36\n" + pd.concat([head, rows])[list(rows)].to_csv(sep="\t"))
        sheet.append(f"id{place}\t{file.name}\t{name}")
    found = read_counts(tmp_path)
    assert found.counts.columns.tolist() == [f"u{k}.rna_seq" for k in range(3)]
    assert "no gdc_sample_sheet*.tsv lies" in found.said[0]
    (tmp_path / "gdc_sample_sheet.2026-11-01.tsv").write_text("\n".join(sheet) + "\n")
    same(read_counts(tmp_path, strand="reverse"))


def test_a_folder_of_feature_counts_and_one_of_two_columns(tmp_path):
    for name, column in COUNTS.items():
        table = pd.DataFrame(
            {"Chr": "1", "Start": 1, "End": 2, "Strand": "+", "Length": 9, f"/x/{name}.bam": column}
        )
        text = "# Program:featureCounts v2.0.3\n" + table.rename_axis("Geneid").to_csv(sep="\t")
        (tmp_path / "feature").mkdir(exist_ok=True)
        (tmp_path / "feature" / f"{name}.txt").write_text(text)
        (tmp_path / "pairs").mkdir(exist_ok=True)
        column.to_csv(tmp_path / "pairs" / f"{name}.tsv", sep="\t", header=name == "s1")
    same(read_counts(tmp_path / "feature"))
    same(read_counts(tmp_path / "pairs"))


def test_merged_counts_of_nf_core_are_estimated(tmp_path):
    table = (COUNTS + 0.5).set_axis(pd.Index(ENSEMBL, name="gene_id"))
    table.insert(0, "gene_name", COUNTS.index)
    found = read_counts(write(tmp_path / "salmon.merged.gene_counts.tsv", table))
    assert found.counts.index.tolist() == list(COUNTS.index)
    assert "table of nf-core/rnaseq, estimated counts" in found.said


def rounded(values):
    return pd.DataFrame(
        values, [f"G{k}" for k in range(len(values))], [f"s{k}" for k in range(values.shape[1])]
    )


def test_logarithms_with_three_decimals_are_no_thousands():
    counts = np.random.default_rng(1).negative_binomial(2, 0.003, (200, 8))
    (problem,) = problems_of_values(rounded(np.log2(counts + 1).round(3)), "log.tsv")
    assert "as of logarithms" in problem
    assert "thousands" not in problem
    thousands = np.where(counts >= 1000, counts / 1000, counts)
    assert (counts >= 1000).sum() > 2
    (problem,) = problems_of_values(rounded(thousands), "dots.tsv")
    assert "a dot after the thousands" in problem


def test_rounded_normalised_counts_are_cautioned():
    chance = np.random.default_rng(2)
    means = chance.lognormal(4, 1.5, (2000, 1))
    raw = chance.poisson(means * chance.lognormal(0, 0.25, 12))
    assert caution_of_sizes(rounded(raw)) == ""
    normalised = rounded(np.round(raw / median_of_ratios(raw.T)))
    caution = r"caution: the samples' sums differ by \d\.\d% \(SD\) only"
    assert re.match(caution, caution_of_sizes(normalised))
    assert caution_of_sizes(normalised.iloc[:, :4]) == ""
