"""What a reader sees in an office file is read: headings as levels, lists with their numbers, tables as tables."""

from domain.knowledge import media
from domain.knowledge.extract import Extract
from domain.knowledge.parse import parse
from tests.knowledge.office import make_docx, make_pptx, make_xlsx, package, paragraph, shape


def outline(extract: Extract) -> list[tuple[int, str, int | None]]:
    return [(s.level, extract.text[s.start : s.end], s.page) for s in extract.spans if s.kind == "heading"]


def test_a_word_document_keeps_headings_and_the_numbers_of_its_lists() -> None:
    body = (
        paragraph("Terms", "T")
        + paragraph("Refunds", "H1")
        + paragraph("first", list_id=7)
        + paragraph("inner", list_id=7, level=1)
        + paragraph("second", list_id=7)
        + paragraph("between")
        + paragraph("third", list_id=7)
        + paragraph("dot", list_id=8)
        + paragraph("Late", "H2")
    )
    extract = parse(make_docx(body), "terms.docx")
    assert (extract.media_type, extract.title, extract.pages) == (media.DOCX, "Terms", 0)
    assert outline(extract) == [(1, "Terms", None), (2, "Refunds", None), (3, "Late", None)]
    assert "1. first\n  1.a) inner\n2. second\n\nbetween\n\n3. third\n- dot" in extract.text


def test_a_word_table_says_merged_cells_in_each_of_their_places() -> None:
    def cell(text: str, properties: str = "") -> str:
        return f"<w:tc><w:tcPr>{properties}</w:tcPr>{paragraph(text)}</w:tc>"

    wide, down, goes_on = '<w:gridSpan w:val="2"/>', '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    rows = [
        cell("Plan") + cell("Price", wide),
        cell("Basic", down) + cell("9 | 10") + cell("12"),
        cell("", goes_on) + cell("8") + cell("11"),
    ]
    table = "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>"
    text = parse(make_docx(table), "a.docx").text
    assert text == "| Plan | Price | Price |\n| - | - | - |\n| Basic | 9 \\| 10 | 12 |\n| Basic | 8 | 11 |"


def test_deleted_words_are_gone_inserted_ones_and_text_boxes_are_there() -> None:
    body = (
        "<w:p><w:r><w:t>kept </w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t>new</w:t></w:r></w:ins>"
        "<w:r><w:txbxContent><w:p><w:r><w:t>boxed</w:t></w:r></w:p></w:txbxContent></w:r></w:p>"
    )
    assert parse(make_docx(body), "a.docx").text == "kept new\n\nboxed"


def test_a_word_document_has_the_pages_of_its_last_layout() -> None:
    broken = "<w:p><w:r><w:lastRenderedPageBreak/><w:t>over</w:t></w:r></w:p>"
    extract = parse(make_docx(paragraph("one") + broken + paragraph("two")), "a.docx")
    assert (extract.pages, [span.page for span in extract.spans]) == (2, [1, 1, 2])


def test_a_slide_is_a_page_and_its_title_comes_first() -> None:
    slides = [
        shape("left", "right", kind="obj") + shape("Opening", kind="ctrTitle") + shape("7", kind="sldNum"),
        shape("Closing", kind="title") + shape("thanks"),
    ]
    extract = parse(make_pptx(slides), "deck.pptx")
    assert (extract.media_type, extract.pages) == (media.PPTX, 2)
    assert outline(extract) == [(1, "Opening", 1), (1, "Closing", 2)]
    assert extract.text == "Opening\n\n- left\n- right\n\nClosing\n\nthanks"


def test_a_sheet_is_a_page_with_cells_as_they_are_shown() -> None:
    prices = (
        '<sheetData><row r="1"><c r="B1" t="s"><v>0</v></c></row>'
        '<row r="2"><c r="B2" t="s"><v>1</v></c><c r="C2" t="s"><v>2</v></c>'
        '<c r="D2" t="inlineStr"><is><t>Open</t></is></c></row>'
        '<row r="3"><c r="B3" s="1"><v>45292</v></c><c r="C3" s="2"><v>0.07</v></c><c r="D3" t="b"><v>1</v></c></row>'
        '<row r="9"><c r="B9"><v>0.1</v></c><c r="C9"><v>4.4000000000000004</v></c></row></sheetData>'
    )
    secret = '<sheetData><row r="1"><c r="A1"><v>13</v></c></row></sheetData>'
    data = make_xlsx({"Rates": prices, "Lists": secret}, strings=("Rates 2024", "From", "Rate"), hidden=("Lists",))
    extract = parse(data, "rates.xlsx")
    assert (extract.media_type, extract.pages, outline(extract)) == (media.XLSX, 2, [(1, "Rates", 1)])
    assert extract.text == (
        "Rates\n\nRates 2024\n\n| From | Rate | Open |\n| - | - | - |\n| 2024-01-01 | 7% | TRUE |\n\n"
        "| 0.1 | 4.4 |\n| - | - |"
    )


def test_a_long_table_says_its_columns_in_every_part() -> None:
    rows = "".join(
        f'<row r="{n}"><c t="inlineStr"><is><t>item {n}</t></is></c><c><v>{n}</v></c></row>' for n in range(2, 200)
    )
    header = '<row r="1"><c t="inlineStr"><is><t>Article</t></is></c><c t="inlineStr"><is><t>Stock</t></is></c></row>'
    extract = parse(make_xlsx({"Stock": f"<sheetData>{header}{rows}</sheetData>"}), "stock.xlsx")
    tables = [extract.text[s.start : s.end] for s in extract.spans if s.kind == "code"]
    assert len(tables) > 1
    assert all(each.startswith("| Article | Stock |\n| - | - |\n| item ") and len(each) <= 1200 for each in tables)
    assert all(extract.text.count(f"| item {n} | {n} |") == 1 for n in range(2, 200))


def test_an_open_document_keeps_headings_nested_lists_and_covered_cells() -> None:
    content = (
        '<d xmlns:office="o" xmlns:text="t" xmlns:table="b" xmlns:style="s"><office:automatic-styles>'
        '<text:list-style style:name="L"><text:list-level-style-number text:level="1" style:num-format="1"/>'
        "</text:list-style></office:automatic-styles><office:body><office:text>"
        '<text:h text:outline-level="2">Fees</text:h><text:list text:style-name="L"><text:list-item>'
        "<text:p>one</text:p>"
        "<text:list><text:list-item><text:p>inner</text:p></text:list-item></text:list></text:list-item></text:list>"
        '<table:table><table:table-row><table:table-cell table:number-columns-spanned="2"><text:p>all</text:p>'
        "</table:table-cell><table:covered-table-cell/></table:table-row><table:table-row><table:table-cell>"
        '<text:p>a</text:p></table:table-cell><table:table-cell table:number-columns-repeated="9999999"/>'
        '</table:table-row><table:table-row table:number-rows-repeated="9999999"><table:table-cell/></table:table-row>'
        "</table:table></office:text></office:body></d>"
    )
    extract = parse(
        package({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": content}), "fees.odt"
    )
    assert extract.media_type == media.ODT
    assert outline(extract) == [(2, "Fees", None)]
    assert extract.text == "Fees\n\n1. one\n  - inner\n\n| all | all |\n| - | - |\n| a |  |"


def test_an_e_book_is_read_in_the_order_of_its_spine_without_its_contents_page() -> None:
    manifest = "".join(
        f'<item id="{name}" href="{name}.xhtml" media-type="application/xhtml+xml" properties="{kind}"/>'
        for name, kind in (("toc", "nav"), ("b", ""), ("a", ""))
    )
    opf = (
        '<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>The Guide</dc:title></metadata>'
        f'<manifest>{manifest}</manifest><spine><itemref idref="toc"/><itemref idref="a"/><itemref idref="b"/></spine>'
        "</package>"
    )
    container = '<container><rootfiles><rootfile full-path="x/book.opf"/></rootfiles></container>'
    book = package(
        {
            "mimetype": media.EPUB,
            "META-INF/container.xml": container,
            "x/book.opf": opf,
            "x/toc.xhtml": "<html><body><p>Contents</p></body></html>",
            "x/a.xhtml": "<html><body><h1>Start</h1><p>first</p></body></html>",
            "x/b.xhtml": "<html><body><h1>End</h1><p>last</p></body></html>",
        }
    )
    extract = parse(book, "guide.epub")
    assert (extract.media_type, extract.title) == (media.EPUB, "The Guide")
    assert extract.text == "Start\n\nfirst\n\nEnd\n\nlast"
