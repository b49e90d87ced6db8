"""The world's clients on windrow's endpoint, and windrow on the world's providers.

    python dev/check_oai_peers WINDROW FOLDER

FOLDER has `pyoai` and `oaipmh`, two modules of one name. A peer that is not there is said to be
ignored; that none is there, of clients or of providers, is an error.
"""

import contextlib
import pathlib
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import as_harvester
import as_provider
from peers import Peers


def main():
    program, folder = (pathlib.Path(argument).resolve() for argument in sys.argv[1:])
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        work = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="windrow-oai-")))
        peers = Peers(program, folder, work, stack)
        good = as_provider.check(peers)
        good &= as_harvester.check(peers)
    word = "all of it holds" if good else "WRONG, see above"
    print(f"after {time.monotonic() - started:.0f} s: {word}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
