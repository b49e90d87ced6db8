"""One of the world's clients takes a list: a line for each record.

    python clients.py sickle|scythe|pyoai URL [from=STAMP] [set=SPEC]

Prints identifier, datestamp and 0 or 1 for deleted, with tabs between. pyoai and oaipmh, which goes
on with it, have modules of one name: PYTHONPATH says which is meant.
"""

import datetime
import sys


def sickle(url, arguments):
    from sickle import Sickle

    for record in Sickle(url).ListRecords(metadataPrefix="oai_dc", **arguments):
        header = record.header
        yield header.identifier, header.datestamp, header.deleted


def scythe(url, arguments):
    from oaipmh_scythe import Scythe

    since, spec = arguments.get("from"), arguments.get("set")
    with Scythe(url) as client:
        for record in client.list_records(metadata_prefix="oai_dc", from_=since, set_=spec):
            header = record.header
            yield header.identifier, header.datestamp, header.deleted


def pyoai(url, arguments):
    from oaipmh.client import Client
    from oaipmh.metadata import MetadataRegistry, oai_dc_reader

    registry = MetadataRegistry()
    registry.registerReader("oai_dc", oai_dc_reader)
    form = "%Y-%m-%dT%H:%M:%SZ"
    if "from" in arguments:
        arguments["from_"] = datetime.datetime.strptime(arguments.pop("from"), form)
    for header, _, _ in Client(url, registry).listRecords(metadataPrefix="oai_dc", **arguments):
        yield header.identifier(), header.datestamp().strftime(form), header.isDeleted()


def main():
    name, url, *arguments = sys.argv[1:]
    client = {"sickle": sickle, "scythe": scythe, "pyoai": pyoai}[name]
    arguments = dict(argument.split("=", 1) for argument in arguments)
    for identifier, stamp, deleted in client(url, arguments):
        print(identifier, stamp, int(deleted), sep="\t")


if __name__ == "__main__":
    main()
