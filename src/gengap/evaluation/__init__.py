"""Statistics of the gap: which measures predict it, and how sure can one be?

``evaluate`` makes the leaderboard of a task with its cross-validation, tests and correlations.
``conditional_mutual_information`` is the score of the competition on Predicting Generalization in
Deep Learning; ``gengap score`` gives it for a folder of predictions. ``cluster`` groups networks by
one summary and the gap. ``compare_feature_sets`` and ``correlate_summaries`` make the tables of a
study.
"""

from gengap.evaluation.clusters import cluster
from gengap.evaluation.comparison import holm
from gengap.evaluation.competition import score_folder
from gengap.evaluation.feature_sets import compare_feature_sets
from gengap.evaluation.five_by_two import five_by_two, paired_t_test
from gengap.evaluation.leaderboard import Evaluation, evaluate
from gengap.evaluation.mutual_information import (
    competition_reference,
    conditional_mutual_information,
    mutual_information_table,
    score_measures,
)
from gengap.evaluation.summaries import (
    SUMMARIES,
    Component,
    correlate_summaries,
    scalar_measures,
    strongest,
)

__all__ = [
    "SUMMARIES",
    "Component",
    "Evaluation",
    "cluster",
    "compare_feature_sets",
    "competition_reference",
    "conditional_mutual_information",
    "correlate_summaries",
    "evaluate",
    "five_by_two",
    "holm",
    "mutual_information_table",
    "paired_t_test",
    "scalar_measures",
    "score_folder",
    "score_measures",
    "strongest",
]
