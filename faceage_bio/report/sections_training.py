"""The page on a model of one's own: where its photos came from, how it was fitted, its errors by group, and its prognosis."""

from datetime import date

import pandas as pd
from markupsafe import Markup

import faceage_bio
from faceage_bio.report import figures
from faceage_bio.report.flow import Box, picture
from faceage_bio.report.pages import TEMPLATES, templates
from faceage_bio.report.plot import GREY, VERMILLION
from faceage_bio.report.words import measure_words

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
                drawn, "label", "term", colours, 0, f"{measure.capitalize()} (years)", digits=1
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
