"""Why a result is missing, sparse or remarkable: codes with parameters in tables, words on pages and in messages.

In a table the column ``reason`` holds ``few_events n_events=3 needed=5; complete_cases``. Parameters whose
names are those of counts (`is_count`) are counts of participants, samples, photos or events, which the
release rule rounds; others are settings and names.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from faceage_bio.core.columns import column_words

NOT_ESTIMATED, SPARSE, OK = "not_estimated", "sparse", "ok"
COLUMNS = ("reason", "raw_reason")  # of the result tables
STATUSES = (NOT_ESTIMATED, SPARSE, OK)  # the first of those that a row's reasons give is the row's

# code: words with the parameters in braces
WHY_NOT = {  # no number is given
    "few_events": "{n_events} deaths are too few; a hazard ratio needs at least {needed}",
    "no_acceleration_of_followed": "none of {n} participants with follow-up has age acceleration, which needs at least {needed} participants with both ages, not all of one age",
    "no_usable_follow_up": "no participant with age acceleration has follow-up",
    "no_complete_cases": "no participant has follow-up and all covariates",
    "no_value": "no participant has a value",
    "no_value_of": "no participant has a value of {column}",
    "constant": "{column} does not vary",
    "constant_in": "{column} does not vary in {level}",
    "makes_strata": "{column} makes the strata",
    "too_few_rows": "{n} rows are too few for {parameters} terms",
    "unknown_option": "{option} {value!r} is unknown; use one of {known}",
    # Cox models
    "few_events_for_terms": "{n_events} deaths are too few for {terms} terms",
    "few_clusters_for_terms": "{n_clusters} clusters are too few for robust errors of {terms} terms",
    "few_event_times": "the deaths are too few, or at too few times, to test whether {columns} changes over time",
    "few_times_for_a_curve": "{n_times} times of death are too few for a curve over time",
    "no_events": "there was no death",
    "no_control_genes": "the RNA has no genes outside of the set, with which it is compared",
    "no_error_of_mean": "all participants of a group died at one time, so that the estimate has no error",
    "separated": "{columns} separates those who died from those who did not, so its hazard ratio has no end",
    "unbounded_hazard_ratio": "its hazard ratio may be anything from 0 to infinity: it nearly follows from the other terms, or one of its units is far too large",
    "separated_by_cause": "{columns} separates those who died of this cause from the others, so its hazard ratio has no end",
    "determined": "{columns} does not vary or follows from the other terms",
    "combination_of": "{column} follows from {others}",
    "constant_at_risk": "{column} does not vary among those at risk at the deaths",
    "determined_at_risk": "{column} follows from the other terms among those at risk at the deaths",
    "few_rows_for_robust_errors": "{n} rows are too few for robust errors, which would be 0",
    "no_logarithm_of_zero": "a follow-up ends at time 0, which has no logarithm",
    "same_ages": "face age and chronological age do not differ",
    "not_converged": "Cox's model did not converge: {columns} still moved",
    "not_converged_in_steps": "the model did not converge in {steps} steps",
    "singular_information": "the model did not converge (its information is singular)",
    "firth_not_converged": "Firth's penalised likelihood of {columns} did not converge",
    "firth_not_robust": "Firth's penalised likelihood has no robust errors; leave out the clusters or the penalty",
    "penalised_models": "penalised models have no likelihood-ratio test against each other; their p-values are one per term",
    "different_rows": "two models can only be compared on identical rows: times, deaths, entries, weights and strata; fit both to those who have all covariates of the larger one",
    "not_nested": "the model with {smaller} is not part of the model with {larger}, so no likelihood-ratio test compares them",
    "no_terms": "a model without terms has no hazard ratio to test",
    "unknown_term": "the model has no term {columns}; it has {known}",
    "lacks_terms": "the table has no column {columns} of the model",
    "needs_strata": "the model has strata, so the stratum of each participant is needed",
    "unknown_stratum": "the model has no stratum {strata}",
    "unequal_rows": "{part} has {n} rows and the design {n_design}",
    "other_rows": "the rows of {part} are not those of {whole}",
    "missing_values": "{columns} has missing or infinite values",
    "missing_label": "the {label} of a participant is missing",
    "missing_event": "of a participant it is not known whether the follow-up ended with the event",
    "bad_time": "a time of follow-up is missing or {limit}",
    "bad_event": "an event is missing or neither 0 nor 1",
    "bad_weight": "a weight is missing or not positive",
    "bad_risk": "a predicted risk is missing or not between 0 and 1",
    "late_start": "observation of a participant starts at or after its end",
    "clusters_not_permuted": "errors are robust against clusters, within which exposures cannot be permuted freely",
    "few_permutations": "only {permutations} permutations could be fitted, and {needed} are needed",
    # survival
    "fewer_events": "fewer than {needed} participants died",
    "few_events_in_group": "fewer than {needed} died in the subgroup",
    "few_levels": "fewer than 2 groups have {needed} deaths",
    "many_levels": "{column} has {levels} levels, more than {most}",
    "few_events_in_period": "a period of follow-up has {n_events} deaths; declare other survival.split_years",
    "few_events_by_then": "fewer than {needed} had died by then",
    "few_followed_then": "fewer than {needed} were still followed then",
    "few_at_all_times": "too few had died or were followed at each of the times",
    "late_entry": "a participant enters late, which {method} does not allow for",
    "subgroup_unknown": "it is not known of which participants this holds",
    "no_missing": "no participant lacks a covariate; the complete cases are all participants",
    "empty_level_imputed": "a group is empty in one of the completed tables",
    "no_cause": "no cause of death is known; give the clinical table a column '{column}' ({known})",
    "no_death_of_cause": "no participant died of {cause}",
    "no_other_cause": "no participant died of anything but {cause}, so that nothing competes",
    "one_group": "there is one group only",
    "empty_group": "the group is empty",
    "never_together": "some groups are never at risk together at a death, or all at risk died at once",
    "all_died_before_entry": "all who were at risk died before others entered, to whom the curve would give no chance",
    "not_followed_so_long": "no participant is followed so long",
    "no_mean_of": "it is not known for {groups}",
    "horizon_before_start": "the horizon of {years} years is not after the start",
    "horizon_after_follow_up": "the horizon of {years} years lies beyond the follow-up",
    "no_events_within": "no participant died by year {years}, so that the error of the mean is not known",
    "no_column": "the table has no column '{column}'",
    "words_not_cut": "'{column}' holds words, which cannot be cut; declare it as levels",
    "shared_values": "too many participants share values of '{column}' for three groups",
    "too_many_values": "'{column}' has {levels} values, more than {most}; declare cut-points or tertiles",
    "no_pairs": "no participant died while another was under observation, so no pair can be compared",
    "no_predicted_events": "no death is predicted",
    "few_bootstrap_models": "{failed} of {repeats} bootstrap samples have no model of all participants",
    "imputation_not_converged": "a regression of the imputation did not converge",
    "one_imputation": "pooling needs 2 completed tables or more",
    "no_error": "the standard errors are zero",
    # scores
    "lacks_columns": "the clinical table has no {columns}",
    "no_item_on_age": "{score} has no item on {column}, so no age can be swapped",
    "no_complete_score": "none of {n} participants with follow-up has every item of the score",
    "no_cut": "the rule {rule} on age has no cut",
    "all_or_none_fulfil": "{whom} fulfils {rule} by age, so no cut of face age is like it",
    "one_face_age": "all face ages are the same",
    "empty_reference": "no participant is in the reference group {group}",
    "impossible_move": "the points for age are too few for this move",
    "no_cases_or_controls_then": "no participant died by then or none is known to be alive then",
    "models_not_nested": "neither model is part of the other, and a likelihood-ratio test compares no such models; see the paired differences of C and of the areas",
    "few_cases_or_controls": "there are {n_positive} positive and {n_negative} negative cases; two of each are needed",
    # measurement error, and what explains RNA samples
    "unreliable": "measurement error leaves a reliability of {reliability}, and below {needed} a correction is mostly noise",
    "simex_variance": "SIMEX gives no positive variance",
    # genes: the counts and the design
    "gene_absent": "the counts do not have it",
    "gene_without_counts": "no sample has a count of it",
    "gene_low_counts": "its counts are too low",
    "gene_absent_or_low": "the counts do not have it, or too few of it",
    "not_tested": "it was not tested",
    "no_gene_with_counts": "no gene has {min_count} counts in {min_samples} samples",
    "no_counts": "no gene has any counts",
    "samples_without_counts": "counts are zero in {n_samples} samples",
    "each_gene_has_a_zero": "every gene has a sample without counts, so size factors by median of ratios do not exist",
    "no_sample": "no sample is left",
    "too_few_samples": "{n} samples are too few; there must be at least {needed}",
    "too_few_samples_for_model": "{n} samples are too few for {parameters} parameters; there must be at least {needed}, or fewer covariates",
    "too_few_for_bins": "{n} participants are too few for two groups",
    "no_age_column": "the analysis table has no {column}",
    "constant_or_missing": "{column} does not vary, or no participant has a value",
    "follows_from": "{column} follows from {other}: the samples do not separate {own} and {other} (such as one {own} for each {other}); leave one out",
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
    "no_spread_about_curve": "the values lie on the curve, without any spread",
    "not_given": "not given",
    "column_not_given": "no table has a column {columns}",
    "values_constant": "the values do not vary",
    "several_samples_not_permuted": "participants have several samples, so that exposures are not permuted",
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
    # statistics
    "singular_terms": "too few participants carry the terms that are tested together",
    "collinear": "{columns} follows from the other terms",
    "one_row_decides": "one row alone determines a term; leave out groups of one",
    "small_group": "a group has fewer than {needed} participants",
    "too_few_values": "fewer than {needed} values",
    "too_few_pairs": "a correlation needs {needed} pairs that vary",
    "too_few_varying": "a spread needs {needed} values that vary",
    "constant_group": "the values of a group do not vary",
    "perfect_correlation": "a correlation is exactly 1 or −1",
    "nothing_to_count": "there is nothing to count",
    "nothing_in_common": "they judged nothing in common",
    "one_answer": "one of them gave the same answer throughout",
    "too_few_pairs_to_agree": "agreement needs {needed} pairs whose differences and means vary",
    "no_repeats": "no participant was measured twice",
    "too_few_repeats": "{n} participants measured {times} times are too few (at least {needed})",
    "missing_measurement": "a measurement is missing",
    "constant_measurements": "participants or their measurements do not vary",
    "group_without_value": "no participant of one of the groups has a value",
    "constant_within_groups": "the values do not vary within the groups",
    "no_pair_differs": "no pair differs",
    "too_few_distinct": "a spline needs more than {distinct} distinct values, spread over the range",
    "too_few_for_curve": "{n} participants with both ages are too few for a curve (at least {needed})",
    "no_convergence": "{model} did not converge",
    "unfit_covariance": "{conditions} conditions x {readers} readers do not fit a covariance of {shape}",
    "two_conditions_two_readers": "it takes two conditions and two readers",
    "constant_differences": "the readers' accuracies differ between the conditions by nothing or all alike",
    # meta-analysis
    "no_cohort": "no cohort has this estimate",
    "one_cohort": "one cohort alone ({cohorts}) has this estimate",
    "cohorts_differ": "cohorts differ in {columns}: {values}",
    "no_estimate_to_pool": "{measure} is a test, which has no estimate to pool",
    "no_error_to_pool": "the estimates have no standard error",
    "shared_controls": "the cohorts share the controls in whom age acceleration was fitted; declare it (pooling.overlapping)",
    "few_cohorts_for_moderators": "{cohorts} cohorts are too few for {terms} terms of a meta-regression",
    "moderators_collinear": "the moderators do not vary or follow from each other",
    "two_readers": "a mean of readers takes two of them",
    "constant_readers_and_cases": "neither readers nor cases vary",
    # age acceleration
    "no_ages": "no participant has both ages",
    "other_participants": "face ages and chronological ages are of different participants",
    "missing_age": "an age is missing",
    "too_few_for_line": "{n} participants with both ages are too few for a line (at least {needed})",
    "too_few_ages": "fewer than {needed} distinct chronological ages",
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
    "no_group": "no group has {needed} participants",
    "one_value": "one participant alone has a value",
    "one_level": "all {n} participants have the same value",
    "one_named_level": "all {n} participants have the same value ({level})",
    "no_disease_column": "no table has the column {column} (cancer or reference), so disease status is not known",
    "constant_in_groups": "the values do not vary among groups of 2 and more",
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
    "no_case_judged": "no case of known status was judged by all that are compared",
    "too_few_cases": "fewer than {needed} cases count",
    "no_photo_in_common": "they looked at no photo in common",
    # independent software
    "software_refuses": "{software} gives no result: {said}",
    "no_late_log_rank": "neither lifelines nor statsmodels has a log-rank test with delayed entry; ours equals R's",
    "not_pooled_again": "statsmodels and scipy have no {method}; reproduce.R pools by metafor",
    "lifelines_log_log": "lifelines has log-log intervals only",
}
SPARSE_DATA = {  # a number that is to be interpreted with caution
    "few_events_per_variable": "sparse data: {n_events} events for {terms} variables, fewer than {needed} events per variable",
    # survival
    "sparse_subgroup": "sparse data: fewer than {needed} deaths",
    "few_at_risk_early": "sparse data: fewer than {needed} participants at risk at an early death, which moves the whole curve",
    "few_clusters": "only {n_clusters} clusters, fewer than {needed}, so intervals may be too short",
    "sparse_cohorts": "sparse data in {cohorts}",
    # fairness
    "few": "sparse data: fewer than {needed} {what}; interpret with caution",
}
REMARKS = {  # what a reader should know of a number
    "complete_cases": "complete cases only",
    "nested_models": "between nested models this p-value is conservative; the likelihood-ratio test is the test",
    "without_missing": "without {columns}, which no participant has",
    "without_constant": "without {columns}, which does not vary",
    # survival
    "firth": "Firth's penalised likelihood, profile intervals",
    "firth_helps": "Firth's penalised likelihood (survival.firth: true) gives a finite one",
    "without_levels": "without {levels}, with fewer than {needed} deaths",
    "test_without_clusters": "p is of a likelihood-ratio test, which does not account for clusters",
    "without_unknown_group": "without {n} participants whose group or stratum is not known",
    "without_unknown_cause": "without {n} participants whose cause of death is not known",
    "not_reached": "not reached",
    "no_death_by_then": "no participant had died by then, so there is no interval",
    "no_death_of_cause_by_then": "no participant had died of {cause} by then, so there is no interval",
    "all_died_by_then": "all at risk had died by then",
    "observed_late": "no participant is observed from the start: survival of those alive when observation starts",
    "no_curve": "no curve below {needed} events per variable",
    "within_strata": "strata of {columns}; p of the whole model's test {p} then",
    "unadjusted": "unadjusted",
    "time_in_steps": "time in {steps} steps",
    "optimism_without": "optimism without {failed} of {repeats} bootstrap samples, which have no model of all participants",
    "no_optimism": "optimism not estimated: {failed} of {repeats} bootstrap samples have no model of all participants",
    "no_optimism_of_slope": "slope not corrected for optimism: it differs too much between bootstrap samples",
    "permutations_lost": "without {lost} permutations that could not be fitted",
    # scores
    "tied_face_ages": "tied face ages, so the shares are equal only nearly",
    "lost_resamples": "{lost} resamples gave no number",
    # genes
    "outlying_count": "no p-value, because a single outlying count decides its result",
    "methods_disagree": "DESeq2 and limma-voom disagree at q 0.05",
    "dispersion_trend": "dispersions by a {kind} trend, because the parametric one did not fit",
    "none_flagged": "no sample is flagged, so this is the main model",
    "if_mediator": "if {mediator} is a mediator; percentile bootstrap, {bootstraps} resamples",
    "unbounded_ratio": "all genes of the set were found, or all found genes are of it, so the ratio has no end",
    "no_interval": "interval not estimated, because there are fewer than 2 values or they do not vary",
    "inseparable_from_batch": "batch and {column} cannot be separated",
    "sampling_time_unknown": "time of sampling not known, taken as time zero",
    "sampling_time_unknown_of": "time of sampling not known of {n} participants, taken as time zero",
    "sampled_after_end": "without {n} participants sampled at or after the end of their follow-up",
    # age acceleration and phenotypes
    "without_sex": "without participants of sex {sex}, for whom it could not be estimated",
    "without_single": "without the one participant with {column} {level}",
    "without_groups_of_one": "without {n_excluded} participants of groups of one",
    "imputed": "{n_missing} of {n} participants had missing values",
    "nothing_missing": "nothing was missing",
    "no_groups": "no participant has an age acceleration",
    "no_tertiles": "too many participants share an age acceleration for three groups",
    # meta-analysis
    "two_cohorts": "between-cohort variance cannot be estimated from 2 cohorts",
    "no_between_variance": "the between-cohort variance is estimated as 0",
    "without_cohorts": "without {cohorts}, where it was not estimated",
    "without_differing": "without {cohorts}, since cohorts differ in {columns}: {values}",
    "overlapping_cohorts": "{cohorts} share participants or controls, as declared, so the interval may be too short",
    # readers
    "no_pair_wrong": "no interval, because no pair of cases is rated the wrong way round",
    "no_pair_right": "no interval, because no pair of cases is rated the right way round",
    "died_only": "legacy: leaves out cases alive when last seen",
    "fixed_cases": "legacy: cases count as fixed; with {readers} readers p cannot be below {smallest_p}",
    "below_chance": "below chance: is the direction of the answers (yes = alive; rating_of) right?",
    "without_readers": "without {readers}, who judged fewer than half of the cases there",
    "judged_by_all": "{n} of {n_judged} cases: those that all readers judged",
    "rated_by_model": "{n} of {n_judged} cases: those that the model rated",
    # independent software
    "pydeseq2_dispersions": "known difference: dispersions of pydeseq2 depart a little from those of DESeq2, which ours equal; it shows most in very small p-values",
    "pydeseq2_trend": "known difference: where no parametric trend fits the dispersions, R and ours take a local one, pydeseq2 their mean",
    "lifelines_robust_errors": "known difference: robust standard errors of lifelines differ from those of R (0.3% and more with ties), which ours equal",
    "lifelines_late_concordance": "known difference: C of lifelines ignores delayed entry; ours equals that of R",
    "beyond_known_difference": "not compared: beyond what is known of that difference",
    "log_rank_groups": "known difference: {software} counts a group that was empty at each death among the degrees of freedom; R and ours do not",
    "lifelines_median": "known difference: where a curve stays at exactly 0.5, R and ours take the middle of that time, lifelines one of its ends",
}
REDACTED = {  # by the release rule
    "redacted": "redacted: a count of {k} or fewer, fewer than 10 residual degrees of freedom, or a number that gives counts away",
}
OF_ONE = {"one_value", "without_single"}  # say that it is one participant
# how often a resample fails follows from an exact count
OF_FEW = {"lost_resamples", "optimism_without", "no_optimism"}
QUANTILES = {"low", "high"}  # parameters: of the middle 95% of participants
WORDS = WHY_NOT | SPARSE_DATA | REMARKS | REDACTED
PLURALS = "clusters|deaths|events|pairs|parameters|participants|photos|readers|resamples|rows|RNA samples|samples|terms|times|variables"
ONE_IS = re.compile(rf"(?<![\d.,])1 ({PLURALS})\b((?: with [a-z ]+?)?) (are|have|were)\b")
SINGULAR = {"are": "is", "have": "has", "were": "was"}
# these name a column to add
OF_TABLES = {
    "no_column",
    "lacks_columns",
    "no_item_on_age",
    "column_not_given",
    "absent_column",
    "no_disease_column",
    "no_column_of_groups",
}
ONE = re.compile(rf"(?<![\d.,])1 ({PLURALS})\b")
# parameters that are names of columns
OF_COLUMNS = {"column", "columns", "others", "exposure", "modifier", "mediator", "smaller", "larger"}
OF_COHORTS = {"cohorts_differ", "without_differing"}  # have values of columns in cohorts
SAFE = ",.:+-_/()<>|*^[]{}"  # all that separates nothing
JOIN = "; "


@dataclass(frozen=True)
class Reason:
    """A code and its parameters; a list of names is one parameter."""

    code: str
    parameters: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        # an unknown code or a missing parameter is a bug that shows at once
        WORDS[self.code].format(**self.parameters)

    def __str__(self) -> str:
        words = {name: _said(value) for name, value in self.parameters.items()}
        return singular(WORDS[self.code].format(**words))

    @property
    def status(self) -> str:
        """What the reason makes of its row."""
        if self.code in WHY_NOT | REDACTED:
            return NOT_ESTIMATED
        return SPARSE if self.code in SPARSE_DATA else OK

    def of_all_to(self, k: int) -> bool:
        """Whether each count of the same step of k, as midpoint rounding has them, gives this caution, which then reveals no more than the step."""
        counts = [
            int(self.parameters[name]) for name in ("n_events", "n_clusters") if name in self.parameters
        ]
        limit = int(self.parameters.get("needed", 0)) * int(self.parameters.get("terms", 1))
        return bool(counts) and math.ceil(counts[0] / k) * k < limit

    @property
    def encoded(self) -> str:
        """The reason as a table holds it."""
        parts = (f"{name}={quote(_said(value), safe=SAFE)}" for name, value in self.parameters.items())
        return " ".join((self.code, *parts))


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
    missing = [said_of(one) for one in reasons if one.code in WHY_NOT]
    remarks = [said_of(one) for one in reasons if one.code not in WHY_NOT]
    return "; ".join([*([f"not estimated, because {', and '.join(missing)}"] if missing else []), *remarks])


def said_of(one: Reason) -> str:
    """A reason as a page has it: columns in words."""
    if one.code in OF_TABLES:
        return str(one)
    names = {name: column_words(_said(one.parameters[name])) for name in OF_COLUMNS & one.parameters.keys()}
    if one.code in OF_COHORTS:  # whose names stay as they are
        told = (part.partition(": ") for part in one.parameters["values"].split(" | "))
        names["values"] = " | ".join(f"{cohort}: {column_words(held)}" for cohort, _, held in told)
    return str(Reason(one.code, one.parameters | names))


def singular(text: str) -> str:
    """``1 deaths are too few for 1 terms`` as ``1 death is too few for 1 term``."""
    text = ONE_IS.sub(lambda found: f"1 {found[1][:-1]}{found[2]} {SINGULAR[found[3]]}", text)
    return ONE.sub(lambda found: f"1 {found[1][:-1]}", text)


def _said(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
