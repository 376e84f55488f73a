"""1 to 10,000 messages that wait on the request queue, drained by the handler under the host stand-in; each is a run of one
small read with a reply, or of one effect, a message sent on. Beside it the host stand-in's own ceiling: a handler that
answers every message at once."""

import json
import time
from collections import Counter
from datetime import datetime, timezone

from measures import Figures, number, shown, table
from rig import BENCH, HostedStack, Load, post, say
from scenarios.small import one_cell

SIZES, QUICK_SIZES = (1, 10, 100, 1_000, 10_000), (1, 10, 100)
STATEMENT = "SELECT 0 AS zero"
READS, SENDS, CEILING = "a read", "an effect", "at once"
OPERATIONS = {READS: "small-read", SENDS: "small-message"}
SENT_TO = "business-results"
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
        for name in READS, SENDS, CEILING:
            found[name, size] = Figures()
            for round in range(1 if size >= 10_000 else min(context.rounds, 3)):
                found[name, size].add(**measure(context, name, size))
            say(f"  {name}, {size:,} messages: {found[name, size]['per_second'].median:.0f}/s")
    facts = {f"{name}, {size}": figures.as_json() for (name, size), figures in found.items()}
    return facts, markdown(found)


# In this order: what was lost; effects that happened twice; reads that were run twice, as their answer was lost; replies
# that the transport sent twice under one MessageId, which duplicate detection drops; replies that a run sent twice.
COUNTED = ("lost", "doubled", "read_again", "resent", "told_again")


def markdown(found):
    rows = []
    for (name, size), figures in found.items():
        if name == CEILING:
            continue
        ceiling = found[CEILING, size]["per_second"].median
        rows.append([
            f"{size:,}, {name} each",
            shown(figures["seconds"], " s"),
            number(figures["per_second"].median) + "/s",
            number(ceiling) + "/s",
            shown(figures["cpu_ms"], " ms"),
            number(figures["writes"].median),
            number(figures["reads"].median),
            number(figures["work_messages"].median),
            number(max(figures["peak_mib"].rounds), 0) + " MiB",
            " / ".join(number(max(figures[which].rounds), 0) for which in COUNTED),
        ])
    head = ["messages", "to the last reply", "runs", "host alone", "CPU a run", "ledger writes a run", "reads a run",
            "work messages a run", "peak RSS", "lost / effects doubled / read again / reply sent again / told again"]
    return table(head, rows)


def measure(context, name, size):
    ours = name in OPERATIONS
    handler = context.handler if ours else Load.program.parent / "at-once"
    settings = {"CAUSEWAY_OPERATIONS_FOLDER": str(BENCH / "operations")} if ours else {}
    stack = HostedStack(context.program, handler, name="drain", **settings)
    try:
        one_cell(stack, STATEMENT)
        if ours:
            # What a process needs once: tokens, secrets, connections.
            stack.ask("POST", f"/api/operations/{OPERATIONS[name]}", {}, headers={"Idempotency-Key": "warm"})
        bus = stack.endpoints["serviceBus"]
        due = time.time() + AHEAD_SECONDS[size]
        when = datetime.fromtimestamp(int(due) + 1, timezone.utc)
        due = when.timestamp()
        body = {"operation": OPERATIONS.get(name, "small-read"), "replyTo": "causeway-replies"}
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
        return figures | (effects(stack, name, size, due) if ours else {})
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


def effects(stack, name, size, due):
    """What was done, once and not twice, by the key of each step and the run of each reply."""
    blob = [detail for at, detail in stack.history("blob", "request") if at >= due]
    messages = [detail for kind in ("message", "duplicate") for at, detail in stack.history("serviceBus", kind) if at >= due]
    statements = [detail for at, detail in stack.history("databricks", "statement") if at >= due]
    read = Counter(json.dumps(detail["queryTags"], sort_keys=True) for detail in statements)
    sent = Counter(detail["applicationProperties"]["causeway-key"] for detail in messages if detail["queue"] == SENT_TO)
    done = read if name == READS else sent
    # A reply under one MessageId is one, however often it was sent.
    replies = Counter((json.loads(detail["body"])["runId"], detail["messageId"])
                      for detail in messages if detail["queue"] == "causeway-replies")
    told = Counter(run for run, _ in replies)
    return {
        "writes": sum(detail["method"] == "PUT" for detail in blob) / size,
        "reads": sum(detail["method"] == "GET" for detail in blob) / size,
        "work_messages": sum(detail["queue"] == "causeway-work" for detail in messages) / size,
        "lost": max(size - len(told), size - len(done), 0),
        "doubled": sum(sent.values()) - len(sent),
        "read_again": sum(read.values()) - len(read),
        "resent": sum(replies.values()) - len(replies),
        "told_again": len(replies) - len(told),
    }
