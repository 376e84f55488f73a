"""1,000 HTTP callers who wait at once for work that goes on at Databricks: each for a run of an operation of its own, each
for a job run of its own, and all of them for two runs that others have begun. Half of the jobs end within the wait, half
outlast it. The handler is called directly."""

import asyncio
import json
import time
from urllib.parse import urlsplit

from contestants import Causeway
from measures import Figures, number, shown, table
from rig import BENCH, Stack, post, say

CALLERS, QUICK_CALLERS = 1_000, 200
WAIT_SECONDS, ENDS_AFTER_SECONDS = 60, 40
# While nothing begins and nothing ends, in seconds from the first call.
STEADY = (15, 35)
# A caller who is answered this much later than it asked for has been let down.
LATE_SECONDS = 1.0
JOBS = {"ends": ENDS_AFTER_SECONDS, "goes-on": 3_600}
WAYS = {
    "a run of its own": lambda place, job: ("/api/operations/wait-for-job", {"job": job}, f"own-{place}"),
    "a job run of its own": lambda place, job: (f"/api/jobs/{job}/runs", {}, f"job-{place}"),
    "a run that another call began": lambda place, job: ("/api/operations/wait-for-job", {"job": job}, f"same-{job}"),
}


def run(context):
    callers = context.pick(CALLERS, QUICK_CALLERS)
    found = {}
    for round in range(context.pick(min(context.rounds, 3), 1)):
        for way in WAYS:
            figures = measure(context, way, callers)
            found.setdefault(way, Figures()).add(**figures)
            say(f"  {way}, round {round + 1}: {figures['cpu_per_minute']:.2f} s of CPU a minute")
    return {way: figures.as_json() for way, figures in found.items()}, markdown(callers, found)


def markdown(callers, found):
    rows = []
    for way, figures in found.items():
        worst = lambda name: max(figures[name].rounds)
        rows.append([
            f"{callers:,} wait for {way}",
            f"{number(min(figures['in_time'].rounds), 0)} of {callers:,}",
            f"{number(figures['first_202'].median, 1)} … {number(worst('last_202'), 1)} s",
            f"{number(worst('last_200'), 1)} s",
            number(worst("peak_mib"), 0) + " MiB",
            number(figures["kib_per_wait"].median, 0) + " KiB",
            shown(figures["cpu_per_minute"], " s"),
            shown(figures["cpu_seconds"], " s"),
            number(figures["ledger_reads"].median) + "/s",
            number(figures["looks"].median) + "/s",
        ])
    head = ["", "answered in time", "202 after", "200 after, at the latest", "peak RSS", "for each wait",
            "CPU a minute of waiting", "CPU in all", "reads of the ledger", "looks at Databricks"]
    return table(head, rows)


def measure(context, way, callers):
    stack = Stack(context.program, "--no-host", name="waits")
    contestant = None
    try:
        for number, (name, steps) in enumerate(JOBS.items()):
            task = {"task_key": "main", "kind": "python", "output": "done"}
            job = {"job_id": 7_700 + number, "name": name, "tasks": [task], "more_steps": steps,
                   "max_concurrent_runs": 10 * callers}
            stack.tell("jobs", job)
        stack.tell("clock", {"milliseconds": 1_000})
        contestant = Causeway(stack, context.handler, CAUSEWAY_OPERATIONS_FOLDER=str(BENCH / "operations"))
        # What a process needs once: tokens, secrets, connections.
        post(contestant.url + "/api/operations/wait-for-job?waitSeconds=0", {"job": "goes-on"},
             headers={"Idempotency-Key": "warm"})
        answers, figures = asyncio.run(waited(stack, contestant, way, callers))
        wrong = [answer for answer in answers if answer[1] not in (200, 202)]
        if wrong:
            raise RuntimeError(f"{len(wrong)} of {callers} answers are wrong: {wrong[0]}")
        # Who waits for a job that ends is answered 200; the others 202.
        late = [seconds for job, status, seconds in answers
                if seconds > WAIT_SECONDS + LATE_SECONDS or (job == "ends") != (status == 200)]
        ended = [seconds for _, status, seconds in answers if status == 200]
        going = [seconds for _, status, seconds in answers if status == 202]
        return figures | {"in_time": callers - len(late), "last_200": max(ended, default=0.0),
                          "first_202": min(going, default=0.0), "last_202": max(going, default=0.0)}
    finally:
        if contestant:
            contestant.stop()
        stack.stop()


async def waited(stack, contestant, way, callers):
    handler = contestant.process
    idle, before, begun = handler.rss_mib(), handler.cpu_seconds(), time.time()
    handler.forget_peak()
    names = list(JOBS)
    if way == "a run that another call began":
        first = [ask(contestant, *WAYS[way](place, name), name) for place, name in enumerate(names)]
        first = [asyncio.ensure_future(one) for one in first]
        await asyncio.sleep(0.5)
    else:
        first = []
    calls = [asyncio.ensure_future(ask(contestant, *WAYS[way](place, names[place % 2]), names[place % 2]))
             for place in range(len(first), callers)]
    marks = []
    for moment in STEADY:
        await asyncio.sleep(max(0.0, begun + moment - time.time()))
        marks.append((time.time(), handler.cpu_seconds()))
    answers = await asyncio.gather(*first, *calls)
    cpu, peak = handler.cpu_seconds() - before, handler.peak_mib()
    (since, cpu_since), (until, cpu_until) = marks
    seconds = until - since
    within = lambda service: [detail for at, detail in stack.history(service, "request") if since <= at < until]
    reads = [detail for detail in within("blob") if detail["method"] == "GET"]
    return answers, {
        "idle_mib": idle,
        "peak_mib": peak,
        "kib_per_wait": (peak - idle) * 1024 / callers,
        "cpu_per_minute": (cpu_until - cpu_since) / seconds * 60,
        "cpu_seconds": cpu,
        "ledger_reads": len(reads) / seconds,
        "ledger_writes": len([detail for detail in within("blob") if detail["method"] == "PUT"]) / seconds,
        "looks": len(within("databricks")) / seconds,
    }


async def ask(contestant, path, body, key, job):
    """One caller on a connection of its own: the job it waits for, the status and the seconds."""
    address, content = urlsplit(contestant.url), json.dumps(body).encode()
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    begun = time.perf_counter()
    head = (f"POST {path}?waitSeconds={WAIT_SECONDS} HTTP/1.1\r\nHost: {address.netloc}\r\nIdempotency-Key: {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n")
    writer.write(head.encode() + content)
    answer = await reader.read()
    seconds = time.perf_counter() - begun
    writer.close()
    return job, int(answer.split(b" ", 2)[1]) if answer else 0, seconds
