"""Made-up calls of every route, as Schemathesis makes them of the OpenAPI document, against the running local stack.

Installs Schemathesis into target/schemathesis, starts the stack without touching anything else, asks it for
`/api/connector/openapi.json`, and throws calls that fit the document and calls that do not at it. Nothing may be answered
with a 5xx, with a status or a media type that the document does not have, or with a body of another shape. Not in CI: it
takes minutes.

    python3 tests/conformance/schemathesis.py [--examples 30] [--seed 1] [--known] [arguments for `st run`]

Exit 0: nothing was found.
"""

import argparse
import json
import os
import subprocess
import sys
import urllib.request
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"

def program() -> Path:
    """`st` of a folder of its own."""
    folder = ROOT / "target" / "schemathesis"
    given = os.environ.get("SCHEMATHESIS")
    if given:
        return Path(given)
    st = folder / "bin" / "st"
    if not st.exists():
        venv.create(folder, with_pip=True)
        requirements = Path(__file__).with_name("schemathesis.requirements.txt")
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", "-r", requirements], check=True)
    return st


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", default="30")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--known", action="store_true", help="names in paths that are there, instead of made-up ones")
    options, arguments = parser.parse_known_args()
    st = program()
    handler = os.environ.get("CAUSEWAY_HANDLER")
    stack_program = os.environ.get("CAUSEWAY_LOCAL")
    start = [stack_program] if stack_program else ["cargo", "local"]
    command = [*start, "up", "--json", "--ports", "0", "--app-root", str(ROOT), *(["--handler", handler] if handler else [])]
    stack = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        facts = json.loads(stack.stdout.readline())
        base, key = facts["endpoints"]["host"], facts["credentials"]["hostKey"]
        request = urllib.request.Request(f"{base}/api/connector/openapi.json", headers={"x-functions-key": key})
        document = json.load(urllib.request.urlopen(request, timeout=60))
        folder = ROOT / "target" / "schemathesis-report"
        folder.mkdir(parents=True, exist_ok=True)
        schema = folder / "openapi.json"
        schema.write_text(json.dumps(document, indent=2))
        # What is there, where a name is needed: made-up ones would all be 404.
        known = facts["credentials"]
        there = {
            "w": known["workspaceId"], "d": known["pushDatasetId"], "t": "DailySales", "c": "main", "s": "sales",
            "job": "rebuild-daily-sales", "name": "refresh-sales",
        }
        lines = [f'"path.{name}" = {json.dumps(value)}' for name, value in there.items()]
        if options.known:
            (folder / "schemathesis.toml").write_text("\n".join(["[parameters]", *lines, ""]))
        else:
            (folder / "schemathesis.toml").unlink(missing_ok=True)
        operations = sum(len(item) for item in document["paths"].values())
        print(f"{operations} operations at {base}", flush=True)
        run = [
            str(st), "run", str(schema), "--url", base, "--checks", CHECKS, "--header", f"x-functions-key:{key}",
            "--max-examples", options.examples, "--seed", options.seed, "--continue-on-failure", "--no-shrink",
            "--phases", "coverage,fuzzing", "--request-timeout", "130", "--workers", "1", "--suppress-health-check", "all",
            "--report", "ndjson", "--report-ndjson-path", str(folder / "events.ndjson"), *arguments,
        ]
        return subprocess.run(run, cwd=folder).returncode
    finally:
        stack.terminate()
        stack.wait(timeout=30)


if __name__ == "__main__":
    sys.exit(main())
