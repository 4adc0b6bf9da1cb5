"""Each estimate with its interval in a table of the demo's pages is a row of the result table that the table names."""

import re
from functools import cache

import numpy as np
import pytest

from faceage_bio.core.tables import read_table

TABLE = re.compile(r'<table\b[^>]*data-from="([^"]+)"[^>]*>(.*?)</table>', re.DOTALL)
ROW = re.compile(
    r'<tr\b[^>]*data-from="([^"]+)"[^>]*>(.*?)</tr>', re.DOTALL
)  # of key results, each of its own table
SHOWN = re.compile(r"([−+\d.,]+)(%?) ?(?:<small>)?\(([−\d.,]+)(?: to |–)([−\d.,]+)\)")
ENDS = (("ci_lower", "ci_upper"), ("lower_quartile", "upper_quartile"))
SCALES = (1, 12)  # years as months


def value(text: str) -> float:
    return float(text.replace("−", "-").replace("+", "").replace(",", ""))


@pytest.fixture(scope="module")
def estimates(demo):
    """Of a result table: each estimate with its bounds or quartiles, also of the second method and the unadjusted ones."""

    @cache
    def read(name: str) -> np.ndarray:
        table = read_table(demo / "results" / f"{name}.tsv")
        found = []
        for start, lower, upper in (
            (name.removesuffix(lower), lower, upper)
            for lower, upper in ENDS
            for name in table
            if name.endswith(lower)
        ):
            found.append(table[[f"{start}estimate", start + lower, start + upper]].to_numpy(float))
        return np.vstack([*found, np.full((1, 3), np.nan)])

    return read


@pytest.mark.workflow
@pytest.mark.parametrize(
    ("page", "fewest"), [("index", 20), ("association", 1000), ("survival", 500), ("photos", 50)]
)
def test_shown_numbers_are_those_of_the_result_tables(demo, estimates, page, fewest):
    text = (demo / "results" / "reports" / f"{page}.html").read_text()
    wrong, n_checked, tables = [], 0, set()
    for origin, body in [*TABLE.findall(text), *ROW.findall(text)]:
        for shown in SHOWN.findall(body):
            estimate, percent, lower, upper = shown
            bounds = np.array([value(estimate), value(lower), value(upper)])
            half = 0.5 * 10 ** -len(estimate.partition(".")[2]) + 1e-9
            n_checked += 1
            known = np.vstack([estimates(name) for name in origin.split()])
            if not any(
                (np.abs(known * scale - bounds) <= half).all(axis=1).any()
                for scale in ((100,) if percent else SCALES)
            ):
                wrong.append((origin, shown))
            tables.update(origin.split())
    assert wrong == []
    assert n_checked >= fewest, (n_checked, sorted(tables))
