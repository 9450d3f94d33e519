"""Networks that a function in the user's own Python file makes, and a copy of that code."""

from __future__ import annotations

import importlib.util
import inspect
import logging
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from gengap.errors import GengapError
from gengap.files import writing
from gengap.planning.sources import own_code_version, own_sources

logger = logging.getLogger(__name__)

PACKAGE = "gengap_own_"
"""Private packages that hold the user's files begin so; the digest of the code follows."""


@dataclass
class OwnCode:
    """A user's file, imported, with the modules from its own folder that it imported.

    Attributes:
        module: the file as a module.
        folder: the file's folder.
        names: names of the modules and packages in that folder that the file imports, however deep.
        neighbours: those that were imported, and their parts, by name.
    """

    module: ModuleType
    folder: Path
    names: frozenset[str]
    neighbours: dict[str, ModuleType] = field(default_factory=dict)


_IMPORTED: dict[tuple[Path, str], OwnCode] = {}


def make_module(factory: str, keywords: Mapping[str, Any], folder: str | Path) -> nn.Module:
    """Call a factory in the user's file.

    Args:
        factory: ``file.py:function``; a class is a function too.
        keywords: what the factory is called with.
        folder: what the file's path is relative to.

    Returns:
        What the factory returns.

    Raises:
        GengapError: the file or function is missing, does not take the keywords, fails, or returns
            no module. The sentence names file, function and cause; the traceback is logged.
    """
    path, name = factory_file(factory, folder)
    code = _imported(path)
    function = _function(code, path, name)
    _refuse_keywords(function, keywords, f"{path}: {name}")
    with _visible(code), _explained(f"{path}: {name} fails"):
        module = function(**keywords)
    if not isinstance(module, nn.Module):
        raise GengapError(
            f"{path}: {name} returns a {type(module).__name__}, not a torch.nn.Module: "
            "return the network."
        )
    return module


def factory_keywords(factory: str, *, folder: str | Path = ".") -> tuple[str, ...]:
    """Return the names of a factory's keywords.

    Args:
        factory: ``file.py:function``.
        folder: what the file's path is relative to.

    Returns:
        Names of its parameters, without ``*arguments`` and ``**keywords``.

    Raises:
        GengapError: the file cannot be imported or has no such function.
    """
    path, name = factory_file(factory, folder)
    function = _function(_imported(path), path, name)
    return tuple(
        parameter.name
        for parameter in _signature(function).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    )


def factory_file(factory: Any, folder: str | Path) -> tuple[Path, str]:
    """Return the file and the function's name of ``file.py:function``.

    Args:
        factory: the text.
        folder: what the file's path is relative to.

    Returns:
        The path, which exists, and the name.

    Raises:
        GengapError: the text is no such thing, or there is no such file.
    """
    file, _, name = factory.rpartition(":") if isinstance(factory, str) else ("", "", "")
    if not file.endswith(".py") or not name.isidentifier():
        raise GengapError(
            f"factory is {factory!r}: give a Python file and a function in it, "
            "as mynets.py:SmallResNet."
        )
    path = Path(folder, file).expanduser().absolute()
    if not path.is_file():
        raise GengapError(f"{path} does not exist: correct its path in {factory!r}.")
    return path, name


def copy_code(spec: Mapping[str, Any], folder: str | Path, into: str | Path) -> dict[str, Any]:
    """Copy a factory's file, and what it imports from its own folder, under their digest.

    Args:
        spec: a network's spec; one without a factory is returned as it is.
        folder: what paths in the spec are relative to.
        into: the folder for copies. The files come to ``<into>/<digest>/``, in the places that they
            have below their own folder; data files beside them are not copied.

    Returns:
        The spec with a factory relative to ``into``: build it with ``folder=into``.

    Raises:
        GengapError: a file is missing or no Python.
        MachineError: the folder cannot be written to.
    """
    copied = dict(spec)
    if "factory" in spec:
        path, name = factory_file(spec["factory"], folder)
        digest = own_code_version(path)
        for source in own_sources(path):
            with writing(Path(into, digest, source.relative_to(path.parent))) as part:
                shutil.copyfile(source, part)
        copied["factory"] = f"{digest}/{path.name}:{name}"
    return copied


def _imported(path: Path) -> OwnCode:
    """Import a user's file under a private name, once for each state of its code."""
    key = path, own_code_version(path)
    if key not in _IMPORTED:
        package = PACKAGE + key[1]
        shell = ModuleType(package)
        shell.__path__ = [str(path.parent)]
        spec = importlib.util.spec_from_file_location(f"{package}.{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        names = [source.relative_to(path.parent).parts[0] for source in own_sources(path)]
        code = OwnCode(
            importlib.util.module_from_spec(spec),
            path.parent,
            frozenset(name.removesuffix(".py") for name in names),
        )
        sys.modules |= {package: shell, spec.name: code.module}
        with _visible(code), _explained(f"{path} cannot be imported"):
            spec.loader.exec_module(code.module)
        _IMPORTED[key] = code
    return _IMPORTED[key]


@contextmanager
def _visible(code: OwnCode) -> Iterator[None]:
    """Make a user's file's neighbours importable by their plain names, for this block alone.

    Two files of different folders may so have neighbours of the same name, in one process.
    """

    def loaded() -> dict[str, ModuleType]:
        return {
            name: module
            for name, module in sys.modules.items()
            if name.partition(".")[0] in code.names
        }

    hidden = {
        name: module for name, module in loaded().items() if not _belongs(module, code.folder)
    }
    for name in hidden:
        del sys.modules[name]
    before = set(loaded())
    sys.modules |= code.neighbours
    writes_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, str(code.folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(code.folder))
        sys.dont_write_bytecode = writes_bytecode
        code.neighbours = {name: part for name, part in loaded().items() if name not in before}
        for name in code.neighbours:
            del sys.modules[name]
        sys.modules |= hidden


def _belongs(module: ModuleType, folder: Path) -> bool:
    """Whether a module was loaded from a folder; a package without code from one of its folders."""
    files = (
        [module.__file__] if getattr(module, "__file__", None) else getattr(module, "__path__", [])
    )
    return any(folder in Path(file).parents for file in files if file)


def _function(code: OwnCode, path: Path, name: str) -> Callable[..., Any]:
    function: Callable[..., Any] | None = getattr(code.module, name, None)
    if not callable(function):
        names = [
            key
            for key, value in vars(code.module).items()
            if getattr(value, "__module__", None) == code.module.__name__ and callable(value)
        ]
        raise GengapError(
            f"{path} has no function {name}: its functions and classes are "
            f"{', '.join(names) or 'none'}."
        )
    return function


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except ValueError:  # of a function that is not written in Python
        return inspect.Signature([inspect.Parameter("keywords", inspect.Parameter.VAR_KEYWORD)])


def _refuse_keywords(function: Callable[..., Any], keywords: Mapping[str, Any], place: str) -> None:
    signature = _signature(function)
    try:
        signature.bind(**keywords)
    except TypeError as error:
        listed = ", ".join(signature.parameters) or "none"
        raise GengapError(f"{place}: {error}; its keywords are {listed}.") from None


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn any exception of the user's code into one sentence, and log its traceback."""
    try:
        yield
    except (Exception, SystemExit) as error:
        logger.error("%s.", what, exc_info=error)
        cause = " ".join(str(error).split()).rstrip(".")
        raise GengapError(
            f"{what} ({type(error).__name__}: {cause}): mend it; the log has the traceback."
        ) from error
