"""Credentials that change under 200 calls a second: tokens that expire, a secret rotated by hand with the old value revoked
at once, `causeway rotate-pat` with the old token revoked at once, and Key Vault refusing connections, hanging and throttling.
Every call has a valid path all the time, so that none may fail. The handler is called directly."""

import json
import ssl
import subprocess
import threading
import time
import urllib.request

from contestants import Causeway, clean_environment
from measures import number, table
from rig import Load, OTHERS, Stack, call, pinned, post, say
from scenarios.small import STATEMENT, one_cell

PER_SECOND = 200
CONNECTIONS = 64
SECRET = "databricks-token"
# Read again every two seconds, and looked for each second: the more often, the harder.
EAGER = {"CAUSEWAY_SECRET_CACHE_SECONDS": "2", "CAUSEWAY_SECRET_MARKER_SECONDS": "1"}
WITH_PAT = EAGER | {"CAUSEWAY_DATABRICKS_AUTH": "pat", "CAUSEWAY_PAT_ROTATION": "managed-identity",
                    "CAUSEWAY_PAT_GRACE_SECONDS": "0"}
# Databricks takes no token with less than 30 s left, and Causeway leaves 40.
TOKEN_LIFE = 55


def run(context):
    seconds = context.pick(45, 12)
    found = {}
    for name, (settings, disturb) in PHASES.items():
        found[name] = measure(context, settings, disturb, seconds)
        figures = found[name]
        say(f"  {name}: {figures['failures']} of {figures['calls']:,} failed, {figures['events']} changes")
    rows = [[name, f"{figures['calls']:,}", figures["events"], f"**{figures['failures']}**",
             number(figures["p50"] / 1000) + " ms", number(figures["p99"] / 1000) + " ms",
             number(figures["max"] / 1000) + " ms", figures["readings"]] for name, figures in found.items()]
    head = ["", "calls", "changes", "failed", "p50", "p99", "slowest", "readings of the vault"]
    return found, table(head, rows)


def measure(context, settings, disturb, seconds):
    stack = Stack(context.program, "--no-host", name="rotation")
    contestant = None
    try:
        neighbours = Neighbours(stack)
        one_cell(stack, STATEMENT)
        if disturb is tokens_expire:
            neighbours.token_life(TOKEN_LIFE)
        contestant = Causeway(stack, context.handler, **settings)
        request = contestant.small(STATEMENT)
        # Each connection has been open once, and the first secret and token are there.
        Load.run("most", request, connections=8, seconds=1)
        over = threading.Event()
        events = []
        worker = threading.Thread(target=guarded, args=(disturb, context, neighbours, settings, over, events))
        before = len(neighbours.readings())
        worker.start()
        figures = Load.run("rate", request, per_second=PER_SECOND, seconds=seconds, connections=CONNECTIONS)
        over.set()
        worker.join()
        wrong = [event for event in events if isinstance(event, Exception)]
        if wrong:
            raise wrong[0]
        return figures | {"events": len(events), "readings": len(neighbours.readings()) - before}
    finally:
        if contestant:
            contestant.stop()
        stack.stop()


def guarded(disturb, context, neighbours, settings, over, events):
    try:
        disturb(context, neighbours, settings, over, events)
    except Exception as error:
        events.append(error)


class Neighbours:
    """What is done to Key Vault, Entra and Databricks meanwhile."""

    def __init__(self, stack):
        self.stack, self.vault = stack, stack.endpoints["keyVault"]
        self.context = ssl.create_default_context(cafile=stack.credentials["caFile"])

    def to_vault(self, method, path, body=None, headers=()):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **dict(headers)}
        request = urllib.request.Request(self.vault + path, data, headers, method=method)
        with urllib.request.urlopen(request, context=self.context, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def token_life(self, seconds):
        post(self.stack.endpoints["managedIdentity"].rpartition("/msi/")[0] + "/__stand-in/token-life",
             {"seconds": seconds})

    def store(self, value):
        url = self.stack.endpoints["managedIdentity"] + "?api-version=2019-08-01&resource=https://vault.azure.net"
        token = json.loads(call("GET", url, headers={"X-IDENTITY-HEADER": self.stack.credentials["identityHeader"]}))
        bearer = {"Authorization": "Bearer " + token["access_token"]}
        self.to_vault("PUT", f"/secrets/{SECRET}?api-version=7.4", {"value": value}, bearer)

    def fault(self, action):
        self.to_vault("POST", "/__stand-in/faults", {"method": "GET", "pathContains": "/secrets/", "times": 1_000_000,
                                                     "action": action})

    def no_faults(self):
        self.to_vault("DELETE", "/__stand-in/faults")

    def readings(self):
        return [detail for _, detail in self.stack.history("keyVault", "request") if "/secrets/" in detail["target"]]


def tokens_expire(context, neighbours, settings, over, events):
    # Nothing to do but wait; each life is a change.
    before = time.monotonic()
    over.wait()
    events += ["expired"] * int((time.monotonic() - before) / (TOKEN_LIFE - 40))


def rotated_by_hand(context, neighbours, settings, over, events):
    old = neighbours.stack.token
    while not over.wait(3):
        new = f"dapi-{time.monotonic_ns()}"
        neighbours.stack.tell("tokens/add", new)
        neighbours.store(new)
        neighbours.stack.tell("tokens/revoke", [old])
        old = new
        events.append("rotated")


def rotated_by_causeway(context, neighbours, settings, over, events):
    environment = clean_environment() | neighbours.stack.handler_environment | settings
    while not over.wait(1):
        command = pinned(OTHERS, [context.handler, "rotate-pat", "--again", "--revoke-now"])
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise RuntimeError(f"rotate-pat: {done.stdout}{done.stderr}")
        events.append("rotated")


def vault_away(context, neighbours, settings, over, events):
    actions = ["cutBeforeCommit", "hang",
               {"status": {"status": 429, "headers": [["retry-after", "3"]], "body": "{}"}},
               {"status": {"status": 503, "headers": [], "body": "{}"}}]
    turn = 0
    try:
        while not over.is_set():
            neighbours.fault(actions[turn % len(actions)])
            events.append("away")
            turn += 1
            over.wait(context.pick(8, 2.5))
            neighbours.no_faults()
            over.wait(1)
    finally:
        neighbours.no_faults()


PHASES = {
    "tokens expire": (EAGER, tokens_expire),
    "the secret is rotated by hand": (WITH_PAT, rotated_by_hand),
    "`causeway rotate-pat`": (WITH_PAT, rotated_by_causeway),
    "Key Vault is away": (WITH_PAT, vault_away),
}
