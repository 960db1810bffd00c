"""What comes with a message is counted as what a model reads of it, not by its bytes; and a text goes as text."""

import pytest

from domain.llm.model import Attachment, ChatMessage, ModelRequest
from domain.llm.pdf_size import pdf_tokens
from tests.knowledge.pdf import make_pdf
from tests.models.dialects import Dialect, OpenAIChat, Responses
from tests.wire_server import streamed

NOTE = ChatMessage("user", "Sum it up.", attachments=(Attachment("text/csv", "city\nKöln".encode(), "cities.csv"),))
REQUEST = ModelRequest(model="m", instructions="Be kind.", messages=(NOTE,))


def test_a_pdf_counts_by_its_pages() -> None:
    one, five = make_pdf(["a"]), make_pdf(["a"] * 5)
    assert pdf_tokens(five) == 5 * pdf_tokens(one) > 0
    assert pdf_tokens(one + b"\0" * 5_000_000) == pdf_tokens(one), "a picture makes the file larger, not longer"


def test_a_pdf_whose_pages_are_hidden_counts_by_its_size_and_never_without_end() -> None:
    assert pdf_tokens(b"%PDF-1.7\n" + b"x" * 400_000) == 11 * pdf_tokens(make_pdf(["a"]))
    assert pdf_tokens(b"%PDF-1.7\n/Count 999999") == 1000 * pdf_tokens(make_pdf(["a"]))


@pytest.mark.parametrize("dialect", [OpenAIChat(), Responses()], ids=lambda dialect: dialect.name)
async def test_a_text_goes_as_text_under_its_name(dialect: Dialect) -> None:
    answer = streamed(dialect.start, *dialect.text("One city."), dialect.end())
    async with dialect.talking_to(answer) as (provider, server):
        async for _ in provider.stream(REQUEST):
            pass
    assert "cities.csv:\ncity\nKöln" in _texts(server.requests[0])


def _texts(node: object) -> list[str]:
    if isinstance(node, dict):
        return [found for each in node.values() for found in _texts(each)]
    if isinstance(node, list):
        return [found for each in node for found in _texts(each)]
    return [node] if isinstance(node, str) else []
