"""Read an e-book: its chapters in reading order. An e-book has no pages. Not for books locked by a shop."""

import posixpath
from xml.etree.ElementTree import Element

from domain.errors import DocumentUnreadable
from domain.knowledge.encoding import decode_html
from domain.knowledge.extract import Block, Content
from domain.knowledge.package import Package, child, children, local, resolve
from domain.knowledge.parse_html import read_html

_PAGES_OF_TEXT = {"application/xhtml+xml", "text/html", "application/x-dtbook+xml"}


def read_epub(package: Package) -> Content:
    """Raises DocumentUnreadable."""
    container = package.xml("META-INF/container.xml")
    rootfile = child(container, "rootfiles", "rootfile")
    part = (rootfile.get("full-path") if rootfile is not None else None) or ""
    book = package.xml(part)
    if book is None:
        raise DocumentUnreadable("the e-book is corrupt: its list of chapters is missing")
    chapters = _chapters(package, part, list(book))
    locked = _locked(package)
    if chapters and locked.issuperset(chapters):
        raise DocumentUnreadable("the e-book is locked by its shop (DRM); upload one without")
    blocks: list[Block] = []
    for chapter in chapters:
        if chapter not in locked:
            blocks += read_html(decode_html(package.read(chapter))).blocks if chapter in package else []
    title = next((each.text or "" for each in book.iter() if local(each) == "title"), "")
    return Content(title, blocks)


def _chapters(package: Package, part: str, sections: list[Element]) -> list[str]:
    """Names of the parts to read, in order, the table of contents left out."""
    by_name = {local(section): section for section in sections}
    folder = posixpath.dirname(part)
    items = {}
    for item in children(by_name.get("manifest"), "item"):
        contents = "nav" in (item.get("properties") or "").split()
        if item.get("media-type") in _PAGES_OF_TEXT and not contents:
            items[item.get("id")] = resolve(folder, item.get("href") or "")
    order = [items[ref] for each in children(by_name.get("spine"), "itemref") if (ref := each.get("idref")) in items]
    return [name for name in dict.fromkeys(order or items.values()) if package.read(name).strip()]


def _locked(package: Package) -> set[str]:
    """Parts that are encrypted. Fonts often are, in books that anyone can read."""
    tree = package.xml("META-INF/encryption.xml")
    found = [] if tree is None else [each for each in tree.iter() if local(each) == "CipherReference"]
    return {resolve("", each.get("URI") or "") for each in found}
