"""However a file is broken, reading it ends soon, with its text or with DocumentUnreadable and nothing else."""

import io
import os
import zipfile
from contextlib import suppress
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import DocumentUnreadable
from domain.knowledge.chunk import chunk
from domain.knowledge.ocr_picture import opened
from domain.knowledge.parse import parse
from domain.knowledge.reading import FileReader
from tests.knowledge.office import make_pptx, make_xlsx
from tests.knowledge.samples import made, real_old_office

_SAMPLES = made()
_OLD = real_old_office()
_NUMBERS = (b"-1", b"0", b"99999999999999999999", b"1e9", b"", b"x", "²".encode(), "٣".encode())
_WORDS = (b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80")

damages = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5), st.integers(0, 255)), min_size=1, max_size=8)
"""Where (as a share of the bytes), how, and with what."""


def damaged(data: bytes, how: list[tuple[float, int, int]]) -> bytes:
    found = bytearray(data)
    for share, kind, value in how:
        at = min(int(share * len(found)), max(0, len(found) - 1))
        if kind == 0:
            found[at : at + 1] = bytes([(found[at] if found else 0) ^ (1 << value % 8)])
        elif kind == 1:
            del found[at:]
        elif kind == 2:
            del found[at : at + 1 + value % 40]
        elif kind == 3:
            found[at:at] = found[at : at + 100] * (value % 20)
        elif kind == 4:
            found[at : at + 4] = _WORDS[value % len(_WORDS)]
        else:
            found[at:at] = bytes([value])
    return bytes(found)


def damaged_inside(data: bytes, how: list[tuple[float, int, int]]) -> bytes:
    """The parts of a package broken before they are packed: bytes of the pack itself only fail its checksums."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as given_to, zipfile.ZipFile(out, "w") as pack:
        names = given_to.namelist()
        chosen = names[min(len(names) - 1, int(how[0][0] * len(names)))]
        for name in names:
            part = given_to.read(name)
            pack.writestr(name, damaged(part, how) if name == chosen != "mimetype" else part)
    return out.getvalue()


def ends_well(data: bytes, name: str) -> None:
    with suppress(DocumentUnreadable, RecursionError):  # the reading process makes the one of the other
        extract = parse(data, name)
        chunk(extract, UUID(int=0))
        if extract.media_type.startswith("image/"):
            for page in extract.scans[:2]:
                opened(data, extract.media_type)(page)


@pytest.mark.parametrize("name", sorted(_SAMPLES))
def test_every_sample_is_read(name: str) -> None:
    extract = parse(_SAMPLES[name], name)
    assert "Refund" in extract.text or "refund" in extract.text or "Rückgabe" in extract.text or extract.scans == [1]


@pytest.mark.parametrize("name", sorted(_SAMPLES))
@settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(how=damages)
def test_a_damaged_file_is_read_or_refused(name: str, how: list[tuple[float, int, int]]) -> None:
    data = _SAMPLES[name]
    ends_well(damaged(data, how), name)
    if data.startswith(b"PK"):
        ends_well(damaged_inside(data, how), name)


@pytest.mark.parametrize("name", sorted(_SAMPLES))
def test_a_file_that_breaks_off_anywhere_is_read_or_refused(name: str) -> None:
    data = _SAMPLES[name]
    for length in range(0, len(data), 1 + len(data) // 60):
        ends_well(data[:length], name)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(how=damages)
def test_a_damaged_old_office_file_is_read_or_refused(how: list[tuple[float, int, int]]) -> None:
    for name, data in _OLD.items():
        ends_well(damaged(data, how), name)


@pytest.mark.parametrize("number", _NUMBERS)
def test_a_number_of_any_form_in_an_attribute_is_survived(number: bytes) -> None:
    for name, data in _SAMPLES.items():
        if not data.startswith(b"PK"):
            continue
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as given_to, zipfile.ZipFile(out, "w") as pack:
            for part in given_to.namelist():
                held = given_to.read(part)
                for digit in (b'"0"', b'"1"', b'"2"', b'"3"', b'"7"', b'"9"', b'"14"'):
                    held = held.replace(digit, b'"' + number + b'"') if part != "mimetype" else held
                pack.writestr(part, held)
        ends_well(out.getvalue(), name)


@pytest.mark.parametrize("suffix", sorted({name.partition(".")[2] for name in _SAMPLES} | {"doc", "ppt", "xls", "rtf"}))
def test_random_bytes_are_no_file_of_any_kind(suffix: str) -> None:
    ends_well(os.urandom(20_000), f"a.{suffix}")
    ends_well(bytes(20_000), f"a.{suffix}")


@pytest.mark.parametrize("name", sorted(_SAMPLES))
def test_a_wrong_name_does_not_matter(name: str) -> None:
    for other in ("a.pdf", "a.docx", "a.xls", "a.png", "a.csv", "a"):
        ends_well(_SAMPLES[name], other)


_TEXT_OF_30_KB = "<c r='A1' t='inlineStr'><is><t>" + "y" * 30_000 + "</t></is></c>"


@pytest.mark.parametrize(
    ("data", "name", "why"),
    [
        (b"a" + b" " * 5_000_000 + b"b", "spaces.txt", None),
        (b"a" * 3_000_000, "one_word.txt", None),
        (b"<html>" + b"<ul><li>x" * 30_000, "lists.html", None),
        (b"<html>" + b"<nav>" * 60_000 + b"</p>" * 60_000, "skipped.html", "no text"),
        (b"<html><table>" + b"<tr><td colspan=1000 rowspan=1000>x" * 2_000, "spans.html", "more than 1,000,000 cells"),
        (b"[" * 500_000, "deep.json", "nested too deeply"),
        (b'["\\ud800 half a character"]', "half.json", None),
        (
            make_pptx(["<p:sp><p:txBody><a:p><a:pPr lvl='999999999'/><a:r><a:t>x</a:t></a:r></a:p></p:txBody></p:sp>"]),
            "deep.pptx",
            None,
        ),
        (
            make_xlsx(
                {
                    "S": f"<sheetData><row r='1'>{_TEXT_OF_30_KB}<c r='B1'><v>1</v></c></row></sheetData>"
                    "<mergeCells><mergeCell ref='A1:A9000'/></mergeCells>"
                }
            ),
            "merged.xlsx",
            "more than 20 million characters",
        ),
        (b"From: a\r\nTo: b\r\nContent-Type: text/plain; charset=undefined\r\n\r\nhi \xff", "odd.eml", None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_little_that_would_become_much_is_read_in_time_or_refused(
    data: bytes, name: str, why: str | None
) -> None:
    reading = FileReader(cpu_seconds=30).read(data, name, uuid4())
    if why is None:
        assert (await reading).text
    else:
        with pytest.raises(DocumentUnreadable, match=why):
            await reading


async def test_a_file_that_takes_endless_work_is_refused_and_says_so() -> None:
    with pytest.raises(DocumentUnreadable, match="more than 1 seconds of processor time"):
        await FileReader(cpu_seconds=1).read(b"a\n\n" * 500_000, "endless.txt", uuid4())
