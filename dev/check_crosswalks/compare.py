"""Compares the values that two programs take out of the same MARC records.

Run by dev/check-crosswalks: compare.py WINDROW DATA [PART OF A SOURCE…]. What dojson's marc21 model
calls title, name, date, identifier or subject must stand in the record that marc21-to-record
writes, but for punctuation at the ends, and the names and numbers of that record must be dojson's.
How they differ makes a kind; every kind of a source, and every reason for which a record is held,
must be listed, with its reason, in known.tsv.

Both sides read the same MARCXML, written by windrow, in which 001 is the number of the record; a
record without a title has got one, and lengths in the leader, on which dojson falls over when they
are blank, are zero: so each record is compared, even those that a load would hold. A source is a
folder of the data; each prints a line, and a file without records is counted.
"""

import concurrent.futures
import csv
import fnmatch
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unicodedata
from collections import Counter

from dojson.contrib.marc21 import marc21
from dojson.contrib.marc21.utils import create_record
from lxml import etree

HERE = pathlib.Path(__file__).parent
CROSSWALK = HERE.parent.parent / "crosswalks/marc21-to-record.yaml"
ROOMS = ["marc", "marcxml", "mrk", "marcjson", "alephseq", "oai"]
NAMESPACE = "http://www.loc.gov/MARC21/slim"
UNTITLED = {"tag": "245", "ind1": "0", "ind2": "0"}

# Which parts of dojson's record are compared: (their field, their keys).
TITLES = [
    ("title_statement", ["title", "remainder_of_title", "number_of_part_section_of_a_work", "name_of_part_section_of_a_work"]),
    ("varying_form_of_title", ["title_proper_short_title", "remainder_of_title"]),
    ("uniform_title", ["uniform_title"]),
    ("main_entry_uniform_title", ["uniform_title"]),
    ("former_title", ["title"]),
]
NAME_KEYS = [
    ("personal_name", "personal_name"),
    ("corporate_name", "corporate_name_or_jurisdiction_name_as_entry_element"),
    ("meeting_name", "meeting_name_or_jurisdiction_name_as_entry_element"),
]
NAMES = [(f"{entry}_{kind}", [key]) for entry in ("main_entry", "added_entry") for kind, key in NAME_KEYS]
NAMES.append(("added_entry_uncontrolled_name", ["name"]))
AGENTS = ["100", "110", "111", "700", "710", "711", "720"]
NUMBERS = [
    ("lccn", "library_of_congress_control_number", "lc_control_number"),
    ("nbn", "national_bibliography_number", "national_bibliography_number"),
    ("reportnumber", "standard_technical_report_number", "standard_technical_report_number"),
    ("reportnumber", "report_number", "report_number"),
    ("sudoc", "government_document_classification_number", "classification_number"),
    ("publisher number", "publisher_number", "publisher_number"),
    ("standard number", "other_standard_identifier", "standard_number_or_code"),
]
SUBJECTS = [
    ("subject_added_entry_personal_name", ["personal_name"]),
    ("subject_added_entry_corporate_name", ["corporate_name_or_jurisdiction_name_as_entry_element"]),
    ("subject_added_entry_meeting_name", ["meeting_name_or_jurisdiction_name_as_entry_element"]),
    ("subject_added_entry_uniform_title", ["uniform_title"]),
    ("subject_added_entry_chronological_term", ["chronological_term"]),
    ("subject_added_entry_topical_term", ["topical_term_or_geographic_name_entry_element", "general_subdivision"]),
    ("subject_added_entry_geographic_name", ["geographic_name", "general_subdivision"]),
    ("index_term_genre_form", ["genre_form_data_or_focus_term"]),
    ("index_term_uncontrolled", ["uncontrolled_term"]),
    ("index_term_occupation", ["occupation"]),
]


def fold(text):
    """A text without what cataloging rules put around and between its words."""
    text = unicodedata.normalize("NFC", str(text))
    return " ".join(re.sub(r"[\s/:;,.=\[\]()<>?©℗-]+", " ", text).split()).casefold()


def many(value):
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def texts(theirs, field, keys):
    """The texts of a field of dojson's that are more than punctuation."""
    nodes = [node for node in many(theirs.get(field)) if hasattr(node, "get")]
    found = [text for node in nodes for key in keys for text in many(node.get(key))]
    return [text for text in found if isinstance(text, str) and fold(text)]


def written(value):
    """All texts below a part of a record, folded."""
    if isinstance(value, dict):
        return [text for part in value.values() for text in written(part)]
    if isinstance(value, list):
        return [text for part in value for text in written(part)]
    return [fold(value)]


def check_digit_is_right(text):
    """Whether the text begins with an ISBN or an ISSN."""
    digits = re.sub(r"[^0-9X]", "", (text.split("(")[0].split() or [""])[0].upper())
    if "X" in digits[:-1] or len(digits) not in (8, 10, 13):
        return False
    if len(digits) == 13 and not re.match("97[89][0-9]+$", digits):
        return False
    values = [10 if c == "X" else int(c) for c in digits]
    if len(digits) == 13:
        return sum((1, 3)[i % 2] * value for i, value in enumerate(values)) % 10 == 0
    return sum((len(digits) - i) * value for i, value in enumerate(values)) % 11 == 0


def by_scheme(metadata, *schemes):
    items = [item for item in metadata.get("identifiers", []) if item.get("scheme") in schemes]
    return {item["identifier"] for item in items}


def differences(theirs, ours, element):
    """Kinds of values that one has and the other has not, each with the value."""
    metadata = ours["metadata"]
    yield from title_differences(theirs, metadata)
    yield from name_differences(theirs, metadata, element)
    yield from date_differences(theirs, metadata)
    yield from number_differences(theirs, metadata)
    subjects = " | ".join(written(metadata.get("subjects", [])))
    for field, keys in SUBJECTS:
        for text in texts(theirs, field, keys):
            if fold(text) not in subjects:
                yield "subject", text


def title_differences(theirs, metadata):
    main = fold(metadata["title"])
    all_ = " | ".join([main, *written(metadata.get("additional_titles", []))])
    for field, keys in TITLES:
        for text in texts(theirs, field, keys):
            if fold(text) not in all_:
                yield ("title" if field == "title_statement" else "other title"), text
    # Of a title that is repeated, which is not allowed, the first counts.
    first = texts({"title": many(theirs.get("title_statement"))[:1]}, "title", ["title"])
    if first and not main.startswith(fold(first[0])) and len(first) == 1:
        yield "title: begins otherwise", f"{first[0]} / {metadata['title']}"


def name_differences(theirs, metadata, element):
    agents = metadata.get("creators", []) + metadata.get("contributors", [])
    people = written([agents, metadata.get("references", [])])
    known = [text for field, keys in NAMES for text in texts(theirs, field, keys)]
    for text in known:
        if not any(fold(text) in person for person in people):
            yield "name", text
    folded = [fold(text) for text in known]
    given = None
    for agent in agents:
        name = agent["person_or_org"]["name"]
        if any(text in fold(name) for text in folded):
            continue
        if given is None:
            given = [fold(text) for tag in AGENTS for text in element.xpath(f"*[@tag='{tag}']/*[@code='a']/text()")]
        known = any(text and text in fold(name) for text in given)
        yield ("name: dojson leaves it out" if known else "name: invented"), name


def date_differences(theirs, metadata):
    places = ["publication_date", "dates", "copyright", "additional_descriptions"]
    dates = " ".join(written([metadata.get(place, []) for place in places]))
    imprint = texts(theirs, "publication_distribution_imprint", ["date_of_publication_distribution"])
    field = "production_publication_distribution_manufacture_and_copyright_notice"
    imprint += texts(theirs, field, ["date_of_production_publication_distribution_manufacture_or_copyright_notice"])
    for text in imprint:
        years = re.findall(r"[0-9]{4}", text)
        if years and not any(year in dates for year in years):
            yield "date: no year of it", text
        elif years and years[0] not in dates:
            yield "date: another year of several", text


def number_differences(theirs, metadata):
    isbns = by_scheme(metadata, "isbn")
    given = texts(theirs, "international_standard_book_number", ["international_standard_book_number"])
    cores = {core(text) for text in given}
    for text in given:
        if not any(core(text) in isbn for isbn in isbns):
            yield ("isbn" if check_digit_is_right(text) else "isbn: wrong check digit or length"), text
    for isbn in isbns:
        if isbn[3:12] not in cores:
            yield "isbn: more than theirs", isbn
    issns = by_scheme(metadata, "issn", "lissn")
    keys = ["international_standard_serial_number", "issn_l"]
    for text in texts(theirs, "international_standard_serial_number", keys):
        digits = re.sub(r"[^0-9X]", "", text.upper())[:8]
        if not any(digits == issn.replace("-", "") for issn in issns):
            yield ("issn" if check_digit_is_right(digits) else "issn: wrong check digit or length"), text
    every = " | ".join(written([item["identifier"] for item in metadata.get("identifiers", [])]))
    for kind, field, key in NUMBERS:
        for text in texts(theirs, field, [key]):
            # A DOI and a handle come without resolver.
            bare = re.sub(r"^(https?://[^/]+/|doi:\s*|hdl:\s*)", "", text.strip(), flags=re.I)
            if fold(text) not in every and fold(bare) not in every:
                yield kind, text


def core(text):
    """The nine digits of an ISBN that are in both of its lengths."""
    body = re.sub(r"[^0-9X]", "", (text.split("(")[0].split(":")[0]).upper())
    body = body[:13] if body.startswith(("978", "979")) else body[:10]
    return body[-10:-1] if len(body) >= 10 else body


def as_marcxml(windrow, files):
    """All records of the files, 001 being their numbers from 1, and the files without any."""
    collection = etree.Element(f"{{{NAMESPACE}}}collection", nsmap={None: NAMESPACE})
    empty = []
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out.xml"
        for file in files:
            subprocess.run([windrow, "convert", file, "--to", "marcxml", "-o", out], capture_output=True)
            records = list(etree.parse(out, etree.XMLParser(huge_tree=True)).getroot()) if out.exists() else []
            out.unlink(missing_ok=True)
            collection.extend(records)
            if not records:
                empty.append(file)
    for number, record in enumerate(collection, 1):
        complete(record, number)
    return collection, empty


def complete(record, number):
    """Gives a record what both programs insist on."""
    for old in record.findall(f"{{{NAMESPACE}}}controlfield[@tag='001']"):
        record.remove(old)
    record.append(named("controlfield", {"tag": "001"}, str(number)))
    for leader in record.findall(f"{{{NAMESPACE}}}leader"):
        text = (leader.text or "").ljust(24)
        leader.text = "00000" + text[5:10] + "22" + "00000" + text[17:20] + "4500"
    titles = record.findall(f"{{{NAMESPACE}}}datafield[@tag='245']/{{{NAMESPACE}}}subfield")
    if not any(title.get("code") in "abfgknps" and fold(title.text or "") for title in titles):
        for old in record.findall(f"{{{NAMESPACE}}}datafield[@tag='245']"):
            record.remove(old)
        field = named("datafield", UNTITLED, None)
        field.append(named("subfield", {"code": "a"}, "Untitled"))
        record.append(field)


def named(name, attributes, text):
    element = etree.Element(f"{{{NAMESPACE}}}{name}", attributes)
    element.text = text
    return element


def mapped(windrow, collection):
    """The records of marc21-to-record by number, and what became of the others."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "in.xml")
        file.write_bytes(etree.tostring(collection, encoding="utf-8", xml_declaration=True))
        out = pathlib.Path(folder, "out.jsonl")
        options = ["--from", "marcxml", "--to", "json_lines", "--crosswalk", CROSSWALK, "-o", out]
        done = subprocess.run([windrow, "convert", file, *options], capture_output=True, text=True)
        if done.returncode not in (0, 1):
            raise RuntimeError(done.stderr)
        records = [json.loads(line) for line in out.read_text(encoding="utf-8").split("\n") if line.strip()]
        return {int(record["id"]): record for record in records}


def check(windrow, source, files):
    """What a source gives: counts, kinds of differences with their number and the first of each."""
    collection, empty = as_marcxml(windrow, files)
    ours = mapped(windrow, collection)
    counts = Counter(files=len(files), empty=len(empty), records=len(collection))
    found, samples = Counter(), {}

    def differ(kind, number, value):
        found[kind] += 1
        samples.setdefault(kind, f"record {number}: {value!r:.160}")

    for number, element in enumerate(collection, 1):
        if number not in ours:
            differ("held", number, element.xpath("string()"))
            continue
        try:
            theirs = marc21.do(create_record(element))
        except Exception as error:  # noqa: BLE001: any failure of theirs is a kind of its own
            differ(f"dojson fails: {type(error).__name__}", number, str(error))
            continue
        counts["compared"] += 1
        for kind, value in differences(theirs, ours[number], element):
            differ(kind, number, value)
    return source, counts, found, samples


def sources(data, wanted):
    """Files by source; of OAI-PMH those that hold MARC."""
    found = {}
    for file in sorted(path for room in ROOMS for path in (data / room).rglob("*") if path.is_file()):
        room, source = file.relative_to(data).parts[:2]
        name = f"{room}/{source}"
        if wanted and not any(part in name for part in wanted):
            continue
        if room != "oai" or NAMESPACE.encode() in file.read_bytes():
            found.setdefault(name, []).append(str(file))
    return found


def main():
    windrow, data, *wanted = sys.argv[1:]
    with open(HERE / "known.tsv", encoding="utf-8", newline="") as file:
        known = list(csv.DictReader(file, delimiter="\t"))
    unlisted, used, sums, kinds = [], set(), Counter(), Counter()
    with concurrent.futures.ProcessPoolExecutor(int(os.environ.get("JOBS", os.cpu_count() or 1))) as pool:
        jobs = [pool.submit(check, windrow, *source) for source in sources(pathlib.Path(data), wanted).items()]
        for job in jobs:
            source, counts, found, samples = job.result()
            sums.update(counts)
            kinds.update(found)
            print(f"{source}: {counts['records']} records of {counts['files']} files "
                  f"({counts['empty']} without), {counts['compared']} compared, {sum(found.values())} differences", flush=True)
            for kind, count in found.items():
                rows = [n for n, row in enumerate(known) if fnmatch.fnmatch(source, row["source"]) and row["kind"] == kind]
                used.update(rows)
                if not rows:
                    unlisted.append(f"{source}: {count} {kind}: {samples[kind]}")
    print(f"all: {sums['records']} records of {sums['files']} files ({sums['empty']} without), {sums['compared']} compared")
    for kind, count in kinds.most_common():
        print(f"{count:7} {kind}")
    stale = [] if wanted else [f"{row['source']} {row['kind']}" for n, row in enumerate(known) if n not in used]
    for line in [f"not listed: {line}" for line in unlisted] + [f"does not differ any more: {line}" for line in stale]:
        print(line)
    sys.exit(1 if unlisted or stale or not sums["compared"] else 0)


if __name__ == "__main__":
    main()
