"""One of the world's providers on a free port of loopback, over a file of records.

    python providers.py pyoai|oaipmh|oai-repo FILE [PAGE_SIZE]

Prints its URL. pyoai and oaipmh, which goes on with it, have modules of one name: PYTHONPATH says
which is meant. oai-repo leaves deleted records out of its lists: it is told of none.
"""

import datetime
import pathlib
import sys
import types
import urllib.parse

import waitress

import meadow

ARGUMENTS = ("verb", "identifier", "metadataPrefix", "from", "until", "set", "resumptionToken")


def moment(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")


def stamp(moment):
    return moment and moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def pyoai(records, page_size):
    """The object that pyoai asks, and the server around it."""
    # pyoai asks for a function that Python 3.8 took away.
    sys.modules["cgi"] = types.SimpleNamespace(parse_qs=urllib.parse.parse_qs)
    from oaipmh import common, error, metadata, server

    class Provider:
        def __init__(self):
            self.url = None

        def identify(self):
            return common.Identify(
                repositoryName="Meadow",
                baseURL=self.url,
                protocolVersion="2.0",
                adminEmails=["rake@meadow.example"],
                earliestDatestamp=moment(records.earliest()),
                deletedRecord="persistent",
                granularity="YYYY-MM-DDThh:mm:ssZ",
                compression=["identity"],
                toolkit_description=False,
            )

        def header(self, one):
            return common.Header(
                None, meadow.identifier(one), moment(one["datestamp"]), one["sets"], one["deleted"]
            )

        def record(self, one):
            return self.header(one), common.Metadata(None, one["dc"]), None

        def selected(self, metadataPrefix, set=None, from_=None, until=None, cursor=0, batch_size=10):
            if metadataPrefix != "oai_dc":
                raise error.CannotDisseminateFormatError(metadataPrefix)
            chosen = records.select(stamp(from_), stamp(until), set)
            return chosen[cursor : cursor + batch_size]

        def listRecords(self, **arguments):
            return [self.record(one) for one in self.selected(**arguments)]

        def listIdentifiers(self, **arguments):
            return [self.header(one) for one in self.selected(**arguments)]

        def getRecord(self, metadataPrefix, identifier):
            one = records.get(identifier)
            if one is None:
                raise error.IdDoesNotExistError(identifier)
            return self.record(one)

        def listMetadataFormats(self, identifier=None):
            if identifier and records.get(identifier) is None:
                raise error.IdDoesNotExistError(identifier)
            dc = "http://www.openarchives.org/OAI/2.0/oai_dc"
            return [("oai_dc", f"{dc}.xsd", f"{dc}/")]

        def listSets(self, cursor=0, batch_size=10):
            return [(spec, name, "") for spec, name in meadow.SETS.items()][cursor:]

    provider = Provider()
    registry = metadata.MetadataRegistry()
    registry.registerWriter("oai_dc", server.oai_dc_writer)
    made = server.BatchingServer(provider, registry, resumption_batch_size=page_size)
    return provider, made.handleRequest


def oai_repo(records, page_size):
    """The object that oai-repo asks, and the repository around it."""
    import oai_repo
    from lxml import etree

    OAI_DC = "http://www.openarchives.org/OAI/2.0/oai_dc/"
    DC = "http://purl.org/dc/elements/1.1/"
    XSI = "http://www.w3.org/2001/XMLSchema-instance"

    class Provider(oai_repo.DataInterface):
        limit = page_size
        url = None

        def get_identify(self):
            identify = oai_repo.Identify()
            identify.repository_name = "Meadow"
            identify.base_url = self.url
            identify.admin_email = ["rake@meadow.example"]
            identify.deleted_record = "no"
            identify.granularity = "YYYY-MM-DDThh:mm:ssZ"
            identify.earliest_datestamp = records.earliest()
            return identify

        def is_valid_identifier(self, identifier):
            one = records.get(identifier)
            return one is not None and not one["deleted"]

        def get_metadata_formats(self, identifier=None):
            return [oai_repo.MetadataFormat("oai_dc", f"{OAI_DC[:-1]}.xsd", OAI_DC)]

        def get_record_header(self, identifier):
            one = records.get(identifier)
            header = oai_repo.RecordHeader()
            header.identifier, header.datestamp = identifier, one["datestamp"]
            header.setspecs = one["sets"]
            return header

        def get_record_metadata(self, identifier, metadataprefix):
            one = records.get(identifier)
            root = etree.Element(
                f"{{{OAI_DC}}}dc", nsmap={"oai_dc": OAI_DC, "dc": DC, "xsi": XSI}
            )
            root.set(f"{{{XSI}}}schemaLocation", f"{OAI_DC} {OAI_DC[:-1]}.xsd")
            for name, texts in one["dc"].items():
                for text in texts:
                    etree.SubElement(root, f"{{{DC}}}{name}").text = text
            return root

        def get_record_abouts(self, identifier):
            return []

        def list_set_specs(self, identifier=None, cursor=0):
            specs = records.get(identifier)["sets"] if identifier else list(meadow.SETS)
            return specs[cursor:], len(specs), None

        def get_set(self, setspec):
            return oai_repo.Set(setspec, meadow.SETS[setspec], [])

        def list_identifiers(
            self, metadataprefix, filter_from=None, filter_until=None, filter_set=None, cursor=0
        ):
            chosen = records.select(stamp(filter_from), stamp(filter_until), filter_set, live=True)
            page = chosen[cursor : cursor + self.limit]
            return [meadow.identifier(one) for one in page], len(chosen), None

    provider = Provider()
    repository = oai_repo.OAIRepository(provider)
    return provider, lambda arguments: bytes(repository.process(arguments))


def application(provider, answer):
    def respond(environment, start):
        sent = environment["QUERY_STRING"]
        if environment["REQUEST_METHOD"] == "POST":
            length = int(environment.get("CONTENT_LENGTH") or 0)
            sent = environment["wsgi.input"].read(length).decode()
        body = answer(dict(urllib.parse.parse_qsl(sent, keep_blank_values=True)))
        start("200 OK", [("Content-Type", "text/xml; charset=utf-8")])
        return [body]

    server = waitress.create_server(respond, listen="127.0.0.1:0", threads=1)
    provider.url = f"http://127.0.0.1:{server.effective_port}/oai"
    return server


def main():
    name, path = sys.argv[1], pathlib.Path(sys.argv[2])
    page_size = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    make = oai_repo if name == "oai-repo" else pyoai
    provider, answer = make(meadow.Meadow(path), page_size)
    server = application(provider, answer)
    print(provider.url, flush=True)
    server.run()


if __name__ == "__main__":
    main()
