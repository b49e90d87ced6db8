"""Checks the DataCite crosswalks against the `datacite` package and DataCite's own schemas.

Run by dev/check-crosswalks: datacite.py WINDROW SHARED. Every example of the package and of DataCite
is read as JSON and, where it has a twin in XML, as XML. The values that a record is made of must be
those of the example; the record, written as DataCite JSON again, must pass the package's JSON
Schemas, and what the package makes of it in XML DataCite's XSD. Each difference must be listed, with
its reason, in datacite_known.tsv.
"""

import copy
import csv
import fnmatch
import json
import pathlib
import subprocess
import sys
import tempfile
from collections import Counter

HERE = pathlib.Path(__file__).resolve().parent
# This file has the name of the package, and its folder comes first.
sys.path = [path for path in sys.path if pathlib.Path(path).resolve() != HERE]

import datacite.schema43
import datacite.schema45
from lxml import etree

CROSSWALKS = HERE.parent.parent / "crosswalks"
# What came after the kernels that the package has schemas for.
LATER_45 = {
    "contributorType": {"Translator"},
    "dateType": {"Coverage"},
    "relationType": {"HasTranslation", "IsTranslationOf", "Other"},
    "relatedIdentifierType": {"CSTR", "RRID", "RAiD", "SWHID"},
    "resourceTypeGeneral": {"Award", "Project", "Poster", "Presentation"},
}
TYPES_43 = set(
    "Audiovisual Collection DataPaper Dataset Event Image InteractiveResource Model "
    "PhysicalObject Service Software Sound Text Workflow Other".split()
)
RELATIONS_44 = {"IsPublishedIn", "Collects", "IsCollectedBy"}


def convert(windrow, files, source, crosswalk, target="json_lines"):
    """The records of files through a crosswalk: id and what it became."""
    command = [windrow, "convert", *map(str, files), "--from", source, "--to", target]
    command += ["--crosswalk", str(CROSSWALKS / crosswalk)]
    done = subprocess.run(command, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return [json.loads(line) for line in lines], done.stderr


def texts(items, *names):
    """The texts of a list of objects, or of texts, by the first name that is there."""
    found = []
    for item in items or []:
        if isinstance(item, str):
            found.append(item)
        else:
            found += [str(item[name]) for name in names if item.get(name)][:1]
    return Counter(" ".join(text.split()) for text in found)


def bare(identifier):
    """An identifier without resolver, a DOI in lower case."""
    for resolver in ["doi:", "https://doi.org/", "http://doi.org/", "https://dx.doi.org/", "http://dx.doi.org/"]:
        identifier = identifier.removeprefix(resolver)
    return identifier.lower() if identifier.startswith("10.") else identifier


def of_example(example):
    """The values of an example, by name."""
    own = example.get("identifiers") or [example.get("identifier") or {}]
    own = own + (example.get("alternateIdentifiers") or []) + [{"identifier": example.get("doi")}, {"identifier": example.get("url")}]
    publisher = example["publisher"]
    dates = example.get("dates") or []
    issued = [date["date"] for date in dates if date["dateType"] == "Issued"]
    descriptions = example.get("descriptions") or []
    rights = example.get("rightsList") or []
    return {
        "identifiers": Counter({bare(text): 1 for text in texts(own, "identifier", "alternateIdentifier")}),
        "titles": texts(example["titles"], "title"),
        "creators": texts(example["creators"], "name", "creatorName"),
        "contributors": texts(example.get("contributors"), "name", "contributorName"),
        "publisher": texts([publisher], "name"),
        "year": Counter([(issued or [str(example["publicationYear"])])[0][:4]]),
        "subjects": texts(example.get("subjects"), "subject"),
        "dates": texts([date for date in dates if date["dateType"] != "Issued"], "date"),
        "related": Counter(bare(text) for text in texts(example.get("relatedIdentifiers"), "relatedIdentifier").elements()),
        "sizes": texts(example.get("sizes")),
        "formats": texts(example.get("formats")),
        "version": texts([example.get("version") or ""]),
        "rights": texts(rights, "rights"),
        "descriptions": texts(descriptions, "description"),
        "places": texts(example.get("geoLocations"), "geoLocationPlace"),
        "funders": texts(example.get("fundingReferences"), "funderName"),
    }


def of_record(record):
    """The same values of a record, by the same names."""
    metadata = record["metadata"]
    title = [{"title": metadata["title"]}]
    description = [{"description": metadata["description"]}] if "description" in metadata else []
    related = metadata.get("related_identifiers") or []
    return {
        "identifiers": Counter({bare(text): 1 for text in texts(metadata.get("identifiers"), "identifier")}),
        "titles": texts(title + (metadata.get("additional_titles") or []), "title"),
        "creators": texts([agent["person_or_org"] for agent in metadata.get("creators") or []], "name"),
        "contributors": texts([agent["person_or_org"] for agent in metadata.get("contributors") or []], "name"),
        "publisher": texts([metadata.get("publisher", "")]),
        "year": Counter([metadata.get("publication_date", "")[:4]]),
        "subjects": texts(metadata.get("subjects"), "subject"),
        "dates": texts(metadata.get("dates"), "date"),
        "related": Counter(bare(text) for text in texts(related, "identifier").elements()),
        "sizes": texts(metadata.get("sizes")),
        "formats": texts(metadata.get("formats")),
        "version": texts([metadata.get("version") or ""]),
        "rights": texts(metadata.get("rights"), "title"),
        "descriptions": texts(description + (metadata.get("additional_descriptions") or []), "description"),
        "places": texts((metadata.get("locations") or {}).get("features"), "place"),
        "funders": texts([funding.get("funder", {}) for funding in metadata.get("funding") or []], "name"),
    }


def differences(example, record):
    """The names whose values differ, with what is missing and what is more."""
    ours, theirs = of_record(record), of_example(example)
    for name, expected in theirs.items():
        missing = set(expected) - set(ours[name])
        if name == "related":  # a related item with an identifier is related, too
            ours[name] = expected if not missing else ours[name]
        more = set(ours[name]) - set(expected)
        missing, more = missing - {""}, more - {""}
        if missing or more:
            yield name, f"missing {sorted(missing)}, more {sorted(more)}"


def without_later(value, later):
    """A record without the objects that hold a term of a later kernel."""
    if isinstance(value, list):
        kept = [item for item in value if not (isinstance(item, dict) and has_later(item, later))]
        return [without_later(item, later) for item in kept]
    if isinstance(value, dict):
        return {name: without_later(item, later) for name, item in value.items()}
    return value


def has_later(item, later):
    return any(item.get(name) in words for name, words in later.items())


def as_43(record):
    """DataCite JSON of 4.6 as 4.3 has it: the shape differs, and some properties are not there yet."""
    record = copy.deepcopy(record)
    old = {name: value for name, value in record.items() if name not in ("doi", "relatedItems")}
    old["publisher"] = record["publisher"]["name"]
    old["identifiers"] = [{"identifier": record.get("doi", "none"), "identifierType": "DOI"}]
    general = record["types"]["resourceTypeGeneral"]
    general = general if general in TYPES_43 else "Text"
    old["types"] = {"resourceTypeGeneral": general, "resourceType": record["types"].get("resourceType", general)}
    old["relatedIdentifiers"] = [
        {name: value for name, value in related.items() if value in TYPES_43 or name != "resourceTypeGeneral"}
        for related in record.get("relatedIdentifiers", [])
        if related["relationType"] not in RELATIONS_44
    ]
    for place in old.get("geoLocations", []):
        for shape in [place.get("geoLocationBox", {}), place.get("geoLocationPoint", {})]:
            shape.update({name: str(value) for name, value in shape.items()})
    return {name: value for name, value in old.items() if value not in ([], {})}


class Report:
    """Differences, told apart by whether they are known."""

    def __init__(self):
        with open(HERE / "datacite_known.tsv", encoding="utf-8", newline="") as file:
            self.known = list(csv.DictReader(file, delimiter="\t"))
        self.used, self.unknown, self.checked = set(), [], Counter()

    def differ(self, file, what, detail):
        for n, row in enumerate(self.known):
            if fnmatch.fnmatch(file, row["file"]) and fnmatch.fnmatch(what, row["what"]):
                self.used.add(n)
                return
        self.unknown.append(f"{file}: {what}: {detail}")

    def end(self):
        for line in self.unknown:
            print(line)
        for n, row in enumerate(self.known):
            if n not in self.used:
                print(f"datacite_known.tsv: {row['file']} {row['what']}: does not differ any more")
        counts = ", ".join(f"{count} {what}" for what, count in self.checked.items())
        print(f"datacite: {counts}; {len(self.unknown)} unknown differences")
        return 1 if self.unknown or len(self.used) < len(self.known) else 0


def check_written(record, file, version, schemas, report):
    """The package's JSON Schema, and DataCite's XSD for what the package makes of it."""
    module, shape, schema = schemas[version]
    shaped = without_later(shape(record), LATER_45)
    errors = [error.message for error in module.validator.iter_errors(shaped)]
    report.checked[f"written as {version}"] += 1
    for error in errors:
        report.differ(file, f"{version} json", error[:300])
    if errors:
        return
    tree = etree.fromstring(module.tostring(shaped).encode())
    if not schema.validate(tree):
        for error in schema.error_log:
            report.differ(file, f"{version} xml", error.message[:300])


def main(windrow, shared):
    shared, report = pathlib.Path(shared), Report()
    identity = lambda record: record
    schemas = {}
    for version, module, shape in [("4.3", datacite.schema43, as_43), ("4.5", datacite.schema45, identity)]:
        xsd = shared / f"xsd/datacite/kernel-{version}/metadata.xsd"
        schemas[version] = (module, shape, etree.XMLSchema(etree.parse(str(xsd))))
    root = shared / "data/datacite-json"
    files = sorted(root.glob("inveniosoftware-datacite/tests/data/**/*.json"))
    files += sorted(root.glob("datacite-schema-json/**/example/*.json"))
    for path in files:
        file = str(path.relative_to(root))
        example = json.loads(path.read_text(encoding="utf-8"))
        records, error = convert(windrow, [path], "json_lines", "datacite-json-to-record.yaml")
        if not records:
            report.differ(file, "json", error.strip()[-300:])
            continue
        report.checked["examples in JSON"] += 1
        for name, detail in differences(example, records[0]):
            report.differ(file, f"json {name}", detail)
        check_twin(windrow, shared, file, example, report)
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as lines:
            lines.write(json.dumps(records[0]) + "\n")
            lines.flush()
            written, error = convert(windrow, [lines.name], "json_lines", "record-to-datacite-json.yaml")
        if not written:
            report.differ(file, "written", error.strip()[-300:])
        for record in written:
            for version in schemas:
                check_written(record, file, version, schemas, report)
    return report.end()


def check_twin(windrow, shared, file, example, report):
    """The same example in XML, through the crosswalk for XML."""
    twin = shared / "data/datacite-xml" / pathlib.Path(file).with_suffix(".xml")
    crosswalk = "datacite-xml-to-record.yaml"
    if not twin.exists() or not (CROSSWALKS / crosswalk).exists():
        return
    records, error = convert(windrow, [twin], "datacite_xml", crosswalk)
    if not records:
        report.differ(file, "xml", error.strip()[-300:])
        return
    report.checked["twins in XML"] += 1
    own = {name: value for name, value in example.items() if name != "url"}  # XML has no landing page
    for name, detail in differences(own, records[0]):
        report.differ(file, f"xml {name}", detail)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
