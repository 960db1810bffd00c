"""A small file of every kind that is read, made on the spot."""

from email.message import EmailMessage
from pathlib import Path

from domain.knowledge import media
from tests.knowledge import office, scan
from tests.knowledge.pdf import form_pdf

_RUN = "Refunds take five days. <b>Returns</b> take ten."
_TABLE = '<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val="2"/></w:tcPr><w:p/></w:tc></w:tr></w:tbl>'
_ROWS = (
    '<sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" s="1"><v>45292</v></c></row>'
    '<row r="2"><c r="A2" s="2"><v>0.5</v></c></row></sheetData><mergeCells><mergeCell ref="A1:A2"/></mergeCells>'
)
_NAMES = "urn:oasis:names:tc:opendocument:xmlns"
_OPEN = f'xmlns:office="{_NAMES}:office:1.0" xmlns:table="{_NAMES}:table:1.0" xmlns:text="{_NAMES}:text:1.0"'


def _open_document() -> bytes:
    cell = (
        '<table:table-cell table:number-columns-repeated="3"><text:p>5 <text:s text:c="2"/></text:p></table:table-cell>'
    )
    body = (
        f'<text:h text:outline-level="2">Refunds</text:h><text:list><text:list-item><text:p>{_RUN[:20]}</text:p>'
        f'</text:list-item></text:list><table:table><table:table-row table:number-rows-repeated="2">{cell}'
        f"</table:table-row></table:table>"
    )
    inside = f"<office:body><office:text>{body}</office:text></office:body>"
    content = f"<office:document-content {_OPEN}>{inside}</office:document-content>"
    return office.package(
        {"mimetype": f"{media.ODF}.text", "META-INF/manifest.xml": "<manifest/>", "content.xml": content}
    )


def _e_book() -> bytes:
    book = (
        '<package><metadata><title>Book</title></metadata><manifest><item id="a" href="a.xhtml" '
        'media-type="application/xhtml+xml"/></manifest><spine><itemref idref="a"/></spine></package>'
    )
    container = '<container><rootfiles><rootfile full-path="a.opf"/></rootfiles></container>'
    return office.package(
        {
            "mimetype": media.EPUB,
            "META-INF/container.xml": container,
            "a.opf": book,
            "a.xhtml": f"<html><h1>Book</h1><p>{_RUN}</p></html>",
        }
    )


def _mail() -> bytes:
    inner, outer = EmailMessage(), EmailMessage()
    for mail in (inner, outer):
        mail["From"], mail["To"], mail["Subject"] = "Ada <ada@example.com>", "help@example.com", "Rückgabe"
        mail["Date"] = "Mon, 01 Jan 2024 10:00:00 +0000"
        mail.set_content("Refunds take five days.")
    inner.add_alternative(f"<table><tr><td rowspan=2>{_RUN}</td><td>1</td></tr></table>", subtype="html")
    outer.add_attachment(inner)
    return outer.as_bytes()


def made() -> dict[str, bytes]:
    """By file name."""
    page = scan.picture(["Refunds"], size=(160, 120), left=10)
    names = {"png": "PNG", "jpg": "JPEG", "tiff": "TIFF", "webp": "WEBP", "bmp": "BMP", "gif": "GIF"}
    images = {f"a.{suffix}": scan.encoded([page], name) for suffix, name in names.items()}
    listed = office.paragraph("one", list_id=7) + office.paragraph("two", list_id=7, level=1)
    return images | {
        "a.pdf": form_pdf("Refunds take five days.", "Ada", "London"),
        "a.docx": office.make_docx(office.paragraph("Refunds", "H1") + listed + _TABLE),
        "a.pptx": office.make_pptx([office.shape("Refunds", kind="title") + office.shape("five", "days", kind="body")]),
        "a.xlsx": office.make_xlsx({"Refunds": _ROWS}, strings=("Refunds",)),
        "a.odt": _open_document(),
        "a.epub": _e_book(),
        "a.eml": _mail(),
        "a.html": f"<html><ol start=3><li>{_RUN}</ol><table><tr><td colspan=2>5</table><!-- x --></html>".encode(),
        "a.md": f"---\ntitle: Refunds\n---\n# Refunds\n\n- {_RUN}\n\n| a | b |\n| - | - |\n| 1 | [2](x) |\n".encode(),
        "a.csv": b'item;days\nrefund;5\n"return; late";10\n',
        "a.json": b'[{"item": "refund", "days": 5}, {"item": "return", "days": null}]',
        "a.jsonl": b'{"item": ["refund"]}\n{"item": "return"}\n',
        "a.txt": "Rückgabe: five days.\n\nReturns: ten.".encode("utf-16"),
    }


def real_old_office() -> dict[str, bytes]:
    """Files of Word, PowerPoint and Excel 97 to 2003, which nothing here can make; none without the public set."""
    folder = Path(__file__).parents[3] / "shared" / "data" / "docs_docling" / "dev"
    kinds = ("doc", "ppt", "xls")
    return {path.name: path.read_bytes() for kind in kinds for path in sorted((folder / kind).glob(f"*.{kind}"))}
