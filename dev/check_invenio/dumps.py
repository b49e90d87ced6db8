"""Dumps of invented records in several generations, and what a store must hold after each."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from xml.sax.saxutils import escape

COUNT = 1000
# Numbers below are left to the records that Invenio makes.
FIRST = 5001
# What JSON, SQL and COPY write in their own ways.
TEXTS = [
    'Grain, "straw" and \\n chaff',
    "Fenêtres — Öl — Ærø",
    "Колосья и 穀物 and سنبلة",
    "Tab\there, back\\slash, 'quote'",
    "Beyond the plane: 𝒲𝓇 🌾",
    "e\u0301 apart, é together",
    "{\"$ref\": \"#/nothing\"} \\. %s ? :name",
    "null",
]
COLLECTIONS = ["Articles", "Theses", "Field notes"]

# Of record UUIDs: version 5 of it, source name, unit separator, identifier.
NAMESPACE = uuid.UUID("6f1a35f2-73b8-5d1c-9b41-1f6e0d9a4c27")

CROSSWALK = """\
crosswalk: check-invenio
version: 1
from: { format: marc21 }
to: { format: json }
rules:
  - { id: recid, to: id, from: "001" }
  - { id: deleted, to: deleted, let: { status: { from: LDR/05 } }, when: "status == 'd'", const: true }
  - { id: title, to: metadata.title, from: "245$a" }
  - { id: note, to: "metadata.notes[]", from: "500$a" }
  - { id: collection, to: "collections[]", from: "980$a" }
"""

PIPELINE = """\
pipeline: check-invenio
source: { paths: [dump.xml], format: marcxml }
crosswalk: crosswalk.yaml
load: { datestamps: preserve }
"""


@dataclass
class Revision:
    """One revision of a record; `json` is None when it is a deletion."""

    json: dict | None
    updated: datetime


@dataclass
class Expected:
    """A record as the store must hold it."""

    id: uuid.UUID
    created: datetime
    status: str = "R"
    # The recid that a redirected PID leads to.
    redirect: str | None = None
    revisions: list[Revision] = field(default_factory=list)
    # What the dump said last, whatever Invenio made of the record since.
    source: dict | None = None
    # The date of what the dump brought last, were it no more than other bytes of the same record.
    listed: datetime | None = None

    @property
    def json(self):
        return self.revisions[-1].json

    @property
    def sets(self):
        """All that it ever was in."""
        return {name for r in self.revisions for name in (r.json or {}).get("collections", [])}

    @property
    def live(self):
        return self.json is not None


class Model:
    """All records that a store must hold, by recid; `load` does what a run must do."""

    def __init__(self):
        self.records = {}
        # Recids of records that Invenio made.
        self.own = set()
        # Recids of records that Invenio changed.
        self.touched = set()

    def redirect(self, source, target):
        self.records[source].status = "M"
        self.records[source].redirect = target

    def load(self, dump):
        """The fates that `windrow run` must report for this dump."""
        fates = dict.fromkeys(
            ["read", "created", "updated", "unchanged", "deleted", "skipped", "quarantined"], 0
        )
        for record in dump:
            fates["read"] += 1
            fates[self._fate(record)] += 1
        return fates

    def _fate(self, record):
        expected = self.records.get(record.recid)
        json = None if record.deleted else record.json()
        if expected and expected.source == json:
            if json is not None and expected.live:
                expected.listed = record.stamp
            return "unchanged"
        if json is None and not (expected and expected.live):
            return "unchanged"
        # The recid is another record's, or leads to one.
        if record.recid in self.own or expected and expected.status == "M":
            return "quarantined"
        fate = "deleted" if json is None else "updated" if expected else "created"
        if not expected:
            id_ = uuid.uuid5(NAMESPACE, f"check-invenio\x1f{record.recid}")
            expected = self.records[record.recid] = Expected(id_, record.stamp)
        expected.source, expected.listed = json, record.stamp
        expected.status = "R" if json else "D"
        expected.revisions.append(Revision(json, record.stamp))
        return fate


@dataclass
class Marc:
    """A record of a dump."""

    recid: str
    version: int
    stamp: datetime
    deleted: bool = False

    def json(self):
        n = int(self.recid.strip("wr-"))
        return {
            "id": self.recid,
            "metadata": {
                "title": f"{TEXTS[n % len(TEXTS)]} ({self.version})",
                "notes": [text for i, text in enumerate(TEXTS) if n >> i & 1] or ["none"],
            },
            "collections": [COLLECTIONS[(n + self.version) % len(COLLECTIONS)]],
        }

    def xml(self):
        json = self.json()
        fields = [("245", json["metadata"]["title"])]
        fields += [("500", note) for note in json["metadata"]["notes"]]
        fields += [("980", name) for name in json["collections"]]
        data = "".join(
            f'<datafield tag="{tag}" ind1=" " ind2=" "><subfield code="a">{escape(value)}'
            "</subfield></datafield>"
            for tag, value in fields
        )
        status = "d" if self.deleted else "c"
        return (
            f"<record><leader>00000{status}am a2200000 i 4500</leader>"
            f'<controlfield tag="001">{self.recid}</controlfield>'
            f'<controlfield tag="005">{self.stamp:%Y%m%d%H%M%S}.0</controlfield>{data}</record>\n'
        )


def write(dump, path):
    with open(path, "w", encoding="utf-8") as out:
        out.write('<?xml version="1.0" encoding="UTF-8"?>\n')
        out.write('<collection xmlns="http://www.loc.gov/MARC21/slim">\n')
        out.writelines(record.xml() for record in dump)
        out.write("</collection>\n")


def generations(own=()):
    """Four generations of one dump; `own` are recids that Invenio has given to others."""
    versions = {}
    gone = set()
    for generation in range(4):
        start = datetime(2001 + generation, 2, 3, 4, 5, 6, tzinfo=timezone.utc)
        dump = []
        for n in range(COUNT + 10 * generation):
            recid = f"wr-{FIRST + n}" if n % 50 == 49 else str(FIRST + n)
            stamp = start + timedelta(seconds=n)
            if generation and n % 3 == generation % 3:
                versions[n] = versions.get(n, 0) + 1
                # One that comes back is another one than before.
                gone.discard(n)
            if generation and n % 20 == 7 + generation:
                gone.add(n)
            dump.append(Marc(recid, versions.get(n, 0), stamp, n in gone))
            # The same record three times in one dump: three revisions in one transaction.
            if generation == 1 and n % 100 == 1:
                for _ in range(2):
                    versions[n] = versions.get(n, 0) + 1
                    stamp += timedelta(seconds=1)
                    dump.append(Marc(recid, versions[n], stamp))
        if generation == 0:
            dump += [Marc(recid, 0, start) for recid in own]
        yield dump
