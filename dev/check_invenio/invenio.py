"""What Invenio itself makes of a database: its own models read it and write to it."""

import uuid
import warnings

from flask import Flask
from invenio_db import InvenioDB, db
from invenio_files_rest import InvenioFilesREST
from invenio_i18n import InvenioI18N
from invenio_oaiserver.models import OAISet
from invenio_pidstore import InvenioPIDStore
from invenio_pidstore.errors import PIDDeletedError, PIDRedirectedError
from invenio_pidstore.minters import recid_minter
from invenio_pidstore.models import PersistentIdentifier, PIDStatus, RecordIdentifier
from invenio_pidstore.resolver import Resolver
from invenio_records import InvenioRecords, Record
from invenio_records.models import RecordMetadata
from sqlalchemy.orm.exc import NoResultFound
from sqlalchemy_continuum import transaction_class, version_class

from dumps import Expected, Revision

# Of Invenio's nested transactions, on SQLite.
warnings.filterwarnings("ignore", "nested transaction already deassociated")


class Wrong(Exception):
    """Invenio sees something else than it should."""


def application(url):
    """A Flask app on a database, with the extensions that know its tables."""
    app = Flask("check-invenio")
    if url.startswith("sqlite:"):
        url = "sqlite:///" + url[len("sqlite:"):]
    app.config.update(
        SQLALCHEMY_DATABASE_URI=url, DB_VERSIONING=True, SECRET_KEY="check", TESTING=True
    )
    InvenioDB(app)
    for extension in (InvenioI18N, InvenioRecords, InvenioPIDStore, InvenioFilesREST):
        extension(app)
    return app


def expect(what, found, wanted):
    if found != wanted:
        raise Wrong(f"{what}: found {found!r}, expected {wanted!r}")


def expect_same(what, found, wanted):
    """Of two tables by key: the first row that differs is named."""
    for key in found.keys() | wanted.keys():
        expect(f"{what}, {key}", found.get(key), wanted.get(key))


def fails(what, error, call):
    try:
        found = call()
    except error as raised:
        return raised
    raise Wrong(f"{what}: found {found!r}, expected {error.__name__}")


def create_tables():
    db.create_all()


def execute(sql):
    """Runs statements as the database's own driver takes them."""
    connection = db.engine.raw_connection()
    connection.cursor().execute(sql)
    connection.commit()
    connection.close()


def create_own(count, model):
    """Records that Invenio made, with its own recids; they are in the model, too."""
    recids = []
    for n in range(count):
        recids.append(_new_record(f"Invenio's own {n}", model))
    return recids


def _new_record(title, model):
    id_ = uuid.uuid4()
    data = {"metadata": {"title": title}}
    pid = recid_minter(id_, data)
    record = Record.create(data, id_=id_)
    db.session.commit()
    model.own.add(pid.pid_value)
    revisions = [Revision(dict(record), record.updated)]
    model.records[pid.pid_value] = Expected(id_, record.created, revisions=revisions)
    return pid.pid_value


def read(model):
    """Every row through Invenio's models; every fifth record, and all that are no longer as they
    came, through its API as well."""
    count = dict.fromkeys(["records", "tombstones", "revisions", "redirects", "by the API"], 0)
    db.session.expunge_all()
    for number, (recid, expected) in enumerate(model.records.items()):
        count["records" if expected.live else "tombstones"] += 1
        count["revisions"] += len(expected.revisions)
        count["redirects"] += expected.status == "M"
        if number % 5 == 0 or expected.status != "R" or recid in model.touched:
            _record(recid, expected)
            count["by the API"] += 1
    _records(model)
    _pids(model)
    _versions(model)
    expect("largest recid", RecordIdentifier.max(), max(int(r) for r in model.records if r.isdigit()))
    names = {name for expected in model.records.values() for name in expected.sets}
    expect("sets", sorted(row.name for row in OAISet.query), sorted(names))
    return ", ".join(f"{number} {name}" for name, number in count.items())


def _record(recid, expected):
    record = Record.get_record(expected.id, with_deleted=True)
    if expected.live:
        expect(recid, dict(Record.get_record(expected.id)), expected.json)
    else:
        fails(recid, NoResultFound, lambda: Record.get_record(expected.id))
        expect(f"{recid} is deleted", (record.is_deleted, record.model.json), (True, None))
    expect(f"revision of {recid}", record.revision_id, len(expected.revisions) - 1)
    expect(f"creation of {recid}", record.created, expected.created)
    expect(f"change of {recid}", record.updated, expected.revisions[-1].updated)
    expect(f"revisions of {recid}", len(record.revisions), len(expected.revisions))
    for number, (revision, wanted) in enumerate(zip(record.revisions, expected.revisions)):
        what = f"revision {number} of {recid}"
        expect(what, dict(revision), wanted.json or {})
        expect(what, revision.revision_id, number)
        expect(what, (revision.created, revision.updated), (expected.created, wanted.updated))
        expect(what, dict(record.revisions[number]), wanted.json or {})
    _pid(recid, record, expected)


def _pid(recid, record, expected):
    pid = PersistentIdentifier.get("recid", recid)
    resolver = Resolver(pid_type="recid", object_type="rec", getter=Record.get_record)
    if expected.status == "M":
        error = fails(recid, PIDRedirectedError, lambda: resolver.resolve(recid))
        expect(f"where {recid} leads", error.destination_pid.pid_value, expected.redirect)
    elif expected.status == "D":
        error = fails(recid, PIDDeletedError, lambda: resolver.resolve(recid))
        expect(f"record of the deleted {recid}", error.record, None)
    else:
        expect(recid, resolver.resolve(recid), (pid, record))
        expect(recid, PersistentIdentifier.get_by_object("recid", "rec", record.id), pid)


def _records(model):
    found = {
        row.id: (row.json, row.version_id, row.created, row.updated)
        for row in RecordMetadata.query
    }
    wanted = {
        one.id: (one.json, len(one.revisions), one.created, one.revisions[-1].updated)
        for one in model.records.values()
    }
    expect_same("records_metadata", found, wanted)


def _pids(model):
    found, wanted = {}, {}
    for pid in PersistentIdentifier.query:
        named = pid.get_redirect().pid_value if pid.is_redirected() else pid.object_uuid
        found[pid.pid_type, pid.pid_value] = (pid.status.value, pid.object_type, named)
    for recid, one in model.records.items():
        redirected = ("M", None, one.redirect)
        wanted["recid", recid] = redirected if one.redirect else (one.status, "rec", one.id)
    expect_same("pidstore_pid", found, wanted)


def _versions(model):
    """SQLAlchemy-Continuum's own view: every version has a transaction, and they follow on."""
    version, transaction = version_class(RecordMetadata), transaction_class(RecordMetadata)
    rows = db.session.query(version, transaction).outerjoin(
        transaction, transaction.id == version.transaction_id
    )
    chains = {}
    for row, made_in in rows.order_by(version.id, version.transaction_id):
        if made_in is None or made_in.issued_at is None:
            raise Wrong(f"version {row.version_id} of {row.id} has no transaction")
        chains.setdefault(row.id, []).append(row)
    wanted = {
        one.id: [
            (revision.json, number, one.created, revision.updated, min(number - 1, 1))
            for number, revision in enumerate(one.revisions, 1)
        ]
        for one in model.records.values()
    }
    found = {
        id_: [(r.json, r.version_id, r.created, r.updated, r.operation_type) for r in chain]
        for id_, chain in chains.items()
    }
    expect_same("records_metadata_version", found, wanted)
    for id_, chain in chains.items():
        ends = [row.transaction_id for row in chain[1:]] + [None]
        expect(f"ends of versions of {id_}", [row.end_transaction_id for row in chain], ends)


def change(model):
    """Changes records through Invenio's API as an application would, and notes it in the model."""
    loaded = [recid for recid in model.records if recid not in model.own]
    live = [recid for recid in loaded if model.records[recid].status == "R"]
    dead = [recid for recid in loaded if model.records[recid].status == "D"]
    long = [recid for recid in live[40:] if len(model.records[recid].revisions) > 2]
    # Of each some that the next generation of the dump changes again, some that it does not.
    for recid in live[:6]:
        record = _get(recid)
        record["metadata"]["title"] = "Changed by Invenio"
        record.commit()
        _note(model, recid, record)
    for recid in live[10:16]:
        record = _get(recid)
        PersistentIdentifier.get("recid", recid).delete()
        record.delete()
        _note(model, recid, record, "D")
    for recid in long[:5]:
        record = _get(recid).revert(0)
        expect(f"{recid} reverted", dict(record), model.records[recid].revisions[0].json)
        _note(model, recid, record)
    for recid in dead[:3]:
        record = Record.get_record(PersistentIdentifier.get("recid", recid).object_uuid, with_deleted=True)
        record = record.undelete()
        db.session.commit()
        model.records[recid].revisions.append(Revision({}, record.updated))
        record["metadata"] = {"title": "Back by Invenio"}
        record.commit()
        PersistentIdentifier.get("recid", recid).sync_status(PIDStatus.REGISTERED)
        _note(model, recid, record, "R")
    before = RecordIdentifier.max()
    for n in range(3):
        recid = _new_record(f"Made after the load {n}", model)
        expect("the next recid", int(recid), before + 1 + n)
    for source, target in zip(live[20:23], live[30:33]):
        PersistentIdentifier.get("recid", source).redirect(PersistentIdentifier.get("recid", target))
        db.session.commit()
        model.redirect(source, target)


def _get(recid):
    return Record.get_record(PersistentIdentifier.get("recid", recid).object_uuid)


def _note(model, recid, record, status=None):
    db.session.commit()
    expected = model.records[recid]
    model.touched.add(recid)
    json = None if record.is_deleted else dict(record)
    expected.revisions.append(Revision(json, record.updated))
    expected.status = status or expected.status
