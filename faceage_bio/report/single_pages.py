"""Pages that stand alone: the sheet on which reviewers look at photos, the page of a plan, the page of a training run."""

import base64
import math
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd
from markupsafe import Markup

import faceage_bio
from faceage_bio.analyses.planning.cohort_study import (
    ANSWER,
    ASSUMPTION,
    CODE,
    COLUMNS,
    CURVE,
    REMARK,
    RESULT,
    numbers,
    texts,
)
from faceage_bio.core.errors import TableError
from faceage_bio.core.parse import to_numbers
from faceage_bio.core.tables import read_text_table, to_records
from faceage_bio.faces.faceage.review import DECISIONS, REASONS, Shown
from faceage_bio.report import figures, plot
from faceage_bio.report.flow import Box, picture
from faceage_bio.report.pages import TEMPLATES, templates
from faceage_bio.report.plot import GREY, VERMILLION
from faceage_bio.report.provenance import Citations
from faceage_bio.report.words import first_upper, measure_words

WIDTH, HEIGHT = 560.0, 300.0  # of the curves of a plan
METHODS = {
    "cohort study", "interaction", "two groups", "one gene", "all genes of a pilot", "prediction model", "precision", "trial",
}  # fmt: skip
ERRORS = ("mean absolute error", "mean error")  # forests of the page on a training run


def review_sheet(shown: Sequence[Shown], sheet: str) -> str:
    """One private HTML file with faces in it, and nothing else about anybody: it is for the computer on which it was made.

    Parameters
    ----------
    shown : photos in the order of their numbers
    sheet : what tells this sheet from others; stands in the decisions that it saves
    """
    photos = [
        {"number": one.number, "data": base64.b64encode(one.jpeg).decode() if one.jpeg else ""}
        for one in shown
    ]
    keys = dict(zip(REASONS, "1234567890", strict=True))
    style, script = (Markup((TEMPLATES / f"review_sheet.{kind}").read_text()) for kind in ("css", "js"))
    decided = {"decisions": DECISIONS, "reasons": REASONS, "keys": keys}
    page = templates().get_template("review_sheet.html.j2")
    return page.render(photos=photos, sheet=sheet, style=style, script=script, **decided)


def _rendered(template: str, **content: object) -> str:
    style, today = Markup((TEMPLATES / "style.css").read_text()), date.today().isoformat()
    page = templates().get_template(template)
    return page.render(today=today, version=faceage_bio.__version__, style=style, **content)


def read_plan(path: Path) -> pd.DataFrame:
    """A plan that a command wrote.

    Raises
    ------
    TableError
        It is another table.
    """
    table = read_text_table(path)
    missing = [name for name in COLUMNS if name not in table]
    if missing or not set(table["design"]) <= METHODS:
        raise TableError(
            f"{path}: no plan; it has the columns {', '.join(table)}. Expected a table that `faceage-bio plan study`, `trial`, `groups`, `genes`, "
            "`model` or `precision` wrote with --output. Name such a table."
        )
    for name in ("value", "at"):
        table[name] = to_numbers(table[name])
    return table


def plan_page(plans: Sequence[pd.DataFrame], title: str) -> str:
    """The page of plans as HTML that needs no network: tables to cite, curves, methods with formulas, and R code with the same numbers."""
    cited = Citations()
    shown = [_shown(table) for table in plans]
    return _rendered("plan.html.j2", title=title, plans=shown, cite=cited.cite, citations=cited)


def _shown(table: pd.DataFrame) -> dict:
    curves = table[table["part"] == CURVE]
    return {
        "design": table["design"].iloc[0],
        "answer": texts(table, ANSWER),
        "assumptions": numbers(table, ASSUMPTION),
        "results": numbers(table, RESULT),
        "remarks": texts(table, REMARK),
        "curves": [Markup(_curve(name, part)) for name, part in curves.groupby("quantity", sort=False)],
        "code": texts(table, CODE),
    }


def _curve(name: str, points: pd.DataFrame) -> str:
    """A line through the points, with its axes."""
    points = points.sort_values("at")
    x, y = points["at"].to_numpy(), points["value"].to_numpy()
    share = y.min() >= 0 and y.max() <= 1
    heights = [0, 0.2, 0.4, 0.6, 0.8, 1] if share else plot.ticks(y.min(), y.max())
    across = plot.Scale(x.min(), x.max(), 62, WIDTH - 20, log=bool(x.min() > 0 and x.max() > 5 * x.min()))
    up = plot.Scale(heights[0], heights[-1], HEIGHT - 50, 14)
    ticks = plot.apart(plot.inner_ticks(x.min(), x.max(), across.log), across)
    path = "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(across(x), up(y), strict=True))
    parts = [
        plot.y_axis(up, heights, 62, first_upper(name), right=WIDTH - 20),
        plot.x_axis(across, ticks, HEIGHT - 50, f"Number of {points['at_unit'].iloc[0]}"),
        plot.line(f"M{path}", VERMILLION, 2),
        plot.dots(across(x), up(y), 2.5, VERMILLION),
    ]
    label = f"{name} by number of {points['at_unit'].iloc[0]}: from {y[0]:.3g} at {x[0]:,.0f} to {y[-1]:.3g} at {x[-1]:,.0f}"
    return plot.svg(label, WIDTH, HEIGHT, parts)


def training_page(
    card: dict,
    flow: pd.DataFrame,
    history: pd.DataFrame,
    accuracy: pd.DataFrame,
    prognosis: pd.DataFrame | None,
) -> str:
    """One HTML page on a model of one's own: where its photos came from, how it was fitted, its errors by group, its prognosis.

    Parameters
    ----------
    card : of the model
    flow : step, n_excluded, n_left
    history : a row per epoch
    accuracy, prognosis : result rows; prognosis None where no cohort with follow-up was given
    """
    lost, left = flow[flow["n_excluded"] > 0], flow["n_left"].astype(float)
    reasons = dict(zip(lost["step"], lost["n_excluded"], strict=True))
    chain = [
        Box("sources", "Labelled photos", left.max()),
        Box("curation", "Photos after curation", left.iloc[-1], reasons),
    ]
    title = "Flow of the photos with exclusions; the table below is its text alternative"
    names = list(dict.fromkeys(accuracy["term"]))
    colours = list(zip(names, (VERMILLION, GREY) if len(names) == 1 else (GREY, VERMILLION), strict=False))
    forests = {}
    for measure in ERRORS:
        rows = accuracy[(accuracy["measure"] == measure) & accuracy["estimate"].notna()]
        if len(rows):
            drawn, axis = (
                rows.assign(label=rows["subgroup"], p_value=math.nan),
                f"{first_upper(measure)} (years)",
            )
            forests[measure] = figures.forest(drawn, "label", colours, 0, axis, kind="term", digits=1)
    return _rendered(
        "training.html.j2",
        card=card,
        flow=to_records(flow),
        flow_figure=picture({"photo": chain}, title),
        history=to_records(history),
        accuracy=_said(accuracy),
        forests=forests,
        prognosis=_said(prognosis) if prognosis is not None else [],
        of=lambda *names: "",
    )


def _said(rows: pd.DataFrame) -> list[dict]:
    words = ["reference", "covariates", "per", "factor", "subgroup", "unit"]
    shown = rows.assign(**{name: rows[name].fillna("") for name in words if name in rows})
    return [row | {"measured": measure_words(row), "note": row["reason"]} for row in to_records(shown)]
