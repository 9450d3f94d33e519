"""Networks that are made elsewhere: by a user's function, by a hub, or from a Keras file."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gengap.errors import GengapError
from gengap.planning.factories import Parameters, factory_parameters
from gengap.planning.settings import Settings
from gengap.planning.sources import own_code_version

KINDS: dict[str, tuple[str, ...]] = {
    "factory": ("keywords", "layout", "outputs", "observe"),
    "hub": ("keywords", "layout", "outputs", "observe"),
    "keras": (),
}
"""Kinds of such networks, and the keys beside each."""


@dataclass(frozen=True)
class ForeignNetwork:
    """What a config says of networks that are made elsewhere.

    Attributes:
        own: the settings ``network``, with one of :data:`KINDS`.
        kind: which one.
    """

    own: Settings
    kind: str

    @classmethod
    def of(cls, network: Settings) -> ForeignNetwork | None:
        """Return it; None for a network that the library describes."""
        kind = next((kind for kind in KINDS if kind in network), None)
        return None if kind is None else cls(network, kind)

    @property
    def file(self) -> Path | None:
        """The file of a factory or of a Keras model; None for a hub."""
        if self.kind == "hub":
            return None
        source: str = self.own[self.kind]
        return Path(source.rpartition(":")[0] if self.kind == "factory" else source)

    @property
    def code(self) -> str | None:
        """A digest of the factory's file and of what it imports; None without a factory."""
        if self.kind != "factory" or self.file is None:
            return None
        return own_code_version(self.file)

    @property
    def keywords(self) -> Settings:
        """The keywords that all networks share."""
        keywords: Settings = self.own.get("keywords") or {}
        return keywords

    @cached_property
    def parameters(self) -> Parameters | None:
        """The parameters of a factory; None where no source tells them."""
        if self.kind != "factory" or self.file is None:
            return None
        return factory_parameters(self.file, self.own["factory"].rpartition(":")[2])

    @property
    def columns(self) -> Collection[str]:
        """The columns of a table of checkpoints that are keywords."""
        return {*self.keywords, *(self.parameters.names if self.parameters else ())}

    def grid_keys(self, grid: Collection[str], training: Collection[str]) -> list[str]:
        """Return the names that are keywords of the network where they stand in a grid.

        Args:
            grid: names of all hyper-parameters.
            training: the entries of a training recipe. One that is a parameter of the factory, too,
                goes to both.

        Returns:
            The parameters of the factory; where nothing tells all of them, also the names in the
            grid that are no entry of a recipe.
        """
        if self.kind == "keras":
            return []
        known = set(self.columns)
        if self.parameters is None or not self.parameters.are_all:
            known |= {name for name in grid if name not in training}
        return sorted(known)

    def spec(self, given: Mapping[str, Any]) -> Settings:
        """Return the spec of a network.

        Args:
            given: its own keywords, laid over those that all share.
        """
        if self.kind == "keras":
            return dict(self.own)
        return {**self.own, "keywords": {**self.keywords, **given}}

    def check(self, origin: str) -> None:
        """Refuse a key that such a network does not have, or a file that does not exist.

        Args:
            origin: where the settings stand, the beginning of a sentence.

        Raises:
            GengapError: the fault, by the name of its key.
        """
        unknown = sorted(set(self.own) - {self.kind, *KINDS[self.kind]})
        if unknown:
            raise GengapError(
                f"{origin} has the key '{unknown[0]}', which a '{self.kind}' does not take "
                f"(it takes {', '.join(KINDS[self.kind]) or 'no other'}): leave it out."
            )
        source = self.own[self.kind]
        if self.kind == "factory" and not re.fullmatch(r".+\.py:\w+", source):
            raise GengapError(
                f"{origin} names the factory '{source}': write 'mynets.py:SmallResNet', a Python "
                "file and the name of a function or class in it."
            )
        if self.file is not None and not self.file.is_file():
            raise GengapError(
                f"{origin} names the file {self.file}, which does not exist: correct "
                f"'{self.kind}', whose path is relative to the config file."
            )

    def lacks(self, keywords: Collection[str]) -> str:
        """Return the first parameter that a factory needs and is not given; empty if there is none.

        Args:
            keywords: names of those that it is given.
        """
        required = self.parameters.required if self.parameters else ()
        return next((name for name in required if name not in keywords), "")
