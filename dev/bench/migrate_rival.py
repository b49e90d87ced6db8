"""Records and files of a dump by Invenio's own API, as an application calls it; prints seconds.

    migrate_rival.py DUMP FOLDER COUNT

The crosswalk is left out: each revision's MARCXML goes in as one text. What is measured is what
Invenio does: a record, its revisions, a bucket, and the bytes of its files.
"""

import json
import pathlib
import sys
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "check_invenio"))

import invenio
from invenio_db import db
from invenio_files_rest.models import Bucket, Location, ObjectVersion
from invenio_pidstore.minters import recid_minter
from invenio_records import Record
from invenio_records_files.models import RecordsBuckets


def main(dump, folder, count):
    folder.mkdir()
    with invenio.application(f"sqlite:{folder}/rival.db").app_context():
        db.create_all()
        db.session.add(Location(name="main", uri=str(folder), default=True))
        db.session.commit()
        started, done = time.perf_counter(), 0
        for path in sorted(dump.glob("records_dump_*.json")):
            for item in json.loads(path.read_text()):
                if done == count:
                    break
                one(dump, item)
                done += 1
        print(time.perf_counter() - started)


def one(dump, item):
    first, *later = item["record"]
    id_, data = uuid.uuid4(), {"marcxml": first["marcxml"]}
    recid_minter(id_, data)
    record = Record.create(data, id_=id_)
    db.session.commit()
    for revision in later:
        record["marcxml"] = revision["marcxml"]
        record.commit()
        db.session.commit()
    bucket = Bucket.create()
    db.session.add(RecordsBuckets(record_id=record.id, bucket_id=bucket.id))
    for file in item["files"]:
        path = dump / "files" / file["full_path"].split("/data/files/")[1]
        with open(path, "rb") as stream:
            version = ObjectVersion.create(bucket, file["full_name"], stream=stream, size=file["size"])
        if version.file.checksum != "md5:" + file["checksum"]:
            raise SystemExit(f"{path} has another checksum")
    db.session.commit()


main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]))
