"""Numbers, labels and sentences as they are printed, made from result rows."""

import math
import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from faceage_bio.core.results.reasons import NOT_ESTIMATED, SPARSE, decode

# Numbers as they are printed.


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


REASONS = {
    "": "", "missing_file": "file is gone", "not_a_file": "not a file", "no_permission": "file may not be read",
    "empty_file": "empty file", "not_an_image": "not an image", "damaged_image": "damaged image",
    "too_many_pixels": "more pixels than a photo has", "raw_file": "camera raw file: export all photos as JPEG",
    "cannot_be_read": "the system could not read the file", "out_of_memory": "too large for the memory",
    "implausible_age": "the model gave no plausible age", "not_computed": "the computation failed",
    "no_face": "no face found", "low_probability": "no certain face", "flat_crop": "blank crop",
    "small_photo": "photo too small", "small_face": "face too small", "multiple_faces": "several faces",
    "face_outside_frame": "face leaves the frame", "small_face_area": "small face area fraction",
    "large_yaw": "large yaw", "large_roll": "large roll", "dark": "face too dark", "bright": "face too bright",
    "low_contrast": "face without contrast", "blurred": "face blurred", "greyscale": "no colour",
    "low_confidence": "face uncertain", "high_sharpness": "too sharp for a photo", "uniform_area": "part of the face without shading",
    "pixelated": "face pixelated", "swapped_channels": "red and blue swapped", "dark_eyes": "eyes dark (sunglasses)", "upside_down": "face upside down",
    "corrupt_data": "damaged image data", "colour_mode": "1-bit, palette, CMYK or inverted file",
    "same_photo_of_another_subject": "same photo as another subject's",
    "nearly_same_photo_of_another_subject": "nearly the same photo as another subject's",
    "same_photo_twice": "same photo twice", "nearly_same_photo_twice": "nearly the same photo twice",
    "review_unsure": "a reviewer was not sure", "review_disagreement": "reviewers disagreed",
    "review_not_a_face": "on review: not a face", "review_wrong_person": "on review: wrong person",
    "review_occluded": "on review: face covered", "review_make_up_or_mask": "on review: make-up or costume",
    "review_turned": "on review: turned too far", "review_blurred": "on review: blurred", "review_cropped": "on review: cut off",
    "review_several_people": "on review: several persons", "review_artefact": "on review: artefact",
    "review_other": "on review: other",
    "outside_folder": "path leaves the folder", "not_in_manifest": "file not in the manifest", "no_photo": "no photo",
    "given": "face age given", "no_value": "face age missing", "no_face_age": "no face age", "no_age": "age not known",
    "too_few_for_a_line": "too few participants for a line", "no_acceleration": "no age acceleration",
    "outside_the_definition": "a covariate is missing, or the age lies beyond the curve", "no_nearest_photo": "no date to choose the photo by", "no_follow_up": "no follow-up",
    "repeated_sample": "sampled more than once", "other_tissue": "sample of another tissue",
    "added_library": "library added to another of the same specimen", "added_sample": "sample added to another of the same participant", "ended_before_the_photo": "follow-up ended before the photo", "followed_not_beyond_the_photo": "not followed beyond the photo",
    "entered_after_the_horizon": "entered after the horizon", "no_photo_date": "date of the photo not known",
    "photo_after_the_end_of_the_study": "photo after the end of the study",
    "entered_after_the_end_of_the_study": "entered after the end of the study", "no_time_zero": "time zero not known",
    "ended_before_time_zero": "observation ended before time zero",
    "not_observed_at_the_landmark": "no longer observed at the landmark",
    "too_few_cells": "too few cells of any type", "too_few_counts": "too few counts in every cell type",
    "no_cells_left": "no cell passed quality", "cell_without_donor": "no donor", "cell_without_type": "no cell type",
    "doublet": "doublets", "few_genes": "few genes", "many_mitochondrial": "mitochondrial", "no_counts": "no RNA counts", "rna_outlier": "outlying RNA sample",
    "sex_mismatch": "sex by RNA differs from the record",
}  # fmt: skip
TERMS = {
    "face_age": "face age", "chronological_age": "chronological age", "age_acceleration": "age acceleration",
    "face_ageing_rate": "face ageing rate", "interval_years": "interval between the photos",
    "age_gap": "age gap", "bmi": "BMI", "ecog": "ECOG", "bmi_class": "BMI class", "skin_type": "skin type", "pack_years": "pack-years",
}  # fmt: skip


def reason(code: str) -> str:
    """A reason code in words."""
    if code.startswith("missing_"):
        return f"{term(code.removeprefix('missing_')).replace('_', ' ')} not known"
    return REASONS.get(code, code.replace("_", " "))


def term(name: str) -> str:
    """A term in words."""
    return TERMS.get(name, name)


def label(name: str, per: str = "") -> str:
    """A row's term in words: ``bmi_class: under 18.5`` becomes ``BMI class: under 18.5``."""
    first, colon, rest = name.partition(": ")
    one, times, other = first.partition(" x ")
    both = term(one) + (f" × {term(other)}" if times else "")
    return f"{both}{colon}{rest}{f', per {per}' if per else ''}"


def per_words(row: Mapping) -> str:
    """What an estimate is given per, with the years of a standard deviation: ``1 SD (9.5 years)``."""
    sd = row.get("exposure_sd", math.nan)
    return row["per"] if pd.isna(sd) else f"{row['per']} ({sd:.1f} years)"


def covariates(names: str) -> str:
    """What a row is adjusted for, in words: ``age, tumour_purity`` becomes ``age, tumour purity``; "none" where nothing is."""
    return ", ".join(label(name).replace("_", " ") for name in names.split(", ") if name) or "none"


def spoken(text: str) -> str:
    """A text in which names of columns are written in words: ``sex × skin_type`` becomes ``sex × skin type``."""
    for name, said in TERMS.items():
        text = text.replace(name, said) if "_" in name else text
    return text


UNITS_OF_RULES = {"small_photo": " px", "small_face": " px", "large_yaw": "°", "large_roll": "°"}


def quality_rules(quality: dict, action: str) -> str:
    """The rules with this action and their thresholds: "photo too small (160 px), ..."."""
    return ", ".join(
        f"{reason(name)} ({rule['threshold']:g}{UNITS_OF_RULES.get(name, '')})"
        for name, rule in quality.items()
        if rule["action"] == action
    )


WITHIN = ("cumulative incidence", "restricted mean survival time", "difference of restricted mean survival time", "ratio of restricted mean survival time")  # fmt: skip


def measure_words(row: pd.Series | dict) -> str:
    """What a row's estimate is, with its time, unit and degrees of freedom: "survival at 2 years", "interaction chi-square, 3 df"."""
    words = row["measure"]
    if pd.notna(row["horizon"]):
        words += f" {'within' if row['measure'] in WITHIN else 'at'} {time_words(row['horizon'])}"
    if row["unit"]:
        words += f", {row['unit']}"
    return words + (f", {row['df']:g} df" if pd.notna(row["df"]) else "")


def with_measures(table: pd.DataFrame) -> list[dict]:
    """Rows for a template, the measure in words."""
    return [row | {"measure": measure_words(row)} for row in table.to_dict("records")]


def why_not(cell: object) -> str:
    """The reasons why a row was not estimated, without saying that it was not."""
    return " and ".join(str(one) for one in decode(cell) if one.status == NOT_ESTIMATED)


def sparse(cell: object) -> str:
    """The reasons why a row is to be interpreted with caution."""
    return "; ".join(str(one) for one in decode(cell) if one.status == SPARSE)


def hazard_sentence(cox: pd.DataFrame) -> str:
    """The survival answer of one cohort: age-adjusted first, then unadjusted."""
    own = cox[(cox.term == "face_age") & (cox.exposure == "face_age")]
    adjusted, raw = own[own.step == "+ age"], own[own.step == "unadjusted"]
    if not len(adjusted):
        return "Not estimated: no Cox model ran."
    row = adjusted.iloc[0]
    if pd.isna(row.estimate):
        return f"Whether face age predicts death was {row.note}."
    percent = (row.estimate - 1) * 100
    more = "higher" if percent >= 0 else "lower"
    sentence = (
        f"A {increase(row['per'])} in face age, adjusted for chronological age, was associated with a {abs(percent):.0f}% {more} hazard of death "
        f"(HR {number(row.estimate)}, 95% CI {interval(row.ci_lower, row.ci_upper)}, p {p_equals(row.p_value)}; "
        f"n = {count(row.n)}, {count(row.n_events)} events)."
    )
    if caution := sparse(row.reason):
        sentence += f" Interpret with caution: {caution}."
    if len(raw) and pd.notna(raw.iloc[0].estimate):
        one = raw.iloc[0]
        sentence += f" Unadjusted HR {number(one.estimate)} ({interval(one.ci_lower, one.ci_upper)})."
    return sentence


def group_sentence(groups: pd.DataFrame) -> str:
    """Cancer against controls."""
    adjusted = groups[(groups.adjustment != "unadjusted") & groups.estimate.notna()]
    if not len(adjusted):
        why = groups.note[groups.note != ""]
        return f"Cancer against controls: {why.iloc[0] if len(why) else 'not run'}."
    row = adjusted.iloc[0]
    raw = groups[(groups.adjustment == "unadjusted") & (groups.term == row.term)].iloc[0]
    more = "higher" if row.estimate >= 0 else "lower"
    return (
        f"Face age was {number(abs(row.estimate), 1)} years {more} in participants with cancer than in controls of the same age "
        f"(95% CI {interval(row.ci_lower, row.ci_upper, 1)}, p {p_equals(row.p_value)}; n = {count(row.n)}). "
        f"Unadjusted difference of the age gap: {signed(raw.estimate)} years (95% CI {interval(raw.ci_lower, raw.ci_upper, 1)})."
    )


def agreement_sentence(rows: pd.DataFrame) -> str:
    """How far a second age model agrees with the first."""
    by_measure = {row.measure: row for row in rows.itertuples()}
    bias = by_measure["bias"]
    other = bias.reference
    if pd.isna(bias.estimate):
        return f"{bias.term} against {other}: {bias.note}."
    lower, upper = by_measure["lower limit of agreement"], by_measure["upper limit of agreement"]
    return (
        f"{bias.term} against {other}: bias {signed(bias.estimate, 1)} years (95% CI {interval(bias.ci_lower, bias.ci_upper, 1)}), "
        f"limits of agreement {signed(lower.estimate, 1)} to {signed(upper.estimate, 1)} years (n = {count(bias.n)})."
    )


def gene_sentence(panel: pd.DataFrame, gene: str) -> str:
    """The headline gene, whatever its p."""
    together = panel[(panel.term == gene) & (panel.model == "together")].drop_duplicates("exposure")
    by_exposure = together.set_index("exposure")
    if "age_acceleration" not in by_exposure.index:
        return f"{gene}: not run, because the cohort has no RNA counts."
    row = by_exposure.loc["age_acceleration"]
    if pd.isna(row.estimate):
        return f"{gene}: {row.note}."
    sentence = (
        f"{gene}: log2 fold change {number(row.estimate)} per {increase(row['per'])} in age acceleration "
        f"(95% CI {interval(row.ci_lower, row.ci_upper)}, p {p_equals(row.p_value)}, q in the panel {p_equals(row.q_value)}; n = {count(row.n)}{_by(row)})"
    )
    if "chronological_age" in by_exposure.index and pd.notna(by_exposure.estimate["chronological_age"]):
        other = by_exposure.loc["chronological_age"]
        sentence += f"; {number(other.estimate)} ({interval(other.ci_lower, other.ci_upper)}) per {increase(other['per'])} in chronological age, in the same model"
    if "difference" in by_exposure.index and pd.notna(by_exposure.estimate["difference"]):
        both = by_exposure.loc["difference"]
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


def _by(row: Mapping) -> str:
    return f"; {leading_method(row)}" if leading_method(row) else ""
