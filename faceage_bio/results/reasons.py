"""Why a result is missing, sparse or remarkable: codes with parameters in tables, words on pages and in messages.

In a table the column ``reason`` holds ``few_events n_events=3 needed=5; complete_cases``. Parameters whose names are those of counts
(`is_count`) are counts of participants, samples, photos or events, which the release rule rounds; others are settings and names.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

NOT_ESTIMATED, SPARSE, OK = "not_estimated", "sparse", "ok"
STATUSES = (NOT_ESTIMATED, SPARSE, OK)  # the first of those that a row's reasons give is the row's

# code: words with the parameters in braces; the prefix of a code is no part of its meaning, the section is
WHY_NOT = {  # no number is given
    "unspecified": "{text}",
    "few_events": "{n_events} deaths are too few; a hazard ratio needs at least {needed}",
    "no_follow_up": "no participant has follow-up",
    "no_complete_cases": "no participant has follow-up and all covariates",
    "no_value": "no participant has a value",
    "constant": "{column} does not vary",
    "makes_strata": "{column} makes the strata",
    # genes: the counts and the design
    "gene_absent": "the counts do not have it",
    "gene_without_counts": "no sample has a count of it",
    "gene_low_counts": "its counts are too low",
    "gene_absent_or_low": "the counts do not have it, or too few of it",
    "not_tested": "it was not tested",
    "no_gene_with_counts": "no gene has {min_count} counts in {min_samples} samples",
    "no_counts": "no gene has any counts",
    "samples_without_counts": "{n_samples} samples have no counts at all",
    "each_gene_has_a_zero": "every gene has a sample without counts, so size factors by median of ratios do not exist",
    "no_sample": "no sample is left",
    "too_few_samples": "{n} samples are too few; there must be at least {needed}",
    "too_few_samples_for_model": "{n} samples are too few for {parameters} parameters; there must be at least {needed}, or fewer covariates",
    "too_few_for_bins": "{n} participants are too few for two groups",
    "no_age_column": "the analysis table has no {column}",
    "constant_or_missing": "{column} does not vary, or no participant has a value",
    "follows_from": "{column} follows from {other}: the samples do not tell {own} and {other} apart (such as one {own} for each {other}); leave one out",
    "follows_from_covariates": "{column} follows from the other covariates; leave it out",
    "single_sample_term": "one sample alone determines a term; leave out groups of one",
    "gene_not_converged": "its fit did not converge",
    "several_samples_not_compared": "models are not compared where participants have several samples",
    "too_few_repeated_samples": "a correlation within participants needs several of them, some with several samples",
    "too_few_points": "{n} points are too few for a local curve",
    "too_few_distinct_values": "too few distinct values for a local curve",
    "no_dispersion": "no gene varies more than counts do by chance, so that there is no dispersion to model",
    "too_few_genes_for_trend": "too few genes for a trend",
    "dispersions_not_positive": "fitted dispersions are not positive",
    "trend_not_positive": "the parametric trend has a coefficient that is not positive",
    "trend_not_converged": "the parametric trend did not converge",
    "too_few_directions": "the residuals have fewer than {needed} directions",
    "too_few_participants": "{n} participants are too few (at least {needed})",
    "no_spread_about_curve": "the values lie on the curve, without any spread",
    "location_scale_not_converged": "the model of mean and standard deviation did not converge",
    "not_given": "not given",
    "column_not_given": "not given: no table has a column {columns}",
    "values_constant": "the values do not vary",
    "group_of_one": "a group has fewer than 2 participants",
    # genes: sets
    "low_coverage": "{share} of its genes have enough counts, and {needed} are needed",
    "no_gene_of_set_tested": "none of its genes was tested",
    "no_gene_found": "no gene has q below {q}",
    # genes: samples and cells
    "no_sex_genes": "the counts have no {genes}",
    "no_recorded_sex": "no sample has a recorded sex",
    "no_gene_varies": "no gene has enough counts and varies",
    "values_all_different": "nearly every participant has a value of their own",
    "no_variation": "it does not vary",
    "terms_follow": "its terms follow from each other",
    "too_few_samples_for_terms": "{n} samples are too few for {terms} terms",
    "no_batch": "the samples table names no batch",
    "one_batch": "all samples are of one batch",
    "known_in_one_batch": "those with a value are of one batch",
    "batches_of_one": "nearly every sample is a batch of its own",
    "too_few_donors": "{n_donors} of {n} donors have cells of it, and {needed} are needed",
    "one_cell_type": "shares need at least two cell types that enough donors have",
    # genes: survival
    "no_follow_up_with_sample": "no participant has follow-up, a sample and all covariates",
    "rows_differ": "the rows of the exposures are not those of the covariates",
    "too_few_events_for_terms": "{n_events} deaths are too few for {terms} term(s)",
    "gene_missing_values": "it has missing values",
    "separates_events": "it separates those who died from those who did not",
    "not_determined": "it does not vary among those at risk, or follows from the covariates",
    # genes: variants
    "no_variant": "the genotypes have no variant of it",
    "no_rare_variant": "none of its variants is rare and passed the filters",
    "too_few_carriers": "fewer than {needed} participants carry a rare variant of it",
    "too_few_carriers_of_variant": "fewer than {needed} participants carry it",
    "no_variant_varies": "no variant varies given the other terms",
    "term_follows": "a term of the model follows from the others",
    "outcome_follows": "the outcome follows exactly from the terms, or does not vary",
    "bad_weights": "a sum of chi-squares needs finite weights, one of them positive",
    "integral_not_converged": "the integral of a sum of chi-squares did not converge",
}
SPARSE_DATA = {  # a number that is to be interpreted with caution
    "few_events_per_variable": "sparse data: {n_events} deaths for {terms} terms, fewer than {needed} deaths per term",
    "few_clusters": "only {n_clusters} clusters, so intervals may be too short",
}
REMARKS = {  # what a reader should know of a number
    "complete_cases": "complete cases only",
    "without_missing": "without {columns}, which no participant has",
    "without_constant": "without {columns}, which does not vary",
    # genes
    "outlying_count": "no p-value, because a single outlying count decides its result",
    "dispersion_trend": "dispersions by a {kind} trend, because the parametric one did not fit",
    "none_flagged": "no sample is flagged, so this is the main model",
    "if_mediator": "if {mediator} is a mediator; percentile bootstrap, {bootstraps} resamples",
    "unbounded_ratio": "all genes of the set were found, or all found genes are of it, so the ratio has no end",
    "no_interval": "interval not estimated, because there are fewer than 2 values or they do not vary",
    "inseparable_from_batch": "batch and {column} cannot be told apart",
    "sampling_time_unknown": "time of sampling not known, taken as time zero",
    "sampling_time_unknown_of": "time of sampling not known of {n} participants, taken as time zero",
    "sampled_after_end": "without {n} participants sampled at or after the end of their follow-up",
}
WORDS = WHY_NOT | SPARSE_DATA | REMARKS


@dataclass(frozen=True)
class Reason:
    """A code and its parameters; a list of names is one parameter."""

    code: str
    parameters: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        WORDS[self.code].format(
            **self.parameters
        )  # an unknown code or a missing parameter is a bug that shows at once

    def __str__(self) -> str:
        return WORDS[self.code].format(**{name: _said(value) for name, value in self.parameters.items()})

    @property
    def status(self) -> str:
        """What the reason makes of its row."""
        return NOT_ESTIMATED if self.code in WHY_NOT else SPARSE if self.code in SPARSE_DATA else OK

    @property
    def encoded(self) -> str:
        """The reason as a table holds it."""
        parts = (f"{name}={quote(_said(value), safe=SAFE)}" for name, value in self.parameters.items())
        return " ".join((self.code, *parts))


SAFE = ",.:+-_/()<>|*^[]{}"  # all that separates nothing
JOIN = "; "


def reason(code: str, **parameters: object) -> Reason:
    """A reason by its code.

    Raises
    ------
    KeyError
        No such code, or a parameter of its words is not given.
    """
    return Reason(code, parameters)


def encode(reasons: Iterable["Reason | None"]) -> str:
    """The cell of the column ``reason``; "" where there is nothing to say."""
    return JOIN.join(dict.fromkeys(one.encoded for one in reasons if one is not None))


def decode(cell: object) -> list[Reason]:
    """The reasons of a cell; parameters are text."""
    if not isinstance(cell, str) or not cell:
        return []
    found = []
    for part in cell.split(JOIN):
        code, *pairs = part.split(" ")
        parameters = dict(pair.split("=", 1) for pair in pairs)
        found.append(Reason(code, {name: unquote(value) for name, value in parameters.items()}))
    return found


def status_of(cell: object) -> str:
    """The status that a row's reasons give it."""
    given = {one.status for one in decode(cell)}
    return next((status for status in STATUSES if status in given), OK)


def in_words(cell: object) -> str:
    """A cell of ``reason`` in words: "not estimated, because ..." or the remarks."""
    reasons = decode(cell)
    missing = [str(one) for one in reasons if one.status == NOT_ESTIMATED]
    remarks = [str(one) for one in reasons if one.status != NOT_ESTIMATED]
    return "; ".join([*([f"not estimated, because {' and '.join(missing)}"] if missing else []), *remarks])


def _said(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
