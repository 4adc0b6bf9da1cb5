"""Numbers, labels and sentences as they are printed, made from result rows."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from faceage_bio.core.columns import AGES_COMPARED, SPOKEN, column_words
from faceage_bio.core.results.reasons import NOT_ESTIMATED, SPARSE, decode, said_of
from faceage_bio.core.settings.settings_photos import Quality, Rule
from faceage_bio.core.tables import read_table

# measures whose time is a span, not a point
WITHIN = ["cumulative incidence", "restricted mean survival time"]
FILE = re.compile(r"(?:[^/\\]*[/\\])+[^/\\]+\.\w{1,6}")
REASONS = dict(read_table(Path(__file__).parent / "reasons.tsv").itertuples(index=False))  # code: words
TERMS = {
    "face_age": "face age",
    "chronological_age": "chronological age",
    "age_acceleration": "age acceleration",
    "face_ageing_rate": "face ageing rate",
    "interval_years": "interval between the photos",
    "age_gap": "age gap",
    "skin_type": "skin type",
    "GLOBAL": "whole model",
} | SPOKEN
NAMED = re.compile(rf"\b({'|'.join(name for name in TERMS if '_' in name or name in SPOKEN)})\b")
SIGNS = re.compile(r"[-<>]")
# ends of a group of numbers that stand alone: no date, no name of a gene or variant
PRINTED = (
    (re.compile(r"(?<![\w.–-])(-?\d[\d.]*)-(\d[\d.]*)(?![\w-])"), r"\1–\2"),
    (re.compile(r"(?<![\w.–-])-(?=\d)"), "−"),
    (re.compile(r"<= (?=[−\d])"), "≤"),
    (re.compile(r">= (?=[−\d])"), "≥"),
    (re.compile(r"(?<![pq] )([<>]) (?=[−\d])"), r"\1"),
)
# of the variables of Table 1
YEARS = ("face_age", "age_acceleration", "chronological_age", "followup_years")
UNITS = dict.fromkeys(YEARS, "years") | {"bmi": "kg/m²"}
UNITS_OF_RULES = {"small_photo": " px", "small_face": " px", "large_yaw": "°", "large_roll": "°"}


def number(value: float, digits: int = 2) -> str:
    """Fixed digits, a true minus sign, and nothing for what is missing."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", "−")


def signed(value: float, digits: int = 1) -> str:
    """With its sign, for differences."""
    text = number(value, digits)
    return text if text.startswith(("−", "–")) or float(text) == 0 else f"+{text}"


def interval(lower: float, upper: float, digits: int = 2) -> str:
    """A 95% CI: ``1.30–2.08``; with "to" where an end is negative, and an en dash where both are missing."""
    if pd.isna(lower) and pd.isna(upper):
        return "–"
    ends = number(lower, digits), number(upper, digits)
    return (" to " if any(end.startswith(("−", "–")) for end in ends) else "–").join(ends)


def with_ci(estimate: float, lower: float, upper: float, digits: int = 2) -> str:
    """An estimate with its 95% CI: ``1.65 (1.30–2.08)``; without one alone."""
    bounds = confidence_interval(lower, upper, digits)
    return number(estimate, digits) + (f" ({bounds})" if bounds else "")


def in_brackets(row: Mapping, digits: int = 2, column: str = "") -> str:
    """Interval and p of a row in brackets, as they stand in a sentence; what the row lacks, as released tables may, is left out."""
    lower, upper, p = (row[f"{column}{name}"] for name in ("ci_lower", "ci_upper", "p_value"))
    said = [f"95% CI {interval(lower, upper, digits)}"] if pd.notna(lower) and pd.notna(upper) else []
    if pd.notna(p):
        said.append(f"p {p_equals(p)}")
    return f" ({', '.join(said)})" if said else ""


def percent(share: float | None, digits: int = 0) -> str:
    """A share: ``34%``, and an en dash where it is missing."""
    known = share is not None and math.isfinite(share)
    return f"{number(100 * share, digits)}%" if known else "–"


def percents(lower: float, upper: float, digits: int = 0) -> str:
    """The bounds of a 95% CI of a share: ``4.9–5.9%``."""
    return f"{interval(100 * lower, 100 * upper, digits)}%"


def p_value(value: float) -> str:
    """Three decimals, as in clinical tables; never 0 nor 1: ``< 0.001``, ``> 0.999``."""
    if value is None or not math.isfinite(value):
        return "–"
    return "< 0.001" if value < 0.001 else "> 0.999" if value >= 0.9995 else f"{value:.3f}"


def p_equals(value: float) -> str:
    """A p-value behind its letter: ``= 0.012``, ``< 0.001``."""
    return equals(p_value(value))


def equals(text: str) -> str:
    """A printed number behind its letter; one that is a bound has its own sign."""
    return text if text.startswith(("<", ">")) else f"= {text}"


def p_scientific(value: float) -> str:
    """As in gene tables: ``3.5e-45``; from 0.001 as `p_value`."""
    if value is None or not math.isfinite(value) or value >= 0.001:
        return p_value(value)
    digits, _, power = f"{value:.1e}".partition("e")
    return f"{digits}e{int(power)}" if value > 0 else "< 1e-300"


def count(value: float | None) -> str:
    """A number of participants as it stands in its table, or an en dash where it is missing."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{int(value):,}" if float(value).is_integer() else f"{value:,.1f}"


def counted(value: float | None, noun: str) -> str:
    """A number and what it counts: ``1 death``, ``2 deaths``, ``– deaths``."""
    return f"{count(value)} {noun}{'' if value == 1 else 's'}"


def count_and_share(row: Mapping) -> str:
    """A number of participants and its share of those with a known value: ``12 (34%)``; the number alone where one is missing."""
    n, share = row["n"], row["estimate"]
    return count(n) + ("" if pd.isna(n) or pd.isna(share) else f" ({percent(share)})")


def increase(per: str) -> str:
    """The unit of an estimate as an adjective: ``10 years`` becomes ``10-year increase``, ``1 SD`` ``1-SD increase``."""
    size, _, unit = per.partition(" ")
    return f"{size}-{unit.removesuffix('s')} increase" if unit else per


def first_upper(text: str) -> str:
    """The text with a capital, as a sentence or a title begins."""
    return text[:1].upper() + text[1:]


def years(value: float) -> str:
    """``1 year``, ``2.5 years``."""
    return f"{value:g} year{'' if value == 1 else 's'}"


def time_words(years: float) -> str:
    """Years as months up to two years, as clinicians say them."""
    months = years * 12
    if years <= 2 and abs(months - round(months)) < 1e-6:
        return f"{months:.0f} months"
    return f"{years:g} years"


WITHIN += [f"{contrast} of restricted mean survival time" for contrast in ("difference", "ratio")]


def without_folders(value: Any) -> Any:
    """Settings with the names of files alone: folders tell user, machine and project."""
    if isinstance(value, dict):
        return {key: without_folders(one) for key, one in value.items()}
    if isinstance(value, list):
        return [without_folders(one) for one in value]
    if isinstance(value, str) and "://" not in value and FILE.fullmatch(value):
        return re.split(r"[/\\]", value)[-1]
    return value


def confidence_interval(lower: float | None, upper: float | None, digits: int = 2) -> str:
    """The bounds of a 95% CI: ``1.51–2.27``, and ``−0.30 to 2.10`` where a bound is negative; empty where one is missing."""
    known = all(bound is not None and math.isfinite(bound) for bound in (lower, upper))
    return interval(lower, upper, digits) if known else ""


def reason(code: str) -> str:
    """A reason code in words."""
    if code.startswith("missing_"):
        return f"{term(code.removeprefix('missing_')).replace('_', ' ')} not known"
    return REASONS.get(code, code.replace("_", " "))


def term(name: str) -> str:
    """A term in words."""
    return TERMS.get(name, name)


def characteristic(name: str) -> str:
    """A variable of Table 1, with its unit: ``Chronological age, years``."""
    unit = UNITS.get(name, "")
    return first_upper(term(name).replace("_", " ")) + (f", {unit}" if unit else "")


def plain(value: float) -> str:
    """A setting or an end of a bin: as many digits as it needs, thousands apart, a true minus sign."""
    return f"{value:,g}".replace("-", "−")


def with_models(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its models in words, if it has any."""
    return table.assign(model=table["model"].map(column_words)) if "model" in table else table


def ranges(text: object) -> object:
    """A text with its groups of numbers as they are printed: ``face age <= 65`` as ``face age ≤65``, ``65-75`` as ``65–75``."""
    if not isinstance(text, str) or not SIGNS.search(text):
        return text
    for written, printed in PRINTED:
        text = written.sub(printed, text)
    return text


def comparison_title(name: str) -> str:
    """A comparison of added value as a heading."""
    return first_upper(name.replace(AGES_COMPARED, "face age compared with chronological age"))


def label(name: str, per: str = "") -> str:
    """A row's term in words: ``bmi_class: under 18.5`` becomes ``BMI class: under 18.5``."""
    first, colon, rest = name.partition(": ")
    one, times, other = first.partition(" x ")
    both = term(one) + (f" × {term(other)}" if times else "")
    return f"{both}{colon}{rest.replace(' x ', ' × ')}{f', per {per}' if per else ''}"


def per_words(row: Mapping) -> str:
    """What an estimate is given per, with the years of a standard deviation: ``1 SD (9.5 years)``."""
    sd = row.get("exposure_sd", math.nan)
    return row["per"] if pd.isna(sd) else f"{row['per']} ({sd:.1f} years)"


def covariates(names: str) -> str:
    """What a row is adjusted for, in words: ``age, tumour_purity`` becomes ``age, tumour purity``; "none" where nothing is."""
    return ", ".join(label(name).replace("_", " ") for name in names.split(", ") if name) or "none"


def spoken(text: str) -> str:
    """A text in which names of columns are written in words: ``sex × skin_type`` becomes ``sex × skin type``."""
    return NAMED.sub(lambda name: TERMS[name[0]], text)


def quality_rules(quality: Quality, action: str) -> str:
    """The rules with this action and their thresholds: "photo too small (160 px), ..."."""
    return ", ".join(
        f"{reason(name)} ({threshold(name, rule)})" for name, rule in quality if rule.action == action
    )


def threshold(name: str, rule: Rule) -> str:
    """From where on a rule catches a photo, with the unit: "160 px"."""
    return f"{plain(rule.threshold)}{UNITS_OF_RULES.get(name, '')}"


def measure_words(row: pd.Series | dict) -> str:
    """What a row's estimate is, with its time, unit and degrees of freedom: "survival at 2 years", "interaction chi-square, 3 df"."""
    words = row["measure"]
    if pd.notna(row["horizon"]):
        words += f" {'within' if row['measure'] in WITHIN else 'at'} {time_words(row['horizon'])}"
    if row["unit"]:
        words += f", {row['unit']}"
    return words + (f", {row['df']:g} df" if pd.notna(row["df"]) else "")


def why_not(cell: object) -> str:
    """The reasons why a row was not estimated, without saying that it was not."""
    return ", and ".join(said_of(one) for one in decode(cell) if one.status == NOT_ESTIMATED)


def sparse(cell: object) -> str:
    """The reasons why a row is to be interpreted with caution."""
    return "; ".join(said_of(one) for one in decode(cell) if one.status == SPARSE)


def hazard_sentence(cox: pd.DataFrame) -> str:
    """The survival answer of one cohort: age-adjusted first, then unadjusted."""
    own = cox[(cox.term == "face_age") & (cox.exposure == "face_age")]
    adjusted, raw = own[own.step == "+ age"], own[own.step == "unadjusted"]
    if not len(adjusted):
        return "Not estimated: no Cox model ran."
    row = adjusted.iloc[0]
    if pd.isna(row.estimate):
        return f"Face age and overall survival: {row.note}."
    sentence = (
        f"HR for death per {increase(row['per'])} in face age, adjusted for chronological age: {number(row.estimate)} "
        f"(95% CI {interval(row.ci_lower, row.ci_upper)}, p {p_equals(row.p_value)}; n = {count(row.n)}, {counted(row.n_events, 'event')})."
    )
    if caution := sparse(row.reason):
        sentence += f" Interpret with caution: {caution}."
    if len(raw) and pd.notna(raw.iloc[0].estimate):
        one = raw.iloc[0]
        sentence += f" Unadjusted: {with_ci(one.estimate, one.ci_lower, one.ci_upper)}."
    return sentence


def group_sentence(groups: pd.DataFrame) -> str:
    """Cancer against controls."""
    adjusted = groups[(groups.adjustment != "unadjusted") & groups.estimate.notna()]
    if not len(adjusted):
        why = groups.note[groups.note != ""]
        return f"Cancer and controls: {why.iloc[0] if len(why) else 'not run'}."
    row = adjusted.iloc[0]
    raw = groups[(groups.adjustment == "unadjusted") & (groups.term == row.term)].iloc[0]
    more, sign = ("higher", 1) if row.estimate >= 0 else ("lower", -1)
    bounds = interval(*sorted((sign * row.ci_lower, sign * row.ci_upper)), 1)
    return (
        f"Face age was {number(abs(row.estimate), 1)} years {more} in participants with cancer than in controls, adjusted for {covariates(row.covariates)} "
        f"(95% CI {bounds}, p {p_equals(row.p_value)}; n = {count(row.n)}). "
        f"Unadjusted difference of the age gap: {signed(raw.estimate)} years (95% CI {interval(raw.ci_lower, raw.ci_upper, 1)})."
    )


def agreement_sentence(rows: pd.DataFrame) -> str:
    """How far a second age model agrees with the first."""
    by_measure = {row.measure: row for row in rows.itertuples()}
    bias = by_measure["bias"]
    other = bias.reference
    if pd.isna(bias.estimate):
        return f"{bias.term} compared with {other}: {bias.note}."
    lower, upper = by_measure["lower limit of agreement"], by_measure["upper limit of agreement"]
    return (
        f"{bias.term} compared with {other}: bias {signed(bias.estimate, 1)} years (95% CI {interval(bias.ci_lower, bias.ci_upper, 1)}), "
        f"limits of agreement {signed(lower.estimate, 1)} to {signed(upper.estimate, 1)} years (n = {count(bias.n)})."
    )


def gene_sentence(panel: pd.DataFrame, gene: str) -> str:
    """The headline gene, whatever its p."""
    together = panel[(panel.term == gene) & (panel.model == "together")].drop_duplicates("exposure")
    by_exposure = together.set_index("exposure")
    known = by_exposure[by_exposure["estimate"].notna()]
    if "age_acceleration" not in by_exposure.index:
        return f"{gene}: not run, because the cohort has no RNA counts."
    row = by_exposure.loc["age_acceleration"]
    if pd.isna(row.estimate):
        return f"{gene}: {row.note}."
    method = f"; {leading}" if (leading := leading_method(row)) else ""
    sentence = (
        f"{gene}: log2 fold change {number(row.estimate)} per {increase(row['per'])} in age acceleration "
        f"(95% CI {interval(row.ci_lower, row.ci_upper)}, p {p_equals(row.p_value)}, q in the panel {p_equals(row.q_value)}; n = {count(row.n)}{method})"
    )
    if "chronological_age" in known.index:
        other = known.loc["chronological_age"]
        sentence += f"; {with_ci(other.estimate, other.ci_lower, other.ci_upper)} per {increase(other['per'])} in chronological age, in the same model"
    if "difference" in known.index:
        both = known.loc["difference"]
        sentence += f"; difference {number(both.estimate)} ({interval(both.ci_lower, both.ci_upper)}, p {p_equals(both.p_value)})"
    if disagree(row.get("reason")):
        prefix, name = second_method(row)
        sentence += f"; {name} disagrees: {signed(row[f'{prefix}_estimate'], 2)}, q in the panel {p_equals(row[f'{prefix}_q_value'])}"
    return sentence + "."


def second_method(row: Mapping) -> tuple[str, str]:
    """Of a row of genes the method that does not lead: how its columns begin, and its name."""
    return ("deseq2", "DESeq2") if str(row["method"]).startswith("limma") else ("voom", "limma-voom")


def disagree(cell: object) -> bool:
    """Whether the reasons of a row say that DESeq2 and limma-voom disagree."""
    return any(one.code == "methods_disagree" for one in decode(cell))


def leading_method(row: Mapping) -> str:
    """Of a row of genes the method that leads; "" where the row does not say."""
    method = str(row.get("method") or "")
    return ("limma-voom" if method.startswith("limma") else "DESeq2") if method else ""
