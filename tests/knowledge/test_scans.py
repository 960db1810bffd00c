"""An image is pages without text, and text recognised on a page takes that page's place."""

import struct

import pytest

from domain.errors import DocumentUnreadable
from domain.knowledge import media
from domain.knowledge.extract import Block, assemble, with_recognised
from domain.knowledge.parse import parse


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", media.PNG),
        (b"\xff\xd8\xff\xe0", media.JPEG),
        (b"RIFF\x10\0\0\0WEBPVP8 ", media.WEBP),
        (b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", media.BMP),
        (b"GIF89a\1\0\1\0", media.GIF),
    ],
)
def test_an_image_is_one_scan_whatever_its_name(data: bytes, kind: str) -> None:
    extract = parse(data, "photo.txt")
    assert (extract.media_type, extract.pages, extract.scans, extract.text) == (kind, 1, [1], "")


@pytest.mark.parametrize(("order", "mark"), [("<", b"II*\0"), (">", b"MM\0*")])
def test_every_page_of_a_tiff_is_a_scan_even_when_the_chain_is_a_circle(order: str, mark: bytes) -> None:
    empty = struct.pack(order + "H", 0)
    chain = [struct.pack(order + "I", 8)] + [empty + struct.pack(order + "I", after) for after in (14, 20, 8)]
    assert parse(mark + b"".join(chain), "fax.tif").scans == [1, 2, 3]


def test_a_tiff_without_a_page_says_so() -> None:
    with pytest.raises(DocumentUnreadable, match="first page is missing"):
        parse(b"II*\0\xff\xff\0\0", "fax.tif")


def test_recognised_text_takes_the_place_of_its_page() -> None:
    blocks = [Block("heading", "One", 1, page=1), Block("prose", "first", page=1), Block("prose", "fourth", page=4)]
    extract = assemble(blocks, title="t", media_type=media.PDF, pages=5, scans=[2, 3, 5])
    whole = with_recognised(extract, {3: [Block("prose", "third")], 2: [Block("prose", "second")]})
    assert whole.text == "One\n\nfirst\n\nsecond\n\nthird\n\nfourth"
    assert [span.page for span in whole.spans] == [1, 1, 2, 3, 4]
    assert whole.scans == [5]
    assert all(whole.text[span.start : span.end].strip() for span in whole.spans)
