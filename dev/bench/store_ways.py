"""Ways to bring rows into a table of records: `copy` straight, arrays, `copy` into a staging table.

    store_ways.py [RECORDS [BATCH]]     needs psycopg2

The table is records_metadata with its key, and jsonb compressed by lz4; a batch is a transaction.
Prints records a second of wall time and of the server's processor, the best of three rounds.
"""

import io
import json
import pathlib
import random
import sys
import time
import uuid
from datetime import datetime, timezone

import psycopg2

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from private_postgres import PrivatePostgres

SETTINGS = {"fsync": "on", "shared_buffers": "512MB", "max_wal_size": "8GB", "checkpoint_timeout": "30min"}
TABLE = """
    create table records_metadata (id uuid primary key, json jsonb compression lz4,
        version_id integer not null, created timestamptz not null, updated timestamptz not null)
"""
STAGING = "create unlogged table staging (like records_metadata)"
COLUMNS = "id, json, version_id, created, updated"
MERGE = f"""
    insert into records_metadata ({COLUMNS}) select {COLUMNS} from staging
    on conflict (id) do update set json = excluded.json, version_id = excluded.version_id,
        updated = excluded.updated;
    truncate staging
"""
ARRAYS = f"""
    insert into records_metadata ({COLUMNS}) select * from unnest(%s::uuid[], %s::jsonb[],
        %s::integer[], %s::timestamptz[], %s::timestamptz[])
"""


def records(count):
    words = [f"word{n}" for n in range(3000)]
    random.seed(1)
    for _ in range(count):
        fields = {f"field{n}": " ".join(random.choices(words, k=6)) for n in range(40)}
        yield str(uuid.UUID(int=random.getrandbits(128))), json.dumps({"metadata": fields})


def copy(cursor, table, batch, now):
    out = io.StringIO("".join(f"{id_}\t{text}\t1\t{now}\t{now}\n" for id_, text in batch))
    cursor.copy_expert(f"copy {table} ({COLUMNS}) from stdin", out)


def straight(cursor, batch, now):
    copy(cursor, "records_metadata", batch, now)


def staged(cursor, batch, now):
    copy(cursor, "staging", batch, now)
    cursor.execute(MERGE)


def arrays(cursor, batch, now):
    ids, texts = zip(*batch)
    count = len(batch)
    cursor.execute(ARRAYS, (list(ids), list(texts), [1] * count, [now] * count, [now] * count))


def main():
    count, size = [int(word) for word in (sys.argv[1:] + ["50000", "1000"][len(sys.argv) - 1 :])]
    rows = list(records(count))
    now = datetime.now(timezone.utc).isoformat()
    print(f"{count:,} records of {len(rows[0][1]):,} bytes, {size:,} to a transaction")
    best = {}
    with PrivatePostgres(**SETTINGS) as server:
        for turn in range(3):
            for name, way in (("copy", straight), ("arrays", arrays), ("staging", staged)):
                url = server.create_database(f"{name}_{turn}")
                with psycopg2.connect(url) as connection, connection.cursor() as cursor:
                    cursor.execute(TABLE)
                    cursor.execute(STAGING)
                    connection.commit()
                    started, cpu = time.perf_counter(), server.cpu_seconds()
                    for at in range(0, count, size):
                        way(cursor, rows[at : at + size], now)
                        connection.commit()
                    spent = time.perf_counter() - started, server.cpu_seconds() - cpu
                rates = [count / seconds for seconds in spent]
                best[name] = [max(pair) for pair in zip(best.get(name, rates), rates)]
                connection.close()
                server.psql("postgres", "-c", f"drop database {name}_{turn}")
    for name, (wall, cpu) in best.items():
        print(f"{name:8} {wall:9,.0f} records/s {cpu:9,.0f} records/s of the server's CPU")


if __name__ == "__main__":
    main()
