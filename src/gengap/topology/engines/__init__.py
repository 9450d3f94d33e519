"""The engines of persistent homology, one module each.

To add one: write a module with an :class:`~gengap.topology.engines.engine.Engine`, list it here,
add its name to ``gengap.names.ENGINES`` and its limits to ``gengap.limits``.
"""

from __future__ import annotations

from gengap.errors import GengapError
from gengap.limits import resolve_engine
from gengap.topology.engines.engine import Engine
from gengap.topology.engines.fast import FAST
from gengap.topology.engines.gudhi import GUDHI
from gengap.topology.engines.ripser import RIPSER

__all__ = ["ENGINES", "Engine", "find_engine"]

ENGINES: dict[str, Engine] = {engine.name: engine for engine in (FAST, RIPSER, GUDHI)}
"""Every engine by its name; all give the same diagrams, bit for bit."""


def find_engine(name: str, max_dim: int) -> Engine:
    """Find an engine by name, and check that it reaches a dimension.

    Args:
        name: name of an engine, or ``auto``.
        max_dim: the highest dimension of homology.

    Returns:
        The engine.

    Raises:
        GengapError: the name is unknown, or the engine does not reach that dimension.
    """
    engine = ENGINES.get(resolve_engine(name, max_dim)) if isinstance(name, str) else None
    if engine is None:
        raise GengapError(f"Unknown engine {name!r}: choose one of auto, {', '.join(ENGINES)}.")
    if engine.max_dim is not None and max_dim > engine.max_dim:
        raise GengapError(
            f"The {name} engine computes H0 to H{engine.max_dim}, not H{max_dim}: "
            "choose engine auto."
        )
    return engine
