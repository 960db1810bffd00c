"""How well scans and images are recognised: accuracy and time of each file against the text that comes with it.

`python -m bench.ocr DATA [--part dev] [--files N]` where DATA holds `docs_ocrmypdf/` and `receipts_sroie/` (their
READMEs say what they are); scanned pages of the other `docs_*` sets are read, too. Not for files with a text layer.
"""

import argparse
import asyncio
import gzip
import json
import re
import resource
import statistics
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from domain.errors import DocumentUnreadable
from domain.knowledge.ocr import Ocr, PageText
from domain.knowledge.parse import parse

_SAME_TEXT = re.compile(r"^(linn|ccitt|jbig2|skew|rotated_skew|cardinal|poster)\b")
"""Files of docs_ocrmypdf that show the page whose text is linn.txt; `cardinal` shows it on each of its pages."""

_SIGNS = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "•": "0", "…": "..."})  # noqa: RUF001
"""What the truth itself writes now this way, now that; linn.txt has a 0 for every bullet."""


@dataclass(frozen=True, slots=True)
class Row:
    """Accuracies are 0 to 1; None where there is no truth, or where order means nothing (receipts)."""

    name: str
    pages: int
    characters: float | None = None
    words: float | None = None
    cpu_seconds: float = 0.0
    seconds: float = 0.0
    confidence: float = 0.0
    said: str = ""


def plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).translate(_SIGNS).split())


def word_recall(truth: str, found: str) -> float:
    """Share of the truth's words that were found as often. Case and punctuation do not count."""
    want, have = (Counter(re.findall(r"\w+", plain(text).casefold())) for text in (truth, found))
    return (want & have).total() / max(want.total(), 1)


def character_accuracy(truth: str, found: str) -> float:
    """1 less edits for each character of the truth, in reading order."""
    return max(0.0, 1 - Levenshtein.distance(plain(truth), plain(found)) / max(len(plain(truth)), 1))


def documents(data: Path, part: str) -> Iterator[tuple[Path, str | None]]:
    """Files and their text, where it is known."""
    linn = data / "docs_ocrmypdf" / "dev" / "linn.txt"
    for name in ("docs_ocrmypdf", "docs_docling", "docs_pypdf"):
        for path in sorted((data / name / part).rglob("*")):
            if path.suffix not in {".pdf", ".png", ".jpg", ".tif", ".tiff"}:
                continue
            expected = path.with_name(path.name + ".expected.md")
            if name == "docs_ocrmypdf" and _SAME_TEXT.match(path.name):
                yield path, linn.read_text()
            else:
                yield path, expected.read_text() if expected.exists() else None


def receipts(data: Path, part: str) -> Iterator[tuple[Path, str]]:
    with gzip.open(data / "receipts_sroie" / f"{part}_truth.jsonl.gz", "rt") as file:
        for line in file:
            row = json.loads(line)
            yield data / "receipts_sroie" / row["image"], "\n".join(each["text"] for each in row["lines"])


async def measure(path: Path, truth: str | None, *, ordered: bool) -> Row | None:
    """None for a file whose pages all hold text."""
    data = await asyncio.to_thread(path.read_bytes)
    started, used = time.monotonic(), _children()
    try:
        extract = parse(data, path.name)
        if not extract.scans:
            return None
        pages = await Ocr.found_here().read(data, extract.media_type, extract.scans)
    except DocumentUnreadable as error:
        return Row(path.name, 0, said=f"refused: {error.detail}")
    cost = {"cpu_seconds": (_children() - used) / len(pages), "seconds": (time.monotonic() - started) / len(pages)}
    said = "; ".join(f"page {page.page}: {page.error}" for page in pages if page.error)
    turns = ", ".join(f"page {page.page} turned {page.turned}" for page in pages if page.turned)
    confidence = statistics.fmean(page.confidence for page in pages)
    exact, recall = _against(truth, pages, ordered=ordered)
    return Row(path.name, len(pages), exact, recall, **cost, confidence=confidence, said=said or turns)


def _against(truth: str | None, pages: list[PageText], *, ordered: bool) -> tuple[float | None, float | None]:
    if truth is None:
        return None, None
    exact = statistics.fmean(character_accuracy(truth, page.text) for page in pages) if ordered else None
    return exact, statistics.fmean(word_recall(truth, page.text) for page in pages)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def show(row: Row) -> None:
    exact, words = ("     -" if x is None else f"{x:6.3f}" for x in (row.characters, row.words))
    numbers = f"{row.pages:5} {exact} {words} {row.cpu_seconds:6.1f} {row.seconds:6.1f} {row.confidence:6.3f}"
    print(f"{row.name:34.34} {numbers}  {row.said}", flush=True)


async def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("data", type=Path)
    arguments.add_argument("--part", default="dev")
    arguments.add_argument("--files", type=int, default=sys.maxsize, help="of each kind")
    given = arguments.parse_args()
    print(f"{'file':34} pages  chars  words  cpu/p    s/p   conf")
    for ordered, files in ((True, documents(given.data, given.part)), (False, receipts(given.data, given.part))):
        rows = []
        for path, truth in list(files)[: given.files]:
            row = await measure(path, truth, ordered=ordered)
            if row is not None:
                show(row)
                rows.append(row)
        _summary(rows)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"peak memory of a recognising process: {peak} MB")


def _summary(rows: list[Row]) -> None:
    for name, values in (
        ("mean character accuracy", [row.characters for row in rows if row.characters is not None]),
        ("mean word recall", [row.words for row in rows if row.words is not None]),
        ("processor seconds a page", [row.cpu_seconds for row in rows if row.pages]),
    ):
        if values:
            print(f"  {name}: {statistics.fmean(values):.3f} of {len(values)} files")


if __name__ == "__main__":
    asyncio.run(main())
