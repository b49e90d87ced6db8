"""Compares the readings of three programs, record by record and field by field.

Run by dev/check-formats. A reading is [leader, fields] with fields as [tag, indicators, value] or
[tag, indicators, [[code, value]]]; text in NFC. Of the leader the parts that no program computes
are compared: 05-08 and 17-19.
"""

import fnmatch
import gzip
import io
import itertools
import json
import pathlib
import subprocess
import sys
import tempfile
import unicodedata
import xml.etree.ElementTree as ElementTree
from collections import Counter

import pymarc

HERE = pathlib.Path(__file__).parent
ROOMS = ["marc", "marcxml", "mrk", "marcjson", "alephseq"]


def nfc(text):
    return unicodedata.normalize("NFC", text or "")


def leader_parts(leader):
    leader = (leader or "").ljust(24)
    return leader[5:9] + leader[17:20]


def from_json(record):
    """MARC-in-JSON to a reading."""
    fields = []
    for field in record["fields"]:
        for tag, value in field.items():
            if isinstance(value, str):
                fields.append([tag, "", nfc(value)])
                continue
            subfields = [[c, nfc(v)] for s in value["subfields"] for c, v in s.items()]
            fields.append([tag, value["ind1"] + value["ind2"], subfields])
    return [leader_parts(record["leader"]), fields]


def from_pymarc(record):
    fields = []
    for field in record.fields:
        if field.is_control_field():
            fields.append([field.tag, "", nfc(field.data)])
        else:
            subfields = [[s.code, nfc(s.value)] for s in field.subfields]
            fields.append([field.tag, "".join(i or " " for i in field.indicators), subfields])
    return [leader_parts(str(record.leader)), fields]


def from_marcxml(text):
    """All records of yaz-marcdump's MARCXML."""
    readings = []
    local = lambda element: element.tag.rpartition("}")[2]
    for record in ElementTree.fromstring(text).iter():
        if local(record) != "record":
            continue
        leader, fields = "", []
        for field in record:
            if local(field) == "leader":
                leader = field.text or ""
            elif local(field) == "controlfield":
                fields.append([field.get("tag"), "", nfc(field.text)])
            else:
                subfields = [[s.get("code"), nfc(s.text)] for s in field]
                indicators = field.get("ind1", " ") + field.get("ind2", " ")
                fields.append([field.get("tag"), indicators, subfields])
        readings.append([leader_parts(leader), fields])
    return readings


def raw_bytes(path):
    opened = gzip.open(path) if path.suffix == ".gz" else open(path, "rb")
    with opened as file:
        return file.read()


def pymarc_of_marc(data, ours):
    """pymarc on the bytes of each of our records: how they were cut is judged by yaz."""
    readings = []
    for line in ours:
        piece = data[line["byte"] : line["byte"] + line["length"]]
        try:
            readings.append(from_pymarc(pymarc.Record(data=piece, to_unicode=True)))
        except Exception as error:
            readings.append(type(error).__name__)
    return readings


def pymarc_of_marcxml(data, ours):
    return [from_pymarc(record) for record in pymarc.parse_xml_to_array(io.BytesIO(data))]


def pymarc_of_mrk(data, ours):
    # It leaves the sign for a blank alone.
    reader = pymarc.MARCMakerReader(data.decode("utf-8-sig").replace("\r\n", "\n"))
    readings = [from_pymarc(record) for record in reader]
    for _, fields in readings:
        for field in fields:
            field[1] = field[1].replace("\\", " ")
            if isinstance(field[2], str):
                field[2] = field[2].replace("\\", " ")
    return readings


def pymarc_of_marcjson(data, ours):
    decoder, text, at, readings = json.JSONDecoder(strict=False), data.decode("utf-8-sig"), 0, []
    while text[at:].strip(" \t\r\n"):
        at += len(text[at:]) - len(text[at:].lstrip(" \t\r\n"))
        value, at = decoder.raw_decode(text, at)
        for record in value if isinstance(value, list) else [value]:
            if "fields" in record:
                handler = pymarc.JSONHandler()
                handler.elements([record])
                readings += [from_pymarc(record) for record in handler.records]
            else:
                readings.append("other shape")
    return readings


def plain_of_alephseq(data, ours):
    """Neither program reads it: a second, independent reading."""
    readings, numbers, last = [], [], None
    for line in data.decode("utf-8-sig").splitlines():
        if not line.strip():
            continue
        number, tag, indicators, content = line[:9], line[10:13], line[13:15], line[18:]
        if number != last:
            readings.append(["", []])
            last = number
        if tag == "LDR":
            readings[-1][0] = leader_parts(content.replace("^", " "))
        elif content.startswith("$$"):
            subfields = [[s[:1], nfc(s[1:])] for s in content.split("$$")[1:]]
            readings[-1][1].append([tag, indicators, subfields])
        else:
            readings[-1][1].append([tag, "", nfc(content.replace("^", " "))])
        numbers.append(number) if len(numbers) < len(readings) else None
    for (_, fields), number in zip(readings, numbers):
        if all(field[0] != "001" for field in fields):
            fields.insert(0, ["001", "", number])
    return readings


def yaz(data, ours, kind):
    encodings = []
    if kind == "marc":
        marc8 = ours and all(data[line["byte"] + 9 : line["byte"] + 10] != b"a" for line in ours)
        encodings = ["-f", "marc-8" if marc8 else "utf-8", "-t", "utf-8"]
    command = ["yaz-marcdump", "-i", kind, "-o", "marcxml", *encodings, "/dev/stdin"]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    text = done.stdout.decode("utf-8", "replace")
    text = "".join(c if c in "\t\n" or c >= " " else "\ufffd" for c in text)
    return from_marcxml(text)


ORACLES = {
    "marc": [("pymarc", pymarc_of_marc), ("yaz", lambda d, o: yaz(d, o, "marc"))],
    "marcxml": [("pymarc", pymarc_of_marcxml), ("yaz", lambda d, o: yaz(d, o, "marcxml"))],
    "mrk": [("pymarc", pymarc_of_mrk)],
    "marcjson": [("pymarc", pymarc_of_marcjson)],
    "alephseq": [("plain", plain_of_alephseq)],
}


def difference(ours, theirs):
    """What kind of difference there is, and an example; None if there is none."""
    if "rejected" in ours:
        other = theirs if isinstance(theirs, str) else "read"
        return None if isinstance(theirs, str) else (f"rejected {ours['rejected']}", other)
    if isinstance(theirs, str):
        return "not read there", theirs
    mine = from_json(ours["record"])
    has_leader = not any(code.endswith(".no_leader") for code in ours["warnings"])
    if has_leader and mine[0] != theirs[0]:
        return "leader", f"{mine[0]!r} / {theirs[0]!r}"
    if [f[0] for f in mine[1]] != [f[0] for f in theirs[1]]:
        return "tags", f"{len(mine[1])} / {len(theirs[1])} fields"
    for a, b in zip(mine[1], theirs[1]):
        if type(a[2]) is not type(b[2]):
            return "kind of field", f"{a!r:.120} / {b!r:.120}"
        if a[1] != b[1]:
            return "indicators", f"{a!r:.80} / {b!r:.80}"
        if a[2] != b[2]:
            return "values", f"{a[0]}: {first_difference(repr(a[2]), repr(b[2]))}"
    return None


def first_difference(ours, theirs):
    at = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), 0)
    start = max(0, at - 12)
    return f"…{ours[start : at + 20]}… / …{theirs[start : at + 20]}…"


def known_differences():
    rows = []
    for line in (HERE / "known.tsv").read_text().splitlines()[1:]:
        pattern, oracle, kind, reason = line.split("\t")
        rows.append([pattern, oracle, kind, reason, 0])
    return rows


def listed(known, name, oracle, kind):
    for row in known:
        if fnmatch.fnmatchcase(name, row[0]) and row[1] in (oracle, "*") and row[2] == kind:
            row[4] += 1
            return True
    return False


def compare_file(name, path, ours, known, counts, unlisted):
    room, source = name.split("/")[:2]
    data = raw_bytes(path)
    ours = [line for line in ours if "number" in line]
    counts[source, "records"] += len(ours)
    if not ours:
        counts[source, "files without a record"] += 1
        return
    for oracle, read in ORACLES[room]:
        try:
            theirs = read(data, ours)
        except Exception as error:
            theirs = [f"{type(error).__name__}"] * len(ours)
        if len(theirs) != len(ours):
            found = [(0, ("number of records", f"{len(ours)} / {len(theirs)}"))]
        else:
            pairs = enumerate(zip(ours, theirs), 1)
            found = [(n, difference(a, b)) for n, (a, b) in pairs]
        for number, difference_found in found:
            if difference_found is None:
                counts[source, f"as {oracle}"] += 1
                continue
            kind, example = difference_found
            counts[source, f"{oracle}: {kind}"] += 1
            if not listed(known, name, oracle, kind):
                unlisted.append((name, number, oracle, kind, example))


def main():
    program, data, *wanted = sys.argv[1:]
    data = pathlib.Path(data)
    rooms = [data / room for room in ROOMS]
    files = sorted(path for room in rooms for path in room.rglob("*") if path.is_file())
    names = {str(path): str(path.relative_to(data)) for path in files}
    files = [p for p in files if not wanted or any(w in names[str(p)] for w in wanted)]
    lines = "".join(f"{path}\n" for path in files)
    known, counts, unlisted = known_differences(), Counter(), []
    with tempfile.TemporaryFile() as listing:
        listing.write(lines.encode())
        listing.seek(0)
        with subprocess.Popen([program], stdin=listing, stdout=subprocess.PIPE) as reader:
            readings = map(json.loads, reader.stdout)
            for name, ours in itertools.groupby(readings, lambda line: line["file"]):
                path = pathlib.Path(name)
                compare_file(names[name], path, list(ours), known, counts, unlisted)
        if reader.returncode != 0:
            sys.exit(f"{program} failed")
    for source in sorted({source for source, _ in counts}):
        found = {what: n for (other, what), n in sorted(counts.items()) if other == source}
        print(source + ": " + ", ".join(f"{n} {what}" for what, n in found.items()))
    for row in known:
        if not wanted and row[4] == 0:
            print(f"listed, but not found any more: {' | '.join(row[:3])}")
    shown = Counter()
    for name, number, oracle, kind, example in unlisted:
        shown[name, oracle, kind] += 1
        if shown[name, oracle, kind] == 1:
            print(f"UNLISTED {name} #{number} {oracle}: {kind}: {example}")
    total = sum(n for (_, what), n in counts.items() if what == "records")
    print(f"{total} records, {len(unlisted)} unlisted differences")
    return 1 if unlisted else 0


sys.exit(main())
