"""Peak memory of the handler while it streams 3 columns as NDJSON: 1, 10 and (with `--big`) 100 million rows, to a
reader that takes what comes and to a slow one. A new process for each row of the table."""

from contestants import Causeway
from measures import number, table
from rig import Load, say
from scenarios.big import columns_3

# What `CAUSEWAY_RESULT_BUDGET_MIB` is when nobody says, and what the rest may need.
BAR_MIB = 64 + 64


def run(context):
    sizes = [1_000_000, 10_000_000] + ([100_000_000] if context.big else [])
    facts, lines = [], []
    for rows in sizes if not context.quick else sizes[:1]:
        statement = f"SELECT * FROM generated /* {rows} rows */"
        reply = {"statement": statement, "columns": columns_3(), "rows": rows, "chunkRows": 100_000}
        # Served from memory, and all chunks but the last one are the same: a hundred million rows need no room.
        reply |= {"preEncoded": True, "repeat": True}
        context.stack.tell("generated", reply)
        fast = measure(context, rows, statement, None)
        # A third of what it could have: slow enough that everything backs up, and over within minutes.
        slow = measure(context, rows, statement, int(fast["bytes"] / fast["seconds"] / 3))
        for reader, found in ("fast", fast), ("slow", slow):
            facts.append({"rows": rows, "reader": reader, **found})
            verdict = "" if found["peakMiB"] <= BAR_MIB else f" (over {BAR_MIB})"
            lines.append([
                f"{rows:,} rows, {reader} reader",
                number(found["peakMiB"], 0) + " MiB" + verdict,
                number(found["idleMiB"], 0) + " MiB",
                number(found["seconds"]) + " s",
                number(found["bytes"] / found["seconds"] / 1e6, 0) + " MB/s",
                number(found["cpuSeconds"]) + " s",
                number(rows / found["seconds"] / 1e6, 2) + " M/s",
            ])
    return facts, table(["", "peak RSS", "before", "time", "to the reader", "CPU", "rows"], lines)


def measure(context, rows, statement, bytes_per_second):
    contestant = Causeway(context.stack, context.handler)
    try:
        idle = contestant.process.peak_mib()
        before = contestant.process.cpu_seconds()
        pace = {"bytes_per_second": bytes_per_second} if bytes_per_second else {}
        found = Load.run("read", contestant.big(statement, "ndjson"), **pace)
        say(f"  {rows:,} rows, {'slow' if pace else 'fast'}: {found['seconds']:.1f} s")
        return {
            "seconds": found["seconds"],
            "bytes": found["bytes"],
            "cpuSeconds": contestant.process.cpu_seconds() - before,
            "idleMiB": idle,
            "peakMiB": contestant.process.peak_mib(),
        }
    finally:
        contestant.stop()
