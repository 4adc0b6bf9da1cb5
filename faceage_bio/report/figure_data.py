"""The data that a figure draws, packed so that the page can hand them out as a table without growing by much.

Only what the figure encodes is kept: a column of the chart's table that no reader can see in the picture is not in its data
either. A row of a layer that holds nothing but a reference line is left out.
"""

import base64
import gzip
import io
from collections.abc import Iterator

import pandas as pd
from markupsafe import Markup

from faceage_bio.core.user_files import harmless_table

MOST_ROWS = 5000  # what draws more has a table of its own beside it


def packed(specification: dict) -> Markup:
    """A script element with the figure's rows: TSV, gzip, base64; empty where there are none or too many.

    Parameters
    ----------
    specification : dict
        Vega-Lite's, with its data under ``datasets`` as Altair writes it.
    """
    known = (table.dropna(axis=1, how="all") for table in _drawn(specification))
    drawn = [table for table in known if len(table) and set(table.columns) - {"x", "y"}]
    return packed_rows(pd.concat(drawn, ignore_index=True).drop_duplicates() if drawn else pd.DataFrame())


def packed_rows(table: pd.DataFrame) -> Markup:
    """The same of a table: TSV with six digits, gzip, base64, in a script element that nothing runs."""
    table = table.dropna(axis=1, how="all")
    if not 0 < len(table) <= MOST_ROWS:
        return Markup("")
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb", mtime=0) as writer:
        writer.write(
            harmless_table(table)
            .to_csv(sep="\t", index=False, lineterminator="\n", float_format="%.6g")
            .encode()
        )
    text = base64.b64encode(stream.getvalue()).decode()
    return Markup(f'<script type="application/gzip" class="data">{text}</script>')


def _drawn(specification: dict) -> Iterator[pd.DataFrame]:
    """For each table of the chart, the columns that some encoding of it names."""
    fields: dict[str, dict[str, None]] = {}
    _collect(specification, "", fields)
    for name, rows in specification.get("datasets", {}).items():
        table = pd.DataFrame(rows)
        yield table[[column for column in table if column in fields.get(name, {})]]


def _collect(node: object, data: str, fields: dict[str, dict[str, None]]) -> None:
    """Note under the name of its data each field that a mark encodes; a layer without data has those of what holds it."""
    if isinstance(node, list):
        for part in node:
            _collect(part, data, fields)
    elif isinstance(node, dict):
        data = node["data"].get("name", data) if isinstance(node.get("data"), dict) else data
        if isinstance(node.get("field"), str):
            fields.setdefault(data, {})[node["field"]] = None
        for key, part in node.items():
            if key not in {"data", "datasets", "transform", "params", "sort"}:
                _collect(part, data, fields)
