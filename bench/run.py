"""Measures Causeway beside what one would use instead, on this machine: `python3 bench/run.py`, or with `--quick` in
two minutes. docs/performance.md says what and how. Makes its own Python environment, builds what it needs, prints a
table for each scenario and keeps all of it in `.causeway-local/bench/`."""

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import venv
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
DATA = ROOT / ".causeway-local" / "bench"
SCENARIOS = ("small", "big", "memory", "retries", "conversion", "push", "waits", "drain", "rotation")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two rounds, few rows: to see that it works")
    parser.add_argument("--big", action="store_true", help="100 million rows in `memory`: takes a quarter of an hour")
    parser.add_argument("--only", metavar="NAME", action="append", choices=SCENARIOS, help=f"of {', '.join(SCENARIOS)}")
    parser.add_argument("--peer", metavar="PART", action="append", help="only peers whose name contains this")
    parser.add_argument("--rounds", type=int, help="default 5; 2 with --quick")
    parser.add_argument("--handler", type=Path, help="a built `causeway`; default: builds one with the profile dist")
    parser.add_argument("--stack", type=Path, help="a built `causeway-local`; default: builds one with release")
    parser.add_argument("--page", type=Path, help="puts the tables into this page, as in docs/performance.md")
    parser.add_argument("--out", type=Path, default=DATA / "results", help="the results, .json and .md")
    return parser.parse_args()


def in_environment():
    """Starts this program again in a Python that has the pinned packages."""
    wanted = hashlib.sha256((BENCH / "requirements.txt").read_bytes()).hexdigest()[:12]
    folder = DATA / f"python-{wanted}"
    python = folder / "bin" / "python"
    if Path(sys.prefix).resolve() == folder.resolve():
        return
    if not (folder / "complete").exists():
        print(f"installing the peers' packages, once, into {folder}", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        subprocess.run([*install, "-r", BENCH / "requirements.txt"], check=True)
        (folder / "complete").touch()
    os.execv(python, [str(python), *sys.argv])


def built(*options, name, profile):
    print(f"building {name} ({profile})", flush=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    subprocess.run(["cargo", "build", "--quiet", "--locked", "--profile", profile, *options], cwd=ROOT, check=True)
    return target / profile / name


def load_generator():
    target = DATA / "load"
    command = ["cargo", "build", "--quiet", "--release", "--target-dir", str(target)]
    subprocess.run(command, cwd=BENCH / "load", check=True)
    return target / "release" / "load"


class Context:
    """What a scenario is given."""

    def __init__(self, options, stack, program, handler):
        self.stack, self.program, self.handler, self.big = stack, program, handler, options.big
        self.quick = options.quick
        self.rounds = options.rounds or self.pick(5, 2)
        self.peers = options.peer

    def pick(self, whole, quick):
        return quick if self.quick else whole

    def wanted(self, name):
        return not self.peers or any(part in name for part in self.peers)


def machine():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    facts = {"cores": len(os.sched_getaffinity(0)), "memoryGiB": round(memory), "architecture": platform.machine()}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            facts["processor"] = line.partition(":")[2].strip()
            break
    return facts


def put(page, name, markdown):
    """Between the marks of this scenario."""
    text = page.read_text()
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, found, rest = text.partition(begin)
    if not found or end not in rest:
        raise SystemExit(f"{page} has no place for {name}")
    page.write_text(before + begin + "\n" + markdown + "\n\n" + end + rest.partition(end)[2])


def described(facts, quick):
    """Of the machine, for the page."""
    rounds = "**Preliminary**: a quick run, few rounds of few rows." if quick else "Five rounds."
    return f"{facts['cores']} cores ({facts['architecture']}), {facts['memoryGiB']} GiB of memory, Linux. {rounds}"


def main():
    options = arguments()
    if sys.platform != "linux":
        raise SystemExit("The benchmark reads /proc and pins to cores: it runs on Linux only.")
    in_environment()
    sys.path.insert(0, str(BENCH))
    import importlib

    import rig

    rig.Load.program = load_generator()
    handler = options.handler or built("-p", "causeway", "--bin", "causeway", name="causeway", profile="dist")
    program = options.stack or built("-p", "local-stack", "--bins", name="causeway-local", profile="release")
    stack = rig.Stack(program.resolve())
    found, pages = {"machine": machine(), "quick": options.quick}, []
    try:
        for name in options.only or SCENARIOS:
            print(f"== {name}", flush=True)
            scenario = importlib.import_module(f"scenarios.{name}")
            facts, markdown = scenario.run(Context(options, stack, program.resolve(), handler.resolve()))
            found[name] = facts
            title = (scenario.__doc__ or "").strip()
            pages.append(f"### {name}\n\n{title}\n\n{markdown}\n")
            print(f"\n{markdown}\n", flush=True)
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.with_suffix(".json").write_text(json.dumps(found, indent=1))
            options.out.with_suffix(".md").write_text("\n".join(pages))
            if options.page:
                put(options.page, name, markdown)
                put(options.page, "machine", described(found["machine"], options.quick))
    finally:
        stack.process.stop()
    print(f"all of it: {options.out.with_suffix('.json')} and .md")


main()
