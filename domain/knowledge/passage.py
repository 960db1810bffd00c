"""A passage: a piece of a document with its exact place in it."""

from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Passage:
    """char_start and char_end are code-point offsets into the document's extracted text.

    id is stable: the same text at the same place of the same document has the same id.
    heading is the path of headings above it, joined by " > ". score is 0..1, and 0 outside a search.
    """

    id: str
    collection_id: UUID
    document_id: UUID
    title: str
    heading: str
    page: int | None
    char_start: int
    char_end: int
    text: str
    score: float = 0.0
    explanation: dict[str, float] = field(default_factory=dict)
    """Scores by stage of the search (dense, keyword, coverage, fused, reranked), for the search endpoint."""

    @property
    def whole(self) -> str:
        """The text under its title and headings, as it is searched."""
        return f"{self.title}\n{self.heading}\n{self.text}"
