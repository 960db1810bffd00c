"""Small office files made on the spot, as ZIPs of XML parts."""

import io
import zipfile
from collections.abc import Mapping

_TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_DRAWING = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
_SLIDE = f'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" {_DRAWING}'
_SHEET = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_LINKS = f'xmlns:r="{_TYPES}"'

_FORMATS = '<cellXfs><xf/><xf numFmtId="14"/><xf numFmtId="9"/></cellXfs>'

STYLES = """
<w:style w:styleId="T"><w:name w:val="Title"/></w:style>
<w:style w:styleId="H1"><w:name w:val="heading 1"/><w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>
<w:style w:styleId="H2"><w:name w:val="heading 2"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>
"""
NUMBERING = """
<w:abstractNum w:abstractNumId="1">
<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>
<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1.%2)"/></w:lvl></w:abstractNum>
<w:abstractNum w:abstractNumId="2"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/></w:lvl></w:abstractNum>
<w:num w:numId="7"><w:abstractNumId w:val="1"/></w:num><w:num w:numId="8"><w:abstractNumId w:val="2"/></w:num>
"""


def package(parts: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in parts.items():
            kept = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            file.writestr(name, text, kept)
    return out.getvalue()


def relations(**targets: str) -> str:
    """By id, each "kind target"."""
    pairs = [(name, *target.split(" ")) for name, target in targets.items()]
    each = "".join(f'<Relationship Id="{name}" Type="{_TYPES}/{kind}" Target="{to}"/>' for name, kind, to in pairs)
    return f"<Relationships>{each}</Relationships>"


def make_docx(body: str, **parts: str) -> bytes:
    return package(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": relations(a="officeDocument word/document.xml"),
            "word/_rels/document.xml.rels": relations(s="styles styles.xml", n="numbering numbering.xml"),
            "word/document.xml": f"<w:document {_WORD}><w:body>{body}</w:body></w:document>",
            "word/styles.xml": f"<w:styles {_WORD}>{STYLES}</w:styles>",
            "word/numbering.xml": f"<w:numbering {_WORD}>{NUMBERING}</w:numbering>",
        }
        | parts
    )


def paragraph(text: str, style: str = "", *, list_id: int = 0, level: int = 0) -> str:
    named = f'<w:pStyle w:val="{style}"/>' if style else ""
    listed = f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{list_id}"/></w:numPr>' if list_id else ""
    return f"<w:p><w:pPr>{named}{listed}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def make_pptx(slides: list[str]) -> bytes:
    """Each the shapes of a slide."""
    ids = "".join(f'<p:sldId id="{256 + n}" r:id="s{n}"/>' for n in range(len(slides)))
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": relations(a="officeDocument ppt/presentation.xml"),
        "ppt/presentation.xml": f"<p:presentation {_SLIDE} {_LINKS}><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": relations(**{f"s{n}": f"slide slides/{n}.xml" for n in range(len(slides))}),
    }
    for n, shapes in enumerate(slides):
        parts[f"ppt/slides/{n}.xml"] = f"<p:sld {_SLIDE}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>"
    return package(parts)


def shape(*lines: str, kind: str | None = None) -> str:
    holder = f'<p:ph type="{kind}"/>' if kind else ""
    texts = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in lines)
    return f"<p:sp><p:nvSpPr><p:nvPr>{holder}</p:nvPr></p:nvSpPr><p:txBody>{texts}</p:txBody></p:sp>"


def make_xlsx(sheets: dict[str, str], *, strings: tuple[str, ...] = (), hidden: tuple[str, ...] = ()) -> bytes:
    """Each sheet by its name, as what is inside `worksheet`. Style 1 is a date, style 2 a percentage."""
    listed = "".join(
        f'<sheet name="{name}" r:id="s{n}" state="{"hidden" if name in hidden else "visible"}"/>'
        for n, name in enumerate(sheets)
    )
    targets = {f"s{n}": f"worksheet sheets/{n}.xml" for n in range(len(sheets))}
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": relations(a="officeDocument xl/workbook.xml"),
        "xl/workbook.xml": f"<workbook {_SHEET} {_LINKS}><sheets>{listed}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": relations(t="sharedStrings strings.xml", y="styles styles.xml", **targets),
        "xl/strings.xml": f"<sst {_SHEET}>{''.join(f'<si><t>{text}</t></si>' for text in strings)}</sst>",
        "xl/styles.xml": f"<styleSheet {_SHEET}>{_FORMATS}</styleSheet>",
    }
    for n, inside in enumerate(sheets.values()):
        parts[f"xl/sheets/{n}.xml"] = f"<worksheet {_SHEET}>{inside}</worksheet>"
    return package(parts)
