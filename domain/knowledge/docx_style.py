"""Say what a Word paragraph is: which level of heading, which list it belongs to, and the number it is shown with."""

from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from domain.knowledge.package import attribute, child, children, integer

_DEEPEST = 8
"""Levels of a list in the format are 0 to 8."""

_ROMAN = {1000: "m", 900: "cm", 500: "d", 400: "cd", 100: "c", 90: "xc", 50: "l", 40: "xl", 10: "x", 9: "ix", 5: "v"}
_ROMAN |= {4: "iv", 1: "i"}

_CHAIN = 20
"""Styles are based on styles; a circle of them ends here."""


@dataclass(frozen=True, slots=True)
class Place:
    """heading: 0 for none, 1 for the title or the highest level. level: of a list, from 0; -1 for none."""

    heading: int
    level: int
    marker: str


@dataclass(slots=True)
class _Style:
    name: str = ""
    based_on: str = ""
    outline: int | None = None
    list_id: str | None = None
    list_level: int | None = None


@dataclass(slots=True)
class _Level:
    format: str = "bullet"
    text: str = ""
    start: int = 1


@dataclass(slots=True)
class _List:
    kind: str = ""
    """Lists of one kind go on counting where another of them stopped."""
    levels: dict[int, _Level] = field(default_factory=dict)
    restarts: dict[int, int] = field(default_factory=dict)


class Styles:
    """Given the paragraphs of a document in their order, it counts their numbers as Word does."""

    def __init__(self, styles: Element | None, numbering: Element | None) -> None:
        self._styles = {attribute(each, "styleId") or "": _style(each) for each in children(styles, "style")}
        self._lists = _lists(numbering)
        self._counts: dict[str, dict[int, int]] = {}
        self._restarted: set[tuple[str, int]] = set()
        self.has_title = False

    def place(self, properties: Element | None) -> Place:
        style_id = _value(properties, "pStyle") or ""
        chain = self._chain(style_id)
        names = [style.name for style in chain]
        heading = self._heading(properties, chain)
        list_id, level = self._list(properties, chain)
        marker = self._marker(list_id, level) if list_id not in {None, "0"} else ""
        if "title" in names:
            self.has_title = True
            return Place(1, -1, "")
        if heading:
            return Place(min(6, heading + self.has_title), -1, marker if marker != "-" else "")
        if not marker and list_id is None and any(name.startswith("list bullet") for name in names):
            return Place(0, 0, "-")
        return Place(0, level if marker else -1, marker)

    def _chain(self, style_id: str) -> list[_Style]:
        chain: list[_Style] = []
        while style_id in self._styles and len(chain) < _CHAIN:
            chain.append(self._styles[style_id])
            style_id = chain[-1].based_on
        return chain

    def _heading(self, properties: Element | None, chain: list[_Style]) -> int:
        """From 1; a paragraph's own outline level goes before its style's."""
        own = _number(_value(properties, "outlineLvl"))
        if own is None:
            own = next((style.outline for style in chain if style.outline is not None), None)
        if own is None:
            named = next((style.name for style in chain if style.name.startswith("heading ")), "")
            own = (_number(named.rpartition(" ")[2]) or 10) - 1
        return own + 1 if 0 <= own < 9 else 0

    def _list(self, properties: Element | None, chain: list[_Style]) -> tuple[str | None, int]:
        own = child(properties, "numPr")
        list_id, level = _value(own, "numId"), _number(_value(own, "ilvl"))
        for style in chain:
            list_id = style.list_id if list_id is None else list_id
            level = style.list_level if level is None else level
        return list_id, min(_DEEPEST, max(0, level or 0))

    def _marker(self, list_id: str | None, level: int) -> str:
        """ "" for a list that is not defined, "-" for a bullet, else the number with its punctuation."""
        found = self._lists.get(list_id or "")
        if found is None:
            return ""
        here = found.levels.get(level, _Level())
        if here.format in {"bullet", "none"}:
            return "-" if here.format == "bullet" else ""
        counts = self._counts.setdefault(found.kind, {})
        if level in found.restarts and (list_id or "", level) not in self._restarted:
            self._restarted.add((list_id or "", level))
            counts.pop(level, None)
        first = found.restarts.get(level, here.start)
        counts[level] = counts[level] + 1 if level in counts else first
        for above in range(level):  # a level that was skipped counts as begun
            counts.setdefault(above, found.levels.get(above, _Level()).start)
        for deeper in [each for each in counts if each > level]:
            del counts[deeper]
        return self._written(found, counts, here)

    @staticmethod
    def _written(found: _List, counts: dict[int, int], here: _Level) -> str:
        text = here.text
        for above in range(_DEEPEST + 1):
            level = found.levels.get(above, _Level())
            text = text.replace(f"%{above + 1}", _counted(counts.get(above, level.start), level.format))
        return text.strip()


def _style(element: Element) -> _Style:
    properties = child(element, "pPr")
    numbered = child(properties, "numPr")
    return _Style(
        name=(_value(element, "name") or "").lower(),
        based_on=_value(element, "basedOn") or "",
        outline=_number(_value(properties, "outlineLvl")),
        list_id=_value(numbered, "numId"),
        list_level=_number(_value(numbered, "ilvl")),
    )


def _lists(numbering: Element | None) -> dict[str, _List]:
    kinds = {}
    for kind in children(numbering, "abstractNum"):
        kinds[attribute(kind, "abstractNumId") or ""] = {
            _number(attribute(each, "ilvl")) or 0: _level(each) for each in children(kind, "lvl")
        }
    found = {}
    for each in children(numbering, "num"):
        kind_id = _value(each, "abstractNumId") or ""
        made = _List(kind_id, dict(kinds.get(kind_id, {})))
        for override in children(each, "lvlOverride"):
            level = _number(attribute(override, "ilvl")) or 0
            own, start = child(override, "lvl"), _number(_value(override, "startOverride"))
            if own is not None:
                made.levels[level] = _level(own)
            if start is not None:
                made.restarts[level] = start
        found[attribute(each, "numId") or ""] = made
    return found


def _level(element: Element) -> _Level:
    start = _number(_value(element, "start"))
    text = _value(element, "lvlText") or ""
    return _Level(_value(element, "numFmt") or "decimal", text, 1 if start is None else start)


def _counted(number: int, style: str) -> str:
    if style in {"lowerLetter", "upperLetter"} and number > 0:
        letters = chr(ord("a") + (number - 1) % 26) * min(10, (number - 1) // 26 + 1)
        return letters if style == "lowerLetter" else letters.upper()
    if style in {"lowerRoman", "upperRoman"} and 0 < number < 4000:
        return _roman(number) if style == "lowerRoman" else _roman(number).upper()
    return f"0{number}" if style == "decimalZero" and number < 10 else str(number)


def _roman(number: int) -> str:
    written = ""
    for value, letters in _ROMAN.items():
        written += letters * (number // value)
        number %= value
    return written


def _value(element: Element | None, name: str) -> str | None:
    found = child(element, name)
    return None if found is None else attribute(found, "val")


def _number(text: str | None) -> int | None:
    return number if (number := integer(text, -1)) >= 0 else None
