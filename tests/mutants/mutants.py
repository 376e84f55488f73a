#!/usr/bin/env python3
"""Breaks the engine, one line at a time, and says whether the simulation notices. docs/reliability.md has what was seen.

    python3 tests/mutants/mutants.py [name ...]

Each mutant replaces one piece of the real source, runs the simulation over CAUSEWAY_SEEDS seeds (default 2000), and puts
the source back. Not in CI: every mutant is a build. Exit 0: all were caught.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Name, file, what stands there, what is put in its place.
MUTANTS = [
    # Nothing broken: a seed that fails by itself would make every mutant look caught.
    ("none", "src/ledger/put.rs", "return Ok(Put::Lost(standing)),", "return Ok(Put::Lost(standing)),"),
    ("already-exists-ignored", "src/ledger/put.rs",
     "return Ok(Put::Lost(standing)),", "return Ok(Put::Written),"),
    ("recovery-off", "src/runs/step.rs",
     "StepState::Started => self.recover(index, &step, kind).await,",
     # Of a run that is to be cancelled it would go round for ever.
     "StepState::Started if self.record.cancel.is_none() => self.begin(index, &step, kind).await,\n"
     "            StepState::Started => self.recover(index, &step, kind).await,"),
    ("a-miss-counts-as-not-sent", "src/runs/search.rs",
     "Ok(None) => {}",
     "Ok(None) => { self.record.steps[index].state = StepState::Pending; return self.sleep(index, FIRST_SLEEP).await; }"),
    ("lease-ignored", "src/runs/advance.rs",
     "newest.lease_until.into_iter().chain(sent)", "None::<Timestamp>.into_iter().chain(sent)"),
    ("margin-ignored", "src/runs/advance.rs",
     "before + self.settings.send_margin)", "before - self.settings.send_window)"),
    ("window-ignored", "src/runs/send.rs",
     "until = until.min(Deadline::after(window));", "until = until.min(Deadline::after(window * 20));"),
    ("record-after-effect", "src/runs/send.rs",
     "if !self.commit(started).await? {\n                return Ok(Flow::Overtaken);\n            }",
     "self.record = started;"),
    ("message-after-record-forgotten", "src/runs/nudge.rs",
     "if !is_stale(&newest, now) {", "if !newest.state.at_rest() || !is_stale(&newest, now) {"),
    ("key-of-each-sending", "src/runs/send.rs",
     "hash(&[&self.record.run, id, &attempt.to_string()])",
     "hash(&[&self.record.run, id, &attempt.to_string(), &self.record.seq.to_string()])"),
    ("a-part-in-doubt-counts-as-not-sent", "src/runs/parts.rs",
     "let certain = just_now.is_none();", "let certain = true;"),
    ("line-ignored", "src/runs/line.rs",
     "if !gone && stands {\n                return Ok(Turn::Behind);", "if !gone && stands {\n                return Ok(Turn::Ours);"),
    ("children-not-awaited", "src/runs/children/mod.rs",
     "children.stops(&ended)) && ended.among(children.started) == children.started {", "children.stops(&ended)) {"),
    ("cancel-not-looked-for", "src/runs/send.rs",
     "if self.cancel_asked().await?\n                && let Some(flow)",
     "if false && self.cancel_asked().await?\n                && let Some(flow)"),
    ("timeout-is-the-end", "src/runs/overdue.rs",
     "let asked = self.record.steps[index].stop_asked_at.is_some();",
     "let _ = kind.cancel(&self.engine.neighbours, inputs, id, self.deadline).await;\n        return self.failed(index, step, why).await.map(Some);\n        #[allow(unreachable_code)]\n        let asked = false;"),
    ("retry-does-all-anew", "src/runs/retry.rs",
     "StepState::Failed => *step = step.anew(record.at),",
     "StepState::Succeeded => *step = step.fresh(step.attempt + 1),\n                StepState::Failed => *step = step.anew(record.at),"),
    ("children-begun-anew", "src/runs/record.rs",
     "if self.children_since > 0 {", "if self.children_since > u32::MAX - 1 {"),
    ("cancel-not-looked-for-while-it-waits", "src/runs/step.rs",
     "if self.cancel_seen().await\n                && let Some(flow)", "if false\n                && let Some(flow)"),
    ("cancel-stops-nothing", "src/runs/cancel.rs",
     "match kind.cancel(&self.engine.neighbours, inputs, id, self.deadline).await {", "match Ok::<(), Failure>(()) {"),
    ("callback-forgotten", "src/runs/end.rs",
     "&& !self.told(&ended, callback, deadline).await?", "&& callback.url.is_empty()"),
    ("refusal-taken-for-told", "src/runs/tell.rs",
     "Ok(Some(refused)) if matches!(refused.status, 404 | 410) => {", "Ok(Some(refused)) if refused.status >= 300 => {"),
    ("lost-telling-taken-for-told", "src/runs/tell.rs",
     "could not be told\");\n                Tried::Later(pause)", "could not be told\");\n                Tried::Over"),
    ("callback-says-succeeded", "src/runs/tell.rs",
     ".header(\"x-causeway-state\", ended.state.as_str())", ".header(\"x-causeway-state\", \"succeeded\")"),
    ("unsubscription-ignored", "src/runs/tell.rs",
     "if self.ledger.get(&unsubscribed_path(run), deadline).await?.is_some() {",
     "if self.ledger.get(&unsubscribed_path(run), deadline).await?.is_some() && run.is_empty() {"),
    ("seal-skipped", "src/runs/sealed.rs",
     "*value = Value::String(sealing.seal(&place_of_parameter(run, &name), value)?);",
     "sealing.seal(&place_of_parameter(run, &name), value)?;"),
    ("inputs-not-sealed", "src/runs/sealed.rs", "if !record.sealing {", "if !record.sealing || record.seq > 0 {"),
    ("inputs-not-opened", "src/runs/advance.rs",
     "self.open_inputs(&mut record, deadline).await?;",
     "if record.run.is_empty() { self.open_inputs(&mut record, deadline).await?; }"),
    ("newest-key-opens", "src/sealing/mod.rs",
     "let (version, body) = split(sealed).ok_or_else(|| unreadable(place))?;\n"
     "        let secret = self.secrets.version(&self.secret_name, version, deadline).await?;",
     "let (_, body) = split(sealed).ok_or_else(|| unreadable(place))?;\n"
     "        let secret = self.secrets.current(&self.secret_name, deadline).await?;"),
    ("output-not-scrubbed", "src/runs/step.rs",
     "// A neighbour may give back what it was sent.\n        let output = self.scrub.value(output);",
     "// A neighbour may give back what it was sent."),
    ("failure-not-scrubbed", "src/http/scrub.rs",
     "if self.0.is_empty() {", "if self.0.len() < 1000 {"),
]


def caught(name, path, old, new):
    file = ROOT / path
    source = file.read_text()
    if source.count(old) != 1:
        print(f"{name}: stands {source.count(old)} times in {path}: mend this script")
        return False
    try:
        file.write_text(source.replace(old, new))
        command = ["cargo", "test", "-q", "-p", "causeway", "--lib", "--", "no_seed_loses"]
        env = os.environ | {"CAUSEWAY_SEEDS": os.environ.get("CAUSEWAY_SEEDS", "2000"), "RUST_BACKTRACE": "0"}
        ran = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=3600)
    except subprocess.TimeoutExpired:
        print(f"{name}: goes round for ever: mend this script", flush=True)
        return False
    finally:
        file.write_text(source)
    told = ran.stdout + ran.stderr
    seeds = re.search(r"of \d+ seeds these fail: (\[.*?\])", told)
    first = re.search(r"broke \d+ rules:\n(.{0,300})", told)
    if name == "none":
        print(f"none: {'holds' if ran.returncode == 0 else 'FAILS BY ITSELF'}", flush=True)
        return ran.returncode == 0
    if ran.returncode == 0 or seeds is None:
        print(f"{name}: NOT CAUGHT\n{told[-1500:] if ran.returncode else ''}")
        return False
    failed = json.loads(seeds[1])
    print(f"{name}: caught, first by {failed[0]}, by {len(failed)}: {first[1] if first else ''}", flush=True)
    return True


def main():
    wanted = sys.argv[1:]
    results = [caught(*mutant) for mutant in MUTANTS if not wanted or mutant[0] in wanted]
    print(f"{sum(results)} of {len(results)} mutants caught")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
