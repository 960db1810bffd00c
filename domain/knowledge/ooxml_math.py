"""Write an Office formula in one line, as LaTeX for what LaTeX has a short name for. Not for typesetting it."""

from collections.abc import Callable
from xml.etree.ElementTree import Element

from domain.knowledge.package import attribute, child, children, local

_SUMS = {"∑": r"\sum", "∏": r"\prod", "∫": r"\int"}
_PROPERTIES = {"rPr", "ctrlPr", "fPr", "radPr", "sSupPr", "sSubPr", "dPr", "naryPr", "accPr", "funcPr", "sSubSupPr"}


def formula(element: Element) -> str:
    """Between dollar signs and spaces; each formula of a paragraph by itself."""
    if local(element) == "oMathPara":
        return "\n".join(formula(each) for each in children(element, "oMath"))
    text = _written(element).strip()
    return f" $${text}$$ " if text else ""


def _written(element: Element) -> str:
    name = local(element)
    if name == "t":
        return element.text or ""
    if name in _WRITTEN:
        return _WRITTEN[name](element)
    return "".join(_written(each) for each in element if local(each) not in _PROPERTIES)


def _fraction(element: Element) -> str:
    return rf"\frac{{{_part(element, 'num')}}}{{{_part(element, 'den')}}}"


def _root(element: Element) -> str:
    degree = _part(element, "deg")
    return (rf"\sqrt[{degree}]" if degree else r"\sqrt") + f"{{{_part(element, 'e')}}}"


def _sum(element: Element) -> str:
    sign = child(element, "naryPr", "chr")
    shown = (attribute(sign, "val") if sign is not None else None) or "∫"
    return _SUMS.get(shown, shown) + _script(element) + " " + _part(element, "e")


def _scripted(element: Element) -> str:
    return _part(element, "e") + _script(element)


def _bracketed(element: Element) -> str:
    return "(" + ", ".join(_written(each) for each in children(element, "e")) + ")"


def _script(element: Element) -> str:
    below, above = _part(element, "sub"), _part(element, "sup")
    return (f"_{{{below}}}" if below else "") + (f"^{{{above}}}" if above else "")


def _part(element: Element, name: str) -> str:
    found = child(element, name)
    return "" if found is None else _written(found).strip()


_WRITTEN: dict[str, Callable[[Element], str]] = {
    **dict.fromkeys(("sSup", "sSub", "sSubSup"), _scripted),
    "f": _fraction,
    "rad": _root,
    "nary": _sum,
    "d": _bracketed,
}
