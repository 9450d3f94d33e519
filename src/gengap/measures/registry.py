"""The registry of measures: families are modules, measures are decorated functions in them.

To add a measure, write a function in a module of your own and name the module in the config::

    # my_measures.py, beside your config
    from gengap.measures import measure

    @measure()
    def largest_weight(subject):
        return max(float(p.detach().abs().max()) for p in subject.network.parameters())

    # config.yaml
    families: [topology, baseline, my_measures.py]

A measure that cannot do without something that not every task has declares it, for instance
``@measure(needs={"initial"})``. One that rests on the kernels of layers, and so sees nothing of
other layers, declares ``@measure(sees="kernels")``. One whose sign is not known declares
``@measure(sign="?")``. Families are imported when they are first asked for, so this module depends
on none of them.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

import numpy as np

from gengap.arguments import whole_number
from gengap.errors import GengapError
from gengap.failures import NETWORK_FAULTS, is_fault_of_network
from gengap.measures.draws import WatchedGenerator, exact, mean_of_draws
from gengap.measures.needs import NEEDS
from gengap.measures.results import SLOW, Estimate, LeftOut, MeasureResults, Value
from gengap.measures.subject import Subject
from gengap.measures.undisturbed import undisturbed
from gengap.names import FAMILIES
from gengap.planning.families import family_source

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "FAMILIES",
    "Declaration",
    "NothingComputedError",
    "applicable",
    "attempt",
    "compute",
    "declaration",
    "measure",
    "members",
]

log = logging.getLogger(__name__)

Outcome = Value | Estimate | LeftOut
"""What a function returns for one measure: a value, an estimate of it, or why there is none."""

MeasureFunction = Callable[[Subject], Value | Estimate | Mapping[str, Outcome]]
AnyMeasure = TypeVar("AnyMeasure", bound=MeasureFunction)

Sight = Literal["all", "kernels"]
"""What a measure sees of a network: everything, or the kernels of its layers alone."""

Sign = Literal["+", "?"]
"""What a larger value predicts: a larger gap, or nothing that is known beforehand."""

LEAST_COVERAGE = 0.5
"""Share of the parameters below which a measure that rests on kernels says nothing of a network."""
LISTED_LAYERS = 5
"""Most layers that the reason of a measure without a value names."""

_MARK = "gengap_measure"
_SLOW = (
    "The measure '{measure}' takes over a quarter of a CPU second for a small network: ask for "
    "slow measures, or do without this measure."
)


class NothingComputedError(GengapError):
    """No measure that was asked for could be computed.

    Attributes:
        results: the reasons.
    """

    def __init__(self, results: MeasureResults) -> None:
        """Take the reasons; the first one is the message."""
        super().__init__(next(iter(results.left_out.values())))
        self.results = results

    @property
    def is_for_need(self) -> bool:
        """Whether all need what the subject does not have or are slow, and none failed."""
        return set(self.results.left_out) == set(self.results.unmet)


@dataclass(frozen=True)
class Declaration:
    """What the decorator declares about a function.

    Attributes:
        names: the measures that the function computes.
        needs: names of what it needs of a subject, in :data:`gengap.names.NEEDS`.
        sees: what it sees of a network: ``all``, or the ``kernels`` alone.
        signs: the sign of each measure.
        slow: whether it takes over a quarter of a CPU second for a network of the default run.
        estimates_gap: whether its values estimate the gap itself, in the gap's own units.
        draws: how many times it is computed where it is stochastic.
    """

    names: tuple[str, ...]
    needs: frozenset[str]
    sees: Sight
    signs: Mapping[str, Sign]
    slow: bool
    estimates_gap: bool
    draws: int = 1


def measure(
    *names: str,
    needs: Collection[str] = (),
    sees: Sight = "all",
    sign: Sign | Mapping[str, Sign] = "+",
    slow: bool = False,
    estimates_gap: bool = False,
    draws: int = 1,
) -> Callable[[AnyMeasure], AnyMeasure]:
    """Mark a function as a measure.

    The function takes a :class:`~gengap.measures.Subject` and returns a number, a vector, or a
    mapping from component names to numbers.

    Args:
        names: where one computation gives several measures, their names: the function then returns
            a mapping from exactly these names to values, or to :class:`LeftOut` in the place of a
            value. Without names it is one measure, named after the function.
        needs: what the function cannot do without: a set out of ``initial``, ``classes``,
            ``fitting_outputs``, ``images``, ``float_inputs``, ``twice_differentiable``,
            ``history``, ``snapshots``, ``siblings``, ``unlabelled`` and ``diagrams``. It is not
            called where one of them is missing.
        sees: ``kernels`` for a function that rests on :func:`gengap.networks.kernels` and so knows
            only a share of some networks: the share is reported, and below one half the function is
            not called.
        sign: ``+`` where larger predicts a larger gap, ``?`` where that is not known. A function of
            several measures may give a mapping from names to signs; names that are not in it have
            ``+``. Where larger predicts a smaller gap, return the negative.
        slow: whether the function takes over a quarter of a CPU second for a network of the default
            run. ``families: all`` computes it only with ``slow: true``.
        estimates_gap: whether the values estimate the gap itself, in the gap's own units.
        draws: how many times a stochastic function is computed, with independent random streams.
            Each measure is then the mean over the draws, on the scale that the function returns
            (so of logarithms where it returns logarithms), and its standard error is their
            deviation over the root of their number. A function that draws nothing from
            ``subject.rng``, for instance since it takes all of a few training inputs, is computed
            once, and its standard error is 0. A function that knows its Monte Carlo error may have
            one draw, and return :class:`Estimate` in the place of a value.

    Returns:
        A decorator that leaves the function as it is.

    Raises:
        GengapError: a need or a sign is unknown, a sign is that of another measure, a name has
            white space, or there is no draw.
    """
    draws = whole_number(draws, "draws", 1)
    unknown = sorted(set(needs) - set(NEEDS))
    if unknown:
        raise GengapError(
            f"A measure declares the unknown need '{unknown[0]}': "
            f"give 'needs' a set out of {', '.join(NEEDS)}."
        )

    spaced = [name for name in names if name != "".join(name.split())]
    if spaced:
        raise GengapError(
            f"A measure is named {spaced[0]!r}: give it a name without white space, which "
            "parts the names of measures in tables."
        )

    def mark(function: AnyMeasure) -> AnyMeasure:
        own = names or (_name(function),)
        signs = _signs(own, sign)
        declared = Declaration(own, frozenset(needs), sees, signs, slow, estimates_gap, draws)
        setattr(function, _MARK, declared)
        return function

    return mark


def declaration(function: MeasureFunction) -> Declaration:
    """Return what a measure's decorator declared.

    A function without a decorator is one measure, named after itself, that needs nothing and whose
    sign is ``+``.

    Raises:
        GengapError: it is no function.
    """
    if not callable(function):
        raise GengapError(
            f"{function!r} is no measure: give a function of a subject, or the name of a family."
        )
    declared = getattr(function, _MARK, None)
    if isinstance(declared, Declaration):
        return declared
    name = _name(function)
    return Declaration((name,), frozenset(), "all", {name: "+"}, slow=False, estimates_gap=False)


def members(family: str) -> dict[str, MeasureFunction]:
    """List the measures of a family.

    Args:
        family: a name in :data:`FAMILIES`, or the path of a Python file with measures.

    Returns:
        The function of each measure by the measure's name, in the order of the module.

    Raises:
        GengapError: an unknown family, or a module without measures.
    """
    module = _load(family_source(family))
    by_name = {
        name: function
        for function in _defined_in(module.__name__, vars(module), hasattr(module, "__path__"))
        for name in declaration(function).names
    }
    if not by_name:
        raise GengapError(
            f"The family '{family}' ({module.__name__}) has no measure: "
            "decorate its functions with @gengap.measures.measure()."
        )
    return by_name


def compute(what: str | MeasureFunction, subject: Subject, *, slow: bool = True) -> MeasureResults:
    """Compute a family of measures, or one measure; at least one value is expected.

    What cannot be computed is left out by name, and each reason is logged once.

    Args:
        what: a family ("baseline", or the path of a Python file with measures), one measure of it
            ("baseline:parameter_count"), or a function of a subject, which needs no decorator.
        subject: the network, its training data, and what else is known.
        slow: whether measures are computed that are marked slow, see :func:`measure`.

    Returns:
        A mapping from names to values, as :func:`attempt` returns it, with at least one of them.

    Raises:
        GengapError: an unknown family or measure, or a network is TorchScript.
        NothingComputedError: no measure that was asked for can be computed.
    """
    results = attempt(what, subject, slow=slow)
    for reason, left_out in _by_reason(results.left_out).items():
        log.warning("left out: %s: %s", ", ".join(left_out), reason)
    if not results:
        raise NothingComputedError(results)
    return results


def known_measures(family: str, subject: Subject, *, slow: bool) -> MeasureResults:
    """Compute a family of measures; a subject is no failure for what is not known of it.

    Args:
        family: its name, or the path of a Python file with measures.
        subject: the network, its training data, and what else is known.
        slow: whether measures are computed that are marked slow.

    Returns:
        The values, none where all measures need what the subject does not have.

    Raises:
        NothingComputedError: no measure has a value, and one of them for another reason.
    """
    try:
        return compute(family, subject, slow=slow)
    except NothingComputedError as error:
        if not error.is_for_need:
            raise
        return error.results


def _by_reason(left_out: Mapping[str, str]) -> dict[str, list[str]]:
    """List the measures that lack a value for each reason, so that it is said once."""
    by_reason: dict[str, list[str]] = {}
    for name, sentence in left_out.items():
        reason = sentence.removeprefix(f"The measure '{name}' ")
        by_reason.setdefault(reason, []).append(name)
    return by_reason


def attempt(what: str | MeasureFunction, subject: Subject, *, slow: bool = True) -> MeasureResults:
    """Compute those measures of a family that can be computed, which may be none.

    A measure whose needs are not met, or that fails, is left out by name; the others are computed.
    Each function has its own random stream, by its place in its module, so that a measure has the
    same value alone and within its family. Networks are in eval mode while they are measured. Their
    modes, buffers, gradients and ``requires_grad`` flags are as before afterwards. Networks are
    taken out of wrappers (``DataParallel``, ``torch.compile``), and those of half precision are
    measured as float32 copies.

    Args:
        what: a family ("baseline", or the path of a Python file with measures), some measures of it
            ("baseline:parameter_count,fit"), or a function of a subject, which needs no decorator.
        subject: the network, its training data, and what else is known.
        slow: whether measures are computed that are marked slow, see :func:`measure`.

    Returns:
        A mapping from names to values (numbers, vectors, or mappings from component names to
        numbers), with the attributes ``left_out``, the reason for each measure without a value,
        ``coverage``, the share of the parameters that each measure of kernels saw, and
        ``standard_errors``, those of the measures that are estimates.

    Raises:
        GengapError: an unknown family or measure, or a network is TorchScript.
    """
    if isinstance(what, str):
        family, _, listed = what.partition(":")
        by_name = members(family)
        only = listed.split(",") if listed else []
        unknown = [name for name in only if name not in by_name]
        if unknown:
            raise GengapError(
                f"Unknown measure '{unknown[0]}' of family '{family}': "
                f"choose one of {', '.join(by_name)}."
            )
        functions = list(dict.fromkeys(by_name.values()))
        selected = list(dict.fromkeys(by_name[name] for name in only)) or functions
        names: Collection[str] = only or by_name
    else:
        names, selected, functions = declaration(what).names, [what], _companions(what)
    subject = _measurable(subject)
    streams = dict(zip(functions, subject.rng.spawn(len(functions)), strict=True))
    values: dict[str, Value] = {}
    left_out: dict[str, str] = {}
    unmet: dict[str, str] = {}
    shares: dict[str, float] = {}
    errors: dict[str, Value] = {}
    draws: dict[str, np.ndarray] = {}
    for function in selected:
        if declaration(function).slow and not slow:
            results = _not_asked_for(function)
        else:
            results = _results(function, replace(subject, rng=streams[function]))
        values |= {name: value for name, value in results.items() if name in names}
        left_out |= {name: text for name, text in results.left_out.items() if name in names}
        unmet |= {name: need for name, need in results.unmet.items() if name in names}
        shares |= {name: share for name, share in results.coverage.items() if name in names}
        errors |= {name: error for name, error in results.standard_errors.items() if name in names}
        draws |= {name: drawn for name, drawn in results.draws.items() if name in names}
    return MeasureResults(values, left_out, shares, unmet, errors, draws)


def applicable(family: str, subject: Subject) -> dict[str, str | None]:
    """Tell which measures of a family can be computed, by what they need and without computing any.

    A measure that has what it needs may still fail, on a network with infinite outputs, say.

    Args:
        family: a name in :data:`FAMILIES`, or the path of a Python file with measures.
        subject: the network, its training data, and what else is known.

    Returns:
        For each measure of the family None, or the sentence that says what it lacks.
    """
    reasons: dict[str, str | None] = {}
    for function in dict.fromkeys(members(family).values()):
        with undisturbed(subject.networks):
            lacking = _lacking(function, subject)
        reasons |= dict.fromkeys(declaration(function).names) | dict(lacking.left_out)
    return reasons


def _measurable(subject: Subject) -> Subject:
    """Take networks out of wrappers, and those of half precision as float32 copies."""
    unwrapped = importlib.import_module("gengap.networks.adoption").unwrapped
    full_precision = importlib.import_module("gengap.networks.differentiation").full_precision

    def taken(network: nn.Module) -> nn.Module:
        inner: nn.Module = full_precision(unwrapped(network))
        return inner

    snapshots = subject.snapshots
    return replace(
        subject,
        network=taken(subject.network),
        initial=None if subject.initial is None else taken(subject.initial),
        snapshots=snapshots and {epoch: taken(network) for epoch, network in snapshots.items()},
        siblings=tuple(map(taken, subject.siblings)),
        shared={},
    )


def _results(function: MeasureFunction, subject: Subject) -> MeasureResults:
    """Return the values of one function, or the reasons why it has none."""
    with undisturbed(subject.networks):
        lacking = _lacking(function, subject)
        if lacking.left_out:
            return lacking
        try:
            share = _coverage(subject) if declaration(function).sees == "kernels" else None
        except NETWORK_FAULTS as error:
            return _failed(function, error)
    try:
        outcomes = _drawn(function, subject)
    except NETWORK_FAULTS as error:
        return _failed(function, error)
    values: dict[str, Value] = {}
    left_out: dict[str, str] = {}
    unmet: dict[str, str] = {}
    errors: dict[str, Value] = {}
    draws: dict[str, np.ndarray] = {}
    for name, outcome in outcomes.items():
        if isinstance(outcome, LeftOut):
            left_out[name] = outcome.reason
            if outcome.need:
                unmet[name] = outcome.need
            continue
        value = outcome.value if isinstance(outcome, Estimate) else outcome
        if not _is_finite(value):
            left_out[name] = (
                f"The measure '{name}' is not finite for this network: look at its weights and its "
                "training loss."
            )
            continue
        values[name] = value
        if isinstance(outcome, Estimate):
            errors[name] = outcome.standard_error
            if outcome.draws is not None:
                draws[name] = outcome.draws
    shares = {} if share is None else dict.fromkeys(values, share)
    return MeasureResults(values, left_out, shares, unmet, errors, draws)


def _drawn(function: MeasureFunction, subject: Subject) -> dict[str, Outcome]:
    """Compute a function in as many draws as it declares; once where it draws nothing."""
    further = subject.rng.spawn(declaration(function).draws - 1)
    watched = WatchedGenerator(subject.rng.bit_generator)
    first = _once(function, replace(subject, rng=watched))
    if not further:
        return first
    if not watched.is_used:
        return {name: _exact(outcome) for name, outcome in first.items()}
    draws = [first, *(_once(function, replace(subject, rng=rng)) for rng in further)]
    return {name: _mean([draw[name] for draw in draws]) for name in first}


def _once(function: MeasureFunction, subject: Subject) -> dict[str, Outcome]:
    with undisturbed(subject.networks):
        return _named(function, function(subject))


def _exact(outcome: Outcome) -> Outcome:
    return outcome if isinstance(outcome, LeftOut | Estimate) else exact(outcome)


def _mean(outcomes: Sequence[Outcome]) -> Outcome:
    """Average the draws of a measure; a reason where one of them has no value."""
    values: list[Value] = []
    for outcome in outcomes:
        if isinstance(outcome, LeftOut):
            return outcome
        values.append(outcome.value if isinstance(outcome, Estimate) else outcome)
    return mean_of_draws(values)


def _lacking(function: MeasureFunction, subject: Subject) -> MeasureResults:
    """Leave the measures of a function out if it lacks something it needs; otherwise none."""
    declared = declaration(function)
    try:
        for need in (name for name in NEEDS if name in declared.needs):
            sentence = NEEDS[need].refusal(subject)
            if sentence is not None:
                reasons = {name: sentence.format(measure=name) for name in declared.names}
                return MeasureResults({}, reasons, unmet=dict.fromkeys(declared.names, need))
        if declared.sees == "kernels":
            _refuse_unknown_layers(subject)
    except NETWORK_FAULTS as error:
        return _failed(function, error)
    return MeasureResults({})


def _not_asked_for(function: MeasureFunction) -> MeasureResults:
    """Leave the measures of a slow function out."""
    names = declaration(function).names
    reasons = {name: _SLOW.format(measure=name) for name in names}
    return MeasureResults({}, reasons, unmet=dict.fromkeys(names, SLOW))


def _failed(function: MeasureFunction, error: Exception) -> MeasureResults:
    """Leave the measures of a function out for an error, if the network caused it.

    Args:
        function: what raised the error, or its needs did.
        error: the error, which is the reason.

    Returns:
        No values, and the reason for each measure.

    Raises:
        Exception: the error itself, where it is a fault of the program or of the machine.
    """
    if not is_fault_of_network(error):
        raise error
    if not isinstance(error, GengapError):
        log.warning("%s failed", _name(function), exc_info=error)
    reason = str(error) or type(error).__name__
    return MeasureResults({}, dict.fromkeys(declaration(function).names, reason))


def _coverage(subject: Subject) -> float:
    """Compute the share of the parameters that kernels cover."""
    share: float = importlib.import_module("gengap.networks").coverage(subject.network)
    return share


def _refuse_unknown_layers(subject: Subject) -> None:
    """Refuse a network of which kernels cover less than :data:`LEAST_COVERAGE`."""
    networks = importlib.import_module("gengap.networks")
    share = _coverage(subject)
    if share >= LEAST_COVERAGE:
        return
    layers = networks.unknown_layers(subject.network)
    listed = ", ".join(layers[:LISTED_LAYERS])
    more = f" and {len(layers) - LISTED_LAYERS} more" if len(layers) > LISTED_LAYERS else ""
    raise GengapError(
        f"Norms of kernels see {share:.0%} of the network's parameters, less than half: they do "
        f"not know {listed}{more}; use layers of torch.nn there, or do without this measure."
    )


def _load(source: str) -> ModuleType:
    if not source.endswith(".py"):
        return importlib.import_module(source)
    spec = importlib.util.spec_from_file_location(Path(source).stem, source)
    if spec is None or spec.loader is None:
        raise GengapError(f"{source} cannot be imported: give the path of a Python file.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _defined_in(
    module: str, namespace: Mapping[str, object], is_package: bool
) -> Iterable[MeasureFunction]:
    """List the measures of a module that it defines, or a module inside it if it is a package."""
    for function in namespace.values():
        home = getattr(function, "__module__", None)
        inside = isinstance(home, str) and home.startswith(f"{module}.")
        is_own = home == module or (is_package and inside)
        if is_own and callable(function) and hasattr(function, _MARK):
            yield function


def _companions(function: MeasureFunction) -> list[MeasureFunction]:
    """List the functions of the family that a measure belongs to, in order; at least itself."""
    home = function.__module__
    for family, source in FAMILIES.items():
        if home == source or home.startswith(f"{source}."):
            return list(dict.fromkeys(members(family).values()))
    namespace = getattr(function, "__globals__", {})
    functions = list(dict.fromkeys(_defined_in(home, namespace, is_package=False)))
    return functions if function in functions else [function]


def _named(function: MeasureFunction, result: Any) -> dict[str, Outcome]:
    names = declaration(function).names
    if names == (_name(function),):
        return {names[0]: result}
    if set(result) != set(names):
        raise GengapError(
            f"{_name(function)} declares the measures {', '.join(names)} "
            f"but returned {', '.join(result)}: make the two agree."
        )
    return {name: result[name] for name in names}


def _name(function: MeasureFunction) -> str:
    """Return a function's name; an object that can be called has that of its class."""
    return getattr(function, "__name__", type(function).__name__)


def _signs(names: Collection[str], sign: Sign | Mapping[str, Sign]) -> dict[str, Sign]:
    """Return the sign of each measure of a function.

    Raises:
        GengapError: a sign is unknown, or that of another measure.
    """
    given = dict.fromkeys(names, sign) if isinstance(sign, str) else sign
    strange = [name for name in given if name not in names]
    if strange:
        raise GengapError(
            f"A sign is declared for '{strange[0]}', which is no measure of the function: choose "
            f"from {', '.join(names)}."
        )
    signs: dict[str, Sign] = {name: given.get(name, "+") for name in names}
    for name, value in signs.items():
        if value not in get_args(Sign):
            raise GengapError(
                f"The measure '{name}' declares the sign {value!r}: choose '+' or '?'; where "
                "larger predicts a smaller gap, return the negative."
            )
    return signs


def _is_finite(value: Value) -> bool:
    numbers = list(value.values()) if isinstance(value, Mapping) else value
    return bool(np.all(np.isfinite(np.asarray(numbers, dtype=float))))
