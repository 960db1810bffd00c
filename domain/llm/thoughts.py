"""Takes a model's thoughts out of its text, where the server has left them in: `<think>…</think>` at its beginning."""

_OPEN, _CLOSE = "<think>", "</think>"


class Thoughts:
    """Text is held back only while it may still be the opening mark."""

    def __init__(self) -> None:
        self._held = ""
        self._state = "before"

    @property
    def thinking(self) -> bool:
        return self._state == "inside"

    def without(self, text: str) -> str:
        """What is to be seen of the next text."""
        if self._state == "after" or not text:
            return text
        self._held += text
        if self._state == "before":
            begun = self._held.lstrip()
            if _OPEN.startswith(begun[: len(_OPEN)]) and len(begun) < len(_OPEN):
                return ""
            if not begun.startswith(_OPEN):
                return self._rest(self._held)
            self._state = "inside"
        if (end := self._held.find(_CLOSE)) >= 0:
            return self._rest(self._held[end + len(_CLOSE) :].lstrip())
        self._held = self._held[-len(_CLOSE) :]
        return ""

    def finish(self) -> str:
        """What was still held back; never a thought."""
        return self._rest(self._held) if self._state == "before" else ""

    def _rest(self, text: str) -> str:
        self._state, self._held = "after", ""
        return text
