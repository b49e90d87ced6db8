"""Files that windrow loaded, opened by Invenio: heads, histories, bytes, checksums, buckets."""

import hashlib
import io
import json

from invenio_db import db
from invenio_files_rest.errors import BucketLockedError
from invenio_files_rest.models import Bucket, FileInstance, Location, ObjectVersion
from invenio_pidstore.models import PersistentIdentifier
from invenio_records_files.api import Record
from invenio_records_files.models import RecordsBuckets

from invenio import Wrong, expect, fails

LEGACY = "/opt/legacy/files"
FIRST, COUNT = 900001, 40
PIPELINE = """\
pipeline: files
source: {{ type: invenio-v1, paths: "files_*.json", timezone: UTC }}
crosswalk: crosswalk.yaml
files:
  location: {{ name: kept, uri: kept }}
  path_map: {{ {legacy}: legacy }}
"""


class Files:
    """What is in the dump: by recid, by key, the texts of all versions; None deletes."""

    def __init__(self, windrow):
        self.windrow, self.keys, self.deleted = windrow, {}, set()
        for name in ("kept", "legacy"):
            (windrow.folder / name).mkdir(exist_ok=True)
        pipeline = PIPELINE.format(legacy=LEGACY)
        (windrow.folder / "files.yaml").write_text(pipeline)

    def add(self, recid, key, text):
        self.keys.setdefault(recid, {}).setdefault(key, []).append(text)

    def item(self, recid, number, version, key, text):
        bibdoc = recid * 10 + number
        path = f"g0/{bibdoc}/content;{version}"
        place = self.windrow.folder / "legacy" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes((text or "").encode())
        return {
            "bibdocid": bibdoc, "recid": recid, "recids_doctype": [[recid, "Main", key]],
            "name": key, "full_name": key, "format": ".txt", "superformat": ".txt",
            "subformat": "", "version": version, "type": "Main",
            "size": len((text or "").encode()), "mime": "text/plain", "encoding": None,
            "checksum": hashlib.md5((text or "").encode()).hexdigest(),
            "path": f"{LEGACY}/{path}", "full_path": f"{LEGACY}/{path}", "url": "", "etag": "",
            "status": "" if text is not None else "DELETED", "hidden": False, "flags": [],
            "comment": None, "description": None, "copyright": None, "license": None,
            "creation_date": f"2011-02-{version:02}T04:05:06+00:00",
            "modification_date": f"2011-02-{version:02}T04:05:06+00:00",
        }

    def load(self, generation):
        records = []
        for recid in range(FIRST, FIRST + COUNT):
            keys = self.keys.get(recid, {})
            files = [
                self.item(recid, number, version, key, text)
                for number, (key, texts) in enumerate(sorted(keys.items()))
                for version, text in enumerate(texts, 1)
            ]
            more = "<datafield tag='980' ind1=' ' ind2=' '><subfield code='c'>DELETED</subfield></datafield>"
            revisions = [("2010-01-01T00:00:00+00:00", "")]
            if recid in self.deleted:
                revisions.append(("2012-01-01T00:00:00+00:00", more))
            records.append({
                "recid": recid, "files": files, "collections": None,
                "record": [{
                    "modification_datetime": date, "json": None,
                    "marcxml": f"<record><controlfield tag='001'>{recid}</controlfield>"
                               "<datafield tag='245' ind1='0' ind2='0'>"
                               f"<subfield code='a'>Files {recid}</subfield></datafield>{end}</record>",
                } for date, end in revisions],
            })
        for old in self.windrow.folder.glob("files_*.json"):
            old.unlink()
        dump = "[\n" + ",".join(json.dumps(record) for record in records) + "\n]"
        (self.windrow.folder / f"files_{generation}.json").write_text(dump)
        out = self.windrow.call("run", str(self.windrow.folder / "files.yaml"), "--json")
        return json.loads(out)["kinds"]["files"]

    def check(self):
        """Every record through Invenio's API."""
        db.session.expunge_all()
        count = dict.fromkeys(["records", "heads", "versions", "bytes"], 0)
        for recid, keys in self.keys.items():
            pid = PersistentIdentifier.get("recid", str(recid))
            record = Record.get_record(pid.object_uuid, with_deleted=True)
            bucket = record.model and _bucket(record)
            if recid in self.deleted:
                expect(f"bucket of the deleted {recid}", (Bucket.get(bucket.id), bucket.deleted), (None, True))
                continue
            count["records"] += 1
            heads = {key: texts[-1] for key, texts in keys.items() if texts[-1] is not None}
            expect(f"files of {recid}", sorted(file.key for file in record.files), sorted(heads))
            expect(f"_bucket of {recid}", record["_bucket"], str(bucket.id))
            for key, text in heads.items():
                file = record.files[key]
                with file.obj.file.storage().open() as stream:
                    expect(f"bytes of {key} of {recid}", stream.read(), text.encode())
                expect(f"checksum of {key} of {recid}", file.obj.file.verify_checksum(), True)
                entry = next(entry for entry in record["_files"] if entry["key"] == key)
                wanted = {
                    "bucket": str(bucket.id), "key": key, "size": len(text.encode()),
                    "version_id": str(file.obj.version_id), "file_id": str(file.obj.file_id),
                    "checksum": file.obj.file.checksum, "type": key.rsplit(".", 1)[1],
                }
                # Invenio's own entries do without the type.
                expect(f"_files of {recid}", {"type": wanted["type"], **entry}, wanted)
                count["heads"] += 1
                count["bytes"] += len(text.encode())
            for key, texts in keys.items():
                versions = ObjectVersion.get_versions(bucket, key, desc=False).all()
                found = [v.file.size if v.file else None for v in versions]
                wanted = [None if text is None else len(text.encode()) for text in texts]
                expect(f"versions of {key} of {recid}", found, wanted)
                expect(f"head of {key}", [v.is_head for v in versions], [False] * (len(texts) - 1) + [True])
                count["versions"] += len(versions)
            sizes = [v.file.size for v in ObjectVersion.query.filter_by(bucket_id=bucket.id) if v.file]
            expect(f"size of the bucket of {recid}", bucket.size, sum(sizes))
        return ", ".join(f"{number} {name}" for name, number in count.items())


def _bucket(record):
    return RecordsBuckets.query.filter_by(record_id=record.id).one().bucket


def check(windrow, say):
    """Loaded by windrow, read by Invenio, changed by Invenio, loaded again by windrow."""
    files = Files(windrow)
    for recid in range(FIRST, FIRST + COUNT):
        for key in ("a.txt", "b.txt"):
            for version in range(1, 2 + recid % 3):
                files.add(recid, key, f"{key} {version} of {recid} " * 100)
        if recid % 7 == 0:
            files.add(recid, "b.txt", None)
    say(f"files of run 1: {files.load(1)}")
    say(f"Invenio opens {files.check()}")
    expect("the default location", Location.get_default().name, "kept")
    # Invenio puts a version of its own, and locks the bucket of another record.
    first, second = FIRST, FIRST + 1
    record = Record.get_record(PersistentIdentifier.get("recid", str(first)).object_uuid)
    text = "put by Invenio " * 50
    record.files["a.txt"] = io.BytesIO(text.encode())
    record.files.flush()
    record.commit()
    db.session.commit()
    files.add(first, "a.txt", text)
    say(f"Invenio opens {files.check()} once it has put one")
    out = windrow.call("files", "get", str(first), "a.txt")
    expect("windrow files get", out, text)
    locked = _bucket(Record.get_record(PersistentIdentifier.get("recid", str(second)).object_uuid))
    locked.locked = True
    db.session.commit()
    fails("a locked bucket", BucketLockedError, lambda: ObjectVersion.create(locked, "x", stream=io.BytesIO(b"x")))
    verified = json.loads(windrow.call("files", "verify", "--json"))
    expect("files that differ", verified["failed"], 0)
    instances = FileInstance.query.count()
    expect("files that were verified", verified["checked"], instances)
    db.session.expunge_all()
    expect("checks that Invenio sees", FileInstance.query.filter_by(last_check=True).count(), instances)
    swept = windrow.call("files", "sweep", "--older-than", "0s")
    expect("bytes that nobody needs", swept, "")
    say(f"windrow verifies {verified['checked']} files, Invenio's own too, and none is left over")
    files.deleted.add(FIRST + 2)
    say(f"files of run 2: {_again(files)}")
    say(f"Invenio opens {files.check()} after a record was deleted")


def _again(files):
    # What Invenio has put is none of the dump's.
    own = files.keys[FIRST]["a.txt"].pop()
    counts = files.load(2)
    files.keys[FIRST]["a.txt"].append(own)
    expect("new files of a dump that has none", (counts["loaded"], counts["quarantined"]), (0, 0))
    return counts
