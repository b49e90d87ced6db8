"""The records that the providers give: a file of JSON lines, read again when it changes.

A line is {"id", "datestamp", "deleted", "sets", "dc"}; dc has lists of texts by element.
"""

import json
import os

NAMESPACE = "meadow.example"
SETS = {"hay": "Hay", "straw": "Straw"}
WORDS = ("meadow", "orchard", "windrow", "hay & straw", "Kühe <drei>", "rake", "scythe", "barn")


def record(number, stamp, deleted=False, edition=1):
    """An invented record of 1.2 kB."""
    words = [f"{word} {number * 7919 % 9973}" for word in WORDS]
    dc = {
        "title": [f"On the drying of {words[number % 8]}, part {number}, edition {edition}"],
        "creator": [f"Rake, R. {number % 300}", "Scythe, S."],
        "subject": words,
        "description": [" ".join(words * 3)],
        "publisher": ["Meadow Press"],
        "date": ["2021"],
        "type": ["Text"],
        "identifier": [f"https://meadow.example/{number}"],
        "language": ["eng"],
    }
    sets = ["hay"] if number % 3 else ["straw"]
    return {"id": f"m{number}", "datestamp": stamp, "deleted": deleted, "sets": sets, "dc": dc}


def write(path, records):
    beside = path.with_suffix(".new")
    with open(beside, "w", encoding="utf-8") as file:
        for one in records:
            file.write(json.dumps(one, ensure_ascii=False) + "\n")
    # At once: a provider may be reading.
    os.replace(beside, path)


class Meadow:
    def __init__(self, path):
        self.path, self.read = path, None

    def refresh(self):
        state = os.stat(self.path)
        if (state.st_mtime_ns, state.st_ino) == self.read:
            return
        self.read = (state.st_mtime_ns, state.st_ino)
        with open(self.path, encoding="utf-8") as file:
            records = [json.loads(line) for line in file]
        self.records = sorted(records, key=lambda one: (one["datestamp"], one["id"]))
        self.by_identifier = {identifier(one): one for one in self.records}
        self.selections = {}

    def select(self, since, until, spec, live=False):
        """Records in the order of their datestamps. A selection is made once, so that a page of a
        list costs a provider nothing but the page."""
        self.refresh()
        key = (since, until, spec, live)
        if key not in self.selections:
            self.selections[key] = [
                one
                for one in self.records
                if (not since or one["datestamp"] >= since)
                and (not until or one["datestamp"] <= until)
                and (not spec or spec in one["sets"])
                and not (live and one["deleted"])
            ]
        return self.selections[key]

    def get(self, wanted):
        self.refresh()
        return self.by_identifier.get(wanted)

    def earliest(self):
        self.refresh()
        return self.records[0]["datestamp"]


def identifier(one):
    return f"oai:{NAMESPACE}:{one['id']}"
