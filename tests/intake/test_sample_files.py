"""Folders with one file per sample: read exactly and once, and faults told with file, gene, line, column and value."""

import gzip

import numpy as np
import pytest

from faceage_bio.core.errors import CountsError, TableError
from faceage_bio.intake.rna import sample_files
from faceage_bio.intake.rna.count_files import read_counts

GENES = ["ENSG00000105810.12", "ENSG00000141510.18", "ENSG00000130513.6", "ENSG00000229807.12"]
HEADER = "# gene-model: GENCODE v36\ngene_id\tgene_name\tgene_type\tunstranded\tstranded_first\tstranded_second\ttpm_unstranded\n"
GDC = "rna_seq.augmented_star_gene_counts.tsv"
SHEET = "File ID\tFile Name\tCase ID\tSample ID\n{rows}\n"


def write_gdc(folder, counts, genes=GENES, sheet=True):
    """One file per column of counts, as the portal gives them."""
    for number, column in enumerate(counts.T, 1):
        (folder / str(number)).mkdir(parents=True)
        lines = ["N_unmapped\t\t\t7\t7\t7\t", "N_multimapping\t\t\t7\t7\t7\t"]
        lines += [
            f"{gene}\tX\tlncRNA\t{n}\t{n // 2}\t{n - n // 2}\t0.5"
            for gene, n in zip(genes, column, strict=True)
        ]
        (folder / str(number) / f"{number}.{GDC}").write_text(HEADER + "\n".join(lines) + "\n")
    if sheet:
        rows = "\n".join(f"{n}\t{n}.{GDC}\tP{n}\tP{n}-01A" for n in range(1, counts.shape[1] + 1))
        (folder / "gdc_sample_sheet.2026-01-01.tsv").write_text(SHEET.format(rows=rows))


COUNTS = np.array([[523, 611], [40, 55], [8, 3], [0, 2]])


def test_files_of_the_genomic_data_commons(tmp_path):
    write_gdc(tmp_path, COUNTS)
    found = read_counts(tmp_path)
    assert found.counts.to_dict("list") == {"P1-01A": [523, 40, 8, 0], "P2-01A": [611, 55, 3, 2]}
    assert found.counts.index.tolist() == ["CDK6", "TP53", "GDF15", "XIST"]
    assert found.counts.dtypes.unique() == [np.dtype("int32")]
    second = read_counts(tmp_path, strand="reverse").counts
    assert second["P1-01A"].tolist() == [262, 20, 4, 0]


def test_genes_in_another_order_are_put_in_the_first_ones(tmp_path):
    write_gdc(tmp_path, COUNTS)
    path = tmp_path / "2" / f"2.{GDC}"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], *lines[:1:-1]]) + "\n")
    expected = {"P1-01A": [523, 40, 8, 0], "P2-01A": [611, 55, 3, 2]}
    assert read_counts(tmp_path).counts.to_dict("list") == expected


def faulty(folder, old, new):
    write_gdc(folder, COUNTS)
    path = folder / "2" / f"2.{GDC}"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\t55\t", "\tmany\t", r"2\.rna_seq\S+tsv: 'many' for gene 'ENSG00000141510.18' .line 6, column 'unstranded'. is no number. Expected a count. Take the file as the program"),
        ("\t55\t", "\t5.5\t", r"are not whole numbers, such as 5.5 for gene 'ENSG00000141510.18' in sample 'P2-01A' .2\.rna_seq\S+tsv, line 6, column 'unstranded'."),
        ("\t55\t", "\t-5\t", r"are negative, such as -5 for gene 'ENSG00000141510.18' in sample 'P2-01A' .2\.rna_seq\S+, line 6"),
        ("\t55\t", "\t\t", r"are missing, such as nan for gene 'ENSG00000141510.18' in sample 'P2-01A' .2\.rna_seq\S+, line 6"),
        ("\t55\t", "\t10000000000000000000\t", r"above a billion, which no count of reads is, such as 1e\+19 for gene 'ENSG00000141510.18'"),
        ("\tlncRNA\t2\t1\t1\t0.5\n", "\tlnc", r"line 8 .'ENSG00000229807.12'. has 3 cells, the lines above it 7; the file may be cut off. Expected as many in each line. Copy or download"),
        ("unstranded\tstranded_first", "counts\tstranded_first", r"lacks the column unstranded; found gene_id, gene_name, gene_type, counts"),
        ("ENSG00000141510.18", "ENSG00000141511.1", r"1 file.s. do not have the genes of 'P1-01A': P2-01A"),
    ],
)  # fmt: skip
def test_faults_are_told_with_file_gene_line_column_and_value(tmp_path, old, new, message):
    faulty(tmp_path, old, new)
    with pytest.raises(CountsError, match=message) as caught:
        read_counts(tmp_path)
    assert len(caught.value.problems) == 1


def test_files_that_are_empty_or_cut_off_in_their_packing_are_told(tmp_path):
    write_gdc(tmp_path, COUNTS)
    path = tmp_path / "2" / f"2.{GDC}"
    content = path.read_bytes()
    path.write_bytes(b"")
    message = r"2\.rna.*the file is empty. Expected the counts of a sample. Copy it again"
    with pytest.raises(CountsError, match=message):
        read_counts(tmp_path)
    path.unlink()
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(content)[:-12])
    message = (
        r"gz: cannot be read to its end .*Expected a whole file packed by gzip. Copy or download it again"
    )
    with pytest.raises(TableError, match=message):
        read_counts(tmp_path)


def test_a_sample_sheet_without_its_columns_is_told(tmp_path):
    write_gdc(tmp_path, COUNTS)
    (tmp_path / "gdc_sample_sheet.2026-01-01.tsv").write_text("File ID\tFile Name\n1\t2\n")
    message = r"lacks the column.s. Sample ID; found File ID, File Name. Expected both. Take the sheet"
    with pytest.raises(CountsError, match=message):
        read_counts(tmp_path)


def test_a_wrong_cell_in_a_file_of_two_columns_loses_no_sample(tmp_path):
    (tmp_path / "s1.txt").write_text("CDK6\t5\nTP53\t7\nGDF15\t9\nXIST\t0\n")
    (tmp_path / "s2.txt").write_text("CDK6\t5\nTP53\tmany\nGDF15\t9\nXIST\t0\n")
    (tmp_path / "notes.md").write_text("what\tever\n")
    message = r"s2.txt: 'many' for gene 'TP53' .line 2, column '1'. is no number"
    with pytest.raises(CountsError, match=message):
        read_counts(tmp_path)


def test_a_header_over_two_columns_is_no_gene(tmp_path):
    (tmp_path / "s1.tsv").write_text("gene\tcount\nCDK6\t5\nTP53\t7\n")
    (tmp_path / "s2.tsv").write_text("CDK6\t6\nTP53\t8\n")
    found = read_counts(tmp_path).counts
    assert found.to_dict("list") == {"s1": [5, 7], "s2": [6, 8]}


def test_rows_of_one_gene_whose_sum_exceeds_32_bits_are_added_exactly(tmp_path):
    big = 999_999_999
    genes = ["ENSG00000105810.1", "ENSG00000105810.2", "ENSG00000105810.3", "ENSG00000141510.1"]
    write_gdc(tmp_path, np.array([[big, 1], [big, 1], [big, 1], [4, 5]]), genes=genes)
    assert read_counts(tmp_path).counts.loc["CDK6"].tolist() == [3 * big, 3]


def test_each_file_is_opened_once(tmp_path, monkeypatch):
    write_gdc(tmp_path, COUNTS)
    opened = []
    monkeypatch.setattr(sample_files, "open_packed", lambda path: opened.append(path) or path.open("rb"))
    read_counts(tmp_path)
    assert len(opened) == 2


def test_files_of_a_folder_that_are_not_read_are_said_and_none_is_lost_for_its_letters(tmp_path):
    for name in ("s1", "s2"):
        (tmp_path / f"{name}.txt").write_bytes(b"CDK6\t5\nXIST\t7\n")
    (tmp_path / "notes.txt").write_bytes(b"\x00\x80")
    (tmp_path / "cut.txt.gz").write_bytes(gzip.compress(b"CDK6\t5\n", mtime=0)[:-9])
    found = read_counts(tmp_path)
    assert list(found.counts) == ["s1", "s2"]
    assert "2 other file(s) not read: cut.txt.gz; notes.txt" in found.said
    (tmp_path / "s2.txt").write_bytes(b"CDK\xe9\t5\nXIST\t7\n")
    with pytest.raises(
        CountsError, match=r"s2.txt: cannot be read .*invalid UTF8 data.*Expected the counts of a sample"
    ):
        read_counts(tmp_path)
