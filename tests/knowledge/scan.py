"""Scans made on the spot: text drawn as a picture, then skewed, blurred and dusted as a scanner would."""

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
import pypdf
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from pypdf.generic import DictionaryObject, EncodedStreamObject, FloatObject, NameObject, NumberObject

_SIZE = (1240, 1000)
"""Pixels: most of an A5 page at 200 dpi."""

_LINE = 46


def picture(lines: Sequence[str], *, size: tuple[int, int] = _SIZE, left: int = 90) -> Image.Image:
    """A clean page with these lines."""
    page = Image.new("L", size, "white")
    _write(page, lines, left)
    return page


def columns(left: Sequence[str], right: Sequence[str]) -> Image.Image:
    page = picture(left)
    _write(page, right, 680)
    return page


def _write(page: Image.Image, lines: Sequence[str], left: int) -> None:
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=30)
    for number, line in enumerate(lines):
        draw.text((left, 80 + number * _LINE), line, fill="black", font=font)


def scanned(page: Image.Image, *, degrees: float = 1.5) -> Image.Image:
    """Laid askew, out of focus, with the noise of a sensor (always the same)."""
    askew = page.rotate(degrees, resample=Image.Resampling.BICUBIC, fillcolor=255).filter(ImageFilter.GaussianBlur(0.8))
    noise = np.random.default_rng(7).normal(0, 14, (askew.height, askew.width))
    return Image.fromarray(np.clip(np.asarray(askew) * 0.85 + 20 + noise, 0, 255).astype(np.uint8))


def encoded(pages: Sequence[Image.Image], name: str = "TIFF", **options: object) -> bytes:
    """One file; several pages as TIFF or PDF."""
    out = io.BytesIO()
    pages[0].save(out, name, **({"save_all": True, "append_images": pages[1:]} if len(pages) > 1 else {}), **options)
    return out.getvalue()


def enlarged(page: Image.Image, side: int) -> bytes:
    """The page as one bit a pixel on a square of `side` pixels, as PNG's rows, compressed: some 200 kB."""
    bits = np.asarray(page) > 127
    times = side // max(bits.shape)
    blank = b"\0" + b"\xff" * (-(-side // 8))
    squeeze, out = zlib.compressobj(1), []
    for row in bits:
        wide = np.pad(np.repeat(row, times), (0, side - len(row) * times), constant_values=True)
        out.append(squeeze.compress((b"\0" + np.packbits(wide).tobytes()) * times))
    out += [squeeze.compress(blank) for _ in range(side - len(bits) * times)]
    return b"".join([*out, squeeze.flush()])


def png(rows: bytes, side: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def pdf(rows: bytes, side: int) -> bytes:
    """One page of `side` points that shows the rows."""
    predictor = {"/Predictor": 15, "/Colors": 1, "/BitsPerComponent": 1, "/Columns": side}
    image = EncodedStreamObject()
    image._data = rows
    image.update(
        {
            NameObject("/Type"): NameObject("/XObject"),
            NameObject("/Subtype"): NameObject("/Image"),
            NameObject("/Width"): NumberObject(side),
            NameObject("/Height"): NumberObject(side),
            NameObject("/ColorSpace"): NameObject("/DeviceGray"),
            NameObject("/BitsPerComponent"): NumberObject(1),
            NameObject("/Filter"): NameObject("/FlateDecode"),
            NameObject("/DecodeParms"): DictionaryObject(
                {NameObject(name): NumberObject(value) for name, value in predictor.items()}
            ),
        }
    )
    writer = pypdf.PdfWriter()
    page = writer.add_blank_page(side, side)
    images = DictionaryObject({NameObject("/Im"): writer._add_object(image)})
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/XObject"): images})
    content = pypdf.generic.DecodedStreamObject()
    content.set_data(f"{FloatObject(side)} 0 0 {FloatObject(side)} 0 0 cm /Im Do".encode())
    page[NameObject("/Contents")] = writer._add_object(content)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()
