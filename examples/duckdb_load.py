"""Loads `logchain show -o jsonl` into DuckDB, and asks it some questions.

    logchain show -o jsonl > logs.jsonl
    python examples/duckdb_load.py logs.jsonl logs.duckdb

The table has one row a line. (vm, stream, number) names a line for ever, so the same file, or one that overlaps it, can
be loaded again: no line is there twice. DuckDB is from PyPI: `pip install duckdb`.
"""

import sys

import duckdb

# The fields of docs/spec/output.md, and no others: a later version may add some.
_COLUMNS = """{v: 'INTEGER', time: 'TIMESTAMPTZ', vm: 'VARCHAR', stream: 'VARCHAR', number: 'BIGINT', kind: 'VARCHAR',
    verified: 'BOOLEAN', message: 'VARCHAR', message_base64: 'VARCHAR'}"""

_TABLE = """
create table if not exists line (
    vm varchar, stream varchar, number bigint, time timestamptz, verified boolean, payload blob, severity utinyint,
    primary key (vm, stream, number)
)"""

# What is cut and was sent again is left out, as in `-o raw`; so are notes and gaps. RFC 5424 has the severity in front.
_LOAD = f"""
insert or replace into line
select vm, stream, number, time, verified, payload,
    try_cast(regexp_extract(payload::varchar, '^<([0-9]{{1,3}})>1 ', 1) as integer) % 8
from (
    select *, coalesce(from_base64(message_base64), encode(message)) as payload
    from read_json(?, format = 'newline_delimited', columns = {_COLUMNS}, maximum_object_size = 16777216)
    where v = 1 and kind in ('line', 'cut')
)"""

_QUESTIONS = {
    "Lines, and how many of them are errors": """
        select vm, stream, count(*), count(*) filter (severity <= 3) from line group by all order by all""",
    "The busiest minutes": """
        select strftime(time at time zone 'UTC', '%Y-%m-%d %H:%M'), count(*) from line
        group by all order by 2 desc, 1 limit 3""",
    "Who logged in": """
        select vm, decode(payload) from line where contains(payload::varchar, 'Accepted') order by time, vm, number""",
}


def main() -> None:
    """Load a file into a database, and print answers, columns apart by tabs."""
    source, database = sys.argv[1:3]
    with duckdb.connect(database) as connection:
        connection.execute(_TABLE)
        connection.execute(_LOAD, [source])
        for question, query in _QUESTIONS.items():
            print(f"{question}:")
            for row in connection.execute(query).fetchall():
                # what a sender wrote is shown as Python's repr has it: no control character gets to the terminal
                print("  " + "\t".join(ascii(cell) if isinstance(cell, str) else str(cell) for cell in row))


if __name__ == "__main__":
    main()
