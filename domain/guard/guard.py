"""The one interface of the guard: a text comes, a verdict goes. Not for finding things: see the files beside."""

from collections.abc import Sequence

from contracts.turn import Finding, Verdict
from domain.agents.config import Guardrails
from domain.guard.injection import injection_score
from domain.guard.personal_data import Span, find
from domain.guard.redaction import Sources, count, redact

INJECTION_THRESHOLD = 1.0
"""The rules' weights are chosen against this: one certain sign, or two doubtful ones (figures in injection.py)."""


def check_incoming(text: str, guardrails: Guardrails) -> Verdict:
    """What to do with a customer's text before any model sees it.

    block: text is the refusal. redact: text has placeholders like `[email]` for personal data and
    secrets. An attempt to take over the agent outranks personal data.
    """
    spans = find(text) if guardrails.personal_data_in != "allow" else []
    findings = count(spans)
    if guardrails.injection == "block":
        score = injection_score(text)
        if score >= INJECTION_THRESHOLD:
            findings.append(Finding(kind="injection", score=min(1.0, round(score / 2, 3))))
            return Verdict(action="block", findings=findings, text=guardrails.refusal)
    if not spans:
        return Verdict()
    if guardrails.personal_data_in == "block":
        return Verdict(action="block", findings=findings, text=guardrails.refusal)
    return Verdict(action="redact", findings=findings, text=redact(text, spans))


def must_hide(spans: Sequence[Span], text: str, guardrails: Guardrails, sources: Sources) -> list[Span]:
    """Which of the found spans an outgoing text must not show.

    Secrets never. Cards, IBANs and social security numbers never, unless personal data is allowed
    out. E-mails, phone numbers and addresses not, unless allowed or found in the sources.
    """
    return [
        span
        for span in spans
        if span.kind == "secret"
        or (guardrails.personal_data_out == "redact" and not sources.allow(span, text[span.start : span.end]))
    ]


def check_outgoing(text: str, guardrails: Guardrails, grounded: Sequence[str]) -> Verdict:
    """What to do with a whole reply.

    grounded: passages, the customer's own messages and tool results; e-mails, phone numbers and IP
    addresses that occur there may be repeated. redact: text has placeholders.
    """
    found = find(text)
    hidden = must_hide(found, text, guardrails, Sources(grounded)) if found else []
    if not hidden:
        return Verdict()
    return Verdict(action="redact", findings=count(hidden), text=redact(text, hidden))
