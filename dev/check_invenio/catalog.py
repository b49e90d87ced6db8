"""The tables of a database as its catalog tells them: columns, keys, constraints, indexes."""

import re

import psycopg2
import sqlite3

COLUMNS = """
    select c.relname, 'column', a.attname, format_type(a.atttypid, a.atttypmod),
           a.attnotnull, coalesce(pg_get_expr(d.adbin, d.adrelid), ''), a.attnum
    from pg_attribute a join pg_class c on c.oid = a.attrelid
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
      and a.attnum > 0 and not a.attisdropped
"""
CONSTRAINTS = """
    select conrelid::regclass::text, 'constraint', conname, pg_get_constraintdef(oid)
    from pg_constraint where connamespace = 'public'::regnamespace and contype <> 'n'
"""
INDEXES = "select tablename, 'index', indexname, indexdef from pg_indexes where schemaname = 'public'"
SEQUENCES = """
    select coalesce(d.refobjid::regclass::text, replace(s.seqrelid::regclass::text, '_id_seq', '')), 'sequence',
           s.seqrelid::regclass::text, format_type(s.seqtypid, null), s.seqstart, s.seqincrement
    from pg_sequence s left join pg_depend d on d.objid = s.seqrelid and d.deptype = 'a'
"""


def read(url):
    """What there is, by table: a sorted list of tuples."""
    rows = _sqlite(url[len("sqlite:"):]) if url.startswith("sqlite:") else _postgresql(url)
    tables = {}
    for table, *what in rows:
        tables.setdefault(table.strip('"'), []).append(tuple(what))
    return {table: sorted(rows, key=repr) for table, rows in sorted(tables.items())}


def without_windrow(tables):
    return {name: rows for name, rows in tables.items() if not name.startswith("windrow_")}


def differences(ours, theirs, known):
    """Of the tables that `ours` has: one line for each thing that only one of both has."""
    lines = []
    for table, rows in ours.items():
        if table not in theirs:
            lines.append(f"{table}: Invenio has no such table")
            continue
        for name, only in (("only ours", set(rows) - set(theirs[table])),
                           ("only Invenio's", set(theirs[table]) - set(rows))):
            lines += [f"{table}: {name}: {row}" for row in sorted(only, key=repr) if row not in known]
    return lines


def _postgresql(url):
    connection = psycopg2.connect(url)
    cursor = connection.cursor()
    rows = []
    for sql in (COLUMNS, CONSTRAINTS, INDEXES, SEQUENCES):
        cursor.execute(sql)
        rows += cursor.fetchall()
    connection.close()
    return rows


def _sqlite(path):
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    rows = []
    tables = connection.execute("select name, sql from sqlite_master where type = 'table'").fetchall()
    for table, sql in tables:
        for number, name, kind, not_null, default, key in connection.execute(
            "select cid, name, type, \"notnull\", dflt_value, pk from pragma_table_info(?)", [table]
        ):
            default = {"false": "0", "true": "1"}.get(default, default)
            rows.append((table, "column", name, kind.upper(), not_null, default, key, number))
        for name in re.findall(r"constraint\s+(\w+)", sql, re.IGNORECASE):
            rows.append((table, "constraint", name))
        for row in connection.execute(
            'select "table", "from", "to", on_update, on_delete from pragma_foreign_key_list(?)', [table]
        ):
            rows.append((table, "foreign key", *row))
        for name, unique, origin, partial in connection.execute(
            'select name, "unique", origin, partial from pragma_index_list(?)', [table]
        ):
            columns = connection.execute("select name from pragma_index_info(?) order by seqno", [name])
            rows.append((table, "index", name, unique, origin, partial, *[column for column, in columns]))
    connection.close()
    return rows
