"""What one `503` with `Retry-After: 1` costs: when the statement is submitted, when it is polled, and when a chunk is
fetched from the storage. The same call without the fault is measured beside it; the difference is what is shown."""

import json
import time
from urllib.parse import urlsplit

from contestants import Causeway, Peer, SERVICES
from measures import Figure, Figures, number, table
from rig import call, post, say
from scenarios.big import columns_3
from scenarios.small import one_cell

SMALL = "SELECT 0 AS zero /* at once */"
HELD = "SELECT 0 AS zero /* after a while */"
CHUNKS = "SELECT * FROM generated /* in four chunks */"
UNAVAILABLE = {"status": {"status": 503, "headers": [["retry-after", "1"]], "body": "{}"}}
# Long enough that there is a poll. The kernel leaves the service's wait of 10 s as it is; the others ask for none here
# (Causeway does so for a statement with a key).
HELD_MS = 300
HELD_MS_OF = {"databricks-sql-connector service": 11_000}
BAR_SECONDS = 1.5


def run(context):
    stack = context.stack
    for statement in SMALL, HELD:
        one_cell(stack, statement)
    reply = {"statement": CHUNKS, "columns": columns_3(), "rows": 4_000, "chunkRows": 1_000, "preEncoded": True}
    stack.tell("generated", reply)
    storage = storage_of(stack)
    contestants = [Causeway(stack, context.handler)]
    contestants += [
        Peer(stack, name, module, WAIT_TIMEOUT="0s") for name, module in SERVICES.items() if context.wanted(name)
    ]
    facts, lines = {}, []
    try:
        for contestant in contestants:
            found = facts[contestant.name] = measured(context, contestant, storage)
            lines.append([contestant.name, *(shown(found.get(place)) for place in ("submit", "poll", "chunk"))])
            say(f"  {contestant.name}: done")
    finally:
        stack.no_faults()
        stack.tell("release", {})
        for contestant in contestants:
            contestant.stop()
    return facts, table(["one 503, added seconds", "on submit", "on a poll", "on a chunk"], lines)


def storage_of(stack):
    """Where the links point: it takes faults of its own."""
    body = {"statement": CHUNKS, "warehouse_id": stack.warehouse, "wait_timeout": "30s",
            "disposition": "EXTERNAL_LINKS", "format": "ARROW_STREAM"}
    headers = {"Authorization": f"Bearer {stack.token}"}
    answer = json.loads(post(stack.url + "/api/2.0/sql/statements", body, headers=headers))
    link = urlsplit(answer["result"]["external_links"][0]["external_link"])
    return f"{link.scheme}://{link.netloc}"


def measured(context, contestant, storage):
    stack = context.stack
    places = {
        "submit": (contestant.small(SMALL), stack.url, {"method": "POST", "pathContains": "/sql/statements"}),
        "poll": (polled(contestant), stack.url, {"method": "GET", "pathContains": "/sql/statements/"}),
        # The second chunk: the first may be fetched before anything else is.
        "chunk": (contestant.big(CHUNKS, "ndjson"), storage, {"method": "GET", "pathContains": "", "skip": 1}),
    }
    found = {}
    for place, (request, where, fault) in places.items():
        figures = Figures(without=Figure(), with_fault=Figure())
        try:
            timed(request)
            for round in range(min(context.rounds, 3)):
                for which in "without", "with_fault":
                    if place == "poll":
                        stack.tell("hold", {"statementContains": HELD, "milliseconds": HELD_MS_OF.get(contestant.name, HELD_MS)})
                        request = polled(contestant, f"{place}-{which}-{round}")
                    if which == "with_fault":
                        post(where + "/__stand-in/faults", fault | {"action": UNAVAILABLE})
                    try:
                        figures.add(**{which: timed(request)})
                    finally:
                        call("DELETE", where + "/__stand-in/faults")
                        stack.tell("release", {})
            without, faulted = figures["without"], figures["with_fault"]
            found[place] = {"added": faulted.median - without.median, "rounds": figures.as_json()}
        except RuntimeError as error:
            found[place] = {"error": str(error)[:200]}
    return found


def polled(contestant, key="warm"):
    request = contestant.small(HELD)
    if isinstance(contestant, Causeway):
        # A statement with a key is submitted without waiting, and polled.
        request["headers"] = {"Idempotency-Key": f"bench-{key}-{time.monotonic_ns()}"}
    return request


def timed(request):
    begun = time.perf_counter()
    post(request["url"], request["body"], headers=request.get("headers", {}))
    return time.perf_counter() - begun


def shown(found):
    if "error" in found:
        return "fails: " + found["error"].replace("|", "/").replace("\n", " ")
    verdict = "" if found["added"] <= BAR_SECONDS else f" (over {BAR_SECONDS})"
    return number(found["added"], 2) + " s" + verdict
