"""Runs the tests of the Power BI stand-in with Prism (npm, @stoplight/prism-cli) between them and the stand-in.

Prism reads Microsoft's contract as other people do, and holds each request and each reply against it. Not in CI: it
wants Node.js and takes some minutes. `python3 tests/conformance/power_bi_prism.py`; PRISM may name a program that is
there already.

Last run, with Prism 5.14.2 on Node.js 20: all 45 tests pass in eight minutes, with no violation but those of the format
`date-time`, which the tests leave alone: the service's times have no zone.
"""

import os
import pathlib
import subprocess
import sys

VERSION = "5.14.2"
root = pathlib.Path(__file__).resolve().parents[2]


def prism():
    given = os.environ.get("PRISM")
    if given:
        return given
    folder = root / "target" / "prism"
    program = folder / "node_modules" / ".bin" / "prism"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        package = f"@stoplight/prism-cli@{VERSION}"
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--prefix", folder, package], check=True)
    return str(program)


# One proxy a test: as many tests at once as there are processors would wait for each other's Node.js. The test that is
# left out stops the clock while requests are on their way, which does not stop another program's.
tests = ["power_bi", "pushed", "--skip", "a_sixth_pending_post", "--test-threads", "2"]
command = ["cargo", "test", "-p", "local-stack", "--test", "neighbours", "--", *tests]
sys.exit(subprocess.run(command, cwd=root, env={**os.environ, "PRISM": prism()}).returncode)
