"""Read one page with the engine that suits it. Lives in the process of `ocr_process.py`, never in a worker."""

import subprocess
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from domain.errors import DocumentUnreadable
from domain.knowledge.extract import clean
from domain.knowledge.ocr_layout import Piece, page_text
from domain.knowledge.ocr_picture import Picture, Pictures
from domain.knowledge.ocr_tesseract import Tesseract
from domain.knowledge.ocr_text import Line, PageText

if TYPE_CHECKING:
    from domain.knowledge.ocr_model import LineModel

_UNSURE = 0.8
"""Mean confidence below which tesseract is asked, too: scans of scripts the model knows get 0.9 and more."""


class PageReader:
    """model: whether the wheel with the models is installed. tesseract: the program's path, if there is one."""

    def __init__(self, model: bool, threads: int, tesseract: str | None, languages: Sequence[str]) -> None:
        self._tesseract = Tesseract(tesseract, languages) if tesseract else None
        self._wanted = model
        self._threads = threads

    @cached_property
    def _model(self) -> "LineModel | None":
        """Loaded by the first page that can be shown: 2 s that a broken file does not cost."""
        if not self._wanted:
            return None
        from domain.knowledge.ocr_model import LineModel  # noqa: PLC0415 (an optional extra)

        return LineModel(self._threads)

    def read(self, pictures: Pictures, page: int) -> PageText:
        """A page that cannot be shown or read has an error. Raises MemoryError."""
        try:
            return self._best(pictures(page), page)
        except DocumentUnreadable as error:
            return _failed(page, error.detail)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 (a broken page takes decoders anywhere; the others must go on)
            return _failed(page, f"the page is corrupt ({type(error).__name__})")

    def _best(self, picture: Picture, page: int) -> PageText:
        found: PageText | None = None
        if self._model is not None:
            seen = self._model.read(picture)
            found = _page(page, seen.pieces, seen.size, seen.turned, "rapidocr")
        if self._tesseract is not None and (found is None or found.confidence < _UNSURE):
            size = (picture.shape[1], picture.shape[0])
            try:
                other = _page(page, self._tesseract.read(picture), size, 0, "tesseract")
            except (OSError, subprocess.CalledProcessError):
                if found is None:
                    raise
                return found  # the model's reading stands
            found = other if found is None or other.confidence > found.confidence else found
        assert found is not None
        return found


def _page(page: int, pieces: Sequence[Piece], size: tuple[int, int], turned: int, engine: str) -> PageText:
    characters = sum(len(piece.text) for piece in pieces)
    confidence = sum(piece.confidence * len(piece.text) for piece in pieces) / characters if characters else 0.0
    lines = [Line(clean(piece.text), round(piece.confidence, 3), _fractions(piece, size)) for piece in pieces]
    return PageText(page, clean(page_text(pieces)), round(confidence, 3), lines, turned, engine)


def _fractions(piece: Piece, size: tuple[int, int]) -> tuple[float, float, float, float]:
    across = [min(max(x / size[0], 0), 1) for x, _ in piece.corners]
    down = [min(max(y / size[1], 0), 1) for _, y in piece.corners]
    return round(min(across), 4), round(min(down), 4), round(max(across), 4), round(max(down), 4)


def _failed(page: int, error: str) -> PageText:
    return PageText(page, "", 0.0, error=error)
