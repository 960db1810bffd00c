from collections.abc import Sequence

from domain.agents.config import Guardrails


class OutgoingStream:
    """One reply on its way out."""

    def __init__(self, guardrails: Guardrails, grounded: Sequence[str]) -> None:
        raise NotImplementedError

    def feed(self, text: str) -> str:
        """What may be shown now; may be empty."""
        raise NotImplementedError

    def finish(self) -> str:
        """The rest."""
        raise NotImplementedError
