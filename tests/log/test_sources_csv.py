"""CSV files: dialect, encoding, line ends; every physical line of a broken file is accounted for."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeykit.errors import LogError, ParameterError
from journeykit.log import read_log
from journeykit.log.sources import plain
from journeykit.log.sources.text import survey
from tests.log import clean

HEADER = "customer,time,touchpoint\n"
ROWS = "ann,2024-03-01 09:00,visit\nbob,2024-03-01 10:00,sipariş\nann,2024-03-02 11:00,order\n"


@pytest.fixture
def write(tmp_path):
    """Write a file from text or bytes, return its path."""

    def put(content, name="log.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return put


def finding(log, rule):
    return log.quality[log.quality["rule"] == rule].iloc[0]


def accounted(log, lines):
    """Whether lines in = rows kept + rows set aside + duplicates merged."""
    return log.rows_read == lines == log.n_events + len(log.quarantine) + log.duplicates_merged


# -- how it is written -------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_dialect_is_found_and_shown(write, delimiter, quoting, end):
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=end)
    writer.writerows(line.split(",") for line in (HEADER + ROWS).splitlines())
    log = read_log(write(out.getvalue()))
    assert log.frame()["touchpoint"].tolist() == ["visit", "order", "sipariş"]
    example = finding(log, "read_as")["example"]
    assert f"delimiter {delimiter!r}" in example
    assert f"line end {end!r}".replace("'", "") in example
    assert "encoding utf-8" in example
    assert accounted(log, 3)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_a_file_may_tell_its_delimiter_in_a_line_of_its_own(write, delimiter, quoted, end):
    rows = [["customer", "time", "touchpoint"], ["ann", "2024-03-01", "visit"], ["bob", "2024-03-02"]]
    cell = (lambda text: f'"{text}"') if quoted else str
    path = write(end.join([f"sep={delimiter}", *(delimiter.join(map(cell, row)) for row in rows), ""]))
    log = read_log(path)
    assert log.customers.tolist() == ["ann"]
    assert log.quarantine[["row", "reason"]].to_numpy().tolist() == [[1, "broken_line"]]


def test_what_is_stated_is_taken(write):
    path = write("customer~time~touchpoint\na~2024-01-01~'x~y'\n")
    assert read_log(path, delimiter="~", quote="'").touchpoints.tolist() == ["x~y"]


def test_a_quote_can_be_a_letter_like_any_other(write):
    path = write(HEADER + 'a,2024-01-01,"big" sale\nb,2024-01-02,5" disk\n')
    log = read_log(path)
    assert log.quarantine[["row", "reason", "line"]].values.tolist() == [[0, "broken_line", 'a,2024-01-01,"big" sale']]
    assert read_log(path, quote="").touchpoints.tolist() == ['"big" sale', '5" disk']


def test_cells_hold_delimiters_quotes_and_line_ends(write):
    path = write(HEADER + 'a,2024-01-01,"x, ""y"""\nb,2024-01-02,"two\n\nlines"\n')
    log = read_log(path)
    assert log.touchpoints.tolist() == ["two\n\nlines", 'x, "y"']
    assert accounted(log, 2)
    assert finding(log, "cells_of_several_lines")["rows"] == 2


def test_backslash_escapes_are_found(write):
    rows = "".join(f'a,2024-01-0{i},"say \\"{i}\\""\n' for i in range(1, 6))
    assert read_log(write(HEADER + rows)).touchpoints.tolist()[0] == 'say "1"'


def test_a_mixture_of_line_ends_is_no_obstacle(write):
    log = read_log(write((HEADER + ROWS).replace("\n", "\r\n", 2)))
    assert accounted(log, 3)
    assert "mixed" in finding(log, "read_as")["example"]


def test_blank_lines_are_no_rows(write):
    for content in (HEADER + "\n" + ROWS + "\n\n", HEADER + ROWS.replace("visit", '"visit"') + "\n\n"):
        assert accounted(read_log(write(content)), 3)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "it is empty"),
        (HEADER, "no usable row among 0"),
        ("customer,customer,time,touchpoint\n1,2,2024-01-01,x\n", r"\['customer'\] occur twice"),
        (ROWS, "no column 'customer'"),
        (HEADER + "a,b\n", "no usable row among 1: broken_line: 1 rows, for example row 0: 'a,b'"),
    ],
)
def test_a_file_that_is_no_log_is_refused(write, content, says):
    with pytest.raises(LogError, match=says):
        read_log(write(content))


def test_a_column_without_a_name_gets_one(write):
    assert "column0" in read_log(write(",customer,time,touchpoint\n0,a,2024-01-01,x\n")).columns


def test_whole_numbers_are_customers_as_they_would_be_in_a_typed_file(write):
    def ids(*written):
        return read_log(write(HEADER + "".join(f"{each},2024-01-01,x\n" for each in written))).customers.tolist()

    assert ids("10", "9", "-1", "0") == [-1, 0, 9, 10]
    assert ids("10", "", "9") == [9, 10]
    assert ids("10", "09") == ["09", "10"]
    assert ids("10", "+9") == ["+9", "10"]
    assert ids("10", "0x1F") == ["0x1F", "10"]
    assert ids("160000000000", "0x2540BE4000") == ["0x2540BE4000", "160000000000"]  # one number, written twice
    assert ids("10", "9.5") == ["10", "9.5"]
    assert ids("10", "99999999999999999999") == ["10", "99999999999999999999"]


# -- encodings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "sipariş הזמנה 🎸"),
        ("utf-8-sig", "sipariş הזמנה"),
        ("utf-16", "sipariş הזמנה 🎸"),
        ("utf-16-le", "\ufeffsipariş"),
        ("utf-32", "sipariş"),
    ],
)
def test_unicode_files_need_no_word(write, encoding, text):
    content = HEADER + f"a,2024-01-01,{text}\n"
    if encoding == "utf-16-le":
        content = "\ufeff" + content.replace("\ufeff", "")
    log = read_log(write(content, encoding=encoding))
    assert log.touchpoints.tolist() == [text.replace("\ufeff", "")]


@pytest.mark.parametrize(("encoding", "text"), [("cp1254", "sipariş"), ("cp1255", "הזמנה"), ("cp1252", "œuvre €")])
def test_other_encodings_have_to_be_said_and_the_error_shows_how_each_reads(write, encoding, text):
    path = write(HEADER + "a,2024-01-01,visit\n" * 3 + f"b,2024-01-02,{text}\n", encoding=encoding)
    with pytest.raises(LogError, match="is not UTF-8: line 5 has the byte 0x") as error:
        read_log(path)
    assert f'encoding="{encoding}" reads it as' in str(error.value)
    assert repr(text)[1:-1] in str(error.value)
    log = read_log(path, encoding=encoding)
    assert text in log.touchpoints
    assert f"encoding {encoding}" in finding(log, "read_as")["example"]


def test_lines_that_are_not_utf8_are_set_aside_where_utf8_is_stated(write):
    path = write((HEADER + ROWS).encode() + b"ann,2024-03-03,sipari\xfe\nbob,2024-03-04,visit\n")
    log = read_log(path, encoding="utf-8")
    assert log.quarantine[["row", "reason", "line"]].values.tolist() == [
        [3, "undecodable_line", "ann,2024-03-03,sipari\\xfe"]
    ]
    assert accounted(log, 5)


def test_an_encoding_that_does_not_fit_or_does_not_exist_is_refused(write):
    path = write(HEADER.encode() + b"a,2024-01-01,\x81\n")
    with pytest.raises(LogError, match="is not cp1255"):
        read_log(path, encoding="cp1255")
    with pytest.raises(ParameterError, match="no encoding 'cp9999'"):
        read_log(path, encoding="cp9999")


def test_a_character_cut_by_a_piece_of_the_file_is_whole(write, monkeypatch):
    monkeypatch.setattr(plain, "_CHUNK", 64)
    rows = "".join(f"c{i},2024-01-01,şş{i}\n" for i in range(50))
    assert read_log(write(HEADER + rows)).n_events == 50


# -- broken files ------------------------------------------------------------------------------


def test_lines_with_too_few_or_too_many_cells_are_set_aside_at_their_place(write):
    log = read_log(write(HEADER + ROWS + "x,y\n" + ROWS + "zed,2024-03-02,visit,extra\n,2024-03-02,visit\n"))
    assert log.quarantine[["row", "reason", "line"]].fillna("").values.tolist() == [
        [3, "broken_line", "x,y"],
        [7, "broken_line", "zed,2024-03-02,visit,extra"],
        [8, "missing_customer", ""],
    ]
    assert accounted(log, 9)
    assert finding(log, "broken_line")["example"] == "row 3: x,y"
    assert finding(log, "broken_line")["personal"]


@pytest.mark.parametrize("quoted", ["", '"quoted"'])
@pytest.mark.parametrize("blank", ["", "\n\n"])
def test_places_are_right_beside_blank_lines_and_quotes(write, blank, quoted):
    rows = ROWS.replace("order", quoted or "order")
    log = read_log(write(HEADER + rows + blank + "x,y\n" + rows + ",2024-03-02,visit\n"))
    assert log.quarantine["row"].tolist() == [3, 7]
    assert accounted(log, 8)


def test_an_unclosed_quote_is_named_with_the_lines_that_it_swallowed(write):
    log = read_log(write(HEADER + ROWS + '"ann,2024-03-03 12:00,visit\n' + ROWS))
    assert log.n_events == 3
    assert accounted(log, 7)
    assert finding(log, "unclosed_quote")["rows"] == 4
    assert 'row 3: "ann,2024-03-03 12:00,visit (swallowed 4 lines)' in finding(log, "unclosed_quote")["example"]
    assert log.quarantine["line"].tolist()[1] == "ann,2024-03-01 09:00,visit"


def test_a_quote_that_opens_too_early_takes_only_the_lines_to_the_next_quote(write):
    log = read_log(write(HEADER + '"ann,2024-03-03 12:00,visit\n' + ROWS + 'bob,2024-03-04,"visit"\n' + ROWS))
    assert log.quarantine["reason"].tolist() == ["unclosed_quote"] * 5
    assert log.n_events == 3


@pytest.mark.slow
def test_an_unclosed_quote_in_a_large_file_loses_nothing(write):
    # Large enough for DuckDB to read in parallel: it then skips lines without a word.
    rows = clean.clean_log(20_000)[["customer", "time", "touchpoint"]]
    lines = rows.to_csv(index=False, header=False).splitlines()
    many = (lines * (34_000_000 // sum(map(len, lines)) + 1)).copy()
    many[100] = '"' + many[100]
    log = read_log(write(HEADER + "\n".join(many) + "\n"), duplicates="keep")
    assert accounted(log, len(many))
    assert log.n_events == 100
    assert finding(log, "unclosed_quote")["rows"] == len(many) - 100


def unless_unusable(path):
    try:
        return read_log(path, delimiter=",", quote='"', duplicates="keep")
    except LogError as error:
        if "no usable row" not in str(error):
            raise
        return None


CELL = st.text(st.sampled_from('ab,"\n;\\ ş'), max_size=4)


@given(
    rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=12),
    broken=st.lists(st.tuples(st.integers(0, 30), st.sampled_from(['"', ",", "\n", "x\n", '"a"b'])), max_size=3),
)
def test_no_line_is_ever_lost(tmp_path_factory, rows, broken):
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["customer", "time", "touchpoint", "note"])
    writer.writerow(["ok", "2024-01-01", "x", ""])
    for i, (touchpoint, note) in enumerate(rows):
        writer.writerow([f"c{i}", "2024-01-01", touchpoint, note])
    text = out.getvalue()
    begin = text.index("ok,")  # the header stays whole
    for place, put in broken:
        at = min(len(text), begin + place * len(text) // 30)
        text = text[:at] + put + text[at:]
    path = tmp_path_factory.mktemp("lines") / "log.csv"
    path.write_text(text, encoding="utf-8", newline="")
    log = unless_unusable(path)
    if log is None:
        return
    assert log.rows_read == log.n_events + len(log.quarantine)
    # The same file by Python's own reader: rows of it that are whole, and lines for the rest.
    lines = text.splitlines(keepends=True)
    lost = int(log.quarantine["line"].notna().sum()) if "line" in log.quarantine else 0
    inside = log.quality.loc[log.quality["rule"] == "cells_of_several_lines", "rows"].sum()
    blank = len(lines) - 1 - log.rows_read - inside
    assert 0 <= blank <= sum(not line.strip("\n") for line in lines)
    assert lost <= len(lines)


@given(rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=15))
def test_what_a_csv_writer_wrote_is_read_back(tmp_path_factory, rows):
    raw = pd.DataFrame(rows, columns=["touchpoint", "note"])
    raw.insert(0, "time", "2024-01-01")
    raw.insert(0, "customer", [f"c{i:02d}" for i in range(len(raw))])
    path = tmp_path_factory.mktemp("back") / "log.csv"
    raw.to_csv(path, index=False)
    usable = raw[raw["touchpoint"].str.strip() != ""]
    if usable.empty:
        return
    frame = read_log(path, delimiter=",", quote='"').frame()
    assert frame["touchpoint"].tolist() == usable["touchpoint"].tolist()
    assert frame["note"].astype(object).where(frame["note"].notna(), "").tolist() == usable["note"].tolist()


def test_the_survey_counts_lines(tmp_path):
    for content, lines in [
        (b"", 0),
        (b"a", 1),
        (b"a\n", 1),
        (b"a\nb", 2),
        (b"a\r\nb\r\n", 2),
        (b"a\rb", 2),
        (b"\n\n", 2),
    ]:
        (tmp_path / "x.csv").write_bytes(content)
        assert survey(tmp_path / "x.csv").lines == lines


# -- without a header --------------------------------------------------------------------------

NAMES = ["customer", "time", "touchpoint"]


def test_a_file_without_a_header_gets_its_names(write):
    log = read_log(write(ROWS), columns=NAMES)
    assert log.frame()["touchpoint"].tolist() == ["visit", "order", "sipariş"]
    assert accounted(log, 3)


@pytest.mark.parametrize("cell", ["visit", '"a ""quoted"" one"', '"two\nlines"'])
def test_broken_lines_of_a_file_without_a_header_keep_their_place(write, cell):
    lines = ROWS.replace("visit", cell).splitlines(keepends=True)
    broken = "too,many,cells,here\n"
    log = read_log(write("".join(lines[:-1]) + broken + lines[-1]), columns=NAMES)
    assert log.quarantine[["row", "reason"]].values.tolist() == [[2, "broken_line"]]
    assert log.n_events == 3
    assert accounted(log, 4)


def test_a_first_line_with_other_cells_than_names_is_refused(write):
    with pytest.raises(LogError, match=r"columns names 2 columns, but the first line of .* has 3: \['ann'"):
        read_log(write(ROWS), columns=["customer", "time"])


@pytest.mark.parametrize("columns", ["customer", [], ["a", "a", "b"], ["customer", "", "time"]])
def test_names_that_are_none_are_refused(write, columns):
    with pytest.raises(ParameterError, match="columns must be different names"):
        read_log(write(ROWS), columns=columns)


def test_names_for_what_names_its_own_are_refused(write):
    with pytest.raises(ParameterError, match="without a header"):
        read_log(clean.clean_log(5), columns=NAMES)
    with pytest.raises(ParameterError, match="without a header"):
        read_log(write('{"customer": 1}', name="log.jsonl"), columns=NAMES)
