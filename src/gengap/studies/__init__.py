"""The experiments of published papers: one package a paper, one module an experiment.

An experiment's module defines ``run(context, *, keywords) -> Outcome``, which is one job of the
workflow, and ``draw(runs, *, keywords) -> {name: Figure}``; the package's ``claims`` module defines
``claims({experiment: runs}) -> [Claim]``.
"""

from gengap.studies.claims import (
    Claim,
    all_hold,
    claims_page,
    claims_table,
    exceeds,
    format_interval,
    interval,
    rank_correlation,
)
from gengap.studies.context import Context
from gengap.studies.experiments import (
    Run,
    draw,
    evaluate_claims,
    load_data,
    read_runs,
    run_experiment,
)
from gengap.studies.outcomes import Outcome, read_outcome, write_outcome

__all__ = [
    "Claim",
    "Context",
    "Outcome",
    "Run",
    "all_hold",
    "claims_page",
    "claims_table",
    "draw",
    "evaluate_claims",
    "exceeds",
    "format_interval",
    "interval",
    "load_data",
    "rank_correlation",
    "read_outcome",
    "read_runs",
    "run_experiment",
    "write_outcome",
]
