"""Any upload ends as text with headings and true places, or as a sentence that says why it cannot be read."""

import asyncio
import io
from pathlib import Path
from uuid import uuid4

import psutil
import pypdf
import pytest

from domain.errors import DocumentUnreadable
from domain.knowledge import media
from domain.knowledge.chunk import chunk
from domain.knowledge.extract import Extract
from domain.knowledge.parse import parse
from domain.knowledge.reading import FileReader
from tests.knowledge.pdf import make_pdf

MARKDOWN = """---
title: "Refund rules"
---
# Refunds

Money comes back within **30 days**, see [the form](https://example.com/form).

## Exceptions

1. Gift cards
2. Sale items

| Country | Days |
|---------|------|
| Norway  | 60   |

```sh
refund --all
```
"""


def headings(extract: Extract) -> list[tuple[int, str]]:
    return [(s.level, extract.text[s.start : s.end]) for s in extract.spans if s.kind == "heading"]


def test_markdown_keeps_headings_lists_tables_and_code_and_loses_its_marks() -> None:
    extract = parse(MARKDOWN.encode(), "refunds.md")
    assert extract.title == "Refund rules"
    assert headings(extract) == [(1, "Refunds"), (2, "Exceptions")]
    assert "within 30 days, see the form." in extract.text
    assert "1. Gift cards\n2. Sale items" in extract.text
    assert "| Country | Days |\n| - | - |\n| Norway | 60 |" in extract.text
    assert "refund --all" in extract.text


def test_html_keeps_what_a_reader_sees_and_drops_scripts_and_navigation() -> None:
    page = (
        "<!doctype html><html><head><title>Help &amp; tips</title><style>p{}</style></head><body>"
        "<nav><a href=/>Home</a></nav><h1>Reset</h1><p>Click <b>Reset</b>&nbsp;now.<script>alert(1)</script></p>"
        "<ul><li>one<li>two</ul><div hidden>secret</div><p>Last</p></body></html>"
    )
    extract = parse(page.encode(), "upload")
    assert (extract.media_type, extract.title) == (media.HTML, "Help & tips")
    assert extract.text == "Reset\n\nClick Reset now.\n\n- one\n- two\n\nLast"


def test_a_pdf_keeps_its_pages() -> None:
    extract = parse(make_pdf(["The first page tells of apples.", "The second page tells of pears."]), "fruit.pdf")
    assert (extract.media_type, extract.pages) == (media.PDF, 2)
    assert [(s.page, extract.text[s.start : s.end]) for s in extract.spans] == [
        (1, "The first page tells of apples."),
        (2, "The second page tells of pears."),
    ]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Grüße aus Köln".encode(), "Grüße aus Köln"),
        ("Grüße aus Köln".encode("utf-8-sig"), "Grüße aus Köln"),
        ("Grüße aus Köln".encode("utf-16"), "Grüße aus Köln"),
        (("Grüße aus Köln, wo die Bäcker schöne Brötchen für müde Gäste backen. " * 4).encode("cp1252"), "Bäcker"),
    ],
)
def test_text_is_read_in_its_own_encoding(data: bytes, text: str) -> None:
    assert text in parse(data, "a.txt").text


def test_dots_that_lead_to_a_page_number_are_one_sign() -> None:
    assert parse(b"Refunds . . . . . . . . . . 12\nFees.......... 13\nand so on...", "a.txt").text == (
        "Refunds … 12\nFees … 13\nand so on..."
    )


def test_ligatures_and_soft_hyphens_are_spelt_out_and_exponents_stay() -> None:
    assert parse("of\ufb01ce co\u00adoperate x² ①".encode(), "a.txt").text == "office cooperate x² ①"


@pytest.mark.parametrize(
    ("data", "name", "why"),
    [
        (b"", "a.md", "empty"),
        (b" \n\n", "a.txt", "empty"),
        (b"%PDF-1.7\nnot really", "a.pdf", "corrupt"),
        (b"plain words", "a.pdf", "not a PDF"),
        (b"PK\x03\x04rest", "a.docx", "ZIP archive"),
        (b"\x01\x02\x00\x03" * 50, "a.bin", "zero bytes"),
        (b"<html><body><script>x()</script></body></html>", "a.html", "no text"),
        (make_pdf(["", ""]), "blank.pdf", "no page has a picture"),
        (make_pdf(["A secret"], password="hunter2"), "locked.pdf", "encrypted"),
    ],
)
async def test_an_unreadable_file_says_why(data: bytes, name: str, why: str) -> None:
    with pytest.raises(DocumentUnreadable, match=why):
        await FileReader().read(data, name, uuid4())


async def test_the_reading_process_finds_what_reading_here_finds() -> None:
    document_id = uuid4()
    reading = await FileReader().read(MARKDOWN.encode(), "refunds.md", document_id)
    extract = parse(MARKDOWN.encode(), "refunds.md")
    assert reading.text == extract.text
    assert reading.chunks == chunk(extract, document_id)


async def test_a_file_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(DocumentUnreadable, match=r"longer than 0\.05 seconds"):
        await FileReader(seconds=0.05).read(MARKDOWN.encode(), "a.md", uuid4())


async def test_a_file_that_needs_too_much_memory_is_given_up() -> None:
    bomb = _bomb()
    assert len(bomb) < 2_000_000
    with pytest.raises(DocumentUnreadable, match=r"needs more than 400 MB of memory|broke its reader"):
        await FileReader(memory_bytes=400_000_000).read(bomb, "bomb.pdf", uuid4())


async def test_a_cancelled_reading_leaves_no_process() -> None:
    reading = asyncio.create_task(FileReader().read(MARKDOWN.encode() * 20_000, "a.md", uuid4()))
    await asyncio.sleep(0.2)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    children = psutil.Process().children(recursive=True)
    assert not [child for child in children if "domain.knowledge.parse_process" in child.cmdline()]


def test_real_pdfs_are_read_with_true_pages(shared_data: Path | None) -> None:
    if shared_data is None:
        extract = parse(make_pdf(["Lorem ipsum dolor"]), "a.pdf")
        assert "Lorem ipsum" in extract.text
        return
    folder = shared_data / "docs_pypdf" / "dev"
    for path in folder.rglob("*.pdf"):
        extract = parse(path.read_bytes(), path.name)
        assert extract.pages == len(pypdf.PdfReader(io.BytesIO(path.read_bytes())).pages), path.name
        assert all(s.page is not None and 1 <= s.page <= extract.pages for s in extract.spans), path.name
        assert "\x02" not in extract.text, path.name
    book = parse((folder / "009-pdflatex-geotopo" / "GeoTopo-komprimiert.pdf").read_bytes(), "book.pdf")
    assert (2, "1.1 Topologische Räume") in [(level, text) for level, text in headings(book)]


def _bomb() -> bytes:
    """One page whose content stream unpacks to 1.5 GB of spaces."""
    writer = pypdf.PdfWriter()
    page = writer.add_blank_page(100, 100)
    stream = pypdf.generic.DecodedStreamObject()
    stream.set_data(b"BT /F1 9 Tf (" + b" " * 300_000_000 + b") Tj ET")
    page[pypdf.generic.NameObject("/Contents")] = writer._add_object(stream.flate_encode(level=9))
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()
