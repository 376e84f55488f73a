//! Who waits for a run is told of its end: by replies, or at an address of its own.

use std::collections::BTreeMap;

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use serde_json::{Value, json};

use super::super::receivers::{Told, address_of, read};
use super::super::vault::text_of;
use super::Checker;

impl Checker<'_> {
    /// Whoever waits is told of each end, and of nothing else; once, where nothing is lost or doubled.
    pub(super) fn replies(&mut self, run: &str, ends: &[&Value], replies: &[Value]) {
        let mine: Vec<_> = replies.iter().filter(|reply| reply["runId"] == run).collect();
        let tells = |end: &&Value| mine.iter().any(|reply| reply["state"] == end["state"]);
        let true_one = |reply: &&Value| ends.iter().any(|end| reply["state"] == end["state"]);
        let right = ends.iter().all(tells) && mine.iter().all(true_one);
        self.hold(right, || format!("{run}: ended as {ends:?}, replies {mine:?}"));
        self.once(run, mine.len(), ends.len());
    }

    /// The same of those who have named an address. They may refuse for a while, or be gone, or have changed their mind.
    pub(super) fn callbacks(&mut self, run: &str, wanted: bool, records: &[Value], ends: &[&Value]) {
        let mine: Vec<&Told> = self.told.iter().filter(|told| told.run == run).collect();
        self.hold(wanted || mine.is_empty(), || format!("{run}: nobody wanted to be told: {mine:?}"));
        if !wanted {
            return;
        }
        let unwanted = self.world.stood(&format!("notes/{run}/unsubscribed")).map(|noted| noted.at);
        for told in &mine {
            let right = told.url == address_of(run)
                && is_signed(told)
                && ends.iter().any(|end| self.stood(end).at <= told.left && is_of(told, end));
            self.hold(right, || format!("{run}: ended as {ends:?}, and {told:?} was told"));
            let late = unwanted.is_some_and(|at| told.left > at);
            self.hold(!late, || format!("{run}: not wanted since {unwanted:?}, and {told:?} was told"));
        }
        for end in ends {
            let answered = records.iter().find(|record| {
                record["transition"] == "answered" && record["seq"].as_u64().unwrap() > end["seq"].as_u64().unwrap()
            });
            let Some(answered) = answered.map(|answered| self.stood(answered).at) else { continue };
            let has_come = mine.iter().any(|told| is_of(told, end) && told.is_over() && told.came <= answered);
            let unwanted = unwanted.is_some_and(|at| at <= answered);
            self.hold(has_come || unwanted, || format!("{run}: of {end} nobody was told, but {mine:?}"));
        }
        let plan = &self.world.plan;
        if unwanted.is_none() && [plan.answer_lost, plan.receiver_refuses, plan.vault_away] == [0, 0, 0] {
            self.once(run, mine.len(), ends.len());
        }
    }

    fn once(&mut self, run: &str, times: usize, ends: usize) {
        let plan = &self.world.plan;
        let calm = [plan.put_fails, plan.read_fails, plan.slow, plan.send_fails, plan.message_doubled, plan.crashes];
        let once = calm.iter().any(|often| *often > 0) || times == ends;
        self.hold(once, || format!("{run}: told {times} times of {ends} ends"));
    }
}

/// Whether it says what stands in this record.
fn is_of(told: &Told, end: &Value) -> bool {
    let said = read(told);
    let body_fits = match &end["error"] {
        Value::Null => said == *end.get("output").unwrap_or(&json!(null)),
        error => said["code"] == error["code"] && said["run"] == end["run"],
    };
    end["state"] == told.state.as_str() && body_fits
}

/// As docs/callbacks.md has it.
fn is_signed(told: &Told) -> bool {
    let parts: BTreeMap<&str, &str> = told.signature.split(',').filter_map(|part| part.split_once('=')).collect();
    let Some(text) = parts.get("k").and_then(|version| text_of(version)) else { return false };
    let own = sign(&Key::new(HMAC_SHA256, text.as_bytes()), b"causeway callback signature v1");
    let signed = [parts["t"].as_bytes(), b".", &told.body].concat();
    let mac = sign(&Key::new(HMAC_SHA256, own.as_ref()), &signed);
    let bytes = mac.as_ref().iter().enumerate();
    let is_byte =
        |(at, byte): (usize, &u8)| parts["v1"].get(2 * at..2 * at + 2) == Some(format!("{byte:02x}").as_str());
    parts["v1"].len() == 64 && bytes.into_iter().all(is_byte)
}
