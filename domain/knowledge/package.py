"""Open a document that is a ZIP of XML parts, within limits of size, ratio and structure. Not for archives of files."""

import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO
from urllib.parse import unquote
from xml.etree.ElementTree import Element, ParseError, fromstring, iterparse

from domain.errors import DocumentUnreadable

_MOST_UNPACKED = 300_000_000
"""Bytes read from one package: as a tree, XML needs four times its size, and the process has 1.5 GB."""

_MOST_RATIO = 250
"""Real XML packs up to 100 to 1; deflate reaches 1,032 to 1 only on what says nothing."""

_RATIO_FROM = 4_000_000
"""Unpacked bytes of a part below which its ratio does not matter."""

_MOST_PARTS = 50_000

_CHUNK = 1 << 20
_INTEGER = re.compile(r"-?[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Relation:
    """kind is the last word of the relation's type; target is a part's name, or "" for a place outside the package."""

    kind: str
    target: str


class Package:
    """Raises DocumentUnreadable when the ZIP is broken, encrypted or unpacks to too much."""

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError) as error:
            raise _corrupt() from error
        self._parts = {info.filename.lstrip("/"): info for info in self._zip.infolist()}
        self._unpacked = 0
        if len(self._parts) > _MOST_PARTS:
            raise DocumentUnreadable(f"the file has {len(self._parts)} parts inside; at most {_MOST_PARTS} are read")

    def __contains__(self, name: str) -> bool:
        return name in self._parts

    def names(self) -> list[str]:
        return list(self._parts)

    def read(self, name: str) -> bytes:
        """Bytes of a part; none for a part that is missing."""
        info = self._parts.get(name)
        if info is None:
            return b""
        if info.flag_bits & 1:
            raise DocumentUnreadable("the file is encrypted; upload it without its password")
        try:
            with self._zip.open(info) as part:
                return self._within_limits(part, info)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError) as error:
            raise _corrupt() from error

    def xml(self, name: str) -> Element | None:
        """The tree of a part; None for a part that is missing or empty."""
        data = self.read(name)
        return xml_tree(data) if data.strip() else None

    def relations(self, name: str) -> dict[str, Relation]:
        """What a part points at, by id. The package's own are those of "" ."""
        folder, file = posixpath.split(name)
        tree = self.xml(posixpath.join(folder, "_rels", f"{file}.rels"))
        found = {}
        for each in () if tree is None else tree:
            inside = each.get("TargetMode") != "External"
            target = resolve(folder, each.get("Target", "")) if inside else ""
            found[each.get("Id", "")] = Relation(posixpath.basename(each.get("Type", "")), target)
        return found

    def main_part(self) -> str:
        """The part that the package is about; "" when it names none."""
        wanted = (relation.target for relation in self.relations("").values() if relation.kind == "officeDocument")
        return next(wanted, "")

    def _within_limits(self, part: IO[bytes], info: zipfile.ZipInfo) -> bytes:
        # What the header says of its size is not believed.
        pieces: list[bytes] = []
        size = 0
        while piece := part.read(_CHUNK):
            pieces.append(piece)
            size += len(piece)
            self._unpacked += len(piece)
            if self._unpacked > _MOST_UNPACKED:
                raise DocumentUnreadable(f"the file unpacks to more than {_MOST_UNPACKED // 1_000_000} MB")
            if size > _RATIO_FROM and size > _MOST_RATIO * max(1, info.compress_size):
                raise DocumentUnreadable(f"the file unpacks to more than {_MOST_RATIO} times its size")
        return b"".join(pieces)


def resolve(folder: str, target: str) -> str:
    """A part's name from where it is named."""
    target = unquote(target.split("#", maxsplit=1)[0])
    return target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))


def xml_tree(data: bytes) -> Element:
    """A tree without entities of its own. Nothing outside is fetched. Raises DocumentUnreadable."""
    _refuse_entities(data)
    try:
        return fromstring(data)  # noqa: S314 (entities are refused above, and expat fetches nothing by itself)
    except (ParseError, ValueError, LookupError) as error:
        raise _corrupt() from error


def complete(data: bytes) -> Iterator[Element]:
    """Each element when it is complete, for what is too large for a tree. Raises DocumentUnreadable."""
    _refuse_entities(data)
    try:
        for _, element in iterparse(io.BytesIO(data)) if data else ():  # noqa: S314 (entities are refused)
            yield element
    except (ParseError, ValueError, LookupError) as error:
        raise _corrupt() from error


def _refuse_entities(data: bytes) -> None:
    """Raises DocumentUnreadable for XML that defines entities: no office program writes any, bombs do."""
    wide = b"\x00" in data[:4]
    if b"<!ENTITY" in (data.replace(b"\x00", b"") if wide else data):
        raise DocumentUnreadable("the file defines XML entities of its own, which are not read")


def local(element: Element) -> str:
    """An element's name without its namespace; "" for comments."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def attribute(element: Element, name: str) -> str | None:
    """An attribute by its name without a namespace: strict and transitional files differ only in that."""
    for key, value in element.attrib.items():
        if key == name or key.endswith("}" + name):
            return value
    return None


def integer(text: str | None, otherwise: int) -> int:
    """A number as attributes write it; otherwise where there is none, or more than nine digits."""
    return int(text) if text is not None and _INTEGER.fullmatch(text) else otherwise


def child(element: Element | None, *path: str) -> Element | None:
    """The first descendant along these names."""
    for name in path:
        element = next((each for each in element if local(each) == name), None) if element is not None else None
    return element


def children(element: Element | None, name: str) -> list[Element]:
    return [] if element is None else [each for each in element if local(each) == name]


def _corrupt() -> DocumentUnreadable:
    return DocumentUnreadable("the file is corrupt: what is inside cannot be unpacked or read")
