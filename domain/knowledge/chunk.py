"""Cut a document's text into overlapping passages that keep to its headings and sentences."""

from contracts.model import Contract


class Chunk(Contract):
    """A passage before it is indexed. Offsets are code points of the extracted text.

    heading is the path of headings above it, joined by " > ". The same text at the same place
    of the same document has the same id.
    """

    id: str
    heading: str
    page: int | None
    char_start: int
    char_end: int
    text: str
