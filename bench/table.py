"""What the bench prints: one table of everyone, and of ourselves where the time goes and which goals are met."""

from collections.abc import Mapping
from typing import Any

_COLUMNS = (
    ("turn p50", "one_at_a_time", "p50_ms"),
    ("p99", "one_at_a_time", "p99_ms"),
    ("first +", "first_token", "p50_ms"),
    ("turns/s", "busy", "turns_per_second"),
    ("p99", "busy", "p99_ms"),
    ("100: lag p95", "streams_100", "lag_p95_ms"),
    ("first + p50", "streams_100", "first_token_p50_ms"),
    ("length", "streams_100", "length_p95"),
    ("cores", "streams_100", "cpu_cores"),
    ("commits/s", "streams_100", "commits_per_second"),
    ("300: lag p95", "streams_300", "lag_p95_ms"),
    ("first + p50", "streams_300", "first_token_p50_ms"),
    ("length", "streams_300", "length_p95"),
    ("cores", "streams_300", "cpu_cores"),
    ("commits/s", "streams_300", "commits_per_second"),
)

_GOALS = (
    ("whole turn p50 ≤ 45 ms", "one_at_a_time", "p50_ms", 45, True),
    ("first token + ≤ 35 ms p50", "first_token", "p50_ms", 35, True),
    ("≥ 60 turns/s at 64 conversations", "busy", "turns_per_second", 60, False),
    ("100 streams: p95 lag ≤ 30 ms", "streams_100", "lag_p95_ms", 30, True),
    ("300 streams: p95 lag ≤ 60 ms", "streams_300", "lag_p95_ms", 60, True),
    ("100 streams: length within 2%", "streams_100", "length_p95", 1.02, True),
    ("300 streams: length within 2%", "streams_300", "length_p95", 1.02, True),
    ("killed turn goes on within 5 s", "kill", "goes_on_after_s", 5, True),
    ("no text twice after a kill", "kill", "repeated_tokens", 0, True),
)

Row = Mapping[str, Any]


def render(rows: Mapping[str, Row]) -> str:
    """Milliseconds unless the head says otherwise; length is of a stream against its ideal (p95)."""
    head = ["", *(title for title, _, _ in _COLUMNS), "after kill -9 in mid-stream"]
    lines = [head] + [_line(row) for row in rows.values()]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in (0, len(head) - 1) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def goals(row: Row) -> str:
    """Each goal with what was measured; a measurement that was not made says so."""
    said = []
    for text, part, name, limit, at_most in _GOALS:
        value = row.get(part, {}).get(name)
        if value is None:
            said.append(f"  ?     {text}: not measured")
        else:
            met = value <= limit if at_most else value >= limit
            said.append(f"  {'met ' if met else 'MISS'}  {text}: {_number(value)}")
    return "\n".join(said)


def steps(row: Row) -> str:
    """Mean milliseconds of each step, in the order of their share, for a quiet turn and a busy one."""
    said = []
    for part, title in (("one_at_a_time", "one turn at a time"), ("busy", "64 conversations")):
        measured: Mapping[str, Mapping[str, float]] = row.get(part, {}).get("steps", {})
        ordered = sorted(measured.items(), key=lambda item: -item[1]["mean_ms"])
        said.append(f"  {title}: " + ", ".join(f"{step} {_number(entry['mean_ms'])}" for step, entry in ordered))
    return "\n".join(said)


def _line(row: Row) -> list[str]:
    cells = [_cell(row.get(part, {}), name) for _, part, name in _COLUMNS]
    return [str(row["title"]), *cells, _after_kill(row.get("kill"))]


def _cell(figures: Mapping[str, Any], name: str) -> str:
    value = figures.get(name)
    mark = "!" if figures.get("faults") or figures.get("incomplete") else ""
    return "-" if value is None else _number(value) + mark


def _after_kill(figures: Mapping[str, Any] | None) -> str:
    if figures is None:
        return "-"
    went_on, repeated = figures["goes_on_after_s"], figures["repeated_tokens"]
    twice = f", {repeated} tokens shown twice" if repeated else ", nothing shown twice"
    if figures["finishes_by_itself"]:
        return f"goes on after {went_on:.1f} s, done after {figures['finished_after_s']:.1f} s{twice}"
    if figures["finished_after_s"] is not None:
        return f"only when asked again{twice}"
    return f"not finished: {figures['fault'] or 'nothing came'}"


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"
