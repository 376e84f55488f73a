"""The conversion alone, in process, on one core: 200,000 rows of Arrow to NDJSON and CSV, beside the bare writers of
`arrow-json` and `arrow-csv` (`benches/convert.rs`). Bytes are compared first where the forms are meant to be equal. A
ratio over 1 is faster than the bare writer; `values of our own form` are types that Causeway writes in another way."""

import os
import re
import subprocess

from measures import table
from rig import ROOT, TESTED, pinned, say

LINE = re.compile(r"(?P<case>.+?)\s+(?P<ours>[\d.]+)ms\s+(?P<bare>[\d.]+)ms\s+(?P<ratio>[\d.]+)x\s+(?P<again>[+-][\d.]+) %")


def run(context):
    # What is shipped is built with dist; a try need not wait for that.
    profile = context.pick("dist", "release")
    command = ["cargo", "bench", "--locked", "--quiet", "--profile", profile, "-p", "causeway", "--bench", "convert"]
    say(f"  building the conversion's own benchmark ({profile})")
    subprocess.run([*command, "--no-run"], cwd=ROOT, check=True)
    done = subprocess.run(pinned(TESTED, command), cwd=ROOT, env=os.environ, check=True, capture_output=True, text=True)
    found = [match.groupdict() for match in map(LINE.fullmatch, map(str.strip, done.stdout.splitlines())) if match]
    if not found:
        raise RuntimeError(f"nothing was measured:\n{done.stdout}")
    rows = [[one["case"], one["ours"] + " ms", one["bare"] + " ms", one["ratio"] + "×", one["again"] + " %"] for one in found]
    return found, table(["", "Causeway", "bare writer", "ratio", "A/A"], rows)
