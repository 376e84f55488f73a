"""A statement of one cell, which the stand-in answers without its SQL engine: what a call costs over the stand-in alone.
One connection; an open loop of 200 a second; as many as 16 connections can."""

from contestants import Causeway, StandIn, rows_of, services
from measures import Figures, number, shown, table
from rig import Load, say

# Made-up numbers of the stand-in count from 0; a canned reply could say 1, but has no Arrow, which the kernel wants.
STATEMENT = "SELECT 0 AS zero"
PER_SECOND = 200


def run(context):
    stack = context.stack
    one_cell(stack, STATEMENT)
    contestants = [StandIn(stack), Causeway(stack, context.handler), *services(stack, context.wanted)]
    try:
        for contestant in contestants:
            if rows_of(contestant, STATEMENT) != [{"zero": 0}]:
                raise RuntimeError(f"{contestant.name} answers something else: {rows_of(contestant, STATEMENT)}")
            # Every thread of a peer's pool has what it keeps, and every connection of ours is open.
            Load.run("most", contestant.small(STATEMENT), connections=32, seconds=context.pick(3, 1))
        found = {contestant.name: Figures() for contestant in contestants}
        for round in range(context.rounds):
            for contestant in contestants:
                measure(context, contestant, found[contestant.name])
            say(f"  one cell: round {round + 1} of {context.rounds}")
    finally:
        for contestant in contestants:
            contestant.stop()
    return {name: figures.as_json() for name, figures in found.items()}, markdown(found)


def one_cell(stack, statement):
    columns = [{"name": "zero", "type": "INT"}]
    stack.tell("generated", {"statement": statement, "columns": columns, "rows": 1, "preEncoded": True})


def measure(context, contestant, figures):
    request = contestant.small(STATEMENT)
    alone = Load.run("one", request, calls=context.pick(1000, 200))
    before = contestant.process.cpu_seconds()
    steady = Load.run("rate", request, per_second=PER_SECOND, seconds=context.pick(10, 2))
    between = contestant.process.cpu_seconds()
    most = Load.run("most", request, connections=16, seconds=context.pick(4, 1))
    after = contestant.process.cpu_seconds()
    figures.add(
        p50_us=alone["p50"],
        p99_us=steady["p99"],
        steady_p50_us=steady["p50"],
        most_per_second=most["perSecond"],
        steady_cpu_us=(between - before) / steady["calls"] * 1e6,
        most_cpu_us=(after - between) / most["calls"] * 1e6,
        peak_mib=contestant.process.peak_mib(),
        failures=sum(load.get("failures", 0) for load in (alone, steady, most)),
    )


def markdown(found):
    stand_in, ours = found["stand-in alone"], found["Causeway"]
    rows = []
    for name, figures in found.items():
        over = lambda which: (figures[which].median - stand_in[which].median) / 1000
        itself = name == "stand-in alone"
        rows.append([
            name,
            shown(figures["p50_us"], " µs", 0),
            "" if itself else number(over("p50_us")) + " ms",
            shown(figures["p99_us"], " µs", 0),
            "" if itself else number(over("p99_us")) + " ms",
            shown(figures["most_per_second"], "/s", 0),
            shown(figures["steady_cpu_us"], " µs", 0),
            shown(figures["most_cpu_us"], " µs", 0),
            "" if itself else f"{figures['most_cpu_us'].median / ours['most_cpu_us'].median:.1f}×",
            "" if itself else number(figures["peak_mib"].median, 0) + " MiB",
        ])
    head = ["", "p50, one connection", "over the stand-in", f"p99, {PER_SECOND}/s", "over the stand-in", "most",
            f"CPU per call, {PER_SECOND}/s", "CPU per call, most", "of Causeway's", "peak RSS"]
    return table(head, rows) + "".join(
        f"\n\n{name}: {sum(figures['failures'].rounds)} calls failed in all rounds together."
        for name, figures in found.items() if any(figures["failures"].rounds)
    )
