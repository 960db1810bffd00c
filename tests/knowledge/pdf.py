"""Small PDFs made on the spot."""

import io
from collections.abc import Sequence

import pypdf
from pypdf.generic import (
    ArrayObject,
    BooleanObject,
    DecodedStreamObject,
    DictionaryObject,
    FloatObject,
    NameObject,
    NumberObject,
    TextStringObject,
)


def make_pdf(pages: list[str], *, password: str = "") -> bytes:
    """One line of text a page, in Helvetica; a page of "" stays empty."""
    writer = pypdf.PdfWriter()
    for text in pages:
        if text:
            _write(writer, _helvetica(), f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET")
        else:
            writer.add_blank_page(612, 792)
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    return _bytes(writer)


def drawn_pdf(glyphs: Sequence[str]) -> bytes:
    """One line of glyphs from left to right as they stand on the page, each with the text it stands for."""
    writer = pypdf.PdfWriter()
    codes = "".join(f"<{n + 1:02x}> <{text.encode('utf-16-be').hex()}>" for n, text in enumerate(glyphs))
    meanings = DecodedStreamObject()
    meanings.set_data(
        f"/CIDInit /ProcSet findresource begin 12 dict begin begincmap 1 begincodespacerange <00> <ff> "
        f"endcodespacerange {len(glyphs)} beginbfchar {codes} endbfchar endcmap end end".encode()
    )
    font = _helvetica()
    font[NameObject("/ToUnicode")] = writer._add_object(meanings)
    shown = "".join(f"{n + 1:02x}" for n in range(len(glyphs)))
    _write(writer, font, f"BT /F1 12 Tf 72 700 Td <{shown}> Tj ET")
    return _bytes(writer)


def form_pdf(label: str, drawn: str, undrawn: str) -> bytes:
    """A form with a label and two filled fields; programs leave it to the reader to draw the second."""
    writer = pypdf.PdfWriter()
    font = writer._add_object(_helvetica())
    page = _write(writer, font, f"BT /F1 12 Tf 72 700 Td ({label}) Tj ET")
    fonts = DictionaryObject({NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})})
    look = DecodedStreamObject()
    look.set_data(f"/Tx BMC BT /F1 12 Tf 2 3 Td ({drawn}) Tj ET EMC".encode())
    look.update(
        {
            NameObject("/Type"): NameObject("/XObject"),
            NameObject("/Subtype"): NameObject("/Form"),
            NameObject("/BBox"): ArrayObject([FloatObject(each) for each in (0, 0, 200, 16)]),
            NameObject("/Resources"): fonts,
        }
    )
    fields = ArrayObject()
    for value, bottom in ((drawn, 660), (undrawn, 620)):
        field = DictionaryObject(
            {
                NameObject("/Type"): NameObject("/Annot"),
                NameObject("/Subtype"): NameObject("/Widget"),
                NameObject("/FT"): NameObject("/Tx"),
                NameObject("/T"): TextStringObject(f"field {bottom}"),
                NameObject("/V"): TextStringObject(value),
                NameObject("/F"): NumberObject(4),
                NameObject("/DA"): TextStringObject("/F1 12 Tf 0 g"),
                NameObject("/Rect"): ArrayObject([FloatObject(each) for each in (72, bottom, 272, bottom + 16)]),
            }
        )
        if value == drawn:
            field[NameObject("/AP")] = DictionaryObject({NameObject("/N"): writer._add_object(look)})
        fields.append(writer._add_object(field))
    page[NameObject("/Annots")] = fields
    writer._root_object[NameObject("/AcroForm")] = DictionaryObject(
        {
            NameObject("/Fields"): fields,
            NameObject("/NeedAppearances"): BooleanObject(True),
            NameObject("/DR"): fonts,
        }
    )
    return _bytes(writer)


def _helvetica() -> DictionaryObject:
    return DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )


def _write(writer: pypdf.PdfWriter, font: object, content: str) -> DictionaryObject:
    page = writer.add_blank_page(612, 792)
    page[NameObject("/Resources")] = DictionaryObject(
        {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
    )
    stream = DecodedStreamObject()
    stream.set_data(content.encode())
    page[NameObject("/Contents")] = writer._add_object(stream)
    return page


def _bytes(writer: pypdf.PdfWriter) -> bytes:
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()
