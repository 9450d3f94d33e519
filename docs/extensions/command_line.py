"""The directive ``command-line``: the help of ``gengap`` and of its subcommands, as a page."""

from __future__ import annotations

import argparse
import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from gengap.cli.entry import command_parser


class CommandLine(SphinxDirective):
    """Writes a section for each subcommand, from its parser."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        parser = command_parser()
        (subparsers,) = (
            action for action in parser._actions if isinstance(action, argparse._SubParsersAction)
        )
        lines = [line for name, sub in subparsers.choices.items() for line in section(name, sub)]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def section(name: str, parser: argparse.ArgumentParser) -> list[str]:
    """Return the section of a subcommand as Markdown."""
    usage = parser.format_usage().removeprefix("usage: ").strip()
    examples = re.sub(r"^  ", "", (parser.epilog or "").partition("\n")[2], flags=re.MULTILINE)
    lines = [f"## gengap {name}", "", parser.description or "", ""]
    lines += ["```sh", examples, "```", "", "```text", re.sub(r"\n +", "\n    ", usage), "```", ""]
    for group in parser._action_groups:
        actions = [action for action in group._group_actions if action.dest != "help"]
        if actions:
            lines += [f"**{(group.title or '').capitalize()}**", ""]
        for action in actions:
            lines += [*entry(parser, action), ""]
    return lines


def entry(parser: argparse.ArgumentParser, action: argparse.Action) -> list[str]:
    """Return an argument and its help as an entry of a definition list."""
    formatter = parser._get_formatter()
    metavar = (
        formatter._get_default_metavar_for_optional
        if action.option_strings
        else formatter._get_default_metavar_for_positional
    )
    value = formatter._format_args(action, metavar(action))
    names = [f"{option} {value}".strip() for option in action.option_strings] or [value]
    text = formatter._expand_help(action) if action.help else ""
    return [", ".join(f"`{name}`" for name in names), f": {prose(text)}"]


def prose(text: str) -> str:
    """Escape the text of a help for Markdown."""
    return re.sub(r"([\\*_`<\[\]])", r"\\\1", text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("command-line", CommandLine)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
