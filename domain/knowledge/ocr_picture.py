"""Pages of a PDF and of images as upright-as-stored pictures of bounded size. Not for telling what they say."""

import io
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from domain.errors import DocumentUnreadable
from domain.knowledge import media

Picture = npt.NDArray[np.uint8]
"""Rows, columns, and blue, green, red: what OpenCV calls an image."""

Pictures = Callable[[int], Picture]
"""The picture of a page, counted from 1. Raises DocumentUnreadable for one that cannot be shown."""

_DPI = 200
"""10-point text gets 28 rows at 200 dpi; the model scales a line to 48."""

_MOST_PIXELS = 8_000_000
"""Of a picture: A4 at 200 dpi has 3.9 million; more only costs memory, as lines are scaled to 48 rows."""

_MOST_DECODED_BYTES = 1_000_000_000
"""Of an image as Pillow holds it: 15800x15800 in colour, 31600x31600 in grey or black and white."""

_FORMATS = {
    media.PNG: "PNG",
    media.JPEG: "JPEG",
    media.TIFF: "TIFF",
    media.WEBP: "WEBP",
    media.BMP: "BMP",
    media.GIF: "GIF",
}
_BYTES_A_PIXEL = {"1": 1, "L": 1, "P": 1, "LA": 4, "I;16": 2}
_GREY = {"1", "L", "I;16", "I;16B", "I;16L", "I", "F"}


def opened(data: bytes, media_type: str) -> Pictures:
    """Raises DocumentUnreadable: encrypted, corrupt, or not a kind that is shown."""
    if media_type == media.PDF:
        return _pdf(data)
    if media_type in _FORMATS:
        return _image(data, _FORMATS[media_type])
    raise DocumentUnreadable(f"{media_type} has no pages to recognise")


def _pdf(data: bytes) -> Pictures:
    import pypdfium2  # noqa: PLC0415 (an image does not need it)
    import pypdfium2.raw  # noqa: PLC0415

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise DocumentUnreadable("the PDF cannot be shown: it is encrypted or corrupt") from error
    if document.get_formtype() != pypdfium2.raw.FORMTYPE_NONE:
        document.init_forms()  # what was filled in is shown, too

    def picture(number: int) -> Picture:
        try:
            page = document[number - 1]
            width, height = page.get_size()
        except (IndexError, pypdfium2.PdfiumError) as error:
            raise DocumentUnreadable(f"page {number} is missing or corrupt") from error
        if not 0 < width * height < math.inf:
            raise DocumentUnreadable(f"page {number} has no size")
        scale = min(_DPI / 72, math.sqrt(_MOST_PIXELS / (width * height)), 32_000 / max(width, height))
        bitmap = page.render(scale=scale, rev_byteorder=False, force_bitmap_format=pypdfium2.raw.FPDFBitmap_BGR)
        return np.array(bitmap.to_numpy())

    return picture


def _image(data: bytes, name: str) -> Pictures:
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 (a PDF does not need it)

    Image.MAX_IMAGE_PIXELS = None  # the limit here is one of bytes, and gives a sentence

    def picture(number: int) -> Picture:
        try:
            with _unwarned(), Image.open(io.BytesIO(data), formats=[name]) as image:
                if number > 1:
                    image.seek(number - 1)
                return _upright(image)
        except EOFError as error:
            raise DocumentUnreadable(f"the image has no page {number}") from error
        except (OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, OverflowError) as error:
            # What Pillow's readers raise for broken files; a broken one is an OSError too.
            raise DocumentUnreadable(f"the image is corrupt ({type(error).__name__})") from error

    try:
        with _unwarned():
            Image.open(io.BytesIO(data), formats=[name]).close()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise DocumentUnreadable("the image is corrupt") from error
    return picture


@contextmanager
def _unwarned() -> Iterator[None]:
    """Pillow warns of each damaged tag, and reads on: nobody reads that in a worker's log."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _upright(image: Any) -> Picture:
    """As its EXIF tag wants it shown, on white, scaled down to the limit."""
    from PIL import Image, ImageOps  # noqa: PLC0415

    side = math.isqrt(_MOST_PIXELS)
    image.draft(None, (side, side))  # a JPEG is decoded at the size that is needed
    width, height = image.size
    if width * height * _BYTES_A_PIXEL.get(image.mode, 4) > _MOST_DECODED_BYTES:
        raise DocumentUnreadable(f"the image is too large: {width} x {height} pixels; scan it at 300 dpi or less")
    shrink = math.ceil(math.sqrt(width * height / _MOST_PIXELS))
    orientation = image.getexif().get(0x0112, 1)
    if image.mode.startswith("I") or image.mode == "F":
        shown = _eight_bits(image)
    elif image.mode in _GREY:
        shown = image.convert("L")
    elif "A" in image.getbands() or "transparency" in image.info:
        shown = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    else:
        shown = image
    if shrink > 1:
        shown = shown.convert("RGB").reduce(shrink) if shown.mode == "P" else shown.reduce(shrink)
    shown = shown.convert("RGB")
    shown.getexif()[0x0112] = orientation
    ImageOps.exif_transpose(shown, in_place=True)
    return np.ascontiguousarray(np.asarray(shown)[:, :, ::-1])


def _eight_bits(image: Any) -> Any:
    """Scanners use some of 16 bits: the darkest and the lightest pixel become black and white."""
    from PIL import Image  # noqa: PLC0415

    levels = np.asarray(image, dtype=np.float32)
    low, high = float(levels.min()), float(levels.max())
    return Image.fromarray(((levels - low) * (255 / max(high - low, 1))).astype(np.uint8))
