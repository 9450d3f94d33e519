"""Running an experiment, plotting its runs and judging a paper's claims, all looked up by name.

A paper is a package of ``gengap.studies``:

- ``experiments/<name>.py`` has a frozen dataclass ``Settings``, whose fields are the keywords of
  the YAML file, a frozen dataclass ``Result`` and ``run(context, settings) -> Result``;
- ``figures.py`` has a function for each experiment, of its name: ``(runs, *, keywords) -> {name:
  Figure}``;
- ``claims.py`` has ``claims({experiment: runs}) -> [Claim]``, in the order of the experiments. An
  experiment's name in the YAML file may be longer than its module's.

Settings that many experiments have are described here alone: ``dataset`` has the keywords of
:func:`gengap.datasets.load` without the folder and the seed, ``network`` those of
:func:`gengap.tasks.zoo.network_spec`, ``training`` the entries of a
:class:`gengap.training.Recipe` without its seed. ``random_training`` replaces some of these where
random labels are learnt. ``seconds`` and ``memory_gib`` are the CPU seconds and the GiB that one
graph or kernel may take.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin

from gengap.errors import GengapError
from gengap.studies.context import Context
from gengap.studies.outcomes import AnyRun, ExperimentResult, Run, read_outcome

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gengap.studies.claims import Claim

T = TypeVar("T")


def run_experiment(
    study: str, experiment: str, context: Context, settings: Mapping[str, Any]
) -> ExperimentResult:
    """Run an experiment once, with its keywords of the YAML file.

    Returns:
        The experiment's ``Result``.

    Raises:
        GengapError: an unknown, missing or unfit setting, or what the experiment itself refuses.
    """
    module = _module(study, experiment)
    result: ExperimentResult = module.run(
        context, build_settings(module.Settings, settings, _owner(study, experiment))
    )
    return result


def read_runs(
    study: str,
    experiment: str,
    paths: Sequence[str | Path],
    entries: Sequence[tuple[int, Mapping[str, Any]]],
) -> list[AnyRun]:
    """Read the finished runs of one experiment.

    An entry of a run is its place among the seeds and its keywords of the YAML file.

    Returns:
        The runs, with the experiment's own ``Settings`` and ``Result``.

    Raises:
        GengapError: a file is missing, damaged or of another version, or the settings do not fit.
    """
    module, owner = _module(study, experiment), _owner(study, experiment)
    return [
        Run(
            seed,
            build_settings(module.Settings, settings, owner),
            module.Result.from_outcome(read_outcome(path)),
        )
        for path, (seed, settings) in zip(paths, entries, strict=True)
    ]


def plot_experiment(
    study: str, experiment: str, runs: Sequence[AnyRun], plotting: Mapping[str, Any] | None = None
) -> dict[str, Figure]:
    """Plot the figures of an experiment's runs; keywords of ``plotting`` change nothing else.

    Returns:
        The figures by name.

    Raises:
        GengapError: an unknown keyword, or what the figures refuse.
    """
    module: Any = importlib.import_module(f"gengap.studies.{study}.figures")
    function = getattr(module, experiment)
    keywords = plotting or {}
    known = [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    _refuse_unknown(keywords, known, f"The figures of {experiment} of {study} have")
    figures: dict[str, Figure] = function(runs, **keywords)
    return figures


def evaluate_claims(study: str, runs: Mapping[str, Sequence[AnyRun]]) -> list[Claim]:
    """Judge the claims of a paper that its runs, by the experiment's name, bear on."""
    module: Any = importlib.import_module(f"gengap.studies.{study}.claims")
    claims: list[Claim] = module.claims(runs)
    return claims


def judge_experiments(
    study: str, runs: Mapping[str, Sequence[AnyRun]], modules: Mapping[str, str]
) -> tuple[list[Claim], list[str]]:
    """Judge the claims of a paper on the runs of all experiments, whatever their names.

    An experiment whose name the paper's claims do not know is judged by itself, as one of its
    module's name; the title of such a claim ends with the experiment's name.

    Args:
        study: the paper's package.
        runs: by the experiment's name.
        modules: the module of each experiment, by the same names.

    Returns:
        The claims, and the names of the experiments on which none bears.
    """
    claims = evaluate_claims(study, runs)
    unjudged = []
    for name, of_experiment in runs.items():
        if evaluate_claims(study, {name: of_experiment}):
            continue
        renamed = evaluate_claims(study, {modules[name]: of_experiment})
        claims += [dataclasses.replace(claim, title=f"{claim.title} ({name})") for claim in renamed]
        unjudged += [] if renamed else [name]
    return claims, unjudged


def build_settings(kind: type[T], settings: Mapping[str, Any], owner: str, prefix: str = "") -> T:
    """Build a dataclass of settings from a mapping of the YAML file.

    A field whose type is a dataclass again takes a mapping; ``prefix`` is the dotted name of such
    settings among those of the owner, whom the sentence names.

    Returns:
        The dataclass, its values as they are in the mapping.

    Raises:
        GengapError: an unknown or missing key, or a value of another type; the sentence names it.
    """
    entries = dataclasses.fields(typing.cast("Any", kind))
    _refuse_unknown(settings, [entry.name for entry in entries], f"The {owner} has", prefix)
    hints = typing.get_type_hints(kind)
    converted = {}
    for entry in entries:
        name = f"{prefix}{entry.name}"
        if entry.name in settings:
            converted[entry.name] = _converted(settings[entry.name], hints[entry.name], owner, name)
        elif entry.default is entry.default_factory is dataclasses.MISSING:
            raise GengapError(f"The {owner} needs '{name}': set it.")
    return kind(**converted)


def _module(study: str, experiment: str) -> Any:
    return importlib.import_module(f"gengap.studies.{study}.experiments.{experiment}")


def _owner(study: str, experiment: str) -> str:
    return f"experiment {experiment} of {study}"


def _refuse_unknown(
    settings: Mapping[str, Any], known: Sequence[str], subject: str, prefix: str = ""
) -> None:
    for name in settings:
        if name not in known:
            remedy = f"choose among {', '.join(known)}" if known else "leave it out"
            raise GengapError(f"{subject} no setting '{prefix}{name}': {remedy}.")


def _converted(value: Any, hint: Any, owner: str, name: str) -> Any:
    """A value with mappings turned into the dataclasses that its type asks for."""
    kind = _dataclass_in(hint)
    if kind is not None and isinstance(value, Mapping):
        return build_settings(kind, value, owner, f"{name}.")
    if not _fits(value, hint):
        remedy = _described(hint)
        if isinstance(value, str) and "number" in remedy:
            remedy += " (YAML reads 1.0e-3 as one, 1e-3 as text)"
        raise GengapError(f"The setting '{name}' of the {owner} is {value!r}: give {remedy}.")
    return value


def _choices(hint: Any) -> tuple[Any, ...]:
    """The members of a union, or the type alone."""
    return get_args(hint) if get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def _dataclass_in(hint: Any) -> type | None:
    dataclass_choices = filter(dataclasses.is_dataclass, _choices(hint))
    return typing.cast("type | None", next(dataclass_choices, None))


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value of a YAML file is of a type; a number with a point is no integer."""
    origin, parameters = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if len(_choices(hint)) > 1:
        return any(_fits(value, choice) for choice in parameters)
    if origin is Literal:
        return value in parameters
    if hint in (int, float):
        allowed = (int, float) if hint is float else (int,)
        return isinstance(value, allowed) and not isinstance(value, bool)
    if origin is not None and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(
            _fits(item, parameters[1]) for item in value.values()
        )
    if origin is not None:
        return isinstance(value, list | tuple) and all(_fits(item, parameters[0]) for item in value)
    return isinstance(value, hint)


_WORDS = {
    int: "an integer",
    float: "a number",
    str: "a text",
    bool: "true or false",
    types.NoneType: "null",
}


def _described(hint: Any) -> str:
    """What to give for a type, in words."""
    if len(_choices(hint)) > 1:
        return " or ".join(_described(choice) for choice in get_args(hint))
    if get_origin(hint) is Literal:
        return " or ".join(map(str, get_args(hint)))
    if hint in _WORDS:
        return _WORDS[hint]
    if dataclasses.is_dataclass(hint) or issubclass(get_origin(hint), Mapping):
        return "a mapping"
    return f"a list, each entry {_described(get_args(hint)[0])}"
