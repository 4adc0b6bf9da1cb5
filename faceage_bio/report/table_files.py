"""The files of the tables for authors: Word, LaTeX (booktabs) and TSV; and internal lists of photos and samples."""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from faceage_bio.core.columns import COHORT, PHOTO, SAMPLE, SUBJECT
from faceage_bio.core.config import Config
from faceage_bio.core.tables import write_bytes
from faceage_bio.core.user_files import harmless
from faceage_bio.report import words
from faceage_bio.report.journal_tables import Cell, Gene, JournalTable, journal_tables, plain
from faceage_bio.report.tables_by_place import ReportTables

PREFIX = "INTERNAL_"  # of every file of exact numbers or of single participants
PHOTOS, SAMPLES = f"{PREFIX}photos_not_used.tsv", f"{PREFIX}samples_flagged.tsv"
LINKS = {"photos": f"tables/{PHOTOS}", "samples": f"tables/{SAMPLES}"}  # from the pages
COLUMNS = (COHORT, "{id}", SUBJECT, "stage", "status", "reason", "detail")


# lists for the study's own team, from the ledger: file, identifier, and status of what it lists
LISTS = (
    (PHOTOS, PHOTO, ["excluded"]),  # without a usable face age
    (SAMPLES, SAMPLE, ["excluded", "flagged"]),
)
INTERNAL = "INTERNAL: exact numbers, not for release."
NEW_LINE = r" \\ "
LONG = 35  # rows from which a LaTeX table breaks over pages
WIDE, SMALL = 7, "\\footnotesize\\setlength{\\tabcolsep}{4pt}\n"  # columns from which letters are small
SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "–": "--", "−": "$-$", "²": r"\textsuperscript{2}", "≤": r"$\leq$", "≥": r"$\geq$", "×": r"$\times$",
}  # fmt: skip


def write_tables(
    tables: ReportTables, ledgers: Sequence[pd.DataFrame], config: Config, folder: Path
) -> list[Path]:
    """Write the internal tables into a folder: exact numbers, INTERNAL in name and footer."""
    files = rendered(tables, config, internal=True)
    for name, identifier, statuses in LISTS:
        rows = _listed(ledgers, identifier, statuses)
        files[name] = _separated([list(rows.columns), *rows.to_numpy().tolist()])
    for name, content in files.items():
        write_bytes(content, folder / name)
    return [folder / name for name in files]


def _listed(ledgers: Sequence[pd.DataFrame], identifier: str, statuses: Sequence[str]) -> pd.DataFrame:
    """Each photo or sample with one of these statuses, and the reason."""
    ledger = pd.concat(ledgers, ignore_index=True)
    rows = ledger[(ledger[identifier] != "") & ledger["status"].isin(statuses)]
    details = (
        "; ".join(words.REASONS.get(part, part) for part in cell.split(";")) for cell in rows["detail"]
    )
    rows = rows.assign(reason=rows["reason"].map(words.reason), detail=list(details))
    return rows[[name.format(id=identifier) for name in COLUMNS]].drop_duplicates()


def rendered(tables: ReportTables, config: Config, *, internal: bool) -> dict[str, bytes]:
    """The bytes of every file by its name; the same tables give the same bytes.

    Parameters
    ----------
    tables : exact ones, or released ones
    internal : whether files are marked as not for release; if not, the notes state how counts were rounded
    """
    from faceage_bio.report.word_table import word_table  # python-docx is loaded where a Word file is made

    rounding = 1 if internal else config.release.rounding
    mark = INTERNAL if internal else ""
    files: dict[str, bytes] = {}
    for table in journal_tables(tables, config, rounding):
        name = f"{PREFIX if internal else ''}{table.name}"
        files[f"{name}.docx"] = word_table(table, mark)
        files[f"{name}.tex"] = latex_table(table, mark).encode()
        files[f"{name}.tsv"] = _separated(tsv_rows(table, mark))
    return files


def tsv_rows(table: JournalTable, mark: str) -> list[list[str]]:
    """Head, lines, and the notes below them in the first column."""
    above = _spans(table)
    heads = [
        f"{above[place]}: {head}" if place in above else head.replace("\n", ", ")
        for place, head in enumerate(table.heads)
    ]
    blank = [""] * (len(heads) - 1)
    notes = [[note, *blank] for note in _notes(table, mark)]
    return [heads, *([plain(cell) for cell in row.cells] for row in table.rows), *notes]


def _spans(table: JournalTable) -> dict[int, str]:
    """The label above each column that has one."""
    return {first + k: label for label, first, n in table.spanners for k in range(n)}


def _notes(table: JournalTable, mark: str) -> tuple[str, ...]:
    return (*table.notes, mark) if mark else table.notes


def _separated(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerows([[harmless(str(cell)) for cell in row] for row in rows])
    return text.getvalue().encode()


def latex_table(table: JournalTable, mark: str) -> str:
    r"""The table for ``\usepackage{booktabs}``, and ``longtable`` where it is long."""
    width, spans = len(table.heads), _spans(table)
    heads = [_escaped_head(head) for head in table.heads]
    rows = [
        [_latex_cell(cell, row.kind, place) for place, cell in enumerate(row.cells)] for row in table.rows
    ]
    frame = pd.DataFrame(rows)  # columns by number until they are named: two may have the same name
    frame.columns = pd.Index(heads)
    if spans:
        above = [escaped(spans.get(place, "")) for place in range(width)]
        frame.columns = pd.MultiIndex.from_arrays([above, heads])
    long = len(rows) > LONG
    floating = {"position": "htbp", "position_float": "centering"}
    text = frame.style.hide(axis="index").to_latex(
        hrules=True,
        column_format="l" + "c" * (width - 1),
        multicol_align="c",
        caption=escaped(table.title),
        label=f"tab:{table.name}",
        **{"environment": "longtable"} if long else floating,
    )
    for label, first, n in table.spanners:
        text = _underline(text, escaped(label), first + 1, first + n)
    notes = "\n\n".join(map(escaped, _notes(table, mark)))
    below = f"\\par\\smallskip\\noindent\n\\begin{{minipage}}{{\\linewidth}}\\footnotesize\n{notes}\n\\end{{minipage}}\n"
    end = "\\end{longtable}\n" if long else "\\end{table}\n"
    text = text.replace(end, end + below if long else below + end)
    if width >= WIDE and long:
        text = f"\\begingroup{SMALL}{text}\\endgroup\n"
    elif width >= WIDE:
        text = text.replace("\\centering\n", f"\\centering{SMALL}", 1)
    return f"% \\usepackage{{booktabs{',longtable' if long else ''}}}\n{text}"


def escaped(text: str) -> str:
    """Text as LaTeX prints it, with no letter that is a command."""
    return "".join(SPECIAL.get(letter, letter) for letter in text)


def _escaped_head(head: str) -> str:
    lines = [escaped(line) for line in head.split("\n")]
    return lines[0] if len(lines) == 1 else rf"\shortstack{{{NEW_LINE.join(lines)}}}"


def _latex_cell(cell: Cell, kind: str, place: int) -> str:
    parts = cell if isinstance(cell, tuple) else (cell,)
    said = (f"\\textit{{{escaped(part)}}}" if isinstance(part, Gene) else escaped(part) for part in parts)
    text = "".join(said)
    if place:
        return text
    return {"group": f"\\addlinespace\\rlap{{\\textbf{{{text}}}}}", "level": f"\\quad {text}"}.get(kind, text)


def _underline(text: str, label: str, first: int, last: int) -> str:
    """The table with a rule below a spanner, in each of its heads."""
    spanner = rf"\\multicolumn{{{last - first + 1}}}{{c}}{{{re.escape(label)}}}"
    line = re.compile(rf"^(.*{spanner}.*\\\\)\n", re.MULTILINE)
    return line.sub(lambda found: f"{found[1]}\n\\cmidrule(lr){{{first}-{last}}}\n", text)
