"""The curves on the survival page: what stands there, what never does, and that numbers at risk stand under their times."""

import re
from dataclasses import replace

import pandas as pd
import pytest

from faceage_bio.core.tables import write_table
from faceage_bio.report.pages import survival_page
from faceage_bio.report.plot import WIDTH, Scale
from faceage_bio.report.sections_curves import Panel, _risk_rows, curves_section, step_curves
from faceage_bio.report.tables_by_place import collect
from tests.browser import emulate
from tests.report_studies import config_of
from tests.survival_studies import CURVES, EVIL, data_of, late, write_study


def page(folder, data, **settings):
    settings = {"curves": CURVES} | settings
    config = config_of(["c"], survival=settings)
    return survival_page(collect(write_study(folder, data, settings["curves"])), config, [])


class Axis:
    """The axis of time of a figure, and the rows of numbers below it as (time of the tick, number)."""

    def __init__(self, svg):
        texts = [
            (float(x), float(y), words)
            for x, y, words in re.findall(r'<text x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>', svg)
        ]
        head = next(y for _, y, words in texts if words == "No. at risk")
        title = next(y for _, y, words in texts if words.startswith("Years after"))
        self.ticks = {x: words for x, y, words in texts if y == title - 19}
        rows = {y for _, y, words in texts if y > head}
        self.risk = [
            [(self.ticks[x], words) for x, y, words in texts if y == row and x in self.ticks]
            for row in sorted(rows)
        ]

    def place(self, years):
        """Where a time is."""
        (x0, first), *_, (x1, last) = self.ticks.items()
        return x0 + (years - float(first)) / (float(last) - float(first)) * (x1 - x0)


def test_the_page_tells_what_the_tables_hold(tmp_path):
    data = data_of()
    text = page(tmp_path, data)
    summary = pd.read_csv(tmp_path / "c" / "survival" / "summary.tsv", sep="\t")
    test = summary[summary.measure == "log-rank chi-square"].iloc[0]
    assert test.df == 2
    assert f"Log-rank: χ² {test.estimate:.2f}, 2 df, p" in text
    assert "; log-rank for trend: χ²" in text
    assert "cut at 65, 75 years)" in text
    assert "without a search for an optimal cut-off" in text
    assert "Years after the photo" in text
    assert "Difference from ≤65" in text
    assert "subdistribution hazard" in text
    assert "Gray&#39;s test, cancer: χ²" in text or "Gray's test, cancer: χ²" in text
    assert EVIL not in text
    assert ">nan" not in text.lower()


def test_what_all_rows_share_is_told_once(tmp_path):
    data = data_of()
    died = data.index[data.event == 1][:7]
    text = page(tmp_path, data.assign(cause=data.cause.mask(data.index.isin(died))))
    assert text.count("ithout 7 participants whose cause of death is not known") == 1


def test_small_groups_are_shown(tmp_path):
    text = page(tmp_path, data_of())
    assert '<th scope="row">rare</th><td>3</td><td>2</td>' in text  # survival
    for cause in ("cancer", "another cause"):
        assert f'<th scope="row">rare</th><td class="w">{cause}</td><td>3</td><td>1</td>' in text
    assert len(re.findall(r'<th scope="row">rare</th><td>3<br>', text)) == 2  # numbers at risk
    assert "Not shown" not in text


def test_few_unknown_causes_are_counted(tmp_path):
    data = data_of()
    data.loc[data.index[data["event"] == 1][:3], "cause"] = None
    assert (data["cause"].isna() & (data["event"] == 1)).sum() == 3
    assert "ithout 3 participants whose cause of death is not known" in page(tmp_path, data)


def test_curves_and_numbers_at_risk_are_the_whole_tables(tmp_path):
    data = data_of()
    text = page(tmp_path, data)
    curves, at_risk = (
        pd.read_csv(tmp_path / "c" / "survival" / f"{name}.tsv", sep="\t")
        for name in ("kaplan_meier", "at_risk")
    )
    drawn = curves[curves.grouping == "face_age"]
    order, config = list(dict.fromkeys(drawn.group)), config_of(["c"], survival={"curves": CURVES})
    tables = collect(sorted((tmp_path / "c" / "survival").glob("*.tsv")))
    part = next(one for one in curves_section(tables, "c", config)["curves"] if one["title"] == "face age")
    lines, svg = part["lines"], part["figure"]
    # a tick for each time at which a participant was censored, to the last
    marks = re.findall(r'class="censored" d="([^"]+)"', svg)
    assert [d.count("M") for d in marks] == [
        (drawn[drawn.group == group].censored > 0).sum() for group in order
    ]
    # the numbers under the axis are the table's, each under its time
    figure, shown = Axis(svg), at_risk[at_risk.grouping == "face_age"]
    for place, group in enumerate(order):
        row = shown[shown.group == group].sort_values("years")
        assert figure.risk[place] == [
            (str(years), str(n)) for years, n in zip(row.years.map("{:g}".format), row.at_risk, strict=True)
        ]
    # lines from one half down to the medians that the table has
    medians = [line["median"]["estimate"] for line in lines if pd.notna(line["median"]["estimate"])]
    assert len(medians) > 1
    down = re.search(r'd="M[^"]*?((?:M[\d.]+ [\d.]+V[\d.]+)+)"[^>]*stroke-dasharray="4 4"', svg)[1]
    places = [float(x) for x in re.findall(r"M([\d.]+) ", down)]
    assert places == pytest.approx([figure.place(years) for years in medians], abs=0.06)
    p = next(row["p_value"] for row in part["tests"] if row["measure"].startswith("log-rank chi"))
    assert f">Log-rank p {'&lt; 0.001' if p < 0.001 else f'= {p:.3f}'}</text>" in svg
    row = at_risk[(at_risk.grouping == "site") & (at_risk.group == "rare")]
    for n in row.itertuples():
        numbers = f"<td>{n.at_risk}<br><small>{n.events} · {n.censored}</small></td>"
        assert numbers in text


def test_curves_with_missing_numbers_are_drawn(tmp_path):
    paths = write_study(tmp_path, data_of())
    tables = collect(paths)
    hollow = {}
    for key in ("kaplan_meier", "at_risk", "summary", "competing_risks", "cumulative_incidence"):
        table = tables.get("survival", key).copy()
        counts = [name for name in ("at_risk", "events", "censored", "n", "n_events") if name in table]
        table[counts] = table[counts].mask(table[counts] < 6)
        hollow["survival", key] = table
    text = survival_page(
        replace(tables, by_name=tables.by_name | hollow), config_of(["c"], survival={"curves": CURVES}), []
    )
    assert ">nan" not in text.lower()
    assert "<td>–<br>" in text


def test_without_causes_or_participants_the_page_says_why(tmp_path):
    text = page(tmp_path / "a", data_of().drop(columns="cause"))
    assert "<li><strong>Competing risks: death from cancer</strong>: no cause of death is known" in text
    assert "no cause of death is known; give the clinical table a column &#39;cause&#39;" in text
    text = page(tmp_path / "b", data_of().head(0))
    assert "<strong>Overall survival by prespecified groups</strong>: " in text
    assert "no participant with age acceleration has follow-up" in text


def test_late_entry_is_shown_and_said(tmp_path):
    text = page(tmp_path, late(data_of()), time_zero="diagnosis_date")
    assert "Years after diagnosis date" in text
    assert "<svg" in text
    assert "a participant enters late, which Fine and Gray&#39;s model does not allow for" in text


def test_a_grouping_that_cannot_be_made_does_not_stop_the_page(tmp_path):
    text = page(tmp_path, data_of(), curves={"face_age": [65.0], "height": "tertiles"})
    assert "the table has no column &#39;height&#39;" in text


def test_no_death_does_not_stop_the_page(tmp_path):
    text = page(tmp_path, data_of().assign(event=0.0, cause=None))
    assert "not estimated, because there was no death" in text
    assert "no cause of death is known" in text


def test_follow_up_that_is_zero_for_all_does_not_stop_the_page(tmp_path):
    data = data_of().assign(followup_years=0.0)
    page(tmp_path, data.assign(event=1.0 * (data.index % 2), cause=None))
    assert Scale(0.0, 0.0, 10, 20)(0.0) == 10
    assert Scale(2.0, 2.0, 10, 20, log=True)(2.0) == 10


def test_numbers_that_go_on_after_the_curves_keep_the_figure_in_its_width():
    curves = pd.DataFrame({"years": [0, 0.5], "height": [1, 0.9]})
    curves = curves.assign(group="a", panel="p", ci_lower=0.8, ci_upper=1.0, censored=0)
    at_risk = pd.DataFrame({"group": "a", "years": range(7), "shown": [*"9876543"]})
    svg = step_curves(curves, at_risk, ["a"], [Panel("p", "Alive")], "Years", "Curves")
    assert f'width="{WIDTH}"' in svg
    assert max(float(x) for x in re.findall(r'<text x="([\d.]+)"', svg)) < WIDTH


def test_curves_and_bands_are_steps_that_hold_until_the_next_time():
    curves = pd.DataFrame({
        "group": "a", "panel": "p", "years": [0.0, 1, 2, 4], "height": [1, 0.8, 0.5, 0.5], "ci_lower": [1, 0.7, 0.4, 0.4],
        "ci_upper": [1, 0.9, 0.6, 0.6], "censored": [0, 0, 0, 2],
    })  # fmt: skip
    at_risk = pd.DataFrame({"group": "a", "years": range(5), "shown": [*"98765"]})
    svg = step_curves(curves, at_risk, ["a"], [Panel("p", "Alive")], "Years after the photo", "Curves")
    axis = Axis(svg)
    x = [axis.place(years) for years in curves.years]
    (curve,) = re.findall(
        r'd="(M[\d. ]+(?:H[\d.]+V[\d.]+)*H[\d.]+)"[^>]*stroke-width="2.2"(?! opacity)[^>]*/>(?=<path class="censored")',
        svg,
    )
    (band,) = re.findall(r'd="(M[^"]+)Z" fill', svg)
    unit = (
        float(curve.split("V")[1].split("H")[0]) - float(curve[1:].split()[1].split("H")[0])
    ) / 0.2  # of a height of 1
    high = float(curve[1:].split()[1].split("H")[0])

    def path(numbers):
        return [pytest.approx(one, abs=0.06) for one in numbers]

    def y(height):
        return high + (1 - height) * unit

    drawn = [float(one) for one in re.findall(r"[\d.]+", curve)]
    assert drawn == path([x[0], y(1), x[1], y(0.8), x[2], y(0.5), x[3]])
    upper, lower = band.split("L")
    expected = path([x[0], y(1), x[1], y(0.9), x[2], y(0.6), x[3]])
    assert [float(one) for one in re.findall(r"[\d.]+", upper)] == expected
    expected = path([x[3], y(0.4), x[2], y(0.7), x[1], y(1), x[0]])
    assert [float(one) for one in re.findall(r"[\d.]+", lower)] == expected


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 360])
def test_numbers_at_risk_stand_under_their_times(tmp_path, width, browser):
    path = tmp_path / "page.html"
    path.write_text(page(tmp_path, data_of()))
    places = """
      const svg = document.querySelector("svg[aria-label^=Kaplan-Meier]");
      const texts = [...svg.querySelectorAll("text")];
      const middle = (text) => { const box = text.getBoundingClientRect(); return [box.x + box.width / 2, box.y, box.height]; };
      return {
        all: texts.map((text) => [text.textContent, ...middle(text)]),
        wide: document.documentElement.scrollWidth, screen: window.innerWidth,
      };
    """
    emulate(browser, width)
    browser.get(path.as_uri())
    found = browser.execute_script(places)
    errors = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not errors
    assert found["wide"] <= found["screen"]  # the figure scrolls in its own frame
    texts = found["all"]
    title = next(one for one in texts if one[0].startswith("Years after"))
    ticks = [one for one in texts if re.fullmatch(r"\d", one[0]) and one[2] < title[2]]
    ticks = [one for one in ticks if one[2] == max(y for _, _, y, _ in ticks)]  # of the axis of time
    numbers = [one for one in texts if re.fullmatch(r"[\d,]+", one[0]) and one[2] > title[2]]
    assert len(ticks) >= 5
    assert len(numbers) == 3 * len(ticks)
    for tick in ticks:
        under = [one for one in numbers if abs(one[1] - tick[1]) < 1.5]
        assert len(under) == 3, tick
    assert max(one[3] for one in numbers) > 8  # and can be read


def test_a_study_without_causes_of_death_and_with_some_participants_lost_has_a_page(tmp_path):
    # 90 participants have an age acceleration, 88 of them follow-up: two numbers that differ by few
    data = data_of().drop(columns="cause").head(88)
    stages = [("intake", 90), ("acceleration", 90)]
    flow = [("c", "subject", stage, "included", "", n) for stage, n in stages]
    paths = [*write_study(tmp_path, data), tmp_path / "c" / "flow.tsv"]
    write_table(pd.DataFrame(flow, columns=["cohort", "unit", "stage", "status", "reason", "n"]), paths[-1])
    text = survival_page(collect(paths), config_of(["c"], survival={"curves": CURVES}), [])
    assert "no cause of death is known; give the clinical table a column" in text


def test_a_group_without_participants_has_no_row_of_numbers_at_risk():
    at_risk = pd.DataFrame({"grouping": "face_age", "group": "≤65", "years": [1.0, 0.0], "at_risk": [8, 9]})
    rows = _risk_rows(at_risk, "face_age", ["≤65", ">85"])["rows"]
    assert [(group, [row["at_risk"] for row in numbers]) for group, numbers in rows] == [("≤65", [9, 8])]
