from collections.abc import Sequence

from contracts.turn import Verdict
from domain.agents.config import Guardrails


def check_incoming(text: str, guardrails: Guardrails) -> Verdict:
    """What to do with a customer's text before any model sees it."""
    raise NotImplementedError


def check_outgoing(text: str, guardrails: Guardrails, grounded: Sequence[str]) -> Verdict:
    """What to do with a whole reply. grounded: texts whose e-mails, phones and addresses may be repeated."""
    raise NotImplementedError
