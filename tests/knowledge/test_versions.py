"""An edited document costs what changed in it; a scan is recognised once, and one bad page costs only itself."""

import io
from collections.abc import Sequence

import pytest
from PIL import Image, ImageDraw, ImageFont

from domain.knowledge import page_store, version_store
from domain.knowledge.recognised import RecognisedPages
from tests.knowledge.library import BOOK, Library


def counted(library: Library, name: str, label: str) -> int:
    """How far a counter of the library's metrics has come."""
    for family in library.metrics.registry.collect():
        for sample in family.samples:
            if sample.name == f"everturn_{name}_total" and label in sample.labels.values():
                return int(sample.value)
    return 0


def vectors(library: Library) -> tuple[int, int]:
    """How many were computed, and how many were reused."""
    return counted(library, "passage_vectors", "computed"), counted(library, "passage_vectors", "reused")


def scan(pages: Sequence[str]) -> bytes:
    """A TIFF of black text on white."""
    font = ImageFont.load_default(40)
    images = []
    for text in pages:
        image = Image.new("L", (1000, 300), 255)
        ImageDraw.Draw(image).text((60, 120), text, fill=0, font=font)
        images.append(image)
    buffer = io.BytesIO()
    images[0].save(buffer, "TIFF", save_all=True, append_images=images[1:])
    return buffer.getvalue()


async def test_an_edited_document_embeds_only_the_passages_that_changed(library: Library) -> None:
    first = await library.upload(BOOK, "book.md")
    await library.ingest(first)
    assert vectors(library) == (150, 0)
    edited = BOOK.replace(b"riddle 77 is number 5929", b"riddle 77 is unknown")
    second = await library.replace(first.document_id, edited, "book.md")
    assert (await library.ingest(second)).passages == 150
    assert (counted(library, "passage_vectors", "computed"), counted(library, "passage_vectors", "reused")) == (
        151,
        149,
    )
    [best, *_] = await library.find("riddle 77")
    assert best == "The answer to riddle 77 is unknown."
    everything = await library.knowledge.search(library.org, [library.collection], "riddle", limit=500)
    assert len(everything) == len({passage.id for passage in everything})
    assert "number 5929" not in "".join(passage.text for passage in everything)


async def test_the_bytes_of_an_older_version_are_a_new_version_that_costs_nothing(library: Library) -> None:
    first = await library.upload(BOOK, "book.md")
    await library.ingest(first)
    await library.ingest(await library.replace(first.document_id, b"# Short\n\nOnly this.", "book.md"))
    assert await library.find("riddle 77") == ["Only this."]
    await library.ingest(await library.replace(first.document_id, BOOK, "book.md"))
    assert counted(library, "passage_vectors", "computed") == 151
    async with library.database.session(library.org) as session:
        versions = await version_store.list_versions(session, first.document_id)
    assert [(v.number, v.state) for v in versions] == [(3, "current"), (2, "replaced"), (1, "replaced")]


async def test_a_scan_is_recognised_once_and_a_page_again_when_asked_to(library: Library) -> None:
    input = await library.upload(scan(["Apples cost two crowns.", "Pears cost three crowns."]), "prices.tif")
    assert (await library.ingest(input)).failed is None
    row = await library.row(input.document_id)
    assert (row.state, row.pages, row.ocr_pages, row.ocr_pages_done) == ("ready", 2, 2, 2)
    [best, *_] = await library.knowledge.search(library.org, [library.collection], "What do pears cost?")
    assert best.page == 2
    assert "three" in best.text
    assert counted(library, "recognised_pages", "read") == 2
    async with library.database.session(library.org) as session:
        document = await page_store.retry_page(session, input.document_id, 2)
    await RecognisedPages(library.storage).forget(library.org, document.id, document.sha256, 2)
    assert (await library.ingest(library.input(document))).failed is None
    assert (counted(library, "recognised_pages", "read"), counted(library, "recognised_pages", "reused")) == (3, 1)
    async with library.database.session(library.org) as session:
        pages = await page_store.list_pages(session, input.document_id)
    assert [(page.page, page.state, page.method) for page in pages] == [(1, "ready", "ocr"), (2, "ready", "ocr")]
    assert all(page.characters > 20 and (page.confidence or 0) > 0.5 for page in pages)


@pytest.mark.parametrize("broken", [1, 2])
async def test_a_page_that_cannot_be_read_costs_only_itself(library: Library, broken: int) -> None:
    whole = scan(["Apples cost two crowns.", "Pears cost three crowns."])
    data = bytearray(whole)
    # The pixels of both pages are uncompressed and stand after each other; a bad strip length breaks one of them.
    with Image.open(io.BytesIO(whole)) as image:
        image.seek(broken - 1)
        offset = image.tag_v2[273][0]  # type: ignore[attr-defined]
    entry = whole.index(offset.to_bytes(4, "little"), 4)
    data[entry : entry + 4] = (2**31 - 1).to_bytes(4, "little")
    input = await library.upload(bytes(data), "prices.tif")
    assert (await library.ingest(input)).failed is None
    async with library.database.session(library.org) as session:
        pages = await page_store.list_pages(session, input.document_id)
    assert [page.state for page in pages] == ["failed" if page.page == broken else "ready" for page in pages]
    assert pages[broken - 1].error
