"""Numbers as they are printed."""

import math
import re
from collections.abc import Mapping
from typing import Any

import pandas as pd


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
    """A 95% CI: ``1.30–2.08``; with "to" where an end is negative."""
    ends = number(lower, digits), number(upper, digits)
    return (" to " if any(end.startswith(("−", "–")) for end in ends) else "–").join(ends)


def with_ci(estimate: float, lower: float, upper: float, digits: int = 2) -> str:
    """An estimate with its 95% CI: ``1.65 (1.30–2.08)``; without one alone."""
    known = lower is not None and upper is not None and not (math.isnan(lower) or math.isnan(upper))
    return number(estimate, digits) + (f" ({interval(lower, upper, digits)})" if known else "")


def in_brackets(row: Mapping, digits: int = 2, column: str = "") -> str:
    """Interval and p of a row in brackets, as they stand in a sentence; what the row lacks, as released tables may, is left out."""
    lower, upper, p = (row[f"{column}{name}"] for name in ("ci_lower", "ci_upper", "p_value"))
    said = [f"95% CI {interval(lower, upper, digits)}"] if pd.notna(lower) and pd.notna(upper) else []
    if pd.notna(p):
        said.append(f"p {p_equals(p)}")
    return f" ({', '.join(said)})" if said else ""


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


people = count


def increase(per: str) -> str:
    """The unit of an estimate as an adjective: ``10 years`` becomes ``10-year increase``, ``1 SD`` ``1-SD increase``."""
    size, _, unit = per.partition(" ")
    return f"{size}-{unit.removesuffix('s')} increase" if unit else per


def years(value: float) -> str:
    """``1 year``, ``2.5 years``."""
    return f"{value:g} year{'' if value == 1 else 's'}"


def time_words(years: float) -> str:
    """Years as months up to two years, as clinicians say them."""
    months = years * 12
    if years <= 2 and abs(months - round(months)) < 1e-6:
        return f"{months:.0f} months"
    return f"{years:g} years"


FILE = re.compile(r"(?:[^/\\]*[/\\])+[^/\\]+\.\w{1,6}")


def without_folders(value: Any) -> Any:
    """Settings with the names of files alone: folders tell user, machine and project."""
    if isinstance(value, dict):
        return {key: without_folders(one) for key, one in value.items()}
    if isinstance(value, list):
        return [without_folders(one) for one in value]
    if isinstance(value, str) and "://" not in value and FILE.fullmatch(value):
        return re.split(r"[/\\]", value)[-1]
    return value


def confidence_interval(lower: float, upper: float, digits: int = 2) -> str:
    """The bounds of a 95% CI: ``1.51–2.27``, and ``−0.30 to 2.10`` where a bound is negative; empty where one is missing."""
    return interval(lower, upper, digits) if math.isfinite(lower) and math.isfinite(upper) else ""
