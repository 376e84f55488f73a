"""1 to 10,000 messages that wait on the request queue, drained by the handler under the host stand-in; each is a run of one
small read with a reply. Beside it the host stand-in's own ceiling: a handler that answers every message at once."""

import json
import time
from collections import Counter
from datetime import datetime, timezone

from measures import Figures, number, shown, table
from rig import BENCH, HostedStack, Load, post, say
from scenarios.small import one_cell

SIZES, QUICK_SIZES = (1, 10, 100, 1_000, 10_000), (1, 10, 100)
STATEMENT = "SELECT 0 AS zero"
# Signatures are not verified by the stand-in; the form is.
SIGNED = {"Authorization": "SharedAccessSignature sr=bench&sig=bench&se=4102444800&skn=bench"}
BATCH = {"Content-Type": "application/vnd.microsoft.servicebus.json"}
MOST_IN_ONE = 500
# Until all are on the queue.
AHEAD_SECONDS = {1: 1, 10: 1, 100: 1, 1_000: 3, 10_000: 15}
PATIENCE_SECONDS = 900


def run(context):
    found = {}
    for size in context.pick(SIZES, QUICK_SIZES):
        for name in "Causeway", "at once":
            found[name, size] = Figures()
            for round in range(1 if size >= 10_000 else min(context.rounds, 3)):
                found[name, size].add(**measure(context, name, size))
            say(f"  {name}, {size:,} messages: {found[name, size]['per_second'].median:.0f}/s")
    facts = {f"{name}, {size}": figures.as_json() for (name, size), figures in found.items()}
    return facts, markdown(found)


def markdown(found):
    rows = []
    for (name, size), figures in found.items():
        if name != "Causeway":
            continue
        ceiling = found["at once", size]["per_second"].median
        rows.append([
            f"{size:,}",
            shown(figures["seconds"], " s"),
            number(figures["per_second"].median) + "/s",
            number(ceiling) + "/s",
            shown(figures["cpu_ms"], " ms"),
            number(figures["writes"].median),
            number(figures["reads"].median),
            number(figures["work_messages"].median),
            number(max(figures["peak_mib"].rounds), 0) + " MiB",
            " / ".join(number(max(figures[which].rounds), 0) for which in ("lost", "doubled", "replied_again")),
        ])
    head = ["messages", "to the last reply", "runs", "host alone", "CPU a run", "ledger writes a run", "reads a run",
            "work messages a run", "peak RSS", "lost / doubled / replied to again"]
    return table(head, rows)


def measure(context, name, size):
    ours = name == "Causeway"
    handler = context.handler if ours else Load.program.parent / "at-once"
    settings = {"CAUSEWAY_OPERATIONS_FOLDER": str(BENCH / "operations")} if ours else {}
    stack = HostedStack(context.program, handler, name="drain", **settings)
    try:
        one_cell(stack, STATEMENT)
        if ours:
            # What a process needs once: tokens, secrets, connections.
            stack.ask("POST", "/api/operations/small-read", {}, headers={"Idempotency-Key": "warm"})
        bus = stack.endpoints["serviceBus"]
        due = time.time() + AHEAD_SECONDS[size]
        when = datetime.fromtimestamp(int(due) + 1, timezone.utc)
        due = when.timestamp()
        body = {"operation": "small-read", "replyTo": "causeway-replies"}
        messages = [{"Body": json.dumps(body), "BrokerProperties": {
            "MessageId": f"bench-{place}", "ScheduledEnqueueTimeUtc": when.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        }} for place in range(size)]
        for first in range(0, size, MOST_IN_ONE):
            post(f"{bus}/causeway-requests/messages", messages[first:first + MOST_IN_ONE], headers=SIGNED | BATCH)
        late = time.time() - due
        if late > 0:
            raise RuntimeError(f"the messages were on the queue {late:.1f} s too late")
        before = stack.handler.cpu_seconds()
        stack.handler.forget_peak()
        time.sleep(max(0.0, due - time.time()))
        ends = until_drained(stack, ours, size, due)
        # What is still under way after the last reply belongs to the runs: their ends are told, their markers go.
        time.sleep(1)
        cpu = stack.handler.cpu_seconds() - before
        figures = {"seconds": ends[-1] - due, "per_second": size / (ends[-1] - due), "cpu_ms": cpu / size * 1000,
                   "peak_mib": stack.handler.peak_mib()}
        return figures | (effects(stack, size, due) if ours else {})
    finally:
        stack.stop()


def until_drained(stack, ours, size, due):
    """When each was done: replied to, or completed by the host."""
    queue, kind = ("causeway-replies", "message") if ours else ("causeway-requests", "completed")
    pause = 0.2
    while True:
        done = [at for at, detail in stack.history("serviceBus", kind) if detail.get("queue") == queue and at >= due]
        if len(done) >= size:
            return sorted(done)[:size]
        if time.time() > due + PATIENCE_SECONDS:
            raise RuntimeError(f"{len(done)} of {size} are done after {PATIENCE_SECONDS} s")
        # The history is long, and reading it costs the stand-in time.
        time.sleep(pause)
        pause = min(pause * 1.5, 10)


def effects(stack, size, due):
    """What was done, once and not twice: statements by Databricks' history, replies by the run that they are of."""
    blob = [detail for at, detail in stack.history("blob", "request") if at >= due]
    sent = [detail for at, detail in stack.history("serviceBus", "message") if at >= due]
    replies = Counter(json.loads(detail["body"])["runId"] for detail in sent if detail["queue"] == "causeway-replies")
    statements = len([at for at, _ in stack.history("databricks", "statement") if at >= due])
    return {
        "writes": sum(detail["method"] == "PUT" for detail in blob) / size,
        "reads": sum(detail["method"] == "GET" for detail in blob) / size,
        "work_messages": sum(detail["queue"] == "causeway-work" for detail in sent) / size,
        "lost": max(size - len(replies), size - statements, 0),
        "doubled": max(statements - size, 0),
        "replied_again": sum(count - 1 for count in replies.values()),
    }
