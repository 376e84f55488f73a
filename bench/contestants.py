"""Who is measured: how each is started, and how it is asked for a small and a big result. Nothing is timed here."""

import json
import os
import socket
import subprocess
import sys

from rig import BENCH, Process, TESTED, call, post, wait_until

FORMATS = ("json", "ndjson", "csv")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def clean_environment():
    """No proxies, no credentials of this machine."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ} | {"NO_PROXY": "*"}


class Causeway:
    name = "Causeway"
    formats = FORMATS

    def __init__(self, stack, handler, **settings):
        self.port = free_port()
        environment = clean_environment() | stack.handler_environment | settings
        environment["FUNCTIONS_CUSTOMHANDLER_PORT"] = str(self.port)
        self.process = Process("causeway", TESTED, [handler, "serve"], environment)
        self.url = f"http://127.0.0.1:{self.port}"
        wait_until(lambda: call("GET", self.url + "/api/health"), self.name, self.process)

    def small(self, statement):
        return {"url": self.url + "/api/sql/statements", "body": {"statement": statement}}

    def big(self, statement, format):
        body = {"statement": statement, "disposition": "externalLinks"}
        return {"url": f"{self.url}/api/sql/statements?format={format}", "body": body}

    def stop(self):
        self.process.stop()


class Peer:
    """A service of `peers/`, with one uvicorn worker."""

    formats = FORMATS

    def __init__(self, stack, name, module, **settings):
        self.name = name
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = clean_environment() | stack.peer_environment() | {"PYTHONDONTWRITEBYTECODE": "1"} | settings
        command = [sys.executable, "-m", "uvicorn", f"{module}:app", "--port", self.port]
        command += ["--no-access-log", "--log-level", "warning"]
        self.process = Process(module, TESTED, command, environment, folder=BENCH / "peers")
        wait_until(lambda: call("GET", self.url + "/openapi.json"), name, self.process)

    def small(self, statement):
        return {"url": self.url + "/small", "body": {"statement": statement}}

    def big(self, statement, format):
        return {"url": f"{self.url}/big?format={format}", "body": {"statement": statement}}

    def stop(self):
        self.process.stop()


class StandIn:
    """The stand-in alone: what a call costs when nobody stands between."""

    name = "stand-in alone"

    def __init__(self, stack):
        self.stack, self.process = stack, stack.process

    def small(self, statement):
        body = {"statement": statement, "warehouse_id": self.stack.warehouse, "wait_timeout": "30s"}
        headers = {"Authorization": f"Bearer {self.stack.token}"}
        return {"url": self.stack.url + "/api/2.0/sql/statements", "body": body, "headers": headers}

    def stop(self):
        pass


class Direct:
    """A program of `peers/` without HTTP before it: reads a job on standard input, answers one line of JSON."""

    def __init__(self, stack, name, script, formats):
        self.name, self.formats = name, formats
        environment = clean_environment() | stack.peer_environment() | {"PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, f"{script}.py"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = Process(script, TESTED, command, environment, folder=BENCH / "peers", **pipes)

    def read(self, statement, format, out):
        job = {"statement": statement, "format": format, "out": str(out) if out else "/dev/null"}
        print(json.dumps(job), file=self.process.child.stdin, flush=True)
        line = self.process.child.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name}: {self.process.last_words()}")
        return json.loads(line)

    def stop(self):
        self.process.stop()


SERVICES = {
    "databricks-sdk service": "sdk_service",
    "databricks-sql-connector service": "connector_service",
    "arrowbricks service": "arrowbricks_service",
}


def services(stack, wanted):
    return [Peer(stack, name, module) for name, module in SERVICES.items() if wanted(name)]


def rows_of(contestant, statement):
    """The rows of a small result as a list of objects."""
    request = contestant.small(statement)
    answer = json.loads(post(request["url"], request["body"], headers=request.get("headers", {})))
    if "rows" in answer:
        return answer["rows"]
    # The service itself: text cells, and the columns apart.
    columns = answer["manifest"]["schema"]["columns"]
    read = {"INT": int, "LONG": int, "DOUBLE": float}
    kinds = [(column["name"], read.get(column["type_name"], str)) for column in columns]
    return [{name: kind(cell) for (name, kind), cell in zip(kinds, row)} for row in answer["result"]["data_array"]]
