"""1,000 records of each of the world's providers, harvested by windrow.

`windrow harvest records` and a pipeline of `type: oai-pmh` take them whole; then records are
changed, deleted and added there, and both take what is new. What came is held against the
provider's file, `windrow doctor` against KNOWN.
"""

import json
import pathlib
import sqlite3
import time

import meadow
from peers import PROVIDERS

RECORDS = 1000
PAGE_SIZE = 100
ROOT = pathlib.Path(__file__).resolve().parents[2]

# Lists of these leave deleted records out; Identify says so.
WITHOUT_DELETIONS = {"oai-repo"}
# The checks of `windrow doctor` that call a provider wrong, as it is.
KNOWN = {
    "oai-repo": {"two granularities (§3.3.1)"},
    "Dancer-Catmandu": {"Content-Type (§3.1.1.2)"},
}


def stamp(ago):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago))


def expected(records, keeps):
    return {
        (meadow.identifier(one), one["datestamp"], one["deleted"])
        for one in records
        if keeps or not one["deleted"]
    }


def harvested(peers, url, arguments):
    ended = peers.windrow("harvest", "records", url, "--retries", "2", *arguments)
    rows = [json.loads(line) for line in ended.stdout.splitlines()]
    if ended.returncode:
        print(ended.stderr)
    found = {(row["identifier"], row["datestamp"], row["deleted"]) for row in rows}
    return found if len(found) == len(rows) and not ended.returncode else None


def run(peers, folder):
    """The pipeline once; its report."""
    ended = peers.windrow("run", "pipeline.yaml", "--store", "sqlite:store.db", "--json", cwd=folder)
    if ended.returncode:
        raise RuntimeError(f"windrow run ended with {ended.returncode}: {ended.stderr}")
    return json.loads(ended.stdout)


def kept(folder):
    """(identifier, title or None when deleted) of the store."""
    connection = sqlite3.connect(folder / "store.db")
    query = (
        "select o.pid_value, json_extract(m.json, '$.metadata.title') from windrow_oai o "
        "join records_metadata m on m.id = o.id"
    )
    rows = set(connection.execute(query))
    connection.close()
    return rows


def check_one(peers, name, row):
    keeps = name not in WITHOUT_DELETIONS
    folder = peers.work / f"harvest-{name}"
    folder.mkdir()
    file = folder / "records.jsonl"
    # Some times are shared by more records than a page has.
    first = [
        meadow.record(n, stamp(86_400 * (1 + n % 7)), deleted=n % 20 == 0)
        for n in range(1, RECORDS + 1)
    ]
    meadow.write(file, first)
    _, url = peers.provider(name, row, file, PAGE_SIZE)
    crosswalk = ROOT / "crosswalks/oai_dc-to-record.yaml"
    pipeline = f"pipeline: meadow\nsource: {{ type: oai-pmh, url: '{url}' }}\ncrosswalk: {crosswalk}\n"
    (folder / "pipeline.yaml").write_text(pipeline)
    good = True

    def hold(what, found, wanted):
        nonlocal good
        if found == wanted:
            print(f"{name:16} {what:28} {len(wanted):6} records")
            return
        good = False
        less, more = len(wanted - (found or set())), len((found or set()) - wanted)
        print(f"{name:16} {what:28} WRONG: {less} missing, {more} not there")

    hold("harvest, whole", harvested(peers, url, []), expected(first, keeps))
    in_straw = [one for one in first if "straw" in one["sets"]]
    hold("harvest, a set", harvested(peers, url, ["--set", "straw"]), expected(in_straw, keeps))
    run(peers, folder)
    title = lambda one: None if one["deleted"] else one["dc"]["title"][0]
    # What was deleted before it was ever seen is not kept.
    wanted = {(meadow.identifier(one), title(one)) for one in first if not one["deleted"]}
    hold("pipeline, whole", kept(folder), wanted)

    now = stamp(0)
    second = [
        meadow.record(n, now, n % 20 == 0 or n % 50 == 7, 2) if n % 30 == 1 or n % 50 == 7 else one
        for n, one in enumerate(first, 1)
    ] + [meadow.record(RECORDS + n, now) for n in range(1, 31)]
    meadow.write(file, second)
    news = [one for one in second if one["datestamp"] == now]
    hold("harvest, what is new", harvested(peers, url, ["--from", now]), expected(news, keeps))
    read = run(peers, folder)["counts"]["read"]
    live = {one["id"]: one for one in second if not one["deleted"]}
    # What was live is a tombstone now, or, where deletions are not told of, as it was.
    gone = [one for one in first if not one["deleted"] and one["id"] not in live]
    wanted = {(meadow.identifier(one), title(one)) for one in live.values()}
    wanted |= {(meadow.identifier(one), None if keeps else title(one)) for one in gone}
    hold(f"pipeline, {read} read", kept(folder), wanted)
    if read > 2 * len(news):
        good = False
        print(f"{name:16} WRONG: {read} records read, {len(news)} are new")
    return doctor(peers, name, url) and good


def doctor(peers, name, url):
    ended = peers.windrow("doctor", url, "--json")
    findings = [json.loads(line) for line in ended.stdout.splitlines()]
    wrong = {row["check"]: row["message"] for row in findings if row["grade"] == "wrong"}
    if findings and ended.returncode == bool(wrong) and set(wrong) == KNOWN.get(name, set()):
        grades = [row["grade"] for row in findings]
        words = ", ".join(f"{grades.count(grade)} {grade}" for grade in ("good", "awkward", "wrong"))
        print(f"{name:16} {'doctor':28} {words}")
        return True
    print(f"{name:16} doctor   WRONG: status {ended.returncode}, {wrong}, {ended.stderr}")
    return False


def check(peers):
    providers = peers.installed(PROVIDERS)
    if not providers:
        print("no provider could be installed")
        return False
    return all([check_one(peers, name, row) for name, row in providers.items()])
