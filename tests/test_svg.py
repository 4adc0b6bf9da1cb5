"""The renderer's SVG in less text: the same marks, the same words."""

import re

import altair as alt
import numpy as np
import pandas as pd

from faceage_bio.report import figures
from faceage_bio.report.svg import lighter

HEAD = '<svg width="9" height="9"><g><g fill="none">'
TAIL = "</g></g></svg>"


def light(body: str) -> str:
    return lighter(HEAD + body + TAIL).split('"none">', 1)[1].removesuffix("</g></svg>")


def test_lines_of_one_kind_are_one_path():
    lines = [
        '<line transform="translate(2.84,10)" x2="0" y2="-4.26" stroke="#111" opacity="0.5"/>',
        '<line transform="translate(3,10)" x2="5" y2="0" stroke="#111" opacity="0.5"/>',
        '<line x2="5" y2="1" stroke="#111" opacity="0.5"/>',
        '<line transform="translate(1,1)" stroke="#111" opacity="0.5"/>',
        '<line transform="translate(1,1)" x2="2" stroke="#222"/>',
    ]
    one = '<path d="M2.8,10v-4.3M3,10h5M0,0l5,1M1,1h0" stroke="#111" opacity="0.5"/>'
    assert light("".join(lines)) == one + lines[4]
    assert light("".join(lines[:3])).count("<line") == 3  # few are left apart


def test_dots_and_bars_keep_place_size_and_colour():
    dot = '<path transform="translate({},2)" d="M2.5,0A2.5,2.5,0,1,1,-2.5,0A2.5,2.5,0,1,1,2.5,0" fill="#0072B2"/>'
    dots = light("".join(dot.format(x) for x in range(4)))
    assert (
        dots
        == '<path d="M0,2h0M1,2h0M2,2h0M3,2h0" stroke="#0072B2" stroke-width="5" stroke-linecap="round"/>'
    )
    bars = [f'<path d="M{x},0h1v2h-1Z" fill="#009E73"/>' for x in range(4)]
    assert (
        light("".join(bars))
        == '<path d="M0.5,0v2M1.5,0v2M2.5,0v2M3.5,0v2" stroke="#009E73" stroke-width="1"/>'
    )
    translucent = "".join(bar.replace("/>", ' opacity="0.5"/>') for bar in bars)
    assert light(translucent) == translucent  # where they lie on each other they are darker


def test_groups_that_say_nothing_go_and_words_stay():
    body = '<g><g transform="translate(1,2)"><g/><text transform="translate(3.333,4)" font-size="12px">x="0.0512" 7</text></g></g>'
    assert light(body) == '<g transform="translate(1,2)"><text x="3.3" y="4">x="0.0512" 7</text></g>'
    whole = lighter(HEAD + body + TAIL)
    assert len(re.findall(r"<g[ >]", whole)) == whole.count("</g>")


def test_tables_of_a_chart_are_told_as_altair_tells_them():
    table = pd.DataFrame(
        {
            "kind": pd.Categorical(["a", None, "b"]), "word": ["c", np.nan, "d"], "years": [1.5, np.nan, np.inf], "n": [1, 2, 3],
            "known": [False, True, True], "mixed": pd.Series([None, "e", np.int64(1)], dtype=object), "never drawn": [7, 8, 9],
        }
    )  # fmt: skip
    base = alt.Chart(table).encode(x="years:Q", y="n:Q", color="kind:N", detail=["word:N", "mixed:N"])
    few = alt.Chart(table[table.known]).mark_point().encode(x="years:Q", shape="known:N")
    chart = alt.layer(base.mark_line(), base.mark_point(), few)
    theirs = [
        [{name: value for name, value in row.items() if name != "never drawn"} for row in rows]
        for rows in chart.to_dict()["datasets"].values()
    ]
    assert len(theirs) == 2
    assert list(figures._specification(chart)["datasets"].values()) == theirs
