"""Recognise lines with the PP-OCRv6 models that come in rapidocr's wheel: Latin, Greek, Chinese and Japanese.

Its own pipeline decides for each line whether it is upside down, and read one long line in 40 backwards
that way (a typewriter page, a two-column scan). Here the page decides. Nothing is downloaded.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from rapidocr import RapidOCR
from rapidocr.main import RapidOCRError

from domain.knowledge.ocr_layout import Piece
from domain.knowledge.ocr_picture import Picture

_FIND_PIXELS = 1_300_000
"""Lines are found on a picture of this size: as many as at twice the size, in a third of the time (2 s for A4)."""

_SMALL_PIXELS = 500_000
"""Smaller pictures are enlarged for finding, at most twice: thumbnails and screenshots have small letters."""

_SURE = 0.5
"""Below this the model's own pipeline drops a line, too."""

_UPRIGHT = 0.9
"""Mean confidence of the longest lines: upright 0.98 to 0.99 on seven scans, the same upside down 0.55 to 0.72."""

_SAMPLE = 6

_NARROWEST = 160
"""Columns a short line is padded to. On receipts the model's own 320 takes 60 % longer than 96 for 0.3 % more words."""

Corners = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Found:
    """What a page says, after turning it clockwise by `turned` degrees; size is its width and height then."""

    pieces: list[Piece]
    turned: int
    size: tuple[int, int]


class LineModel:
    def __init__(self, threads: int) -> None:
        cv2.setNumThreads(threads)
        self._model = RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.use_vertical_padding": False,
                "Det.limit_side_len": 32,  # the size is chosen here
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                "Rec.rec_batch_num": 1,  # padding to the longest of six costs a quarter more
                "Rec.rec_img_shape": [3, 48, _NARROWEST],
            }
        )

    def read(self, picture: Picture) -> Found:
        """A picture at any of the four quarter turns, and some degrees of skew."""
        turned = 0
        boxes = self._find(picture)
        if _is_sideways(boxes):
            picture, turned = _turn(picture), 90
            boxes = self._find(picture)
        if len(boxes) and self._is_upside_down(picture, boxes):
            picture, turned = _turn(_turn(picture)), turned + 180
            height, width = picture.shape[:2]
            boxes = np.roll(np.array([width, height], np.float32) - boxes, 2, axis=1)
        pieces = [
            Piece(text.strip(), float(score), tuple((float(x), float(y)) for x, y in box))
            for box, (text, score) in zip(boxes, self._recognise(picture, boxes), strict=True)
            if text.strip() and score >= _SURE
        ]
        return Found(pieces, turned, (picture.shape[1], picture.shape[0]))

    def _find(self, picture: Picture) -> Corners:
        """Corners of each line, from top left clockwise, in the picture's pixels."""
        height, width = picture.shape[:2]
        area = height * width
        scale = min(1.0, math.sqrt(_FIND_PIXELS / area))
        if area < _SMALL_PIXELS:
            scale = min(2.0, math.sqrt(_SMALL_PIXELS / area))
        size = max(32, round(width * scale)), max(32, round(height * scale))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        try:
            _, found = self._model.detect_and_crop(small, {})
        except RapidOCRError:  # its word for "no line"
            return np.zeros((0, 4, 2), np.float32)
        return np.asarray(found.boxes, np.float32) * np.array([width / size[0], height / size[1]], np.float32)

    def _recognise(self, picture: Picture, boxes: Corners, *, turned: bool = False) -> list[tuple[str, float]]:
        if not len(boxes):
            return []
        crops = self._model.crop_text_regions(picture, boxes)
        try:
            read = self._model.recognize_txt([_turn(_turn(crop)) for crop in crops] if turned else crops)
        except RapidOCRError:
            return [("", 0.0)] * len(boxes)
        return list(zip(read.txts or (), read.scores or (), strict=True))

    def _is_upside_down(self, picture: Picture, boxes: Corners) -> bool:
        widths = np.linalg.norm(boxes[:, 1] - boxes[:, 0], axis=1)
        sample = boxes[np.argsort(-widths)[:_SAMPLE]]
        upright = _confidence(self._recognise(picture, sample))
        return upright < _UPRIGHT and _confidence(self._recognise(picture, sample, turned=True)) > upright


def _turn(picture: Picture) -> Picture:
    """A quarter, clockwise."""
    return np.ascontiguousarray(np.rot90(picture, -1))


def _is_sideways(boxes: Corners) -> bool:
    """Most of the length of its lines goes up or down."""
    if not len(boxes):
        return False
    spans = boxes.max(axis=1) - boxes.min(axis=1)
    tall = spans[:, 1] > 1.5 * spans[:, 0]
    return bool(spans[tall, 1].sum() > spans[~tall, 0].sum())


def _confidence(lines: list[tuple[str, float]]) -> float:
    return sum(score for _, score in lines) / len(lines) if lines else 0.0
