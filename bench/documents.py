"""How much of real files the product reads: `python -m bench.documents DATA [SET…] [--no-ocr]`.

DATA holds the sets of `document_sets.py`. Each file goes through the product's reading process, and its scans
through recognition. Not for speed: the processes are started anew for each file.
"""

import argparse
import asyncio
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from bench.accuracy import Accuracy, accuracy
from bench.document_sets import SETS, Sample, samples
from domain.errors import DocumentUnreadable
from domain.knowledge.extract import with_recognised
from domain.knowledge.ocr import Ocr
from domain.knowledge.reading import FileReader

_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Result:
    sample: Sample
    seconds: float
    outcome: str
    accuracy: Accuracy | None


class Reader:
    def __init__(self, *, recognises: bool) -> None:
        self._files = FileReader()
        self._ocr = Ocr.found_here() if recognises else None

    async def result(self, sample: Sample) -> Result:
        started = time.perf_counter()
        try:
            outcome, text = await self._text(sample)
        except DocumentUnreadable as error:
            outcome, text = f"refused: {error.detail}", ""
        seconds = time.perf_counter() - started
        found = None if sample.truth is None else accuracy(text, sample.truth)
        return Result(sample, seconds, outcome, found)

    async def _text(self, sample: Sample) -> tuple[str, str]:
        data = sample.path.read_bytes()
        extract = (await self._files.read(data, sample.path.name, _NOBODY)).extract
        scans = extract.scans
        if scans and self._ocr is not None:
            pages = await self._ocr.read(data, extract.media_type, scans)
            extract = with_recognised(extract, {page.page: page.blocks() for page in pages})
        outcome = f"{extract.pages} pages, {len(scans)} scans, {len(extract.text)} characters"
        if sample.pages is not None and sample.pages != extract.pages:
            outcome += f" (the set says {sample.pages} pages)"
        return outcome, extract.text


def line(result: Result) -> str:
    score = result.accuracy
    scores = (
        " ".join(f"{value:6.1%}" for value in (score.characters, score.words, score.overlap)) if score else " " * 20
    )
    return f"{result.sample.name[:56]:56} {scores} {result.seconds:6.2f} s  {result.outcome}"


def summary(results: list[Result]) -> list[str]:
    """A line for each format of each set, then one for each set."""
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        suffix = result.sample.path.suffix.lstrip(".") or "no suffix"
        groups[f"{result.sample.group} {suffix}"].append(result)
        groups[f"{result.sample.group} (all)"].append(result)
    return [_mean(name, groups[name]) for name in sorted(groups)]


def _mean(name: str, results: list[Result]) -> str:
    scored = [result.accuracy for result in results if result.accuracy is not None]
    means = " " * 20
    if scored:
        columns = zip(*((each.characters, each.words, each.overlap) for each in scored), strict=True)
        means = " ".join(f"{statistics.mean(column):6.1%}" for column in columns)
    seconds = statistics.median(result.seconds for result in results)
    return f"{name:56} {means} {seconds:6.2f} s  {len(scored)} of {len(results)} files scored"


async def main(data: Path, sets: list[str], *, recognises: bool) -> None:
    reader = Reader(recognises=recognises)
    results = []
    print(f"{'file':56} {'chars':>6} {'words':>6} {'overlp':>6}")
    for sample in samples(data):
        if sample.group in sets:
            results.append(await reader.result(sample))
            print(line(results[-1]), flush=True)
    print("\nmean by format; seconds are medians")
    print("\n".join(summary(results)))
    kept = [result for result in results if result.sample.encrypted and not result.outcome.startswith("refused")]
    print(f"\nencrypted files that were read without a password: {[result.sample.name for result in kept]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("sets", nargs="*", default=[])
    parser.add_argument("--no-ocr", action="store_true")
    given = parser.parse_args()
    asyncio.run(main(given.data, given.sets or list(SETS), recognises=not given.no_ocr))
