"""Read a workbook of Excel 5 to 2003 as `parse_xlsx` reads newer ones."""

import struct
from io import StringIO

import xlrd

from domain.errors import DocumentUnreadable
from domain.knowledge.compound import Compound
from domain.knowledge.extract import Block, Content
from domain.knowledge.sheet import CellCount, Grid, format_kind, repeat, shown_number
from domain.knowledge.table import sparse_tables

_FILE_PASSWORD = 0x2F
_FIRST_RECORDS = 20
"""Of a workbook; the one that says it is encrypted is the second or third."""


def read_xls(data: bytes) -> Content:
    """Raises DocumentUnreadable. Hidden sheets are left out."""
    file = Compound(data)
    if _is_encrypted(file.stream("Workbook") or file.stream("Book")):
        raise DocumentUnreadable("the file is encrypted; upload it without its password")
    try:
        return _content(
            xlrd.open_workbook(file_contents=data, formatting_info=True, on_demand=True, logfile=StringIO())
        )
    except (DocumentUnreadable, MemoryError):
        raise
    except Exception as error:  # xlrd meets broken files with whatever its code runs into
        raise DocumentUnreadable(f"the workbook is corrupt ({type(error).__name__})") from error


def _is_encrypted(stream: bytes) -> bool:
    place = 0
    for _ in range(_FIRST_RECORDS):
        if place + 4 > len(stream):
            break
        kind, length = struct.unpack_from("<HH", stream, place)
        if kind == _FILE_PASSWORD:
            return True
        place += 4 + length
    return False


def _content(book: xlrd.Book) -> Content:
    count = CellCount()
    blocks: list[Block] = []
    for index in range(book.nsheets):
        sheet = book.sheet_by_index(index)
        if sheet.visibility == 0:
            found = sparse_tables(sorted(_grid(book, sheet, count).items()), index + 1)
            blocks += [Block("heading", sheet.name, 1, index + 1), *found] if found else []
        book.unload_sheet(index)
    return Content("", blocks, book.nsheets)


def _grid(book: xlrd.Book, sheet: xlrd.sheet.Sheet, count: CellCount) -> Grid:
    grid: Grid = {}
    for row in range(sheet.nrows):
        cells = {column: text for column, cell in enumerate(sheet.row(row)) if (text := _shown(book, cell))}
        count.add(len(cells))
        if cells:
            grid[row] = cells
    for top, below, left, right in sheet.merged_cells:
        repeat(grid, top, left, below - 1, right - 1)
    return grid


def _shown(book: xlrd.Book, cell: xlrd.sheet.Cell) -> str:
    if cell.ctype in {xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK}:
        return ""
    if cell.ctype == xlrd.XL_CELL_TEXT:
        return str(cell.value)
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return "TRUE" if cell.value else "FALSE"
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return str(xlrd.error_text_from_code.get(cell.value, ""))
    style = "date" if cell.ctype == xlrd.XL_CELL_DATE else _style(book, cell)
    return shown_number(cell.value, style, xlrd.xldate.epoch_1904 if book.datemode else xlrd.xldate.epoch_1900_minus_1)


def _style(book: xlrd.Book, cell: xlrd.sheet.Cell) -> str:
    found = book.format_map.get(book.xf_list[cell.xf_index].format_key) if cell.xf_index is not None else None
    return "percent" if found is not None and format_kind(found.format_str) == "percent" else ""
