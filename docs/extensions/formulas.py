"""Formulas as MathML: those in LaTeX, and those that docstrings write as plain text.

Docstrings are read in tooltips, so they write ``sum_i lambda_i / (lambda_i + alpha)``. On the site
the same text is typeset: names of Greek letters, subscripts, powers, roots, norms. What is
recognised is a run of symbols, brackets and operators between words of prose; all else stays as it
is. Formulas between dollars are LaTeX. A browser renders MathML by itself, so that pages need
neither scripts nor fonts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import Any

from docutils import nodes
from docutils.utils.math import latex2mathml
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η",
    "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π",
    "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω",
    "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ",
    "Omega": "Ω",
}  # fmt: skip
LARGE = {"sum": "∑", "prod": "∏", "int": "∫"}
FUNCTIONS = {
    "log", "log10", "exp", "sqrt", "tr", "trace", "det", "dim", "max", "min", "argmax", "argmin",
    "cos", "sin", "sign", "mean", "softmax", "grad", "Cov", "Var",
}  # fmt: skip
WORDS = {"mean", "max", "min", "sign", "trace"}
"""Names of functions that prose has, too."""
OPERATORS = {
    "+": "+", "-": "−", "*": "∗", "/": "/", "=": "=", "<": "<", ">": ">", "<=": "≤", ">=": "≥",
    "!=": "≠", "~": "∼", "||": "‖", "|": "|", ".": "·", ":": ":", "·": "·", "≤": "≤", "≥": "≥",
    "×": "×", "−": "−",
}  # fmt: skip
OPENING, CLOSING = dict(zip("([{<", ")]}>", strict=True)), dict(zip(")]}>", "([{<", strict=True))
ANGLES = {"<": "⟨", ">": "⟩"}
INDICES = {"eff", "min", "max", "init", *GREEK}
"""Subscripts of more than two letters."""

TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<prose>(?:[A-Za-zÀ-ɏ]+[-'’])+(?=[A-Za-zÀ-ɏ]{2})[A-Za-zÀ-ɏ]+
      | (?!(?:__GREEK__)')[A-Za-zÀ-ɏ]{2,}['’](?=\W|$))
  | (?P<number>\d+(?:\.\d+)?(?![A-Za-z]))
  | (?P<symbol>(?:[A-Za-z]+(?:10)?|[α-ωΑ-Ω])
      (?:_(?:\{[^{}]*\}|[A-Za-z0-9]+)|\^(?:\{[^{}]*\}|\([^()]*\)|-?[A-Za-z0-9]+)|')*
      (?:\*(?=[\s)\]|,.]))?(?!\w))
  | (?P<power>\^(?:\{[^{}]*\}|\([^()]*\)|-?[A-Za-z0-9]+) | (?<=[|\])])_[A-Za-z0-9]+)
  | (?P<bracket><(?=[A-Za-z]) | (?<=[\w)])>(?!=) | [()\[\]{}])
  | (?P<operator><=|>=|!=|\|\||[-+*/=<>~|·≤≥×−]|(?<=\s)[.](?=\s))
  | (?P<comma>[,;](?=\s))
  | (?P<colon>:(?=\s))
  | (?P<other>[^\s]+?(?=[\s(\[{,]|$)|\S)
    """.replace("__GREEK__", "|".join(GREEK)),
    re.VERBOSE,
)


@dataclass
class Token:
    """A piece of a text.

    Attributes:
        kind: the group of :data:`TOKEN` that it matched.
        text: the piece itself.
        formula: whether it may be part of a formula.
    """

    kind: str
    text: str
    formula: bool


def tokens_of(text: str) -> list[Token]:
    """Split a text, and say which pieces may be part of a formula."""
    found = [Token(str(match.lastgroup), match[0], False) for match in TOKEN.finditer(text)]
    for position, token in enumerate(found):
        if token.kind == "symbol":
            before, after = (_word(found, position, step) for step in (-1, 1))
            applied = position + 1 < len(found) and found[position + 1].text == "("
            token.formula = _is_symbol(token.text, before, after, applied)
            if token.text == "x" and before.isdigit() and after.isdigit():
                token.kind, token.text = "operator", "×"
        else:
            token.formula = token.kind in ("number", "power", "operator", "bracket")
    return found


def _word(found: list[Token], position: int, step: int) -> str:
    """Return the text of the neighbour that is no space; empty where there is none."""
    position += step
    while 0 <= position < len(found):
        if found[position].kind != "space":
            return found[position].text
        position += step
    return ""


def _is_symbol(text: str, before: str, after: str, applied: bool) -> bool:
    """Whether a word is a symbol of a formula, with the words before and after it."""
    name = _stem(text)
    scripted = len(text) > len(name)
    index = text.partition("_")[2].partition("^")[0].strip("'*")
    if text.count("_") > 1 or (len(index) > 2 and index.isalpha() and index not in INDICES):
        return False
    if name in GREEK or re.fullmatch(r"[b-zB-HJ-Zα-ωΑ-Ω]", name):
        return True
    if name == "mean":
        return scripted or applied
    if name in LARGE or name in FUNCTIONS:
        starts = bool(re.match(r"[A-Za-zα-ω](?![A-Za-z])|[({\[<|\d]", after))
        starts = starts and not (after == "a" and name in WORDS)
        named = after in FUNCTIONS or _stem(after) in GREEK or "_" in after
        return scripted or (before not in ("the", "their", "its") and (starts or named))
    if text == "dt":
        return "_" in before or len(before) == 1
    if len(name) == 1:  # a, A and I, which are also words
        joined = (
            before in OPERATORS or after in OPERATORS or before in OPENING or _stem(before) in LARGE
        )
        named = after in FUNCTIONS - WORDS
        return scripted or applied or joined or named or after in {*CLOSING, "the", "if"}
    return scripted and len(name) == 2


def _stem(text: str) -> str:
    return re.split(r"[_^'*]", text)[0]


def runs(found: list[Token]) -> list[tuple[bool, list[Token]]]:
    """Group tokens into formulas and prose, in order."""
    marked = [token.formula for token in found]
    # A space or a comma within brackets belongs to the formula if both its neighbours do.
    for position, token in enumerate(found):
        if token.kind == "space":
            inside = 0 < position < len(found) - 1
            marked[position] = inside and marked[position - 1] and found[position + 1].formula
        elif token.kind in ("comma", "colon"):
            marked[position] = _inside(found, marked, position)
    for position, token in enumerate(found):
        if token.kind == "space" and 0 < position < len(found) - 1:
            marked[position] = marked[position - 1] and marked[position + 1]
    grouped: list[tuple[bool, list[Token]]] = []
    for token, formula in zip(found, marked, strict=True):
        if grouped and grouped[-1][0] == formula:
            grouped[-1][1].append(token)
        else:
            grouped.append((formula, [token]))
    return [
        part for formula, run in grouped for part in (_trimmed(run) if formula else [(False, run)])
    ]


def _inside(found: list[Token], marked: list[bool], position: int) -> bool:
    """Whether brackets of one formula stand around a comma or a colon."""
    depth, at = 0, position - 1
    while at >= 0 and (marked[at] or found[at].kind == "space"):
        depth += (found[at].text in CLOSING) - (found[at].text in OPENING)
        if depth < 0:
            break
        at -= 1
    if depth >= 0:
        return False
    depth, at = 0, position + 1
    while at < len(found) and (found[at].formula or found[at].kind in ("space", "comma")):
        depth += (found[at].text in OPENING) - (found[at].text in CLOSING)
        if depth < 0:
            return True
        at += 1
    return False


def _trimmed(run: list[Token]) -> list[tuple[bool, list[Token]]]:
    """Split a run at brackets and bars without a partner, and at operators at its end."""
    open_at: list[int] = []
    partnered = set()
    for position, token in enumerate(run):
        if token.text in OPENING:
            open_at.append(position)
        elif token.text in CLOSING and open_at and run[open_at[-1]].text == CLOSING[token.text]:
            partnered |= {open_at.pop(), position}
    bars = [position for position, token in enumerate(run) if token.text in ("|", "||")]
    odd = set(bars[-1:]) if len(bars) % 2 else set()
    parts: list[tuple[bool, list[Token]]] = []
    current: list[Token] = []
    for position, token in enumerate(run):
        single = token.kind == "bracket" and position not in partnered
        if single or position in odd:
            parts += _edges(current)
            parts.append((False, [token]))
            current = []
        else:
            current.append(token)
    return parts + _edges(current)


def _edges(run: list[Token]) -> list[tuple[bool, list[Token]]]:
    first, last = 0, len(run)
    while first < last and run[first].kind in ("space", "comma", "colon"):
        first += 1
    while last > first and (
        run[last - 1].kind in ("space", "comma", "colon")
        or (run[last - 1].kind == "operator" and run[last - 1].text not in ("|", "||"))
    ):
        last -= 1
    core = run[first:last]
    parts = [(False, run[:first]), (_worth(core), core), (False, run[last:])]
    return [part for part in parts if part[1]]


def _worth(core: list[Token]) -> bool:
    """Whether a run is a formula: it has a symbol that is more than the name of a function."""
    names = [_stem(token.text) for token in core if token.kind == "symbol"]
    return any(name not in FUNCTIONS or len(core) > 1 for name in names)


def mathml(run: list[Token]) -> str:
    """Return a run as MathML."""
    source = "".join(token.text for token in run)
    pieces: list[str] = []
    stack: list[tuple[list[str], str]] = []
    for position, token in enumerate(run):
        following = _word(run, position, 1)
        if token.text in OPENING:
            stack.append((pieces, token.text))
            pieces = []
        elif token.text in CLOSING and stack:
            outer, opening = stack.pop()
            inner = "".join(pieces)
            if outer and outer[-1] == ROOT and opening == "(":
                outer[-1] = f"<msqrt><mrow>{inner}</mrow></msqrt>"
            else:
                outer.append(f"<mrow>{_fence(opening)}{inner}{_fence(token.text)}</mrow>")
            pieces = outer
        elif token.kind == "power" and pieces:
            pieces[-1] = _scripted(pieces[-1], token.text, "")
        elif token.kind == "symbol":
            pieces.append(_symbol(token.text, following))
        elif token.kind == "number":
            pieces.append(f"<mn>{token.text}</mn>")
        elif token.text in ("|", "||"):
            pieces.append(_fence(OPERATORS[token.text]))
        elif token.kind == "operator":
            unary = token.text in "-−" and (not pieces or pieces[-1].startswith("<mo>"))
            form = ' form="prefix"' if unary else ""
            pieces.append(f"<mo{form}>{escape(OPERATORS[token.text])}</mo>")
        elif token.kind in ("comma", "colon"):
            pieces.append(f"<mo separator='true'>{token.text}</mo><mspace width='0.2em'/>")
    label = escape(source, quote=True)
    return f'<math display="inline" alttext="{label}"><mrow>{"".join(pieces)}</mrow></math>'


ROOT = "<mo>√</mo>"
THIN = "<mspace width='0.17em'/>"


def _fence(character: str) -> str:
    shown = ANGLES.get(character, character)
    return f"<mo stretchy='false' lspace='0' rspace='0'>{shown}</mo>"


def _symbol(text: str, following: str) -> str:
    match = re.match(r"([A-Za-z]+(?:10)?|[α-ωΑ-Ω])(.*)", text)
    assert match is not None
    name, scripts = match[1], match[2]
    prime = "′" * scripts.count("'") + "∗" * scripts.endswith("*")
    if name == "sqrt":
        return ROOT
    if name in LARGE:
        return _scripted(f"<mo largeop='false'>{LARGE[name]}</mo>", scripts, "")
    if name == "grad":
        return _scripted("<mo>∇</mo>", scripts, "")
    if name in FUNCTIONS:
        base = "<msub><mi>log</mi><mn>10</mn></msub>" if name == "log10" else f"<mi>{name}</mi>"
        gap = "" if following[:1] in ("(", "[", "{", "") else THIN
        return THIN + _scripted(base, scripts, "") + gap
    return _scripted(_identifier(name), scripts, prime)


def _identifier(name: str) -> str:
    if name in GREEK:
        return f"<mi>{GREEK[name]}</mi>"
    return f"<mi>{name}</mi>" if len(name) == 1 else f"<mi mathvariant='normal'>{name}</mi>"


def _scripted(base: str, scripts: str, prime: str) -> str:
    below = re.search(r"_(\{[^{}]*\}|[A-Za-z0-9]+)", scripts)
    above = re.search(r"\^(\{[^{}]*\}|\([^()]*\)|-?[A-Za-z0-9]+)", scripts)
    sub = _script(below[1]) if below else ""
    top = (f"<mo>{prime}</mo>" if prime else "") + (_script(above[1]) if above else "")
    if sub and top:
        return f"<msubsup>{base}{sub}<mrow>{top}</mrow></msubsup>"
    if sub:
        return f"<msub>{base}{sub}</msub>"
    return f"<msup>{base}<mrow>{top}</mrow></msup>" if top else base


def _script(text: str) -> str:
    """Typeset an index or an exponent."""
    pieces = []
    for piece in re.findall(r"\d+(?:\.\d+)?|[A-Za-z]+|[-+=/,]", text.strip("{}()")):
        if piece[0].isdigit():
            pieces.append(f"<mn>{piece}</mn>")
        elif piece in GREEK or (len(piece) == 1 and piece.isalpha()):
            pieces.append(_identifier(piece))
        elif piece.isalpha() and (len(piece) > 2 or piece.isupper()):
            pieces.append(f"<mtext>{piece}</mtext>")
        elif piece.isalpha():
            pieces += [f"<mi>{letter}</mi>" for letter in piece]
        else:
            pieces.append(f"<mo>{piece.replace('-', '−')}</mo>")
    return f"<mrow>{''.join(pieces)}</mrow>"


def typeset(text: str) -> list[nodes.Node]:
    """Return a text with its formulas as MathML."""
    made: list[nodes.Node] = []
    prose = ""
    for formula, run in runs(tokens_of(text)):
        source = "".join(token.text for token in run)
        if not formula:
            prose += source
            continue
        if prose:
            made.append(nodes.Text(prose))
        prose = ""
        made.append(nodes.raw(source, mathml(run), format="html"))
    return made + ([nodes.Text(prose)] if prose else [])


class TypesetFormulas(SphinxTransform):
    """Typesets the plain-text formulas of docstrings, and of the table of measures."""

    default_priority = 400

    def apply(self, **kwargs: Any) -> None:
        """Replace the texts of the document that hold formulas."""
        name = self.env.docname
        if name == "measures":
            places = list(_equations(self.document))
        elif name.startswith("reference/generated/"):
            places = [self.document]
        else:
            return
        for field in self.document.findall(nodes.field_name):
            if field.astext() == "Variables":
                field.replace(field[0], nodes.Text("Attributes"))
        for place in places:
            for text in list(place.findall(nodes.Text)):
                if text == " -- ":
                    text.parent.replace(text, nodes.Text(" – "))
                elif isinstance(text.parent, (nodes.paragraph, nodes.term, addnodes.desc_content)):
                    made = typeset(text.astext())
                    if any(isinstance(node, nodes.raw) for node in made):
                        text.parent.replace(text, made)


def _equations(document: nodes.document) -> list[nodes.entry]:
    """Return the cells of the columns of equations."""
    cells = []
    for table in document.findall(nodes.tgroup):
        header, *rows = list(table.findall(nodes.row))
        titles = [entry.astext() for entry in header.findall(nodes.entry)]
        if "Equation" in titles:
            column = titles.index("Equation")
            cells += [list(row.findall(nodes.entry))[column] for row in rows]
    return cells


VERBATIM = re.compile(
    r"(``.+?``|:[a-z:]+:`[^`]+`|`[^`]+`_?|\$[^$]+\$|(?<!\w)\*\*?(?=\w)[^*\n(),]+(?<=\w)\*\*?(?!\w))",
    re.DOTALL,
)
"""Code, roles, links, LaTeX and emphasis."""
LABEL = re.compile(r"^(Equation|Source|Scale):(?=\s|$)")
ITEM = re.compile(r"\s*- ")


def read_formulas(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Keep reStructuredText from reading the formulas of a docstring as markup."""
    text = "\n".join(_with_lists_apart([_labelled(line) for line in lines]))
    pieces = VERBATIM.split(text)
    for position, piece in enumerate(pieces):
        if position % 2 and piece.startswith("$"):
            pieces[position] = f":math:`{piece.strip('$')}`"
        elif position % 2 == 0:
            pieces[position] = "\n".join(map(_escaped, piece.split("\n")))
    lines[:] = "".join(pieces).split("\n")


def _labelled(line: str) -> str:
    """Print the word that begins a paragraph of a measure in bold."""
    label = LABEL.match(line)
    if label is None:
        return line
    rest = line[label.end() :]
    return f"**{label[1]}**:{rest}" if rest else f"**{label[1]}**"


def _with_lists_apart(lines: list[str]) -> list[str]:
    """Put an empty line before and after each list."""
    apart: list[str] = []
    indent = None
    for line in lines:
        width = len(line) - len(line.lstrip())
        if ITEM.match(line):
            if indent is None and apart and apart[-1].strip():
                apart.append("")
            indent = width
        elif indent is not None and line.strip() and width <= indent:
            if apart[-1].strip():
                apart.append("")
            indent = None
        apart.append(line)
    return apart


def _escaped(line: str) -> str:
    if line.lstrip().startswith((".. ", ">>>")):
        return line
    marker = re.match(r"\s*(:[a-z]+(?: [^:`]+)?:|[*] )?", line)
    assert marker is not None
    rest = re.sub(r"(?<!\\)([*|]|(?<=\w)_(?!\w))", r"\\\1", line[marker.end() :])
    return marker[0] + rest


def visit_math(self: Any, node: nodes.math) -> None:
    """Write LaTeX within a line as MathML."""
    self.body.append(_from_latex(node.astext(), block=False))
    raise nodes.SkipNode


def visit_displayed(self: Any, node: nodes.math_block) -> None:
    """Write a displayed formula as MathML."""
    self.body.append(f'<div class="formula">{_from_latex(node.astext(), block=True)}</div>')
    raise nodes.SkipNode


def _from_latex(source: str, block: bool) -> str:
    return str(latex2mathml.tex2mathml(source, as_block=block))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer of LaTeX, and the transform of plain text."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displayed, None))
    app.add_transform(TypesetFormulas)
    app.connect("autodoc-process-docstring", read_formulas, priority=800)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
