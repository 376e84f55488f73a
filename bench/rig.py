"""What every measurement stands on: processes on their cores with their CPU seconds and peak memory, the stack of
stand-ins, the load generator. What is measured, and of whom, lives elsewhere."""

import http.client
import json
import os
import shlex
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from datetime import datetime
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
DATA = ROOT / ".causeway-local" / "bench"
TICK = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
# The system under test has one core; the stand-in and whoever asks have the other.
TESTED, OTHERS = (CORES[0], CORES[1]) if len(CORES) > 1 else (CORES[0], CORES[0])


def say(text):
    print(text, flush=True)


def pinned(core, command):
    return ["taskset", "-c", str(core), *map(str, command)]


class Tree:
    """A process with everything that it starts."""

    def __init__(self, pid):
        self.pid = pid

    def tree(self):
        found, waiting = [], [self.pid]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                waiting += map(int, children.read_text().split())
        return found

    def cpu_seconds(self):
        """User and system, of the process and its living children, to the nanosecond; of children that are gone as
        `/proc` has it, in ticks."""
        return sum(time.clock_gettime(cpu_clock(pid)) + sum(map(int, stat(pid)[13:15])) / TICK for pid in self.tree())

    def forget_peak(self):
        for pid in self.tree():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def peak_mib(self):
        return sum(status_kib(pid, "VmHWM") for pid in self.tree()) / 1024

    def rss_mib(self):
        return sum(status_kib(pid, "VmRSS") for pid in self.tree()) / 1024


class Process(Tree):
    """A child on one core."""

    def __init__(self, name, core, command, environment, folder=ROOT, **pipes):
        self.log = DATA / "logs" / f"{name}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            pipes.setdefault("stdout", log)
            self.child = subprocess.Popen(
                pinned(core, command), env=environment, cwd=folder, stderr=log, start_new_session=True, **pipes
            )
        super().__init__(self.child.pid)
        self.name = name

    def stop(self):
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGTERM)
            try:
                self.child.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self.child.pid, signal.SIGKILL)
                self.child.wait()

    def ended(self):
        return self.child.poll() is not None

    def last_words(self):
        return self.log.read_text(errors="replace")[-2000:]


def cpu_clock(pid):
    """What `clock_getcpuclockid(3)` answers: the CPU time of all threads of a process."""
    return (~pid << 3) | 2


def stat(pid):
    # The name, which may hold spaces, ends with the last parenthesis.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def status_kib(pid, name):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return 0


class Stack:
    """The stand-ins, without the Functions host: the handler is called directly."""

    def __init__(self, program, *options, name="stack"):
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
        command = [program, "up", "--ports", "0", "--json", "--app-root", ROOT, *(options or ["--no-host"])]
        self.process = Process(name, OTHERS, command, environment, stdout=subprocess.PIPE, text=True)
        line = self.process.child.stdout.readline()
        if not line:
            raise SystemExit(f"the local stack did not start:\n{self.process.last_words()}")
        self.facts = json.loads(line)
        self.endpoints, self.credentials = self.facts["endpoints"], self.facts["credentials"]
        self.url = self.endpoints["databricks"]
        self.token = self.credentials["token"]
        self.warehouse = self.credentials["warehouseId"]
        self.handler_environment = self.facts["handlerEnvironment"]

    def stop(self):
        self.process.stop()

    def tell(self, what, body):
        """Control of the stand-in; see docs/local-stack.md."""
        return post(f"{self.url}/__stand-in/{what}", body)

    def fault(self, **fault):
        self.tell("faults", fault)

    def no_faults(self):
        call("DELETE", f"{self.url}/__stand-in/faults")

    def history(self, service, kind):
        """What happened, in order: `at` in seconds since 1970, and the detail."""
        entries = json.loads(call("GET", f"{self.url}/__stand-in/history"))
        return [(datetime.fromisoformat(entry["at"]).timestamp(), entry["detail"])
                for entry in entries if (entry["service"], entry["kind"]) == (service, kind)]

    def peer_environment(self):
        return {"DATABRICKS_HOST": self.url, "DATABRICKS_TOKEN": self.token, "DATABRICKS_WAREHOUSE_ID": self.warehouse}


class HostedStack(Stack):
    """The same with the Functions host, and the handler as its child on the other core: messages and timers come."""

    def __init__(self, program, handler, name="hosted", **settings):
        # What the host starts: only so has it a core of its own, and settings of this scenario.
        starter = DATA / f"{name}-handler.sh"
        starter.parent.mkdir(parents=True, exist_ok=True)
        settings = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items())
        starter.write_text(f'#!/bin/sh\n{settings}exec {shutil.which("taskset")} -c {TESTED} {handler} "$@"\n')
        starter.chmod(0o755)
        super().__init__(program, "--handler", starter, name=name)
        self.host = self.endpoints["host"]
        self.key = {"x-functions-key": self.credentials["hostKey"]}
        named = lambda pid: Path(f"/proc/{pid}/comm").read_text().strip() == Path(handler).name[:15]
        self.handler = Tree(next(pid for pid in self.process.tree() if named(pid)))

    def ask(self, method, path, body=None, **more):
        """Through the host, with its key; the status, the headers and the answer."""
        url = path if path.startswith("http") else self.host + path
        return answered(method, url, body, headers=self.key | more.pop("headers", {}), **more)


def answered(method, url, body=None, headers=(), timeout=600):
    """The status, the headers and the JSON of whatever comes back."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **dict(headers)}, method=method)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=timeout) as answer:
            return answer.status, answer.headers, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, error.headers, json.loads(error.read() or b"null")


def call(method, url, body=None, headers=(), timeout=600):
    """The answer's bytes; any status but 2xx is an error that says what came."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **dict(headers)}, method=method)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=timeout) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{method} {url}: {error.code} {error.read()[:600].decode(errors='replace')}") from error
    except http.client.HTTPException as error:
        raise RuntimeError(f"{method} {url}: the answer was cut: {error!r:.100}") from error


def post(url, body, **more):
    return call("POST", url, body, **more)


def wait_until(ready, what, process, seconds=60):
    end = time.monotonic() + seconds
    while True:
        try:
            return ready()
        except (RuntimeError, OSError) as error:
            if time.monotonic() > end or process.ended():
                raise SystemExit(f"{what} is not ready: {error}\n{process.last_words()}") from error
        time.sleep(0.05)


# Of all calls of one load.
MOST_FAILURES = 0.01


class Load:
    """The load generator of `load/`, built by `run.py`."""

    program = None

    @classmethod
    def run(cls, way, request, core=OTHERS, **options):
        command = [cls.program, way, "--url", request["url"], "--method", "POST", "--body", json.dumps(request["body"])]
        for header in {"Content-Type": "application/json", **request.get("headers", {})}.items():
            command += ["--header", ": ".join(header)]
        for name, value in options.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        done = subprocess.run(pinned(core, command), capture_output=True, text=True, check=True)
        figures = json.loads(done.stdout)
        # A call that fails here and there belongs into the table; more than that is no measurement.
        failed = figures.get("failures", 0) > figures.get("calls", 0) * MOST_FAILURES
        if failed or figures.get("error") or figures.get("status", 200) != 200:
            raise RuntimeError(f"{request['url']}: {figures}")
        return figures
