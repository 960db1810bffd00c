"""Recognise a page with the tesseract program, which knows the scripts the model does not. Not for finding it."""

import csv
import io
import subprocess
from collections.abc import Sequence
from itertools import groupby

from domain.knowledge.ocr_layout import Piece
from domain.knowledge.ocr_picture import Picture

_MOST_LANGUAGES = 5
"""Each takes its own time, and similar ones spoil each other."""

_DPI = "200"
"""It guesses from the picture otherwise, and warns."""


class Tesseract:
    """languages by tesseract's names; none: those that are installed, English first."""

    def __init__(self, program: str, languages: Sequence[str]) -> None:
        self._program = program
        installed = self._run("--list-langs").split("\n")[1:]  # a heading, then one a line
        self._mode = "1" if "osd" in installed else "3"  # 1 finds the page's orientation first
        known = sorted((name for name in installed if name and name != "osd"), key=lambda name: (name != "eng", name))
        self._languages = "+".join(languages or known[:_MOST_LANGUAGES])

    def read(self, picture: Picture) -> list[Piece]:
        """Lines with their confidence. Raises OSError or CalledProcessError when the program fails."""
        height, width = picture.shape[:2]
        image = b"P6 %d %d 255\n" % (width, height) + picture[:, :, ::-1].tobytes()
        options = ("--psm", self._mode, "--dpi", _DPI, "-l", self._languages)
        table = csv.DictReader(
            io.StringIO(self._run("stdin", "stdout", *options, "tsv", given=image)),
            delimiter="\t",
            quoting=csv.QUOTE_NONE,
        )
        words = [row for row in table if row["level"] == "5" and row["text"].strip()]
        lines = groupby(words, key=lambda row: (row["block_num"], row["par_num"], row["line_num"]))
        return [_piece(list(line)) for _, line in lines]

    def _run(self, *arguments: str, given: bytes = b"") -> str:
        done = subprocess.run(  # noqa: S603 (a program the operator installed, with arguments that are ours)
            [self._program, *arguments],
            input=given,
            capture_output=True,
            check=True,
            env={"OMP_THREAD_LIMIT": "1"},
        )
        return done.stdout.decode(errors="replace")


def _piece(words: Sequence[dict[str, str]]) -> Piece:
    boxes = [[int(word[name]) for name in ("left", "top", "width", "height")] for word in words]
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[0] + box[2] for box in boxes), max(box[1] + box[3] for box in boxes)
    text = " ".join(word["text"] for word in words)
    confidence = sum(max(float(word["conf"]), 0) for word in words) / len(words) / 100
    return Piece(text, confidence, ((left, top), (right, top), (right, bottom), (left, bottom)))
