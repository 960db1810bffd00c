"""An archive becomes its files, and a hostile one becomes a reason: nothing leads out, grows without end or hangs."""

import io
import tarfile
import zipfile
from collections.abc import Callable

import pytest

from domain.errors import DocumentUnreadable, TooLarge
from domain.sources.archive import UnpackLimits, unpack


def zipped(files: dict[str, bytes], change: Callable[[zipfile.ZipInfo], None] = lambda _info: None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            change(info)
            archive.writestr(info, data)
    return out.getvalue()


def tarred(files: dict[str, bytes], *links: tuple[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, target in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return out.getvalue()


FILES = {"a.md": b"# A", "folder/b.txt": b"B", "__MACOSX/x": b"junk"}


@pytest.mark.parametrize(("name", "data"), [("x.zip", zipped(FILES)), ("x.tar.gz", tarred(FILES))])
def test_each_file_keeps_its_path_below_the_archives_name(name: str, data: bytes) -> None:
    found = {entry.name: entry.data for entry in unpack(data, name)}
    assert found == {f"{name}/a.md": b"# A", f"{name}/folder/b.txt": b"B"}


def test_archives_inside_are_opened_only_so_deep() -> None:
    data, name = b"deep", "file.txt"
    for level in range(5):
        data, name = zipped({name: data}), f"{level}.zip"
    [entry] = unpack(data, name)
    assert (entry.name, entry.data) == ("4.zip/3.zip/2.zip/1.zip", None)
    assert "deep" in entry.why


@pytest.mark.parametrize("name", ["../out.txt", "/etc/passwd", "a/../../b", "..\\out.txt", "C:\\x"])
def test_a_path_that_leads_out_is_left_out_with_a_reason(name: str) -> None:
    entries = list(unpack(zipped({name: b"x", "good.txt": b"y"}), "x.zip"))
    assert [entry.data for entry in entries] == [None, b"y"]
    assert "out of the archive" in entries[0].why


def test_links_and_devices_are_left_out() -> None:
    entries = {e.name: e for e in unpack(tarred({"a.txt": b"a"}, ("link", "/etc/passwd")), "x.tgz")}
    assert entries["x.tgz/link"].data is None

    def link(info: zipfile.ZipInfo) -> None:
        info.external_attr = 0o120777 << 16

    [entry] = unpack(zipped({"link": b"/etc/passwd"}, link), "x.zip")
    assert entry.data is None


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    with pytest.raises(TooLarge):
        list(unpack(zipped({"zeros": bytes(50_000_000)}), "x.zip", UnpackLimits(ratio=10, total_bytes=2_000_000)))
    with pytest.raises(TooLarge):
        list(unpack(zipped({str(n): b"" for n in range(11)}), "x.zip", UnpackLimits(entries=10)))


def test_a_file_over_its_limit_is_left_out_and_the_others_stay() -> None:
    entries = list(unpack(zipped({"big": b"x" * 100, "small": b"y"}), "x.zip", UnpackLimits(entry_bytes=50)))
    assert [entry.data for entry in entries] == [None, b"y"]


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 broken", b"nothing of the kind", zipped(FILES)[:60]])
def test_what_is_no_archive_says_so(data: bytes) -> None:
    with pytest.raises(DocumentUnreadable):
        list(unpack(data, "x.zip"))
