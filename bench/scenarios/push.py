"""Rows from SQL into a push dataset, with the limits of Power BI 60 times faster than they are: how near to what the limits
allow; then with every tenth push going wrong, with and without sequence numbers. Through the Functions host, since a push
that waits for its turn sleeps and is woken by a message."""

import json
import time
from itertools import islice
from urllib.parse import quote

from measures import Figures, number, shown, table
from rig import HostedStack, call, post, say
from scenarios.big import columns_3

SCALE = 60
# An hour's window takes 1,000,000 rows at once: one has to push more to see the limit.
ROWS, QUICK_ROWS = 3_000_000, 1_200_000
DOUBTFUL_ROWS, QUICK_DOUBTFUL_ROWS = 1_000_000, 300_000
BAR = 0.95
# The limits of a dataset, as docs/power-bi-rows.md has them, in seconds of their own clock.
REQUESTS_A_MINUTE, ROWS_AN_HOUR = 120, 1_000_000
LARGE, REQUESTS_AN_HOUR_WHEN_LARGE = 250_000, 120
# A batch that was perhaps sent is left alone for 90 s, which is 1.5 s here; the least that may be set is 1 s and 1 s.
SOON = {"CAUSEWAY_SEND_WINDOW_SECONDS": "1", "CAUSEWAY_SEND_MARGIN_SECONDS": "1"}
TABLE = "Readings"
COLUMNS = [{"name": "id", "dataType": "Int64"}, {"name": "doubled", "dataType": "Int64"},
           {"name": "label", "dataType": "String"}]
# One of these after each nine that go well: 5 % throttled, 5 % cut, half of those after the rows were taken.
THROTTLED = {"status": {"status": 429, "headers": [["retry-after", "1"]], "body": "{}"}}
FAULTS = [THROTTLED, "cutBeforeCommit", THROTTLED, "cutAfterCommit"]


def run(context):
    rows = context.pick(ROWS, QUICK_ROWS)
    found = {"well": Figures(), "numbered": Figures()}
    tallies = {"well": [], "numbered": []}
    for round in range(context.pick(min(context.rounds, 3), 1)):
        for which in found:
            figures, tally = pushed(context, rows, faults=which == "numbered")
            found[which].add(**figures)
            tallies[which].append(tally)
            say(f"  {which}, round {round + 1}: {figures['seconds']:.1f} s, {figures['sustained']:.1%} of the ceiling")
    doubtful = in_doubt(context, context.pick(DOUBTFUL_ROWS, QUICK_DOUBTFUL_ROWS))
    facts = {which: {"figures": found[which].as_json(), "tallies": tallies[which]} for which in found}
    return facts | {"unnumbered": doubtful}, markdown(rows, found, tallies) + "\n\n" + told(doubtful)


def markdown(rows, found, tallies):
    lines = []
    for name, which in ("nothing goes wrong", "well"), ("5 % are 429, 5 % cut; numbered", "numbered"):
        figures = found[which]
        verdict = "" if figures["sustained"].median >= BAR else f" (under {BAR:.0%})"
        lines.append([
            f"{rows:,} rows, {name}",
            shown(figures["seconds"], " s"),
            number(figures["per_second"].median) + "/s",
            f"{figures['sustained'].median:.1%} ±{figures['sustained'].spread:.1%}{verdict}",
            f"{figures['of_ceiling'].median:.1%} ±{figures['of_ceiling'].spread:.1%}",
            shown(figures["whole_seconds"], " s"),
            number(max(figures["refused"].rounds), 0),
            " + ".join(number(max(figures[which].rounds), 0) for which in ("throttled", "cut")),
            " / ".join(number(max(tally[which] for tally in tallies[which_of]), 0)
                       for which_of in [which] for which in ("lost", "doubled")),
            shown(figures["cpu_seconds"], " s"),
            number(max(figures["peak_mib"].rounds), 0) + " MiB",
        ])
    head = ["", "first to last push", "rows", "sustained, of the ceiling", "whole, of the least time", "with the SELECT", "over the limits", "429 + cut by us",
            "lost / doubled", "CPU", "peak RSS"]
    return table(head, lines)


def told(doubtful):
    lines = [[
        f"{doubtful['rows']:,} rows, 5 % are 429, 5 % cut; no numbers",
        number(len(doubtful["unknown"]), 0),
        number(sum(one["came"] for one in doubtful["unknown"]), 0),
        number(doubtful["wrong"], 0),
        number(doubtful["lost"], 0) + " / " + number(doubtful["doubled"], 0),
        f"{number(doubtful['throttled'], 0)} + {number(doubtful['cut'], 0)}",
    ]]
    head = ["", "told as unknown", "of them had come", "told wrongly", "lost / doubled in the end", "429 + cut by us"]
    return table(head, lines)


def pushed(context, rows, faults):
    stack = Pushing(context, **(SOON if faults else {}))
    try:
        statement = "SELECT * FROM generated /* to push */"
        reply = {"statement": statement, "columns": columns_3(), "rows": rows, "chunkRows": 100_000, "preEncoded": True}
        stack.tell("generated", reply)
        # Encoded before anything is measured.
        stack.warm(statement)
        if faults:
            stack.go_wrong(rows)
        before, begun = stack.handler.cpu_seconds(), time.time()
        stack.handler.forget_peak()
        status, answer = stack.push({"statement": statement})
        if status != 200 or answer["rowsPushed"] != rows:
            raise RuntimeError(f"{status} {answer}")
        cpu, peak = stack.handler.cpu_seconds() - before, stack.handler.peak_mib()
        came = stack.history("powerBi", "rows")
        first, last = came[0][0], came[-1][0]
        ceiling = least_seconds([detail["count"] for _, detail in came]) / SCALE
        tally = stack.tally(0, rows)
        figures = {
            "seconds": last - first,
            "whole_seconds": last - begun,
            "per_second": rows / (last - first),
            "ceiling_seconds": ceiling,
            "of_ceiling": ceiling / (last - first),
            "sustained": sustained(came),
            "refused": stack.refused(came),
            "throttled": stack.spoiled()["throttled"],
            "cut": stack.spoiled()["cut"],
            "cpu_seconds": cpu,
            "peak_mib": peak,
        }
        return figures, tally
    finally:
        stack.stop()


def in_doubt(context, rows):
    """As a maker would: push, and when some rows are told as unknown, look whether they have come and push what is left."""
    stack = Pushing(context, **SOON)
    try:
        stack.settings(sequenceNumbers=False)
        stack.go_wrong(rows)
        statement = "SELECT id, id * 2 AS doubled, concat('row ', id) AS label FROM range(:first, :end)"
        at, unknown, wrong = 0, [], 0
        while at < rows:
            parameters = {name: {"value": value, "type": "BIGINT"} for name, value in (("first", at), ("end", rows))}
            status, answer = stack.push({"statement": statement, "parameters": parameters})
            if status == 200:
                at += answer["rowsPushed"]
                continue
            if answer.get("code") != "outcome-unknown":
                raise RuntimeError(f"{status} {answer}")
            words = answer["detail"].split()
            first, last = at + int(words[1]) - 1, at + int(words[3])
            there = stack.tally(first, last)
            came = there["lost"] == 0
            # What is told: all before these rows is there once, of these all or nothing, and nothing behind them.
            whole = stack.tally(0, last if came else first)
            right = there["lost"] in (0, last - first) and whole["exact"]
            wrong += not right
            unknown.append({"first": first, "last": last, "came": came})
            at = last if came else first
        tally = stack.tally(0, rows)
        say(f"  without numbers: {len(unknown)} ranges were told as unknown")
        return {"rows": rows, "unknown": unknown, "wrong": wrong, **tally, **stack.spoiled()}
    finally:
        stack.stop()


class Pushing(HostedStack):
    """A stack whose limits run fast, with an empty push dataset in it."""

    def __init__(self, context, **settings):
        settings["CAUSEWAY_POWER_BI_TIME_SCALE"] = str(SCALE)
        super().__init__(context.program, context.handler, name="push", **settings)
        self.power_bi = self.endpoints["powerBi"]
        self.settings(timeScale=SCALE, sequenceNumbers=True)
        workspace = f"/api/power-bi/workspaces/{self.credentials['workspaceId']}"
        dataset = {"name": "Benchmark", "tables": [{"name": TABLE, "columns": COLUMNS}]}
        status, _, made = self.ask("POST", f"{workspace}/datasets", dataset)
        if status not in (200, 201):
            raise RuntimeError(f"{status} {made}")
        self.dataset = made["id"]
        self.rows = f"{workspace}/datasets/{self.dataset}/tables/{TABLE}/rows"
        self.spoils = 0

    def settings(self, **wish):
        post(f"{self.power_bi}/__stand-in/settings", wish)

    def go_wrong(self, rows):
        """Enough for twice as many pushes as are needed."""
        for action in islice(FAULTS * rows, rows // 10_000 // 5):
            fault = {"method": "POST", "pathContains": f"/tables/{TABLE}/rows", "skip": 9, "action": action}
            post(f"{self.power_bi}/__stand-in/faults", fault)
        self.spoils = rows // 10_000 // 5

    def warm(self, statement):
        body = {"statement": statement, "warehouse_id": self.warehouse, "wait_timeout": "50s",
                "disposition": "EXTERNAL_LINKS", "format": "ARROW_STREAM"}
        for compression in "NONE", "LZ4_FRAME":
            body["result_compression"] = compression
            post(self.url + "/api/2.0/sql/statements", body, headers={"Authorization": f"Bearer {self.token}"})

    def push(self, body):
        """Starts the push and looks each second until it has ended."""
        status, headers, answer = self.ask("POST", self.rows + "?mode=start", body)
        if status != 201:
            return status, answer
        while True:
            status, _, now = self.ask("GET", answer["statusUrl"])
            if status != 202:
                return status, now
            time.sleep(1)

    def tally(self, first, end):
        query = f"column=id&from={first}&to={end}"
        url = f"{self.power_bi}/__stand-in/datasets/{self.dataset}/tables/{quote(TABLE)}/tally?{query}"
        found = json.loads(call("GET", url))
        lost, doubled = len(found["lost"]), len(found["doubled"])
        return {"rowsThere": found["rows"], "lost": lost, "doubled": doubled, "unexpected": found["unexpected"],
                "exact": not lost and not doubled and not found["unexpected"]}

    def requests(self):
        return sum(detail["method"] == "POST" and detail["target"].endswith(f"/tables/{TABLE}/rows")
                   for _, detail in self.history("powerBi", "request"))

    def spoiled(self):
        """How many pushes went wrong by our wish; each tenth did, in turn."""
        acted = [FAULTS[place % len(FAULTS)] for place in range(min(self.requests() // 10, self.spoils))]
        throttled = sum(action == THROTTLED for action in acted)
        return {"throttled": throttled, "cut": len(acted) - throttled, "cutBefore": acted.count("cutBeforeCommit")}

    def refused(self, came):
        """Pushes that were over the limits."""
        spoiled = self.spoiled()
        repeated = len(self.history("powerBi", "rowsRepeated"))
        return self.requests() - len(came) - repeated - spoiled["throttled"] - spoiled["cutBefore"]


def sustained(came):
    """As a share of the rows that an hour takes: what was pushed until the last window began, in the time until then. The rest
    of the last window is no question of the limit, but of how fast a batch is sent."""
    window, pushed, begins = 0, 0, came[0][0]
    before = 0
    for at, detail in came:
        if pushed // ROWS_AN_HOUR > window:
            window, begins, before = pushed // ROWS_AN_HOUR, at, pushed
        pushed += detail["count"]
    return before / (begins - came[0][0]) / (ROWS_AN_HOUR * SCALE / 3600)


def least_seconds(batches):
    """From the first to the last batch when each comes at the very moment at which the limits allow it."""
    came = []
    pushed = 0
    for rows in batches:
        at = came[-1][0] if came else 0.0
        if len(came) >= REQUESTS_A_MINUTE:
            at = max(at, came[-REQUESTS_A_MINUTE][0] + 60)
        if pushed >= LARGE and len(came) >= REQUESTS_AN_HOUR_WHEN_LARGE:
            at = max(at, came[-REQUESTS_AN_HOUR_WHEN_LARGE][0] + 3600)
        room = ROWS_AN_HOUR - rows
        for earlier, taken in reversed(came):
            room -= taken
            if room < 0:
                at = max(at, earlier + 3600)
                break
        came.append((at, rows))
        pushed += rows
    return came[-1][0]
