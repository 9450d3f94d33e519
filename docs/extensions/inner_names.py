"""References to names of the library that have no entry of their own on the site.

A docstring may name what its package does not export. Such a name leads to the entry of the same
object under the package, if there is one; otherwise it is shown without a link. A name that does
not exist stays a warning.
"""

from __future__ import annotations

import importlib

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment


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
    module, inner = target, list[str]()
    while module:
        try:
            found: object = importlib.import_module(module)
        except ModuleNotFoundError:
            module, _, last = module.rpartition(".")
            inner.insert(0, last)
            continue
        for name in inner:
            annotations = getattr(found, "__annotations__", {})
            if not hasattr(found, name) and name not in annotations:
                return False
            found = getattr(found, name, None)
        return True
    return False


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the handler."""
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
