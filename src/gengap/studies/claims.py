"""A paper's claims and the verdicts on them.

A claim has parts: estimates with a bound each, on whose expected side the mean over seeds lies if
the paper is right. One rule judges all claims:

- **premise fails**: the claim presupposes something (such as that two solutions generalise
  differently), and an interval does not show it.
- **agrees**: the 95% intervals of all parts lie on the expected side.
- **disagrees**: the 95% intervals of all parts lie on the other side.
- **mixed**: the parts differ. Some are on the expected side and some on the other, by intervals
  of 1 - 0.05 / (number of parts), so that all hold together at 95%.
- **none seen**: no verdict of these, and what the claim is about did not occur once: all values of
  all parts are 0, where that decides nothing.
- **undecided**: none of these, or a verdict that changes when a single seed is left out. The number
  of seeds is given that would decide at the observed effect and spread.

So however many parts there are, a claim that is right is contradicted in at most 2.5% of
repetitions, and one with a wrong part is confirmed in at most 2.5% (5% where either side of a limit
will do). That is of numbers that are roughly normal over seeds: exponential ones, of eight seeds,
are on the wrong side in up to 8%. Beside the verdict stands what remains of it when all claims of
the study are tested together (Holm 1979).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from gengap.names import AGREES, DISAGREES, MIXED, NONE_SEEN, PREMISE_FAILS, UNDECIDED
from gengap.studies.estimates import CONFIDENCE, Estimate, Estimates, Kind, Unit

LEVEL = (1 - CONFIDENCE) / 2
"""Of the one-sided tests: an interval of 95% lies on one side of a bound if its p-value is below
this."""

Side = Literal["above", "below", "apart"]
SIGNS: Mapping[Side, str] = {"above": ">", "below": "<", "apart": "≠"}


@dataclass(frozen=True)
class Bound:
    """A limit, and where a claim expects the mean of an estimate.

    Attributes:
        limit: the number.
        side: of the limit; ``apart`` is either side, and nothing speaks against it.
    """

    limit: float = 0.0
    side: Side = "above"

    def evidence(self, estimate: Estimate) -> tuple[float, float]:
        """Return the one-sided p-values for and against the expected side."""
        above, below = estimate.evidence(self.limit)
        if self.side == "apart":
            return min(above, below), 1.0
        return (above, below) if self.side == "above" else (below, above)

    def shown(self, estimate: Estimate) -> bool:
        """Return whether the 95% interval of an estimate lies on the expected side."""
        return self.evidence(estimate)[0] <= LEVEL

    def __str__(self) -> str:
        """Return sign and limit, such as ``> 0``."""
        return f"{SIGNS[self.side]} {self.limit:g}"


POSITIVE = Bound()
"""The bound of most claims: the mean is above 0."""

NEGATIVE = Bound(side="below")

Bounds = Mapping[str, Bound]
"""Bounds by the names of the estimates that they judge."""


@dataclass(frozen=True)
class Published:
    """A number that the paper states, or that its authors' public code or data hold.

    Attributes:
        number: as it stands there, with what it is of.
        place: where it stands, such as ``Table 1``; it says so if a value was read off a curve.
        comparable: whether data and networks are alike enough to compare it with ours.
    """

    number: str
    place: str
    comparable: bool


@dataclass(frozen=True)
class Verdict:
    """What the seeds say of a claim.

    Attributes:
        word: one of :data:`gengap.names.VERDICTS`.
        explained: the word and what belongs to it: the parts that differ, the premise that fails,
            or the seeds that would decide.
        p: of the verdict with the most evidence, two-sided and over all parts.
        seeds: that would decide; None where something is decided, or more than
            :data:`gengap.studies.estimates.MOST_SEEDS` would.
    """

    word: str
    explained: str
    p: float
    seeds: int | None = None


@dataclass(frozen=True)
class Claim:
    """One claim of a paper.

    Attributes:
        title: the claim in a few words, another one for each claim of a study.
        paper: what the paper says, in sentences of less than 30 words.
        measured: what the estimates are, in such sentences; their numbers stand in a table.
        estimates: the numbers behind it.
        bounds: of the estimates that decide: one for all of them, or by their names.
        premises: bounds of the estimates without which the claim says nothing.
        published: the number to set beside it, if one is known.
        unit: what one value of its estimates belongs to.
    """

    title: str
    paper: str
    measured: str
    estimates: Estimates
    bounds: Bound | Bounds = POSITIVE
    premises: Bounds = field(default_factory=dict)
    published: Published | None = None
    unit: Unit = "seed"

    @property
    def parts(self) -> Bounds:
        """The bounds of the estimates that decide, by their names."""
        return (
            dict.fromkeys(
                (name for name in self.estimates if name not in self.premises), self.bounds
            )
            if isinstance(self.bounds, Bound)
            else self.bounds
        )

    @cached_property
    def verdict(self) -> Verdict:
        """The verdict by the rule of this module."""
        return judge(self.estimates, self.parts, self.premises, self.unit)


def judge(
    estimates: Estimates, parts: Bounds, premises: Bounds | None = None, unit: Unit = "seed"
) -> Verdict:
    """Return the verdict on a claim, see this module.

    Args:
        estimates: the numbers behind the claim.
        parts: bounds of the estimates that decide.
        premises: bounds of the estimates that must be on their sides for the claim to say anything.
        unit: what one value belongs to, as the verdict calls it.
    """
    premises = premises or {}
    deciding = {name: estimates[name] for name in (*parts, *premises)}
    evidence = _Evidence(deciding, parts, premises)
    word = evidence.word
    places = range(max((len(estimate.values) for estimate in deciding.values()), default=0))
    left_out = [
        {name: estimate.without(place) for name, estimate in deciding.items()} for place in places
    ]
    stable = all(_Evidence(rest, parts, premises).word == word for rest in left_out)
    if stable and word == PREMISE_FAILS:
        failing = "; ".join(evidence.failing)
        return Verdict(word, f"premise fails: {failing}", evidence.p)
    if stable and word == MIXED:
        names = f"for: {', '.join(evidence.holding)}; against: {', '.join(evidence.opposed)}"
        return Verdict(word, f"mixed ({names})", evidence.p)
    if stable and word != UNDECIDED:
        return Verdict(word, word, evidence.p)
    if parts and all(_nothing(estimates[name], bound) for name, bound in parts.items()):
        return Verdict(NONE_SEEN, NONE_SEEN, evidence.p)
    seeds = evidence.seeds_needed()
    if seeds is not None:
        seeds = max(seeds, len(places) + 1)
    reason = [f"{word}, but not if one {unit} is left out"] * (word != UNDECIDED)
    reason += [f"{unit}s that would decide: {seeds or 'unknown, or too many'}"]
    return Verdict(UNDECIDED, f"undecided ({'; '.join(reason)})", evidence.p, seeds)


class _Evidence:
    """The evidence on a claim of one set of seeds, whichever are left out elsewhere."""

    def __init__(self, estimates: Estimates, parts: Bounds, premises: Bounds) -> None:
        self._estimates, self._parts, self._premises = estimates, parts, premises
        self._of_parts = {name: bound.evidence(estimates[name]) for name, bound in parts.items()}
        self._of_premises = {
            name: bound.evidence(estimates[name])[0] for name, bound in premises.items()
        }

    @property
    def failing(self) -> list[str]:
        """The premises that no interval shows."""
        return [name for name, p in self._of_premises.items() if p > LEVEL]

    @property
    def holding(self) -> list[str]:
        """The parts on the expected side, by intervals that hold together."""
        return self._decided(0)

    @property
    def opposed(self) -> list[str]:
        """The parts on the other side, by intervals that hold together."""
        return self._decided(1)

    @property
    def word(self) -> str:
        """The verdict of these seeds alone."""
        if self.failing:
            known = all(self._estimates[name].known for name in self.failing)
            return PREMISE_FAILS if known else UNDECIDED
        if not self._parts:
            return UNDECIDED
        for direction, word in enumerate((AGREES, DISAGREES)):
            if self._whole(direction) <= LEVEL:
                return word
        return MIXED if self.holding and self.opposed else UNDECIDED

    @property
    def p(self) -> float:
        """The two-sided p-value of the verdict for which there is the most evidence."""
        if not self._parts:
            return 1.0
        whole = min(self._whole(0), self._whole(1))
        if len(self._parts) > 1:
            each = [min(p[direction] for p in self._of_parts.values()) for direction in (0, 1)]
            whole = min(whole, len(self._parts) * max(each))
        return min(1.0, 2 * max([whole, *self._of_premises.values()]))

    def seeds_needed(self) -> int | None:
        """How many seeds would decide: on all parts alike, or on one of each side."""
        towards = {name: int(against < p) for name, (p, against) in self._of_parts.items()}
        split = len(set(towards.values())) > 1
        level = LEVEL / len(towards) if split else LEVEL
        numbers: list[list[int]] = [
            [
                self._estimates[name].seeds_needed(self._parts[name].limit, level) or -1
                for name in towards
                if towards[name] == direction
            ]
            for direction in sorted(set(towards.values()))
        ]
        needed = [
            min((number for number in of if number > 0), default=-1) if split else _largest(of)
            for of in numbers
        ] + [
            self._estimates[name].seeds_needed(bound.limit, LEVEL) or -1
            for name, bound in self._premises.items()
        ]
        number = _largest(needed)
        return number if number > 0 else None

    def _whole(self, direction: int) -> float:
        """The one-sided p-value of all parts together (Berger 1982): the largest of theirs."""
        return max(p[direction] for p in self._of_parts.values())

    def _decided(self, direction: int) -> list[str]:
        level = LEVEL / len(self._of_parts)
        return [name for name, p in self._of_parts.items() if p[direction] <= level]


def _largest(numbers: Sequence[int]) -> int:
    """The largest of several numbers of seeds; -1 if there is none or one is unknown (-1)."""
    return -1 if -1 in numbers else max(numbers, default=-1)


def _nothing(estimate: Estimate, bound: Bound) -> bool:
    """Whether an estimate counts something that did not occur once."""
    counts = estimate.kind is Kind.SEEDS or bound.limit == 0
    return counts and len(estimate.values) > 0 and not np.any(estimate.values)


def corrected(verdicts: Sequence[Verdict]) -> list[float]:
    """Return the p-values of a study's claims when all are tested together (Holm 1979)."""
    p = np.array([verdict.p for verdict in verdicts])
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    factors = np.arange(len(p), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * p[order]))
    return [float(value) for value in adjusted]


def word_after_correction(verdict: Verdict, adjusted: float) -> str:
    """Return the verdict's word, or ``undecided`` if its corrected p-value is above 5%."""
    rests_on_p = verdict.word in (AGREES, DISAGREES, MIXED)
    return UNDECIDED if rests_on_p and adjusted > 2 * LEVEL else verdict.word
