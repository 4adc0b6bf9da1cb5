"""Age acceleration: its definitions, participants outside of the model's test, repeated photos."""

import pandas as pd

from faceage_bio.core.config import Config
from faceage_bio.core.errors import TableError
from faceage_bio.core.tables import to_records
from faceage_bio.report import figures, words
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.figures import INNER, RAW_AND_ADJUSTED, coloured, reference_line, to_svg
from faceage_bio.report.plot import BROWN, GREY, VERMILLION, VIOLET
from faceage_bio.report.tables_by_place import ReportTables, rows_by
from faceage_bio.report.words import increase

ALL = "all participants"
# column: name, colour and dash in the figure
DEFINITIONS = {
    "age_gap": ("age gap", GREY, [2, 2]),
    "acceleration_linear": ("line", VERMILLION, [1, 0]),
    "acceleration_spline": ("spline", VIOLET, [7, 3]),
    "acceleration_loess": ("loess", BROWN, [3, 3]),
}
METHODS = {"as measured": GREY, "regression calibration": VERMILLION, "SIMEX": BROWN}
TERMS = [("age gap", GREY), ("age acceleration", VERMILLION)]
RELIABILITIES = [("ICC(1,1)", GREY), ("ICC(A,1)", VERMILLION)]
RATE_COLOURS = [("face ageing rate", VERMILLION)]
MEASURES = {"mean": "mean", "standard deviation": "sd", "correlation": "correlation"}
VALIDITY = {
    ("age_gap", "mean"): "gap",
    ("age_gap", "correlation"): "gap_correlation",
    ("age_acceleration", "mean"): "acceleration",
    ("age_acceleration", "standard deviation"): "sd",
    ("age_acceleration", "correlation"): "correlation",
    ("line", "slope"): "slope",
}


def draw_definition_curves(bands: pd.DataFrame) -> Picture:
    """Mean of each definition by decade of age with its 95% CI; level at zero: independent of age.

    ``bands``: ``kind`` (a name of ``DEFINITIONS``), age_mean, mean, ci_lower, ci_upper; participants are not drawn.
    """
    import altair as alt

    known = {name: style for name, *style in DEFINITIONS.values() if name in set(bands["kind"])}
    names = list(known)
    colour = coloured("kind", {name: shade for name, (shade, _) in known.items()}, symbolOpacity=1)
    dashes = alt.Scale(domain=names, range=[dash for _, dash in known.values()])
    dash = alt.StrokeDash("kind:N", title=None, sort=names, scale=dashes)
    scale = alt.Scale(zero=False, nice=True)
    # side by side by half a year, so that bars of one band can be told apart
    place = {name: 0.5 * (number - (len(names) - 1) / 2) for number, name in enumerate(names)}
    shown = bands[bands["kind"].isin(names)]
    shown = shown.assign(x=shown["age_mean"] + shown["kind"].map(place))
    base = alt.Chart(shown).encode(
        x=alt.X("x:Q", title="Chronological age, years (mean of the band)", scale=scale), color=colour
    )
    chart = alt.layer(
        reference_line(0),
        base.mark_rule(strokeWidth=1.5, opacity=0.6).encode(y="ci_lower:Q", y2="ci_upper:Q"),
        base.mark_line(strokeWidth=2).encode(y=alt.Y("mean:Q", title="Mean, years"), strokeDash=dash),
        base.mark_point(filled=True, size=40, opacity=1).encode(y="mean:Q"),
    ).properties(width=INNER, height=300)
    return to_svg(chart, "Mean age gap and age acceleration by chronological age, by definition")


def draw_corrected_slopes(table: pd.DataFrame) -> Picture:
    """Slopes of each outcome by method, each outcome on a scale of its own, since their units differ."""
    import altair as alt

    names = list(METHODS)
    colour = alt.Color("kind:N", legend=None, scale=alt.Scale(domain=names, range=[*METHODS.values()]))
    charts = []
    for outcome, rows in table.groupby("outcome", sort=False):
        base = alt.Chart(rows).encode(
            y=alt.Y("kind:N", sort=names, title=None, axis=alt.Axis(labelLimit=320, grid=False)), color=colour
        )
        title = f"Difference in {outcome} per {increase(rows['per'].iloc[0])} in age acceleration"
        layers = [
            reference_line(0, axis="x", opacity=0.6),
            base.mark_rule(strokeWidth=2).encode(x=alt.X("ci_lower:Q", title=title), x2="ci_upper:Q"),
            base.mark_point(filled=True, size=55, opacity=1).encode(x="estimate:Q"),
        ]
        charts.append(alt.layer(*layers).properties(width=INNER - 100, height=66))
    label = "Slopes on age acceleration, as measured and corrected for measurement error"
    return to_svg(alt.vconcat(*charts), label)


def definition_section(tables: ReportTables, name: str, config: Config) -> dict:
    """Rows and figures of a cohort's definitions, its validity flags and its repeated photos."""
    bands, attenuation, validity, definitions, reliability = tables.several(
        "acceleration", name, "definition_bands", "attenuation", "sensitivity", "definitions", "reliability"
    )
    return {
        "definitions": _side_by_side(definitions),
        "definition_figure": _curves(bands, config.acceleration.fit_in),
        **_hazards(tables.get("acceleration", "definition_hazards", name), definitions, name),
        "validity": _validity(validity),
        "validity_figure": _validity_forest(validity),
        "reliability": to_records(reliability),
        "reliability_figure": _reliability_forest(reliability),
        "attenuation": to_records(attenuation),
        "attenuation_figure": _attenuation_figure(attenuation),
    }


def ageing_rate_section(tables: ReportTables, name: str) -> dict:
    """Rows and figure of a cohort's face ageing rate."""
    table = tables.get("acceleration", "ageing_rate", name)
    cox = table[table["measure"] == "hazard ratio"]
    shown = cox[cox["term"] == "face_ageing_rate"]
    shown = shown.assign(label=shown["model"], kind="face ageing rate")
    title = "Hazard ratio per 1 year of face age per year (log scale)"
    return {
        "ageing_rate": to_records(table[table["measure"] != "hazard ratio"]),
        "ageing_rate_cox": to_records(cox),
        "ageing_rate_figure": figures.forest(shown, "label", RATE_COLOURS, 1, title, logarithmic=True),
    }


def _side_by_side(table: pd.DataFrame) -> list[dict]:
    rows = []
    for _, mine in table.groupby("term", sort=False):
        first = mine.iloc[0]
        rows.append(
            {
                "title": _spoken(first["model"]),
                "per": first["unit"],
                "fitted_in": first["fitted_in"],
                "n": first["n"],
                "cross_fitted": _true(first["cross_fitted"]),
                "chosen": _true(first["chosen"]),
                **{MEASURES[measure]: row for measure, row in rows_by(mine, "measure").items()},
            }
        )
    return rows


def _hazards(table: pd.DataFrame, known: pd.DataFrame, cohort: str) -> dict:
    """Hazard ratios of face age and of each definition, without and with age, and their figure."""
    if not len(table):
        return {"hazards": [], "hazard_figure": Picture()}
    titles = dict(zip(known["term"], known["model"], strict=True))
    in_controls = set(known.loc[(known["fitted_in"] == "reference") & (known["unit"] == "years"), "term"])
    pairs, drawn = [], []
    for term, rows in table.groupby("term", sort=False):
        by = {
            key: rows[rows["adjustment"] == one]
            for key, one in (("alone", "unadjusted"), ("with_age", "age"))
        }
        if any(len(one) != 1 for one in by.values()):
            raise TableError(
                f"the hazard ratios of '{term}' in '{cohort}' need one row alone and one with age; run tabulate-definitions again."
            )
        title = _spoken(titles.get(term, words.term(str(term)))) + ", from controls" * (term in in_controls)
        pair = {key: one.iloc[0].to_dict() for key, one in by.items()}
        pairs.append({"title": title} | pair)
        for (kind, _), row in zip(RAW_AND_ADJUSTED, pair.values(), strict=True):
            per = "" if "years" in row["per"] else f", per {row['per']}"
            drawn.append(row | {"label": title.replace("standard deviations", "SDs") + per, "kind": kind})
    title = f"Hazard ratio per {pairs[0]['alone']['per']} unless stated (log scale)"
    figure = figures.forest(pd.DataFrame(drawn), "label", RAW_AND_ADJUSTED, 1, title, logarithmic=True)
    return {"hazards": pairs, "hazard_figure": figure}


def _spoken(title: str) -> str:
    """The title of a definition with its covariates in words."""
    start, with_, names = title.partition(" with ")
    return start + with_ + ", ".join(words.term(name) for name in names.split(", "))


def _true(value: object) -> bool:
    """A truth that may have passed through a text file."""
    return str(value) == "True"


def _curves(bands: pd.DataFrame, fit_in: str) -> Picture:
    ending = "_reference" if fit_in == "reference" else ""
    kinds = {
        column if column == "age_gap" else column + ending: name for column, (name, *_) in DEFINITIONS.items()
    }
    shown = bands.assign(kind=bands["definition"].map(kinds)).dropna(subset="kind")
    return draw_definition_curves(shown) if len(shown) else Picture()


def _validity(table: pd.DataFrame) -> list[dict]:
    rows = []
    for label, group in table.groupby("subgroup", sort=False):
        first = group.iloc[0]
        cells = {VALIDITY[key]: row for key, row in rows_by(group, "term", "measure").items()}
        rows.append({"people": label or ALL, "n": first["n"], "note": first["note"], **cells})
    return rows


def _validity_forest(table: pd.DataFrame) -> Picture:
    shown = table.assign(kind=table["term"].map(words.term), label=table["subgroup"].replace("", ALL))
    return figures.forest(shown[shown["measure"] == "mean"], "label", TERMS, 0, "Mean, years")


def _reliability_forest(table: pd.DataFrame) -> Picture:
    """Intraclass correlations, which have no unit."""
    shown = table[table["measure"].isin(dict(RELIABILITIES))]
    shown = shown.assign(label=shown["term"].map(words.term), kind=shown["measure"])
    title = "Intraclass correlation of one photo (1: two photos agree fully)"
    return figures.forest(shown, "label", RELIABILITIES, 1, title)


def _attenuation_figure(table: pd.DataFrame) -> Picture:
    shown = table[table["estimate"].notna()]
    if not len(shown):
        return Picture()
    kinds = {"least": "as measured", "regression": "regression calibration", "SIMEX,": "SIMEX"}
    shown = shown.assign(
        kind=shown["model"].str.split().str[0].map(kinds), outcome=shown["term"].map(words.term)
    )
    return draw_corrected_slopes(shown)
