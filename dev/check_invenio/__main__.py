"""Runs the checks: every kind of database on both keepers, and catalogs beside each other.

    python dev/check_invenio WINDROW
"""

import contextlib
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import catalog
from private_postgres import Missing, PrivatePostgres

# windrow makes no accounts, so it has no key to them either.
KNOWN = {
    ("constraint", "fk_transaction_user_id_accounts_user"),
    ("foreign key", "accounts_user", "user_id", "id", "NO ACTION", "NO ACTION"),
    (
        "constraint",
        "fk_transaction_user_id_accounts_user",
        "FOREIGN KEY (user_id) REFERENCES accounts_user(id)",
    ),
}
BASES = {"sqlite": ["windrow", "invenio"], "postgresql": ["windrow", "invenio", "older"]}


def compare_catalogs(keeper, ours, theirs):
    """Column by column, index by index: tables of windrow beside those of Invenio."""
    ours, theirs = catalog.without_windrow(catalog.read(ours)), catalog.read(theirs)
    lines = catalog.differences(ours, theirs, KNOWN)
    for line in lines:
        print(f"{keeper:10} tables   WRONG: {line}")
    if not lines:
        things = sum(len(rows) for rows in ours.values())
        print(
            f"{keeper:10} tables   {things} columns, constraints, indexes and sequences of "
            f"{len(ours)} tables are as Invenio makes them"
        )
    return not lines


def check(keeper, program, work, database):
    """The bases side by side, in processes of their own: Invenio is for one database each."""
    urls = {base: database(base) for base in BASES[keeper]}
    running = []
    for base, url in urls.items():
        folder = work / f"{keeper}-{base}"
        folder.mkdir()
        command = [sys.executable, "-B", HERE / "check.py", program, folder, url, base]
        running.append(subprocess.Popen(command))
    good = all([process.wait() == 0 for process in running])
    return good and compare_catalogs(keeper, urls["windrow"], urls["invenio"])


def main():
    started, good = time.monotonic(), True
    program = pathlib.Path(sys.argv[1]).resolve()
    with contextlib.ExitStack() as stack:
        work = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="windrow-")))
        good &= check("sqlite", program, work, lambda base: f"sqlite:{work}/{base}.db")
        try:
            server = stack.enter_context(PrivatePostgres(fsync="off"))
            good &= check("postgresql", program, work, server.create_database)
        except Missing as reason:
            print(f"ignored: PostgreSQL: {reason}")
    print(f"after {time.monotonic() - started:.0f} s: {'all of it holds' if good else 'WRONG, see above'}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
