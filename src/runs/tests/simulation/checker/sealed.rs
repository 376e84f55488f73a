//! What is secret stands nowhere in clear, and comes whole to the steps that it is for.

use bytes::Bytes;
use serde_json::Value;

use super::super::operations::is_sealed;
use super::super::vault::{pin_of, signature_of};
use super::Checker;

impl Checker<'_> {
    /// Neither the ledger, nor what lies in queues, nor what was told outside has one of the secrets in it.
    pub(super) fn nothing_in_clear<'a>(&mut self, runs: impl Iterator<Item = &'a String>, written: &[(String, Bytes)]) {
        let secrets: Vec<String> = runs.flat_map(|run| [pin_of(run), signature_of(run)]).collect();
        let told: Vec<_> = self.told.iter().map(|told| (told.run.clone(), told.body.clone())).collect();
        for (place, bytes) in written.iter().chain(&told) {
            let text = String::from_utf8_lossy(bytes);
            let clear = secrets.iter().any(|secret| text.contains(secret.as_str()));
            self.hold(!clear, || format!("in clear at {place}: {text}"));
        }
    }

    /// Whatever the neighbour was asked for a step, it was asked with what the run was given, or with nothing.
    pub(super) fn given(&mut self) {
        let neighbour = self.neighbour;
        for (run, step, pin) in &neighbour.given {
            let expected = self.runs.get(run).and_then(|records| {
                let of = records[0]["operation"].as_str().unwrap();
                is_sealed(of).then(|| pin_of(self.root(run)))
            });
            self.hold(*pin == expected, || format!("{run} {step}: {pin:?} instead of {expected:?}"));
        }
    }

    /// The run that somebody asked for.
    fn root<'a>(&'a self, run: &'a str) -> &'a str {
        let trigger = self.runs.get(run).map(|records| &records[0]["pinned"]["trigger"]);
        match trigger.filter(|trigger| trigger["kind"] == "parent") {
            Some(Value::Object(trigger)) => self.root(trigger["run"].as_str().unwrap()),
            _ => run,
        }
    }
}
