"""A hostile, broken or locked file is refused with a sentence for who uploaded it; no process is lost to it."""

from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from domain.errors import DocumentUnreadable
from domain.knowledge import media
from domain.knowledge.parse import parse
from domain.knowledge.reading import FileReader
from tests.knowledge.office import make_docx, make_xlsx, package, paragraph

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENTITIES = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


def ole(name: str) -> bytes:
    return _OLE + bytes(504) + name.encode("utf-16-le") + bytes(512)


def locked_zip() -> bytes:
    data = bytearray(make_docx(paragraph("secret")))
    at = 0
    while (at := data.find(b"PK\x01\x02", at)) >= 0:  # the flag of each part in the directory
        data[at + 8] |= 1
        at += 1
    return bytes(data)


def with_document(document: str | bytes) -> bytes:
    parts = {"[Content_Types].xml": "<Types/>", "word/document.xml": document}
    return package(parts)


@pytest.mark.parametrize(
    ("data", "name", "why"),
    [
        (with_document(b"<a>" + b" " * 60_000_000 + b"</a>"), "bomb.docx", "unpacks to more than 250 times its size"),
        (with_document(f"{_ENTITIES}<x>&b;</x>"), "laugh.docx", "XML entities of its own"),
        (with_document(f"{_ENTITIES}<x>&b;</x>".encode("utf-16")), "laugh.docx", "XML entities of its own"),
        (with_document("<w:document><w:body>"), "cut.docx", "corrupt"),
        (with_document("<body/>"), "bare.docx", "its text is missing"),
        (make_docx(""), "blank.docx", "no text"),
        (make_docx(paragraph("x"))[:400], "half.docx", "ZIP archive|corrupt"),
        (locked_zip(), "locked.docx", "encrypted"),
        (ole("EncryptedPackage"), "locked.xlsx", "encrypted"),
        (ole("__substg1.0_0037001F"), "mail.msg", r"save it as \.eml"),
        (ole("WordDocument"), "old.doc", "corrupt"),
        (ole("PowerPoint Document"), "old.ppt", "corrupt"),
        (ole("Workbook"), "old.xls", "corrupt"),
        (_OLE + bytes(600), "old.pub", "old Office program"),
        (package({"a.txt": "a", "b.txt": "b"}), "a.docx", "ZIP archive"),
        (package({"[Content_Types].xml": "", "xl/workbook.bin": b"x"}), "a.xlsb", r"save it as \.xlsx"),
        (package({"mimetype": media.EPUB, "META-INF/container.xml": "<c/>"}), "a.epub", "list of chapters is missing"),
        (b"{\\rtf1 hello}", "a.doc", "Rich Text"),
        (make_xlsx({}), "empty.xlsx", "no text"),
    ],
)
async def test_a_hostile_or_broken_file_is_refused_with_a_reason(data: bytes, name: str, why: str) -> None:
    with pytest.raises(DocumentUnreadable, match=why):
        await FileReader().read(data, name, uuid4())


async def test_a_word_document_nested_a_thousand_deep_is_refused() -> None:
    deep = "<w:tbl><w:tr><w:tc>" * 1_000 + paragraph("x") * 2 + "</w:tc></w:tr></w:tbl>" * 1_000
    with pytest.raises(DocumentUnreadable, match="nested too deeply"):
        await FileReader().read(make_docx(deep), "deep.docx", uuid4())


async def test_a_table_of_more_than_a_million_cells_is_refused() -> None:
    with pytest.raises(DocumentUnreadable, match="more than 1,000,000 cells"):
        await FileReader().read(("1," * 999 + "1\n").encode() * 1_001, "big.csv", uuid4())


def test_a_cell_in_the_farthest_corner_costs_nothing() -> None:
    data = make_xlsx({"S": '<sheetData><row r="1048576"><c r="XFD1048576"><v>5</v></c></row></sheetData>'})
    assert parse(data, "far.xlsx").text == "S\n\n5"


def test_a_merged_area_over_the_whole_sheet_is_not_filled() -> None:
    sheet = '<sheetData><row r="1"><c r="A1"><v>5</v></c><c r="B1"><v>6</v></c></row></sheetData>'
    data = make_xlsx({"S": sheet + '<mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>'})
    assert parse(data, "merged.xlsx").text == "S\n\n| 5 | 6 |\n| - | - |"


def test_every_half_of_a_real_file_is_read_or_refused(shared_data: Path | None) -> None:
    folder = None if shared_data is None else shared_data / "docs_docling" / "dev"
    files = (
        [make_docx(paragraph("whole"))]
        if folder is None
        else [
            path.read_bytes()
            for kind in ("doc", "ppt", "xls", "docx")
            for path in sorted((folder / kind).glob(f"*.{kind}"))[:2]
        ]
    )
    for data in files:
        for share in (0.3, 0.6, 0.9):
            with suppress(DocumentUnreadable):
                assert parse(data[: int(len(data) * share)], "half").text
