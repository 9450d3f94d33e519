"""References out of the site: to inner names of the library, and to files of the repository.

A docstring may name what its package does not export. Such a name leads to the entry of the same
object under the package, if there is one; otherwise it is shown without a link. A name that does
not exist stays a warning. A page may link a file that is in the repository and not on the site:
such a link leads to the forge.
"""

from __future__ import annotations

import pkgutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform

ROOT = Path(__file__).parents[2]
FORGE = "https://github.com/gengap/gengap/blob/main/"


def resolve(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, content: nodes.TextElement
) -> nodes.Node | None:
    """Resolve a reference that Sphinx could not; None where its target does not exist."""
    target = str(node.get("reftarget", ""))
    if node.get("refdomain") != "py" or not target.startswith("gengap."):
        return None
    if not exists(target):
        return None
    packages = target.split(".")
    python = env.get_domain("py")
    for depth in range(len(packages) - 2, 1, -1):
        alias = ".".join([*packages[:depth], packages[-1]])
        found = python.objects.get(alias)  # type: ignore[attr-defined]
        if found is not None:
            reference = nodes.reference("", "", content, internal=True)
            uri = app.builder.get_relative_uri(str(node["refdoc"]), found.docname)
            reference["refuri"] = f"{uri}#{found.node_id}"
            return reference
    return content


def exists(target: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one."""
    with suppress(AttributeError, ValueError):
        pkgutil.resolve_name(target)
        return True
    owner, _, name = target.rpartition(".")
    with suppress(AttributeError, ValueError):
        # A field of a dataclass that has no default is only annotated.
        return name in getattr(pkgutil.resolve_name(owner), "__annotations__", {})
    return False


class FilesOnTheForge(SphinxPostTransform):
    """Links files of the repository that are no pages of the site."""

    default_priority = 5  # before MyST looks for a page

    def run(self, **kwargs: Any) -> None:
        """Replace the links of a page."""
        for node in list(self.document.findall(addnodes.pending_xref)):
            target = str(node.get("reftarget", ""))
            beside = Path(self.env.docname).parent / target
            file = next((path for path in (Path(target), beside) if (ROOT / path).is_file()), None)
            if node.get("reftype") == "myst" and file is not None:
                link = nodes.reference("", "", refuri=f"{FORGE}{file.as_posix()}")
                link += node.children
                node.replace_self(link)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the handler and the transform."""
    app.add_post_transform(FilesOnTheForge)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
