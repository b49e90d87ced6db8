"""The programs of the check: windrow, the clients, the providers; all end with this one."""

import contextlib
import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
PR_SET_PDEATHSIG = 1

# By name: what must be there, the command, the folder that its module is in.
CLIENTS = {
    "Sickle": ("sickle", ["clients.py", "sickle"], None),
    "oaipmh-scythe": ("oaipmh_scythe", ["clients.py", "scythe"], None),
    "pyoai": ("oaipmh.client", ["clients.py", "pyoai"], "pyoai"),
    "oaipmh": ("oaipmh.client", ["clients.py", "pyoai"], "oaipmh"),
    "HTTP::OAI": ("HTTP::OAI", ["clients.pl", "httpoai"], None),
    "Catmandu::OAI": ("Catmandu::Importer::OAI", ["clients.pl", "catmandu"], None),
}
PROVIDERS = {
    "pyoai": ("lxml", ["providers.py", "pyoai"], "pyoai"),
    "oaipmh": ("oaipmh.server", ["providers.py", "oaipmh"], "oaipmh"),
    "oai-repo": ("oai_repo", ["providers.py", "oai-repo"], None),
    "Dancer-Catmandu": ("Dancer::Plugin::Catmandu::OAI", ["dancer.pl"], None),
}
# Of the settings of the machine none may reach windrow, and no proxy stands before loopback.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith("WINDROW_") and name != "SOURCE_DATE_EPOCH"
}
# A server's log goes to a pipe that nobody empties: more than it holds would stop the server.
ENVIRONMENT["WINDROW_LOG"] = "warn"
ENVIRONMENT |= {"NO_PROXY": "*", "no_proxy": "*", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore"}


class Peers:
    """What runs the programs; `stack` ends those that serve."""

    def __init__(self, program, folder, work, stack):
        self.program, self.folder, self.work, self.stack = program, folder, work, stack

    def windrow(self, *arguments, cwd=None, **options):
        """windrow to its end."""
        options = {"capture_output": True, "text": True, "env": ENVIRONMENT} | options
        return subprocess.run([self.program, *map(str, arguments)], cwd=cwd or self.work, **options)

    def installed(self, table):
        """The rows of the table that are here; says of the others that they are ignored."""
        found = {}
        for name, (module, command, folder) in table.items():
            environment = self._environment(folder)
            if command[0].endswith(".pl"):
                test = ["perl", f"-M{module}", "-e1"]
            else:
                test = [sys.executable, "-c", f"import {module}"]
            try:
                tested = subprocess.run(test, capture_output=True, text=True, env=environment)
                reason = (tested.stderr.strip().splitlines() or ["?"])[-1]
                there = tested.returncode == 0
            except FileNotFoundError:
                there, reason = False, f"no {test[0]}"
            if there:
                found[name] = (self._command(command), environment)
            else:
                print(f"ignored: {name}: {reason}")
        return found

    def serve(self, command, environment=ENVIRONMENT, **options):
        """Starts a server that prints a line with its URL; it ends with the check."""
        process = subprocess.Popen(
            command, env=environment, text=True, stdin=subprocess.DEVNULL,
            preexec_fn=_die_with_parent, **options,
        )
        self.stack.callback(_end, process)
        return process

    def provider(self, name, row, records, page_size):
        """Starts a provider over a file of records; its URL."""
        command, environment = row
        log = open(self.work / f"{name}.log", "w")
        self.stack.callback(log.close)
        if name != "Dancer-Catmandu":
            command = [*command, records, str(page_size)]
            process = self.serve(command, environment, stdout=subprocess.PIPE, stderr=log)
            url = process.stdout.readline().strip()
            if not url:
                raise RuntimeError(f"{name} does not start: {(self.work / f'{name}.log').read_text()}")
            return process, url
        port = _free_port()
        command = [*command, str(port), records, str(page_size)]
        process = self.serve(command, environment, stdout=log, stderr=log)
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                return process, f"http://127.0.0.1:{port}/oai"
            if process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"{name} does not start: {(self.work / f'{name}.log').read_text()}")

    def _environment(self, folder):
        return ENVIRONMENT | ({"PYTHONPATH": str(self.folder / folder)} if folder else {})

    def _command(self, command):
        interpreter = ["perl"] if command[0].endswith(".pl") else [sys.executable]
        return [*interpreter, str(HERE / command[0]), *command[1:]]


def _free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(process):
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()
