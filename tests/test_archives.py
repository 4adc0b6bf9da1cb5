"""Packed files that unpack to far more than data do are refused before they fill the memory."""

import gzip
import zipfile

import h5py
import numpy as np
import pytest
from PIL import Image

from faceage_bio.core import user_files
from faceage_bio.core.errors import TableError
from faceage_bio.core.tables import read_text_table
from faceage_bio.faces.vision.decode import DecodeError, check_header
from faceage_bio.faces.vision.weights import verify_weights
from faceage_bio.intake.rna.cells import open_cells
from faceage_bio.intake.rna.count_files import read_counts

BOMB = r"bytes unpack to .* or more. Expected at most 250 times as many, as of any table of measurements. Make the file again"


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(user_files, "HARMLESS", 1 << 20)


@pytest.mark.parametrize("name", ["counts.tsv.gz", "s1.rna_seq.augmented_star_gene_counts.tsv.gz"])
def test_packed_counts(tmp_path, name):
    lines = b"gene_id\tunstranded\nCDK6\t0" + b"0" * (4 << 20) + b"\n"
    (tmp_path / name).write_bytes(gzip.compress(lines, 9))
    with pytest.raises(TableError, match=BOMB):
        read_counts(tmp_path if name.startswith("s1") else tmp_path / name)


@pytest.mark.parametrize("read", [read_counts, open_cells])
def test_an_h5ad_that_declares_more_than_it_holds(tmp_path, read):
    with h5py.File(tmp_path / "bomb.h5ad", "w") as file:
        file.create_dataset("X", shape=(10_000, 100_000), dtype="f4", chunks=(100, 1000), compression="gzip")
    with pytest.raises(TableError, match=BOMB):
        read(tmp_path / "bomb.h5ad")


def test_reference_ages(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("inputs.npy", bytes(8 << 20))
    with pytest.raises(TableError, match=BOMB):
        verify_weights(tmp_path, tmp_path / "bomb.npz")


def test_workbooks(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", bytes(8 << 20))
    with pytest.raises(TableError, match=BOMB):
        read_text_table(tmp_path / "bomb.xlsx")


def test_pictures(tmp_path):
    Image.new("L", (20_000, 20_000)).save(tmp_path / "bomb.png")
    assert (tmp_path / "bomb.png").stat().st_size < 1 << 20
    with pytest.raises(DecodeError, match="more pixels than a photo has"):
        check_header(tmp_path / "bomb.png")


def test_real_tables_pass(tmp_path):
    random = np.random.default_rng(1)
    rows = [
        f"G{k}\t" + "\t".join(map(str, random.poisson(0.02, 500))) for k in range(3000)
    ]  # mostly zeros, 3 MB
    text = "gene\t" + "\t".join(f"s{k}" for k in range(500)) + "\n" + "\n".join(rows) + "\n"
    path = tmp_path / "counts.tsv.gz"
    path.write_bytes(gzip.compress(text.encode(), 9))
    assert len(text) / path.stat().st_size > 5
    assert read_counts(path).counts.shape == (3000, 500)
