"""Put together the text of an old Word document from the pieces it is saved in. Not for what paragraphs are."""

import re
import struct
from dataclasses import dataclass

_FIELD = re.compile("\x13[^\x13\x14\x15]*\x14?([^\x13\x14\x15]*)\x15")
_MARKS = str.maketrans({"\x0b": "\n", "\x1e": "-", "\x1f": None, "\x01": None, "\x02": None, "\x08": None, "\xa0": " "})
_NEST = 20
"""Fields in fields; what is deeper stays as it is."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters [start, end) of the document; place: where its bytes are. wide: two bytes a character."""

    start: int
    end: int
    place: int
    wide: bool

    def text(self, main: bytes) -> str:
        length = (self.end - self.start) * (2 if self.wide else 1)
        data = main[self.place : self.place + length]
        return data.decode("utf-16-le" if self.wide else "cp1252", "replace")

    def offset(self, character: int) -> int:
        """Where in the file a character of the document is."""
        return self.place + (character - self.start) * (2 if self.wide else 1)


def pieces(table: bytes) -> list[Piece]:
    """Raises struct.error when the table breaks off."""
    place = 0
    while table[place : place + 1] == b"\x01":  # changes that wait to be saved for good
        (length,) = struct.unpack_from("<H", table, place + 1)
        place += 3 + length
    _, length = struct.unpack_from("<BI", table, place)
    count = (length - 4) // 12
    ends = struct.unpack_from(f"<{count + 1}I", table, place + 5)
    found = []
    for index in range(count):
        (packed,) = struct.unpack_from("<I", table, place + 5 + 4 * (count + 1) + 8 * index + 2)
        narrow = bool(packed & 0x40000000)
        offset = packed & 0x3FFFFFFF
        found.append(Piece(ends[index], ends[index + 1], offset // 2 if narrow else offset, not narrow))
    return found


def shown(text: str) -> str:
    """Without the instructions of its fields and the places of its pictures."""
    for _ in range(_NEST):
        text, changed = _FIELD.subn(r"\1", text)
        if not changed:
            break
    return text.translate(_MARKS)
