"""The conversion alone, in process, beside the bare `arrow-json` and `arrow-csv` writers: `cargo bench --bench convert`,
whose own words are below."""

import subprocess

from rig import ROOT, TESTED, pinned


def run(context):
    build = ["cargo", "bench", "--locked", "--quiet", "-p", "causeway", "--bench", "convert", "--no-run"]
    subprocess.run(build, cwd=ROOT, check=True)
    command = [part for part in build if part != "--no-run"]
    done = subprocess.run(pinned(TESTED, command), cwd=ROOT, check=True, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    return {"lines": lines}, "```text\n" + "\n".join(lines) + "\n```"
