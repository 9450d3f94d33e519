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
other layers, declares ``@measure(sees="kernels")``. Families are imported when they are first asked
for, so this module depends on none of them.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from gengap.errors import GengapError
from gengap.failures import NETWORK_FAULTS, is_fault_of_network
from gengap.measures.needs import NEEDS
from gengap.measures.results import LeftOut, MeasureResults, Value
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
    "compute",
    "declaration",
    "measure",
    "members",
]

log = logging.getLogger(__name__)

MeasureFunction = Callable[[Subject], Value | Mapping[str, Value | LeftOut]]
AnyMeasure = TypeVar("AnyMeasure", bound=MeasureFunction)

Sight = Literal["all", "kernels"]
"""What a measure sees of a network: everything, or the kernels of its layers alone."""

LEAST_COVERAGE = 0.5
"""Share of the parameters below which a measure that rests on kernels says nothing of a network."""
LISTED_LAYERS = 5
"""Most layers that the reason of a measure without a value names."""

_MARK = "gengap_measure"


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
        """Whether all of them need what the subject does not have, and none failed."""
        return set(self.results.left_out) == set(self.results.unmet)


@dataclass(frozen=True)
class Declaration:
    """What the decorator declares about a function.

    Attributes:
        names: the measures that the function computes.
        needs: names of what it needs of a subject, in :data:`gengap.names.NEEDS`.
        sees: what it sees of a network: ``all``, or the ``kernels`` alone.
    """

    names: tuple[str, ...]
    needs: frozenset[str]
    sees: Sight


def measure(
    *names: str, needs: Collection[str] = (), sees: Sight = "all"
) -> Callable[[AnyMeasure], AnyMeasure]:
    """Mark a function as a measure.

    The function takes a :class:`~gengap.measures.Subject` and returns a number, a vector, or a
    mapping from component names to numbers. Larger predicts a larger gap.

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

    Returns:
        A decorator that leaves the function as it is.

    Raises:
        GengapError: a need is unknown.
    """
    unknown = sorted(set(needs) - set(NEEDS))
    if unknown:
        raise GengapError(
            f"A measure declares the unknown need '{unknown[0]}': "
            f"give 'needs' a set out of {', '.join(NEEDS)}."
        )

    def mark(function: AnyMeasure) -> AnyMeasure:
        own = names or (function.__name__,)
        setattr(function, _MARK, Declaration(own, frozenset(needs), sees))
        return function

    return mark


def declaration(function: MeasureFunction) -> Declaration:
    """Return what a measure's decorator declared.

    Raises:
        GengapError: the function is not decorated.
    """
    declared = getattr(function, _MARK, None)
    if not isinstance(declared, Declaration):
        raise GengapError(
            f"{getattr(function, '__name__', function)} is no measure: decorate it with "
            "@gengap.measures.measure()."
        )
    return declared


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


def compute(what: str | MeasureFunction, subject: Subject) -> MeasureResults:
    """Compute a family of measures, or one measure.

    A measure whose needs are not met, or that fails, is left out by name; the others are computed.
    Each function has its own random stream, by its place in its module, so that a measure has the
    same value alone and within its family. Networks are in eval mode while they are measured. Their
    modes, buffers, gradients and ``requires_grad`` flags are as before afterwards. Networks are
    taken out of wrappers (``DataParallel``, ``torch.compile``), and those of half precision are
    measured as float32 copies.

    Args:
        what: a family ("baseline", or the path of a Python file with measures), one measure of it
            ("baseline:parameter_count"), or a function decorated with :func:`measure`.
        subject: the network, its training data, and what else is known.

    Returns:
        A mapping from names to values (numbers, vectors, or mappings from component names to
        numbers), with the attributes ``left_out``, the reason for each measure without a value, and
        ``coverage``, the share of the parameters that each measure of kernels saw.

    Raises:
        GengapError: an unknown family or measure, or a network that is TorchScript.
        NothingComputedError: no measure that was asked for can be computed.
    """
    if isinstance(what, str):
        family, _, only = what.partition(":")
        by_name = members(family)
        if only and only not in by_name:
            raise GengapError(
                f"Unknown measure '{only}' of family '{family}': "
                f"choose one of {', '.join(by_name)}."
            )
        functions = list(dict.fromkeys(by_name.values()))
        selected = [by_name[only]] if only else functions
        names: Collection[str] = [only] if only else by_name
    else:
        names, selected, functions = declaration(what).names, [what], _companions(what)
    subject = _measurable(subject)
    streams = dict(zip(functions, subject.rng.spawn(len(functions)), strict=True))
    values: dict[str, Value] = {}
    left_out: dict[str, str] = {}
    unmet: dict[str, str] = {}
    shares: dict[str, float] = {}
    for function in selected:
        with undisturbed(subject.networks):
            results = _results(function, replace(subject, rng=streams[function]))
        values |= {name: value for name, value in results.items() if name in names}
        left_out |= {name: text for name, text in results.left_out.items() if name in names}
        unmet |= {name: need for name, need in results.unmet.items() if name in names}
        shares |= {name: share for name, share in results.coverage.items() if name in names}
    for name, reason in left_out.items():
        log.warning("measure %s left out: %s", name, reason)
    computed = MeasureResults(values, left_out, shares, unmet)
    if not values:
        raise NothingComputedError(computed)
    return computed


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
    )


def _results(function: MeasureFunction, subject: Subject) -> MeasureResults:
    """Return the values of one function, or the reasons why it has none."""
    declared = declaration(function)
    try:
        for need in (name for name in NEEDS if name in declared.needs):
            sentence = NEEDS[need].refusal(subject)
            if sentence is not None:
                reasons = {name: sentence.format(measure=name) for name in declared.names}
                return MeasureResults({}, reasons, unmet=dict.fromkeys(declared.names, need))
        share = _coverage(subject) if declared.sees == "kernels" else None
        results = _named(function, function(subject))
    except NETWORK_FAULTS as error:
        if not is_fault_of_network(error):
            raise
        if not isinstance(error, GengapError):
            log.warning("%s failed", function.__name__, exc_info=True)
        return MeasureResults({}, dict.fromkeys(declared.names, str(error) or type(error).__name__))
    values: dict[str, Value] = {}
    left_out: dict[str, str] = {}
    for name, value in results.items():
        if isinstance(value, LeftOut):
            left_out[name] = value.reason
        elif _is_finite(value):
            values[name] = value
        else:
            left_out[name] = (
                f"The measure '{name}' is not finite for this network: look at its weights and its "
                "training loss."
            )
    return MeasureResults(values, left_out, {} if share is None else dict.fromkeys(values, share))


def _coverage(subject: Subject) -> float:
    """Compute the share of the parameters that kernels cover.

    Returns:
        The share, at least one half.

    Raises:
        GengapError: it is below :data:`LEAST_COVERAGE`.
    """
    networks = importlib.import_module("gengap.networks")
    share: float = networks.coverage(subject.network)
    if share >= LEAST_COVERAGE:
        return share
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


def _named(function: MeasureFunction, result: Any) -> dict[str, Value | LeftOut]:
    names = declaration(function).names
    if names == (function.__name__,):
        return {names[0]: result}
    if set(result) != set(names):
        raise GengapError(
            f"{function.__name__} declares the measures {', '.join(names)} "
            f"but returned {', '.join(result)}: make the two agree."
        )
    return {name: result[name] for name in names}


def _is_finite(value: Value) -> bool:
    numbers = list(value.values()) if isinstance(value, Mapping) else value
    return bool(np.all(np.isfinite(np.asarray(numbers, dtype=float))))
