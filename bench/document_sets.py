"""The files of the public document sets, each with the text that it should yield, where one comes with it."""

import gzip
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SETS = ("docs_docling", "docs_pypdf", "docs_ocrmypdf", "receipts_sroie")
_LINN = {"linn", "ccitt", "jbig2", "skew", "rotated_skew", "cardinal", "poster"}
"""Files that show the page of `linn.txt`, says the set."""
_NOT_INPUT = {".tex", ".txt", ".gz", ".rst"}
_LEAST_TRUTH = 40
"""Characters: a LaTeX source with less makes its text by a macro."""


@dataclass(frozen=True, slots=True)
class Sample:
    """truth is None where only the outcome can be told. pages and encrypted: as the set says, None where not."""

    group: str
    name: str
    path: Path
    truth: str | None
    pages: int | None = None
    encrypted: bool = False


def samples(data: Path) -> Iterator[Sample]:
    """Whatever of the sets is below the folder; `dev` and any other part of each."""
    for group in SETS:
        if (data / group).is_dir():
            yield from {"receipts_sroie": _receipts}.get(group, _files)(data / group)


def _files(folder: Path) -> Iterator[Sample]:
    known = _rows(folder / "files_meta.jsonl.gz")
    meta = {row["path"]: row for row in known}
    for part in sorted(each for each in folder.iterdir() if each.is_dir()):
        for path in sorted(each for each in part.rglob("*") if each.is_file()):
            if path.suffix in _NOT_INPUT or path.name.endswith(".expected.md") or path.name == "README.md":
                continue
            name = str(path.relative_to(part))
            row = meta.get(name, {})
            yield Sample(folder.name, name, path, _truth(path), row.get("pages"), encrypted=bool(row.get("encrypted")))


def _truth(path: Path) -> str | None:
    expected = path.with_name(path.name + ".expected.md")
    if expected.exists():
        return expected.read_text()
    if path.stem in _LINN and path.with_name("linn.txt").exists():
        return path.with_name("linn.txt").read_text()
    for source in (*path.parent.glob("source.odt"), path.with_suffix(".odt")):
        if source.exists() and source != path:
            return _open_document(source)
    latex = path.with_suffix(".tex")
    return _latex(latex.read_text()) if latex.exists() else None


def _open_document(path: Path) -> str:
    """By its tags alone: the product's own reader is no witness here."""
    body = zipfile.ZipFile(path).read("content.xml").decode().partition("<office:text")[2]
    return re.sub(r"<[^>]*>", "", re.sub(r"</text:[ph]>|<text:(?:tab|s|line-break)/>", "\n", body.partition(">")[2]))


def _latex(source: str) -> str | None:
    body = source.partition(r"\begin{document}")[2].partition(r"\end{document}")[0]
    text = re.sub(r"\\[a-zA-Z]+\*?(?:\[[^\]]*\])?|[{}~]", " ", re.sub(r"(?m)%.*$", "", body))
    return text if len(text.strip()) >= _LEAST_TRUTH else None


def _receipts(folder: Path) -> Iterator[Sample]:
    for file in sorted(folder.glob("*_truth.jsonl.gz")):
        for row in _rows(file):
            lines = "\n".join(line["text"] for line in row["lines"])
            yield Sample(folder.name, row["image"], folder / row["image"], lines)


def _rows(path: Path) -> list[dict]:  # type: ignore[type-arg]  # rows of other people's JSON
    if not path.exists():
        return []
    with gzip.open(path, "rt") as file:
        return [json.loads(line) for line in file]
