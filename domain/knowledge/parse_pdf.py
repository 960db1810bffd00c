"""Read a PDF's text page by page, with headings from its outline; pages without usable text are named as scans.

PDFium first: right order in two columns, 0.36 s for 35 files. pypdf is the second opinion (3.95 s)
for what PDFium cannot open or finds no text in.
"""

# ruff: noqa: RUF001 (punctuation of other scripts is meant)

import io
import re
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pypdfium2
import pypdfium2.raw

from domain.errors import DocumentUnreadable
from domain.knowledge.extract import Block, Content
from domain.knowledge.ocr_scans import is_scan
from domain.knowledge.pdf_right_to_left import mended

_MOST_PAGES = 5_000
_SHOWS_TEXT = {pypdfium2.raw.FPDF_ANNOT_WIDGET, pypdfium2.raw.FPDF_ANNOT_FREETEXT, pypdfium2.raw.FPDF_ANNOT_STAMP}
_BULLET = re.compile(r"^\s*(?:[•◦▪‣–*-]|\(?\d{1,3}[.)])\s")
_SENTENCE_END = re.compile(r"[.!?:;。！？]['\"”’)\]]*$")


@dataclass(frozen=True, slots=True)
class Outline:
    """An entry of the table of contents. page counts from 0, level from 1."""

    page: int
    level: int
    title: str


@dataclass(frozen=True, slots=True)
class Pages:
    title: str
    texts: list[str]
    outline: list[Outline]
    scans: list[int] = field(default_factory=list)
    """Pages to recognise, counted from 1; their texts are empty, as what they hold is read again."""


def read_pdf(data: bytes) -> Content:
    """Raises DocumentUnreadable."""
    try:
        pages = _with_pdfium(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code in {pypdfium2.raw.FPDF_ERR_PASSWORD, pypdfium2.raw.FPDF_ERR_SECURITY}:
            raise _encrypted() from error
        pages = _with_pypdf(data)
    if not any(text.strip() for text in pages.texts) and not pages.scans and pages.texts:
        pages = _with_pypdf(data)
    if not any(text.strip() for text in pages.texts) and not pages.scans:
        raise DocumentUnreadable("the PDF holds no text, and no page has a picture that could be read")
    return Content(pages.title, list(_blocks(pages)), len(pages.texts), pages.scans)


def _with_pdfium(data: bytes) -> Pages:
    document = pypdfium2.PdfDocument(data)
    _check_length(len(document))
    outline = []
    for entry in document.get_toc():
        destination = entry.get_dest()
        page = destination.get_index() if destination else None
        if page is not None:
            outline.append(Outline(page, entry.level + 1, entry.get_title()))
    texts = []
    scans = []
    if document.get_formtype() != pypdfium2.raw.FORMTYPE_NONE:
        document.init_forms()  # draws the fields that were filled in without drawing them
    for number in range(1, len(document) + 1):
        page = _flat(document, number - 1)
        textpage = page.get_textpage()
        text = mended(textpage, textpage.get_text_range())
        if is_scan(page, text):
            scans.append(number)
            text = ""
        texts.append(text)
    return Pages(document.get_metadata_value("Title"), texts, outline, scans)


def _flat(document: pypdfium2.PdfDocument, index: int) -> Any:
    """The page with what was filled into its fields, typed or stamped on it as part of its text. Not comments."""
    page = document[index]
    for number in range(pypdfium2.raw.FPDFPage_GetAnnotCount(page.raw)):
        annotation = pypdfium2.raw.FPDFPage_GetAnnot(page.raw, number)
        kind = pypdfium2.raw.FPDFAnnot_GetSubtype(annotation)
        pypdfium2.raw.FPDFPage_CloseAnnot(annotation)
        if kind in _SHOWS_TEXT:
            changed = pypdfium2.raw.FPDFPage_Flatten(page.raw, pypdfium2.raw.FLAT_NORMALDISPLAY)
            return document[index] if changed == pypdfium2.raw.FLATTEN_SUCCESS else page
    return page


def _with_pypdf(data: bytes) -> Pages:
    import pypdf  # noqa: PLC0415 (310 ms, for the few files that need it)

    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        encrypted = reader.is_encrypted and not reader.decrypt("")
        count = 0 if encrypted else len(reader.pages)
        texts = [page.extract_text() for page in reader.pages] if 0 < count <= _MOST_PAGES else []
        title = "" if encrypted else (reader.metadata and reader.metadata.title) or ""
    except Exception as error:  # pypdf meets broken files with whatever its code runs into
        raise DocumentUnreadable(f"the PDF is corrupt ({type(error).__name__})") from error
    if encrypted:
        raise _encrypted()
    _check_length(count)
    return Pages(title, texts, [])


def _encrypted() -> DocumentUnreadable:
    return DocumentUnreadable("the PDF is encrypted; upload it without its password")


def _check_length(pages: int) -> None:
    if pages > _MOST_PAGES:
        raise DocumentUnreadable(f"the PDF has {pages} pages; at most {_MOST_PAGES} are read")


def _blocks(pages: Pages) -> Iterator[Block]:
    for number, text in enumerate(pages.texts):
        headings = {_key(entry.title): entry.level for entry in pages.outline if entry.page == number}
        headings.pop("", None)
        lines = [line.rstrip() for line in _joined(text).split("\n")]
        usual = statistics.median([len(line) for line in lines if len(line) > 20] or [80])
        for paragraph in _paragraphs(lines, usual, headings):
            level = headings.get(_key(paragraph), 0)
            yield Block("heading" if level else "prose", paragraph, level, number + 1)


def _joined(text: str) -> str:
    """PDFium marks a word broken at a line's end with U+0002 (or U+FFFE); the word is put together again."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r"[\x02\ufffe\u00ad]\n?", "", text)


def _paragraphs(lines: Iterable[str], usual: float, headings: dict[str, int]) -> Iterator[str]:
    """Lines of a page put together: a short line that ends a sentence ends the paragraph."""
    held = ""
    last = ""
    for line in lines:
        if not line.strip() or _key(line) in headings:
            if held:
                yield held
            if line.strip():
                yield line.strip()
            held = last = ""
            continue
        if held and len(last) < usual * 0.75 and _SENTENCE_END.search(last):
            yield held
            held = ""
        if not held:
            held = line.strip()
        elif _BULLET.match(line) or (len(last) < usual * 0.6 and len(line) < usual * 0.6):
            held += "\n" + line.strip()
        else:
            held += " " + line.strip()
        last = line
    if held:
        yield held


def _key(text: str) -> str:
    """What is left of a heading when its number, spaces and punctuation are gone."""
    return re.sub(r"^\W*[\dIVXA-H.]*\.?\s+|\W+", "", text).casefold()
