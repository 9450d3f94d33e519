"""The command ``gengap``, installed as a script; ``python -m gengap`` is the same.

Each subcommand has a module of its own, with its arguments, its examples and what it runs.
:func:`main` is the entry point.
"""

from gengap.cli.entry import main

__all__ = ["main"]
