"""What a model may read of passages and tool results, by the agent's policy. Not for finding orders: `quoted.py`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from contracts.turn import QuotedVerdict, ToolResult, Verdict
from domain.agents.config import Guardrails
from domain.guard.quoted import LEFT_OUT, check_quoted
from domain.knowledge.passage import Passage


@dataclass(frozen=True, slots=True)
class Quotations:
    """As many as were given, in order, so that the numbers of citations stay. verdicts: of those that gave orders."""

    passages: list[Passage]
    tool_results: list[ToolResult]
    verdicts: list[QuotedVerdict]


def guard_quotations(
    passages: Sequence[Passage], tool_results: Sequence[ToolResult], guardrails: Guardrails
) -> Quotations:
    """allow: as they are. redact: without the sentences that give orders. block: without the texts that do."""
    if guardrails.injection_quoted == "allow":
        return Quotations(list(passages), list(tool_results), [])
    verdicts: list[QuotedVerdict] = []
    block = guardrails.injection_quoted == "block"
    return Quotations(
        [_passage(passage, verdicts, block=block) for passage in passages],
        [_result(result, verdicts, block=block) for result in tool_results],
        verdicts,
    )


def _passage(passage: Passage, verdicts: list[QuotedVerdict], *, block: bool) -> Passage:
    parts = [check_quoted(part) for part in (passage.text, passage.heading, passage.title)]
    if all(verdict.action == "allow" for verdict in parts):
        return passage
    verdicts.append(
        QuotedVerdict(
            source="passage", id=passage.id, document_id=passage.document_id, verdict=_without_text(parts, block=block)
        )
    )
    texts = (passage.text, passage.heading, passage.title)
    text, heading, title = (_shown(part, text, block=block) for part, text in zip(parts, texts, strict=True))
    return replace(passage, text=text, heading=heading, title=title)


def _result(result: ToolResult, verdicts: list[QuotedVerdict], *, block: bool) -> ToolResult:
    verdict = check_quoted(result.content)
    if verdict.action == "allow":
        return result
    told = _without_text([verdict], block=block)
    verdicts.append(QuotedVerdict(source="tool", id=result.key, name=result.name, verdict=told))
    return result.model_copy(update={"content": _shown(verdict, result.content, block=block)})


def _shown(verdict: Verdict, text: str, *, block: bool) -> str:
    if verdict.text is None:
        return text
    return LEFT_OUT if block else verdict.text


def _without_text(parts: Sequence[Verdict], *, block: bool) -> Verdict:
    """For the record: what was found and done, not the words, which go through Temporal's history."""
    findings = [finding for part in parts for finding in part.findings]
    return Verdict(action="block" if block else "redact", findings=findings)
