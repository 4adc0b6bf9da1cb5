"""The prespecified genes one by one: under other models, and a card each with partial residuals, estimate per model and sets."""

import pandas as pd

from faceage_bio.analyses.survival.gene_hazards import question_of
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, AGE_GAP, MAIN_MODEL, SAMPLE_LEFT_OUT
from faceage_bio.core.config import Config
from faceage_bio.core.settings.settings_genes import Expression
from faceage_bio.core.tables import to_records
from faceage_bio.intake.rna.gene_sets import shipped_sets
from faceage_bio.report import figures
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.plot import VERMILLION, VIOLET, WIDTH, Scale, dots, line, svg, text
from faceage_bio.report.sections_genes import by_analysis, held
from faceage_bio.report.tables_by_place import ReportTables, first_of
from faceage_bio.report.words import covariates, interval, number, signed

FOLD, MEDIATED = "log2 fold change", "mediated log2 fold change"
HEIGHT, LEFT, TOP, GAP, FOOT = 200, 46, 8, 34, 36
PANELS = (
    (AGE_ACCELERATION, "Age acceleration, years", VERMILLION),
    (AGE, "Chronological age, years", VIOLET),
)
DRAWN = ["exposure", "bin_centre", "estimate", "ci_lower", "ci_upper"]
WAYS = {1: "increases", -1: "decreases", 0: "direction not stated"}
# lines of a card: words, model, exposure
ESTIMATES = [
    ("age acceleration, adjusted for age", "together", AGE_ACCELERATION),
    ("age, adjusted for age acceleration", "together", AGE),
    ("difference of the two", "together", "difference"),
    ("age acceleration alone", "alone", AGE_ACCELERATION),
    ("age gap alone, not adjusted for age", "unadjusted age gap", AGE_GAP),
]


def sensitivity_section(tables: ReportTables, name: str, config: Config) -> list[dict]:
    """One part per analysis; the headline gene in front, the other genes below."""
    table = tables.get("expression", "sensitivity", name)
    return [_part(own, analysis, config.expression) for analysis, (own,) in by_analysis(table)]


def _part(table: pd.DataFrame, analysis: str, settings: Expression) -> dict:
    gene = settings.panel[0]
    folds = table[table.measure.isin([FOLD, MEDIATED])]
    own = folds[folds.term == gene]
    shown = own[own.measure == FOLD].assign(kind=gene)
    title = f"Log2 fold change of {gene} per {{per}} of age acceleration"
    # of the others the table of the first gene gives the reason
    variants = list(dict.fromkeys(folds["variant"][folds["estimate"].notna()]))
    by_gene = folds.groupby("term", sort=False)
    others = {term: rows.set_index("variant").to_dict("index") for term, rows in by_gene}
    return {
        "analysis": analysis,
        "gene": gene,
        "rows": to_records(own.assign(held=own.covariates.map(covariates))),
        "figure": figures.forest(shown, "variant", [(gene, VERMILLION)], 0, title),
        "left_out": left_out_sentence(table, gene),
        "mediation": mediation_sentence(own, settings.mediator),
        "variants": variants,
        "genes": [(term, [rows.get(variant) for variant in variants]) for term, rows in others.items()],
    }


def left_out_sentence(table: pd.DataFrame, gene: str) -> str:
    """How far any single sample carries the estimate, of which none is named; empty where it was not run."""
    rows = table[(table.term == gene) & (table.variant == SAMPLE_LEFT_OUT) & table.estimate.notna()]
    found = dict(zip(rows["measure"], rows["estimate"], strict=True))
    if not found:
        return ""
    low, high = found[f"lowest {FOLD}"], found[f"highest {FOLD}"]
    change, leverage = found["largest change in standard errors"], found["largest leverage"]
    cook = found["largest Cook's distance"]
    return (
        f"Leaving out any one sample, the estimate is between {signed(low, 2)} and {signed(high, 2)}; the largest change is "
        f"{number(change)} standard errors (largest Cook's distance {number(cook)}, largest leverage {number(leverage)})."
    )


def mediation_sentence(rows: pd.DataFrame, mediator: str | None) -> str:
    """What goes by way of the mediator, and on what that rests."""
    ways = rows[(rows.measure == MEDIATED) & rows.estimate.notna()]
    if not mediator or not len(ways):
        return ""
    part, whole = ways.iloc[0], rows.set_index("variant").loc[f"without {mediator}"]
    return (
        f"If {mediator} is a mediator, {signed(part.estimate, 2)} ({interval(part.ci_lower, part.ci_upper)}) of "
        f"{signed(whole.estimate, 2)} log2 per {part.per} of age acceleration is mediated. This assumes that age acceleration precedes {mediator}, "
        f"no unmeasured confounding of {mediator} with the gene or with age acceleration, and additive effects. If {mediator} is a confounder "
        "instead, the model adjusted for it applies."
    )


def partial_residual_figure(bins: pd.DataFrame, gene: str) -> Picture:
    """Means with 95% CIs over both ages on one scale, and the line through the means by least squares weighted by n.

    Parameters
    ----------
    bins : DataFrame with exposure, bin_centre, estimate, ci_lower, ci_upper, n
    """
    ends = bins["ci_lower"].min(), bins["ci_upper"].max()
    pad = 0.05 * max(ends[1] - ends[0], 1e-9)
    inner, bottom = (WIDTH - LEFT - GAP) / 2, HEIGHT - FOOT
    up = Scale(ends[0] - pad, ends[1] + pad, bottom, TOP)
    marked = (ends[0], 0, ends[1]) if ends[0] < 0 < ends[1] else ends
    parts = [text(12, (TOP + bottom) / 2, "Log2, adjusted", "middle", turned=True)]
    parts += [text(LEFT - 5, up(value) + 4, number(value, 1), "end") for value in marked]
    for place, (exposure, title, colour) in enumerate(PANELS):
        mine = bins[bins["exposure"] == exposure]
        if len(mine) < 2:
            continue
        start = LEFT + place * (inner + GAP)
        first, last = mine["bin_centre"].min(), mine["bin_centre"].max()
        across = Scale(first, max(last, first + 1e-9), start + 8, start + inner - 8)
        x, y = across(mine["bin_centre"].to_numpy(float)), up(mine["estimate"].to_numpy(float))
        lower, upper = (up(mine[end].to_numpy(float)) for end in ("ci_lower", "ci_upper"))
        slope, level = _line(mine)
        bars = "".join(
            f"M{at:.5g} {low:.5g}V{high:.5g}" for at, low, high in zip(x, lower, upper, strict=True)
        )
        parts += [
            line(f"M{start:g} {TOP}V{bottom}H{start + inner:g}", opacity=0.5),
            line(f"M{start:g} {up(0):.5g}h{inner:g}", opacity=0.35, dash="2 3") if len(marked) == 3 else "",
            line(f"M{across(first):.5g} {up(level + slope * first):.5g}L{across(last):.5g} {up(level + slope * last):.5g}", colour, 1.5, 0.7),
            line(bars, colour, 1.5), dots(x, y, 3, colour, 1),
            *(text(across(end), bottom + 14, number(end, 0), "middle") for end in (first, last)),
            text(start + inner / 2, bottom + 29, title, "middle"),
        ]  # fmt: skip
    label = f"{gene}: mean partial residuals in groups of samples by age acceleration and by age"
    return svg(label, WIDTH, HEIGHT, parts, bins[DRAWN])


def _line(bins: pd.DataFrame) -> tuple[float, float]:
    """Slope and level of least squares through the means, each weighted by its n."""
    weight = bins["n"] / bins["n"].sum()
    centre, level = (weight * bins["bin_centre"]).sum(), (weight * bins["estimate"]).sum()
    away = bins["bin_centre"] - centre
    spread = (weight * away**2).sum()
    slope = float((weight * away * (bins["estimate"] - level)).sum() / spread) if spread > 0 else 0.0
    return slope, float(level - slope * centre)


def gene_cards(tables: ReportTables, name: str, config: Config) -> list[dict]:
    """Cards of each analysis; every number is read from the cohort's tables."""
    binned, panel, varied = tables.several("expression", name, "partial_residuals", "panel", "sensitivity")
    deaths = tables.get("survival", "gene_panel", name)
    sets = {set_name: one.directions for set_name, one in shipped_sets().items()}
    parts = []
    for analysis, mine in by_analysis(binned, panel, varied):
        mine.append(deaths[deaths.question == question_of(analysis)])
        genes = dict.fromkeys(mine[0]["term"])
        cards = [_card(gene, *(table[table.term == gene] for table in mine), sets) for gene in genes]
        parts.append({"analysis": analysis, "cards": cards})
    return parts


def _card(
    gene: str,
    binned: pd.DataFrame,
    panel: pd.DataFrame,
    varied: pd.DataFrame,
    deaths: pd.DataFrame,
    sets: dict,
) -> dict:
    shown = binned[binned.estimate.notna() & binned.n.notna()]
    survival = first_of(deaths.assign(held=[held(row) for _, row in deaths.iterrows()]))
    return {
        "gene": gene,
        "figure": partial_residual_figure(shown, gene) if len(shown) else "",
        "why": next(filter(None, binned.note), ""),
        "estimates": _estimates(panel, first_of(varied, variant=MAIN_MODEL, measure=FOLD)),
        "survival": survival,
        "left_out": left_out_sentence(varied, gene),
        "sets": [f"{name} ({WAYS[ways[gene]]})" for name, ways in sets.items() if gene in ways],
    }


def _estimates(panel: pd.DataFrame, main: dict | None) -> list[dict]:
    """Rows of the card's table: DESeq2's method and limma-voom in each model, and least squares in the joint one."""
    rows = []
    for spoken, model, exposure in ESTIMATES:
        found = first_of(panel, model=model, exposure=exposure)
        if found is None:
            continue
        keys = ("estimate", "ci_lower", "ci_upper", "p_value")
        both = {
            method: {"note": ""} | {key: found.get(f"{method}_{key}", float("nan")) for key in keys}
            for method in ("deseq2", "voom")
        }
        joint = model == "together" and exposure == AGE_ACCELERATION
        rows.append({"spoken": spoken, "first": found, **both, "third": main if joint else None})
    return rows
