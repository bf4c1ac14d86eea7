"""The parts that every XLSX file of ours has alike: types, relations, styles (ECMA-376, parts 1 and 2)."""

HEAD, MOMENT, DURATION, AMOUNT = 1, 2, 3, 4
"""Styles by their place in `cellXfs`; 0 is no style."""

XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
SHEET_PATH = "xl/worksheets/sheet1.xml"

_TYPES = (
    f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>'
    f'<Override PartName="/{SHEET_PATH}" ContentType="{_TYPE}.worksheet+xml"/></Types>'
)
_FORMATS = {164: "yyyy-mm-dd hh:mm:ss", 165: "[h]:mm:ss", 166: "#,##0.00##"}
_FONT = '<sz val="11"/><name val="Calibri"/><family val="2"/>'
_SIDES = "<left/><right/><top/>"
_STYLES = (
    f'<styleSheet xmlns="{MAIN}"><numFmts count="{len(_FORMATS)}">'
    + "".join(f'<numFmt numFmtId="{number}" formatCode="{code}"/>' for number, code in _FORMATS.items())
    + f'</numFmts><fonts count="2"><font>{_FONT}</font><font><b/>{_FONT}</font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    f'<borders count="2"><border>{_SIDES}<bottom/><diagonal/></border><border>{_SIDES}'
    '<bottom style="thin"><color auto="1"/></bottom><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    f'<cellXfs count="{2 + len(_FORMATS)}"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="1" xfId="0" applyFont="1" applyBorder="1"/>'
    + "".join(
        f'<xf numFmtId="{number}" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
        for number in _FORMATS
    )
    + '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>"
)


def _relate(**targets: str) -> str:
    relations = "".join(
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets.items(), 1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{relations}</Relationships>'


# The part with the types comes first: programs know a workbook by this name at the beginning of the zip.
PARTS = {
    "[Content_Types].xml": _TYPES,
    "_rels/.rels": _relate(officeDocument="xl/workbook.xml"),
    "xl/_rels/workbook.xml.rels": _relate(worksheet="worksheets/sheet1.xml", styles="styles.xml"),
    "xl/styles.xml": _STYLES,
}


def describe_book(filtered: str) -> str:
    """The part that names the one sheet, and the range of its filter buttons."""
    return (
        f'<workbook xmlns="{MAIN}" xmlns:r="{_OFFICE}"><bookViews><workbookView/></bookViews>'
        '<sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets><definedNames>'
        f'<definedName name="_xlnm._FilterDatabase" localSheetId="0" hidden="1">{filtered}</definedName>'
        "</definedNames></workbook>"
    )
