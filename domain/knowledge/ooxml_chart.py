"""Read the numbers of a chart in an Office document as a table. Not for how it looks."""

from collections.abc import Iterable
from xml.etree.ElementTree import Element

from domain.knowledge.extract import Block
from domain.knowledge.package import Package, child, children, integer, local
from domain.knowledge.table import plain_number, table


def charts(package: Package, names: Iterable[str], page: int | None = None) -> list[Block]:
    """Title and table of each chart."""
    blocks: list[Block] = []
    for name in names:
        chart = child(package.xml(name), "chart")
        if chart is not None:
            blocks += _chart(chart, page)
    return blocks


def _chart(chart: Element, page: int | None) -> list[Block]:
    title = child(chart, "title")
    text = "".join(each.text or "" for each in title.iter() if local(each) == "t") if title is not None else ""
    series = [each for each in chart.iter() if local(each) == "ser"]
    columns = [(_name(each), _points(each, "val", "yVal")) for each in series]
    categories = next((points for points in (_points(each, "cat", "xVal") for each in series) if points), {})
    places = sorted(set(categories).union(*(values for _, values in columns)) if columns else categories)
    rows = [["", *(name for name, _ in columns)]]
    rows += [[categories.get(place, ""), *(values.get(place, "") for _, values in columns)] for place in places]
    return [Block("prose", text, page=page), *(table(rows, page) if places else [])]


def _name(series: Element) -> str:
    tx = child(series, "tx")
    return next((each.text or "" for each in tx.iter() if local(each) == "v"), "") if tx is not None else ""


def _points(series: Element, *names: str) -> dict[int, str]:
    """Texts by their place, as the chart last showed them."""
    for name in names:
        source = child(series, name)
        if source is None:
            continue
        points = [each for each in source.iter() if local(each) == "pt"]
        return {integer(pt.get("idx"), 0): _value(pt) for pt in points}
    return {}


def _value(point: Element) -> str:
    shown = next((each.text or "" for each in children(point, "v")), "")
    try:
        return plain_number(float(shown))
    except (ValueError, OverflowError):
        return shown
