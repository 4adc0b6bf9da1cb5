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
    "no_follow_up": "nobody has follow-up",
    "no_complete_cases": "nobody has follow-up and all covariates",
    "no_value": "nobody has a value",
    "constant": "{column} does not vary",
    "makes_strata": "{column} makes the strata",
    # statistics
    "singular_terms": "too few participants carry the terms that are tested together",
    "too_few_rows": "{n} rows are too few for {parameters} terms",
    "collinear": "{columns} follows from the other terms",
    "one_row_decides": "one row alone determines a term; leave out groups of one",
    "no_residual": "the outcome follows exactly from the terms, or does not vary",
    "small_group": "a group has fewer than {needed} participants",
    "values_constant": "the values do not vary",
    "too_few_values": "fewer than {needed} values",
    "too_few_pairs": "a correlation needs {needed} pairs that vary",
    "too_few_varying": "a spread needs {needed} values that vary",
    "constant_group": "the values of a group do not vary",
    "perfect_correlation": "a correlation is exactly 1 or −1",
    "nothing_to_count": "there is nothing to count",
    "nothing_in_common": "they judged nothing in common",
    "one_answer": "both gave one and the same answer throughout",
    "too_few_pairs_to_agree": "agreement needs {needed} pairs whose differences and means vary",
    "no_repeats": "no participant was measured twice",
    "too_few_repeats": "{n} participants measured {times} times are too few (at least {needed})",
    "missing_measurement": "a measurement is missing",
    "constant_measurements": "participants or their measurements do not vary",
    "group_without_value": "no participant of one of the groups has a value",
    "constant_within_groups": "the values do not vary within the groups",
    "no_pair_differs": "no pair differs",
    "too_few_distinct": "a spline needs more than {distinct} distinct values, spread over the range",
    "unreliable": "measurement error leaves a reliability of {reliability}, and below {needed} a correction is mostly noise",
    "simex_variance": "SIMEX gives no positive variance",
    "too_few_for_curve": "{n} participants with both ages are too few for a curve (at least {needed})",
    "no_spread_about_curve": "the values lie on the curve, without any spread",
    "no_convergence": "{model} did not converge",
    "too_few_points": "{n} points are too few for a local curve",
    "too_few_distinct_values": "too few distinct values for a local curve",
    "unfit_covariance": "{conditions} conditions x {readers} readers do not fit a covariance of {shape}",
    "two_conditions_two_readers": "it takes two conditions and two readers",
    "constant_differences": "the readers' accuracies differ between the conditions by nothing or all alike",
    "two_readers": "a mean of readers takes two of them",
    "constant_readers_and_cases": "neither readers nor cases vary",
    # age acceleration
    "no_ages": "no participant has both ages",
    "other_participants": "face ages and chronological ages are of different participants",
    "missing_age": "an age is missing",
    "too_few_for_line": "{n} participants with both ages are too few for a line (at least {needed})",
    "too_few_ages": "fewer than {needed} distinct chronological ages",
    "no_column": "the table has no column '{column}'",
    "too_few_for_terms": "{n} participants with all covariates are too few for {parameters} terms",
    "no_recorded_sex_of_participants": "no participant is known to be female or male",
    "too_few_of_sex": "{sex}: {n} participants are too few, or do not vary",
    "no_norm_of_sex": "no normative model could be fitted for {sex}",
    "face_size_unknown": "the size of the faces is not known",
    "none_left": "no participant is left",
    "no_two_dated_photos": "no participant has two dated photos",
    "too_few_dated_photos": "too few participants have two dated photos",
    "not_numeric": "{column} is no column of numbers",
    "absent_column": "{column} is no column of the table",
    "outcome_or_exposure_constant": "{column} or age acceleration does not vary",
    "no_complete_values": "no participant has all values",
    "reliability_unknown": "the reliability of a photo is not known",
    "no_follow_up_after_second_photo": "no participant is followed beyond a second dated photo",
    "constant_rate": "the rate does not vary",
    # phenotypes
    "no_value_of": "no participant has a value of {column}",
    "no_group": "no group has {needed} participants",
    "one_value": "one participant alone has a value",
    "one_level": "all {n} participants have the same value",
    "one_named_level": "all {n} participants have the same value ({level})",
    "no_disease_column": "no table has the column {column} (cancer or reference), so disease status is not known",
    "constant_in_groups": "the values do not vary among groups of 2 and more",
    "empty_group_imputed": "a group is empty in one of the completed tables",
    "words_not_amounts": "{column} holds words, not amounts",
    "no_u_shape": "a U shape is not supported (quadratic term {coefficient}, p = {p})",
    "few_distinct_values": "{column} has fewer than {needed} distinct values",
    "vertex_outside": "the curve's lowest point lies beyond the middle 95% of participants ({low} to {high})",
    "many_groups": "{groups} groups are more than {most}; join some of them in a column of its own",
    "many_products": "more than {most} groups are too many for product terms",
    "constant_or_unknown": "{column} does not vary or no participant has a value",
    "small_crossing": "{exposure} and {modifier} cross in a group of fewer than {needed} participants",
    "few_pairs": "{n_pairs} pairs are too few; {needed} are needed (a wider caliper finds more)",
    "needs_two_groups": "pairs need two groups, and {column} has {groups}",
    "undefined_difference": "a group has too few participants with a value, or none differs",
    # fairness
    "no_known_age": "no age is known",
    "all_alike": "all {n} have the same value",
    "no_column_of_groups": "the clinical table has no column '{column}'",
    "not_groups": "'{column}' has {values} values, which are no groups; give it in classes",
    "age_or_error_constant": "age or error does not vary",
    "groups_of_age": "the groups differ in age by definition",
    "age_in_correlation": "a correlation with age has age in it",
    # readers and reviewers
    "no_case_judged": "no case of known status was judged by all the readers",
    "too_few_cases": "fewer than {needed} cases count",
    "no_photo_in_common": "they looked at no photo in common",
}
SPARSE_DATA = {  # a number that is to be interpreted with caution
    "few_events_per_variable": "only {ratio} deaths per term",
    "few_clusters": "only {n_clusters} clusters, so intervals may be too short",
    # fairness
    "few": "sparse data: fewer than {needed} {what}; interpret with caution",
}
REMARKS = {  # what a reader should know of a number
    "complete_cases": "complete cases only",
    "without_missing": "without {columns}, which nobody has",
    "without_constant": "without {columns}, which does not vary",
    # age acceleration and phenotypes
    "without_sex": "without participants of sex {sex}, for whom it could not be estimated",
    "without_single": "without the one participant with {column} {level}",
    "without_groups_of_one": "without {n_excluded} participants of groups of one",
    "imputed": "{n_missing} of {n} participants had missing values",
    "nothing_missing": "nothing was missing",
    "no_groups": "no participant has an age acceleration",
    "no_tertiles": "too many participants share an age acceleration for three groups",
    # readers
    "no_pair_wrong": "no interval, because no pair of cases is rated the wrong way round",
    "died_only": "legacy: leaves out cases alive when last seen",
    "fixed_cases": "legacy: cases count as fixed; with {readers} readers p cannot be below {smallest_p}",
    "below_chance": "below chance: is the direction of the answers (yes = alive; rating_of) right?",
    "without_readers": "without {readers}, who judged fewer than half of the cases there",
    "judged_by_all": "{n} of {n_judged} cases: those that all readers judged",
    "rated_by_model": "{n} of {n_judged} cases: those that the model rated",
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
