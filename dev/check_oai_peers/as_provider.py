"""10,000 records of windrow's, with sets and deletions, harvested by the clients of others.

Each client takes the whole list, a set, and what changed since: records that a pipeline created,
changed and deleted meanwhile, and single records. What it got must be what the store has.
"""

import json
import sqlite3
import subprocess
import time
import urllib.parse
import urllib.request
import xml.etree.ElementTree as tree

from peers import CLIENTS

RECORDS = 10_000
OAI = "{http://www.openarchives.org/OAI/2.0/}"
CROSSWALK = """\
crosswalk: meadow
version: 1
from: { format: json }
to: { format: json }
rules:
  - { id: id, to: id, from: $.id }
  - { id: title, to: metadata.title, from: $.title }
  - { id: set, to: "collections[]", from: $.set }
  - { id: deleted, to: deleted, let: { gone: { from: $.gone } }, when: "gone == 'yes'", const: true }
"""
PIPELINE = """\
pipeline: meadow
source: { format: json_lines, paths: meadow.jsonl }
crosswalk: meadow.yaml
"""


def line(number, edition=1, gone=False):
    sets = ["hay:wet", "hay:dry", "straw"][number % 3]
    record = {"id": f"m{number}", "title": f"Row {number}, {edition} <&> é", "set": sets}
    return json.dumps(record | ({"gone": "yes"} if gone else {})) + "\n"


def load(peers, folder, lines):
    (folder / "meadow.jsonl").write_text("".join(lines))
    ended = peers.windrow("run", "pipeline.yaml", "--store", "sqlite:store.db", cwd=folder)
    if ended.returncode:
        raise RuntimeError(f"windrow run ended with {ended.returncode}: {ended.stderr}")


def change_single(peers, folder):
    """What is done by hand: one record made, one changed, one deleted."""
    new = json.dumps({"id": "m1", "metadata": {"title": "By hand"}, "collections": ["straw"]})
    made = new.replace('"m1"', '"hand"')
    for verb, stdin in (("create", made), ("update m1", new), ("delete m2", "")):
        command = ["records", *verb.split(), "--store", "sqlite:store.db"]
        ended = peers.windrow(*command, cwd=folder, input=stdin)
        if ended.returncode:
            raise RuntimeError(f"windrow records {verb}: {ended.stderr}")


def stored(folder, namespace, since="", spec=None):
    """(identifier, datestamp, deleted) of the store, from a time on, in a set or below it."""
    connection = sqlite3.connect(folder / "store.db")
    stamp = "strftime('%Y-%m-%dT%H:%M:%SZ', datestamp, 'unixepoch')"
    query = f"select pid_value, {stamp}, deleted, sets from windrow_oai where {stamp} >= ?"
    rows = connection.execute(query, (since,)).fetchall()
    connection.close()
    return {
        (f"oai:{namespace}:{value}", when, str(deleted))
        for value, when, deleted, sets in rows
        if spec is None or any(s == spec or s.startswith(f"{spec}:") for s in sets.split())
    }


def ask(url, **arguments):
    query = urllib.parse.urlencode(arguments)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}?{query}") as answer:
        return tree.parse(answer)


def settle(url, folder, namespace):
    """Waits until what was changed is given out: a responseDate is behind its second."""
    newest = max(stamp for _, stamp, _ in stored(folder, namespace))
    for _ in range(100):
        if ask(url, verb="Identify").findtext(f"{OAI}responseDate") > newest:
            return
        time.sleep(0.1)
    raise RuntimeError(f"no responseDate is behind {newest} after 10 s")


def harvests(clients, url, arguments, expected):
    """All clients at once; True when each has got what is expected."""
    running = {
        name: subprocess.Popen(
            [*command, url, *arguments], env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for name, (command, environment) in clients.items()
    }
    good, what = True, " ".join(arguments) or "whole"
    for name, process in running.items():
        out, err = process.communicate(timeout=600)
        lines = [tuple(line.split("\t")) for line in out.splitlines()]
        found = set(lines)
        deleted = sum(row[2] == "1" for row in found)
        said = f"{name:16} {what:28} {len(lines):6} records, {deleted:4} deleted"
        if process.returncode == 0 and found == expected and len(lines) == len(expected):
            print(said)
            continue
        good = False
        last = (err.strip().splitlines() or [""])[-1]
        print(f"{said}   WRONG: status {process.returncode}, {len(expected - found)} missing, "
              f"{len(found - expected)} not in the store, {len(lines) - len(found)} doubled: {last}")
    return good


def examined(peers, url):
    """windrow's own doctor has nothing to say against windrow."""
    ended = peers.windrow("doctor", url, "--json")
    findings = [json.loads(line) for line in ended.stdout.splitlines()]
    bad = [f"{row['check']}: {row['message']}" for row in findings if row["grade"] != "good"]
    print(f"{'windrow':16} {'doctor':28} {len(findings) - len(bad)} good" + "".join(f"\n  WRONG: {one}" for one in bad))
    return bool(findings) and not bad


def check(peers):
    clients = peers.installed(CLIENTS)
    if not clients:
        print("no client could be installed")
        return False
    folder = peers.work / "provider"
    folder.mkdir()
    (folder / "meadow.yaml").write_text(CROSSWALK)
    (folder / "pipeline.yaml").write_text(PIPELINE)
    numbers = range(1, RECORDS + 1)
    load(peers, folder, map(line, numbers))
    # Deleted are those that have been there.
    load(peers, folder, [line(number, gone=number % 20 == 0) for number in numbers])

    namespace = "meadow.example"
    command = [peers.program, "serve", "--store", "sqlite:store.db", "--listen", "127.0.0.1:0"]
    server = peers.serve([*command, "--repository-id", namespace], cwd=folder, stderr=subprocess.PIPE)
    url = server.stderr.readline().split("OAI-PMH at ", 1)[1].split(",")[0].strip()

    settle(url, folder, namespace)
    good = harvests(clients, url, [], stored(folder, namespace))
    good &= harvests(clients, url, ["set=hay"], stored(folder, namespace, spec="hay"))
    good &= examined(peers, url)
    since = ask(url, verb="Identify").findtext(f"{OAI}responseDate")
    changed = [line(n, 2 if n % 33 == 0 else 1, gone=n % 20 == 0 or n % 50 == 7) for n in numbers]
    load(peers, folder, changed + [line(RECORDS + n) for n in range(1, 101)])
    change_single(peers, folder)
    settle(url, folder, namespace)
    news = stored(folder, namespace, since)
    if not 500 < len(news) < 1000 or len({row[2] for row in news}) != 2:
        print(f"WRONG: {len(news)} records changed since {since}")
        good = False
    good &= harvests(clients, url, [f"from={since}"], news)
    good &= harvests(clients, url, [f"from={since}", "set=straw"], stored(folder, namespace, since, "straw"))
    return good
