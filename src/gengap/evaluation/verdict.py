"""What the tables of an evaluation say, in a few paragraphs that a person can act on."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd

from gengap.evaluation.combination import ALL, ALL_AND_HYPER_PARAMETERS, BEST_SINGLE
from gengap.evaluation.designs import (
    HYPER_PARAMETERS,
    MEAN,
    MEASURE,
    MODEL,
    NETWORK,
    REFERENCE,
)
from gengap.evaluation.references import HYPER_PARAMETERS_PAIRWISE, REPLICATE_CEILING

LEVEL = 0.05
"""Family-wise level at which a measure counts as shown."""
FEW_NETWORKS = 48
"""With fewer networks, the text warns that only strong relations can be shown."""
MOST_NAMED = 6
"""A list names this many and counts the others."""
WIDTH = 88  # characters of a line

_LEARNERS = {"ridge": "ridge regression", "gaussian_process": "an additive Gaussian process"}
_GAPS = {
    "accuracy": "training less test accuracy",
    "loss": "test less training loss",
    "error": "test less training root-mean-square error",
}


def verdict(
    leaderboard: pd.DataFrame,
    tests: pd.DataFrame,
    combination: pd.DataFrame,
    left_out: pd.DataFrame,
    *,
    draws: int,
    gap_of: str,
) -> str:
    """Say what an evaluation shows, and how sure one can be.

    The text says how many networks were compared, what is known without a measure, whether a
    measure beats that (with family-wise p values), which measures cannot be told apart from the
    best, what all of them reach together, how wide a 90 % interval for one network is under each,
    and what was left out. Nothing is computed here: every number stands in one of the tables.

    Args:
        leaderboard: measures, references and combinations, as ``evaluation/leaderboard.csv``.
        tests: differences of R2 with their intervals, as ``evaluation/tests.csv``.
        combination: what measures reach together, as ``evaluation/combination.csv``; it may be
            empty.
        left_out: kind (network, measure or model), name, reason.
        draws: number of draws of the training data that the networks saw; 1 where all saw the same.
        gap_of: what the gap is of, one of :data:`gengap.names.GAPS`.

    Returns:
        Paragraphs separated by empty lines, of lines of at most ``WIDTH`` characters (a longer name
        stays whole), ending with a line break.
    """
    rows = leaderboard.set_index("measure")
    together = combination.set_index("name")
    measures = rows[rows["kind"].isin(["scalar", "vector"])]
    eligible = measures[measures["eligible"].astype(bool) & measures["r2_mean"].notna()]
    paragraphs = [
        _headline(rows, eligible),
        _compared(rows, measures, eligible, draws, gap_of),
        _without_measures(rows),
        _with_one(rows, eligible, tests),
        _first_group(eligible),
        _with_all(rows, together, tests),
        _new_draw(rows, eligible),
        _widths(rows, eligible, together),
        _left_out(left_out),
    ]
    filled = (
        textwrap.fill(paragraph, WIDTH, break_long_words=False, break_on_hyphens=False)
        for paragraph in paragraphs
        if paragraph
    )
    return "\n\n".join(filled) + "\n"


def _headline(rows: pd.DataFrame, eligible: pd.DataFrame) -> str:
    if eligible.empty:
        return "No measure can be scored, so nothing can be said about what predicts the gap."
    shown = {
        column: int((eligible[column] <= LEVEL).sum())
        for column in ("p_mean", "p_additive", "p_pairwise")
    }
    if not any(shown.values()):
        return "No measure is shown to predict the gap better than its mean does."
    if HYPER_PARAMETERS not in rows.index:
        return f"{_measures(shown['p_mean'])} shown to predict the gap better than its mean does."
    if shown["p_pairwise"]:
        return (
            f"{_measures(shown['p_pairwise'])} shown to say more about the gap than the "
            "hyper-parameters do, even with their pairwise products."
        )
    if shown["p_additive"]:
        return (
            f"{_measures(shown['p_additive'])} shown to add to the hyper-parameters, but none to "
            "the hyper-parameters with their pairwise products: what the measures say may be how "
            "hyper-parameters act together."
        )
    return (
        f"{_measures(shown['p_mean'])} shown to predict the gap better than its mean does, but "
        "none to add to what the hyper-parameters say."
    )


def _measures(count: int) -> str:
    return "One measure is" if count == 1 else f"{count} measures are"


def _compared(
    rows: pd.DataFrame, measures: pd.DataFrame, eligible: pd.DataFrame, draws: int, gap_of: str
) -> str:
    networks = int(rows["networks"].max())
    data = ", all on the same training data" if draws < 2 else f" on {draws} draws of training data"
    unseen = (
        ""
        if draws < 2
        else ", of draws that the fit did not see, with the mean gap of each draw taken as known"
    )
    text = (
        f"Compared: {networks} networks{data}, and {_count(len(measures), 'measure')}, of which "
        f"{len(eligible)} can be ranked. The gap is {_GAPS[gap_of]}. R2 is measured on networks "
        f"held out{unseen}: 1 is a perfect prediction, 0 is no better than the mean gap."
    )
    if networks < FEW_NETWORKS:
        text += (
            f" With only {networks} networks, only strong relations can be shown: a measure that "
            "fails here is not refuted."
        )
    return text


def _without_measures(rows: pd.DataFrame) -> str:
    scores = []
    if _has_score(rows, HYPER_PARAMETERS):
        text = f"the hyper-parameters reach R2 {_score(rows, HYPER_PARAMETERS)}"
        if _has_score(rows, HYPER_PARAMETERS_PAIRWISE):
            text += f" ({_score(rows, HYPER_PARAMETERS_PAIRWISE)} with their pairwise products)"
        scores.append(text)
    for outcome in ("accuracy", "loss", "error"):
        name = f"{REFERENCE}.training_{outcome}"
        if _has_score(rows, name):
            scores.append(f"training {outcome} alone reaches R2 {_score(rows, name)}")
    text = f"Without a measure: {'; '.join(scores)}." if scores else ""
    if HYPER_PARAMETERS not in rows.index:
        text += " The networks have no hyper-parameters to predict from."
    if _has_score(rows, REPLICATE_CEILING):
        text += (
            " Networks that differ in nothing but their seed or their draw predict each other with "
            f"R2 {_score(rows, REPLICATE_CEILING)}."
        )
    return text.strip()


def _with_one(rows: pd.DataFrame, eligible: pd.DataFrame, tests: pd.DataFrame) -> str:
    if eligible.empty:
        return ""
    best = str(eligible["r2_mean"].idxmax())
    text = f"With one measure: the best, {best}, reaches R2 {_score(rows, best)}"
    if np.isfinite(rows["p_mean"][best]):
        text += f" (p = {rows['p_mean'][best]:.2g} against the mean gap)"
    reference = _better_hyper_parameters(rows)
    if reference is not None:
        text += _difference(tests, best, reference)
    text += "."
    questions = {
        "p_mean": ("predict", "the gap better than its mean"),
        "p_additive": ("add", "to the hyper-parameters"),
        "p_pairwise": ("add", "to the hyper-parameters with their pairwise products"),
        "p_within": (
            "predict",
            "the gap among networks of one environment (with equal values of the hyper-parameters "
            "that the config compares within)",
        ),
    }
    answers = [
        f"{_shown(eligible, column, verb, named=column == 'p_pairwise')} {rest}"
        for column, (verb, rest) in questions.items()
        if eligible[column].notna().any()
    ]
    if answers:
        asked = int(eligible["p_mean"].notna().sum())
        text += (
            f" At a level of {LEVEL:g} for all {asked} measures at once (a family-wise p: the "
            "chance that any of them looks so good if none has anything to say), "
            f"{_listed(answers, ';')}."
        )
    return text


def _shown(eligible: pd.DataFrame, column: str, verb: str, *, named: bool) -> str:
    """Say how many measures pass: ``none add``, ``one (its name) adds``, ``3 add``."""
    passing = eligible[eligible[column] <= LEVEL]
    if passing.empty:
        return f"none {verb}"
    ordered = passing.sort_values("r2_mean", ascending=False, kind="stable").index
    names = f" ({_names(list(ordered))})" if named else ""
    return f"one{names} {verb}s" if len(passing) == 1 else f"{len(passing)}{names} {verb}"


def _first_group(eligible: pd.DataFrame) -> str:
    group = [str(name) for name in eligible.index[eligible["rank"] == 1]]
    if not group:
        return ""
    if len(group) == 1:
        return f"First group: {group[0]} alone, better than every other measure."
    return (
        f"First group: {len(group)} measures cannot be told apart from the best on these networks, "
        f"so choose among them by cost: {_names(group)}."
    )


def _with_all(rows: pd.DataFrame, together: pd.DataFrame, tests: pd.DataFrame) -> str:
    if not _has_score(together, ALL):
        return ""
    count = int(together["measures"][ALL])
    text = (
        f"With all {count} scalar measures together ({_LEARNERS[together['learner'][ALL]]}), R2 is "
        f"{_score(together, ALL)}"
    )
    reference = _better_hyper_parameters(rows)
    if reference is not None:
        text += _difference(tests, ALL, reference)
    if _has_score(together, ALL_AND_HYPER_PARAMETERS):
        text += (
            f"; with the hyper-parameters beside them it is "
            f"{_score(together, ALL_AND_HYPER_PARAMETERS)}"
        )
    text += "."
    if _has_score(together, BEST_SINGLE):
        text += (
            " Choosing the single best measure without looking at the held-out networks gives "
            f"R2 {_score(together, BEST_SINGLE)}."
        )
    return text


def _new_draw(rows: pd.DataFrame, eligible: pd.DataFrame) -> str:
    names = [("the mean gap of the other draws", MEAN)]
    reference = _better_hyper_parameters(rows)
    if reference is not None:
        names.append(("the hyper-parameters", reference))
    if len(eligible):
        best = str(eligible["r2_mean"].idxmax())
        names.append((f"the best measure ({best})", best))
    names.append(("all measures together", ALL))
    known = [
        f"{_number(float(rows['r2_new_draw'][name]))} from {source}"
        for source, name in names
        if name in rows.index and np.isfinite(rows["r2_new_draw"][name])
    ]
    if not known:
        return ""
    return (
        "The gap of a network of a new draw is harder to predict, since the level of that draw has "
        f"to be predicted, too. With it, R2 is {_listed(known)}."
    )


def _widths(rows: pd.DataFrame, eligible: pd.DataFrame, together: pd.DataFrame) -> str:
    widths = [("the mean gap", _width(rows, MEAN))]
    reference = _better_hyper_parameters(rows)
    if reference is not None:
        widths.append(("the hyper-parameters", _width(rows, reference)))
    if len(eligible):
        best = str(eligible["r2_mean"].idxmax())
        widths.append((f"the best measure ({best})", _width(rows, best)))
    widths.append(("all measures together", _width(together, ALL)))
    known = [f"{width:.3f} from {source}" for source, width in widths if np.isfinite(width)]
    if not known:
        return ""
    new = "" if rows["r2_new_draw"].isna().all() else " of a new draw"
    return f"Width of a 90 % interval for the gap of one new network{new}: {_listed(known)}."


def _left_out(left_out: pd.DataFrame) -> str:
    parts = []
    for kind in (NETWORK, MEASURE, MODEL):
        table = left_out[left_out["kind"] == kind]
        if table.empty:
            continue
        first = table.iloc[0]
        reason = str(first["reason"]).rstrip(".")
        example = "e.g. " if len(table) > 1 else ""
        parts.append(f"{_count(len(table), kind)} ({example}{first['name']}: {reason})")
    if not parts:
        return "Nothing was left out."
    return f"Left out: {_listed(parts)}. All are listed in evaluation/left_out.csv."


def _better_hyper_parameters(rows: pd.DataFrame) -> str | None:
    """Return the reference of hyper-parameters that scores higher, if there is one."""
    names = [
        name for name in (HYPER_PARAMETERS, HYPER_PARAMETERS_PAIRWISE) if _has_score(rows, name)
    ]
    return max(names, key=lambda name: float(rows["r2_mean"][name]), default=None)


def _difference(tests: pd.DataFrame, name: str, reference: str) -> str:
    """Return how far a row scores above the hyper-parameters, with its interval, if tested."""
    rows = tests[(tests["measure"] == name) & (tests["against"] == reference)]
    if rows.empty or not np.isfinite(rows["difference"].iloc[0]):
        return ""
    row = rows.iloc[0]
    sign = "more" if row["difference"] >= 0 else "less"
    beside = " with their pairwise products" if reference == HYPER_PARAMETERS_PAIRWISE else ""
    size = _number(abs(row["difference"]))
    return (
        f", {size} {sign} than the hyper-parameters{beside} (95 % interval of the difference "
        f"{_number(row['low'])} to {_number(row['high'])})"
    )


def _has_score(rows: pd.DataFrame, name: str) -> bool:
    return name in rows.index and bool(np.isfinite(rows["r2_mean"][name]))


def _score(rows: pd.DataFrame, name: str) -> str:
    return _number(float(rows["r2_mean"][name]))


def _width(rows: pd.DataFrame, name: str) -> float:
    return float(rows["width_90"][name]) if name in rows.index else float("nan")


def _number(value: float) -> str:
    text = f"{value:.2f}"
    return text if float(text) else "0.00"


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _names(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    # One too many to name takes no more space than to count it.
    return _listed([*names[:MOST_NAMED], f"{more} more"] if more > 1 else list(names))


def _listed(parts: Sequence[str], separator: str = ",") -> str:
    """Join parts: ``a``, ``a and b``, ``a, b and c``."""
    if len(parts) == 1:
        return parts[0]
    first, last = parts[:-1], parts[-1]
    # Parts that hold commas themselves need one more before the "and".
    joint = separator if separator == ";" else ""
    return f"{f'{separator} '.join(first)}{joint} and {last}"
