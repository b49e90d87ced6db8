"""What others do with the same records on the same server: records a second, printed as a number.

    store_rivals.py invenio URL RECORDS.jsonl      Record.create, a recid and a commit each
    store_rivals.py script URL RECORDS.mrc SCHEMA  pymarc, fastjsonschema and COPY, as one writes it
    store_rivals.py csv URL RECORDS.jsonl          rows to CSV files, then COPY
    store_rivals.py migrator URL RECORDS.jsonl     the same by invenio-rdm-migrator's own load

The database is empty and has the tables already, but for Invenio's, which makes its own.
"""

import csv
import io
import json
import pathlib
import sys
import tempfile
import time
import uuid
from datetime import datetime, timezone

BATCH = 1000
COPIES = [
    ("transaction", "id, issued_at"),
    ("records_metadata", "id, json, version_id, created, updated"),
    (
        "records_metadata_version",
        "id, json, version_id, created, updated, transaction_id, operation_type",
    ),
    ("pidstore_pid", "pid_type, pid_value, status, object_type, object_uuid, created, updated"),
]


def through_invenio(url, path):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "check_invenio"))
    import invenio
    from invenio_db import db
    from invenio_pidstore.minters import recid_minter
    from invenio_records import Record

    with invenio.application(url).app_context():
        db.create_all()
        records = [json.loads(line) for line in open(path, encoding="utf-8")]
        started = time.perf_counter()
        for record in records:
            id_ = uuid.uuid4()
            recid_minter(id_, record)
            Record.create(record, id_=id_)
            db.session.commit()
        return len(records) / (time.perf_counter() - started)


def rows_of(records, made_in, now):
    """Rows for the tables of COPIES."""
    rows = [[] for _ in COPIES]
    rows[0].append((made_in, now))
    for recid, record in records:
        id_, text = uuid.uuid4(), json.dumps(record, ensure_ascii=False)
        rows[1].append((id_, text, 1, now, now))
        rows[2].append((id_, text, 1, now, now, made_in, 0))
        rows[3].append(("recid", recid, "R", "rec", id_, now, now))
    return rows


def copy(connection, rows):
    with connection, connection.cursor() as cursor:
        for (table, columns), lines in zip(COPIES, rows):
            out = io.StringIO()
            csv.writer(out).writerows(lines)
            out.seek(0)
            cursor.copy_expert(f'copy "{table}" ({columns}) from stdin csv', out)


def by_script(url, path, schema):
    import fastjsonschema
    import psycopg2
    import pymarc

    validate = fastjsonschema.compile(json.loads(pathlib.Path(schema).read_text()))
    connection = psycopg2.connect(url)
    started, count, batch, made_in = time.perf_counter(), 0, [], 1
    now = datetime.now(timezone.utc)
    with open(path, "rb") as source:
        for marc in pymarc.MARCReader(source):
            record = mapped(marc)
            validate(record)
            batch.append((record["id"], record))
            count += 1
            if len(batch) == BATCH:
                copy(connection, rows_of(batch, made_in, now))
                batch, made_in = [], made_in + 1
    copy(connection, rows_of(batch, made_in, now))
    return count / (time.perf_counter() - started)


def mapped(marc):
    """The main part of what marc21-to-record does."""

    def values(tag, *codes):
        for field in marc.get_fields(tag):
            yield from (value.rstrip(" /:;,") for value in field.get_subfields(*codes))

    def people(tag):
        for field in marc.get_fields(tag):
            name = field["a"].rstrip(",")
            person = {"type": "personal", "name": name}
            if "," in name:
                person["family_name"], person["given_name"] = name.split(", ", 1)
            yield {"person_or_org": person}

    metadata = {
        "title": " ".join(values("245", "a", "b")),
        "creators": list(people("100")),
        "contributors": list(people("700")),
        "additional_titles": [{"title": title} for title in values("246", "a")],
        "publisher": next(values("264", "b"), None),
        "publication_date": marc["008"].data[7:11],
        "description": " ".join(values("520", "a")),
        "subjects": [{"subject": subject} for subject in values("650", "a")],
        "identifiers": [
            {"identifier": isbn, "scheme": "isbn"} for isbn in values("020", "a")
        ],
        "languages": [{"id": code} for code in values("041", "a")],
        "rights": [{"title": title} for title in values("540", "a")],
    }
    metadata = {name: value for name, value in metadata.items() if value}
    return {"id": marc["001"].data, "metadata": metadata, "collections": list(values("980", "a"))}


def by_csv(url, path):
    """As invenio-rdm-migrator loads: a CSV file for each table, and COPY when all are written."""
    import psycopg2

    connection = psycopg2.connect(url)
    started, count, now = time.perf_counter(), 0, datetime.now(timezone.utc)
    with tempfile.TemporaryDirectory() as folder:
        paths = [pathlib.Path(folder, f"{table}.csv") for table, _ in COPIES]
        outs = [open(path, "w", encoding="utf-8", newline="") for path in paths]
        writers = [csv.writer(out) for out in outs]
        for made_in, line in enumerate(open(path, encoding="utf-8"), 1):
            record = json.loads(line)
            for writer, rows in zip(writers, rows_of([(record["id"], record)], made_in, now)):
                writer.writerows(rows)
            count += 1
        for out in outs:
            out.close()
        with connection, connection.cursor() as cursor:
            for (table, columns), path in zip(COPIES, paths):
                with open(path, encoding="utf-8") as source:
                    cursor.copy_expert(f'copy "{table}" ({columns}) from stdin csv', source)
    return count / (time.perf_counter() - started)


def by_migrator(url, path):
    """invenio-rdm-migrator's PostgreSQLCopyLoad, with models and a generator for these tables."""

    from invenio_rdm_migrator.load.postgresql.bulk.copy import PostgreSQLCopyLoad
    from invenio_rdm_migrator.load.postgresql.bulk.generators.table import TableGenerator
    from invenio_rdm_migrator.load.postgresql.models import Model
    from sqlalchemy.orm import Mapped, mapped_column

    class Transaction(Model):
        __tablename__ = "transaction"
        id: Mapped[int] = mapped_column(primary_key=True)
        issued_at: Mapped[datetime]

    class RecordMetadata(Model):
        __tablename__ = "records_metadata"
        id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
        json: Mapped[dict] = mapped_column(nullable=True)
        version_id: Mapped[int]
        created: Mapped[datetime]
        updated: Mapped[datetime]

    class RecordVersion(Model):
        __tablename__ = "records_metadata_version"
        id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
        json: Mapped[dict] = mapped_column(nullable=True)
        version_id: Mapped[int]
        created: Mapped[datetime]
        updated: Mapped[datetime]
        transaction_id: Mapped[int] = mapped_column(primary_key=True)
        operation_type: Mapped[int]

    class PersistentIdentifier(Model):
        __tablename__ = "pidstore_pid"
        id: Mapped[int] = mapped_column(primary_key=True)
        pid_type: Mapped[str]
        pid_value: Mapped[str]
        status: Mapped[str]
        object_type: Mapped[str]
        object_uuid: Mapped[uuid.UUID]
        created: Mapped[datetime]
        updated: Mapped[datetime]

    class Records(TableGenerator):
        def __init__(self):
            super().__init__([Transaction, RecordMetadata, RecordVersion, PersistentIdentifier])
            self.count, self.now = 0, datetime.now(timezone.utc)

        def _generate_rows(self, record, **_):
            self.count += 1
            id_, now, n = uuid.uuid4(), self.now, self.count
            yield Transaction(id=n, issued_at=now)
            yield RecordMetadata(id=id_, json=record, version_id=1, created=now, updated=now)
            yield RecordVersion(
                id=id_, json=record, version_id=1, created=now, updated=now, transaction_id=n, operation_type=0
            )
            yield PersistentIdentifier(
                id=n, pid_type="recid", pid_value=record["id"], status="R", object_type="rec",
                object_uuid=id_, created=now, updated=now,
            )

    records = [json.loads(line) for line in open(path, encoding="utf-8")]
    generator = Records()
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        PostgreSQLCopyLoad(url, [generator], tmp_dir=folder).run(iter(records))
        return generator.count / (time.perf_counter() - started)


if __name__ == "__main__":
    kinds = {"invenio": through_invenio, "script": by_script, "csv": by_csv, "migrator": by_migrator}
    print(kinds[sys.argv[1]](*sys.argv[2:]))
