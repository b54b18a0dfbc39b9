"""Builders of the dirty files that extracts arrive as; every value in them is made up."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import xlsxwriter

WORKBOOK = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


@dataclass(frozen=True)
class DirtyFile:
    """A file and what must come of it: its rows, or a refusal.

    rows : the used rows as tuples of text, None for empty. rejected : reason -> (rows, first lines).
    note : words that a note must hold. refused : words that the refusal must hold.
    """

    name: str
    content: bytes
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()
    rejected: dict[str, tuple[int, tuple[int, ...]]] = field(default_factory=dict)
    note: str = ""
    refused: str = ""
    options: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


def text(*lines: str, end: str = "\n", encoding: str = "utf-8") -> bytes:
    """Lines as bytes, each with a line end."""
    return "".join(line + end for line in lines).encode(encoding)


ABC = ("person", "sex", "site")
TWO = (("001", "1", "A"), ("002", "2", "B"))
LINES = ("person,sex,site", "001,1,A", "002,2,B")

DIRTY_FILES = [
    DirtyFile("plain", text(*LINES), ABC, TWO),
    DirtyFile("byte order mark", b"\xef\xbb\xbf" + text(*LINES), ABC, TWO),
    DirtyFile("utf-8 letters", text(*LINES, "003,1,Siân"), ABC, (*TWO, ("003", "1", "Siân"))),
    DirtyFile(
        "cp1252",
        text(*LINES, "003,1,Caf\u00e9 \u201cNorth\u201d \u2013 1", encoding="cp1252"),
        ABC,
        (*TWO, ("003", "1", "Café \u201cNorth\u201d \u2013 1")),
        note="Windows-1252",
    ),
    DirtyFile("utf-16 with mark", text(*LINES, encoding="utf-16"), ABC, TWO, note="UTF-16"),
    DirtyFile("utf-16 big-endian", b"\xfe\xff" + text(*LINES, encoding="utf-16-be"), ABC, TWO, note="UTF-16"),
    DirtyFile("utf-16 without mark", text(*LINES, encoding="utf-16-le"), ABC, TWO, note="UTF-16"),
    DirtyFile(
        "latin-2 when named",
        text(*LINES, "003,1,Łódź", encoding="iso8859-2"),
        ABC,
        (*TWO, ("003", "1", "Łódź")),
        options={"encoding": "iso8859-2"},
    ),
    DirtyFile("neither encoding", text(*LINES) + b"003,1,\x81\x8d\n", refused="neither UTF-8 (byte 38)"),
    DirtyFile(
        "utf-8 and one cp1252 line",
        text(*LINES, "003,1,Siân", "004,1,Zoë", "005,2,Noël") + b"006,1,Ren\xe9\n",
        refused="byte 76 (line 7)",
    ),
    DirtyFile("cut inside a letter", text(*LINES, "003,1,Siân", "004,1,Zoë")[:-2], refused="(line 5)"),
    DirtyFile("semicolons", text(*LINES).replace(b",", b";"), ABC, TWO, note="semicolon"),
    DirtyFile(
        "semicolons with decimal commas",
        text("person;weight;site", "001;70,5;A", "002;81,25;B"),
        ("person", "weight", "site"),
        (("001", "70,5", "A"), ("002", "81,25", "B")),
    ),
    DirtyFile("tabs", text(*LINES).replace(b",", b"\t"), ABC, TWO, note="tab"),
    DirtyFile("pipes", text(*LINES).replace(b",", b"|"), ABC, TWO, note="pipe"),
    DirtyFile("sep line", text("sep=;") + text(*LINES).replace(b",", b";"), ABC, TWO),
    DirtyFile(
        "other delimiter when named",
        text(*LINES).replace(b",", b"~"),
        ABC,
        TWO,
        options={"delimiter": "~"},
    ),
    DirtyFile("one column", text("person", "001", "002"), refused="Only one column"),
    DirtyFile(
        "title rows above",
        text("Community service", "Run on: 01/04/2026,,", "", *LINES),
        ABC,
        TWO,
        note="2 line(s) above the header, on line 4",
    ),
    DirtyFile(
        "header row named",
        text("a,b,c", "x,y,z", *LINES),
        ABC,
        TWO,
        options={"header_row": 3},
    ),
    DirtyFile(
        "no header", text("001,1,2025-04-01", "002,2,2025-04-02"), refused="Line 1 looks like a record"
    ),
    DirtyFile(
        "total row",
        text(*LINES, "Total,2,"),
        ABC,
        TWO,
        {"total or note row below the table": (1, (4,))},
    ),
    DirtyFile(
        "notes below",
        text(*LINES, "", "Source: the local system", "Grand total,2"),
        ABC,
        TWO,
        {"total or note row below the table": (2, (5, 6)), "blank line": (1, (4,))},
    ),
    DirtyFile(
        "rows affected",
        text("person,sex,site", "------,---,----", "001,1,A", "002,2,B", "", "(2 rows affected)"),
        ABC,
        TWO,
        {"total or note row below the table": (1, (6,)), "blank line": (1, (5,))},
        note="line 2 is a ruled line",
    ),
    DirtyFile(
        "too few and too many fields",
        text(*LINES, "003,1", "004,2,C,extra", "005,1,D"),
        ABC,
        (*TWO, ("005", "1", "D")),
        {
            "line has 2 fields, the header has 3": (1, (4,)),
            "line has 4 fields, the header has 3": (1, (5,)),
        },
    ),
    DirtyFile(
        "every row ends in a delimiter",
        text("person,sex,site", "001,1,A,", "002,2,B,"),
        (*ABC, "column_4"),
        tuple((*row, None) for row in TWO),
        note="column 4 has no name",
    ),
    DirtyFile("row names without a name", text("sex,site", "001,1,A", "002,2,B"), refused="No header row"),
    DirtyFile(
        "blank lines",
        text("person,sex,site", "", "001,1,A", "  ", ",,", '"","",""', "002,2,B", "", ""),
        ABC,
        TWO,
        {"blank line": (6, (2, 4, 5, 6, 8))},
    ),
    DirtyFile(
        "quoted delimiters, quotes and line ends",
        b'person,sex,site\n001,1,"A, ""north"""\n002,2,"B\nsouth"\n003,1,"C\r\nwest"\n',
        ABC,
        (("001", "1", 'A, "north"'), ("002", "2", "B\nsouth"), ("003", "1", "C\r\nwest")),
    ),
    DirtyFile(
        "all quoted",
        text('"person","sex","site"', '"001","1","A"', '"002","2",""'),
        ABC,
        (("001", "1", "A"), ("002", "2", None)),
    ),
    DirtyFile(
        "quotes inside a field",
        text(*LINES, "003,1,5'10\" tall", '004,2,"C"'),
        ABC,
        (*TWO, ("003", "1", "5'10\" tall"), ("004", "2", "C")),
        note="1 quote(s) in the middle of a field",
    ),
    DirtyFile(
        "text after a closing quote",
        text(*LINES, '003,1,"C" ward', "004,2,D"),
        ABC,
        (*TWO, ("004", "2", "D")),
        {"text follows a closing quote": (1, (4,))},
    ),
    DirtyFile(
        "last line cut in a quote",
        text(*LINES) + b'003,1,"C',
        ABC,
        TWO,
        {"a quote is opened and never closed": (1, (4,))},
        note="no line end",
    ),
    DirtyFile(
        "quote never closed",
        text("person,sex,site", "001,1,A", '002,2,"B', "003,1,C", "004,2,D"),
        ABC,
        (("001", "1", "A"),),
        {"a quote is opened and never closed": (3, (3, 4, 5))},
    ),
    DirtyFile(
        "quote closed three lines on",
        text("person,sex,site", "001,1,A", '002,2,"B', "003,1,C", '004,2",D', "005,1,E"),
        ABC,
        (("001", "1", "A"), ("005", "1", "E")),
        {"a quote is opened and not closed on its line": (3, (3,))},
    ),
    DirtyFile("last line whole but without a line end", text(*LINES)[:-1], ABC, TWO, note="no line end"),
    DirtyFile(
        "last line cut",
        text(*LINES) + b"003,1",
        ABC,
        TWO,
        {"line has 2 fields, the header has 3": (1, (4,))},
    ),
    DirtyFile(
        "NUL bytes",
        text(*LINES, "003,\x001,C", "004,2,D"),
        ABC,
        (*TWO, ("004", "2", "D")),
        {"the line holds a NUL byte": (1, (4,))},
    ),
    DirtyFile("Windows line ends", text(*LINES, end="\r\n"), ABC, TWO),
    DirtyFile("old Macintosh line ends", text(*LINES, end="\r"), ABC, TWO),
    DirtyFile(
        "mixed line ends", b"person,sex,site\r\n001,1,A\n002,2,B\r003,1,C", ABC, (*TWO, ("003", "1", "C"))
    ),
    DirtyFile("end-of-file mark", text(*LINES) + b"\x1a", ABC, TWO, {"blank line": (1, (4,))}),
    DirtyFile(
        "blank and repeated names",
        text("person,,sex,Sex,sex", "001,x,1,2,3", "002,y,4,5,6"),
        ("person", "column_2", "sex", "Sex_2", "sex_3"),
        (("001", "x", "1", "2", "3"), ("002", "y", "4", "5", "6")),
        note="column 4 repeats the name 'Sex'",
    ),
    DirtyFile(
        "invisible characters in names",
        text("\u200bperson , sex\u00a0code,site", "001,1,A", "002,2,B"),
        ("person", "sex code", "site"),
        TWO,
    ),
    DirtyFile(
        "words that mean missing elsewhere",
        text("person,sex,site", "NA,None,NULL", "nan,N/A,-", "#N/A,,null"),
        ABC,
        (("NA", "None", "NULL"), ("nan", "N/A", "-"), ("#N/A", None, "null")),
    ),
    DirtyFile(
        "text kept as it is",
        text("person,sex,site", "0001, x ,1e5", "+44,1.0,TRUE"),
        ABC,
        (("0001", " x ", "1e5"), ("+44", "1.0", "TRUE")),
    ),
    DirtyFile(
        "spreadsheet marks",
        text("person,sex,site", '="001",1,A', '="002",2,B'),
        ABC,
        (('="001"', "1", "A"), ('="002"', "2", "B")),
        note="values of 'person' have an equals sign in front",
    ),
    DirtyFile(
        "huge cell",
        text(*LINES, "003,1," + "x" * 3_000_000),
        ABC,
        (*TWO, ("003", "1", "x" * 3_000_000)),
    ),
    DirtyFile(
        "header repeated",
        text(*LINES, "person,sex,site", "003,1,C"),
        ABC,
        (*TWO, ("003", "1", "C")),
        {"header line repeated": (1, (4,))},
    ),
    DirtyFile("comment marks", text("person,sex,site", "#001,1,A"), ABC, (("#001", "1", "A"),)),
    DirtyFile("empty", b"", refused="empty"),
    DirtyFile("white space alone", b"\n\n  \n", refused="empty"),
    DirtyFile("header alone", text("person,sex,site"), refused="no rows"),
    DirtyFile("most rows wider than the header", text("a,b,c", "1,2,3,4", "5,6,7,8"), refused="line 1 has 3"),
    DirtyFile(
        "every row damaged",
        text("person,sex,site", "1,2", "3", "4,5,6,7,8"),
        refused="Not one row can be used: line 2: line has 2 fields",
    ),
    DirtyFile("cut inside the only letter", text(*LINES, "003,1,Zoë")[:-2], refused="(line 4)"),
    DirtyFile("binary", bytes(range(256)) * 40, refused="binary"),
    DirtyFile("web page", b"<!DOCTYPE html><html><table><tr><td>1</td></tr></table>", refused="web page"),
    DirtyFile("XML", b'<?xml version="1.0"?><rows/>', refused="XML"),
    DirtyFile("JSON", b'[{"person": "001"}]', refused="JSON"),
    DirtyFile("pickle", b"\x80\x04\x95\x10\x00.", refused="pickle"),
    DirtyFile("PDF", b"%PDF-1.7\n", refused="PDF"),
    DirtyFile("old Excel or password", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), refused="password"),
    DirtyFile("SQLite file", b"SQLite format 3\x00" + bytes(100), refused="sqlite:///"),
]


# ---------------------------------------------------------------- workbooks


def workbook(path: Path, sheets: dict[str, list[list[object]]], *, hidden: tuple[str, ...] = ()) -> Path:
    """A workbook as a spreadsheet program writes it."""
    book = xlsxwriter.Workbook(str(path), {"default_date_format": "dd/mm/yyyy"})
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for number, row in enumerate(rows):
            for place, cell in enumerate(row):
                sheet.write_blank(number, place, None) if cell is None else sheet.write(number, place, cell)
        if name in hidden:
            sheet.hide()
    book.close()
    return path


def raw_workbook(sheet_xml: str, *, more: dict[str, bytes] | None = None) -> bytes:
    """The smallest workbook around the XML of one sheet, with whatever else a hostile one holds."""
    parts = {
        "[Content_Types].xml": (
            f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
            '<Override PartName="/xl/workbook.xml" ContentType="application/'
            'vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>'
        ),
        "_rels/.rels": (
            f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" '
            f'Type="{RELATION}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
        ),
        "xl/workbook.xml": (
            f'<workbook xmlns="{WORKBOOK}" xmlns:r="{RELATION}"><sheets>'
            '<sheet name="Data" sheetId="1" r:id="r1"/></sheets></workbook>'
        ),
        "xl/_rels/workbook.xml.rels": (
            f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" '
            f'Type="{RELATION}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
        ),
        "xl/worksheets/sheet1.xml": sheet_xml,
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, xml in parts.items():
            archive.writestr(name, xml)
        for name, content in (more or {}).items():
            archive.writestr(name, content)
    return buffer.getvalue()


def sheet_xml(*cells: tuple[str, str], before: str = "") -> str:
    """XML of a sheet that holds numbers in the cells named."""
    rows = "".join(
        f'<row r="{"".join(filter(str.isdigit, place))}"><c r="{place}"><v>{value}</v></c></row>'
        for place, value in cells
    )
    return f'{before}<worksheet xmlns="{WORKBOOK}"><sheetData>{rows}</sheetData></worksheet>'


def hostile_workbooks() -> dict[str, tuple[bytes, str]]:
    """Name -> (content, words that the refusal must hold)."""
    plain = raw_workbook(sheet_xml(("A1", "1"), ("A2", "2")))
    bomb = raw_workbook(sheet_xml(("A1", "1")), more={"xl/media/filler.bin": b"\x00" * 80 * 1024**2})
    entities = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    external = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
    return {
        "zip bomb": (bomb, "times its size"),
        "entities": (raw_workbook(sheet_xml(("A1", "1"), before=entities)), "document type definition"),
        "external entity": (
            raw_workbook(sheet_xml(("A1", "1"), before=external)),
            "document type definition",
        ),
        "far cell": (raw_workbook(sheet_xml(("A1", "1"), ("XFD1048576", "2"))), "reaches to row 1,048,576"),
        "far cell in single quotes": (
            raw_workbook(
                sheet_xml(("A1", "1"), ("XFD1048576", "2")).replace('r="', "r='").replace('">', "'>")
            ),
            "reaches to row 1,048,576",
        ),
        "beyond the last row": (raw_workbook(sheet_xml(("A1", "1"), ("A4294967295", "2"))), "too far"),
        "cut short": (plain[: len(plain) // 2], "damaged"),
        "damaged in the middle": (plain.replace(b"sheet1.xml", b"sheet9.xml", 1), "damaged"),
        "not a workbook": (_zip({"readme.txt": b"hello"}), "zip archive"),
        "binary workbook": (_zip({"xl/workbook.bin": b"\x01"}), ".xlsb"),
        "one part twice": (
            raw_workbook(sheet_xml(("A1", "1")), more={"xl/workbook.xml": b"<x/>"}),
            "part twice",
        ),
        "password": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4096), "password"),
        "web page": (b"<html><table><tr><td>1</td></tr></table></html>", "web page"),
    }


def _zip(parts: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()
