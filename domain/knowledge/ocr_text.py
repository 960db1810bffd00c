"""What recognising a page yields: its text and where each line stands. Not how."""

from dataclasses import dataclass, field

from domain.knowledge.extract import Block


@dataclass(frozen=True, slots=True)
class Line:
    """box: left, top, right, bottom as fractions of the page as it is read, upright. confidence is 0 to 1."""

    text: str
    confidence: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class PageText:
    """What one page says. text: paragraphs in reading order, a blank line between two; empty for a picture.

    page counts from 1; confidence, 0 to 1, is the mean over the characters; turned: degrees, clockwise, by which
    the page was turned to be upright; engine: its name. error: a sentence when the page could not be read, and
    then there is no text.
    """

    page: int
    text: str
    confidence: float
    lines: list[Line] = field(default_factory=list)
    turned: int = 0
    engine: str = ""
    error: str | None = None

    def blocks(self) -> list[Block]:
        """The paragraphs, as `extract.with_recognised` takes them."""
        return [Block("prose", paragraph, page=self.page) for paragraph in self.text.split("\n\n") if paragraph]
