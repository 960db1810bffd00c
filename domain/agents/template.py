"""An agent's instructions as a template: declared variables and conditions. Not a programming language.

Two walls: only the few kinds of syntax named here are compiled at all (no calls, attributes, loops or arithmetic, so
that a template can reach nothing and ends in time linear to its length), and what is compiled runs in Jinja's
immutable sandbox, without a single global.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated

from jinja2 import Template, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

BUILT_IN = ("language", "today")
"""Always there: the customer's language (ISO 639-1), and the date (UTC, YYYY-MM-DD)."""

MAX_VALUE_CHARS = 2_000
MAX_RENDERED_CHARS = 60_000
"""Half as much again as a template may have: variables are for names and terms, not for documents."""

_FILTERS = ("capitalize", "default", "lower", "title", "trim", "upper")
_MOST_TAGS = 500
_MOST_NODES = 4_000
"""Checked in 0.1 s at most, while the process that takes the agent does nothing else."""

_DEEPEST = 24
"""Levels of syntax. Python compiles 90 nested conditions and refuses more; people write three."""

_MARKS = ("{{", "{%", "{#")
_LINE_BREAKS = re.compile(r"\s*[\r\n\x0b\x0c\x85\u2028\u2029]+\s*")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")

_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.If,
    nodes.CondExpr,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Compare,
    nodes.Operand,
    nodes.Filter,
    nodes.Name,
    nodes.Const,
)
_SAID = {
    nodes.Call: "calls",
    nodes.Getattr: "attributes",
    nodes.Getitem: "indexes",
    nodes.For: "loops",
    nodes.Macro: "macros",
    nodes.Assign: "assignments",
    nodes.Test: "tests",
    nodes.Include: "includes",
    nodes.Import: "imports",
    nodes.FromImport: "imports",
    nodes.Extends: "extends",
    nodes.Block: "blocks",
    nodes.BinExpr: "arithmetic",
    nodes.UnaryExpr: "arithmetic",
    nodes.Concat: "joins (~)",
}
_TEXTS = (nodes.Name, nodes.Const, nodes.Filter)
"""What surely is a text: what compares or changes texts would fail with anything else, in the middle of a turn."""

_COMPARISONS = ("eq", "ne", "in", "notin")


_WORDS = frozenset(
    [
        "and",
        "caller",
        "elif",
        "else",
        "endif",
        "false",
        "if",
        "import",
        "in",
        "is",
        "kwargs",
        "loop",
        "none",
        "not",
        "or",
        "recursive",
        "self",
        "super",
        "true",
        "varargs",
    ]
)
"""Mean something to Jinja itself."""


def _no_word(name: str) -> str:
    if name in _WORDS:
        raise ValueError(f"`{name}` is a word of the template language")
    return name


class PromptVariable(BaseModel):
    """A word that instructions may use. Its value is the conversation's label of the same name, else `default`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$"), AfterValidator(_no_word)]
    description: Annotated[str, StringConstraints(max_length=500)] = ""
    default: Annotated[str, StringConstraints(max_length=MAX_VALUE_CHARS)] = ""


class TemplateFault(ValueError):
    """What is wrong with a template, and in which of its lines (from 1)."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(f"line {line}: {what}")
        self.what = what
        self.line = line


def check(template: str, declared: Sequence[PromptVariable]) -> None:
    """Raises TemplateFault for anything but declared variables, filters and conditions."""
    if not _is_template(template):
        return
    names = frozenset([*BUILT_IN, *(variable.name for variable in declared)])
    _compiled(template, names)
    fill(template, declared, {}, whole=True)


def fill(template: str, declared: Sequence[PromptVariable], values: Mapping[str, str], *, whole: bool = False) -> str:
    """The text. values that are not declared are not seen; each is one line of at most MAX_VALUE_CHARS.

    More than MAX_RENDERED_CHARS are cut off; with `whole`, they are a fault. Raises TemplateFault, but never for a
    template that `check` has passed.
    """
    if not _is_template(template):
        return template
    known = dict.fromkeys(BUILT_IN, "") | {variable.name: variable.default for variable in declared}
    given = known | {name: _one_line(values[name]) for name in known.keys() & values.keys()}
    pieces, length = list[str](), 0
    for piece in _compiled(template, frozenset(known)).generate(given):
        pieces.append(piece)
        length += len(piece)
        if length > MAX_RENDERED_CHARS:
            if whole:
                raise TemplateFault(f"filled in, it has more than {MAX_RENDERED_CHARS} characters", 1)
            break
    return "".join(pieces)[:MAX_RENDERED_CHARS]


def _is_template(text: str) -> bool:
    return any(mark in text for mark in _MARKS)


def _one_line(value: str) -> str:
    """A value comes from a conversation's maker: it cannot begin a paragraph that looks like instructions."""
    return _CONTROLS.sub("", _LINE_BREAKS.sub(" ", value))[:MAX_VALUE_CHARS]


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, optimized=False, cache_size=0
    )
    environment.globals.clear()
    environment.tests.clear()
    environment.filters = {name: environment.filters[name] for name in _FILTERS} | {"default": _default}
    return environment


def _default(value: str, otherwise: str = "") -> str:
    """Jinja's own looks for variables that do not exist; here all do, and some are empty."""
    return value or otherwise


@lru_cache(maxsize=256)
def _compiled(template: str, names: frozenset[str]) -> Template:
    """5 ms for instructions of a page. Raises TemplateFault."""
    environment = _environment()
    if sum(map(template.count, _MARKS)) > _MOST_TAGS:
        raise TemplateFault(f"more than {_MOST_TAGS} tags", 1)
    try:
        tree = environment.parse(template)
        _check_tree(tree, names)
        return Template.from_code(environment, environment.compile(tree), {})
    except TemplateSyntaxError as error:
        raise TemplateFault(_sentence(error.message or "this is not a template"), error.lineno) from None
    except TemplateFault:
        raise
    except (RecursionError, MemoryError, ValueError, OverflowError, SyntaxError):
        # Brackets without end, numbers of thousands of digits: the parsers of Jinja and Python give up in their ways.
        raise TemplateFault("this is too deeply nested, or holds a number that is too long", 1) from None


def _check_tree(tree: nodes.Node, names: frozenset[str]) -> None:
    waiting, seen = [(tree, 0, 1)], 0
    while waiting:
        node, depth, line = waiting.pop()
        line, seen = node.lineno or line, seen + 1
        fault = _fault(node, names)
        if fault is None and depth > _DEEPEST:
            fault = f"more than {_DEEPEST} levels deep"
        if fault is None and seen > _MOST_NODES:
            fault = "too long a condition"
        if fault is not None:
            raise TemplateFault(fault, line)
        waiting += [(child, depth + 1, line) for child in node.iter_child_nodes()]


def _fault(node: nodes.Node, names: frozenset[str]) -> str | None:
    if type(node) not in _ALLOWED:
        said = next((said for kind, said in _SAID.items() if isinstance(node, kind)), f"`{type(node).__name__}`")
        return f"{said}: not allowed; there are only variables, filters and conditions"
    if isinstance(node, nodes.Name) and (node.ctx != "load" or node.name not in names):
        return f"`{node.name[:80]}` is not declared in `variables`"
    if isinstance(node, nodes.Const) and not _is_plain(node.value):
        return "constants are texts in quotes, without control characters"
    if isinstance(node, nodes.CondExpr) and node.expr2 is None:
        return "say what is written `else`"
    return _filter_fault(node) if isinstance(node, nodes.Filter) else _comparison_fault(node)


def _comparison_fault(node: nodes.Node) -> str | None:
    if not isinstance(node, nodes.Compare):
        return None
    texts = [node.expr, *(operand.expr for operand in node.ops)]
    if all(operand.op in _COMPARISONS for operand in node.ops) and _are_texts(texts):
        return None
    return "texts are compared with texts, by ==, !=, in and not in"


def _filter_fault(node: nodes.Filter) -> str | None:
    if node.name not in _FILTERS:
        return f"there is no filter `{node.name[:80]}`; there are {', '.join(_FILTERS)}"
    most = 1 if node.name == "default" else 0
    if node.kwargs or node.dyn_args or node.dyn_kwargs or len(node.args) > most:
        return f"`{node.name}` takes {'one value' if most else 'no value'}"
    if node.node is None or not _are_texts([node.node, *node.args]):
        return f"`{node.name}` takes a variable or a text in quotes"
    return None


def _are_texts(expressions: Sequence[nodes.Node]) -> bool:
    return all(isinstance(expression, _TEXTS) for expression in expressions)


def _is_plain(value: object) -> bool:
    """UTF-8 cannot carry half a surrogate pair, which "\\ud800" writes."""
    if not isinstance(value, str) or _CONTROLS.search(value):
        return False
    return value.encode("utf-8", "ignore").decode() == value


def _sentence(message: str) -> str:
    return message[:300].rstrip(".")
