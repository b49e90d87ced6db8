"""Has Invenio open what windrow loaded, and windrow what Invenio changed; see dev/check-invenio.

    check.py WINDROW FOLDER URL windrow|invenio|older

The database at URL is empty and is made by windrow, by Invenio, or by an Invenio of old. Prints a
line for each thing checked; ends with 1 at the first thing that is wrong.
"""

import contextlib
import json
import pathlib
import re
import subprocess
import sys
import urllib.parse
import urllib.request
import uuid
import xml.etree.ElementTree
from datetime import datetime

import catalog
import dumps
import files
import invenio

OAI = "{http://www.openarchives.org/OAI/2.0/}"
# As Invenio up to 3.4 made them: no time zones, and transactions counted in 32 bits.
OLDER = """
    do $$ declare c record; begin
      for c in select table_name, column_name from information_schema.columns
        where table_schema = 'public' and data_type = 'timestamp with time zone'
      loop execute format('alter table %I alter column %I type timestamp without time zone '
        'using %2$I at time zone ''UTC''', c.table_name, c.column_name); end loop; end $$;
    alter table transaction alter column id type integer;
    alter sequence transaction_id_seq as integer;
    alter table records_metadata_version alter column transaction_id type integer;
    alter table records_metadata_version alter column end_transaction_id type integer;
"""


class Windrow:
    """The program on one store."""

    def __init__(self, program, store, folder):
        self.program, self.store, self.folder = program, store, folder
        (folder / "crosswalk.yaml").write_text(dumps.CROSSWALK)
        (folder / "pipeline.yaml").write_text(dumps.PIPELINE)

    def call(self, *arguments, statuses=(0,)):
        command = [self.program, *arguments, "--store", self.store]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode not in statuses:
            raise invenio.Wrong(f"{' '.join(command)}: {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def load(self, dump, fates):
        dumps.write(dump, self.folder / "dump.xml")
        out = self.call("run", str(self.folder / "pipeline.yaml"), "--json", statuses=(0, 1))
        report = json.loads(out)
        invenio.expect("fates of a run", report["counts"], fates)
        return " + ".join(f"{number} {fate}" for fate, number in fates.items() if number)

    def redirect(self, source, target):
        self.call("pids", "redirect", f"recid:{source}", f"recid:{target}")

    def records(self, ids):
        """Current revisions, by UUID, tombstones too."""
        out = self.call("records", "get", "--with-deleted", *map(str, ids))
        lines = [json.loads(line) for line in out.splitlines()]
        return {uuid.UUID(line["uuid"]): _revision(line) for line in lines}

    def revisions(self, id_):
        out = self.call("records", "revisions", str(id_))
        return [_revision(json.loads(line)) for line in out.splitlines()]

    def headers(self):
        """What the OAI-PMH endpoint lists: recid to datestamp, whether deleted, setSpecs."""
        with self._endpoint() as url:
            headers, query = {}, "verb=ListIdentifiers&metadataPrefix=oai_dc"
            while query:
                with urllib.request.urlopen(f"{url}?{query}") as answer:
                    page = xml.etree.ElementTree.parse(answer)
                for header in page.iter(f"{OAI}header"):
                    recid = header.findtext(f"{OAI}identifier").rsplit(":", 1)[1]
                    datestamp = datetime.fromisoformat(header.findtext(f"{OAI}datestamp"))
                    sets = sorted(spec.text for spec in header.iter(f"{OAI}setSpec"))
                    headers[recid] = (datestamp, header.get("status") == "deleted", sets)
                token = page.find(f".//{OAI}resumptionToken")
                more = token is not None and token.text
                query = more and f"verb=ListIdentifiers&resumptionToken={urllib.parse.quote(more)}"
        return headers

    @contextlib.contextmanager
    def _endpoint(self):
        command = [self.program, "serve", "--store", self.store, "--listen", "127.0.0.1:0"]
        with subprocess.Popen([*command, "--page-size", "400"], stderr=subprocess.PIPE, text=True) as server:
            try:
                line = server.stderr.readline()
                found = re.search(r"http://\S+/oai", line)
                if not found:
                    raise invenio.Wrong(f"windrow does not serve: {line}{server.stderr.read()}")
                yield found[0]
            finally:
                server.terminate()


def _revision(line):
    moments = [datetime.fromisoformat(line[name]) for name in ("created", "updated")]
    return (line["record"], line["revision"], *moments)


def check_records(windrow, model):
    """windrow reads every record as it is, and the history of those that Invenio changed."""

    def wanted(one, number):
        revision = one.revisions[number]
        return (revision.json, number, one.created, revision.updated)

    found = windrow.records([one.id for one in model.records.values()])
    last = {one.id: wanted(one, len(one.revisions) - 1) for one in model.records.values()}
    invenio.expect_same("windrow records get", found, last)
    for recid in sorted(model.touched):
        one = model.records[recid]
        history = [wanted(one, number) for number in range(len(one.revisions))]
        invenio.expect(f"windrow records revisions {recid}", windrow.revisions(one.id), history)
    return f"{len(found)} records, and all revisions of {len(model.touched)} that Invenio changed"


def check_headers(windrow, model):
    """What windrow gives out is what it loaded, and what Invenio made of it since."""
    headers = windrow.headers()
    listed = {recid: one for recid, one in model.records.items() if one.status != "M"}
    for recid, one in listed.items():
        if recid not in headers:
            raise invenio.Wrong(f"windrow does not list {recid}")
        datestamp, deleted, sets = headers[recid]
        invenio.expect(f"whether {recid} is listed as deleted", deleted, not one.live)
        updated = one.revisions[-1].updated.replace(microsecond=0)
        if recid not in model.touched:
            last = one.listed.replace(microsecond=0) if one.listed else updated
            invenio.expect(f"datestamp of {recid}", datestamp, last)
        elif datestamp < updated:
            raise invenio.Wrong(f"datestamp of {recid} is {datestamp}, and it changed at {updated}")
    return len(listed)


def check(windrow, base, say):
    """One database from its beginning to its end."""
    model = dumps.Model()
    before = None
    if base != "windrow":
        invenio.create_tables()
        if base == "older":
            invenio.execute(OLDER)
        own = invenio.create_own(10, model)
        before = catalog.read(windrow.store)
        say(f"Invenio made {len(before)} tables and {len(own)} records")

    def load(number, dump):
        fates = model.load(dump)
        say(f"run {number}: {windrow.load(dump, fates)}")

    generations = list(dumps.generations(own=sorted(model.own)[:2]))
    for number, dump in enumerate(generations[:3]):
        load(number, dump)
    if before:
        after = catalog.without_windrow(catalog.read(windrow.store))
        invenio.expect("catalog", after, before)
        say(f"windrow added its own tables and changed none of {len(before)}")
    loaded = [recid for recid, one in model.records.items() if one.status == "R" and one.source]
    for source, target in zip(loaded[50:53], loaded[60:63]):
        windrow.redirect(source, target)
        model.redirect(source, target)
    say(f"Invenio reads {invenio.read(model)}")
    say(f"windrow lists {check_headers(windrow, model)} records with their datestamps")
    invenio.change(model)
    say(f"Invenio reads {invenio.read(model)} once it has changed some")
    say(f"windrow reads {check_records(windrow, model)}")
    say(f"windrow lists {check_headers(windrow, model)} records as Invenio has changed them")
    load(3, generations[3])
    say(f"Invenio reads {invenio.read(model)} after the last run")
    say(f"windrow reads {check_records(windrow, model)}")
    files.check(windrow, say)


def main():
    program, folder, url, base = sys.argv[1:]
    keeper = url.split(":")[0]

    def say(text):
        print(f"{keeper:10} {base:8} {text}", flush=True)

    try:
        with invenio.application(url).app_context():
            check(Windrow(program, url, pathlib.Path(folder)), base, say)
    except invenio.Wrong as wrong:
        say(f"WRONG: {wrong}")
        sys.exit(1)


if __name__ == "__main__":
    main()
