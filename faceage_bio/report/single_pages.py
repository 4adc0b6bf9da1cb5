"""Pages that stand alone: the sheet on which reviewers look at photos, the page of a plan, the page of a training run."""

import base64
import math
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd
from markupsafe import Markup

import faceage_bio
from faceage_bio.analyses.planning.cohort_study import ASSUMPTION, CODE, COLUMNS, CURVE, RESULT, remarks_of
from faceage_bio.core.errors import TableError
from faceage_bio.core.tables import read_text_table
from faceage_bio.faces.faceage.review_sheet import DECISIONS, REASONS, Shown
from faceage_bio.report import figures, plot
from faceage_bio.report.flow import Box, picture
from faceage_bio.report.pages import TEMPLATES, templates
from faceage_bio.report.plot import GREY, VERMILLION
from faceage_bio.report.provenance import Citations
from faceage_bio.report.words import first_upper, measure_words


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
    return templates().get_template("review_sheet.html.j2").render(
        photos=photos, sheet=sheet, decisions=DECISIONS, reasons=REASONS, keys=keys,
        style=Markup((TEMPLATES / "review_sheet.css").read_text()), script=Markup((TEMPLATES / "review_sheet.js").read_text()),
    )  # fmt: skip


# The page of a plan: a table to cite, curves, methods with formulas and references, and R code with the same numbers (plan.html.j2).


WIDTH, HEIGHT = 560.0, 300.0
METHODS = (
    "cohort study",
    "interaction",
    "two groups",
    "one gene",
    "all genes of a pilot",
    "prediction model",
    "precision",
    "trial",
)


def read_plan(path: Path) -> pd.DataFrame:
    """A plan that a command wrote.

    Raises
    ------
    TableError
        It is another table.
    """
    table = read_text_table(path)
    missing = [name for name in COLUMNS if name not in table]
    if missing or not set(table["design"]) <= set(METHODS):
        raise TableError(
            f"{path}: no plan; it has the columns {', '.join(table)}. Expected a table that `faceage-bio plan study`, `trial`, `groups`, `genes`, "
            "`model` or `precision` wrote with --output. Name such a table."
        )
    for name in ("value", "at"):
        table[name] = pd.to_numeric(table[name], errors="coerce")
    return table


def plan_page(plans: Sequence[pd.DataFrame], title: str) -> str:
    """The page as HTML that needs no network."""
    citations = Citations()
    return templates().get_template("plan.html.j2").render(
        title=title, plans=[_shown(table) for table in plans], cite=citations.cite, citations=citations, today=date.today().isoformat(),
        version=faceage_bio.__version__, style=Markup((TEMPLATES / "style.css").read_text()),
    )  # fmt: skip


def _shown(table: pd.DataFrame) -> dict:
    def said(part: str) -> list[tuple[str, str, str]]:
        own = table[table["part"] == part]
        return [(row.quantity, _number(row), row.unit or "") for row in own.itertuples()]

    curves = table[table["part"] == CURVE]
    code = table.loc[table["part"] == CODE, "text"]
    return {
        "design": table["design"].iloc[0],
        "assumptions": said(ASSUMPTION),
        "results": said(RESULT),
        "remarks": remarks_of(table),
        "curves": [Markup(_curve(name, part)) for name, part in curves.groupby("quantity", sort=False)],
        "code": code.iloc[0] if len(code) else "",
    }


def _number(row: object) -> str:
    if math.isinf(row.value):
        return "not reached"
    whole = row.unit in ("events", "participants", "samples", "genes")
    return f"{row.value:,.0f}" if whole else f"{row.value:,.4g}"


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


# The page on a model of one's own: where its photos came from, how it was fitted, its errors by group, and its prognosis.


ERRORS = ("mean absolute error", "mean error")


def training_page(
    card: dict,
    flow: pd.DataFrame,
    history: pd.DataFrame,
    accuracy: pd.DataFrame,
    prognosis: pd.DataFrame | None,
) -> str:
    """One HTML page without links to anything else.

    Parameters
    ----------
    card : of the model
    flow : step, n_excluded, n_left
    history : a row per epoch
    accuracy, prognosis : result rows; prognosis None where no cohort with follow-up was given
    """
    lost = flow[flow["n_excluded"] > 0]
    chain = [
        Box("sources", "Labelled photos", float(flow["n_left"].max())),
        Box(
            "curation",
            "Photos after curation",
            float(flow["n_left"].iloc[-1]),
            dict(zip(lost["step"], lost["n_excluded"], strict=True)),
        ),
    ]
    title = "Flow of the photos with exclusions; the table below is its text alternative"
    names = list(dict.fromkeys(accuracy["term"]))
    colours = list(zip(names, (VERMILLION, GREY) if len(names) == 1 else (GREY, VERMILLION), strict=False))
    forests = {}
    for measure in ERRORS:
        rows = accuracy[(accuracy["measure"] == measure) & accuracy["estimate"].notna()]
        if len(rows):
            drawn = rows.assign(label=rows["subgroup"], p_value=float("nan"))
            forests[measure] = figures.forest(
                drawn, "label", colours, 0, f"{measure.capitalize()} (years)", kind="term", digits=1
            )
    return templates().get_template("training.html.j2").render(
        card=card, flow=flow.to_dict("records"), flow_figure=picture({"photo": chain}, title), history=history.to_dict("records"), accuracy=_said(accuracy), forests=forests,
        prognosis=_said(prognosis) if prognosis is not None else [], today=date.today().isoformat(), version=faceage_bio.__version__,
        style=Markup((TEMPLATES / "style.css").read_text()), of=lambda *names: "",
    )  # fmt: skip


def _said(rows: pd.DataFrame) -> list[dict]:
    words = ["reference", "covariates", "per", "factor", "subgroup", "unit"]
    shown = rows.assign(**{name: rows[name].fillna("") for name in words if name in rows})
    return [row | {"measured": measure_words(row), "note": row["reason"]} for row in shown.to_dict("records")]
