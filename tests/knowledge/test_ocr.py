"""A scan's text is read as a person reads it, and no page, however bad, costs more than itself."""

import asyncio
import io
from pathlib import Path

import psutil
import pypdf
import pytest
from PIL import Image

from domain.errors import DocumentUnreadable
from domain.knowledge import media
from domain.knowledge.extract import with_recognised
from domain.knowledge.ocr import Ocr, PageText
from domain.knowledge.parse import parse
from tests.knowledge.pdf import make_pdf
from tests.knowledge.scan import columns, encoded, enlarged, pdf, picture, png, scanned

LETTER = (
    "Dear customer,",
    "",
    "your order 48-2917 was sent on 14 March 2025.",
    "It holds two lamps at 39.90 EUR each.",
    "",
    "Returns are free within thirty days.",
)
LEFT = (
    "The first column tells of",
    "rivers that run to the sea",
    "and of boats that follow",
    "them down every spring.",
)
RIGHT = (
    "The second column tells of",
    "mountains that stand still",
    "and of goats that climb on",
    "them up every summer.",
)


async def read_one(data: bytes, media_type: str) -> PageText:
    [page] = await Ocr().read(data, media_type, [1])
    return page


async def test_pages_are_read_askew_dusty_and_at_every_quarter_turn() -> None:
    letter = scanned(picture(LETTER))
    turned = [letter.rotate(degrees, expand=True) for degrees in (0, 90, 180, 270)]
    pages = await Ocr().read(encoded(turned), media.TIFF, [1, 2, 3, 4])
    assert [page.turned for page in pages] == [0, 90, 180, 270]
    for number, page in enumerate(pages, start=1):
        assert (page.page, page.error, page.engine) == (number, None, "rapidocr")
        assert page.confidence > 0.9
        assert page.text.split("\n\n")[0] == "Dear customer,"
        assert "48-2917 was sent on 14 March 2025" in page.text
        assert "39.90 EUR each" in page.text
        assert page.text.endswith("thirty days.")
    first = pages[0].lines[0]
    assert first.text == "Dear customer,"
    assert first.box == pytest.approx((0.07, 0.07, 0.25, 0.14), abs=0.05)


async def test_columns_are_read_one_after_the_other_rows_of_a_table_across_and_a_picture_as_nothing() -> None:
    table = picture(["Lamp                         39.90", "Shade                       12.00", "Total          51.90"])
    blank = Image.new("L", (400, 300), "grey")
    pages = await Ocr().read(encoded([columns(LEFT, RIGHT), table, blank]), media.TIFF, [1, 2, 3])
    assert (pages[2].text, pages[2].lines, pages[2].error) == ("", [], None)
    words = pages[0].text.split()
    assert words.index("rivers") < words.index("boats") < words.index("mountains") < words.index("goats")
    assert " ".join(words).startswith(" ".join(LEFT)[:60])
    assert [line.split() for line in pages[1].text.split("\n")] == [
        ["Lamp", "39.90"],
        ["Shade", "12.00"],
        ["Total", "51.90"],
    ]


async def test_scanned_pages_of_a_mixed_pdf_come_back_in_their_places() -> None:
    letter = encoded([scanned(picture(LETTER))], "PDF", resolution=200)
    writer = pypdf.PdfWriter()
    for part in (make_pdf(["The first page is real text"]), letter, make_pdf(["The third page is real text"])):
        writer.append(io.BytesIO(part))
    out = io.BytesIO()
    writer.write(out)
    extract = parse(out.getvalue(), "mixed.pdf")
    assert (extract.pages, extract.scans) == (3, [2])
    assert "order" not in extract.text
    [page] = await Ocr().read(out.getvalue(), media.PDF, extract.scans)
    whole = with_recognised(extract, {page.page: page.blocks()})
    assert whole.scans == []
    assert [span.page for span in whole.spans] == sorted(span.page or 0 for span in whole.spans)
    assert "real text\n\nDear customer,\n\nyour order 48-2917" in whole.text
    assert whole.text.endswith("The third page is real text")


async def test_a_photo_is_shown_as_its_camera_held_it() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    sideways = picture(LETTER).rotate(90, expand=True)
    page = await read_one(encoded([sideways], "JPEG", exif=exif), media.JPEG)
    assert page.turned == 0
    assert "two lamps" in page.text


async def test_a_page_of_a_billion_pixels_is_scaled_down_or_refused() -> None:
    rows = enlarged(picture(LETTER), 35_000)
    page = await read_one(pdf(rows, 35_000), media.PDF)
    assert "48-2917" in page.text
    page = await read_one(png(rows, 35_000), media.PNG)
    assert page.error == "the image is too large: 35000 x 35000 pixels; scan it at 300 dpi or less"


async def test_a_page_that_needs_too_much_memory_is_given_up() -> None:
    side = 24_000
    page = await read_one_with(Ocr(memory_bytes=900_000_000), png(enlarged(picture(LETTER), side), side), media.PNG)
    assert page.error == "recognising the page needs more than 900 MB of memory"


async def test_a_bad_page_fails_alone() -> None:
    good = encoded([picture(LETTER)] * 3, compression="tiff_lzw")
    data = spoiled(good, page=2)
    pages = await Ocr().read(data, media.TIFF, [1, 2, 3, 4])
    assert [page.error for page in pages] == [None, "the image is corrupt (OSError)", None, "the image has no page 4"]
    assert "48-2917" in pages[0].text
    assert pages[2].text == pages[0].text


@pytest.mark.parametrize(
    ("data", "media_type", "why"),
    [
        (b"\x89PNG\r\n\x1a\n" + b"rubbish" * 40, media.PNG, "the image is corrupt"),
        (b"%PDF-1.7\nrubbish", media.PDF, "encrypted or corrupt"),
        (make_pdf(["secret"], password="x"), media.PDF, "encrypted or corrupt"),
        (b"words", media.PLAIN, "text/plain has no pages"),
    ],
)
async def test_a_file_that_cannot_be_opened_says_why(data: bytes, media_type: str, why: str) -> None:
    with pytest.raises(DocumentUnreadable, match=why):
        await Ocr().read(data, media_type, [1])


async def test_half_an_image_has_an_error_that_says_so() -> None:
    data = encoded([scanned(picture(LETTER))], "PNG")
    page = await read_one(data[: len(data) // 2], media.PNG)
    assert page.error is not None
    assert "the image is corrupt" in page.error
    assert page.text == ""


async def test_a_page_that_takes_too_long_is_given_up() -> None:
    pages = await Ocr(seconds=0.05).read(encoded([picture(LETTER)] * 2), media.TIFF, [1, 2])
    assert [page.error for page in pages] == ["recognising the page takes longer than 0.05 seconds"] * 2
    assert children() == []


async def test_a_page_that_takes_too_much_processor_time_is_given_up() -> None:
    page = await read_one_with(Ocr(cpu_seconds=0), encoded([picture(LETTER)]), media.TIFF)
    assert page.error == "recognising the page takes more than 0 seconds of processor time"


async def test_a_cancelled_reading_leaves_no_process_behind() -> None:
    reading = asyncio.create_task(Ocr().read(encoded([picture(LETTER)] * 50), media.TIFF, range(1, 51)))
    while not children():
        await asyncio.sleep(0.05)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert children() == []


async def test_without_any_engine_the_refusal_says_what_to_install() -> None:
    with pytest.raises(DocumentUnreadable, match=r"neither the extra everturn\[ocr\] nor tesseract"):
        await Ocr(model=False).read(encoded([picture(LETTER)]), media.TIFF, [1])


async def test_tesseract_reads_where_the_model_is_missing(tmp_path: Path) -> None:
    """The program here speaks tesseract's protocol; what it answers is what 5.3.0 answers to such a page."""
    program = tmp_path / "tesseract"
    program.write_text(TESSERACT)
    program.chmod(0o755)
    page = await read_one_with(Ocr(model=False, tesseract=program), encoded([picture(LETTER)]), media.TIFF)
    assert (page.text, page.engine, page.error) == ("Dear customer,\n\nyour order", "tesseract", None)
    assert page.confidence == pytest.approx(0.954, abs=0.002)


async def read_one_with(ocr: Ocr, data: bytes, media_type: str) -> PageText:
    [page] = await ocr.read(data, media_type, [1])
    return page


def spoiled(tiff: bytes, *, page: int) -> bytes:
    """The page's first strip is lost."""
    with Image.open(io.BytesIO(tiff)) as image:
        image.seek(page - 1)
        place, length = image.tag_v2[273][0], image.tag_v2[279][0]  # type: ignore[attr-defined]
    return tiff[:place] + b"\xff" * length + tiff[place + length :]


def children() -> list[str]:
    found = psutil.Process().children(recursive=True)
    return [" ".join(child.cmdline()) for child in found if "domain.knowledge.ocr_process" in child.cmdline()]


TESSERACT = """#!/bin/sh
if [ "$1" = --list-langs ]; then
    printf 'List of available languages in "/usr/share/tesseract-ocr/5/tessdata/" (2):\\neng\\nosd\\n'
    exit
fi
test "$1 $2 $7 $8 $9" = "stdin stdout -l eng tsv" || exit 1
test "$(head -c 15 | tr '\\n' ' ')" = "P6 1240 1000 25" || exit 1
cat > /dev/null
printf 'level\\tpage_num\\tblock_num\\tpar_num\\tline_num\\tword_num\\tleft\\ttop\\twidth\\theight\\tconf\\ttext\\n'
printf '1\\t1\\t0\\t0\\t0\\t0\\t0\\t0\\t1240\\t1000\\t-1\\t\\n'
printf '5\\t1\\t1\\t1\\t1\\t1\\t92\\t87\\t70\\t24\\t96.5\\tDear\\n'
printf '5\\t1\\t1\\t1\\t1\\t2\\t172\\t92\\t140\\t23\\t95.1\\tcustomer,\\n'
printf '5\\t1\\t2\\t1\\t1\\t1\\t92\\t182\\t60\\t24\\t94.0\\tyour\\n'
printf '5\\t1\\t2\\t1\\t1\\t2\\t162\\t182\\t80\\t24\\t95.9\\torder\\n'
"""
