"""Compares the values that two programs take out of the same MARC records.

Run by dev/check-crosswalks. What dojson calls title, name, date, ISBN or subject must stand in the
record that marc21-to-record writes, but for punctuation at the ends; how it differs makes a kind,
and every kind that occurs must be listed in known.tsv.
"""

import itertools
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unicodedata
from collections import Counter

from dojson.contrib.marc21 import marc21
from dojson.contrib.marc21.utils import create_record, split_stream

HERE = pathlib.Path(__file__).parent
CROSSWALK = HERE.parent.parent / "crosswalks/marc21-to-record.yaml"
PER_FILE = 300


def fold(text):
    """A text without what cataloging rules put around and between its words."""
    text = unicodedata.normalize("NFC", str(text))
    return " ".join(re.sub(r"[\s/:;,.=\[\]()<>?©℗-]+", " ", text).split()).casefold()


def many(value):
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def texts(node, key):
    return [text for text in many(node.get(key)) if isinstance(text, str) and fold(text)]


def written(value, isbn=False):
    """All texts below a part of a record, folded."""
    if isinstance(value, dict):
        return [text for part in value.values() for text in written(part)]
    if isinstance(value, list):
        return [text for part in value for text in written(part)]
    return [fold(value)]


def is_isbn(text):
    digits = re.sub(r"[^0-9Xx]", "", text.split("(")[0].split()[0] if text.split() else "").upper()
    if len(digits) == 10:
        values = [10 if c == "X" else int(c) for c in digits]
        return "X" not in digits[:9] and sum((10 - i) * v for i, v in enumerate(values)) % 11 == 0
    if len(digits) == 13 and digits.isdigit():
        return sum((1, 3)[i % 2] * int(c) for i, c in enumerate(digits)) % 10 == 0
    return False


def differences(theirs, ours):
    """Kinds of values that dojson has and the record has not, each with the value."""
    metadata = ours["metadata"]
    title = " ".join(written([metadata["title"], metadata.get("additional_titles", [])]))
    for node in many(theirs.get("title_statement")):
        for key in ("title", "remainder_of_title"):
            for text in texts(node, key):
                if fold(text) not in title:
                    yield "title", text
    people = written([metadata.get(key, []) for key in ("creators", "contributors", "references")])
    for tag in ("main_entry", "added_entry"):
        for kind, key in (
            ("personal_name", "personal_name"),
            ("corporate_name", "corporate_name_or_jurisdiction_name_as_entry_element"),
            ("meeting_name", "meeting_name_or_jurisdiction_name_as_entry_element"),
        ):
            for node in many(theirs.get(f"{tag}_{kind}")):
                for text in texts(node, key):
                    if not any(fold(text) in person for person in people):
                        yield "name", text
    dates = " ".join(written([metadata.get("publication_date", ""), metadata.get("copyright", ""),
                              metadata.get("additional_descriptions", [])]))
    for node in many(theirs.get("publication_distribution_imprint")):
        for text in texts(node, "date_of_publication_distribution"):
            years = re.findall(r"[0-9]{4}", text)
            if years and not any(year in dates for year in years):
                yield "date: no year of it", text
            elif years and years[0] not in dates:
                yield "date: another year of several", text
    isbns = {item["identifier"] for item in metadata.get("identifiers", [])
             if item.get("scheme") == "isbn"}
    for node in many(theirs.get("international_standard_book_number")):
        for text in texts(node, "international_standard_book_number"):
            body = re.sub(r"[^0-9X]", "", text.split("(")[0].upper())
            core = body[-10:-1] if len(body) >= 10 else body
            if not any(core in isbn for isbn in isbns):
                yield ("isbn" if is_isbn(text) else "isbn: wrong check digit or length"), text
    subjects = written(metadata.get("subjects", []))
    for field, key in (
        ("subject_added_entry_topical_term", "topical_term_or_geographic_name_entry_element"),
        ("subject_added_entry_geographic_name", "geographic_name"),
        ("subject_added_entry_personal_name", "personal_name"),
        ("subject_added_entry_corporate_name", "corporate_name_or_jurisdiction_name_as_entry_element"),
        ("index_term_genre_form", "genre_form_data_or_focus_term"),
        ("index_term_uncontrolled", "uncontrolled_term"),
    ):
        for node in many(theirs.get(field)):
            for text in texts(node, key):
                if not any(fold(text) in subject for subject in subjects):
                    yield "subject", text


def convert(windrow, file, *options):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out"
        command = [windrow, "convert", file, "--limit", str(PER_FILE), "-o", str(out), *options]
        ended = subprocess.run(command, capture_output=True)
        # 0: all is well; 1: some records are held. Anything else is no dump of MARC.
        return out.read_bytes() if ended.returncode in (0, 1) and out.exists() else b""


def check(windrow, file, found, samples):
    mapped = convert(windrow, file, "--to", "json_lines", "--crosswalk", str(CROSSWALK))
    lines = (line for line in mapped.splitlines() if line.startswith(b"{"))
    records = {record["id"]: record for record in map(json.loads, lines)}
    if not records:
        return 0
    xml = convert(windrow, file, "--to", "marcxml")
    with tempfile.TemporaryFile() as stream:
        stream.write(xml)
        stream.seek(0)
        compared = 0
        seen = Counter()
        for element in split_stream(stream):
            try:
                theirs = marc21.do(create_record(element))
            except Exception as error:  # noqa: BLE001: any failure of theirs is a kind of its own
                found[f"dojson fails: {type(error).__name__}"] += 1
                continue
            number = str(theirs.get("control_number", "")).strip()
            seen[number] += 1
            if number not in records or seen[number] > 1:
                continue
            compared += 1
            for kind, value in differences(theirs, records[number]):
                found[kind] += 1
                samples.setdefault(kind, (file, number, value))
    return compared


def main():
    windrow, data, *wanted = sys.argv[1:]
    rooms = [pathlib.Path(data, room).rglob("*") for room in ("marc", "marcxml")]
    files = sorted(str(path) for path in itertools.chain(*rooms) if path.is_file())
    files = [file for file in files if not wanted or any(part in file for part in wanted)]
    found, samples, compared = Counter(), {}, 0
    for file in files:
        compared += check(windrow, file, found, samples)
    lines = (HERE / "known.tsv").read_text().splitlines()[1:]
    known = dict(line.split("\t", 1) for line in lines)
    print(f"{compared} records compared")
    for kind, count in found.most_common():
        file, number, value = samples.get(kind, ("", "", ""))
        place = f"{file.removeprefix(data)} {number}: {value!r}" if file else ""
        print(f"{count:7} {kind}  ({known.get(kind, 'NOT LISTED')})  {place}")
    new = [kind for kind in found if kind not in known]
    sys.exit(f"not listed in known.tsv: {', '.join(new)}" if new else 0)


if __name__ == "__main__":
    main()
