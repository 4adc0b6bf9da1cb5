"""A single-cell file (h5ad) read in blocks, so that it need not fit into memory, and checked: raw, human, donors and types told."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from faceage_bio.core.columns import SUBJECT
from faceage_bio.core.errors import CountsError, Problems, examples, no_file
from faceage_bio.core.user_files import check_hdf5
from faceage_bio.intake.rna import gene_ids
from faceage_bio.intake.rna.raw import LOGARITHM_AT_MOST
from faceage_bio.intake.schemas import check_spelling

CELL_TYPE = "cell_type"
DOUBLET = "predicted_doublet"  # as scanpy's scrublet writes it
DOUBLET_WORDS = {"true", "1", "1.0", "yes", "doublet"}
SINGLET_WORDS = {"false", "0", "0.0", "no", "singlet", ""}
SYMBOL_COLUMNS = ("feature_name", "gene_symbols", "gene_symbol", "gene_name", "gene_names", "symbol")
BLOCK_VALUES = 20_000_000  # at once: some 250 MB
BINARY_FROM = 500  # values of the first cells, among which counts have some above 1
NEEDED = "Pseudobulk needs raw counts: put them into layers['counts'] (or X) and write the file again."


@dataclass(frozen=True)
class CellFile:
    """What an h5ad holds: its cells' donors and types, its genes, and where the raw counts are.

    ``obs``: subject_id and cell_type as text ("" if not known), doublet as bool, one row per cell in the
    file's order. ``genes``: a symbol for each column of the counts; several columns may have the same one.
    ``donors``: what else obs tells of donors, such as batch: columns that have one value in all cells of
    each, by subject_id.
    """

    path: Path
    place: str
    obs: pd.DataFrame
    genes: pd.Index
    said: list[str] = field(default_factory=list)
    donors: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def shape(self) -> tuple[int, int]:
        """Cells and columns."""
        return len(self.obs), len(self.genes)


def open_cells(path: Path | str, mapping: Path | str | None = None) -> CellFile:
    """The file's cells and genes; of its counts, the first block is checked here and the others by `blocks`.

    Parameters
    ----------
    path : h5ad with raw counts in ``layers["counts"]``, ``X`` or ``raw.X`` (what is raw; of several the one
        of most genes), and
        ``subject_id``, ``cell_type`` in obs; a column ``predicted_doublet`` there is heeded
    mapping : GTF or table from identifier to symbol; without it, a column of var with symbols, if there is one

    Raises
    ------
    CountsError
        Every problem found: not an h5ad, no such columns, no raw counts, genes of another species.
    """
    path = Path(path)
    if why := no_file(path):
        raise CountsError(f"{path}: {why}. Expected one of single cells. Give the h5ad under `single_cell:`.")
    symbols = gene_ids.read_mapping(mapping) if mapping else None
    check_hdf5(path)
    try:
        with _file(path) as file:
            obs, var = _table(file, "obs", path), None
            place, problem = _place(file, path)
            if place:
                var = _table(file, "raw/var" if place.startswith("raw/") else "var", path)
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise CountsError(
            f"{path}: cannot be read as h5ad ({error}). Expected what anndata writes; write it again with adata.write_h5ad."
        ) from None
    problems = [problem] if problem else []
    if DOUBLET in obs and (problem := _problem_of_doublets(obs[DOUBLET], path)):
        problems.append(problem)
    lacking = [name for name in (SUBJECT, CELL_TYPE) if name not in obs]
    if lacking:
        problems.append(
            f"{path}: obs lacks {', '.join(map(repr, lacking))}; it has {', '.join(map(str, obs.columns)) or 'no column'}. "
            "Expected the donor and the kind of each cell. Name the donor's column subject_id and the annotation's cell_type."
        )
    else:
        spelling = Problems(plain=True)
        check_spelling(_words(obs[CELL_TYPE]).rename(CELL_TYPE), str(path), spelling)
        problems += spelling.lines()
    genes, said = pd.Index([]), []
    if var is not None:
        names = var.index.astype(str)
        if species := gene_ids.problem_of_species(names):
            problems.append(f"{path}: {species}")
        if dates := gene_ids.turned_into_dates(names):
            problems.append(
                f"{path}: {len(dates)} gene name(s) were turned into dates by a spreadsheet: {examples(dates)}. Expected names of genes. "
                "Take the h5ad as it was before."
            )
        if symbols is None:
            symbols = symbols_in_var(var)
        genes = gene_ids.to_symbols(names, symbols)
        said = [f"raw counts taken from {place}"]
        if n_renamed := int(np.sum(genes != gene_ids.without_version(names))):
            said.append(f"{n_renamed} identifier(s) turned into symbols")
        said.append(gene_ids.said_known(genes))
    if problems:
        raise CountsError(*problems)
    doublet = _words(obs[DOUBLET]).str.lower().isin(DOUBLET_WORDS) if DOUBLET in obs else False
    cells = pd.DataFrame(
        {SUBJECT: _words(obs[SUBJECT]), CELL_TYPE: _words(obs[CELL_TYPE]), "doublet": doublet}
    )
    cells = cells.reset_index(drop=True)
    if DOUBLET in obs:
        said.append(f"{cells['doublet'].sum()} of {len(cells)} cells are predicted doublets")
    further = obs.drop(columns=[SUBJECT, CELL_TYPE, DOUBLET], errors="ignore")
    donors, differing = donor_columns(further, cells[SUBJECT])
    if len(donors.columns):
        said.append(f"of donors obs also tells {', '.join(donors)}")
    if differing:
        said.append(f"not of donors, because cells of one donor differ in it: {', '.join(differing)}")
    return CellFile(path, place, cells, genes, said, donors)


def donor_columns(obs: pd.DataFrame, subject: pd.Series) -> tuple[pd.DataFrame, list[str]]:
    """Columns of obs that have one value in all cells of each donor, one row per donor; and names of columns of words that do not.

    Parameters
    ----------
    obs : DataFrame, one row per cell
    subject : Series of str, each cell's donor; "" if not known
    """
    named = (subject != "").to_numpy()
    whose = subject[named].to_numpy()
    columns, differing = {}, []
    for name in obs:
        values = obs[name][named]
        groups = values.astype(object).groupby(whose)
        if not values.notna().any():
            continue
        if groups.nunique().max() <= 1:
            columns[str(name)] = groups.first()
        elif not pd.api.types.is_numeric_dtype(values):
            differing.append(str(name))
    return pd.DataFrame(columns, index=pd.Index(sorted(set(whose)), name=SUBJECT)), differing


def blocks(cells: CellFile) -> Iterator[tuple[slice, slice, sparse.csr_matrix]]:
    """The raw counts piece by piece: rows, columns and values (cells x genes) of each piece.

    Raises
    ------
    CountsError
        A value that is no raw count.
    """
    with _file(cells.path) as file:
        source, by_columns = _source(file[cells.place])
        across, along = cells.shape if by_columns else cells.shape[::-1]
        step = _step(source, across, along)
        for start in range(0, along, step):
            own = slice(start, min(start + step, along))
            block = sparse.csr_matrix(source[:, own] if by_columns else source[own])
            if problem := problem_of_values(block, cells.path, cells.place):
                raise CountsError(problem)
            every = slice(0, across)
            yield (every, own, block) if by_columns else (own, every, block)


def problem_of_values(block: sparse.csr_matrix, path: Path | str, place: str) -> str:
    """What makes these values no raw counts, or ``""``."""
    values = np.asarray(block.data, dtype=np.float64)
    odd = ~np.isfinite(values) | (values < 0) | (values != np.round(values))
    if not odd.any():
        return ""
    largest = np.nanmax(np.abs(values))
    like = ", as of logarithms" if largest < LOGARITHM_AT_MOST else ""
    found = f"{place} holds values such as {values[odd][0]:.6g} (the largest is {largest:.6g}{like})"
    lacks = "" if place == "layers/counts" else ", and there is no layers['counts']"
    return f"{path}: {found}{lacks}. {NEEDED}"


@contextmanager
def _file(path: Path) -> Iterator:
    import h5py

    with h5py.File(path, "r") as file:
        yield file


def _table(file, place: str, path: Path) -> pd.DataFrame:
    import anndata
    import h5py
    from anndata.io import read_elem

    # of anndata 0.6 and older, whose words are numbers with a list elsewhere
    if isinstance(file[place], h5py.Dataset):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", anndata.OldFormatWarning)
            whole = anndata.read_h5ad(path)
        return {"obs": whole.obs, "var": whole.var}.get(place, whole.raw.var if whole.raw else whole.var)
    return read_elem(file[place])


def _source(element) -> tuple[object, bool]:
    """The matrix on disk, and whether it lies there column by column."""
    import h5py
    from anndata.io import sparse_dataset

    if isinstance(element, h5py.Dataset):
        return element, False
    source = sparse_dataset(element)
    return source, source.format == "csc"


def _step(source, across: int, along: int) -> int:
    """Rows (or columns) of a piece: sparse ones by the values that they hold on average."""
    stored = source.group["data"].shape[0] / max(along, 1) if hasattr(source, "group") else across
    return max(1, int(BLOCK_VALUES / max(stored, 1)))


def _place(file, path: Path) -> tuple[str, str]:
    """Where the raw counts are, and what is wrong if they are nowhere."""
    there = [place for place in ("layers/counts", "X", "raw/X") if place in file]
    if not there:
        return "", f"{path}: holds no values. {NEEDED}"
    whole, problems = {}, []
    for place in there:
        source, by_columns = _source(file[place])
        first = sparse.csr_matrix(source[:, :20] if by_columns else source[:200])
        problem = problem_of_values(first, path, place) or _problem_of_all(first, path, place)
        if not problem:
            whole[place] = source.shape[1]
            continue
        problems.append(problem)
        if place == "layers/counts":  # who writes this means it
            return place, problem
    if not whole:
        return there[0], problems[0]
    return max(whole, key=lambda place: whole[place]), ""  # of all genes rather than of the variable ones


def whole_counts(values: object, path: Path | str, place: str) -> bool:
    """Whether a matrix in memory holds raw counts."""
    block = sparse.csr_matrix(values)
    return not (problem_of_values(block, path, place) or _problem_of_all(block, Path(path), place))


def _problem_of_all(block: sparse.csr_matrix, path: Path, place: str) -> str:
    """Values that are whole and no counts: zeros, or ones wherever there is anything."""
    values = block.data[block.data != 0]
    if len(values) > BINARY_FROM and (values == 1).all():
        return f"{path}: {place} holds only 0 and 1, so it was made binary. {NEEDED}"
    return "" if len(values) else f"{path}: {place} holds only zeros. {NEEDED}"


def symbols_in_var(var: pd.DataFrame) -> dict[str, str] | None:
    """Symbols in a column of var, where the names are identifiers or numbers of rows."""
    names = [str(name) for name in var.index]
    if sum(bool(gene_ids.IDENTIFIER.search(name)) for name in names) < len(names) / 2:
        return None
    column = next((name for name in SYMBOL_COLUMNS if name in var), None)
    if column is None:
        return None
    symbols = _words(var[column]).set_axis(gene_ids.without_version(names))
    return symbols[gene_ids.name_genes(symbols)].to_dict()


def _words(column: pd.Series) -> pd.Series:
    text = column.astype(object)
    return text.where(text.notna(), "").astype(str).str.strip()


def _problem_of_doublets(column: pd.Series, path: Path) -> str:
    words = set(_words(column).str.lower()) - DOUBLET_WORDS - SINGLET_WORDS
    if not words:
        return ""
    return (
        f"{path}: obs[{DOUBLET!r}] holds {examples(sorted(map(repr, words)))}. Expected True and False, or doublet and singlet. "
        "Write it so, or leave the column out."
    )
